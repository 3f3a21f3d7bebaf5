//! The product from outside: its configuration file, arguments, signals, output, exit code, memory and wake-ups.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::bench::meter;
use crate::counters::{self, Counters};
use crate::process::{Lines, Process, Signal};
use crate::{Config, program, wait};

/// A running daemon. Dropping it kills it.
pub struct Daemon {
    process: Process,
    config: std::path::PathBuf,
    _folder: TempDir,
}

/// What a daemon that ended has left.
#[derive(Debug)]
pub struct Finished {
    /// The exit code.
    pub code: i32,
    /// The lines on standard output.
    pub stdout: Vec<String>,
    /// The lines on standard error.
    pub stderr: Vec<String>,
}

impl Daemon {
    /// Starts a daemon that says what it connects to (`-d 2`).
    #[must_use]
    pub fn start(config: &Config) -> Self {
        Self::start_with(config, &["-d", "2"])
    }

    /// Starts a daemon with these arguments, and `-c` with its configuration.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    #[must_use]
    pub fn start_with(config: &Config, arguments: &[&str]) -> Self {
        Self::start_on(&[], arguments, |path| config.write(path))
    }

    /// Starts a daemon that says what it connects to, with these words in front of its command line: `env`, `nsenter` and so on.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    #[must_use]
    pub fn start_under(words: &[String], config: &Config) -> Self {
        Self::start_on(words, &["-d", "2"], |path| config.write(path))
    }

    /// Starts a daemon that says what it connects to, on this text.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    #[must_use]
    pub fn start_with_text(text: &str) -> Self {
        Self::start_on(&[], &["-d", "2"], |path| {
            std::fs::write(path, text).expect("write to a temporary folder");
        })
    }

    fn start_on(words: &[String], arguments: &[&str], write: impl FnOnce(&Path)) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let path = folder.path().join("mqtt.json");
        write(&path);
        let name = path.display().to_string();
        let arguments = [&["-c", &name], arguments].concat();
        Self {
            process: spawn(words, &arguments),
            config: path,
            _folder: folder,
        }
    }

    /// What it has written to standard output.
    #[must_use]
    pub fn stdout(&self) -> &Lines {
        self.process.stdout()
    }

    /// What it has written to standard error.
    #[must_use]
    pub fn stderr(&self) -> &Lines {
        self.process.stderr()
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Sends it a signal.
    pub fn signal(&mut self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Puts another configuration in the place of its own, and asks it to read it (SIGHUP).
    pub fn reload(&mut self, config: &Config) {
        config.write(&self.config);
        self.process.signal(Signal::HUP);
    }

    /// As [`reload`](Self::reload), with any text.
    ///
    /// # Panics
    ///
    /// If the file cannot be written.
    pub fn reload_text(&mut self, text: &str) {
        std::fs::write(&self.config, text).expect("write the configuration");
        self.process.signal(Signal::HUP);
    }

    /// Removes its configuration, and lets `make` put something else in that place.
    ///
    /// # Panics
    ///
    /// If the file cannot be removed.
    pub fn replace_configuration(&self, make: impl FnOnce(&Path)) {
        std::fs::remove_file(&self.config).expect("the configuration is there");
        make(&self.config);
    }

    /// Its counters for one device, asked for with SIGUSR1.
    ///
    /// # Panics
    ///
    /// If no line with all of them comes.
    #[track_caller]
    pub fn counters(&mut self, device: &str) -> Counters {
        let mark = self.stderr().mark();
        self.process.signal(Signal::USR1);
        let words = [&counters::NAMES[..], &[device]].concat();
        let line = self.stderr().wait_for_after(mark, &words);
        Counters::parse(&line).unwrap_or_else(|| panic!("no counters in: {line}"))
    }

    /// Waits until its counters for one device are as wanted, and returns them.
    ///
    /// # Panics
    ///
    /// If that takes longer than [`wait::LIMIT`].
    #[track_caller]
    pub fn wait_for_counters(
        &mut self,
        device: &str,
        wanted: impl Fn(&Counters) -> bool,
    ) -> Counters {
        counters::wait_for(|| self.counters(device), wanted)
    }

    /// Ends it with SIGTERM.
    pub fn stop(&mut self) -> Finished {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Ends it with SIGKILL.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Waits for its end.
    ///
    /// # Panics
    ///
    /// If it is killed by a signal, or still there after [`wait::LIMIT`].
    pub fn wait(&mut self) -> Finished {
        finish(&mut self.process)
    }

    /// Whether it is still running.
    pub fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    /// Whether it ends by itself within `limit`.
    pub fn ends_within(&mut self, limit: Duration) -> bool {
        self.process.wait_within(limit).is_some()
    }

    /// How often its threads have gone to sleep so far: what an idle program costs.
    ///
    /// # Panics
    ///
    /// If it has ended.
    #[must_use]
    pub fn voluntary_context_switches(&self) -> u64 {
        let folder = format!("/proc/{}/task", self.process.id());
        let tasks = std::fs::read_dir(folder).expect("the daemon runs");
        tasks
            .map(|task| {
                let path = task.expect("a thread of the daemon").path().join("status");
                number_in(&path, "voluntary_ctxt_switches:")
            })
            .sum()
    }

    /// The processor time that it has used.
    ///
    /// # Panics
    ///
    /// If it has ended.
    #[must_use]
    pub fn processor_time(&self) -> Duration {
        Duration::from_nanos(meter::cpu_ns(self.process.id()).expect("the daemon runs"))
    }

    /// How many threads it has.
    ///
    /// # Panics
    ///
    /// If it has ended.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.entries("task")
    }

    /// How many file descriptors it holds.
    ///
    /// # Panics
    ///
    /// If it has ended.
    #[must_use]
    pub fn descriptors(&self) -> usize {
        self.entries("fd")
    }

    fn entries(&self, folder: &str) -> usize {
        let folder = format!("/proc/{}/{folder}", self.process.id());
        // The daemon lets nobody but root look at it.
        if std::fs::read_dir(&folder).is_err() {
            let list = program::output(Command::new("sudo").args(["-n", "ls", &folder]));
            return list.expect("the daemon runs, and sudo").lines().count();
        }
        std::fs::read_dir(folder).expect("the daemon runs").count()
    }

    /// The memory it occupies, in KiB.
    ///
    /// # Panics
    ///
    /// If it has ended.
    #[must_use]
    pub fn resident_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.process.id());
        number_in(Path::new(&path), "VmRSS:")
    }
}

/// Runs the daemon with arguments alone, until it ends.
///
/// # Panics
///
/// If it does not end.
#[must_use]
pub fn run(arguments: &[&str]) -> Finished {
    finish(&mut spawn(&[], arguments))
}

/// Runs the daemon with a configuration that is expected to end it.
///
/// # Panics
///
/// If it does not end.
#[must_use]
pub fn run_with(config: &Config, arguments: &[&str]) -> Finished {
    Daemon::start_with(config, arguments).wait()
}

/// As [`run_with`], with `words` in front of the command line.
///
/// # Panics
///
/// If it does not end.
#[must_use]
pub fn run_under(words: &[String], config: &Config, arguments: &[&str]) -> Finished {
    Daemon::start_on(words, arguments, |path| config.write(path)).wait()
}

/// As [`run_with`], with any text as the configuration.
///
/// # Panics
///
/// If it does not end.
#[must_use]
pub fn run_with_text(text: impl AsRef<[u8]>, arguments: &[&str]) -> Finished {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("mqtt.json");
    std::fs::write(&path, text).expect("write to a temporary folder");
    let name = path.display().to_string();
    run(&[&["-c", &name], arguments].concat())
}

impl Finished {
    /// The lines on standard error that hold all of `words`, in any letter case.
    #[must_use]
    pub fn errors_with(&self, words: &[&str]) -> Vec<&String> {
        let holds = |line: &str| words.iter().all(|word| line.contains(&word.to_lowercase()));
        let lines = self.stderr.iter();
        lines.filter(|line| holds(&line.to_lowercase())).collect()
    }
}

fn spawn(words: &[String], arguments: &[&str]) -> Process {
    let program = program::daemon();
    let own = arguments.iter().map(|&argument| String::from(argument));
    let all: Vec<_> = program.arguments.iter().cloned().chain(own).collect();
    Process::start_under(words, "mqtt-client", &program.path, &all)
}

fn finish(process: &mut Process) -> Finished {
    let status = process.wait();
    Finished {
        code: status
            .code()
            .unwrap_or_else(|| panic!("the daemon was ended by a signal: {status}")),
        stdout: process.stdout().all(),
        stderr: process.stderr().all(),
    }
}

fn number_in(path: &Path, name: &str) -> u64 {
    wait::until(format_args!("{name} in {}", path.display()), || {
        let text = std::fs::read_to_string(path).ok()?;
        let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
        rest.split_whitespace().next()?.parse().ok()
    })
}
