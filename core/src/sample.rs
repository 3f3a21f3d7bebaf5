//! A measurement: from Redis' `value,timestamp,flags` to MQTT's `value,timestamp,quality` (manual chapter 22, "MQTT data format").

use core::fmt;

/// Longest message that is taken from Redis, in bytes.
pub const MAX_MESSAGE: usize = 128;

/// Longest `value,timestamp` of a sample, in bytes: it is a part of the message.
pub const MAX_TEXT: usize = MAX_MESSAGE;

/// So many digits are a timestamp (of 1973 or later) and no flag, not even a numeric one.
const TIMESTAMP_DIGITS: usize = 11;

/// A well-formed measurement. The texts are the producer's own bytes, without the spaces around them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample<'a> {
    /// An integer, a float or `nan`, in ASCII.
    pub value: &'a [u8],
    /// Unix time in milliseconds, in ASCII digits.
    pub timestamp: &'a [u8],
    pub quality: Quality,
    /// Both, with the comma between, if nothing else stands there in the message; else empty.
    whole: &'a [u8],
}

/// Whether a value may be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quality {
    /// `0`: one of the flags IV (invalid), NT (non-topical) or OV (overflow) is set.
    Bad,
    /// `1`: none of them is.
    Good,
}

/// Why a message is not forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Rejection {
    TooLong,
    ControlByte,
    EmptyValue,
    BadValue,
    NoTimestamp,
    BadTimestamp,
    /// `12,5,1708000203824,`: what it says was not meant, and would pass for 12 at the time 5.
    DecimalComma,
}

impl<'a> Sample<'a> {
    /// Reads a Redis message.
    ///
    /// # Errors
    /// The first rule that the message breaks.
    #[inline]
    pub fn parse(message: &'a [u8]) -> Result<Self, Rejection> {
        match Self::plain(message) {
            Some(sample) => Ok(sample),
            None => Self::parse_any(message),
        }
    }

    /// The way of almost every sample: a decimal number, a timestamp of thirteen digits, and no flags or ones that say nothing of the
    /// [quality](Quality) but by name. `None` says nothing: [`Sample::parse_any`] has all the rules.
    #[inline]
    fn plain(message: &'a [u8]) -> Option<Self> {
        let unsigned = match message {
            [b'-', rest @ ..] => rest,
            _ => message,
        };
        let whole_digits = plain_digits_len(unsigned);
        let rest = unsigned.get(whole_digits..)?;
        let rest = match rest {
            [b'.', fraction @ ..] if whole_digits > 0 => {
                fraction.get(plain_digits_len(fraction)..)?
            }
            _ if whole_digits > 0 => rest,
            _ => return None,
        };
        let [b',', rest @ ..] = rest else {
            return None;
        };
        let (timestamp, flags) = rest.split_first_chunk::<13>()?;
        let are_digits =
            has_digits_only(timestamp.first_chunk()?) && has_digits_only(timestamp.last_chunk()?);
        if !are_digits || message.len() > MAX_MESSAGE {
            return None;
        }
        let quality = match flags {
            [] | [b','] => Quality::Good,
            [b',', b'I' | b'i', b'V' | b'v'] => Quality::Bad,
            _ => return None,
        };
        let whole = message.get(..message.len().checked_sub(flags.len())?)?;
        Some(Sample {
            value: message.get(..message.len().checked_sub(rest.len() + 1)?)?,
            timestamp,
            quality,
            whole,
        })
    }

    #[inline(never)]
    fn parse_any(message: &'a [u8]) -> Result<Self, Rejection> {
        if message.len() > MAX_MESSAGE {
            return Err(Rejection::TooLong);
        }
        Self::read(message).map_err(|rejection| {
            // What does not show need not be looked for in what is wrong anyway.
            if message.iter().any(u8::is_ascii_control) {
                Rejection::ControlByte
            } else {
                rejection
            }
        })
    }

    fn read(message: &'a [u8]) -> Result<Self, Rejection> {
        let (value, rest) = field(
            message,
            number_len,
            Rejection::EmptyValue,
            Rejection::BadValue,
        )?;
        let (timestamp, flags) = field(
            rest,
            digits_len,
            Rejection::NoTimestamp,
            Rejection::BadTimestamp,
        )?;
        if !is_unix_millis(timestamp) {
            return Err(Rejection::BadTimestamp);
        }
        if flags.iter().any(u8::is_ascii_control) {
            return Err(Rejection::ControlByte);
        }
        if begins_with_timestamp(flags) {
            return Err(Rejection::DecimalComma);
        }
        let whole = without_leading_spaces(message);
        let len = value.len() + 1 + timestamp.len();
        let is_whole = whole.get(value.len() + 1) == timestamp.first()
            && whole.get(value.len()) == Some(&b',');
        Ok(Sample {
            value,
            timestamp,
            quality: Quality::from_flags(flags),
            whole: whole.get(..len).filter(|_| is_whole).unwrap_or_default(),
        })
    }

    /// `value,timestamp`, in one piece: as it stands in the message where there are no spaces between, else joined in `room`.
    #[inline]
    #[must_use]
    pub fn text<'t>(&self, room: &'t mut [u8; MAX_TEXT]) -> &'t [u8]
    where
        'a: 't,
    {
        if self.whole.is_empty() {
            self.join(room)
        } else {
            self.whole
        }
    }

    /// The same, where nothing has to be joined for it.
    #[inline]
    #[must_use]
    pub fn whole_text(&self) -> Option<&'a [u8]> {
        (!self.whole.is_empty()).then_some(self.whole)
    }

    #[cold]
    #[inline(never)]
    fn join<'t>(&self, room: &'t mut [u8; MAX_TEXT]) -> &'t [u8] {
        let bytes = self.value.iter().chain(b",").chain(self.timestamp);
        let mut len = 0;
        for (place, byte) in room.iter_mut().zip(bytes) {
            *place = *byte;
            len += 1;
        }
        room.get(..len).unwrap_or_default()
    }

    /// The sample with this [text](Sample::text), which was a sample's before.
    #[must_use]
    pub fn of_text(text: &'a [u8], quality: Quality) -> Option<Self> {
        let comma = text.iter().position(|byte| *byte == b',')?;
        let (value, rest) = text.split_at_checked(comma)?;
        Some(Sample {
            value,
            timestamp: rest.get(1..)?,
            quality,
            whole: text,
        })
    }
}

impl Quality {
    /// Tokens are matched in any letter case, and separated by anything that is not a letter, a digit or `_`.
    fn from_flags(flags: &[u8]) -> Self {
        let bad = flags.split(|byte| !is_of_token(byte)).any(|token| {
            [b"IV", b"NT", b"OV"]
                .iter()
                .any(|flag| token.eq_ignore_ascii_case(*flag))
        });
        if bad { Quality::Bad } else { Quality::Good }
    }
}

/// How many digits stand at the front; eight at a time are looked at.
#[inline]
fn plain_digits_len(input: &[u8]) -> usize {
    match input.first_chunk() {
        Some(bytes) => match others_than_digits(bytes) {
            0 => digits_len(input),
            others => (others.trailing_zeros() / 8) as usize,
        },
        None => digits_len(input),
    }
}

#[inline]
fn has_digits_only(bytes: &[u8; 8]) -> bool {
    others_than_digits(bytes) == 0
}

/// The highest bit of the first byte that is no digit is set, from the lowest on, and none below it. What is above it means nothing.
#[inline]
fn others_than_digits(bytes: &[u8; 8]) -> u64 {
    // What is a digit becomes 0 to 9, and stays below 0x80 with 0x76 added to it.
    let values = u64::from_le_bytes(*bytes) ^ 0x3030_3030_3030_3030;
    (values.wrapping_add(0x7676_7676_7676_7676) | values) & 0x8080_8080_8080_8080
}

fn is_of_token(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || *byte == b'_'
}

/// Whether the first token of the flags is a number as long as a timestamp.
fn begins_with_timestamp(flags: &[u8]) -> bool {
    let flags = without_leading_spaces(flags);
    let digits = digits_len(flags);
    digits >= TIMESTAMP_DIGITS && !flags.get(digits).is_some_and(is_of_token)
}

/// The field up to the first comma, without spaces around it, and what follows the comma. `len` says how many bytes at its front
/// are well-formed; a field of which that is not all is `bad`.
fn field(
    input: &[u8],
    len: fn(&[u8]) -> usize,
    empty: Rejection,
    bad: Rejection,
) -> Result<(&[u8], &[u8]), Rejection> {
    let input = without_leading_spaces(input);
    let (field, rest) = input.split_at_checked(len(input)).ok_or(bad)?;
    match without_leading_spaces(rest) {
        [] | [b',', ..] if field.is_empty() => Err(empty),
        [b',', rest @ ..] => Ok((field, rest)),
        [] => Ok((field, &[])),
        _ => Err(bad),
    }
}

fn without_leading_spaces(mut input: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] = input {
        input = rest;
    }
    input
}

fn digits_len(input: &[u8]) -> usize {
    let end = input.iter().position(|byte| !byte.is_ascii_digit());
    end.unwrap_or(input.len())
}

/// `nan`, or digits with an optional point and exponent; an optional sign before either.
fn number_len(input: &[u8]) -> usize {
    let unsigned = without_sign(input);
    let rest = match unsigned {
        [b'n' | b'N', b'a' | b'A', b'n' | b'N', rest @ ..] => rest,
        _ => match behind_mantissa(unsigned) {
            Some(rest) => behind_exponent(rest).unwrap_or(rest),
            None => return 0,
        },
    };
    input.len() - rest.len()
}

fn without_sign(input: &[u8]) -> &[u8] {
    match input {
        [b'+' | b'-', rest @ ..] => rest,
        _ => input,
    }
}

/// `1`, `1.`, `1.5` or `.5`.
fn behind_mantissa(input: &[u8]) -> Option<&[u8]> {
    match behind_digits(input) {
        Some([b'.', rest @ ..]) => Some(behind_digits(rest).unwrap_or(rest)),
        Some(rest) => Some(rest),
        None => behind_digits(input.strip_prefix(b".")?),
    }
}

/// `e5`, `E+05`.
fn behind_exponent(input: &[u8]) -> Option<&[u8]> {
    match input {
        [b'e' | b'E', rest @ ..] => behind_digits(without_sign(rest)),
        _ => None,
    }
}

/// At least one digit.
fn behind_digits(input: &[u8]) -> Option<&[u8]> {
    let (digits, rest) = input.split_at_checked(digits_len(input))?;
    (!digits.is_empty()).then_some(rest)
}

/// Whether 64 bits hold these digits: of numbers of one length the greater one comes later in the alphabet, too.
fn is_unix_millis(mut digits: &[u8]) -> bool {
    const MAX: &[u8] = b"18446744073709551615";
    while let [b'0', rest @ ..] = digits {
        digits = rest;
    }
    digits.len() < MAX.len() || (digits.len() == MAX.len() && digits <= MAX)
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rejection::TooLong => "over 128 bytes",
            Rejection::ControlByte => "holds a control byte",
            Rejection::EmptyValue => "the value is empty",
            Rejection::BadValue => "the value is not an integer, a float or nan",
            Rejection::NoTimestamp => "the timestamp is missing",
            Rejection::BadTimestamp => "the timestamp is not an unsigned number of milliseconds",
            Rejection::DecimalComma => "a timestamp in the flags' place: is there a decimal comma?",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;

    /// The MQTT payload that a Redis message becomes.
    fn forwarded(message: &str) -> Result<String, Rejection> {
        let sample = Sample::parse(message.as_bytes())?;
        let mut payload = std::vec![0; crate::payload::MAX_LEN];
        let mut text = [0; MAX_TEXT];
        let text = sample.text(&mut text);
        let len = crate::payload::len(text.len());
        crate::payload::write(&mut payload[..len], sample.quality, |room| {
            room.copy_from_slice(text);
        });
        payload.truncate(len);
        Ok(String::from_utf8(payload).expect("a payload is ASCII"))
    }

    #[test]
    fn value_and_timestamp_pass_byte_for_byte() {
        for value in [
            "0",
            "-0",
            "+7",
            "12",
            "12.5",
            "-12.50",
            ".5",
            "12.",
            "1e5",
            "1E+05",
            "-1.7976931348623157e+308",
            "0.10000000000000001",
            "nan",
            "NaN",
            "-nan",
            "+NAN",
            "00012",
        ] {
            let message = std::format!("{value},1708000203824,");
            assert_eq!(
                forwarded(&message).as_deref(),
                Ok(std::format!("{value},1708000203824,1").as_str())
            );
        }
    }

    #[test]
    fn quality_is_bad_for_iv_nt_and_ov_in_any_case_among_any_tokens() {
        for (flags, quality) in [
            ("", 1),
            ("IV", 0),
            ("iv", 0),
            ("Nt", 0),
            ("OV", 0),
            ("SB", 1),
            ("BL,SB", 1),
            ("SB,IV", 0),
            ("SB|nt|BL", 0),
            ("cot=3", 1),
            ("cot=3 iv", 0),
            ("cot=IV", 0),
            ("7", 1),
            ("1234567890", 1),
            ("12345678901_", 1),
            ("12345678901x,IV", 0),
            ("cot=12345678901", 1),
            ("IV,1708000203824", 0),
            ("IVX", 1),
            ("XIV", 1),
            ("IV_", 1),
            ("_IV", 1),
            ("IV1", 1),
            ("I V", 1),
            ("[OV]", 0),
            ("\u{e4}IV\u{e4}", 0),
            (" IV ", 0),
        ] {
            assert_eq!(
                forwarded(&std::format!("1,2,{flags}")),
                Ok(std::format!("1,2,{quality}")),
                "flags {flags:?}"
            );
        }
    }

    #[test]
    fn flags_may_be_left_out_and_spaces_around_fields_are_dropped() {
        for message in [
            "12.5,1708000203824",
            "12.5,1708000203824,",
            " 12.5 , 1708000203824 , ",
            "  12.5,1708000203824  ",
        ] {
            assert_eq!(
                forwarded(message).as_deref(),
                Ok("12.5,1708000203824,1"),
                "{message:?}"
            );
        }
    }

    #[test]
    fn anything_else_is_rejected_with_its_reason() {
        let long_value = "1".repeat(126);
        for (message, reason) in [
            ("", Rejection::EmptyValue),
            (",1708000203824,", Rejection::EmptyValue),
            ("  ,1708000203824,", Rejection::EmptyValue),
            ("inf,1,", Rejection::BadValue),
            ("-inf,1,", Rejection::BadValue),
            ("on,1,", Rejection::BadValue),
            ("1 2,1,", Rejection::BadValue),
            ("--1,1,", Rejection::BadValue),
            ("1e,1,", Rejection::BadValue),
            ("e5,1,", Rejection::BadValue),
            (".,1,", Rejection::BadValue),
            ("0x10,1,", Rejection::BadValue),
            ("1.2.3,1,", Rejection::BadValue),
            ("nane5,1,", Rejection::BadValue),
            ("\u{663},1,", Rejection::BadValue),
            ("1", Rejection::NoTimestamp),
            ("1,", Rejection::NoTimestamp),
            ("1,,IV", Rejection::NoTimestamp),
            ("1,-5,", Rejection::BadTimestamp),
            ("1,+5,", Rejection::BadTimestamp),
            ("1,1.5,", Rejection::BadTimestamp),
            ("1,now,", Rejection::BadTimestamp),
            ("1,18446744073709551616,", Rejection::BadTimestamp),
            ("12,5,1708000203824,", Rejection::DecimalComma),
            ("-0,5,1708000203824", Rejection::DecimalComma),
            ("12,5, 1708000203824 ,IV", Rejection::DecimalComma),
            ("12 , 50,1708000203824|IV", Rejection::DecimalComma),
            ("0,10000000000000001,12345678901", Rejection::DecimalComma),
            ("12,5,1708000203824\n", Rejection::ControlByte),
            ("1,2,\n", Rejection::ControlByte),
            ("1\0,2,", Rejection::ControlByte),
            ("1\t,2,", Rejection::ControlByte),
            ("1,2,\x7f", Rejection::ControlByte),
            (std::format!("{long_value},12").as_str(), Rejection::TooLong),
        ] {
            assert_eq!(forwarded(message), Err(reason), "{message:?}");
        }
        assert!(
            forwarded(&std::format!("{long_value},1"))
                .is_ok_and(|payload| payload.len() == crate::payload::MAX_LEN)
        );
        assert_eq!(
            forwarded("1,18446744073709551615").as_deref(),
            Ok("1,18446744073709551615,1")
        );
    }

    #[test]
    fn the_plain_way_reads_what_the_rules_read_and_nothing_else() {
        // Changed in every place to every character that means something, and to some that do not.
        let mut plain = 0;
        for message in [
            "12.5,1708000203824,",
            "-0.10000000000000001,1708000203824,IV",
            "7,1708000203824",
            "12345678,1708000203824,iv",
            "1234567.,1708000203824,",
            "123456789012345678901234567890,9999999999999,",
        ] {
            for place in 0..message.len() {
                for byte in *b"0159.-+,eEnNaA IVivx:/\x00\x7f\xb0\xff" {
                    let mut bytes = message.as_bytes().to_vec();
                    bytes[place] = byte;
                    for len in [bytes.len(), place + 1, place] {
                        let bytes = &bytes[..len];
                        if let Some(sample) = Sample::plain(bytes) {
                            plain += 1;
                            let text = bytes.escape_ascii();
                            assert_eq!(Sample::parse_any(bytes), Ok(sample), "{text}");
                        }
                    }
                }
            }
        }
        assert!(plain > 500, "only {plain} went the plain way");
    }

    #[test]
    fn no_sequence_of_up_to_four_grammar_bytes_panics_and_every_accepted_value_is_a_number() {
        const ALPHABET: &[u8] = b"1.eE+-nNa, \x00\xff";
        let mut message = std::vec![0u8; 4];
        for code in 0..ALPHABET.len().pow(4) {
            let mut rest = code;
            for byte in &mut message {
                *byte = ALPHABET[rest % ALPHABET.len()];
                rest /= ALPHABET.len();
            }
            let text = [message.as_slice(), b",7"].concat();
            if let Ok(sample) = Sample::parse(&text) {
                let value = core::str::from_utf8(sample.value).expect("accepted values are ASCII");
                assert!(value.parse::<f64>().is_ok(), "{value:?}");
            }
        }
    }
}
