//! How are elements put into a buffer, and moved in it, with no way to panic? The standard library's own ways panic where lengths do
//! not fit together; here they are looked at first, in a form in which the optimiser can see that nothing is left to panic about.

use core::ops::Range;

/// Copies `piece` to `at`; the position behind it, or `None` if it does not fit.
pub(crate) fn put<T: Copy>(buffer: &mut [T], at: usize, piece: &[T]) -> Option<usize> {
    let end = at.checked_add(piece.len())?;
    buffer.get_mut(at..end)?.copy_from_slice(piece);
    Some(end)
}

/// Copies all of `from` over `to`, which is as long. For up to 16 bytes that is a few instructions, where a call of `memcpy` alone is more.
#[inline]
pub(crate) fn copy_short(to: &mut [u8], from: &[u8]) {
    if to.len() != from.len() {
        return;
    }
    if from.len() > 16 {
        put(to, 0, from);
    } else if !copy_ends::<8>(to, from) && !copy_ends::<4>(to, from) {
        for (place, byte) in to.iter_mut().zip(from).take(3) {
            *place = *byte;
        }
    }
}

/// Copies the first and the last `N` bytes, which may overlap; `false` if there are fewer.
#[inline]
fn copy_ends<const N: usize>(to: &mut [u8], from: &[u8]) -> bool {
    let (Some(first), Some(last)) = (from.first_chunk::<N>(), from.last_chunk::<N>()) else {
        return false;
    };
    if let Some(place) = to.first_chunk_mut() {
        *place = *first;
    }
    if let Some(place) = to.last_chunk_mut() {
        *place = *last;
    }
    true
}

/// Whether both are the same, as quick as [`copy_short`] for short ones.
#[inline]
pub(crate) fn is_equal(one: &[u8], other: &[u8]) -> bool {
    // On a small processor the code's own size counts more.
    if cfg!(target_pointer_width = "32") || one.len() != other.len() || one.len() > 16 {
        return one == other;
    }
    match (
        has_equal_ends::<8>(one, other),
        has_equal_ends::<4>(one, other),
    ) {
        (Some(is_equal), _) | (None, Some(is_equal)) => is_equal,
        (None, None) => one.iter().eq(other),
    }
}

/// Whether the first and the last `N` bytes are the same; `None` if there are fewer.
#[inline]
fn has_equal_ends<const N: usize>(one: &[u8], other: &[u8]) -> Option<bool> {
    let first = one.first_chunk::<N>()? == other.first_chunk()?;
    let last = one.last_chunk::<N>()? == other.last_chunk()?;
    Some(first & last)
}

/// Whether a part of `whole` is the same as `part`, as `is_same` sees it. Not by `windows`, which panics where `part` is empty; that is in every text.
pub(crate) fn holds(whole: &[u8], part: &[u8], is_same: fn(&[u8], &[u8]) -> bool) -> bool {
    let mut rest = whole;
    loop {
        if rest
            .get(..part.len())
            .is_some_and(|front| is_same(front, part))
        {
            return true;
        }
        let [_, behind @ ..] = rest else {
            return false;
        };
        rest = behind;
    }
}

/// Whether `whole` is the pieces, one after the other.
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
    fn a_short_copy_copies_all_of_every_length() {
        let from: std::vec::Vec<u8> = (1..=40).collect();
        for len in 0..=40 {
            let mut to = std::vec![0; len];
            copy_short(&mut to, &from[..len]);
            assert_eq!(to, from[..len]);
        }
        let mut to = [0; 3];
        copy_short(&mut to, b"four");
        assert_eq!(to, [0; 3], "not of one length: nothing is copied");
    }

    #[test]
    fn equal_is_what_has_the_same_bytes_at_every_length() {
        for len in 0..=40 {
            let one: std::vec::Vec<u8> = (1..=len).collect();
            assert!(is_equal(&one, &one));
            for place in 0..usize::from(len) {
                let mut other = one.clone();
                other[place] = 0;
                assert!(!is_equal(&one, &other), "{place} of {len}");
                assert!(!is_equal(&one, &one[..place]), "{place} of {len}");
            }
        }
    }

    #[test]
    fn a_part_is_found_wherever_it_stands_and_nothing_else() {
        let equal: fn(&[u8], &[u8]) -> bool = |one, other| one == other;
        for (whole, part, expected) in [
            (&b"abcabd"[..], &b"abd"[..], true),
            (b"abcabd", b"abc", true),
            (b"abcabd", b"abcabd", true),
            (b"abcabd", b"abe", false),
            (b"ab", b"abc", false),
            (b"ab", b"", true),
            (b"", b"", true),
            (b"", b"a", false),
        ] {
            assert_eq!(holds(whole, part, equal), expected, "{part:?} in {whole:?}");
        }
        assert!(holds(b"xABCx", b"abc", <[u8]>::eq_ignore_ascii_case));
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
