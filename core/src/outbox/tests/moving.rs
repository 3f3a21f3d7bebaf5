//! How does an outbox outlive its configuration?

use std::string::ToString;
use std::vec::Vec;

use super::*;

#[test]
fn suspended_anywhere_an_outbox_goes_on_where_it_was() {
    for start in [0, PACKET, 3 * PACKET - 5] {
        for cut in 0..3 * PACKET {
            let mut store = Store::of(3 * PACKET, 3);
            let mut bytes = Vec::new();
            let mut outbox = store.outbox_at(ExactlyOnce, start, 1, 9);
            put(&mut outbox, "abc").expect("room");
            take(&mut outbox, cut, &mut bytes);
            let state = outbox.suspend();
            let mut outbox = Outbox::resume(
                &mut store.bytes,
                &mut store.records,
                ExactlyOnce,
                false,
                state,
            );
            take(&mut outbox, 3 * PACKET - cut, &mut bytes);
            let told: Vec<_> = bytes.chunks(PACKET).map(tell).collect();
            assert_eq!(told, ["a9", "b10", "c11"], "from {start} cut at {cut}");
            for id in 9..12 {
                assert_eq!(
                    outbox.acknowledge(Ack::Pubrec, id, 0),
                    Ok(Acknowledged::SendPubrel)
                );
                assert_eq!(
                    outbox.acknowledge(Ack::Pubcomp, id, 0),
                    Ok(Acknowledged::Complete)
                );
            }
            assert!(outbox.is_empty());
        }
    }
}

#[test]
fn signals_can_be_numbered_anew_and_one_that_is_gone_stays_gone() {
    let mut store = Store::of(3 * PACKET, 3);
    let mut outbox = store.outbox(AtLeastOnce);
    put(&mut outbox, "abc").expect("room");
    let upper = |signal: u32| (signal != u32::from(b'b')).then(|| signal - 32);
    outbox.renumber(upper);
    outbox.renumber(Some);
    let mut signals = Vec::new();
    outbox.for_each_unconfirmed(|signal, packet| signals.push((signal, tell(packet))));
    let told = |signal, letter: &str| (signal, letter.to_string() + "0");
    assert_eq!(
        signals,
        [told(65, "a"), told(NO_SIGNAL, "b"), told(67, "c")]
    );
}

#[test]
fn what_the_broker_has_not_confirmed_can_be_taken_over() {
    let mut store = Store::of(200, 8);
    let mut outbox = store.outbox(ExactlyOnce);
    put(&mut outbox, "abcd").expect("room");
    sent(&mut outbox, 3);
    outbox.acknowledge(Ack::Pubrec, 1, 0).expect("in flight");
    outbox.acknowledge(Ack::Pubrec, 3, 0).expect("in flight");
    outbox.acknowledge(Ack::Pubcomp, 3, 0).expect("released");
    let mut left = Vec::new();
    outbox.for_each_unconfirmed(|_, packet| left.push(tell(packet)));
    // PUBREC for "a" says that the broker has it.
    assert_eq!(left, ["b2", "d0"]);
}
