//! A log over a model of storage, process after process, beside a book of what it was given and has to give back.

use std::collections::BTreeSet;

use mqtt_client_core::sample::{MAX_TEXT, Quality, Sample};
use mqtt_client_core::spool::{BLOCK, Buffers, Event, Log, NAMES, Numbered};
use mqtt_client_core::time::Instant;

use crate::disk::Disk;

/// Memory of one process.
pub struct Memory {
    blocks: Vec<[u8; BLOCK]>,
    window: [u8; BLOCK],
    places: [u32; NAMES],
    names: [u32; NAMES],
}

impl Memory {
    pub fn new() -> Self {
        Memory {
            blocks: vec![[0; BLOCK]; 2],
            window: [0; BLOCK],
            places: [0; NAMES],
            names: [0; NAMES],
        }
    }

    pub fn log(&mut self) -> Log<'_> {
        Log::new(self.buffers())
    }

    pub fn buffers(&mut self) -> Buffers<'_> {
        Buffers {
            blocks: &mut self.blocks,
            window: &mut self.window,
            places: &mut self.places,
            names: &mut self.names,
        }
    }
}

/// What is known from outside, of all processes. Samples count up from 0.
#[derive(Default)]
pub struct Book {
    pub accepted: u64,
    /// Will survive a power cut, and are not done with.
    pub synced: BTreeSet<u64>,
    /// Done with, which storage says too.
    pub noted: u64,
    /// Done with.
    pub done: BTreeSet<u64>,
}

/// One process.
pub struct Process<'m> {
    pub log: Log<'m>,
    pub disk: Disk,
    pub now: u64,
    /// Sample of each number from the first on, of those that were put in here.
    first: u64,
    own: Vec<u64>,
    /// Taken and not done with, with their numbers.
    pub taken: Vec<(u64, u64)>,
    /// Taken here, ever.
    pub seen: Vec<u64>,
    pub events: Vec<Event>,
    /// Done with here, below this one.
    done_below: u64,
    flushing_up_to: Option<u64>,
}

/// The sample of this place in the book.
pub fn text(id: u64) -> String {
    let zero = if id.is_multiple_of(11) { "0" } else { "" };
    let value = match id % 7 {
        0 => format!("{}.5", id / 10),
        1 => "nan".into(),
        2 => format!("-0.{id:017}"),
        3 => "1.5e-7".into(),
        4 => format!("{id}"),
        5 => "5.9589999999999996".into(),
        _ => format!("{}{id}", "9".repeat((id % 100) as usize)),
    };
    format!("{value},{zero}{}", 1_708_000_000_000 + id)
}

pub fn quality(id: u64) -> Quality {
    if id.is_multiple_of(3) {
        Quality::Bad
    } else {
        Quality::Good
    }
}

pub fn signal(id: u64) -> u32 {
    [0, 1, 7, 511, 512, 1023, 70_000][(id % 7) as usize]
}

/// The names of signals are not their numbers.
pub fn find(name: &[u8]) -> Option<u32> {
    std::str::from_utf8(name)
        .ok()?
        .strip_prefix('s')?
        .parse()
        .ok()
}

impl<'m> Process<'m> {
    pub fn start(memory: &'m mut Memory, disk: &Disk) -> Self {
        let log = memory.log();
        Process {
            first: log.end(),
            log,
            disk: disk.clone(),
            now: 0,
            own: Vec::new(),
            taken: Vec::new(),
            seen: Vec::new(),
            events: Vec::new(),
            done_below: 0,
            flushing_up_to: None,
        }
    }

    pub fn poll(&mut self, book: &mut Book) {
        let _ = self
            .log
            .poll(Instant::from_millis(self.now), &mut self.disk);
        while let Some(event) = self.log.poll_event() {
            self.events.push(event);
        }
        for number in self.first..self.log.synced().min(self.first + self.own.len() as u64) {
            let id = self.own[(number - self.first) as usize];
            if !book.done.contains(&id) {
                book.synced.insert(id);
            }
        }
        if !self.log.is_flushing()
            && let Some(noted) = self.flushing_up_to.take()
        {
            book.noted = book.noted.max(noted);
        }
    }

    /// Until nothing more happens by itself.
    pub fn settle(&mut self, book: &mut Book) {
        for _ in 0..10_000 {
            self.poll(book);
            let is_waiting = self.log.is_opening() || self.log.is_flushing();
            if !is_waiting || self.disk.is_cut() {
                return;
            }
        }
        panic!("it never ends");
    }

    /// Puts in one more sample, if there is room.
    pub fn push(&mut self, book: &mut Book) -> bool {
        let (id, text) = (book.accepted, text(book.accepted));
        let name = format!("s{}", signal(id));
        let sample = Sample::of_text(text.as_bytes(), quality(id)).expect("a comma");
        let is_in = self.log.push(&Numbered {
            number: self.log.end(),
            signal: signal(id),
            name: name.as_bytes(),
            second: 1000 + id / 50,
            sample,
        });
        if is_in {
            self.own.push(id);
            book.accepted += 1;
        }
        is_in
    }

    /// Takes the next sample, if it is there: which one it is.
    pub fn take(&mut self) -> Option<u64> {
        let number = self.log.next_number();
        let next = self.log.next_sample(&mut find)?;
        let stamp = std::str::from_utf8(next.sample.timestamp).expect("digits");
        let id = stamp.parse::<u64>().expect("digits") - 1_708_000_000_000;
        let mut room = [0; MAX_TEXT];
        let read = String::from_utf8_lossy(next.sample.text(&mut room)).into_owned();
        assert_eq!(
            (read, next.sample.quality, next.signal, next.second),
            (text(id), quality(id), Some(signal(id)), 1000 + id / 50),
        );
        let number = number.max(self.log.next_number());
        self.log.take();
        assert!(
            self.seen.last().is_none_or(|last| *last < id),
            "{id} comes after {:?}",
            self.seen.last()
        );
        self.taken.push((number, id));
        self.seen.push(id);
        Some(id)
    }

    /// Takes all that there is.
    pub fn take_all(&mut self, book: &mut Book) {
        let mut idle = 0;
        while idle < 100 && !self.disk.is_cut() {
            match self.take() {
                Some(_) => idle = 0,
                None => {
                    self.poll(book);
                    idle += 1;
                }
            }
        }
    }

    /// The oldest so many of those that were taken are done with.
    pub fn finish(&mut self, count: usize, book: &mut Book) {
        for (number, id) in self.taken.drain(..count.min(self.taken.len())) {
            self.log.done(number + 1);
            book.done.insert(id);
            book.synced.remove(&id);
            self.done_below = id + 1;
        }
        if self.taken.is_empty() {
            // What was lost is done with too.
            self.log.done(self.log.next_number());
        }
    }

    pub fn flush(&mut self) {
        self.log.flush();
        if self.log.is_flushing() {
            self.flushing_up_to = Some(self.done_below);
        }
    }

    /// Samples that were lost or dropped, as told.
    pub fn told_lost(&self) -> u64 {
        let lost = self.events.iter().map(|event| match event {
            Event::Lost(count) | Event::Dropped(count) => *count,
            Event::Opened { .. } | Event::Closed(_) => 0,
        });
        lost.sum()
    }
}

/// A new process takes all that earlier ones left: nothing is missing, and nothing comes that is known to be done with.
pub fn check_survivors(disk: &Disk, book: &mut Book) {
    let mut memory = Memory::new();
    let mut process = Process::start(&mut memory, disk);
    process.settle(book);
    process.take_all(book);
    let seen: BTreeSet<u64> = process.seen.iter().copied().collect();
    let missing = book.synced.difference(&seen).next();
    assert_eq!(missing, None, "it is lost; {:?}", process.events);
    let again = seen.iter().find(|id| **id < book.noted);
    assert_eq!(
        again, None,
        "noted below {}; {:?}",
        book.noted, process.events
    );
    let foreign = seen.iter().find(|id| **id >= book.accepted);
    assert_eq!(foreign, None, "nobody has put that in");
    process.finish(usize::MAX, book);
    process.flush();
    process.settle(book);
    disk.forget_process();
}
