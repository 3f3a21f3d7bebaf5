//! RESP2 as a subscriber meets it: status and error lines, integers, and flat arrays of bulk strings.
//!
//! A frame is read in place, and only once it is whole: nom's streaming parsers tell apart what more bytes may make whole, and what none can.

use core::ops::RangeInclusive;

use nom::Parser;
use nom::bytes::take_till;
use nom::character::streaming::{anychar, crlf, usize};
use nom::character::{char, satisfy};
use nom::combinator::{fail, opt, value, verify};
use nom::multi::length_data;
use nom::sequence::{preceded, terminated};

use crate::input::{Input, Parsed};

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
const ELEMENTS: RangeInclusive<usize> = 2..=3;

/// A server's limit (`proto-max-bulk-len`), and ours.
const MAX_BULK: usize = 512 * 1024 * 1024;

/// The frame at the front of `input` and the number of its bytes; `None` if more are needed.
///
/// # Errors
/// [`Malformed`]; nothing behind can be trusted then.
#[inline]
pub fn frame(input: &[u8]) -> Result<Option<(Frame<'_>, usize)>, Malformed> {
    match plain_message(input) {
        Some(message) => Ok(Some(message)),
        None => by_grammar(input),
    }
}

/// The channel of the message that `input` begins with, though its payload may be missing.
#[must_use]
pub fn channel_of_beginning(input: &[u8]) -> Option<&[u8]> {
    let (_, channel) = bulk(Input(input.strip_prefix(MESSAGE)?)).ok()?;
    Some(channel)
}

/// The way of almost every sample, by hand: a whole message whose channel and payload have 10 to 99 bytes. The grammar, which goes
/// byte by byte, takes five times as many instructions for it (649 for 123). `None` says nothing: [`any_frame`] has all the rules.
#[inline]
fn plain_message(input: &[u8]) -> Option<(Frame<'_>, usize)> {
    let (channel, rest) = plain_bulk(input.strip_prefix(MESSAGE)?)?;
    let (payload, rest) = plain_bulk(rest)?;
    let message = Frame::Message { channel, payload };
    Some((message, input.len() - rest.len()))
}

#[inline]
fn plain_bulk(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let [
        b'$',
        tens @ b'1'..=b'9',
        ones @ b'0'..=b'9',
        b'\r',
        b'\n',
        rest @ ..,
    ] = input
    else {
        return None;
    };
    let len = usize::from(tens - b'0') * 10 + usize::from(ones - b'0');
    let (content, rest) = rest.split_at_checked(len)?;
    Some((content, rest.strip_prefix(b"\r\n")?))
}

#[inline(never)]
fn by_grammar(input: &[u8]) -> Result<Option<(Frame<'_>, usize)>, Malformed> {
    match any_frame(Input(input)) {
        Ok((rest, frame)) => Ok(Some((frame, input.len() - rest.0.len()))),
        Err(nom::Err::Incomplete(_)) => Ok(None),
        Err(nom::Err::Error(()) | nom::Err::Failure(())) => Err(Malformed),
    }
}

fn any_frame(input: Input<'_>) -> Parsed<'_, Frame<'_>> {
    let (rest, kind) = anychar(input)?;
    match kind {
        '*' => array(rest),
        '+' => line(rest).map(|(rest, line)| match line {
            b"PONG" => (rest, Frame::Pong),
            _ => (rest, Frame::Status(line)),
        }),
        '-' => line.map(Frame::Error).parse(rest),
        _ => fail().parse(rest),
    }
}

fn array(input: Input<'_>) -> Parsed<'_, Frame<'_>> {
    let elements = verify(length, |elements| ELEMENTS.contains(elements));
    let (rest, (elements, kind)) = (elements, bulk).parse(input)?;
    match (kind, elements) {
        (b"message", 3) => (bulk, bulk)
            .map(|(channel, payload)| Frame::Message { channel, payload })
            .parse(rest),
        (b"subscribe", 3) => terminated(bulk, integer)
            .map(|channel| Frame::Subscribed { channel })
            .parse(rest),
        (b"unsubscribe", 3) => value(Frame::Unsubscribed, (bulk, integer)).parse(rest),
        (b"pong", 2) => value(Frame::Pong, bulk).parse(rest),
        _ => fail().parse(rest),
    }
}

fn bulk(input: Input<'_>) -> Parsed<'_, &[u8]> {
    let content = terminated(length_data(preceded(char('$'), bulk_len)), crlf);
    content.map(|content| content.0).parse(input)
}

/// `5\r\n`, behind the `$`: how many bytes follow.
pub(super) fn bulk_len(input: Input<'_>) -> Parsed<'_, usize> {
    verify(length, |len| *len <= MAX_BULK).parse(input)
}

/// Decimal digits and the line's end.
pub(super) fn length(input: Input<'_>) -> Parsed<'_, usize> {
    terminated(usize, crlf).parse(input)
}

/// How many channels are subscribed to: a number of 64 bits with or without a sign, which nobody needs.
fn integer(input: Input<'_>) -> Parsed<'_, usize> {
    let sign = opt(satisfy(|sign| matches!(sign, '+' | '-')));
    let (rest, (_, sign, size)) = (char(':'), sign, length).parse(input)?;
    match size as u64 <= i64::MAX as u64 + u64::from(sign == Some('-')) {
        true => Ok((rest, size)),
        false => fail().parse(rest),
    }
}

/// Up to the line's end, which a lone CR or LF is not.
fn line(input: Input<'_>) -> Parsed<'_, &[u8]> {
    let text = take_till(|byte| matches!(byte, b'\r' | b'\n'));
    terminated(text, crlf)
        .map(|text: Input<'_>| text.0)
        .parse(input)
}

#[cfg(test)]
mod tests {
    use std::{format, vec};

    use super::*;
    use crate::random::Random;

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
    fn generated_messages_and_changed_ones_are_read_as_by_the_grammar() {
        const SOME: &[u8] = b"0123456789*$\r\n-+:me ";
        let mut plain = 0;
        for seed in 1..=20_000 {
            let mut random = Random::new(seed);
            let mut text = |most| vec![b'x'; usize::from(random.below(most))];
            let (channel, payload) = (text(110), text(110));
            let head = format!("${}\r\n", channel.len());
            let second = format!("\r\n${}\r\n", payload.len());
            let mut bytes = [
                MESSAGE,
                head.as_bytes(),
                &channel,
                second.as_bytes(),
                &payload,
                b"\r\n+OK",
            ]
            .concat();
            for _ in 0..4 {
                if let Some(message) = plain_message(&bytes) {
                    plain += 1;
                    let read = by_grammar(&bytes);
                    assert_eq!(
                        read,
                        Ok(Some(message)),
                        "seed {seed}: {}",
                        bytes.escape_ascii()
                    );
                }
                let place = usize::from(random.below(bytes.len() as u16));
                let byte = SOME[usize::from(random.below(SOME.len() as u16))];
                match random.below(4) {
                    0 => bytes.insert(place, byte),
                    1 if bytes.len() > 1 => drop(bytes.remove(place)),
                    2 => bytes.truncate(place + 1),
                    _ => bytes[place] = byte,
                }
            }
        }
        assert!(plain > 1000, "only {plain} went the plain way");
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
            b"*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:9223372036854775808\r\n",
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
