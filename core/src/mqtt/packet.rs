//! A packet as the engineer sees it with `-m`: its name, and what it says. No password is in it, nor a user name that is one.

use core::fmt;

use super::decode::Incoming;
use super::encode::Connect;
use super::{Ack, MAX_GENERATED, QoS};
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
    Disconnect,
    Incoming(Incoming),
}

/// What a PUBLISH says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publish<'a> {
    pub qos: QoS,
    pub retain: bool,
    pub dup: bool,
    /// With QoS 1 and 2 only (2.3.1).
    pub packet_id: Option<u16>,
    pub topic: &'a [u8],
    pub payload: &'a [u8],
}

impl<'a> Publish<'a> {
    /// Reads a whole PUBLISH; `None` if the bytes are none.
    #[must_use]
    pub fn decode(packet: &'a [u8]) -> Option<Self> {
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
        let (packet_id, payload) = if qos == QoS::AtMostOnce {
            (None, rest)
        } else {
            let (packet_id, payload) = rest.split_first_chunk()?;
            (Some(u16::from_be_bytes(*packet_id)), payload)
        };
        Some(Publish {
            qos,
            retain: first & 1 != 0,
            dup: first & 8 != 0,
            packet_id,
            topic,
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
            Packet::Disconnect => "DISCONNECT",
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
            Packet::Pingreq | Packet::Disconnect | Packet::Incoming(Incoming::Pingresp) => Ok(()),
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
    write!(f, " {} {}", Name(publish.topic), Text(publish.payload))
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
        let (topic, message) = (will.topic.as_bytes(), will.message.as_bytes());
        write!(f, " {} {}", Name(topic), Text(message))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn a_publish_is_shown_as_the_manual_of_the_debug_session_says() {
        let publish = Publish::decode(b"\x32\x0f\x00\x05p/t/v\x00\x0712.5,1").expect("a PUBLISH");
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
            assert_eq!(Publish::decode(&whole[..end]), None, "cut at {end}");
        }
        assert_eq!(Publish::decode(b"\x36\x02\x00\x00"), None);
        assert_eq!(Publish::decode(b"\x40\x02\x00\x07"), None);
    }
}
