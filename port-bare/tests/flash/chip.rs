//! A flash with the shares of two devices. A program that starts on it finds what the one before has left.

use std::cell::RefCell;
use std::rc::Rc;

use embedded_nal::nb;
use mqtt_client_bare::flash::{Flash, Part, Sectors};
use mqtt_client_core::config::Device;
use mqtt_client_core::spool::{Fault, Storage};

use crate::nor::Nor;

/// Bytes that are erased together: the smallest that a segment fits into, so that there are many.
pub const SECTOR: usize = 16 * 1024;

/// Sectors of the chip.
pub const SECTORS: usize = 8;

/// The share of the first device, for the core's own rig.
#[derive(Clone)]
pub struct Disk {
    pub nor: Nor<SECTOR>,
    part: Rc<RefCell<Part<'static>>>,
}

/// The devices' shares of a chip that is started, of so many sectors each.
pub fn start(nor: &Nor<SECTOR>, aliases: &[&'static str], sectors: u64) -> Vec<Disk> {
    let flash: Flash<_, SECTORS> = Flash::new(nor.clone());
    let flash: &'static RefCell<dyn Sectors> = Box::leak(Box::new(RefCell::new(flash)));
    let device = |alias: &&'static str| Device {
        alias,
        spool_size: sectors * SECTOR as u64,
        ..Device::EMPTY
    };
    let devices: &'static [_] = aliases.iter().map(device).collect::<Vec<_>>().leak();
    let disks = devices.iter().map(|device| Disk {
        nor: nor.clone(),
        part: Rc::new(RefCell::new(Part::new(flash, device, devices))),
    });
    disks.collect()
}

impl Disk {
    /// The chip starts again, with the share of one device.
    pub fn restart(&self) -> Self {
        self.nor.restore();
        start(&self.nor, &["cloud"], SECTORS as u64).remove(0)
    }

    pub fn is_cut(&self) -> bool {
        self.nor.is_cut()
    }

    /// The program ends.
    pub fn forget_process(&self) {}

    pub fn segments(&self) -> Vec<u32> {
        let mut part = self.part.borrow_mut();
        let mut segments = Vec::new();
        while let Ok(Some(next)) = part.next_segment(segments.last().copied()) {
            segments.push(next);
        }
        segments
    }

    /// Nothing has an answer any more once the power is cut.
    fn answer<T>(
        &mut self,
        operation: impl FnOnce(&mut Part<'static>) -> nb::Result<T, Fault>,
    ) -> nb::Result<T, Fault> {
        let answer = operation(&mut self.part.borrow_mut());
        if self.is_cut() {
            return Err(nb::Error::WouldBlock);
        }
        answer
    }
}

impl Storage for Disk {
    fn segment_len(&self) -> u32 {
        self.part.borrow().segment_len()
    }

    fn has_room(&mut self) -> bool {
        self.part.borrow_mut().has_room()
    }

    fn next_segment(&mut self, after: Option<u32>) -> nb::Result<Option<u32>, Fault> {
        self.answer(|part| part.next_segment(after))
    }

    fn read(&mut self, segment: u32, at: u32, out: &mut [u8]) -> nb::Result<usize, Fault> {
        self.answer(|part| part.read(segment, at, out))
    }

    fn append(&mut self, segment: u32, at: u32, bytes: &[u8]) -> nb::Result<(), Fault> {
        self.answer(|part| part.append(segment, at, bytes))
    }

    fn erase(&mut self, segment: u32) -> nb::Result<(), Fault> {
        self.answer(|part| part.erase(segment))
    }

    fn sync(&mut self) -> nb::Result<(), Fault> {
        self.answer(Storage::sync)
    }
}
