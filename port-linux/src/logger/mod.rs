//! Where do log lines go? To standard error, one write(2) each, without ever waiting and without allocating.
//!
//! A line reads `2026-11-22T16:07:41.123Z W message`: UTC, then the level's first letter. Where standard error is
//! a pipe or a socket (procd, systemd), the reader has a clock of its own, and the line is `W message`.

mod line;

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::outlet::Outlet;
use line::Line;

static LOGGER: OnceLock<Logger> = OnceLock::new();

/// Starts logging to standard error, once in a process. `debug` is the user's level: 0 errors, 1 warnings,
/// 2 information, 3 debugging, 4 and above everything.
///
/// # Errors
/// No file descriptor is left for a second one on standard error; a second call.
pub fn start(debug: u8) -> io::Result<()> {
    let logger = Logger::new(io::stderr().as_fd())?;
    log::set_logger(LOGGER.get_or_init(|| logger))
        .map_err(|_| io::Error::other("logging has started already"))?;
    log::set_max_level(match debug {
        0 => LevelFilter::Error,
        1 => LevelFilter::Warn,
        2 => LevelFilter::Info,
        3 => LevelFilter::Debug,
        _ => LevelFilter::Trace,
    });
    Ok(())
}

/// A line on standard error at every debug level, without time and level. If there is no room for it, and none comes within
/// `patience`, it is lost and counted like any other.
pub fn say(line: fmt::Arguments<'_>, patience: Duration) {
    if let Some(logger) = LOGGER.get() {
        logger.say(line, patience);
    }
}

struct Logger {
    outlet: Outlet,
    /// Lines that were not written since the last one that was.
    lost: AtomicU32,
}

impl Logger {
    fn new(file: BorrowedFd<'_>) -> io::Result<Logger> {
        Ok(Logger {
            outlet: Outlet::new(file)?,
            lost: AtomicU32::new(0),
        })
    }

    fn start_line(&self, level: Level) -> Line {
        let mut line = Line::new();
        if !self.outlet.has_clock() {
            let now = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default();
            line.push_utc(now.as_secs(), now.subsec_millis());
        }
        line.push(format_args!("{} ", letter(level)));
        line
    }

    fn say(&self, text: fmt::Arguments<'_>, patience: Duration) {
        let mut line = Line::new();
        line.push(text);
        self.deliver(line, patience);
    }

    /// Writes the line, after word of those that were lost before it.
    fn deliver(&self, line: Line, patience: Duration) {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let mut notice = self.start_line(Level::Warn);
            notice.push(format_args!(
                "{lost} log lines lost here: standard error was full"
            ));
            if !self.write(notice, patience) {
                self.lost.fetch_add(lost + 1, Ordering::Relaxed);
                return;
            }
        }
        if !self.write(line, patience) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether the whole line was written. Why not (full, closed, a device's error) makes no difference: there is
    /// nobody to tell.
    fn write(&self, mut line: Line, patience: Duration) -> bool {
        let bytes = line.finish();
        let mut written = self.outlet.write(bytes);
        if matches!(&written, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
            && !patience.is_zero()
        {
            self.outlet.wait(patience);
            written = self.outlet.write(bytes);
        }
        written.is_ok_and(|length| length == bytes.len())
    }
}

impl Log for Logger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let mut line = self.start_line(record.level());
        line.push(*record.args());
        self.deliver(line, Duration::ZERO);
    }

    fn flush(&self) {}
}

fn letter(level: Level) -> char {
    match level {
        Level::Error => 'E',
        Level::Warn => 'W',
        Level::Info => 'I',
        Level::Debug => 'D',
        Level::Trace => 'T',
    }
}

#[cfg(test)]
mod tests {
    use std::io::{PipeReader, Read, pipe};
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixDatagram;

    use rustix::fs::{OFlags, fcntl_getfl};
    use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};

    use super::*;

    fn log(logger: &Logger, level: Level, text: &str) {
        logger.log(
            &Record::builder()
                .level(level)
                .args(format_args!("{text}"))
                .build(),
        );
    }

    /// What is in the pipe now.
    fn read_available(mut pipe: &PipeReader) -> String {
        let mut text = vec![0; 1 << 20];
        let length = pipe.read(&mut text).unwrap();
        text.truncate(length);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn every_level_has_its_letter_and_a_pipe_gets_no_time() {
        let (reader, writer) = pipe().unwrap();
        let logger = Logger::new(writer.as_fd()).unwrap();
        for level in Level::iter() {
            log(&logger, level, "text");
        }
        assert_eq!(
            read_available(&reader),
            "E text\nW text\nI text\nD text\nT text\n"
        );
    }

    #[test]
    fn a_file_gets_utc_time_in_front() {
        let path = std::env::temp_dir().join(format!("logger-{}", std::process::id()));
        let file = std::fs::File::create(&path).unwrap();
        let logger = Logger::new(file.as_fd()).unwrap();
        log(&logger, Level::Info, "text");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let (time, rest) = text.split_at("2026-11-22T16:07:41.123Z".len());
        assert_eq!(rest, " I text\n");
        let shape: String = time
            .chars()
            .map(|c| if c.is_ascii_digit() { '0' } else { c })
            .collect();
        assert_eq!(shape, "0000-00-00T00:00:00.000Z");
    }

    #[test]
    fn one_line_is_one_write() {
        let (reader, writer) = UnixDatagram::pair().unwrap();
        let logger = Logger::new(writer.as_fd()).unwrap();
        logger.log(
            &Record::builder()
                .level(Level::Warn)
                .args(format_args!("{}: {} of {}", "cloud", 1, 2.5))
                .build(),
        );
        let mut datagram = [0; 100];
        let length = reader.recv(&mut datagram).unwrap();
        assert_eq!(datagram.get(..length), Some(&b"W cloud: 1 of 2.5\n"[..]));
    }

    /// Logs until lines are lost, lets the reader catch up, and expects the loss to be told.
    fn fill_and_recover(logger: &Logger, reader: OwnedFd) {
        let mut written = 0;
        while logger.lost.load(Ordering::Relaxed) < 3 {
            log(
                logger,
                Level::Debug,
                "0123456789012345678901234567890123456789",
            );
            written += 1;
            assert!(written < 1_000_000, "it never fills");
        }
        let lost = logger.lost.load(Ordering::Relaxed);
        logger.say(format_args!("counters"), Duration::ZERO);
        assert!(logger.lost.load(Ordering::Relaxed) > lost, "it was said");
        let mut text = String::new();
        let mut reader = std::fs::File::from(reader);
        let mut chunk = [0; 4096];
        while !text.contains("log lines lost here") {
            log(logger, Level::Debug, "now there is room");
            let length = reader.read(&mut chunk).unwrap();
            text.push_str(std::str::from_utf8(&chunk[..length]).unwrap());
        }
        assert!(text.contains("W "), "{text}");
    }

    #[test]
    fn a_full_pipe_loses_lines_instead_of_waiting_and_the_loss_is_told() {
        let (reader, writer) = pipe().unwrap();
        let logger = Logger::new(writer.as_fd()).unwrap();
        assert!(
            !logger.outlet.is_shared(),
            "a pipe of our own can be opened anew"
        );
        fill_and_recover(&logger, reader.into());
    }

    #[test]
    fn a_full_pipe_that_cannot_be_opened_anew_does_not_wait_either() {
        let (reader, writer) = pipe().unwrap();
        let logger = Logger {
            outlet: Outlet::shared(writer.into()),
            lost: AtomicU32::new(0),
        };
        fill_and_recover(&logger, reader.into());
    }

    #[test]
    fn a_line_with_patience_waits_for_room() {
        let (mut reader, writer) = pipe().unwrap();
        let logger = Logger::new(writer.as_fd()).unwrap();
        while logger.lost.load(Ordering::Relaxed) == 0 {
            log(&logger, Level::Debug, "until the pipe is full");
        }
        let text = std::thread::scope(|scope| {
            scope.spawn(|| logger.say(format_args!("counters"), crate::testing::LIMIT));
            let mut text = String::new();
            while !text.ends_with("\ncounters\n") {
                let mut chunk = [0; 4096];
                let length = reader.read(&mut chunk).unwrap();
                text.push_str(std::str::from_utf8(&chunk[..length]).unwrap());
            }
            text
        });
        assert!(text.contains("1 log lines lost here"), "{text}");
    }

    #[test]
    fn a_terminal_that_takes_no_more_does_not_wait_and_keeps_its_flags() {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
        let screen = openpt(flags).unwrap();
        grantpt(&screen).unwrap();
        unlockpt(&screen).unwrap();
        let terminal = ioctl_tiocgptpeer(&screen, flags).unwrap();
        let logger = Logger::new(terminal.as_fd()).unwrap();
        fill_and_recover(&logger, screen);
        assert!(!fcntl_getfl(&terminal).unwrap().contains(OFlags::NONBLOCK));
    }

    #[test]
    fn a_closed_pipe_is_survived() {
        let (reader, writer) = pipe().unwrap();
        let logger = Logger::new(writer.as_fd()).unwrap();
        drop(reader);
        log(&logger, Level::Error, "nobody reads this");
        log(&logger, Level::Error, "nor this");
        assert!(logger.lost.load(Ordering::Relaxed) > 0);
    }
}
