//! How does a waiting sample lie in the ring?
//!
//! ```text
//!   | flags | length of the text | signal, 3 bytes | value,timestamp: two characters to a byte |
//! ```
//!
//! Digits, `.`, `-`, `+` and the comma differ in their lower four bits, so a text of these alone is packed two to a byte, and comes back
//! byte for byte. A text with letters in it (`nan`, an exponent) lies there as it is. `12.5,1708000203824` takes 14 bytes.

use super::ring::Ring;
use crate::bytes::put;
use crate::sample::{MAX_TEXT, Quality};

/// Bytes before the text.
const HEAD: usize = 5;

/// Longest record, in bytes.
pub(super) const MAX_RECORD: usize = HEAD + MAX_TEXT;

/// Signals are numbered below this.
pub const MAX_SIGNALS: usize = 1 << 24;

const GOOD: u8 = 1;
const ASIDE: u8 = 2;
const PACKED: u8 = 4;

/// A record but for its text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    flags: u8,
    text_len: u8,
    signal: [u8; 3],
}

impl Head {
    /// Of a sample with this text, of at most [`MAX_TEXT`] bytes.
    pub(super) fn new(signal: u32, is_aside: bool, quality: Quality, text: &[u8]) -> Self {
        let [signal @ .., _] = signal.to_le_bytes();
        let good = if quality == Quality::Good { GOOD } else { 0 };
        let aside = if is_aside { ASIDE } else { 0 };
        let packed = if can_be_packed(text) { PACKED } else { 0 };
        Head {
            flags: good | aside | packed,
            text_len: text.len() as u8,
            signal,
        }
    }

    #[inline]
    pub(super) fn read(ring: &Ring<'_>, at: usize) -> Self {
        let [flags, text_len, signal @ ..] = ring.array::<HEAD>(at);
        Head {
            flags,
            text_len,
            signal,
        }
    }

    /// Length of the record in bytes.
    #[inline]
    pub(super) fn record_len(self) -> usize {
        HEAD + self.stored_len()
    }

    fn stored_len(self) -> usize {
        let len = usize::from(self.text_len);
        if self.flags & PACKED != 0 {
            len.div_ceil(2)
        } else {
            len
        }
    }

    #[inline]
    pub(super) fn signal(self) -> u32 {
        let [low, middle, high] = self.signal;
        u32::from_le_bytes([low, middle, high, 0])
    }

    #[inline]
    pub(super) fn quality(self) -> Quality {
        if self.flags & GOOD != 0 {
            Quality::Good
        } else {
            Quality::Bad
        }
    }

    /// Its topic is set aside: it is not to be sent for now.
    #[inline]
    pub(super) fn is_aside(self) -> bool {
        self.flags & ASIDE != 0
    }

    pub(super) fn text_len(self) -> usize {
        usize::from(self.text_len)
    }

    /// Writes the record to the ring.
    #[inline]
    pub(super) fn write(self, ring: &mut Ring<'_>, at: usize, text: &[u8]) {
        let len = self.record_len();
        if let Some(record) = ring.run_mut(at, len) {
            self.encode(record, text);
        } else {
            self.write_around(ring, at, text);
        }
    }

    #[cold]
    #[inline(never)]
    fn write_around(self, ring: &mut Ring<'_>, at: usize, text: &[u8]) {
        let mut record = [0; MAX_RECORD];
        let record = record.get_mut(..self.record_len()).unwrap_or_default();
        self.encode(record, text);
        ring.write(at, record);
    }

    #[inline]
    fn encode(self, record: &mut [u8], text: &[u8]) {
        let Some((head, stored)) = record.split_first_chunk_mut::<HEAD>() else {
            return;
        };
        let [low, middle, high] = self.signal;
        *head = [self.flags, self.text_len, low, middle, high];
        if self.flags & PACKED != 0 {
            pack(text, stored);
        } else {
            put(stored, 0, text);
        }
    }

    /// Writes `value,timestamp` of the record at `at` to the front of `out`, byte for byte as it was accepted.
    #[inline]
    pub(super) fn read_text(self, ring: &Ring<'_>, at: usize, out: &mut [u8]) {
        let len = self.stored_len();
        match ring.whole_run(at + HEAD, len) {
            Some(stored) => self.decode(stored, out),
            None => self.read_around(ring, at, out),
        }
    }

    #[cold]
    #[inline(never)]
    fn read_around(self, ring: &Ring<'_>, at: usize, out: &mut [u8]) {
        let mut stored = [0; MAX_TEXT];
        let stored = stored.get_mut(..self.stored_len()).unwrap_or_default();
        ring.read(at + HEAD, stored);
        self.decode(stored, out);
    }

    #[inline]
    fn decode(self, stored: &[u8], out: &mut [u8]) {
        let Some(out) = out.get_mut(..self.text_len()) else {
            return;
        };
        if self.flags & PACKED != 0 {
            unpack(stored, out);
        } else {
            put(out, 0, stored);
        }
    }

    /// The head with other flags, or of another signal; as long as before.
    pub(super) fn store(self, ring: &mut Ring<'_>, at: usize) {
        let [low, middle, high] = self.signal;
        ring.write(at, &[self.flags, self.text_len, low, middle, high]);
    }

    pub(super) fn with_aside(self, is_aside: bool) -> Self {
        let flags = if is_aside {
            self.flags | ASIDE
        } else {
            self.flags & !ASIDE
        };
        Head { flags, ..self }
    }

    pub(super) fn with_signal(self, signal: u32) -> Self {
        let [signal @ .., _] = signal.to_le_bytes();
        Head { signal, ..self }
    }
}

/// Whether the lower four bits tell these characters apart: no letter is among them.
#[inline]
fn can_be_packed(text: &[u8]) -> bool {
    let (words, rest) = text.as_chunks::<4>();
    let words = words
        .iter()
        .fold(0, |bits, word| bits | u32::from_le_bytes(*word));
    let rest = rest.iter().fold(0, |bits, byte| bits | byte);
    (words & 0x4040_4040) == 0 && rest & 0x40 == 0
}

/// Packs two characters to a byte, four at a time.
#[inline]
fn pack(text: &[u8], packed: &mut [u8]) {
    let (words, rest) = text.as_chunks::<4>();
    let (pairs, last) = packed.as_chunks_mut::<2>();
    let mut pairs = pairs.iter_mut();
    for (word, pair) in words.iter().zip(pairs.by_ref()) {
        let nibbles = u32::from_le_bytes(*word) & 0x0f0f_0f0f;
        let bytes = nibbles | nibbles >> 4;
        *pair = [bytes as u8, (bytes >> 16) as u8];
    }
    let left = pairs.next().into_iter().flatten().chain(last);
    for (characters, byte) in rest.chunks(2).zip(left) {
        *byte = characters
            .iter()
            .rev()
            .fold(0, |byte, character| byte << 4 | character & 0x0f);
    }
}

/// The inverse of [`pack`]; `text` is as long as what was packed.
#[inline]
fn unpack(packed: &[u8], text: &mut [u8]) {
    let (words, rest) = text.as_chunks_mut::<4>();
    let (pairs, last) = packed.as_chunks::<2>();
    let mut pairs = pairs.iter();
    for (word, pair) in words.iter_mut().zip(pairs.by_ref()) {
        let [low, high] = *pair;
        let bytes = u32::from(low) | u32::from(high) << 16;
        let nibbles = (bytes | bytes << 4) & 0x0f0f_0f0f;
        // 10 and above stand for `+`, `,`, `-` and `.`, which begin with 2 where digits begin with 3.
        let above = (nibbles + 0x0606_0606) & 0x1010_1010;
        *word = ((nibbles | 0x3030_3030) ^ above).to_le_bytes();
    }
    let left = pairs.next().into_iter().flatten().chain(last);
    let characters = left.flat_map(|byte| [byte & 0x0f, byte >> 4]);
    for (place, nibble) in rest.iter_mut().zip(characters) {
        *place = if nibble < 10 {
            nibble | 0x30
        } else {
            nibble | 0x20
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;
    use std::vec;
    use std::vec::Vec;

    fn read_back(text: &str, at: usize, capacity: usize) -> (usize, Vec<u8>) {
        let mut storage = vec![0; capacity];
        let mut ring = Ring::new(&mut storage, capacity);
        let head = Head::new(0x12_3456, true, Quality::Bad, text.as_bytes());
        head.write(&mut ring, at, text.as_bytes());
        let head = Head::read(&ring, at);
        assert_eq!((head.signal(), head.quality()), (0x12_3456, Quality::Bad));
        assert!(head.is_aside());
        let mut out = vec![b'?'; head.text_len()];
        head.read_text(&ring, at, &mut out);
        (head.record_len(), out)
    }

    #[test]
    fn every_text_comes_back_byte_for_byte_wherever_it_lies() {
        for text in [
            "0,1",
            "12.5,1708000203824",
            "-0.10000000000000001,1708000203824",
            "+7,007",
            ".5,0",
            "nan,1708000203824",
            "1E+05,1708000203824",
            "1.7976931348623157e+308,18446744073709551615",
        ] {
            for at in 0..60 {
                let (_, read) = read_back(text, at, 60);
                assert_eq!(String::from_utf8_lossy(&read), text, "at {at}");
            }
        }
    }

    #[test]
    fn every_length_and_every_character_comes_back() {
        let alphabet = b"0123456789.+-,";
        for len in 0..=MAX_TEXT {
            let text: String = (0..len)
                .map(|place| char::from(alphabet[(place * 5 + len) % alphabet.len()]))
                .collect();
            let (record_len, read) = read_back(&text, 0, MAX_RECORD);
            assert_eq!(String::from_utf8_lossy(&read), text);
            assert_eq!(record_len, 5 + len.div_ceil(2));
        }
    }

    #[test]
    fn the_record_of_a_usual_sample_is_as_short_as_the_table_in_the_documents_says() {
        for (text, len) in [
            ("12.5,1708000203824", 14),
            ("230.1,1708000203824", 15),
            ("0.10000000000000001,1708000203824", 22),
            ("nan,1708000203824", 22),
        ] {
            assert_eq!(read_back(text, 0, 100).0, len, "{text}");
        }
    }
}
