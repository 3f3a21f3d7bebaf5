//! Do sectors go around, shared between devices, whatever becomes of them?

use mqtt_client_core::spool::{Event, Fault};

use crate::disk::{Disk, SECTOR, SECTORS, start};
use crate::nor::Nor;
use crate::rig::{Book, Memory, Process};

const ALL: u64 = SECTORS as u64;

/// Puts in so many samples, and has them written.
fn fill(process: &mut Process<'_>, book: &mut Book, samples: usize) {
    for _ in 0..samples {
        if !process.push(book) {
            process.poll(book);
            assert!(process.push(book), "there is room: {:?}", process.events);
        }
    }
    process.flush();
    process.settle(book);
}

/// What a program finds in this share.
fn found(disk: &Disk) -> (Vec<u64>, Vec<Event>) {
    let (mut memory, mut book) = (Memory::new(), Book::default());
    let mut process = Process::start(&mut memory, disk);
    process.settle(&mut book);
    process.take_all(&mut book);
    (process.seen, process.events)
}

#[test]
fn all_sectors_are_worn_alike() {
    let nor = Nor::new(SECTORS, 1);
    for _ in 0..15 {
        let disk = start(&nor, &["cloud"], ALL).remove(0);
        let (mut memory, mut book) = (Memory::new(), Book::default());
        let mut process = Process::start(&mut memory, &disk);
        for _ in 0..6 {
            fill(&mut process, &mut book, 500);
            process.take_all(&mut book);
            process.finish(usize::MAX, &mut book);
        }
        process.flush();
        process.settle(&mut book);
    }
    let erases = nor.erases();
    let (least, most) = (erases.iter().min(), erases.iter().max());
    let (least, most) = (*least.expect("some"), *most.expect("some"));
    assert!(least > 3 && most - least <= 3, "{erases:?}");
}

#[test]
fn a_full_share_drops_its_oldest_segment_and_leaves_the_other_devices_alone() {
    let nor = Nor::new(SECTORS, 1);
    let disks = start(&nor, &["cloud", "scada"], ALL / 2);
    let (mut memories, mut books) = (
        [Memory::new(), Memory::new()],
        [Book::default(), Book::default()],
    );
    let [first, second] = &mut memories;
    let mut cloud = Process::start(first, &disks[0]);
    let mut scada = Process::start(second, &disks[1]);
    let [book, other] = &mut books;
    fill(&mut scada, other, 1000);
    fill(&mut cloud, book, 10_000);
    assert_eq!(disks[0].segments().len(), SECTORS / 2);
    let dropped = cloud.told_lost();
    assert!((1..10_000).contains(&dropped), "{dropped}");
    assert_eq!(scada.told_lost(), 0);

    let disks = start(&nor, &["cloud", "scada"], ALL / 2);
    let (seen, _) = found(&disks[0]);
    assert_eq!(seen, Vec::from_iter(dropped..10_000));
    let (seen, _) = found(&disks[1]);
    assert_eq!(seen, Vec::from_iter(0..1000));
}

#[test]
fn what_waits_outlives_other_sizes_and_other_devices_in_the_table() {
    let nor = Nor::new(SECTORS, 1);
    let disk = start(&nor, &["cloud"], ALL).remove(0);
    let (mut memory, mut book) = (Memory::new(), Book::default());
    let mut process = Process::start(&mut memory, &disk);
    fill(&mut process, &mut book, 2000);
    for (aliases, sectors) in [
        (&["scada", "cloud"][..], 3),
        (&["cloud", "scada"], 4),
        // It is not in the table for a time, and its room is not needed.
        (&["scada"], 4),
        (&["cloud"], ALL),
    ] {
        let disks = start(&nor, aliases, sectors);
        for (alias, disk) in aliases.iter().zip(disks) {
            let (seen, events) = found(&disk);
            let expected = if *alias == "cloud" { 2000 } else { 0 };
            assert_eq!(seen, Vec::from_iter(0..expected), "{aliases:?} {events:?}");
        }
    }
}

#[test]
fn what_a_device_has_left_that_is_gone_makes_room() {
    let nor = Nor::new(SECTORS, 1);
    let disk = start(&nor, &["old"], ALL).remove(0);
    let (mut memory, mut book) = (Memory::new(), Book::default());
    fill(&mut Process::start(&mut memory, &disk), &mut book, 10_000);
    assert_eq!(disk.segments().len(), SECTORS);

    let disk = start(&nor, &["new"], ALL).remove(0);
    let (mut memory, mut book) = (Memory::new(), Book::default());
    let mut process = Process::start(&mut memory, &disk);
    fill(&mut process, &mut book, 1000);
    assert_eq!(process.told_lost(), 0);
    let (seen, _) = found(&start(&nor, &["new"], ALL).remove(0));
    assert_eq!(seen, Vec::from_iter(0..1000));
}

#[test]
fn a_sector_that_is_worn_out_is_noticed_and_passed_over() {
    let nor = Nor::new(SECTORS, 1);
    nor.wear_out(Some(0));
    let disk = start(&nor, &["cloud"], ALL).remove(0);
    let (mut memory, mut book) = (Memory::new(), Book::default());
    let mut process = Process::start(&mut memory, &disk);
    process.settle(&mut book);
    while book.accepted < 200 {
        assert!(process.push(&mut book));
    }
    process.flush();
    process.settle(&mut book);
    let told = Event::Closed(Fault::Failing(4));
    assert_eq!(process.events.last(), Some(&told), "{:?}", process.events);
    // Five seconds later it looks again.
    process.now += 5000;
    process.settle(&mut book);
    process.flush();
    process.settle(&mut book);
    assert_eq!(book.synced.len(), 200, "{:?}", process.events);
    let (seen, _) = found(&start(&nor, &["cloud"], ALL).remove(0));
    assert_eq!(seen, Vec::from_iter(0..200));
}

#[test]
fn bits_that_flip_cost_no_more_than_the_blocks_and_segments_that_they_are_in() {
    let (mut seen_whole, mut seen_less) = (0, 0);
    for seed in 0..100 {
        println!("seed {seed}");
        let nor = Nor::new(SECTORS, seed);
        let disk = start(&nor, &["cloud"], ALL).remove(0);
        let (mut memory, mut book) = (Memory::new(), Book::default());
        let mut process = Process::start(&mut memory, &disk);
        fill(&mut process, &mut book, 3000);
        let place = nor.flip_a_bit().expect("something was written");
        let (seen, events) = found(&start(&nor, &["cloud"], ALL).remove(0));
        let missing = 3000 - seen.len();
        // The rig has looked at each sample, and at the order. A flip in a word that says whose a sector is costs the sector.
        let most = if place % SECTOR < 32 { 2000 } else { 600 };
        assert!(missing <= most, "{missing} are missing: {events:?}");
        seen_whole += u32::from(missing == 0);
        seen_less += u32::from(missing > 0);
    }
    assert!(seen_whole > 0 && seen_less > 0, "{seen_whole} {seen_less}");
}
