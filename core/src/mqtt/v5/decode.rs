//! The packets of MQTT 5 that a publishing client receives: CONNACK, PUBACK, PUBREC, PUBCOMP, PINGRESP, DISCONNECT; and PUBLISH and PUBREL,
//! which it did not ask for (chapter 3).
//!
//! A packet is read once all of it has come: CONNECT has told the broker how long one may be.

use nom::Parser;
use nom::number::complete::be_u16;

use super::breach::Breach;
use super::encode::NONE;
use super::property::{AUTHENTICATION_METHOD, Properties, TOPIC_ALIAS, is_text, string};
use super::reason::Reason;
use crate::input::Input;
use crate::mqtt::decode::{
    ACK_LEN, PINGRESP, PUBACK, PUBCOMP, PUBREC, PUBREL, TLS_ALERT, remaining_length,
};
pub(super) use crate::mqtt::decode::{CONNACK, PUBLISH};
use crate::mqtt::violation::Violation;
use crate::mqtt::{Ack, QoS};

pub(super) const DISCONNECT: u8 = 14;
const AUTH: u8 = 15;

/// A packet from the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incoming<'a> {
    Connack {
        session_present: bool,
        reason: Reason,
        properties: Properties<'a>,
    },
    Ack {
        ack: Ack,
        packet_id: u16,
        reason: Reason,
        properties: Properties<'a>,
    },
    Pingresp,
    Publish {
        qos: QoS,
        retain: bool,
        dup: bool,
        packet_id: Option<u16>,
        topic: &'a [u8],
        properties: Properties<'a>,
        payload: &'a [u8],
    },
    Pubrel {
        packet_id: u16,
        reason: Reason,
        properties: Properties<'a>,
    },
    Disconnect {
        reason: Reason,
        properties: Properties<'a>,
    },
}

impl Incoming<'_> {
    /// Its number in the standard (2.1.2).
    #[must_use]
    pub fn packet_type(&self) -> u8 {
        match self {
            Incoming::Connack { .. } => CONNACK,
            Incoming::Publish { .. } => PUBLISH,
            Incoming::Ack {
                ack: Ack::Puback, ..
            } => PUBACK,
            Incoming::Ack {
                ack: Ack::Pubrec, ..
            } => PUBREC,
            Incoming::Pubrel { .. } => PUBREL,
            Incoming::Ack {
                ack: Ack::Pubcomp, ..
            } => PUBCOMP,
            Incoming::Pingresp => PINGRESP,
            Incoming::Disconnect { .. } => DISCONNECT,
        }
    }
}

/// The acknowledgement that `input` begins with, with its reason and length, if it is one as almost every packet is: without properties. `None`
/// says nothing: [`decode`] has all the rules.
#[inline]
pub fn plain_ack(input: &[u8]) -> Option<(Ack, u16, usize)> {
    if let Some((ack, packet_id)) = crate::mqtt::decode::plain_ack(input) {
        return Some((ack, packet_id, ACK_LEN));
    }
    // Mosquitto's answer where nobody subscribes to the topic.
    match *input {
        [first @ (0x40 | 0x50), 3, high, low, 0x10, ..] if [high, low] != [0, 0] => {
            let ack = if first == 0x40 {
                Ack::Puback
            } else {
                Ack::Pubrec
            };
            Some((ack, u16::from_be_bytes([high, low]), ACK_LEN + 1))
        }
        _ => None,
    }
}

/// The packet at the front of `input`, and its length; `None` if more bytes are needed. None is longer than `longest` bytes.
///
/// # Errors
/// The first rule that the bytes break; nothing behind them can be trusted then.
#[inline(never)]
pub fn decode(input: &[u8], longest: usize) -> Result<Option<(Incoming<'_>, usize)>, Violation> {
    let [first, rest @ ..] = input else {
        return Ok(None);
    };
    let (packet_type, flags) = (first >> 4, first & 0x0f);
    let expected_flags = match packet_type {
        CONNACK | PUBACK | PUBREC | PUBCOMP | PINGRESP | DISCONNECT => 0,
        PUBREL => 2,
        PUBLISH if flags & 0x06 == 0x06 => return Err(Violation::QoS3),
        PUBLISH => flags,
        AUTH => return Err(Breach::Authentication.into()),
        _ if *first == TLS_ALERT => return Err(Violation::TlsRecord),
        other => return Err(Violation::PacketType(other)),
    };
    if flags != expected_flags {
        return Err(Violation::FixedHeaderFlags { packet_type, flags });
    }
    let Some((length, body)) = remaining_length(rest)? else {
        return Ok(None);
    };
    let header = input.len() - body.len();
    let len = (length as usize).saturating_add(header);
    if len > longest {
        return Err(Breach::TooLarge(length.saturating_add(header as u32)).into());
    }
    let Some(body) = body.get(..length as usize) else {
        return Ok(None);
    };
    let packet = match packet_type {
        CONNACK => connack(body)?,
        PUBLISH => publish(flags, body)?,
        PINGRESP if body.is_empty() => Incoming::Pingresp,
        PINGRESP => {
            return Err(Violation::RemainingLength {
                packet_type,
                length,
            });
        }
        DISCONNECT => {
            let (reason, properties) = reason(body, packet_type)?;
            Incoming::Disconnect { reason, properties }
        }
        _ => reply(body, packet_type)?,
    };
    Ok(Some((packet, len)))
}

/// PUBACK, PUBREC, PUBREL, PUBCOMP (3.4 to 3.7).
fn reply(body: &[u8], packet_type: u8) -> Result<Incoming<'_>, Violation> {
    let Some((packet_id, rest)) = body.split_first_chunk() else {
        return Err(Breach::Malformed(packet_type).into());
    };
    let packet_id = not_zero(u16::from_be_bytes(*packet_id))?;
    let (reason, properties) = reason(rest, packet_type)?;
    let ack = match packet_type {
        PUBACK => Ack::Puback,
        PUBREC => Ack::Pubrec,
        PUBCOMP => Ack::Pubcomp,
        _ => {
            return Ok(Incoming::Pubrel {
                packet_id,
                reason,
                properties,
            });
        }
    };
    Ok(Incoming::Ack {
        ack,
        packet_id,
        reason,
        properties,
    })
}

/// A reason code and properties to the end of a packet. Both may be left out.
fn reason(body: &[u8], packet_type: u8) -> Result<(Reason, Properties<'_>), Breach> {
    let Some((&code, rest)) = body.split_first() else {
        return Ok((Reason::SUCCESS, Properties::default()));
    };
    let reason = Reason(code);
    // No matching subscribers.
    let has_code_10 = matches!(packet_type, PUBACK | PUBREC);
    // Brokers answer with failures that the standard lists for other packets: what one means is clear all the same.
    if !(reason.is_failure() || code == 0 || code == 0x10 && has_code_10) {
        return Err(Breach::ReasonCode {
            packet_type,
            reason,
        });
    }
    if rest.is_empty() {
        return Ok((reason, Properties::default()));
    }
    match Properties::read(rest, packet_type)? {
        (properties, []) => Ok((reason, properties)),
        _ => Err(Breach::Malformed(packet_type)),
    }
}

/// 3.2.
fn connack(body: &[u8]) -> Result<Incoming<'_>, Violation> {
    let (flags, code, rest) = match *body {
        // A broker of 3.1 or 3.1.1 that does not know this version, in its own way.
        [_, 1] => (0, Reason::UNSUPPORTED_PROTOCOL_VERSION.0, NONE),
        [flags, code, ref rest @ ..] => (flags, code, rest),
        _ => return Err(Breach::Malformed(CONNACK).into()),
    };
    if flags & !1 != 0 {
        return Err(Violation::ConnackFlags(flags));
    }
    let reason = Reason(code);
    if !(reason.is_failure() || code == 0) {
        return Err(Breach::ReasonCode {
            packet_type: CONNACK,
            reason,
        }
        .into());
    }
    let (properties, []) = Properties::read(rest, CONNACK)? else {
        return Err(Breach::Malformed(CONNACK).into());
    };
    let session_present = flags == 1;
    if session_present && reason.is_failure() {
        return Err(Violation::SessionPresentInRefusal);
    }
    if properties.text(AUTHENTICATION_METHOD).is_some() {
        return Err(Breach::Authentication.into());
    }
    Ok(Incoming::Connack {
        session_present,
        reason,
        properties,
    })
}

/// 3.3.
fn publish(flags: u8, body: &[u8]) -> Result<Incoming<'_>, Violation> {
    let malformed = Breach::Malformed(PUBLISH);
    let qos = match flags >> 1 & 3 {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    };
    let (rest, topic) = string(Input(body)).map_err(|_| malformed)?;
    let (rest, packet_id) = match qos {
        QoS::AtMostOnce => (rest, None),
        QoS::AtLeastOnce | QoS::ExactlyOnce => {
            let (rest, packet_id) = be_u16::<_, ()>.parse(rest).map_err(|_| malformed)?;
            (rest, Some(not_zero(packet_id)?))
        }
    };
    let (properties, payload) = Properties::read(rest.0, PUBLISH)?;
    if properties.number(TOPIC_ALIAS).is_some() {
        return Err(Breach::TopicAlias.into());
    }
    if topic.is_empty() || !is_text(topic) || topic.iter().any(|byte| b"+#".contains(byte)) {
        return Err(Breach::Topic.into());
    }
    Ok(Incoming::Publish {
        qos,
        retain: flags & 1 != 0,
        dup: flags & 8 != 0,
        packet_id,
        topic,
        properties,
        payload,
    })
}

fn not_zero(packet_id: u16) -> Result<u16, Violation> {
    match packet_id {
        0 => Err(Violation::ZeroPacketIdentifier),
        packet_id => Ok(packet_id),
    }
}
