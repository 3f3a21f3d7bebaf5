//! The outbox as a reader would write it who has all the memory in the world; and random steps that both take together.

use std::collections::VecDeque;
use std::format;
use std::string::String;
use std::vec::Vec;

use super::super::*;
use super::sender::{Line, Sender};
use super::{Full, Store};
use crate::delivery::{Breach, Reply};
use crate::sample::Quality;

/// Lets an outbox and the model take `steps` random steps, and compares all that they say after each.
pub(super) fn compare(seed: u64, qos: QoS, bytes: usize, steps: usize) {
    let mut store = Store::of(bytes);
    let mut state = State::default();
    state.at.oldest_id = 65_000;
    let mut line = Line::default();
    let mut pair = Pair {
        random: Random(seed),
        model: Model::new(qos, bytes, state.at.oldest_id),
        context: String::new(),
    };
    for step in 0..steps {
        if pair.random.below(8) == 0 {
            // As a reload can, over another connection: room for more in flight, or for just as many as there are.
            let mut sender = store.resume(qos, state);
            sender.line = line;
            sender.take_back_unsent();
            (state, line) = sender.suspend();
            let most = pair.model.begun + pair.random.below(60) as usize;
            store.handshakes.resize(most.max(1), [0xee; 2]);
            pair.model.handshakes = most.max(1);
        }
        let mut sender = store.resume(qos, state);
        sender.line = line;
        pair.context = format!("seed {seed}, {qos:?}, {bytes} bytes, step {step}");
        pair.take_step(&mut sender);
        pair.compare(&sender);
        (state, line) = sender.suspend();
    }
    let Model {
        done,
        dropped,
        dropped_together,
        repeated,
        ..
    } = pair.model;
    assert!(
        qos == QoS::AtMostOnce || bytes < 600 || dropped_together > 0,
        "seed {seed}: there were never 16 in flight when room was made"
    );
    assert!(
        done > steps / 100 && dropped > steps / 100,
        "seed {seed}: only {done} messages done with and {dropped} dropped"
    );
    assert!(
        qos == QoS::AtMostOnce || repeated > steps / 100,
        "seed {seed}: only {repeated} repeated"
    );
}

struct Pair {
    random: Random,
    model: Model,
    context: String,
}

impl Pair {
    fn take_step(&mut self, sender: &mut Sender<'_>) {
        match self.random.below(16) {
            0..5 => self.append(sender),
            5..11 => self.write(sender),
            11..14 => self.acknowledge(sender),
            14 if self.random.below(4) == 0 => self.renumber(sender),
            14 => sender.take_back_unsent(),
            _ => {
                sender.start_over();
                self.model.start_over();
            }
        }
    }

    fn append(&mut self, sender: &mut Sender<'_>) {
        let signal = self.random.below(1000) as u32;
        // With a letter in one of four.
        let letter = if self.random.below(4) == 0 { "e" } else { "" };
        let digits = "1".repeat(1 + self.random.below(25) as usize);
        let text = format!("{digits}{letter},{}", self.random.below(100_000));
        let sample = Sample::of_text(text.as_bytes(), Quality::Bad).expect("a comma");
        let queued = sender.queue(signal, false, &sample);
        let expected = self.model.append(signal, text);
        assert_eq!(queued, expected, "{}", self.context);
    }

    fn write(&mut self, sender: &mut Sender<'_>) {
        let window = self.window();
        let is_encoded = sender.outbox.at.handed_out.record > sender.outbox.at.cursor.record;
        if !is_encoded {
            assert_eq!(
                sender.outbox.pubrel_to_repeat(),
                self.model.pubrel_to_repeat(),
                "{}",
                self.context
            );
            if self.model.pubrel_to_repeat().is_some() && self.random.below(2) == 0 {
                sender.outbox.pubrel_repeated(0);
                self.model.cursor += 1;
                return;
            }
        }
        let offered = sender.unsent(window).to_vec();
        // What is encoded already may be more than this window allows.
        let expected = self.model.run(if is_encoded {
            super::ALL
        } else {
            window.min(self.model.handshakes)
        });
        assert!(
            expected.starts_with(&offered) && offered.is_empty() == expected.is_empty(),
            "{}: offers {}, expected {}",
            self.context,
            offered.escape_ascii(),
            expected.escape_ascii()
        );
        let count = match self.random.below(3) {
            0 => offered.len(),
            1 => offered.len().min(1),
            _ => self.random.below(1 + offered.len() as u64) as usize,
        };
        let written = sender.written(count, 0);
        assert_eq!(written, self.model.written(count), "{}", self.context);
    }

    fn acknowledge(&mut self, sender: &mut Sender<'_>) {
        let reply = match (self.model.qos, self.random.below(2)) {
            (QoS::AtMostOnce, _) => return,
            (QoS::AtLeastOnce, _) => Reply::Accepted,
            (QoS::ExactlyOnce, 0) => Reply::Received,
            (QoS::ExactlyOnce, _) => Reply::Completed,
        };
        // Half of them of the oldest, the others mostly of one that is in flight, or has just been.
        let around = match self.random.below(2) {
            0 => 1,
            _ => self.random.below(2 + self.model.begun as u64) as usize,
        };
        let id = step_id(self.model.oldest_id, (around + 65_534) % 65_535);
        let answer = sender.acknowledge(reply, id, 0);
        assert_eq!(
            answer,
            self.model.acknowledge(reply, id),
            "{}: {reply:?} {id}",
            self.context
        );
    }

    /// Some signals are gone, and some have moved. What asks for it begins anew, as it does over a new connection.
    fn renumber(&mut self, sender: &mut Sender<'_>) {
        let new_signal = |signal: u32| {
            let new = NewSignal {
                number: signal + 1,
                has_moved: signal.is_multiple_of(11),
            };
            (!signal.is_multiple_of(7)).then_some(new)
        };
        sender.take_back_unsent();
        let renumbered = sender.outbox.renumber(new_signal);
        let expected = self.model.renumber(new_signal);
        assert_eq!(renumbered, expected, "{}", self.context);
        if renumbered.has_lost_topics {
            sender.line = Line::default();
            let anew = sender.outbox.begin_anew();
            assert_eq!(anew, self.model.begin_anew(), "{}", self.context);
        }
    }

    fn window(&mut self) -> usize {
        1 + self.random.below(60) as usize
    }

    fn compare(&self, sender: &Sender<'_>) {
        let (model, context, outbox) = (&self.model, &self.context, &sender.outbox);
        assert_eq!(outbox.queued(), model.queued(), "{context}: queued");
        assert_eq!(outbox.in_flight(), model.begun, "{context}: in flight");
        assert_eq!(outbox.is_empty(), model.entries.is_empty(), "{context}");
        assert_eq!(
            outbox.is_half_sent(),
            model.written > 0,
            "{context}: half sent"
        );
        assert_eq!(
            sender.rest_of_packet(),
            model.rest_of_packet(),
            "{context}: rest"
        );
        let unconfirmed = sender.unconfirmed();
        assert_eq!(unconfirmed, model.unconfirmed(), "{context}: unconfirmed");
    }
}

struct Model {
    qos: QoS,
    bytes: usize,
    /// As many as may be in flight.
    handshakes: usize,
    entries: VecDeque<Entry>,
    /// Entries of which a byte has been written.
    begun: usize,
    /// The entry that this connection stands at, and how many of its bytes went.
    cursor: usize,
    written: usize,
    oldest_id: u16,
    done: usize,
    dropped: usize,
    /// Times that more than one was dropped at once, since many were in flight.
    dropped_together: usize,
    repeated: usize,
}

struct Entry {
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
    fn new(qos: QoS, bytes: usize, oldest_id: u16) -> Self {
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

    fn append(&mut self, signal: u32, text: String) -> Result<Vec<u32>, Full> {
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

    fn written(&mut self, count: usize) -> (usize, Vec<Vec<u8>>) {
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

    fn acknowledge(&mut self, reply: Reply, id: u16) -> Result<Acknowledged, Breach> {
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

    fn start_over(&mut self) {
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

    fn renumber(&mut self, new_signal: impl Fn(u32) -> Option<NewSignal>) -> Renumbered {
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

    fn begin_anew(&mut self) -> (usize, usize) {
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
    fn pubrel_to_repeat(&mut self) -> Option<u16> {
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

    fn queued(&self) -> usize {
        self.entries
            .iter()
            .filter(|entry| entry.stage == Stage::Queued)
            .count()
    }

    fn used(&self) -> usize {
        self.entries.iter().map(|entry| entry.room).sum()
    }

    /// All that may go from the cursor on, until something else has to go first.
    fn run(&self, window: usize) -> Vec<u8> {
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

    fn rest_of_packet(&self) -> Vec<u8> {
        if self.written == 0 {
            Vec::new()
        } else {
            self.packet(self.cursor).split_off(self.written)
        }
    }

    fn unconfirmed(&self) -> Vec<(u32, String)> {
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
fn step_id(id: u16, steps: usize) -> u16 {
    ((usize::from(id) - 1 + steps) % 65_535 + 1) as u16
}

/// xorshift64*: the same numbers from the same seed, everywhere.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Random(seed)
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % limit
    }
}
