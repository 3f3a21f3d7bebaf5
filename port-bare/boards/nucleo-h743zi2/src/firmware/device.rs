//! How does the HAL's Ethernet driver become a device of smoltcp? Token by token: both have the same shape.
//!
//! `embassy-net`, for which the driver is made, brings a TCP/IP stack of its own and an executor. Only the driver is used here. It would wake a task
//! when something comes; here the interrupt ends the processor's sleep, and nobody needs to be woken.

use core::task::{Context, Waker};

use embassy_net_driver::{Driver, LinkState};
use embassy_stm32::eth::{Ethernet, GenericPhy, Sma};
use embassy_stm32::peripherals::{ETH, ETH_SMA};
use smoltcp::phy::{self, DeviceCapabilities, Medium};
use smoltcp::time::Instant;

type Chip = Ethernet<'static, ETH, GenericPhy<Sma<'static, ETH_SMA>>>;

/// The board's Ethernet.
pub struct Device(Chip);

impl Device {
    pub fn new(chip: Chip) -> Self {
        Self(chip)
    }

    /// Whether the cable leads somewhere. The driver asks the PHY at most every half second.
    pub fn has_cable(&mut self) -> bool {
        self.0.link_state(&mut context()) == LinkState::Up
    }
}

impl phy::Device for Device {
    type RxToken<'a> = RxToken<<Chip as Driver>::RxToken<'a>>;
    type TxToken<'a> = TxToken<<Chip as Driver>::TxToken<'a>>;

    fn receive(&mut self, _: Instant) -> Option<(Self::RxToken<'_>, Self::TxToken<'_>)> {
        let (received, sending) = self.0.receive(&mut context())?;
        Some((RxToken(received), TxToken(sending)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Self::TxToken<'_>> {
        self.0.transmit(&mut context()).map(TxToken)
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = self.0.capabilities().max_transmission_unit;
        capabilities
    }
}

fn context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

/// A frame that was received.
pub struct RxToken<T>(T);

impl<T: embassy_net_driver::RxToken> phy::RxToken for RxToken<T> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        self.0.consume(|frame| f(frame))
    }
}

/// Room for a frame to be sent.
pub struct TxToken<T>(T);

impl<T: embassy_net_driver::TxToken> phy::TxToken for TxToken<T> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        self.0.consume(length, f)
    }
}
