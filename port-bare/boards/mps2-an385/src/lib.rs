//! The board's devices: Ethernet, timers, console and watchdog.
//!
//! The Ethernet driver needs nothing of the board but an implementation of its registers, so it is tested on the host; the other devices
//! are a few registers each, and only there on the board.

#![no_std]

#[cfg(test)]
extern crate std;

use mqtt_client_bare::Sizes;

pub mod bus;
#[cfg(feature = "spool")]
pub mod flash;
pub mod lan9118;
#[cfg(target_os = "none")]
pub mod peripherals;

/// How much the image has room for: 32 signals, and a second broker.
pub const SIZES: Sizes = Sizes {
    devices: 2,
    outbox: 4096,
    ..Sizes::SMALL
};

/// The same in the image with the feature `spool`: one of the brokers may have one.
pub const SIZES_WITH_SPOOL: Sizes = Sizes { spools: 1, ..SIZES };
