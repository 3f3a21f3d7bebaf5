//! What would the chip do? A model of its registers, written from the datasheet and not from the driver, with defects to choose from.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::vec::Vec;

use super::registers::Register;

/// What can be wrong with a chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    None,
    Swapped,
    OtherChip,
    NeverReady,
    StaysInReset,
    MacStaysBusy,
    PhyStaysBusy,
    PhyStaysInReset,
    EmptyEeprom,
    /// Nothing wrong: every busy bit stays for a while.
    Slow,
}

/// A chip, its cable and the world behind it.
#[derive(Clone)]
pub struct Model(Rc<RefCell<Chip>>);

/// The driver's access to it.
pub struct Registers(Rc<RefCell<Chip>>);

const FIFO_WORDS: usize = 4608 / 4;
/// Readings that a busy bit lasts where it lasts.
const SLOWNESS: u32 = 50;

struct Chip {
    defect: Defect,
    /// Readings until busy bits are clear.
    busy: u32,
    irq_cfg: u32,
    int_sts: u32,
    int_en: u32,
    tx_cfg: u32,
    hw_cfg: u32,
    mac_csr_data: u32,
    mac_cr: u32,
    mii_data: u16,
    phy_control: u16,
    phy_int: u16,
    phy_int_mask: u16,
    partner: u16,
    link: bool,
    /// `BasicStatus` keeps a loss of the link until it is read.
    link_was_lost: bool,
    received: VecDeque<(u32, Vec<u32>)>,
    /// The words of the frame whose status has been read.
    reading: VecDeque<u32>,
    sending: Vec<u32>,
    stopped: bool,
    waiting: Vec<Vec<u32>>,
    carrier: bool,
    statuses: VecDeque<u32>,
    sent: Vec<Vec<u8>>,
}

impl Model {
    pub const ADDRESS: [u8; 6] = [0x52, 0x54, 0x00, 0x12, 0x34, 0x56];

    pub fn new() -> Self {
        Self::with(Defect::None)
    }

    pub fn with(defect: Defect) -> Self {
        Self(Rc::new(RefCell::new(Chip {
            defect,
            busy: 0,
            irq_cfg: 0,
            int_sts: 0,
            int_en: 0,
            tx_cfg: 0,
            hw_cfg: 5 << 16,
            mac_csr_data: 0,
            mac_cr: 0x0004_0000,
            mii_data: 0,
            phy_control: 0x3000,
            phy_int: 0,
            phy_int_mask: 0,
            partner: 0x01e1,
            link: true,
            link_was_lost: true,
            received: VecDeque::new(),
            reading: VecDeque::new(),
            sending: Vec::new(),
            stopped: false,
            waiting: Vec::new(),
            carrier: true,
            statuses: VecDeque::new(),
            sent: Vec::new(),
        })))
    }

    pub fn registers(&self) -> Registers {
        Registers(Rc::clone(&self.0))
    }

    pub fn is_receiving(&self) -> bool {
        let chip = self.0.borrow();
        chip.mac_cr & 0xc == 0xc && chip.mac_cr & 0x0004_0000 == 0 && chip.tx_cfg & 2 != 0
    }

    pub fn is_full_duplex(&self) -> bool {
        self.0.borrow().mac_cr & 0x0010_0000 != 0
    }

    /// The level of the chip's IRQ pin. It idles high unless it is told to be active high.
    pub fn interrupt_line(&self) -> bool {
        let chip = self.0.borrow();
        let raised = chip.irq_cfg & 0x100 != 0 && chip.int_sts & chip.int_en != 0;
        let active_high = chip.irq_cfg & 0x11 == 0x11;
        raised == active_high
    }

    pub fn arrives(&self, frame: &[u8]) {
        self.0.borrow_mut().arrives(frame, 0);
    }

    /// A frame with a wrong checksum.
    pub fn arrives_damaged(&self, frame: &[u8]) {
        self.0.borrow_mut().arrives(frame, 0x8002);
    }

    /// All frames sent since the last call.
    pub fn sent(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.0.borrow_mut().sent)
    }

    pub fn waiting_statuses(&self) -> usize {
        self.0.borrow().statuses.len()
    }

    pub fn lose_carrier(&self) {
        self.0.borrow_mut().carrier = false;
    }

    /// The wire is taken: frames stay in the FIFO.
    pub fn stop_sending(&self) {
        self.0.borrow_mut().stopped = true;
    }

    pub fn go_on_sending(&self) {
        let mut chip = self.0.borrow_mut();
        chip.stopped = false;
        for words in std::mem::take(&mut chip.waiting) {
            chip.transmit(&words);
        }
    }

    pub fn set_link(&self, up: bool) {
        let mut chip = self.0.borrow_mut();
        chip.link = up;
        chip.link_was_lost |= !up;
        chip.phy_int |= if up { 1 << 6 } else { 1 << 4 };
        chip.update_phy_interrupt();
    }

    /// What the other end can do: 100 Mbit/s, full or half duplex.
    pub fn set_partner(&self, full_duplex: bool) {
        self.0.borrow_mut().partner = if full_duplex { 0x0180 } else { 0x0080 };
    }
}

impl super::Registers for Registers {
    fn read(&mut self, register: Register) -> u32 {
        self.0.borrow_mut().read(register)
    }

    fn write(&mut self, register: Register, value: u32) {
        self.0.borrow_mut().write(register, value);
    }
}

impl Chip {
    fn arrives(&mut self, frame: &[u8], errors: u32) {
        let mut bytes = frame.to_vec();
        bytes.extend([0xcc; 4]);
        let length = u32::try_from(bytes.len()).unwrap();
        let words = bytes.chunks(4).map(word).collect();
        self.received.push_back((length << 16 | errors, words));
        self.int_sts |= 1 << 3;
    }

    fn read(&mut self, register: Register) -> u32 {
        let busy = self.is_busy();
        match register {
            Register::RxDataFifo => self.reading.pop_front().expect("a word to read"),
            Register::RxStatusFifo => {
                assert!(self.reading.is_empty(), "the last frame was not read whole");
                let (status, words) = self.received.pop_front().expect("a status to read");
                self.reading = words.into();
                status
            }
            Register::TxStatusFifo => self.statuses.pop_front().expect("a status to read"),
            Register::IdRev if self.defect == Defect::OtherChip => 0x9220_0000,
            Register::IdRev => 0x0118_0001,
            Register::IntSts => self.int_sts,
            Register::ByteTest if self.defect == Defect::Swapped => 0x2143_6587,
            Register::ByteTest => 0x8765_4321,
            Register::HwCfg => {
                self.hw_cfg & !1 | u32::from(busy || self.defect == Defect::StaysInReset)
            }
            Register::RxFifoInf => u32::try_from(self.received.len()).unwrap().min(255) << 16,
            Register::TxFifoInf => {
                let statuses = u32::try_from(self.statuses.len()).unwrap().min(255);
                let used: usize = self.waiting.iter().map(Vec::len).sum();
                let free = u32::try_from((FIFO_WORDS - used) * 4).unwrap();
                statuses << 16 | free
            }
            Register::PmtCtrl => u32::from(!busy && self.defect != Defect::NeverReady),
            Register::MacCsrCmd => u32::from(busy || self.defect == Defect::MacStaysBusy) << 31,
            Register::MacCsrData => self.mac_csr_data,
            Register::E2pCmd => u32::from(busy) << 31,
            other => panic!("{other:?} is not to be read"),
        }
    }

    fn write(&mut self, register: Register, value: u32) {
        match register {
            Register::TxDataFifo => self.push(value),
            Register::IrqCfg => self.irq_cfg = value,
            Register::IntSts => {
                self.int_sts &= !value;
                self.update_phy_interrupt();
            }
            Register::IntEn => self.int_en = value,
            Register::TxCfg => self.tx_cfg = value,
            Register::HwCfg => {
                assert_eq!(value & 1, u32::from(self.mac_cr & 0xc == 0 && value == 1));
                self.hw_cfg = value;
                self.start_being_busy();
            }
            Register::MacCsrCmd => {
                self.mac_access(value);
                self.start_being_busy();
            }
            Register::MacCsrData => self.mac_csr_data = value,
            Register::ByteTest => self.start_being_busy(),
            Register::FifoInt => assert_eq!(value & 0xff, 0, "an interrupt for the first frame"),
            Register::AfcCfg => {}
            other => panic!("{other:?} is not to be written"),
        }
    }

    fn mac_access(&mut self, command: u32) {
        assert_ne!(command & 1 << 31, 0, "the busy bit starts an access");
        let is_read = command & 1 << 30 != 0;
        let [b0, b1, b2, b3, b4, b5] = match self.defect {
            Defect::EmptyEeprom => [0xff; 6],
            _ => Model::ADDRESS,
        };
        match (command & 0xff, is_read) {
            (1, false) => self.mac_cr = self.mac_csr_data,
            (2, true) => self.mac_csr_data = word(&[b4, b5]),
            (3, true) => self.mac_csr_data = word(&[b0, b1, b2, b3]),
            (6, false) => self.phy_access(self.mac_csr_data),
            (6, true) => self.mac_csr_data = u32::from(self.defect == Defect::PhyStaysBusy),
            (7, false) => self.mii_data = self.mac_csr_data as u16,
            (7, true) => self.mac_csr_data = self.mii_data.into(),
            (other, _) => panic!("an unexpected access to MAC register {other}"),
        }
    }

    fn phy_access(&mut self, command: u32) {
        assert_eq!(command & 0xf801, 0x0801, "PHY 1, busy");
        let is_write = command & 2 != 0;
        match (command >> 6 & 0x1f, is_write) {
            (0, true) => self.phy_control = self.mii_data & 0x7980,
            (0, false) => {
                let reset = u16::from(self.defect == Defect::PhyStaysInReset) << 15;
                self.mii_data = self.phy_control | reset;
            }
            (1, false) => {
                let up = self.link && !self.link_was_lost;
                self.mii_data = 0x7809 | u16::from(up) << 2;
                self.link_was_lost = !self.link;
            }
            (4, false) => self.mii_data = 0x01e1,
            (5, false) => self.mii_data = self.partner,
            (29, false) => {
                self.mii_data = self.phy_int;
                self.phy_int = 0;
                self.update_phy_interrupt();
            }
            (30, true) => self.phy_int_mask = self.mii_data,
            (other, _) => panic!("an unexpected access to PHY register {other}"),
        }
    }

    fn update_phy_interrupt(&mut self) {
        let raised = self.phy_int & self.phy_int_mask != 0;
        self.int_sts = self.int_sts & !(1 << 18) | u32::from(raised) << 18;
    }

    /// A word for the FIFO: two commands, then the frame.
    fn push(&mut self, word: u32) {
        self.sending.push(word);
        let [a, b, data @ ..] = &self.sending[..] else {
            return;
        };
        assert_eq!(a & 0x3000, 0x3000, "first and last segment");
        assert_eq!(a & 0x7ff, b & 0x7ff, "both lengths");
        if data.len() == (b & 0x7ff).div_ceil(4) as usize {
            let words = std::mem::take(&mut self.sending);
            if self.stopped {
                self.waiting.push(words);
            } else {
                self.transmit(&words);
            }
        }
    }

    fn transmit(&mut self, words: &[u32]) {
        let length = (words[1] & 0x7ff) as usize;
        let bytes: Vec<u8> = words[2..]
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect();
        self.statuses
            .push_back(if self.carrier { 0 } else { 0x8400 });
        self.sent.push(bytes[..length].to_vec());
    }

    fn start_being_busy(&mut self) {
        if self.defect == Defect::Slow {
            self.busy = SLOWNESS;
        }
    }

    fn is_busy(&mut self) -> bool {
        self.busy = self.busy.saturating_sub(1);
        self.busy > 0
    }
}

fn word(bytes: &[u8]) -> u32 {
    let mut word = [0; 4];
    word[..bytes.len()].copy_from_slice(bytes);
    u32::from_le_bytes(word)
}
