//! Random numbers that need not be secret: where packet identifiers begin, and how much a reconnect delay is shortened.
//!
//! The generator is Marsaglia's xorshift with 32 bits: three shifts, no multiplication, four bytes of state. The port draws the seed.

/// A random number generator.
#[derive(Debug, Clone, Default)]
pub struct Random(u32);

impl Random {
    /// A generator with this seed. The seed 0 yields nothing but 0, for tests that show exact times and identifiers.
    #[must_use]
    pub const fn new(seed: u32) -> Self {
        Random(seed)
    }

    /// The next number, from 0 up to `end`, not included.
    pub fn below(&mut self, end: u16) -> u16 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        // The upper half of a product is a fair share of its factor, without a division.
        (((self.0 >> 16) * u32::from(end)) >> 16) as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_below_the_end_and_reach_both_ends() {
        let mut random = Random::new(1);
        let mut counts = [0; 10];
        for _ in 0..10_000 {
            counts[usize::from(random.below(10))] += 1;
        }
        assert!(
            counts.iter().all(|count| (800..1200).contains(count)),
            "{counts:?}"
        );
    }

    #[test]
    fn the_seed_0_yields_zeros_and_an_end_of_0_does_not_panic() {
        assert_eq!(Random::new(0).below(u16::MAX), 0);
        assert_eq!(Random::new(77).below(0), 0);
    }
}
