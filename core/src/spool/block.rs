//! What is the head of a block, and of a segment? One word of storage each, with a checksum of its own, so that it is believed or not.
//!
//! ```text
//!   block:   magic | length, samples | number of the first sample | number below which all are done with | checksum of the rest, of this
//!   segment: magic | 0               | number of the first sample | number below which all are done with | serial number, checksum of this
//! ```

use crc::{CRC_32_ISCSI, Crc, Table};

use super::WORD;

/// Bytes of a head.
pub(super) const HEAD: usize = WORD as usize;

/// Longest block with its head, in bytes: one page of most file systems and of none of flash.
pub const BLOCK: usize = 4096;

/// The last letter is the format's version.
const BLOCK_MAGIC: u32 = u32::from_le_bytes(*b"mqB1");
const SEGMENT_MAGIC: u32 = u32::from_le_bytes(*b"mqS1");

const CHECKSUM: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISCSI);

/// The head of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Head {
    /// Bytes of the entries behind it.
    pub(super) len: u16,
    /// Samples among them.
    pub(super) count: u16,
    /// Number of the first of them.
    pub(super) first: u64,
    /// All samples below this number were done with when the block was written.
    pub(super) done: u64,
}

impl Head {
    /// Writes the head of these entries in front of them.
    pub(super) fn write(&self, block: &mut [u8]) -> Option<()> {
        let (head, entries) = block.split_first_chunk_mut::<HEAD>()?;
        let entries = entries.get(..usize::from(self.len))?;
        let lengths = u32::from(self.len) | u32::from(self.count) << 16;
        *head = pack(
            BLOCK_MAGIC,
            lengths,
            self.first,
            self.done,
            checksum(entries),
        );
        Some(())
    }

    /// The head at the front of these bytes; whether what it says of its entries holds is not looked at.
    pub(super) fn read(block: &[u8]) -> Option<Self> {
        let (magic, lengths, first, done, _) = unpack(block.first_chunk()?)?;
        let head = Head {
            len: lengths as u16,
            count: (lengths >> 16) as u16,
            first,
            done,
        };
        let fits = head.block_len() <= BLOCK && first.checked_add(head.count.into()).is_some();
        (magic == BLOCK_MAGIC && fits && done <= head.end()).then_some(head)
    }

    /// The entries of the block that begins here, if they are as they were written.
    pub(super) fn entries<'b>(&self, block: &'b [u8]) -> Option<&'b [u8]> {
        let (head, rest) = block.split_first_chunk::<HEAD>()?;
        let (.., expected) = unpack(head)?;
        let entries = rest.get(..usize::from(self.len))?;
        (checksum(entries) == expected).then_some(entries)
    }

    /// Bytes of the block on storage: whole words.
    pub(super) fn block_len(&self) -> usize {
        (HEAD + usize::from(self.len)).next_multiple_of(HEAD)
    }

    /// The number behind its last sample.
    pub(super) fn end(&self) -> u64 {
        self.first.saturating_add(self.count.into())
    }
}

/// The head of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentHead {
    /// Segments count up from 0.
    pub serial: u32,
    /// Number of its first sample.
    pub first: u64,
    pub done: u64,
}

impl SegmentHead {
    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> [u8; HEAD] {
        pack(SEGMENT_MAGIC, 0, self.first, self.done, self.serial)
    }

    /// The head at the front of a segment; `None`: it is none of this format, or damaged.
    #[must_use]
    pub fn read(segment: &[u8]) -> Option<Self> {
        let (magic, 0, first, done, serial) = unpack(segment.first_chunk()?)? else {
            return None;
        };
        (magic == SEGMENT_MAGIC).then_some(SegmentHead {
            serial,
            first,
            done,
        })
    }
}

fn pack(magic: u32, lengths: u32, first: u64, done: u64, last: u32) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    let [a, b, c, d] = magic.to_le_bytes();
    let [e, f, g, h] = lengths.to_le_bytes();
    let words = [
        u64::from_le_bytes([a, b, c, d, e, f, g, h]),
        first,
        done,
        u64::from(last),
    ];
    let (places, _) = head.as_chunks_mut::<8>();
    for (place, word) in places.iter_mut().zip(words) {
        *place = word.to_le_bytes();
    }
    if let Some((rest, place)) = head.split_last_chunk_mut() {
        *place = checksum(rest).to_le_bytes();
    }
    head
}

fn unpack(head: &[u8; HEAD]) -> Option<(u32, u32, u64, u64, u32)> {
    let (rest, expected) = head.split_last_chunk()?;
    if checksum(rest) != u32::from_le_bytes(*expected) {
        return None;
    }
    let (words, _) = head.as_chunks::<8>();
    let [lengths, first, done, last] = *words.first_chunk()?;
    let lengths = u64::from_le_bytes(lengths);
    Some((
        lengths as u32,
        (lengths >> 32) as u32,
        u64::from_le_bytes(first),
        u64::from_le_bytes(done),
        u64::from_le_bytes(last) as u32,
    ))
}

fn checksum(bytes: &[u8]) -> u32 {
    CHECKSUM.checksum(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD_OF_THREE: Head = Head {
        len: 5,
        count: 3,
        first: 1 << 40,
        done: 77,
    };

    #[test]
    fn the_format_does_not_change_by_accident() {
        let mut block = *b"................................hello";
        HEAD_OF_THREE.write(&mut block).expect("room");
        assert_eq!(
            block[..24],
            *b"mqB1\x05\0\x03\0\0\0\0\0\0\x01\0\0\x4d\0\0\0\0\0\0\0"
        );
        // The checksum of RFC 3720, B.4, of these five bytes.
        assert_eq!(block[24..28], 0x9a71_bb4c_u32.to_le_bytes());
        let segment = SegmentHead {
            serial: 7,
            first: 2,
            done: 1,
        };
        assert_eq!(
            segment.bytes()[..28],
            *b"mqS1\0\0\0\0\x02\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x07\0\0\0"
        );
        assert_eq!(SegmentHead::read(&segment.bytes()), Some(segment));
    }

    #[test]
    fn no_bit_can_flip_unnoticed() {
        let mut block = *b"................................hello";
        HEAD_OF_THREE.write(&mut block).expect("room");
        let read = |block: &[u8]| {
            let head = Head::read(block)?;
            head.entries(block).map(|entries| (head, entries.to_vec()))
        };
        assert_eq!(read(&block), Some((HEAD_OF_THREE, b"hello".to_vec())));
        for bit in 0..block.len() * 8 {
            let mut flipped = block;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read(&flipped), None, "bit {bit}");
        }
        for len in 0..block.len() {
            assert_eq!(read(&block[..len]), None, "{len} bytes");
        }
    }

    #[test]
    fn neither_erased_flash_nor_zeros_are_a_head() {
        for fill in [0x00, 0xff] {
            assert_eq!(Head::read(&[fill; HEAD]), None);
            assert_eq!(SegmentHead::read(&[fill; HEAD]), None);
        }
    }
}
