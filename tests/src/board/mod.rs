//! The product without an operating system, seen from outside: its image, the machine that runs it, what it logs, how it is asked.
//!
//! | file | question |
//! |---|---|
//! | `image` | how is an image built, and where is it? |
//! | `emulator` | how does a board run here? |
//! | `log` | what does the board's log say? |
//! | `monitor` | how is a cable pulled? |
//! | `parts` | which part of the program does each byte of an image belong to? |

mod emulator;
pub mod image;
mod log;
mod monitor;
pub mod parts;

use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use tempfile::TempDir;

use crate::Config;
use crate::counters::{self, Counters};
use crate::process::{Lines, Process};
use crate::servers::{Mosquitto, Redis};
use crate::site::Site;
pub(crate) use emulator::Cord;
pub use emulator::QEMU;
use emulator::{CABLE, Cords, NETWORK, OTHER_NETWORK};
use image::Image;
use monitor::Monitor;

/// The host, as QEMU's network shows it to the board: what listens on the host's loopback interface can be reached there.
pub const HOST: &str = "10.0.2.2";

/// The console's commands, see the firmware's `console`.
const REPORT: u8 = b'r';
const STOP: u8 = b's';

/// The usual setting of a test, as [`Site::start`], with a board.
#[must_use]
pub fn site(config: Config) -> Site<Board> {
    site_between(Redis::start(), Mosquitto::start(), config)
}

/// As [`site`], with servers that the test has started its own way.
#[must_use]
pub fn site_between(redis: Redis, broker: Mosquitto, config: Config) -> Site<Board> {
    Site::assemble(redis, broker, config, Board::start)
}

/// A running board. Dropping it switches it off.
pub struct Board {
    process: Process,
    console: UnixStream,
    monitor: Monitor,
    _folder: TempDir,
}

/// What a board that ended has left.
#[derive(Debug)]
pub struct Finished {
    /// The exit code that the firmware gave.
    pub code: i32,
    /// The lines of the log.
    pub log: Vec<String>,
}

impl Board {
    /// Switches on a board with this mapping table. Where it names this machine's own servers, the board is told where it sees them.
    #[must_use]
    pub fn start(config: &Config) -> Self {
        Self::start_with_text(config.clone().with_host(HOST).to_json())
    }

    /// As [`start`](Self::start), with any bytes in the place of the mapping table.
    #[must_use]
    pub fn start_with_text(text: impl AsRef<[u8]>) -> Self {
        Self::switch_on(Image::of_emulated_board(), text.as_ref(), &[])
    }

    /// As [`start`](Self::start), with the image that has a spool.
    #[must_use]
    pub fn start_with_spool(config: &Config) -> Self {
        let text = config.clone().with_host(HOST).to_json();
        Self::switch_on(Image::of_emulated_board_with_spool(), text.as_ref(), &[])
    }

    /// As [`start`](Self::start), with a clock that goes by the instructions that the processor executes, one each nanosecond.
    #[must_use]
    pub fn start_counting(config: &Config) -> Self {
        let text = config.clone().with_host(HOST).to_json();
        let image = Image::of_emulated_board();
        Self::switch_on(image, text.as_ref(), &["-icount", "shift=0,sleep=on"])
    }

    fn switch_on(image: &'static Image, text: &[u8], more: &[&str]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let table = folder.path().join("table.json");
        std::fs::write(&table, text).expect("write to a temporary folder");
        let (process, cords) = emulator::start(image, folder.path(), &table, more);
        let Cords { console, monitor } = cords;
        let mut monitor = Monitor::new(monitor);
        monitor.set_link(OTHER_NETWORK, false);
        monitor.start();
        Self {
            process,
            console,
            monitor,
            _folder: folder,
        }
    }

    /// What it has logged: `12.345 I redis: connected to ...`, the time since the start in seconds.
    #[must_use]
    pub fn log(&self) -> &Lines {
        self.process.stdout()
    }

    /// Its counters for one device, asked for on its console.
    ///
    /// # Panics
    ///
    /// If no line with all of them comes.
    #[track_caller]
    pub fn counters(&mut self, device: &str) -> Counters {
        let line = self.report(&[&counters::NAMES[..], &[device]].concat());
        Counters::parse(&line).unwrap_or_else(|| panic!("no counters in: {line}"))
    }

    /// Waits until its counters for one device are as wanted, and returns them.
    ///
    /// # Panics
    ///
    /// If that takes longer than [`crate::wait::LIMIT`].
    #[track_caller]
    pub fn wait_for_counters(
        &mut self,
        device: &str,
        wanted: impl Fn(&Counters) -> bool,
    ) -> Counters {
        counters::wait_for(|| self.counters(device), wanted)
    }

    /// How much of its stack it has used at most, and how much there is, in bytes.
    ///
    /// # Panics
    ///
    /// If it does not say.
    #[track_caller]
    pub fn stack(&mut self) -> (u64, u64) {
        match self.numbers(&["stack:", "bytes used"])[..] {
            [used, size] => (used, size),
            ref other => panic!("the stack is {other:?}"),
        }
    }

    /// How many cycles of its clock of 25 MHz it was not asleep, since the start.
    ///
    /// # Panics
    ///
    /// If it does not say.
    #[track_caller]
    pub fn busy_cycles(&mut self) -> u64 {
        self.numbers(&["work:", "cycles"])[0]
    }

    /// The numbers in the report's line with these words.
    #[track_caller]
    fn numbers(&mut self, words: &[&str]) -> Vec<u64> {
        let line = self.report(words);
        // Without the time in front.
        let words = line.split_whitespace().skip(1);
        words.filter_map(|word| word.parse().ok()).collect()
    }

    /// Asks for a report, and returns its line with these words.
    #[track_caller]
    fn report(&mut self, words: &[&str]) -> String {
        let mark = self.log().mark();
        self.type_in(REPORT);
        self.log().wait_for_after(mark, words)
    }

    /// Pulls its network cable, or plugs it in.
    pub fn set_cable(&mut self, plugged_in: bool) {
        self.monitor.set_link(CABLE, plugged_in);
    }

    /// Puts another network, where DHCP gives away other addresses, in the place of its own: behind the board's back, unless its cable is out.
    pub fn change_network(&mut self) {
        self.monitor.set_link(NETWORK, false);
        self.monitor.set_link(OTHER_NETWORK, true);
    }

    /// Presses its reset button, after so many exchanges with the emulator's monitor have passed the time. What is in its memories stays, what its
    /// processor and its devices were doing does not.
    pub fn reset_after(&mut self, exchanges: u32) {
        for _ in 0..exchanges {
            self.monitor.pass_time();
        }
        self.monitor.reset();
    }

    /// The time of its clock, in seconds, at which it had received so many messages for a device.
    ///
    /// # Panics
    ///
    /// If it does not say.
    #[track_caller]
    pub fn received(&mut self, device: &str) -> (f64, u64) {
        let line = self.report(&[&counters::NAMES[..], &[device]].concat());
        let time = line.split_whitespace().next();
        let time = time.and_then(|time| time.parse().ok());
        let counters = Counters::parse(&line);
        let both = time.zip(counters.map(|counters| counters.received));
        both.unwrap_or_else(|| panic!("no time or no counters in: {line}"))
    }

    /// How often it has started: more than once only if the watchdog, a fault or somebody has reset it.
    #[must_use]
    pub fn starts(&self) -> usize {
        self.log().with(&["mqtt-client", "started"]).len()
    }

    /// Asks it to send what is queued, to say DISCONNECT, and to end.
    pub fn stop(&mut self) -> Finished {
        self.type_in(STOP);
        self.wait()
    }

    /// Switches it off.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Waits for its end.
    ///
    /// # Panics
    ///
    /// If it does not end within [`crate::wait::LIMIT`].
    pub fn wait(&mut self) -> Finished {
        let status = self.process.wait();
        Finished {
            code: status
                .code()
                .unwrap_or_else(|| panic!("the emulator was ended by a signal: {status}")),
            log: self.log().all(),
        }
    }

    /// The processor time that its emulator has used so far.
    ///
    /// # Panics
    ///
    /// If it has ended.
    #[must_use]
    pub fn processor_time(&self) -> Duration {
        self.process.processor_time()
    }

    /// Whether it is running.
    pub fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    /// Whether it ends by itself within `limit`.
    pub fn ends_within(&mut self, limit: Duration) -> bool {
        self.process.wait_within(limit).is_some()
    }

    fn type_in(&mut self, byte: u8) {
        let written = self.console.write_all(&[byte]);
        written.expect("a console that is connected");
    }
}
