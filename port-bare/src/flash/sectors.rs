//! Whose is each sector, and what is done with it?

use crc::{CRC_32_ISCSI, Crc, NoTable};
use embedded_storage::nor_flash::{NorFlash, NorFlashError, NorFlashErrorKind};
use mqtt_client_core::spool::{BLOCK, Fault, WORD};

/// The last letter is the format's version.
const MAGIC: u32 = u32::from_le_bytes(*b"mqF1");

/// Bytes of a word.
const WORD_LEN: usize = WORD as usize;

/// A segment has room for two blocks at least.
const LEAST: usize = WORD_LEN + 2 * BLOCK;

/// The number of [`Fault::Failing`] for a word that does not hold what was written to it: the flash is worn out, or writes are not enabled.
pub const READ_BACK_DIFFERS: i32 = 4;

/// A region of NOR flash in at most `N` sectors, all of it used for spools. It is looked at when the first log opens.
pub struct Flash<F, const N: usize> {
    flash: F,
    sectors: [Sector; N],
    /// The one that was taken last, from the first look on.
    last: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sector {
    /// What is in it is nobody's.
    Unknown,
    /// By this run, and not written since.
    Erased,
    Used(Owner),
}

/// What the first word of a sector says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Owner {
    device: u32,
    serial: u32,
}

impl<F: NorFlash, const N: usize> Flash<F, N> {
    /// Bytes of a sector: as few of those that are erased together as have room for a segment.
    pub const SECTOR: u32 = {
        assert!(
            WORD_LEN.is_multiple_of(F::WRITE_SIZE) && WORD_LEN.is_multiple_of(F::READ_SIZE),
            "words of 32 bytes can be written one at a time"
        );
        let len = LEAST.div_ceil(F::ERASE_SIZE) * F::ERASE_SIZE;
        assert!(len <= u32::MAX as usize);
        len as u32
    };

    /// The region is all that this `flash` has; what does not make a whole sector, or more than `N` of them, is not used.
    pub const fn new(flash: F) -> Self {
        Flash {
            flash,
            sectors: [Sector::Unknown; N],
            last: None,
        }
    }

    fn place(sector: usize) -> u32 {
        sector as u32 * Self::SECTOR
    }

    fn find(&self, owner: Owner) -> Option<usize> {
        let mut sectors = self.sectors.iter();
        sectors.position(|sector| *sector == Sector::Used(owner))
    }

    /// Where an earlier run went on around the region, as far as it can be told.
    fn newest(&self) -> Option<usize> {
        let serials = self.sectors.iter().map(|sector| match sector {
            Sector::Used(owner) => Some(owner.serial),
            _ => None,
        });
        let newest = serials.enumerate().max_by_key(|(_, serial)| *serial);
        newest.map(|(sector, _)| sector)
    }

    /// A sector that can be taken, the next one in turn: one that is free, or else one of a device that is not in the table.
    fn free(&self, is_known: IsKnown<'_>) -> Option<usize> {
        let count = self.sector_count();
        let first = self.last.map_or(0, |last| last + 1);
        let in_turn = || (first..first + count).map(|sector| sector % count.max(1));
        let is = |sector: usize, wanted: &dyn Fn(&Sector) -> bool| {
            self.sectors.get(sector).is_some_and(wanted)
        };
        let is_free = |sector: &Sector| !matches!(sector, Sector::Used(_));
        let is_left =
            |sector: &Sector| matches!(sector, Sector::Used(owner) if !is_known(owner.device));
        let mut free = in_turn().filter(|sector| is(*sector, &is_free));
        let mut left = in_turn().filter(|sector| is(*sector, &is_left));
        free.next().or_else(|| left.next())
    }

    fn set(&mut self, sector: usize, now: Sector) {
        if let Some(sector) = self.sectors.get_mut(sector) {
            *sector = now;
        }
    }

    fn erase_sector(&mut self, sector: usize) -> Result<(), Fault> {
        let from = Self::place(sector);
        self.set(sector, Sector::Unknown);
        self.flash
            .erase(from, from + Self::SECTOR)
            .map_err(|error| fault(&error))?;
        self.set(sector, Sector::Erased);
        Ok(())
    }

    /// Makes a free sector this owner's.
    fn begin(&mut self, owner: Owner, is_known: IsKnown<'_>) -> Result<usize, Fault> {
        let sector = self.free(is_known).ok_or(Fault::Full)?;
        // One that fails is passed over for this time around.
        self.last = Some(sector);
        if self.sectors.get(sector) != Some(&Sector::Erased) {
            self.erase_sector(sector)?;
        }
        self.set(sector, Sector::Unknown);
        self.write(Self::place(sector), &owner.bytes())?;
        self.set(sector, Sector::Used(owner));
        Ok(sector)
    }

    /// Writes words, and reads them back.
    fn write(&mut self, place: u32, bytes: &[u8]) -> Result<(), Fault> {
        self.flash
            .write(place, bytes)
            .map_err(|error| fault(&error))?;
        let mut at = place;
        for written in bytes.chunks(WORD_LEN) {
            if self.word(at)?.get(..written.len()) != Some(written) {
                return Err(Fault::Failing(READ_BACK_DIFFERS));
            }
            at += WORD;
        }
        Ok(())
    }

    fn word(&mut self, place: u32) -> Result<[u8; WORD_LEN], Fault> {
        let mut word = [0; WORD_LEN];
        self.flash
            .read(place, &mut word)
            .map_err(|error| fault(&error))?;
        Ok(word)
    }
}

/// Whether a device with this number is in the table.
pub type IsKnown<'k> = &'k dyn Fn(u32) -> bool;

/// A [`Flash`] of any kind and size. Devices are told apart by a number made of their alias.
pub trait Sectors {
    /// Bytes of a segment.
    fn segment_len(&self) -> u32;

    /// Sectors of the region.
    fn sector_count(&self) -> usize;

    /// Bytes of a sector.
    fn sector_len(&self) -> u32;

    /// Looks whose each sector is.
    ///
    /// # Errors
    /// The flash's own, here and below.
    fn look(&mut self) -> Result<(), Fault>;

    /// The oldest segment of this device, or the one that follows this one.
    fn next(&self, device: u32, after: Option<u32>) -> Option<u32>;

    /// How many segments it has.
    fn count(&self, device: u32) -> usize;

    /// Whether there is a sector for one more.
    fn has_free(&self, is_known: IsKnown<'_>) -> bool;

    /// Reads from a segment: how many bytes, fewer than asked for at its end.
    fn read(&mut self, device: u32, serial: u32, at: u32, out: &mut [u8]) -> Result<usize, Fault>;

    /// Writes words that were never written to a segment, which is begun if it is not there.
    fn append(
        &mut self,
        device: u32,
        serial: u32,
        at: u32,
        bytes: &[u8],
        is_known: IsKnown<'_>,
    ) -> Result<(), Fault>;

    /// Erases a segment.
    fn erase(&mut self, device: u32, serial: u32) -> Result<(), Fault>;
}

impl<F: NorFlash, const N: usize> Sectors for Flash<F, N> {
    fn segment_len(&self) -> u32 {
        Self::SECTOR - WORD
    }

    fn sector_count(&self) -> usize {
        let count = self.flash.capacity() / Self::SECTOR as usize;
        count.min(N)
    }

    fn sector_len(&self) -> u32 {
        Self::SECTOR
    }

    fn look(&mut self) -> Result<(), Fault> {
        for sector in 0..self.sector_count() {
            let word = self.word(Self::place(sector))?;
            let was_erased = self.sectors.get(sector) == Some(&Sector::Erased);
            let now = match Owner::read(&word) {
                Some(owner) => Sector::Used(owner),
                None if was_erased => Sector::Erased,
                None => Sector::Unknown,
            };
            self.set(sector, now);
        }
        if self.last.is_none() {
            self.last = self.newest();
        }
        Ok(())
    }

    fn next(&self, device: u32, after: Option<u32>) -> Option<u32> {
        let serials = self.sectors.iter().filter_map(|sector| match sector {
            Sector::Used(owner) if owner.device == device => Some(owner.serial),
            _ => None,
        });
        serials
            .filter(|serial| after.is_none_or(|after| *serial > after))
            .min()
    }

    fn count(&self, device: u32) -> usize {
        let is_its =
            |sector: &&Sector| matches!(sector, Sector::Used(owner) if owner.device == device);
        self.sectors.iter().filter(is_its).count()
    }

    fn has_free(&self, is_known: IsKnown<'_>) -> bool {
        self.free(is_known).is_some()
    }

    fn read(&mut self, device: u32, serial: u32, at: u32, out: &mut [u8]) -> Result<usize, Fault> {
        let Some(sector) = self.find(Owner { device, serial }) else {
            return Ok(0);
        };
        let left = self.segment_len().saturating_sub(at) as usize;
        let len = out.len().min(left);
        let out = out.get_mut(..len).unwrap_or_default();
        self.flash
            .read(Self::place(sector) + WORD + at, out)
            .map_err(|error| fault(&error))?;
        Ok(len)
    }

    fn append(
        &mut self,
        device: u32,
        serial: u32,
        at: u32,
        bytes: &[u8],
        is_known: IsKnown<'_>,
    ) -> Result<(), Fault> {
        let owner = Owner { device, serial };
        let sector = match self.find(owner) {
            Some(sector) => sector,
            None => self.begin(owner, is_known)?,
        };
        if self.segment_len().saturating_sub(at) < bytes.len() as u32 {
            return Err(Fault::Full);
        }
        self.write(Self::place(sector) + WORD + at, bytes)
    }

    fn erase(&mut self, device: u32, serial: u32) -> Result<(), Fault> {
        match self.find(Owner { device, serial }) {
            Some(sector) => self.erase_sector(sector),
            None => Ok(()),
        }
    }
}

/// A table would take 1 KB of flash, and there is one word in each sector.
const CHECKSUM: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISCSI);

/// What stands for a device with this alias.
pub(super) fn device_number(alias: &str) -> u32 {
    CHECKSUM.checksum(alias.as_bytes())
}

impl Owner {
    fn bytes(self) -> [u8; WORD_LEN] {
        let mut word = [0; WORD_LEN];
        let numbers = [MAGIC, self.device, self.serial];
        let (places, _) = word.as_chunks_mut();
        for (place, number) in places.iter_mut().zip(numbers) {
            *place = number.to_le_bytes();
        }
        if let Some((rest, place)) = word.split_last_chunk_mut() {
            *place = CHECKSUM.checksum(rest).to_le_bytes();
        }
        word
    }

    fn read(word: &[u8; WORD_LEN]) -> Option<Self> {
        let (rest, checksum) = word.split_last_chunk()?;
        let (numbers, _) = rest.as_chunks();
        let [magic, device, serial] = *numbers.first_chunk::<3>()?;
        let is_ours = magic == MAGIC.to_le_bytes()
            && CHECKSUM.checksum(rest) == u32::from_le_bytes(*checksum);
        is_ours.then(|| Owner {
            device: u32::from_le_bytes(device),
            serial: u32::from_le_bytes(serial),
        })
    }
}

/// What a flash's error is to a spool, with a number of the error's kind.
fn fault(error: &impl NorFlashError) -> Fault {
    Fault::Failing(match error.kind() {
        NorFlashErrorKind::NotAligned => 1,
        NorFlashErrorKind::OutOfBounds => 2,
        _ => 3,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Owner = Owner {
        device: 0x0102_0304,
        serial: 7,
    };

    #[test]
    fn the_format_does_not_change_by_accident() {
        assert_eq!(
            OWNER.bytes()[..16],
            *b"mqF1\x04\x03\x02\x01\x07\0\0\0\0\0\0\0"
        );
        assert_eq!(device_number("123456789"), 0xe306_9283, "RFC 3720's CRC");
    }

    #[test]
    fn no_bit_of_an_owners_word_can_flip_unnoticed() {
        assert_eq!(Owner::read(&OWNER.bytes()), Some(OWNER));
        for bit in 0..8 * WORD_LEN {
            let mut word = OWNER.bytes();
            word[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Owner::read(&word), None, "bit {bit}");
        }
    }

    #[test]
    fn neither_erased_flash_nor_zeros_have_an_owner() {
        for fill in [0x00, 0xff] {
            assert_eq!(Owner::read(&[fill; WORD_LEN]), None);
        }
    }
}
