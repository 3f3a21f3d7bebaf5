//! A packet as the engineer sees it with `-m`: its name, and what it says. No password is in it, nor a user name that is one.

use core::fmt::{self, Display as _};

use super::decode::Incoming;
use super::encode::Connect;
use super::v5::decode as v5;
use super::v5::encode;
use super::v5::property::Properties;
use super::v5::reason::Reason;
use super::violation::type_name;
use super::{Ack, Level, MAX_GENERATED, QoS};
use crate::config::Secret;
use crate::log::{Legible, Text};
use crate::secret;

/// A packet in either direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet<'a> {
    Connect(Connect<'a>),
    Publish(Publish<'a>),
    Pubrel {
        packet_id: u16,
    },
    /// The answer to a message that the broker sent.
    Answer {
        ack: Ack,
        packet_id: u16,
    },
    Pingreq,
    /// With a reason if it is one of MQTT 5 that is not success.
    Disconnect(Option<Reason>),
    Incoming(Incoming),
    /// The same of MQTT 5.
    IncomingV5(v5::Incoming<'a>),
}

/// What a PUBLISH says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publish<'a> {
    pub qos: QoS,
    pub retain: bool,
    pub dup: bool,
    /// With QoS 1 and 2 only (2.3.1).
    pub packet_id: Option<u16>,
    /// Empty where an alias stands for it.
    pub topic: &'a [u8],
    /// Of MQTT 5.
    pub properties: Properties<'a>,
    pub payload: &'a [u8],
}

impl<'a> Publish<'a> {
    /// Reads a whole PUBLISH; `None` if the bytes are none.
    #[must_use]
    pub fn decode(packet: &'a [u8], level: Level) -> Option<Self> {
        let (&first, rest) = packet.split_first()?;
        let qos = match (first >> 4, first >> 1 & 3) {
            (3, 0) => QoS::AtMostOnce,
            (3, 1) => QoS::AtLeastOnce,
            (3, 2) => QoS::ExactlyOnce,
            _ => return None,
        };
        let length_bytes = rest.iter().position(|byte| byte & 0x80 == 0)? + 1;
        let (topic_len, rest) = rest.get(length_bytes..)?.split_first_chunk()?;
        let (topic, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*topic_len)))?;
        let (packet_id, rest) = if qos == QoS::AtMostOnce {
            (None, rest)
        } else {
            let (packet_id, rest) = rest.split_first_chunk()?;
            (Some(u16::from_be_bytes(*packet_id)), rest)
        };
        let (properties, payload) = if level.is_v5() {
            Properties::read(rest, first >> 4).ok()?
        } else {
            (Properties::default(), rest)
        };
        Some(Publish {
            qos,
            retain: first & 1 != 0,
            dup: first & 8 != 0,
            packet_id,
            topic,
            properties,
            payload,
        })
    }
}

impl Packet<'_> {
    /// The packet's name in the standard.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Packet::Connect(_) => "CONNECT",
            Packet::Publish(_) | Packet::Incoming(Incoming::Publish(_)) => "PUBLISH",
            Packet::Pubrel { .. } | Packet::Incoming(Incoming::Pubrel { .. }) => "PUBREL",
            Packet::Pingreq => "PINGREQ",
            Packet::Disconnect(_) => "DISCONNECT",
            Packet::IncomingV5(packet) => type_name(packet.packet_type()),
            Packet::Incoming(Incoming::Connack(_)) => "CONNACK",
            Packet::Answer { ack, .. } | Packet::Incoming(Incoming::Ack { ack, .. }) => match ack {
                Ack::Puback => "PUBACK",
                Ack::Pubrec => "PUBREC",
                Ack::Pubcomp => "PUBCOMP",
            },
            Packet::Incoming(Incoming::Pingresp) => "PINGRESP",
        }
    }
}

/// What follows the packet's name and the device's, each part with a space before it.
impl fmt::Display for Packet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Packet::Connect(connect) => show_connect(connect, f),
            Packet::Publish(publish) => show_publish(publish, f),
            Packet::Pubrel { packet_id }
            | Packet::Answer { packet_id, .. }
            | Packet::Incoming(Incoming::Ack { packet_id, .. } | Incoming::Pubrel { packet_id }) => {
                write!(f, " id={packet_id}")
            }
            Packet::Incoming(Incoming::Publish(message)) => {
                write!(f, " q{}", u8::from(message.qos()))?;
                if let Some(packet_id) = message.packet_id() {
                    write!(f, " id={packet_id}")?;
                }
                f.write_str(" passed over")
            }
            Packet::Incoming(Incoming::Connack(Ok(accepted))) => {
                write!(
                    f,
                    " accepted session_present={}",
                    u8::from(accepted.session_present)
                )
            }
            Packet::Incoming(Incoming::Connack(Err(refusal))) => write!(f, " refused: {refusal}"),
            Packet::Disconnect(Some(reason)) => write!(f, " {reason}"),
            Packet::IncomingV5(packet) => show_v5(packet, f),
            Packet::Pingreq | Packet::Disconnect(None) | Packet::Incoming(Incoming::Pingresp) => {
                Ok(())
            }
        }
    }
}

fn show_publish(publish: &Publish<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, " q{}", u8::from(publish.qos))?;
    if let Some(packet_id) = publish.packet_id {
        write!(f, " id={packet_id}")?;
    }
    if publish.dup {
        f.write_str(" dup")?;
    }
    if publish.retain {
        f.write_str(" retain")?;
    }
    publish.properties.fmt(f)?;
    if !publish.topic.is_empty() {
        write!(f, " {}", Name(publish.topic))?;
    }
    write!(f, " {}", Text(publish.payload))
}

/// A packet of MQTT 5 from the broker: its reason, where it has one that is not success, and its properties.
fn show_v5(packet: &v5::Incoming<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use v5::Incoming::*;
    // As in `Properties`.
    if !cfg!(feature = "mqtt5") {
        return Ok(());
    }
    let (reason, properties) = match packet {
        Pingresp => return Ok(()),
        Connack {
            session_present,
            reason,
            properties,
        } => {
            if reason.is_failure() {
                f.write_str(" refused:")?;
            } else {
                let session_present = u8::from(*session_present);
                write!(f, " accepted session_present={session_present}")?;
            }
            (reason, properties)
        }
        Ack {
            packet_id,
            reason,
            properties,
            ..
        }
        | Pubrel {
            packet_id,
            reason,
            properties,
        } => {
            write!(f, " id={packet_id}")?;
            (reason, properties)
        }
        Publish {
            qos,
            packet_id,
            properties,
            ..
        } => {
            write!(f, " q{}", u8::from(*qos))?;
            if let Some(packet_id) = packet_id {
                write!(f, " id={packet_id}")?;
            }
            f.write_str(" passed over")?;
            (&Reason::SUCCESS, properties)
        }
        Disconnect { reason, properties } => (reason, properties),
    };
    if *reason != Reason::SUCCESS {
        write!(f, " {reason}")?;
    }
    properties.fmt(f)
}

/// A topic's pieces in their own letters, whole.
pub(super) struct Topic<'a>(pub(super) [&'a str; 5]);

impl fmt::Display for Topic<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|piece| Legible(piece).fmt(f))
    }
}

/// Bytes that are text, mostly.
struct Name<'a>(&'a [u8]);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match core::str::from_utf8(self.0) {
            Ok(topic) => Legible(topic).fmt(f),
            Err(_) => Text(self.0).fmt(f),
        }
    }
}

fn show_connect(connect: &Connect<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut buffer = [0; MAX_GENERATED];
    let client_id = connect.client_id.text(connect.level, &mut buffer);
    write!(
        f,
        " {} client_id={} clean_session={} keep_alive={}",
        connect.level,
        Text(client_id),
        u8::from(connect.clean_session),
        connect.keep_alive
    )?;
    if connect.level.is_v5() {
        Properties::own(encode::connect(&connect.terms).bytes()).fmt(f)?;
    }
    if let Some(username) = connect.username {
        let username = match secret::is_token(connect.password.map(Secret::expose)) {
            true => secret::MASK,
            false => username,
        };
        write!(f, " username={}", Text(username.as_bytes()))?;
    }
    if connect.password.is_some() {
        f.write_str(" password=***")?;
    }
    if let Some(will) = connect.will {
        write!(f, " will=q{}", u8::from(will.qos))?;
        if will.retain {
            f.write_str(" retain")?;
        }
        if connect.level.is_v5() {
            Properties::own(encode::will(&connect.terms).bytes()).fmt(f)?;
        }
        let (topic, message) = (will.topic.as_bytes(), will.message.as_bytes());
        write!(f, " {} {}", Name(topic), Text(message))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    const V4: Level = Level::V3_1_1;

    #[test]
    fn a_publish_is_shown_as_the_manual_of_the_debug_session_says() {
        let publish =
            Publish::decode(b"\x32\x0f\x00\x05p/t/v\x00\x0712.5,1", V4).expect("a PUBLISH");
        assert_eq!(publish.packet_id, Some(7));
        assert_eq!(
            Packet::Publish(publish).to_string(),
            " q1 id=7 p/t/v 12.5,1"
        );
        let retained = Publish {
            qos: QoS::AtMostOnce,
            retain: true,
            packet_id: None,
            ..publish
        };
        assert_eq!(
            Packet::Publish(retained).to_string(),
            " q0 retain p/t/v 12.5,1"
        );
        let again = Publish {
            qos: QoS::ExactlyOnce,
            dup: true,
            ..publish
        };
        assert_eq!(
            Packet::Publish(again).to_string(),
            " q2 id=7 dup p/t/v 12.5,1"
        );
    }

    #[test]
    fn a_publish_of_mqtt_5_is_shown_with_its_properties() {
        for (packet, shown) in [
            (
                &b"\x32\x18\x00\x05p/t/v\x00\x07\x08\x02\x00\x00\x00\x1e\x23\x00\x0212.5,1"[..],
                " q1 id=7 {message-expiry=30 topic-alias=2} p/t/v 12.5,1",
            ),
            (
                b"\x30\x0c\x00\x00\x03\x23\x00\x0212.5,1",
                " q0 {topic-alias=2} 12.5,1",
            ),
            (b"\x30\x0b\x00\x02ab\x0012.5,1", " q0 ab 12.5,1"),
        ] {
            let publish = Publish::decode(packet, Level::V5).expect("a PUBLISH");
            assert_eq!(Packet::Publish(publish).to_string(), shown);
        }
    }

    #[test]
    fn a_topic_is_shown_in_its_own_letters_but_not_obeyed() {
        for (topic, shown) in [
            (&b"plant/Temperat\xc5\xabra"[..], "plant/Temperat\u{16b}ra"),
            (b"a\x1b[31m\nb", "a\\u{1b}[31m\\u{a}b"),
            (b"\xffb", "\\xffb"),
        ] {
            let publish = Publish {
                qos: QoS::AtMostOnce,
                retain: false,
                dup: false,
                packet_id: None,
                topic,
                properties: Properties::default(),
                payload: b"1,2,1",
            };
            assert_eq!(
                Packet::Publish(publish).to_string(),
                std::format!(" q0 {shown} 1,2,1")
            );
        }
    }

    #[test]
    fn no_prefix_of_a_publish_and_no_other_packet_panics() {
        let whole = b"\x32\x0f\x00\x05p/t/v\x00\x0712.5,1";
        for end in 0..11 {
            assert_eq!(Publish::decode(&whole[..end], V4), None, "cut at {end}");
        }
        assert_eq!(Publish::decode(b"\x36\x02\x00\x00", V4), None);
        assert_eq!(Publish::decode(b"\x40\x02\x00\x07", V4), None);
    }
}
