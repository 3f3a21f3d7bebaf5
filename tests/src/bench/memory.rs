//! Both ends in memory, around the core alone: no socket, no system call, no clock.
//!
//! Everything is allocated before the first message, so that a test can count what the core allocates: nothing.

use std::cell::RefCell;
use std::convert::Infallible;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;

use embedded_nal::{AddrType, Dns, TcpClientStack, TcpError, TcpErrorKind, nb};
use mqtt_client_core::bridge::assembly::{Block, BrokerSizes, FeedSizes};
use mqtt_client_core::bridge::{Bridge, Broker, Feed};
use mqtt_client_core::config::{self, Abilities, Device, Signal};
use mqtt_client_core::index::Index;
use mqtt_client_core::net::{Network, NetworkError};
use mqtt_client_core::routes::{LastSample, Routes};
use mqtt_client_core::time::Instant;

use super::sink::Sink;
use super::source::Source;
use super::workload::{SIGNALS, Workload, alias};
use crate::config::cloud;

/// Bytes that wait in a direction of a link at most: a socket's buffer.
const SOCKET: usize = 256 * 1024;

/// Turns without a message after which the bridge is stuck.
const PATIENCE: u32 = 100;

/// Buffer sizes of the daemon.
const FEED: FeedSizes = FeedSizes {
    input: 16 * 1024,
    commands: 4 * 1024,
};
const BROKER: BrokerSizes = BrokerSizes {
    outbox: 1024 * 1024,
    in_flight: 0,
    input: 4 * 1024,
    control: 4 * 1024,
    transmit: 8 * 1024,
};

/// A bridge at work between both ends.
pub struct Pipeline<'b, 'a> {
    bridge: Bridge<'b, 'a, Link>,
    workload: &'b Workload,
    source: Source,
    sink: Sink,
    redis: Link,
    broker: Link,
    /// Messages that may be under way.
    ahead: u64,
}

/// Makes a bridge for the workload's signals, connects it, and hands it to `work`.
///
/// # Panics
///
/// If the bridge does not connect and subscribe.
pub fn with_pipeline<T>(
    qos: u8,
    version: &str,
    ahead: u64,
    work: impl FnOnce(&mut Pipeline<'_, '_>) -> T,
) -> T {
    let workload = Workload::new();
    let table = (0..SIGNALS)
        .fold(cloud(), |table, signal| table.signal(&alias(signal)))
        .device_key("mqtt_qos", qos)
        .device_key("mqtt_version", version)
        .with_ports(1, 2)
        .to_json();
    let sizes = config::measure(&table).expect("a table that is JSON");
    let (mut devices, mut signals) = (
        vec![Device::EMPTY; sizes.devices],
        vec![Signal::EMPTY; sizes.signals],
    );
    let (mut index, mut text) = (vec![0; sizes.index], vec![0; sizes.text]);
    let storage = config::Storage {
        devices: &mut devices,
        signals: &mut signals,
        index: &mut index,
        text: &mut text,
    };
    let config = config::parse(&table, storage, Abilities::ALL, &mut |finding| {
        panic!("{}", finding.in_file("table"))
    })
    .expect("a valid table");

    let mut slots = vec![0; Index::slots_for(SIGNALS)];
    let mut last = vec![LastSample::NOTHING; SIGNALS];
    let routes = Routes::new(&config, &mut slots, &mut last).expect("storage for all signals");
    let [redis, broker] = [Link::new(), Link::new()];
    let device = &config.devices[0];
    let (feed_sizes, broker_sizes) = (
        FeedSizes::of(&config, FEED),
        BrokerSizes::of(device, BROKER),
    );
    let mut memory = vec![0; feed_sizes.bytes() + broker_sizes.bytes()];
    let mut memory = Block::new(&mut memory);
    let storage = feed_sizes.take(&mut memory).expect("room");
    let feed = Feed::new(&config, 0, storage, redis.clone());
    let storage = broker_sizes.take(&mut memory).expect("room");
    let mut brokers = [Broker::new(&config, device, 7, 0, storage, broker.clone())];
    let mut pipeline = Pipeline {
        bridge: Bridge::new(&config, routes, feed, &mut brokers),
        workload: &workload,
        source: Source::default(),
        sink: Sink::new(qos),
        redis,
        broker,
        ahead,
    };
    for _ in 0..PATIENCE {
        pipeline.turn(0);
    }
    assert!(
        pipeline.source.subscribed() == SIGNALS && pipeline.sink.is_connected(),
        "it does not connect"
    );
    work(&mut pipeline)
}

impl Pipeline<'_, '_> {
    /// Forwards until `messages` messages in all have come out, right and in order.
    ///
    /// # Panics
    ///
    /// If they do not.
    pub fn run(&mut self, messages: u64) {
        let mut patience = PATIENCE;
        while self.sink.complete() < messages {
            let before = self.sink.complete();
            self.turn(messages);
            patience = if self.sink.complete() > before {
                PATIENCE
            } else {
                patience - 1
            };
            assert!(patience > 0, "stuck after {before} messages");
        }
    }

    /// Lets both ends do what they can, and then the bridge.
    fn turn(&mut self, messages: u64) {
        let limit = messages.min(self.sink.complete() + self.ahead);
        let mut redis = self.redis.0.borrow_mut();
        self.source.receive(&redis.from_bridge);
        redis.from_bridge.clear();
        loop {
            let output = self.source.output(self.workload, limit);
            let count = redis.to_bridge.add(output);
            if count == 0 {
                break;
            }
            self.source.sent(count);
        }
        drop(redis);
        let mut broker = self.broker.0.borrow_mut();
        let count = broker.from_bridge.len();
        self.sink.input()[..count].copy_from_slice(&broker.from_bridge);
        broker.from_bridge.clear();
        if let Err(error) = self.sink.received(count, self.workload) {
            panic!("{error}");
        }
        let count = broker.to_bridge.add(self.sink.output());
        self.sink.sent(count);
        drop(broker);
        poll_bridge(&mut self.bridge);
    }
}

/// All that the product does for its messages happens in here: the place to count.
#[inline(never)]
pub fn poll_bridge(bridge: &mut Bridge<'_, '_, Link>) {
    // Whether it wants to be called again at once does not matter: it is.
    let _ = bridge.poll(Instant::default(), &mut ());
}

/// One link of the bridge, and its network. Clones are the same link.
#[derive(Clone)]
pub struct Link(Rc<RefCell<Wire>>);

struct Wire {
    to_bridge: Queue,
    from_bridge: Vec<u8>,
}

impl Link {
    fn new() -> Self {
        Self(Rc::new(RefCell::new(Wire {
            to_bridge: Queue {
                bytes: vec![0; SOCKET],
                from: 0,
                to: 0,
            },
            from_bridge: Vec::with_capacity(SOCKET),
        })))
    }
}

/// Bytes on their way.
struct Queue {
    bytes: Vec<u8>,
    from: usize,
    to: usize,
}

impl Queue {
    /// Adds what fits; how much that is.
    fn add(&mut self, bytes: &[u8]) -> usize {
        if self.from == self.to {
            (self.from, self.to) = (0, 0);
        }
        let count = bytes.len().min(self.bytes.len() - self.to);
        self.bytes[self.to..self.to + count].copy_from_slice(&bytes[..count]);
        self.to += count;
        count
    }
}

/// The network of one link never fails.
#[derive(Debug)]
pub struct Never(Infallible);

impl TcpClientStack for Link {
    type TcpSocket = ();
    type Error = Never;

    fn socket(&mut self) -> Result<(), Never> {
        Ok(())
    }

    fn connect(&mut self, (): &mut (), _: SocketAddr) -> nb::Result<(), Never> {
        Ok(())
    }

    fn send(&mut self, (): &mut (), buffer: &[u8]) -> nb::Result<usize, Never> {
        let from_bridge = &mut self.0.borrow_mut().from_bridge;
        let count = buffer.len().min(SOCKET - from_bridge.len());
        if count == 0 {
            return Err(nb::Error::WouldBlock);
        }
        from_bridge.extend_from_slice(&buffer[..count]);
        Ok(count)
    }

    fn receive(&mut self, (): &mut (), buffer: &mut [u8]) -> nb::Result<usize, Never> {
        let queue = &mut self.0.borrow_mut().to_bridge;
        let count = buffer.len().min(queue.to - queue.from);
        if count == 0 {
            return Err(nb::Error::WouldBlock);
        }
        buffer[..count].copy_from_slice(&queue.bytes[queue.from..queue.from + count]);
        queue.from += count;
        Ok(count)
    }

    fn close(&mut self, (): ()) -> Result<(), Never> {
        Ok(())
    }
}

impl Network for Link {}

impl Dns for Link {
    type Error = Never;

    fn get_host_by_name(&mut self, _: &str, _: AddrType) -> nb::Result<IpAddr, Never> {
        Ok(Ipv4Addr::LOCALHOST.into())
    }

    fn get_host_by_address(&mut self, _: IpAddr, _: &mut [u8]) -> nb::Result<usize, Never> {
        Ok(0)
    }
}

impl fmt::Display for Never {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {}
    }
}

impl std::error::Error for Never {}

impl TcpError for Never {
    fn kind(&self) -> TcpErrorKind {
        match self.0 {}
    }
}

impl NetworkError for Never {}
