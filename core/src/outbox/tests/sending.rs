//! What goes to the network, in which pieces, and under which identifiers?

use std::format;
use std::string::String;
use std::vec;
use std::vec::Vec;

use super::*;

#[test]
fn a_message_lies_there_as_the_packet_that_it_becomes() {
    for (qos, retain, packet) in [
        (AtMostOnce, false, &b"\x30\x09\x00\x01ta,12,1"[..]),
        (AtMostOnce, true, b"\x31\x09\x00\x01ta,12,1"),
        (AtLeastOnce, false, b"\x32\x0b\x00\x01t\x00\x01a,12,1"),
        (ExactlyOnce, true, b"\x35\x0b\x00\x01t\x00\x01a,12,1"),
    ] {
        let mut store = Store::of(64, 4);
        let mut outbox = Outbox::new(&mut store.bytes, &mut store.records, qos, retain);
        assert_eq!(put(&mut outbox, "a"), Ok(String::new()));
        assert_eq!(outbox.unsent(ALL), packet, "{qos:?}");
    }
}

#[test]
fn topics_of_every_length_make_well_formed_packets() {
    let topic = [b'x'; MAX_TOPIC];
    for qos in [AtMostOnce, AtLeastOnce, ExactlyOnce] {
        for len in 0..=MAX_TOPIC {
            let mut store = Store::of(MAX_PACKET, 1);
            let mut outbox = store.outbox(qos);
            let message = Message {
                signal: 0,
                is_aside: false,
                topic: &topic[..len],
                payload: [&[b'1'; MAX_PAYLOAD - 4], b",", b"2", b",1"],
            };
            assert_eq!(outbox.append(&message, |_| ()), Ok(()));
            let offered = outbox.unsent(ALL).to_vec();
            let publish = Publish::decode(&offered).expect("a PUBLISH");
            assert_eq!(
                (publish.topic.len(), publish.payload.len()),
                (len, MAX_PAYLOAD)
            );
            assert_eq!(publish.packet_id, (qos != AtMostOnce).then_some(1));
            assert_eq!(
                outbox.written(offered.len(), 0, None),
                1,
                "one whole packet"
            );
        }
    }
}

#[test]
fn a_message_is_freed_when_it_is_done_with() {
    use Ack::{Puback, Pubcomp, Pubrec};
    use Acknowledged::{Complete, SendPubrel};
    for (qos, told, steps) in [
        (AtMostOnce, "a", &[][..]),
        (AtLeastOnce, "a1", &[(Puback, Complete)]),
        (
            ExactlyOnce,
            "a1",
            &[(Pubrec, SendPubrel), (Pubcomp, Complete)],
        ),
    ] {
        let mut store = Store::of(64, 4);
        let mut outbox = store.outbox(qos);
        put(&mut outbox, "a").expect("room");
        assert_eq!((load(&outbox), outbox.is_empty()), ((1, 0), false));
        assert_eq!(sent(&mut outbox, ALL), told);
        for (ack, answer) in steps {
            assert_eq!(
                (load(&outbox), outbox.is_empty()),
                ((0, 1), false),
                "{qos:?} before {ack:?}"
            );
            assert_eq!(
                outbox.acknowledge(*ack, 1, 0),
                Ok(*answer),
                "{qos:?} {ack:?}"
            );
        }
        assert_eq!(
            (load(&outbox), outbox.is_empty()),
            ((0, 0), true),
            "{qos:?}"
        );
    }
}

#[test]
fn packets_are_whole_wherever_the_rings_wrap() {
    for qos in [AtMostOnce, AtLeastOnce, ExactlyOnce] {
        for start in 0..3 * PACKET {
            for first in 0..4 {
                let mut store = Store::of(3 * PACKET, 4);
                let mut outbox = store.outbox_at(qos, start, first, 1);
                assert_eq!(put(&mut outbox, "abc"), Ok(String::new()));
                let told = if qos == AtMostOnce {
                    "a b c"
                } else {
                    "a1 b2 c3"
                };
                assert_eq!(
                    sent(&mut outbox, ALL),
                    told,
                    "{qos:?} from {start}, {first}"
                );
            }
        }
    }
}

#[test]
fn the_network_may_take_pieces_of_any_size() {
    for qos in [AtMostOnce, AtLeastOnce, ExactlyOnce] {
        for start in 0..3 * PACKET {
            for piece in 1..3 * PACKET {
                let mut store = Store::of(3 * PACKET, 4);
                let mut outbox = store.outbox_at(qos, start, 0, 1);
                put(&mut outbox, "abc").expect("room");
                let told = if qos == AtMostOnce {
                    "a b c"
                } else {
                    "a1 b2 c3"
                };
                let context = format!("{qos:?} from {start} in pieces of {piece}");
                assert_eq!(sent_in_pieces(&mut outbox, ALL, piece), told, "{context}");
                assert!(!outbox.is_half_written(), "{context}");
            }
        }
    }
}

#[test]
fn a_message_counts_as_sent_once_and_only_when_it_is_whole() {
    for qos in [AtMostOnce, AtLeastOnce, ExactlyOnce] {
        let mut store = Store::of(64, 4);
        let mut outbox = store.outbox(qos);
        put(&mut outbox, "a").expect("room");
        let len = outbox.unsent(ALL).len();
        for cut in 1..len {
            assert_eq!(outbox.written(cut, 0, None), 0, "{qos:?} cut at {cut}");
            assert_eq!(
                load(&outbox),
                (1, 1),
                "half of it is begun, and still waits"
            );
            outbox.start_over();
            assert_eq!(load(&outbox), (1, 0), "half a packet is none to the broker");
            assert_eq!(
                outbox.unsent(ALL)[0] & DUP,
                0,
                "nor is the next one a repetition"
            );
        }
        assert_eq!(outbox.written(len - 1, 0, None), 0);
        assert_eq!(outbox.written(1, 0, None), 1, "{qos:?}");
        assert_eq!(outbox.queued(), 0);
        outbox.start_over();
        let len = outbox.unsent(ALL).len();
        assert_eq!(
            outbox.written(len, 0, None),
            0,
            "{qos:?}: a repetition does not count"
        );
    }
}

#[test]
fn the_window_bounds_what_is_in_flight() {
    for window in 1..=4 {
        let mut store = Store::of(200, 8);
        let mut outbox = store.outbox(AtLeastOnce);
        put(&mut outbox, "abcdefg").expect("room");
        let ids: Vec<_> = "abcdefg"
            .chars()
            .zip(1..)
            .map(|(letter, id)| format!("{letter}{id}"))
            .collect();
        assert_eq!(sent(&mut outbox, window), ids[..window].join(" "));
        assert_eq!(load(&outbox), (7 - window, window));
        outbox.acknowledge(Ack::Puback, 1, 0).expect("in flight");
        assert_eq!(sent(&mut outbox, window), ids[window]);
        assert_eq!(outbox.in_flight(), window);
    }
}

#[test]
fn the_window_does_not_hold_back_qos_0() {
    let mut store = Store::of(200, 8);
    let mut outbox = store.outbox(AtMostOnce);
    put(&mut outbox, "abc").expect("room");
    assert_eq!(sent(&mut outbox, 1), "a b c");
}

#[test]
fn identifiers_go_from_65535_to_1() {
    let mut store = Store::of(200, 8);
    let mut outbox = store.outbox_at(AtLeastOnce, 0, 0, 65_534);
    put(&mut outbox, "abcd").expect("room");
    assert_eq!(sent(&mut outbox, ALL), "a65534 b65535 c1 d2");
    for id in [1, 65_535, 2, 65_534] {
        assert_eq!(
            outbox.acknowledge(Ack::Puback, id, 0),
            Ok(Acknowledged::Complete),
            "{id}"
        );
    }
    assert!(outbox.is_empty());
    put(&mut outbox, "e").expect("room");
    assert_eq!(sent(&mut outbox, ALL), "e3");
}

#[test]
fn the_largest_window_uses_every_identifier_once() {
    let mut store = Store::of(PACKET * 70_000, 70_000);
    let mut outbox = store.outbox_at(AtLeastOnce, 0, 0, 40_000);
    let letters = "x".repeat(70_000);
    put(&mut outbox, &letters).expect("room");
    let mut used = vec![false; 65_536];
    loop {
        let count = outbox.unsent(ALL).len();
        if count == 0 {
            break;
        }
        outbox.written(
            count,
            0,
            Some(&mut |packet| {
                let id = Publish::decode(packet)
                    .and_then(|publish| publish.packet_id)
                    .expect("an identifier");
                assert!(
                    !core::mem::replace(&mut used[usize::from(id)], true),
                    "{id} twice"
                );
            }),
        );
    }
    assert_eq!((outbox.in_flight(), used[0]), (65_535, false));
    for id in 1..=65_535 {
        assert_eq!(
            outbox.acknowledge(Ack::Puback, id, 0),
            Ok(Acknowledged::Complete),
            "{id}"
        );
    }
    assert_eq!(load(&outbox), (70_000 - 65_535, 0));
}
