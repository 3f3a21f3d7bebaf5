//! Reconnect delays: how long to wait before the next attempt to connect.

use crate::random::Random;
use crate::time::SECOND;

/// Delays of 0, 1, 2, 4, 8, 16, 32, 32, ... seconds. Those of 2 s and more are shortened by a random part of up to a quarter, so that
/// a fleet of gateways does not come back in step after its broker has restarted.
#[derive(Debug, Clone, Default)]
pub struct Backoff {
    failures: u32,
    random: Random,
}

/// The longest delay in milliseconds, and the one after a refusal that only a change of configuration can help.
const LONGEST: u64 = 32 * SECOND;

/// The shortest delay in milliseconds that is shortened.
const SHORTENED_FROM: u64 = 2 * SECOND;

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
        self.shorten(delay)
    }

    /// The delay, in milliseconds, after a refusal that only a change of configuration can help.
    #[must_use]
    pub fn longest_delay(&mut self) -> u64 {
        self.shorten(LONGEST)
    }

    /// Begins again with no delay.
    pub fn start_over(&mut self) {
        self.failures = 0;
    }

    fn shorten(&mut self, delay: u64) -> u64 {
        if delay < SHORTENED_FROM {
            return delay;
        }
        // A quarter of the longest delay is 8,000 ms.
        delay - u64::from(self.random.below((delay / 4) as u16 + 1))
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
    }

    #[test]
    fn delays_from_2_s_on_are_shortened_by_up_to_a_quarter_and_differ_between_gateways() {
        let mut shortest = LONGEST;
        let mut longest = 0;
        for seed in 1..=1000 {
            let mut backoff = Backoff::new(Random::new(u32::wrapping_mul(seed, 0x9e37_79b9)));
            for seconds in [0, 1] {
                assert_eq!(backoff.next_delay(), seconds * SECOND, "seed {seed}");
            }
            for full in [2, 4, 8, 16, 32, 32].map(|seconds| seconds * SECOND) {
                let delay = backoff.next_delay();
                assert!(
                    (full / 4 * 3..=full).contains(&delay),
                    "seed {seed}: {delay}"
                );
            }
            let delay = backoff.longest_delay();
            shortest = shortest.min(delay);
            longest = longest.max(delay);
        }
        assert!(
            shortest < LONGEST / 4 * 3 + 200 && longest > LONGEST - 200,
            "{shortest} to {longest}"
        );
    }
}
