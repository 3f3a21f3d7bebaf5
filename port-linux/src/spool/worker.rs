//! The thread of one spool: it does one request after the other, and wakes the event loop with each answer. It ends when nobody asks any more.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::thread;

use mqtt_client_core::spool::Fault;

use super::folder::Folder;
use crate::poller::Poller;

/// What the thread is to do.
pub enum Request {
    /// Which segments are there? From the beginning: whatever was open is closed.
    Open,
    Read(u32, u32, usize),
    Append(u32, u32, Vec<u8>),
    Erase(u32),
    Sync,
}

/// What it says.
pub struct Answer {
    pub said: Result<Said, Fault>,
    /// Bytes that are free on the file system.
    pub free: u64,
}

pub enum Said {
    Done,
    /// The segments with their lengths.
    Segments(BTreeMap<u32, u64>),
    Bytes(Vec<u8>),
}

/// Starts the thread of the spool in this folder.
pub fn start(
    path: PathBuf,
    requests: Receiver<(u64, Request)>,
    answers: Sender<(u64, Answer)>,
    poller: Arc<Poller>,
) {
    let work = move || {
        let mut folder = None;
        for (number, request) in requests {
            let said = carry_out(&path, &mut folder, request);
            if said.is_err() {
                folder = None;
            }
            let free = folder.as_ref().map_or(0, Folder::free);
            if answers.send((number, Answer { said, free })).is_err() {
                return;
            }
            poller.notify();
        }
    };
    // Without a thread no request has an answer: the log gives the storage up.
    let _ = thread::Builder::new().name("spool".into()).spawn(work);
}

fn carry_out(
    path: &std::path::Path,
    folder: &mut Option<Folder>,
    request: Request,
) -> Result<Said, Fault> {
    if let Request::Open = request {
        // The lock is let go of first.
        *folder = None;
        let opened = Folder::open(path)?;
        let segments = opened.segments()?;
        *folder = Some(opened);
        return Ok(Said::Segments(segments));
    }
    let folder = folder.as_mut().ok_or(Fault::Missing)?;
    match request {
        Request::Open => {}
        Request::Read(segment, at, len) => return folder.read(segment, at, len).map(Said::Bytes),
        Request::Append(segment, at, bytes) => folder.append(segment, at, &bytes)?,
        Request::Erase(segment) => folder.erase(segment)?,
        Request::Sync => folder.sync()?,
    }
    Ok(Said::Done)
}
