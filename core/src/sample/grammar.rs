//! Which messages are samples, and what is wrong with the others? All the rules, and the first that a message breaks.

use super::{MAX_MESSAGE, Quality, Rejection, Sample};

/// So many digits are a timestamp (of 1973 or later) and no flag, not even a numeric one.
const TIMESTAMP_DIGITS: usize = 11;

/// Reads any message.
#[inline(never)]
pub(super) fn read(message: &[u8]) -> Result<Sample<'_>, Rejection> {
    if message.len() > MAX_MESSAGE {
        return Err(Rejection::TooLong);
    }
    sample(message).map_err(|rejection| {
        // What does not show need not be looked for in what is wrong anyway.
        if message.iter().any(u8::is_ascii_control) {
            Rejection::ControlByte
        } else {
            rejection
        }
    })
}

fn sample(message: &[u8]) -> Result<Sample<'_>, Rejection> {
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
    let is_whole =
        whole.get(value.len() + 1) == timestamp.first() && whole.get(value.len()) == Some(&b',');
    Ok(Sample {
        value,
        timestamp,
        quality: Quality::from_flags(flags),
        whole: whole.get(..len).filter(|_| is_whole).unwrap_or_default(),
    })
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

pub(super) fn digits_len(input: &[u8]) -> usize {
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
