//! What do acknowledgements do, and what does a new connection repeat?

use std::format;
use std::vec::Vec;

use super::*;

#[test]
fn acknowledgements_may_come_in_any_order_and_again() {
    use Acknowledged::{Complete, Repeated};
    for order in [
        [1, 2, 3],
        [1, 3, 2],
        [2, 1, 3],
        [2, 3, 1],
        [3, 1, 2],
        [3, 2, 1],
    ] {
        let mut store = Store::of(200, 8);
        let mut outbox = store.outbox(AtLeastOnce);
        put(&mut outbox, "abc").expect("room");
        sent(&mut outbox, ALL);
        for id in order {
            assert_eq!(
                outbox.acknowledge(Ack::Puback, id, 0),
                Ok(Complete),
                "{id} of {order:?}"
            );
            assert_eq!(
                outbox.acknowledge(Ack::Puback, id, 0),
                Ok(Repeated),
                "{id} of {order:?}"
            );
        }
        assert!(outbox.is_empty(), "{order:?}");
    }
}

#[test]
fn an_acknowledgement_that_breaks_the_standard_is_refused_and_changes_nothing() {
    use Ack::{Puback, Pubcomp, Pubrec};
    for (qos, ack, violation) in [
        (AtMostOnce, Puback, Violation::AckOfQoS0),
        (AtLeastOnce, Pubrec, Violation::WrongAckForQoS1),
        (AtLeastOnce, Pubcomp, Violation::WrongAckForQoS1),
        (ExactlyOnce, Pubcomp, Violation::PubcompBeforePubrec),
    ] {
        let mut store = Store::of(64, 4);
        let mut outbox = store.outbox(qos);
        put(&mut outbox, "a").expect("room");
        sent(&mut outbox, ALL);
        let before = load(&outbox);
        assert_eq!(
            outbox.acknowledge(ack, 1, 0),
            Err(violation),
            "{qos:?} {ack:?}"
        );
        assert_eq!(load(&outbox), before);
    }
}

#[test]
fn nobody_can_acknowledge_a_packet_that_is_half_written_for_the_first_time() {
    for (qos, ack) in [(AtLeastOnce, Ack::Puback), (ExactlyOnce, Ack::Pubrec)] {
        let mut store = Store::of(64, 4);
        let mut outbox = store.outbox(qos);
        put(&mut outbox, "a").expect("room");
        take(&mut outbox, PACKET - 1, &mut Vec::new());
        assert_eq!(
            outbox.acknowledge(ack, 1, 0),
            Err(Violation::AckOfUnsent),
            "{qos:?}"
        );
        outbox.written(1, 0, None);
        assert!(outbox.acknowledge(ack, 1, 0).is_ok(), "{qos:?}");
    }
}

#[test]
fn a_new_connection_repeats_what_is_unacknowledged_in_its_order_before_anything_new() {
    let mut store = Store::of(200, 8);
    let mut outbox = store.outbox(ExactlyOnce);
    put(&mut outbox, "abcde").expect("room");
    assert_eq!(sent(&mut outbox, ALL), "a1 b2 c3 d4 e5");
    for id in [2, 4] {
        assert_eq!(
            outbox.acknowledge(Ack::Pubrec, id, 0),
            Ok(Acknowledged::SendPubrel)
        );
    }
    outbox.acknowledge(Ack::Pubcomp, 4, 0).expect("released");
    put(&mut outbox, "f").expect("room");
    for _ in 0..3 {
        outbox.start_over();
        let repeated = "a1+ rel2 c3+ e5+";
        assert!(
            sent(&mut outbox, 5).starts_with(repeated),
            "d is done with, f waits for the window"
        );
    }
    assert_eq!(sent(&mut outbox, ALL), "f6");
}

#[test]
fn dup_is_set_on_what_was_sent_whole_and_on_nothing_else() {
    let mut store = Store::of(200, 8);
    let mut outbox = store.outbox(AtLeastOnce);
    put(&mut outbox, "abc").expect("room");
    take(&mut outbox, PACKET + 5, &mut Vec::new());
    outbox.start_over();
    assert_eq!(load(&outbox), (2, 1));
    assert_eq!(sent(&mut outbox, ALL), "a1+ b2 c3");
}

#[test]
fn what_is_acknowledged_while_it_is_half_repeated_is_done_with_on_the_next_connection() {
    let mut store = Store::of(200, 8);
    let mut outbox = store.outbox(AtLeastOnce);
    put(&mut outbox, "ab").expect("room");
    assert_eq!(sent(&mut outbox, 1), "a1");
    outbox.start_over();
    take(&mut outbox, 5, &mut Vec::new());
    assert_eq!(
        outbox.acknowledge(Ack::Puback, 1, 0),
        Ok(Acknowledged::Complete)
    );
    assert_eq!(load(&outbox), (1, 1), "its packet is to be finished");
    outbox.start_over();
    assert_eq!(load(&outbox), (1, 0), "it takes no place in the window");
    assert_eq!(sent(&mut outbox, 1), "b2");
}

#[test]
fn a_repetition_that_is_half_written_is_finished_whatever_is_acknowledged_meanwhile() {
    use Ack::{Puback, Pubcomp, Pubrec};
    // The acknowledgements that come while the repetition of "a" is half written.
    for (qos, acks) in [
        (AtLeastOnce, &[][..]),
        (AtLeastOnce, &[(Puback, 1)]),
        (AtLeastOnce, &[(Puback, 2), (Puback, 1), (Puback, 3)]),
        (ExactlyOnce, &[(Pubrec, 1)]),
        (ExactlyOnce, &[(Pubrec, 1), (Pubcomp, 1)]),
        (
            ExactlyOnce,
            &[(Pubrec, 2), (Pubcomp, 2), (Pubrec, 1), (Pubcomp, 1)],
        ),
    ] {
        for start in 0..3 * PACKET {
            for cut in 1..PACKET {
                let mut store = Store::of(3 * PACKET, 3);
                let mut outbox = store.outbox_at(qos, start, 0, 1);
                put(&mut outbox, "abc").expect("room");
                sent(&mut outbox, ALL);
                outbox.start_over();
                let mut bytes = Vec::new();
                take(&mut outbox, cut, &mut bytes);
                for (ack, id) in acks {
                    outbox.acknowledge(*ack, *id, 0).expect("allowed");
                }
                let context = format!("{qos:?} {acks:?} from {start} cut at {cut}");
                while outbox.is_half_written() {
                    let rest = outbox.rest_of_packet().to_vec();
                    assert!(!rest.is_empty(), "{context}");
                    outbox.written(rest.len(), 0, None);
                    bytes.extend(rest);
                }
                assert_eq!(tell(&bytes), "a1+", "{context}");
                let others = sent(&mut outbox, ALL);
                for (letter, id) in [("b2+", 2), ("c3+", 3)] {
                    let acknowledged = acks.iter().any(|(_, acked)| *acked == id);
                    assert_eq!(
                        others.contains(letter),
                        !acknowledged,
                        "{context}: {others}"
                    );
                }
            }
        }
    }
}
