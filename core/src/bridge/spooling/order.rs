//! How does it go in order? The outbox has the oldest samples, and the log the newest ones, once the outbox is full.

use super::{MOST_AT_ONCE, Sink, Spool, queue_new};
use crate::routes::Routes;
use crate::sample::Sample;
use crate::time::Instant;

impl<'a> Spool<'a> {
    pub(super) fn accept_in_order<S: Sink>(
        &mut self,
        now: Instant,
        session: &mut S,
        routes: &mut Routes<'a>,
        number: u32,
        sample: &Sample<'_>,
    ) -> bool {
        let at = now.as_millis() as i64;
        let interval = self.at.flush_interval;
        self.at.marks.note(self.at.accepted, at, interval);
        let is_aside = routes.is_aside(number);
        let is_in = if self.at.is_behind {
            self.put(now, routes, self.at.accepted, at, number, sample)
        } else {
            session.queue(number, is_aside, sample)
                || self.fall_behind(now, session, routes)
                    && self.put(now, routes, self.at.accepted, at, number, sample)
        };
        let is_in = is_in || self.accept_without_storage(now, session, routes, number, sample);
        if is_in && !self.at.is_behind && (!self.log.is_open() || self.log.has_late()) {
            self.overtake(routes, number);
        }
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
        if self.at.is_behind && self.is_hanging(now) {
            self.log.give_up(now);
            while self.at.is_behind && self.read_back(now, session, routes) > 0 {}
        }
        if self.at.is_behind {
            self.at.dropped += 1;
            return false;
        }
        let is_aside = routes.is_aside(number);
        queue_new(session, routes, number, is_aside, sample)
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
    pub(super) fn put_outbox<S: Sink>(
        &mut self,
        now: Instant,
        session: &S,
        routes: &Routes<'_>,
    ) -> bool {
        let Some(outbox) = session.outbox() else {
            return false;
        };
        let first = self.at.accepted.saturating_sub(outbox.held() as u64);
        // What is set aside is put in once, whatever is delivered behind it.
        let not_aside = first + self.at.aside_in_log as u64;
        let mut is_stuck = false;
        while self.log.end() < self.at.accepted {
            let from = self.log.end().max(not_aside).max(self.log.done_number());
            let (mut number, mut skipped) = (from, from - first);
            let Spool { log, at, .. } = self;
            outbox.for_each_held(|held, sample| {
                if skipped > 0 {
                    skipped -= 1;
                    return true;
                }
                let accepted_at = at.marks.at(number).unwrap_or(now.as_millis() as i64);
                let signal = held.signal();
                let is_in = log.push(&at.numbered(routes, number, accepted_at, signal, sample));
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
        self.at.aside_in_log = outbox.count_aside();
        true
    }

    /// What of all that was accepted is done with?
    pub(super) fn note_done<S: Sink>(&mut self, session: &S) {
        let Some(outbox) = session.outbox() else {
            return;
        };
        let has_dropped = self.note_dropped(session);
        let aside = outbox.count_aside();
        // What is set aside is older than what is done with behind it.
        self.at.is_exact &= aside == 0;
        self.at.aside_in_log = if self.log.end() >= self.at.accepted {
            aside
        } else if has_dropped {
            0
        } else {
            self.at.aside_in_log.min(aside)
        };
        let held = outbox.held() as u64;
        let end = self.outbox_end();
        // What is set aside and not in the log was accepted since then.
        if self.at.aside_in_log == aside {
            self.at.in_log = (end + aside as u64).saturating_sub(held);
        } else if has_dropped {
            self.at.in_log = 0;
        }
        self.at.is_exact |= held == 0 || !self.log.is_open() && !self.at.is_behind;
        if self.at.is_exact && !self.log.is_opening() {
            if !self.at.is_behind {
                self.log.pass(self.at.accepted);
            }
            self.log.done(end.saturating_sub(held));
        }
        let done = self.log.done_number();
        self.at.marks.forget_below(done);
        self.at.returned.forget_below(done);
    }

    /// Number behind the newest sample of the outbox.
    pub(super) fn outbox_end(&self) -> u64 {
        if self.at.is_behind {
            self.log.next_number()
        } else {
            self.at.accepted
        }
    }

    /// Number of the oldest sample that is neither done with nor on storage for good.
    pub(super) fn unsafe_from(&self) -> u64 {
        let safe = self.log.synced().max(self.log.done_number());
        if self.log.synced() >= self.log.end() {
            safe.max(self.at.in_log)
        } else {
            safe
        }
    }

    /// Brings samples back to the outbox, if it is their turn; `now` if some came.
    pub(super) fn come_back_in_order<S: Sink>(
        &mut self,
        now: Instant,
        session: &mut S,
        routes: &mut Routes<'a>,
    ) -> Instant {
        if self.at.is_behind {
            // Which samples are done with shows again once the outbox is empty: until then a crash would have all others go again.
            let is_in_doubt = (session.outbox())
                .is_some_and(|outbox| outbox.held() > 0 && outbox.count_aside() == 0);
            if is_in_doubt && !self.at.is_exact && self.log.is_open() {
                return Instant::NEVER;
            }
            if self.read_back(now, session, routes) > 0 {
                return now;
            }
            return Instant::NEVER;
        }
        self.log.pass(self.at.accepted);
        let is_empty = session.outbox().is_some_and(|outbox| outbox.held() == 0);
        if is_empty && self.turn_to_late() {
            self.at.accepted = self.log.end();
            self.at.is_behind = true;
            return now;
        }
        Instant::NEVER
    }

    /// Brings samples back to the outbox, as far as there is room; how many.
    fn read_back<S: Sink>(
        &mut self,
        now: Instant,
        session: &mut S,
        routes: &mut Routes<'a>,
    ) -> usize {
        let count = self.give_back(now, session, routes, MOST_AT_ONCE);
        if !self.log.is_opening() && self.log.next_number() >= self.log.end() {
            self.at.is_behind = false;
            self.at.accepted = self.log.end();
        }
        count
    }
}
