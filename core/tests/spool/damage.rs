//! Storage is damaged: the log always starts, gives what is whole, in order, and tells how much is not.

use std::collections::BTreeSet;

use mqtt_client_core::spool::Event;

use crate::disk::{Disk, Kind};
use crate::rig::{Book, Memory, Process};

const SAMPLES: u64 = 5_000;

/// Storage with so many samples on it that nobody has taken.
fn full(kind: Kind) -> Disk {
    let disk = Disk::new(kind, 16 * 1024, 1000, 11);
    let (mut book, mut memory) = (Book::default(), Memory::new());
    let mut process = Process::start(&mut memory, &disk);
    process.settle(&mut book);
    for number in 0..SAMPLES {
        while !process.push(&mut book) {
            process.poll(&mut book);
        }
        if number % 700 == 699 {
            process.flush();
            process.settle(&mut book);
        }
    }
    process.flush();
    process.settle(&mut book);
    disk.forget_process();
    disk
}

/// What a process reads, how many it says are lost, and whether the end is torn.
fn read(disk: &Disk, accepted: u64) -> (Vec<u64>, u64, bool) {
    let book = &mut Book {
        accepted,
        ..Book::default()
    };
    let mut memory = Memory::new();
    let mut process = Process::start(&mut memory, disk);
    process.settle(book);
    process.take_all(book);
    // It can be written to, and what is written then is read.
    let before = process.seen.len();
    for _ in 0..10 {
        assert!(process.push(book));
    }
    process.flush();
    process.settle(book);
    process.take_all(book);
    assert_eq!(process.seen.len(), before + 10, "{:?}", process.events);
    disk.forget_process();
    let mut seen = process.seen.clone();
    seen.truncate(before);
    let is_torn = matches!(process.events[0], Event::Opened { is_torn: true, .. });
    (seen, process.told_lost(), is_torn)
}

#[test]
fn a_bit_that_flips_costs_one_block_and_is_told() {
    for kind in [Kind::Files, Kind::Flash] {
        let original = full(kind);
        for place in 0..60 {
            let disk = original.copy(place as u64);
            let segments = disk.segments();
            let segment = segments[disk.random(segments.len() as u64) as usize];
            disk.damage(segment, |bytes| {
                let len = bytes.iter().rposition(|byte| *byte != 0xff).unwrap_or(0);
                bytes[(place * 7919) % (len + 1)] ^= 1 << (place % 8);
            });
            let (seen, lost, is_torn) = read(&disk, SAMPLES);
            let missing = SAMPLES - seen.len() as u64;
            // Who cannot tell damage from a torn end has lost nothing that was promised.
            assert!(lost == missing || is_torn && lost == 0, "place {place}");
            assert!(missing < 500, "{missing} of one block");
        }
    }
}

#[test]
fn a_segment_that_is_gone_or_nonsense_costs_what_it_held() {
    let original = full(Kind::Files);
    for what in 0..5 {
        let disk = original.copy(what);
        let segments = disk.segments();
        assert!(segments.len() > 3);
        let segment = segments[1];
        match what {
            0 => disk.remove(segment),
            1 => disk.put(segment, Vec::new()),
            2 => disk.damage(segment, |bytes| bytes.fill(0)),
            3 => disk.damage(segment, |bytes| bytes.fill(0xff)),
            _ => disk.damage(segment, |bytes| bytes.rotate_left(1)),
        }
        let (seen, lost, _) = read(&disk, SAMPLES);
        assert_eq!(seen.len() as u64 + lost, SAMPLES);
        assert!(lost > 500);
    }
}

#[test]
fn anything_may_lie_there() {
    let original = full(Kind::Files);
    for seed in 0..300 {
        let disk = match seed % 3 {
            0 => original.copy(seed * 77 + 5),
            _ => Disk::new(Kind::Files, 16 * 1024, 1000, seed * 77 + 5),
        };
        for _ in 0..disk.random(6) {
            let segment = disk.random(12) as u32;
            let len = disk.random(20_000) as usize;
            let fill = [0x00, 0xff, 0x6d, 0x42][disk.random(4) as usize];
            let mut bytes = vec![fill; len];
            for _ in 0..disk.random(2_000) {
                if len > 0 {
                    bytes[disk.random(len as u64) as usize] = disk.random(256) as u8;
                }
            }
            disk.put(segment, bytes);
        }
        let (seen, ..) = read(&disk, SAMPLES);
        let all: BTreeSet<_> = seen.iter().collect();
        assert_eq!(all.len(), seen.len());
    }
}
