//! What time is it, on a counter that wraps around?

/// Milliseconds since the start, made of a 32-bit counter that counts up and wraps around.
#[derive(Debug)]
pub struct Milliseconds {
    ticks_per_millisecond: u32,
    last: u32,
    /// Ticks that do not make a millisecond yet.
    rest: u32,
    milliseconds: u64,
}

impl Milliseconds {
    /// Starts at 0; the counter reads `now`.
    ///
    /// # Panics
    ///
    /// If `ticks_per_millisecond` is 0.
    #[must_use]
    pub const fn new(ticks_per_millisecond: u32, now: u32) -> Self {
        assert!(ticks_per_millisecond > 0, "a clock ticks");
        Self {
            ticks_per_millisecond,
            last: now,
            rest: 0,
            milliseconds: 0,
        }
    }

    /// The time when the counter reads `now`. Exact as long as this is called at least once each time that the counter goes round.
    pub fn at(&mut self, now: u32) -> u64 {
        let ticks = u64::from(now.wrapping_sub(self.last)) + u64::from(self.rest);
        let per_millisecond = u64::from(self.ticks_per_millisecond);
        self.last = now;
        self.milliseconds += ticks / per_millisecond;
        // Below `ticks_per_millisecond`, so it fits.
        self.rest = (ticks % per_millisecond) as u32;
        self.milliseconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on_when_the_counter_wraps_around_and_loses_no_fraction() {
        let mut clock = Milliseconds::new(25_000, u32::MAX - 10);
        let step = 3_333_333_333_u64;
        for turn in 1..1000 {
            let counter = (u64::from(u32::MAX - 10) + turn * step) as u32;
            assert_eq!(clock.at(counter), turn * step / 25_000);
        }
    }

    #[test]
    fn time_stands_still_between_two_milliseconds() {
        let mut clock = Milliseconds::new(1000, 0);
        for (counter, time) in [(999, 0), (1000, 1), (1000, 1), (1999, 1), (2000, 2)] {
            assert_eq!(clock.at(counter), time, "{counter}");
        }
    }
}
