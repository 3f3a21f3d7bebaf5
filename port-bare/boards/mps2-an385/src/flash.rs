//! NOR flash in the board's PSRAM, which keeps what it has over a reset: the board itself has no flash that a program can write.
//!
//! It enforces the rules of flash like the STM32H7's: words of 32 bytes, each of which is written once, and sectors that are erased as a whole. And it
//! takes its time, so that a reset can come in the middle: then a word is half written, or a sector half erased, and neither can be written until it is
//! erased. When the power comes back on all of it is like that.
//!
//! ```text
//!   | cells | a bit for each word: it is erased, and was not written since |
//! ```

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};

use crate::bus::Block;

/// Bytes that are erased together.
pub const SECTOR: usize = 16 * 1024;
/// Sectors of the region.
pub const SECTORS: usize = 8;
/// Bytes of the region.
pub const CELLS: usize = SECTORS * SECTOR;
/// Bytes of PSRAM that it takes.
pub const LENGTH: usize = CELLS + CELLS / WORD / 8;

/// Bytes of a word.
const WORD: usize = 32;

/// Flash in a block of [`LENGTH`] bytes.
pub struct PsramFlash {
    memory: Block,
    /// Passes the time that flash takes to write half a word, or to erase one.
    wait: fn(),
}

impl PsramFlash {
    #[must_use]
    pub fn new(memory: Block, wait: fn()) -> Self {
        Self { memory, wait }
    }

    fn set_erased(&mut self, word: usize, is_erased: bool) {
        let (place, bit) = Self::flag(word);
        let flags = self.memory.read(place);
        let flags = if is_erased { flags | bit } else { flags & !bit };
        self.memory.write(place, flags);
    }

    fn is_erased(&mut self, word: usize) -> bool {
        let (place, bit) = Self::flag(word);
        self.memory.read(place) & bit != 0
    }

    /// Where the bit of a word is.
    fn flag(word: usize) -> (usize, u32) {
        (CELLS + word / 32 * size_of::<u32>(), 1 << (word % 32))
    }
}

impl ErrorType for PsramFlash {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for PsramFlash {
    const READ_SIZE: usize = size_of::<u32>();

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        check_read(self, offset, bytes.len())?;
        let (places, _) = bytes.as_chunks_mut();
        for (at, place) in (offset as usize..).step_by(size_of::<u32>()).zip(places) {
            *place = self.memory.read(at).to_le_bytes();
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        CELLS
    }
}

impl NorFlash for PsramFlash {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = SECTOR;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        check_erase(self, from, to)?;
        let words = from as usize / WORD..to as usize / WORD;
        for word in words.clone() {
            self.set_erased(word, false);
        }
        for at in (from as usize..to as usize).step_by(size_of::<u32>()) {
            self.memory.write(at, u32::MAX);
            if at.is_multiple_of(WORD) {
                (self.wait)();
            }
        }
        for word in words {
            self.set_erased(word, true);
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        check_write(self, offset, bytes.len())?;
        for (at, new) in (offset as usize..).step_by(WORD).zip(bytes.chunks(WORD)) {
            if !self.is_erased(at / WORD) {
                return Err(NorFlashErrorKind::Other);
            }
            self.set_erased(at / WORD, false);
            let (quarters, _) = new.as_chunks();
            for (at, quarter) in (at..).step_by(size_of::<u32>()).zip(quarters) {
                self.memory.write(at, u32::from_le_bytes(*quarter));
                if at % WORD == WORD / 2 {
                    (self.wait)();
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use core::ptr::NonNull;
    use std::boxed::Box;

    use super::*;

    /// What is in PSRAM when the power comes on.
    fn flash() -> PsramFlash {
        let memory = Box::leak(Box::new([0_u32; LENGTH / 4]));
        let base = NonNull::from(memory).cast();
        // SAFETY: the memory is readable and writable, and nobody else's for good.
        PsramFlash::new(unsafe { Block::at(base, LENGTH) }, || {})
    }

    #[test]
    fn a_word_is_written_once_after_each_erase() {
        let mut flash = flash();
        let other = Err(NorFlashErrorKind::Other);
        assert_eq!(flash.write(0, &[7; WORD]), other, "it was never erased");
        assert_eq!(flash.erase(0, SECTOR as u32), Ok(()));
        assert_eq!(flash.write(32, &[7; WORD]), Ok(()));
        assert_eq!(flash.write(32, &[0xff; WORD]), other, "a second time");
        assert_eq!(flash.write(0, &[8; 2 * WORD]), other, "half of it is new");
        let mut bytes = [0; 3 * WORD];
        assert_eq!(flash.read(0, &mut bytes), Ok(()));
        assert_eq!(bytes[..WORD], [8; WORD]);
        assert_eq!(bytes[WORD..2 * WORD], [7; WORD]);
        assert_eq!(bytes[2 * WORD..], [0xff; WORD]);
        assert_eq!(
            flash.write(SECTOR as u32, &[7; WORD]),
            other,
            "another sector"
        );
        assert_eq!(flash.erase(0, SECTOR as u32), Ok(()));
        assert_eq!(flash.write(32, &[9; WORD]), Ok(()));
    }

    #[test]
    fn what_is_not_whole_or_outside_is_refused() {
        let mut flash = flash();
        let (unaligned, outside) = (
            Err(NorFlashErrorKind::NotAligned),
            Err(NorFlashErrorKind::OutOfBounds),
        );
        assert_eq!(flash.erase(0, 32), unaligned);
        assert_eq!(flash.erase(0, (CELLS + SECTOR) as u32), outside);
        assert_eq!(flash.write(16, &[0; WORD]), unaligned);
        assert_eq!(flash.write(0, &[0; 16]), unaligned);
        assert_eq!(flash.write(CELLS as u32, &[0; WORD]), outside);
        assert_eq!(flash.read(CELLS as u32, &mut [0; 4]), outside);
    }
}
