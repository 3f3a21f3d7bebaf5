//! A Redis subscriber (RESP2).
//!
//! | module | question |
//! |---|---|
//! | [`resp`] | what do the server's bytes say? |
//! | [`oversized`] | how is a frame that fits no buffer passed over? |
//! | [`command`] | how is a command written? |
//! | [`unanswered`] | which command does the server's next reply answer? |
//! | [`subscription`] | which channels has the server been asked for, and which of them has it confirmed? |
//! | `refusals` | what does the server refuse without an end of the subscription, and what of that has the log told? |
//! | `close` | why is a connection to be closed? |
//! | [`session`] | what is to be said when, and what if nothing comes back? |

mod close;
pub mod command;
pub mod oversized;
mod refusals;
pub mod resp;
pub mod session;
pub mod subscription;
pub mod unanswered;
