//! Where do log lines go? To standard error, one write(2) each, without ever waiting and without allocating.
//!
//! A line reads `2026-11-22T16:07:41.123Z W message`: UTC, then the level's first letter. Where standard error is
//! a pipe or a socket (procd, systemd), the reader has a clock of its own, and the line is `W message`.

mod line;

use std::fs::{File, OpenOptions};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use log::{Level, LevelFilter, Log, Metadata, Record};
use rustix::event::{Timespec, epoll};
use rustix::fs::OFlags;
use rustix::io::{retry_on_intr, write};

use line::Line;

/// Starts logging to standard error, once in a process. `debug` is the user's level: 0 errors, 1 warnings,
/// 2 information, 3 debugging, 4 and above everything.
///
/// Errors: no file descriptor is left for a second one on standard error; a second call.
pub fn start(debug: u8) -> io::Result<()> {
    let logger = Logger::new(io::stderr().as_fd())?;
    log::set_logger(Box::leak(Box::new(logger)))
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

struct Logger {
    output: File,
    /// Tells whether `output` has room, if a write to it could wait: an epoll instance.
    room: Option<OwnedFd>,
    with_time: bool,
    /// Lines that were not written since the last one that was.
    lost: AtomicU32,
}

impl Logger {
    fn new(file: BorrowedFd<'_>) -> io::Result<Logger> {
        let output = File::from(file.try_clone_to_owned()?);
        let kind = output.metadata()?.file_type();
        // O_NONBLOCK belongs to the open file, which is shared: set on the terminal that we were given, it would
        // break the shell that gave it. Opened anew, the same terminal or pipe has flags of its own. That fails
        // without /proc, or if it belongs to another user; then epoll is asked before each write, which suffices for
        // pipes and sockets. A regular file never waits for a reader, and opened anew it would lose its offset.
        let own = (kind.is_fifo() || kind.is_char_device())
            .then(|| open_anew(file).ok())
            .flatten();
        Ok(Logger {
            room: match own {
                None if !kind.is_file() => Some(watch(&output)?),
                _ => None,
            },
            output: own.unwrap_or(output),
            with_time: !kind.is_fifo() && !kind.is_socket(),
            lost: AtomicU32::new(0),
        })
    }

    fn start_line(&self, level: Level) -> Line {
        let mut line = Line::new();
        if self.with_time {
            let now = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default();
            line.push_utc(now.as_secs(), now.subsec_millis());
        }
        line.push(format_args!("{} ", letter(level)));
        line
    }

    /// Whether the whole line was written. Why not (full, closed, a device's error) makes no difference: there is
    /// nobody to tell.
    fn write(&self, mut line: Line) -> bool {
        if !self.has_room() {
            return false;
        }
        let bytes = line.finish();
        retry_on_intr(|| write(&self.output, bytes)) == Ok(bytes.len())
    }

    fn has_room(&self) -> bool {
        self.room.as_ref().is_none_or(|epoll| {
            // Not by poll(2), whose time limit `rustix` gets wrong on 32-bit MIPS with musl.
            let events = epoll::wait(
                epoll,
                &mut [MaybeUninit::uninit()],
                Some(&Timespec::default()),
            )
            .map(|(events, _)| events.len());
            events == Ok(1)
        })
    }
}

impl Log for Logger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let mut notice = self.start_line(Level::Warn);
            notice.push(format_args!(
                "{lost} log lines lost here: standard error was full"
            ));
            if !self.write(notice) {
                self.lost.fetch_add(lost + 1, Ordering::Relaxed);
                return;
            }
        }
        let mut line = self.start_line(record.level());
        line.push(*record.args());
        if !self.write(line) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
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

/// A second, independent opening of the same terminal or pipe, to write without waiting.
fn open_anew(file: BorrowedFd<'_>) -> io::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    OpenOptions::new()
        .write(true)
        .custom_flags(flags.bits() as i32)
        .open(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// An epoll instance that tells whether there is room in `output`.
fn watch(output: &File) -> io::Result<OwnedFd> {
    let room = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(
        &room,
        output,
        epoll::EventData::new_u64(0),
        epoll::EventFlags::OUT,
    )?;
    Ok(room)
}

#[cfg(test)]
mod tests {
    use std::io::{PipeReader, Read, pipe};
    use std::os::unix::net::UnixDatagram;

    use rustix::fs::fcntl_getfl;
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
            logger.room.is_none(),
            "a pipe of our own can be opened anew"
        );
        fill_and_recover(&logger, reader.into());
    }

    #[test]
    fn a_full_pipe_that_cannot_be_opened_anew_does_not_wait_either() {
        let (reader, writer) = pipe().unwrap();
        let output = File::from(OwnedFd::from(writer));
        let logger = Logger {
            room: Some(watch(&output).unwrap()),
            output,
            with_time: false,
            lost: AtomicU32::new(0),
        };
        fill_and_recover(&logger, reader.into());
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
