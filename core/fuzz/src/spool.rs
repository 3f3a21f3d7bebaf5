//! What lies on a spool's storage, and what is asked of its log.
//!
//! - Whatever lies there, the log opens, and reading it comes to an end.
//! - What it gives are samples, in an order in which none comes twice.
//! - What is put in afterwards is given back, byte for byte, after all else, by the same process and by the next one.

use arbitrary::Arbitrary;
use crc::{CRC_32_ISCSI, Crc};
use mqtt_client_core::sample::{MAX_TEXT, Quality, Sample};
use mqtt_client_core::spool::Numbered;
use mqtt_client_core::time::Instant;

use crate::disk::{Disk, Kind};
use crate::rig::Memory;

/// Storage, and what is put in afterwards.
#[derive(Arbitrary, Debug)]
pub struct Case {
    segments: Vec<(u8, Vec<Piece>)>,
    samples: Vec<Value>,
}

/// What lies in a segment, one behind the other.
#[derive(Arbitrary, Debug)]
enum Piece {
    Bytes(Vec<u8>),
    Zeros(u16),
    /// A word with a checksum that holds.
    Head {
        is_segment: bool,
        len: u16,
        count: u16,
        first: u16,
        done: u16,
    },
    /// A block whose checksums hold.
    Block {
        count: u8,
        first: u16,
        done: u16,
        entries: Vec<u8>,
    },
}

#[derive(Arbitrary, Debug)]
struct Value {
    signal: u16,
    second: u8,
    number: i32,
    digits: u8,
    timestamp: u64,
}

const CHECKSUM: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

const SEGMENT_LEN: usize = 16 * 1024;

/// Checks one case.
pub fn check(case: &Case) {
    let disk = Disk::new(Kind::Files, SEGMENT_LEN, 1000, 1);
    for (segment, pieces) in &case.segments {
        let mut bytes = Vec::new();
        for piece in pieces {
            piece.write(&mut bytes);
        }
        bytes.truncate(SEGMENT_LEN);
        disk.put((*segment).into(), bytes);
    }
    let texts: Vec<_> = case.samples.iter().take(2000).map(Value::text).collect();
    let mut expected = read(&disk, &[]);
    let again = read(&disk, &texts);
    expected.extend(texts.iter().cloned());
    assert_eq!(again, expected, "the same, and then what was put in");
    let kept = read(&disk, &[]);
    assert!(kept.ends_with(&texts), "the next process has it too");
}

/// What is read, before and after these are put in and written.
fn read(disk: &Disk, texts: &[String]) -> Vec<String> {
    let mut memory = Memory::new();
    let mut log = memory.log();
    let mut disk = disk.clone();
    let mut read = Vec::new();
    let mut new = texts.iter();
    let mut is_flushed = false;
    loop {
        let _ = log.poll(Instant::default(), &mut disk);
        while log.poll_event().is_some() {}
        let mut find = |name: &[u8]| Some(u32::from(*name.first()?));
        if let Some(next) = log.next_sample(&mut find) {
            read.push(String::from_utf8_lossy(next.sample.text(&mut [0; MAX_TEXT])).into_owned());
            log.take();
            continue;
        }
        if log.next_number() < log.end() {
            continue;
        }
        // The book of the rig is not needed: the texts say it all.
        if let Some(text) = new.as_slice().first() {
            let signal = text.len() as u32 * 100;
            let is_in = log.push(&Numbered {
                number: log.end(),
                signal,
                name: b"name",
                second: text.len() as u64,
                sample: Sample::of_text(text.as_bytes(), Quality::Good).expect("a comma"),
            });
            if is_in {
                new.next();
            }
        } else if is_flushed {
            if !log.is_flushing() {
                break;
            }
        } else {
            log.flush();
            is_flushed = true;
        }
    }
    disk.forget_process();
    read
}

impl Value {
    fn text(&self) -> String {
        let Value {
            number,
            digits,
            timestamp,
            ..
        } = self;
        let value = match digits % 4 {
            0 => format!("{number}"),
            1 => format!(
                "{:.*}",
                usize::from(digits / 4 % 20),
                f64::from(*number) / 997.0
            ),
            2 => format!("{:e}", f64::from(*number)),
            _ => format!("{number:030}"),
        };
        let shift = u32::from(self.second) % 64;
        let zeros = if self.signal.is_multiple_of(50) {
            "0"
        } else {
            ""
        };
        format!("{value},{zeros}{}", timestamp >> shift)
    }
}

impl Piece {
    fn write(&self, bytes: &mut Vec<u8>) {
        match self {
            Piece::Bytes(more) => bytes.extend(more),
            Piece::Zeros(count) => bytes.resize(bytes.len() + usize::from(*count), 0),
            Piece::Head {
                is_segment,
                len,
                count,
                first,
                done,
            } => {
                bytes.resize(bytes.len().next_multiple_of(32), 0);
                let magic = if *is_segment { b"mqS1" } else { b"mqB1" };
                bytes.extend(head(magic, *len, *count, *first, *done, &[]));
            }
            Piece::Block {
                count,
                first,
                done,
                entries,
            } => {
                bytes.resize(bytes.len().next_multiple_of(32), 0);
                let (len, count) = (entries.len() as u16, (*count).into());
                bytes.extend(head(b"mqB1", len, count, *first, *done, entries));
                bytes.extend(entries);
                bytes.resize(bytes.len().next_multiple_of(32), 0);
            }
        }
    }
}

fn head(magic: &[u8; 4], len: u16, count: u16, first: u16, done: u16, entries: &[u8]) -> Vec<u8> {
    let mut head = magic.to_vec();
    head.extend(len.to_le_bytes());
    head.extend(count.to_le_bytes());
    head.extend(u64::from(first).to_le_bytes());
    head.extend(u64::from(done).to_le_bytes());
    head.extend(CHECKSUM.checksum(entries).to_le_bytes());
    head.extend(CHECKSUM.checksum(&head).to_le_bytes());
    head
}
