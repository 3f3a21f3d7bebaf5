//! A byte slice used as a ring: positions wrap at its end, no access leaves it, none panics.
//!
//! A ring passes over all of its bytes, however few it holds, and each page that was once touched costs memory. So it
//! begins with a small part of the slice, and takes more only when that is full.

use crate::bytes::move_within;

/// Positions are taken modulo the length, once: callers stay below twice the length.
pub(super) struct Ring<'a> {
    bytes: &'a mut [u8],
    /// Bytes in use, from the first on.
    len: usize,
}

/// Bytes that a ring begins with.
const FIRST_BYTES: usize = 16 * 1024;

impl<'a> Ring<'a> {
    /// A ring that uses the first `len` bytes, for the time being.
    pub(super) fn new(bytes: &'a mut [u8], len: usize) -> Self {
        let len = len.min(bytes.len());
        Ring { bytes, len }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The length that the ring can grow to.
    pub(super) fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// Makes the ring longer, if it can be. Its contents, `used` bytes from `start` on, may move: where they begin now.
    pub(super) fn grow(&mut self, start: usize, used: usize) -> usize {
        let old = self.len;
        self.len = grown(old, FIRST_BYTES, self.bytes.len());
        spread(self.bytes, start, used, old, self.len)
    }

    /// `position`, brought back into the ring.
    pub(super) fn wrap(&self, position: usize) -> usize {
        position.checked_sub(self.len).unwrap_or(position)
    }

    /// The `len` bytes at `at`, if they do not wrap.
    #[inline]
    pub(super) fn whole_run(&self, at: usize, len: usize) -> Option<&[u8]> {
        let at = self.wrap(at);
        let end = at.checked_add(len).filter(|end| *end <= self.len)?;
        self.bytes.get(at..end)
    }

    /// The same, to be written.
    #[inline]
    pub(super) fn run_mut(&mut self, at: usize, len: usize) -> Option<&mut [u8]> {
        let at = self.wrap(at);
        let end = at.checked_add(len).filter(|end| *end <= self.len)?;
        self.bytes.get_mut(at..end)
    }

    /// The `N` bytes at `at`.
    #[inline]
    pub(super) fn array<const N: usize>(&self, at: usize) -> [u8; N] {
        match self.whole_run(at, N).and_then(|run| run.first_chunk()) {
            Some(bytes) => *bytes,
            None => {
                let mut bytes = [0; N];
                self.read(at, &mut bytes);
                bytes
            }
        }
    }

    /// Fills `out` from `at` on.
    #[cold]
    #[inline(never)]
    pub(super) fn read(&self, at: usize, out: &mut [u8]) {
        let mut at = self.wrap(at);
        for place in out {
            *place = self.bytes.get(at).copied().unwrap_or_default();
            at = self.wrap(at + 1);
        }
    }

    /// Copies `piece` in, from `at` on.
    pub(super) fn write(&mut self, at: usize, piece: &[u8]) {
        let mut at = self.wrap(at);
        for byte in piece {
            if let Some(place) = self.bytes.get_mut(at) {
                *place = *byte;
            }
            at = self.wrap(at + 1);
        }
    }

    /// Moves `len` bytes at `from` towards the end by `by`, over whatever lies there.
    pub(super) fn shift(&mut self, from: usize, len: usize, by: usize) {
        shift(self.bytes, self.len, self.wrap(from), len, by);
    }
}

/// Moves `len` elements at `from` in the ring of the first `end` elements of `storage` towards its end by `by`, over whatever lies there.
/// `len` and `by` together are no more than `end`.
pub(super) fn shift<T: Copy>(storage: &mut [T], end: usize, from: usize, len: usize, by: usize) {
    let around = |position: usize| match position.checked_sub(end) {
        None | Some(0) => position,
        Some(position) => position,
    };
    // From the back, in pieces that neither wrap nor lie over their own place.
    let mut left = len;
    while left > 0 {
        let (source, target) = (around(from + left), around(from + left + by));
        let piece = left.min(by).min(source).min(target);
        if piece == 0 {
            return;
        }
        move_within(storage, source - piece..source, target - piece);
        left -= piece;
    }
}

/// The next length of a ring of `len` elements.
pub(super) fn grown(len: usize, first: usize, capacity: usize) -> usize {
    len.saturating_mul(2).max(first).min(capacity)
}

/// Turns the ring in the first `old` elements of `storage` into one of `new`, which is not less: where its contents,
/// `used` elements from `start` on, begin now. What lay before the old end moves to the new one, if they wrap around it.
pub(super) fn spread<T: Copy>(
    storage: &mut [T],
    start: usize,
    used: usize,
    old: usize,
    new: usize,
) -> usize {
    if start + used <= old || new > storage.len() {
        return start;
    }
    let moved = new - (old - start);
    move_within(storage, start..old, moved);
    moved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_read_back_from_every_position() {
        let piece = b"abcdefg";
        for at in 0..10 {
            let mut storage = [0; 10];
            let mut ring = Ring::new(&mut storage, 10);
            ring.write(at, piece);
            assert_eq!(ring.array(at), *piece, "at {at}");
            assert_eq!(ring.whole_run(at, 7).is_some(), at <= 3, "at {at}");
            assert_eq!(ring.run_mut(at, 7).is_some(), at <= 3, "at {at}");
        }
    }

    #[test]
    fn a_shift_keeps_the_bytes_wherever_they_lie() {
        for from in 0..10 {
            for by in 1..=3 {
                // Longer than the ring, which does not leave its part.
                let mut storage = [b'.'; 13];
                let mut ring = Ring::new(&mut storage, 10);
                ring.write(from, b"abcdefg");
                ring.shift(from, 7, by);
                let moved = ring.array(ring.wrap(from + by));
                assert_eq!(moved, *b"abcdefg", "from {from} by {by}");
                assert_eq!(storage[10..], *b"...", "from {from} by {by}");
            }
        }
    }

    #[test]
    fn a_ring_that_grows_keeps_its_contents_wherever_they_lie() {
        for capacity in 10..=25 {
            for start in 0..10 {
                for used in 0..=10 {
                    let content = &b"abcdefghij"[..used];
                    let mut storage = [0; 25];
                    let mut ring = Ring::new(&mut storage[..capacity], 10);
                    ring.write(start, content);
                    let start = ring.grow(start, used);
                    assert_eq!(ring.len(), capacity);
                    let mut kept = std::vec![0; used];
                    ring.read(start, &mut kept);
                    assert_eq!(kept, content, "{used} bytes at {start} of {capacity}");
                }
            }
        }
    }

    #[test]
    fn a_ring_doubles_up_to_its_storage() {
        let mut storage = [0; 100_000];
        let mut ring = Ring::new(&mut storage, 0);
        for len in [16_384, 32_768, 65_536, 100_000, 100_000] {
            ring.grow(0, 0);
            assert_eq!(ring.len(), len);
        }
    }

    #[test]
    fn an_empty_ring_takes_nothing_and_does_not_panic() {
        let mut ring = Ring::new(&mut [], 1);
        ring.write(0, b"abc");
        ring.shift(0, 0, 0);
        assert_eq!((ring.array(0), ring.whole_run(0, 3)), ([0; 3], None));
    }
}
