//! The power is cut, at every change that a life makes to its storage: nothing that was promised is missing, nothing that was noted as done comes
//! again, and the next process always starts and goes on.

use crate::disk::{Disk, Kind};
use crate::rig::{Book, Memory, Process, check_survivors};

/// A life of so many steps, or until the power is cut.
fn live(disk: &Disk, book: &mut Book, steps: u64, patience: u64) {
    disk.be_slow(patience);
    let mut memory = Memory::new();
    let mut process = Process::start(&mut memory, disk);
    for _ in 0..steps {
        if disk.is_cut() {
            break;
        }
        match disk.random(10) {
            0..4 => {
                for _ in 0..disk.random(300) {
                    if !process.push(book) {
                        break;
                    }
                }
            }
            4 => process.flush(),
            5..7 => {
                for _ in 0..disk.random(400) {
                    process.take();
                }
            }
            7 => {
                let count = disk.random(300) as usize;
                process.finish(count, book);
            }
            _ => {}
        }
        process.poll(book);
    }
    assert_eq!(process.told_lost(), 0, "{:?}", process.events);
    disk.be_slow(1);
    disk.forget_process();
}

fn cut_everywhere(kind: Kind, seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let lives = |cut: Option<u32>| {
            println!("seed {seed}, cut {cut:?}");
            let disk = Disk::new(kind, 16 * 1024, 1000, seed * 7919 + 1);
            let mut book = Book::default();
            live(&disk, &mut book, 40, 1 + seed % 3);
            let before = disk.written().1;
            if let Some(cut) = cut {
                disk.cut_in(cut);
            }
            live(&disk, &mut book, 60, 1 + seed % 3);
            let changes = disk.written().1 - before;
            disk.cut();
            check_survivors(&disk, &mut book);
            // It goes on as if nothing had happened.
            live(&disk, &mut book, 20, 1);
            disk.cut();
            check_survivors(&disk, &mut book);
            changes as u32
        };
        let changes = lives(None);
        for cut in 0..changes {
            lives(Some(cut));
        }
    }
}

#[test]
fn files_that_lose_and_tear_what_was_not_synced() {
    cut_everywhere(Kind::Files, 0..3);
}

#[test]
fn flash_that_tears_at_a_word() {
    cut_everywhere(Kind::Flash, 0..3);
}
