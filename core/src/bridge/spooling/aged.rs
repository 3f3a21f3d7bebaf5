//! What has waited for too long? What is older than `max_age` is dropped: on its way back from the log, and in the outbox, as long as no byte of it
//! was sent.

use super::{Sink, Spool};
use crate::log::warning;
use crate::routes::Routes;
use crate::time::{Instant, SECOND};

/// A clock that shows less was never set: this is the beginning of 2020. How old a sample is that was accepted then, nobody knows.
pub(super) const SET: u64 = 1_577_836_800;

/// Dropped samples are spoken of once in so many milliseconds.
const QUIET: u64 = 60 * SECOND;

/// What is known of dropped samples.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Aged {
    /// Those that nothing was said of yet.
    unsaid: u64,
    said_at: Option<Instant>,
    look_at: Instant,
}

/// Whether a sample that was accepted in this second has waited for longer than this; 0: never.
pub(super) fn is_too_old(accepted: u64, now: u64, max_age: u32) -> bool {
    max_age > 0 && accepted >= SET && now.saturating_sub(accepted) > u64::from(max_age)
}

impl<'a> Spool<'a> {
    /// So many samples are dropped.
    pub(super) fn count_aged(&mut self, now: Instant, count: u64) {
        self.at.dropped += count;
        let aged = &mut self.at.aged;
        aged.unsaid += count;
        if aged.unsaid > 0 && aged.said_at.is_none_or(|at| now.since(at) >= QUIET) {
            warning!(
                "{}: {} samples were dropped that had waited for more than {} s (max_age)",
                self.device.alias,
                aged.unsaid,
                self.device.max_age
            );
            aged.unsaid = 0;
            aged.said_at = Some(now);
        }
    }

    /// Drops what has waited in the outbox for too long and has not been sent; when to look again.
    pub(super) fn drop_aged<S: Sink>(
        &mut self,
        now: Instant,
        session: &mut S,
        routes: &mut Routes<'a>,
    ) -> Instant {
        let max_age = i64::from(self.device.max_age) * SECOND as i64;
        let held = session.outbox().map_or(0, |outbox| outbox.held());
        if max_age == 0 || held == 0 {
            return Instant::NEVER;
        }
        if now < self.at.aged.look_at {
            return self.at.aged.look_at;
        }
        self.at.aged.look_at = now + SECOND;
        let too_old = now.as_millis() as i64 - max_age;
        let origins = session.outbox().map(|outbox| outbox.count_origins());
        let returned = origins.unwrap_or_default().returned as u64;
        // Counted from the newest on, since what is dropped are the oldest.
        let mut number = self.outbox_end().saturating_sub(held as u64);
        let (mut index, mut number_back) = match self.at.live {
            Some(live) => (
                live.first_held(held as u64 - returned),
                self.log.next_number().saturating_sub(returned),
            ),
            None => (0, 0),
        };
        let (marks, returned_marks) = (&self.at.marks, &self.at.returned);
        let is_live = self.at.live.is_some();
        let mut count = 0;
        session.withdraw(&mut |held| {
            let at = match (held.is_returned(), is_live) {
                (true, true) => returned_marks.at_latest(number_back),
                (true, false) => returned_marks.at_latest(number),
                (false, true) => marks.at_latest(index),
                (false, false) => marks.at_latest(number),
            };
            number += 1;
            if held.is_returned() {
                number_back += 1;
            } else {
                index += 1;
            }
            let is_aged = held.is_unsent && at < too_old;
            if is_aged {
                count += 1;
                routes.forget(held.signal());
            }
            is_aged
        });
        let is_any_left = session.outbox().is_some_and(|outbox| outbox.held() > 0);
        self.at.is_exact &= count == 0 || !is_any_left;
        self.count_aged(now, count);
        self.at.aged.look_at
    }
}
