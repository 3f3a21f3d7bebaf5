//! Reconnect delays: how long to wait before the next attempt to connect.

use crate::random::Random;
use crate::time::SECOND;

/// Delays of 0, 1, 2, 4, 8, 16, 32, 32, ... seconds, from the second on shortened by a random part of up to seven eighths, so that a fleet of
/// gateways does not come back in step after its broker has restarted.
///
/// The part is so large since the rounds of a fleet have to overlap: shortened by up to a quarter, all attempts fell into the last quarter of each
/// delay, a broker that admits so many in a second stood idle between, and the last of 10,000 was back after three times as long as
/// the broker needed. `docs/fleet.md` has the figures.
#[derive(Debug, Clone, Default)]
pub struct Backoff {
    failures: u32,
    random: Random,
}

/// The longest delay in milliseconds, and the one after a refusal that only a change of configuration can help.
const LONGEST: u64 = 32 * SECOND;

/// Random parts, in 1024ths of a delay.
const SEVEN_EIGHTHS: u16 = 896;
const A_QUARTER: u16 = 256;

/// A connection that has held for so many milliseconds lets the delays start over.
pub const HELD: u64 = 60 * SECOND;

impl Backoff {
    /// Delays whose random part this generator draws.
    #[must_use]
    pub fn new(random: Random) -> Self {
        Backoff {
            failures: 0,
            random,
        }
    }

    /// The delay before the next attempt, in milliseconds.
    #[must_use]
    pub fn next_delay(&mut self) -> u64 {
        let delay = match self.failures {
            0 => 0,
            failures => (SECOND << (failures - 1).min(5)).min(LONGEST),
        };
        self.failures = self.failures.saturating_add(1);
        self.shorten(delay, SEVEN_EIGHTHS)
    }

    /// The delay, in milliseconds, after a refusal that only a change of configuration can help: shortened by up to a quarter.
    #[must_use]
    pub fn longest_delay(&mut self) -> u64 {
        self.shorten(LONGEST, A_QUARTER)
    }

    /// The delay, in milliseconds, after so many connections in a row that the peer did nothing with: twice as long each time, from the longest
    /// of the others on, up to eight times that; shortened by up to a quarter.
    #[must_use]
    pub fn later_delay(&mut self, times: u8) -> u64 {
        self.shorten(LONGEST << times.min(3), A_QUARTER)
    }

    /// Begins again with no delay.
    pub fn start_over(&mut self) {
        self.failures = 0;
    }

    fn shorten(&mut self, delay: u64, most: u16) -> u64 {
        delay - ((delay * u64::from(self.random.below(most + 1))) >> 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delays_are_those_of_the_specification() {
        let mut backoff = Backoff::new(Random::new(0));
        for seconds in [0, 1, 2, 4, 8, 16, 32, 32, 32] {
            assert_eq!(backoff.next_delay(), seconds * SECOND);
        }
        backoff.start_over();
        assert_eq!([backoff.next_delay(), backoff.next_delay()], [0, SECOND]);
        backoff.failures = u32::MAX;
        assert_eq!(backoff.next_delay(), LONGEST);
        for (times, seconds) in [(0, 32), (1, 64), (2, 128), (3, 256), (u8::MAX, 256)] {
            assert_eq!(backoff.later_delay(times), seconds * SECOND);
        }
    }

    /// The shortest and the longest of a thousand gateways' delays.
    fn extremes(mut delay: impl FnMut(&mut Backoff) -> u64) -> (u64, u64) {
        let seeds = (1..=1000).map(|seed| u32::wrapping_mul(seed, 0x9e37_79b9));
        seeds.fold((u64::MAX, 0), |(shortest, longest), seed| {
            let delay = delay(&mut Backoff::new(Random::new(seed)));
            (shortest.min(delay), longest.max(delay))
        })
    }

    #[test]
    fn delays_from_1_s_on_are_shortened_by_up_to_seven_eighths_and_differ_between_gateways() {
        for (failures, full) in (1..).zip([1, 2, 4, 8, 16, 32, 32].map(|seconds| seconds * SECOND))
        {
            let (shortest, longest) = extremes(|backoff| {
                backoff.failures = failures;
                backoff.next_delay()
            });
            assert!(shortest >= full / 8 && longest <= full, "{full}");
            let margin = full / 50;
            assert!(
                shortest < full / 8 + margin && longest > full - margin,
                "{full}: {shortest} to {longest}"
            );
        }
    }

    #[test]
    fn the_long_delays_are_shortened_by_up_to_a_quarter() {
        for (full, (shortest, longest)) in [
            (LONGEST, extremes(Backoff::longest_delay)),
            (8 * LONGEST, extremes(|backoff| backoff.later_delay(9))),
        ] {
            let margin = full / 100;
            assert!(shortest >= full / 4 * 3 && longest <= full, "{full}");
            assert!(
                shortest < full / 4 * 3 + margin && longest > full - margin,
                "{full}: {shortest} to {longest}"
            );
        }
    }
}
