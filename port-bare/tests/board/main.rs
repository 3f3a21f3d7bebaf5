//! Does a board do what it should? With a virtual clock, over a cable in memory.
//!
//! | module | question |
//! |---|---|
//! | `stack` | does the stack do what `embedded_nal` and the core ask of a network? |
//! | `bridge` | does the whole forward from Redis to its brokers? |
//! | `common` | (the cable, and the host at its other end) |
//! | `models` | (the servers of that host) |
//! | `nor` | (a model of its flash) |

mod bridge;
mod common;
#[allow(dead_code, reason = "not every test of the core has its like here")]
mod models;
#[cfg(feature = "spool")]
#[path = "../flash/nor.rs"]
#[expect(dead_code, reason = "nothing wears out here")]
mod nor;
mod stack;
