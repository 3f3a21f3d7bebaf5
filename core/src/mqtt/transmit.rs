//! PUBLISH packets on their way out: encoded when the network is ready for them, in a buffer that the caller lends.
//!
//! ```text
//!   | shown to whoever debugs | written | the packet that the network has taken in part | not written yet |
//!                             ^ shown   ^ packet           ^ start                                         ^ end
//! ```

use super::Level;
use super::encode::{PublishHeader, publish};
use super::packet::Publish;
use super::v5::encode::MAX_PUBLISH_LIST;
use crate::config::{Device, MAX_SIGNAL_ALIAS, MAX_TOPIC, Payload};
use crate::payload::{self, json};

/// Longest PUBLISH, in bytes: fixed header, topic with its length, packet identifier, properties, payload in CSV. The buffer is at least as long.
pub const MAX_PUBLISH: usize = 3 + 2 + MAX_TOPIC + 2 + MAX_LIST + payload::MAX_LEN;

/// The same for this device, whose payloads may be JSON objects.
#[must_use]
pub fn longest_publish(device: &Device<'_>) -> usize {
    let is_json = cfg!(feature = "json") && device.payload == Payload::Json;
    match is_json {
        true => MAX_PUBLISH - payload::MAX_LEN + json::max_len(MAX_SIGNAL_ALIAS),
        false => MAX_PUBLISH,
    }
}

/// Longest list of its properties, which only MQTT 5 has.
const MAX_LIST: usize = if cfg!(feature = "mqtt5") {
    MAX_PUBLISH_LIST
} else {
    0
};

/// The packets.
pub(super) struct Transmit<'a> {
    bytes: &'a mut [u8],
    pub(super) span: Span,
}

/// Which part of the buffer is in use.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Span {
    shown: usize,
    packet: usize,
    start: usize,
    end: usize,
}

/// The buffer has no room for another packet.
pub(super) struct Full;

impl<'a> Transmit<'a> {
    pub(super) fn new(bytes: &'a mut [u8], span: Span) -> Self {
        Transmit { bytes, span }
    }

    pub(super) fn clear(&mut self) {
        self.span = Span::default();
    }

    /// Whether all packets are written.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.span.start == self.span.end
    }

    /// Whether packets are written that [`Transmit::next_shown`] has not given.
    pub(super) fn is_unshown(&self) -> bool {
        self.span.shown < self.span.packet
    }

    /// Adds a packet; `write_payload` fills its payload, of `payload_len` bytes.
    #[inline]
    pub(super) fn push(
        &mut self,
        header: PublishHeader<'_>,
        payload_len: usize,
        write_payload: impl FnOnce(&mut [u8]),
    ) -> Result<(), Full> {
        let out = self.bytes.get_mut(self.span.end..).ok_or(Full)?;
        let len = publish(out, header, payload_len, write_payload).ok_or(Full)?;
        self.span.end += len;
        Ok(())
    }

    /// What to write next.
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        let Span { start, end, .. } = self.span;
        self.bytes.get(start..end).unwrap_or_default()
    }

    /// What is left of the packet that the network has taken in part.
    pub(super) fn rest_of_packet(&self) -> &[u8] {
        let bytes = self.bytes.get(..self.packet_end()).unwrap_or_default();
        bytes.get(self.span.start..).unwrap_or_default()
    }

    /// The network has taken `count` bytes more: see [`Transmit::pass_packet`].
    #[inline]
    pub(super) fn written(&mut self, count: usize) {
        self.span.start = (self.span.start + count).min(self.span.end);
    }

    /// Passes one packet that is written whole; `false` if there is none.
    #[inline]
    pub(super) fn pass_packet(&mut self) -> bool {
        let Span { packet, start, .. } = self.span;
        if packet == start {
            return false;
        }
        let end = self.packet_end();
        if end > start {
            return false;
        }
        self.span.packet = end;
        true
    }

    /// Whether the network has taken a packet in part.
    #[inline]
    pub(super) fn is_half_written(&self) -> bool {
        self.span.packet < self.span.start
    }

    /// Passes all packets, if all are written whole.
    #[inline]
    pub(super) fn pass_all(&mut self) -> bool {
        let Span { start, end, .. } = self.span;
        self.span.packet = if start == end { end } else { self.span.packet };
        start == end
    }

    /// Takes back the packets of which no byte is written.
    pub(super) fn cut(&mut self) {
        self.span.end = if self.is_half_written() {
            self.packet_end()
        } else {
            self.span.start
        };
    }

    /// Begins at the front again, where all is written, and shown.
    #[inline]
    pub(super) fn rewind(&mut self, is_watched: bool) {
        if self.is_empty() && !(is_watched && self.is_unshown()) {
            self.clear();
        }
    }

    /// The next packet that is written whole and was not given before.
    pub(super) fn next_shown(&mut self, level: Level) -> Option<Publish<'_>> {
        let Span { shown, packet, .. } = self.span;
        let written = self.bytes.get(shown..packet)?;
        let len = packet_len(written)?;
        self.span.shown += len;
        Publish::decode(written.get(..len)?, level)
    }

    /// Where the packet ends that the next byte belongs to.
    #[inline]
    fn packet_end(&self) -> usize {
        let Span { packet, end, .. } = self.span;
        let rest = self.bytes.get(packet..end).unwrap_or_default();
        packet_len(rest).map_or(end, |len| packet + len)
    }
}

/// Length of the PUBLISH at the front; its Remaining Length has one byte or two.
#[inline]
fn packet_len(packet: &[u8]) -> Option<usize> {
    match *packet {
        [_, low, ..] if low < 0x80 => Some(2 + usize::from(low)),
        [_, low, high, ..] => Some(3 + usize::from(low & 0x7f) + (usize::from(high) << 7)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Signal;
    use crate::delivery::QoS;

    fn signal() -> Signal<'static> {
        Signal {
            alias: "p",
            ..Signal::EMPTY
        }
    }

    fn push(transmit: &mut Transmit<'_>, packet_id: u16, payload: &[u8]) -> bool {
        let header = PublishHeader {
            qos: QoS::AtLeastOnce,
            retain: false,
            dup: false,
            packet_id,
            signal: &signal(),
            device_alias: "cloud",
            properties: &[],
            has_known_alias: false,
        };
        transmit
            .push(header, payload.len(), |out| out.copy_from_slice(payload))
            .is_ok()
    }

    #[test]
    fn a_publish_is_that_of_the_standard() {
        let mut bytes = [0; 64];
        let mut transmit = Transmit::new(&mut bytes, Span::default());
        assert!(push(&mut transmit, 7, b"12.5,1,1"));
        assert_eq!(
            transmit.bytes(),
            b"\x32\x1a\x00\x0etag/cloud/p/in\x00\x0712.5,1,1"
        );
        let given = Signal {
            topic: Some("a/b"),
            ..signal()
        };
        let header = PublishHeader {
            qos: QoS::AtMostOnce,
            retain: true,
            dup: false,
            packet_id: 9,
            signal: &given,
            device_alias: "cloud",
            properties: &[],
            has_known_alias: false,
        };
        transmit.clear();
        assert!(transmit.push(header, 1, |out| out[0] = b'x').is_ok());
        assert_eq!(transmit.bytes(), b"\x31\x06\x00\x03a/bx");
    }

    #[test]
    fn topics_of_every_length_make_well_formed_packets() {
        let topic = "x".repeat(MAX_TOPIC);
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            for len in 0..=MAX_TOPIC {
                let signal = Signal {
                    topic: Some(&topic[..len]),
                    ..Signal::EMPTY
                };
                let header = PublishHeader {
                    qos,
                    retain: true,
                    dup: false,
                    packet_id: 0x0107,
                    signal: &signal,
                    device_alias: "",
                    properties: &[],
                    has_known_alias: false,
                };
                let mut bytes = [0; MAX_PUBLISH];
                let mut transmit = Transmit::new(&mut bytes, Span::default());
                let pushed = transmit.push(header, payload::MAX_LEN, |out| out.fill(b'1'));
                assert!(pushed.is_ok(), "{len}");
                let publish = Publish::decode(transmit.bytes(), Level::V3_1_1).expect("a PUBLISH");
                assert_eq!(publish.topic, &topic.as_bytes()[..len]);
                assert_eq!(publish.payload, [b'1'; payload::MAX_LEN]);
                let packet_id = (qos != QoS::AtMostOnce).then_some(0x0107);
                assert_eq!((publish.qos, publish.packet_id), (qos, packet_id));
            }
        }
    }

    #[test]
    fn a_long_packet_has_a_length_of_two_bytes() {
        let mut bytes = [0; MAX_PUBLISH];
        let mut transmit = Transmit::new(&mut bytes, Span::default());
        let payload = [b'1'; 130];
        assert!(push(&mut transmit, 1, &payload));
        let len = transmit.bytes().len();
        assert_eq!(transmit.bytes()[1..3], [0x94, 0x01]);
        assert_eq!(packet_len(transmit.bytes()), Some(len));
    }

    #[test]
    fn packets_are_passed_whole_whatever_the_network_takes() {
        let mut bytes = [0; 80];
        let mut transmit = Transmit::new(&mut bytes, Span::default());
        assert!(push(&mut transmit, 1, b"1,1,1"));
        assert!(push(&mut transmit, 2, b"2,2,1"));
        let one = transmit.bytes().len() / 2;
        assert!(push(&mut transmit, 3, b"3,3,1"));
        // No room for a fourth, and nothing of it is there.
        assert!(!push(&mut transmit, 4, b"4,4,1"));
        assert_eq!(transmit.bytes().len(), 3 * one);

        transmit.written(one - 1);
        assert!(!transmit.pass_packet() && transmit.is_half_written());
        assert_eq!(transmit.rest_of_packet().len(), 1);
        transmit.written(2);
        assert!(transmit.pass_packet() && !transmit.pass_packet());
        // The second has begun and stays; the third goes.
        transmit.cut();
        assert_eq!(transmit.bytes().len(), one - 1);
        transmit.written(one - 1);
        assert!(transmit.pass_packet() && transmit.is_empty());

        transmit.rewind(true);
        let shown = transmit
            .next_shown(Level::V3_1_1)
            .and_then(|publish| publish.packet_id);
        assert_eq!(shown, Some(1));
        let shown = transmit
            .next_shown(Level::V3_1_1)
            .and_then(|publish| publish.packet_id);
        assert_eq!(shown, Some(2));
        assert!(transmit.next_shown(Level::V3_1_1).is_none());
        transmit.rewind(true);
        assert!(push(&mut transmit, 5, b"5,5,1"));
    }
}
