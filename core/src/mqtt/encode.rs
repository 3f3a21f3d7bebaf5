//! The packets that a publishing client sends: CONNECT, PUBLISH, PUBREL, PINGREQ, DISCONNECT, and its answers to what it did not ask for
//! (MQTT 3.1.1, chapter 3; what is different in MQTT 5 is in [`v5`]).

use super::v5::encode::Terms;
use super::{Ack, ClientId, Level, MAX_GENERATED, QoS, v5};
use crate::bytes::{copy_short, put};
use crate::config::{Secret, Signal, Will};

pub const PINGREQ: [u8; 2] = [0xc0, 0];
pub const DISCONNECT: [u8; 2] = [0xe0, 0];

/// Bit 3 of a fixed header: a repeated delivery.
pub const DUP: u8 = 0x08;

/// Largest Remaining Length (MQTT 3.1.1, 2.2.3).
const MAX_REMAINING: usize = 268_435_455;

/// The first packet of a connection (3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connect<'a> {
    pub level: Level,
    pub client_id: ClientId<'a>,
    pub clean_session: bool,
    /// Seconds.
    pub keep_alive: u16,
    pub will: Option<Will<'a>>,
    pub username: Option<&'a str>,
    pub password: Option<Secret<'a>>,
    /// Of MQTT 5.
    pub terms: Terms,
}

impl Connect<'_> {
    /// Bytes that [`Connect::encode`] writes.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        let remaining = self.remaining_len();
        1 + remaining_len_bytes(remaining) + remaining
    }

    /// Writes the packet to the front of `buffer`; its length, or `None` if it does not fit.
    pub fn encode(&self, buffer: &mut [u8]) -> Option<usize> {
        let mut out = Writer { buffer, len: 0 };
        let remaining = self.remaining_len();
        out.byte(0x10)?;
        out.remaining_len(remaining)?;
        out.string(self.level.protocol_name().as_bytes())?;
        out.byte(self.level.number())?;
        out.byte(self.flags())?;
        out.bytes(&self.keep_alive.to_be_bytes())?;
        if self.level.is_v5() {
            out.bytes(v5::encode::connect(&self.terms).bytes())?;
        }
        let mut client_id = [0; MAX_GENERATED];
        out.string(self.client_id.text(self.level, &mut client_id))?;
        if let Some(will) = &self.will {
            if self.level.is_v5() {
                out.bytes(v5::encode::will(&self.terms).bytes())?;
            }
            out.string(will.topic.as_bytes())?;
            out.string(will.message.as_bytes())?;
        }
        if let Some(username) = self.username {
            out.string(username.as_bytes())?;
        }
        if let Some(password) = &self.password {
            out.string(password.expose().as_bytes())?;
        }
        Some(out.len)
    }

    fn remaining_len(&self) -> usize {
        let mut client_id = [0; MAX_GENERATED];
        let will = self
            .will
            .map_or(0, |will| 4 + will.topic.len() + will.message.len());
        let username = self.username.map_or(0, |username| 2 + username.len());
        let password = self
            .password
            .map_or(0, |password| 2 + password.expose().len());
        let properties = if self.level.is_v5() {
            let will = self.will.map(|_| v5::encode::will(&self.terms));
            v5::encode::connect(&self.terms).bytes().len()
                + will.map_or(0, |will| will.bytes().len())
        } else {
            0
        };
        let variable_header = 2 + self.level.protocol_name().len() + 4 + properties;
        variable_header
            + 2
            + self.client_id.text(self.level, &mut client_id).len()
            + will
            + username
            + password
    }

    /// Connect flags (3.1.2.3).
    fn flags(&self) -> u8 {
        let will = self.will.map_or(0, |will| {
            0x04 | u8::from(will.qos) << 3 | u8::from(will.retain) << 5
        });
        u8::from(self.clean_session) << 1
            | will
            | u8::from(self.password.is_some()) << 6
            | u8::from(self.username.is_some()) << 7
    }
}

/// A PUBLISH that is no sample (3.3): it goes among the short packets.
#[derive(Debug, Clone, Copy)]
pub struct Notice<'a> {
    pub qos: QoS,
    pub retain: bool,
    pub dup: bool,
    /// At QoS 0 it is not written.
    pub packet_id: u16,
    /// In two pieces.
    pub topic: [&'a str; 2],
    /// Of MQTT 5, with their length in front; empty for 3.1 and 3.1.1, which have none.
    pub properties: &'a [u8],
    pub payload: &'a [u8],
}

impl Notice<'_> {
    /// Bytes that [`Notice::encode`] writes.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "no packet is empty")]
    pub fn len(&self) -> usize {
        let remaining = self.remaining_len();
        1 + remaining_len_bytes(remaining) + remaining
    }

    fn remaining_len(&self) -> usize {
        let id_len = if self.qos == QoS::AtMostOnce { 0 } else { 2 };
        2 + self.topic_len() + id_len + self.properties.len() + self.payload.len()
    }

    fn topic_len(&self) -> usize {
        self.topic.iter().map(|piece| piece.len()).sum()
    }

    /// Writes the packet to the front of `buffer`; its length, or `None` if it does not fit.
    pub fn encode(&self, buffer: &mut [u8]) -> Option<usize> {
        let mut out = Writer { buffer, len: 0 };
        let dup = if self.dup { DUP } else { 0 };
        out.byte(publish_first_byte(self.qos, self.retain) | dup)?;
        out.remaining_len(self.remaining_len())?;
        out.bytes(&u16::try_from(self.topic_len()).ok()?.to_be_bytes())?;
        for piece in self.topic {
            out.bytes(piece.as_bytes())?;
        }
        if self.qos != QoS::AtMostOnce {
            out.bytes(&self.packet_id.to_be_bytes())?;
        }
        out.bytes(self.properties)?;
        out.bytes(self.payload)?;
        Some(out.len)
    }
}

/// Bytes of a notice of a topic of so many bytes, at most.
#[must_use]
pub fn notice_len(topic_len: usize, payload_len: usize) -> usize {
    // Fixed header, the topic's length, packet identifier, no properties.
    5 + 2 + topic_len + 2 + v5::encode::NONE.len() + payload_len
}

/// What a PUBLISH says beside its payload (3.3).
#[derive(Debug, Clone, Copy)]
pub struct PublishHeader<'a> {
    pub qos: QoS,
    pub retain: bool,
    pub dup: bool,
    /// At QoS 0 it is not written.
    pub packet_id: u16,
    /// Its topic is where the message goes, or the name of its channel.
    pub signal: &'a Signal<'a>,
    pub device_alias: &'a str,
    /// Of MQTT 5, with their length in front; empty for 3.1 and 3.1.1, which have none.
    pub properties: &'a [u8],
    /// The alias among the properties stands for the topic.
    pub has_known_alias: bool,
}

impl PublishHeader<'_> {
    /// Bytes of the topic as it is written.
    #[inline]
    fn topic_len(&self) -> usize {
        if self.has_known_alias {
            return 0;
        }
        match self.signal.topic {
            Some(topic) => topic.len(),
            None => {
                let pieces = self.signal.channel_pieces(self.device_alias);
                pieces.iter().map(|piece| piece.len()).sum()
            }
        }
    }

    /// Remaining Length of the packet.
    #[inline]
    fn remaining_len(&self, topic_len: usize, payload_len: usize) -> usize {
        let id_len = if self.qos == QoS::AtMostOnce { 0 } else { 2 };
        2 + topic_len + id_len + self.properties.len() + payload_len
    }

    /// Bytes that [`publish`] writes.
    #[must_use]
    pub fn encoded_len(&self, payload_len: usize) -> usize {
        let remaining = self.remaining_len(self.topic_len(), payload_len);
        1 + remaining_len_bytes(remaining) + remaining
    }
}

/// Writes a PUBLISH (3.3) to the front of `out`; its length, or `None` if it does not fit. `write_payload` fills the payload, of `payload_len`
/// bytes.
#[inline]
pub fn publish(
    out: &mut [u8],
    header: PublishHeader<'_>,
    payload_len: usize,
    write_payload: impl FnOnce(&mut [u8]),
) -> Option<usize> {
    let PublishHeader {
        qos,
        retain,
        dup,
        packet_id,
        signal,
        device_alias,
        properties,
        has_known_alias,
    } = header;
    let topic_len = header.topic_len();
    let remaining = header.remaining_len(topic_len, payload_len);
    let (length, length_bytes) = short_remaining_len(remaining);
    let first = publish_first_byte(qos, retain) | if dup { DUP } else { 0 };
    let [topic_high, topic_low] = (topic_len as u16).to_be_bytes();
    let len = 1 + length_bytes + remaining;
    let out = out.get_mut(..len)?;
    let out = if length_bytes == 1 {
        next(out, [first, length[0], topic_high, topic_low])?
    } else {
        next(out, [first, length[0], length[1], topic_high, topic_low])?
    };
    let out = match signal.topic {
        _ if has_known_alias => out,
        Some(topic) => next_text(out, topic)?,
        None => {
            let [tag, device, slash, signal, end] = signal.channel_pieces(device_alias);
            let out = next_text(next_text(out, tag)?, device)?;
            next_text(next_text(next_text(out, slash)?, signal)?, end)?
        }
    };
    let out = if qos == QoS::AtMostOnce {
        out
    } else {
        next(out, packet_id.to_be_bytes())?
    };
    let out = match properties {
        [] => out,
        [byte] => next(out, [*byte])?,
        _ => next_bytes(out, properties)?,
    };
    write_payload(out);
    Some(len)
}

/// Writes these bytes; what is left of `out`.
#[inline]
fn next<const N: usize>(out: &mut [u8], bytes: [u8; N]) -> Option<&mut [u8]> {
    let (place, rest) = out.split_first_chunk_mut()?;
    *place = bytes;
    Some(rest)
}

#[inline]
fn next_text<'o>(out: &'o mut [u8], text: &str) -> Option<&'o mut [u8]> {
    next_bytes(out, text.as_bytes())
}

#[inline]
fn next_bytes<'o>(out: &'o mut [u8], bytes: &[u8]) -> Option<&'o mut [u8]> {
    let (place, rest) = out.split_at_mut_checked(bytes.len())?;
    copy_short(place, bytes);
    Some(rest)
}

/// First byte of a PUBLISH (3.3.1).
#[must_use]
pub fn publish_first_byte(qos: QoS, retain: bool) -> u8 {
    0x30 | u8::from(qos) << 1 | u8::from(retain)
}

/// PUBREL (3.6). The DUP flag of a repetition exists in 3.1 only; later its place is reserved.
#[must_use]
pub fn pubrel(packet_id: u16, level: Level, repeated: bool) -> [u8; 4] {
    let dup = if repeated && level == Level::V3_1 {
        DUP
    } else {
        0
    };
    let [high, low] = packet_id.to_be_bytes();
    [0x62 | dup, 2, high, low]
}

/// The answer to a PUBLISH of the broker's, or to its PUBREL: PUBACK, PUBREC or PUBCOMP (3.4, 3.5, 3.7).
#[must_use]
pub fn answer(ack: Ack, packet_id: u16) -> [u8; 4] {
    let first = match ack {
        Ack::Puback => 0x40,
        Ack::Pubrec => 0x50,
        Ack::Pubcomp => 0x70,
    };
    let [high, low] = packet_id.to_be_bytes();
    [first, 2, high, low]
}

/// Remaining Length (2.2.3) of up to 16,383: the bytes, and how many of them count.
///
/// Longer PUBLISH packets do not occur: topic and payload are bounded far below.
#[must_use]
pub fn short_remaining_len(remaining: usize) -> ([u8; 2], usize) {
    let low = (remaining & 0x7f) as u8;
    if remaining < 0x80 {
        ([low, 0], 1)
    } else {
        ([low | 0x80, (remaining >> 7 & 0x7f) as u8], 2)
    }
}

fn remaining_len_bytes(remaining: usize) -> usize {
    match remaining {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        _ => 4,
    }
}

/// Fills a buffer from its front. `None` is "does not fit".
struct Writer<'a> {
    buffer: &'a mut [u8],
    len: usize,
}

impl Writer<'_> {
    fn bytes(&mut self, piece: &[u8]) -> Option<()> {
        self.len = put(self.buffer, self.len, piece)?;
        Some(())
    }

    fn byte(&mut self, byte: u8) -> Option<()> {
        self.bytes(&[byte])
    }

    /// A string with its length in front (1.5.3).
    fn string(&mut self, text: &[u8]) -> Option<()> {
        self.bytes(&u16::try_from(text.len()).ok()?.to_be_bytes())?;
        self.bytes(text)
    }

    fn remaining_len(&mut self, mut remaining: usize) -> Option<()> {
        if remaining > MAX_REMAINING {
            return None;
        }
        while remaining >= 0x80 {
            self.byte((remaining & 0x7f) as u8 | 0x80)?;
            remaining >>= 7;
        }
        self.byte(remaining as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms = Terms {
        session_expiry: 0,
        maximum_packet_size: 1024,
        will_delay: 0,
    };

    fn encoded(connect: &Connect<'_>) -> std::vec::Vec<u8> {
        let mut buffer = [0; 512];
        let len = connect.encode(&mut buffer).expect("512 bytes are enough");
        assert_eq!(len, connect.encoded_len());
        for short in 0..len {
            assert_eq!(connect.encode(&mut std::vec![0; short]), None);
        }
        buffer[..len].to_vec()
    }

    #[test]
    fn the_smallest_connect_is_that_of_the_standard() {
        let connect = Connect {
            level: Level::V3_1_1,
            client_id: ClientId::Given("a"),
            clean_session: true,
            keep_alive: 60,
            will: None,
            username: None,
            password: None,
            terms: TERMS,
        };
        assert_eq!(
            encoded(&connect),
            b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01a"
        );
        let old = Connect {
            level: Level::V3_1,
            ..connect
        };
        assert_eq!(
            encoded(&old),
            b"\x10\x0f\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x01a"
        );
        let new = Connect {
            level: Level::V5,
            ..connect
        };
        assert_eq!(
            encoded(&new),
            b"\x10\x15\x00\x04MQTT\x05\x02\x00\x3c\x07\x27\x00\x00\x04\x00\x17\x01\x00\x01a"
        );
    }

    #[test]
    fn a_full_connect_carries_will_and_credentials_in_the_order_of_the_standard() {
        let connect = Connect {
            level: Level::V3_1_1,
            client_id: ClientId::Given("gw"),
            clean_session: false,
            keep_alive: 0x1234,
            will: Some(Will {
                topic: "will/t",
                message: "gone",
                qos: QoS::ExactlyOnce,
                retain: true,
            }),
            username: Some("user"),
            password: Some(Secret::new("pass")),
            terms: Terms {
                will_delay: 30,
                ..TERMS
            },
        };
        assert_eq!(
            encoded(&connect),
            b"\x10\x28\x00\x04MQTT\x04\xf4\x12\x34\x00\x02gw\x00\x06will/t\x00\x04gone\x00\x04user\x00\x04pass"
        );
        let new = Connect {
            level: Level::V5,
            ..connect
        };
        let list = b"\x07\x27\x00\x00\x04\x00\x17\x01";
        assert_eq!(
            encoded(&new),
            [
                b"\x10\x36\x00\x04MQTT\x05\xf4\x12\x34",
                &list[..],
                b"\x00\x02gw\x05\x18\x00\x00\x00\x1e\x00\x06will/t\x00\x04gone\x00\x04user\x00\x04pass"
            ]
            .concat()
        );
    }

    #[test]
    fn remaining_length_follows_the_table_of_the_standard() {
        for (remaining, bytes) in [
            (0, &[0x00][..]),
            (127, &[0x7f]),
            (128, &[0x80, 0x01]),
            (16_383, &[0xff, 0x7f]),
            (16_384, &[0x80, 0x80, 0x01]),
            (2_097_151, &[0xff, 0xff, 0x7f]),
            (2_097_152, &[0x80, 0x80, 0x80, 0x01]),
            (MAX_REMAINING, &[0xff, 0xff, 0xff, 0x7f]),
        ] {
            let mut buffer = [0; 4];
            let mut out = Writer {
                buffer: &mut buffer,
                len: 0,
            };
            out.remaining_len(remaining).expect("four bytes are enough");
            let len = out.len;
            assert_eq!(
                (&buffer[..len], len),
                (bytes, remaining_len_bytes(remaining)),
                "{remaining}"
            );
            if remaining < 16_384 {
                let (short, len) = short_remaining_len(remaining);
                assert_eq!(&short[..len], bytes, "{remaining}");
            }
        }
    }

    #[test]
    fn a_repeated_pubrel_is_marked_in_3_1_only() {
        assert_eq!(pubrel(0x0102, Level::V3_1_1, true), [0x62, 2, 1, 2]);
        assert_eq!(pubrel(0x0102, Level::V3_1, false), [0x62, 2, 1, 2]);
        assert_eq!(pubrel(0x0102, Level::V3_1, true), [0x6a, 2, 1, 2]);
    }
}
