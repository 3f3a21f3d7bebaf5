//! How does a waiting sample lie in the ring?
//!
//! ```text
//!   | flags, length of the text, signal: 4 bytes | value,timestamp: two characters to a byte |
//! ```
//!
//! Where it counts how long a sample has waited, a stamp of four bytes stands before the text: when it was accepted.
//!
//! Digits, `.`, `-`, `+` and the comma differ in their lower four bits, so a text of these alone is packed two to a byte, and comes back
//! byte for byte. Eight characters go at a time; the last eight stand for themselves, also where some of them were packed already: so no
//! rest has to be treated apart. A text with letters in it (`nan`, an exponent), or a very short one, lies there as it is; and so does every
//! text while the ring is nearly empty: it goes out at once, and to pack and unpack it takes an eighth of a message's instructions.

use super::ring::Ring;
use crate::bytes::put;
use crate::sample::{MAX_TEXT, Quality};

/// Bytes before the text.
const HEAD: usize = 4;

/// Bytes of a stamp.
const STAMP: usize = 4;

/// Longest record, in bytes.
pub(super) const MAX_RECORD: usize = HEAD + STAMP + MAX_TEXT;

/// Signals are numbered below this.
pub const MAX_SIGNALS: usize = 1 << (32 - SIGNAL);

/// Characters that are packed at a time, and the bytes that they take.
const UNPACKED: usize = 8;
const PACKED: usize = 4;

const GOOD: u32 = 1;
const ASIDE: u32 = 2;
const IS_PACKED: u32 = 4;
const IS_STAMPED: u32 = 8;

/// Where length and signal begin in the head, in bits from its lowest.
const LEN: u32 = 4;
const SIGNAL: u32 = 12;

/// A record but for its text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head(u32);

impl Head {
    /// Of a sample with this text, of at most [`MAX_TEXT`] bytes.
    pub(super) fn new(signal: u32, is_aside: bool, quality: Quality, text: &[u8]) -> Self {
        let head = Head::packed(signal, is_aside, quality, text.len());
        if can_be_packed(text) {
            head
        } else {
            head.unpacked()
        }
    }

    /// The same, where the text is known to be one that can be packed.
    #[inline]
    pub(super) fn packed(signal: u32, is_aside: bool, quality: Quality, text_len: usize) -> Self {
        let good = if quality == Quality::Good { GOOD } else { 0 };
        let aside = if is_aside { ASIDE } else { 0 };
        let len = (text_len as u32 & 0xff) << LEN;
        Head(signal << SIGNAL | len | IS_PACKED | good | aside)
    }

    /// The same, where the text lies there as it is.
    #[inline]
    pub(super) fn unpacked(self) -> Self {
        Head(self.0 & !IS_PACKED)
    }

    /// The same, with a stamp.
    pub(super) fn stamped(self) -> Self {
        Head(self.0 | IS_STAMPED)
    }

    /// When the sample of the record at `at` was accepted, if it has a stamp.
    pub(super) fn stamp(self, ring: &Ring<'_>, at: usize) -> Option<u32> {
        (self.text_at() > HEAD).then(|| u32::from_le_bytes(ring.array(at + HEAD)))
    }

    /// Bytes before the text.
    #[inline]
    fn text_at(self) -> usize {
        if cfg!(feature = "mqtt5") {
            HEAD + (self.0 & IS_STAMPED) as usize / 2
        } else {
            HEAD
        }
    }

    #[inline]
    pub(super) fn read(ring: &Ring<'_>, at: usize) -> Self {
        Head(u32::from_le_bytes(ring.array(at)))
    }

    /// Length of the record in bytes.
    #[inline]
    pub(super) fn record_len(self) -> usize {
        self.text_at() + self.stored_len()
    }

    #[inline]
    fn stored_len(self) -> usize {
        if self.is_packed() {
            self.text_len().div_ceil(UNPACKED) * PACKED
        } else {
            self.text_len()
        }
    }

    #[inline]
    pub(super) fn signal(self) -> u32 {
        self.0 >> SIGNAL
    }

    #[inline]
    fn is_packed(self) -> bool {
        self.0 & IS_PACKED != 0
    }

    #[inline]
    pub(super) fn quality(self) -> Quality {
        if self.0 & GOOD != 0 {
            Quality::Good
        } else {
            Quality::Bad
        }
    }

    /// Its topic is set aside: it is not to be sent for now.
    #[inline]
    pub(super) fn is_aside(self) -> bool {
        self.0 & ASIDE != 0
    }

    #[inline]
    pub(super) fn text_len(self) -> usize {
        (self.0 >> LEN & 0xff) as usize
    }

    /// Writes the record to the ring. `false`, and it is not there, if this head is for a [packed](Head::packed) text, and that one cannot
    /// be, or if the record would wrap: then [`Head::write_any`] helps. It has no stamp.
    #[inline]
    pub(super) fn write(self, ring: &mut Ring<'_>, at: usize, text: &[u8]) -> bool {
        let record = ring.run_mut(at, self.record_len());
        let Some((head, stored)) = record.and_then(|record| record.split_first_chunk_mut()) else {
            return false;
        };
        *head = self.0.to_le_bytes();
        if self.is_packed() {
            pack(text, stored)
        } else {
            put(stored, 0, text).is_some()
        }
    }

    /// Writes the record to the ring, whatever its text and its place. The head must be a [new](Head::new) one, and
    /// [stamped](Head::stamped) if there is a `stamp`.
    #[cold]
    #[inline(never)]
    pub(super) fn write_any(self, ring: &mut Ring<'_>, at: usize, stamp: u32, text: &[u8]) {
        let mut stored = [0; MAX_TEXT];
        let stored = stored.get_mut(..self.stored_len()).unwrap_or_default();
        if self.is_packed() {
            pack(text, stored);
        } else {
            put(stored, 0, text);
        }
        self.store(ring, at);
        if self.text_at() > HEAD {
            ring.write(at + HEAD, &stamp.to_le_bytes());
        }
        ring.write(at + self.text_at(), stored);
    }

    /// Writes `value,timestamp` of the record at `at` to `out`, byte for byte as it was accepted; `out` is as long as that.
    #[inline]
    pub(super) fn read_text(self, ring: &Ring<'_>, at: usize, out: &mut [u8]) {
        match ring.whole_run(at + self.text_at(), self.stored_len()) {
            Some(stored) if self.is_packed() => unpack(stored, out),
            Some(stored) => {
                put(out, 0, stored);
            }
            None => self.read_any(ring, at, out),
        }
    }

    #[cold]
    #[inline(never)]
    fn read_any(self, ring: &Ring<'_>, at: usize, out: &mut [u8]) {
        let mut stored = [0; MAX_TEXT];
        let stored = stored.get_mut(..self.stored_len()).unwrap_or_default();
        ring.read(at + self.text_at(), stored);
        if self.is_packed() {
            unpack(stored, out);
        } else {
            put(out, 0, stored);
        }
    }

    /// The head with other flags, or of another signal; as long as before.
    pub(super) fn store(self, ring: &mut Ring<'_>, at: usize) {
        ring.write(at, &self.0.to_le_bytes());
    }

    pub(super) fn with_aside(self, is_aside: bool) -> Self {
        Head(if is_aside {
            self.0 | ASIDE
        } else {
            self.0 & !ASIDE
        })
    }

    pub(super) fn with_signal(self, signal: u32) -> Self {
        Head(signal << SIGNAL | self.0 & ((1 << SIGNAL) - 1))
    }
}

/// The bit that all letters have, and no character of a text that can be packed.
const LETTER: u64 = 0x4040_4040_4040_4040;

/// Whether the lower four bits tell these characters apart: no letter is among them; and whether there are enough of them.
fn can_be_packed(text: &[u8]) -> bool {
    text.len() >= UNPACKED && text.iter().all(|byte| byte & LETTER as u8 == 0)
}

/// Packs two characters to a byte; `false` if they cannot be.
#[inline]
fn pack(text: &[u8], packed: &mut [u8]) -> bool {
    let (Some(last), Some(last_place)) = (last_of(text), last_of_mut(packed)) else {
        return false;
    };
    let last = u64::from_le_bytes(*last);
    let mut bits = last;
    *last_place = pack_eight(last);
    let (mut text, mut packed) = (text, packed);
    while let (Some((characters, text_behind)), Some((place, packed_behind))) = (
        text.split_first_chunk::<UNPACKED>(),
        packed.split_first_chunk_mut(),
    ) {
        let characters = u64::from_le_bytes(*characters);
        bits |= characters;
        *place = pack_eight(characters);
        (text, packed) = (text_behind, packed_behind);
    }
    bits & LETTER == 0
}

/// The last `N` bytes. The standard library's own way leaves a check of the length that the optimiser does not always see through.
#[inline]
fn last_of<const N: usize>(bytes: &[u8]) -> Option<&[u8; N]> {
    bytes.get(bytes.len().wrapping_sub(N)..)?.first_chunk()
}

#[inline]
fn last_of_mut<const N: usize>(bytes: &mut [u8]) -> Option<&mut [u8; N]> {
    let from = bytes.len().wrapping_sub(N);
    bytes.get_mut(from..)?.first_chunk_mut()
}

#[inline]
fn pack_eight(characters: u64) -> [u8; PACKED] {
    let nibbles = characters & 0x0f0f_0f0f_0f0f_0f0f;
    let bytes = (nibbles | nibbles >> 4) & 0x00ff_00ff_00ff_00ff;
    let pairs = (bytes | bytes >> 8) & 0x0000_ffff_0000_ffff;
    ((pairs | pairs >> 16) as u32).to_le_bytes()
}

/// The inverse of [`pack`]; `text` is as long as what was packed.
#[inline(never)]
fn unpack(packed: &[u8], text: &mut [u8]) {
    let (Some(last), Some(last_place)) = (last_of(packed), last_of_mut(text)) else {
        return;
    };
    *last_place = unpack_eight(*last);
    let (mut packed, mut text) = (packed, text);
    while let (Some((place, text_behind)), Some((eight, packed_behind))) = (
        text.split_first_chunk_mut::<UNPACKED>(),
        packed.split_first_chunk(),
    ) {
        *place = unpack_eight(*eight);
        (packed, text) = (packed_behind, text_behind);
    }
}

#[inline]
fn unpack_eight(packed: [u8; PACKED]) -> [u8; UNPACKED] {
    let bytes = u64::from(u32::from_le_bytes(packed));
    let pairs = (bytes | bytes << 16) & 0x0000_ffff_0000_ffff;
    let bytes = (pairs | pairs << 8) & 0x00ff_00ff_00ff_00ff;
    let nibbles = (bytes | bytes << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    // 10 and above stand for `+`, `,`, `-` and `.`, which begin with 2 where digits begin with 3.
    let above = (nibbles + 0x0606_0606_0606_0606) & 0x1010_1010_1010_1010;
    ((nibbles | 0x3030_3030_3030_3030) ^ above).to_le_bytes()
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
        let head = Head::new(0xf_3456, true, Quality::Bad, text.as_bytes());
        if !head.write(&mut ring, at, text.as_bytes()) {
            head.write_any(&mut ring, at, 0, text.as_bytes());
        }
        let head = Head::read(&ring, at);
        assert_eq!((head.signal(), head.quality()), (0xf_3456, Quality::Bad));
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
            let stored = if len < 8 { len } else { len.div_ceil(8) * 4 };
            assert_eq!(record_len, 4 + stored);
        }
    }

    #[test]
    fn a_stamp_comes_back_and_the_text_behind_it() {
        for text in ["12.5,1708000203824", "nan,1"] {
            for at in 0..60 {
                let mut storage = [0; 60];
                let mut ring = Ring::new(&mut storage, 60);
                let head = Head::new(7, false, Quality::Good, text.as_bytes()).stamped();
                head.write_any(&mut ring, at, 0x1234_5678, text.as_bytes());
                let head = Head::read(&ring, at);
                assert_eq!(head.stamp(&ring, at), Some(0x1234_5678), "at {at}");
                let mut out = vec![b'?'; head.text_len()];
                head.read_text(&ring, at, &mut out);
                assert_eq!(String::from_utf8_lossy(&out), text, "at {at}");
            }
        }
    }

    #[test]
    fn the_record_of_a_usual_sample_is_as_short_as_the_table_in_the_documents_says() {
        for (text, len) in [
            ("12.5,1708000203824", 16),
            ("230.1,1708000203824", 16),
            ("0.10000000000000001,1708000203824", 24),
            ("nan,1708000203824", 21),
        ] {
            assert_eq!(read_back(text, 0, 100).0, len, "{text}");
        }
    }
}
