//! How does it go where new samples go first? The outbox has what is new. What has waited there for the flush interval moves to the log, and comes
//! back from it beside what is new then, at its own pace.
//!
//! A message in flight cannot move: a copy of it goes to the log, which reading passes over.

use super::{Sink, Spool, queue_new};
use crate::outbox::Held;
use crate::rate::{self, Rate};
use crate::routes::Routes;
use crate::sample::Sample;
use crate::time::Instant;

/// Samples that came back and are not sent, at most, where nothing else says how many.
const MOST_UNSENT: usize = 256;

/// What has to be remembered of the new samples.
///
/// They have an index each, those of the outbox the last ones: the log numbers a sample only once it is put in.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Live {
    /// Index behind the newest.
    accepted: u64,
    /// Of those in flight, the ones below this index have copies in the log.
    copied: u64,
    /// Number of the oldest copy whose message may not be done with.
    copied_from: Option<u64>,
    /// When the oldest sample was put in that is in the log only, and not on storage for good.
    put_at: Option<i64>,
    /// New samples in the outbox, and those that came back, and of these those that are not sent, when they were last counted.
    pub(super) held: u64,
    returned: u64,
    returned_unsent: usize,
    /// In bursts, see [`Rate`]; when the last one was gone.
    rate: Rate,
    gone_at: Option<Instant>,
}

impl<'a> Spool<'a> {
    pub(super) fn accept_live<S: Sink>(
        &mut self,
        now: Instant,
        session: &mut S,
        routes: &mut Routes<'a>,
        number: u32,
        sample: &Sample<'_>,
    ) -> bool {
        let is_aside = routes.is_aside(number);
        if self.log.can_skip() && session.queue(number, is_aside, sample) {
            self.queued(now, routes, number);
            return true;
        }
        let can_put =
            self.log.is_open() && !self.log.has_late() && self.put_live(now, session, routes);
        if can_put {
            let at = now.as_millis() as i64;
            if self.put(now, routes, self.log.end(), at, number, sample) {
                self.note_put(Some(at));
                return true;
            }
        }
        if self.is_hanging(now) {
            self.log.give_up(now);
        }
        let is_in = queue_new(session, routes, number, is_aside, sample);
        if is_in {
            self.queued(now, routes, number);
        }
        is_in
    }

    /// A new sample of this signal is in the outbox.
    fn queued(&mut self, now: Instant, routes: &mut Routes<'a>, signal: u32) {
        let interval = self.at.flush_interval;
        let live = self.live();
        let index = live.accepted;
        live.accepted += 1;
        live.held += 1;
        self.at.marks.note(index, now.as_millis() as i64, interval);
        if self.spooled() > 0 || !self.log.is_open() {
            self.overtake(routes, signal);
        }
    }

    fn live(&mut self) -> &mut Live {
        self.at.live.get_or_insert_default()
    }

    /// Index of the oldest new sample in the outbox that has no copy in the log.
    fn uncopied(&self) -> u64 {
        let live = self.at.live.unwrap_or_default();
        live.copied.clamp(live.first_held(live.held), live.accepted)
    }

    fn held_live<S: Sink>(&self, session: &S) -> u64 {
        session.outbox().map_or(0, |outbox| {
            (outbox.held() - outbox.count_origins().returned) as u64
        })
    }

    pub(super) fn unsafe_since_live(&self) -> Option<i64> {
        let live = self.at.live.unwrap_or_default();
        let uncopied = self.uncopied();
        // Of one that came before the spool nobody knows: it is old.
        let waiting = (uncopied < live.accepted).then(|| self.at.marks.at(uncopied).unwrap_or(0));
        match (waiting, live.put_at) {
            (Some(waiting), Some(put)) => Some(waiting.min(put)),
            (waiting, put) => waiting.or(put),
        }
    }

    /// New samples that are neither done with nor on storage for good.
    pub(super) fn unsafe_count(&self) -> u64 {
        let live = self.at.live.unwrap_or_default();
        let unsynced = self
            .log
            .end()
            .saturating_sub(self.log.synced().max(self.log.done_number()));
        live.accepted - self.uncopied() + unsynced
    }

    /// What is done with?
    pub(super) fn note_done_live<S: Sink>(&mut self, session: &S) {
        let Some(outbox) = session.outbox() else {
            return;
        };
        let _ = self.note_dropped(session);
        let origins = outbox.count_origins();
        let returned = origins.returned as u64;
        let is_synced = self.log.synced().max(self.log.done_number()) >= self.log.end();
        let now = self.at.now;
        let live = self.live();
        live.held = outbox.held() as u64 - returned;
        if live.returned_unsent + origins.returned_unsent > 0 {
            // The burst is not gone yet, or is gone now.
            live.gone_at = Some(now);
        }
        live.returned = returned;
        live.returned_unsent = origins.returned_unsent;
        let oldest = live.first_held(live.held);
        if live.copied <= oldest {
            live.copied_from = None;
        }
        if is_synced {
            live.put_at = None;
        }
        let copied_from = live.copied_from.unwrap_or(u64::MAX);
        self.at.marks.forget_below(oldest);
        self.at.is_exact |= returned == 0;
        // What is set aside is older than what is done with behind it.
        if self.at.is_exact && outbox.count_aside() == 0 && !self.log.is_opening() {
            let done = self.log.next_number().saturating_sub(returned);
            self.log.done(done.min(copied_from));
        }
        self.at.returned.forget_below(self.log.done_number());
    }

    /// Moves all new samples that wait in the outbox to the log, and puts copies there of those in flight; whether that is done.
    pub(super) fn put_live<S: Sink>(
        &mut self,
        now: Instant,
        session: &mut S,
        routes: &mut Routes<'a>,
    ) -> bool {
        let mut is_stuck = false;
        loop {
            if self.copy_in_flight(session, routes) && self.move_unsent(session, routes) {
                return true;
            }
            if core::mem::replace(&mut is_stuck, true) {
                return false;
            }
            // Storage that answers at once makes room.
            let _ = self.log.poll(now, self.storage);
        }
    }

    /// Puts copies of the new messages in flight that have none into the log; whether all of them have one now.
    fn copy_in_flight<S: Sink>(&mut self, session: &S, routes: &Routes<'_>) -> bool {
        let Some(outbox) = session.outbox() else {
            return false;
        };
        if !self.log.can_skip() {
            // None is new: they wait in the log since it cannot.
            return true;
        }
        let held = self.held_live(session);
        self.live().held = held;
        let mut index = self.live().first_held(held);
        let uncopied = self.uncopied();
        let from = self.log.end();
        let (mut is_whole, mut since, mut copied) = (true, None, 0);
        let Spool { log, at, .. } = self;
        outbox.for_each_held(|held, sample| {
            if held.is_returned() {
                return true;
            }
            if index >= uncopied && !held.is_unsent {
                let accepted_at = at.marks.at(index).unwrap_or(at.now.as_millis() as i64);
                let signal = held.signal();
                is_whole = log.push(&at.numbered(routes, log.end(), accepted_at, signal, sample));
                since = since.or(is_whole.then_some(accepted_at));
                copied = if is_whole { index + 1 } else { copied };
            }
            index += 1;
            is_whole
        });
        if since.is_some() {
            let _ = self.log.skip_from(from);
            let live = self.live();
            live.copied = copied;
            live.copied_from.get_or_insert(from);
        }
        self.note_put(since);
        is_whole
    }

    /// Moves the new samples of which no byte was sent to the log; whether all of them. Of a message that a connection has ended in the middle of
    /// there is a copy already, before all that came after it: it stays, and goes first.
    fn move_unsent<S: Sink>(&mut self, session: &mut S, routes: &Routes<'_>) -> bool {
        let Some(outbox) = session.outbox() else {
            return false;
        };
        let held = self.held_live(session);
        let first = self.live().first_held(held);
        let mut index = first;
        // Those that are set aside stand before those in flight.
        let copied = self.live().copied;
        let moves = |held: &Held, index| held.is_unsent && (index >= copied || held.is_aside());
        let (mut moved, mut before_copied) = (0, 0);
        let (mut is_whole, mut since) = (true, None);
        let Spool { log, at, .. } = self;
        outbox.for_each_held(|held, sample| {
            if held.is_returned() {
                return true;
            }
            if moves(&held, index) {
                let accepted_at = at.marks.at(index).unwrap_or(at.now.as_millis() as i64);
                let signal = held.signal();
                is_whole = log.push(&at.numbered(routes, log.end(), accepted_at, signal, sample));
                since = since.or(is_whole.then_some(accepted_at));
                moved += u64::from(is_whole);
                before_copied += u64::from(is_whole && index < copied);
            }
            index += 1;
            is_whole
        });
        let (mut left, mut index) = (moved, first);
        session.withdraw(&mut |held| {
            if held.is_returned() {
                return false;
            }
            let is_taken = left > 0 && moves(&held, index);
            index += 1;
            left -= u64::from(is_taken);
            is_taken
        });
        let live = self.live();
        live.accepted = live.accepted.saturating_sub(moved);
        live.copied = copied.saturating_sub(before_copied).min(live.accepted);
        live.held = held - moved;
        let end = live.accepted;
        self.at.marks.forget_from(end);
        self.note_put(since);
        is_whole
    }

    /// Samples are in the log now of which the oldest was accepted then.
    fn note_put(&mut self, since: Option<i64>) {
        let live = self.live();
        live.put_at = match (live.put_at, since) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }

    /// Brings samples back to the outbox, beside those that are new; when there may be more, `now` if some came.
    pub(super) fn come_back_live<S: Sink>(
        &mut self,
        now: Instant,
        session: &mut S,
        routes: &mut Routes<'a>,
    ) -> Instant {
        let Live {
            mut rate,
            gone_at,
            returned,
            returned_unsent,
            ..
        } = *self.live();
        let may_turn = self.log.waiting() == 0 && self.live().copied_from.is_none();
        if may_turn && self.turn_to_late() {
            self.at.is_exact = false;
        }
        if !session.is_online() || self.log.waiting() == 0 {
            return Instant::NEVER;
        }
        // Which samples are done with shows again once none of them is in the outbox: until then a crash would have all others go again.
        let is_any_aside = session
            .outbox()
            .is_some_and(|outbox| outbox.count_aside() > 0);
        if !self.at.is_exact && returned > 0 && !is_any_aside {
            return Instant::NEVER;
        }
        let most = self.device.replay_rate;
        if most == 0 {
            let room = MOST_UNSENT.saturating_sub(returned_unsent);
            let count = self.give_back(now, session, routes, room);
            return if count > 0 { now } else { Instant::NEVER };
        }
        // An earlier process may have sent all that a second may have.
        let gone_at = gone_at.unwrap_or(rate::last_for_a_burst_in_a_second(most, now));
        if returned_unsent > 0 {
            return Instant::NEVER;
        }
        self.live().gone_at = Some(gone_at);
        if !rate.allows(most, gone_at, now) {
            return rate::next_burst(most, gone_at);
        }
        let mut count = 0_usize;
        while !rate.is_spent() && self.give_back(now, session, routes, 1) > 0 {
            rate.take();
            count += 1;
        }
        let live = self.live();
        live.rate = rate;
        if count == 0 {
            return Instant::NEVER;
        }
        live.returned_unsent = count;
        now
    }
}

impl Live {
    /// Index of the oldest new sample in the outbox, if there are so many.
    pub(super) fn first_held(&self, held: u64) -> u64 {
        self.accepted.saturating_sub(held)
    }
}
