//! How are elements put into a buffer, and moved in it, with no way to panic? The standard library's own ways panic where lengths do
//! not fit together; here they are looked at first, in a form in which the optimiser can see that nothing is left to panic about.

use core::ops::Range;

/// Copies `piece` to `at`; the position behind it, or `None` if it does not fit.
pub(crate) fn put<T: Copy>(buffer: &mut [T], at: usize, piece: &[T]) -> Option<usize> {
    let end = at.checked_add(piece.len())?;
    buffer.get_mut(at..end)?.copy_from_slice(piece);
    Some(end)
}

/// Copies the pieces to the front, one after the other; `None` at the first that does not fit.
pub(crate) fn join<T: Copy>(buffer: &mut [T], pieces: &[&[T]]) -> Option<()> {
    let mut at = 0;
    for piece in pieces {
        at = put(buffer, at, piece)?;
    }
    Some(())
}

/// Whether `whole` is the pieces, one after the other. From the end on: there the channels of a device differ.
pub(crate) fn is_joined(whole: &[u8], pieces: &[&[u8]]) -> bool {
    let mut rest = whole;
    for piece in pieces.iter().rev() {
        match rest.strip_suffix(*piece) {
            Some(before) => rest = before,
            None => return false,
        }
    }
    rest.is_empty()
}

/// Moves the elements at `from` to `to`, over whatever lies there; nothing moves if any of them are outside the slice, or would be.
///
/// They go in pieces as long as the way, so that no piece lies over its own place: the shorter the way, the slower.
pub(crate) fn move_within<T: Copy>(slice: &mut [T], from: Range<usize>, to: usize) {
    let Range { start, end } = from;
    if start >= end {
        return;
    }
    if start < to {
        let way = to - start;
        let touched = slice.get_mut(start..end.saturating_add(way));
        let mut pieces = touched.unwrap_or_default().rchunks_mut(way);
        let mut target = pieces.next().unwrap_or_default();
        for piece in pieces {
            put(target, way - piece.len(), piece);
            target = piece;
        }
    } else if to < start {
        let touched = slice.get_mut(to..end);
        let mut pieces = touched.unwrap_or_default().chunks_mut(start - to);
        let mut target = pieces.next().unwrap_or_default();
        for piece in pieces {
            put(target, 0, piece);
            target = piece;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_put_where_it_fits_and_nowhere_else() {
        for at in 0..6 {
            for length in 0..6 {
                let mut buffer = *b"....";
                let end = put(&mut buffer, at, &b"abcde"[..length]);
                let fits = at + length <= 4;
                assert_eq!(end, fits.then_some(at + length), "{length} bytes at {at}");
                let expected = if fits { length } else { 0 };
                let changed = buffer.iter().filter(|byte| **byte != b'.').count();
                assert_eq!(changed, expected, "{length} bytes at {at}");
            }
        }
        assert_eq!(put(&mut [0; 4], usize::MAX, b"ab"), None);
    }

    #[test]
    fn pieces_are_joined_as_far_as_they_fit() {
        for (pieces, expected, fits) in [
            (&[&b"a"[..], b"", b"bc"][..], b"abc.", true),
            (&[b"ab", b"cd"], b"abcd", true),
            (&[b"ab", b"cde"], b"ab..", false),
            (&[], b"....", true),
        ] {
            let mut buffer = *b"....";
            assert_eq!(join(&mut buffer, pieces).is_some(), fits, "{pieces:?}");
            assert_eq!(&buffer, expected, "{pieces:?}");
        }
    }

    #[test]
    fn elements_move_within_the_slice_and_never_out_of_it() {
        for (from, to, expected) in [
            (0..2, 2, b"abab"),
            (0..3, 1, b"aabc"),
            (1..3, 2, b"abbc"),
            (1..4, 0, b"bcdd"),
            (2..3, 1, b"accd"),
            (0..4, 0, b"abcd"),
            (2..2, 4, b"abcd"),
            (0..2, 3, b"abcd"),
            (3..5, 0, b"abcd"),
            (0..1, usize::MAX, b"abcd"),
            (usize::MAX..usize::MAX, 0, b"abcd"),
        ] {
            let mut slice = *b"abcd";
            move_within(&mut slice, from.clone(), to);
            assert_eq!(&slice, expected, "{from:?} to {to}");
        }
        // Begins behind its end, as a range can.
        let mut slice = *b"abcd";
        move_within(&mut slice, Range { start: 3, end: 1 }, 0);
        assert_eq!(&slice, b"abcd");
    }
}
