//! What does a spool hold? `mqtt-client --spool`, for the engineer at a gateway that came back: read as the bridge would read it, and nothing is written,
//! locked or removed, so that a daemon that runs goes on. What it writes meanwhile may look torn.

use std::ffi::CString;
use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use embedded_nal::nb;
use mqtt_client_core::log::Legible;
use mqtt_client_core::spool::{BLOCK, Buffers, Event, Fault, Log, NAMES, Storage};
use mqtt_client_core::time::Instant;

use super::folder::{Folder, Segments};
use crate::date::Moment;

/// Prints what lies in this folder: that of all spools, or that of one device. Whether it all could be read.
///
/// # Errors
/// Nothing of a spool is there.
pub fn print(path: &Path) -> Result<bool, String> {
    let folders = folders(path).map_err(|error| error.to_string())?;
    if folders.is_empty() {
        return Err("no spool is in it".into());
    }
    let mut is_whole = true;
    for folder in folders {
        let name = folder.display().to_string();
        let name = Legible(&name);
        let mut output = io::stdout().lock();
        let held = hold(&folder);
        is_whole &= held.is_ok();
        // Whoever closed standard output does not want to know.
        let _ = match held {
            Ok(held) => held.write(&name, &mut output),
            Err(fault) => writeln!(output, "{name}: cannot be read: {fault}"),
        };
    }
    Ok(is_whole)
}

/// The folders with segments: this one, or those in it, in their order.
fn folders(path: &Path) -> io::Result<Vec<PathBuf>> {
    let has_segments = |path: &Path| {
        let look = look_into(path).and_then(|folder| folder.segments(None));
        // What is there and cannot be read is to be told of.
        look.map_or_else(|fault| fault != Fault::Missing, |found| !found.is_empty())
    };
    let mut inner = Vec::<PathBuf>::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() && has_segments(&path) {
            let place = inner.partition_point(|other| other.as_os_str() < path.as_os_str());
            inner.insert(place, path);
        }
    }
    if has_segments(path) {
        inner.insert(0, path.into());
    }
    Ok(inner)
}

fn look_into(path: &Path) -> Result<Folder, Fault> {
    // No path has a NUL.
    Folder::look_into(&CString::new(path.as_os_str().as_bytes()).unwrap_or_default())
}

/// What one spool holds.
#[derive(Default)]
struct Held {
    segments: usize,
    bytes: u64,
    signals: Vec<Signal>,
    /// Places in `signals`, by name.
    by_name: Vec<usize>,
    damaged_blocks: u32,
    /// Samples that were in them, or in segments that are not there, as far as that is known.
    lost: u64,
    is_torn: bool,
}

struct Signal {
    name: Vec<u8>,
    samples: u64,
    /// When they were accepted, in seconds since 1970.
    oldest: u64,
    newest: u64,
}

/// Reads it from the oldest sample that is not known to be delivered.
fn hold(path: &Path) -> Result<Held, Fault> {
    let mut storage = Look::new(path)?;
    let (mut blocks, mut window) = ([[0; BLOCK]; 2], [0; BLOCK]);
    let (mut places, mut names) = ([0; NAMES], [0; NAMES]);
    let mut log = Log::new(Buffers {
        blocks: &mut blocks,
        window: &mut window,
        places: &mut places,
        names: &mut names,
    });
    let mut held = Held {
        segments: storage.segments.len(),
        bytes: storage
            .segments
            .iter()
            .map(|(_, len)| u64::from(*len))
            .sum(),
        ..Held::default()
    };
    while log.is_opening() || log.next_number() < log.end() {
        let _ = log.poll(Instant::default(), &mut storage);
        if let Some(fault) = log.fault() {
            return Err(fault);
        }
        while let Some(next) = log.next_sample(&mut |name| held.number_of(name)) {
            if let Some(signal) = next.signal {
                held.count(signal, next.second);
            }
            log.take();
        }
        while let Some(event) = log.poll_event() {
            match event {
                Event::Opened { is_torn, .. } => held.is_torn = is_torn,
                Event::Lost(samples) => held.lost += samples,
                Event::Closed(_) | Event::Dropped(_) => {}
            }
        }
    }
    held.damaged_blocks = log.damaged_blocks();
    Ok(held)
}

impl Held {
    fn number_of(&mut self, name: &[u8]) -> Option<u32> {
        let signals = &self.signals;
        let place = self
            .by_name
            .binary_search_by(|place| signals[*place].name.as_slice().cmp(name));
        let number = match place {
            Ok(place) => self.by_name[place],
            Err(place) => {
                self.by_name.insert(place, self.signals.len());
                self.signals.push(Signal {
                    name: name.to_vec(),
                    samples: 0,
                    oldest: u64::MAX,
                    newest: 0,
                });
                self.signals.len() - 1
            }
        };
        u32::try_from(number).ok()
    }

    fn count(&mut self, signal: u32, second: u64) {
        if let Some(signal) = self.signals.get_mut(signal as usize) {
            signal.samples += 1;
            signal.oldest = signal.oldest.min(second);
            signal.newest = signal.newest.max(second);
        }
    }

    fn write(&self, name: &dyn std::fmt::Display, output: &mut impl Write) -> io::Result<()> {
        let samples: u64 = self.signals.iter().map(|signal| signal.samples).sum();
        writeln!(
            output,
            "{name}: samples {samples} segments {} bytes {} damaged blocks {} lost samples {}",
            self.segments, self.bytes, self.damaged_blocks, self.lost
        )?;
        if self.is_torn {
            writeln!(output, "  the end is torn, and will be passed over")?;
        }
        for place in &self.by_name {
            let signal = &self.signals[*place];
            if signal.samples > 0 {
                let name = String::from_utf8_lossy(&signal.name);
                writeln!(
                    output,
                    "  {}: {} samples, {} to {}",
                    Legible(&name),
                    signal.samples,
                    Moment(signal.oldest),
                    Moment(signal.newest)
                )?;
            }
        }
        Ok(())
    }
}

/// Storage that is looked at, and never changed: a segment that is freed is out of sight only.
struct Look {
    folder: Folder,
    segments: Segments,
}

impl Look {
    fn new(path: &Path) -> Result<Self, Fault> {
        let folder = look_into(path)?;
        let segments = folder.segments(None)?;
        Ok(Look { folder, segments })
    }
}

impl Storage for Look {
    fn segment_len(&self) -> u32 {
        u32::MAX
    }

    fn has_room(&mut self) -> bool {
        false
    }

    fn next_segment(&mut self, after: Option<u32>) -> nb::Result<Option<u32>, Fault> {
        let is_later = |serial: u32| after.is_none_or(|after| serial > after);
        let mut serials = self.segments.iter().map(|(serial, _)| *serial);
        Ok(serials.find(|serial| is_later(*serial)))
    }

    fn read(&mut self, segment: u32, at: u32, out: &mut [u8]) -> nb::Result<usize, Fault> {
        self.folder.read(segment, at, out).map_err(nb::Error::Other)
    }

    fn append(&mut self, _: u32, _: u32, _: &[u8]) -> nb::Result<(), Fault> {
        Err(nb::Error::Other(Fault::ReadOnly))
    }

    fn erase(&mut self, segment: u32) -> nb::Result<(), Fault> {
        self.segments.retain(|(serial, _)| *serial != segment);
        Ok(())
    }

    fn sync(&mut self) -> nb::Result<(), Fault> {
        Err(nb::Error::Other(Fault::ReadOnly))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::os::unix::fs::{FileExt, symlink};

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::super::tests::{Place, fill, with_log};
    use super::*;

    fn shown(path: &Path) -> String {
        let mut text = Vec::new();
        let held = hold(path).expect("a spool");
        held.write(&"cloud", &mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    /// All files of a folder, with what is in them.
    fn contents(path: &Path) -> Vec<(PathBuf, Vec<u8>)> {
        let files = fs::read_dir(path).unwrap().map(|file| file.unwrap().path());
        let mut files: Vec<_> = files
            .filter(|path| path.is_file())
            .map(|path| (path.clone(), fs::read(path).unwrap()))
            .collect();
        files.sort();
        files
    }

    #[test]
    fn what_waits_is_shown_and_nothing_is_changed_also_while_a_bridge_uses_it() {
        let place = Place::new("list");
        let folder = place.folder();
        fill(&folder, 0..10_000);
        let before = contents(&folder);
        let text = shown(&folder);
        let bytes: usize = before.iter().map(|(_, bytes)| bytes.len()).sum();
        let expected = format!(
            "cloud: samples 10000 segments {} bytes {bytes} damaged blocks 0 lost samples 0\n  p: 10000 samples, 1970-01-01T00:00:01Z to 1970-01-01T00:00:01Z\n",
            before.len()
        );
        assert_eq!(text, expected);
        with_log(&folder, |log, settle| {
            assert_eq!(shown(&folder), expected);
            while log.next_number() < log.end() {
                if log.next_sample(&mut |_| Some(0)).is_some() {
                    log.take();
                } else {
                    settle(log);
                }
            }
            log.done(log.end() - 3);
            log.flush();
            settle(log);
        });
        assert!(shown(&folder).starts_with("cloud: samples 3 segments "));
        assert_eq!(folders(&place.0).unwrap(), folders(&folder).unwrap());
        assert_eq!(folders(&folder).unwrap(), [folder]);
    }

    #[test]
    fn damage_is_counted() {
        let place = Place::new("list-damage");
        let folder = place.folder();
        fill(&folder, 0..10_000);
        let (path, _) = contents(&folder).swap_remove(0);
        let file = OpenOptions::new().write(true).open(path).unwrap();
        file.write_all_at(b"!", 100).unwrap();
        let text = shown(&folder);
        let (_, lost) = text
            .split_once("damaged blocks 1 lost samples ")
            .expect(&text);
        let lost: u64 = lost.lines().next().unwrap().parse().unwrap();
        assert!((100..2000).contains(&lost), "{text}");
        let start = format!("cloud: samples {} segments ", 10_000 - lost);
        assert!(text.starts_with(&start), "{text}");
    }

    #[test]
    fn whatever_lies_in_the_folder_is_passed_over() {
        let place = Place::new("list-odd");
        let folder = place.folder();
        fill(&folder, 0..100);
        let expected = shown(&folder);
        let path = |name: &str| folder.join(name);
        fs::write(path("ffffffff.spool"), [0xff; 5000]).unwrap();
        fs::write(path("00000000.spool.bak"), "").unwrap();
        fs::write(path("0000000G.spool"), "").unwrap();
        fs::create_dir(path("00000010.spool")).unwrap();
        symlink("/dev/zero", path("00000011.spool")).unwrap();
        mknodat(CWD, path("00000012.spool"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        let text = shown(&folder);
        let last = |text: &str| text.lines().last().map(String::from);
        assert_eq!(last(&text), last(&expected), "{text}");
        assert!(folders(Path::new("/nowhere")).is_err());
        assert_eq!(
            folders(&path("00000010.spool")).unwrap(),
            [""; 0].map(PathBuf::from)
        );
    }
}
