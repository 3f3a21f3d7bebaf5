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
        for start in 0..3 * RECORD {
            for is_handed_out in [false, true] {
                let mut store = Store::of(3 * RECORD);
                let mut sender = store.outbox_at(AtLeastOnce, start, 1);
                put(&mut sender, flight).expect("room");
                sent(&mut sender, ALL);
                put(&mut sender, queue).expect("room");
                if is_handed_out {
                    sender.unsent(ALL);
                }
                let context = format!("{flight}|{queue}|{new} from {start}");
                assert_eq!(put(&mut sender, new), Ok(dropped.to_string()), "{context}");
                assert_eq!(sent(&mut sender, ALL), sent_now, "{context}");
                sender.start_over();
                assert_eq!(sent(&mut sender, ALL), sent_next, "{context}");
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
        let bytes = (flight + queue.len()) * RECORD;
        let mut store = Store::of(bytes);
        let mut sender = store.outbox_at(AtLeastOnce, bytes - 20, 1);
        put(&mut sender, &"z".repeat(flight)).expect("room");
        sent(&mut sender, ALL);
        put(&mut sender, queue).expect("room");
        assert_eq!(put(&mut sender, "e"), Ok(dropped.to_string()), "{flight}");
        let left = queue.len() - dropped.len() + 1;
        assert_eq!(load(&sender), (left, flight));
        sender.start_over();
        let again = sent(&mut sender, ALL);
        assert!(again.starts_with("z1+ z2+ z3+ "), "{again}");
        assert!(again.ends_with(&format!(" e{}", flight + left)), "{again}");
    }
}

#[test]
fn a_long_sample_drops_as_many_as_it_needs() {
    let mut store = Store::of(4 * RECORD);
    let mut sender = store.outbox(AtLeastOnce);
    put(&mut sender, "a").expect("room");
    sent(&mut sender, ALL);
    put(&mut sender, "bcd").expect("room");
    // As long as two and a half of the others.
    let long = Sample::of_text(b"z2345678901234567,1", Quality::Good).expect("a comma");
    let dropped = sender.queue(0, false, &long);
    assert_eq!(dropped, Ok([b'b', b'c', b'd'].map(u32::from).to_vec()));
    assert_eq!(sent(&mut sender, ALL), "z2");
}

#[test]
fn that_there_is_no_room_is_said_when_dropping_would_not_help_and_changes_nothing() {
    // Bytes; in flight; why there is no room for one more.
    for (bytes, flight, why) in [
        (2 * RECORD, "ab", "all of it is in flight"),
        (3 * RECORD - 1, "ab", "one byte is missing"),
        (RECORD - 1, "", "the storage is smaller than a sample"),
        (0, "", "no bytes"),
    ] {
        let mut store = Store::of(bytes);
        let mut sender = store.outbox(AtLeastOnce);
        put(&mut sender, flight).expect("room");
        sent(&mut sender, ALL);
        assert_eq!(put(&mut sender, "z"), Err(Full), "{why}");
        assert_eq!(load(&sender), (0, flight.len()), "{why}");
        sender.start_over();
        let again = flight
            .chars()
            .zip(1..)
            .map(|(letter, id)| format!("{letter}{id}+"));
        assert_eq!(
            sent(&mut sender, ALL),
            again.collect::<Vec<_>>().join(" "),
            "{why}"
        );
    }
}

#[test]
fn a_half_written_message_is_never_dropped() {
    for qos in [AtMostOnce, AtLeastOnce, ExactlyOnce] {
        for start in 0..2 * RECORD {
            for cut in 1..PACKET {
                let mut store = Store::of(2 * RECORD);
                let mut sender = store.outbox_at(qos, start, 1);
                put(&mut sender, "ab").expect("room");
                let mut bytes = Vec::new();
                take(&mut sender, cut, &mut bytes);
                assert_eq!(put(&mut sender, "c"), Ok("b".to_string()));
                take(&mut sender, 2 * PACKET - cut, &mut bytes);
                let context = format!("{qos:?} from {start} cut at {cut}");
                assert_eq!(tell(&bytes[..PACKET])[..1], *"a", "{context}");
                assert_eq!(tell(&bytes[PACKET..])[..1], *"c", "{context}");
            }
        }
    }
}

#[test]
fn an_outbox_that_grows_into_its_storage_keeps_its_samples_in_order() {
    for bytes in [100_000, 30_000] {
        let mut store = Store::of(bytes);
        let mut sender = store.outbox(AtLeastOnce);
        let (mut newest, mut oldest, mut next_id) = (0_u32, 0_u32, 1);
        // Each round queues more than it delivers, so that the ring turns as it fills; the last ones overflow.
        for round in 0..300 {
            for _ in 0..40 {
                let text = format!("{newest:07},12");
                let sample = Sample::of_text(text.as_bytes(), Quality::Good).expect("a comma");
                for lost in sender.queue(newest, false, &sample).expect("room") {
                    assert_eq!(lost, oldest, "round {round}");
                    oldest += 1;
                }
                newest += 1;
            }
            for _ in 0..4 {
                let len = sender.unsent(10).len();
                sender.written(len, 0);
            }
            while sender.outbox.in_flight() > 0 {
                assert_eq!(
                    sender.acknowledge(Reply::Accepted, next_id, 0),
                    Ok(Acknowledged::Complete)
                );
                next_id += 1;
                oldest += 1;
            }
            let expected = (oldest..newest).map(|signal| (signal, format!("{signal:07},12")));
            assert!(
                sender.unconfirmed().into_iter().eq(expected),
                "round {round}"
            );
        }
        assert!(
            oldest > u32::from(next_id) || bytes == 100_000,
            "nothing was dropped"
        );
    }
}
