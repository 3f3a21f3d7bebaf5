//! Which local port does the next connection have? One after the other, from a random one on: so none comes again before
//! all others were used, and the peer never takes a new connection for an old one (RFC 6056, 2.2).

/// The dynamic ports (RFC 6335, 6).
const FIRST: u16 = 49_152;
const COUNT: u16 = u16::MAX - FIRST + 1;

#[derive(Debug)]
pub(super) struct Ports {
    /// Counted from [`FIRST`], and less than [`COUNT`].
    next: u16,
}

impl Ports {
    pub fn new(seed: u64) -> Self {
        Ports {
            // All of the seed counts, whichever of its bits are random.
            next: (seed ^ seed >> 16 ^ seed >> 32 ^ seed >> 48) as u16 % COUNT,
        }
    }

    /// The next port that is not in use. So few are that one of the others is free.
    pub fn unused(&mut self, is_used: impl Fn(u16) -> bool) -> u16 {
        loop {
            let port = self.next();
            if !is_used(port) {
                return port;
            }
        }
    }

    fn next(&mut self) -> u16 {
        let port = FIRST + self.next;
        self.next = (self.next + 1) % COUNT;
        port
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_port_comes_again_before_all_others() {
        for seed in [0, 0x3fff, 0x1234_5678, u64::MAX] {
            let mut ports = Ports::new(seed);
            let all: BTreeSet<_> = (0..COUNT).map(|_| ports.next()).collect();
            assert_eq!(all.len(), usize::from(COUNT), "seed {seed}");
            assert!(all.iter().all(|port| *port >= FIRST));
        }
    }

    #[test]
    fn the_first_port_depends_on_the_seed() {
        for shift in [0, 16, 32, 48] {
            let first: BTreeSet<_> = (0..100)
                .map(|seed| Ports::new(seed << shift).next())
                .collect();
            assert_eq!(first.len(), 100, "random bits from bit {shift} on");
        }
    }
}
