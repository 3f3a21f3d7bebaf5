//! One bridge of a fleet: the real one, in its memory, between a model Redis and the broker of all, over a network that takes no time.

use std::cell::RefCell;
use std::mem::take;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;

use embedded_nal::{AddrType, Dns, TcpClientStack, nb};
use mqtt_client_core::bridge::assembly::{Block, BrokerSizes, FeedSizes};
use mqtt_client_core::bridge::{Bridge, Broker, Feed};
use mqtt_client_core::config::Config;
use mqtt_client_core::index::Index;
use mqtt_client_core::routes::{LastSample, Routes};
use mqtt_client_core::time::Instant;

use crate::network::Error;

/// The memory of one bridge: a few kilobytes, and what waits.
pub struct Memory {
    feed: (FeedSizes, Vec<u8>),
    broker: (BrokerSizes, Vec<u8>),
    slots: Vec<u32>,
    last: Vec<LastSample>,
}

/// What a bridge is made of.
pub struct Parts<'a> {
    feed: Option<Feed<'a, Wire>>,
    routes: Option<Routes<'a>>,
    brokers: [Broker<'a, Wire>; 1],
}

impl Memory {
    pub fn new(config: &Config<'_>) -> Self {
        let wish = FeedSizes {
            input: 512,
            ..FeedSizes::default()
        };
        let feed = FeedSizes::of(config, wish);
        let wish = BrokerSizes {
            input: 64,
            control: 64,
            ..BrokerSizes::default()
        };
        let broker = BrokerSizes::of(&config.devices[0], wish);
        Memory {
            feed: (feed, vec![0; feed.bytes()]),
            broker: (broker, vec![0; broker.bytes()]),
            slots: vec![0; Index::slots_for(config.signals.len())],
            last: vec![LastSample::NOTHING; config.signals.len()],
        }
    }

    pub fn parts<'a>(
        &'a mut self,
        config: &'a Config<'a>,
        random: u32,
        network: &Network,
    ) -> Parts<'a> {
        let (sizes, bytes) = &mut self.feed;
        let storage = sizes.take(&mut Block::new(bytes)).expect("room");
        let feed = Feed::new(config, random, storage, network.redis.clone());
        let (sizes, bytes) = &mut self.broker;
        let storage = sizes.take(&mut Block::new(bytes)).expect("room");
        let device = &config.devices[0];
        let broker = Broker::new(
            config,
            device,
            random,
            random,
            storage,
            network.broker.clone(),
        );
        let routes = Routes::new(config, &mut self.slots, &mut self.last).expect("room");
        Parts {
            feed: Some(feed),
            routes: Some(routes),
            brokers: [broker],
        }
    }
}

/// A bridge, and the servers' ends of its network.
pub struct Gateway<'b, 'a> {
    bridge: Bridge<'b, 'a, Wire>,
    pub network: Network,
    /// When it wants to be called.
    pub wake_up: u64,
    /// Samples that Redis has published.
    pub published: u64,
}

impl<'b, 'a> Gateway<'b, 'a> {
    pub fn new(config: &'a Config<'a>, parts: &'b mut Parts<'a>, network: Network) -> Self {
        let feed = parts.feed.take().expect("it is made once");
        let routes = parts.routes.take().expect("it is made once");
        Gateway {
            bridge: Bridge::new(config, routes, feed, &mut parts.brokers),
            network,
            wake_up: 0,
            published: 0,
        }
    }

    /// Redis publishes the next sample: its value is its number, from 0 on.
    pub fn publish(&mut self, now: u64) {
        if !self.network.redis.is_open() {
            return;
        }
        let message = format!("{},{now}", self.published);
        let frame = format!(
            "*3\r\n$7\r\nmessage\r\n${}\r\n{CHANNEL}\r\n${}\r\n{message}\r\n",
            CHANNEL.len(),
            message.len()
        );
        self.network.redis.server_write(frame.as_bytes());
        self.published += 1;
    }

    pub fn poll(&mut self, now: u64) -> u64 {
        let wake_up = self.bridge.poll(Instant::from_millis(now), &mut ());
        self.wake_up = wake_up.as_millis();
        self.wake_up
    }

    /// Samples that wait, or that the broker has not acknowledged.
    pub fn waiting(&self) -> usize {
        let outbox = self.bridge.brokers()[0].session().outbox();
        outbox.queued() + outbox.in_flight()
    }

    pub fn is_drained(&self) -> bool {
        self.bridge.brokers()[0].session().is_idle()
    }

    pub fn dropped(&self) -> u64 {
        self.bridge.brokers()[0].counters().dropped
    }
}

const CHANNEL: &str = "tag/g/s/in";

/// The two lines of a bridge.
#[derive(Clone, Default)]
pub struct Network {
    redis: Wire,
    pub broker: Wire,
}

impl Network {
    /// Redis answers what it was asked; whether there was something.
    pub fn serve_redis(&self) -> bool {
        let mut pipe = self.redis.0.borrow_mut();
        if take(&mut pipe.is_new) {
            pipe.is_accepted = true;
            return true;
        }
        if pipe.to_server.is_empty() {
            return false;
        }
        let asked = take(&mut pipe.to_server);
        let asks = |word: &[u8]| asked.windows(word.len()).any(|part| part == word);
        if asks(b"SUBSCRIBE") {
            let answer = format!(
                "*3\r\n$9\r\nsubscribe\r\n${}\r\n{CHANNEL}\r\n:1\r\n",
                CHANNEL.len()
            );
            pipe.to_client.extend_from_slice(answer.as_bytes());
        } else if asks(b"PING") {
            pipe.to_client
                .extend_from_slice(b"*2\r\n$4\r\npong\r\n$0\r\n\r\n");
        }
        true
    }
}

/// Both ends of a line that takes no time.
#[derive(Clone, Default)]
pub struct Wire(Rc<RefCell<Pipe>>);

#[derive(Default)]
struct Pipe {
    /// The client waits to be accepted.
    is_new: bool,
    is_accepted: bool,
    to_server: Vec<u8>,
    to_client: Vec<u8>,
    /// How the connection has ended.
    over: Option<Error>,
}

/// What the server's end meets.
pub enum Met {
    Nothing,
    /// A client waits to be accepted or refused.
    New,
    Bytes(Vec<u8>),
}

impl Wire {
    pub fn is_open(&self) -> bool {
        let pipe = self.0.borrow();
        pipe.is_accepted && pipe.over.is_none()
    }

    pub fn meet(&self) -> Met {
        let mut pipe = self.0.borrow_mut();
        if take(&mut pipe.is_new) {
            Met::New
        } else if pipe.to_server.is_empty() {
            Met::Nothing
        } else {
            Met::Bytes(take(&mut pipe.to_server))
        }
    }

    pub fn accept(&self) {
        self.0.borrow_mut().is_accepted = true;
    }

    pub fn refuse(&self) {
        self.0.borrow_mut().over = Some(Error::Refused);
    }

    pub fn server_write(&self, bytes: &[u8]) {
        self.0.borrow_mut().to_client.extend_from_slice(bytes);
    }

    pub fn server_close(&self) {
        self.0.borrow_mut().over = Some(Error::Closed);
    }

    /// The server is gone, and what was under way.
    pub fn cut(&self) {
        let mut pipe = self.0.borrow_mut();
        pipe.to_server.clear();
        pipe.to_client.clear();
        pipe.over = Some(Error::Reset);
    }
}

impl TcpClientStack for Wire {
    type TcpSocket = ();
    type Error = Error;

    fn socket(&mut self) -> Result<(), Error> {
        *self.0.borrow_mut() = Pipe {
            is_new: true,
            ..Pipe::default()
        };
        Ok(())
    }

    fn connect(&mut self, (): &mut (), _: SocketAddr) -> nb::Result<(), Error> {
        let pipe = self.0.borrow();
        match (pipe.over, pipe.is_accepted) {
            (Some(error), _) => Err(nb::Error::Other(error)),
            (None, true) => Ok(()),
            (None, false) => Err(nb::Error::WouldBlock),
        }
    }

    fn send(&mut self, (): &mut (), bytes: &[u8]) -> nb::Result<usize, Error> {
        let mut pipe = self.0.borrow_mut();
        if let Some(error) = pipe.over {
            return Err(nb::Error::Other(error));
        }
        pipe.to_server.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn receive(&mut self, (): &mut (), buffer: &mut [u8]) -> nb::Result<usize, Error> {
        let mut pipe = self.0.borrow_mut();
        let count = pipe.to_client.len().min(buffer.len());
        if count == 0 {
            return Err(pipe.over.map_or(nb::Error::WouldBlock, nb::Error::Other));
        }
        buffer[..count].copy_from_slice(&pipe.to_client[..count]);
        pipe.to_client.drain(..count);
        Ok(count)
    }

    fn close(&mut self, (): ()) -> Result<(), Error> {
        self.0.borrow_mut().over = Some(Error::Closed);
        Ok(())
    }
}

impl mqtt_client_core::net::Network for Wire {}

impl Dns for Wire {
    type Error = Error;

    fn get_host_by_name(&mut self, _: &str, _: AddrType) -> nb::Result<IpAddr, Error> {
        Ok(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }

    fn get_host_by_address(&mut self, _: IpAddr, _: &mut [u8]) -> nb::Result<usize, Error> {
        Err(nb::Error::Other(Error::UnknownName))
    }
}
