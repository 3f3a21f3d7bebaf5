//! The outbox as a reader would write it who has all the memory in the world; and random steps that both take together.

use std::collections::VecDeque;
use std::format;
use std::string::String;
use std::vec::Vec;

use crate::mqtt::qos::Ack;
use crate::mqtt::violation::Violation;
use crate::outbox::flight::MAX_IDS;

use super::super::*;
use super::Store;

/// Lets an outbox and the model take `steps` random steps, and compares all that they say after each.
pub(super) fn compare(seed: u64, qos: QoS, bytes: usize, records: usize, steps: usize) {
    let mut store = Store::of(bytes, records);
    let mut state = State::default();
    state.at.oldest_id = 65_000;
    let mut pair = Pair {
        random: Random(seed),
        model: Model::new(qos, bytes, records, state.at.oldest_id),
        context: String::new(),
    };
    for step in 0..steps {
        let mut outbox = Outbox::resume(&mut store.bytes, &mut store.records, qos, false, state);
        pair.context =
            format!("seed {seed}, {qos:?}, {bytes} bytes, {records} records, step {step}");
        pair.take_step(&mut outbox);
        pair.compare(&mut outbox);
        state = outbox.suspend();
    }
    let Model {
        done,
        dropped,
        repeated,
        ..
    } = pair.model;
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
    fn take_step(&mut self, outbox: &mut Outbox<'_>) {
        match self.random.below(16) {
            0..5 => self.append(outbox),
            5..11 => self.write(outbox),
            11..14 => self.acknowledge(outbox),
            14 => {
                let new_number = |signal: u32| (!signal.is_multiple_of(7)).then_some(signal + 1);
                outbox.renumber(new_number);
                self.model.renumber(new_number);
            }
            _ => {
                outbox.start_over();
                self.model.start_over();
            }
        }
    }

    fn append(&mut self, outbox: &mut Outbox<'_>) {
        let signal = self.random.below(1000) as u32;
        let topic: Vec<u8> = (0..self.random.below(20))
            .map(|_| self.random.letter())
            .collect();
        let value: Vec<u8> = (0..1 + self.random.below(12))
            .map(|_| self.random.letter())
            .collect();
        let payload = [&value, &b","[..], b"77", b",0"];
        let message = Message {
            signal,
            is_aside: false,
            topic: &topic,
            payload,
        };
        let mut dropped = Vec::new();
        let queued = outbox.append(&message, |signal| dropped.push(signal));
        let expected = self.model.append(signal, &topic, &payload.concat());
        assert_eq!(queued.map(|()| dropped), expected, "{}", self.context);
    }

    fn write(&mut self, outbox: &mut Outbox<'_>) {
        let window = self.window();
        assert_eq!(
            outbox.pubrel_to_repeat(),
            self.model.pubrel_to_repeat(),
            "{}",
            self.context
        );
        if self.model.pubrel_to_repeat().is_some() && self.random.below(2) == 0 {
            outbox.pubrel_repeated(0);
            self.model.cursor += 1;
            return;
        }
        let offered = outbox.unsent(window).len();
        let count = match self.random.below(3) {
            0 => offered,
            1 => offered.min(1),
            _ => self.random.below(1 + offered as u64) as usize,
        };
        let mut seen = Vec::new();
        let first_time = outbox.written(count, 0, Some(&mut |packet| seen.push(packet.to_vec())));
        assert_eq!(
            (first_time, seen),
            self.model.written(count),
            "{}",
            self.context
        );
    }

    fn acknowledge(&mut self, outbox: &mut Outbox<'_>) {
        let ack = match (self.model.qos, self.random.below(2)) {
            (QoS::AtMostOnce, _) => return,
            (QoS::AtLeastOnce, _) => Ack::Puback,
            (QoS::ExactlyOnce, 0) => Ack::Pubrec,
            (QoS::ExactlyOnce, _) => Ack::Pubcomp,
        };
        // Mostly one that is in flight, or has just been.
        let around = self.random.below(2 + self.model.entries.len() as u64) as usize;
        let id = step_id(self.model.oldest_id, (around + MAX_IDS - 1) % MAX_IDS);
        let answer = outbox.acknowledge(ack, id, 0);
        assert_eq!(
            answer,
            self.model.acknowledge(ack, id),
            "{}: {ack:?} {id}",
            self.context
        );
    }

    fn window(&mut self) -> usize {
        1 + self.random.below(8.max(self.model.records as u64 / 2)) as usize
    }

    fn compare(&mut self, outbox: &mut Outbox<'_>) {
        let window = self.window();
        let (model, context) = (&self.model, &self.context);
        assert_eq!(outbox.queued(), model.queued(), "{context}: queued");
        assert_eq!(outbox.in_flight(), model.begun, "{context}: in flight");
        assert_eq!(outbox.is_empty(), model.entries.is_empty(), "{context}");
        assert_eq!(
            outbox.is_half_written(),
            model.written > 0,
            "{context}: half written"
        );
        let expected = model.run(window);
        let offered = outbox.unsent(window);
        assert!(
            expected.starts_with(offered) && offered.is_empty() == expected.is_empty(),
            "{context}: offers {}, expected {}",
            offered.escape_ascii(),
            expected.escape_ascii()
        );
        let rest = outbox.rest_of_packet();
        let expected = model.rest_of_packet();
        assert!(
            expected.starts_with(rest) && rest.is_empty() == expected.is_empty(),
            "{context}: rest"
        );
        let mut unconfirmed = Vec::new();
        outbox.for_each_unconfirmed(|signal, packet| unconfirmed.push((signal, packet.len())));
        assert_eq!(unconfirmed, model.unconfirmed(), "{context}: unconfirmed");
    }
}

struct Model {
    qos: QoS,
    bytes: usize,
    records: usize,
    entries: VecDeque<Entry>,
    /// Entries of which a byte has been written.
    begun: usize,
    /// The entry that this connection stands at, and how many of its bytes went.
    cursor: usize,
    written: usize,
    oldest_id: u16,
    done: usize,
    dropped: usize,
    repeated: usize,
}

struct Entry {
    signal: u32,
    topic: Vec<u8>,
    payload: Vec<u8>,
    stage: Stage,
    dup: bool,
}

impl Model {
    fn new(qos: QoS, bytes: usize, records: usize, oldest_id: u16) -> Self {
        Model {
            qos,
            bytes,
            records,
            entries: VecDeque::new(),
            begun: 0,
            cursor: 0,
            written: 0,
            oldest_id,
            done: 0,
            dropped: 0,
            repeated: 0,
        }
    }

    fn append(&mut self, signal: u32, topic: &[u8], payload: &[u8]) -> Result<Vec<u32>, Full> {
        let entry = Entry {
            signal,
            topic: topic.to_vec(),
            payload: payload.to_vec(),
            stage: Stage::Queued,
            dup: false,
        };
        let len = self.encoded(&entry, 0).len();
        let flight: usize = (0..self.begun).map(|index| self.packet(index).len()).sum();
        if flight + len > self.bytes || self.begun >= self.records {
            return Err(Full);
        }
        let mut dropped = Vec::new();
        while self.used() + len > self.bytes || self.entries.len() >= self.records {
            for _ in 0..1 + self.begun / 16 {
                dropped.extend(self.entries.remove(self.begun).map(|entry| entry.signal));
            }
        }
        self.dropped += dropped.len();
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

    fn acknowledge(&mut self, ack: Ack, id: u16) -> Result<Acknowledged, Violation> {
        let index = (0..self.begun).find(|index| self.id(*index) == id);
        let stage = index.map(|index| self.entries[index].stage);
        let (stage, answer) = match (ack, stage) {
            (_, Some(Stage::Queued)) => return Err(Violation::AckOfUnsent),
            (Ack::Puback, Some(Stage::Published)) => (Stage::Complete, Acknowledged::Complete),
            (Ack::Pubrec, Some(Stage::Published)) => (Stage::Released, Acknowledged::SendPubrel),
            (Ack::Pubrec, _) => return Ok(Acknowledged::SendPubrel),
            (Ack::Pubcomp, Some(Stage::Published)) => return Err(Violation::PubcompBeforePubrec),
            (Ack::Pubcomp, Some(Stage::Released)) => (Stage::Complete, Acknowledged::Complete),
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

    fn renumber(&mut self, new_number: impl Fn(u32) -> Option<u32>) {
        for entry in &mut self.entries {
            if entry.signal != NO_SIGNAL {
                entry.signal = new_number(entry.signal).unwrap_or(NO_SIGNAL);
            }
        }
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
        (0..self.entries.len())
            .map(|index| self.packet(index).len())
            .sum()
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

    fn unconfirmed(&self) -> Vec<(u32, usize)> {
        let unconfirmed = |entry: &Entry| matches!(entry.stage, Stage::Queued | Stage::Published);
        let numbered = self.entries.iter().enumerate();
        numbered
            .filter(|(_, entry)| unconfirmed(entry))
            .map(|(index, entry)| (entry.signal, self.packet(index).len()))
            .collect()
    }

    fn packet(&self, index: usize) -> Vec<u8> {
        self.encoded(&self.entries[index], self.id(index))
    }

    fn id(&self, index: usize) -> u16 {
        step_id(self.oldest_id, index)
    }

    /// A PUBLISH as in MQTT 3.1.1, 3.3. All lengths here stay below 128.
    fn encoded(&self, entry: &Entry, id: u16) -> Vec<u8> {
        let mut body = Vec::from([0, entry.topic.len() as u8]);
        body.extend(&entry.topic);
        if self.qos != QoS::AtMostOnce {
            body.extend(id.to_be_bytes());
        }
        body.extend(&entry.payload);
        let first = 0x30 | u8::from(self.qos) << 1 | u8::from(entry.dup) << 3;
        let mut packet = Vec::from([first, body.len() as u8]);
        packet.append(&mut body);
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

    fn letter(&mut self) -> u8 {
        b'a' + self.below(26) as u8
    }
}
