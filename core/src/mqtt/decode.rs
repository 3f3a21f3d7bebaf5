//! The packets that a publishing client receives: CONNACK, PUBACK, PUBREC, PUBCOMP, PINGRESP; and PUBLISH and PUBREL, which it did not
//! ask for (MQTT 3.1.1, chapter 3).

use super::unasked::Unasked;
use super::violation::Violation;
use super::{Ack, Level, Refusal};

pub(super) const CONNACK: u8 = 2;
pub(super) const PUBLISH: u8 = 3;
pub(super) const PUBACK: u8 = 4;
pub(super) const PUBREC: u8 = 5;
pub(super) const PUBREL: u8 = 6;
pub(super) const PUBCOMP: u8 = 7;
pub(super) const PINGRESP: u8 = 13;

/// First byte of the record that carries an alert (RFC 8446, 5.1): a TLS server's answer to a greeting that is none. In MQTT it would
/// be CONNECT with wrong flags.
pub(super) const TLS_ALERT: u8 = 0x15;

/// A packet from the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incoming {
    Connack(Result<Accepted, Refusal>),
    Ack {
        ack: Ack,
        packet_id: u16,
    },
    Pingresp,
    /// Header and length of the topic: the rest is to be passed over.
    Publish(Unasked),
    /// Of such a message at QoS 2.
    Pubrel {
        packet_id: u16,
    },
}

impl Incoming {
    /// Its number in the standard (2.2.1).
    #[must_use]
    pub fn packet_type(&self) -> u8 {
        match self {
            Incoming::Connack(_) => CONNACK,
            Incoming::Ack {
                ack: Ack::Puback, ..
            } => PUBACK,
            Incoming::Ack {
                ack: Ack::Pubrec, ..
            } => PUBREC,
            Incoming::Ack {
                ack: Ack::Pubcomp, ..
            } => PUBCOMP,
            Incoming::Pingresp => PINGRESP,
            Incoming::Publish(_) => PUBLISH,
            Incoming::Pubrel { .. } => PUBREL,
        }
    }
}

/// CONNACK with return code 0 (3.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// The broker kept a session of this client. 3.1 has no such flag: always false.
    pub session_present: bool,
}

/// The acknowledgement that `input` begins with, if it is one as almost every packet is: four bytes, with nothing to refuse. `None` says
/// nothing: [`decode`] has all the rules.
#[inline]
pub fn plain_ack(input: &[u8]) -> Option<(Ack, u16)> {
    let [first, 2, high, low, ..] = *input else {
        return None;
    };
    let ack = match first {
        0x40 => Ack::Puback,
        0x50 => Ack::Pubrec,
        0x70 => Ack::Pubcomp,
        _ => return None,
    };
    let packet_id = u16::from_be_bytes([high, low]);
    (packet_id != 0).then_some((ack, packet_id))
}

/// Length of an acknowledgement in bytes.
pub const ACK_LEN: usize = 4;

/// The packet at the front of `input`, and its length; `None` if more bytes are needed. Of PUBLISH it is the length of its beginning.
///
/// # Errors
/// The first rule that the bytes break; nothing behind them can be trusted then.
pub fn decode(input: &[u8], level: Level) -> Result<Option<(Incoming, usize)>, Violation> {
    let [first, rest @ ..] = input else {
        return Ok(None);
    };
    let (packet_type, flags) = (first >> 4, first & 0x0f);
    let (expected_length, expected_flags) = match packet_type {
        CONNACK | PUBACK | PUBREC | PUBCOMP => (2, 0),
        PUBREL => (2, 2),
        PINGRESP => (0, 0),
        PUBLISH => return publish(flags, input.len(), rest),
        _ if *first == TLS_ALERT => return Err(Violation::TlsRecord),
        other => return Err(Violation::PacketType(other)),
    };
    // 3.1 calls these bits unused, not reserved.
    if flags != expected_flags && level != Level::V3_1 {
        return Err(Violation::FixedHeaderFlags { packet_type, flags });
    }
    let Some((length, body)) = remaining_length(rest)? else {
        return Ok(None);
    };
    if length != expected_length {
        return Err(Violation::RemainingLength {
            packet_type,
            length,
        });
    }
    let header = input.len() - body.len();
    if packet_type == PINGRESP {
        return Ok(Some((Incoming::Pingresp, header)));
    }
    let [high, low, ..] = *body else {
        return Ok(None);
    };
    let packet = match packet_type {
        CONNACK => connack(high, low, level)?,
        PUBACK => acknowledgement(Ack::Puback, high, low)?,
        PUBREC => acknowledgement(Ack::Pubrec, high, low)?,
        PUBREL => Incoming::Pubrel {
            packet_id: packet_id(high, low)?,
        },
        _ => acknowledgement(Ack::Pubcomp, high, low)?,
    };
    Ok(Some((packet, header + 2)))
}

fn acknowledgement(ack: Ack, high: u8, low: u8) -> Result<Incoming, Violation> {
    packet_id(high, low).map(|packet_id| Incoming::Ack { ack, packet_id })
}

fn packet_id(high: u8, low: u8) -> Result<u16, Violation> {
    match u16::from_be_bytes([high, low]) {
        0 => Err(Violation::ZeroPacketIdentifier),
        packet_id => Ok(packet_id),
    }
}

/// The beginning of a PUBLISH in an input of `len` bytes, `rest` of them behind the first.
fn publish(flags: u8, len: usize, rest: &[u8]) -> Result<Option<(Incoming, usize)>, Violation> {
    let Some((remaining, body)) = remaining_length(rest)? else {
        return Ok(None);
    };
    let [high, low, ..] = *body else {
        return Ok(None);
    };
    let message = Unasked::begin(flags, remaining, u16::from_be_bytes([high, low]))?;
    Ok(Some((Incoming::Publish(message), len - body.len() + 2)))
}

fn connack(flags: u8, code: u8, level: Level) -> Result<Incoming, Violation> {
    let flags = if level == Level::V3_1 { 0 } else { flags };
    if flags & !1 != 0 {
        return Err(Violation::ConnackFlags(flags));
    }
    let session_present = flags == 1;
    let refusal = match code {
        0 => return Ok(Incoming::Connack(Ok(Accepted { session_present }))),
        1 => Refusal::ProtocolLevel,
        2 => Refusal::Identifier,
        3 => Refusal::ServerUnavailable,
        4 => Refusal::Credentials,
        5 => Refusal::NotAuthorized,
        reserved => return Err(Violation::ReturnCode(reserved)),
    };
    if session_present {
        return Err(Violation::SessionPresentInRefusal);
    }
    Ok(Incoming::Connack(Err(refusal)))
}

/// Remaining Length, in up to four bytes (2.2.3), and what follows it.
pub(super) fn remaining_length(input: &[u8]) -> Result<Option<(u32, &[u8])>, Violation> {
    let mut length = 0;
    let mut rest = input;
    for shift in [0, 7, 14, 21] {
        let [byte, following @ ..] = rest else {
            return Ok(None);
        };
        length |= u32::from(byte & 0x7f) << shift;
        rest = following;
        if byte & 0x80 == 0 {
            return Ok(Some((length, rest)));
        }
    }
    Err(Violation::EndlessLength)
}

#[cfg(test)]
mod tests {
    use super::*;

    const V4: Level = Level::V3_1_1;

    #[test]
    fn each_packet_is_read_at_every_split_point() {
        let accepted = |session_present| Incoming::Connack(Ok(Accepted { session_present }));
        let ack = |ack, packet_id| Incoming::Ack { ack, packet_id };
        for (bytes, packet) in [
            (&b"\x20\x02\x00\x00"[..], accepted(false)),
            (b"\x20\x02\x01\x00", accepted(true)),
            (
                b"\x20\x02\x00\x01",
                Incoming::Connack(Err(Refusal::ProtocolLevel)),
            ),
            (
                b"\x20\x02\x00\x02",
                Incoming::Connack(Err(Refusal::Identifier)),
            ),
            (
                b"\x20\x02\x00\x03",
                Incoming::Connack(Err(Refusal::ServerUnavailable)),
            ),
            (
                b"\x20\x02\x00\x04",
                Incoming::Connack(Err(Refusal::Credentials)),
            ),
            (
                b"\x20\x02\x00\x05",
                Incoming::Connack(Err(Refusal::NotAuthorized)),
            ),
            (b"\x40\x02\x00\x07", ack(Ack::Puback, 7)),
            (b"\x50\x02\x01\x00", ack(Ack::Pubrec, 256)),
            (b"\x70\x02\xff\xff", ack(Ack::Pubcomp, 65535)),
            (b"\xd0\x00", Incoming::Pingresp),
            (b"\x62\x02\x01\x02", Incoming::Pubrel { packet_id: 0x0102 }),
            (
                b"\x3d\x0f\x00\x05",
                Incoming::Publish(Unasked::begin(0x0d, 15, 5).expect("a good header")),
            ),
            // A length in more bytes than it needs is not forbidden in 3.1.1.
            (b"\xd0\x80\x00", Incoming::Pingresp),
        ] {
            for split in 0..bytes.len() {
                assert_eq!(
                    decode(&bytes[..split], V4),
                    Ok(None),
                    "{bytes:x?} cut at {split}"
                );
            }
            assert_eq!(decode(bytes, V4), Ok(Some((packet, bytes.len()))));
            let followed = [bytes, b"\xd0\x00"].concat();
            assert_eq!(decode(&followed, V4), Ok(Some((packet, bytes.len()))));
        }
    }

    #[test]
    fn a_plain_acknowledgement_is_what_the_whole_decoder_reads() {
        for first in 0..=u8::MAX {
            for rest in [[2, 0, 1], [2, 1, 0], [2, 0, 0], [3, 0, 1], [0x82, 0, 1]] {
                let bytes = [first, rest[0], rest[1], rest[2], 0xff];
                for level in [Level::V3_1, Level::V3_1_1] {
                    let whole = match decode(&bytes, level) {
                        Ok(Some((Incoming::Ack { ack, packet_id }, ACK_LEN))) => {
                            Some((ack, packet_id))
                        }
                        _ => None,
                    };
                    // Set bits that mean nothing in 3.1 are for the whole decoder.
                    let is_plain = plain_ack(&bytes).is_some();
                    assert_eq!(is_plain, whole.is_some() && first & 0x0f == 0, "{bytes:x?}");
                    assert!(!is_plain || plain_ack(&bytes) == whole, "{bytes:x?}");
                }
            }
        }
        assert_eq!(plain_ack(b"\x40\x02\x00"), None);
    }

    #[test]
    fn what_the_standard_forbids_is_refused() {
        for (bytes, violation) in [
            (&b"\x10"[..], Violation::PacketType(1)),
            (b"\x36\x10\x00\x01", Violation::QoS3),
            (
                b"\x30\x01\x00\x00",
                Violation::RemainingLength {
                    packet_type: 3,
                    length: 1,
                },
            ),
            (b"\x80", Violation::PacketType(8)),
            (
                b"\x60",
                Violation::FixedHeaderFlags {
                    packet_type: 6,
                    flags: 0,
                },
            ),
            (b"\x62\x02\x00\x00", Violation::ZeroPacketIdentifier),
            (b"\x00", Violation::PacketType(0)),
            (b"\xf0", Violation::PacketType(15)),
            (b"\x15", Violation::TlsRecord),
            (
                b"\x41",
                Violation::FixedHeaderFlags {
                    packet_type: 4,
                    flags: 1,
                },
            ),
            (
                b"\x40\x03",
                Violation::RemainingLength {
                    packet_type: 4,
                    length: 3,
                },
            ),
            (
                b"\xd0\x01",
                Violation::RemainingLength {
                    packet_type: 13,
                    length: 1,
                },
            ),
            (b"\x20\x80\x80\x80\x80", Violation::EndlessLength),
            (b"\x40\x02\x00\x00", Violation::ZeroPacketIdentifier),
            (b"\x20\x02\x02\x00", Violation::ConnackFlags(2)),
            (b"\x20\x02\x00\x06", Violation::ReturnCode(6)),
            (b"\x20\x02\x01\x05", Violation::SessionPresentInRefusal),
        ] {
            assert_eq!(decode(bytes, V4), Err(violation), "{bytes:x?}");
        }
    }

    #[test]
    fn unused_bits_of_3_1_are_ignored() {
        let accepted = Incoming::Connack(Ok(Accepted {
            session_present: false,
        }));
        assert_eq!(
            decode(b"\x20\x02\xff\x00", Level::V3_1),
            Ok(Some((accepted, 4)))
        );
        let puback = Incoming::Ack {
            ack: Ack::Puback,
            packet_id: 7,
        };
        assert_eq!(
            decode(b"\x4a\x02\x00\x07", Level::V3_1),
            Ok(Some((puback, 4)))
        );
    }
}
