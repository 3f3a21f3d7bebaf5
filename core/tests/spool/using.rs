//! How the log is used: what it writes and when, what it frees, and what becomes of a storage that comes and goes.

use mqtt_client_core::sample::{Quality, Sample};
use mqtt_client_core::spool::{Event, Fault, Log, Numbered};
use mqtt_client_core::time::Instant;

use crate::disk::{Disk, Kind};
use crate::rig::{Book, Memory, Process, check_survivors, find};

fn disk(most: usize) -> Disk {
    Disk::new(Kind::Files, 16 * 1024, most, 7)
}

#[test]
fn nothing_is_written_while_samples_are_done_with_in_time() {
    let (disk, mut book, mut memory) = (disk(8), Book::default(), Memory::new());
    let mut process = Process::start(&mut memory, &disk);
    process.settle(&mut book);
    for _ in 0..10_000 {
        assert!(process.push(&mut book));
        assert!(process.take().is_some());
        process.finish(1, &mut book);
        process.poll(&mut book);
    }
    process.flush();
    process.settle(&mut book);
    assert_eq!(disk.written(), (0, 0));
}

#[test]
fn what_is_flushed_survives_and_is_noted_once_it_is_done_with() {
    let (disk, mut book, mut memory) = (disk(8), Book::default(), Memory::new());
    let mut process = Process::start(&mut memory, &disk);
    process.settle(&mut book);
    for _ in 0..100 {
        assert!(process.push(&mut book));
    }
    process.flush();
    process.settle(&mut book);
    assert_eq!(book.synced.len(), 100);
    let written = disk.written();
    process.flush();
    process.settle(&mut book);
    assert_eq!(disk.written(), written, "there is nothing to be written");
    process.take_all(&mut book);
    process.finish(40, &mut book);
    process.flush();
    process.settle(&mut book);
    disk.cut();
    let mut memory = Memory::new();
    let mut process = Process::start(&mut memory, &disk);
    process.settle(&mut book);
    let opened = Event::Opened {
        waiting: 60,
        is_torn: false,
        is_again: false,
    };
    assert_eq!(process.events, [opened]);
    process.take_all(&mut book);
    assert_eq!(process.seen, (40..100).collect::<Vec<_>>());
}

#[test]
fn what_is_done_with_while_it_is_being_written_leaves_what_came_after_it_alone() {
    let (disk, mut book, mut memory) = (disk(8), Book::default(), Memory::new());
    let mut process = Process::start(&mut memory, &disk);
    process.settle(&mut book);
    // There is a segment.
    assert!(process.push(&mut book));
    process.flush();
    process.settle(&mut book);
    process.take_all(&mut book);
    for _ in 0..2 {
        assert!(process.push(&mut book));
    }
    // Nothing has an answer for now.
    disk.be_slow(u64::MAX);
    process.flush();
    process.poll(&mut book);
    process.take_all(&mut book);
    process.finish(3, &mut book);
    for _ in 0..50 {
        assert!(process.push(&mut book));
        process.poll(&mut book);
    }
    disk.be_slow(1);
    process.settle(&mut book);
    process.take_all(&mut book);
    assert_eq!(process.seen, (0..53).collect::<Vec<_>>());
    assert_eq!(process.told_lost(), 0);
}

#[test]
fn the_oldest_segment_goes_where_there_is_no_room_and_is_counted() {
    let (disk, mut book, mut memory) = (disk(4), Book::default(), Memory::new());
    let mut process = Process::start(&mut memory, &disk);
    process.settle(&mut book);
    for _ in 0..20_000 {
        while !process.push(&mut book) {
            process.poll(&mut book);
        }
        process.poll(&mut book);
    }
    process.flush();
    process.settle(&mut book);
    assert!(disk.used() <= 4 * 16 * 1024);
    process.take_all(&mut book);
    let lost = process.told_lost();
    assert_eq!(lost + process.seen.len() as u64, 20_000);
    assert_eq!(process.seen.first(), Some(&lost), "the oldest went");
    assert!(process.events.contains(&Event::Dropped(lost)) || lost > 0);
    process.finish(usize::MAX, &mut book);
    process.flush();
    process.settle(&mut book);
    assert_eq!(disk.segments().len(), 1, "all others are free");
}

#[test]
fn storage_that_fails_leaves_what_is_in_memory_and_comes_back() {
    for fault in [Fault::Missing, Fault::Full, Fault::Failing(5)] {
        let (disk, mut book, mut memory) = (disk(8), Book::default(), Memory::new());
        let mut process = Process::start(&mut memory, &disk);
        process.settle(&mut book);
        for _ in 0..100 {
            assert!(process.push(&mut book));
        }
        process.flush();
        process.settle(&mut book);
        for _ in 0..50 {
            assert!(process.push(&mut book));
        }
        disk.fail(Some(fault));
        process.flush();
        process.settle(&mut book);
        process.now += 60_000;
        process.poll(&mut book);
        assert_eq!(process.events[1..], [Event::Closed(fault)], "once");
        // What lies on storage has to wait; what is in memory has not.
        process.take_all(&mut book);
        assert_eq!(process.seen, (100..150).collect::<Vec<_>>());
        disk.fail(None);
        process.now += 5_000;
        process.poll(&mut book);
        assert!(process.log.has_late());
        process.finish(usize::MAX, &mut book);
        for _ in 0..10 {
            assert!(process.push(&mut book));
        }
        process.flush();
        process.settle(&mut book);
        // Once it is there, or can be written to.
        let opened = Event::Opened {
            waiting: 100,
            is_torn: false,
            is_again: true,
        };
        assert_eq!(process.events[2..], [opened], "once");
        process.take_all(&mut book);
        process.finish(usize::MAX, &mut book);
        assert!(process.log.turn_to_late().is_some());
        process.seen.clear();
        process.take_all(&mut book);
        assert_eq!(process.seen, (0..100).collect::<Vec<_>>(), "and no other");
        process.finish(usize::MAX, &mut book);
        for _ in 0..10 {
            assert!(process.push(&mut book));
        }
        process.take_all(&mut book);
        process.finish(5, &mut book);
        process.flush();
        process.settle(&mut book);
        disk.cut();
        check_survivors(&disk, &mut book);
    }
}

#[test]
fn storage_that_has_no_room_each_time_it_is_opened_is_told_of_once() {
    let (disk, mut book, mut memory) = (disk(0), Book::default(), Memory::new());
    let mut process = Process::start(&mut memory, &disk);
    for _ in 0..4 {
        process.settle(&mut book);
        assert!(process.push(&mut book));
        process.flush();
        process.settle(&mut book);
        process.now += 5_000;
    }
    let opened = Event::Opened {
        waiting: 0,
        is_torn: false,
        is_again: false,
    };
    assert_eq!(process.events, [opened, Event::Closed(Fault::Full)]);
}

#[test]
fn storage_that_can_be_written_to_again_is_told_of_where_nothing_waits() {
    for fault in [Fault::Full, Fault::ReadOnly, Fault::Failing(5)] {
        let (disk, mut book, mut memory) = (disk(8), Book::default(), Memory::new());
        let mut process = Process::start(&mut memory, &disk);
        process.settle(&mut book);
        assert!(process.push(&mut book));
        disk.fail(Some(fault));
        process.flush();
        process.settle(&mut book);
        process.take_all(&mut book);
        process.finish(usize::MAX, &mut book);
        disk.fail(None);
        process.now += 5_000;
        process.settle(&mut book);
        assert_eq!(process.events[1..], [Event::Closed(fault)], "not known yet");
        assert!(process.log.has_news());
        let before = disk.written().0;
        process.flush();
        process.settle(&mut book);
        let opened = Event::Opened {
            waiting: 0,
            is_torn: false,
            is_again: true,
        };
        assert_eq!(process.events[2..], [opened]);
        assert!(!process.log.has_news());
        let written = disk.written();
        assert_eq!(written.0, before + 32, "the head of a segment");
        process.flush();
        process.settle(&mut book);
        assert_eq!(disk.written(), written);
    }
}

#[test]
fn a_log_that_is_suspended_goes_on_where_it_was() {
    for patience in [1, 3] {
        let (disk, mut memory) = (disk(8), Memory::new());
        disk.be_slow(patience);
        let mut log = memory.log();
        let (mut put_in, mut taken) = (0_u64, Vec::new());
        for round in 0..400 {
            if round % 7 == 0 {
                let suspended = log.suspend();
                log = Log::resume(memory.buffers(), suspended);
            }
            let text = format!("{put_in},{put_in}");
            put_in += u64::from(log.push(&Numbered {
                number: log.end(),
                signal: round % 3,
                name: format!("s{}", round % 3).as_bytes(),
                second: 1,
                sample: Sample::of_text(text.as_bytes(), Quality::Good).expect("a comma"),
            }));
            if round % 50 == 49 {
                log.flush();
            }
            let _ = log.poll(Instant::default(), &mut disk.clone());
            if round > 200
                && let Some(next) = log.next_sample(&mut find)
            {
                let value = std::str::from_utf8(next.sample.value).expect("ASCII");
                taken.push(value.parse::<u64>().expect("a number"));
                log.take();
            }
        }
        assert!(taken.len() > 50, "{}", taken.len());
        assert_eq!(taken, (0..taken.len() as u64).collect::<Vec<_>>());
    }
}

#[test]
fn samples_that_come_before_the_storage_is_looked_at_come_after_what_is_there() {
    let (disk, mut book, mut memory) = (disk(8), Book::default(), Memory::new());
    let mut process = Process::start(&mut memory, &disk);
    for _ in 0..100 {
        assert!(process.push(&mut book));
    }
    process.settle(&mut book);
    process.flush();
    process.settle(&mut book);
    disk.forget_process();
    let mut memory = Memory::new();
    let mut process = Process::start(&mut memory, &disk);
    assert!(process.log.is_opening());
    for _ in 0..100 {
        assert!(process.push(&mut book));
    }
    process.settle(&mut book);
    process.take_all(&mut book);
    assert_eq!(process.seen, (0..200).collect::<Vec<_>>());
}

#[test]
fn what_was_taken_from_storage_does_not_come_again_when_the_storage_was_away() {
    let (disk, mut book, mut memory) = (disk(8), Book::default(), Memory::new());
    let mut process = Process::start(&mut memory, &disk);
    process.settle(&mut book);
    for _ in 0..100 {
        assert!(process.push(&mut book));
    }
    process.flush();
    process.settle(&mut book);
    process.take_all(&mut book);
    process.finish(100, &mut book);
    disk.fail(Some(Fault::Failing(5)));
    process.flush();
    process.settle(&mut book);
    process.now += 5_000;
    disk.fail(None);
    process.settle(&mut book);
    process.poll(&mut book);
    assert!(process.log.is_open() && !process.log.has_late());
    process.flush();
    process.settle(&mut book);
    disk.cut();
    check_survivors(&disk, &mut book);
}

#[test]
fn storage_that_is_missing_at_the_start_gives_what_it_has_once_it_is_there() {
    let (disk, mut book, mut memory) = (disk(8), Book::default(), Memory::new());
    let mut process = Process::start(&mut memory, &disk);
    process.settle(&mut book);
    for _ in 0..100 {
        assert!(process.push(&mut book));
    }
    process.flush();
    process.settle(&mut book);
    disk.forget_process();
    disk.fail(Some(Fault::Missing));
    let mut memory = Memory::new();
    let mut process = Process::start(&mut memory, &disk);
    process.settle(&mut book);
    assert!(!process.log.is_opening());
    process.now += 5_000;
    disk.fail(None);
    process.settle(&mut book);
    process.poll(&mut book);
    // Who uses the log has gone on without it.
    process.log.pass(process.log.end());
    assert!(process.log.turn_to_late().is_some());
    process.take_all(&mut book);
    assert_eq!(process.seen, (0..100).collect::<Vec<_>>());
}
