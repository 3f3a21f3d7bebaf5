//! The board's own devices: two timers, the console, the watchdog, the Ethernet controller's place, and how to sleep until one of them
//! has something (ARM application note 385, chapters 3 and 4; Cortex-M System Design Kit, chapter 4).
//!
//! No interrupt has a handler. Interrupts stay masked (`PRIMASK`), and a pending one ends `wfi` all the same: so everything happens in one place, the
//! main loop, and nothing is shared with handlers.

use core::ptr::NonNull;

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;

use crate::bus::Block;

/// The timers' and the processor's, in Hz.
pub const CLOCK: u32 = 25_000_000;

const TIMER0: usize = 0x4000_0000;
const TIMER1: usize = 0x4000_1000;
const UART0: usize = 0x4000_4000;
const WATCHDOG: usize = 0x4000_8000;
const ETHERNET: usize = 0x4020_0000;

/// The interrupts that end a sleep (table 3-8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
enum Interrupt {
    Uart0Receive = 0,
    Timer1 = 9,
    Ethernet = 13,
}

const WAKING: [Interrupt; 3] = [
    Interrupt::Uart0Receive,
    Interrupt::Timer1,
    Interrupt::Ethernet,
];

// SAFETY: the numbers are those of the board's interrupts.
unsafe impl InterruptNumber for Interrupt {
    fn number(self) -> u16 {
        self as u16
    }
}

/// Handlers of the 32 interrupts: none.
#[unsafe(link_section = ".vector_table.interrupts")]
#[unsafe(no_mangle)]
static __INTERRUPTS: [unsafe extern "C" fn(); 32] = {
    unsafe extern "C" {
        fn DefaultHandler();
    }
    [DefaultHandler; 32]
};

/// All of them.
pub struct Peripherals {
    pub counter: Counter,
    pub alarm: Alarm,
    pub console: Console,
    pub watchdog: Watchdog,
    /// For [`Lan9118::start`](crate::lan9118::Lan9118::start).
    pub ethernet: Block,
    /// For [`PsramFlash::new`](crate::flash::PsramFlash::new).
    #[cfg(feature = "spool")]
    pub psram: Block,
}

impl Peripherals {
    /// Masks interrupts, and starts the timers and the console. The processor's own peripherals, of which there is one set, prove that this happens once.
    #[must_use]
    pub fn start(_: cortex_m::Peripherals) -> Self {
        cortex_m::interrupt::disable();
        for interrupt in WAKING {
            // SAFETY: no handler runs, since `PRIMASK` is set, so none can break a critical section.
            unsafe { NVIC::unmask(interrupt) };
        }
        Self {
            counter: Counter::start(block(TIMER0)),
            alarm: Alarm {
                timer: block(TIMER1),
            },
            console: Console::start(block(UART0)),
            watchdog: Watchdog(block(WATCHDOG)),
            ethernet: block(ETHERNET),
            #[cfg(feature = "spool")]
            psram: psram(),
        }
    }
}

/// The device at one of this file's addresses.
fn block(address: usize) -> Block {
    let base = core::ptr::with_exposed_provenance_mut(address);
    let base = NonNull::new(base).expect("an address of the table above");
    // SAFETY: the board has 4 KB of a device's registers at each address, and `Peripherals::start`, which runs once, takes each once.
    unsafe { Block::at(base, 0x1000) }
}

/// The region that the linker script has for flash.
#[cfg(feature = "spool")]
fn psram() -> Block {
    unsafe extern "C" {
        static mut __spool_start: u32;
        static mut __spool_end: u32;
    }
    let (start, end) = (&raw mut __spool_start, &raw mut __spool_end);
    // SAFETY: both are set by the linker script to the bounds of a region of memory, as long as the flash and nobody else's; it is taken once,
    // as above.
    unsafe {
        let length = end.byte_offset_from_unsigned(start);
        Block::at(NonNull::new_unchecked(start), length)
    }
}

/// Sleeps until a device has something. Returns at once if that was so already.
pub fn sleep() {
    // What the processor has written reaches the devices before it sleeps.
    cortex_m::asm::dsb();
    cortex_m::asm::wfi();
    // The cause is still in the device, for whom it concerns.
    for interrupt in WAKING {
        NVIC::unpend(interrupt);
    }
}

mod timer {
    pub const CTRL: usize = 0x0;
    pub const VALUE: usize = 0x4;
    pub const RELOAD: usize = 0x8;
    pub const INTCLEAR: usize = 0xc;
    pub const ENABLE: u32 = 1;
    pub const INTERRUPT: u32 = 1 << 3;
}

/// Timer 0: counts the clock's cycles and wraps around after 171 s.
pub struct Counter {
    timer: Block,
}

impl Counter {
    fn start(mut timer: Block) -> Self {
        timer.write(timer::RELOAD, u32::MAX);
        timer.write(timer::VALUE, u32::MAX);
        timer.write(timer::CTRL, timer::ENABLE);
        Self { timer }
    }

    /// Cycles since the start, modulo 2^32.
    pub fn read(&mut self) -> u32 {
        // It counts down.
        !self.timer.read(timer::VALUE)
    }
}

/// Timer 1: ends a sleep.
pub struct Alarm {
    timer: Block,
}

impl Alarm {
    /// Ends a sleep in `cycles` from now.
    pub fn set(&mut self, cycles: u32) {
        self.timer.write(timer::CTRL, 0);
        self.timer.write(timer::INTCLEAR, 1);
        // Without a value to start over from, it stops at 0.
        self.timer.write(timer::RELOAD, 0);
        self.timer.write(timer::VALUE, cycles.max(1));
        self.timer
            .write(timer::CTRL, timer::ENABLE | timer::INTERRUPT);
    }
}

mod uart {
    pub const DATA: usize = 0x0;
    pub const STATE: usize = 0x4;
    pub const CTRL: usize = 0x8;
    pub const INTCLEAR: usize = 0xc;
    pub const BAUDDIV: usize = 0x10;
    pub const RECEIVED: u32 = 1 << 1;
    pub const RECEIVE: u32 = 1 << 1;
    pub const RECEIVE_INTERRUPT: u32 = 1 << 3;
}

/// UART 0, 38400 baud: what a person types.
pub struct Console {
    uart: Block,
}

impl Console {
    fn start(mut uart: Block) -> Self {
        uart.write(uart::BAUDDIV, CLOCK / 38_400);
        uart.write(uart::CTRL, uart::RECEIVE | uart::RECEIVE_INTERRUPT);
        Self { uart }
    }

    /// The next byte that was typed.
    pub fn read(&mut self) -> Option<u8> {
        self.uart.write(uart::INTCLEAR, uart::RECEIVED);
        let has_byte = self.uart.read(uart::STATE) & uart::RECEIVED != 0;
        // The upper bits are reserved.
        has_byte.then(|| self.uart.read(uart::DATA) as u8)
    }
}

mod watchdog {
    pub const LOAD: usize = 0x0;
    pub const CONTROL: usize = 0x8;
    pub const INTCLEAR: usize = 0xc;
    /// Counts, and raises the non-maskable interrupt at 0.
    pub const ENABLE: u32 = 1;
    /// Resets at 0 while that interrupt is raised.
    pub const RESET: u32 = 1 << 1;
}

/// Resets the board when nobody feeds it for twice its time. It needs no handler: the first time over ends in the endless loop of an interrupt
/// that nobody expected.
pub struct Watchdog(Block);

impl Watchdog {
    /// Starts it; it never stops.
    pub fn start(&mut self, cycles: u32) {
        self.0.write(watchdog::LOAD, cycles);
        self.0
            .write(watchdog::CONTROL, watchdog::ENABLE | watchdog::RESET);
    }

    /// Starts its time over.
    pub fn feed(&mut self) {
        self.0.write(watchdog::INTCLEAR, 1);
    }
}
