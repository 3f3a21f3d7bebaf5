//! What if the broker loses its session, or single acknowledgements?

use mqtt_client_core::mqtt::QoS::{self, AtLeastOnce, AtMostOnce, ExactlyOnce};
use mqtt_client_core::mqtt::close::Close;
use mqtt_client_core::mqtt::session::{Event, Session};
use mqtt_client_core::net::protocol::{ClosedBy, Retry};
use mqtt_client_core::random::Random;

use super::{CONFIG, Client, Memory, WELCOME, WELCOME_BACK, device, puback, pubcomp, pubrec};

#[test]
fn a_lost_session_means_lost_values_and_a_resumed_one_does_not() {
    let cases = [
        (AtMostOnce, WELCOME, true),
        (AtLeastOnce, WELCOME, true),
        (AtLeastOnce, WELCOME_BACK, false),
        (ExactlyOnce, WELCOME, true),
        (ExactlyOnce, WELCOME_BACK, false),
    ];
    for (qos, connack, is_lost) in cases {
        let device = device(qos);
        let mut memory = Memory::for_device(&device);
        let mut client = Client::new(&device, &mut memory);
        client.online(0, WELCOME);
        assert_eq!(client.session.poll_event(), None, "nothing is sent yet");
        client.closed(1, ClosedBy::Peer);
        client.online(2, connack);
        let event = is_lost.then_some(Event::ValuesLost);
        assert_eq!(client.session.poll_event(), event, "{qos:?}");
        assert_eq!(client.session.poll_event(), None, "{qos:?}");
    }
}

#[test]
fn puback_ends_a_qos_2_message_of_a_broker_that_has_only_qos_1() {
    let device = device(ExactlyOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.online(0, WELCOME);
    client.queues("a");
    client.queues("b");
    client.says(0);
    assert_eq!(client.hears(1, &puback(1)), Ok(()));
    assert_eq!(client.hears(1, &puback(1)), Ok(()), "a repetition");
    assert_eq!(client.hears(1, &puback(2)), Ok(()));
    assert!(client.says(1).is_empty(), "no PUBREL");
    assert_eq!(client.counters().acknowledged, 2);
    assert!(client.session.is_idle());
}

#[test]
fn of_a_broker_that_has_qos_2_puback_is_a_breach_until_it_begins_a_new_session() {
    let device = device(ExactlyOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.online(0, WELCOME);
    client.queues("a");
    client.queues("b");
    client.says(0);
    assert_eq!(client.hears(1, &pubrec(1)), Ok(()));
    // A bit that flips makes PUBACK of PUBREC: the message would be lost.
    let close = client.hears(1, &puback(2)).expect_err("a breach");
    client.closed(2, ClosedBy::Us(close));
    client.online(3, WELCOME_BACK);
    let close = client.hears(3, &puback(2)).expect_err("a breach");
    client.closed(4, ClosedBy::Us(close));
    client.online(5, WELCOME);
    client.says(5);
    assert_eq!(client.hears(6, &puback(2)), Ok(()));
    assert_eq!(client.counters().acknowledged, 1);
}

#[test]
fn puback_after_pubrec_is_a_breach() {
    let device = device(ExactlyOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.online(0, WELCOME);
    client.queues("a");
    client.says(0);
    assert_eq!(client.hears(1, &pubrec(1)), Ok(()));
    let close = client.hears(2, &puback(1)).expect_err("a breach");
    assert_eq!(
        close.to_string(),
        "the broker breaks the protocol: PUBACK after PUBREC [MQTT-4.3.3-2]"
    );
}

/// A client of QoS 2 whose message 1 awaits PUBCOMP and whose message 2 awaits PUBREC, at time 1.
fn half_released<'a>(
    device: &'a mqtt_client_core::config::Device<'a>,
    memory: &'a mut Memory,
) -> Client<'a> {
    let mut client = Client::new(device, memory);
    client.online(0, WELCOME);
    client.queues("a");
    client.queues("b");
    client.says(0);
    assert_eq!(client.hears(1, &pubrec(1)), Ok(()));
    assert_eq!(client.says(1), ["PUBREL 1"]);
    client
}

#[test]
fn a_pubrel_that_ends_three_connections_begins_the_session_anew() {
    let device = device(ExactlyOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = half_released(&device, &mut memory);
    assert_eq!(client.closed(2, ClosedBy::Peer), Retry::BackOff);
    for (time, retry) in [(10, Retry::BackOff), (20, Retry::AtOnce)] {
        client.online(time, WELCOME_BACK);
        assert_eq!(client.says(time), ["PUBREL 1", "PUBLISH 2+ b"]);
        assert_eq!(client.closed(time, ClosedBy::Peer), retry, "at {time}");
    }
    // Message 2 may be why, so PUBREL goes alone.
    for (time, retry) in [
        (23, Retry::BackOff),
        (25, Retry::BackOff),
        (27, Retry::AtOnce),
    ] {
        client.online(time, WELCOME_BACK);
        assert_eq!(client.says(time), ["PINGREQ"]);
        assert_eq!(client.hears(time, super::PINGRESP), Ok(()));
        assert_eq!(client.says(time), ["PUBREL 1"]);
        assert_eq!(client.closed(time, ClosedBy::Peer), retry, "at {time}");
    }
    // The old session is wiped out over a connection of its own.
    assert_eq!(client.opened(30), Ok(()));
    assert_eq!(client.says(30), ["CONNECT 4 clean"]);
    assert_eq!(client.hears(30, WELCOME), Ok(()));
    let (said, close) = client.says_at_last(30);
    assert_eq!((said, close), (vec!["DISCONNECT".into()], Close::Wiped));
    assert_eq!(client.closed(30, ClosedBy::Us(Close::Wiped)), Retry::AtOnce);
    client.online(31, WELCOME);
    // A broker that hands a message on at PUBREL has lost 1 with the session.
    assert_eq!(client.says(31), ["PINGREQ"]);
    assert_eq!(client.hears(31, super::PINGRESP), Ok(()));
    assert_eq!(client.says(31), ["PUBLISH 1+ a"]);
    assert_eq!(client.counters().acknowledged, 0);
    assert_eq!(
        client.session.poll_event(),
        None,
        "retained values are still there"
    );
}

#[test]
fn a_pubrel_that_alone_ends_three_connections_begins_the_session_anew_at_once() {
    let device = device(ExactlyOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.online(0, WELCOME);
    client.queues("a");
    client.says(0);
    assert_eq!(client.hears(1, &pubrec(1)), Ok(()));
    assert_eq!(client.says(1), ["PUBREL 1"]);
    assert_eq!(client.closed(2, ClosedBy::Peer), Retry::BackOff);
    for (time, retry) in [(10, Retry::BackOff), (20, Retry::AtOnce)] {
        client.online(time, WELCOME_BACK);
        assert_eq!(client.says(time), ["PUBREL 1"]);
        assert_eq!(client.closed(time, ClosedBy::Peer), retry, "at {time}");
    }
}

#[test]
fn a_pubrel_that_three_connections_leave_unanswered_begins_the_session_anew() {
    let device = device(ExactlyOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = half_released(&device, &mut memory);
    let unanswered = ClosedBy::Us(Close::NoAcknowledgement(90_000));
    let mut retries = vec![client.closed(2, unanswered)];
    for time in [10, 20] {
        client.online(time, WELCOME_BACK);
        client.says(time);
        retries.push(client.closed(time, unanswered));
    }
    assert_eq!(retries, [Retry::BackOff, Retry::BackOff, Retry::AtOnce]);
}

#[test]
fn an_answered_pubrel_and_a_broken_cable_do_not_count() {
    let device = device(ExactlyOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = half_released(&device, &mut memory);
    for time in (10..200).step_by(10) {
        assert_eq!(client.closed(time, ClosedBy::Network), Retry::BackOff);
        client.online(time + 1, WELCOME_BACK);
        client.says(time + 1);
    }
    assert_eq!(client.closed(300, ClosedBy::Peer), Retry::BackOff);
    client.online(301, WELCOME_BACK);
    client.says(301);
    assert_eq!(client.hears(302, &pubcomp(1)), Ok(()));
    assert_eq!(client.hears(302, &pubrec(2)), Ok(()));
    client.says(302);
    // Message 2 is a new case.
    assert_ne!(client.closed(303, ClosedBy::Peer), Retry::AtOnce);
}

#[test]
fn each_messages_own_age_decides_when_its_acknowledgement_is_overdue() {
    for (qos, lost) in [(AtLeastOnce, 1), (ExactlyOnce, 1), (AtLeastOnce, 3)] {
        let mut device = device(qos);
        device.keep_alive = 5;
        let mut memory = Memory::for_device(&device);
        let mut client = Client::new(&device, &mut memory);
        client.online(0, WELCOME);
        let mut sent_at = None;
        // One sample every 2 s; of one the acknowledgement never comes.
        let mut ended = None;
        for id in 1..=20 {
            let now = u64::from(id) * 2000;
            while ended.is_none() && client.deadline() < now {
                let due = client.deadline();
                ended = client.expires(due).err().map(|close| (due, close));
                client.says_what_it_can(due);
                let _ = client.hears(due, super::PINGRESP);
            }
            if ended.is_some() {
                break;
            }
            client.queues("a");
            client.says(now);
            if id == lost {
                sent_at = Some(now);
            } else if qos == QoS::AtLeastOnce {
                assert_eq!(client.hears(now, &puback(id)), Ok(()));
            } else {
                assert_eq!(client.hears(now, &pubrec(id)), Ok(()));
                client.says(now);
                assert_eq!(client.hears(now, &pubcomp(id)), Ok(()));
            }
        }
        let (at, close) = ended.expect("the connection is given up");
        assert_eq!(close, Close::NoAcknowledgement(7500), "{qos:?}");
        let waited = at - sent_at.expect("it was sent");
        assert!((7500..7700).contains(&waited), "{qos:?}: after {waited} ms");
        client.closed(at, ClosedBy::Us(close));
        client.online(at, WELCOME_BACK);
        let again = format!("PUBLISH {lost}+ a");
        assert!(client.says(at).contains(&again), "{qos:?}");
        // An older value is the last one at the broker now: the next sample of each signal is to be sent.
        assert!(matches!(
            client.session.poll_event(),
            Some(Event::ValuesLost)
        ));
    }
}

#[test]
fn a_broker_that_is_slow_and_keeps_the_order_is_left_in_peace() {
    let mut device = device(AtLeastOnce);
    device.keep_alive = 5;
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.online(0, WELCOME);
    for _ in 0..10 {
        client.queues("a");
    }
    client.says(0);
    for id in 1..=10 {
        // The tenth has waited for 30 s.
        let now = u64::from(id) * 3000;
        while client.deadline() < now {
            let due = client.deadline();
            assert_eq!(client.expires(due), Ok(()), "at {due}");
            if client.says(due).contains(&"PINGREQ".into()) {
                assert_eq!(client.hears(due, super::PINGRESP), Ok(()));
            }
        }
        assert_eq!(client.hears(now, &puback(id)), Ok(()));
    }
    assert_eq!(client.counters().acknowledged, 10);
}

#[test]
fn packet_identifiers_begin_where_the_random_number_says() {
    let device = device(AtLeastOnce);
    let mut seen = std::collections::BTreeSet::new();
    for seed in 1..=50_u32 {
        let mut memory = Memory::for_device(&device);
        let random = Random::new(seed.wrapping_mul(0x9e37_79b9));
        let mut client = Client {
            session: Session::new(&CONFIG, &device, 7, random, memory.storage()),
            is_v5: false,
            begun: Vec::new(),
        };
        client.online(0, WELCOME);
        client.queues("a");
        seen.insert(client.says(0));
    }
    assert!(seen.len() > 45, "{seen:?}");
}
