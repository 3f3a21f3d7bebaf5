//! Which operation on storage comes next? One at a time: what is to be written goes first, then what is done with is freed, then is read.

use embedded_nal::nb;

use super::block::{HEAD, Head, SegmentHead};
use super::log::{Doing, Event, FIRST, Left, Log, State};
use super::opening::{OnStorage, Opening};
use super::walk::Position;
use super::{Fault, Storage};
use crate::time::Instant;

/// Storage that cannot be used is looked at again after so many milliseconds.
const TRY_AGAIN_AFTER: u64 = 5000;

impl Log<'_> {
    /// Does what can be done now, and says when to come back, unless the storage has an answer before.
    pub fn poll(&mut self, now: Instant, storage: &mut dyn Storage) -> Instant {
        self.at.is_waiting = loop {
            match self.step(now, storage) {
                Ok(true) => {}
                Ok(false) => break false,
                Err(nb::Error::WouldBlock) => break true,
                Err(nb::Error::Other(fault)) => self.close(now, fault),
            }
        };
        match self.at.state {
            State::Closed { until } => until,
            State::Opening(_) | State::Open(_) => Instant::NEVER,
        }
    }

    /// One operation; whether there may be another.
    fn step(&mut self, now: Instant, storage: &mut dyn Storage) -> nb::Result<bool, Fault> {
        match &mut self.at.state {
            State::Closed { until } if now < *until => return Ok(false),
            State::Closed { .. } => self.at.state = State::Opening(Opening::default()),
            State::Opening(opening) => {
                let found = opening.poll(storage, &mut self.window)?;
                self.open(found);
            }
            State::Open(Doing::Nothing) => {
                let Some(doing) = self.choose(storage) else {
                    return Ok(false);
                };
                self.at.state = State::Open(doing);
            }
            &mut State::Open(doing) => {
                let next = self.carry_out(doing, storage)?;
                self.at.state = State::Open(next);
            }
        }
        Ok(true)
    }

    /// The storage is used from here on.
    fn open(&mut self, found: OnStorage) {
        self.staging.skip_over(self.at.done);
        let first = self.staging.start();
        let is_first = self.at.next == FIRST && self.at.told.is_none();
        self.at.base = found.end.wrapping_sub(first);
        let waiting = found.end.saturating_sub(found.done).min(first);
        let start = first - waiting;
        self.at.written = first;
        self.at.synced = first;
        self.at.done_on_storage = start;
        let known = self.at.left.take().filter(|left| left.to == found.end);
        let is_news = known.is_none();
        let unread = match known {
            Some(left) => {
                let ours = |number: u64| number.wrapping_sub(self.at.base).max(start).min(first);
                (ours(left.from), ours(left.to))
            }
            None => (start, first),
        };
        self.at.late = None;
        if is_news {
            self.at.left_skipped.clear();
        }
        if is_first {
            self.at.next = start;
            self.at.done = start;
        } else if unread.0 < unread.1 {
            self.at.late = Some(unread);
        }
        (self.at.oldest, self.at.newest) = (found.oldest, found.newest);
        self.at.free_from = found.free_from;
        self.at.passed = None;
        self.at.is_dirty = false;
        self.at.is_flushing = false;
        let segment = found.oldest.unwrap_or_default();
        self.at.reading.go_to(Position { segment, at: 0 });
        self.window.forget();
        let was_closed = self.at.told.take().is_some();
        self.at.state = State::Open(Doing::Nothing);
        // What keeps it from being written to shows only when something is to be written.
        let is_of_writing =
            |fault: &Fault| matches!(fault, Fault::Full | Fault::ReadOnly | Fault::Failing(_));
        self.at.warned = self.at.warned.filter(is_of_writing);
        let waiting = match is_first {
            true => unread.1 - unread.0,
            false => self.unread(),
        };
        if waiting > 0 && is_news || self.at.warned.is_none() {
            self.tell(Event::Opened {
                waiting,
                is_torn: found.is_torn,
                is_again: was_closed && self.at.warned.is_none(),
            });
        }
    }

    /// The storage is not used from here on.
    pub(super) fn close(&mut self, now: Instant, fault: Fault) {
        if self.is_open() {
            let written = self.at.written;
            let next = self.at.next.min(written);
            // What was to be read, or was late; and of what was written since then, what nobody has read.
            let late = self.at.late.take();
            if late.is_none() {
                self.at.left_skipped.clear();
            }
            let (from, read_since) = match late {
                Some((from, to)) => (from, to),
                None => (next, next),
            };
            let base = self.at.base;
            let stored = |number: u64| number.wrapping_add(base);
            let mut left = Left {
                from: stored(from),
                to: stored(written),
            };
            self.skip_left(&mut left, stored(read_since), stored(next));
            for (from, to) in core::mem::take(&mut self.at.skipped) {
                self.skip_left(&mut left, stored(from), stored(written.min(to)));
                // What is in memory is skipped as before.
                if to > written {
                    let _ = self.at.skipped.push((from.max(written), to));
                }
            }
            self.at.left = Some(left);
            self.advance(written);
            self.at.reading.go_to(Position::default());
            self.at.reading.is_wanted = false;
        }
        self.at.is_flushing = false;
        self.at.state = State::Closed {
            until: now + TRY_AGAIN_AFTER,
        };
        self.at.told = Some(fault);
        if self.at.warned.replace(fault) != Some(fault) {
            self.tell(Event::Closed(fault));
        }
    }

    /// A part of what is left on storage waits elsewhere, or is delivered. If there are too many parts, the samples before the first one are lost.
    fn skip_left(&mut self, left: &mut Left, from: u64, to: u64) {
        if from >= to {
            return;
        }
        if self.at.left_skipped.is_full() {
            let (from, to) = self.at.left_skipped.remove(0);
            let lost = from.saturating_sub(left.from);
            left.from = to;
            if lost > 0 {
                self.tell(Event::Lost(lost));
            }
        }
        let _ = self.at.left_skipped.push((from, to));
    }

    /// What is to be done next; `None`: nothing.
    fn choose(&mut self, storage: &mut dyn Storage) -> Option<Doing> {
        self.forget_done();
        if let Some(head) = self.staging.oldest()
            && (head.first < self.at.flush_to || self.staging.is_crowded())
        {
            return Some(if self.has_room_for(head.block_len(), storage) {
                Doing::Block(self.stored(&head))
            } else if storage.has_room() {
                Doing::Begin(self.next_segment_head())
            } else {
                Doing::AfterOldest { for_room: true }
            });
        }
        if self.at.late.is_none() {
            if self.at.next >= self.at.written
                && let Some(end) = self.write_position()
            {
                self.at.reading.position = end;
            }
            if self.can_free_oldest() {
                // Without that, what is freed would be taken for lost after a power cut.
                let note = self.note_done(storage);
                let sync = self.at.is_dirty.then_some(Doing::Sync);
                let free = Doing::AfterOldest { for_room: false };
                return Some(note.or(sync).unwrap_or(free));
            }
        }
        if self.at.is_flushing {
            if let Some(note) = self.note_done(storage) {
                return Some(note);
            }
            if self.at.is_dirty {
                return Some(Doing::Sync);
            }
            self.at.synced = self.at.written;
            self.at.is_flushing = false;
        }
        self.at.reading.is_wanted.then_some(Doing::Read)
    }

    /// How storage is told what is done with, if it does not know, and has room for that.
    fn note_done(&mut self, storage: &mut dyn Storage) -> Option<Doing> {
        if !self.has_news() {
            None
        } else if self.has_room_for(HEAD, storage) {
            Some(Doing::Done(self.stored(&Head {
                first: self.at.written,
                ..Head::default()
            })))
        } else if storage.has_room() {
            Some(Doing::Begin(self.next_segment_head()))
        } else {
            None
        }
    }

    /// Goes on with an operation; what comes after it.
    fn carry_out(&mut self, doing: Doing, storage: &mut dyn Storage) -> nb::Result<Doing, Fault> {
        match doing {
            Doing::Nothing => {}
            Doing::Begin(head) => {
                storage.append(head.serial, 0, &head.bytes())?;
                self.at.oldest.get_or_insert(head.serial);
                self.at.newest = Some(head.serial);
                self.wrote(HEAD, head.done);
                self.at.free_from = HEAD as u32;
            }
            Doing::Block(head) => {
                let Some(segment) = self.at.newest else {
                    return Ok(Doing::Nothing);
                };
                let bytes = self.staging.oldest_bytes(&head).unwrap_or_default();
                storage.append(segment, self.at.free_from, bytes)?;
                self.staging.drop_oldest();
                self.wrote(head.block_len(), head.done);
                self.at.written = head.end().wrapping_sub(self.at.base);
            }
            Doing::Done(head) => {
                let Some(segment) = self.at.newest else {
                    return Ok(Doing::Nothing);
                };
                let mut block = [0; HEAD];
                let _ = head.write(&mut block);
                storage.append(segment, self.at.free_from, &block)?;
                self.wrote(HEAD, head.done);
            }
            Doing::Sync => {
                storage.sync()?;
                self.at.is_dirty = false;
                self.at.synced = self.at.written;
                if self.at.warned.take().is_some() {
                    self.tell(Event::Opened {
                        waiting: self.unread(),
                        is_torn: false,
                        is_again: true,
                    });
                }
            }
            Doing::AfterOldest { for_room } => {
                let next = storage.next_segment(self.at.oldest)?;
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
                let first = head.map(|head| head.first.wrapping_sub(self.at.base));
                let first = first.filter(|first| *first <= self.at.written);
                return Ok(Doing::Erase { next, first });
            }
            Doing::Erase { next, first } => {
                storage.erase(self.at.oldest.unwrap_or_default())?;
                self.erased(next, first);
            }
            Doing::Read => self.read_on(storage)?,
        }
        Ok(Doing::Nothing)
    }

    /// So many bytes were written, and they say what is done with, in the numbers that are stored.
    fn wrote(&mut self, len: usize, done: u64) {
        self.at.free_from = self.at.free_from.saturating_add(len as u32);
        self.at.done_on_storage = self.at.done_on_storage.max(done.wrapping_sub(self.at.base));
        self.at.is_dirty = true;
        self.window.forget();
    }

    /// The oldest segment is gone, and this is the oldest now. `first` is the number of its first sample, if that is known, and if others may
    /// have been lost.
    fn erased(&mut self, next: u32, first: Option<u64>) {
        self.at.oldest = Some(next);
        if self.at.reading.position.segment >= next {
            return;
        }
        self.at.reading.go_to(Position {
            segment: next,
            at: 0,
        });
        let Some(first) = first else {
            return;
        };
        let unread = self.unread();
        let lost = match &mut self.at.late {
            Some((from, to)) => {
                *from = first.max(*from).min(*to);
                let from = from.wrapping_add(self.at.base);
                for (skipped_from, skipped_to) in &mut self.at.left_skipped {
                    *skipped_from = from.max(*skipped_from).min(*skipped_to);
                }
                unread - self.unread()
            }
            None => self.advance(first),
        };
        self.at.late = self.at.late.filter(|(from, to)| from < to);
        if lost > 0 {
            self.tell(Event::Dropped(lost));
        }
    }

    /// Whether all samples of the oldest segment are done with.
    fn can_free_oldest(&mut self) -> bool {
        let (Some(oldest), here) = (self.at.oldest, self.at.reading.position.segment) else {
            return false;
        };
        let (limit, number) = match self.at.passed {
            Some((limit, number)) if oldest < limit => (limit, number),
            _ => (here, self.at.next.min(self.at.written)),
        };
        self.at.passed = Some((limit, number));
        oldest < limit && self.at.done >= number
    }

    fn has_room_for(&self, len: usize, storage: &dyn Storage) -> bool {
        let end = self.at.free_from as usize + len;
        self.at.newest.is_some() && end <= storage.segment_len() as usize
    }

    /// Where the next block goes.
    pub(super) fn write_position(&self) -> Option<Position> {
        self.at.newest.map(|segment| Position {
            segment,
            at: self.at.free_from,
        })
    }

    /// The head of a segment that begins now.
    fn next_segment_head(&self) -> SegmentHead {
        let stored = self.stored(&Head {
            first: self.at.written,
            ..Head::default()
        });
        SegmentHead {
            serial: self.at.newest.map_or(0, |newest| newest.wrapping_add(1)),
            first: stored.first,
            done: stored.done,
        }
    }

    /// Below which number all samples are done with, as far as storage may say so.
    pub(super) fn storable_done(&self) -> u64 {
        match self.at.late {
            Some((from, _)) => from.min(self.at.done_on_storage),
            None => self.at.done.min(self.at.written),
        }
    }

    /// A head in the numbers that are stored.
    fn stored(&self, head: &Head) -> Head {
        let done = match self.at.late {
            Some(_) => self.storable_done(),
            None => self.at.done.min(head.end()),
        };
        Head {
            first: head.first.wrapping_add(self.at.base),
            done: done.wrapping_add(self.at.base),
            ..*head
        }
    }

    /// A stored head in our numbers; `None` if no such samples were written.
    pub(super) fn numbered(&self, stored: Head) -> Option<Head> {
        let head = Head {
            first: stored.first.wrapping_sub(self.at.base),
            done: stored.done.wrapping_sub(self.at.base),
            ..stored
        };
        (head.first <= self.at.written && head.end() <= self.at.written).then_some(head)
    }
}
