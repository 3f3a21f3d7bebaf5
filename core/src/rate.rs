//! How fast may messages go? At most `max_rate` PUBLISH in any second, for a broker that throttles.
//!
//! Messages go in bursts: ten in a second, or one for each message where that is fewer. From the end of one burst to the beginning of the next a
//! tenth of a second passes, and one millisecond more, since a clock that counts milliseconds is wrong by up to one. So no second, wherever it
//! begins, has parts of more than ten bursts. Their sizes take turns so that any ten in a row have `max_rate` messages. A token bucket would let
//! through twice as many at a boundary; a message at a time, evenly spaced, would cost a segment for each, and could not be told in milliseconds
//! above 1000 a second.

use core::num::NonZero;

use crate::time::{Instant, SECOND};

/// Bursts in a second, at most.
const BURSTS: u16 = 10;

/// Where in a second's bursts a session stands. It goes on over all connections.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rate {
    /// Messages that the current burst has left.
    left: u16,
    /// Number of the current burst among those of a second.
    number: u16,
    /// When the last byte of the burst before it went: until one goes again, it is the same burst, however often it is asked for.
    after: Instant,
}

impl Rate {
    /// Whether a message may go now, if the last byte of one went at `last`.
    pub(crate) fn allows(&mut self, max_rate: u16, last: Instant, now: Instant) -> bool {
        if now >= next_burst(max_rate, last) {
            let bursts = bursts(max_rate);
            let sum = |bursts_before: u16| {
                u32::from(max_rate) * u32::from(bursts_before) / NonZero::<u32>::from(bursts)
            };
            if last != self.after {
                self.after = last;
                self.number = (self.number + 1) % bursts;
            }
            // No more than `max_rate`, which has 16 bits.
            self.left = (sum(self.number + 1) - sum(self.number)) as u16;
        }
        !self.is_spent()
    }

    /// A message goes; whether it is the last of its burst.
    pub(crate) fn take(&mut self) -> bool {
        self.left = self.left.saturating_sub(1);
        self.is_spent()
    }

    pub(crate) fn is_spent(&self) -> bool {
        self.left == 0
    }
}

/// When the next burst may begin, if the last byte of the one before went at `last`.
pub(crate) fn next_burst(max_rate: u16, last: Instant) -> Instant {
    last + gap(max_rate)
}

/// The last byte that makes the next burst begin in a second from `now`: nobody knows what went before.
pub(crate) fn last_for_a_burst_in_a_second(max_rate: u16, now: Instant) -> Instant {
    now + (SECOND + 1).saturating_sub(gap(max_rate))
}

/// Milliseconds between two bursts.
fn gap(max_rate: u16) -> u64 {
    let bursts = NonZero::<u64>::from(bursts(max_rate));
    // Rounded up.
    (SECOND + bursts.get()) / bursts
}

fn bursts(max_rate: u16) -> NonZero<u16> {
    NonZero::new(max_rate.min(BURSTS)).unwrap_or(NonZero::<u16>::MIN)
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    /// The times at which messages go, in milliseconds, where so many come in each millisecond.
    fn times(max_rate: u16, until: u64, coming: impl Fn(u64) -> u32) -> Vec<u64> {
        let mut rate = Rate::default();
        let (mut last, mut waiting, mut times) = (Instant::default(), 0, Vec::new());
        for millis in 0..until {
            let now = Instant::from_millis(millis);
            waiting += coming(millis);
            while waiting > 0 && rate.allows(max_rate, last, now) {
                // What is there is written at once.
                last = now;
                waiting -= 1;
                times.push(millis);
                while !rate.take() && waiting > 0 {
                    waiting -= 1;
                    times.push(millis);
                }
            }
        }
        times
    }

    fn most_in_a_second(times: &[u64]) -> usize {
        let windows = times.iter().enumerate();
        let counts = windows
            .map(|(first, begin)| times[first..].partition_point(|time| *time <= begin + SECOND));
        counts.max().unwrap_or(0)
    }

    #[test]
    fn no_second_has_more_messages_than_max_rate_and_a_backlog_uses_99_in_100_of_it() {
        for max_rate in [
            1, 2, 3, 7, 9, 10, 11, 19, 99, 100, 101, 999, 1234, 20_000, 65_535,
        ] {
            let times = times(max_rate, 20_000, |_| 100);
            let most = most_in_a_second(&times);
            assert!(most <= usize::from(max_rate), "{max_rate}: {most}");
            let least = usize::from(max_rate) * 20 * 98 / 100 - usize::from(max_rate);
            assert!(times.len() >= least, "{max_rate}: {}", times.len());
        }
    }

    #[test]
    fn a_burst_that_nothing_goes_in_is_not_one() {
        // Asked twice for each burst but the first, as while a window is full, the larger ones came each time.
        for asked in 2..5 {
            let mut rate = Rate::default();
            let (mut last, mut times) = (Instant::default(), Vec::new());
            for millis in 0..5000 {
                let now = Instant::from_millis(millis);
                let asked = asked - usize::from(times.is_empty());
                if (0..asked).all(|_| rate.allows(15, last, now)) {
                    last = now;
                    times.push(millis);
                    while !rate.take() {
                        times.push(millis);
                    }
                }
            }
            assert!(most_in_a_second(&times) <= 15, "asked {asked} times");
        }
    }

    #[test]
    fn live_data_below_max_rate_waits_for_a_burst_at_most() {
        // 50 in a second, one by one, and a scan of 20 at once in each.
        for coming in [
            (|millis| u32::from(millis % 20 == 0)) as fn(u64) -> u32,
            |millis| if millis % 1000 == 500 { 20 } else { 0 },
        ] {
            let times = times(100, 10_000, coming);
            let mut come = (0..10_000).flat_map(|millis| (0..coming(millis)).map(move |_| millis));
            assert!(most_in_a_second(&times) <= 100);
            // The first burst of all waits for the clock.
            for (went, came) in times.iter().zip(&mut come) {
                assert!(went - came <= 102, "came {came}, went {went}");
            }
        }
    }
}
