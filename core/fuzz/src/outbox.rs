//! What an outbox is asked to do, beside a list that remembers every message.
//!
//! - Every message that was accepted is unconfirmed, released, done with, or told to be dropped: one of them, always.
//! - What is offered is the rest of the packets that may go, in the order in which they were queued, and no byte of them else.
//! - At QoS 0 each message is written whole once at most; at QoS 1 and 2 again, with DUP, until it is acknowledged.
//! - In-flight messages are never dropped, and never more than the window and the storage allow.

use std::collections::VecDeque;

use arbitrary::Arbitrary;
use mqtt_client_core::mqtt::QoS;
use mqtt_client_core::mqtt::packet::Publish;
use mqtt_client_core::mqtt::qos::{Ack, Stage, step};
use mqtt_client_core::outbox::{Acknowledged, Message, Outbox, State};

/// An outbox, and what is done to it.
#[derive(Arbitrary, Debug)]
pub struct Case {
    qos: u8,
    retain: bool,
    bytes: u8,
    records: u8,
    window: u8,
    steps: Vec<Step>,
}

#[derive(Arbitrary, Debug)]
enum Step {
    Append {
        topic: u8,
        payload: u8,
    },
    /// Writes so many of the bytes that are offered.
    Write {
        bytes: u16,
    },
    RepeatPubrel,
    /// The identifier so many behind the oldest.
    Acknowledge {
        ack: u8,
        offset: u8,
    },
    StartOver,
    Suspend,
}

/// Checks one case.
pub fn check(case: &Case) {
    let qos = match case.qos % 3 {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    };
    let mut bytes = vec![0; usize::from(case.bytes) * 4];
    let mut records = vec![0; usize::from(case.records)];
    let mut twin = Twin {
        qos,
        retain: case.retain,
        window: 1 + usize::from(case.window),
        ..Twin::default()
    };
    let mut state = State::default();
    let mut steps = case.steps.iter().peekable();
    while steps.peek().is_some() {
        let mut outbox = Outbox::resume(&mut bytes, &mut records, qos, case.retain, state);
        for step in steps
            .by_ref()
            .take_while(|step| !matches!(step, Step::Suspend))
        {
            twin.take(&mut outbox, step);
            twin.check(&outbox);
        }
        state = outbox.suspend();
    }
}

#[derive(Default)]
struct Twin {
    qos: QoS,
    retain: bool,
    window: usize,
    /// Not done with, oldest first.
    entries: VecDeque<Entry>,
    next_signal: u32,
    /// Bytes of this connection that are no whole packet yet, and the entry that they belong to.
    begun: Vec<u8>,
    oldest_id: u16,
}

struct Entry {
    signal: u32,
    topic: Vec<u8>,
    payload: Vec<u8>,
    stage: Stage,
    dup: bool,
    /// Whether this connection has written it, or its PUBREL, or knew it to be complete.
    passed: bool,
}

impl Twin {
    fn take(&mut self, outbox: &mut Outbox<'_>, step: &Step) {
        match *step {
            Step::Append { topic, payload } => self.append(outbox, topic, payload),
            Step::Write { bytes } => self.write(outbox, usize::from(bytes)),
            Step::RepeatPubrel => self.repeat_pubrel(outbox),
            Step::Acknowledge { ack, offset } => self.acknowledge(outbox, ack, offset),
            Step::StartOver => {
                outbox.start_over();
                self.begun.clear();
                for entry in &mut self.entries {
                    entry.passed = false;
                    entry.dup |= entry.stage == Stage::Published;
                }
                self.free();
            }
            Step::Suspend => {}
        }
    }

    fn append(&mut self, outbox: &mut Outbox<'_>, topic: u8, payload: u8) {
        let entry = Entry {
            signal: self.next_signal,
            topic: vec![b't'; usize::from(topic)],
            payload: self
                .next_signal
                .to_string()
                .into_bytes()
                .repeat(1 + usize::from(payload) / 16),
            stage: Stage::Queued,
            dup: false,
            passed: false,
        };
        let message = Message {
            signal: entry.signal,
            is_aside: false,
            topic: &entry.topic,
            payload: [&entry.payload, b"", b"", b""],
        };
        let mut dropped = Vec::new();
        let result = outbox.append(&message, |signal| dropped.push(signal));
        let in_flight = self.in_flight();
        for signal in dropped {
            assert!(result.is_ok(), "nothing has changed when it is full");
            let oldest_unsent = self
                .entries
                .remove(in_flight)
                .expect("there is one to drop");
            assert_eq!(oldest_unsent.signal, signal, "the oldest unsent one goes");
        }
        if result.is_ok() {
            self.entries.push_back(entry);
            self.next_signal += 1;
        }
    }

    fn write(&mut self, outbox: &mut Outbox<'_>, count: usize) {
        // PUBREL comes first, as the session does it.
        if outbox.pubrel_to_repeat().is_some() {
            self.repeat_pubrel(outbox);
            return;
        }
        self.pass_complete();
        let offered = outbox.unsent(self.window);
        let count = count.min(offered.len());
        let offered = offered[..count].to_vec();
        let mut seen = Vec::new();
        let first_time = outbox.written(count, 0, Some(&mut |packet| seen.push(packet.to_vec())));
        self.begun.extend_from_slice(&offered);
        let mut expected_first = 0;
        for packet in seen {
            let whole: Vec<u8> = self.begun.drain(..packet.len()).collect();
            assert_eq!(whole, packet, "what is seen is what was written");
            let publish = Publish::decode(&packet).expect("a PUBLISH");
            let index = self
                .entries
                .iter()
                .position(|entry| !entry.passed)
                .expect("one that may go");
            assert!(
                index < self.window
                    || self.qos == QoS::AtMostOnce
                    || self.entries[index].stage != Stage::Queued
            );
            let id = self.id(index);
            let (qos, retain) = (self.qos, self.retain);
            let entry = &mut self.entries[index];
            assert_eq!(
                (&entry.topic[..], &entry.payload[..]),
                (publish.topic, publish.payload)
            );
            assert_eq!(
                (publish.dup, publish.qos, publish.retain),
                (entry.dup, qos, retain)
            );
            assert_eq!(publish.packet_id, (qos != QoS::AtMostOnce).then_some(id));
            entry.passed = true;
            match (entry.stage, qos) {
                (Stage::Queued, QoS::AtMostOnce) => entry.stage = Stage::Complete,
                (Stage::Queued, _) => entry.stage = Stage::Published,
                // Acknowledged in the middle of its repetition.
                (Stage::Published | Stage::Released | Stage::Complete, _) => continue,
            }
            expected_first += 1;
        }
        assert_eq!(first_time, expected_first);
        self.free();
    }

    fn repeat_pubrel(&mut self, outbox: &mut Outbox<'_>) {
        let Some(id) = outbox.pubrel_to_repeat() else {
            return;
        };
        assert!(self.begun.is_empty(), "not into the middle of a packet");
        self.pass_complete();
        let index = self
            .entries
            .iter()
            .position(|entry| !entry.passed)
            .expect("one to repeat");
        assert_eq!(
            (self.entries[index].stage, self.id(index)),
            (Stage::Released, id)
        );
        self.entries[index].passed = true;
        outbox.pubrel_repeated(0);
    }

    /// What an earlier connection completed needs nothing of this one.
    fn pass_complete(&mut self) {
        if self.begun.is_empty() {
            let complete = |entry: &&mut Entry| entry.passed || entry.stage == Stage::Complete;
            self.entries
                .iter_mut()
                .take_while(complete)
                .for_each(|entry| entry.passed = true);
        }
    }

    fn acknowledge(&mut self, outbox: &mut Outbox<'_>, ack: u8, offset: u8) {
        let ack = [Ack::Puback, Ack::Pubrec, Ack::Pubcomp][usize::from(ack % 3)];
        let index = usize::from(offset);
        let id = self.id(index);
        let stage = (index < self.in_flight()).then(|| self.entries[index].stage);
        let expected = step(self.qos, stage, ack);
        let answer = outbox.acknowledge(ack, id, 0);
        use mqtt_client_core::mqtt::qos::Step;
        let reached = match (expected, answer) {
            (Err(expected), Err(violation)) => {
                assert_eq!(violation, expected);
                return;
            }
            (Ok(Step::Ignore), Ok(Acknowledged::Repeated)) => return,
            (Ok(Step::SendPubrel), Ok(Acknowledged::SendPubrel)) => Stage::Released,
            (Ok(Step::Reach(reached)), Ok(Acknowledged::Complete)) => reached,
            (expected, answer) => panic!("{answer:?}, expected {expected:?}"),
        };
        if stage.is_some_and(|stage| stage != Stage::Complete) {
            self.entries[index].stage = reached;
        }
        self.free();
    }

    /// Frees what is done with at the old end; one that is half repeated stays.
    fn free(&mut self) {
        while let Some(oldest) = self.entries.front() {
            let half_repeated = !oldest.passed && !self.begun.is_empty();
            if oldest.stage != Stage::Complete || half_repeated {
                break;
            }
            self.entries.pop_front();
            self.oldest_id = self.oldest_id.wrapping_add(1);
        }
    }

    /// Sent in part or in whole.
    fn in_flight(&self) -> usize {
        let sent = self
            .entries
            .iter()
            .take_while(|entry| entry.stage != Stage::Queued)
            .count();
        let half_sent = !self.begun.is_empty()
            && self.entries.iter().position(|entry| !entry.passed) == Some(sent);
        sent + usize::from(half_sent)
    }

    /// Far fewer than 65535 messages fit a case.
    fn id(&self, index: usize) -> u16 {
        self.oldest_id + 1 + index as u16
    }

    fn check(&self, outbox: &Outbox<'_>) {
        let queued = self
            .entries
            .iter()
            .filter(|entry| entry.stage == Stage::Queued)
            .count();
        assert_eq!(outbox.queued(), queued);
        assert_eq!(outbox.in_flight(), self.in_flight());
        assert_eq!(outbox.is_empty(), self.entries.is_empty());
        assert_eq!(outbox.is_half_written(), !self.begun.is_empty());
        let mut unconfirmed = Vec::new();
        outbox.for_each_unconfirmed(|signal, packet| {
            let publish = Publish::decode(packet).expect("a PUBLISH");
            unconfirmed.push((signal, publish.topic.to_vec(), publish.payload.to_vec()));
        });
        let expected: Vec<_> = self
            .entries
            .iter()
            .filter(|entry| matches!(entry.stage, Stage::Queued | Stage::Published))
            .map(|entry| (entry.signal, entry.topic.clone(), entry.payload.clone()))
            .collect();
        assert_eq!(unconfirmed, expected);
        // All of the half-written packet, and nothing else, is the rest of it.
        let rest = outbox.rest_of_packet();
        assert_eq!(rest.is_empty(), self.begun.is_empty());
    }
}
