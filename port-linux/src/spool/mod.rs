//! The spool's storage: a folder for each device, a file for each segment. A thread reads, writes and syncs, so that a card that is slow or hangs
//! delays nobody.
//!
//! | file | question |
//! |---|---|
//! | `check` | is the folder fit for them? |
//! | `hours` | for how long does a spool last? |
//! | `file_system` | where may a spool lie, and where not? |
//! | `folder` | how are the segments' files opened, so that they are ours and nobody else's? |
//! | `list` | what does a spool hold? |
//! | `kept` | what goes on from one bridge to the next? |
//! | `worker` | what does the thread do, and who wakes whom? |

mod check;
mod file_system;
mod folder;
mod hours;
mod kept;
pub mod list;
mod worker;

use std::mem::take;
use std::sync::Arc;

use embedded_nal::nb;
use mqtt_client_core::spool::{BLOCK, Fault, Storage, WORD};

use crate::poller::Poller;
pub use check::warn;
use folder::Segments;
pub use hours::Load;
pub use kept::{Spools, suspend};
use worker::{Desk, Request};

/// Bytes on storage that do not count: the folder's own.
const NOT_COUNTED: u64 = 4096;

/// Segments have between so many bytes; in very large spools more, so that there are not too many files: each takes 8 bytes of memory.
const SMALLEST: u64 = 16 * 1024;
const LARGEST: u64 = 1024 * 1024;
const MOST: u64 = 1024;

/// The storage of one device.
pub struct Files {
    desk: Arc<Desk>,
    /// A request has no answer yet.
    has_asked: bool,
    segment_len: u32,
    /// Bytes that all segments may have.
    most: u64,
    segments: Segments,
    /// Bytes that are free on the file system.
    free: u64,
    is_listed: bool,
}

/// How long the segments are of a spool of so many bytes, if so many of them are free or its own.
fn segment_len(spool_size: u64, has_room_for: u64) -> u32 {
    let wished = (spool_size / 64).clamp(SMALLEST, LARGEST);
    // On a small file system eight segments are to have room beside each other.
    let fitting = (has_room_for / 8).max(SMALLEST);
    let len = wished.max(spool_size / MOST).min(fitting);
    // At most 2^40 / 1024.
    len as u32 / BLOCK as u32 * BLOCK as u32
}

impl Files {
    /// Storage of this device in this folder, which is not looked at yet, and has a [size](Files::resize) before that. The poller is woken when there is an answer.
    pub fn new(path: &str, alias: &str, poller: Arc<Poller>) -> Self {
        Files {
            desk: Desk::open(path, alias, poller),
            has_asked: false,
            segment_len: SMALLEST as u32,
            most: 0,
            segments: Segments::new(),
            free: 0,
            is_listed: false,
        }
    }

    /// All segments may have so many bytes from now on.
    pub fn resize(&mut self, spool_size: u64) {
        self.most = spool_size;
        self.segment_len = segment_len(spool_size, self.free + self.used());
    }

    fn used(&self) -> u64 {
        self.segments.iter().map(|(_, len)| u64::from(*len)).sum()
    }

    /// Asks the thread, or takes its answer.
    fn ask(&mut self, request: Request, bytes: &[u8]) -> nb::Result<(), Fault> {
        if !self.has_asked {
            self.has_asked = true;
            self.desk.ask(request, bytes);
        }
        let answer = self.desk.answer().ok_or(nb::Error::WouldBlock)?;
        self.has_asked = false;
        self.free = answer.free;
        self.is_listed &= answer.result.is_ok();
        answer.result.map_err(nb::Error::Other)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        self.desk.close();
    }
}

impl Storage for Files {
    fn segment_len(&self) -> u32 {
        self.segment_len
    }

    fn has_room(&mut self) -> bool {
        let len = u64::from(self.segment_len);
        self.used() + len <= self.most + NOT_COUNTED && self.free >= len + NOT_COUNTED
    }

    #[cfg(feature = "status")]
    fn used(&self) -> u64 {
        Files::used(self)
    }

    fn next_segment(&mut self, after: Option<u32>) -> nb::Result<Option<u32>, Fault> {
        let next = match after {
            Some(after) => self
                .segments
                .partition_point(|(serial, _)| *serial <= after),
            None => {
                if self.is_listed {
                    self.is_listed = false;
                    // What is under way has been given up.
                    self.has_asked = false;
                }
                self.ask(Request::Open, &[])?;
                self.segments = take(&mut self.desk.papers().segments);
                self.is_listed = true;
                self.resize(self.most);
                0
            }
        };
        Ok(self.segments.get(next).map(|(serial, _)| *serial))
    }

    fn read(&mut self, segment: u32, at: u32, out: &mut [u8]) -> nb::Result<usize, Fault> {
        let len = out.len();
        self.ask(Request::Read { segment, at, len }, &[])?;
        let papers = self.desk.papers();
        let read = papers.bytes.get(..len).unwrap_or(&papers.bytes);
        out[..read.len()].copy_from_slice(read);
        Ok(read.len())
    }

    fn append(&mut self, segment: u32, at: u32, bytes: &[u8]) -> nb::Result<(), Fault> {
        self.ask(Request::Append { segment, at }, bytes)?;
        let len = at.saturating_add(bytes.len() as u32);
        match self.segments.last_mut() {
            Some(last) if last.0 == segment => last.1 = len,
            _ => self.segments.push((segment, len)),
        }
        Ok(())
    }

    fn erase(&mut self, segment: u32) -> nb::Result<(), Fault> {
        self.ask(Request::Erase(segment), &[])?;
        self.segments.retain(|(serial, _)| *serial != segment);
        Ok(())
    }

    fn sync(&mut self) -> nb::Result<(), Fault> {
        self.ask(Request::Sync, &[])
    }
}

const _: () = assert!(SMALLEST as usize >= 2 * BLOCK && BLOCK.is_multiple_of(WORD as usize));

#[cfg(test)]
mod figures;
#[cfg(test)]
mod tests;
