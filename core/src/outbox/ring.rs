//! A byte slice used as a ring: positions wrap at its end, no access leaves it, none panics.

/// Positions are taken modulo the capacity, once: callers stay below twice the capacity.
pub(super) struct Ring<'a> {
    bytes: &'a mut [u8],
}

impl<'a> Ring<'a> {
    pub(super) fn new(bytes: &'a mut [u8]) -> Self {
        Ring { bytes }
    }

    pub(super) fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// `position`, brought back into the ring.
    pub(super) fn wrap(&self, position: usize) -> usize {
        position.checked_sub(self.bytes.len()).unwrap_or(position)
    }

    /// Copies `piece` in at `at`; the position behind it.
    #[inline]
    pub(super) fn write(&mut self, at: usize, piece: &[u8]) -> usize {
        let at = self.wrap(at);
        let end = at + piece.len();
        if let Some(room) = self.bytes.get_mut(at..end) {
            room.copy_from_slice(piece);
        } else {
            self.write_around(at, piece);
        }
        self.wrap(end)
    }

    #[cold]
    fn write_around(&mut self, at: usize, piece: &[u8]) {
        let (tail, head) = piece
            .split_at_checked(self.bytes.len() - at)
            .unwrap_or((piece, &[]));
        for (position, part) in [(at, tail), (0, head)] {
            if let Some(room) = self.bytes.get_mut(position..position + part.len()) {
                room.copy_from_slice(part);
            }
        }
    }

    /// The bytes from `at`, `len` of them or as many as lie before the end of the slice.
    pub(super) fn run(&self, at: usize, len: usize) -> &[u8] {
        let at = self.wrap(at);
        let end = (at + len).min(self.bytes.len());
        self.bytes.get(at..end).unwrap_or_default()
    }

    pub(super) fn byte(&self, at: usize) -> u8 {
        self.bytes.get(self.wrap(at)).copied().unwrap_or_default()
    }

    pub(super) fn set(&mut self, at: usize, value: u8) {
        let at = self.wrap(at);
        if let Some(byte) = self.bytes.get_mut(at) {
            *byte = value;
        }
    }

    /// Moves `len` bytes at `from` towards the end by `by`, over whatever lies there.
    pub(super) fn shift(&mut self, from: usize, len: usize, by: usize) {
        let from = self.wrap(from);
        if from + len + by <= self.bytes.len() {
            self.bytes.copy_within(from..from + len, from + by);
            return;
        }
        for offset in (0..len).rev() {
            let byte = self.byte(from + offset);
            self.set(self.wrap(from + offset) + by, byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_read_back_from_every_position() {
        let piece = b"abcdefg";
        for at in 0..10 {
            let mut storage = [0; 10];
            let mut ring = Ring::new(&mut storage);
            let end = ring.write(at, piece);
            assert_eq!(end, (at + 7) % 10);
            let first = ring.run(at, 7).to_vec();
            let second = ring.run(at + first.len(), 7 - first.len()).to_vec();
            assert_eq!([first, second].concat(), piece);
        }
    }

    #[test]
    fn a_shift_keeps_the_bytes_wherever_they_lie() {
        for from in 0..10 {
            for by in 1..=3 {
                let mut storage = [0; 10];
                let mut ring = Ring::new(&mut storage);
                ring.write(from, b"abcdefg");
                ring.shift(from, 7, by);
                let moved: std::vec::Vec<u8> = (0..7)
                    .map(|offset| ring.byte(ring.wrap(from + by) + offset))
                    .collect();
                assert_eq!(moved, b"abcdefg", "from {from} by {by}");
            }
        }
    }

    #[test]
    fn an_empty_ring_takes_nothing_and_does_not_panic() {
        let mut ring = Ring::new(&mut []);
        ring.write(0, b"abc");
        ring.set(0, 1);
        ring.shift(0, 0, 0);
        assert_eq!((ring.byte(0), ring.run(0, 3)), (0, &[][..]));
    }
}
