//! What do nom's parsers read here? Bytes that can be cut anywhere: nom's own way to cut a slice panics behind its end. No
//! parser goes there, but an optimiser cannot always see that.

use core::iter::{Copied, Enumerate};
use core::slice::Iter;

use nom::{Compare, CompareResult, Needed, Offset};

/// Bytes to be parsed; a cut behind their end is one at their end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Input<'a>(pub &'a [u8]);

impl<'a> nom::Input for Input<'a> {
    type Item = u8;
    type Iter = Copied<Iter<'a, u8>>;
    type IterIndices = Enumerate<Self::Iter>;

    fn input_len(&self) -> usize {
        self.0.len()
    }

    fn take(&self, index: usize) -> Self {
        self.take_split(index).1
    }

    fn take_from(&self, index: usize) -> Self {
        self.take_split(index).0
    }

    #[inline]
    fn take_split(&self, index: usize) -> (Self, Self) {
        let (before, after) = self.0.split_at_checked(index).unwrap_or((self.0, &[]));
        (Input(after), Input(before))
    }

    fn position<P: Fn(u8) -> bool>(&self, predicate: P) -> Option<usize> {
        self.0.iter().position(|byte| predicate(*byte))
    }

    fn iter_elements(&self) -> Self::Iter {
        self.0.iter().copied()
    }

    fn iter_indices(&self) -> Self::IterIndices {
        self.iter_elements().enumerate()
    }

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
    fn compare(&self, tag: T) -> CompareResult {
        self.0.compare(tag)
    }

    fn compare_no_case(&self, tag: T) -> CompareResult {
        self.0.compare_no_case(tag)
    }
}

impl Offset for Input<'_> {
    fn offset(&self, second: &Self) -> usize {
        self.0.offset(second.0)
    }
}
