//! Redis samples to MQTT brokers: the part that needs no operating system, no allocator and no clock.
//!
//! # The way of a sample
//!
//! ```text
//! Redis bytes
//!   -> redis::resp       a frame, read in place
//!   -> redis::session    a message on a channel we subscribed to
//!   -> sample            value, timestamp, quality
//!   -> routes            which signal is it, and is it news?
//!   -> outbox            the sample waits here until it is done with
//!   -> mqtt::session     when to send it, and what the broker's answers mean; on the way out it becomes a packet, with the
//!                        payload, the topic and the protocol version that hold then
//!   -> broker bytes
//! ```
//!
//! One direction, one owner per step. What a lower part has to tell is an event that the upper one polls.
//!
//! # The floors
//!
//! Each module knows only those below it (`core/tests/floors.rs` looks). From the ground up:
//!
//! | module | question |
//! |---|---|
//! | `bytes` | how are bytes put, moved and compared with no way to panic? |
//! | `input` | what do nom's parsers read, and how is it cut with no way to panic? |
//! | [`time`], [`random`] | what is a point in time, and where do numbers come from that differ from gateway to gateway? |
//! | [`index`] | which entry of a table has this name? |
//! | [`delivery`] | which step of a delivery may follow which, at each QoS? |
//! | [`counters`] | what has happened to the samples of one device? |
//! | [`secret`] | how are secrets masked in what peers say? |
//! | [`sample`] | what did Redis say, and is it well-formed? |
//! | [`log`](mod@log) | where do log lines go? |
//! | [`payload`] | how does a sample look on the wire? |
//! | [`outbox`] | what waits, what is in flight, what has to go again? |
//! | [`net`] | how is a link made, kept and made again? |
//! | [`config`] | is the mapping table right, and what does it say? |
//! | [`redis`] | what does the server say, and what is to be said to it? |
//! | [`mqtt`] | what does the broker say, and what is to be said to it? |
//! | [`routes`] | which signal has this channel, and what did it last say? |
//! | [`observer`] | what does a person see of it? |
//! | [`bridge`] | how do they make one product, and what of it goes on after a reload? |
//!
//! # The rules
//!
//! - **After any input, drain every output; then wait for input or the deadline.** The sessions take bytes and the time, and
//!   give bytes, events and the next deadline. They open nothing and read no clock, so that all of it can run in a test with a
//!   virtual clock and a faulty network.
//! - **Storage is borrowed.** Buffers, the route table and the outbox are slices that the caller hands in: a `Vec` on Linux, a
//!   `static` on a board.
//! - **A panic is a bug in this crate**, never the fault of input. Errors are sorted by blame: the configuration's, the peer's, ours
//!   (a limit reached), the network's. None is reachable: `core/no-panic` is an image that links only if the optimiser agrees.
//!
//! # The loop
//!
//! The loop, with a network that never answers in place of a port's own:
//!
//! ```
//! use core::net::{IpAddr, Ipv4Addr};
//! use mqtt_client_core::bridge::assembly::{Block, BrokerSizes, FeedSizes};
//! use mqtt_client_core::bridge::{Bridge, Broker, Feed};
//! use mqtt_client_core::config::{self, Abilities, Device, Signal};
//! use mqtt_client_core::index::Index;
//! use mqtt_client_core::routes::{LastSample, Routes};
//! use mqtt_client_core::time::{Instant, SECOND};
//! # use embedded_nal::{AddrType, Dns, TcpClientStack, TcpError, TcpErrorKind, nb};
//! # struct Network;
//! # #[derive(Debug)]
//! # struct Error;
//! # impl TcpError for Error { fn kind(&self) -> TcpErrorKind { TcpErrorKind::Other } }
//! # impl core::fmt::Display for Error {
//! #     fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result { f.write_str("no network") }
//! # }
//! # impl mqtt_client_core::net::NetworkError for Error {}
//! # impl TcpClientStack for Network {
//! #     type TcpSocket = ();
//! #     type Error = Error;
//! #     fn socket(&mut self) -> Result<(), Error> { Ok(()) }
//! #     fn connect(&mut self, _: &mut (), _: core::net::SocketAddr) -> nb::Result<(), Error> { Err(nb::Error::WouldBlock) }
//! #     fn send(&mut self, _: &mut (), _: &[u8]) -> nb::Result<usize, Error> { Err(nb::Error::WouldBlock) }
//! #     fn receive(&mut self, _: &mut (), _: &mut [u8]) -> nb::Result<usize, Error> { Err(nb::Error::WouldBlock) }
//! #     fn close(&mut self, _: ()) -> Result<(), Error> { Ok(()) }
//! # }
//! # impl mqtt_client_core::net::Network for Network {}
//! # impl Dns for Network {
//! #     type Error = Error;
//! #     fn get_host_by_name(&mut self, _: &str, _: AddrType) -> nb::Result<IpAddr, Error> { Ok(Ipv4Addr::LOCALHOST.into()) }
//! #     fn get_host_by_address(&mut self, _: IpAddr, _: &mut [u8]) -> nb::Result<usize, Error> { Err(nb::Error::WouldBlock) }
//! # }
//!
//! let table = br#"{
//!     "devices": [{"name": "Cloud", "device_alias": "cloud", "enable": 1, "protocol": "MQTT",
//!                  "ip": "broker.example.com", "auth": "none", "mqtt_qos": 1}],
//!     "signals": [{"signal_name": "Power", "device_alias": "cloud", "signal_alias": "p",
//!                  "source_device_alias": "INV1", "source_signal_alias": "P"}]
//! }"#;
//! // All memory is the caller's: arrays here, vectors on Linux, statics on a board.
//! let memory = config::Storage {
//!     devices: &mut [Device::EMPTY; 1], signals: &mut [Signal::EMPTY; 1], index: &mut [0; 32], text: &mut [],
//! };
//! let report = &mut |finding: &config::Finding<'_>| eprintln!("{}", finding.in_file("table.json"));
//! let config = config::parse(table, memory, Abilities::ALL, report).expect("a valid table");
//!
//! let (mut slots, mut last) = ([0; Index::slots_for(1)], [LastSample::NOTHING; 1]);
//! let routes = Routes::new(&config, &mut slots, &mut last).expect("room for one signal");
//! let mut memory = [0; 12 * 1024];
//! let mut memory = Block::new(&mut memory);
//! // A number that differs from start to start.
//! let random = 0x9abc_def0;
//! // Buffers as small as they can be, but for these.
//! let wish = FeedSizes { input: 1024, ..FeedSizes::default() };
//! let buffers = FeedSizes::of(&config, wish).take(&mut memory).expect("room");
//! let feed = Feed::new(&config, random, buffers, Network);
//! let wish = BrokerSizes { outbox: 8192, ..BrokerSizes::default() };
//! let mut brokers = Vec::new();
//! for device in config.devices {
//!     let buffers = BrokerSizes::of(device, wish).take(&mut memory).expect("room");
//!     brokers.push(Broker::new(&config, device, 0x1234_5678, random, buffers, Network));
//! }
//! let mut bridge = Bridge::new(&config, routes, feed, &mut brokers);
//!
//! let mut now = Instant::from_millis(0);
//! while !bridge.has_stopped() {
//!     let wake_up = bridge.poll(now, &mut ());
//!     // A port waits here until the network has something, or until `wake_up`, and reads its clock.
//!     now = wake_up;
//!     if now >= Instant::from_millis(60 * SECOND) {
//!         bridge.stop(now);
//!     }
//! }
//! ```
//!
//! # Features
//!
//! `tls` reads the rules of `auth`=`tls`; a program without it refuses what asks for that. `proxy` has HTTP proxies before brokers. `mqtt5` speaks MQTT 5. `watch` makes packets events, for `-m`. `log` and `defmt` say where log lines go; with neither they go nowhere. Both together work.

#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod bridge;
mod bytes;
pub mod config;
pub mod counters;
pub mod delivery;
pub mod index;
mod input;
pub mod log;
pub mod mqtt;
pub mod net;
pub mod observer;
pub mod outbox;
pub mod payload;
pub mod random;
pub mod redis;
pub mod routes;
pub mod sample;
pub mod secret;
pub mod time;
