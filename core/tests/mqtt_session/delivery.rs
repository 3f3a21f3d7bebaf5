//! What is sent, repeated and given up, at each QoS? (MQTT 3.1.1, 4.3 and 4.4.)

use mqtt_client_core::config::{Device, Version};
use mqtt_client_core::mqtt::QoS;
use mqtt_client_core::mqtt::close::Close;
use mqtt_client_core::net::protocol::ClosedBy;

use super::broker::Broker;
use super::{Client, Memory, WELCOME, WELCOME_BACK, device, puback, pubcomp, pubrec};

#[test]
fn what_was_queued_before_the_connection_goes_in_order_once_it_is_let_in() {
    for (qos, said) in [
        (QoS::AtMostOnce, ["PUBLISH a", "PUBLISH b"]),
        (QoS::AtLeastOnce, ["PUBLISH 1 a", "PUBLISH 2 b"]),
        (QoS::ExactlyOnce, ["PUBLISH 1 a", "PUBLISH 2 b"]),
    ] {
        let device = device(qos);
        let mut memory = Memory::for_device(&device);
        let mut client = Client::new(&device, &mut memory);
        client.queues("a");
        client.queues("b");
        client.online(0, WELCOME);
        assert_eq!(client.says(0), said);
        assert_eq!((client.counters().sent, client.counters().queued), (2, 0));
    }
}

#[test]
fn at_qos_1_puback_ends_it() {
    let device = device(QoS::AtLeastOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.online(0, WELCOME);
    client.queues("a");
    assert_eq!(client.says(0), ["PUBLISH 1 a"]);
    assert_eq!(client.hears(1, &puback(1)), Ok(()));
    assert_eq!(client.hears(1, &puback(1)), Ok(()), "a repetition");
    assert_eq!(client.counters().acknowledged, 1);
    assert!(client.session.is_idle());
}

#[test]
fn at_qos_2_pubrec_asks_for_pubrel_and_pubcomp_ends_it() {
    let device = device(QoS::ExactlyOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.online(0, WELCOME);
    client.queues("a");
    assert_eq!(client.says(0), ["PUBLISH 1 a"]);
    assert_eq!(client.hears(1, &pubrec(1)), Ok(()));
    assert_eq!(client.says(1), ["PUBREL 1"]);
    assert_eq!(client.hears(2, &pubrec(1)), Ok(()));
    assert_eq!(client.says(2), ["PUBREL 1"], "asked again, said again");
    assert_eq!(client.hears(3, &pubcomp(1)), Ok(()));
    assert!(client.session.is_idle());
    assert_eq!(client.hears(4, &pubrec(1)), Ok(()));
    assert_eq!(
        client.says(4),
        ["PUBREL 1"],
        "or the broker keeps the identifier for ever"
    );
    assert_eq!(client.hears(5, &pubcomp(1)), Ok(()));
    assert_eq!(client.counters().acknowledged, 1);
}

#[test]
fn after_a_reconnect_the_unacknowledged_go_first_in_their_order() {
    let device = device(QoS::ExactlyOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.online(0, WELCOME);
    for value in ["a", "b", "c"] {
        client.queues(value);
    }
    client.says(0);
    assert_eq!(client.hears(1, &pubrec(2)), Ok(()));
    client.says(1);
    client.closed(2, ClosedBy::Network);
    client.queues("d");
    client.online(3, WELCOME_BACK);
    let again = ["PUBLISH 1+ a", "PUBREL 2", "PUBLISH 3+ c", "PUBLISH 4 d"];
    assert_eq!(client.says(3), again);
    client.closed(4, ClosedBy::Network);
    // A broker that does not remember us is sent no PUBREL, and may have lost what it had not released.
    client.online(5, WELCOME);
    let again = [
        "PUBLISH 1+ a",
        "PUBLISH 2+ b",
        "PUBLISH 3+ c",
        "PUBLISH 4+ d",
    ];
    assert_eq!(client.says(5), again);
    assert_eq!(client.counters().sent, 4, "repetitions do not count");
    assert_eq!(client.counters().reconnects, 2);
}

#[test]
fn in_3_1_a_repeated_pubrel_has_dup_too() {
    let device = Device {
        version: Version::V3_1,
        ..device(QoS::ExactlyOnce)
    };
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    // The first connection wipes out what may be there.
    assert_eq!(client.opened(0), Ok(()));
    client.says(0);
    assert_eq!(client.hears(0, WELCOME), Ok(()));
    let (_, wiped) = client.says_at_last(0);
    client.closed(0, ClosedBy::Us(wiped));
    client.online(1, WELCOME);
    client.queues("a");
    client.says(1);
    assert_eq!(client.hears(1, &pubrec(1)), Ok(()));
    assert_eq!(client.says(1), ["PUBREL 1"]);
    client.closed(2, ClosedBy::Network);
    client.online(3, WELCOME);
    assert_eq!(client.says(3), ["PUBREL 1+"]);
}

#[test]
fn no_more_than_max_inflight_wait_for_their_acknowledgement() {
    for max_inflight in 1..=3 {
        let device = Device {
            max_inflight,
            ..device(QoS::ExactlyOnce)
        };
        let mut memory = Memory::for_device(&device);
        let mut client = Client::new(&device, &mut memory);
        client.online(0, WELCOME);
        for value in ["a", "b", "c", "d"] {
            client.queues(value);
        }
        let window = usize::from(max_inflight);
        assert_eq!(client.says(0).len(), window);
        assert_eq!(client.hears(1, &pubrec(1)), Ok(()));
        assert_eq!(
            client.says(1),
            ["PUBREL 1"],
            "PUBREC does not open the window"
        );
        assert_eq!(client.hears(2, &pubcomp(1)), Ok(()));
        assert_eq!(client.says(2).len(), 1);
        assert_eq!(client.counters().sent, window as u64 + 1);
    }
}

#[test]
fn pubrel_waits_for_the_end_of_a_half_written_publish_but_for_nothing_else() {
    for cut in 1..8 {
        let device = device(QoS::ExactlyOnce);
        let mut memory = Memory::for_device(&device);
        let mut client = Client::new(&device, &mut memory);
        client.online(0, WELCOME);
        client.queues("a");
        client.says(0);
        client.queues("b");
        client.queues("c");
        client.drain(1, cut).expect("online");
        assert_eq!(client.hears(1, &pubrec(1)), Ok(()));
        assert_eq!(
            client.says(1),
            ["PUBLISH 2 b", "PUBREL 1", "PUBLISH 3 c"],
            "cut at {cut}"
        );
    }
}

#[test]
fn every_message_is_counted_as_sent_though_the_network_takes_a_byte_at_a_time() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let device = device(qos);
        let mut memory = Memory::for_device(&device);
        let mut client = Client::new(&device, &mut memory);
        client.online(0, WELCOME);
        for value in ["a", "b", "c"] {
            client.queues(value);
        }
        while client.drain(1, 1).expect("online") > 0 {
            let counters = client.counters();
            assert_eq!(counters.queued + counters.sent, 3, "{qos:?}");
        }
        assert_eq!(client.counters().sent, 3, "{qos:?}");
    }
}

#[test]
fn a_full_outbox_drops_the_oldest_unsent_and_never_what_is_in_flight() {
    let device = Device {
        max_inflight: 2,
        ..device(QoS::AtLeastOnce)
    };
    let mut memory = Memory::for_device(&device);
    // A sample takes eight bytes.
    memory.outbox.truncate(4 * 8);
    let mut client = Client::new(&device, &mut memory);
    client.online(0, WELCOME);
    for value in ["a", "b", "c", "d"] {
        assert_eq!(client.queues(value), 0);
    }
    assert_eq!(client.says(0), ["PUBLISH 1 a", "PUBLISH 2 b"]);
    assert_eq!(client.queues("e"), 1);
    assert_eq!(client.queues("f"), 1);
    client.closed(1, ClosedBy::Network);
    client.online(2, WELCOME_BACK);
    assert_eq!(client.says(2), ["PUBLISH 1+ a", "PUBLISH 2+ b"]);
    assert_eq!(client.hears(3, &[puback(2), puback(1)].concat()), Ok(()));
    assert_eq!(client.says(3), ["PUBLISH 3 e", "PUBLISH 4 f"]);
}

#[test]
fn acknowledgements_that_find_no_room_for_their_answers_wait_in_the_input() {
    let device = device(QoS::ExactlyOnce);
    let mut memory = Memory::for_device(&device);
    // CONNECT just fits: some PUBRELs do, not all.
    memory.control.truncate(memory.control.len() - 64);
    let mut client = Client::new(&device, &mut memory);
    client.online(0, WELCOME);
    for _ in 0..20 {
        client.queues("a");
    }
    assert_eq!(client.says(0).len(), 20);
    let acks: Vec<u8> = (1..=16).flat_map(pubrec).collect();
    assert_eq!(client.hears(1, &acks), Ok(()));
    assert_eq!(
        client.says(1),
        (1..=16)
            .map(|id| format!("PUBREL {id}"))
            .collect::<Vec<_>>()
    );
}

#[test]
fn a_message_arrives_as_often_as_its_qos_says_wherever_the_connection_breaks() {
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let (_, whole) = exchange(qos, &[]);
        for first in 0..whole {
            for second in [1, 7, 30, whole] {
                let (broker, _) = exchange(qos, &[first, second]);
                let mut delivered = broker.payloads();
                if qos == QoS::AtLeastOnce {
                    delivered.dedup();
                    let mut once = Vec::new();
                    delivered.retain(|value| {
                        !once.contains(value) && {
                            once.push(*value);
                            true
                        }
                    });
                }
                assert_eq!(
                    delivered,
                    ["a,1,1", "b,1,1", "c,1,1"],
                    "{qos:?}, broken after {first} and {second} bytes: {:?}",
                    broker.heard
                );
            }
        }
    }
}

/// Three messages to a broker over connections that break after so many bytes in both directions together. The broker, and the bytes of
/// the last connection.
fn exchange(qos: QoS, breaks: &[usize]) -> (Broker, usize) {
    let device = Device {
        max_inflight: 2,
        ..device(qos)
    };
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    let mut broker = Broker::new();
    for value in ["a", "b", "c"] {
        client.queues(value);
    }
    for limit in breaks.iter().copied().chain([usize::MAX; 3]) {
        let (moved, end) = connection(&mut client, &mut broker, limit);
        if client.session.is_idle() {
            let counters = client.counters();
            assert_eq!((counters.sent, counters.acknowledged), (3, 3), "{breaks:?}");
            return (broker, moved);
        }
        client.closed(1, end);
        broker.connection_ended();
    }
    panic!("not all is acknowledged: {breaks:?} {:?}", broker.heard);
}

/// One connection, byte by byte, until nothing moves any more or `limit` bytes have; how many, and who ends it.
fn connection(
    client: &mut Client<'_>,
    broker: &mut Broker,
    limit: usize,
) -> (usize, ClosedBy<Close>) {
    assert_eq!(client.opened(0), Ok(()));
    let mut to_client = Vec::new();
    let mut moved = 0;
    while moved < limit {
        let before = moved;
        match client.drain(0, 1) {
            Ok(0) => {}
            Ok(_) => {
                let byte = client.begun.pop().expect("the byte that was taken");
                to_client.extend(broker.take(&[byte]).bytes);
                moved += 1;
            }
            // CONNACK was lost, and the session that the broker then had for us could have been anybody's.
            Err(close) => return (moved, ClosedBy::Us(close)),
        }
        if moved < limit && !to_client.is_empty() {
            let byte = to_client.remove(0);
            client.hears(0, &[byte]).expect("a good broker");
            moved += 1;
        }
        if moved == before {
            break;
        }
    }
    (moved, ClosedBy::Network)
}

#[test]
fn a_session_suspended_anywhere_goes_on_with_the_next_byte() {
    let device = device(QoS::ExactlyOnce);
    for cut in 0..16 {
        let mut memory = Memory::for_device(&device);
        let mut client = Client::new(&device, &mut memory);
        client.online(0, WELCOME);
        client.queues("a");
        client.queues("b");
        client.drain(1, cut).expect("online");
        assert_eq!(
            client.hears(1, &[0x50]),
            Ok(()),
            "half of an acknowledgement"
        );
        let (begun, state) = (client.begun, client.session.suspend());
        let mut client = Client::resume(&device, &mut memory, state);
        client.begun = begun;
        assert_eq!(
            client.says(2),
            ["PUBLISH 1 a", "PUBLISH 2 b"],
            "cut at {cut}"
        );
        assert_eq!(client.hears(3, &pubrec(1)[1..]), Ok(()));
        assert_eq!(client.says(3), ["PUBREL 1"]);
        assert_eq!(client.counters().sent, 2);
    }
}
