//! The whole bridge over plain sockets of the standard library: a mapping table from the command line, one thread, no TLS.
//!
//! ```sh
//! cargo run -p mqtt-client-core --example std_sockets -- table.json
//! ```
//!
//! It runs until it is killed, and says nothing. A port of your own differs in two places: `Network`, and how it waits.

use std::fmt;
use std::io::{Error, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use embedded_nal::{AddrType, Dns, TcpClientStack, TcpError, TcpErrorKind, nb};
use mqtt_client_core::bridge::assembly::{Block, BrokerSizes, FeedSizes};
use mqtt_client_core::bridge::{Bridge, Broker, Feed};
use mqtt_client_core::config::{self, Abilities, Device, Signal};
use mqtt_client_core::index::Index;
use mqtt_client_core::routes::{LastSample, Routes};
use mqtt_client_core::time::Instant;

struct Sockets;

#[derive(Debug)]
struct Failure(Error);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TcpError for Failure {
    fn kind(&self) -> TcpErrorKind {
        match self.0.kind() {
            ErrorKind::UnexpectedEof => TcpErrorKind::PipeClosed,
            _ => TcpErrorKind::Other,
        }
    }
}

impl mqtt_client_core::net::NetworkError for Failure {}
impl mqtt_client_core::net::Network for Sockets {}

fn failure(error: Error) -> nb::Error<Failure> {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::Interrupted => nb::Error::WouldBlock,
        _ => nb::Error::Other(Failure(error)),
    }
}

impl TcpClientStack for Sockets {
    type TcpSocket = Option<TcpStream>;
    type Error = Failure;

    fn socket(&mut self) -> Result<Self::TcpSocket, Failure> {
        Ok(None)
    }

    fn connect(&mut self, socket: &mut Self::TcpSocket, to: SocketAddr) -> nb::Result<(), Failure> {
        // For five seconds at most everything else stands still: a port does not wait here.
        let stream = TcpStream::connect_timeout(&to, Duration::from_secs(5)).map_err(failure)?;
        stream.set_nonblocking(true).map_err(failure)?;
        *socket = Some(stream);
        Ok(())
    }

    fn send(&mut self, socket: &mut Self::TcpSocket, bytes: &[u8]) -> nb::Result<usize, Failure> {
        let socket = socket.as_mut().ok_or(nb::Error::WouldBlock)?;
        socket.write(bytes).map_err(failure)
    }

    fn receive(
        &mut self,
        socket: &mut Self::TcpSocket,
        room: &mut [u8],
    ) -> nb::Result<usize, Failure> {
        let socket = socket.as_mut().ok_or(nb::Error::WouldBlock)?;
        match socket.read(room).map_err(failure)? {
            0 => Err(failure(ErrorKind::UnexpectedEof.into())),
            count => Ok(count),
        }
    }

    fn close(&mut self, _: Self::TcpSocket) -> Result<(), Failure> {
        Ok(())
    }
}

impl Dns for Sockets {
    type Error = Failure;

    fn get_host_by_name(&mut self, name: &str, _: AddrType) -> nb::Result<IpAddr, Failure> {
        let address = (name, 0).to_socket_addrs().map_err(failure)?.next();
        address
            .map(|address| address.ip())
            .ok_or_else(|| failure(ErrorKind::NotFound.into()))
    }

    fn get_host_by_address(&mut self, _: IpAddr, _: &mut [u8]) -> nb::Result<usize, Failure> {
        Err(failure(ErrorKind::Unsupported.into()))
    }
}

fn main() {
    let path = std::env::args().nth(1).expect("a mapping table");
    let table = std::fs::read(&path).expect("a file");
    // All memory is the caller's: here for one device with up to 64 signals.
    let memory = config::Storage {
        devices: &mut [Device::EMPTY; 1],
        signals: &mut [Signal::EMPTY; 64],
        index: &mut [0; 256],
        text: &mut [0; 4096],
    };
    let report = &mut |finding: &config::Finding<'_>| eprintln!("{}", finding.in_file(&path));
    let config = config::parse(&table, memory, Abilities::ALL, report).expect("a valid table");
    let (mut slots, mut last) = ([0; Index::slots_for(64)], [LastSample::NOTHING; 64]);
    let routes = Routes::new(&config, &mut slots, &mut last).expect("room");
    let mut memory = [0; 128 * 1024];
    let mut memory = Block::new(&mut memory);
    let random = std::process::id();
    let sizes = FeedSizes::of(&config, FeedSizes::default());
    let buffers = sizes.take(&mut memory).expect("room");
    let feed = Feed::new(&config, random, buffers, Sockets);
    let wish = BrokerSizes {
        outbox: 65_536,
        ..BrokerSizes::default()
    };
    let mut brokers = Vec::new();
    for device in config.devices {
        let buffers = BrokerSizes::of(device, wish).take(&mut memory);
        let buffers = buffers.expect("room");
        brokers.push(Broker::new(
            &config, device, random, random, buffers, Sockets,
        ));
    }
    let mut bridge = Bridge::new(&config, routes, feed, &mut brokers);

    let begun = std::time::Instant::now();
    loop {
        let now = Instant::from_millis(begun.elapsed().as_millis() as u64);
        let wake_up = bridge.poll(now, &mut ());
        // A port waits for its sockets here, and for `wake_up`; this looks again after 10 ms.
        std::thread::sleep(Duration::from_millis(wake_up.since(now).min(10)));
    }
}
