//! What does an outbox promise? First story by story, then everything against a simple model, for many random steps.
//!
//! | module | question |
//! |---|---|
//! | `sender` | what does a session do with it? |
//! | `sending` | what goes to the network, in which pieces, and under which identifiers? |
//! | `overflow` | what makes place when there is no room? |
//! | `repeating` | what do acknowledgements do, and what does a new connection repeat? |
//! | `setting_aside` | what becomes of messages that the broker does not take, and of all others? |
//! | `moving` | how does an outbox outlive its configuration? |
//! | `model` | does it agree with a simple one, whatever the order of events? |

mod model;
mod moving;
mod overflow;
mod pair;
mod repeating;
mod sender;
mod sending;
mod setting_aside;

use std::format;
use std::string::String;
use std::vec;
use std::vec::Vec;

use super::*;
use crate::delivery::{Breach, Reply};
use crate::sample::Quality;
use QoS::{AtLeastOnce, AtMostOnce, ExactlyOnce};
use sender::{PACKET, Sender, tell};

/// No window: more messages than any test sends.
const ALL: usize = 65_535;

/// Bytes that a sample of [`put`] takes: four, and `a,12`, which has a letter.
const RECORD: usize = 8;

struct Store {
    bytes: Vec<u8>,
    handshakes: Vec<[u8; 2]>,
}

impl Store {
    fn of(bytes: usize) -> Self {
        Store {
            bytes: vec![0xee; bytes],
            handshakes: vec![[0xee; 2]; ALL],
        }
    }

    fn outbox(&mut self, qos: QoS) -> Sender<'_> {
        self.resume(qos, State::default())
    }

    /// An outbox whose first byte lies at this position, and whose first identifier is `id`.
    fn outbox_at(&mut self, qos: QoS, start: usize, oldest_id: u16) -> Sender<'_> {
        let state = State {
            at: Place {
                ring_len: self.bytes.len(),
                start,
                oldest_id,
                ..Place::default()
            },
            ..State::default()
        };
        self.resume(qos, state)
    }

    fn resume(&mut self, qos: QoS, state: State) -> Sender<'_> {
        Sender::new(Outbox::resume(
            &mut self.bytes,
            &mut self.handshakes,
            qos,
            state,
        ))
    }
}

/// There was no room.
#[derive(Debug, PartialEq, Eq)]
struct Full;

/// Queues a sample for each letter, whose signal and value it is; the letters of those that were dropped for it.
fn put(sender: &mut Sender<'_>, letters: &str) -> Result<String, Full> {
    let mut dropped = String::new();
    for letter in letters.bytes() {
        let text = [letter, b',', b'1', b'2'];
        let sample = Sample::of_text(&text, Quality::Good).expect("a comma");
        for signal in sender.queue(u32::from(letter), false, &sample)? {
            dropped.push(signal as u8 as char);
        }
    }
    Ok(dropped)
}

/// Lets the network take all that may go, and tells what it was: `a1` is the message "a" with identifier 1, `a1+` its
/// repetition, `rel1` a PUBREL.
fn sent(sender: &mut Sender<'_>, window: usize) -> String {
    sent_in_pieces(sender, window, usize::MAX)
}

fn sent_in_pieces(sender: &mut Sender<'_>, window: usize, piece: usize) -> String {
    let mut told = Vec::new();
    loop {
        if let Some(id) = sender.outbox.pubrel_to_repeat() {
            told.push(format!("rel{id}"));
            sender.outbox.pubrel_repeated(0);
            continue;
        }
        let count = sender.unsent(window).len().min(piece);
        if count == 0 {
            return told.join(" ");
        }
        let (_, whole) = sender.written(count, 0);
        told.extend(whole.iter().map(|packet| tell(packet)));
    }
}

/// Of messages in part or whole in the outbox: not sent whole, and begun.
fn load(sender: &Sender<'_>) -> (usize, usize) {
    (sender.outbox.queued(), sender.outbox.in_flight())
}

/// Writes `count` bytes, and keeps them.
fn take(sender: &mut Sender<'_>, count: usize, bytes: &mut Vec<u8>) {
    let wanted = bytes.len() + count;
    while bytes.len() < wanted {
        let offered = sender.unsent(ALL);
        let piece = offered.len().min(wanted - bytes.len());
        assert!(piece > 0, "nothing is offered after {} bytes", bytes.len());
        bytes.extend_from_slice(&offered[..piece]);
        sender.written(piece, 0);
    }
}

#[test]
fn every_byte_and_number_agrees_with_the_model() {
    const STEPS: usize = 20_000;
    for (seed, qos, bytes) in [
        (1, AtMostOnce, 70),
        (2, AtLeastOnce, 70),
        (3, ExactlyOnce, 70),
        (4, AtLeastOnce, 41),
        (5, ExactlyOnce, 400),
        (6, ExactlyOnce, 333),
        (7, AtLeastOnce, 900),
        (8, ExactlyOnce, 600),
    ] {
        pair::compare(seed, qos, bytes, STEPS);
    }
}

#[test]
fn an_outbox_holds_as_many_samples_as_the_documents_say() {
    for (value, in_a_mebibyte, on_the_board) in [
        ("21.55", 64_290, 501),
        ("21.55678901", 51_411, 401),
        ("21.556789012345678", 50_972, 397),
        ("nan", 49_932, 390),
    ] {
        let text = format!("{value},1708000203824");
        let sample = Sample::of_text(text.as_bytes(), Quality::Good).expect("a comma");
        let held = [1 << 20, 8 << 10].map(|bytes| {
            let mut store = Store::of(bytes);
            let mut sender = store.outbox(AtLeastOnce);
            let mut held = 0;
            while sender.outbox.append(held, false, &sample) {
                held += 1;
            }
            held
        });
        assert_eq!(held, [in_a_mebibyte, on_the_board], "{value}");
    }
}
