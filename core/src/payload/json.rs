//! How does a sample look as JSON? `{"v":12.5,"t":1708000203824,"q":1}`: value, timestamp, quality. Where several signals of a device have one
//! topic, the signal's alias comes first: `{"s":"p","v":12.5,"t":1708000203824,"q":1}`.
//!
//! The value and the timestamp are the producer's own characters where these are a number of JSON (RFC 8259, 6), so that no digit is lost. Where
//! they are not, they become one of the same value: `+5` becomes `5`, `.5` becomes `0.5`, `5.` becomes `5`, and `007` becomes `7`. `nan` becomes `null`,
//! and the quality 0.

use crate::bytes::put;
use crate::sample::{MAX_TEXT, Quality};

/// Bytes of the longest payload, where an alias has so many at most: each is a control character, which takes six, and the value gains a digit, as
/// `.5` does.
#[must_use]
pub const fn max_len(alias_len: usize) -> usize {
    FRAME_LEN + 6 * alias_len + MAX_TEXT + 1
}

/// What stands around the alias, the value and the timestamp, but for one comma, which the text has.
const FRAME_LEN: usize = r#"{"s":"","v":,"t":,"q":1}"#.len() - 1;

/// The payload of one sample.
pub struct Json<'s> {
    /// `value,timestamp`, of which the first `text_len` bytes count.
    text: [u8; MAX_TEXT],
    text_len: usize,
    quality: Quality,
    alias: Option<&'s str>,
}

impl<'s> Json<'s> {
    /// Of the sample whose `value,timestamp` `write_text` writes, of at most [`MAX_TEXT`] bytes; with its signal's alias, if it is to have one.
    pub fn new(
        text_len: usize,
        quality: Quality,
        alias: Option<&'s str>,
        write_text: impl FnOnce(&mut [u8]),
    ) -> Self {
        let mut text = [0; MAX_TEXT];
        let text_len = text_len.min(MAX_TEXT);
        write_text(text.get_mut(..text_len).unwrap_or_default());
        Json {
            text,
            text_len,
            quality,
            alias,
        }
    }

    /// Bytes of the payload, at most [`max_len`].
    #[expect(clippy::len_without_is_empty, reason = "it never is")]
    #[must_use]
    pub fn len(&self) -> usize {
        let mut len = 0;
        self.pieces(&mut |piece| len += piece.len());
        len
    }

    /// Writes it to `out`, which is as long as [`Json::len`] says.
    pub fn write(&self, out: &mut [u8]) {
        let mut at = 0;
        self.pieces(&mut |piece| {
            put(out, at, piece);
            at += piece.len();
        });
    }

    /// Calls `put` with each piece of the payload, one after the other.
    fn pieces(&self, put: &mut dyn FnMut(&[u8])) {
        let text = self.text.get(..self.text_len).unwrap_or_default();
        let (value, timestamp) = split_at_any(text, b",");
        let is_number = !value.last().is_some_and(|last| b"nN".contains(last));
        if let Some(alias) = self.alias {
            put(br#"{"s":""#);
            escaped(alias, put);
            put(br#"","v":"#);
        } else {
            put(br#"{"v":"#);
        }
        if is_number {
            number(value, put);
        } else {
            put(b"null");
        }
        put(br#","t":"#);
        number(timestamp, put);
        put(match self.quality {
            Quality::Good if is_number => br#","q":1}"#,
            _ => br#","q":0}"#,
        });
    }
}

/// A number of a sample, as JSON has it: `-12.5e3`.
fn number(text: &[u8], put: &mut dyn FnMut(&[u8])) {
    let unsigned = match text {
        [b'-', rest @ ..] => {
            put(b"-");
            rest
        }
        [b'+', rest @ ..] => rest,
        _ => text,
    };
    let (mantissa, exponent) = split_at_any(unsigned, b"eE");
    let (whole, fraction) = split_at_any(mantissa, b".");
    let zeros = whole.iter().take_while(|digit| **digit == b'0').count();
    match whole.get(zeros..) {
        Some(digits) if !digits.is_empty() => put(digits),
        _ => put(b"0"),
    }
    if !fraction.is_empty() {
        put(b".");
        put(fraction);
    }
    if !exponent.is_empty() {
        // In the letter's own case.
        put(unsigned.get(mantissa.len()..).unwrap_or_default());
    }
}

/// What stands before the first of these bytes, and what stands behind it.
fn split_at_any<'t>(text: &'t [u8], separators: &[u8]) -> (&'t [u8], &'t [u8]) {
    let at = text.iter().position(|byte| separators.contains(byte));
    let (before, rest) = text
        .split_at_checked(at.unwrap_or(text.len()))
        .unwrap_or_default();
    (before, rest.get(1..).unwrap_or_default())
}

/// A text between its quotation marks (RFC 8259, 7).
fn escaped(text: &str, put: &mut dyn FnMut(&[u8])) {
    let mut rest = text.as_bytes();
    let needs_escape = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
    while let Some(at) = rest.iter().position(needs_escape) {
        let (before, behind) = rest.split_at_checked(at).unwrap_or_default();
        put(before);
        let Some((byte, behind)) = behind.split_first() else {
            return;
        };
        match byte {
            b'"' | b'\\' => put(&[b'\\', *byte]),
            _ => {
                let hexadecimal = |digit: u8| b"0123456789abcdef".get(usize::from(digit & 15));
                let [high, low] =
                    [byte >> 4, *byte].map(|digit| *hexadecimal(digit).unwrap_or(&b'0'));
                put(&[b'\\', b'u', b'0', b'0', high, low]);
            }
        }
        rest = behind;
    }
    put(rest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Sample;
    use std::string::String;
    use std::{format, vec};

    /// The payload of what Redis says.
    fn json(message: &str, alias: Option<&str>) -> String {
        let sample = Sample::parse(message.as_bytes()).expect("a sample");
        let mut room = [0; MAX_TEXT];
        let text = sample.text(&mut room);
        let json = Json::new(text.len(), sample.quality, alias, |out| {
            out.copy_from_slice(text);
        });
        let mut payload = vec![b'?'; json.len()];
        json.write(&mut payload);
        String::from_utf8(payload).expect("UTF-8")
    }

    #[test]
    fn a_number_of_json_stays_byte_for_byte() {
        for value in [
            "12.5",
            "0",
            "-0",
            "-0.10000000000000001",
            "5.9589999999999996",
            "1E+05",
            "1e-7",
            "1.7976931348623157e+308",
            "123456789012345678901234567890",
            "0.000",
        ] {
            let expected = format!(r#"{{"v":{value},"t":1708000203824,"q":1}}"#);
            assert_eq!(json(&format!("{value},1708000203824,"), None), expected);
        }
    }

    #[test]
    fn what_is_no_number_of_json_becomes_one_of_the_same_value() {
        for (value, expected) in [
            ("+5", "5"),
            (".5", "0.5"),
            ("-.5", "-0.5"),
            ("+.5e3", "0.5e3"),
            ("5.", "5"),
            ("5.E2", "5E2"),
            ("007", "7"),
            ("-007.50", "-7.50"),
            ("000", "0"),
            ("00.0", "0.0"),
        ] {
            let expected = format!(r#"{{"v":{expected},"t":7,"q":1}}"#);
            assert_eq!(json(&format!("{value},007,"), None), expected, "{value}");
        }
    }

    #[test]
    fn not_a_number_is_null_and_never_good() {
        for value in ["nan", "NaN", "-nan", "+NAN"] {
            let message = format!("{value},1708000203824,");
            let expected = r#"{"v":null,"t":1708000203824,"q":0}"#;
            assert_eq!(json(&message, None), expected, "{value}");
        }
        assert_eq!(json("1,2,IV", None), r#"{"v":1,"t":2,"q":0}"#);
    }

    #[test]
    fn a_signal_that_shares_its_topic_is_named() {
        for (alias, expected) in [
            ("p", "p"),
            ("Wärme", "Wärme"),
            ("a\"b\\c", "a\\\"b\\\\c"),
            ("\u{1}\u{1f}\n", "\\u0001\\u001f\\u000a"),
        ] {
            let expected = format!(r#"{{"s":"{expected}","v":1,"t":2,"q":1}}"#);
            assert_eq!(json("1,2,", Some(alias)), expected);
        }
    }

    #[test]
    fn the_longest_payload_is_as_long_as_it_says() {
        let digits = "1".repeat(MAX_TEXT - ".,2".len());
        let alias = "\u{1}".repeat(9);
        let payload = json(&format!(".{digits},2"), Some(&alias));
        assert_eq!(payload.len(), max_len(9));
    }
}
