//! What goes to the network, in which pieces, and under which identifiers?

use std::format;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use super::*;

#[test]
fn a_sample_comes_out_byte_for_byte_as_it_was_accepted() {
    let long = "1".repeat(126);
    for text in [
        "0,1",
        "12.5,1708000203824",
        "-.5,007",
        "+12.50,1708000203824",
        "1E+05,1708000203824",
        "-NaN,1708000203824",
        "-1.7976931348623157e+308,18446744073709551615",
        &format!("{long},1"),
    ] {
        for quality in [Quality::Good, Quality::Bad] {
            for start in 0..140 {
                let mut store = Store::of(140);
                let mut sender = store.outbox_at(AtLeastOnce, start, 1);
                let sample = Sample::of_text(text.as_bytes(), quality).expect("a comma");
                assert!(sender.outbox.append(0x3_cdef, false, &sample));
                let outgoing = sender.outbox.next_outgoing(ALL).expect("one waits");
                assert_eq!((outgoing.signal(), outgoing.quality()), (0x3_cdef, quality));
                let mut out = vec![b'?'; outgoing.text_len()];
                sender.outbox.write_text(&outgoing, &mut out);
                assert_eq!(String::from_utf8_lossy(&out), text, "at {start}");
            }
        }
    }
}

#[test]
fn a_sample_whose_text_is_not_in_one_piece_is_joined() {
    let sample = Sample::parse(b" 12.5 , 1708000203824 ,IV").expect("a sample");
    assert_eq!(sample.whole_text(), None);
    let mut store = Store::of(64);
    let mut sender = store.outbox(AtLeastOnce);
    assert!(sender.outbox.append(7, false, &sample));
    assert_eq!(
        sender.unconfirmed(),
        [(7, "12.5,1708000203824".to_string())]
    );
}

#[test]
fn a_message_is_freed_when_it_is_done_with() {
    use Acknowledged::{Complete, Release};
    use Reply::{Accepted, Completed, Received};
    for (qos, told, steps) in [
        (AtMostOnce, "a", &[][..]),
        (AtLeastOnce, "a1", &[(Accepted, Complete)]),
        (
            ExactlyOnce,
            "a1",
            &[(Received, Release), (Completed, Complete)],
        ),
    ] {
        let mut store = Store::of(64);
        let mut sender = store.outbox(qos);
        put(&mut sender, "a").expect("room");
        assert_eq!((load(&sender), sender.outbox.is_empty()), ((1, 0), false));
        assert_eq!(sent(&mut sender, ALL), told);
        for (reply, answer) in steps {
            assert_eq!(
                (load(&sender), sender.outbox.is_empty()),
                ((0, 1), false),
                "{qos:?} before {reply:?}"
            );
            assert_eq!(
                sender.acknowledge(*reply, 1, 0),
                Ok(*answer),
                "{qos:?} {reply:?}"
            );
        }
        assert_eq!(
            (load(&sender), sender.outbox.is_empty()),
            ((0, 0), true),
            "{qos:?}"
        );
    }
}

#[test]
fn samples_are_whole_wherever_the_ring_wraps() {
    for qos in [AtMostOnce, AtLeastOnce, ExactlyOnce] {
        for start in 0..3 * RECORD {
            let mut store = Store::of(3 * RECORD);
            let mut sender = store.outbox_at(qos, start, 1);
            assert_eq!(put(&mut sender, "abc"), Ok(String::new()));
            let told = if qos == AtMostOnce {
                "a b c"
            } else {
                "a1 b2 c3"
            };
            assert_eq!(sent(&mut sender, ALL), told, "{qos:?} from {start}");
        }
    }
}

#[test]
fn the_network_may_take_pieces_of_any_size() {
    for qos in [AtMostOnce, AtLeastOnce, ExactlyOnce] {
        for start in 0..4 * RECORD {
            for piece in 1..4 * PACKET {
                let mut store = Store::of(4 * RECORD);
                let mut sender = store.outbox_at(qos, start, 1);
                put(&mut sender, "abcd").expect("room");
                let told = if qos == AtMostOnce {
                    "a b c d"
                } else {
                    "a1 b2 c3 d4"
                };
                let context = format!("{qos:?} from {start} in pieces of {piece}");
                assert_eq!(sent_in_pieces(&mut sender, ALL, piece), told, "{context}");
                assert!(!sender.outbox.is_half_sent(), "{context}");
            }
        }
    }
}

#[test]
fn a_message_counts_as_sent_once_and_only_when_it_is_whole() {
    for qos in [AtMostOnce, AtLeastOnce, ExactlyOnce] {
        let mut store = Store::of(64);
        let mut sender = store.outbox(qos);
        put(&mut sender, "a").expect("room");
        let len = sender.unsent(ALL).len();
        for cut in 1..len {
            sender.unsent(ALL);
            assert_eq!(sender.written(cut, 0).0, 0, "{qos:?} cut at {cut}");
            assert_eq!(
                load(&sender),
                (1, 1),
                "half of it is begun, and still waits"
            );
            sender.start_over();
            assert_eq!(load(&sender), (1, 0), "half a packet is none to the broker");
            let next = sender.outbox.next_outgoing(ALL).expect("it waits");
            assert!(!next.is_repeated, "nor is the next one a repetition");
        }
        sender.unsent(ALL);
        assert_eq!(sender.written(len - 1, 0).0, 0);
        assert_eq!(sender.written(1, 0).0, 1, "{qos:?}");
        assert_eq!(sender.outbox.queued(), 0);
        sender.start_over();
        let len = sender.unsent(ALL).len();
        assert_eq!(
            sender.written(len, 0).0,
            0,
            "{qos:?}: a repetition does not count"
        );
    }
}

#[test]
fn what_is_handed_out_and_not_sent_can_be_taken_back() {
    for (cut, told) in [
        (0, "a1 b2 c3"),
        (5, "a1 b2 c3"),
        (PACKET, "b2 c3"),
        (PACKET + 1, "b2 c3"),
        (3 * PACKET, ""),
    ] {
        let mut store = Store::of(64);
        let mut sender = store.outbox(AtLeastOnce);
        put(&mut sender, "abc").expect("room");
        sender.unsent(ALL);
        sender.written(cut, 0);
        let before = load(&sender);
        sender.take_back_unsent();
        assert_eq!(load(&sender), before, "nothing was sent or lost by that");
        assert_eq!(sent(&mut sender, ALL), told, "cut at {cut}");
    }
}

#[test]
fn the_window_bounds_what_is_in_flight() {
    for window in 1..=4 {
        let mut store = Store::of(200);
        let mut sender = store.outbox(AtLeastOnce);
        put(&mut sender, "abcdefg").expect("room");
        let ids: Vec<_> = "abcdefg"
            .chars()
            .zip(1..)
            .map(|(letter, id)| format!("{letter}{id}"))
            .collect();
        assert_eq!(sent(&mut sender, window), ids[..window].join(" "));
        assert_eq!(load(&sender), (7 - window, window));
        sender
            .acknowledge(Reply::Accepted, 1, 0)
            .expect("in flight");
        assert_eq!(sent(&mut sender, window), ids[window]);
        assert_eq!(sender.outbox.in_flight(), window);
    }
}

#[test]
fn no_more_are_in_flight_than_there_are_handshakes() {
    let mut store = Store::of(200);
    store.handshakes.truncate(2);
    let mut sender = store.outbox(ExactlyOnce);
    put(&mut sender, "abc").expect("room");
    assert_eq!(sent(&mut sender, ALL), "a1 b2");
    for reply in [Reply::Received, Reply::Completed] {
        sender.acknowledge(reply, 1, 0).expect("in flight");
    }
    assert_eq!(sent(&mut sender, ALL), "c3");
}

#[test]
fn the_window_does_not_hold_back_qos_0() {
    let mut store = Store::of(200);
    store.handshakes.truncate(1);
    let mut sender = store.outbox(AtMostOnce);
    put(&mut sender, "abcde").expect("room");
    assert_eq!(sent_in_pieces(&mut sender, 1, 7), "a b c d e");
}

#[test]
fn identifiers_go_from_65535_to_1() {
    let mut store = Store::of(200);
    let mut sender = store.outbox_at(AtLeastOnce, 0, 65_534);
    put(&mut sender, "abcd").expect("room");
    assert_eq!(sent(&mut sender, ALL), "a65534 b65535 c1 d2");
    for id in [1, 65_535, 2, 65_534] {
        assert_eq!(
            sender.acknowledge(Reply::Accepted, id, 0),
            Ok(Acknowledged::Complete),
            "{id}"
        );
    }
    assert!(sender.outbox.is_empty());
    put(&mut sender, "e").expect("room");
    assert_eq!(sent(&mut sender, ALL), "e3");
}

#[test]
fn the_largest_window_uses_every_identifier_once() {
    let mut store = Store::of(RECORD * 70_000);
    let mut sender = store.outbox_at(AtLeastOnce, 0, 40_000);
    put(&mut sender, &"x".repeat(70_000)).expect("room");
    let mut used = vec![false; 65_536];
    loop {
        let count = sender.unsent(ALL).len();
        if count == 0 {
            break;
        }
        for packet in sender.written(count, 0).1 {
            let id = u16::from_be_bytes([packet[1], packet[2]]);
            let was_used = core::mem::replace(&mut used[usize::from(id)], true);
            assert!(!was_used, "{id} twice");
        }
    }
    assert_eq!((sender.outbox.in_flight(), used[0]), (65_535, false));
    for id in 1..=65_535 {
        assert_eq!(
            sender.acknowledge(Reply::Accepted, id, 0),
            Ok(Acknowledged::Complete),
            "{id}"
        );
    }
    assert_eq!(load(&sender), (70_000 - 65_535, 0));
}
