//! The driver of SMSC's LAN9118 Ethernet controller, as a device of smoltcp.
//!
//! | file | question |
//! |---|---|
//! | `registers` | what are the chip's registers, and what do their bits mean? |
//! | `start` | how does the chip get from power-on to receiving? |
//! | `frames` | how does a frame get in and out? |
//!
//! The chip has memory of its own, so there is no DMA: a frame is copied word by word, by the processor. It raises its interrupt line
//! when a frame waits and when the link comes or goes; [`Lan9118::acknowledge`] lowers the line again.

mod frames;
#[cfg(test)]
mod model;
pub mod registers;
mod start;

pub use start::Fault;

use registers::{MacRegister, PhyRegister, Register, int, mac_cr, mac_csr_cmd, mii_acc, phy};

/// Bytes of the longest frame: an Ethernet header and 1500 bytes, without checksum.
pub const MAX_FRAME: usize = 1514;

/// How often a bit that the chip is about to clear is looked at before it counts as broken. MII accesses take longest, some 64 cycles of
/// 400 ns, which is less than a thousand readings at any speed of the bus.
const PATIENCE: u32 = 100_000;

/// Access to the registers: the real ones, or a model of them in a test.
pub trait Registers {
    /// Some registers change by being read: hence `mut`.
    fn read(&mut self, register: Register) -> u32;
    fn write(&mut self, register: Register, value: u32);
}

impl Registers for crate::bus::Block {
    fn read(&mut self, register: Register) -> u32 {
        Self::read(self, register as usize)
    }

    fn write(&mut self, register: Register, value: u32) {
        Self::write(self, register as usize, value);
    }
}

/// The chip never cleared a busy bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stuck;

/// A chip that is receiving.
pub struct Lan9118<'a, R> {
    registers: R,
    frames: &'a mut Frames,
    link_up: bool,
    mac_address: [u8; 6],
    errors: Errors,
}

/// Memory for the frame that is being read, and for the one that is being written.
#[derive(Debug)]
pub struct Frames {
    received: [u8; MAX_FRAME],
    sending: [u8; MAX_FRAME],
}

impl Frames {
    #[must_use]
    pub const fn new() -> Self {
        Self {
            received: [0; MAX_FRAME],
            sending: [0; MAX_FRAME],
        }
    }
}

impl Default for Frames {
    fn default() -> Self {
        Self::new()
    }
}

/// Frames that were lost, since the start. They wrap around.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Errors {
    /// Damaged, or longer than [`MAX_FRAME`].
    pub received: u32,
    /// Not sent: no carrier, collisions.
    pub sent: u32,
}

impl<R: Registers> Lan9118<'_, R> {
    /// The chip's own address, from its EEPROM.
    #[must_use]
    pub fn mac_address(&self) -> [u8; 6] {
        self.mac_address
    }

    /// Whether the cable leads somewhere, as of the last [`acknowledge`](Self::acknowledge).
    #[must_use]
    pub fn is_link_up(&self) -> bool {
        self.link_up
    }

    /// Frames lost so far.
    #[must_use]
    pub fn errors(&self) -> Errors {
        self.errors
    }

    /// Whether a frame waits.
    pub fn has_frame(&mut self) -> bool {
        registers::waiting_frames(self.registers.read(Register::RxFifoInf)) > 0
    }

    /// Lowers the interrupt line, and looks at the cable if that is what it was about.
    ///
    /// To be called **before** frames are taken out: a frame that comes later raises the line again.
    pub fn acknowledge(&mut self) {
        let status = self.registers.read(Register::IntSts);
        if status & int::PHY_INT != 0 {
            // A PHY that does not answer has no link.
            self.link_up = self.look_at_link().unwrap_or(false);
        }
        self.registers.write(Register::IntSts, status);
    }

    /// Reads the state of the link, and tells the MAC which duplex was negotiated.
    fn look_at_link(&mut self) -> Result<bool, Stuck> {
        self.phy_read(PhyRegister::InterruptSource)?;
        // "Link down" stays in the register until it has been read once.
        self.phy_read(PhyRegister::BasicStatus)?;
        let is_up = self.phy_read(PhyRegister::BasicStatus)? & phy::LINK_UP != 0;
        if is_up {
            let ours = self.phy_read(PhyRegister::AutoNegotiationAdvertisement)?;
            let theirs = self.phy_read(PhyRegister::AutoNegotiationLinkPartnerAbility)?;
            let duplex = if is_full_duplex(ours & theirs) {
                mac_cr::FDPX
            } else {
                0
            };
            self.mac_write(MacRegister::MacCr, mac_cr::TXEN | mac_cr::RXEN | duplex)?;
        }
        Ok(is_up)
    }

    fn mac_read(&mut self, register: MacRegister) -> Result<u32, Stuck> {
        let command = mac_csr_cmd::BUSY | mac_csr_cmd::READ | register as u32;
        self.registers.write(Register::MacCsrCmd, command);
        self.wait_for(Register::MacCsrCmd, mac_csr_cmd::BUSY, 0)?;
        Ok(self.registers.read(Register::MacCsrData))
    }

    fn mac_write(&mut self, register: MacRegister, value: u32) -> Result<(), Stuck> {
        self.registers.write(Register::MacCsrData, value);
        let command = mac_csr_cmd::BUSY | register as u32;
        self.registers.write(Register::MacCsrCmd, command);
        self.wait_for(Register::MacCsrCmd, mac_csr_cmd::BUSY, 0)
    }

    fn phy_read(&mut self, register: PhyRegister) -> Result<u16, Stuck> {
        let command = mii_acc::PHY_ADDRESS | (register as u32) << 6 | mii_acc::BUSY;
        self.mac_write(MacRegister::MiiAcc, command)?;
        self.wait_for_phy()?;
        // The upper half is reserved.
        Ok(self.mac_read(MacRegister::MiiData)? as u16)
    }

    fn phy_write(&mut self, register: PhyRegister, value: u16) -> Result<(), Stuck> {
        self.mac_write(MacRegister::MiiData, value.into())?;
        let command =
            mii_acc::PHY_ADDRESS | (register as u32) << 6 | mii_acc::WRITE | mii_acc::BUSY;
        self.mac_write(MacRegister::MiiAcc, command)?;
        self.wait_for_phy()
    }

    fn wait_for_phy(&mut self) -> Result<(), Stuck> {
        for _ in 0..PATIENCE {
            if self.mac_read(MacRegister::MiiAcc)? & mii_acc::BUSY == 0 {
                return Ok(());
            }
        }
        Err(Stuck)
    }

    /// Waits until the bits in `mask` are `wanted`.
    fn wait_for(&mut self, register: Register, mask: u32, wanted: u32) -> Result<(), Stuck> {
        for _ in 0..PATIENCE {
            if self.registers.read(register) & mask == wanted {
                return Ok(());
            }
        }
        Err(Stuck)
    }
}

/// What two ends with these abilities in common have agreed on: the first that both have, in the standard's order (IEEE 802.3, annex 28B.3).
fn is_full_duplex(common: u16) -> bool {
    let order = [
        (phy::FULL_DUPLEX_100, true),
        (phy::HALF_DUPLEX_100, false),
        (phy::FULL_DUPLEX_10, true),
    ];
    order
        .iter()
        .find(|(ability, _)| common & ability != 0)
        .is_some_and(|(_, full)| *full)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_common_ability_decides_the_duplex() {
        for (common, full) in [
            (phy::FULL_DUPLEX_100 | phy::HALF_DUPLEX_100, true),
            (phy::HALF_DUPLEX_100 | phy::FULL_DUPLEX_10, false),
            (phy::FULL_DUPLEX_10, true),
            (0, false),
        ] {
            assert_eq!(is_full_duplex(common), full, "{common:#x}");
        }
    }
}
