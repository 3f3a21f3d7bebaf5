//! How is something written to a terminal or a pipe without waiting for its reader?

use std::fs::{File, OpenOptions};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::time::Duration;

use rustix::event::{Timespec, epoll};
use rustix::fs::OFlags;
use rustix::io::{Errno, retry_on_intr, write};

/// Bytes for which there is room in a pipe that has any (`PIPE_BUF`).
const AT_ONCE: usize = 4096;

/// Standard output or standard error.
pub struct Outlet {
    file: File,
    /// Tells whether `file` has room, if a write to it could wait: an epoll instance.
    room: Option<OwnedFd>,
    has_clock: bool,
}

impl Outlet {
    /// # Errors
    /// No file descriptor is left for a second one on `file`.
    pub fn new(file: BorrowedFd<'_>) -> io::Result<Outlet> {
        let given = File::from(file.try_clone_to_owned()?);
        let kind = given.metadata()?.file_type();
        // O_NONBLOCK belongs to the open file, which is shared: set on the terminal that we were given, it would
        // break the shell that gave it. Opened anew, the same terminal or pipe has flags of its own. That fails
        // without /proc, or if it belongs to another user; then epoll is asked before each write, which suffices for
        // pipes and sockets. A regular file never waits for a reader, and opened anew it would lose its offset.
        let own = (kind.is_fifo() || kind.is_char_device())
            .then(|| open_anew(file).ok())
            .flatten();
        Ok(Outlet {
            room: match own {
                None if !kind.is_file() => Some(watch(&given)?),
                _ => None,
            },
            file: own.unwrap_or(given),
            has_clock: kind.is_fifo() || kind.is_socket(),
        })
    }

    /// Whether a program reads it, which has a clock of its own (procd, systemd).
    pub fn has_clock(&self) -> bool {
        self.has_clock
    }

    /// Writes what there is room for at once; up to 4,096 bytes go to a pipe whole or not at all.
    ///
    /// # Errors
    /// `WouldBlock`: there is no room. Others: it is closed, or broken.
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut bytes = bytes;
        if let Some(room) = &self.room {
            if !wait(room, Duration::ZERO) {
                return Err(Errno::WOULDBLOCK.into());
            }
            bytes = bytes.get(..AT_ONCE).unwrap_or(bytes);
        }
        Ok(retry_on_intr(|| write(&self.file, bytes))?)
    }

    /// Waits until there is room, or the outlet is closed, but no longer than `limit`.
    pub fn wait(&self, limit: Duration) {
        match &self.room {
            Some(room) => _ = wait(room, limit),
            // A file cannot be watched, and always has room.
            None => _ = watch(&self.file).map(|room| wait(&room, limit)),
        }
    }
}

impl AsFd for Outlet {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
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

/// Whether there is room within `limit`.
fn wait(room: &OwnedFd, limit: Duration) -> bool {
    // Not by poll(2), whose time limit `rustix` gets wrong on 32-bit MIPS with musl.
    let limit = Timespec {
        tv_sec: limit.as_secs() as i64,
        tv_nsec: limit.subsec_nanos() as _,
    };
    let mut events = [MaybeUninit::uninit()];
    let events = epoll::wait(room, &mut events, Some(&limit));
    events.map(|(events, _)| events.len()) == Ok(1)
}

#[cfg(test)]
impl Outlet {
    /// As if `file` could not be opened anew.
    pub fn shared(file: OwnedFd) -> Outlet {
        let file = File::from(file);
        Outlet {
            room: Some(watch(&file).unwrap()),
            file,
            has_clock: true,
        }
    }

    /// Whether it has to look for room before each write.
    pub fn is_shared(&self) -> bool {
        self.room.is_some()
    }
}
