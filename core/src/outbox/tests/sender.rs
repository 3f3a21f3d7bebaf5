//! A session, as far as an outbox can tell: it encodes what is handed out, and reports what the network takes.

use std::string::String;
use std::vec::Vec;

use super::super::*;
use super::Full;
use crate::sample::Quality;

/// Bytes of the packet that it makes of a sample of [`put`](super::put).
pub(super) const PACKET: usize = 4 + 4 + 2;

/// See the module's page.
pub(super) struct Sender<'a> {
    pub(super) outbox: Outbox<'a>,
    pub(super) line: Line,
}

/// What is encoded.
#[derive(Default)]
pub(super) struct Line {
    bytes: Vec<u8>,
    /// Where the packet begins that the network has taken in part, and how many bytes are taken in all.
    packet: usize,
    taken: usize,
}

impl<'a> Sender<'a> {
    pub(super) fn new(outbox: Outbox<'a>) -> Self {
        Sender {
            outbox,
            line: Line::default(),
        }
    }

    pub(super) fn suspend(self) -> (State, Line) {
        (self.outbox.suspend(), self.line)
    }

    /// Queues a sample; the signals of those that were dropped for it.
    pub(super) fn queue(
        &mut self,
        signal: u32,
        is_aside: bool,
        sample: &Sample<'_>,
    ) -> Result<Vec<u32>, Full> {
        let mut dropped = Vec::new();
        while !self.outbox.append(signal, is_aside, sample) {
            self.take_back_unsent();
            match self.outbox.make_room(sample) {
                Room::Enough => {}
                Room::Dropped(signal) => dropped.push(signal),
                Room::None => {
                    assert_eq!(dropped, [], "nothing changes where there is no room");
                    return Err(Full);
                }
            }
        }
        Ok(dropped)
    }

    pub(super) fn take_back_unsent(&mut self) {
        let end = if self.is_half_written() {
            self.line.packet + usize::from(self.line.bytes[self.line.packet])
        } else {
            self.line.taken
        };
        self.line.bytes.truncate(end);
        self.outbox.take_back_unsent();
    }

    pub(super) fn start_over(&mut self) {
        self.line = Line::default();
        self.outbox.start_over();
    }

    pub(super) fn set_aside(&mut self, has_the_topic: impl FnMut(u32) -> bool) -> usize {
        self.line = Line::default();
        self.outbox.set_aside(has_the_topic)
    }

    /// What the network may take next: as little as is encoded at once, which is three packets.
    pub(super) fn unsent(&mut self, window: usize) -> &[u8] {
        if self.line.taken == self.line.bytes.len() {
            self.line = Line::default();
            for _ in 0..3 {
                let Some(outgoing) = self.outbox.next_outgoing(window) else {
                    break;
                };
                self.encode(&outgoing);
                self.outbox.hand_out(&outgoing);
            }
        }
        &self.line.bytes[self.line.taken..]
    }

    /// Length, identifier, whether it is a repetition, and the payload.
    fn encode(&mut self, outgoing: &Outgoing) {
        let mut text = std::vec![0; outgoing.text_len()];
        self.outbox.write_text(outgoing, &mut text);
        let id = match self.outbox.qos {
            QoS::AtMostOnce => 0,
            QoS::AtLeastOnce | QoS::ExactlyOnce => outgoing.packet_id,
        };
        let [high, low] = id.to_be_bytes();
        let len = 4 + text.len() as u8 + 2;
        let repeated = u8::from(outgoing.is_repeated);
        self.line.bytes.extend([len, high, low, repeated]);
        self.line.bytes.extend(text);
        let quality = match outgoing.quality() {
            Quality::Bad => b",0",
            Quality::Good => b",1",
        };
        self.line.bytes.extend(quality);
    }

    /// The network has taken so many bytes: how many messages whole for the first time, and the packets that are whole now.
    pub(super) fn written(&mut self, count: usize, tick: u8) -> (usize, Vec<Vec<u8>>) {
        self.line.taken += count;
        let mut whole = Vec::new();
        while self.line.packet < self.line.taken {
            let packet = &self.line.bytes[self.line.packet..];
            let len = usize::from(packet[0]);
            if self.line.packet + len > self.line.taken {
                break;
            }
            whole.push(packet[..len].to_vec());
            self.line.packet += len;
        }
        let first_time = if self.line.taken == self.line.bytes.len() {
            self.outbox.sent_all(tick)
        } else {
            let sent = whole.iter().map(|_| self.outbox.sent_whole(tick));
            let first_time = sent.map(usize::from).sum();
            if self.is_half_written() {
                self.outbox.sent_in_part();
            }
            first_time
        };
        (first_time, whole)
    }

    pub(super) fn is_half_written(&self) -> bool {
        self.line.packet < self.line.taken
    }

    /// What is left of the packet that is half written.
    pub(super) fn rest_of_packet(&self) -> &[u8] {
        if self.is_half_written() {
            let len = usize::from(self.line.bytes[self.line.packet]);
            &self.line.bytes[self.line.taken..self.line.packet + len]
        } else {
            &[]
        }
    }

    /// As a session does it.
    pub(super) fn acknowledge(
        &mut self,
        reply: crate::delivery::Reply,
        packet_id: u16,
        tick: u8,
    ) -> Result<Acknowledged, crate::delivery::Breach> {
        if self.outbox.is_on_its_way(packet_id) {
            self.take_back_unsent();
        }
        self.outbox.acknowledge(reply, packet_id, tick)
    }

    /// Signal and `value,timestamp` of what the broker has not confirmed.
    pub(super) fn unconfirmed(&self) -> Vec<(u32, String)> {
        let mut all = Vec::new();
        self.outbox.for_each_unconfirmed(|signal, sample, _| {
            let text = sample.whole_text().expect("in one piece");
            all.push((signal, String::from_utf8_lossy(text).into_owned()));
        });
        all
    }
}

/// `a1`, `a1+`: see [`sent`](super::sent).
pub(super) fn tell(packet: &[u8]) -> String {
    let [_, high, low, repeated, letter, ..] = *packet else {
        panic!("no packet");
    };
    let id = match u16::from_be_bytes([high, low]) {
        0 => String::new(),
        id => std::format!("{id}"),
    };
    let repeated = if repeated == 1 { "+" } else { "" };
    std::format!("{}{id}{repeated}", letter as char)
}
