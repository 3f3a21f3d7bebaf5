//! Lives of the real daemon between a real Redis and a real broker, with faults that follow from a number.
//!
//! | module | question |
//! |---|---|
//! | [`plan`] | which faults happen, and when? |
//! | [`life`] | how do they happen, and what is checked after each? |
//! | [`crowd`] | many lives, some at a time |
//! | [`diary`] | what was done when? |
//! | [`ledger`] | what must have arrived? |
//! | [`trace`] | what does the daemon say that it has read, and that the broker has taken over? |
//! | [`hostile`] | which brokers are worse than a bad link? |
//! | [`usage`] | what does the daemon use of its machine while everything misbehaves? |
//!
//! # What is checked, and after what
//!
//! A life has three devices on one broker, at QoS 0, 1 and 2, each with two signals and a link of its own through a
//! [`Proxy`](crate::Proxy), and a link to Redis through another. After **each** fault, load goes on until all is at rest, and then:
//!
//! - all that was published was read, but for at most one gap for each signal if the connection to Redis was lost: a Redis keeps nothing for
//!   a subscriber that is away;
//! - all that was read and is news has arrived: at QoS 1 and 2 everything, at QoS 2 exactly once, at QoS 0 at most once, each signal's in its order;
//! - the counters (SIGUSR1) agree with that, and `received` is the sum that it should be, whenever it is asked for.
//!
//! What is promised by others, and so not checked:
//!
//! - **Mosquitto 2.0.11, killed.** With `persistence true` it saves when it ends, at SIGUSR1, and every `autosave_interval` (30 min): not when it
//!   acknowledges. Killed, it comes back with what it had saved. So it is made to save while all is at rest (else it could come back with old
//!   handshakes, and take new messages for repetitions), and of the messages of the connection that ended then, those that it had acknowledged with
//!   PUBACK or PUBREC may be missing. All others may not, and nothing may come twice. Ended with SIGTERM it loses nothing, and nothing may be missing.
//! - **A flipped bit** in plain TCP cannot be told from what was meant, in a message or a packet identifier. So in plain TCP only the first byte of
//!   the broker's packets is damaged (its type and flags); over TLS any byte, in both directions. The link to Redis, which has no TLS, is spared.

pub mod crowd;
pub mod diary;
pub mod hostile;
pub mod ledger;
pub mod life;
pub mod plan;
pub mod trace;
pub mod usage;

/// Faults in a life.
pub const STEPS: usize = 12;

/// The devices of a life, and their quality of service.
pub const DEVICES: [(&str, u8); 3] = [("zero", 0), ("one", 1), ("two", 2)];

/// The signals of each of them.
pub const SIGNALS: [&str; 2] = ["a", "b"];
