//! What makes place when there is no room?

use std::format;
use std::string::ToString;
use std::vec::Vec;

use super::*;

#[test]
fn the_oldest_unsent_makes_place_and_what_is_in_flight_stays_whole() {
    // In flight, queued, new; dropped; then sent on this connection, and on the next one.
    for (flight, queue, new, dropped, sent_now, sent_next) in [
        ("", "abc", "d", "a", "b1 c2 d3", "b1+ c2+ d3+"),
        ("a", "bc", "d", "b", "c2 d3", "a1+ c2+ d3+"),
        ("ab", "c", "d", "c", "d3", "a1+ b2+ d3+"),
        ("a", "bc", "def", "bcd", "e2 f3", "a1+ e2+ f3+"),
    ] {
        for start in 0..3 * PACKET {
            for first in 0..3 {
                let mut store = Store::of(3 * PACKET, 3);
                let mut outbox = store.outbox_at(AtLeastOnce, start, first, 1);
                put(&mut outbox, flight).expect("room");
                sent(&mut outbox, ALL);
                put(&mut outbox, queue).expect("room");
                assert_eq!(put(&mut outbox, new), Ok(dropped.to_string()));
                assert_eq!(
                    sent(&mut outbox, ALL),
                    sent_now,
                    "{flight}|{queue}|{new} from {start}, {first}"
                );
                outbox.start_over();
                assert_eq!(
                    sent(&mut outbox, ALL),
                    sent_next,
                    "{flight}|{queue}|{new} from {start}, {first}"
                );
            }
        }
    }
}

#[test]
fn with_many_in_flight_a_few_are_dropped_at_once() {
    // In flight, queued; dropped.
    for (flight, queue, dropped) in [
        (15, "abcd", "a"),
        (16, "abcd", "ab"),
        (47, "abcd", "abc"),
        (48, "abc", "abc"),
        (100, "abc", "abc"),
    ] {
        let count = flight + queue.len();
        for (bytes, records) in [(count * PACKET, count + 1), (count * PACKET + 99, count)] {
            let mut store = Store::of(bytes, records);
            let mut outbox = store.outbox_at(AtLeastOnce, bytes - 20, records - 2, 1);
            put(&mut outbox, &"z".repeat(flight)).expect("room");
            sent(&mut outbox, ALL);
            put(&mut outbox, queue).expect("room");
            assert_eq!(put(&mut outbox, "e"), Ok(dropped.to_string()), "{flight}");
            let left = queue.len() - dropped.len() + 1;
            assert_eq!(load(&outbox), (left, flight));
            outbox.start_over();
            let again = sent(&mut outbox, ALL);
            assert!(again.starts_with("z1+ z2+ z3+ "), "{again}");
            assert!(again.ends_with(&format!(" e{}", flight + left)), "{again}");
        }
    }
}

#[test]
fn a_long_message_drops_as_many_as_it_needs() {
    let mut store = Store::of(4 * PACKET, 4);
    let mut outbox = store.outbox(AtLeastOnce);
    put(&mut outbox, "a").expect("room");
    sent(&mut outbox, ALL);
    put(&mut outbox, "bcd").expect("room");
    let long = Message {
        signal: 0,
        is_aside: false,
        topic: b"a topic of 20 bytes.",
        payload: [b"z", b",", b"1", b",1"],
    };
    let mut dropped = Vec::new();
    assert_eq!(outbox.append(&long, |signal| dropped.push(signal)), Ok(()));
    assert_eq!(dropped, [b'b', b'c', b'd'].map(u32::from));
    assert_eq!(sent(&mut outbox, ALL), "z2");
}

#[test]
fn full_is_said_when_dropping_would_not_help_and_changes_nothing() {
    // Bytes, records; in flight; why there is no room for one more.
    for (bytes, records, flight, why) in [
        (2 * PACKET, 9, "ab", "bytes"),
        (3 * PACKET - 1, 9, "ab", "one byte is missing"),
        (99, 2, "ab", "records"),
        (PACKET - 1, 9, "", "the storage is smaller than a packet"),
        (99, 0, "", "no records"),
        (0, 9, "", "no bytes"),
    ] {
        let mut store = Store::of(bytes, records);
        let mut outbox = store.outbox(AtLeastOnce);
        put(&mut outbox, flight).expect("room");
        sent(&mut outbox, ALL);
        assert_eq!(put(&mut outbox, "z"), Err(Full), "{why}");
        assert_eq!(load(&outbox), (0, flight.len()), "{why}");
        outbox.start_over();
        let again = flight
            .chars()
            .zip(1..)
            .map(|(letter, id)| format!("{letter}{id}+"));
        assert_eq!(
            sent(&mut outbox, ALL),
            again.collect::<Vec<_>>().join(" "),
            "{why}"
        );
    }
}

#[test]
fn a_message_over_the_longest_packet_is_refused() {
    let mut store = Store::of(2 * MAX_PACKET, 4);
    let mut outbox = store.outbox(AtLeastOnce);
    let topic = [b'x'; MAX_TOPIC + 1];
    let message = Message {
        signal: 0,
        is_aside: false,
        topic: &topic,
        payload: [&[b'1'; MAX_PAYLOAD - 4], b",", b"2", b",1"],
    };
    assert_eq!(outbox.append(&message, |_| ()), Err(Full));
    assert!(outbox.is_empty());
}

#[test]
fn a_half_written_message_is_never_dropped() {
    for qos in [AtMostOnce, AtLeastOnce, ExactlyOnce] {
        let packet = if qos == AtMostOnce {
            PACKET - 2
        } else {
            PACKET
        };
        for start in 0..2 * packet {
            for cut in 1..packet {
                let mut store = Store::of(2 * packet, 2);
                let mut outbox = store.outbox_at(qos, start, 0, 1);
                put(&mut outbox, "ab").expect("room");
                let mut bytes = Vec::new();
                take(&mut outbox, cut, &mut bytes);
                assert_eq!(put(&mut outbox, "c"), Ok("b".to_string()));
                take(&mut outbox, 2 * packet - cut, &mut bytes);
                let context = format!("{qos:?} from {start} cut at {cut}");
                assert_eq!(tell(&bytes[..packet])[..1], *"a", "{context}");
                assert_eq!(tell(&bytes[packet..])[..1], *"c", "{context}");
            }
        }
    }
}

#[test]
fn buffer_size_is_divided_without_a_rest() {
    for size in [1024, 1_048_576, 65_537] {
        let (bytes, records) = divide(size);
        assert_eq!(bytes + records * 8, size);
        assert!(
            bytes / 32 >= records && bytes / 33 <= records,
            "packets of 32 bytes use both up"
        );
    }
}

#[test]
fn an_outbox_that_grows_into_its_storage_keeps_its_messages_in_order() {
    for (bytes, records) in [(100_000, 3_000), (100_000, 1_500), (30_000, 3_000)] {
        let mut store = Store::of(bytes, records);
        let mut outbox = store.outbox(AtLeastOnce);
        let (mut newest, mut oldest, mut next_id) = (0_u32, 0_u32, 1);
        // Each round queues more than it delivers, so that the ring turns as it fills; the last ones overflow.
        for round in 0..120 {
            for _ in 0..40 {
                let text = format!("{newest:07}");
                let message = Message {
                    signal: newest,
                    is_aside: false,
                    topic: b"t",
                    payload: [text.as_bytes(), b",", b"12", b",1"],
                };
                let in_order = |lost: u32| {
                    assert_eq!(lost, oldest, "round {round}");
                    oldest += 1;
                };
                assert_eq!(outbox.append(&message, in_order), Ok(()));
                newest += 1;
            }
            // In two pieces where the ring turns.
            for _ in 0..2 {
                let len = outbox.unsent(10).len();
                outbox.written(len, 0, None);
            }
            while outbox.in_flight() > 0 {
                assert_eq!(
                    outbox.acknowledge(Ack::Puback, next_id, 0),
                    Ok(Acknowledged::Complete)
                );
                next_id += 1;
                oldest += 1;
            }
            let mut expected = oldest..newest;
            outbox.for_each_unconfirmed(|signal, packet| {
                assert_eq!(Some(signal), expected.next(), "round {round}");
                let publish = Publish::decode(packet).expect("a PUBLISH");
                assert_eq!(publish.payload, format!("{signal:07},12,1").as_bytes());
            });
            assert_eq!(expected.next(), None, "round {round}");
        }
        assert!(oldest > 1_200, "nothing was dropped");
    }
}
