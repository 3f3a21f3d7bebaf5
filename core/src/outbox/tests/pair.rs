//! Random steps that an outbox and the [model](super::model) take together, compared after each.

use std::format;
use std::string::String;

use super::super::*;
use super::Store;
use super::model::{Model, step_id};
use super::sender::{Line, Sender};
use crate::delivery::Reply;
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
