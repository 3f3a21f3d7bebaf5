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
//!
//! This file queues and drops; what a connection is given, and what acknowledgements do, is in `flight`; what a broker does not
//! take, and what lets others pass, in `aside`.

mod aside;
mod flight;
mod records;
mod ring;

use crate::config::MAX_TOPIC;
use crate::mqtt::QoS;
use crate::mqtt::encode::{publish_first_byte, short_remaining_len};
use crate::mqtt::qos::Stage;
use crate::sample::MAX_PAYLOAD;
use aside::Aside;
use records::{Record, Records, Span};
use ring::Ring;

/// Longest packet in an outbox, in bytes: fixed header, topic with its length, packet identifier, payload.
pub const MAX_PACKET: usize = 3 + 2 + MAX_TOPIC + 2 + MAX_PAYLOAD;

/// Bytes offered to the network at once, so that a long queue is not walked for every small write.
const BATCH: usize = 32 * 1024;

/// A message more is dropped at a time for so many that are in flight, and that have to be moved for it.
const FLIGHT_PER_DROP: usize = 16;

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
    /// Bytes of the ring in use, from the first on.
    ring_len: usize,
    /// Position of the oldest byte, and how many there are.
    start: usize,
    used: usize,
    /// Messages whose first byte has been sent, from the oldest on, and their bytes.
    in_flight: usize,
    flight_bytes: usize,
    /// Packet identifier of the oldest record, 1 to 65535.
    oldest_id: u16,
    cursor: Cursor,
    /// What lies before the oldest message.
    aside: Aside,
    /// A topic is set aside.
    any_aside: bool,
    /// A message is sent only once the one before it is done with.
    one_by_one: bool,
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
    /// Its topic is set aside: it waits, and lets others pass.
    pub is_aside: bool,
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
        f.write_str("no room beside what is in flight")
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
            ring_len: 0,
            start: 0,
            used: 0,
            in_flight: 0,
            flight_bytes: 0,
            oldest_id: 1,
            cursor: Cursor::default(),
            aside: Aside::default(),
            any_aside: false,
            one_by_one: false,
        }
    }
}

impl State {
    /// An empty outbox whose packet identifiers begin behind `skipped`, 0 to 65534: a process that always began with the same one would
    /// have its first messages taken for repetitions of an earlier process's.
    #[must_use]
    pub fn empty(skipped: u16) -> Self {
        let oldest_id = skipped.saturating_add(1);
        State {
            at: Place {
                oldest_id,
                ..Place::default()
            },
            ..State::default()
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
            ring: Ring::new(bytes, state.at.ring_len),
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
            at: Place {
                ring_len: self.ring.len(),
                ..self.at
            },
        }
    }

    /// Messages that have not been sent whole, those that are set aside among them; one of them may be half written.
    #[must_use]
    pub fn queued(&self) -> usize {
        let unsent = self.records.len() - self.at.in_flight;
        unsent + usize::from(self.half_sent().is_some()) + self.at.aside.count
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

    /// Whether there is no message but those that are set aside.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.len() == 0
    }

    /// Queues a message. Where room is missing the oldest unsent messages make place, and `dropped` is called with the
    /// signal of each.
    ///
    /// Costs one copy of the message. A drop also moves what is in flight, bytes and records. Where that is much it makes room for messages
    /// to come, one for each 16 in flight while there are so many unsent ones: so each of them pays for 16 packets and records moved.
    ///
    /// Storage that no queue has ever been long enough for is not touched; to take more of it into use moves what is there, a few times in
    /// all.
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
        while self.is_too_full_for(packet_len) {
            if self.take_more_storage() {
                continue;
            }
            if !self.make_room_behind(&mut dropped) && !self.drop_oldest_unsent(&mut dropped) {
                return Err(Full);
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
        let pieces = [
            header,
            message.topic,
            no_id,
            value,
            comma,
            timestamp,
            quality,
        ];
        self.ring.write(self.at.start + self.at.used, &pieces);
        let record = Record {
            signal: message.signal,
            len: packet_len as u16,
            stage: Stage::Queued,
            is_aside: message.is_aside && self.at.any_aside,
            tick: 0,
        };
        self.records.push(record);
        self.at.used += packet_len;
        Ok(())
    }

    /// Numbers the signals anew, when the configuration has changed; `None`: there is no such signal any more.
    pub fn renumber(&mut self, mut new_number: impl FnMut(u32) -> Option<u32>) {
        let mut renumbered = |record: Record| {
            let signal = match record.signal {
                NO_SIGNAL => NO_SIGNAL,
                signal => new_number(signal).unwrap_or(NO_SIGNAL),
            };
            Record { signal, ..record }
        };
        for index in 0..self.at.aside.count {
            let record = renumbered(self.records.get_behind(index));
            self.records.set_behind(index, record);
        }
        for index in 0..self.records.len() {
            let record = renumbered(self.records.get(index));
            self.records.set(index, record);
        }
    }

    /// Calls `each` with signal and packet of every message that the broker has not confirmed, oldest first: for an outbox
    /// of another size or QoS to take them over.
    pub fn for_each_unconfirmed(&self, mut each: impl FnMut(u32, &[u8])) {
        let mut position = self.behind();
        for index in 0..self.at.aside.count + self.records.len() {
            let record = match index.checked_sub(self.at.aside.count) {
                None => self.records.get_behind(index),
                Some(index) => self.records.get(index),
            };
            if index == self.at.aside.count {
                position = self.at.start;
            }
            let len = usize::from(record.len);
            if matches!(record.stage, Stage::Queued | Stage::Published) {
                let mut packet = [0; MAX_PACKET];
                each(record.signal, self.copy(position, len, &mut packet));
            }
            position = self.ring.wrap(position + len);
        }
    }

    /// Copies `len` bytes at this position of the ring.
    fn copy<'p>(&self, position: usize, len: usize, packet: &'p mut [u8; MAX_PACKET]) -> &'p [u8] {
        for (place, byte) in packet.iter_mut().take(len).enumerate() {
            *byte = self.ring.byte(position + place);
        }
        packet.get(..len).unwrap_or_default()
    }

    /// Frees `len` bytes at the old end, whose `count` records are gone already.
    fn free_bytes(&mut self, count: usize, len: usize) {
        self.at.used -= len;
        let aside = &mut self.at.aside;
        if aside.count > 0 {
            aside.gap += count;
            aside.gap_bytes += len;
        }
        // From the front again when all is gone: a queue that empties often stays in few pages of memory.
        self.at.start = if self.at.used == 0 && aside.count == 0 {
            0
        } else {
            self.ring.wrap(self.at.start + len)
        };
    }

    fn is_too_full_for(&self, packet_len: usize) -> bool {
        let used = self.at.aside.bytes_with_gap() + self.at.used;
        used + packet_len > self.ring.len() || self.records.is_full()
    }

    /// Makes the ring longer that is too short for one more packet; `false` if that one is at its full length.
    fn take_more_storage(&mut self) -> bool {
        if self.records.is_full() {
            return self.records.grow();
        }
        let len = self.ring.len();
        let behind = self.at.aside.bytes_with_gap();
        let start = self.ring.grow(self.behind(), behind + self.at.used);
        self.at.start = self.ring.wrap(start + behind);
        self.ring.len() > len
    }

    /// Drops the oldest messages of which no byte has been sent: one, and another for each [`FLIGHT_PER_DROP`] in flight. Tells their
    /// signals; `false` if there is none.
    fn drop_oldest_unsent(&mut self, dropped: &mut impl FnMut(u32)) -> bool {
        let index = self.at.in_flight;
        let unsent = self.records.len().saturating_sub(index);
        let count = unsent.min(1 + index / FLIGHT_PER_DROP);
        let mut len = 0;
        for record in (index..index + count).map(|index| self.records.get(index)) {
            len += usize::from(record.len);
            dropped(record.signal);
        }
        // What is in flight lies before them, and moves up into their place.
        self.ring.shift(self.at.start, self.at.flight_bytes, len);
        self.records.remove(index, count);
        self.free_bytes(count, len);
        count > 0
    }

    /// The newest message in flight, if it has never been written whole.
    fn half_sent(&self) -> Option<Record> {
        let record = self.records.get(self.at.in_flight.checked_sub(1)?);
        (record.stage == Stage::Queued).then_some(record)
    }
}

#[cfg(test)]
mod tests;
