//! Which messages are samples, and what is wrong with the others? All the rules, and the first that a message breaks.

use nom::Parser;
use nom::branch::alt;
use nom::bytes::{tag, tag_no_case, take_while};
use nom::character::complete::u64;
use nom::character::{digit1, satisfy};
use nom::combinator::{eof, not, opt, recognize, verify};
use nom::number::recognize_float;
use nom::sequence::{delimited, preceded};

use super::{MAX_MESSAGE, Quality, Rejection, Sample};
use crate::input::{Input, Parsed};

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

/// `value,timestamp,flags`
fn sample(message: &[u8]) -> Result<Sample<'_>, Rejection> {
    let (value, rest) = field(
        Input(message),
        number,
        Rejection::EmptyValue,
        Rejection::BadValue,
    )?;
    let (timestamp, flags) = field(
        rest,
        unix_millis,
        Rejection::NoTimestamp,
        Rejection::BadTimestamp,
    )?;
    let quality = quality(flags.0)?;
    // What stands before the value can be nothing but spaces.
    let whole = message.trim_ascii_start();
    let len = value.len() + 1 + timestamp.len();
    let is_whole =
        whole.get(value.len() + 1) == timestamp.first() && whole.get(value.len()) == Some(&b',');
    Ok(Sample {
        value,
        timestamp,
        quality,
        whole: whole.get(..len).filter(|_| is_whole).unwrap_or_default(),
    })
}

/// What the flags, behind the second comma, say.
#[inline(never)]
pub(super) fn quality(flags: &[u8]) -> Result<Quality, Rejection> {
    if flags.iter().any(u8::is_ascii_control) {
        return Err(Rejection::ControlByte);
    }
    if begins_with_timestamp(Input(flags)) {
        return Err(Rejection::DecimalComma);
    }
    Ok(Quality::from_flags(flags))
}

/// The field up to the first comma, without spaces around it, and what follows the comma.
fn field<'a>(
    input: Input<'a>,
    content: fn(Input<'a>) -> Parsed<'a, Input<'a>>,
    empty: Rejection,
    bad: Rejection,
) -> Result<(&'a [u8], Input<'a>), Rejection> {
    let end = preceded(spaces, alt((tag(","), eof)));
    match delimited(spaces, opt(content), end).parse_complete(input) {
        Ok((rest, Some(field))) => Ok((field.0, rest)),
        Ok((_, None)) => Err(empty),
        Err(_) => Err(bad),
    }
}

fn spaces(input: Input<'_>) -> Parsed<'_, Input<'_>> {
    take_while(|byte| byte == b' ').parse_complete(input)
}

/// `nan`, or digits with an optional point and exponent; an optional sign before either. nom's `float` would take `inf`, too.
fn number(input: Input<'_>) -> Parsed<'_, Input<'_>> {
    let sign = opt(satisfy(|sign| matches!(sign, '+' | '-')));
    let nan = recognize((sign, tag_no_case("nan")));
    alt((recognize_float(), nan)).parse_complete(input)
}

/// Digits that 64 bits hold.
fn unix_millis(input: Input<'_>) -> Parsed<'_, Input<'_>> {
    recognize(u64).parse_complete(input)
}

/// Whether the first token of the flags is a number as long as a timestamp.
fn begins_with_timestamp(flags: Input<'_>) -> bool {
    let digits = verify(digit1(), |digits: &Input<'_>| {
        digits.0.len() >= TIMESTAMP_DIGITS
    });
    let end = not(satisfy(is_of_token));
    (spaces, digits, end).parse_complete(flags).is_ok()
}

impl Quality {
    /// Tokens are matched in any letter case, and separated by anything that is not a letter, a digit or `_`.
    fn from_flags(flags: &[u8]) -> Self {
        let bad = flags
            .split(|byte| !is_of_token(char::from(*byte)))
            .any(|token| {
                [b"IV", b"NT", b"OV"]
                    .iter()
                    .any(|flag| token.eq_ignore_ascii_case(*flag))
            });
        if bad { Quality::Bad } else { Quality::Good }
    }
}

fn is_of_token(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}
