//! MQTT 3.1, 3.1.1 and 5 for a client that only publishes.
//!
//! | module | question |
//! |---|---|
//! | [`encode`], [`decode`] | how is a packet written, how is one read? |
//! | [`v5`] | which packets of MQTT 5 differ, and how? |
//! | [`session`] | what is to be said when? |
//! | `client_id`, `attempt` | how is the client called, and what does it ask for when connecting? |
//! | `liveness` | is the other end still there? |
//! | `suspicion` | which message makes the broker close the connection? |
//! | `unacknowledged` | what if the broker acknowledges nothing? |
//! | `control`, `transmit` | where do packets wait for the network? |
//! | [`unasked`] | what if the broker sends a message that nobody asked for? |
//! | [`close`] | why is a connection closed? |
//! | [`violation`] | what may a broker not do, and which clause says so? |

mod attempt;
mod client_id;
pub mod close;
mod control;
pub mod decode;
pub mod encode;
mod liveness;
pub mod packet;
pub mod session;
mod suspicion;
mod transmit;
mod unacknowledged;
pub mod unasked;
pub mod v5;
pub mod violation;

use core::fmt;

pub use crate::delivery::QoS;
use crate::delivery::Reply;
pub use client_id::{ClientId, MAX_GENERATED};
pub use transmit::{MAX_PUBLISH, longest_publish};
use v5::reason::Reason;

/// An acknowledgement by the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ack {
    Puback,
    Pubrec,
    Pubcomp,
}

impl From<Ack> for Reply {
    fn from(ack: Ack) -> Reply {
        match ack {
            Ack::Puback => Reply::Accepted,
            Ack::Pubrec => Reply::Received,
            Ack::Pubcomp => Reply::Completed,
        }
    }
}

/// Protocol level of a connection (3.1.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Level {
    /// `MQIsdp`, 3.
    V3_1,
    /// `MQTT`, 4.
    V3_1_1,
    /// `MQTT`, 5.
    V5,
}

impl Level {
    #[must_use]
    pub const fn protocol_name(self) -> &'static str {
        match self {
            Level::V3_1 => "MQIsdp",
            Level::V3_1_1 | Level::V5 => "MQTT",
        }
    }

    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Level::V3_1 => 3,
            Level::V3_1_1 => 4,
            Level::V5 => 5,
        }
    }

    /// Whether packets are those of MQTT 5; never without the feature `mqtt5`.
    #[inline]
    #[must_use]
    pub const fn is_v5(self) -> bool {
        cfg!(feature = "mqtt5") && matches!(self, Level::V5)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::V3_1 => "3.1",
            Level::V3_1_1 => "3.1.1",
            Level::V5 => "5",
        })
    }
}

/// Why a broker refused a connection (3.2.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Refusal {
    /// 1
    ProtocolLevel,
    /// 2
    Identifier,
    /// 3
    ServerUnavailable,
    /// 4
    Credentials,
    /// 5
    NotAuthorized,
    /// What MQTT 5 has in place of these numbers.
    Reason(Reason),
}

impl Refusal {
    /// Whether only a change of the configuration, here or at the broker, can help.
    #[must_use]
    pub const fn is_permanent(self) -> bool {
        match self {
            Refusal::ServerUnavailable => false,
            Refusal::Reason(reason) => reason.is_permanent(),
            _ => true,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::Reason(_) if !cfg!(feature = "mqtt5") => return Ok(()),
            Refusal::Reason(reason) => return v5::show_reason("the broker refuses us", *reason, f),
            Refusal::ProtocolLevel => "the broker does not speak this protocol version (CONNACK 1)",
            Refusal::Identifier => {
                "the broker does not allow this client_id, or a keep_alive this long (CONNACK 2)"
            }
            Refusal::ServerUnavailable => "the broker is not available (CONNACK 3)",
            Refusal::Credentials => "wrong user name or password (CONNACK 4)",
            Refusal::NotAuthorized => {
                "user name or password wrong or missing, or not allowed to connect (CONNACK 5)"
            }
        })
    }
}
