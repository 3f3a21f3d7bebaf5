//! The spool's storage: a folder for each device, a file for each segment. A thread reads, writes and syncs, so that a card that is slow or hangs
//! delays nobody.
//!
//! | file | question |
//! |---|---|
//! | `folder` | how are the segments' files opened, so that they are ours and nobody else's? |
//! | `kept` | what goes on from one bridge to the next? |
//! | `worker` | what does the thread do, and who wakes whom? |

mod folder;
mod kept;
mod worker;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use embedded_nal::nb;
use mqtt_client_core::spool::{BLOCK, Fault, Storage, WORD};

use crate::poller::Poller;
pub use kept::{Kept, Spools};
use worker::{Answer, Request, Said, start};

/// Bytes on storage that do not count: the folder's own.
const NOT_COUNTED: u64 = 4096;

/// Segments have between so many bytes; in very large spools more, so that there are not too many files.
const SMALLEST: u64 = 16 * 1024;
const LARGEST: u64 = 1024 * 1024;
const MOST: u64 = 4096;

/// The storage of one device.
pub struct Files {
    requests: Sender<(u64, Request)>,
    answers: Receiver<(u64, Answer)>,
    /// The request that has no answer yet.
    asked: Option<u64>,
    count: u64,
    segment_len: u32,
    /// Bytes that all segments may have.
    most: u64,
    /// Each segment's bytes.
    segments: BTreeMap<u32, u64>,
    /// Bytes that are free on the file system.
    free: u64,
    is_listed: bool,
}

/// How long the segments of a spool of so many bytes are.
fn segment_len(spool_size: u64) -> u32 {
    let wished = (spool_size / 64).clamp(SMALLEST, LARGEST);
    let len = wished.max(spool_size / MOST);
    // At most 2^40 / 4096.
    (len / BLOCK as u64 * BLOCK as u64) as u32
}

/// The longest segments that so many bytes have room for eight of.
fn fitting(bytes: u64) -> u32 {
    let len = (bytes / 8).clamp(SMALLEST, u64::from(u32::MAX) / 2);
    (len / BLOCK as u64 * BLOCK as u64) as u32
}

impl Files {
    /// Storage in this folder, which is not looked at yet. The poller is woken when there is an answer.
    pub fn new(folder: PathBuf, spool_size: u64, poller: Arc<Poller>) -> Self {
        let (requests, from) = channel();
        let (to, answers) = channel();
        start(folder, from, to, poller);
        Files {
            requests,
            answers,
            asked: None,
            count: 0,
            segment_len: segment_len(spool_size),
            most: spool_size,
            segments: BTreeMap::new(),
            free: 0,
            is_listed: false,
        }
    }

    /// Asks the thread, or takes its answer.
    fn ask(&mut self, request: impl FnOnce() -> Request) -> nb::Result<Said, Fault> {
        let number = match self.asked {
            Some(number) => number,
            None => {
                self.count += 1;
                self.asked = Some(self.count);
                // The thread lives as long as this does.
                let _ = self.requests.send((self.count, request()));
                self.count
            }
        };
        while let Ok((answered, answer)) = self.answers.try_recv() {
            // Another one is that of a request that was given up.
            if answered == number {
                self.asked = None;
                self.free = answer.free;
                return answer.said.map_err(|fault| {
                    self.is_listed = false;
                    nb::Error::Other(fault)
                });
            }
        }
        Err(nb::Error::WouldBlock)
    }
}

impl Storage for Files {
    fn segment_len(&self) -> u32 {
        self.segment_len
    }

    fn has_room(&mut self) -> bool {
        let len = u64::from(self.segment_len);
        let used = self.segments.values().sum::<u64>();
        used + len <= self.most + NOT_COUNTED && self.free >= len + NOT_COUNTED
    }

    fn next_segment(&mut self, after: Option<u32>) -> nb::Result<Option<u32>, Fault> {
        let Some(after) = after else {
            if self.is_listed {
                self.is_listed = false;
                // What is under way has been given up.
                self.asked = None;
            }
            let said = self.ask(|| Request::Open)?;
            let Said::Segments(segments) = said else {
                return Err(nb::Error::WouldBlock);
            };
            self.segments = segments;
            self.is_listed = true;
            // On a small file system eight segments are to have room beside each other.
            let used = self.segments.values().sum::<u64>();
            self.segment_len = segment_len(self.most).min(fitting(self.free + used));
            return Ok(self.segments.keys().next().copied());
        };
        let mut later = self.segments.range(after.saturating_add(1)..);
        let next = later.next().map(|(serial, _)| *serial);
        Ok(next.filter(|next| *next > after))
    }

    fn read(&mut self, segment: u32, at: u32, out: &mut [u8]) -> nb::Result<usize, Fault> {
        let len = out.len();
        match self.ask(|| Request::Read(segment, at, len))? {
            Said::Bytes(bytes) => {
                let len = bytes.len().min(len);
                out[..len].copy_from_slice(&bytes[..len]);
                Ok(len)
            }
            _ => Ok(0),
        }
    }

    fn append(&mut self, segment: u32, at: u32, bytes: &[u8]) -> nb::Result<(), Fault> {
        self.ask(|| Request::Append(segment, at, bytes.to_vec()))?;
        let end = u64::from(at) + bytes.len() as u64;
        let len = self.segments.entry(segment).or_default();
        *len = end.max(*len);
        Ok(())
    }

    fn erase(&mut self, segment: u32) -> nb::Result<(), Fault> {
        self.ask(|| Request::Erase(segment))?;
        self.segments.remove(&segment);
        Ok(())
    }

    fn sync(&mut self) -> nb::Result<(), Fault> {
        self.ask(|| Request::Sync)?;
        Ok(())
    }
}

const _: () = assert!(SMALLEST as usize >= 2 * BLOCK && BLOCK.is_multiple_of(WORD as usize));

#[cfg(test)]
mod tests;
