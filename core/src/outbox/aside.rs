//! Samples whose topic is set aside, since the broker closes the connection for it: they wait, and let all others pass.
//!
//! They lie before the oldest sample, in the same ring. What is freed after them leaves a gap, which is closed when its room is needed:
//!
//! ```text
//!   | set aside |  gap  | in flight | not sent yet |   free   |
//!                       ^ oldest
//! ```

use super::record::Head;
use super::{Outbox, Stage};

/// The gap is closed once the samples before it have at most so many times its length: closing it moves them.
const MOVED_PER_GAP: usize = 16;

/// The samples that are set aside, and the gap behind them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Aside {
    pub(super) count: usize,
    pub(super) bytes: usize,
    pub(super) gap: usize,
}

impl Aside {
    pub(super) fn bytes_with_gap(&self) -> usize {
        self.bytes + self.gap
    }
}

impl Outbox<'_> {
    /// Sets the samples here aside whose signal `has_the_topic` in question: they wait from now on. How many of those that were put before all
    /// others had been sent. Between connections only.
    pub fn set_aside(&mut self, mut has_the_topic: impl FnMut(u32) -> bool) -> usize {
        self.rewind();
        self.at.any_aside = true;
        let mut position = self.at.start;
        for index in 0..self.at.count {
            let head = Head::read(&self.ring, position);
            if self.handshakes.get(index).stage <= Stage::Published && has_the_topic(head.signal())
            {
                head.with_aside(true).store(&mut self.ring, position);
            }
            position = self.ring.wrap(position + head.record_len());
        }
        self.pass_aside()
    }

    /// Puts the samples at the old end whose topic is set aside before all others; how many of them had been sent.
    ///
    /// A sample between others waits until those before it are acknowledged: nothing has to be moved then.
    #[inline]
    pub fn pass_aside(&mut self) -> usize {
        if self.at.any_aside {
            self.pass_those_aside()
        } else {
            0
        }
    }

    #[cold]
    fn pass_those_aside(&mut self) -> usize {
        let mut sent = 0;
        while self.at.handed_out.record == 0 && !self.is_empty() {
            let head = Head::read(&self.ring, self.at.start);
            if !head.is_aside() {
                break;
            }
            if self.in_flight() > 0 {
                sent += 1;
                self.handshakes.pop_oldest();
                self.at.flight_bytes -= head.record_len();
            }
            self.put_behind(head.record_len());
        }
        sent
    }

    /// Makes the samples that were set aside the oldest again. Nothing may be in flight.
    pub fn take_back(&mut self) {
        if self.in_flight() > 0 {
            return;
        }
        self.rewind();
        self.close_gap();
        self.at.start = self.behind();
        self.at.used += self.at.aside.bytes;
        self.at.count += self.at.aside.count;
        self.at.aside = Aside::default();
        self.at.any_aside = false;
        let mut position = self.at.start;
        for _ in 0..self.at.count {
            let head = Head::read(&self.ring, position);
            head.with_aside(false).store(&mut self.ring, position);
            position = self.ring.wrap(position + head.record_len());
        }
    }

    /// Samples that are set aside.
    #[must_use]
    pub fn count_aside(&self) -> usize {
        self.at.aside.count
    }

    /// Closes the gap, if that is worth its price.
    pub(super) fn close_long_gap(&mut self) -> bool {
        let aside = self.at.aside;
        let is_long = aside.gap > 0 && aside.gap * MOVED_PER_GAP >= aside.bytes;
        if is_long {
            self.close_gap();
        }
        is_long
    }

    /// Drops the oldest sample that is set aside; its signal.
    pub(super) fn drop_aside(&mut self) -> Option<u32> {
        self.at.aside.count.checked_sub(1)?;
        let head = Head::read(&self.ring, self.behind());
        self.at.aside.count -= 1;
        self.at.aside.bytes -= head.record_len();
        if self.at.aside.count == 0 {
            // The gap is free now.
            self.at.aside = Aside::default();
        }
        Some(head.signal())
    }

    /// Where the first sample that is set aside lies.
    pub(super) fn behind(&self) -> usize {
        let len = self.at.aside.bytes_with_gap();
        let start = self.at.start;
        start
            .checked_sub(len)
            .unwrap_or((start + self.ring.len()).saturating_sub(len))
    }

    /// The oldest sample, whose record is `len` bytes long, becomes the last of those that are set aside.
    fn put_behind(&mut self, len: usize) {
        self.close_gap();
        self.at.aside.count += 1;
        self.at.aside.bytes += len;
        self.at.start = self.ring.wrap(self.at.start + len);
        self.at.used -= len;
        self.at.count -= 1;
        self.at.oldest_id = super::flight::following_id(self.at.oldest_id, 1);
    }

    pub(super) fn close_gap(&mut self) {
        let gap = core::mem::take(&mut self.at.aside.gap);
        let bytes = self.at.aside.bytes;
        let behind = self
            .ring
            .wrap(self.at.start + self.ring.len() - (gap + bytes));
        self.ring.shift(behind, bytes, gap);
    }
}
