//! What keeps samples over a reset? Flash in PSRAM.

use core::cell::RefCell;

use mps2_an385::bus::Block;
use mps2_an385::flash::{PsramFlash, SECTORS};
use mps2_an385::peripherals::CLOCK;
use mqtt_client_bare::flash::Flash;

/// The flash of all devices.
pub type Shared = RefCell<Flash<PsramFlash, SECTORS>>;

pub fn flash(psram: Block) -> Shared {
    // Much longer than what the STM32H7 takes, since the emulator's processor counts faster than its clock: some 0.5 ms.
    let wait = || cortex_m::asm::delay(CLOCK / 60);
    RefCell::new(Flash::new(PsramFlash::new(psram, wait)))
}
