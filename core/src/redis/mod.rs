//! A Redis subscriber (RESP2).
//!
//! | module | question |
//! |---|---|
//! | [`resp`] | what do the server's bytes say? |
//! | [`oversized`] | how is a frame that fits no buffer passed over? |
//! | [`command`] | how is a command written? |
//! | [`subscription`] | which channels has the server been asked for, and which of them has it confirmed? |
//! | `close` | why is a connection to be closed? |
//! | [`session`] | what is to be said when, and what if nothing comes back? |

mod close;
pub mod command;
pub mod oversized;
pub mod resp;
pub mod session;
pub mod subscription;
