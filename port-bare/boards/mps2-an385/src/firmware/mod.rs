//! The image: what the board gives to the library, and the main loop.
//!
//! | file | question |
//! |---|---|
//! | `mod` | how do the devices, the library and the sleep make one program? |
//! | `end` | how does it end? |
//! | `spool` | what keeps samples over a reset? (with the feature `spool`) |

mod end;
#[cfg(feature = "spool")]
mod spool;

use core::sync::atomic::{AtomicU32, Ordering};

use defmt_semihosting as _;
#[cfg(not(feature = "spool"))]
use mps2_an385::SIZES;
#[cfg(feature = "spool")]
use mps2_an385::SIZES_WITH_SPOOL as SIZES;
use mps2_an385::bus::Block;
use mps2_an385::lan9118::{Frames, Lan9118};
use mps2_an385::peripherals::{self, CLOCK, Peripherals};
use mqtt_client_bare::{Addressing, Instant, Memory, Runner, Setup, Status, memory_type, stack};
use mqtt_client_board::clock::Milliseconds;
use mqtt_client_board::configuration;
use mqtt_client_board::report::report;

const CYCLES_PER_MILLISECOND: u32 = CLOCK / 1000;
/// A turn takes some milliseconds. The watchdog is that patient because an emulator may have to wait for its turn too.
const WATCHDOG: u32 = 20_000 * CYCLES_PER_MILLISECOND;
/// Longest sleep, in milliseconds: well within the watchdog's time.
const LONGEST_SLEEP: u64 = 5_000;
/// Between two reports of the counters, in milliseconds.
const REPORT_EVERY: u64 = 60_000;

/// Commands of the console.
const REPORT: u8 = b'r';
const STOP: u8 = b's';

/// The time of the turn, in milliseconds.
static NOW: AtomicU32 = AtomicU32::new(0);
defmt::timestamp!("{=u32:ms}", NOW.load(Ordering::Relaxed));

type Ethernet = Lan9118<'static, Block>;

#[cortex_m_rt::entry]
fn main() -> ! {
    static mut MEMORY: memory_type!(SIZES) = Memory::new();
    static mut FRAMES: Frames = Frames::new();
    #[cfg(feature = "spool")]
    static mut FLASH: Option<spool::Shared> = None;

    let Some(processor) = cortex_m::Peripherals::take() else {
        end::with(end::FAULT)
    };
    let mut board = Peripherals::start(processor);
    defmt::info!("mqtt-client {=str} started", env!("CARGO_PKG_VERSION"));
    let ethernet = match Lan9118::start(board.ethernet, FRAMES) {
        Ok(ethernet) => ethernet,
        Err(fault) => {
            defmt::error!("no Ethernet: {}", defmt::Display2Format(&fault));
            end::with(end::FAULT)
        }
    };
    let mac = ethernet.mac_address();
    let setup = Setup {
        table: configuration::text(),
        client_id_digits: u32::from_be_bytes([mac[2], mac[3], mac[4], mac[5]]),
        network: stack::Setup {
            mac,
            seed: seed(mac),
            addressing: Addressing::Dhcp,
            dns_servers: &[],
        },
        sizes: SIZES,
    };
    let mut clock = Milliseconds::new(CYCLES_PER_MILLISECOND, board.counter.read());
    let now = Instant::from_millis(0);
    #[cfg(not(feature = "spool"))]
    let runner = Runner::new(MEMORY, &setup, ethernet, now);
    #[cfg(feature = "spool")]
    let runner = {
        let flash = FLASH.insert(spool::flash(board.psram));
        Runner::with_spool(MEMORY, &setup, ethernet, flash, now)
    };
    let runner = match runner {
        Ok(runner) => runner,
        Err(reason) => end::without_start(reason),
    };
    let mut firmware = Firmware {
        runner,
        status: None,
        report_at: REPORT_EVERY,
        work: Work::default(),
    };
    board.watchdog.start(WATCHDOG);
    loop {
        board.watchdog.feed();
        let begin = board.counter.read();
        let now = clock.at(begin);
        NOW.store(now as u32, Ordering::Relaxed);
        let wake_up = firmware.turn(now, board.console.read());
        firmware
            .work
            .count(board.counter.read().wrapping_sub(begin));
        if wake_up > now {
            let time = (wake_up - now).min(LONGEST_SLEEP);
            // At most the longest sleep's milliseconds.
            board.alarm.set(time as u32 * CYCLES_PER_MILLISECOND);
            peripherals::sleep();
        }
    }
}

/// What goes on.
struct Firmware {
    runner: Runner<'static, Ethernet>,
    /// As last logged.
    status: Option<Status>,
    report_at: u64,
    work: Work,
}

/// What the processor has done beside sleeping, in cycles of its clock.
#[derive(Default)]
struct Work {
    turns: u32,
    busy: u64,
    longest: u32,
}

impl Work {
    fn count(&mut self, cycles: u32) {
        self.turns = self.turns.wrapping_add(1);
        self.busy += u64::from(cycles);
        self.longest = self.longest.max(cycles);
    }
}

impl Firmware {
    /// One turn: returns the time of the next, in milliseconds.
    fn turn(&mut self, now: u64, command: Option<u8>) -> u64 {
        // Before frames are taken out, so that the next one interrupts a sleep.
        let ethernet = self.runner.device_mut();
        ethernet.acknowledge();
        let has_cable = ethernet.is_link_up();
        self.runner.set_cable(has_cable);
        let wake_up = self.runner.poll(Instant::from_millis(now)).as_millis();
        self.show_status();
        match command {
            Some(REPORT) => self.report(),
            Some(STOP) => self.runner.stop(Instant::from_millis(now)),
            _ if now >= self.report_at => self.report(),
            _ => {}
        }
        if now >= self.report_at {
            self.report_at = now + REPORT_EVERY;
        }
        if self.runner.has_stopped() {
            self.report();
            end::with(end::STOPPED);
        }
        if command.is_some() {
            now
        } else {
            wake_up.min(self.report_at)
        }
    }

    fn show_status(&mut self) {
        let status = self.runner.status();
        if self.status.replace(status) != Some(status) {
            defmt::info!("status: {}", status);
        }
    }

    fn report(&mut self) {
        let errors = self.runner.device_mut().errors();
        defmt::info!(
            "frames lost: {} received, {} sent",
            errors.received,
            errors.sent
        );
        let Work {
            turns,
            busy,
            longest,
        } = self.work;
        defmt::info!(
            "work: {} cycles in {} turns, {} in the longest",
            busy,
            turns,
            longest
        );
        report(&self.runner);
    }
}

/// There is no source of random numbers here but the debugger's clock; the address makes boards differ that start in the same second.
fn seed(mac: [u8; 6]) -> u64 {
    let [a, b, c, d, e, f] = mac;
    // Without a debugger there is no clock.
    let seconds = semihosting::sys::arm_compat::sys_time().unwrap_or(0);
    u64::from_be_bytes([0, 0, a, b, c, d, e, f]) << 16 ^ seconds as u64
}
