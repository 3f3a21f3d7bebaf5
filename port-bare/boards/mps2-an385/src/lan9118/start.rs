//! How does the chip get from power-on to receiving?

use core::fmt::{self, Display, Formatter};

use super::registers::{
    self, MacRegister, PhyRegister, Register, afc_cfg, e2p_cmd, fifo_int, hw_cfg, int, irq_cfg,
    mac_cr, phy, pmt_ctrl, tx_cfg,
};
use super::{Errors, Frames, Lan9118, Registers, Stuck};

/// Why there is no Ethernet. Each of them is the board's fault or the wiring's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `BYTE_TEST` reads this: nothing is there, or the bus has another byte order.
    Bus(u32),
    /// `ID_REV` reads this: it is another chip.
    Chip(u32),
    /// It does not come out of a reset, or a busy bit stays.
    Stuck,
    /// The EEPROM has no address.
    NoAddress,
}

impl Display for Fault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Bus(value) => write!(f, "BYTE_TEST reads {value:#x}"),
            Fault::Chip(value) => write!(f, "ID_REV reads {value:#x}"),
            Fault::Stuck => f.write_str("the chip stays busy"),
            Fault::NoAddress => f.write_str("the EEPROM has no address"),
        }
    }
}

impl From<Stuck> for Fault {
    fn from(Stuck: Stuck) -> Self {
        Fault::Stuck
    }
}

impl<'a, R: Registers> Lan9118<'a, R> {
    /// Resets the chip, and lets it receive.
    ///
    /// # Errors
    ///
    /// If it is not there, or does not do what the datasheet says.
    pub fn start(registers: R, frames: &'a mut Frames) -> Result<Self, Fault> {
        let mut chip = Self {
            registers,
            frames,
            link_up: false,
            mac_address: [0; 6],
            errors: Errors::default(),
        };
        chip.identify()?;
        chip.reset()?;
        chip.mac_address = chip.read_address()?;
        chip.configure();
        chip.start_phy()?;
        chip.mac_write(MacRegister::MacCr, mac_cr::TXEN | mac_cr::RXEN)?;
        chip.registers.write(Register::TxCfg, tx_cfg::TX_ON);
        chip.link_up = chip.look_at_link()?;
        Ok(chip)
    }

    fn identify(&mut self) -> Result<(), Fault> {
        // Any write wakes a chip that sleeps (section 3.11).
        self.registers.write(Register::ByteTest, 0);
        self.wait_for(Register::PmtCtrl, pmt_ctrl::READY, pmt_ctrl::READY)?;
        let order = self.registers.read(Register::ByteTest);
        if order != registers::BYTE_ORDER {
            return Err(Fault::Bus(order));
        }
        let id = self.registers.read(Register::IdRev);
        if id >> 16 != registers::CHIP_ID {
            return Err(Fault::Chip(id));
        }
        Ok(())
    }

    fn reset(&mut self) -> Result<(), Stuck> {
        self.registers.write(Register::HwCfg, hw_cfg::SRST);
        self.wait_for(Register::HwCfg, hw_cfg::SRST, 0)?;
        // It reads its address from the EEPROM now.
        self.wait_for(Register::E2pCmd, e2p_cmd::BUSY, 0)
    }

    fn read_address(&mut self) -> Result<[u8; 6], Fault> {
        let low = self.mac_read(MacRegister::AddrL)?.to_le_bytes();
        let high = self.mac_read(MacRegister::AddrH)?.to_le_bytes();
        let address = [low[0], low[1], low[2], low[3], high[0], high[1]];
        // An empty EEPROM leaves all ones, which is the broadcast address; the lowest bit of the first byte marks groups.
        if address == [0; 6] || address[0] & 1 != 0 {
            return Err(Fault::NoAddress);
        }
        Ok(address)
    }

    fn configure(&mut self) {
        let interrupts = irq_cfg::IRQ_EN | irq_cfg::IRQ_POL | irq_cfg::IRQ_TYPE;
        for (register, value) in [
            (Register::HwCfg, hw_cfg::SF | hw_cfg::TX_FIF_SZ_5_KB),
            (Register::AfcCfg, afc_cfg::USUAL),
            (Register::FifoInt, fifo_int::RECEIVE_AT_ONCE),
            (Register::IntSts, u32::MAX),
            (Register::IntEn, int::RSFL | int::PHY_INT),
            (Register::IrqCfg, interrupts),
        ] {
            self.registers.write(register, value);
        }
    }

    fn start_phy(&mut self) -> Result<(), Stuck> {
        self.phy_write(PhyRegister::BasicControl, phy::RESET)?;
        while_busy(|| Ok(self.phy_read(PhyRegister::BasicControl)? & phy::RESET != 0))?;
        self.phy_write(PhyRegister::InterruptMask, phy::LINK_CHANGES)?;
        self.phy_write(PhyRegister::BasicControl, phy::AUTO_NEGOTIATE_AGAIN)
    }
}

fn while_busy(mut is_busy: impl FnMut() -> Result<bool, Stuck>) -> Result<(), Stuck> {
    for _ in 0..super::PATIENCE {
        if !is_busy()? {
            return Ok(());
        }
    }
    Err(Stuck)
}

#[cfg(test)]
mod tests {
    use super::super::model::{Defect, Model};
    use super::*;

    #[test]
    fn a_chip_that_starts_has_its_address_and_its_link_and_receives_with_interrupts() {
        let model = Model::new();
        let mut frames = Frames::new();
        let chip = Lan9118::start(model.registers(), &mut frames).unwrap();
        assert_eq!(chip.mac_address(), Model::ADDRESS);
        assert!(chip.is_link_up());
        assert!(model.is_receiving());
        assert!(!model.interrupt_line());
    }

    #[test]
    fn what_is_wrong_with_a_chip_is_said() {
        for (defect, fault) in [
            (Defect::Swapped, Fault::Bus(0x2143_6587)),
            (Defect::OtherChip, Fault::Chip(0x9220_0000)),
            (Defect::NeverReady, Fault::Stuck),
            (Defect::StaysInReset, Fault::Stuck),
            (Defect::MacStaysBusy, Fault::Stuck),
            (Defect::PhyStaysBusy, Fault::Stuck),
            (Defect::PhyStaysInReset, Fault::Stuck),
            (Defect::EmptyEeprom, Fault::NoAddress),
        ] {
            let model = Model::with(defect);
            let mut frames = Frames::new();
            let result = Lan9118::start(model.registers(), &mut frames).err();
            assert_eq!(result, Some(fault), "{defect:?}");
        }
    }

    #[test]
    fn a_start_waits_for_what_takes_the_chip_its_time() {
        let model = Model::with(Defect::Slow);
        assert!(Lan9118::start(model.registers(), &mut Frames::new()).is_ok());
    }
}
