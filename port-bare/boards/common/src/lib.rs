//! What every board needs beside its drivers, its clock and its memory map, and what does not depend on them.
//!
//! | module | question |
//! |---|---|
//! | [`clock`] | what time is it, on a counter that wraps around? |
//! | [`configuration`] | where in flash is the mapping table, and how long is it? |
//! | [`mac`] | what is a board's Ethernet address, if nobody gave it one? |
//! | `report` | what does a board say of itself? (only on a board) |
//! | [`stack`] | how much of the stack has ever been used? |

#![no_std]

#[cfg(test)]
extern crate std;

pub mod clock;
pub mod configuration;
pub mod mac;
#[cfg(target_os = "none")]
pub mod report;
pub mod stack;
