//! How does an outbox outlive its configuration?

use std::string::{String, ToString};
use std::vec::Vec;

use super::*;

#[test]
fn suspended_anywhere_an_outbox_goes_on_where_it_was() {
    for start in [0, RECORD, 3 * RECORD - 5] {
        for cut in 0..3 * PACKET {
            // With more room for handshakes, or less, than before.
            for handshakes in [3, 5, 40] {
                let mut store = Store::of(3 * RECORD);
                store.handshakes.truncate(4);
                let mut bytes = Vec::new();
                let mut sender = store.outbox_at(ExactlyOnce, start, 9);
                put(&mut sender, "abc").expect("room");
                take(&mut sender, cut, &mut bytes);
                let (state, line) = sender.suspend();
                store.handshakes.resize(handshakes, [0xee; 2]);
                let mut sender = store.resume(ExactlyOnce, state);
                sender.line = line;
                take(&mut sender, 3 * PACKET - cut, &mut bytes);
                let told: Vec<_> = bytes.chunks(PACKET).map(tell).collect();
                assert_eq!(told, ["a9", "b10", "c11"], "from {start} cut at {cut}");
                for id in 9..12 {
                    assert_eq!(
                        sender.acknowledge(Reply::Received, id, 0),
                        Ok(Acknowledged::Release)
                    );
                    assert_eq!(
                        sender.acknowledge(Reply::Completed, id, 0),
                        Ok(Acknowledged::Complete)
                    );
                }
                assert!(sender.outbox.is_empty());
            }
        }
    }
}

#[test]
fn the_oldest_handshake_moves_to_the_front_when_an_outbox_is_suspended() {
    let mut store = Store::of(20 * RECORD);
    store.handshakes.truncate(4);
    let mut sender = store.outbox(ExactlyOnce);
    put(&mut sender, "abcdef").expect("room");
    assert_eq!(sent(&mut sender, ALL), "a1 b2 c3 d4");
    for id in [1, 2, 3] {
        sender.acknowledge(Reply::Received, id, 0).expect("sent");
    }
    sender
        .acknowledge(Reply::Completed, 1, 0)
        .expect("released");
    assert_eq!(sent(&mut sender, ALL), "e5", "around the end of the slots");
    let (state, _) = sender.suspend();
    store.handshakes.resize(9, [0xee; 2]);
    let mut sender = store.resume(ExactlyOnce, state);
    sender.start_over();
    assert_eq!(sent(&mut sender, ALL), "rel2 rel3 d4+ e5+ f6");
}

/// "b" is gone, and "c" has moved; the others have capital numbers.
fn new_signal(signal: u32) -> Option<NewSignal> {
    let number = signal - 32;
    let has_moved = signal == u32::from(b'c');
    (signal != u32::from(b'b')).then_some(NewSignal { number, has_moved })
}

#[test]
fn waiting_samples_of_signals_that_are_gone_are_dropped_and_the_others_numbered_anew() {
    for start in 0..5 * RECORD {
        let mut store = Store::of(5 * RECORD);
        let mut sender = store.outbox_at(AtLeastOnce, start, 1);
        put(&mut sender, "abcbd").expect("room");
        let renumbered = sender.outbox.renumber(new_signal);
        assert_eq!(
            renumbered,
            Renumbered {
                dropped: 2,
                has_lost_topics: false
            }
        );
        let left = sender.unconfirmed();
        let expected = [(b'A', "a,12"), (b'C', "c,12"), (b'D', "d,12")];
        let expected = expected.map(|(signal, text)| (u32::from(signal), text.to_string()));
        assert_eq!(left, expected, "from {start}");
        assert_eq!(put(&mut sender, "ef"), Ok(String::new()), "there is room");
        assert_eq!(sent(&mut sender, ALL), "a1 c2 d3 e4 f5");
    }
}

#[test]
fn what_is_in_flight_and_has_lost_its_topic_asks_for_a_new_session() {
    use Reply::{Completed, Received};
    // Sent; replies; whether a topic is lost; what a new session sends.
    for (flight, replies, has_lost_topics, again) in [
        ("a", &[][..], false, "a1+ d2"),
        ("b", &[], true, "d2"),
        ("c", &[], true, "c2 d3"),
        ("c", &[(Received, 1)], true, "c2 d3"),
        ("abc", &[(Received, 2), (Completed, 2)], true, "a4 c5 d6"),
        ("aba", &[(Received, 2), (Completed, 2)], false, "a1+ a3+ d4"),
    ] {
        let mut store = Store::of(200);
        let mut sender = store.outbox(ExactlyOnce);
        put(&mut sender, flight).expect("room");
        sent(&mut sender, ALL);
        put(&mut sender, "d").expect("room");
        for (reply, id) in replies {
            sender.acknowledge(*reply, *id, 0).expect("in flight");
        }
        sender.take_back_unsent();
        let renumbered = sender.outbox.renumber(new_signal);
        let expected = Renumbered {
            dropped: 0,
            has_lost_topics,
        };
        assert_eq!(renumbered, expected, "{flight}");
        // A second reload before the connection ends makes nothing of it.
        let number = |number| {
            let has_moved = false;
            Some(NewSignal { number, has_moved })
        };
        let second = sender.outbox.renumber(number);
        assert_eq!(second.dropped, 0, "{flight}");
        if has_lost_topics {
            let (sent_again, dropped) = sender.outbox.begin_anew();
            let gone = usize::from(flight == "b");
            assert_eq!(
                (sent_again, dropped),
                (flight.len() - replies.len() / 2, gone),
                "{flight}"
            );
        }
        sender.start_over();
        assert_eq!(sent(&mut sender, ALL), again, "{flight}");
    }
}

#[test]
fn half_of_a_sample_whose_signal_is_gone_is_dropped_when_its_connection_ends() {
    let mut store = Store::of(200);
    let mut sender = store.outbox(AtMostOnce);
    put(&mut sender, "bd").expect("room");
    take(&mut sender, 3, &mut Vec::new());
    sender.take_back_unsent();
    let renumbered = sender.outbox.renumber(new_signal);
    assert_eq!((renumbered.dropped, renumbered.has_lost_topics), (0, true));
    assert_eq!(load(&sender), (2, 1), "its packet is to be finished");
    assert_eq!(sender.outbox.begin_anew(), (0, 1));
    sender.start_over();
    assert_eq!(sent(&mut sender, ALL), "d");
}

#[test]
fn what_the_broker_has_not_confirmed_can_be_taken_over() {
    let mut store = Store::of(200);
    let mut sender = store.outbox(ExactlyOnce);
    put(&mut sender, "abcd").expect("room");
    sent(&mut sender, 3);
    for (reply, id) in [
        (Reply::Received, 1),
        (Reply::Received, 3),
        (Reply::Completed, 3),
    ] {
        sender.acknowledge(reply, id, 0).expect("in flight");
    }
    // That "a" is received says that the broker has it.
    let left: Vec<_> = sender
        .unconfirmed()
        .into_iter()
        .map(|(_, text)| text)
        .collect();
    assert_eq!(left, ["b,12", "d,12"]);
}
