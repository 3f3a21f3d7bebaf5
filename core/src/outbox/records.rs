//! One record for each message of an outbox, oldest first, in a ring of numbers.

use super::ring::{grown, shift, spread};
use crate::mqtt::qos::Stage;

/// Slots that are in use from the first record on.
const FIRST_RECORDS: usize = 256;

/// A waiting or unacknowledged message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record {
    pub(super) signal: u32,
    /// Length of its packet in bytes.
    pub(super) len: u16,
    pub(super) stage: Stage,
    /// Its topic is set aside: it is not to be sent for now.
    pub(super) is_aside: bool,
    /// When its last packet was sent, or PUBREC came: in units of the caller's, modulo 256.
    pub(super) tick: u8,
}

/// The ring. A record is stored as a number, so that a large store of zeros costs no memory until it is used.
pub(super) struct Records<'a> {
    slots: &'a mut [u64],
    pub(super) span: Span,
}

/// Which part of the ring is in use.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Span {
    /// Slots in use, from the first on; more are taken when they are all full.
    in_use: usize,
    /// Position of the oldest record, and how many there are.
    first: usize,
    count: usize,
    /// Slots before the first that are not free: of messages that are set aside, and the gap behind those.
    pub(super) behind: usize,
}

#[cfg(test)]
impl Span {
    /// Of an empty ring of `in_use` slots whose next record goes to this position.
    pub(super) fn beginning_at(first: usize, in_use: usize) -> Self {
        Span {
            in_use,
            first,
            ..Span::default()
        }
    }
}

impl<'a> Records<'a> {
    pub(super) fn new(slots: &'a mut [u64], span: Span) -> Self {
        Records { slots, span }
    }

    pub(super) fn len(&self) -> usize {
        self.span.count
    }

    pub(super) fn is_full(&self) -> bool {
        self.span.behind + self.span.count >= self.span.in_use
    }

    /// Takes more slots into use, if there are any.
    pub(super) fn grow(&mut self) -> bool {
        let Span {
            in_use,
            count,
            behind,
            ..
        } = self.span;
        let grown = grown(in_use, FIRST_RECORDS, self.slots.len());
        let first = spread(
            self.slots,
            self.before(behind),
            behind + count,
            in_use,
            grown,
        );
        self.span.in_use = grown;
        self.span.first = self.after(first, behind);
        grown > in_use
    }

    pub(super) fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// The record `index` places after the oldest.
    pub(super) fn get(&self, index: usize) -> Record {
        self.at(self.position(index))
    }

    pub(super) fn set(&mut self, index: usize, record: Record) {
        self.put(self.position(index), record);
    }

    /// The record `index` places after the first of those that are set aside.
    pub(super) fn get_behind(&self, index: usize) -> Record {
        self.at(self.after(self.before(self.span.behind), index))
    }

    pub(super) fn set_behind(&mut self, index: usize, record: Record) {
        self.put(self.after(self.before(self.span.behind), index), record);
    }

    /// Moves the first `count` records behind towards the oldest, over a gap of so many slots, which are free then.
    pub(super) fn close_gap(&mut self, count: usize, gap: usize) {
        let first = self.before(self.span.behind);
        shift(self.slots, self.span.in_use, first, count, gap);
        self.span.behind -= gap;
    }

    /// Makes the oldest records, `count` of them, ones behind.
    pub(super) fn put_behind(&mut self, count: usize) {
        self.span.first = self.position(count);
        self.span.count -= count;
        self.span.behind += count;
    }

    /// Makes all records behind the oldest again.
    pub(super) fn take_back(&mut self) {
        self.span.first = self.before(self.span.behind);
        self.span.count += self.span.behind;
        self.span.behind = 0;
    }

    fn at(&self, position: usize) -> Record {
        Record::unpack(self.slots.get(position).copied().unwrap_or_default())
    }

    fn put(&mut self, position: usize, record: Record) {
        if let Some(slot) = self.slots.get_mut(position) {
            *slot = record.pack();
        }
    }

    /// Adds the newest; there must be room.
    pub(super) fn push(&mut self, record: Record) {
        self.set(self.span.count, record);
        self.span.count += 1;
    }

    pub(super) fn remove_oldest(&mut self) {
        self.remove_first(1);
    }

    fn remove_first(&mut self, count: usize) {
        self.span.count = self.span.count.saturating_sub(count);
        self.span.first = if self.span.count == 0 && self.span.behind == 0 {
            0
        } else {
            self.position(count)
        };
        if self.span.behind > 0 {
            self.span.behind += count;
        }
    }

    /// Takes `count` out of the middle, from `index` on: those before them move up.
    pub(super) fn remove(&mut self, index: usize, count: usize) {
        let Span { in_use, first, .. } = self.span;
        shift(self.slots, in_use, first, index, count);
        self.remove_first(count);
    }

    fn position(&self, index: usize) -> usize {
        self.after(self.span.first, index)
    }

    fn after(&self, position: usize, count: usize) -> usize {
        let position = position + count;
        position.checked_sub(self.span.in_use).unwrap_or(position)
    }

    /// The position `count` slots before the oldest record's.
    fn before(&self, count: usize) -> usize {
        let first = self.span.first;
        first
            .checked_sub(count)
            .unwrap_or((first + self.span.in_use).saturating_sub(count))
    }
}

impl Record {
    fn pack(self) -> u64 {
        u64::from(self.signal) << 32
            | u64::from(self.len) << 16
            | u64::from(self.tick) << 8
            | u64::from(self.is_aside) << 7
            | self.stage as u64
    }

    fn unpack(packed: u64) -> Self {
        let stage = match packed & 0x7f {
            0 => Stage::Queued,
            1 => Stage::Published,
            2 => Stage::Released,
            _ => Stage::Complete,
        };
        Record {
            signal: (packed >> 32) as u32,
            len: (packed >> 16) as u16,
            stage,
            is_aside: packed & 0x80 != 0,
            tick: (packed >> 8) as u8,
        }
    }
}
