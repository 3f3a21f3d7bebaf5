//! What may a broker of MQTT 5 not do, beside what 3.1.1 forbids? Each of these is answered with DISCONNECT and a reason code.

use core::fmt;

use super::property::{self, Id};
use super::reason::Reason;
use crate::mqtt::violation::type_name;

/// A breach of MQTT 5 by the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Breach {
    /// A packet of this type cannot be taken apart.
    Malformed(u8),
    /// A property in a packet of this type.
    Property { packet_type: u8, id: Id, flaw: Flaw },
    /// A reason code that a packet of this type does not have.
    ReasonCode { packet_type: u8, reason: Reason },
    /// Bytes of a packet, more than this client's Maximum Packet Size.
    TooLarge(u32),
    /// An alias, though this client allows none.
    TopicAlias,
    /// A message without a topic, or on one with a wildcard.
    Topic,
    /// AUTH, or an Authentication Method, though this client named none.
    Authentication,
}

/// What is wrong with a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Flaw {
    Unknown,
    /// It does not belong into such a packet.
    NotHere,
    Doubled,
    /// Its value is cut, or its length is wrong.
    Malformed,
    /// It is out of range, or no UTF-8 text.
    Value,
}

impl Breach {
    /// What DISCONNECT tells the broker.
    #[must_use]
    pub(in crate::mqtt) fn reason(self) -> Reason {
        match self {
            Breach::Malformed(_)
            | Breach::ReasonCode { .. }
            | Breach::Property {
                flaw: Flaw::Unknown | Flaw::NotHere | Flaw::Malformed,
                ..
            } => Reason::MALFORMED_PACKET,
            Breach::TooLarge(_) => Reason::PACKET_TOO_LARGE,
            Breach::TopicAlias => Reason::TOPIC_ALIAS_INVALID,
            Breach::Property { .. } | Breach::Topic | Breach::Authentication => {
                Reason::PROTOCOL_ERROR
            }
        }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without MQTT 5 there are none, which the optimiser does not see.
        if !cfg!(feature = "mqtt5") {
            return Ok(());
        }
        match *self {
            Breach::Malformed(packet_type) => {
                write!(f, "{} is malformed (MQTT 5, 4.13)", type_name(packet_type))
            }
            Breach::Property {
                packet_type,
                id,
                flaw,
            } => {
                let flaw = match flaw {
                    Flaw::Unknown => "is not known",
                    Flaw::NotHere => "does not belong there",
                    Flaw::Doubled => "stands there twice",
                    Flaw::Malformed => "is cut",
                    Flaw::Value => "has a value that is not allowed",
                };
                // The section of a packet's properties, see 3.2.2.3, 3.3.2.3, 3.4.2.2.
                let section = if packet_type <= 3 { 3 } else { 2 };
                write!(
                    f,
                    "property {} ({id:#04x}) of {} {flaw} (MQTT 5, 3.{packet_type}.2.{section})",
                    property::name(id),
                    type_name(packet_type)
                )
            }
            Breach::ReasonCode {
                packet_type,
                reason: Reason(code),
            } => write!(
                f,
                "{} has reason code {code:#04x} (MQTT 5, 3.{packet_type}.2.{})",
                type_name(packet_type),
                if packet_type == super::decode::CONNACK {
                    2
                } else {
                    1
                }
            ),
            Breach::TooLarge(bytes) => write!(
                f,
                "a packet of {bytes} bytes is over our Maximum Packet Size [MQTT-3.1.2-24]"
            ),
            Breach::TopicAlias => {
                f.write_str("a Topic Alias, though none is allowed [MQTT-3.1.2-26]")
            }
            Breach::Topic => {
                f.write_str("PUBLISH without a topic, or with a wildcard [MQTT-3.3.2-2]")
            }
            Breach::Authentication => {
                f.write_str("authentication that was not asked for [MQTT-4.12.0-6]")
            }
        }
    }
}
