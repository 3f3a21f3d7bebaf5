//! The image: what the board gives to the library, and the main loop.
//!
//! | file | question |
//! |---|---|
//! | `mod` | how do the devices, the library and the sleep make one program? |
//! | `clocks` | how fast does everything run? |
//! | `device` | how does the HAL's Ethernet driver become a device of smoltcp? |
//! | `flash` | what keeps samples over a reset? |
//! | `lights` | what do the board's three LEDs say? |

mod clocks;
mod device;
mod flash;
mod lights;

use core::mem::MaybeUninit;
use core::panic::PanicInfo;

use cortex_m_rt::{ExceptionFrame, exception};
use defmt_rtt as _;
use embassy_stm32::eth::{Ethernet, PacketQueue};
use embassy_stm32::flash::Flash;
use embassy_stm32::rng::Rng;
use embassy_stm32::wdg::IndependentWatchdog;
use embassy_stm32::{bind_interrupts, eth, peripherals, rng, uid};
use mqtt_client_bare::{
    Addressing, Instant, Memory, NotStarted, Runner, Setup, Sizes, memory_type, stack,
};
use mqtt_client_board::report::report;
use mqtt_client_board::{configuration, mac};

use device::Device;
use lights::Lights;

/// How much there is of everything: RAM is plentiful here.
const SIZES: Sizes = Sizes {
    signals: 128,
    devices: 2,
    outbox: 16 * 1024,
    redis_receive: 4096,
    broker_send: 4096,
    spools: 2,
    ..Sizes::SMALL
};

/// Frames in each direction.
const FRAMES: usize = 8;

/// Microseconds without a turn after which the board is reset.
const WATCHDOG: u32 = 8_000_000;
/// Longest sleep, in milliseconds: well within the watchdog's time, and short enough to notice that the cable was pulled.
const LONGEST_SLEEP: u64 = 500;
/// Between two reports of the counters, in milliseconds.
const REPORT_EVERY: u64 = 60_000;

/// Where the Ethernet DMA reaches: see `memory.x`.
#[unsafe(link_section = ".ethernet")]
static mut PACKETS: MaybeUninit<PacketQueue<FRAMES, FRAMES>> = MaybeUninit::uninit();

bind_interrupts!(struct Interrupts {
    ETH => eth::InterruptHandler;
    RNG => rng::InterruptHandler<peripherals::RNG>;
});

defmt::timestamp!("{=u64:ms}", embassy_time::Instant::now().as_millis());

#[cortex_m_rt::entry]
fn main() -> ! {
    static mut MEMORY: memory_type!(SIZES) = Memory::new();
    static mut FLASH: Option<flash::Shared> = None;

    let board = embassy_stm32::init(clocks::config());
    defmt::info!("mqtt-client {=str} started", env!("CARGO_PKG_VERSION"));
    let mut lights = Lights::new(board.PB0, board.PE1, board.PB14);
    let mut random = Rng::new(board.RNG, Interrupts);
    let number = uid::uid();
    let mac = mac::from_unique_number(&number);
    let packets = &raw mut PACKETS;
    // SAFETY: `main` runs once, and nothing else names the static.
    let packets = unsafe { &mut *packets };
    PacketQueue::init(packets);
    // SAFETY: initialised by the line above, as that function says.
    let packets = unsafe { packets.assume_init_mut() };
    // Pins: user manual UM2407, table 19, with jumper JP6 on.
    let ethernet = Ethernet::new(
        packets,
        board.ETH,
        Interrupts,
        board.PA1,
        board.PA7,
        board.PC4,
        board.PC5,
        board.PG13,
        board.PB13,
        board.PG11,
        mac,
        board.ETH_SMA,
        board.PA2,
        board.PC1,
    );
    let setup = Setup {
        table: configuration::text(),
        client_id_digits: mac::digits_of_unique_number(&number),
        network: stack::Setup {
            mac,
            seed: random.next_u64(),
            addressing: Addressing::Dhcp,
            dns_servers: &[],
        },
        sizes: SIZES,
    };
    let flash = FLASH.insert(flash::flash(Flash::new_blocking(board.FLASH)));
    let ethernet = Device::new(ethernet);
    let mut runner = match Runner::with_spool(MEMORY, &setup, ethernet, flash, now()) {
        Ok(runner) => runner,
        Err(reason) => halt(reason, &mut lights),
    };
    let mut watchdog = IndependentWatchdog::new(board.IWDG1, WATCHDOG);
    watchdog.unleash();
    let mut status = None;
    let mut report_at = now().as_millis() + REPORT_EVERY;
    loop {
        watchdog.pet();
        handle_interrupts();
        let now = now();
        let has_cable = runner.device_mut().has_cable();
        runner.set_cable(has_cable);
        let wake_up = runner.poll(now);
        let new = runner.status();
        if status.replace(new) != Some(new) {
            defmt::info!("status: {}", new);
            lights.show(new);
        }
        if now.as_millis() >= report_at {
            report_at = now.as_millis() + REPORT_EVERY;
            report(&runner);
        }
        if wake_up > now {
            sleep(wake_up.since(now).min(LONGEST_SLEEP));
        }
    }
}

fn now() -> Instant {
    Instant::from_millis(embassy_time::Instant::now().as_millis())
}

/// Lets the handlers of pending interrupts run: only here. At all other times interrupts stay pending, so that none is missed between the last look
/// and the sleep that it is to end.
fn handle_interrupts() {
    // SAFETY: no critical section is open.
    unsafe { cortex_m::interrupt::enable() };
    cortex_m::asm::isb();
    cortex_m::interrupt::disable();
}

/// Sleeps until an interrupt is pending, or so many milliseconds.
fn sleep(milliseconds: u64) {
    let at = embassy_time::Instant::now() + embassy_time::Duration::from_millis(milliseconds);
    // Nobody needs to be called: the interrupt itself ends the sleep.
    embassy_time_driver::schedule_wake(at.as_ticks(), core::task::Waker::noop());
    cortex_m::asm::dsb();
    cortex_m::asm::wfi();
}

/// For good: what is wrong with a configuration has been logged, and nothing but another one helps.
fn halt(reason: NotStarted, lights: &mut Lights) -> ! {
    defmt::error!("halted: {}", reason);
    lights.halted();
    loop {
        cortex_m::asm::wfi();
    }
}

/// Never called: images are built with panics that abort at once (`image.toml`), by an instruction that is none.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    cortex_m::asm::udf()
}

/// A panic, or an address that is none, such as the one below the stack's end. What is at the logged address, `addr2line -i -e` tells. Ends with the
/// watchdog's reset.
#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    defmt::error!(
        "fault at {=u32:#x}, called from {=u32:#x}",
        frame.pc(),
        frame.lr()
    );
    loop {
        cortex_m::asm::nop();
    }
}
