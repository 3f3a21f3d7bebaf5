//! What does `--status` ask, and print?

use std::io::{self, ErrorKind, IsTerminal, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::report::Report;
use super::{DEFAULT_SOCKET, table};
use crate::args::Asking;
use crate::configuration::complain;
use crate::poller::{Events, Interest, Poller};
use crate::{EX_NOPERM, EX_OSERR, EX_UNAVAILABLE};

/// Between two looks, of which the rates are made.
const BETWEEN: Duration = Duration::from_secs(1);

/// A daemon that lives answers at once.
const PATIENCE: Duration = Duration::from_secs(5);

/// Bytes of an answer, at most: tens of thousands of devices.
const LONGEST: u64 = 256 * 1024 * 1024;

/// Clears a terminal.
const CLEAR: &str = "\u{1b}[H\u{1b}[J";

/// Asks the running daemon, and prints what it says.
pub fn run(asking: &Asking) -> ExitCode {
    let path = asking.socket.as_deref();
    let path = path.unwrap_or(Path::new(DEFAULT_SOCKET));
    match print(asking, path) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever closed standard output does not want to know.
        Err(Failure::Output) => ExitCode::SUCCESS,
        Err(Failure::System(error)) => {
            complain(format_args!("mqtt-client: {error}"));
            ExitCode::from(EX_OSERR)
        }
        Err(Failure::Daemon(error)) => {
            let (path, told) = (path.display(), told(&error));
            complain(format_args!("mqtt-client: {path}: {told}"));
            ExitCode::from(match error.kind() {
                ErrorKind::PermissionDenied => EX_NOPERM,
                _ => EX_UNAVAILABLE,
            })
        }
    }
}

enum Failure {
    /// There is none, or it does not answer.
    Daemon(io::Error),
    Output,
    System(io::Error),
}

fn told(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => "no daemon is running there".into(),
        ErrorKind::PermissionDenied => "only its own user and root may ask the daemon".into(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut => "the daemon does not answer".into(),
        _ => error.to_string(),
    }
}

fn print(asking: &Asking, path: &Path) -> Result<(), Failure> {
    let mut last = None;
    let pause = Pause::new(asking.watch).map_err(Failure::System)?;
    if !asking.json && !asking.watch {
        last = Some(Look::at(path).map_err(Failure::Daemon)?);
        pause.ends_it().map_err(Failure::System)?;
    }
    loop {
        let (look, text) = match Look::at(path) {
            Ok(look) => {
                let text = look.shown(asking, last.as_ref()).map_err(Failure::Daemon)?;
                (Some(look), text)
            }
            // It may be about to start anew.
            Err(error) if asking.watch && last.is_some() => (None, told(&error) + "\n"),
            Err(error) => return Err(Failure::Daemon(error)),
        };
        if look.is_some() || !asking.json {
            show(asking, &text).map_err(|_| Failure::Output)?;
        }
        if !asking.watch || pause.ends_it().map_err(Failure::System)? {
            return Ok(());
        }
        last = look.or(last);
    }
}

fn show(asking: &Asking, text: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    if asking.watch && !asking.json {
        let between = if output.is_terminal() { CLEAR } else { "\n" };
        output.write_all(between.as_bytes())?;
    }
    output.write_all(text.as_bytes())?;
    output.flush()
}

/// What the daemon said.
struct Look(String);

impl Look {
    fn at(path: &Path) -> io::Result<Look> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut text = String::new();
        stream.take(LONGEST).read_to_string(&mut text)?;
        if !text.ends_with('\n') {
            return Err(io::Error::other("the daemon's answer is cut off"));
        }
        Ok(Look(text))
    }

    fn shown(&self, asking: &Asking, last: Option<&Look>) -> io::Result<String> {
        if asking.json {
            return Ok(self.0.clone());
        }
        let last = last.map(Look::report).transpose()?;
        Ok(table::of(&self.report()?, last.as_ref()))
    }

    fn report(&self) -> io::Result<Report<'_>> {
        Report::read(&self.0)
            .ok_or_else(|| io::Error::other("the daemon's answer is of another version"))
    }
}

/// The time between two looks, which Enter ends for good where they go on and on.
struct Pause(Poller);

impl Pause {
    fn new(goes_on: bool) -> io::Result<Pause> {
        let poller = Poller::new()?;
        if goes_on && io::stdin().is_terminal() {
            poller.add(io::stdin(), 0, Interest::Read)?;
        }
        Ok(Pause(poller))
    }

    /// Waits; whether it was ended.
    fn ends_it(&self) -> io::Result<bool> {
        let mut events = Events::new();
        let end = Instant::now() + BETWEEN;
        // A first event tells that the terminal can be read later.
        while Instant::now() < end {
            let left = end.saturating_duration_since(Instant::now());
            self.0.wait(&mut events, Some(left))?;
            if events.iter().any(|event| event.readable) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
