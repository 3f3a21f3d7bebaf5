//! A network in memory: a board's stack and another host's, joined by a cable that can lose, double, delay and cut, with a clock that
//! the test turns.
//!
//! | module | is |
//! |---|---|
//! | [`cable`] | the cable, and a [`Device`](smoltcp::phy::Device) at each of its ends |
//! | [`host`] | the other end: TCP, DHCP and DNS servers over a stack of its own |
//! | [`dhcp`], [`dns`] | what those two servers say |

pub mod cable;
pub mod dhcp;
pub mod dns;
pub mod host;
