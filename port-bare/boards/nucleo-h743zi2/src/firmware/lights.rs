//! What do the board's three LEDs say?
//!
//! | green | yellow | red | |
//! |---|---|---|---|
//! | on | | | samples flow |
//! | | on | | a server is missing: Redis, or a broker |
//! | | on | on | the network is missing: the cable, or an address |
//! | | | on | halted: the log says why |

use embassy_stm32::Peri;
use embassy_stm32::gpio::{Level, Output, Pin, Speed};
use mqtt_client_bare::Status;

/// LD1, LD2 and LD3.
pub struct Lights {
    green: Output<'static>,
    yellow: Output<'static>,
    red: Output<'static>,
}

impl Lights {
    /// All off.
    pub fn new(
        green: Peri<'static, impl Pin>,
        yellow: Peri<'static, impl Pin>,
        red: Peri<'static, impl Pin>,
    ) -> Self {
        Self {
            green: Output::new(green, Level::Low, Speed::Low),
            yellow: Output::new(yellow, Level::Low, Speed::Low),
            red: Output::new(red, Level::Low, Speed::Low),
        }
    }

    pub fn show(&mut self, status: Status) {
        let (green, yellow, red) = match status {
            Status::Online => (true, false, false),
            Status::NoRedis | Status::NoBroker => (false, true, false),
            Status::NoCable | Status::NoAddress => (false, true, true),
        };
        self.set(green, yellow, red);
    }

    pub fn halted(&mut self) {
        self.set(false, false, true);
    }

    fn set(&mut self, green: bool, yellow: bool, red: bool) {
        self.green.set_level(green.into());
        self.yellow.set_level(yellow.into());
        self.red.set_level(red.into());
    }
}
