//! A board's flash as the storage of a log, over a chip that may answer anything.

use core::cell::RefCell;
use core::hint::black_box;

use embedded_nal::nb;
use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use mqtt_client_bare::flash::{Flash, Part};
use mqtt_client_core::config::Config;
use mqtt_client_core::spool::{Fault, Storage};

use crate::outside::{mine, unknown};

/// Flash that may answer anything.
struct Chip;

#[derive(Debug)]
struct Error;

impl NorFlashError for Error {
    fn kind(&self) -> NorFlashErrorKind {
        match black_box(0_u8) {
            0 => NorFlashErrorKind::NotAligned,
            1 => NorFlashErrorKind::OutOfBounds,
            _ => NorFlashErrorKind::Other,
        }
    }
}

fn answer() -> Result<(), Error> {
    black_box(true).then_some(()).ok_or(Error)
}

impl ErrorType for Chip {
    type Error = Error;
}

impl ReadNorFlash for Chip {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Error> {
        mine!(mine_read_flash);
        black_box((offset, bytes));
        answer()
    }

    fn capacity(&self) -> usize {
        black_box(0)
    }
}

impl NorFlash for Chip {
    const WRITE_SIZE: usize = 32;
    const ERASE_SIZE: usize = 16 * 1024;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Error> {
        mine!(mine_erase_flash);
        black_box((from, to));
        answer()
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Error> {
        mine!(mine_write_flash);
        black_box((offset, bytes));
        answer()
    }
}

/// Does everything with a device's share, in any order.
pub fn run(config: &Config<'_>) {
    let flash = RefCell::new(Flash::<Chip, 8>::new(Chip));
    let Some(device) = config.devices.get(black_box(0)) else {
        return;
    };
    let mut part = Part::new(black_box(&flash), device, config.devices);
    let mut bytes = [0; 64];
    for _ in 0..black_box(9) {
        let _ = black_box(one(&mut part, unknown(&mut bytes)));
    }
}

fn one(part: &mut Part<'_>, bytes: &mut [u8]) -> nb::Result<(), Fault> {
    let (segment, at) = black_box((0, 0));
    black_box((part.segment_len(), part.has_room()));
    match black_box(0_u8) {
        0 => drop(black_box(part.next_segment(black_box(None))?)),
        1 => drop(black_box(part.read(segment, at, bytes)?)),
        2 => part.append(segment, at, bytes)?,
        3 => part.erase(segment)?,
        _ => part.sync()?,
    }
    Ok(())
}
