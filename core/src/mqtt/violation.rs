//! What a broker may not do, and the clause of MQTT 3.1.1 that says so. Each of these closes the connection.

use core::fmt;

use super::v5;
use super::v5::reason::Reason;
use crate::delivery::Breach;

/// A breach of the protocol by the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Violation {
    /// The first packet was another one; its type.
    NoConnack(u8),
    SecondConnack,
    ConnackFlags(u8),
    SessionPresentAfterClean,
    SessionPresentInRefusal,
    /// A CONNACK code that the standard does not define.
    ReturnCode(u8),
    /// It speaks TLS.
    TlsRecord,
    /// A packet type that a server never sends, or not to a client that asks for no subscription.
    PacketType(u8),
    /// A PUBLISH with both QoS bits set.
    QoS3,
    /// Reserved bits of a fixed header.
    FixedHeaderFlags {
        packet_type: u8,
        flags: u8,
    },
    /// Remaining Length of a packet that has a fixed one.
    RemainingLength {
        packet_type: u8,
        length: u32,
    },
    /// Remaining Length with more than four bytes.
    EndlessLength,
    ZeroPacketIdentifier,
    UnaskedPingresp,
    AckOfQoS0,
    WrongAckForQoS1,
    PubackAfterPubrec,
    AckOfUnsent,
    PubcompBeforePubrec,
    /// What only MQTT 5 has.
    V5(v5::breach::Breach),
}

impl From<v5::breach::Breach> for Violation {
    fn from(breach: v5::breach::Breach) -> Self {
        Violation::V5(breach)
    }
}

impl Violation {
    /// What DISCONNECT tells a broker of MQTT 5 about it (MQTT 5, 4.13).
    pub(super) fn reason(self) -> Reason {
        use Violation::*;
        match self {
            V5(breach) => breach.reason(),
            ConnackFlags(_)
            | QoS3
            | FixedHeaderFlags { .. }
            | RemainingLength { .. }
            | EndlessLength => Reason::MALFORMED_PACKET,
            _ => Reason::PROTOCOL_ERROR,
        }
    }
}

impl From<Breach> for Violation {
    fn from(breach: Breach) -> Self {
        match breach {
            Breach::ReplyAtQoS0 => Violation::AckOfQoS0,
            Breach::NotAccepted => Violation::WrongAckForQoS1,
            Breach::AcceptedAfterReceived => Violation::PubackAfterPubrec,
            Breach::Unsent => Violation::AckOfUnsent,
            Breach::CompletedBeforeReceived => Violation::PubcompBeforePubrec,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use Violation::*;
        match *self {
            NoConnack(packet_type) => {
                write!(
                    f,
                    "the first packet is {}, not CONNACK [MQTT-3.2.0-1]",
                    type_name(packet_type)
                )
            }
            SecondConnack => f.write_str("a second CONNACK (MQTT 3.2)"),
            ConnackFlags(flags) => write!(
                f,
                "reserved bits in CONNACK's flags {flags:#04x} (MQTT 3.2.2.1)"
            ),
            SessionPresentAfterClean => {
                f.write_str("a session is present after a clean start [MQTT-3.2.2-1]")
            }
            SessionPresentInRefusal => {
                f.write_str("a refusal says that a session is present [MQTT-3.2.2-4]")
            }
            ReturnCode(code) => write!(f, "CONNACK return code {code} is reserved (MQTT 3.2.2.3)"),
            TlsRecord => f.write_str("a TLS record"),
            PacketType(packet_type) => {
                write!(
                    f,
                    "{} is not for a client that only publishes (MQTT 2.2.1)",
                    type_name(packet_type)
                )
            }
            QoS3 => f.write_str("PUBLISH has QoS 3 [MQTT-3.3.1-4]"),
            FixedHeaderFlags { packet_type, flags } => {
                write!(
                    f,
                    "{} has flags {flags:#x} [MQTT-2.2.2-2]",
                    type_name(packet_type)
                )
            }
            RemainingLength {
                packet_type,
                length,
            } => {
                write!(
                    f,
                    "{} has Remaining Length {length} (MQTT 2.2.3)",
                    type_name(packet_type)
                )
            }
            EndlessLength => f.write_str("Remaining Length is over four bytes (MQTT 2.2.3)"),
            ZeroPacketIdentifier => f.write_str("a packet has packet identifier 0 [MQTT-2.3.1-1]"),
            UnaskedPingresp => f.write_str("PINGRESP without PINGREQ [MQTT-3.12.4-1]"),
            AckOfQoS0 => {
                f.write_str("an acknowledgement, though all was sent at QoS 0 [MQTT-4.3.1-1]")
            }
            WrongAckForQoS1 => f.write_str("QoS 1 is acknowledged by PUBACK only [MQTT-4.3.2-2]"),
            PubackAfterPubrec => f.write_str("PUBACK after PUBREC [MQTT-4.3.3-2]"),
            AckOfUnsent => {
                f.write_str("an acknowledgement of a message that was not sent (MQTT 4.3)")
            }
            PubcompBeforePubrec => f.write_str("PUBCOMP before PUBREC [MQTT-4.3.3-2]"),
            V5(breach) => breach.fmt(f),
        }
    }
}

/// Names of the packet types (MQTT 3.1.1, table 2.1).
pub(super) fn type_name(packet_type: u8) -> &'static str {
    const NAMES: [&str; 16] = [
        "reserved type 0",
        "CONNECT",
        "CONNACK",
        "PUBLISH",
        "PUBACK",
        "PUBREC",
        "PUBREL",
        "PUBCOMP",
        "SUBSCRIBE",
        "SUBACK",
        "UNSUBSCRIBE",
        "UNSUBACK",
        "PINGREQ",
        "PINGRESP",
        "DISCONNECT",
        "reserved type 15",
    ];
    NAMES
        .get(usize::from(packet_type))
        .copied()
        .unwrap_or("no type")
}
