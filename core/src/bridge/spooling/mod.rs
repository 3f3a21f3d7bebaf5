//! Which samples go to storage, and when do they come back?
//!
//! Samples wait in the outbox as long as they find room there and are done with in time. Those that wait for longer than the flush interval are
//! written to the [log](crate::spool) too, and stay in the outbox. Once that is full, new samples go to the log alone, behind all others, and come
//! back in their order as the outbox empties: then the device is *behind*.
//!
//! ```text
//!   oldest                                                         newest
//!   | outbox: in flight, waiting | log: on storage | log: in memory | <- new samples, while behind
//! ```

mod marks;
mod told;

use super::feed::make_room;
use super::sink::Sink;
use crate::config::Device;
use crate::log::warning;
use crate::routes::Routes;
use crate::sample::Sample;
use crate::spool::{self, Buffers, Fault, Log, Numbered, Storage};
use crate::time::{Instant, SECOND};
use marks::Marks;

/// Samples that come back from the log in one turn, at most, so that one device does not keep the others waiting.
const MOST_AT_ONCE: usize = 512;

/// So many samples are put into the log together where the outbox is half full.
const WORTH_WRITING: u64 = 256;

/// Storage that has not answered for so long, while there is no room for more, is as good as none.
const HANGS_AFTER: u64 = 5 * SECOND;

/// How long the storage may take to write all that waits, at the end of the process.
pub const WRITE_WITHIN: u64 = 5 * SECOND;

/// The spool of one device.
pub struct Spool<'a> {
    device: &'a Device<'a>,
    log: Log<'a>,
    storage: &'a mut dyn Storage,
    at: Standing,
}

/// What goes on in the next bridge, with the same memory and storage.
pub struct Suspended {
    log: spool::Suspended,
    at: Standing,
}

/// What a spool has to remember.
struct Standing {
    /// Milliseconds.
    flush_interval: u64,
    /// The system's clock at time 0, in seconds.
    started: u64,
    /// Number of the next sample that is accepted.
    accepted: u64,
    /// New samples go to the log, behind those that are there.
    is_behind: bool,
    /// The numbers of those in the outbox are known: none was taken out of their middle since it was empty.
    is_exact: bool,
    /// What waits is being put into the log, to be flushed then.
    is_writing: bool,
    flushed_at: Instant,
    marks: Marks,
    /// Storage that has not answered until then is as good as none.
    hangs_from: Instant,
    /// Samples that the session said it had dropped.
    session_dropped: u64,
    dropped: u64,
    /// Samples that earlier processes left.
    found: u64,
    /// Samples on storage that is not used, or that are read later.
    unread: u64,
    /// Nothing comes back any more; from when on all is written.
    is_stopping: bool,
    end_by: Option<Instant>,
}

impl<'a> Spool<'a> {
    /// A spool whose storage is looked at from the first poll on. `flush_interval` in milliseconds; `started` is the system's clock at time 0,
    /// in seconds.
    // As in [`Broker::set_spool`](super::Broker::set_spool), here and below.
    #[inline(never)]
    pub fn new(
        device: &'a Device<'a>,
        log: Log<'a>,
        storage: &'a mut dyn Storage,
        flush_interval: u64,
        started: u64,
    ) -> Self {
        let at = Standing {
            accepted: log.end(),
            flush_interval,
            started,
            is_behind: true,
            is_exact: true,
            is_writing: false,
            flushed_at: Instant::default(),
            marks: Marks::default(),
            hangs_from: Instant::NEVER,
            session_dropped: 0,
            dropped: 0,
            found: 0,
            unread: 0,
            is_stopping: false,
            end_by: None,
        };
        Spool {
            device,
            log,
            storage,
            at,
        }
    }

    /// The spool that [`Spool::suspend`] ended, with the same memory and storage, and perhaps another interval.
    #[inline(never)]
    pub fn resume(
        device: &'a Device<'a>,
        buffers: Buffers<'a>,
        storage: &'a mut dyn Storage,
        flush_interval: u64,
        suspended: Suspended,
    ) -> Self {
        let mut spool = Spool {
            device,
            log: Log::resume(buffers, suspended.log),
            storage,
            at: suspended.at,
        };
        spool.at.flush_interval = flush_interval;
        spool
    }

    /// Ends the spool here, and keeps what is needed to go on.
    #[inline(never)]
    #[must_use]
    pub fn suspend(self) -> Suspended {
        Suspended {
            log: self.log.suspend(),
            at: self.at,
        }
    }

    /// Samples that wait here and not in the outbox.
    #[must_use]
    pub fn spooled(&self) -> u64 {
        let waiting = if self.at.is_behind {
            self.log.end().saturating_sub(self.log.next_number())
        } else {
            0
        };
        waiting + self.at.unread
    }

    /// Samples that earlier processes left on storage: they count as received.
    #[must_use]
    pub fn found(&self) -> u64 {
        self.at.found
    }

    /// Why the storage is not used; `None` if it is.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        self.log.fault()
    }

    /// Samples that were lost here.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.at.dropped
    }

    /// Whether all that waits is on storage, or cannot be.
    #[must_use]
    pub(super) fn has_ended(&self) -> bool {
        self.at.is_stopping && self.at.end_by == Some(Instant::NEVER)
    }

    /// Nothing new comes from now on.
    pub(super) fn stop(&mut self) {
        self.at.is_stopping = true;
        self.at.is_writing = true;
    }

    /// Takes in a new sample, if it can: it waits in the outbox, or behind what waits here.
    pub(super) fn accept<S: Sink>(
        &mut self,
        now: Instant,
        session: &mut S,
        routes: &mut Routes<'a>,
        number: u32,
        sample: &Sample<'_>,
    ) -> bool {
        self.at
            .marks
            .note(self.at.accepted, now, self.at.flush_interval);
        let is_aside = routes.is_aside(number);
        let is_in = if self.at.is_behind {
            self.put(now, routes, number, sample)
        } else {
            session.queue(number, is_aside, sample)
                || self.fall_behind(now, session, routes) && self.put(now, routes, number, sample)
        };
        let is_in = is_in || self.accept_without_storage(now, session, routes, number, sample);
        self.at.accepted += u64::from(is_in);
        is_in
    }

    /// There is no room, and storage makes none: samples wait in the outbox alone, if there is a way back to it.
    #[cold]
    fn accept_without_storage<S: Sink>(
        &mut self,
        now: Instant,
        session: &mut S,
        routes: &mut Routes<'a>,
        number: u32,
        sample: &Sample<'_>,
    ) -> bool {
        if self.at.is_behind && now >= self.at.hangs_from {
            self.log.give_up(now);
            while self.at.is_behind && self.come_back(session, routes) > 0 {}
        }
        if self.at.is_behind {
            self.at.dropped += 1;
            return false;
        }
        let is_aside = routes.is_aside(number);
        session.queue(number, is_aside, sample)
            || make_room(session, routes, sample) && session.queue(number, is_aside, sample)
    }

    /// Puts a new sample into the log.
    fn put(&mut self, now: Instant, routes: &Routes<'_>, signal: u32, sample: &Sample<'_>) -> bool {
        let name = routes.signal(signal).map_or("", |signal| signal.alias);
        let sample = Numbered {
            number: self.at.accepted,
            signal,
            name: name.as_bytes(),
            second: self.at.started + now.as_millis() / SECOND,
            sample: *sample,
        };
        if self.log.push(&sample) {
            return true;
        }
        let _ = self.log.poll(now, self.storage);
        self.log.push(&sample)
    }

    /// The outbox is full: new samples go to the log, if all that waits there is in it already.
    #[cold]
    fn fall_behind<S: Sink>(&mut self, now: Instant, session: &S, routes: &Routes<'_>) -> bool {
        let can = self.log.is_open()
            && !self.log.has_late()
            && !self.at.is_stopping
            && self.put_outbox(now, session, routes);
        if can {
            self.log.pass(self.at.accepted);
            self.at.is_behind = true;
        }
        can
    }

    /// Puts all that waits in the outbox into the log, to be written; whether all of it is there.
    fn put_outbox<S: Sink>(&mut self, now: Instant, session: &S, routes: &Routes<'_>) -> bool {
        let Some(outbox) = session.outbox() else {
            return false;
        };
        let first = self.at.accepted.saturating_sub(outbox.held() as u64);
        let mut is_stuck = false;
        while self.log.end() < self.at.accepted {
            let from = self.log.end().max(first).max(self.log.done_number());
            let mut number = from;
            let Spool { log, at, .. } = self;
            let (marks, started) = (&at.marks, at.started);
            outbox.for_each_behind((from - first) as usize, |signal, sample| {
                let name = routes.signal(signal).map_or("", |signal| signal.alias);
                let accepted_at = marks.at(number).unwrap_or(now);
                let is_in = log.push(&Numbered {
                    number,
                    signal,
                    name: name.as_bytes(),
                    second: started + accepted_at.as_millis() / SECOND,
                    sample: *sample,
                });
                number += u64::from(is_in);
                is_in
            });
            if number >= self.at.accepted {
                break;
            }
            if number == from && core::mem::replace(&mut is_stuck, true) {
                return false;
            }
            is_stuck &= number == from;
            // Storage that answers at once makes room.
            let _ = self.log.poll(now, self.storage);
        }
        true
    }

    /// Does what can be done now, and says when to come back; that is `now` if samples came back to the outbox. `has_left`: the session has
    /// ended, so that at the end of the process all that waits is to be written.
    pub(super) fn work<S: Sink>(
        &mut self,
        now: Instant,
        has_left: bool,
        session: &mut S,
        routes: &mut Routes<'a>,
    ) -> Instant {
        if !has_left || !self.at.is_stopping {
            return self.go_on(now, session, routes);
        }
        if self.has_ended() {
            return Instant::NEVER;
        }
        let end_by = *self.at.end_by.get_or_insert(now + WRITE_WITHIN);
        let again = self.go_on(now, session, routes);
        if now >= end_by {
            self.at.end_by = Some(Instant::NEVER);
        }
        if self.has_ended() {
            self.report_end(session);
            return Instant::NEVER;
        }
        again.min(end_by)
    }

    fn go_on<S: Sink>(
        &mut self,
        now: Instant,
        session: &mut S,
        routes: &mut Routes<'a>,
    ) -> Instant {
        self.note_done(session);
        let log_again = self.log.poll(now, self.storage);
        self.at.hangs_from = if self.log.is_waiting() {
            self.at.hangs_from.min(now + HANGS_AFTER)
        } else {
            Instant::NEVER
        };
        self.tell();
        if self.at.is_behind && !self.at.is_stopping {
            if self.come_back(session, routes) > 0 {
                return now;
            }
        } else if !self.at.is_behind {
            self.log.pass(self.at.accepted);
            let is_empty = session.outbox().is_some_and(|outbox| outbox.held() == 0);
            if self.log.has_late() && is_empty && !self.at.is_stopping {
                self.log.turn_to_late();
                self.at.accepted = self.log.end();
                self.at.is_behind = true;
                self.at.unread = 0;
                return now;
            }
        }
        self.write(now, session, routes).min(log_again)
    }

    /// What of all that was accepted is done with?
    fn note_done<S: Sink>(&mut self, session: &S) {
        let Some(outbox) = session.outbox() else {
            return;
        };
        let dropped = session.counters().dropped;
        self.at.is_exact &= dropped == self.at.session_dropped;
        self.at.session_dropped = dropped;
        let held = outbox.held() as u64;
        let end = if self.at.is_behind {
            self.log.next_number()
        } else {
            self.at.accepted
        };
        self.at.is_exact |= held == 0 || !self.log.is_open() && !self.at.is_behind;
        // What is set aside is older than what is done with behind it.
        if self.at.is_exact && outbox.count_aside() == 0 && !self.log.is_opening() {
            if !self.at.is_behind {
                self.log.pass(self.at.accepted);
            }
            self.log.done(end.saturating_sub(held));
        }
        self.at.marks.forget_below(self.unsafe_from());
    }

    /// Number of the oldest sample that is neither done with nor on storage for good.
    fn unsafe_from(&self) -> u64 {
        self.log.synced().max(self.log.done_number())
    }

    /// Brings samples back to the outbox, as far as there is room; how many.
    fn come_back<S: Sink>(&mut self, session: &mut S, routes: &mut Routes<'a>) -> usize {
        let mut count = 0;
        let mut gone = 0;
        while count < MOST_AT_ONCE {
            let before = self.log.next_number();
            let alias = self.device.alias;
            let next = self
                .log
                .next_sample(&mut |name| routes.find_alias(alias, name));
            let Some(next) = next else {
                break;
            };
            match next.signal {
                Some(signal) => {
                    if !session.queue(signal, routes.is_aside(signal), &next.sample) {
                        break;
                    }
                }
                None => {
                    gone += 1;
                    self.at.is_exact = false;
                }
            }
            self.log.take();
            self.at.is_exact &= self.log.next_number() == before + 1;
            count += 1;
        }
        if gone > 0 {
            warning!(
                "{}: {} samples of the spool are dropped, whose signals are not enabled any more",
                self.device.alias,
                gone
            );
            self.at.dropped += gone;
        }
        self.tell();
        if !self.log.is_opening() && self.log.next_number() >= self.log.end() {
            self.at.is_behind = false;
            self.at.accepted = self.log.end();
        }
        count
    }

    /// Writes what has waited too long; when something will have.
    fn write<S: Sink>(&mut self, now: Instant, session: &S, routes: &Routes<'_>) -> Instant {
        if !self.log.is_open() {
            if self.log.fault().is_some() {
                self.at.is_writing = false;
                self.at.end_by = self.at.end_by.map(|_| Instant::NEVER);
            }
            return Instant::NEVER;
        }
        let from = self.unsafe_from();
        let due = if from < self.at.accepted {
            let since = self.at.marks.at(from).unwrap_or(now);
            since + self.at.flush_interval
        } else if self.log.has_news() {
            self.at.flushed_at + self.at.flush_interval
        } else {
            Instant::NEVER
        };
        let is_end = self.at.end_by.is_some();
        if (now >= due || is_end && due != Instant::NEVER) && !self.log.is_flushing() {
            self.at.is_writing = true;
        }
        let is_half_full = session.outbox().is_some_and(|outbox| outbox.is_half_full());
        let is_worth =
            is_half_full && self.at.accepted.saturating_sub(self.log.end()) >= WORTH_WRITING;
        if !self.at.is_behind
            && (self.at.is_writing || is_worth)
            && !self.put_outbox(now, session, routes)
        {
            return Instant::NEVER;
        }
        if core::mem::take(&mut self.at.is_writing) {
            self.log.flush();
            self.at.flushed_at = now;
            // Storage that answers at once is done by then.
            let _ = self.log.poll(now, self.storage);
            return now + self.at.flush_interval;
        }
        if self.log.is_flushing() {
            // The storage wakes whoever waits for it.
            return if due > now { due } else { Instant::NEVER };
        }
        if is_end && due == Instant::NEVER {
            self.at.end_by = Some(Instant::NEVER);
        }
        due.max(now + 1)
    }
}
