//! The log of samples on storage that may answer anything.

use core::hint::black_box;

use embedded_nal::nb;
use mqtt_client_core::sample::{Quality, Sample};
use mqtt_client_core::spool::{BLOCK, Buffers, Fault, Log, NAMES, Numbered, Storage};
use mqtt_client_core::time::Instant;

use crate::outside::{mine, unknown};
use crate::sink::show;

/// Storage that may answer anything.
pub struct Disk;

/// Memory of a log.
pub struct Memory {
    blocks: [[u8; BLOCK]; 2],
    window: [u8; BLOCK],
    places: [u32; NAMES],
    names: [u32; NAMES],
}

impl Memory {
    pub const fn new() -> Self {
        Memory {
            blocks: [[0; BLOCK]; 2],
            window: [0; BLOCK],
            places: [0; NAMES],
            names: [0; NAMES],
        }
    }

    pub fn buffers(&mut self) -> Buffers<'_> {
        Buffers {
            blocks: unknown(&mut self.blocks),
            window: &mut self.window,
            places: &mut self.places,
            names: &mut self.names,
        }
    }
}

fn answer<T>(value: T) -> nb::Result<T, Fault> {
    match black_box(1_u8) {
        0 => Ok(value),
        1 => Err(nb::Error::WouldBlock),
        _ => Err(nb::Error::Other(black_box(Fault::Missing))),
    }
}

impl Storage for Disk {
    fn segment_len(&self) -> u32 {
        black_box(0)
    }

    fn has_room(&mut self) -> bool {
        black_box(true)
    }

    fn next_segment(&mut self, after: Option<u32>) -> nb::Result<Option<u32>, Fault> {
        mine!(mine_next_segment);
        black_box(after);
        answer(black_box(Some(0)))
    }

    fn read(&mut self, segment: u32, at: u32, out: &mut [u8]) -> nb::Result<usize, Fault> {
        mine!(mine_read_storage);
        black_box((segment, at, out));
        answer(black_box(0))
    }

    fn append(&mut self, segment: u32, at: u32, bytes: &[u8]) -> nb::Result<(), Fault> {
        mine!(mine_append_storage);
        black_box((segment, at, bytes));
        answer(())
    }

    fn erase(&mut self, segment: u32) -> nb::Result<(), Fault> {
        mine!(mine_erase);
        black_box(segment);
        answer(())
    }

    fn sync(&mut self) -> nb::Result<(), Fault> {
        mine!(mine_sync);
        answer(())
    }
}

/// Does everything with a log, in any order.
pub fn run() {
    let mut memory = Memory::new();
    let mut log = Log::new(memory.buffers());
    for _ in 0..black_box(9) {
        match black_box(0_u8) {
            0 => {
                let Some(sample) = Sample::of_text(black_box(b"1,1"), black_box(Quality::Bad))
                else {
                    return;
                };
                black_box(log.push(&Numbered {
                    number: black_box(0),
                    signal: black_box(0),
                    name: black_box(b""),
                    second: black_box(0),
                    sample,
                }));
            }
            1 => log.flush(),
            2 => log.done(black_box(0)),
            3 => log.pass(black_box(0)),
            4 => {
                black_box(log.turn_to_late());
            }
            5 => log.take(),
            6 => {
                let next = log.next_sample(&mut |name| {
                    mine!(mine_find);
                    black_box(name);
                    black_box(None)
                });
                black_box(next);
            }
            _ => {
                black_box(log.poll(Instant::from_millis(black_box(0)), &mut Disk));
                while let Some(event) = log.poll_event() {
                    black_box(event);
                }
            }
        }
        black_box((log.is_opening(), log.is_open(), log.is_flushing()));
        black_box((
            log.end(),
            log.next_number(),
            log.synced(),
            log.done_number(),
        ));
    }
    show(format_args!("{}", black_box(Fault::Missing)));
}
