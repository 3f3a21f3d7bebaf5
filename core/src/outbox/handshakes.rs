//! How far has each message in flight come? Two bytes for each, oldest first, in a ring of their own: an acknowledgement finds its message
//! by its identifier without a walk along the samples.

use crate::delivery::Stage;

/// The state of one message in flight.
#[derive(Debug, Clone, Copy)]
pub(super) struct Handshake {
    pub(super) stage: Stage,
    /// When its last packet was sent, or PUBREC came: in units of the caller's, modulo 256.
    pub(super) tick: u8,
}

/// Beside a stage: the receiver had no quota for the message.
const POSTPONED: u8 = 0x80;

/// The ring.
pub(super) struct Handshakes<'a> {
    slots: &'a mut [[u8; 2]],
    pub(super) span: Span,
}

/// Which part of the ring is in use.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Span {
    /// Slot of the oldest, and how many there are.
    first: usize,
    count: usize,
}

impl<'a> Handshakes<'a> {
    pub(super) fn new(slots: &'a mut [[u8; 2]], span: Span) -> Self {
        Handshakes { slots, span }
    }

    /// Messages that can be in flight.
    pub(super) fn capacity(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn len(&self) -> usize {
        self.span.count
    }

    /// The state of the message `index` places after the oldest; one that is not in flight is queued.
    #[inline]
    pub(super) fn get(&self, index: usize) -> Handshake {
        let slot = self.slots.get(self.slot(index)).copied();
        match slot.filter(|_| index < self.span.count) {
            Some([stage, tick]) => Handshake {
                stage: match stage & !POSTPONED {
                    0 => Stage::Queued,
                    1 => Stage::Published,
                    2 => Stage::Released,
                    _ => Stage::Complete,
                },
                tick,
            },
            None => Handshake {
                stage: Stage::Queued,
                tick: 0,
            },
        }
    }

    #[inline]
    pub(super) fn is_oldest_complete(&self) -> bool {
        let oldest = self.slots.get(self.span.first);
        self.span.count > 0 && oldest.is_some_and(|[stage, _]| *stage == Stage::Complete as u8)
    }

    #[inline]
    pub(super) fn set(&mut self, index: usize, Handshake { stage, tick }: Handshake) {
        let slot = self.slot(index);
        if let Some(slot) = self.slots.get_mut(slot) {
            *slot = [stage as u8, tick];
        }
    }

    /// The receiver has no quota for a message: it counts as [postponed](Handshakes::postponed) until it is sent again. Whether it did not
    /// before.
    pub(super) fn postpone(&mut self, index: usize) -> bool {
        let slot = self.slot(index);
        let slot = self.slots.get_mut(slot).filter(|_| index < self.span.count);
        let Some([stage, _]) = slot.filter(|[stage, _]| *stage & POSTPONED == 0) else {
            return false;
        };
        *stage |= POSTPONED;
        true
    }

    /// How many messages are.
    pub(super) fn postponed(&self) -> usize {
        let slots = (0..self.span.count).filter_map(|index| self.slots.get(self.slot(index)));
        slots.filter(|[stage, _]| stage & POSTPONED != 0).count()
    }

    /// One more message is in flight: its first byte was sent.
    #[inline]
    pub(super) fn push(&mut self) {
        let stage = Stage::Queued;
        self.set(self.span.count, Handshake { stage, tick: 0 });
        self.span.count += 1;
    }

    /// The newest is in flight no more.
    pub(super) fn pop_newest(&mut self) {
        self.span.count = self.span.count.saturating_sub(1);
    }

    #[inline]
    pub(super) fn pop_oldest(&mut self) {
        self.span.count = self.span.count.saturating_sub(1);
        self.span.first = if self.span.count == 0 {
            0
        } else {
            self.slot(1)
        };
    }

    /// Moves the oldest to the first slot, so that the storage may be made longer, or shorter, behind the newest.
    pub(super) fn align(&mut self) {
        let Span { first, count } = self.span;
        if first <= self.slots.len() {
            self.slots.rotate_left(first);
        }
        self.span = Span { first: 0, count };
    }

    #[inline]
    pub(super) fn clear(&mut self) {
        self.span = Span::default();
    }

    #[inline]
    fn slot(&self, index: usize) -> usize {
        let slot = self.span.first + index;
        slot.checked_sub(self.slots.len()).unwrap_or(slot)
    }
}
