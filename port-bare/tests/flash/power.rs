//! What is left when the power is cut? At any word that a life writes, and at any erase: nothing that was promised is missing, nothing that was
//! noted as done comes again, no word is written twice, and the next program always starts and goes on.

use crate::disk::{Disk, SECTORS, start};
use crate::nor::Nor;
use crate::rig::{Book, Memory, Process, check_survivors};

/// A life of so many steps with up to so many samples each, or until the power is cut. With room for all that waits, so that nothing is dropped.
fn live(disk: &Disk, book: &mut Book, steps: u64, samples: u64) {
    let nor = &disk.nor;
    let mut memory = Memory::new();
    let mut process = Process::start(&mut memory, disk);
    let mut waiting = 0;
    for _ in 0..steps {
        if disk.is_cut() {
            break;
        }
        match nor.random(10) {
            0..4 if waiting < 1500 => {
                for _ in 0..nor.random(samples) {
                    waiting += u64::from(process.push(book));
                }
            }
            4 => process.flush(),
            5..7 => {
                for _ in 0..nor.random(2 * samples) {
                    process.take();
                }
            }
            7..9 => {
                let count = nor.random(2 * samples).min(process.taken.len() as u64);
                process.finish(count as usize, book);
                waiting = waiting.saturating_sub(count);
            }
            _ => {}
        }
        process.poll(book);
    }
    assert_eq!(process.told_lost(), 0, "{:?}", process.events);
}

/// Two lives, the second of which is cut off at this change, if at any; how many changes it made, and how often each sector was erased.
fn lives(seed: u64, cut: Option<u32>, steps: u64, samples: u64) -> (u32, Vec<u32>) {
    println!("seed {seed}, cut {cut:?}");
    let nor = Nor::new(SECTORS, seed);
    let disk = start(&nor, &["cloud"], SECTORS as u64).remove(0);
    let mut book = Book::default();
    live(&disk, &mut book, steps, samples);
    let disk = disk.restart();
    let before = nor.changes();
    if let Some(cut) = cut {
        nor.cut_in(cut);
    }
    live(&disk, &mut book, steps, samples);
    let changes = nor.changes() - before;
    let disk = disk.restart();
    check_survivors(&disk, &mut book);
    // It goes on as if nothing had happened.
    let disk = disk.restart();
    live(&disk, &mut book, 10, samples);
    check_survivors(&disk.restart(), &mut book);
    (changes, nor.erases())
}

#[test]
fn at_every_word_and_every_erase() {
    for seed in 0..2 {
        let (changes, _) = lives(seed, None, 20, 60);
        assert!(changes > 100, "{changes}");
        for cut in 0..changes {
            lives(seed, Some(cut), 20, 60);
        }
    }
}

#[test]
fn at_any_word_and_any_erase_of_lives_that_go_around_the_region_many_times() {
    for seed in 100..103 {
        let (changes, erases) = lives(seed, None, 300, 600);
        assert!(
            erases.iter().all(|count| *count > 2),
            "{changes} {erases:?}"
        );
        for step in 1..4 {
            lives(seed, Some(changes / 8 * step + seed as u32), 300, 600);
        }
    }
}
