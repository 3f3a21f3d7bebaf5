//! The outbox of one broker: queue, in-flight store and resend buffer in one.
//!
//! A sample is written once, as the PUBLISH packet that it becomes, into a ring of bytes; beside it stands a small
//! record in a ring of records. It is sent from where it lies, and freed when it is done with: at QoS 0 once it is written
//! whole, at QoS 1 and 2 once it is acknowledged. Both rings are the caller's storage.
//!
//! ```text
//!   oldest                                                 newest
//!   | in flight: first byte sent, not yet done | not sent yet |   free   |
//!                 ^ cursor of this connection
//! ```
//!
//! Packet identifiers count up along the records, so an identifier is found by subtraction.

mod records;
mod ring;

use crate::config::MAX_TOPIC;
use crate::mqtt::QoS;
use crate::mqtt::encode::{DUP, publish_first_byte, short_remaining_len};
use crate::mqtt::qos::{self, Ack, Stage, Step};
use crate::mqtt::violation::Violation;
use crate::sample::MAX_PAYLOAD;
use records::{Record, Records, Span};
use ring::Ring;

/// Longest packet in an outbox, in bytes: fixed header, topic with its length, packet identifier, payload.
pub const MAX_PACKET: usize = 3 + 2 + MAX_TOPIC + 2 + MAX_PAYLOAD;

/// Bytes offered to the network at once, so that a long queue is not walked for every small write.
const BATCH: usize = 32 * 1024;

/// Stands for "no signal": its record outlived the configuration that it came from.
pub const NO_SIGNAL: u32 = u32::MAX;

/// How `buffer_size` bytes of RAM are best divided: bytes for packets, and records of eight bytes. Packets of 32 bytes use both up;
/// longer ones, which is most, leave records over.
#[must_use]
pub const fn divide(buffer_size: usize) -> (usize, usize) {
    let records = buffer_size / 40;
    (buffer_size - records * 8, records)
}

/// The messages of one broker; see the module's page.
pub struct Outbox<'a> {
    ring: Ring<'a>,
    records: Records<'a>,
    qos: QoS,
    retain: bool,
    at: Place,
}

/// Where things lie in the storage. Together with the same storage it makes the same outbox again, see [`Outbox::resume`].
#[derive(Debug, Clone, Copy, Default)]
pub struct State {
    records: Span,
    at: Place,
}

/// Where the messages lie, and how far they have come.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// Position of the oldest byte, and how many there are.
    start: usize,
    used: usize,
    /// Messages whose first byte has been sent, from the oldest on, and their bytes.
    in_flight: usize,
    flight_bytes: usize,
    /// Packet identifier of the oldest record, 1 to 65535.
    oldest_id: u16,
    cursor: Cursor,
}

/// What this connection has been given: all records before `record`, and `written` bytes of that one.
#[derive(Debug, Clone, Copy, Default)]
struct Cursor {
    record: usize,
    /// Where that record's packet lies, from the oldest byte on.
    offset: usize,
    written: usize,
}

/// A message to be queued.
#[derive(Debug, Clone, Copy)]
pub struct Message<'m> {
    /// Whose it is: told again if the message has to be dropped.
    pub signal: u32,
    /// At most [`MAX_TOPIC`] bytes.
    pub topic: &'m [u8],
    /// Joined they make the payload, of at most [`MAX_PAYLOAD`] bytes.
    pub payload: [&'m [u8]; 4],
}

/// Is shown packets that are on their way.
pub type Seen<'s> = &'s mut dyn FnMut(&[u8]);

/// The storage holds in-flight messages only, or is too small for this message at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

impl core::fmt::Display for Full {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("no room: all that is buffered is in flight")
    }
}

/// What an acknowledgement did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acknowledged {
    /// The message is done with, and its room free again.
    Complete,
    /// PUBREL with the same identifier is to be sent.
    SendPubrel,
    /// It was one already.
    Repeated,
}

impl Default for Place {
    fn default() -> Self {
        Place {
            start: 0,
            used: 0,
            in_flight: 0,
            flight_bytes: 0,
            oldest_id: 1,
            cursor: Cursor::default(),
        }
    }
}

impl<'a> Outbox<'a> {
    /// An empty outbox. It holds as many messages as there are records, and as fit into `bytes`, whichever is less.
    pub fn new(bytes: &'a mut [u8], records: &'a mut [u64], qos: QoS, retain: bool) -> Self {
        Self::resume(bytes, records, qos, retain, State::default())
    }

    /// The outbox that [`Outbox::suspend`] ended, in the same storage with the same `qos`.
    pub fn resume(
        bytes: &'a mut [u8],
        records: &'a mut [u64],
        qos: QoS,
        retain: bool,
        state: State,
    ) -> Self {
        Outbox {
            ring: Ring::new(bytes),
            records: Records::new(records, state.records),
            qos,
            retain,
            at: state.at,
        }
    }

    /// Ends the outbox, and keeps what is needed to go on.
    #[must_use]
    pub fn suspend(self) -> State {
        State {
            records: self.records.span,
            at: self.at,
        }
    }

    /// Messages that have not been sent whole; one of them may be half written.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.records.len() - self.at.in_flight + usize::from(self.half_sent().is_some())
    }

    /// Messages that are sent in part or in whole, and not done with.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.at.in_flight
    }

    /// Messages that [`Outbox::start_over`] has sent again, or has their PUBREL sent again.
    #[must_use]
    pub fn to_repeat(&self) -> usize {
        let in_flight = (0..self.at.in_flight).map(|index| self.records.get(index).stage);
        in_flight
            .filter(|stage| matches!(stage, Stage::Published | Stage::Released))
            .count()
    }

    /// Whether there is no message at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.len() == 0
    }

    /// Queues a message. Where room is missing the oldest unsent messages make place, and `dropped` is called with the
    /// signal of each.
    ///
    /// Costs one copy of the message; with `n` messages in flight a drop moves their bytes as well.
    ///
    /// # Errors
    /// [`Full`] if dropping would not help; nothing has changed then.
    pub fn append(
        &mut self,
        message: &Message<'_>,
        mut dropped: impl FnMut(u32),
    ) -> Result<(), Full> {
        let [value, comma, timestamp, quality] = message.payload;
        let payload_len = value.len() + comma.len() + timestamp.len() + quality.len();
        let id_len = if self.qos == QoS::AtMostOnce { 0 } else { 2 };
        let topic_len = message.topic.len();
        let remaining = 2 + topic_len + id_len + payload_len;
        let (length, length_bytes) = short_remaining_len(remaining);
        let packet_len = 1 + length_bytes + remaining;
        if packet_len > MAX_PACKET
            || self.at.flight_bytes + packet_len > self.ring.capacity()
            || self.at.in_flight >= self.records.capacity()
        {
            return Err(Full);
        }
        while self.at.used + packet_len > self.ring.capacity() || self.records.is_full() {
            match self.drop_oldest_unsent() {
                Some(signal) => dropped(signal),
                None => return Err(Full),
            }
        }

        let first = publish_first_byte(self.qos, self.retain);
        let [topic_high, topic_low] = (topic_len as u16).to_be_bytes();
        let long_header = [first, length[0], length[1], topic_high, topic_low];
        let short_header = [first, length[0], topic_high, topic_low];
        let header: &[u8] = if length_bytes == 1 {
            &short_header
        } else {
            &long_header
        };
        let no_id: &[u8] = if id_len == 0 { &[] } else { &[0, 0] };
        let mut at = self.at.start + self.at.used;
        for piece in [
            header,
            message.topic,
            no_id,
            value,
            comma,
            timestamp,
            quality,
        ] {
            at = self.ring.write(at, piece);
        }
        let record = Record {
            signal: message.signal,
            len: packet_len as u16,
            stage: Stage::Queued,
        };
        self.records.push(record);
        self.at.used += packet_len;
        Ok(())
    }

    /// Begins a connection: what is unacknowledged goes again, in its original order, before anything new [MQTT-4.4.0-1].
    pub fn start_over(&mut self) {
        self.at.cursor = Cursor::default();
        if let Some(record) = self.half_sent() {
            // Half of a packet is no packet to the broker: it has not been sent yet.
            self.at.in_flight -= 1;
            self.at.flight_bytes -= usize::from(record.len);
        }
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

    /// The packet identifier whose PUBREL an earlier connection left to be repeated next; see [`Outbox::pubrel_repeated`].
    #[must_use]
    pub fn pubrel_to_repeat(&mut self) -> Option<u16> {
        while !self.is_half_written() && self.at.cursor.record < self.at.in_flight {
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

    /// The PUBREL of [`Outbox::pubrel_to_repeat`] is on its way.
    pub fn pubrel_repeated(&mut self) {
        if self.at.cursor.record < self.at.in_flight {
            self.pass(self.records.get(self.at.cursor.record));
        }
    }

    /// PUBLISH packets for this connection to send next, with at most `window` messages in flight; report with
    /// [`Outbox::written`] how many of the bytes went. At QoS 2 [`Outbox::pubrel_to_repeat`] comes first.
    ///
    /// The answer changes with everything that takes `&mut self`.
    #[must_use]
    pub fn unsent(&mut self, window: usize) -> &[u8] {
        let end = match self.qos {
            QoS::AtMostOnce => self.at.used,
            QoS::AtLeastOnce | QoS::ExactlyOnce => self.end_of_run(window),
        };
        self.bytes_at_cursor(end)
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

    /// The network has taken `count` bytes of what [`Outbox::unsent`] gave. Returns how many messages were written whole for
    /// the first time; `seen` is called for each packet that is complete now, in order, before its room is freed.
    pub fn written(&mut self, count: usize, mut seen: Option<Seen<'_>>) -> usize {
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
            if record.stage == Stage::Queued {
                first_time += 1;
                let stage = Stage::Published;
                self.records.set(index, Record { stage, ..record });
            }
            self.at.cursor.written -= len;
            if self.qos == QoS::AtMostOnce {
                self.free_oldest(record);
            } else {
                self.pass(record);
            }
        }
        self.free_complete();
        first_time
    }

    /// Takes an acknowledgement.
    ///
    /// # Errors
    /// The clause that it breaks.
    pub fn acknowledge(&mut self, ack: Ack, packet_id: u16) -> Result<Acknowledged, Violation> {
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
                self.records.set(index, Record { stage, ..record });
            }
        }
        if step == Step::SendPubrel {
            return Ok(Acknowledged::SendPubrel);
        }
        self.free_complete();
        Ok(Acknowledged::Complete)
    }

    /// Numbers the signals anew, when the configuration has changed; `None`: there is no such signal any more.
    pub fn renumber(&mut self, mut new_number: impl FnMut(u32) -> Option<u32>) {
        for index in 0..self.records.len() {
            let record = self.records.get(index);
            let signal = match record.signal {
                NO_SIGNAL => NO_SIGNAL,
                signal => new_number(signal).unwrap_or(NO_SIGNAL),
            };
            self.records.set(index, Record { signal, ..record });
        }
    }

    /// Calls `each` with signal and packet of every message that the broker has not confirmed, oldest first: for an outbox
    /// of another size or QoS to take them over.
    pub fn for_each_unconfirmed(&self, mut each: impl FnMut(u32, &[u8])) {
        let mut offset = 0;
        for index in 0..self.records.len() {
            let record = self.records.get(index);
            let len = usize::from(record.len);
            if matches!(record.stage, Stage::Queued | Stage::Published) {
                let mut packet = [0; MAX_PACKET];
                each(record.signal, self.copy(offset, len, &mut packet));
            }
            offset += len;
        }
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
        for index in from..self.records.len() {
            let record = self.records.get(index);
            let half_written = index == from && written > 0;
            let may_go = match record.stage {
                Stage::Queued => index < window,
                Stage::Published => true,
                Stage::Released | Stage::Complete => false,
            };
            if !(may_go || half_written) || end - offset >= BATCH {
                break;
            }
            if record.stage == Stage::Queued {
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
        self.copy(self.at.cursor.offset, len, packet)
    }

    fn copy<'p>(&self, offset: usize, len: usize, packet: &'p mut [u8; MAX_PACKET]) -> &'p [u8] {
        for (place, byte) in packet.iter_mut().take(len).enumerate() {
            *byte = self
                .ring
                .byte(self.ring.wrap(self.at.start + offset) + place);
        }
        packet.get(..len).unwrap_or_default()
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
        self.free_bytes(len);
    }

    /// Frees `len` bytes at the old end, whose record is gone already.
    fn free_bytes(&mut self, len: usize) {
        self.at.used -= len;
        // From the front again when all is gone: a queue that empties often stays in few pages of memory.
        self.at.start = if self.at.used == 0 {
            0
        } else {
            self.ring.wrap(self.at.start + len)
        };
    }

    /// Drops the oldest message of which no byte has been sent; its signal.
    fn drop_oldest_unsent(&mut self) -> Option<u32> {
        let index = self.at.in_flight;
        if index >= self.records.len() {
            return None;
        }
        let dropped = self.records.get(index);
        let len = usize::from(dropped.len);
        // What is in flight lies before it, and moves up into its place.
        self.ring.shift(self.at.start, self.at.flight_bytes, len);
        self.records.remove(index);
        self.free_bytes(len);
        Some(dropped.signal)
    }

    /// The newest message in flight, if it has never been written whole.
    fn half_sent(&self) -> Option<Record> {
        let record = self.records.get(self.at.in_flight.checked_sub(1)?);
        (record.stage == Stage::Queued).then_some(record)
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
const MAX_IDS: usize = 65_535;

/// The identifier `steps` after `id`, around the end; `steps` is at most [`MAX_IDS`].
fn following_id(id: u16, steps: usize) -> u16 {
    let id = usize::from(id) + steps;
    (if id > MAX_IDS { id - MAX_IDS } else { id }) as u16
}
