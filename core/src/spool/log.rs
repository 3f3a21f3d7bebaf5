//! Which operation on storage comes next? One at a time: what is to be written goes first, then what is done with is freed, then is read.

use embedded_nal::nb;

use super::block::{BLOCK, HEAD, Head, SegmentHead};
use super::opening::{OnStorage, Opening};
use super::reading::Reading;
use super::staging::{Numbered, Staging};
use super::walk::{Position, Window};
use super::{Fault, NAMES, Storage};
use crate::time::Instant;

/// Memory for one log, all of it the caller's.
pub struct Buffers<'a> {
    /// Blocks that wait to be written: at least two, of which 32 are used.
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
    Opened { waiting: u64, is_torn: bool },
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
    pub(super) reading: Reading,
    state: State,
    /// What a stored number is more than ours, around the end: ours begin at [`FIRST`] in each process.
    base: u64,
    /// All samples below are done with.
    done: u64,
    /// Number of the next sample to be read.
    pub(super) next: u64,
    /// Where reading passes over samples that were delivered already: from here, and up to here.
    pub(super) skipped: Option<(u64, u64)>,
    /// All samples below were written, or were done with before, and all below have survived a power cut from now on.
    pub(super) written: u64,
    synced: u64,
    /// What storage says of `done`.
    done_on_storage: u64,
    /// Samples on storage, from here up to here, that were found after later ones had been accepted: they are read once those are delivered.
    late: Option<(u64, u64)>,
    /// What nobody has read of storage that was closed.
    left: Option<Left>,
    oldest: Option<u32>,
    newest: Option<u32>,
    /// Where more can be written in the newest segment.
    free_from: u32,
    /// All before this segment can be freed once the samples below this number are done with.
    passed: Option<(u32, u64)>,
    /// All samples below this number are to be written.
    flush_to: u64,
    is_flushing: bool,
    /// Something was done that may not survive a power cut.
    is_dirty: bool,
    /// Why it is closed, which was told.
    told: Option<Fault>,
    events: heapless::Deque<Event, 4>,
}

/// Samples on storage that was closed, in the numbers that are stored.
#[derive(Debug, Clone, Copy)]
struct Left {
    from: u64,
    to: u64,
    /// Number behind the last sample there: by this the storage is known again.
    end: u64,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Closed { until: Instant },
    Opening(Opening),
    Open(Doing),
}

/// The operation under way.
#[derive(Debug, Clone, Copy)]
enum Doing {
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

/// The first sample's number in each process. Those of earlier ones are below.
const FIRST: u64 = 1 << 62;

/// Storage that cannot be used is looked at again after so many milliseconds.
const TRY_AGAIN_AFTER: u64 = 5000;

impl<'a> Log<'a> {
    /// A log that looks at its storage at the first poll.
    #[must_use]
    pub fn new(buffers: Buffers<'a>) -> Self {
        Log {
            staging: Staging::new(buffers.blocks, buffers.places, FIRST),
            window: Window::new(buffers.window),
            names: buffers.names,
            reading: Reading::NOTHING,
            state: State::Opening(Opening::default()),
            base: 0,
            done: FIRST,
            next: FIRST,
            skipped: None,
            written: FIRST,
            synced: FIRST,
            done_on_storage: FIRST,
            late: None,
            left: None,
            oldest: None,
            newest: None,
            free_from: 0,
            passed: None,
            flush_to: FIRST,
            is_flushing: false,
            is_dirty: false,
            told: None,
            events: heapless::Deque::new(),
        }
    }

    /// Whether it is not known yet what is on storage.
    #[must_use]
    pub fn is_opening(&self) -> bool {
        matches!(self.state, State::Opening(_)) && self.told.is_none() && self.next == FIRST
    }

    /// Whether the storage is used.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// Number that the next sample has, which is put [in](Log::push).
    #[must_use]
    pub fn end(&self) -> u64 {
        self.staging.end()
    }

    /// Number of the sample that is read next.
    #[must_use]
    pub fn next_number(&self) -> u64 {
        self.next
    }

    /// All samples below this number that are not done with will survive a power cut.
    #[must_use]
    pub fn synced(&self) -> u64 {
        self.synced
    }

    /// Puts a sample into the log, behind all others; numbers may be left out. It waits in memory. `false` if there is no room until more is
    /// written.
    #[must_use]
    pub fn push(&mut self, sample: &Numbered<'_>) -> bool {
        self.staging.push(sample)
    }

    /// The samples below this number wait elsewhere, whether or not they are put in too.
    pub fn pass(&mut self, number: u64) {
        if number > self.next {
            self.next = number;
            self.reading.forget();
        }
    }

    /// All that was put in is to be written, and what is done with to be noted.
    pub fn flush(&mut self) {
        if self.is_open() {
            self.staging.seal();
            self.flush_to = self.end();
            self.is_flushing = true;
        }
    }

    /// Whether what was to be [written](Log::flush) is not yet.
    #[must_use]
    pub fn is_flushing(&self) -> bool {
        self.is_flushing
    }

    /// All samples below this number are done with.
    pub fn done(&mut self, number: u64) {
        self.done = self.done.max(number.min(self.next));
        self.staging.forget_below(self.done);
    }

    /// Number below which all samples are done with.
    #[must_use]
    pub fn done_number(&self) -> u64 {
        self.done
    }

    /// Samples on storage that are older than some that were delivered, and are read only once [`Log::turn_to_late`] is called.
    #[must_use]
    pub fn has_late(&self) -> bool {
        self.late.is_some()
    }

    /// All that was accepted since is delivered: what was found late is read from now on.
    pub fn turn_to_late(&mut self) {
        let Some((from, to)) = self.late.take() else {
            return;
        };
        self.staging.skip_to(self.next);
        self.skipped = Some((to, self.end()));
        self.next = from;
        self.done = from;
        self.passed = None;
        let segment = self.oldest.unwrap_or_default();
        self.reading.go_to(Position { segment, at: 0 });
    }

    /// Samples on storage that is not used now, or that are read later.
    #[must_use]
    pub fn unread(&self) -> u64 {
        let late = self.late.map_or(0, |(from, to)| to - from);
        late + self.left.map_or(0, |left| left.to - left.from)
    }

    /// Whether storage does not know of all samples that are done with.
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.storable_done() > self.done_on_storage && self.newest.is_some()
    }

    /// Whether nothing more fits in before a block is written.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.staging.is_crowded()
    }

    /// Why the storage is not used; `None` if it is, or is being looked at for the first time.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        self.told
    }

    /// The next thing that the log has to tell.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub(super) fn tell(&mut self, event: Event) {
        if let (Event::Lost(more), Some(Event::Lost(count))) = (event, self.events.back_mut()) {
            *count += more;
            return;
        }
        // The owner drains it after each call.
        let _ = self.events.push_back(event);
    }

    /// Does what can be done now, and says when to come back, unless the storage has an answer before.
    pub fn poll(&mut self, now: Instant, storage: &mut dyn Storage) -> Instant {
        loop {
            match self.step(now, storage) {
                Ok(true) => {}
                Ok(false) | Err(nb::Error::WouldBlock) => break,
                Err(nb::Error::Other(fault)) => self.close(now, fault),
            }
        }
        match self.state {
            State::Closed { until } => until,
            State::Opening(_) | State::Open(_) => Instant::NEVER,
        }
    }

    /// One operation; whether there may be another.
    fn step(&mut self, now: Instant, storage: &mut dyn Storage) -> nb::Result<bool, Fault> {
        match &mut self.state {
            State::Closed { until } if now < *until => return Ok(false),
            State::Closed { .. } => self.state = State::Opening(Opening::default()),
            State::Opening(opening) => {
                let found = opening.poll(storage, &mut self.window)?;
                self.open(found);
            }
            State::Open(Doing::Nothing) => {
                let Some(doing) = self.choose(storage) else {
                    return Ok(false);
                };
                self.state = State::Open(doing);
            }
            &mut State::Open(doing) => {
                let next = self.carry_out(doing, storage)?;
                self.state = State::Open(next);
            }
        }
        Ok(true)
    }

    /// The storage is used from here on.
    fn open(&mut self, found: OnStorage) {
        self.staging.skip_over(self.done);
        let first = self.staging.start();
        let is_first = self.next == FIRST;
        self.base = found.end.wrapping_sub(first);
        let waiting = found.end.saturating_sub(found.done).min(first);
        let start = first - waiting;
        self.written = first;
        self.synced = first;
        self.done_on_storage = start;
        let known = self.left.take().filter(|left| left.end == found.end);
        let unread = match known {
            Some(left) => {
                let ours = |number: u64| number.wrapping_sub(self.base).max(start).min(first);
                (ours(left.from), ours(left.to))
            }
            None => (start, first),
        };
        self.late = None;
        if is_first {
            self.next = start;
            self.done = start;
        } else if unread.0 < unread.1 {
            self.late = Some(unread);
        }
        (self.oldest, self.newest) = (found.oldest, found.newest);
        self.free_from = found.free_from;
        self.passed = None;
        self.is_dirty = false;
        self.is_flushing = false;
        let segment = found.oldest.unwrap_or_default();
        self.reading.go_to(Position { segment, at: 0 });
        self.window.forget();
        self.told = None;
        self.state = State::Open(Doing::Nothing);
        self.tell(Event::Opened {
            waiting: unread.1 - unread.0,
            is_torn: found.is_torn,
        });
    }

    /// The storage is not used from here on.
    fn close(&mut self, now: Instant, fault: Fault) {
        if self.is_open() {
            let (from, to) = self.late.unwrap_or((self.next, self.written));
            if from < to {
                let stored = |number: u64| number.wrapping_add(self.base);
                self.left = Some(Left {
                    from: stored(from),
                    to: stored(to),
                    end: stored(self.written),
                });
            }
            self.late = None;
            self.skipped = None;
            self.next = self.next.max(self.written);
            self.reading.go_to(Position::default());
        }
        self.is_flushing = false;
        self.state = State::Closed {
            until: now + TRY_AGAIN_AFTER,
        };
        if self.told.replace(fault) != Some(fault) {
            self.tell(Event::Closed(fault));
        }
    }

    /// What is to be done next; `None`: nothing.
    fn choose(&mut self, storage: &mut dyn Storage) -> Option<Doing> {
        self.staging.forget_below(self.done);
        if let Some(head) = self.staging.oldest()
            && (head.first < self.flush_to || self.staging.is_crowded())
        {
            return Some(if self.has_room_for(head.block_len(), storage) {
                Doing::Block(self.stored(&head))
            } else if storage.has_room() {
                Doing::Begin(self.next_segment_head())
            } else {
                Doing::AfterOldest { for_room: true }
            });
        }
        if self.late.is_none() {
            if self.next >= self.written
                && let Some(end) = self.write_position()
            {
                self.reading.position = end;
            }
            if self.can_free_oldest() {
                return Some(Doing::AfterOldest { for_room: false });
            }
        }
        if self.is_flushing {
            if self.has_news() {
                if self.has_room_for(HEAD, storage) {
                    return Some(Doing::Done(self.stored(&Head {
                        first: self.written,
                        ..Head::default()
                    })));
                } else if storage.has_room() {
                    return Some(Doing::Begin(self.next_segment_head()));
                }
            }
            if self.is_dirty {
                return Some(Doing::Sync);
            }
            self.synced = self.written;
            self.is_flushing = false;
        }
        self.reading.is_wanted.then_some(Doing::Read)
    }

    /// Goes on with an operation; what comes after it.
    fn carry_out(&mut self, doing: Doing, storage: &mut dyn Storage) -> nb::Result<Doing, Fault> {
        match doing {
            Doing::Nothing => {}
            Doing::Begin(head) => {
                storage.append(head.serial, 0, &head.bytes())?;
                self.oldest.get_or_insert(head.serial);
                self.newest = Some(head.serial);
                self.wrote(HEAD, head.done);
                self.free_from = HEAD as u32;
            }
            Doing::Block(head) => {
                let Some(segment) = self.newest else {
                    return Ok(Doing::Nothing);
                };
                let bytes = self.staging.oldest_bytes(&head).unwrap_or_default();
                storage.append(segment, self.free_from, bytes)?;
                self.staging.drop_oldest();
                self.wrote(head.block_len(), head.done);
                self.written = head.end().wrapping_sub(self.base);
            }
            Doing::Done(head) => {
                let Some(segment) = self.newest else {
                    return Ok(Doing::Nothing);
                };
                let mut block = [0; HEAD];
                let _ = head.write(&mut block);
                storage.append(segment, self.free_from, &block)?;
                self.wrote(HEAD, head.done);
            }
            Doing::Sync => {
                storage.sync()?;
                self.is_dirty = false;
                self.synced = self.written;
            }
            Doing::AfterOldest { for_room } => {
                let next = storage.next_segment(self.oldest)?;
                return match next {
                    Some(next) if for_room => Ok(Doing::HeadOf(next)),
                    Some(next) => Ok(Doing::Erase { next, first: None }),
                    None if for_room => Err(nb::Error::Other(Fault::Full)),
                    None => Ok(Doing::Nothing),
                };
            }
            Doing::HeadOf(next) => {
                let mut head = [0; HEAD];
                let len = storage.read(next, 0, &mut head)?;
                let head = SegmentHead::read(head.get(..len).unwrap_or_default());
                let first = head.map(|head| head.first.wrapping_sub(self.base));
                let first = first.filter(|first| *first <= self.written);
                return Ok(Doing::Erase { next, first });
            }
            Doing::Erase { next, first } => {
                storage.erase(self.oldest.unwrap_or_default())?;
                self.erased(next, first);
            }
            Doing::Read => self.read_on(storage)?,
        }
        Ok(Doing::Nothing)
    }

    /// So many bytes were written, and they say what is done with, in the numbers that are stored.
    fn wrote(&mut self, len: usize, done: u64) {
        self.free_from = self.free_from.saturating_add(len as u32);
        self.done_on_storage = self.done_on_storage.max(done.wrapping_sub(self.base));
        self.is_dirty = true;
        self.window.forget();
    }

    /// The oldest segment is gone, and this is the oldest now. `first` is the number of its first sample, if that is known, and if others may
    /// have been lost.
    fn erased(&mut self, next: u32, first: Option<u64>) {
        self.oldest = Some(next);
        if self.reading.position.segment >= next {
            return;
        }
        self.reading.go_to(Position {
            segment: next,
            at: 0,
        });
        let Some(first) = first else {
            return;
        };
        let lost = match &mut self.late {
            Some((from, to)) => {
                let lost = first.min(*to).saturating_sub(*from);
                *from += lost;
                lost
            }
            None => self.advance(first),
        };
        self.late = self.late.filter(|(from, to)| from < to);
        if lost > 0 {
            self.tell(Event::Dropped(lost));
        }
    }

    /// Whether all samples of the oldest segment are done with.
    fn can_free_oldest(&mut self) -> bool {
        let (Some(oldest), here) = (self.oldest, self.reading.position.segment) else {
            return false;
        };
        let (limit, number) = match self.passed {
            Some((limit, number)) if oldest < limit => (limit, number),
            _ => (here, self.next.min(self.written)),
        };
        self.passed = Some((limit, number));
        oldest < limit && self.done >= number
    }

    fn has_room_for(&self, len: usize, storage: &dyn Storage) -> bool {
        let end = self.free_from as usize + len;
        self.newest.is_some() && end <= storage.segment_len() as usize
    }

    /// Where the next block goes.
    pub(super) fn write_position(&self) -> Option<Position> {
        self.newest.map(|segment| Position {
            segment,
            at: self.free_from,
        })
    }

    /// The head of a segment that begins now.
    fn next_segment_head(&self) -> SegmentHead {
        let stored = self.stored(&Head {
            first: self.written,
            ..Head::default()
        });
        SegmentHead {
            serial: self.newest.map_or(0, |newest| newest.wrapping_add(1)),
            first: stored.first,
            done: stored.done,
        }
    }

    /// Below which number all samples are done with, as far as storage may say so.
    fn storable_done(&self) -> u64 {
        match self.late {
            Some((from, _)) => from.min(self.done_on_storage),
            None => self.done.min(self.written),
        }
    }

    /// A head in the numbers that are stored.
    fn stored(&self, head: &Head) -> Head {
        let done = match self.late {
            Some(_) => self.storable_done(),
            None => self.done.min(head.end()),
        };
        Head {
            first: head.first.wrapping_add(self.base),
            done: done.wrapping_add(self.base),
            ..*head
        }
    }

    /// A stored head in our numbers; `None` if no such samples were written.
    pub(super) fn numbered(&self, stored: Head) -> Option<Head> {
        let head = Head {
            first: stored.first.wrapping_sub(self.base),
            done: stored.done.wrapping_sub(self.base),
            ..stored
        };
        (head.first <= self.written && head.end() <= self.written).then_some(head)
    }
}
