//! Which of a name's addresses is next? The one that served last time; after one that did not, the next in turn.

use crate::time::SECOND;

/// A connection that has held for so many milliseconds shows that its address is a good one.
pub const SERVED: u64 = 5 * SECOND;

/// The addresses of one link's name, whose order may differ from answer to answer.
#[derive(Debug, Clone)]
pub struct Turns<A> {
    last: Option<A>,
    /// The last one served.
    keep: bool,
}

impl<A> Default for Turns<A> {
    fn default() -> Self {
        Turns {
            last: None,
            keep: false,
        }
    }
}

impl<A: Copy + PartialEq> Turns<A> {
    /// The address to try; `None` if there are none.
    pub fn next(&mut self, addresses: impl Iterator<Item = A> + Clone) -> Option<A> {
        // Behind its last place, or an address that is named twice would be the only one.
        let mut after = None;
        let mut seen = false;
        for address in addresses.clone() {
            if Some(address) == self.last {
                (seen, after) = (true, None);
            } else if seen && after.is_none() {
                after = Some(address);
            }
        }
        let next = if seen && self.keep {
            self.last
        } else {
            after.or_else(|| addresses.clone().next())
        };
        *self = Turns {
            last: next,
            keep: false,
        };
        next
    }

    /// A connection to the address that was tried last has held for so many milliseconds.
    pub fn held(&mut self, millis: u64) {
        self.keep = millis >= SERVED;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_take_turns_until_one_serves_and_after_it_fails() {
        let mut turns = Turns::default();
        for (addresses, held, expected) in [
            ("abc", 0, 'a'),
            ("abc", SERVED - 1, 'b'),
            ("abc", SERVED, 'c'),
            ("abc", SERVED, 'c'),
            // Whatever the order of the answer.
            ("cab", 0, 'c'),
            ("acb", SERVED, 'b'),
            // One that is gone.
            ("ac", 0, 'a'),
            ("ca", 0, 'c'),
            // Named twice.
            ("ccd", 0, 'd'),
            ("ccd", 0, 'c'),
            ("ccd", 0, 'd'),
            ("d", 0, 'd'),
            ("d", 0, 'd'),
        ] {
            assert_eq!(turns.next(addresses.chars()), Some(expected), "{addresses}");
            turns.held(held);
        }
        assert_eq!(turns.next("".chars()), None);
    }
}
