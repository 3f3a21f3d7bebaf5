//! What keeps samples over a reset? Bank 2 of the chip's flash, while the program runs from bank 1 (reference manual RM0433, chapter 4).
//!
//! The HAL writes and erases. Reading is done here, since a power cut may have left a word half written, or a sector half erased: such a word's error
//! correction fails, which is a bus fault to whoever reads it.

use core::arch::asm;
use core::cell::RefCell;

use embassy_stm32::flash::{Blocking, Error, Flash as Chip, WRITE_SIZE};
use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use mqtt_client_bare::flash::Flash;

/// Sectors of the bank, and bytes of each.
const SECTORS: usize = 8;
const SECTOR: usize = 128 * 1024;

/// From the beginning of flash to that of bank 2.
const BANK: u32 = 0x10_0000;
/// Where it is in memory; `memory.x` has nothing else there.
const ADDRESS: usize = 0x0810_0000;

/// Of bank 2: the status register, and the one that clears it (4.9.16, 4.9.17), with the flags for one bit that was corrected in a word that was read,
/// and for two bits that were not.
const SR2: *const u32 = 0x5200_2110 as *const u32;
const CCR2: *mut u32 = 0x5200_2114 as *mut u32;
const CORRECTED: u32 = 1 << 25;
const NOT_CORRECTED: u32 = 1 << 26;

/// The processor's own (ARMv7-M, B3.2): the bit with which a bus fault is ignored while `FAULTMASK` is set, and the register that remembers it.
const CCR: *mut u32 = 0xe000_ed14 as *mut u32;
const BFHFNMIGN: u32 = 1 << 8;
const CFSR: *mut u32 = 0xe000_ed28 as *mut u32;
const BUS_FAULTS: u32 = 0xff << 8;

/// The watchdog's key register, and the key that feeds it (43.4.1).
const IWDG_KR: *mut u32 = 0x5800_4800 as *mut u32;
const FEED: u32 = 0xaaaa;

/// The flash of all devices.
pub type Shared = RefCell<Flash<Bank2, SECTORS>>;

pub fn flash(chip: Chip<'static, Blocking>) -> Shared {
    RefCell::new(Flash::new(Bank2(chip)))
}

pub struct Bank2(Chip<'static, Blocking>);

/// What is read of a word whose error correction fails: neither a block's head nor an erased word.
const UNREADABLE: [u8; WRITE_SIZE] = [0; WRITE_SIZE];

/// Forgets what was found while reading; the HAL would take it for a failure of the next operation.
fn clear_flags() {
    // SAFETY: a register that can always be written; zeros change nothing.
    unsafe { CCR2.write_volatile(CORRECTED | NOT_CORRECTED) };
}

/// The word at an address of bank 2.
fn word(address: usize) -> [u8; WRITE_SIZE] {
    let source = core::ptr::with_exposed_provenance::<u32>(address);
    let mut word = [0; WRITE_SIZE];
    let (places, _) = word.as_chunks_mut();
    clear_flags();
    // SAFETY: the registers are there. With `FAULTMASK` set nothing interrupts this, so that it is over before anything else can fail, and whatever
    // the loads return is a number. The address is in flash, aligned.
    let status = unsafe {
        CCR.write_volatile(CCR.read_volatile() | BFHFNMIGN);
        asm!("cpsid f", "dsb", "isb");
        for (at, place) in places.iter_mut().enumerate() {
            *place = source.add(at).read_volatile().to_le_bytes();
        }
        asm!("dsb", "cpsie f", "isb");
        CCR.write_volatile(CCR.read_volatile() & !BFHFNMIGN);
        CFSR.write_volatile(BUS_FAULTS);
        SR2.read_volatile()
    };
    clear_flags();
    if status & NOT_CORRECTED == 0 {
        word
    } else {
        UNREADABLE
    }
}

impl ErrorType for Bank2 {
    type Error = Error;
}

impl ReadNorFlash for Bank2 {
    const READ_SIZE: usize = WRITE_SIZE;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Error> {
        let end = offset as usize + bytes.len();
        if end > self.capacity() {
            return Err(Error::Size);
        }
        let (words, rest) = bytes.as_chunks_mut();
        if !rest.is_empty() || !(offset as usize).is_multiple_of(WRITE_SIZE) {
            return Err(Error::Unaligned);
        }
        let addresses = (ADDRESS + offset as usize..).step_by(WRITE_SIZE);
        for (address, place) in addresses.zip(words) {
            *place = word(address);
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        SECTORS * SECTOR
    }
}

impl NorFlash for Bank2 {
    const WRITE_SIZE: usize = WRITE_SIZE;
    const ERASE_SIZE: usize = SECTOR;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Error> {
        // One to four seconds for each sector, and several may come after each other.
        for sector in (from..to).step_by(SECTOR) {
            // SAFETY: a register that can always be written; a watchdog that has not begun does not notice.
            unsafe { IWDG_KR.write_volatile(FEED) };
            clear_flags();
            self.0
                .blocking_erase(BANK + sector, BANK + sector + SECTOR as u32)?;
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Error> {
        clear_flags();
        self.0.blocking_write(BANK + offset, bytes)
    }
}
