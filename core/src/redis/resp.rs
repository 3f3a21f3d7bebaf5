//! RESP2 as a subscriber meets it: status and error lines, integers, and flat arrays of bulk strings.
//!
//! A frame is read in place, and only once it is whole.

/// What a Redis server says to a subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// `+OK`
    Status(&'a [u8]),
    /// `-WRONGPASS invalid username-password pair`, in the server's words.
    Error(&'a [u8]),
    /// Something was published.
    Message {
        channel: &'a [u8],
        payload: &'a [u8],
    },
    /// SUBSCRIBE is confirmed, one channel at a time.
    Subscribed { channel: &'a [u8] },
    /// UNSUBSCRIBE likewise.
    Unsubscribed,
    /// The answer to PING, in either of its two forms.
    Pong,
}

/// The bytes are not what a Redis server says to a subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// What a message begins with.
const MESSAGE: &[u8] = b"*3\r\n$7\r\nmessage\r\n";

/// Elements that an array may have here.
const MAX_ELEMENTS: usize = 3;

/// The frame at the front of `input` and the number of its bytes; `None` if more are needed.
///
/// # Errors
/// [`Malformed`]; nothing behind can be trusted then.
#[inline]
pub fn frame(input: &[u8]) -> Result<Option<(Frame<'_>, usize)>, Malformed> {
    match any_frame(input) {
        Ok((rest, frame)) => Ok(Some((frame, input.len() - rest.len()))),
        Err(Stop::Incomplete) => Ok(None),
        Err(Stop::Malformed) => Err(Malformed),
    }
}

/// The channel of the message that `input` begins with, though its payload may be missing.
#[must_use]
pub fn channel_of_beginning(input: &[u8]) -> Option<&[u8]> {
    let (_, channel) = bulk(input.strip_prefix(MESSAGE)?).ok()?;
    Some(channel)
}

/// What follows, and what was read.
pub(super) type Parsed<'a, T> = Result<(&'a [u8], T), Stop>;

/// Why nothing was read.
pub(super) enum Stop {
    /// More bytes may make it whole.
    Incomplete,
    Malformed,
}

#[inline]
fn any_frame(input: &[u8]) -> Parsed<'_, Frame<'_>> {
    // The way of every sample: this head is compared at once, where `array` would read it number by number.
    match input.strip_prefix(MESSAGE) {
        Some(rest) => message(rest),
        None => other_frame(input),
    }
}

#[inline(never)]
fn other_frame(input: &[u8]) -> Parsed<'_, Frame<'_>> {
    match input {
        [b'*', rest @ ..] => array(rest),
        [b'+', rest @ ..] => line(rest).map(|(rest, line)| match line {
            b"PONG" => (rest, Frame::Pong),
            _ => (rest, Frame::Status(line)),
        }),
        [b'-', rest @ ..] => line(rest).map(|(rest, line)| (rest, Frame::Error(line))),
        [] => Err(Stop::Incomplete),
        _ => Err(Stop::Malformed),
    }
}

fn array(input: &[u8]) -> Parsed<'_, Frame<'_>> {
    let (rest, elements) = length(input)?;
    if !(2..=MAX_ELEMENTS).contains(&elements) {
        return Err(Stop::Malformed);
    }
    let (rest, kind) = bulk(rest)?;
    match (kind, elements) {
        (b"message", 3) => message(rest),
        (b"subscribe", 3) => {
            let (rest, channel) = bulk(rest)?;
            Ok((behind_count(rest)?, Frame::Subscribed { channel }))
        }
        (b"unsubscribe", 3) => {
            let (rest, _) = bulk(rest)?;
            Ok((behind_count(rest)?, Frame::Unsubscribed))
        }
        (b"pong", 2) => bulk(rest).map(|(rest, _)| (rest, Frame::Pong)),
        _ => Err(Stop::Malformed),
    }
}

#[inline]
fn message(input: &[u8]) -> Parsed<'_, Frame<'_>> {
    let (rest, channel) = bulk(input)?;
    let (rest, payload) = bulk(rest)?;
    Ok((rest, Frame::Message { channel, payload }))
}

#[inline]
fn bulk(input: &[u8]) -> Parsed<'_, &[u8]> {
    // Two digits, as almost every channel and every sample has them.
    let (rest, len) = match input {
        [
            b'$',
            tens @ b'1'..=b'9',
            ones @ b'0'..=b'9',
            b'\r',
            b'\n',
            rest @ ..,
        ] => (
            rest,
            usize::from(tens - b'0') * 10 + usize::from(ones - b'0'),
        ),
        _ => bulk_len(input)?,
    };
    match rest.split_at_checked(len) {
        Some((content, rest)) => Ok((behind_crlf(rest)?, content)),
        None => Err(Stop::Incomplete),
    }
}

/// `$5\r\n`: how many bytes follow.
#[inline(never)]
pub(super) fn bulk_len(input: &[u8]) -> Parsed<'_, usize> {
    let (rest, len) = match input {
        [b'$', rest @ ..] => length(rest)?,
        [_, ..] => return Err(Stop::Malformed),
        [] => return Err(Stop::Incomplete),
    };
    if len <= MAX_BULK {
        Ok((rest, len))
    } else {
        Err(Stop::Malformed)
    }
}

/// Decimal digits and the line's end; what is too much for a `usize` is its maximum.
pub(super) fn length(input: &[u8]) -> Parsed<'_, usize> {
    let mut length = 0_usize;
    let mut rest = input;
    while let [digit @ b'0'..=b'9', behind @ ..] = rest {
        let digit = usize::from(digit - b'0');
        length = length.saturating_mul(10).saturating_add(digit);
        rest = behind;
    }
    match rest {
        [] => Err(Stop::Incomplete),
        _ if rest.len() == input.len() => Err(Stop::Malformed),
        _ => Ok((behind_crlf(rest)?, length)),
    }
}

fn behind_crlf(input: &[u8]) -> Result<&[u8], Stop> {
    match input {
        [b'\r', b'\n', rest @ ..] => Ok(rest),
        [] | [b'\r'] => Err(Stop::Incomplete),
        _ => Err(Stop::Malformed),
    }
}

/// A server's limit (`proto-max-bulk-len`), and ours.
const MAX_BULK: usize = 512 * 1024 * 1024;

/// How many channels are subscribed to: a number of 64 bits with or without a sign, which nobody needs. What follows it.
fn behind_count(input: &[u8]) -> Result<&[u8], Stop> {
    let (digits, most) = match input {
        [b':', b'-', digits @ ..] => (digits, i64::MIN.unsigned_abs()),
        [b':', b'+', digits @ ..] | [b':', digits @ ..] => (digits, i64::MAX.unsigned_abs()),
        [] => return Err(Stop::Incomplete),
        _ => return Err(Stop::Malformed),
    };
    match length(digits)? {
        (rest, count) if count < usize::MAX && count as u64 <= most => Ok(rest),
        _ => Err(Stop::Malformed),
    }
}

/// Up to the line's end, which a lone CR or LF is not.
fn line(input: &[u8]) -> Parsed<'_, &[u8]> {
    let end = input.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
    let (line, rest) = end
        .and_then(|end| input.split_at_checked(end))
        .ok_or(Stop::Incomplete)?;
    Ok((behind_crlf(rest)?, line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_frame_is_read_whole_and_at_no_split_point_before() {
        for (bytes, expected) in [
            (&b"+OK\r\n"[..], Frame::Status(b"OK")),
            (b"+\r\n", Frame::Status(b"")),
            (b"+PONG\r\n", Frame::Pong),
            (
                b"-NOAUTH Authentication required.\r\n",
                Frame::Error(b"NOAUTH Authentication required."),
            ),
            (b"*2\r\n$4\r\npong\r\n$0\r\n\r\n", Frame::Pong),
            (
                b"*3\r\n$9\r\nsubscribe\r\n$11\r\ntag/a/b/in!\r\n:12\r\n",
                Frame::Subscribed {
                    channel: b"tag/a/b/in!",
                },
            ),
            (
                b"*3\r\n$11\r\nunsubscribe\r\n$1\r\nx\r\n:0\r\n",
                Frame::Unsubscribed,
            ),
            (
                b"*3\r\n$7\r\nmessage\r\n$10\r\ntag/a/b/in\r\n$12\r\n1,2,\r\n+OK\r\n:\r\n",
                Frame::Message {
                    channel: b"tag/a/b/in",
                    payload: b"1,2,\r\n+OK\r\n:",
                },
            ),
            (
                b"*3\r\n$7\r\nmessage\r\n$0\r\n\r\n$0\r\n\r\n",
                Frame::Message {
                    channel: b"",
                    payload: b"",
                },
            ),
        ] {
            for split in 0..bytes.len() {
                assert_eq!(
                    frame(&bytes[..split]),
                    Ok(None),
                    "{:?} cut at {split}",
                    bytes.escape_ascii()
                );
            }
            assert_eq!(
                frame(bytes),
                Ok(Some((expected, bytes.len()))),
                "{:?}",
                bytes.escape_ascii()
            );
            let followed = [bytes, b"+OK\r\n"].concat();
            assert_eq!(frame(&followed), Ok(Some((expected, bytes.len()))));
        }
    }

    #[test]
    fn what_no_subscriber_is_told_is_malformed() {
        for bytes in [
            &b"HTTP/1.1 400 Bad Request\r\n"[..],
            b"OK\r\n",
            b":1\r\n",
            b"$3\r\nabc\r\n",
            b"*0\r\n",
            b"*-1\r\n",
            b"*4\r\n",
            b"*999999999999\r\n",
            b"*3\r\n$-1\r\n",
            b"*3\r\n$536870913\r\n",
            b"*3\r\n$99999999999999999999\r\n",
            b"*3\r\n:1\r\n",
            b"*3\r\n*3\r\n",
            b"*3\r\n$5\r\nhello\r\n",
            b"*2\r\n$7\r\nmessage\r\n",
            b"*3\r\n$7\r\nmessageXY",
            b"*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n$1\r\nx\r\n",
            b"*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:99999999999999999999\r\n",
            b"*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:+-1\r\n",
            b"+OK\rX",
        ] {
            assert_eq!(frame(bytes), Err(Malformed), "{:?}", bytes.escape_ascii());
        }
    }

    #[test]
    fn the_channel_of_an_unfinished_message_is_known() {
        let whole = b"*3\r\n$7\r\nmessage\r\n$10\r\ntag/a/b/in\r\n$1000000\r\n1,2";
        assert_eq!(channel_of_beginning(whole), Some(&b"tag/a/b/in"[..]));
        assert_eq!(channel_of_beginning(&whole[..20]), None);
        assert_eq!(
            channel_of_beginning(b"*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n"),
            None
        );
    }
}
