//! How fast does everything run? Reference manual RM0433, chapter 8.
//!
//! ```text
//! HSI 64 MHz / 4 = 16 MHz -> PLL1 x 50 = 800 MHz -> / 2 = 400 MHz processor -> / 2 = 200 MHz AHB -> / 2 = 100 MHz APB
//! HSI48 48 MHz -> random numbers
//! ```
//!
//! The internal oscillator: the board's own of 8 MHz comes from the programmer, and is not there on a board that was broken off it. Ethernet has its
//! clock from the PHY (50 MHz, RMII). 400 MHz is the limit of voltage scale 1.

use embassy_stm32::Config;
use embassy_stm32::rcc::{
    AHBPrescaler, APBPrescaler, HSIPrescaler, Pll, PllDiv, PllMul, PllPreDiv, PllSource, Sysclk,
    VoltageScale,
};

/// The tree above.
pub fn config() -> Config {
    let mut config = Config::default();
    let rcc = &mut config.rcc;
    rcc.hsi = Some(HSIPrescaler::DIV1);
    rcc.hsi48 = Some(Default::default());
    rcc.pll1 = Some(Pll {
        source: PllSource::HSI,
        prediv: PllPreDiv::DIV4,
        mul: PllMul::MUL50,
        fracn: None,
        divp: Some(PllDiv::DIV2),
        divq: None,
        divr: None,
    });
    rcc.sys = Sysclk::PLL1_P;
    rcc.ahb_pre = AHBPrescaler::DIV2;
    rcc.apb1_pre = APBPrescaler::DIV2;
    rcc.apb2_pre = APBPrescaler::DIV2;
    rcc.apb3_pre = APBPrescaler::DIV2;
    rcc.apb4_pre = APBPrescaler::DIV2;
    rcc.voltage_scale = VoltageScale::Scale1;
    config
}
