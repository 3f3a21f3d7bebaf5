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
//!
//! That is how it goes in order. With `live_first` the outbox has what is new, and the log what has waited: see `live`.
//!
//! | file | question |
//! |---|---|
//! | `order` | how does it go in order? |
//! | `live` | how does it go where new samples go first? |
//! | `returning` | what becomes of a sample that comes back? |
//! | `marks` | when were the samples accepted that wait? |
//! | `told` | what is said about a spool, and counted? |

mod live;
mod marks;
mod order;
mod returning;
mod told;

use super::feed::queue_new;
use super::sink::Sink;
use crate::config::Device;
use crate::routes::Routes;
use crate::sample::Sample;
use crate::spool::{self, Buffers, Fault, Log, Numbered, Storage};
use crate::time::{Instant, SECOND};
use live::Live;
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
    /// The numbers of those in the outbox are known: none was taken out of their middle, or set aside, since it was empty.
    is_exact: bool,
    /// Of those that are set aside, the oldest so many are in the log.
    aside_in_log: usize,
    /// All samples below this number that are not done with are in the log.
    in_log: u64,
    /// What waits is being put into the log, to be flushed then.
    is_writing: bool,
    flushed_at: Instant,
    /// When the samples were accepted that are in the outbox, or in the log and not on storage.
    marks: Marks,
    /// The same of those that came back, as far as storage tells.
    returned: Marks,
    /// Where new samples go first.
    live: Option<Live>,
    /// Samples of the log below this number came late: they are older than all others.
    late_below: u64,
    /// Signals are known of which samples did not wait for older ones.
    any_overtaken: bool,
    /// Storage has samples that nobody knew of, or that were away: they are a backlog.
    has_found: bool,
    /// Samples were lost: what they said is news again.
    values_lost: bool,
    /// Of the last poll.
    now: Instant,
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
            aside_in_log: 0,
            in_log: 0,
            is_writing: false,
            flushed_at: Instant::default(),
            marks: Marks::default(),
            returned: Marks::default(),
            live: device.live_first.then(Live::default),
            late_below: 0,
            any_overtaken: false,
            has_found: false,
            values_lost: false,
            now: Instant::default(),
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

    /// The system's clock at time 0, in seconds: it may have been set.
    pub(super) fn set_clock_at_start(&mut self, seconds: u64) {
        self.at.started = seconds;
    }

    /// Samples that wait here and not in the outbox.
    #[must_use]
    pub fn spooled(&self) -> u64 {
        let is_read = self.at.is_behind || self.at.live.is_some();
        let waiting = if is_read { self.log.waiting() } else { 0 };
        waiting + self.at.unread
    }

    /// Bytes on storage that it takes.
    #[cfg(feature = "health")]
    #[must_use]
    pub fn used(&self) -> u64 {
        self.storage.used()
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
        if self.at.live.is_some() {
            self.accept_live(now, session, routes, number, sample)
        } else {
            self.accept_in_order(now, session, routes, number, sample)
        }
    }

    /// Puts a sample of this number into the log that was accepted at this time.
    fn put(
        &mut self,
        now: Instant,
        routes: &Routes<'_>,
        number: u64,
        accepted_at: i64,
        signal: u32,
        sample: &Sample<'_>,
    ) -> bool {
        let sample = self
            .at
            .numbered(routes, number, accepted_at, signal, sample);
        if self.log.push(&sample) {
            return true;
        }
        // Storage that answers at once makes room.
        let _ = self.log.poll(now, self.storage);
        self.log.push(&sample)
    }

    /// Storage has not answered for long, and there is no room for more.
    fn is_hanging(&self, now: Instant) -> bool {
        now >= self.at.hangs_from
    }

    /// Does what can be done now, and says when to come back; that is `now` if samples came back to the outbox. `has_left`: the session has
    /// ended, so that at the end of the process all that waits is to be written. `device` is the number of the device.
    pub(super) fn work<S: Sink>(
        &mut self,
        now: Instant,
        has_left: bool,
        device: u16,
        session: &mut S,
        routes: &mut Routes<'a>,
    ) -> Instant {
        self.at.now = now;
        if !has_left || !self.at.is_stopping {
            return self.go_on(now, device, session, routes);
        }
        if self.has_ended() {
            return Instant::NEVER;
        }
        let end_by = *self.at.end_by.get_or_insert(now + WRITE_WITHIN);
        let again = self.go_on(now, device, session, routes);
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
        device: u16,
        session: &mut S,
        routes: &mut Routes<'a>,
    ) -> Instant {
        self.change_order(session);
        let is_live = self.at.live.is_some();
        if is_live {
            self.note_done_live(session);
        } else {
            self.note_done(session);
        }
        let log_again = self.log.poll(now, self.storage);
        self.at.hangs_from = if self.log.is_waiting() {
            self.at.hangs_from.min(now + HANGS_AFTER)
        } else {
            Instant::NEVER
        };
        self.tell();
        let returned = if self.at.is_stopping {
            Instant::NEVER
        } else if is_live {
            self.come_back_live(now, session, routes)
        } else {
            self.come_back_in_order(now, session, routes)
        };
        self.end_overtaking(device, routes);
        if core::mem::take(&mut self.at.values_lost) {
            routes.forget_all(device);
        }
        session.set_backlog(self.backlog());
        if core::mem::take(&mut self.at.has_found) {
            session.begin_replay();
        }
        if returned <= now {
            return now;
        }
        let written = self.write(now, session, routes);
        // What storage has answered at once counts at once.
        self.tell();
        written.min(log_again).min(returned)
    }

    /// How much waits behind the outbox for the session to send; `None`: it comes at its own pace.
    fn backlog(&self) -> Option<u64> {
        if self.at.live.is_none() {
            return Some(self.spooled());
        }
        self.log.fault().map(|_| 0)
    }

    /// A reload has changed `live_first`: that holds once nothing waits here or in the outbox.
    fn change_order<S: Sink>(&mut self, session: &S) {
        let is_live = self.at.live.is_some();
        if is_live == self.device.live_first
            || session.outbox().is_none_or(|outbox| outbox.held() > 0)
            || self.spooled() > 0
            || self.log.is_opening()
            || self.log.has_late()
        {
            return;
        }
        self.log.done(self.log.end());
        self.at.marks = Marks::default();
        self.at.live = self.device.live_first.then(Live::default);
        self.at.is_behind = false;
        self.at.accepted = self.log.end();
        self.at.is_exact = true;
    }

    /// When the oldest sample was accepted that is neither done with nor on storage for good, or somewhat before; `None` if there is none.
    fn unsafe_since(&self) -> Option<i64> {
        if self.at.live.is_some() {
            return self.unsafe_since_live();
        }
        let from = self.unsafe_from();
        // Of one that came before the spool nobody knows: it is old.
        (from < self.at.accepted).then(|| self.at.marks.at(from).unwrap_or(0))
    }

    /// Puts all that waits in the outbox into the log too; whether all of it is there.
    fn put_all<S: Sink>(&mut self, now: Instant, session: &mut S, routes: &mut Routes<'a>) -> bool {
        if self.at.live.is_some() {
            self.put_live(now, session, routes)
        } else {
            self.at.is_behind || self.put_outbox(now, session, routes)
        }
    }

    /// Samples that are in the outbox only, at most, and would be better off in the log.
    fn unwritten<S: Sink>(&self, session: &S) -> u64 {
        if self.at.live.is_some() {
            // What goes out now need not move.
            let outbox = session.outbox().filter(|_| !session.is_online());
            outbox.map_or(0, |outbox| outbox.queued() as u64)
        } else {
            self.at.accepted.saturating_sub(self.log.end())
        }
    }

    /// Writes what has waited too long; when something will have.
    fn write<S: Sink>(
        &mut self,
        now: Instant,
        session: &mut S,
        routes: &mut Routes<'a>,
    ) -> Instant {
        if !self.log.is_open() {
            if self.log.fault().is_some() {
                self.at.is_writing = false;
                self.at.end_by = self.at.end_by.map(|_| Instant::NEVER);
            }
            return Instant::NEVER;
        }
        let write_at = self.unsafe_since().map_or(Instant::NEVER, |since| {
            Instant::from_millis(since.max(0) as u64) + self.at.flush_interval
        });
        // Also where new samples are delivered all the time, and never wait for so long: else all that came back would come again after a crash.
        let note_at = if self.log.has_news() {
            self.at.flushed_at + self.at.flush_interval
        } else {
            Instant::NEVER
        };
        let due = write_at.min(note_at);
        let is_end = self.at.end_by.is_some();
        let is_free = !self.log.is_flushing();
        if (now >= write_at || is_end && due != Instant::NEVER) && is_free {
            self.at.is_writing = true;
        }
        let is_half_full = session.outbox().is_some_and(|outbox| outbox.is_half_full());
        let is_worth = is_half_full && self.unwritten(session) >= WORTH_WRITING;
        if (self.at.is_writing || is_worth) && !self.put_all(now, session, routes) {
            return Instant::NEVER;
        }
        // What is done with is noted without what waits, which may be done with soon.
        if core::mem::take(&mut self.at.is_writing) || now >= note_at && is_free {
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

impl Standing {
    /// A sample as it is put into the log.
    fn numbered<'s>(
        &self,
        routes: &Routes<'s>,
        number: u64,
        accepted_at: i64,
        signal: u32,
        sample: &Sample<'s>,
    ) -> Numbered<'s> {
        let name = routes.signal(signal).map_or("", |signal| signal.alias);
        Numbered {
            number,
            signal,
            name: name.as_bytes(),
            second: self.second_of(accepted_at),
            sample: *sample,
        }
    }

    /// The system's clock at this time, in milliseconds from time 0.
    fn second_of(&self, millis: i64) -> u64 {
        let second = (self.started as i64).saturating_add(millis.div_euclid(SECOND as i64));
        second.max(0) as u64
    }

    /// The time at which the system's clock showed this second.
    fn time_of(&self, second: u64) -> i64 {
        let since_start = (second as i64).saturating_sub(self.started as i64);
        since_start.saturating_mul(SECOND as i64)
    }
}
