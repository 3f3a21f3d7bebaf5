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
}

#[cfg(test)]
impl Span {
    /// Of an empty ring of `in_use` slots whose next record goes to this position.
    pub(super) fn beginning_at(first: usize, in_use: usize) -> Self {
        Span {
            in_use,
            first,
            count: 0,
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
        self.span.count >= self.span.in_use
    }

    /// Takes more slots into use, if there are any.
    pub(super) fn grow(&mut self) -> bool {
        let Span {
            in_use,
            first,
            count,
        } = self.span;
        let grown = grown(in_use, FIRST_RECORDS, self.slots.len());
        self.span.in_use = grown;
        self.span.first = spread(self.slots, first, count, in_use, grown);
        grown > in_use
    }

    pub(super) fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// The record `index` places after the oldest.
    pub(super) fn get(&self, index: usize) -> Record {
        Record::unpack(
            self.slots
                .get(self.position(index))
                .copied()
                .unwrap_or_default(),
        )
    }

    pub(super) fn set(&mut self, index: usize, record: Record) {
        let position = self.position(index);
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
        self.span.first = if self.span.count == 0 {
            0
        } else {
            self.position(count)
        };
    }

    /// Takes `count` out of the middle, from `index` on: those before them move up.
    pub(super) fn remove(&mut self, index: usize, count: usize) {
        let Span { in_use, first, .. } = self.span;
        shift(self.slots, in_use, first, index, count);
        self.remove_first(count);
    }

    fn position(&self, index: usize) -> usize {
        let position = self.span.first + index;
        position.checked_sub(self.span.in_use).unwrap_or(position)
    }
}

impl Record {
    fn pack(self) -> u64 {
        u64::from(self.signal) << 32 | u64::from(self.len) << 16 | self.stage as u64
    }

    fn unpack(packed: u64) -> Self {
        let stage = match packed & 0xff {
            0 => Stage::Queued,
            1 => Stage::Published,
            2 => Stage::Released,
            _ => Stage::Complete,
        };
        Record {
            signal: (packed >> 32) as u32,
            len: (packed >> 16) as u16,
            stage,
        }
    }
}
