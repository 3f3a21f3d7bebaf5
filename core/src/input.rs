//! What do nom's parsers read here, and how is it cut with no way to panic?
//!
//! nom cuts its own input, `&[u8]`, by indices, which panics behind the end. No parser goes there, but the optimiser does not always see it,
//! and the core may hold nothing that looks like a panic (`core/no-panic`).

use core::iter::{Copied, Enumerate};
use core::slice::Iter;

use nom::{Compare, CompareResult, Needed, Offset};

/// Bytes to be parsed. A cut behind their end is one at their end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Input<'a>(pub &'a [u8]);

/// What follows, and what was read. Which rule was broken, no parser says: there are too few of them.
pub(crate) type Parsed<'a, T> = nom::IResult<Input<'a>, T, ()>;

impl<'a> nom::Input for Input<'a> {
    type Item = u8;
    type Iter = Copied<Iter<'a, u8>>;
    type IterIndices = Enumerate<Self::Iter>;

    #[inline]
    fn input_len(&self) -> usize {
        self.0.len()
    }

    #[inline]
    fn take(&self, index: usize) -> Self {
        Input(self.0.get(..index).unwrap_or(self.0))
    }

    #[inline]
    fn take_from(&self, index: usize) -> Self {
        Input(self.0.get(index..).unwrap_or_default())
    }

    #[inline]
    fn take_split(&self, index: usize) -> (Self, Self) {
        (self.take_from(index), self.take(index))
    }

    #[inline]
    fn position<P: Fn(u8) -> bool>(&self, predicate: P) -> Option<usize> {
        self.0.iter().position(|byte| predicate(*byte))
    }

    #[inline]
    fn iter_elements(&self) -> Self::Iter {
        self.0.iter().copied()
    }

    #[inline]
    fn iter_indices(&self) -> Self::IterIndices {
        self.iter_elements().enumerate()
    }

    #[inline]
    fn slice_index(&self, count: usize) -> Result<usize, Needed> {
        match count.checked_sub(self.0.len()) {
            None | Some(0) => Ok(count),
            Some(missing) => Err(Needed::new(missing)),
        }
    }
}

impl<T> Compare<T> for Input<'_>
where
    for<'b> &'b [u8]: Compare<T>,
{
    #[inline]
    fn compare(&self, tag: T) -> CompareResult {
        self.0.compare(tag)
    }

    #[inline]
    fn compare_no_case(&self, tag: T) -> CompareResult {
        self.0.compare_no_case(tag)
    }
}

impl Offset for Input<'_> {
    /// `second` is what is left of it.
    #[inline]
    fn offset(&self, second: &Self) -> usize {
        self.0.len().saturating_sub(second.0.len())
    }
}

#[cfg(test)]
mod tests {
    use nom::Input as _;

    use super::*;

    #[test]
    fn a_cut_behind_the_end_is_one_at_the_end() {
        let input = Input(b"abc");
        for (index, front, rest) in [
            (0, &b""[..], &b"abc"[..]),
            (2, b"ab", b"c"),
            (3, b"abc", b""),
            (4, b"abc", b""),
            (usize::MAX, b"abc", b""),
        ] {
            assert_eq!(input.take(index), Input(front), "{index}");
            assert_eq!(input.take_from(index), Input(rest), "{index}");
            assert_eq!(input.take_split(index), (Input(rest), Input(front)));
            assert_eq!(input.slice_index(index).is_ok(), index <= 3, "{index}");
        }
    }
}
