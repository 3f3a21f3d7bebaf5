//! What do the properties of a packet say (MQTT 5, 2.2.2)? A list is checked as a whole when it is read; after that nothing of it can fail.

use core::fmt;

use nom::Parser;
use nom::bytes::complete::take;
use nom::multi::length_data;
use nom::number::complete::{be_u8, be_u16};

use super::breach::{Breach, Flaw};
use crate::input::{Input, Parsed};
use crate::log::Text;

/// Identifier of a property (2.2.2.2). Each is below 128, so that it takes one byte.
pub type Id = u8;

pub const MESSAGE_EXPIRY: Id = 0x02;
pub const SUBSCRIPTION_IDENTIFIER: Id = 0x0b;
pub const SESSION_EXPIRY: Id = 0x11;
pub const ASSIGNED_CLIENT_IDENTIFIER: Id = 0x12;
pub const SERVER_KEEP_ALIVE: Id = 0x13;
pub const AUTHENTICATION_METHOD: Id = 0x15;
pub const REQUEST_PROBLEM_INFORMATION: Id = 0x17;
pub const WILL_DELAY: Id = 0x18;
pub const SERVER_REFERENCE: Id = 0x1c;
pub const REASON_STRING: Id = 0x1f;
pub const RECEIVE_MAXIMUM: Id = 0x21;
pub const TOPIC_ALIAS_MAXIMUM: Id = 0x22;
pub const TOPIC_ALIAS: Id = 0x23;
pub const MAXIMUM_QOS: Id = 0x24;
pub const RETAIN_AVAILABLE: Id = 0x25;
pub const USER_PROPERTY: Id = 0x26;
pub const MAXIMUM_PACKET_SIZE: Id = 0x27;

/// How a value is written, and which there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A byte of 0 or 1.
    Flag,
    TwoBytes,
    TwoBytesNotZero,
    FourBytes,
    FourBytesNotZero,
    /// A variable byte integer that is not 0.
    Variable,
    Text,
    Data,
    Pair,
}

/// Packets with which a property may come, as bits.
mod packets {
    pub const CONNACK: u8 = 1;
    pub const PUBLISH: u8 = 2;
    /// PUBACK, PUBREC, PUBREL, PUBCOMP.
    pub const REPLY: u8 = 4;
    pub const DISCONNECT: u8 = 8;
    pub const ANY: u8 = CONNACK | PUBLISH | REPLY | DISCONNECT;
}
use packets::{ANY, CONNACK, DISCONNECT, PUBLISH, REPLY};

/// A property, as table 2-4 has it.
struct Known {
    id: Id,
    kind: Kind,
    /// Where a server may send it; nowhere, if it is a client's.
    packets: u8,
    /// As `-m` shows it.
    name: &'static str,
}

const fn known(id: Id, kind: Kind, packets: u8, name: &'static str) -> Known {
    Known {
        id,
        kind,
        packets,
        name,
    }
}

/// Every property that a server may send to a client that only publishes, and those that this client sends.
static PROPERTIES: [Known; 26] = [
    known(0x01, Kind::Flag, PUBLISH, "payload-format"),
    known(MESSAGE_EXPIRY, Kind::FourBytes, PUBLISH, "message-expiry"),
    known(0x03, Kind::Text, PUBLISH, "content-type"),
    known(0x08, Kind::Text, PUBLISH, "response-topic"),
    known(0x09, Kind::Data, PUBLISH, "correlation-data"),
    known(
        SUBSCRIPTION_IDENTIFIER,
        Kind::Variable,
        PUBLISH,
        "subscription-identifier",
    ),
    known(SESSION_EXPIRY, Kind::FourBytes, CONNACK, "session-expiry"),
    known(
        ASSIGNED_CLIENT_IDENTIFIER,
        Kind::Text,
        CONNACK,
        "assigned-client-identifier",
    ),
    known(
        SERVER_KEEP_ALIVE,
        Kind::TwoBytes,
        CONNACK,
        "server-keep-alive",
    ),
    known(
        AUTHENTICATION_METHOD,
        Kind::Text,
        CONNACK,
        "authentication-method",
    ),
    known(0x16, Kind::Data, CONNACK, "authentication-data"),
    known(
        REQUEST_PROBLEM_INFORMATION,
        Kind::Flag,
        0,
        "request-problem-information",
    ),
    known(WILL_DELAY, Kind::FourBytes, 0, "will-delay"),
    known(0x1a, Kind::Text, CONNACK, "response-information"),
    known(
        SERVER_REFERENCE,
        Kind::Text,
        CONNACK | DISCONNECT,
        "server-reference",
    ),
    known(
        REASON_STRING,
        Kind::Text,
        CONNACK | REPLY | DISCONNECT,
        "reason-string",
    ),
    known(
        RECEIVE_MAXIMUM,
        Kind::TwoBytesNotZero,
        CONNACK,
        "receive-maximum",
    ),
    known(
        TOPIC_ALIAS_MAXIMUM,
        Kind::TwoBytes,
        CONNACK,
        "topic-alias-maximum",
    ),
    known(TOPIC_ALIAS, Kind::TwoBytesNotZero, PUBLISH, "topic-alias"),
    known(MAXIMUM_QOS, Kind::Flag, CONNACK, "maximum-qos"),
    known(RETAIN_AVAILABLE, Kind::Flag, CONNACK, "retain-available"),
    known(USER_PROPERTY, Kind::Pair, ANY, "user-property"),
    known(
        MAXIMUM_PACKET_SIZE,
        Kind::FourBytesNotZero,
        CONNACK,
        "maximum-packet-size",
    ),
    known(0x28, Kind::Flag, CONNACK, "wildcard-subscription-available"),
    known(
        0x29,
        Kind::Flag,
        CONNACK,
        "subscription-identifier-available",
    ),
    known(0x2a, Kind::Flag, CONNACK, "shared-subscription-available"),
];

fn find(id: Id) -> Option<&'static Known> {
    PROPERTIES.iter().find(|known| known.id == id)
}

/// The name of a property, as it is said behind that word.
pub(super) fn name(id: Id) -> &'static str {
    find(id).map_or("without a name", |known| known.name)
}

/// The value of one property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    Number(u32),
    /// UTF-8 without NUL, but where it is binary data.
    Text(&'a [u8]),
    Pair(&'a [u8], &'a [u8]),
}

/// A list of properties that keeps all rules, without the length in front.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Properties<'a>(&'a [u8]);

impl<'a> Properties<'a> {
    /// The list with its length in front, at the front of `body`, of a packet of this type; and what follows it.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn read(body: &'a [u8], packet_type: u8) -> Result<(Self, &'a [u8]), Breach> {
        let malformed = Breach::Malformed(packet_type);
        let Ok((rest, list)) = length_data(variable).parse(Input(body)) else {
            return Err(malformed);
        };
        Self::check(list, packet_type)?;
        Ok((Properties(list.0), rest.0))
    }

    /// A list that this client has written, with its length of one byte in front.
    #[must_use]
    pub fn own(list: &'a [u8]) -> Self {
        Properties(list.get(1..).unwrap_or_default())
    }

    fn check(mut list: Input<'_>, packet_type: u8) -> Result<(), Breach> {
        let packet = match packet_type {
            super::decode::CONNACK => CONNACK,
            super::decode::PUBLISH => PUBLISH,
            super::decode::DISCONNECT => DISCONNECT,
            _ => REPLY,
        };
        // One bit for each identifier.
        let mut seen = 0u64;
        while let Some(&id) = list.0.first() {
            let breach = |flaw| Breach::Property {
                packet_type,
                id,
                flaw,
            };
            let known = find(id).ok_or(breach(Flaw::Unknown))?;
            if known.packets & packet == 0 {
                return Err(breach(Flaw::NotHere));
            }
            let (rest, (_, value)) = property(list).map_err(|_| breach(Flaw::Malformed))?;
            let bit = 1u64 << (id & 63);
            let may_repeat = matches!(id, USER_PROPERTY | SUBSCRIPTION_IDENTIFIER);
            if seen & bit != 0 && !may_repeat {
                return Err(breach(Flaw::Doubled));
            }
            seen |= bit;
            let is_allowed = match (known.kind, value) {
                (Kind::Flag, Value::Number(number)) => number <= 1,
                (
                    Kind::TwoBytesNotZero | Kind::FourBytesNotZero | Kind::Variable,
                    Value::Number(number),
                ) => number > 0,
                (Kind::Text, Value::Text(text)) => is_text(text),
                (Kind::Pair, Value::Pair(name, value)) => is_text(name) && is_text(value),
                _ => true,
            };
            if !is_allowed {
                return Err(breach(Flaw::Value));
            }
            list = rest;
        }
        Ok(())
    }

    /// The value of a property that is a number.
    #[must_use]
    pub fn number(&self, id: Id) -> Option<u32> {
        match self.value(id)? {
            Value::Number(number) => Some(number),
            Value::Text(_) | Value::Pair(..) => None,
        }
    }

    /// The value of a property that is a string.
    #[must_use]
    pub fn text(&self, id: Id) -> Option<&'a [u8]> {
        match self.value(id)? {
            Value::Text(text) => Some(text),
            Value::Number(_) | Value::Pair(..) => None,
        }
    }

    fn value(&self, id: Id) -> Option<Value<'a>> {
        self.iter()
            .find(|(other, _)| *other == id)
            .map(|(_, value)| value)
    }

    /// All of them, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (Id, Value<'a>)> {
        let mut rest = Input(self.0);
        core::iter::from_fn(move || {
            let (behind, property) = property(rest).ok()?;
            rest = behind;
            Some(property)
        })
    }
}

/// A string as 1.5.4 has it: UTF-8, without NUL.
pub(super) fn is_text(text: &[u8]) -> bool {
    !text.contains(&0) && core::str::from_utf8(text).is_ok()
}

/// One property: its identifier, and a value of the kind that goes with that.
fn property(input: Input<'_>) -> Parsed<'_, (Id, Value<'_>)> {
    let (rest, id) = be_u8(input)?;
    let kind = find(id).map_or(Kind::Flag, |known| known.kind);
    let (rest, value) = match kind {
        Kind::Flag => number(rest, 1),
        Kind::TwoBytes | Kind::TwoBytesNotZero => number(rest, 2),
        Kind::FourBytes | Kind::FourBytesNotZero => number(rest, 4),
        Kind::Variable => variable(rest).map(|(rest, number)| (rest, Value::Number(number))),
        Kind::Text | Kind::Data => string(rest).map(|(rest, text)| (rest, Value::Text(text))),
        Kind::Pair => {
            let (rest, name) = string(rest)?;
            string(rest).map(|(rest, value)| (rest, Value::Pair(name, value)))
        }
    }?;
    Ok((rest, (id, value)))
}

/// An integer of so many bytes (1.5.2, 1.5.3).
fn number(input: Input<'_>, bytes: usize) -> Parsed<'_, Value<'_>> {
    let (rest, bytes) = take(bytes).parse(input)?;
    let number = bytes
        .0
        .iter()
        .fold(0, |sum, byte| sum << 8 | u32::from(*byte));
    Ok((rest, Value::Number(number)))
}

/// A string or binary data, with its length in front (1.5.4, 1.5.6).
pub(super) fn string(input: Input<'_>) -> Parsed<'_, &[u8]> {
    let (rest, text) = length_data(be_u16).parse(input)?;
    Ok((rest, text.0))
}

/// A variable byte integer (1.5.5), in no more bytes than it needs [MQTT-1.5.5-1].
fn variable(input: Input<'_>) -> Parsed<'_, u32> {
    let (mut rest, mut number) = (input, 0);
    for shift in [0, 7, 14, 21] {
        let (behind, byte) = be_u8(rest)?;
        rest = behind;
        number |= u32::from(byte & 0x7f) << shift;
        if byte == 0 && shift > 0 {
            break;
        }
        if byte & 0x80 == 0 {
            return Ok((rest, number));
        }
    }
    Err(nom::Err::Error(()))
}

/// ` {receive-maximum=10 reason-string="no"}`, and nothing if there are none.
impl fmt::Display for Properties<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without MQTT 5 there are none, which the optimiser does not see.
        if !cfg!(feature = "mqtt5") {
            return Ok(());
        }
        let mut before = " {";
        for (id, value) in self.iter() {
            f.write_str(before)?;
            f.write_str(name(id))?;
            match value {
                Value::Number(number) => write!(f, "={number}"),
                Value::Text(text) => write!(f, "=\"{}\"", Text(text)),
                Value::Pair(name, value) => write!(f, "=\"{}\":\"{}\"", Text(name), Text(value)),
            }?;
            before = " ";
        }
        f.write_str(if before == " " { "}" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::v5::decode;
    use std::string::ToString;
    use std::vec::Vec;

    fn read(list: &[u8], packet_type: u8) -> Result<Properties<'_>, Breach> {
        Properties::check(Input(list), packet_type).map(|()| Properties(list))
    }

    /// A value that is allowed, with its identifier in front.
    fn sample(known: &Known) -> Vec<u8> {
        let value: &[u8] = match known.kind {
            Kind::Flag => b"\x01",
            Kind::TwoBytes | Kind::TwoBytesNotZero => b"\x01\x02",
            Kind::FourBytes | Kind::FourBytesNotZero => b"\x00\x00\x01\x02",
            Kind::Variable => b"\x82\x01",
            Kind::Text | Kind::Data => b"\x00\x02ab",
            Kind::Pair => b"\x00\x01a\x00\x02bc",
        };
        [&[known.id], value].concat()
    }

    #[test]
    fn each_property_is_read_where_the_standard_allows_it_and_refused_elsewhere() {
        for known in &PROPERTIES {
            let list = sample(known);
            for (packet_type, bit) in [
                (decode::CONNACK, CONNACK),
                (decode::PUBLISH, PUBLISH),
                (decode::DISCONNECT, DISCONNECT),
                (4, REPLY),
                (5, REPLY),
                (6, REPLY),
                (7, REPLY),
            ] {
                let flaw = Flaw::NotHere;
                let id = known.id;
                let expected = match known.packets & bit {
                    0 => Err(Breach::Property {
                        packet_type,
                        id,
                        flaw,
                    }),
                    _ => Ok(Properties(&list)),
                };
                assert_eq!(read(&list, packet_type), expected, "{}", known.name);
            }
        }
    }

    #[test]
    fn a_property_that_is_cut_doubled_or_out_of_range_is_refused() {
        for known in PROPERTIES.iter().filter(|known| known.packets != 0) {
            let packet_type = match known.packets {
                packets if packets & CONNACK != 0 => decode::CONNACK,
                _ => decode::PUBLISH,
            };
            let refused = |flaw| {
                Err(Breach::Property {
                    packet_type,
                    id: known.id,
                    flaw,
                })
            };
            let list = sample(known);
            for end in 1..list.len() {
                let cut = read(&list[..end], packet_type);
                assert_eq!(cut, refused(Flaw::Malformed), "{} at {end}", known.name);
            }
            let twice = [&list[..], &list].concat();
            let expected = match known.id {
                USER_PROPERTY | SUBSCRIPTION_IDENTIFIER => Ok(Properties(&twice)),
                _ => refused(Flaw::Doubled),
            };
            assert_eq!(read(&twice, packet_type), expected, "{}", known.name);
            let zero: Vec<u8> = [&[known.id][..], &[0; 4]].concat();
            let wrong: &[u8] = match known.kind {
                Kind::Flag => &[known.id, 2],
                Kind::TwoBytesNotZero => &zero[..3],
                Kind::FourBytesNotZero => &zero,
                Kind::Variable => &zero[..2],
                Kind::Text => &[known.id, 0, 1, 0],
                Kind::Pair => &[known.id, 0, 1, b'a', 0, 1, 0xff],
                Kind::TwoBytes | Kind::FourBytes | Kind::Data => continue,
            };
            assert_eq!(read(wrong, packet_type), refused(Flaw::Value), "{wrong:x?}");
        }
    }

    #[test]
    fn what_is_no_property_is_refused() {
        for id in (0..=u8::MAX).filter(|id| find(*id).is_none()) {
            let breach = Breach::Property {
                packet_type: 2,
                id,
                flaw: Flaw::Unknown,
            };
            assert_eq!(read(&[id, 0], 2), Err(breach));
        }
    }

    #[test]
    fn a_length_is_in_no_more_bytes_than_it_needs_and_within_the_packet() {
        let empty = (Properties::default(), &b"rest"[..]);
        assert_eq!(Properties::read(b"\0rest", 3), Ok(empty));
        for body in [
            &b""[..],
            b"\x01",
            b"\x80\x00",
            b"\x80\x80\x80\x80\x01",
            b"\x80",
        ] {
            assert_eq!(
                Properties::read(body, 3),
                Err(Breach::Malformed(3)),
                "{body:x?}"
            );
        }
    }

    #[test]
    fn properties_are_found_and_shown() {
        let list = b"\x21\x00\x0a\x1f\x00\x03a\"\n\x26\x00\x01k\x00\x01v";
        let properties = read(list, 2).expect("a good list");
        assert_eq!(properties.number(RECEIVE_MAXIMUM), Some(10));
        assert_eq!(properties.number(MAXIMUM_QOS), None);
        assert_eq!(properties.text(REASON_STRING), Some(&b"a\"\n"[..]));
        assert_eq!(
            properties.to_string(),
            r#" {receive-maximum=10 reason-string="a"\n" user-property="k":"v"}"#
        );
        assert_eq!(Properties::default().to_string(), "");
    }
}
