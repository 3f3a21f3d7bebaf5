//! What if the broker takes only so many messages in a second, or acknowledges none?

use mqtt_client_core::config::Device;
use mqtt_client_core::mqtt::QoS::{AtLeastOnce, AtMostOnce, ExactlyOnce};
use mqtt_client_core::mqtt::close::Close;
use mqtt_client_core::net::protocol::{ClosedBy, Retry};

use super::{Client, Memory, PINGRESP, WELCOME, WELCOME_BACK, device, puback, pubcomp, pubrec};

#[test]
fn max_rate_lets_a_backlog_go_in_bursts_of_a_tenth_of_a_second() {
    let device = Device {
        max_rate: 20,
        ..device(AtLeastOnce)
    };
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.online(0, WELCOME);
    for value in ["a", "b", "c", "d", "e"] {
        client.queues(value);
    }
    // Nobody knows what an earlier process has sent in this second.
    assert_eq!(client.says(0), [""; 0]);
    assert_eq!(client.deadline(), 1001);
    assert_eq!(client.says(1001), ["PUBLISH 1 a", "PUBLISH 2 b"]);
    assert_eq!(client.deadline(), 1102);
    assert_eq!(client.says(1101), [""; 0]);
    // The next burst begins so long after the last byte of this one.
    assert_eq!(client.drain(1102, 5), Ok(5));
    assert_eq!(client.says(1500), ["PUBLISH 3 c", "PUBLISH 4 d"]);
    assert_eq!(client.deadline(), 1601);
    assert_eq!(client.says(1601), ["PUBLISH 5 e"]);
    // Nothing waits for the rate any more.
    assert!(client.deadline() > 40_000);
}

#[test]
fn what_is_repeated_counts_in_max_rate_and_acknowledgements_do_not() {
    let device = Device {
        max_rate: 10,
        ..device(ExactlyOnce)
    };
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.online(0, WELCOME);
    for value in ["a", "b", "c"] {
        client.queues(value);
    }
    assert_eq!(client.says(1001), ["PUBLISH 1 a"]);
    assert_eq!(client.says(1102), ["PUBLISH 2 b"]);
    assert_eq!(client.hears(1103, &pubrec(1)), Ok(()));
    assert_eq!(client.says(1103), ["PUBREL 1"]);
    client.closed(1104, ClosedBy::Network);
    client.online(1105, WELCOME_BACK);
    assert_eq!(client.says(1105), ["PUBREL 1"]);
    assert_eq!(client.deadline(), 1203);
    assert_eq!(client.says(1203), ["PUBLISH 2+ b"]);
    assert_eq!(client.hears(1204, &pubrec(2)), Ok(()));
    assert_eq!(client.says(1204), ["PUBREL 2"]);
    assert_eq!(client.says(1304), ["PUBLISH 3 c"]);
}

#[test]
fn a_connection_is_asked_in_time_though_messages_wait_for_max_rate() {
    let device = Device {
        max_rate: 1,
        keep_alive: 5,
        ..device(AtMostOnce)
    };
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.online(8999, WELCOME);
    for value in ["a", "b", "c", "d", "e"] {
        client.queues(value);
    }
    assert_eq!(client.says(10_000), ["PUBLISH a"]);
    let mut said = Vec::new();
    while said.len() < 5 {
        let due = client.deadline();
        assert_eq!(client.expires(due), Ok(()));
        said.extend(client.says(due).into_iter().map(|packet| (due, packet)));
    }
    let said: Vec<_> = said
        .iter()
        .map(|(at, packet)| (*at, packet.as_str()))
        .collect();
    assert_eq!(
        said,
        [
            (11_001, "PUBLISH b"),
            (12_002, "PUBLISH c"),
            (12_749, "PINGREQ"),
            (13_003, "PUBLISH d"),
            (14_004, "PUBLISH e"),
        ]
    );
}

/// The broker welcomes the client back, and answers PINGREQ; what messages that brings.
fn is_back(client: &mut Client<'_>, time: u64) -> Vec<String> {
    client.online(time, WELCOME_BACK);
    let said = client.says(time);
    if said != ["PINGREQ"] {
        return said;
    }
    assert_eq!(client.hears(time, PINGRESP), Ok(()));
    client.says(time)
}

/// The same, and nothing is acknowledged; when to try again.
fn in_vain(client: &mut Client<'_>, time: u64) -> (Vec<String>, Retry) {
    let said = is_back(client, time);
    let late = ClosedBy::Us(Close::NoAcknowledgement(90_000));
    (said, client.closed(time + 90_000, late))
}

#[test]
fn a_broker_that_acknowledges_nothing_gets_one_message_at_a_time_and_later_and_later() {
    for qos in [AtLeastOnce, ExactlyOnce] {
        let device = device(qos);
        let mut memory = Memory::for_device(&device);
        let mut client = Client::new(&device, &mut memory);
        client.online(0, WELCOME);
        for value in ["a", "b"] {
            client.queues(value);
        }
        client.says(0);
        let late = ClosedBy::Us(Close::NoAcknowledgement(90_000));
        assert_eq!(client.closed(90_000, late), Retry::BackOff);
        let all = ["PUBLISH 1+ a", "PUBLISH 2+ b"].map(String::from).to_vec();
        let (said, retry) = in_vain(&mut client, 100_000);
        assert_eq!((said, retry), (all, Retry::Later(0)));
        let one = vec![String::from("PUBLISH 1+ a")];
        for times in 1..4 {
            let (said, retry) = in_vain(&mut client, 200_000 * u64::from(times));
            assert_eq!((&said, retry), (&one, Retry::Later(times)));
        }
        // A broken cable says nothing about it.
        client.online(900_000, WELCOME_BACK);
        assert_eq!(client.closed(900_001, ClosedBy::Network), Retry::BackOff);
        assert_eq!(in_vain(&mut client, 1_000_000), (one, Retry::Later(4)));

        // With the first acknowledgement all is as it was.
        assert_eq!(is_back(&mut client, 2_000_000), ["PUBLISH 1+ a"]);
        if qos == AtLeastOnce {
            assert_eq!(client.hears(2_000_001, &puback(1)), Ok(()));
        } else {
            assert_eq!(client.hears(2_000_001, &pubrec(1)), Ok(()));
            assert_eq!(client.says(2_000_001), ["PUBREL 1"]);
            assert_eq!(client.hears(2_000_002, &pubcomp(1)), Ok(()));
        }
        assert_eq!(client.says(2_000_002), ["PUBLISH 2+ b"]);
        assert_eq!(client.closed(2_090_002, late), Retry::BackOff);
    }
}

#[test]
fn a_broker_that_acknowledges_some_is_not_left_alone_for_longer() {
    let device = device(AtLeastOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.online(0, WELCOME);
    for value in ["a", "b", "c", "d", "e"] {
        client.queues(value);
    }
    let late = ClosedBy::Us(Close::NoAcknowledgement(90_000));
    for (time, id) in (0..4).map(|time| time * 100_000).zip(1..) {
        client.says(time);
        assert_eq!(client.hears(time, &puback(id)), Ok(()));
        assert_eq!(client.closed(time + 90_000, late), Retry::BackOff);
        client.online(time + 100_000, WELCOME_BACK);
    }
    assert_eq!(client.says(400_000), ["PUBLISH 5+ e"]);
}

#[test]
fn a_broker_that_has_kept_silent_and_then_closes_is_judged_as_any_other() {
    let device = device(AtLeastOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.online(0, WELCOME);
    for value in ["a", "b"] {
        client.queues(value);
    }
    client.says(0);
    let late = ClosedBy::Us(Close::NoAcknowledgement(90_000));
    client.closed(90_000, late);
    in_vain(&mut client, 100_000);
    // It has the first message alone, and closes: that is no proof against its topic.
    for time in [200_000, 300_000] {
        is_back(&mut client, time);
        assert_eq!(client.closed(time, ClosedBy::Peer), Retry::BackOff);
    }
    let all = ["PUBLISH 1+ a", "PUBLISH 2+ b"];
    assert_eq!(is_back(&mut client, 400_000), all);
}
