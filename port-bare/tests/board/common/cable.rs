//! An Ethernet cable with two ends, each a [`Device`]. Frames take a millisecond, and what else [`Faults`] say.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use smoltcp::phy::{self, Checksum, Device, DeviceCapabilities, Medium};
use smoltcp::time::Instant;

/// Milliseconds, shared by all that takes part.
pub type Clock = Rc<Cell<u64>>;

/// Milliseconds that a frame takes.
const DELAY: u64 = 1;

/// Which of the two ends is the board's.
const BOARD_END: usize = 0;

/// What happens to frames, in either direction.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// Of a hundred frames, so many are lost, or come twice.
    pub lost: u8,
    pub doubled: u8,
    /// And in so many a bit is wrong.
    pub garbled: u8,
    /// Of a hundred frames to the board, so many are of no use any more: bytes are anything, and the end is missing.
    pub mangled: u8,
    /// Each takes up to so many milliseconds more, so that one may overtake another.
    pub late: u64,
}

/// Decides whether a frame gets lost.
type Filter = Box<dyn Fn(&[u8]) -> bool>;

pub struct Cable {
    clock: Clock,
    random: fastrand::Rng,
    faults: Faults,
    unplugged: bool,
    /// Whether both ends verify checksums.
    verified: bool,
    filter: Option<Filter>,
    /// Frames on their way to each end, and when they are there, in this order.
    under_way: [Vec<(u64, Vec<u8>)>; 2],
}

/// One end.
pub struct End {
    cable: Rc<RefCell<Cable>>,
    number: usize,
}

impl Cable {
    /// A cable without faults, and its ends. Faults come from the seed.
    pub fn new(clock: Clock, seed: u64) -> (Rc<RefCell<Cable>>, [End; 2]) {
        let cable = Rc::new(RefCell::new(Cable {
            clock,
            random: fastrand::Rng::with_seed(seed),
            faults: Faults::default(),
            unplugged: false,
            verified: true,
            filter: None,
            under_way: Default::default(),
        }));
        let end = |number| End {
            cable: cable.clone(),
            number,
        };
        let ends = [end(0), end(1)];
        (cable, ends)
    }

    pub fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
    }

    /// The ends believe every frame, whatever its checksums: a stack that was made before has not noticed yet.
    pub fn set_unverified(&mut self) {
        self.verified = false;
    }

    /// An unplugged cable loses all, what is under way included.
    pub fn set_unplugged(&mut self, unplugged: bool) {
        self.unplugged = unplugged;
        self.under_way.iter_mut().for_each(Vec::clear);
    }

    /// Loses the frames of which `filter` says so.
    pub fn set_filter(&mut self, filter: impl Fn(&[u8]) -> bool + 'static) {
        self.filter = Some(Box::new(filter));
    }

    pub fn clear_filter(&mut self) {
        self.filter = None;
    }

    /// When the next frame is there.
    pub fn next(&self) -> Option<u64> {
        let next = |frames: &Vec<(u64, Vec<u8>)>| frames.first().map(|(due, _)| *due);
        self.under_way.iter().filter_map(next).min()
    }

    /// A frame is at this end now, wherever it came from.
    pub fn put(&mut self, at: usize, frame: Vec<u8>) {
        self.under_way[at].push((self.clock.get(), frame));
    }

    fn send(&mut self, to: usize, mut frame: Vec<u8>) {
        let filtered = self.filter.as_ref().is_some_and(|filter| filter(&frame));
        if self.unplugged || filtered || self.random.u8(..100) < self.faults.lost {
            return;
        }
        if self.random.u8(..100) < self.faults.garbled {
            let at = self.random.usize(..frame.len());
            frame[at] ^= 1 << self.random.u8(..8);
        }
        if to == BOARD_END && self.random.u8(..100) < self.faults.mangled {
            self.mangle(&mut frame);
        }
        let copies = 1 + usize::from(self.random.u8(..100) < self.faults.doubled);
        for frame in std::iter::repeat_n(frame, copies) {
            let due = self.clock.get() + DELAY + self.random.u64(..=self.faults.late);
            let frames = &mut self.under_way[to];
            let place = frames.partition_point(|(other, _)| *other <= due);
            frames.insert(place, (due, frame));
        }
    }

    fn mangle(&mut self, frame: &mut Vec<u8>) {
        let random = &mut self.random;
        for _ in 0..random.usize(1..5) {
            // Behind the Ethernet header, so that it is looked at.
            let at = random.usize(14..frame.len());
            frame[at] = random.u8(..);
        }
        if random.u8(..4) == 0 {
            frame.truncate(random.usize(14..frame.len()));
        }
    }

    fn take(&mut self, at: usize) -> Option<Vec<u8>> {
        let now = self.clock.get();
        let frames = &mut self.under_way[at];
        let is_there = frames.first().is_some_and(|(due, _)| *due <= now);
        is_there.then(|| frames.remove(0).1)
    }
}

pub struct Received(Vec<u8>);

pub struct ToSend {
    cable: Rc<RefCell<Cable>>,
    to: usize,
}

impl phy::RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, action: F) -> R {
        action(&self.0)
    }
}

impl phy::TxToken for ToSend {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, action: F) -> R {
        let mut frame = vec![0; length];
        let result = action(&mut frame);
        self.cable.borrow_mut().send(self.to, frame);
        result
    }
}

impl Device for End {
    type RxToken<'a> = Received;
    type TxToken<'a> = ToSend;

    fn receive(&mut self, now: Instant) -> Option<(Received, ToSend)> {
        let frame = self.cable.borrow_mut().take(self.number)?;
        Some((Received(frame), self.transmit(now)?))
    }

    fn transmit(&mut self, _: Instant) -> Option<ToSend> {
        Some(ToSend {
            cable: self.cable.clone(),
            to: 1 - self.number,
        })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = 1514;
        if !self.cable.borrow().verified {
            capabilities.checksum.ipv4 = Checksum::Tx;
            capabilities.checksum.udp = Checksum::Tx;
            capabilities.checksum.tcp = Checksum::Tx;
            capabilities.checksum.icmpv4 = Checksum::Tx;
        }
        capabilities
    }
}
