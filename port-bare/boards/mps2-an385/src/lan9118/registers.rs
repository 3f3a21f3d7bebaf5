//! What are the LAN9118's registers, and what do their bits mean? Names, offsets and bits as in SMSC's datasheet (revision 1.5), chapter 5.

/// The registers that the system bus sees (table 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Register {
    /// Received frames, word by word.
    RxDataFifo = 0x00,
    /// Frames to be sent, word by word.
    TxDataFifo = 0x20,
    /// What became of each received frame; reading takes it out.
    RxStatusFifo = 0x40,
    /// What became of each sent frame; reading takes it out.
    TxStatusFifo = 0x48,
    IdRev = 0x50,
    IrqCfg = 0x54,
    /// Writing ones clears.
    IntSts = 0x58,
    IntEn = 0x5c,
    ByteTest = 0x64,
    FifoInt = 0x68,
    TxCfg = 0x70,
    HwCfg = 0x74,
    RxFifoInf = 0x7c,
    TxFifoInf = 0x80,
    PmtCtrl = 0x84,
    MacCsrCmd = 0xa4,
    MacCsrData = 0xa8,
    AfcCfg = 0xac,
    E2pCmd = 0xb0,
}

/// The registers of the MAC, which are reached through [`Register::MacCsrCmd`] (table 5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum MacRegister {
    MacCr = 1,
    AddrH = 2,
    AddrL = 3,
    MiiAcc = 6,
    MiiData = 7,
}

/// The registers of the PHY, which are reached through [`MacRegister::MiiAcc`] (table 5.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum PhyRegister {
    BasicControl = 0,
    BasicStatus = 1,
    AutoNegotiationAdvertisement = 4,
    AutoNegotiationLinkPartnerAbility = 5,
    /// Reading clears.
    InterruptSource = 29,
    InterruptMask = 30,
}

/// In the upper half of `ID_REV`.
pub const CHIP_ID: u32 = 0x0118;
/// What `BYTE_TEST` reads when the bus is connected the right way round.
pub const BYTE_ORDER: u32 = 0x8765_4321;

pub mod irq_cfg {
    pub const IRQ_EN: u32 = 1 << 8;
    /// Active high, which needs `IRQ_TYPE` as well.
    pub const IRQ_POL: u32 = 1 << 4;
    /// Push-pull.
    pub const IRQ_TYPE: u32 = 1;
}

/// Bits of `INT_STS` and `INT_EN`.
pub mod int {
    /// The PHY has something in its `InterruptSource`.
    pub const PHY_INT: u32 = 1 << 18;
    /// More frames wait than `FIFO_INT` says.
    pub const RSFL: u32 = 1 << 3;
}

pub mod fifo_int {
    /// No interrupt for free room to send; one for every frame received.
    pub const RECEIVE_AT_ONCE: u32 = 0xff << 24;
}

pub mod tx_cfg {
    pub const TX_ON: u32 = 1 << 1;
}

pub mod hw_cfg {
    /// Store and forward: a frame goes out once all of it is here.
    pub const SF: u32 = 1 << 20;
    /// 5 KB of the 16 KB of memory are for sending (table 5.3): the reset value.
    pub const TX_FIF_SZ_5_KB: u32 = 5 << 16;
    /// Soft reset; the chip clears it.
    pub const SRST: u32 = 1;
}

pub mod pmt_ctrl {
    pub const READY: u32 = 1;
}

pub mod mac_csr_cmd {
    pub const BUSY: u32 = 1 << 31;
    pub const READ: u32 = 1 << 30;
}

pub mod e2p_cmd {
    pub const BUSY: u32 = 1 << 31;
}

pub mod afc_cfg {
    /// Half-duplex back pressure from 7 KB on down to 3.5 KB, for 4 slots (section 5.3.22's example).
    pub const USUAL: u32 = 0x006e_3740;
}

pub mod mac_cr {
    pub const FDPX: u32 = 1 << 20;
    pub const TXEN: u32 = 1 << 3;
    pub const RXEN: u32 = 1 << 2;
}

pub mod mii_acc {
    /// The internal PHY's address is 1.
    pub const PHY_ADDRESS: u32 = 1 << 11;
    pub const WRITE: u32 = 1 << 1;
    pub const BUSY: u32 = 1;
}

pub mod phy {
    pub const RESET: u16 = 1 << 15;
    pub const AUTO_NEGOTIATE_AGAIN: u16 = 1 << 12 | 1 << 9;
    /// In `BasicStatus`.
    pub const LINK_UP: u16 = 1 << 2;
    /// In `AutoNegotiationAdvertisement` and `...LinkPartnerAbility`: 100BASE-TX, full duplex.
    pub const FULL_DUPLEX_100: u16 = 1 << 8;
    /// 100BASE-TX, half duplex.
    pub const HALF_DUPLEX_100: u16 = 1 << 7;
    /// 10BASE-T, full duplex.
    pub const FULL_DUPLEX_10: u16 = 1 << 6;
    /// In `InterruptSource` and `InterruptMask`: the negotiation is complete, or the link is down.
    pub const LINK_CHANGES: u16 = 1 << 6 | 1 << 4;
}

/// A word of the receive status FIFO (section 3.13.3).
#[derive(Clone, Copy, Debug)]
pub struct RxStatus(pub u32);

impl RxStatus {
    /// Whether the frame is damaged in any way.
    #[must_use]
    pub fn is_error(self) -> bool {
        self.0 & 1 << 15 != 0
    }

    /// The frame's length with its checksum, in bytes.
    #[must_use]
    pub fn length(self) -> usize {
        (self.0 >> 16 & 0x3fff) as usize
    }
}

/// Whether a word of the transmit status FIFO tells of an error (section 3.12.6).
#[must_use]
pub fn is_transmit_error(status: u32) -> bool {
    status & 1 << 15 != 0
}

/// The word in front of a frame that is sent in one piece (TX command A, section 3.12.3): first and last segment.
#[must_use]
pub fn tx_command_a(length: u32) -> u32 {
    1 << 13 | 1 << 12 | length
}

/// The second word (TX command B): the frame's length.
#[must_use]
pub fn tx_command_b(length: u32) -> u32 {
    length
}

/// `RX_FIFO_INF`: frames that wait.
#[must_use]
pub fn waiting_frames(rx_fifo_inf: u32) -> u32 {
    rx_fifo_inf >> 16 & 0xff
}

/// `TX_FIFO_INF`: sent frames whose status waits.
#[must_use]
pub fn waiting_statuses(tx_fifo_inf: u32) -> u32 {
    tx_fifo_inf >> 16 & 0xff
}

/// `TX_FIFO_INF`: bytes of room for frames.
#[must_use]
pub fn transmit_room(tx_fifo_inf: u32) -> u32 {
    tx_fifo_inf & 0xffff
}
