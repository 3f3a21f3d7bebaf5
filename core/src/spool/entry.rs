//! How does a sample lie in a block?
//!
//! ```text
//!   number:   code | signal, quality, sign | timestamp | digits of the value as one integer, without leading zeros: 0 to 8 bytes
//!   text:     TEXT | signal, quality       | timestamp | length | value
//!   whole:   WHOLE | signal, quality       | length | value,timestamp
//!   name:     NAME | place | length | name of the signal that is meant by this place from here on in this block
//!   second: SECOND | when the samples from here on were accepted
//! ```
//!
//! The code says how many bytes the integer has, and how many of its digits stand behind the point: `5.9589999999999996` is 16 behind the
//! point of an integer of 7 bytes. What would not come back byte for byte (`nan`, an exponent, `+5`, `.5`) is kept as text. Numbers are
//! varints of seven bits to a byte; timestamps and seconds are steps from the ones before, those of a block's first sample from 0.

use super::NAMES;
use crate::bytes::put;
use crate::sample::{MAX_TEXT, Quality, Sample};

/// Longest entry of each kind, in bytes.
pub(super) const MAX_SAMPLE: usize = 1 + MAX_VARINT + 1 + MAX_TEXT;
pub(super) const MAX_NAME: usize = 3 + 1 + 255;
pub(super) const MAX_SECOND: usize = 1 + MAX_VARINT;

const MAX_VARINT: usize = 10;

/// Codes of a number: its bytes times this, plus its digits behind the point.
const FRACTIONS: u8 = 19;
const MAX_BYTES: u8 = 8;

const NAME: u8 = 251;
const SECOND: u8 = 252;
const TEXT: u8 = 253;
const WHOLE: u8 = 254;

/// What the differences in a block are from.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Context {
    timestamp: u64,
    second: u64,
}

/// What one entry says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entry<'e> {
    Name {
        place: u32,
        name: &'e [u8],
    },
    /// Samples from here on were accepted in this second.
    Second(u64),
    Sample {
        place: u32,
        quality: Quality,
        text: &'e [u8],
    },
}

/// Writes entries one behind the other.
pub(super) struct Encoder<'b> {
    bytes: &'b mut [u8],
    at: usize,
}

impl<'b> Encoder<'b> {
    /// Writes to `bytes` from `at` on.
    pub(super) fn new(bytes: &'b mut [u8], at: usize) -> Self {
        Encoder { bytes, at }
    }

    /// Where the next entry goes.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// From here on this place means the signal of this name. `None` if there is no room, here and below.
    pub(super) fn name(&mut self, place: u32, name: &[u8]) -> Option<()> {
        self.byte(NAME)?;
        self.varint(place.into())?;
        self.short(name)
    }

    pub(super) fn second(&mut self, context: &mut Context, second: u64) -> Option<()> {
        if context.second == second {
            return Some(());
        }
        self.byte(SECOND)?;
        self.difference(context.second, second)?;
        context.second = second;
        Some(())
    }

    pub(super) fn sample(
        &mut self,
        context: &mut Context,
        place: u32,
        sample: &Sample<'_>,
    ) -> Option<()> {
        let good = u64::from(sample.quality == Quality::Good);
        let key = u64::from(place) << 2 | good << 1;
        let timestamp = integer(sample.timestamp);
        let step = timestamp.and_then(|timestamp| code_of_step(context.timestamp, timestamp));
        let (Some(timestamp), Some(step)) = (timestamp, step) else {
            let mut joined = [0; MAX_TEXT];
            self.byte(WHOLE)?;
            self.varint(key)?;
            return self.short(sample.text(&mut joined));
        };
        if let Some(number) = Number::of(sample.value) {
            let digits = number.digits.to_le_bytes();
            let len = MAX_BYTES - (number.digits.leading_zeros() / 8) as u8;
            self.byte(len * FRACTIONS + number.fraction)?;
            self.varint(key | u64::from(number.is_negative))?;
            self.varint(step)?;
            self.bytes(digits.get(..usize::from(len))?)?;
        } else {
            self.byte(TEXT)?;
            self.varint(key)?;
            self.varint(step)?;
            self.short(sample.value)?;
        }
        context.timestamp = timestamp;
        Some(())
    }

    fn bytes(&mut self, bytes: &[u8]) -> Option<()> {
        self.at = put(self.bytes, self.at, bytes)?;
        Some(())
    }

    fn byte(&mut self, byte: u8) -> Option<()> {
        self.bytes(&[byte])
    }

    /// With its length before it.
    fn short(&mut self, bytes: &[u8]) -> Option<()> {
        self.byte(bytes.len().try_into().ok()?)?;
        self.bytes(bytes)
    }

    fn varint(&mut self, mut number: u64) -> Option<()> {
        while number >= 0x80 {
            self.byte(number as u8 | 0x80)?;
            number >>= 7;
        }
        self.byte(number as u8)
    }

    /// Small steps in either direction are short.
    fn difference(&mut self, from: u64, to: u64) -> Option<()> {
        let step = to.wrapping_sub(from) as i64;
        self.varint((step << 1 ^ step >> 63) as u64)
    }
}

/// Reads entries one behind the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decoder {
    at: usize,
    context: Context,
}

impl Decoder {
    /// At the first entry.
    pub(super) const START: Decoder = Decoder {
        at: 0,
        context: Context {
            timestamp: 0,
            second: 0,
        },
    };

    /// The next entry of `bytes`, which are always the same ones; a sample's text lies at the front of `room`. `None` at their end, and where there is none.
    pub(super) fn next<'e>(
        &mut self,
        bytes: &'e [u8],
        room: &'e mut [u8; MAX_TEXT],
    ) -> Option<Entry<'e>> {
        let mut input = Input {
            rest: bytes.get(self.at..)?,
        };
        let entry = self.read(&mut input, room)?;
        self.at = bytes.len() - input.rest.len();
        Some(entry)
    }

    fn read<'e>(
        &mut self,
        input: &mut Input<'e>,
        room: &'e mut [u8; MAX_TEXT],
    ) -> Option<Entry<'e>> {
        let code = input.byte()?;
        match code {
            NAME => {
                let place = place(input.varint()?)?;
                let name = input.short()?;
                return Some(Entry::Name { place, name });
            }
            SECOND => {
                self.context.second = input.difference(self.context.second)?;
                return Some(Entry::Second(self.context.second));
            }
            _ => {}
        }
        let key = input.varint()?;
        let place = place(key >> 2)?;
        let quality = if key & 2 == 0 {
            Quality::Bad
        } else {
            Quality::Good
        };
        if code == WHOLE {
            let whole = input.short()?;
            Sample::of_text(whole, quality)?;
            put(room, 0, whole)?;
            let text = room.get(..whole.len())?;
            return Some(Entry::Sample {
                place,
                quality,
                text,
            });
        }
        let timestamp = step_of_code(self.context.timestamp, input.varint()?);
        self.context.timestamp = timestamp;
        let mut text = Encoder::new(room, 0);
        if code == TEXT {
            let value = input.short()?;
            (!value.contains(&b',')).then_some(())?;
            text.bytes(value)?;
        } else {
            let len = code / FRACTIONS;
            (len <= MAX_BYTES).then_some(())?;
            let mut digits = [0; MAX_BYTES as usize];
            put(&mut digits, 0, input.take(usize::from(len))?)?;
            let number = Number {
                is_negative: key & 1 != 0,
                digits: u64::from_le_bytes(digits),
                fraction: code % FRACTIONS,
            };
            number.write(&mut text)?;
        }
        text.byte(b',')?;
        write_digits(&mut text, timestamp, 1, 0)?;
        let len = text.at;
        let text = room.get(..len)?;
        Some(Entry::Sample {
            place,
            quality,
            text,
        })
    }
}

/// Of eight codes seven are steps ahead, as most are: those of up to 111 milliseconds take one byte. `None`: it is too long.
fn code_of_step(from: u64, to: u64) -> Option<u64> {
    match to.checked_sub(from) {
        Some(ahead) if ahead < LONGEST_STEP => Some(ahead / 7 * 8 + ahead % 7),
        None if from - to < LONGEST_STEP => Some((from - to - 1) * 8 + 7),
        _ => None,
    }
}

const LONGEST_STEP: u64 = 1 << 60;

fn step_of_code(from: u64, code: u64) -> u64 {
    match code % 8 {
        7 => from.wrapping_sub(code / 8 + 1),
        rest => from.wrapping_add(code / 8 * 7 + rest),
    }
}

fn place(number: u64) -> Option<u32> {
    let place = u32::try_from(number).ok()?;
    ((place as usize) < NAMES).then_some(place)
}

/// What is not read yet.
struct Input<'e> {
    rest: &'e [u8],
}

impl<'e> Input<'e> {
    fn take(&mut self, len: usize) -> Option<&'e [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    fn short(&mut self) -> Option<&'e [u8]> {
        let len = self.byte()?;
        self.take(len.into())
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn difference(&mut self, from: u64) -> Option<u64> {
        let step = self.varint()?;
        let step = (step >> 1) as i64 ^ -((step & 1) as i64);
        Some(from.wrapping_add(step as u64))
    }
}

/// A value that comes back byte for byte from this: no exponent, no `+`, no zeros in front, digits on both sides of a point.
struct Number {
    is_negative: bool,
    digits: u64,
    /// How many of them stand behind the point; 0: there is none.
    fraction: u8,
}

impl Number {
    fn of(value: &[u8]) -> Option<Self> {
        let (is_negative, unsigned) = match value {
            [b'-', rest @ ..] => (true, rest),
            _ => (false, value),
        };
        let mut digits = 0_u64;
        let mut point = None;
        for (at, byte) in unsigned.iter().enumerate() {
            match byte {
                b'0'..=b'9' => {
                    digits = digits
                        .checked_mul(10)?
                        .checked_add(u64::from(byte - b'0'))?;
                }
                b'.' if point.is_none() => point = Some(at),
                _ => return None,
            }
        }
        let whole = unsigned.get(..point.unwrap_or(unsigned.len()))?;
        let fraction = match point {
            Some(at) => unsigned.len() - at - 1,
            None => 0,
        };
        let is_canonical = match whole {
            [] => false,
            [b'0'] => true,
            [first, ..] => *first != b'0',
        };
        let has_digits = point.is_none() || fraction > 0;
        (is_canonical && has_digits && fraction < usize::from(FRACTIONS)).then_some(Number {
            is_negative,
            digits,
            fraction: fraction as u8,
        })
    }

    fn write(&self, text: &mut Encoder<'_>) -> Option<()> {
        if self.is_negative {
            text.byte(b'-')?;
        }
        let fraction = usize::from(self.fraction);
        write_digits(text, self.digits, 1 + fraction, fraction)
    }
}

/// Writes at least `least` digits, `fraction` of them behind a point.
fn write_digits(
    text: &mut Encoder<'_>,
    mut number: u64,
    least: usize,
    fraction: usize,
) -> Option<()> {
    // From the back.
    let mut reversed = heapless::Vec::<u8, 24>::new();
    while number > 0 || reversed.len() < least {
        reversed.push(b'0' + (number % 10) as u8).ok()?;
        number /= 10;
    }
    let mut left = reversed.len();
    for digit in reversed.iter().rev() {
        if left == fraction && fraction > 0 {
            text.byte(b'.')?;
        }
        left = left.saturating_sub(1);
        text.byte(*digit)?;
    }
    Some(())
}

/// An integer that comes back byte for byte: no zeros in front.
fn integer(text: &[u8]) -> Option<u64> {
    let number = Number::of(text)?;
    (!number.is_negative && number.fraction == 0).then_some(number.digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;
    use std::vec::Vec;

    /// Bytes of the samples behind one another, and what is read from them.
    fn there_and_back(texts: &[&str]) -> (usize, Vec<String>) {
        let mut bytes = [0; 4096];
        let mut encoder = Encoder::new(&mut bytes, 0);
        let mut context = Context::default();
        for text in texts {
            let sample = Sample::of_text(text.as_bytes(), Quality::Good).expect("a comma");
            encoder.sample(&mut context, 3, &sample).expect("room");
        }
        let len = encoder.at();
        let mut decoder = Decoder::START;
        let mut room = [0; MAX_TEXT];
        let mut read = Vec::new();
        while let Some(entry) = decoder.next(&bytes[..len], &mut room) {
            let Entry::Sample {
                place: 3,
                quality: Quality::Good,
                text,
            } = entry
            else {
                panic!("{entry:?}");
            };
            read.push(String::from_utf8_lossy(text).into_owned());
        }
        assert_eq!(decoder.at, len);
        (len, read)
    }

    #[test]
    fn every_text_comes_back_byte_for_byte() {
        let texts = [
            "0,0",
            "-0,1",
            "0.0,1",
            "-0.05,1708000203824",
            "12.5,1708000203824",
            "5.9589999999999996,1708000203825",
            "-0.10000000000000001,1708000203000",
            "18446744073709551615,18446744073709551615",
            "18446744073709551616,1",
            "0.000000000000000001,1",
            "0.0000000000000000001,1",
            "1.0000000000000000001,1",
            "00.5,1",
            "007,1",
            ".5,1",
            "5.,1",
            "+5,1",
            "nan,1708000203824",
            "-NaN,1708000203824",
            "1.7976931348623157e+308,1708000203824",
            "12.5,01708000203824",
            "12.5,0000000000000000000000000000000017",
            "123456789012345678901234567890.5,99999",
        ];
        let (_, read) = there_and_back(&texts);
        assert_eq!(read, texts);
        for text in texts {
            assert_eq!(there_and_back(&[text]).1, [text]);
        }
    }

    #[test]
    fn a_text_lies_in_the_room_that_was_lent_whatever_its_form() {
        for text in ["12.5,1", "nan,1", "12.5,01"] {
            let mut bytes = [0; 64];
            let mut encoder = Encoder::new(&mut bytes, 0);
            let sample = Sample::of_text(text.as_bytes(), Quality::Good).expect("a comma");
            encoder
                .sample(&mut Context::default(), 0, &sample)
                .expect("room");
            let mut room = [0; MAX_TEXT];
            let mut decoder = Decoder::START;
            assert!(decoder.next(&bytes, &mut room).is_some());
            assert_eq!(room[..text.len()], *text.as_bytes());
        }
    }

    #[test]
    fn random_decimal_texts_come_back() {
        let mut state = 1_u64;
        let mut random = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % below
        };
        for _ in 0..20_000 {
            let len = 1 + random(24);
            let mut text: String = (0..len)
                .map(|_| char::from(b"0123456789.-00"[random(14) as usize]))
                .collect();
            text.push_str(&std::format!(",{}", random(u64::MAX) >> random(64)));
            assert_eq!(there_and_back(&[&text]).1, [text.clone()]);
        }
    }

    #[test]
    fn a_usual_sample_takes_as_few_bytes_as_the_table_in_the_documents_says() {
        for (value, bytes) in [("12.5", 4), ("5.9589999999999996", 10), ("nan", 7)] {
            let texts: Vec<_> = (0..100_u64)
                .map(|number| std::format!("{value},{}", 1_708_000_203_824 + 100 * number))
                .collect();
            let texts: Vec<_> = texts.iter().map(String::as_str).collect();
            // The first timestamp of a block is a whole one.
            let (len, _) = there_and_back(&texts);
            assert_eq!((len - 4) / 100, bytes, "{value}: {len}");
        }
    }

    #[test]
    fn what_does_not_fit_leaves_no_trace_that_is_read() {
        let sample = Sample::of_text(b"12.5,1708000203824", Quality::Bad).expect("a comma");
        for room in 0..9 {
            let mut bytes = [0; 9];
            let mut context = Context::default();
            let mut encoder = Encoder::new(&mut bytes[..room], 0);
            let fits = encoder.sample(&mut context, 0, &sample).is_some();
            assert_eq!(fits, room == 9, "{room}");
        }
    }

    #[test]
    fn bytes_that_say_nothing_are_an_end() {
        for bytes in [
            &[255_u8, 0, 0][..],
            &[WHOLE, 0, 3, b'1', b'2', b'3'],
            &[TEXT, 0, 0, 2, b'1', b','],
            &[NAME, 0x80, 0x04, 0],
            &[NAME, 0, 5, b'p'],
            &[200, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8],
            &[
                SECOND, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1,
            ],
        ] {
            let mut decoder = Decoder::START;
            assert_eq!(decoder.next(bytes, &mut [0; MAX_TEXT]), None, "{bytes:?}");
        }
    }
}
