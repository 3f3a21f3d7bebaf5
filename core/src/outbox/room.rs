//! What goes when there is no room? The oldest samples of which no byte has been sent.

use super::Outbox;
use super::record::Head;
use crate::sample::{MAX_TEXT, Sample};

/// A sample more is dropped at a time for so many messages that are in flight, and that have to be moved for it.
const FLIGHT_PER_DROP: usize = 16;

/// What one step of [`Outbox::make_room`] came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// There is room.
    Enough,
    /// A sample of this signal was dropped.
    Dropped(u32),
    /// The storage holds in-flight messages only, or is too small for this sample at all: it is refused.
    None,
}

/// Samples behind those in flight that are dropped, as far as their signals have been told.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Dropping {
    pub(super) count: usize,
    bytes: usize,
    /// How many are still to go.
    left: usize,
}

impl Outbox<'_> {
    /// Makes room for `sample`, one step at a time: to be called again, with nothing in between, until it no longer says that a sample was
    /// [dropped](Room::Dropped). What was handed out and has not been sent is to be taken back before, see [`Outbox::take_back_unsent`].
    ///
    /// A drop moves what is in flight. Where that is much it makes room for samples to come, one for each 16 in flight while there are so
    /// many unsent ones: so each of them pays for 16 that are moved.
    #[cold]
    #[must_use]
    pub fn make_room(&mut self, sample: &Sample<'_>) -> Room {
        if self.at.dropping.count > 0 {
            if self.at.dropping.left > 0 {
                return Room::Dropped(self.drop_oldest_unsent());
            }
            self.end_dropping();
        }
        let mut joined = [0; MAX_TEXT];
        let mut head = Head::new(0, false, sample.quality, sample.text(&mut joined));
        if self.is_stamping() {
            head = head.stamped();
        }
        let len = head.record_len();
        if self.at.flight_bytes + len > self.ring.capacity() {
            return Room::None;
        }
        while self.is_too_full_for(len) && (self.take_more_storage() || self.close_long_gap()) {}
        if !self.is_too_full_for(len) {
            return Room::Enough;
        }
        if let Some(signal) = self.drop_aside() {
            return Room::Dropped(signal);
        }
        let in_flight = self.in_flight();
        let unsent = self.at.count - in_flight;
        self.at.dropping.left = unsent.min(1 + in_flight / FLIGHT_PER_DROP);
        if unsent == 0 {
            return Room::None;
        }
        Room::Dropped(self.drop_oldest_unsent())
    }

    pub(super) fn is_too_full_for(&self, len: usize) -> bool {
        self.at.aside.bytes_with_gap() + self.at.used + len > self.ring.len()
    }

    /// Makes the ring longer that is too short for one more sample; `false` if it is at its full length.
    #[cold]
    pub(super) fn take_more_storage(&mut self) -> bool {
        let len = self.ring.len();
        let behind = self.at.aside.bytes_with_gap();
        let start = self.ring.grow(self.behind(), behind + self.at.used);
        self.at.start = self.ring.wrap(start + behind);
        self.ring.len() > len
    }

    /// Drops the oldest samples of which no byte has been sent, as long as they `are_over`, which is given each one's signal and stamp; how
    /// many. Nothing that is handed out may be unsent, see [`Outbox::take_back_unsent`].
    #[cold]
    pub fn drop_unsent_while(
        &mut self,
        mut are_over: impl FnMut(u32, Option<u32>) -> bool,
    ) -> usize {
        let unsent = self.at.count - self.in_flight();
        while self.at.dropping.count < unsent {
            let at = self.at.start + self.at.flight_bytes + self.at.dropping.bytes;
            let at = self.ring.wrap(at);
            let head = Head::read(&self.ring, at);
            if !are_over(head.signal(), head.stamp(&self.ring, at)) {
                break;
            }
            self.at.dropping.left = 1;
            self.drop_oldest_unsent();
        }
        let dropped = self.at.dropping.count;
        self.end_dropping();
        dropped
    }

    /// Drops the oldest sample of which no byte has been sent; its signal.
    fn drop_oldest_unsent(&mut self) -> u32 {
        let offset = self.at.flight_bytes + self.at.dropping.bytes;
        let head = Head::read(&self.ring, self.at.start + offset);
        self.at.dropping.count += 1;
        self.at.dropping.bytes += head.record_len();
        self.at.dropping.left -= 1;
        head.signal()
    }

    /// Frees the room of what was dropped: what is in flight lies before it, and moves up.
    fn end_dropping(&mut self) {
        let dropping = core::mem::take(&mut self.at.dropping);
        self.ring
            .shift(self.at.start, self.at.flight_bytes, dropping.bytes);
        self.at.count -= dropping.count;
        self.free_bytes(dropping.bytes);
    }
}
