//! How is one device's share of the flash the storage of its log?

use core::cell::{RefCell, RefMut};

use embedded_nal::nb;
use mqtt_client_core::config::Device;
use mqtt_client_core::spool::{Fault, Storage};

use super::sectors::{Sectors, device_number};

/// What one device may use of a flash. Flash answers at once, so nothing is ever under way.
pub struct Part<'a> {
    flash: &'a RefCell<dyn Sectors + 'a>,
    device: u32,
    /// Sectors that it may have.
    most: usize,
    /// The devices of the table, whose sectors are theirs.
    devices: &'a [Device<'a>],
}

impl<'a> Part<'a> {
    /// The share of one of these devices, which are all of the table that are enabled: as many whole sectors as its `spool_size` has room for.
    pub fn new(
        flash: &'a RefCell<dyn Sectors + 'a>,
        device: &Device<'_>,
        devices: &'a [Device<'a>],
    ) -> Self {
        let sector_len = flash.try_borrow().map_or(0, |flash| flash.sector_len());
        let sector_len = u64::from(sector_len);
        let most = device.spool_size.checked_div(sector_len).unwrap_or(0);
        Part {
            flash,
            device: device_number(device.alias),
            most: usize::try_from(most).unwrap_or(usize::MAX),
            devices,
        }
    }

    /// One device uses it at a time, since each is done with it when it returns.
    fn flash(&self) -> Result<RefMut<'a, dyn Sectors + 'a>, Fault> {
        self.flash.try_borrow_mut().map_err(|_| Fault::InUse)
    }
}

/// Whether a device of this number may still come for its samples.
fn is_known(devices: &[Device<'_>], number: u32) -> bool {
    let mut spooled = devices.iter().filter(|device| device.spool_size > 0);
    spooled.any(|device| device_number(device.alias) == number)
}

impl Storage for Part<'_> {
    fn segment_len(&self) -> u32 {
        self.flash().map_or(0, |flash| flash.segment_len())
    }

    fn has_room(&mut self) -> bool {
        self.flash().is_ok_and(|flash| {
            flash.count(self.device) < self.most
                && flash.has_free(&|other| is_known(self.devices, other))
        })
    }

    fn next_segment(&mut self, after: Option<u32>) -> nb::Result<Option<u32>, Fault> {
        let mut flash = self.flash()?;
        if after.is_none() {
            flash.look()?;
        }
        Ok(flash.next(self.device, after))
    }

    fn read(&mut self, segment: u32, at: u32, out: &mut [u8]) -> nb::Result<usize, Fault> {
        let mut flash = self.flash()?;
        Ok(flash.read(self.device, segment, at, out)?)
    }

    fn append(&mut self, segment: u32, at: u32, bytes: &[u8]) -> nb::Result<(), Fault> {
        let mut flash = self.flash()?;
        let is_known = |other| is_known(self.devices, other);
        flash.append(self.device, segment, at, bytes, &is_known)?;
        Ok(())
    }

    fn erase(&mut self, segment: u32) -> nb::Result<(), Fault> {
        self.flash()?.erase(self.device, segment)?;
        Ok(())
    }

    /// What was written is in the flash already.
    fn sync(&mut self) -> nb::Result<(), Fault> {
        Ok(())
    }
}
