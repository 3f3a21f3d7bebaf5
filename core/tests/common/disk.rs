//! A model of storage: files that lose what was not synced, or NOR flash on which each word is written once; either can be cut off from power in
//! the middle of anything, be damaged, and fail.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use embedded_nal::nb;
use mqtt_client_core::spool::{Fault, Storage, WORD};

/// What the storage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Files,
    Flash,
}

/// A storage that can be shared by the processes that use it one after the other.
#[derive(Clone)]
pub struct Disk(Rc<RefCell<Model>>);

struct Model {
    kind: Kind,
    segment_len: usize,
    /// Segments that there may be.
    most: usize,
    segments: BTreeMap<u32, Vec<u8>>,
    /// As they are after a power cut, where nothing of what was done since is lucky.
    synced: BTreeMap<u32, Vec<u8>>,
    since: Vec<Change>,
    fault: Option<Fault>,
    /// Reading works, and nothing else does.
    write_fault: Option<Fault>,
    /// Operations until the power is cut.
    cut_in: Option<u32>,
    is_cut: bool,
    random: u64,
    /// Every so many-th answer comes at once; the others have to be asked for again.
    patience: u64,
    hangs: bool,
    /// The operation that is under way, and what is to be written.
    asked: Option<(Operation, Vec<u8>)>,
    pub appended: u64,
    pub changes: u64,
}

/// Which one, of which segment, from where, and of how many bytes.
type Operation = (&'static str, u32, u32, usize);

/// A change that is not synced.
#[derive(Debug, Clone)]
enum Change {
    Append(u32, usize, Vec<u8>),
    Erase(u32),
}

impl Disk {
    pub fn new(kind: Kind, segment_len: usize, most: usize, seed: u64) -> Self {
        Disk(Rc::new(RefCell::new(Model {
            kind,
            segment_len,
            most,
            segments: BTreeMap::new(),
            synced: BTreeMap::new(),
            since: Vec::new(),
            fault: None,
            write_fault: None,
            cut_in: None,
            is_cut: false,
            random: seed | 1,
            patience: 1,
            hangs: false,
            asked: None,
            appended: 0,
            changes: 0,
        })))
    }

    /// Another one on which the same lies.
    pub fn copy(&self, seed: u64) -> Self {
        let model = self.0.borrow();
        let copy = Disk::new(model.kind, model.segment_len, model.most, seed);
        copy.0.borrow_mut().segments = model.segments.clone();
        copy.0.borrow_mut().settle();
        copy
    }

    /// Only one answer in so many comes at once.
    pub fn be_slow(&self, patience: u64) {
        self.0.borrow_mut().patience = patience;
    }

    /// From now on every operation fails so, or no more.
    pub fn fail(&self, fault: Option<Fault>) {
        self.0.borrow_mut().fault = fault;
    }

    /// From now on nothing can be changed, or it can again.
    pub fn fail_to_write(&self, fault: Option<Fault>) {
        self.0.borrow_mut().write_fault = fault;
    }

    /// From now on no operation comes to an end, or they do again.
    pub fn hang(&self, hangs: bool) {
        self.0.borrow_mut().hangs = hangs;
    }

    /// The power is cut in the middle of the operation so many changes from now.
    pub fn cut_in(&self, changes: u32) {
        self.0.borrow_mut().cut_in = Some(changes);
    }

    /// The power is not cut after all.
    pub fn spare(&self) {
        self.0.borrow_mut().cut_in = None;
    }

    /// Whether an operation is under way that will have its answer.
    pub fn is_busy(&self) -> bool {
        let model = self.0.borrow();
        model.asked.is_some() && !model.is_cut && !model.hangs
    }

    pub fn is_cut(&self) -> bool {
        self.0.borrow().is_cut
    }

    /// The power is cut, and comes back: what is left is what a process finds.
    pub fn cut(&self) {
        self.0.borrow_mut().cut();
    }

    /// The process is killed, the system lives on.
    pub fn forget_process(&self) {
        let mut model = self.0.borrow_mut();
        model.asked = None;
        model.is_cut = false;
    }

    /// Bytes that were written, and operations that changed something.
    pub fn written(&self) -> (u64, u64) {
        let model = self.0.borrow();
        (model.appended, model.changes)
    }

    /// Bytes that lie there.
    pub fn used(&self) -> usize {
        self.0.borrow().segments.values().map(Vec::len).sum()
    }

    pub fn segments(&self) -> Vec<u32> {
        self.0.borrow().segments.keys().copied().collect()
    }

    /// Changes what lies in a segment, as age does.
    pub fn damage(&self, segment: u32, change: impl FnOnce(&mut Vec<u8>)) {
        let mut model = self.0.borrow_mut();
        change(model.segments.get_mut(&segment).expect("a segment"));
        model.settle();
    }

    pub fn remove(&self, segment: u32) {
        let mut model = self.0.borrow_mut();
        model.segments.remove(&segment);
        model.settle();
    }

    pub fn put(&self, segment: u32, bytes: Vec<u8>) {
        let mut model = self.0.borrow_mut();
        model.segments.insert(segment, bytes);
        model.settle();
    }

    pub fn random(&self, below: u64) -> u64 {
        self.0.borrow_mut().below(below)
    }
}

impl Model {
    fn below(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) % below
    }

    /// Everything that was done survives.
    fn settle(&mut self) {
        self.synced = self.segments.clone();
        self.since.clear();
    }

    fn cut(&mut self) {
        if self.kind == Kind::Files {
            // What was not synced may be there, in whole or in part or as zeros, and in any order.
            let mut left = self.synced.clone();
            for change in std::mem::take(&mut self.since) {
                let luck = self.below(4);
                match change {
                    Change::Append(segment, at, bytes) if luck > 0 => {
                        let file = left.entry(segment).or_default();
                        let len = match luck {
                            1 => self.below(bytes.len() as u64 + 1) as usize,
                            _ => bytes.len(),
                        };
                        file.resize(file.len().max(at + len), 0);
                        // The length may be there, and the data not.
                        if luck > 1 || self.below(3) > 0 {
                            file[at..at + len].copy_from_slice(&bytes[..len]);
                        }
                    }
                    Change::Erase(segment) if luck > 1 => {
                        left.remove(&segment);
                    }
                    _ => {}
                }
            }
            self.segments = left;
        }
        self.settle();
        self.asked = None;
        self.is_cut = false;
        self.cut_in = None;
    }

    /// Whether this operation has its answer now. It must be asked for in the same way each time.
    fn answer(&mut self, what: Operation, bytes: &[u8]) -> nb::Result<(), Fault> {
        let begins_anew = what == ("next", u32::MAX, 0, 0);
        if let Some((asked, given)) = self.asked.take().filter(|_| !begins_anew) {
            assert_eq!(asked, what, "another operation is under way");
            assert!(given == bytes, "other bytes are under way: {asked:?}");
        }
        let patience = self.patience;
        if self.is_cut || self.hangs || self.below(patience) > 0 {
            self.asked = Some((what, bytes.to_vec()));
            return Err(nb::Error::WouldBlock);
        }
        let is_change = !matches!(what.0, "next" | "read");
        match self.fault.or(self.write_fault.filter(|_| is_change)) {
            Some(fault) => Err(nb::Error::Other(fault)),
            None => Ok(()),
        }
    }

    /// Whether the power is cut in the middle of this change.
    fn is_cut_now(&mut self) -> bool {
        self.changes += 1;
        self.cut_in = match self.cut_in {
            Some(0) => {
                self.is_cut = true;
                None
            }
            other => other.map(|left| left - 1),
        };
        self.is_cut
    }
}

impl Storage for Disk {
    fn segment_len(&self) -> u32 {
        self.0.borrow().segment_len as u32
    }

    fn has_room(&mut self) -> bool {
        let model = self.0.borrow();
        model.segments.len() < model.most
    }

    fn next_segment(&mut self, after: Option<u32>) -> nb::Result<Option<u32>, Fault> {
        let mut model = self.0.borrow_mut();
        model.answer(("next", after.unwrap_or(u32::MAX), 0, 0), &[])?;
        let mut serials = model.segments.keys().copied();
        Ok(serials.find(|serial| after.is_none_or(|after| *serial > after)))
    }

    fn read(&mut self, segment: u32, at: u32, out: &mut [u8]) -> nb::Result<usize, Fault> {
        let mut model = self.0.borrow_mut();
        model.answer(("read", segment, at, out.len()), &[])?;
        let bytes = model.segments.get(&segment);
        let rest = bytes.and_then(|bytes| bytes.get(at as usize..));
        let rest = rest.unwrap_or_default();
        let len = rest.len().min(out.len());
        out[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn append(&mut self, segment: u32, at: u32, bytes: &[u8]) -> nb::Result<(), Fault> {
        let mut model = self.0.borrow_mut();
        model.answer(("append", segment, at, bytes.len()), bytes)?;
        assert!(at.is_multiple_of(WORD) && bytes.len().is_multiple_of(WORD as usize));
        let (at, segment_len, kind) = (at as usize, model.segment_len, model.kind);
        assert!(at + bytes.len() <= segment_len, "within the segment");
        if !model.segments.contains_key(&segment) {
            assert!(at == 0, "the first bytes make a segment");
            assert!(model.segments.len() < model.most, "there is room for it");
        }
        let is_cut = model.is_cut_now();
        let mut bytes = bytes.to_vec();
        if is_cut && kind == Kind::Flash {
            // The word in whose middle it was is neither here nor there.
            let words = model.below(bytes.len() as u64 / 32 + 1) as usize;
            bytes.truncate(32 * words + 32);
            for byte in bytes.iter_mut().skip(32 * words) {
                *byte |= model.below(256) as u8;
            }
        }
        let file = model.segments.entry(segment).or_insert_with(|| match kind {
            Kind::Files => Vec::new(),
            Kind::Flash => vec![0xff; segment_len],
        });
        match kind {
            Kind::Files => {
                let end = at + bytes.len();
                let before = file.iter().skip(at);
                assert!(
                    before.into_iter().all(|byte| *byte == 0xff),
                    "nothing is written twice"
                );
                file.resize(end.max(file.len()), 0);
                file[at..end].copy_from_slice(&bytes);
            }
            Kind::Flash => {
                let place = &mut file[at..at + bytes.len()];
                assert!(place.iter().all(|byte| *byte == 0xff), "written once");
                place.copy_from_slice(&bytes);
            }
        }
        model.appended += bytes.len() as u64;
        model.since.push(Change::Append(segment, at, bytes));
        if is_cut {
            return Err(nb::Error::WouldBlock);
        }
        Ok(())
    }

    fn erase(&mut self, segment: u32) -> nb::Result<(), Fault> {
        let mut model = self.0.borrow_mut();
        model.answer(("erase", segment, 0, 0), &[])?;
        let oldest = model.segments.keys().next().copied();
        assert_eq!(oldest, Some(segment), "the oldest goes");
        if model.is_cut_now() && model.kind == Kind::Flash && model.below(2) == 0 {
            // Half erased.
            let len = model.segment_len as u64;
            let len = model.below(len) as usize;
            model.segments.get_mut(&segment).expect("it is there")[..len].fill(0xff);
            return Err(nb::Error::WouldBlock);
        }
        model.segments.remove(&segment);
        model.since.push(Change::Erase(segment));
        if model.is_cut {
            return Err(nb::Error::WouldBlock);
        }
        Ok(())
    }

    fn sync(&mut self) -> nb::Result<(), Fault> {
        let mut model = self.0.borrow_mut();
        model.answer(("sync", 0, 0, 0), &[])?;
        if model.is_cut_now() {
            return Err(nb::Error::WouldBlock);
        }
        model.settle();
        Ok(())
    }
}
