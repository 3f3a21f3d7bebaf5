//! How many bytes does a sample take on storage, and how many are written for it? The figures of docs/architecture.md.

use std::time::Instant as Clock;

use mqtt_client_core::sample::{Quality, Sample};
use mqtt_client_core::spool::{Log, Numbered};
use mqtt_client_core::time::Instant;

use crate::disk::{Disk, Kind};
use crate::rig::{Memory, find};

const NAMES: [&str; 10] = ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9"];

/// Puts this many samples of ten signals in, in turn, so many in a second, and flushes every ten seconds.
fn put_in(log: &mut Log<'_>, disk: &mut Disk, value: &str, per_second: u64, count: u64) {
    let mut flushed = 0;
    for number in 0..count {
        let millis = number * 1000 / per_second;
        let text = format!("{value},{}", 1_708_000_203_824 + millis);
        let signal = (number % 10) as u32;
        let sample = Numbered {
            number: log.end(),
            signal,
            name: NAMES[signal as usize].as_bytes(),
            second: 1_708_000_203 + millis / 1000,
            sample: Sample::of_text(text.as_bytes(), Quality::Good).expect("a comma"),
        };
        if !log.push(&sample) {
            let _ = log.poll(Instant::default(), disk);
            assert!(log.push(&sample));
        }
        if millis / 10_000 > flushed {
            flushed = millis / 10_000;
            log.flush();
            let _ = log.poll(Instant::default(), disk);
        }
    }
    log.flush();
    let _ = log.poll(Instant::default(), disk);
}

#[test]
fn a_sample_takes_as_few_bytes_as_the_documents_say() {
    for (value, per_second, tenths) in [
        ("12.5", 10, 55),
        ("12.5", 100, 42),
        ("5.9589999999999996", 10, 113),
        ("5.9589999999999996", 100, 104),
        ("nan", 100, 73),
    ] {
        let mut memory = Memory::new();
        let mut log = memory.log();
        let mut disk = Disk::new(Kind::Files, 256 * 1024, 1000, 1);
        let _ = log.poll(Instant::default(), &mut disk);
        let count = 100_000;
        put_in(&mut log, &mut disk, value, per_second, count);
        let (written, lying) = (disk.written().0, disk.used() as u64);
        let told = |bytes: u64| (bytes * 10).div_ceil(count);
        println!("{value} at {per_second}/s: {written} bytes written, {lying} lie there");
        assert_eq!(
            (told(written), told(lying)),
            (tenths, tenths),
            "{value} at {per_second}/s"
        );
    }
}

/// `cargo test --release -p mqtt-client-core --test spool speed -- --ignored --nocapture`
#[test]
#[ignore = "a measurement, in the release profile"]
fn speed() {
    let count = 2_000_000;
    for value in ["12.5", "5.9589999999999996"] {
        let mut memory = Memory::new();
        let mut log = memory.log();
        let mut disk = Disk::new(Kind::Files, 1024 * 1024, 1000, 1);
        let _ = log.poll(Instant::default(), &mut disk);
        let begun = Clock::now();
        put_in(&mut log, &mut disk, value, 1000, count);
        let seconds = begun.elapsed().as_secs_f64();
        println!("{value}: {:.0} samples/s in", count as f64 / seconds);
        disk.forget_process();
        let mut memory = Memory::new();
        let mut log = memory.log();
        let begun = Clock::now();
        let _ = log.poll(Instant::default(), &mut disk);
        let opened = begun.elapsed();
        let mut read = 0;
        while read < count {
            if log.next_sample(&mut find).is_some() {
                log.take();
                read += 1;
            } else {
                let _ = log.poll(Instant::default(), &mut disk);
            }
        }
        let seconds = begun.elapsed().as_secs_f64();
        println!(
            "{value}: opened in {opened:?}, {:.0} samples/s out, with samples made and models copied",
            count as f64 / seconds
        );
    }
}
