//! What lies at this place of a segment?

use super::block::{BLOCK, HEAD, Head, SegmentHead};

/// Bytes of a segment that are in memory.
pub(super) struct Window<'a> {
    bytes: &'a mut [u8; BLOCK],
    /// Where they begin, and how many there are.
    filled: Option<(Position, usize)>,
}

/// A place on storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Position {
    pub(super) segment: u32,
    pub(super) at: u32,
}

/// What lies at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    SegmentHead(SegmentHead),
    Block(Head),
    /// The head of a block whose entries are not as they were written.
    Damaged(Head),
    /// A word that was written, and is no head.
    Garbage,
    /// A word that was never written.
    Erased,
    /// The segment ends here.
    End,
}

impl<'a> Window<'a> {
    pub(super) fn new(bytes: &'a mut [u8; BLOCK]) -> Self {
        Window {
            bytes,
            filled: None,
        }
    }

    /// Where bytes of a segment go: all of them.
    pub(super) fn room(&mut self) -> &mut [u8] {
        self.filled = None;
        self.bytes
    }

    /// So many bytes were read from this place on.
    pub(super) fn fill(&mut self, position: Position, len: usize) {
        self.filled = Some((position, len.min(BLOCK)));
    }

    /// What is in memory is not what is on storage any more.
    pub(super) fn forget(&mut self) {
        self.filled = None;
    }

    /// What lies at this place; `None` if it has to be read, from there on, or to be read again, since this window ends in the middle of it.
    pub(super) fn look(&self, position: Position) -> Option<Found> {
        let (before, rest, is_last) = self.rest(position)?;
        let Some(word) = rest.get(..HEAD) else {
            let found = if rest.is_empty() {
                Found::End
            } else {
                Found::Garbage
            };
            return is_last.then_some(found);
        };
        if let Some(head) = SegmentHead::read(word) {
            return Some(Found::SegmentHead(head));
        }
        let Some(head) = Head::read(word) else {
            let is_erased = word.iter().all(|byte| *byte == 0xff);
            return Some(if is_erased {
                Found::Erased
            } else {
                Found::Garbage
            });
        };
        if rest.len() < HEAD + usize::from(head.len) && !is_last && before > 0 {
            return None;
        }
        Some(match head.entries(rest) {
            Some(_) => Found::Block(head),
            None => Found::Damaged(head),
        })
    }

    /// The entries of the block at this place.
    pub(super) fn entries(&self, position: Position, head: &Head) -> Option<&[u8]> {
        let (_, rest, _) = self.rest(position)?;
        rest.get(HEAD..HEAD + usize::from(head.len))
    }

    /// How many bytes are here before this place, those from there on, and whether the segment ends with them: a window shorter than its
    /// room ends where the segment ends.
    fn rest(&self, position: Position) -> Option<(usize, &[u8], bool)> {
        let (start, len) = self.filled?;
        let before = position.at.checked_sub(start.at)? as usize;
        let is_here = position.segment == start.segment;
        let rest = self.bytes.get(before..len).filter(|_| is_here)?;
        Some((before, rest, len < BLOCK))
    }
}

impl Position {
    /// The place so many bytes further on.
    pub(super) fn behind(self, len: usize) -> Self {
        Position {
            at: self.at.saturating_add(len as u32),
            ..self
        }
    }
}
