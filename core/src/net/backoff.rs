//! How long to wait before the next attempt to connect.

use crate::time::SECOND;

/// Delays of 0, 1, 2, 4, 8, 16, 32, 32, ... seconds.
#[derive(Debug, Clone, Default)]
pub struct Backoff {
    failures: u32,
}

/// The longest delay in milliseconds, and the one after a refusal that only a change of configuration can help.
pub const LONGEST: u64 = 32 * SECOND;

/// A connection that has held for so many milliseconds lets the delays start over.
pub const HELD: u64 = 60 * SECOND;

impl Backoff {
    /// The delay before the next attempt, in milliseconds.
    #[must_use]
    pub fn next_delay(&mut self) -> u64 {
        let delay = match self.failures {
            0 => 0,
            failures => (SECOND << (failures - 1).min(5)).min(LONGEST),
        };
        self.failures = self.failures.saturating_add(1);
        delay
    }

    /// Begins again with no delay.
    pub fn start_over(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delays_are_those_of_the_specification() {
        let mut backoff = Backoff::default();
        for seconds in [0, 1, 2, 4, 8, 16, 32, 32, 32] {
            assert_eq!(backoff.next_delay(), seconds * SECOND);
        }
        backoff.start_over();
        assert_eq!([backoff.next_delay(), backoff.next_delay()], [0, SECOND]);
        backoff.failures = u32::MAX;
        assert_eq!(backoff.next_delay(), LONGEST);
    }
}
