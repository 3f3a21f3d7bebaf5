//! A whole gateway, seen from outside: its own kernel on an emulated processor, its own init, 64 MB, and the package installed in it.
//!
//! | file | question |
//! |---|---|
//! | `kernel` | how is its Linux built? |
//! | `userland` | how are its shell and tools built? |
//! | `source` | where do their sources come from? |
//! | `image` | what is in its root file system? |
//! | `shell` | how is it told what to do? |
//! | [`power`] | what is left on its storage when its power is cut? |
//!
//! What stands in for OpenWrt's own scripts (rc.common, procd, opkg) is in `tests/gateway/root`.

mod image;
mod kernel;
pub mod power;
mod shell;
mod source;
mod userland;

use std::path::Path;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tempfile::TempDir;

use crate::board::{Cord, HOST};
use crate::counters::{self, Counters};
use crate::install::{self, Tool};
use crate::process::{Lines, Process};
use crate::servers::{Mosquitto, Redis};
use crate::site::Site;
use crate::{Config, wait};
pub use shell::Output;
use shell::Shell;

/// The emulator of whole gateways.
pub const QEMU: Tool = Tool::new("qemu-system-mips", "qemu-system-mips");

/// How long it may take to boot: a few seconds on an idle machine.
const BOOT: Duration = Duration::from_secs(120);

/// The init script.
pub const SERVICE: &str = "/etc/init.d/mqtt-client";

/// Where the package and the mapping table lie when it has booted.
pub const PACKAGE: &str = "/tmp/mqtt-client.ipk";
pub const TABLE: &str = "/tmp/table.json";

/// A running gateway. Dropping it switches it off.
pub struct Machine {
    process: Process,
    shell: Shell,
    _folder: TempDir,
    _turn: MutexGuard<'static, ()>,
}

/// Only one at a time: each takes a processor to boot.
static TURN: Mutex<()> = Mutex::new(());

/// Builds whatever is not built yet: some minutes at the first call.
///
/// # Errors
///
/// Says what is missing or does not build.
pub fn prepare() -> Result<(), String> {
    install::ensure(&[QEMU])?;
    kernel::path().and(userland::path()).and(image::package())?;
    Ok(())
}

/// What QEMU is told about every gateway.
fn board(kernel: &Path, image: &Path, append: &str) -> Vec<String> {
    let words = [
        // The AR9331's processor core, memory and order of bytes, on another board.
        ["-machine", "malta"],
        ["-cpu", "24Kc"],
        ["-m", "64"],
        ["-kernel", &kernel.display().to_string()],
        ["-initrd", &image.display().to_string()],
        ["-append", append],
        ["-display", "none"],
        ["-serial", "stdio"],
        ["-netdev", "user,id=network"],
        // The slot whose interrupt the kernel knows.
        ["-device", "pcnet,netdev=network,addr=0x0b,romfile="],
    ];
    let words = words.iter().flatten();
    let words = ["-nodefaults", "-no-reboot"].iter().chain(words);
    words.map(|&word| String::from(word)).collect()
}

/// The usual setting of a test, as [`Site::start`], with a gateway.
#[must_use]
pub fn site(config: Config) -> Site<Machine> {
    Site::assemble(Redis::start(), Mosquitto::start(), config, Machine::serving)
}

impl Machine {
    /// Switches on a gateway without the package, which it has in [`PACKAGE`] as it has this mapping table in [`TABLE`]. Where the table names
    /// this machine's own servers, the gateway is told where it sees them.
    ///
    /// # Panics
    ///
    /// If it cannot be built, or does not boot.
    #[must_use]
    pub fn boot(config: &Config) -> Self {
        let turn = TURN.lock().unwrap_or_else(|broken| broken.into_inner());
        prepare().unwrap_or_else(|error| panic!("{error}"));
        let folder = TempDir::new().expect("a temporary folder");
        let table = config.clone().with_host(HOST).to_json();
        let image = image::write(folder.path(), &table).unwrap_or_else(|error| panic!("{error}"));
        let cord = Cord::new(folder.path(), "shell");
        let kernel = kernel::path().expect("it is built");
        let words = [
            // Its clock starts in 1970, like that of a gateway without a battery.
            ["-rtc", "base=1970-01-01T00:00:00"],
            ["-chardev", &cord.option()],
            ["-serial", "chardev:shell"],
        ];
        let words = words.iter().flatten().map(|&word| String::from(word));
        let words: Vec<_> = board(kernel, &image, "console=ttyS0 quiet panic=-1")
            .into_iter()
            .chain(words)
            .collect();
        let process = Process::start("the gateway", &install::path(QEMU), &words);
        let shell = Shell::new(cord.plugged_in(), BOOT);
        Self {
            process,
            shell,
            _folder: folder,
            _turn: turn,
        }
    }

    /// As [`boot`](Self::boot), with the package installed, configured, and its service started, as the README says.
    #[must_use]
    pub fn serving(config: &Config) -> Self {
        let mut machine = Self::boot(config);
        machine.run(&format!("opkg install {PACKAGE}"));
        // The daemon that this has started might read the table, and connect, before it is ended for another.
        machine.run(&format!("{SERVICE} stop"));
        machine.wait_until_inactive();
        machine.run(&format!("cp {TABLE} /etc/elseta-mqtt.json"));
        machine.run(&format!("{SERVICE} restart"));
        machine
    }

    /// Runs a command, which is one line, and returns what it wrote.
    ///
    /// # Panics
    ///
    /// If it fails.
    #[track_caller]
    pub fn run(&mut self, command: &str) -> String {
        let Output { code, text } = self.try_to(command);
        assert_eq!(code, 0, "{command}: {text}");
        text
    }

    /// As [`run`](Self::run), for a command that may fail.
    #[track_caller]
    pub fn try_to(&mut self, command: &str) -> Output {
        self.shell.run(command)
    }

    /// Its console, which has the system log.
    #[must_use]
    pub fn log(&self) -> &Lines {
        self.process.stdout()
    }

    /// The daemon's process id, if it runs.
    pub fn daemon(&mut self) -> Option<u32> {
        let output = self.try_to("cat /var/run/procd/mqtt-client/pid");
        output.text.trim().parse().ok().filter(|_| output.code == 0)
    }

    /// A number that the kernel knows of the daemon, from `/proc/PID/FILE`.
    ///
    /// # Panics
    ///
    /// If the daemon does not run, or there is no such number.
    #[track_caller]
    pub fn number(&mut self, file: &str, name: &str) -> u64 {
        let id = self.daemon().expect("the daemon runs");
        let text = self.run(&format!("cat /proc/{id}/{file}"));
        let rest = text.lines().find_map(|line| line.strip_prefix(name));
        let word = rest.and_then(|rest| rest.split_whitespace().next());
        let number = word.and_then(|word| word.parse().ok());
        number.unwrap_or_else(|| panic!("no {name} in {file}: {text}"))
    }

    /// The daemon's counters for one device, asked for with SIGUSR1.
    ///
    /// # Panics
    ///
    /// If no line with all of them comes to the log.
    #[track_caller]
    pub fn counters(&mut self, device: &str) -> Counters {
        let mark = self.log().mark();
        let id = self.daemon().expect("the daemon runs");
        self.run(&format!("kill -USR1 {id}"));
        let words = [&counters::NAMES[..], &[device]].concat();
        let line = self.log().wait_for_after(mark, &words);
        Counters::parse(&line).unwrap_or_else(|| panic!("no counters in: {line}"))
    }

    /// Waits until the daemon's counters for one device are as wanted, and returns them.
    #[track_caller]
    pub fn wait_for_counters(
        &mut self,
        device: &str,
        wanted: impl Fn(&Counters) -> bool,
    ) -> Counters {
        counters::wait_for(|| self.counters(device), wanted)
    }

    /// Stops the service, waits for the daemon's end, which procd does not, and returns its exit code.
    ///
    /// # Panics
    ///
    /// If it has none.
    #[track_caller]
    pub fn stop(&mut self) -> i32 {
        self.run(&format!("{SERVICE} stop"));
        self.wait_until_inactive();
        let status = self.run("cat /var/run/procd/mqtt-client.status");
        status.trim().parse().expect("an exit code")
    }

    /// Waits until procd has nothing of the service.
    #[track_caller]
    pub fn wait_until_inactive(&mut self) {
        wait::until("the service's end", || {
            wait::holds(self.try_to("ls /var/run/procd/mqtt-client").code != 0)
        });
    }

    /// Waits until another process is the daemon, which procd starts 30 s after the end of the one before, and returns its id.
    ///
    /// # Panics
    ///
    /// If none comes.
    #[track_caller]
    pub fn wait_for_another_daemon(&mut self, than: u32) -> u32 {
        let another = || self.daemon().filter(|&id| id != than);
        wait::within(3 * wait::LIMIT, another).expect("another daemon")
    }
}
