//! One direction of a connection: segments on their way, bytes that have arrived, and how it ends.

use std::collections::VecDeque;

use fastrand::Rng;

use crate::network::Error;

/// See the module's page.
#[derive(Default)]
pub struct Pipe {
    /// With the time at which each arrives.
    under_way: VecDeque<(u64, Segment)>,
    arrived: VecDeque<u8>,
    /// All bytes that the reader has not read; those that a dead connection swallowed count.
    len: usize,
    last_arrival: u64,
    ended: Option<Error>,
    /// Whether the reader was told.
    pub told_end: bool,
}

enum Segment {
    Bytes(Vec<u8>),
    End(Error),
}

/// What has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    Nothing,
    Bytes(usize),
    /// And after the bytes, if there were any, the end.
    End,
}

impl Pipe {
    /// Bytes that the writer has written and the reader has not read.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether bytes have arrived that the reader has not read.
    #[must_use]
    pub fn has_unread(&self) -> bool {
        !self.arrived.is_empty()
    }

    /// Sends bytes in up to three segments, of which the first arrives at `at`, or as soon after as those before have.
    pub fn push(&mut self, at: u64, bytes: &[u8], rng: &mut Rng) {
        self.len += bytes.len();
        let mut rest = bytes;
        let mut at = at.max(self.last_arrival);
        for _ in 0..rng.u8(0..3) {
            let (first, after) = rest.split_at(rng.usize(0..=rest.len()));
            if !first.is_empty() {
                self.under_way
                    .push_back((at, Segment::Bytes(first.to_vec())));
                at += rng.u64(0..=3);
            }
            rest = after;
        }
        if !rest.is_empty() {
            self.under_way
                .push_back((at, Segment::Bytes(rest.to_vec())));
        }
        self.last_arrival = at;
    }

    /// Takes bytes that go nowhere.
    pub fn swallow(&mut self, count: usize) {
        self.len += count;
    }

    /// The writer ends.
    pub fn end(&mut self, at: u64, error: Error) {
        let at = at.max(self.last_arrival);
        self.under_way.push_back((at, Segment::End(error)));
        self.last_arrival = at;
    }

    /// What is under way, and what has not been read, is lost.
    pub fn lose(&mut self) {
        self.under_way.clear();
        self.arrived.clear();
        self.len = 0;
        self.last_arrival = 0;
    }

    #[must_use]
    pub fn next_arrival(&self) -> Option<u64> {
        self.under_way.front().map(|(at, _)| *at)
    }

    /// Lets arrive what is due, up to `limit` bytes.
    pub fn arrive(&mut self, now: u64, limit: usize) -> Arrival {
        let mut count = 0;
        while count < limit {
            match self.under_way.front_mut() {
                Some((at, _)) if *at > now => break,
                None => break,
                Some((_, Segment::End(error))) => {
                    self.ended = Some(*error);
                    self.under_way.clear();
                    return Arrival::End;
                }
                Some((_, Segment::Bytes(bytes))) => {
                    let taken = bytes.len().min(limit - count);
                    self.arrived.extend(bytes.drain(..taken));
                    count += taken;
                    if bytes.is_empty() {
                        self.under_way.pop_front();
                    }
                }
            }
        }
        if count == 0 {
            Arrival::Nothing
        } else {
            Arrival::Bytes(count)
        }
    }

    /// Reads up to `most` of the bytes that have arrived.
    pub fn read(&mut self, most: usize) -> Vec<u8> {
        let count = self.arrived.len().min(most);
        self.len -= count;
        self.arrived.drain(..count).collect()
    }

    /// The end, once all is read.
    #[must_use]
    pub fn error_met(&self) -> Option<Error> {
        self.ended.filter(|_| self.arrived.is_empty())
    }

    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended.is_some()
    }
}
