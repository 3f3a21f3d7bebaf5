//! Time as a parameter: the core reads no clock.

use core::ops::Add;

/// One second, in the unit of [`Instant`].
pub const SECOND: u64 = 1000;

/// A point in time: milliseconds since a moment that the caller chose, and never goes back on.
///
/// Durations are plain `u64` milliseconds. A clock that jumps back makes waits longer, and nothing worse:
/// differences saturate at zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Instant(u64);

impl Instant {
    /// Later than any deadline.
    pub const NEVER: Instant = Instant(u64::MAX);

    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Instant(millis)
    }

    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Milliseconds since `earlier`; zero if that is later.
    #[must_use]
    pub const fn since(self, earlier: Instant) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<u64> for Instant {
    type Output = Instant;

    fn add(self, millis: u64) -> Instant {
        Instant(self.0.saturating_add(millis))
    }
}
