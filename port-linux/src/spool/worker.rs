//! The thread of one spool: it does one request after the other, and wakes the event loop with each answer. It ends when nobody asks any more.
//!
//! Requests and answers lie on a desk between the two. One buffer goes to and fro with them, and is freed with the end of each flush.

use std::ffi::{CStr, CString};
use std::mem::take;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use mqtt_client_core::spool::Fault;

use super::folder::{Folder, Segments};
use crate::poller::Poller;
use crate::thread::start;

/// Stack of the thread, bytes. It calls nothing but the system.
const STACK_SIZE: usize = 64 * 1024;

/// What the thread is to do.
#[derive(Clone, Copy)]
pub enum Request {
    /// Which segments are there? From the beginning: whatever was open is closed.
    Open,
    /// So many bytes of this segment from here on.
    Read {
        segment: u32,
        at: u32,
        len: usize,
    },
    /// The bytes on the desk, to this segment, from here on.
    Append {
        segment: u32,
        at: u32,
    },
    Erase(u32),
    Sync,
}

/// What it says.
pub struct Answer {
    pub result: Result<(), Fault>,
    /// Bytes that are free on the file system.
    pub free: u64,
}

/// Where the one asks, and the other answers.
#[derive(Default)]
pub struct Desk {
    papers: Mutex<Papers>,
    has_request: Condvar,
}

#[derive(Default)]
pub struct Papers {
    request: Option<Request>,
    answer: Option<Answer>,
    /// To be written, or that were read.
    pub bytes: Vec<u8>,
    /// What [`Request::Open`] has found.
    pub segments: Segments,
    is_closed: bool,
}

impl Desk {
    /// A desk with a thread behind it, for the spool of this device in this folder.
    pub fn open(path: &str, alias: &str, poller: Arc<Poller>) -> Arc<Desk> {
        let desk = Arc::new(Desk::default());
        let its_desk = desk.clone();
        // A path with a NUL is nowhere.
        let [path, alias] = [path, alias].map(|name| CString::new(name).unwrap_or_default());
        // Without a thread no request has an answer: the log gives the storage up.
        let _ = start(
            STACK_SIZE,
            Box::new(move || its_desk.serve(&path, &alias, &poller)),
        );
        desk
    }

    /// Asks for something; a request that has no answer yet is given up.
    pub fn ask(&self, request: Request, bytes: &[u8]) {
        let mut papers = self.papers();
        papers.request = Some(request);
        papers.answer = None;
        papers.bytes.clear();
        papers.bytes.extend_from_slice(bytes);
        self.has_request.notify_one();
    }

    /// The answer, once it is there.
    pub fn answer(&self) -> Option<Answer> {
        self.papers().answer.take()
    }

    /// Nobody asks any more.
    pub fn close(&self) {
        self.papers().is_closed = true;
        self.has_request.notify_one();
    }

    pub fn papers(&self) -> MutexGuard<'_, Papers> {
        self.papers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, path: &CStr, alias: &CStr, poller: &Poller) {
        let mut folder = None;
        let mut papers = self.papers();
        while !papers.is_closed {
            let Some(request) = papers.request.take() else {
                let waited = self.has_request.wait(papers);
                papers = waited.unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let mut bytes = take(&mut papers.bytes);
            // Nobody waits for the desk while a card is slow.
            drop(papers);
            let mut segments = Segments::new();
            let result = carry_out(
                (path, alias),
                &mut folder,
                request,
                &mut bytes,
                &mut segments,
            );
            if result.is_err() {
                folder = None;
            }
            let free = folder.as_ref().map_or(0, Folder::free);
            papers = self.papers();
            // Where another request lies by now, this one was given up.
            if papers.request.is_none() {
                papers.bytes = bytes;
                papers.segments = segments;
                papers.answer = Some(Answer { result, free });
                poller.notify();
            }
        }
    }
}

fn carry_out(
    (path, alias): (&CStr, &CStr),
    folder: &mut Option<Folder>,
    request: Request,
    bytes: &mut Vec<u8>,
    segments: &mut Segments,
) -> Result<(), Fault> {
    if let Request::Open = request {
        // The lock is let go of first.
        *folder = None;
        let opened = folder.insert(Folder::open(path, alias)?);
        *segments = opened.segments(Some(alias))?;
        opened.sync_newest(segments);
        return Ok(());
    }
    let folder = folder.as_mut().ok_or(Fault::Missing)?;
    match request {
        Request::Open => Ok(()),
        Request::Read { segment, at, len } => {
            bytes.resize(len, 0);
            let len = folder.read(segment, at, bytes)?;
            bytes.truncate(len);
            Ok(())
        }
        Request::Append { segment, at } => folder.append(segment, at, bytes),
        Request::Erase(segment) => folder.erase(segment),
        Request::Sync => {
            *bytes = Vec::new();
            folder.sync()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::time::Instant;

    use super::super::tests::Place;
    use super::*;
    use crate::poller::Events;
    use crate::testing::LIMIT;

    #[test]
    fn the_answer_to_a_request_that_was_given_up_is_not_taken_for_anothers() {
        let place = Place::new("given-up");
        fs::create_dir(place.folder()).unwrap();
        // A hole, which takes a while to read.
        let file = File::create(place.folder().join("00000003.spool")).unwrap();
        file.set_len(64 << 20).unwrap();
        let poller = Arc::new(Poller::new().unwrap());
        let desk = Desk::open(place.0.to_str().unwrap(), "cloud", poller.clone());
        let answer = || {
            let begun = Instant::now();
            loop {
                if let Some(answer) = desk.answer() {
                    assert_eq!(answer.result, Ok(()));
                    return take(&mut desk.papers().segments);
                }
                poller.wait(&mut Events::new(), Some(LIMIT)).unwrap();
                assert!(begun.elapsed() < LIMIT);
            }
        };
        desk.ask(Request::Open, &[]);
        let segments = answer();
        assert_eq!(segments, [(3, 64 << 20)]);
        let (segment, at, len) = (3, 0, 64 << 20);
        desk.ask(Request::Read { segment, at, len }, &[]);
        while desk.papers().request.is_some() {
            std::thread::yield_now();
        }
        desk.ask(Request::Open, &[]);
        assert_eq!(answer(), segments);
        desk.close();
    }
}
