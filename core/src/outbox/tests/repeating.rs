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
        let mut store = Store::of(200);
        let mut sender = store.outbox(AtLeastOnce);
        put(&mut sender, "abc").expect("room");
        sent(&mut sender, ALL);
        for id in order {
            assert_eq!(
                sender.acknowledge(Reply::Accepted, id, 0),
                Ok(Complete),
                "{id} of {order:?}"
            );
            assert_eq!(
                sender.acknowledge(Reply::Accepted, id, 0),
                Ok(Repeated),
                "{id} of {order:?}"
            );
        }
        assert!(sender.outbox.is_empty(), "{order:?}");
    }
}

#[test]
fn an_acknowledgement_that_breaks_the_standard_is_refused_and_changes_nothing() {
    use Reply::{Accepted, Completed, Received};
    for (qos, reply, breach) in [
        (AtMostOnce, Accepted, Breach::ReplyAtQoS0),
        (AtLeastOnce, Received, Breach::NotAccepted),
        (AtLeastOnce, Completed, Breach::NotAccepted),
        (ExactlyOnce, Completed, Breach::CompletedBeforeReceived),
    ] {
        let mut store = Store::of(64);
        let mut sender = store.outbox(qos);
        put(&mut sender, "a").expect("room");
        sent(&mut sender, ALL);
        let before = load(&sender);
        assert_eq!(
            sender.acknowledge(reply, 1, 0),
            Err(breach),
            "{qos:?} {reply:?}"
        );
        assert_eq!(load(&sender), before);
    }
}

#[test]
fn nobody_can_acknowledge_a_packet_that_is_half_written_for_the_first_time() {
    for (qos, reply) in [
        (AtLeastOnce, Reply::Accepted),
        (ExactlyOnce, Reply::Received),
    ] {
        let mut store = Store::of(64);
        let mut sender = store.outbox(qos);
        put(&mut sender, "a").expect("room");
        take(&mut sender, PACKET - 1, &mut Vec::new());
        assert_eq!(
            sender.acknowledge(reply, 1, 0),
            Err(Breach::Unsent),
            "{qos:?}"
        );
        sender.written(1, 0);
        assert!(sender.acknowledge(reply, 1, 0).is_ok(), "{qos:?}");
    }
}

#[test]
fn a_new_connection_repeats_what_is_unacknowledged_in_its_order_before_anything_new() {
    let mut store = Store::of(200);
    let mut sender = store.outbox(ExactlyOnce);
    put(&mut sender, "abcde").expect("room");
    assert_eq!(sent(&mut sender, ALL), "a1 b2 c3 d4 e5");
    for id in [2, 4] {
        assert_eq!(
            sender.acknowledge(Reply::Received, id, 0),
            Ok(Acknowledged::Release)
        );
    }
    sender
        .acknowledge(Reply::Completed, 4, 0)
        .expect("released");
    put(&mut sender, "f").expect("room");
    for _ in 0..3 {
        sender.start_over();
        let repeated = "a1+ rel2 c3+ e5+";
        assert!(
            sent(&mut sender, 5).starts_with(repeated),
            "d is done with, f waits for the window"
        );
    }
    assert_eq!(sent(&mut sender, ALL), "f6");
}

#[test]
fn dup_is_set_on_what_was_sent_whole_and_on_nothing_else() {
    let mut store = Store::of(200);
    let mut sender = store.outbox(AtLeastOnce);
    put(&mut sender, "abc").expect("room");
    take(&mut sender, PACKET + 5, &mut Vec::new());
    sender.start_over();
    assert_eq!(load(&sender), (2, 1));
    assert_eq!(sent(&mut sender, ALL), "a1+ b2 c3");
}

#[test]
fn what_is_acknowledged_while_it_is_half_repeated_is_done_with_on_the_next_connection() {
    let mut store = Store::of(200);
    let mut sender = store.outbox(AtLeastOnce);
    put(&mut sender, "ab").expect("room");
    assert_eq!(sent(&mut sender, 1), "a1");
    sender.start_over();
    take(&mut sender, 5, &mut Vec::new());
    assert_eq!(
        sender.acknowledge(Reply::Accepted, 1, 0),
        Ok(Acknowledged::Complete)
    );
    assert_eq!(load(&sender), (1, 1), "its packet is to be finished");
    sender.start_over();
    assert_eq!(load(&sender), (1, 0), "it takes no place in the window");
    assert_eq!(sent(&mut sender, 1), "b2");
}

#[test]
fn a_repetition_that_is_half_written_is_finished_whatever_is_acknowledged_meanwhile() {
    use Reply::{Accepted, Completed, Received};
    // The acknowledgements that come while the repetition of "a" is half written.
    for (qos, acks) in [
        (AtLeastOnce, &[][..]),
        (AtLeastOnce, &[(Accepted, 1)]),
        (AtLeastOnce, &[(Accepted, 2), (Accepted, 1), (Accepted, 3)]),
        (ExactlyOnce, &[(Received, 1)]),
        (ExactlyOnce, &[(Received, 1), (Completed, 1)]),
        (
            ExactlyOnce,
            &[(Received, 2), (Completed, 2), (Received, 1), (Completed, 1)],
        ),
    ] {
        for start in 0..3 * RECORD {
            for cut in 1..PACKET {
                let mut store = Store::of(3 * RECORD);
                let mut sender = store.outbox_at(qos, start, 1);
                put(&mut sender, "abc").expect("room");
                sent(&mut sender, ALL);
                sender.start_over();
                let mut bytes = Vec::new();
                take(&mut sender, cut, &mut bytes);
                for (ack, id) in acks {
                    sender.acknowledge(*ack, *id, 0).expect("allowed");
                }
                let context = format!("{qos:?} {acks:?} from {start} cut at {cut}");
                while sender.is_half_written() {
                    let rest = sender.rest_of_packet().to_vec();
                    assert!(!rest.is_empty(), "{context}");
                    sender.written(rest.len(), 0);
                    bytes.extend(rest);
                }
                assert_eq!(tell(&bytes), "a1+", "{context}");
                let others = sent(&mut sender, ALL);
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
