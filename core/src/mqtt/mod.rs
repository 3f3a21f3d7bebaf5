//! MQTT 3.1 and 3.1.1 for a client that only publishes.
//!
//! | module | question |
//! |---|---|
//! | [`encode`], [`decode`] | how is a packet written, how is one read? |
//! | [`qos`] | which acknowledgement may follow which? |
//! | [`session`] | what is to be said when? |
//! | `attempt`, `liveness` | what to ask for when connecting; is the other end still there? |
//! | `control` | where do short packets wait? |
//! | [`close`] | why is a connection closed? |
//! | [`violation`] | what may a broker not do, and which clause says so? |

mod attempt;
pub mod close;
mod control;
pub mod decode;
pub mod encode;
mod liveness;
pub mod packet;
pub mod qos;
pub mod session;
pub mod violation;

use core::fmt;

use crate::config::MAX_CHANNEL;

/// Quality of Service of a message (MQTT 3.1.1, 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum QoS {
    /// 0: sent once, never acknowledged.
    #[default]
    AtMostOnce,
    /// 1: sent until acknowledged (PUBACK).
    AtLeastOnce,
    /// 2: delivered once (PUBREC, PUBREL, PUBCOMP).
    ExactlyOnce,
}

impl From<QoS> for u8 {
    fn from(qos: QoS) -> u8 {
        match qos {
            QoS::AtMostOnce => 0,
            QoS::AtLeastOnce => 1,
            QoS::ExactlyOnce => 2,
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
}

impl Level {
    #[must_use]
    pub const fn protocol_name(self) -> &'static str {
        match self {
            Level::V3_1 => "MQIsdp",
            Level::V3_1_1 => "MQTT",
        }
    }

    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Level::V3_1 => 3,
            Level::V3_1_1 => 4,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::V3_1 => "3.1",
            Level::V3_1_1 => "3.1.1",
        })
    }
}

/// Longest generated client identifier, in bytes: a channel's length bounds that of an alias.
pub const MAX_GENERATED: usize = MAX_CHANNEL + SUFFIX;

/// `-` and eight digits.
const SUFFIX: usize = 9;

/// Longest client identifier of 3.1.
const MAX_V3_1: usize = 23;

/// The client identifier (3.1.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientId<'a> {
    Given(&'a str),
    /// `<alias>-<8 hex digits>`; on 3.1 the alias is cut so that the whole has 23 bytes and the digits stay.
    Generated {
        alias: &'a str,
        digits: u32,
    },
}

impl<'a> ClientId<'a> {
    /// The text of the identifier; a generated one is written to `buffer`.
    pub fn text<'b>(&self, level: Level, buffer: &'b mut [u8; MAX_GENERATED]) -> &'b [u8]
    where
        'a: 'b,
    {
        let (alias, digits) = match *self {
            ClientId::Given(text) => return text.as_bytes(),
            ClientId::Generated { alias, digits } => (alias.as_bytes(), digits),
        };
        let longest = match level {
            Level::V3_1 => MAX_V3_1,
            Level::V3_1_1 => MAX_GENERATED,
        } - SUFFIX;
        let alias = alias.get(..longest).unwrap_or(alias);
        let suffix = (0..8).rev().map(|place| hex_digit(digits >> (4 * place)));
        let text = alias.iter().copied().chain([b'-']).chain(suffix);
        let mut len = 0;
        for (slot, byte) in buffer.iter_mut().zip(text) {
            *slot = byte;
            len += 1;
        }
        buffer.get(..len).unwrap_or_default()
    }
}

fn hex_digit(nibble: u32) -> u8 {
    match (nibble & 0xf) as u8 {
        digit @ 0..=9 => b'0' + digit,
        letter => b'a' + letter - 10,
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
}

impl Refusal {
    /// Whether only a change of the configuration, here or at the broker, can help.
    #[must_use]
    pub const fn is_permanent(self) -> bool {
        !matches!(self, Refusal::ServerUnavailable)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::ProtocolLevel => "the broker does not speak this protocol version (CONNACK 1)",
            Refusal::Identifier => "the broker does not allow this client_id (CONNACK 2)",
            Refusal::ServerUnavailable => "the broker is not available (CONNACK 3)",
            Refusal::Credentials => "wrong user name or password (CONNACK 4)",
            Refusal::NotAuthorized => "not authorized (CONNACK 5)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(id: ClientId<'_>, level: Level) -> std::string::String {
        let mut buffer = [0; MAX_GENERATED];
        std::string::String::from_utf8(id.text(level, &mut buffer).to_vec())
            .expect("identifiers are text")
    }

    #[test]
    fn a_generated_identifier_is_alias_and_digits() {
        let id = ClientId::Generated {
            alias: "cloud",
            digits: 0x00ab_cdef,
        };
        assert_eq!(text(id, Level::V3_1_1), "cloud-00abcdef");
        assert_eq!(text(id, Level::V3_1), "cloud-00abcdef");
    }

    #[test]
    fn on_3_1_a_generated_identifier_has_23_bytes_at_most_and_keeps_its_digits() {
        let id = ClientId::Generated {
            alias: "substation_north_17",
            digits: 0x1234_5678,
        };
        assert_eq!(text(id, Level::V3_1), "substation_nor-12345678");
        assert_eq!(text(id, Level::V3_1_1), "substation_north_17-12345678");
    }

    #[test]
    fn a_given_identifier_is_taken_as_it_is() {
        let long = "a".repeat(30);
        assert_eq!(text(ClientId::Given(&long), Level::V3_1), long);
    }
}
