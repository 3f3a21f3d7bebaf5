//! How is almost every sample read? By hand and at once: the grammar, which goes character by character, takes four times as many
//! instructions (516 for 127), and this is done for each sample. Tests and a fuzz target compare the two.

use super::{MAX_MESSAGE, Quality, Sample, grammar};

/// A decimal number, a timestamp of thirteen digits, and any good flags. `None` says nothing: [`grammar`] has all the rules.
#[inline]
pub(super) fn read(message: &[u8]) -> Option<Sample<'_>> {
    let unsigned = match message {
        [b'-', rest @ ..] => rest,
        _ => message,
    };
    let whole_digits = plain_digits_len(unsigned);
    let rest = unsigned.get(whole_digits..)?;
    let rest = match rest {
        [b'.', fraction @ ..] if whole_digits > 0 => fraction.get(plain_digits_len(fraction)..)?,
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
        [b',', flags @ ..] => grammar::quality(flags).ok()?,
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

fn digits_len(input: &[u8]) -> usize {
    let end = input.iter().position(|byte| !byte.is_ascii_digit());
    end.unwrap_or(input.len())
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
