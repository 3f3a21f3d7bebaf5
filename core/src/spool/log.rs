//! The log of one device: what is put in, what is asked of it, and where it stands.

use super::block::{BLOCK, Head, SegmentHead};
use super::opening::Opening;
use super::reading::Reading;
use super::staging::{self, Numbered, Staging};
use super::walk::{Position, Window};
use super::{Fault, NAMES};
use crate::time::Instant;

/// Memory for one log, all of it the caller's.
pub struct Buffers<'a> {
    /// Blocks that wait to be written: at least two, of which 16 are used.
    pub blocks: &'a mut [[u8; BLOCK]],
    /// What was read from storage.
    pub window: &'a mut [u8; BLOCK],
    /// Whose names stand in the block that is being filled, and in the one that is being read.
    pub places: &'a mut [u32; NAMES],
    pub names: &'a mut [u32; NAMES],
}

/// What a log has to tell, see [`Log::poll_event`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The storage is used from now on; so many samples were on it that are not known to be done with. `is_torn`: the last block was not whole.
    /// `is_again`: that it was [not](Event::Closed) is over, for writing too.
    Opened {
        waiting: u64,
        is_torn: bool,
        is_again: bool,
    },
    /// It is not used from now on.
    Closed(Fault),
    /// So many samples were on storage that is damaged.
    Lost(u64),
    /// So many samples were on the oldest segment, whose room was needed.
    Dropped(u64),
}

/// The log of one device; see the module's page.
pub struct Log<'a> {
    pub(super) staging: Staging<'a>,
    pub(super) window: Window<'a>,
    pub(super) names: &'a mut [u32; NAMES],
    pub(super) at: Standing,
}

/// Where a log stands: with the same memory and storage it makes the same log again, see [`Log::resume`].
pub struct Suspended {
    staging: staging::State,
    at: Standing,
}

/// What a log has to remember beside its memory.
pub(super) struct Standing {
    pub(super) reading: Reading,
    pub(super) state: State,
    /// What a stored number is more than ours, around the end: ours begin at [`FIRST`] in each process.
    pub(super) base: u64,
    /// All samples below are done with.
    pub(super) done: u64,
    /// Number of the next sample to be read.
    pub(super) next: u64,
    /// Where reading passes over samples that wait elsewhere, or are delivered already: from here, and up to here, in their order.
    pub(super) skipped: heapless::Vec<(u64, u64), SKIPPED>,
    /// All samples below were written, or were done with before, and all below have survived a power cut from now on.
    pub(super) written: u64,
    pub(super) synced: u64,
    /// What storage says of `done`.
    pub(super) done_on_storage: u64,
    /// Samples on storage, from here up to here, that were found after later ones had been accepted: they are read once those are delivered.
    pub(super) late: Option<(u64, u64)>,
    /// What nobody has read of storage that was closed.
    pub(super) left: Option<Left>,
    /// Parts of either that are skipped, in the numbers that are stored.
    pub(super) left_skipped: heapless::Vec<(u64, u64), SKIPPED>,
    pub(super) oldest: Option<u32>,
    pub(super) newest: Option<u32>,
    /// Where more can be written in the newest segment.
    pub(super) free_from: u32,
    /// All before this segment can be freed once the samples below this number are done with.
    pub(super) passed: Option<(u32, u64)>,
    /// All samples below this number are to be written.
    pub(super) flush_to: u64,
    pub(super) is_flushing: bool,
    /// Something was done that may not survive a power cut.
    pub(super) is_dirty: bool,
    /// Blocks that were found damaged where one was read.
    pub(super) damaged_blocks: u32,
    /// Why it is closed, which was told.
    pub(super) told: Option<Fault>,
    /// The same, until something could be written again, and synced: storage that opens and fails time and again is told of once.
    pub(super) warned: Option<Fault>,
    /// The storage has been asked for something, and has not answered.
    pub(super) is_waiting: bool,
    pub(super) events: heapless::Deque<Event, 4>,
}

/// Samples on storage that was closed, in the numbers that are stored.
#[derive(Debug, Clone, Copy)]
pub(super) struct Left {
    pub(super) from: u64,
    /// Number behind the last sample there: by this the storage is known again.
    pub(super) to: u64,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum State {
    Closed { until: Instant },
    Opening(Opening),
    Open(Doing),
}

/// The operation under way.
#[derive(Debug, Clone, Copy)]
pub(super) enum Doing {
    Nothing,
    Begin(SegmentHead),
    Block(Head),
    /// A block without samples, that says what is done with.
    Done(Head),
    Sync,
    /// Which segment comes after the oldest, before that is freed: since its samples are done with, or for want of room.
    AfterOldest {
        for_room: bool,
    },
    /// Where does that one begin?
    HeadOf(u32),
    Erase {
        next: u32,
        first: Option<u64>,
    },
    Read,
}

/// Parts that are skipped, at most.
const SKIPPED: usize = 8;

/// The first sample's number in each process. Those of earlier ones are below.
pub(super) const FIRST: u64 = 1 << 62;

impl<'a> Log<'a> {
    /// A log that looks at its storage at the first poll.
    // What is so large is made in one place only.
    #[inline(never)]
    #[must_use]
    pub fn new(buffers: Buffers<'a>) -> Self {
        let at = Standing {
            reading: Reading::NOTHING,
            state: State::Opening(Opening::default()),
            base: 0,
            done: FIRST,
            next: FIRST,
            skipped: heapless::Vec::new(),
            written: FIRST,
            synced: FIRST,
            done_on_storage: FIRST,
            late: None,
            left: None,
            left_skipped: heapless::Vec::new(),
            oldest: None,
            newest: None,
            free_from: 0,
            passed: None,
            flush_to: FIRST,
            is_flushing: false,
            is_dirty: false,
            damaged_blocks: 0,
            told: None,
            warned: None,
            is_waiting: false,
            events: heapless::Deque::new(),
        };
        let staging = staging::State::empty(FIRST);
        Self::resume(buffers, Suspended { staging, at })
    }

    /// The log that [`Log::suspend`] ended, with the same memory, over the same storage. Signals may have other numbers now.
    #[must_use]
    pub fn resume(buffers: Buffers<'a>, suspended: Suspended) -> Self {
        Log {
            staging: Staging::resume(buffers.blocks, buffers.places, suspended.staging),
            window: Window::new(buffers.window),
            names: buffers.names,
            at: suspended.at,
        }
    }

    /// Ends the log here, and keeps what is needed to go on.
    #[must_use]
    pub fn suspend(mut self) -> Suspended {
        // Its names stood for numbers that may change.
        self.at.reading.forget();
        Suspended {
            staging: self.staging.suspend(),
            at: self.at,
        }
    }

    /// Whether it is not known yet what is on storage.
    #[must_use]
    pub fn is_opening(&self) -> bool {
        matches!(self.at.state, State::Opening(_))
            && self.at.told.is_none()
            && self.at.next == FIRST
    }

    /// Whether the storage is used.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.at.state, State::Open(_))
    }

    /// Number that the next sample has, which is put [in](Log::push).
    #[must_use]
    pub fn end(&self) -> u64 {
        self.staging.end()
    }

    /// Number of the sample that is read next.
    #[must_use]
    pub fn next_number(&self) -> u64 {
        self.at.next
    }

    /// All samples below this number that are not done with will survive a power cut.
    #[must_use]
    pub fn synced(&self) -> u64 {
        self.at.synced
    }

    /// Puts a sample into the log, behind all others; numbers may be left out. It waits in memory. `false` if there is no room until more is
    /// written.
    #[must_use]
    pub fn push(&mut self, sample: &Numbered<'_>) -> bool {
        self.staging.push(sample)
    }

    /// The samples below this number wait elsewhere, whether or not they are put in too.
    pub fn pass(&mut self, number: u64) {
        if number > self.at.next {
            self.at.next = number;
            self.at.reading.forget();
        }
    }

    /// All that was put in is to be written, and what is done with to be noted.
    pub fn flush(&mut self) {
        if self.is_open() {
            self.staging.seal();
            self.at.flush_to = self.end();
            self.at.is_flushing = true;
        }
    }

    /// Whether what was to be [written](Log::flush) is not yet.
    #[must_use]
    pub fn is_flushing(&self) -> bool {
        self.at.is_flushing
    }

    /// All samples below this number are done with.
    pub fn done(&mut self, number: u64) {
        self.at.done = self.at.done.max(number.min(self.at.next));
        self.forget_done();
    }

    /// What is done with takes no memory any more, but for the block that is being written: the storage is given the same bytes until it answers.
    pub(super) fn forget_done(&mut self) {
        if !matches!(self.at.state, State::Open(Doing::Block(_))) {
            self.staging.forget_below(self.at.done);
        }
    }

    /// Number below which all samples are done with.
    #[must_use]
    pub fn done_number(&self) -> u64 {
        self.at.done
    }

    /// Samples on storage that are older than some that were delivered, and are read only once [`Log::turn_to_late`] is called.
    #[must_use]
    pub fn has_late(&self) -> bool {
        self.at.late.is_some()
    }

    /// All that was accepted since is delivered: what was found late is read from now on, the samples below this number; `None` if there are
    /// none, or another place is being read yet.
    pub fn turn_to_late(&mut self) -> Option<u64> {
        if matches!(self.at.state, State::Open(Doing::Read)) {
            return None;
        }
        let (from, to) = self.at.late.take()?;
        self.staging.skip_to(self.at.next);
        let base = self.at.base;
        let ours = |stored: u64| stored.wrapping_sub(base);
        let left_skipped = core::mem::take(&mut self.at.left_skipped);
        self.at.skipped.clear();
        for (from, to) in left_skipped.iter().take(SKIPPED - 1) {
            let _ = self.at.skipped.push((ours(*from), ours(*to)));
        }
        let _ = self.at.skipped.push((to, self.end()));
        self.at.next = from;
        self.at.done = from;
        self.at.passed = None;
        let segment = self.at.oldest.unwrap_or_default();
        self.at.reading.go_to(Position { segment, at: 0 });
        // The first may be skipped.
        self.advance(from);
        Some(to)
    }

    /// The samples from this number on that were put in wait elsewhere too: reading passes over them. `false` if there are too many such parts.
    pub fn skip_from(&mut self, from: u64) -> bool {
        let end = self.end();
        match self.at.skipped.last_mut() {
            Some((_, to)) if *to == from => *to = end,
            _ if self.at.next == from => {
                self.pass(end);
            }
            _ => return self.at.skipped.push((from, end)).is_ok(),
        }
        true
    }

    /// Whether the next samples that are put in can be [skipped](Log::skip_from).
    #[must_use]
    pub fn can_skip(&self) -> bool {
        let is_behind_skipped = |(_, to): &(u64, u64)| *to == self.end();
        !self.at.skipped.is_full() || self.at.skipped.last().is_some_and(is_behind_skipped)
    }

    /// Samples that wait here, and are read one after the other.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        let skipped = self.at.skipped.iter().map(|(from, to)| to - from);
        let to_be_read = self.end().saturating_sub(self.at.next);
        to_be_read.saturating_sub(skipped.sum())
    }

    /// Samples on storage that is not used now, or that are read later.
    #[must_use]
    pub fn unread(&self) -> u64 {
        let late = self.at.late.map_or(0, |(from, to)| to - from);
        let all = late + self.at.left.map_or(0, |left| left.to - left.from);
        let skipped = self.at.left_skipped.iter().map(|(from, to)| to - from);
        all.saturating_sub(skipped.sum())
    }

    /// Whether storage does not know of all samples that are done with; or could not be written to, and shows only by that whether it can again.
    #[must_use]
    pub fn has_news(&self) -> bool {
        let is_untried = self.is_open() && self.at.warned.is_some() && !self.at.is_dirty;
        self.storable_done() > self.at.done_on_storage && self.at.newest.is_some() || is_untried
    }

    /// Whether nothing more fits in before a block is written.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.staging.is_crowded()
    }

    /// Why the storage is not used; `None` if it is, or is being looked at for the first time.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        self.at.told
    }

    /// Blocks that were damaged, of those that were to be read so far.
    #[must_use]
    pub fn damaged_blocks(&self) -> u32 {
        self.at.damaged_blocks
    }

    /// The next thing that the log has to tell.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.at.events.pop_front()
    }

    pub(super) fn tell(&mut self, event: Event) {
        if let (Event::Lost(more), Some(Event::Lost(count))) = (event, self.at.events.back_mut()) {
            *count += more;
            return;
        }
        // The owner drains it after each call.
        let _ = self.at.events.push_back(event);
    }

    /// Whether the storage was asked for something, and has not answered yet.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.at.is_waiting
    }

    /// The storage does not answer: it is not used until it does.
    pub fn give_up(&mut self, now: Instant) {
        self.close(now, Fault::Hanging);
    }
}
