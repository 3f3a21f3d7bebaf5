//! The outbox as a reader would write it who has all the memory in the world.

use std::collections::VecDeque;
use std::string::String;
use std::vec::Vec;

use super::super::*;
use super::Full;
use crate::delivery::{Breach, Reply};

pub(super) struct Model {
    pub(super) qos: QoS,
    bytes: usize,
    /// As many as may be in flight.
    pub(super) handshakes: usize,
    pub(super) entries: VecDeque<Entry>,
    /// Entries of which a byte has been written.
    pub(super) begun: usize,
    /// The entry that this connection stands at, and how many of its bytes went.
    pub(super) cursor: usize,
    pub(super) written: usize,
    pub(super) oldest_id: u16,
    pub(super) done: usize,
    pub(super) dropped: usize,
    /// Times that more than one was dropped at once, since many were in flight.
    pub(super) dropped_together: usize,
    pub(super) repeated: usize,
}

pub(super) struct Entry {
    signal: Option<u32>,
    text: String,
    /// Bytes that it takes in the outbox.
    room: usize,
    stage: Stage,
    dup: bool,
}

impl Entry {
    /// Bytes that a sample takes which is packed if it can be.
    fn least_room(text: &str) -> usize {
        let is_packed = text.len() >= 8 && !text.contains('e');
        4 + if is_packed {
            text.len().div_ceil(8) * 4
        } else {
            text.len()
        }
    }
}

impl Model {
    pub(super) fn new(qos: QoS, bytes: usize, oldest_id: u16) -> Self {
        Model {
            qos,
            bytes,
            handshakes: super::ALL,
            entries: VecDeque::new(),
            begun: 0,
            cursor: 0,
            written: 0,
            oldest_id,
            done: 0,
            dropped: 0,
            dropped_together: 0,
            repeated: 0,
        }
    }

    pub(super) fn append(&mut self, signal: u32, text: String) -> Result<Vec<u32>, Full> {
        let mut entry = Entry {
            signal: Some(signal),
            room: Entry::least_room(&text),
            text,
            stage: Stage::Queued,
            dup: false,
        };
        let flight: usize = self
            .entries
            .iter()
            .take(self.begun)
            .map(|entry| entry.room)
            .sum();
        if flight + entry.room > self.bytes {
            return Err(Full);
        }
        let mut dropped = Vec::new();
        while self.used() + entry.room > self.bytes {
            self.dropped_together += usize::from(self.begun >= 16);
            for _ in 0..1 + self.begun / 16 {
                let oldest = self.entries.remove(self.begun);
                dropped.extend(oldest.and_then(|entry| entry.signal));
            }
        }
        self.dropped += dropped.len();
        // While little waits, nothing is packed.
        let unpacked = 4 + entry.text.len();
        if self.used() < self.bytes / 16 && self.used() + unpacked <= self.bytes {
            entry.room = unpacked;
        }
        self.entries.push_back(entry);
        Ok(dropped)
    }

    pub(super) fn written(&mut self, count: usize) -> (usize, Vec<Vec<u8>>) {
        let (mut first_time, mut seen) = (0, Vec::new());
        self.written += count;
        while self.written > 0 {
            self.begun = self.begun.max(self.cursor + 1);
            let packet = self.packet(self.cursor);
            if self.written < packet.len() {
                break;
            }
            self.written -= packet.len();
            let entry = &mut self.entries[self.cursor];
            self.repeated += usize::from(entry.dup);
            if entry.stage == Stage::Queued {
                first_time += 1;
                entry.stage = if self.qos == QoS::AtMostOnce {
                    Stage::Complete
                } else {
                    Stage::Published
                };
            }
            self.cursor += 1;
            seen.push(packet);
            if self.qos == QoS::AtMostOnce {
                self.free();
            }
        }
        self.free();
        (first_time, seen)
    }

    pub(super) fn acknowledge(&mut self, reply: Reply, id: u16) -> Result<Acknowledged, Breach> {
        let index = (0..self.begun).find(|index| self.id(*index) == id);
        let stage = index.map(|index| self.entries[index].stage);
        let (stage, answer) = match (reply, stage) {
            (_, Some(Stage::Queued)) => return Err(Breach::Unsent),
            (Reply::Accepted, Some(Stage::Published)) => (Stage::Complete, Acknowledged::Complete),
            (Reply::Received, Some(Stage::Published)) => (Stage::Released, Acknowledged::Release),
            (Reply::Received, _) => return Ok(Acknowledged::Release),
            (Reply::Completed, Some(Stage::Published)) => {
                return Err(Breach::CompletedBeforeReceived);
            }
            (Reply::Completed, Some(Stage::Released)) => (Stage::Complete, Acknowledged::Complete),
            _ => return Ok(Acknowledged::Repeated),
        };
        self.entries[index.expect("it has a stage")].stage = stage;
        self.free();
        Ok(answer)
    }

    pub(super) fn start_over(&mut self) {
        (self.cursor, self.written) = (0, 0);
        self.begun = self
            .entries
            .iter()
            .filter(|entry| entry.stage != Stage::Queued)
            .count();
        self.free();
        for entry in &mut self.entries {
            entry.dup |= entry.stage == Stage::Published;
        }
    }

    pub(super) fn renumber(&mut self, new_signal: impl Fn(u32) -> Option<NewSignal>) -> Renumbered {
        let mut has_lost_topics = false;
        for (index, entry) in self.entries.iter_mut().enumerate() {
            let new = entry.signal.and_then(&new_signal);
            if index < self.begun && entry.stage != Stage::Complete {
                has_lost_topics |= new.is_none_or(|new| new.has_moved);
            }
            entry.signal = new.map(|new| new.number);
        }
        let before = self.entries.len();
        let mut index = 0;
        self.entries.retain(|entry| {
            index += 1;
            index <= self.begun || entry.signal.is_some()
        });
        Renumbered {
            dropped: before - self.entries.len(),
            has_lost_topics,
        }
    }

    pub(super) fn begin_anew(&mut self) -> (usize, usize) {
        let is_sent = |entry: &&Entry| matches!(entry.stage, Stage::Published | Stage::Released);
        let again = self.entries.iter().filter(is_sent).count();
        let sent = self
            .entries
            .iter()
            .filter(|entry| entry.stage != Stage::Queued);
        self.oldest_id = step_id(self.oldest_id, sent.count());
        self.entries.retain(|entry| entry.stage != Stage::Complete);
        let before = self.entries.len();
        self.entries.retain(|entry| entry.signal.is_some());
        for entry in &mut self.entries {
            entry.stage = Stage::Queued;
            entry.dup = false;
        }
        (self.cursor, self.written, self.begun) = (0, 0, 0);
        (again, before - self.entries.len())
    }

    /// The outbox passes over what is complete when it is asked, the model before it answers.
    pub(super) fn pubrel_to_repeat(&mut self) -> Option<u16> {
        while self.written == 0 && self.stage_at_cursor() == Some(Stage::Complete) {
            self.cursor += 1;
        }
        (self.written == 0 && self.stage_at_cursor() == Some(Stage::Released))
            .then(|| self.id(self.cursor))
    }

    fn stage_at_cursor(&self) -> Option<Stage> {
        self.entries.get(self.cursor).map(|entry| entry.stage)
    }

    fn free(&mut self) {
        while self
            .entries
            .front()
            .is_some_and(|entry| entry.stage == Stage::Complete)
            && !(self.cursor == 0 && self.written > 0)
        {
            self.entries.pop_front();
            self.begun -= 1;
            self.cursor = self.cursor.saturating_sub(1);
            self.oldest_id = step_id(self.oldest_id, 1);
            self.done += 1;
        }
    }

    pub(super) fn queued(&self) -> usize {
        self.entries
            .iter()
            .filter(|entry| entry.stage == Stage::Queued)
            .count()
    }

    fn used(&self) -> usize {
        self.entries.iter().map(|entry| entry.room).sum()
    }

    /// All that may go from the cursor on, until something else has to go first.
    pub(super) fn run(&self, window: usize) -> Vec<u8> {
        let mut run = Vec::new();
        for index in self.cursor..self.entries.len() {
            let half_written = index == self.cursor && self.written > 0;
            let may_go = match self.entries[index].stage {
                Stage::Queued => self.qos == QoS::AtMostOnce || index < window,
                Stage::Published => true,
                Stage::Released | Stage::Complete => false,
            };
            if !(may_go || half_written) {
                break;
            }
            run.extend(self.packet(index));
        }
        run.split_off(self.written.min(run.len()))
    }

    pub(super) fn rest_of_packet(&self) -> Vec<u8> {
        if self.written == 0 {
            Vec::new()
        } else {
            self.packet(self.cursor).split_off(self.written)
        }
    }

    pub(super) fn unconfirmed(&self) -> Vec<(u32, String)> {
        let unconfirmed = |entry: &&Entry| matches!(entry.stage, Stage::Queued | Stage::Published);
        self.entries
            .iter()
            .filter(unconfirmed)
            .map(|entry| (entry.signal.unwrap_or((1 << 21) - 1), entry.text.clone()))
            .collect()
    }

    fn id(&self, index: usize) -> u16 {
        step_id(self.oldest_id, index)
    }

    /// As the sender makes it.
    fn packet(&self, index: usize) -> Vec<u8> {
        let entry = &self.entries[index];
        let id = match self.qos {
            QoS::AtMostOnce => 0,
            QoS::AtLeastOnce | QoS::ExactlyOnce => self.id(index),
        };
        let [high, low] = id.to_be_bytes();
        let len = 4 + entry.text.len() as u8 + 2;
        let mut packet = Vec::from([len, high, low, u8::from(entry.dup)]);
        packet.extend(entry.text.bytes());
        packet.extend(b",0");
        packet
    }
}

/// One step at a time, as the standard counts: after 65535 comes 1.
pub(super) fn step_id(id: u16, steps: usize) -> u16 {
    ((usize::from(id) - 1 + steps) % 65_535 + 1) as u16
}
