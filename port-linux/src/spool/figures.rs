//! How fast is a spool over real files, and how much of it is read at the start? Measurements, in the release profile:
//!
//! ```text
//! cargo test --release -p mqtt-client --bin mqtt-client spool::figures -- --ignored --nocapture --test-threads=1
//! ```
//!
//! `TMPDIR` chooses the disk. What is printed stands in `docs/spool.md`.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant as Clock};

use mqtt_client_core::sample::{Quality, Sample};
use mqtt_client_core::spool::{BLOCK, Buffers, Event, Log, NAMES, Numbered};
use mqtt_client_core::time::Instant;
use rustix::fs::{Advice, FlockOperation, fadvise, flock};

use super::kept::BLOCKS;
use super::tests::Place;
use super::{Files, Poller};
use crate::poller::Events;
use crate::testing::LIMIT;

const SIGNALS: [&str; 10] = ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9"];

/// The shortest values that are usual, and the longest.
const VALUES: [&str; 2] = ["12.5", "5.9589999999999996"];

const MIB: u64 = 1 << 20;

/// A spool as the daemon has it, and the end that waits for its thread.
struct Rig {
    files: Files,
    poller: Arc<Poller>,
}

impl Rig {
    /// Once the thread of one before has let go of the folder.
    fn new(place: &Place, spool_size: u64) -> Rig {
        if let Ok(folder) = File::open(place.folder()) {
            flock(&folder, FlockOperation::LockExclusive).unwrap();
        }
        let poller = Arc::new(Poller::new().unwrap());
        let path = place.0.to_str().unwrap();
        let mut files = Files::new(path, "cloud", poller.clone());
        files.resize(spool_size);
        Rig { files, poller }
    }

    /// Does with a log what `script` says.
    fn with_log<T>(&mut self, script: impl FnOnce(&mut Log<'_>, &mut Rig) -> T) -> T {
        let (mut blocks, mut window) = (vec![[0; BLOCK]; BLOCKS], [0; BLOCK]);
        let (mut places, mut names) = ([0; NAMES], [0; NAMES]);
        let mut log = Log::new(Buffers {
            blocks: &mut blocks,
            window: &mut window,
            places: &mut places,
            names: &mut names,
        });
        script(&mut log, self)
    }

    fn poll(&mut self, log: &mut Log<'_>) {
        let _ = log.poll(Instant::default(), &mut self.files);
    }

    /// Waits for one answer, if one is to come.
    fn wait(&mut self, log: &mut Log<'_>) {
        self.poll(log);
        if log.is_waiting() {
            self.poller.wait(&mut Events::new(), Some(LIMIT)).unwrap();
            self.poll(log);
        }
    }

    /// Waits until it is known what is on storage; how many samples.
    fn open(&mut self, log: &mut Log<'_>) -> u64 {
        loop {
            self.wait(log);
            match log.poll_event() {
                Some(Event::Opened { waiting, .. }) => return waiting,
                Some(event) => panic!("{event:?}"),
                None => {}
            }
        }
    }

    /// Puts samples in, in turn from all signals, 1,000 of one second of their time, with a sync in each second of the clock's; how many.
    fn put_in(
        &mut self,
        log: &mut Log<'_>,
        value: &str,
        is_enough: impl Fn(u64, u64) -> bool,
    ) -> u64 {
        let (mut count, mut bytes) = (0_u64, 0);
        let mut flushed = Clock::now();
        let mut text = String::new();
        while !is_enough(count, bytes) {
            text.clear();
            std::fmt::Write::write_fmt(
                &mut text,
                format_args!("{value},{}", 1_708_000_203_824 + count),
            )
            .unwrap();
            let signal = (count % 10) as usize;
            let sample = Numbered {
                number: log.end(),
                signal: signal as u32,
                name: SIGNALS[signal].as_bytes(),
                second: 1_708_000_203 + count / 1000,
                sample: Sample::of_text(text.as_bytes(), Quality::Good).unwrap(),
            };
            while !log.push(&sample) {
                self.wait(log);
            }
            count += 1;
            if count.is_multiple_of(1000) {
                self.poll(log);
                bytes = self.files.used();
                if flushed.elapsed() > Duration::from_secs(1) {
                    flushed = Clock::now();
                    log.flush();
                }
            }
        }
        log.flush();
        while log.is_flushing() {
            self.wait(log);
        }
        count
    }
}

/// What is read next comes from the disk, and not from memory.
fn forget(folder: &Path) {
    for file in fs::read_dir(folder).unwrap() {
        let file = File::open(file.unwrap().path()).unwrap();
        fadvise(&file, 0, None, Advice::DontNeed).unwrap();
    }
}

/// Bytes that this process has read from files, and from its own notifications.
fn bytes_read() -> u64 {
    let text = fs::read_to_string("/proc/self/io").unwrap();
    let read = text.lines().find_map(|line| line.strip_prefix("rchar: "));
    read.unwrap().parse().unwrap()
}

#[test]
#[ignore = "a measurement, in the release profile"]
fn speed() {
    let count = 3_000_000;
    for value in VALUES {
        let place = Place::new("speed");
        let mut rig = Rig::new(&place, 1024 * MIB);
        let begun = Clock::now();
        let bytes = rig.with_log(|log, rig| {
            rig.open(log);
            rig.put_in(log, value, |put_in, _| put_in == count);
            rig.files.used()
        });
        let seconds = begun.elapsed().as_secs_f64();
        let a_second = count as f64 / seconds;
        let a_sample = bytes as f64 / count as f64;
        println!("{value}: {a_second:.0} samples/s in, synced; {a_sample:.2} bytes a sample");
        drop(rig);
        forget(&place.folder());
        let mut rig = Rig::new(&place, 1024 * MIB);
        let begun = Clock::now();
        rig.with_log(|log, rig| {
            assert_eq!(rig.open(log), count);
            let mut taken = 0;
            while taken < count {
                let find = &mut |name: &[u8]| name.get(1).map(|digit| u32::from(digit - b'0'));
                match log.next_sample(find) {
                    Some(next) => {
                        assert_eq!(next.sample.value, value.as_bytes());
                        log.take();
                        taken += 1;
                    }
                    None => rig.wait(log),
                }
            }
        });
        let a_second = count as f64 / begun.elapsed().as_secs_f64();
        println!("{value}: {a_second:.0} samples/s out");
    }
}

#[test]
#[ignore = "a measurement, in the release profile"]
fn recovery() {
    for size in [16 * MIB, 1024 * MIB] {
        let place = Place::new("recovery");
        let mut rig = Rig::new(&place, size);
        // All but the segment that is being written to.
        let full = size - size / 32;
        let count = rig.with_log(|log, rig| {
            rig.open(log);
            rig.put_in(log, VALUES[1], |_, bytes| bytes >= full)
        });
        drop(rig);
        forget(&place.folder());
        let files = fs::read_dir(place.folder()).unwrap().count();
        let (begun, before) = (Clock::now(), bytes_read());
        let mut rig = Rig::new(&place, size);
        let waiting = rig.with_log(|log, rig| rig.open(log));
        let (seconds, read) = (begun.elapsed().as_secs_f64(), bytes_read() - before);
        println!(
            "{} MiB, {count} samples in {files} files: open after {:.1} ms, {} KiB read",
            size / MIB,
            seconds * 1000.0,
            read / 1024
        );
        assert_eq!(waiting, count);
    }
}
