//! How long has a sample waited? Where it counts, each has a stamp that says when it was accepted: for `message_expiry`, and for `max_age`, after
//! which it is dropped as long as no byte of it was sent.

#[cfg(feature = "spool")]
use crate::log::warning;
use crate::time::Instant;
#[cfg(feature = "spool")]
use crate::time::SECOND;

use super::Session;

/// A point in time as a sample's stamp has it: 15.6 to a second, so that it comes back to where it was after 8 years.
pub(super) fn stamp(millis: i64) -> u32 {
    (millis >> STAMP_BITS) as u32
}

/// Bits of a millisecond count that a stamp leaves out.
const STAMP_BITS: u32 = 6;

/// Milliseconds since the point in time of a stamp, 4 years at most; one that is to come is now.
pub(super) fn age(stamped: u32, now: Instant) -> u64 {
    const AROUND: u64 = (1 << (u32::BITS + STAMP_BITS)) - 1;
    let waited = now
        .as_millis()
        .wrapping_sub(u64::from(stamped) << STAMP_BITS)
        & AROUND;
    if waited > AROUND / 2 { 0 } else { waited }
}

/// Dropped samples are spoken of once in so many milliseconds.
#[cfg(feature = "spool")]
const QUIET: u64 = 60 * SECOND;

/// What is known of samples that were dropped for their age.
#[cfg(feature = "spool")]
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Aged {
    /// Those that nothing was said of yet.
    unsaid: u64,
    said_at: Option<Instant>,
    look_at: Instant,
}

impl Session<'_> {
    /// Samples that are queued from now on were accepted at this time, in milliseconds from time 0, which may be before it.
    #[inline]
    pub fn accepts_at(&mut self, millis: i64) {
        if self.has_stamps() {
            self.outbox.stamp = Some(stamp(millis));
        }
    }

    /// Samples that are queued from now on were accepted then, as another session's outbox has it.
    pub fn accepted_then(&mut self, stamp: Option<u32>) {
        self.outbox.stamp = stamp.filter(|_| self.has_stamps());
    }

    #[inline]
    fn has_stamps(&self) -> bool {
        #[cfg(feature = "spool")]
        if self.device.max_age > 0 {
            return true;
        }
        cfg!(feature = "mqtt5") && self.device.message_expiry > 0
    }

    /// Drops what has waited for longer than `max_age`, and calls `forget` with the signal of each; when to look again.
    #[cfg(feature = "spool")]
    pub fn drop_aged(&mut self, now: Instant, forget: &mut dyn FnMut(u32)) -> Instant {
        let max_age = u64::from(self.device.max_age) * SECOND;
        if max_age == 0 || self.outbox.queued() == 0 {
            return Instant::NEVER;
        }
        if now < self.state.aged.look_at {
            return self.state.aged.look_at;
        }
        self.state.aged.look_at = now + SECOND;
        let is_aged = |stamped: Option<u32>| stamped.is_some_and(|at| age(at, now) > max_age);
        if self.outbox.is_any_unsent(is_aged) {
            let dropped = self.withdraw(&mut |held| {
                let is_aged = held.is_unsent && is_aged(held.stamp);
                if is_aged {
                    forget(held.signal());
                }
                is_aged
            });
            self.count_aged(now, dropped as u64);
        }
        self.state.aged.look_at
    }

    /// So many samples were dropped that had waited for longer than `max_age`.
    #[cfg(feature = "spool")]
    pub fn count_aged(&mut self, now: Instant, count: u64) {
        self.state.counters.dropped += count;
        let aged = &mut self.state.aged;
        aged.unsaid += count;
        if aged.unsaid > 0 && aged.said_at.is_none_or(|at| now.since(at) >= QUIET) {
            warning!(
                "{}: {} samples are dropped that have waited for more than {} s (max_age)",
                self.device.alias,
                aged.unsaid,
                self.device.max_age
            );
            aged.unsaid = 0;
            aged.said_at = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_exact_to_a_sixteenth_of_a_second_also_across_time_0() {
        for (accepted, now) in [(0, 0), (0, 100_000), (-5000, 3000), (-4_000_000_000, 1_000)] {
            let exact = (now - accepted) as u64;
            let found = age(stamp(accepted), Instant::from_millis(now as u64));
            assert!(found.abs_diff(exact) < 64, "{accepted} {now}: {found}");
        }
        assert_eq!(age(stamp(5000), Instant::from_millis(1000)), 0, "to come");
    }
}
