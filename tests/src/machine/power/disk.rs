//! What is on a disk after a power cut? All that was flushed; of what was written since, any pages; of a write to flash that was under way, its
//! beginning.
//!
//! The disk is in this process's memory, and the emulator reaches it over a socket: so what is lost is decided here, and by a seed. A file would keep
//! whatever an emulator that is killed had passed to its kernel.

use std::fmt;
use std::io;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::nbd;
use crate::process::Lines;

/// A power cut tears no page of a disk, which is as much as a card or an SSD of today writes at once. (With pages of 512 bytes, Linux 6.1 does not
/// mount an ext4 whose last entry of the journal is torn.)
const PAGE: usize = 4096;

/// Flash is programmed by words of 32 bits.
const WORD: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A disk or card that has written something for certain only once it was told to flush.
    Cached,
    /// NOR flash: each word is there when its write is over. One that is erased or written to at the cut is so up to some word.
    Flash,
}

/// A disk that outlives its gateway's lives. Clones are the same disk.
#[derive(Clone)]
pub struct Disk(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Something changed that somebody may wait for.
    changed: Condvar,
}

struct State {
    kind: Kind,
    power: Power,
    /// What a read finds.
    now: Vec<u8>,
    /// What is there whatever happens.
    lasting: Vec<u8>,
    /// What was written since, in order, with its place.
    pending: Vec<(usize, Vec<u8>)>,
    /// What its emulator writes to its console.
    console: Lines,
    connections: usize,
    traffic: Traffic,
    /// What was done since the power came, and when; for whoever looks into a failure.
    trace: Vec<(Instant, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Power {
    On,
    /// On until something is written, after so many writes that are still done.
    Failing {
        after: usize,
    },
    Off(usize),
}

/// What was done to a disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    pub writes: u64,
    pub flushes: u64,
    /// Pages, or parts of them, written and not flushed at a cut, and those of them that were lost. Flash has none.
    pub unflushed: u64,
    pub lost: u64,
    /// Cuts during a write.
    pub torn: u64,
}

impl Disk {
    /// A disk with this content, for emulators that connect to the socket `path`.
    ///
    /// # Errors
    ///
    /// If there cannot be such a socket.
    pub fn new(kind: Kind, content: Vec<u8>, path: &Path) -> io::Result<Self> {
        let listener = UnixListener::bind(path)?;
        let state = State {
            kind,
            power: Power::On,
            now: content.clone(),
            lasting: content,
            pending: Vec::new(),
            console: Lines::default(),
            connections: 0,
            traffic: Traffic::default(),
            trace: Vec::new(),
        };
        let disk = Self(Arc::new(Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
        }));
        let weak = Arc::downgrade(&disk.0);
        // It ends with the process, or at the first connection after the disk is gone.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let Some(shared) = weak.upgrade() else { return };
                shared.lock().connections += 1;
                thread::spawn(move || {
                    // An emulator that is killed says no goodbye.
                    let _ = nbd::serve(&stream, &Disk(Arc::clone(&shared)));
                    shared.lock().connections -= 1;
                    shared.changed.notify_all();
                });
            }
        });
        Ok(disk)
    }

    /// Tells it which emulator it is in.
    pub fn plug_into(&self, console: &Lines) {
        self.0.lock().console = console.clone();
    }

    /// Cuts the power: in the middle of the write that comes after so many others, if it comes within `wait`, else when that has passed. Nothing that
    /// is written later is there afterwards. Returns how many lines the console had then; the emulator is still to be killed.
    #[must_use]
    pub fn cut(&self, after: usize, wait: Duration) -> usize {
        let mut state = self.0.lock();
        state.power = Power::Failing { after };
        let is_on = |state: &mut State| !matches!(state.power, Power::Off(_));
        let waited = self.0.changed.wait_timeout_while(state, wait, is_on);
        let (mut state, _) = waited.expect("no thread of the disk panics");
        match state.power {
            Power::Off(lines) => lines,
            Power::On | Power::Failing { .. } => state.switch_off(),
        }
    }

    /// Switches the power on again, after the emulator's end. What was written and not flushed is there, or not, by the throw of a dice.
    pub fn restore(&self, rng: &mut Rng) {
        let state = self.0.lock();
        // What a dead emulator asked for last must not be done now.
        let mut state = self
            .0
            .changed
            .wait_while(state, |state| state.connections > 0)
            .expect("no thread of the disk panics");
        state.settle(rng);
        state.power = Power::On;
    }

    /// What is there whatever happens.
    #[must_use]
    pub fn content(&self) -> Vec<u8> {
        self.0.lock().lasting.clone()
    }

    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.0.lock().traffic
    }

    /// What was done since the power came or this was asked last, and when.
    #[must_use]
    pub fn take_trace(&self) -> Vec<(Instant, String)> {
        std::mem::take(&mut self.0.lock().trace)
    }

    /// In bytes.
    pub(super) fn size(&self) -> usize {
        self.0.lock().now.len()
    }

    /// What is there, or `None` without power, or beyond its end.
    pub(super) fn read(&self, at: usize, length: usize) -> Option<Vec<u8>> {
        let state = self.0.lock();
        let is_on = !matches!(state.power, Power::Off(_));
        let bytes = state.now.get(at..at.checked_add(length)?)?;
        is_on.then(|| bytes.to_vec())
    }

    /// Writes, or returns `None` without power, or beyond its end.
    pub(super) fn write(&self, at: usize, bytes: Vec<u8>) -> Option<()> {
        let mut state = self.0.lock();
        if matches!(state.power, Power::Off(_)) {
            return None;
        }
        let end = at.checked_add(bytes.len())?;
        state.now.get_mut(at..end)?.copy_from_slice(&bytes);
        state.trace(format_args!("{at:#x}..{end:#x}"));
        state.pending.push((at, bytes));
        state.traffic.writes += 1;
        if let Power::Failing { after } = &mut state.power {
            if *after == 0 {
                state.switch_off();
                state.traffic.torn += 1;
                self.0.changed.notify_all();
                return None;
            }
            *after -= 1;
        }
        if state.kind == Kind::Flash {
            state.flush();
        }
        Some(())
    }

    /// Makes what was written last, or returns `None` without power.
    pub(super) fn flush(&self) -> Option<()> {
        let mut state = self.0.lock();
        if matches!(state.power, Power::Off(_)) {
            return None;
        }
        state.traffic.flushes += 1;
        state.trace(format_args!("flush"));
        state.flush();
        Some(())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread of the disk panics")
    }
}

impl State {
    fn trace(&mut self, what: fmt::Arguments<'_>) {
        self.trace.push((Instant::now(), what.to_string()));
    }

    fn switch_off(&mut self) -> usize {
        let lines = self.console.mark();
        self.power = Power::Off(lines);
        lines
    }

    fn flush(&mut self) {
        for (at, bytes) in self.pending.drain(..) {
            self.lasting[at..at + bytes.len()].copy_from_slice(&bytes);
        }
    }

    /// Decides what a power cut has left of what was not flushed.
    fn settle(&mut self, rng: &mut Rng) {
        // Nothing, all, or some of it.
        let share = [0.0, 1.0, rng.f64(), rng.f64()][rng.usize(..4)];
        for (at, bytes) in self.pending.drain(..) {
            match self.kind {
                Kind::Cached => {
                    let (mut at, mut rest) = (at, &bytes[..]);
                    while !rest.is_empty() {
                        let (page, others) = rest.split_at(rest.len().min(PAGE - at % PAGE));
                        self.traffic.unflushed += 1;
                        if rng.f64() < share {
                            self.lasting[at..at + page.len()].copy_from_slice(page);
                        } else {
                            self.traffic.lost += 1;
                        }
                        (at, rest) = (at + page.len(), others);
                    }
                }
                Kind::Flash => {
                    let end = rng.usize(..=bytes.len() / WORD) * WORD;
                    self.lasting[at..at + end].copy_from_slice(&bytes[..end]);
                }
            }
        }
        self.now.copy_from_slice(&self.lasting);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(kind: Kind) -> (Disk, tempfile::TempDir) {
        let folder = tempfile::TempDir::new().unwrap();
        let disk = Disk::new(kind, vec![0; 8 * PAGE], &folder.path().join("disk"));
        (disk.unwrap(), folder)
    }

    #[test]
    fn a_cut_takes_pages_that_were_not_flushed_and_no_others() {
        let (mut kept, mut lost) = (0, 0);
        for seed in 0..100 {
            let (disk, _folder) = disk(Kind::Cached);
            disk.write(0, vec![1; 2 * PAGE]).unwrap();
            disk.flush().unwrap();
            disk.write(PAGE, vec![2; 4 * PAGE]).unwrap();
            assert_eq!(disk.read(PAGE, 1), Some(vec![2]));
            let _ = disk.cut(0, Duration::ZERO);
            assert_eq!(disk.read(0, 1), None);
            assert_eq!(disk.flush(), None);
            disk.restore(&mut Rng::with_seed(seed));
            let content = disk.content();
            assert_eq!(disk.read(0, content.len()), Some(content.clone()));
            assert_eq!(content[..PAGE], [1; PAGE]);
            for (number, page) in content[PAGE..5 * PAGE].chunks(PAGE).enumerate() {
                let before = [u8::from(number == 0); PAGE];
                assert!(page == before || page == [2; PAGE]);
                *(if page == before { &mut lost } else { &mut kept }) += 1;
            }
        }
        assert!(kept > 100 && lost > 100, "{kept} kept, {lost} lost");
    }

    #[test]
    fn flash_keeps_what_was_written_and_the_beginning_of_what_was_under_way() {
        for seed in 0..100 {
            let (disk, _folder) = disk(Kind::Flash);
            disk.write(0, vec![1; PAGE]).unwrap();
            let other = disk.clone();
            let writer = thread::spawn(move || while other.write(PAGE, vec![2; PAGE]).is_some() {});
            let _ = disk.cut(3, Duration::from_secs(60));
            writer.join().unwrap();
            disk.restore(&mut Rng::with_seed(seed));
            assert_eq!(disk.content()[..PAGE], [1; PAGE]);
            assert_eq!(disk.traffic().torn, 1);
        }
    }
}
