//! A child process: its output as lines that can be waited for, its end by its own process id, and no orphans.

use std::fmt::Display;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

pub use rustix::process::Signal;

use crate::wait;

/// How many of the last lines of each output are printed when a test fails; equal lines in a row count as one.
const SHOWN_LINES: usize = 60;

/// A running program. Dropping it kills it.
pub struct Process {
    name: String,
    child: Child,
    stdout: Lines,
    stderr: Lines,
    readers: Vec<JoinHandle<()>>,
}

impl Process {
    /// Starts `program` with `arguments`, its output captured.
    ///
    /// The child is in a process group of its own, so that Ctrl-C in a terminal reaches only us, and the kernel kills it
    /// when the thread that started it ends without having done so (`setpriv`, from util-linux).
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn start(name: impl Display, program: &Path, arguments: &[String]) -> Self {
        Self::start_under(&[], name, program, arguments)
    }

    /// As [`start`](Self::start), with `words` in front of the command line: a program that becomes this one, such as `env` or `nsenter`.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn start_under(
        words: &[String],
        name: impl Display,
        program: &Path,
        arguments: &[String],
    ) -> Self {
        Self::run(words, name, program, arguments, |stdout| stdout)
    }

    /// As [`start`](Self::start), for a program whose standard output becomes text only by what `decode` makes of it.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn start_decoded<R: Read + Send + 'static>(
        name: impl Display,
        program: &Path,
        arguments: &[String],
        decode: impl FnOnce(ChildStdout) -> R,
    ) -> Self {
        Self::run(&[], name, program, arguments, decode)
    }

    fn run<R: Read + Send + 'static>(
        words: &[String],
        name: impl Display,
        program: &Path,
        arguments: &[String],
        decode: impl FnOnce(ChildStdout) -> R,
    ) -> Self {
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--"])
            .args(words)
            .arg(program)
            .args(arguments);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("start {name} with {command:?}: {error}"));
        let (stdout, reader) = Lines::read(decode(child.stdout.take().expect("a pipe")));
        let (stderr, other_reader) = Lines::read(child.stderr.take().expect("a pipe"));
        Self {
            name: name.to_string(),
            child,
            stdout,
            stderr,
            readers: vec![reader, other_reader],
        }
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote to standard output.
    #[must_use]
    pub fn stdout(&self) -> &Lines {
        &self.stdout
    }

    /// What it wrote to standard error.
    #[must_use]
    pub fn stderr(&self) -> &Lines {
        &self.stderr
    }

    /// The processor time that it has used so far, in steps of 10 ms.
    ///
    /// # Panics
    ///
    /// If it has ended.
    #[must_use]
    pub fn processor_time(&self) -> Duration {
        let path = format!("/proc/{}/stat", self.id());
        let text = std::fs::read_to_string(path).expect("a process that runs");
        // After the name, which may hold anything; the fields are numbered in proc(5).
        let (_, fields) = text.rsplit_once(')').expect("a name in brackets");
        let fields = fields.split_whitespace().skip(14 - 3).take(2);
        let ticks = fields.map(|field| field.parse::<u64>().expect("a number of ticks"));
        // User and system; USER_HZ is 100 on every Linux.
        Duration::from_millis(ticks.sum::<u64>() * 10)
    }

    /// Sends it a signal.
    ///
    /// # Panics
    ///
    /// If it has ended.
    pub fn signal(&mut self, signal: Signal) {
        assert!(self.is_running(), "{} has ended", self.name);
        let process = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(process, signal).expect("send a signal to our own child");
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        self.status().is_none()
    }

    /// Waits for its end, and for the last of its output.
    ///
    /// # Panics
    ///
    /// If it does not end within [`wait::LIMIT`].
    pub fn wait(&mut self) -> ExitStatus {
        match self.wait_within(wait::LIMIT) {
            Some(status) => status,
            None => panic!("{} does not end within {:?}", self.name, wait::LIMIT),
        }
    }

    /// As [`wait`](Self::wait), with a limit; `None` if it is still running then.
    pub fn wait_within(&mut self, limit: Duration) -> Option<ExitStatus> {
        let status = wait::within(limit, || self.status())?;
        self.finish_output();
        Some(status)
    }

    /// Ends it with SIGTERM, and waits.
    ///
    /// # Panics
    ///
    /// If it has ended already, or does not within [`wait::LIMIT`].
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Ends it with SIGKILL, and waits.
    pub fn kill(&mut self) {
        // It may have ended by itself, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.finish_output();
    }

    fn status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the state of our own child")
    }

    fn finish_output(&mut self) {
        for reader in self.readers.drain(..) {
            reader.join().expect("a thread that reads lines");
        }
    }

    fn print_output(&mut self) {
        let end = match self.status() {
            None => String::from("running"),
            Some(status) => match (status.code(), status.signal()) {
                (Some(code), _) => format!("ended with {code}"),
                (None, signal) => format!("ended by signal {}", signal.unwrap_or(0)),
            },
        };
        println!("---- {}, {end}", self.name);
        for (output, lines) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            let mut lines = lines.all();
            // Questions that are asked until the answer is right fill the output with the wrong one.
            lines.dedup();
            let skipped = lines.len().saturating_sub(SHOWN_LINES);
            if skipped > 0 {
                println!("{output}: ({skipped} lines before these)");
            }
            for line in &lines[skipped..] {
                println!("{output}: {line}");
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if thread::panicking() {
            self.print_output();
        }
        self.kill();
    }
}

/// The lines that a program has written so far. Clones see the same lines.
#[derive(Clone, Default)]
pub struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn read(source: impl Read + Send + 'static) -> (Self, JoinHandle<()>) {
        let lines = Self::default();
        let written = lines.clone();
        let reader = thread::spawn(move || {
            let mut source = BufReader::new(source);
            let mut line = Vec::new();
            while source.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                written.locked().push(text);
                line.clear();
            }
        });
        (lines, reader)
    }

    /// All lines so far.
    #[must_use]
    pub fn all(&self) -> Vec<String> {
        self.locked().clone()
    }

    /// How many lines there are: a mark for [`after`](Self::after).
    #[must_use]
    pub fn mark(&self) -> usize {
        self.locked().len()
    }

    /// The lines that hold all of `words`, in any letter case.
    #[must_use]
    pub fn with(&self, words: &[&str]) -> Vec<String> {
        self.after(0, words)
    }

    /// As [`with`](Self::with), only lines written since `mark`.
    #[must_use]
    pub fn after(&self, mark: usize, words: &[&str]) -> Vec<String> {
        let lines = self.locked();
        let lines = lines.iter().skip(mark);
        lines.filter(|line| holds(line, words)).cloned().collect()
    }

    /// Waits for a line that holds all of `words`, in any letter case, and returns it.
    ///
    /// # Panics
    ///
    /// If none comes within [`wait::LIMIT`].
    #[track_caller]
    pub fn wait_for(&self, words: &[&str]) -> String {
        self.wait_for_after(0, words)
    }

    /// As [`wait_for`](Self::wait_for), only lines written since `mark`.
    ///
    /// # Panics
    ///
    /// If none comes within [`wait::LIMIT`].
    #[track_caller]
    pub fn wait_for_after(&self, mark: usize, words: &[&str]) -> String {
        wait::until(format_args!("a line with {words:?}"), || {
            self.after(mark, words).into_iter().next()
        })
    }

    fn locked(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().expect("no reader panics")
    }
}

fn holds(line: &str, words: &[&str]) -> bool {
    let line = line.to_lowercase();
    words.iter().all(|word| line.contains(&word.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Process {
        let arguments = [String::from("-c"), String::from(script)];
        Process::start("a shell", Path::new("sh"), &arguments)
    }

    #[test]
    fn lines_of_both_outputs_are_kept_in_order_with_the_exit_code() {
        let mut process = shell("echo one; echo two; echo Trouble >&2; exit 3");
        assert_eq!(process.wait().code(), Some(3));
        assert_eq!(process.stdout().all(), ["one", "two"]);
        assert_eq!(process.stderr().with(&["TROUBLE"]), ["Trouble"]);
        assert_eq!(process.stdout().after(1, &["o"]), ["two"]);
    }

    #[test]
    fn a_line_can_be_waited_for_while_the_program_runs() {
        let process = shell("echo ready; exec sleep 1000");
        assert_eq!(process.stdout().wait_for(&["ready"]), "ready");
    }

    #[test]
    fn processor_time_is_counted() {
        let process = shell("while :; do :; done");
        wait::until("processor time", || {
            wait::holds(process.processor_time() > Duration::ZERO)
        });
    }

    #[test]
    fn dropping_a_process_ends_it() {
        let process = shell("echo ready; exec sleep 1000");
        process.stdout().wait_for(&["ready"]);
        let folder = format!("/proc/{}", process.id());
        assert!(Path::new(&folder).exists());
        drop(process);
        assert!(!Path::new(&folder).exists());
    }
}
