//! A PUBLISH from the broker, which this client never subscribed to: it is passed over, whatever its length, and acknowledged.
//!
//! A server may send one without a subscription (MQTT 3.1.1, 4.5): brokers that subscribe their clients themselves do, and a session that
//! another program has left behind. The receiver acknowledges it as its QoS asks [MQTT-4.5.0-2].

use super::QoS;
use super::violation::Violation;

/// A message on its way past: it need not fit the input buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unasked {
    qos: QoS,
    /// Bytes of the topic that have not come yet.
    topic: u16,
    /// Bytes that have not come yet, those of the topic among them.
    rest: u32,
    /// 0 until it has come, and at QoS 0.
    packet_id: u16,
}

impl Unasked {
    /// What the fixed header's `flags` and Remaining Length, and the length of the topic behind them, announce.
    ///
    /// # Errors
    /// The rule that they break.
    pub(super) fn begin(flags: u8, remaining: u32, topic: u16) -> Result<Self, Violation> {
        let (qos, id_len) = match flags >> 1 & 3 {
            0 => (QoS::AtMostOnce, 0),
            1 => (QoS::AtLeastOnce, 2),
            2 => (QoS::ExactlyOnce, 2),
            _ => return Err(Violation::QoS3),
        };
        match remaining.checked_sub(2) {
            Some(rest) if rest >= u32::from(topic) + id_len => Ok(Unasked {
                qos,
                topic,
                rest,
                packet_id: 0,
            }),
            _ => Err(Violation::RemainingLength {
                packet_type: 3,
                length: remaining,
            }),
        }
    }

    /// One that has come as a whole.
    pub(super) fn whole(qos: QoS, packet_id: Option<u16>) -> Self {
        Unasked {
            qos,
            topic: 0,
            rest: 0,
            packet_id: packet_id.unwrap_or(0),
        }
    }

    /// How many of these bytes, the next that have come, belong to the message and are passed over now.
    ///
    /// # Errors
    /// [`Violation::ZeroPacketIdentifier`].
    pub(super) fn pass(&mut self, input: &[u8]) -> Result<usize, Violation> {
        let topic = input.len().min(usize::from(self.topic));
        self.topic -= topic as u16;
        self.rest -= topic as u32;
        let mut passed = topic;
        if self.topic == 0 && self.qos != QoS::AtMostOnce && self.packet_id == 0 {
            let Some(&[high, low]) = input.get(passed..).and_then(|rest| rest.first_chunk()) else {
                return Ok(passed);
            };
            self.packet_id = u16::from_be_bytes([high, low]);
            if self.packet_id == 0 {
                return Err(Violation::ZeroPacketIdentifier);
            }
            passed += 2;
            self.rest -= 2;
        }
        let payload = (input.len() - passed).min(self.rest as usize);
        self.rest -= payload as u32;
        Ok(passed + payload)
    }

    /// Whether all of it has come.
    pub(super) fn is_whole(&self) -> bool {
        self.rest == 0 && (self.qos == QoS::AtMostOnce || self.packet_id != 0)
    }

    #[must_use]
    pub fn qos(&self) -> QoS {
        self.qos
    }

    /// With QoS 1 and 2 only.
    #[must_use]
    pub fn packet_id(&self) -> Option<u16> {
        (self.packet_id != 0).then_some(self.packet_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn a_message_is_passed_over_in_pieces_of_any_size() {
        // Topic "abc", packet identifier 0x0107 but at QoS 0, payload of 5 bytes.
        for (flags, id_len) in [(0, 0), (1 << 1, 2), (2 << 1, 2)] {
            let body: Vec<u8> = [&b"abc"[..], &b"\x01\x07"[..id_len], b"12345"].concat();
            for piece in 1..=body.len() + 1 {
                let mut message =
                    Unasked::begin(flags, 2 + body.len() as u32, 3).expect("a good header");
                let (mut begun, mut passed) = (Vec::new(), 0);
                for bytes in body.chunks(piece) {
                    assert!(!message.is_whole());
                    begun.extend_from_slice(bytes);
                    let count = message.pass(&begun).expect("a good message");
                    passed += count;
                    begun.drain(..count);
                }
                assert!(message.is_whole(), "in pieces of {piece}");
                assert_eq!((passed, begun.len()), (body.len(), 0));
                assert_eq!(message.packet_id(), (id_len == 2).then_some(0x0107));
                // What follows is not its own.
                assert_eq!(message.pass(b"\xd0\x00"), Ok(0));
            }
        }
    }

    #[test]
    fn a_length_that_cannot_be_is_refused() {
        for (flags, remaining, topic) in [(0, 1, 0), (0, 4, 3), (2, 6, 3), (4, 6, 3)] {
            assert_eq!(
                Unasked::begin(flags, remaining, topic),
                Err(Violation::RemainingLength {
                    packet_type: 3,
                    length: remaining
                })
            );
        }
        assert_eq!(Unasked::begin(6, 10, 3), Err(Violation::QoS3));
        let mut message = Unasked::begin(2, 4, 0).expect("a good header");
        assert_eq!(message.pass(b"\0\0"), Err(Violation::ZeroPacketIdentifier));
    }
}
