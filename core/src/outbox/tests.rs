//! What does an outbox promise? First story by story, then every byte against a simple model, for many random steps.
//!
//! | module | question |
//! |---|---|
//! | `sending` | what goes to the network, in which pieces, and under which identifiers? |
//! | `overflow` | what makes place when there is no room? |
//! | `repeating` | what do acknowledgements do, and what does a new connection repeat? |
//! | `setting_aside` | what becomes of messages that the broker does not take, and of all others? |
//! | `moving` | how does an outbox outlive its configuration? |
//! | `model` | does it agree with a simple one, whatever the order of events? |

mod model;
mod moving;
mod overflow;
mod repeating;
mod sending;
mod setting_aside;

use std::format;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use super::*;
use crate::mqtt::encode::DUP;
use crate::mqtt::packet::Publish;
use crate::mqtt::qos::Ack;
use crate::mqtt::violation::Violation;
use QoS::{AtLeastOnce, AtMostOnce, ExactlyOnce};

/// No window: more messages than any test sends.
const ALL: usize = 65_535;

/// Bytes of the packet that [`put`] makes of a one-letter name, at QoS 1 and 2; at QoS 0 two fewer.
const PACKET: usize = 13;

struct Store {
    bytes: Vec<u8>,
    records: Vec<u64>,
}

impl Store {
    fn of(bytes: usize, records: usize) -> Self {
        Store {
            bytes: vec![0xee; bytes],
            records: vec![0; records],
        }
    }

    fn outbox(&mut self, qos: QoS) -> Outbox<'_> {
        Outbox::new(&mut self.bytes, &mut self.records, qos, false)
    }

    /// An outbox whose first byte and record lie at these positions, and whose first identifier is `id`.
    fn outbox_at(&mut self, qos: QoS, start: usize, first: usize, oldest_id: u16) -> Outbox<'_> {
        let state = State {
            records: Span::beginning_at(first, self.records.len()),
            at: Place {
                ring_len: self.bytes.len(),
                start,
                oldest_id,
                ..Place::default()
            },
        };
        Outbox::resume(&mut self.bytes, &mut self.records, qos, false, state)
    }
}

/// Queues a message for each letter, whose signal and value it is; the letters of those that were dropped for it.
fn put(outbox: &mut Outbox<'_>, letters: &str) -> Result<String, Full> {
    let mut dropped = String::new();
    for letter in letters.bytes() {
        let message = Message {
            signal: u32::from(letter),
            is_aside: false,
            topic: b"t",
            payload: [&[letter], b",", b"12", b",1"],
        };
        outbox.append(&message, |signal| dropped.push(signal as u8 as char))?;
    }
    Ok(dropped)
}

/// Lets the network take all that may go, and tells what it was: `a1` is the message "a" with identifier 1, `a1+` its
/// repetition (DUP), `rel1` a PUBREL.
fn sent(outbox: &mut Outbox<'_>, window: usize) -> String {
    sent_in_pieces(outbox, window, usize::MAX)
}

fn sent_in_pieces(outbox: &mut Outbox<'_>, window: usize, piece: usize) -> String {
    let mut told = Vec::new();
    loop {
        if let Some(id) = outbox.pubrel_to_repeat() {
            told.push(format!("rel{id}"));
            outbox.pubrel_repeated(0);
            continue;
        }
        let count = outbox.unsent(window).len().min(piece);
        if count == 0 {
            return told.join(" ");
        }
        outbox.written(count, 0, Some(&mut |packet| told.push(tell(packet))));
    }
}

fn tell(packet: &[u8]) -> String {
    let publish = Publish::decode(packet).expect("a whole PUBLISH");
    let letter = publish.payload[0] as char;
    let id = publish.packet_id.map_or(String::new(), |id| id.to_string());
    let dup = if publish.dup { "+" } else { "" };
    format!("{letter}{id}{dup}")
}

/// Of messages in part or whole in the outbox: not sent whole, and begun.
fn load(outbox: &Outbox<'_>) -> (usize, usize) {
    (outbox.queued(), outbox.in_flight())
}

/// Writes `count` bytes, in as many pieces as the ring needs, and keeps them.
fn take(outbox: &mut Outbox<'_>, count: usize, bytes: &mut Vec<u8>) {
    let wanted = bytes.len() + count;
    while bytes.len() < wanted {
        let offered = outbox.unsent(ALL);
        let piece = offered.len().min(wanted - bytes.len());
        assert!(piece > 0, "nothing is offered after {} bytes", bytes.len());
        bytes.extend_from_slice(&offered[..piece]);
        outbox.written(piece, 0, None);
    }
}

#[test]
fn every_byte_and_number_agrees_with_the_model() {
    const STEPS: usize = 20_000;
    for (seed, qos, bytes, records) in [
        (1, AtMostOnce, 70, 5),
        (2, AtLeastOnce, 70, 5),
        (3, ExactlyOnce, 70, 5),
        (4, AtLeastOnce, 41, 64),
        (5, ExactlyOnce, 400, 3),
        (6, ExactlyOnce, 333, 17),
        (7, AtLeastOnce, 900, 60),
        (8, ExactlyOnce, 600, 40),
    ] {
        model::compare(seed, qos, bytes, records, STEPS);
    }
}
