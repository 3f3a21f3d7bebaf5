//! Passing over a frame that does not fit the buffer, piece by piece, so that what follows it is read right.

use nom::character::streaming::anychar;

use super::resp::{Malformed, bulk_len, length};
use crate::input::Input;

/// How much of such a frame is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Oversized {
    /// Elements that have not begun yet.
    elements: u8,
    inside: Inside,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    /// Between two elements.
    Nothing,
    /// So many bytes of a bulk string, its line end included.
    Bulk(usize),
    /// A status, an error or an integer, up to its line end.
    Line,
}

/// Longest head of an element (`$536870912\r\n`) in bytes; a buffer must be larger for this to work.
pub const MAX_HEAD: usize = 16;

impl Oversized {
    /// Nothing of the frame has been passed over.
    pub const NEW: Oversized = Oversized {
        elements: 1,
        inside: Inside::Nothing,
    };

    /// Passes over what it can of `input`, the next bytes of the frame: how many, and whether that was the frame's end.
    ///
    /// # Errors
    /// [`Malformed`] if the frame turns out to be none.
    pub fn pass(&mut self, input: &[u8]) -> Result<(usize, bool), Malformed> {
        let mut rest = input;
        loop {
            match self.inside {
                Inside::Bulk(left) => {
                    let passed = left.min(rest.len());
                    rest = rest.get(passed..).unwrap_or_default();
                    self.inside = if left == passed {
                        Inside::Nothing
                    } else {
                        Inside::Bulk(left - passed)
                    };
                }
                Inside::Line => match rest.iter().position(|byte| *byte == b'\n') {
                    Some(end) => {
                        rest = rest.get(end + 1..).unwrap_or_default();
                        self.inside = Inside::Nothing;
                    }
                    None => rest = &[],
                },
                Inside::Nothing if self.elements == 0 => {
                    return Ok((input.len() - rest.len(), true));
                }
                Inside::Nothing => match self.begin_element(rest)? {
                    Some(after) => rest = after,
                    None => return Ok((input.len() - rest.len(), false)),
                },
            }
            if rest.is_empty() && !(self.elements == 0 && self.inside == Inside::Nothing) {
                return Ok((input.len(), false));
            }
        }
    }

    /// Reads the head of the next element; what follows it, or `None` if the head is not whole.
    fn begin_element<'a>(&mut self, input: &'a [u8]) -> Result<Option<&'a [u8]>, Malformed> {
        // A longer head is none, however much of it is here already.
        let head = input.get(..MAX_HEAD).unwrap_or(input);
        let parsed = match anychar(Input(head)) {
            Ok((rest, '$')) => {
                bulk_len(rest).map(|(after, len)| (after, (0, Inside::Bulk(len + 2))))
            }
            Ok((rest, '*')) => length(rest).map(|(after, count)| (after, (count, Inside::Nothing))),
            Ok((rest, '+' | '-' | ':')) => Ok((rest, (0, Inside::Line))),
            Ok(_) => return Err(Malformed),
            Err(error) => Err(error),
        };
        match parsed {
            Ok((after, (inner, inside))) => {
                let inner = u8::try_from(inner).map_err(|_| Malformed)?;
                self.elements = (self.elements - 1).checked_add(inner).ok_or(Malformed)?;
                self.inside = inside;
                Ok(input.get(head.len() - after.0.len()..))
            }
            Err(nom::Err::Incomplete(_)) if head.len() < MAX_HEAD => Ok(None),
            Err(_) => Err(Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_passed_over_whole_in_pieces_of_every_size() {
        for frame in [
            &b"*3\r\n$7\r\nmessage\r\n$10\r\ntag/a/b/in\r\n$26\r\n*3\r\n$7\r\n0123456789abcdef\r\n\r\n"[..],
            b"-ERR a long story\r\n",
            b"*2\r\n*2\r\n:1\r\n+x\r\n$0\r\n\r\n",
        ] {
            for piece in MAX_HEAD..frame.len() + 8 {
                let stream = [frame, b"+OK\r\n"].concat();
                let mut oversized = Oversized::NEW;
                let mut from = 0;
                loop {
                    let window = &stream[from..(from + piece).min(stream.len())];
                    let (passed, done) = oversized.pass(window).expect("well-formed");
                    from += passed;
                    if done {
                        break;
                    }
                    assert!(passed > 0, "stuck at {from} with pieces of {piece}");
                }
                assert_eq!(&stream[from..], b"+OK\r\n", "pieces of {piece}");
            }
        }
    }

    #[test]
    fn a_head_that_is_too_long_is_malformed_wherever_it_is_cut() {
        for head in [
            &b"$0000000000000000000000000003\r\n"[..],
            b"*000000000000000001\r\n",
        ] {
            for cut in 0..=head.len() {
                let mut oversized = Oversized::NEW;
                let result = oversized.pass(&head[..cut]);
                let expected = if cut < MAX_HEAD {
                    Ok((0, false))
                } else {
                    Err(Malformed)
                };
                assert_eq!(result, expected, "{cut} bytes of {}", head.escape_ascii());
            }
        }
    }

    #[test]
    fn what_turns_out_to_be_no_frame_is_malformed() {
        for bytes in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"$99999999999999999999\r\n",
            b"*1000\r\n",
            b"$0000000000000000000",
        ] {
            let mut oversized = Oversized::NEW;
            assert_eq!(
                oversized.pass(bytes),
                Err(Malformed),
                "{:?}",
                bytes.escape_ascii()
            );
        }
    }
}
