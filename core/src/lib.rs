//! Redis samples to MQTT brokers: the part that needs no operating system, no allocator and no clock.
//!
//! # The way of a sample
//!
//! ```text
//! Redis bytes
//!   -> redis::resp       a frame, read in place
//!   -> redis::session    a message on a channel we subscribed to
//!   -> routes            which signal is it, and is it news?
//!   -> sample            value, timestamp, quality
//!   -> outbox            kept, as the PUBLISH that it becomes, until it is acknowledged
//!   -> mqtt::session     when to send it, and what the broker's answers mean (mqtt::qos)
//!   -> broker bytes
//! ```
//!
//! One direction, one owner per step. The modules can be read in this order, and each knows only its neighbours' types:
//!
//! | module | question |
//! |---|---|
//! | [`config`] | is the mapping table right, and what does it say? |
//! | [`redis`] | what does the server say, and what is to be said to it? |
//! | [`index`], [`routes`] | which signal has this channel, and what did it last say? |
//! | [`sample`] | is the message well-formed, and is its value good? |
//! | [`outbox`] | what waits, what is in flight, what has to go again? |
//! | [`mqtt`] | what does the broker say, and what is to be said to it? |
//! | [`net`] | how is a link made, kept and made again? |
//! | [`bridge`] | how do they make one product? |
//! | [`counters`], [`observer`], [`log`](mod@log) | what does a person see of it? |
//!
//! # The rules
//!
//! - **After any input, drain every output; then wait for input or the deadline.** The sessions take bytes and the time, and
//!   give bytes, events and the next deadline. They open nothing and read no clock, so that all of it can run in a test with a
//!   virtual clock and a faulty network.
//! - **Storage is borrowed.** Buffers, the route table and the outbox are slices that the caller hands in: a `Vec` on Linux, a
//!   `static` on a board.
//! - **A panic is a bug in this crate**, never the fault of input. Errors are sorted by blame: the configuration's, the peer's, ours
//!   (a limit reached), the network's.
//!
//! # Features
//!
//! `log` and `defmt` say where log lines go; with neither they go nowhere. Both together work.

#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod bridge;
pub mod config;
pub mod counters;
pub mod index;
pub mod log;
pub mod mqtt;
pub mod net;
pub mod observer;
pub mod outbox;
pub mod redis;
pub mod routes;
pub mod sample;
pub mod time;
