//! A model of NOR flash with an error correction for each word: words of 32 bytes that are written once, sectors that are erased as a whole. Whoever
//! breaks a rule panics. The power can be cut in the middle of any word and of any erase: what is left is neither, and may look like either.

use std::cell::RefCell;
use std::rc::Rc;

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};

/// Bytes of a word.
pub const WORD: usize = 32;

/// The flash of a board, with sectors of `ERASE` bytes; what was put on it outlives the program.
#[derive(Clone)]
pub struct Nor<const ERASE: usize>(Rc<RefCell<Cells>>);

struct Cells {
    bytes: Vec<u8>,
    /// Of each word, whether something was written to it since it was erased whole.
    is_written: Vec<bool>,
    erases: Vec<u32>,
    /// Changes until the power is cut.
    cut_in: Option<u32>,
    is_cut: bool,
    changes: u32,
    /// The words of this sector do not hold what is written to them.
    worn_out: Option<usize>,
    random: fastrand::Rng,
}

impl<const ERASE: usize> Nor<ERASE> {
    /// As it comes: anything may be on it.
    pub fn new(sectors: usize, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let len = sectors * ERASE;
        Nor(Rc::new(RefCell::new(Cells {
            bytes: (0..len).map(|_| random.u8(..)).collect(),
            is_written: vec![true; len / WORD],
            erases: vec![0; sectors],
            cut_in: None,
            is_cut: false,
            changes: 0,
            worn_out: None,
            random,
        })))
    }

    /// The power is cut in the middle of the change so many from now.
    pub fn cut_in(&self, changes: u32) {
        self.0.borrow_mut().cut_in = Some(changes);
    }

    pub fn is_cut(&self) -> bool {
        self.0.borrow().is_cut
    }

    /// The power is back.
    pub fn restore(&self) {
        let mut cells = self.0.borrow_mut();
        cells.is_cut = false;
        cells.cut_in = None;
    }

    /// Words that were written, and sectors that were erased, so far.
    pub fn changes(&self) -> u32 {
        self.0.borrow().changes
    }

    /// How often each sector was erased.
    pub fn erases(&self) -> Vec<u32> {
        self.0.borrow().erases.clone()
    }

    pub fn random(&self, below: u64) -> u64 {
        self.0.borrow_mut().random.u64(0..below)
    }

    pub fn wear_out(&self, sector: Option<usize>) {
        self.0.borrow_mut().worn_out = sector;
    }

    /// Flips a bit of one of the words that were written, if there are any: where.
    pub fn flip_a_bit(&self) -> Option<usize> {
        let mut cells = self.0.borrow_mut();
        let is_written = cells.is_written.iter().enumerate();
        let words: Vec<_> = is_written
            .filter(|(_, is)| **is)
            .map(|(at, _)| at)
            .collect();
        let word = cells.random.choice(words)?;
        let at = word * WORD + cells.random.usize(0..WORD);
        cells.bytes[at] ^= 1 << cells.random.u8(0..8);
        Some(at)
    }
}

impl Cells {
    /// Whether the power is cut in the middle of this change; an error if it was before.
    fn change(&mut self) -> Result<bool, NorFlashErrorKind> {
        if self.is_cut {
            return Err(NorFlashErrorKind::Other);
        }
        self.changes += 1;
        match self.cut_in {
            Some(0) => self.is_cut = true,
            Some(left) => self.cut_in = Some(left - 1),
            None => {}
        }
        Ok(self.is_cut)
    }
}

impl<const ERASE: usize> ErrorType for Nor<ERASE> {
    type Error = NorFlashErrorKind;
}

impl<const ERASE: usize> ReadNorFlash for Nor<ERASE> {
    const READ_SIZE: usize = 8;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        check_read(self, offset, bytes.len()).expect("a place that can be read");
        let cells = self.0.borrow();
        if cells.is_cut {
            return Err(NorFlashErrorKind::Other);
        }
        let offset = offset as usize;
        bytes.copy_from_slice(&cells.bytes[offset..offset + bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.borrow().bytes.len()
    }
}

impl<const ERASE: usize> NorFlash for Nor<ERASE> {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = ERASE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        check_erase(self, from, to).expect("whole sectors");
        let mut cells = self.0.borrow_mut();
        for from in (from as usize..to as usize).step_by(ERASE) {
            let is_cut = cells.change()?;
            cells.erases[from / ERASE] += 1;
            for at in (from..from + ERASE).step_by(WORD) {
                // As it was, or anything, or as if it were erased: in no case can it be written.
                let luck = if is_cut { cells.random.u8(0..4) } else { 3 };
                for byte in at..at + WORD {
                    match luck {
                        0 => {}
                        1 => cells.bytes[byte] |= cells.random.u8(..),
                        _ => cells.bytes[byte] = 0xff,
                    }
                }
                cells.is_written[at / WORD] = is_cut;
            }
            if is_cut {
                return Err(NorFlashErrorKind::Other);
            }
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        check_write(self, offset, bytes.len()).expect("whole words");
        let mut cells = self.0.borrow_mut();
        let words = bytes.chunks(WORD);
        for (at, word) in (offset as usize..).step_by(WORD).zip(words) {
            let is_cut = cells.change()?;
            let was_written = std::mem::replace(&mut cells.is_written[at / WORD], true);
            assert!(!was_written, "the word at {at:#x} is written a second time");
            let is_worn_out = cells.worn_out == Some(at / ERASE);
            for (byte, new) in (at..).zip(word) {
                // A bit that has not got there is still that of erased flash.
                let missing = match is_cut || is_worn_out {
                    true => cells.random.u8(..),
                    false => 0,
                };
                cells.bytes[byte] = new | missing;
            }
            if is_cut {
                return Err(NorFlashErrorKind::Other);
            }
        }
        Ok(())
    }
}
