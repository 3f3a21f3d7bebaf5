//! What one connection is given of an outbox, and what the broker's acknowledgements do to it.

use super::records::Record;
use super::{Acknowledged, BATCH, Cursor, MAX_PACKET, Outbox, Seen};
use crate::mqtt::QoS;
use crate::mqtt::encode::DUP;
use crate::mqtt::qos::{self, Ack, Stage, Step};
use crate::mqtt::violation::Violation;

/// What [`Outbox::waiting`] finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// Ticks that the oldest one has waited for its acknowledgement.
    pub longest: u8,
    /// One has waited too long, while a later one was acknowledged.
    pub is_overtaken: bool,
}

impl Outbox<'_> {
    /// Begins a connection: what is unacknowledged goes again, in its original order, before anything new [MQTT-4.4.0-1].
    pub fn start_over(&mut self) {
        self.rewind();
        if self.qos == QoS::AtMostOnce {
            self.complete_oldest();
        }
        // What was acknowledged while it was half repeated has waited for its packet's rest, which goes nowhere now.
        self.free_complete();
        let mut offset = self.at.start;
        for index in 0..self.at.in_flight {
            let record = self.records.get(index);
            if record.stage == Stage::Published {
                let first = self.ring.byte(offset);
                self.ring.set(offset, first | DUP);
            }
            offset = self.ring.wrap(offset + usize::from(record.len));
        }
    }

    /// The connection that was given packets is gone.
    pub(super) fn rewind(&mut self) {
        self.at.cursor = Cursor::default();
        if let Some(record) = self.half_sent() {
            // Half of a packet is no packet to the broker: it has not been sent yet.
            self.at.in_flight -= 1;
            self.at.flight_bytes -= usize::from(record.len);
        }
    }

    /// The packet identifier whose PUBREL an earlier connection left to be repeated next; see [`Outbox::pubrel_repeated`].
    #[must_use]
    pub fn pubrel_to_repeat(&mut self) -> Option<u16> {
        while !self.is_half_written()
            && self.at.cursor.record < self.at.in_flight
            && !self.is_waiting()
        {
            let index = self.at.cursor.record;
            let record = self.records.get(index);
            match record.stage {
                Stage::Released => return Some(self.packet_id(index)),
                Stage::Complete => self.pass(record),
                Stage::Queued | Stage::Published => break,
            }
        }
        None
    }

    /// The PUBREL of [`Outbox::pubrel_to_repeat`] is on its way, at this tick.
    pub fn pubrel_repeated(&mut self, tick: u8) {
        let index = self.at.cursor.record;
        if index < self.at.in_flight {
            let record = self.records.get(index);
            self.records.set(index, Record { tick, ..record });
            self.pass(record);
        }
    }

    /// From now on a message is sent only once the one before it is done with, or no more so.
    pub fn send_one_by_one(&mut self, one_by_one: bool) {
        self.at.one_by_one = one_by_one;
    }

    /// Makes messages whose PUBREL is not answered ones to repeat from PUBLISH on, at the beginning of a connection. For a session that the
    /// broker has begun anew: one that hands a message on only at PUBREL has lost it with the old session, and knows no identifier of it.
    pub fn take_back_released(&mut self) {
        for index in 0..self.at.in_flight {
            let record = self.records.get(index);
            if record.stage == Stage::Released {
                let stage = Stage::Published;
                self.records.set(index, Record { stage, ..record });
            }
        }
        self.start_over();
    }

    /// Makes the oldest message complete, if it was sent: for QoS 0, where nothing acknowledges it.
    pub fn complete_oldest(&mut self) {
        let record = self.records.get(0);
        if self.at.in_flight > 0 && record.stage == Stage::Published {
            let stage = Stage::Complete;
            self.records.set(0, Record { stage, ..record });
            self.free_complete();
        }
    }

    /// How far the oldest message has come, if this connection was given it, or its PUBREL, and the broker has not answered.
    #[must_use]
    pub fn unanswered(&self) -> Option<Stage> {
        let was_given = self.at.cursor.record > 0 || self.at.cursor.written > 0;
        (was_given && self.at.in_flight > 0).then(|| self.records.get(0).stage)
    }

    /// Identifier and signal of the oldest message.
    #[must_use]
    pub fn oldest(&self) -> (u16, u32) {
        (self.at.oldest_id, self.records.get(0).signal)
    }

    /// Whether a message is to be sent again although the broker has taken a later one.
    #[must_use]
    pub fn repeats_out_of_order(&self) -> bool {
        let stages = (0..self.at.in_flight).map(|index| self.records.get(index).stage);
        // Stages behind the first that awaits its acknowledgement.
        let mut later = stages.skip_while(|stage| *stage != Stage::Published);
        later.any(|stage| stage > Stage::Published)
    }

    /// How long the messages of this connection wait for their acknowledgements, at this tick: walks all that is in flight. `limit` is how
    /// many ticks an acknowledgement may take; ticks count modulo 256.
    #[must_use]
    pub fn waiting(&self, tick: u8, limit: u8) -> Waiting {
        let mut waiting = Waiting {
            longest: 0,
            is_overtaken: false,
        };
        let mut furthest = Stage::Queued;
        for index in (0..self.at.in_flight.min(self.at.cursor.record)).rev() {
            let record = self.records.get(index);
            if record.stage != Stage::Complete {
                let age = tick.wrapping_sub(record.tick);
                waiting.longest = waiting.longest.max(age);
                waiting.is_overtaken |= age > limit && record.stage < furthest;
            }
            furthest = furthest.max(record.stage);
        }
        waiting
    }

    /// PUBLISH packets for this connection to send next, with at most `window` messages in flight; report with
    /// [`Outbox::written`] how many of the bytes went. At QoS 2 [`Outbox::pubrel_to_repeat`] comes first.
    ///
    /// The answer changes with everything that takes `&mut self`.
    #[must_use]
    pub fn unsent(&mut self, window: usize) -> &[u8] {
        let end = match self.qos {
            QoS::AtMostOnce if !(self.at.any_aside || self.at.one_by_one) => self.at.used,
            QoS::AtMostOnce => self.end_of_run(usize::MAX),
            QoS::AtLeastOnce | QoS::ExactlyOnce => self.end_of_run(window),
        };
        self.bytes_at_cursor(end)
    }

    /// Whether what is sent one by one has to wait for an acknowledgement.
    fn is_waiting(&self) -> bool {
        self.at.one_by_one && self.at.cursor.record > 0
    }

    /// Whether the connection stands in the middle of a packet.
    #[must_use]
    pub fn is_half_written(&self) -> bool {
        self.at.cursor.written > 0
    }

    /// What is left of the packet that is half written.
    #[must_use]
    pub fn rest_of_packet(&self) -> &[u8] {
        let Cursor {
            record,
            offset,
            written,
        } = self.at.cursor;
        if written == 0 {
            &[]
        } else {
            self.bytes_at_cursor(offset + usize::from(self.records.get(record).len))
        }
    }

    /// The network has taken `count` bytes of what [`Outbox::unsent`] gave, at this tick. Returns how many messages were written whole for
    /// the first time; `seen` is called for each packet that is complete now, in order, before its room is freed.
    pub fn written(&mut self, count: usize, tick: u8, mut seen: Option<Seen<'_>>) -> usize {
        let mut first_time = 0;
        self.at.cursor.written += count;
        while self.at.cursor.written > 0 && self.at.cursor.record < self.records.len() {
            let index = self.at.cursor.record;
            let record = self.records.get(index);
            let len = usize::from(record.len);
            if index == self.at.in_flight {
                self.at.in_flight += 1;
                self.at.flight_bytes += len;
            }
            if self.at.cursor.written < len {
                break;
            }
            if let Some(seen) = &mut seen {
                let mut packet = [0; MAX_PACKET];
                seen(self.copy_at_cursor(len, &mut packet));
            }
            // One that was acknowledged while it was half repeated keeps its stage.
            let stage = record.stage.max(Stage::Published);
            first_time += usize::from(record.stage == Stage::Queued);
            self.records.set(
                index,
                Record {
                    stage,
                    tick,
                    ..record
                },
            );
            self.at.cursor.written -= len;
            if self.qos == QoS::AtMostOnce && !self.at.one_by_one {
                self.free_oldest(record);
            } else {
                self.pass(record);
            }
        }
        self.free_complete();
        first_time
    }

    /// Takes an acknowledgement, at this tick.
    ///
    /// # Errors
    /// The clause that it breaks.
    pub fn acknowledge(
        &mut self,
        ack: Ack,
        packet_id: u16,
        tick: u8,
    ) -> Result<Acknowledged, Violation> {
        let index = self
            .index_of(packet_id)
            .filter(|index| *index < self.at.in_flight);
        let step = qos::step(
            self.qos,
            index.map(|index| self.records.get(index).stage),
            ack,
        )?;
        let stage = match step {
            Step::Reach(stage) => stage,
            Step::SendPubrel => Stage::Released,
            Step::Ignore => return Ok(Acknowledged::Repeated),
        };
        if let Some(index) = index {
            let record = self.records.get(index);
            if record.stage != Stage::Complete {
                self.records.set(
                    index,
                    Record {
                        stage,
                        tick,
                        ..record
                    },
                );
            }
        }
        if step == Step::SendPubrel {
            return Ok(Acknowledged::SendPubrel);
        }
        self.free_complete();
        Ok(Acknowledged::Complete)
    }

    /// The end, from the oldest byte on, of the packets that may follow one another from the cursor on. New ones among
    /// them get their packet identifiers.
    fn end_of_run(&mut self, window: usize) -> usize {
        let Cursor {
            record: from,
            offset,
            written,
        } = self.at.cursor;
        let mut end = offset;
        if self.is_waiting() && written == 0 {
            return end;
        }
        for index in from..self.records.len() {
            let record = self.records.get(index);
            let half_written = index == from && written > 0;
            let may_go = match record.stage {
                Stage::Queued => index < window && !record.is_aside,
                Stage::Published => !record.is_aside,
                Stage::Released | Stage::Complete => false,
            };
            let is_second = self.at.one_by_one && index > from;
            if !(may_go || half_written) || is_second || end - offset >= BATCH {
                break;
            }
            if record.stage == Stage::Queued && self.qos != QoS::AtMostOnce {
                self.write_packet_id(end, self.packet_id(index));
            }
            end += usize::from(record.len);
        }
        end
    }

    /// From the cursor up to `end`, or to where the ring wraps.
    fn bytes_at_cursor(&self, end: usize) -> &[u8] {
        let from = self.at.cursor.offset + self.at.cursor.written;
        self.ring
            .run(self.at.start + from, end.saturating_sub(from))
    }

    fn copy_at_cursor<'p>(&self, len: usize, packet: &'p mut [u8; MAX_PACKET]) -> &'p [u8] {
        let position = self.ring.wrap(self.at.start + self.at.cursor.offset);
        self.copy(position, len, packet)
    }

    /// Moves the cursor behind `record`, at which it stands.
    fn pass(&mut self, record: Record) {
        self.at.cursor.record += 1;
        self.at.cursor.offset += usize::from(record.len);
    }

    /// Frees the messages at the old end that are done with. One that is half repeated stays until its packet is whole.
    fn free_complete(&mut self) {
        while self.at.in_flight > 0 && !(self.at.cursor.record == 0 && self.at.cursor.written > 0) {
            let record = self.records.get(0);
            if record.stage != Stage::Complete {
                break;
            }
            self.free_oldest(record);
        }
    }

    fn free_oldest(&mut self, record: Record) {
        let len = usize::from(record.len);
        let at = &mut self.at;
        if at.cursor.record > 0 {
            at.cursor.record -= 1;
            at.cursor.offset -= len;
        }
        at.in_flight -= 1;
        at.flight_bytes -= len;
        at.oldest_id = following_id(at.oldest_id, 1);
        self.records.remove_oldest();
        self.free_bytes(1, len);
    }

    fn packet_id(&self, index: usize) -> u16 {
        following_id(self.at.oldest_id, index)
    }

    fn index_of(&self, packet_id: u16) -> Option<usize> {
        let (id, oldest) = (usize::from(packet_id), usize::from(self.at.oldest_id));
        if id == 0 {
            None
        } else {
            Some(if id >= oldest {
                id - oldest
            } else {
                id + MAX_IDS - oldest
            })
        }
    }

    /// Writes the identifier into the packet at `offset`, behind its topic (3.3.2).
    fn write_packet_id(&mut self, offset: usize, packet_id: u16) {
        let at = self.ring.wrap(self.at.start + offset);
        let header = if self.ring.byte(at + 1) & 0x80 == 0 {
            2
        } else {
            3
        };
        let topic_len =
            u16::from_be_bytes([self.ring.byte(at + header), self.ring.byte(at + header + 1)]);
        let [high, low] = packet_id.to_be_bytes();
        let at = at + header + 2 + usize::from(topic_len);
        self.ring.set(at, high);
        self.ring.set(at + 1, low);
    }
}

/// Identifiers are 1 to 65535 [MQTT-2.3.1-1]. An in-flight window of that size uses each once.
pub(super) const MAX_IDS: usize = 65_535;

/// The identifier `steps` after `id`, around the end; `steps` is at most [`MAX_IDS`].
pub(super) fn following_id(id: u16, steps: usize) -> u16 {
    let id = usize::from(id) + steps;
    (if id > MAX_IDS { id - MAX_IDS } else { id }) as u16
}
