//! Which entry of a table has this name? A hash index over borrowed memory.
//!
//! The table itself stays with the caller; the index holds entry numbers only, one `u32` per slot. That keeps it
//! small (6 bytes per entry, see [`Index::slots_for`]) and lets one implementation serve tables of different rows:
//! the caller hashes the name with [`hash`] and says, entry by entry, whether the name is equal.
//!
//! ```
//! use mqtt_client_core::index::{Index, hash};
//!
//! let channels = ["tag/cloud/p/in", "tag/cloud/q/in"];
//! let mut slots = [0; Index::slots_for(2)];
//! let mut index = Index::new(&mut slots);
//! for (entry, channel) in (0..).zip(channels) {
//!     index.insert(hash(&[channel.as_bytes()]), entry).unwrap();
//! }
//! // A name may be hashed in pieces.
//! let wanted = hash(&[b"tag/", b"cloud", b"/", b"q", b"/in"]);
//! assert_eq!(index.lookup(wanted, |entry| channels[entry as usize] == "tag/cloud/q/in"), Some(1));
//! ```

/// Open addressing with linear probing. Single entries cannot be removed.
#[derive(Debug)]
pub struct Index<'s> {
    slots: &'s mut [u32],
}

/// No slot is free, or the entry is not below [`MAX_ENTRIES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// Entries are numbered below this.
pub const MAX_ENTRIES: u32 = (1 << ENTRY) - 1;

/// Bits of a slot that hold the entry; above them is a part of its hash, so that almost no name is compared in vain.
const ENTRY: u32 = 21;

/// What a slot holds until an entry takes it.
const FREE: u32 = u32::MAX;

impl<'s> Index<'s> {
    /// Slots that `entries` entries should have: three for two entries, and one more, so that a lookup of an unknown
    /// name always meets a free slot. With that, a lookup that hits looks at 2 slots on average, one that misses at 5; the names of others are
    /// compared once in 2,048 times.
    #[must_use]
    pub const fn slots_for(entries: usize) -> usize {
        entries.saturating_add(entries / 2).saturating_add(1)
    }

    /// An empty index over `slots`, whatever they held. Any length works; fewer slots only make it slower.
    pub fn new(slots: &'s mut [u32]) -> Self {
        let mut index = Index { slots };
        index.clear();
        index
    }

    /// Removes all entries.
    pub fn clear(&mut self) {
        self.slots.fill(FREE);
    }

    /// Adds an entry, next to any others with the same name.
    pub fn insert(&mut self, hash: u32, entry: u32) -> Result<(), Full> {
        if entry >= MAX_ENTRIES {
            return Err(Full);
        }
        let home = self.home(hash);
        let (before, after) = self.slots.split_at_mut_checked(home).ok_or(Full)?;
        let mut slots = after.iter_mut().chain(before);
        *slots.find(|slot| **slot == FREE).ok_or(Full)? = entry | tag(hash);
        Ok(())
    }

    /// The first entry with this hash's name that was inserted, or `None`.
    ///
    /// `equal` is asked about each candidate: is this entry's name the one sought?
    #[must_use]
    #[inline]
    pub fn lookup(&self, hash: u32, mut equal: impl FnMut(u32) -> bool) -> Option<u32> {
        let (before, after) = self.slots.split_at_checked(self.home(hash))?;
        let tag = tag(hash);
        // Two loops rather than one over a chained iterator: this is the way of every sample.
        for part in [after, before] {
            for &slot in part {
                if slot == FREE {
                    return None;
                }
                let entry = slot ^ tag;
                if entry < MAX_ENTRIES && equal(entry) {
                    return Some(entry);
                }
            }
        }
        None
    }

    /// Where probing starts: the hash scaled to the number of slots, which needs no division and no power of two.
    fn home(&self, hash: u32) -> usize {
        ((u64::from(hash) * self.slots.len() as u64) >> 32) as usize
    }
}

/// The lower bits of a hash, where a slot has room for them: its home comes from the upper ones.
#[inline]
fn tag(hash: u32) -> u32 {
    hash << ENTRY
}

/// A hash of the pieces' bytes, one after the other: the same for any division into pieces, and on either byte order.
///
/// Each word of four bytes is mixed in with a rotation and one multiplication, as rustc's FxHash does it, which is a third of what
/// MurmurHash3 takes; what a table needs of it are the upper bits. It is no defence against names that were chosen to collide.
#[must_use]
pub fn hash(pieces: &[&[u8]]) -> u32 {
    let mut state = 0;
    let mut length = 0_usize;
    // The word that a piece's end left incomplete, and how many bits of it there are.
    let (mut word, mut bits) = (0, 0);
    for &byte in pieces.iter().copied().flatten() {
        word |= u32::from(byte) << bits;
        bits += 8;
        length += 1;
        if bits == 32 {
            state = step(state, word);
            (word, bits) = (0, 0);
        }
    }
    finish(state, word, length)
}

/// The same of one piece, quicker.
#[inline]
#[must_use]
pub fn hash_whole(name: &[u8]) -> u32 {
    let mut state = 0;
    let mut rest = name;
    while let Some((word, behind)) = rest.split_first_chunk() {
        state = step(state, u32::from_le_bytes(*word));
        rest = behind;
    }
    let mut word = 0;
    for &byte in rest.iter().rev() {
        word = word << 8 | u32::from(byte);
    }
    finish(state, word, name.len())
}

#[inline]
fn step(state: u32, word: u32) -> u32 {
    (state.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9)
}

/// The last word, of fewer than four bytes, and the length; the multiplication carries the lower bits to the upper ones.
#[inline]
fn finish(state: u32, word: u32, length: usize) -> u32 {
    let state = step(step(state, word), length as u32);
    (state ^ state >> 15).wrapping_mul(0x85eb_ca6b)
}

#[cfg(test)]
mod tests {
    use super::{FREE, Full, Index, MAX_ENTRIES, hash, hash_whole};

    #[test]
    fn the_hash_does_not_depend_on_the_division_into_pieces() {
        let text = b"tag/cloud/active_power/in";
        let whole = hash_whole(text);
        for len in 0..text.len() {
            assert_eq!(hash(&[&text[..len]]), hash_whole(&text[..len]), "{len}");
        }
        for first in 0..=text.len() {
            for second in first..=text.len() {
                let pieces = [&text[..first], &text[first..second], &text[second..]];
                assert_eq!(hash(&pieces), whole, "{first} {second}");
            }
        }
    }

    #[test]
    fn every_entry_is_found_however_full_the_index_is() {
        const ENTRIES: u32 = 500;
        let mut slots = [0; Index::slots_for(ENTRIES as usize)];
        for length in [ENTRIES as usize, ENTRIES as usize + 1, slots.len()] {
            let mut index = Index::new(&mut slots[..length]);
            for entry in 0..ENTRIES {
                assert_eq!(index.insert(hash(&[&entry.to_le_bytes()]), entry), Ok(()));
            }
            for entry in 0..ENTRIES {
                let found = index.lookup(hash(&[&entry.to_le_bytes()]), |other| other == entry);
                assert_eq!(found, Some(entry), "{length} slots");
            }
            let stranger = hash(&[&ENTRIES.to_le_bytes()]);
            assert_eq!(index.lookup(stranger, |other| other == ENTRIES), None);
        }
    }

    #[test]
    fn a_lookup_compares_few_names_however_many_there_are() {
        const ENTRIES: u32 = 10_000;
        let mut slots = std::vec![0; Index::slots_for(ENTRIES as usize)];
        let mut index = Index::new(&mut slots);
        let name = |entry: u32| hash(&[b"tag/cloud/signal_", &entry.to_le_bytes(), b"/in"]);
        for entry in 0..ENTRIES {
            assert_eq!(index.insert(name(entry), entry), Ok(()));
        }
        let mut compared = 0;
        for entry in 0..ENTRIES {
            let found = index.lookup(name(entry), |other| {
                compared += 1;
                other == entry
            });
            assert_eq!(found, Some(entry));
        }
        assert!(compared < ENTRIES + ENTRIES / 100, "{compared} comparisons");
    }

    #[test]
    fn of_two_equal_names_the_first_is_found() {
        let mut slots = [0; 4];
        let mut index = Index::new(&mut slots);
        for entry in [7, 8] {
            assert_eq!(index.insert(u32::MAX, entry), Ok(()));
        }
        assert_eq!(index.lookup(u32::MAX, |_| true), Some(7));
    }

    #[test]
    fn a_full_index_refuses_and_still_answers() {
        let mut slots = [0; 1];
        let mut index = Index::new(&mut slots);
        assert_eq!(index.insert(1, FREE), Err(Full));
        assert_eq!(index.insert(1, MAX_ENTRIES), Err(Full));
        assert_eq!(index.insert(1, 10), Ok(()));
        assert_eq!(index.insert(2, 20), Err(Full));
        assert_eq!(index.lookup(2, |entry| entry == 20), None);

        let mut none = Index::new(&mut []);
        assert_eq!(none.insert(3, 30), Err(Full));
        assert_eq!(none.lookup(3, |_| true), None);
    }
}
