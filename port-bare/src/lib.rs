//! Redis samples to MQTT brokers, on a board without an operating system: the core over [smoltcp], no heap.
//!
//! A board gives it a [`phy::Device`](smoltcp::phy::Device), the time in milliseconds, a random seed, and the configuration's bytes, and
//! calls [`Runner::poll`] again and again; see the README beside this crate for the whole way to a new board.
//!
//! | module | question |
//! |---|---|
//! | [`memory`] | how much memory does it take, and where is it? |
//! | [`stack`] | how does the core reach its peers? TCP and DNS as `embedded_nal`, over smoltcp |
//! | [`runner`] | how do they make one firmware? |
//! | `flash` | how does NOR flash become the storage of spools? (with the feature `spool`) |
//! | `spools` | which devices have a spool, and does the flash suffice? (with the feature `spool`) |
//! | [`status`] | how is it, in one word? |

#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

#[cfg(feature = "spool")]
pub mod flash;
mod log;
pub mod memory;
pub mod runner;
mod share;
#[cfg(feature = "spool")]
mod spools;
pub mod stack;
pub mod status;

pub use memory::{Memory, Sizes};
pub use mqtt_client_core::time::Instant;
pub use runner::{NotStarted, Runner, Setup};
pub use stack::address::{Addressing, StaticAddress};
pub use status::Status;
