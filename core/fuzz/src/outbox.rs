//! What an outbox is asked to do, beside a list that remembers every message.
//!
//! - Every message that was accepted is unconfirmed, released, done with, or told to be dropped: one of them, always.
//! - What is handed out are the samples that may go, in the order in which they were queued, byte for byte.
//! - At QoS 0 each message is sent whole once at most; at QoS 1 and 2 again, marked as a repetition, until it is acknowledged.
//! - In-flight messages are never dropped, and never more than the window and the storage allow.

use std::collections::VecDeque;

use arbitrary::Arbitrary;
use mqtt_client_core::delivery::{self, QoS, Reply, Stage, step};
use mqtt_client_core::outbox::{Acknowledged, Outbox, Room, State};
use mqtt_client_core::sample::{Quality, Sample};

/// An outbox, and what is done to it.
#[derive(Arbitrary, Debug)]
pub struct Case {
    qos: u8,
    bytes: u8,
    handshakes: u8,
    window: u8,
    steps: Vec<Step>,
}

#[derive(Arbitrary, Debug)]
enum Step {
    Append {
        length: u8,
        has_letters: bool,
    },
    /// Hands so many out, if nothing is on its way.
    HandOut {
        count: u8,
    },
    /// The network takes so many of those that are handed out, and perhaps a part of the next.
    Write {
        count: u8,
        half: bool,
    },
    TakeBack,
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
    let mut handshakes = vec![[0; 2]; 1 + usize::from(case.handshakes)];
    let mut twin = Twin {
        qos,
        window: (1 + usize::from(case.window)).min(handshakes.len()),
        ..Twin::default()
    };
    let mut state = State::default();
    let mut steps = case.steps.iter().peekable();
    while steps.peek().is_some() {
        let mut outbox = Outbox::resume(&mut bytes, &mut handshakes, qos, state);
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
    window: usize,
    /// Not done with, oldest first.
    entries: VecDeque<Entry>,
    next_signal: u32,
    /// Signals of those that are handed out, and not sent whole.
    on_their_way: VecDeque<u32>,
    /// The first of them is sent in part.
    is_half_sent: bool,
    oldest_id: u16,
}

struct Entry {
    signal: u32,
    text: String,
    stage: Stage,
    repeated: bool,
    /// Whether this connection has sent it, or its PUBREL, or knew it to be complete.
    passed: bool,
}

impl Twin {
    fn take(&mut self, outbox: &mut Outbox<'_>, step: &Step) {
        match *step {
            Step::Append {
                length,
                has_letters,
            } => self.append(outbox, usize::from(length), has_letters),
            Step::HandOut { count } => self.hand_out(outbox, usize::from(count)),
            Step::Write { count, half } => self.write(outbox, usize::from(count), half),
            Step::TakeBack => self.take_back(outbox),
            Step::RepeatPubrel => self.repeat_pubrel(outbox),
            Step::Acknowledge { ack, offset } => self.acknowledge(outbox, ack, offset),
            Step::StartOver => {
                outbox.start_over();
                self.on_their_way.clear();
                self.is_half_sent = false;
                for entry in &mut self.entries {
                    entry.passed = false;
                    entry.repeated |= entry.stage == Stage::Published;
                }
                self.free();
            }
            Step::Suspend => {}
        }
    }

    fn append(&mut self, outbox: &mut Outbox<'_>, length: usize, has_letters: bool) {
        let letter = if has_letters { "e" } else { "" };
        let timestamp = "0".repeat(length % 100);
        let text = format!("{}{letter},{timestamp}", self.next_signal);
        let sample = Sample::of_text(text.as_bytes(), Quality::Bad).expect("a comma");
        let is_queued = loop {
            if outbox.append(self.next_signal, false, &sample) {
                break true;
            }
            self.take_back(outbox);
            match outbox.make_room(&sample) {
                Room::Enough => {}
                Room::None => break false,
                Room::Dropped(signal) => {
                    let oldest_unsent = self.entries.remove(self.in_flight());
                    let oldest_unsent = oldest_unsent.expect("there is one to drop");
                    assert_eq!(oldest_unsent.signal, signal, "the oldest unsent one goes");
                }
            }
        };
        if is_queued {
            self.entries.push_back(Entry {
                signal: self.next_signal,
                text,
                stage: Stage::Queued,
                repeated: false,
                passed: false,
            });
            self.next_signal += 1;
        }
    }

    fn take_back(&mut self, outbox: &mut Outbox<'_>) {
        outbox.take_back_unsent();
        self.on_their_way.truncate(usize::from(self.is_half_sent));
    }

    fn hand_out(&mut self, outbox: &mut Outbox<'_>, count: usize) {
        if !self.on_their_way.is_empty() {
            return;
        }
        // PUBREL comes first, as the session does it.
        if outbox.pubrel_to_repeat().is_some() {
            self.repeat_pubrel(outbox);
            return;
        }
        self.pass_complete();
        let first = self.entries.iter().position(|entry| !entry.passed);
        for index in first.unwrap_or(self.entries.len()).. {
            let may_go = self.entries.get(index).is_some_and(|entry| {
                let is_within = index < self.window || self.qos == QoS::AtMostOnce;
                entry.stage == Stage::Published || (entry.stage == Stage::Queued && is_within)
            });
            let outgoing = outbox.next_outgoing(self.window);
            assert_eq!(outgoing.is_some(), may_go);
            let Some(outgoing) = outgoing.filter(|_| index - first.unwrap_or(0) < count) else {
                break;
            };
            let entry = &self.entries[index];
            let mut text = vec![0; outgoing.text_len()];
            outbox.write_text(&outgoing, &mut text);
            assert_eq!(
                (outgoing.signal(), outgoing.quality(), &text[..]),
                (entry.signal, Quality::Bad, entry.text.as_bytes())
            );
            assert_eq!(outgoing.is_repeated, entry.repeated);
            assert!(self.qos == QoS::AtMostOnce || outgoing.packet_id == self.id(index));
            outbox.hand_out(&outgoing);
            self.on_their_way.push_back(entry.signal);
        }
    }

    fn write(&mut self, outbox: &mut Outbox<'_>, count: usize, half: bool) {
        if self.on_their_way.is_empty() {
            return;
        }
        let is_all = count >= self.on_their_way.len();
        let mut expected = 0;
        let mut told = 0;
        for _ in 0..count.min(self.on_their_way.len()) {
            let signal = self.on_their_way.pop_front();
            let mut entries = self.entries.iter_mut();
            let entry = entries.find(|entry| Some(entry.signal) == signal);
            let entry = entry.expect("what is on its way is not freed");
            entry.passed = true;
            match (entry.stage, self.qos) {
                (Stage::Queued, QoS::AtMostOnce) => entry.stage = Stage::Complete,
                (Stage::Queued, _) => entry.stage = Stage::Published,
                // Acknowledged in the middle of its repetition.
                (Stage::Published | Stage::Released | Stage::Complete, _) => expected -= 1,
            }
            expected += 1;
            self.is_half_sent = false;
            if !is_all {
                told += i32::from(outbox.sent_whole(0));
            }
            self.free();
        }
        if is_all {
            told = outbox.sent_all(0) as i32;
        } else if half {
            outbox.sent_in_part();
            self.is_half_sent = true;
        }
        assert_eq!(told, expected);
        self.free();
    }

    fn repeat_pubrel(&mut self, outbox: &mut Outbox<'_>) {
        let Some(id) = outbox.pubrel_to_repeat() else {
            return;
        };
        assert!(
            self.on_their_way.is_empty(),
            "not before what is on its way"
        );
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
        if self.on_their_way.is_empty() {
            let complete = |entry: &&mut Entry| entry.passed || entry.stage == Stage::Complete;
            self.entries
                .iter_mut()
                .take_while(complete)
                .for_each(|entry| entry.passed = true);
        }
    }

    fn acknowledge(&mut self, outbox: &mut Outbox<'_>, ack: u8, offset: u8) {
        let reply = [Reply::Accepted, Reply::Received, Reply::Completed][usize::from(ack % 3)];
        let index = usize::from(offset);
        let id = self.id(index);
        let stage = (index < self.in_flight()).then(|| self.entries[index].stage);
        let expected = step(self.qos, stage, reply);
        if outbox.is_on_its_way(id) {
            self.take_back(outbox);
        }
        let answer = outbox.acknowledge(reply, id, 0);
        use delivery::Step;
        let reached = match (expected, answer) {
            (Err(expected), Err(breach)) => {
                assert_eq!(breach, expected);
                return;
            }
            (Ok(Step::Ignore), Ok(Acknowledged::Repeated)) => return,
            (Ok(Step::Release), Ok(Acknowledged::Release)) => Stage::Released,
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
            let half_repeated = !oldest.passed && !self.on_their_way.is_empty();
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
        let half_sent =
            self.is_half_sent && self.entries.iter().position(|entry| !entry.passed) == Some(sent);
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
        assert_eq!(outbox.is_half_sent(), self.is_half_sent);
        let mut unconfirmed = Vec::new();
        outbox.for_each_unconfirmed(|signal, sample, _| {
            let text = sample.whole_text().expect("in one piece");
            unconfirmed.push((signal, String::from_utf8_lossy(text).into_owned()));
        });
        let expected: Vec<_> = self
            .entries
            .iter()
            .filter(|entry| matches!(entry.stage, Stage::Queued | Stage::Published))
            .map(|entry| (entry.signal, entry.text.clone()))
            .collect();
        assert_eq!(unconfirmed, expected);
    }
}
