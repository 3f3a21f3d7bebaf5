//! What is on a disk after a power cut? All that was flushed; of what was written since, any sectors; of a write to flash that was under way, its
//! beginning.
//!
//! The disk is in this process's memory, and the emulator reaches it over a socket: so what is lost is decided here, and by a seed. A file would keep
//! whatever an emulator that is killed had passed to its kernel.

use std::io;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::nbd;

/// A power cut tears no sector of a disk.
const SECTOR: usize = 512;

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
    connections: usize,
    traffic: Traffic,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Power {
    On,
    /// On until something is written, after so many writes that are still done.
    Failing {
        after: usize,
    },
    Off(Instant),
}

/// What was done to a disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    pub writes: u64,
    pub flushes: u64,
    /// Sectors written and not flushed at a cut, and those of them that were lost. Flash has none.
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
            connections: 0,
            traffic: Traffic::default(),
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

    /// Cuts the power: in the middle of the write that comes after so many others, if it comes within `wait`, else when that has passed. Returns when
    /// that was; nothing that is written later is there afterwards. The emulator is still to be killed.
    #[must_use]
    pub fn cut(&self, after: usize, wait: Duration) -> Instant {
        let mut state = self.0.lock();
        state.power = Power::Failing { after };
        let is_on = |state: &mut State| !matches!(state.power, Power::Off(_));
        let waited = self.0.changed.wait_timeout_while(state, wait, is_on);
        let (mut state, _) = waited.expect("no thread of the disk panics");
        match state.power {
            Power::Off(at) => at,
            Power::On | Power::Failing { .. } => {
                let now = Instant::now();
                state.power = Power::Off(now);
                now
            }
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
        state.pending.push((at, bytes));
        state.traffic.writes += 1;
        if let Power::Failing { after } = &mut state.power {
            if *after == 0 {
                state.power = Power::Off(Instant::now());
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
                    for (number, sector) in bytes.chunks(SECTOR).enumerate() {
                        self.traffic.unflushed += 1;
                        if rng.f64() < share {
                            let at = at + number * SECTOR;
                            self.lasting[at..at + sector.len()].copy_from_slice(sector);
                        } else {
                            self.traffic.lost += 1;
                        }
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
        let disk = Disk::new(kind, vec![0; 8 * SECTOR], &folder.path().join("disk"));
        (disk.unwrap(), folder)
    }

    #[test]
    fn a_cut_takes_sectors_that_were_not_flushed_and_no_others() {
        let (mut kept, mut lost) = (0, 0);
        for seed in 0..100 {
            let (disk, _folder) = disk(Kind::Cached);
            disk.write(0, vec![1; 2 * SECTOR]).unwrap();
            disk.flush().unwrap();
            disk.write(SECTOR, vec![2; 4 * SECTOR]).unwrap();
            assert_eq!(disk.read(SECTOR, 1), Some(vec![2]));
            let _ = disk.cut(0, Duration::ZERO);
            assert_eq!(disk.read(0, 1), None);
            assert_eq!(disk.flush(), None);
            disk.restore(&mut Rng::with_seed(seed));
            let content = disk.content();
            assert_eq!(disk.read(0, content.len()), Some(content.clone()));
            assert_eq!(content[..SECTOR], [1; SECTOR]);
            for (number, sector) in content[SECTOR..5 * SECTOR].chunks(SECTOR).enumerate() {
                let before = [u8::from(number == 0); SECTOR];
                assert!(sector == before || sector == [2; SECTOR]);
                *(if sector == before {
                    &mut lost
                } else {
                    &mut kept
                }) += 1;
            }
        }
        assert!(kept > 100 && lost > 100, "{kept} kept, {lost} lost");
    }

    #[test]
    fn flash_keeps_what_was_written_and_the_beginning_of_what_was_under_way() {
        for seed in 0..100 {
            let (disk, _folder) = disk(Kind::Flash);
            disk.write(0, vec![1; SECTOR]).unwrap();
            let other = disk.clone();
            let writer =
                thread::spawn(move || while other.write(SECTOR, vec![2; SECTOR]).is_some() {});
            let at = disk.cut(3, Duration::from_secs(60));
            writer.join().unwrap();
            assert!(at <= Instant::now());
            disk.restore(&mut Rng::with_seed(seed));
            assert_eq!(disk.content()[..SECTOR], [1; SECTOR]);
            assert_eq!(disk.traffic().torn, 1);
        }
    }
}
