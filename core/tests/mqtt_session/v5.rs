//! What is different with MQTT 5? Traces of its own packets: terms, reasons, expiry, aliases.

use mqtt_client_core::config::{Device, Version, Will};
use mqtt_client_core::mqtt::close::Close;
use mqtt_client_core::mqtt::session::Event;
use mqtt_client_core::mqtt::v5::breach::{Breach, Flaw};
use mqtt_client_core::mqtt::v5::reason::Reason;
use mqtt_client_core::mqtt::violation::Violation;
use mqtt_client_core::mqtt::{QoS, Refusal};
use mqtt_client_core::net::protocol::{ClosedBy, Protocol as _, Retry};

use super::packet::{self, ClientPacket, Connect};
use super::{Client, Memory, at, puback, pubcomp, pubrec};

const CONNACK: &[u8] = b"\x20\x03\x00\x00\x00";
const RESUMED: &[u8] = b"\x20\x03\x01\x00\x00";

/// `super::device` with MQTT 5.
fn device(qos: QoS) -> Device<'static> {
    Device {
        version: Version::V5,
        ..super::device(qos)
    }
}

/// CONNACK with these properties.
fn connack(present: u8, properties: &[u8]) -> Vec<u8> {
    let len = properties.len() as u8;
    [&[0x20, 3 + len, present, 0, len], properties].concat()
}

/// PUBACK (4) or PUBREC (5) with a reason.
fn refused(packet_type: u8, id: u8, reason: u8) -> [u8; 5] {
    [packet_type << 4, 3, 0, id, reason]
}

fn connect_of(device: &Device<'_>) -> Connect {
    let mut memory = Memory::for_device(device);
    let mut client = Client::new(device, &mut memory);
    client.opened(0).expect("room for CONNECT");
    let _ = client.drain(0, usize::MAX);
    match packet::take_packet(&mut client.begun) {
        Some(ClientPacket::Connect(connect)) => connect,
        other => panic!("{other:?}"),
    }
}

#[test]
fn connect_asks_for_a_session_that_is_kept_and_says_what_this_client_takes() {
    let will = Some(Will {
        topic: "t",
        message: "m",
        qos: QoS::AtMostOnce,
        retain: false,
    });
    for (qos, session_expiry, expected, delay) in [
        (QoS::AtMostOnce, 86_400, None, None),
        (QoS::AtLeastOnce, 86_400, Some(86_400), Some(31)),
        (QoS::ExactlyOnce, 10, Some(10), Some(10)),
        (QoS::ExactlyOnce, 0, None, None),
        (QoS::ExactlyOnce, u32::MAX, Some(u32::MAX), Some(31)),
    ] {
        let device = Device {
            session_expiry,
            will,
            ..device(qos)
        };
        let connect = connect_of(&device);
        assert_eq!(connect.level, 5);
        // Whatever an earlier process left is wiped out.
        assert!(connect.clean_session);
        assert_eq!(connect.properties.get(&0x11).copied(), expected);
        assert!(!connect.properties.contains_key(&0x21));
        assert_eq!(connect.properties[&0x27], 256);
        assert_eq!(connect.properties[&0x17], 1);
        let will = connect.will.expect("a will");
        assert_eq!(will.properties.get(&0x18).copied(), delay);
    }
}

#[test]
fn the_first_connection_begins_a_session_and_the_next_ones_go_on_with_it() {
    let device = device(QoS::AtLeastOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.online(0, CONNACK);
    client.queues("1");
    client.queues("2");
    assert_eq!(client.says(10), ["PUBLISH 1 1", "PUBLISH 2 2"]);
    client.closed(20, ClosedBy::Network);
    client.opened(30).expect("room");
    assert_eq!(client.says(30), ["CONNECT 5"]);
    client.hears(40, RESUMED).expect("resumed");
    assert_eq!(client.says(40), ["PUBLISH 1+ 1", "PUBLISH 2+ 2"]);
    client.hears(50, &puback(1)).expect("PUBACK");
    client
        .hears(50, &refused(4, 2, 0x10))
        .expect("no subscriber");
    assert_eq!(client.counters().acknowledged, 2);
    assert!(client.session.is_idle());
}

#[test]
fn an_old_broker_says_that_it_does_not_know_this_version() {
    let device = device(QoS::AtLeastOnce);
    for (answer, reason) in [
        (&b"\x20\x02\x00\x01"[..], 0x84),
        (b"\x20\x03\x00\x84\x00", 0x84),
        (b"\x20\x03\x00\x87\x00", 0x87),
    ] {
        let mut memory = Memory::for_device(&device);
        let mut client = Client::new(&device, &mut memory);
        client.opened(0).expect("room");
        client.says(0);
        let close = Close::Refused(Refusal::Reason(Reason(reason)));
        assert_eq!(client.hears(1, answer), Err(close));
        assert_eq!(client.closed(1, ClosedBy::Us(close)), Retry::Permanent);
    }
}

#[test]
fn a_will_that_the_broker_refuses_asks_for_less_at_the_next_connection_and_from_then_on() {
    let will = Will {
        topic: "t",
        message: "m",
        qos: QoS::ExactlyOnce,
        retain: true,
    };
    let device = Device {
        will: Some(will),
        ..device(QoS::AtLeastOnce)
    };
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    // The reason of CONNACK, and what the CONNECT before it asked for.
    let refusals = [
        (0x9b, 2, true, Retry::AtOnce),
        (0x9a, 1, true, Retry::AtOnce),
        (0x9b, 1, false, Retry::AtOnce),
        // There is nothing left to leave out.
        (0x9b, 0, false, Retry::Permanent),
        (0x9a, 0, false, Retry::Permanent),
        (0x87, 0, false, Retry::Permanent),
    ];
    let ask = |client: &mut Client<'_>, qos, retain| {
        client.opened(0).expect("room for CONNECT");
        let _ = client.drain(0, usize::MAX);
        let Some(ClientPacket::Connect(connect)) = packet::take_packet(&mut client.begun) else {
            panic!("no CONNECT");
        };
        let will = connect.will.expect("a will");
        assert_eq!((will.qos, will.retain), (qos, retain));
    };
    for (reason, qos, retain, retry) in refusals {
        ask(&mut client, qos, retain);
        let close = Close::Refused(Refusal::Reason(Reason(reason)));
        assert_eq!(client.hears(1, &[0x20, 3, 0, reason, 0]), Err(close));
        assert_eq!(client.closed(1, ClosedBy::Us(close)), retry, "{reason:#x}");
    }
    for _ in 0..2 {
        ask(&mut client, 0, false);
        client.hears(2, CONNACK).expect("accepted");
        client.closed(3, ClosedBy::Network);
    }
}

#[test]
fn a_refused_publication_is_counted_and_not_repeated() {
    for (qos, packet_type) in [
        (QoS::AtLeastOnce, 4),
        (QoS::ExactlyOnce, 5),
        (QoS::ExactlyOnce, 4),
    ] {
        let device = device(qos);
        let mut memory = Memory::for_device(&device);
        let mut client = Client::new(&device, &mut memory);
        client.online(0, CONNACK);
        client.queues("1");
        client.queues("2");
        assert_eq!(client.says(0).len(), 2);
        client
            .hears(10, &refused(packet_type, 1, 0x87))
            .expect("no breach");
        // No PUBREL for it.
        assert!(client.says(10).is_empty());
        assert_eq!(client.counters().refused, 1);
        client.closed(20, ClosedBy::Network);
        client.online(30, RESUMED);
        assert_eq!(client.says(30), ["PUBLISH 2+ 2"]);
        // It may say so twice.
        client
            .hears(40, &refused(packet_type, 1, 0x87))
            .expect("no breach");
        let counters = client.counters();
        assert_eq!((counters.refused, counters.sent), (1, 2));
    }
}

#[test]
fn a_message_without_quota_goes_again_after_a_pause_as_a_new_one() {
    for (qos, packet_type) in [(QoS::AtLeastOnce, 4), (QoS::ExactlyOnce, 5)] {
        let device = device(qos);
        let mut memory = Memory::for_device(&device);
        let mut client = Client::new(&device, &mut memory);
        client.online(0, CONNACK);
        for value in ["1", "2", "3"] {
            client.queues(value);
        }
        assert_eq!(client.says(0).len(), 3);
        client
            .hears(10, &refused(packet_type, 2, 0x97))
            .expect("no breach");
        // Said twice, it is one message all the same.
        client
            .hears(11, &refused(packet_type, 2, 0x97))
            .expect("no breach");
        client.queues("4");
        assert!(client.says(10).is_empty(), "nothing new meanwhile");
        assert_eq!(client.deadline(), 5010);
        client.expires(5010).expect("nothing is overdue");
        assert!(client.says(5010).is_empty(), "the others are awaited");
        if qos == QoS::AtLeastOnce {
            client.hears(5020, &puback(1)).expect("PUBACK");
            client.hears(5020, &puback(3)).expect("PUBACK");
        } else {
            client.hears(5020, &pubrec(1)).expect("PUBREC");
            client.hears(5020, &pubrec(3)).expect("PUBREC");
            assert_eq!(client.says(5020), ["PUBREL 1", "PUBREL 3"]);
            client.hears(5020, &pubcomp(1)).expect("PUBCOMP");
            client.hears(5020, &pubcomp(3)).expect("PUBCOMP");
        }
        assert_eq!(client.says(5020), ["PUBLISH 4 2", "PUBLISH 5 4"]);
        let counters = client.counters();
        assert_eq!(
            (counters.sent, counters.acknowledged, counters.refused),
            (4, 2, 0)
        );
    }
}

#[test]
fn receive_maximum_holds_until_a_message_is_done_with_and_for_what_is_repeated() {
    let device = device(QoS::ExactlyOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.online(0, CONNACK);
    for value in ["1", "2", "3", "4", "5"] {
        client.queues(value);
    }
    assert_eq!(client.says(0).len(), 5);
    client.closed(10, ClosedBy::Network);
    // Now it takes two at a time.
    client.online(20, &connack(1, b"\x21\x00\x02"));
    assert_eq!(client.says(20), ["PUBLISH 1+ 1", "PUBLISH 2+ 2"]);
    client.hears(30, &pubrec(1)).expect("PUBREC");
    assert_eq!(client.says(30), ["PUBREL 1"], "PUBREC frees no place");
    client.hears(40, &pubcomp(1)).expect("PUBCOMP");
    assert_eq!(client.says(40), ["PUBLISH 3+ 3"]);
}

#[test]
fn a_lower_maximum_qos_and_no_retain_are_obeyed() {
    for (maximum, first) in [(0, 0x30), (1, 0x32)] {
        let device = Device {
            retain: true,
            ..device(QoS::ExactlyOnce)
        };
        let mut memory = Memory::for_device(&device);
        let mut client = Client::new(&device, &mut memory);
        client.online(0, &connack(0, &[0x24, maximum, 0x25, 0]));
        client.queues("1");
        let bytes = client.session.output(at(0)).expect("PUBLISH");
        assert_eq!(bytes[0], first);
        let len = bytes.len();
        client.session.sent(len, at(0));
        if maximum == 1 {
            client.hears(1, &puback(1)).expect("PUBACK ends it");
        }
        assert!(client.session.is_idle());
    }
}

#[test]
fn what_is_in_flight_when_the_broker_lowers_its_maximum_qos_goes_in_a_new_session() {
    let device = device(QoS::ExactlyOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.online(0, CONNACK);
    client.queues("1");
    assert_eq!(client.says(0), ["PUBLISH 1 1"]);
    client.closed(10, ClosedBy::Network);
    client.opened(20).expect("room");
    client.says(20);
    client
        .hears(20, &connack(1, &[0x24, 1]))
        .expect("it is left in good order");
    let (said, close) = client.says_at_last(20);
    assert_eq!((said, close), (vec!["DISCONNECT".into()], Close::Wiped));
    assert_eq!(client.closed(20, ClosedBy::Us(close)), Retry::AtOnce);
    client.opened(30).expect("room");
    assert_eq!(client.says(30), ["CONNECT 5 clean"]);
    client.hears(30, &connack(0, &[0x24, 1])).expect("let in");
    assert_eq!(client.says(30), ["PUBLISH 2 1"]);
    client.hears(40, &puback(2)).expect("PUBACK");
    let counters = client.counters();
    assert_eq!((counters.sent, counters.acknowledged), (1, 1));
}

#[test]
fn a_message_over_the_brokers_maximum_packet_size_is_refused_here_and_blocks_nothing() {
    // `good`, identifier, no properties, and `1,1,1`: 16 bytes; `bad` has 15.
    for (size, said) in [
        (15, vec!["PUBLISH 1 2"]),
        (16, vec!["PUBLISH 1 1", "PUBLISH 2 2", "PUBLISH 3 3"]),
    ] {
        let device = device(QoS::AtLeastOnce);
        let mut memory = Memory::for_device(&device);
        let mut client = Client::new(&device, &mut memory);
        client.online(0, &connack(0, &[0x27, 0, 0, 0, size]));
        client.queues_for(0, false, "1");
        client.queues_for(1, false, "2");
        client.queues_for(0, false, "3");
        assert_eq!(client.says(0), said);
        let counters = client.counters();
        assert_eq!(counters.refused as usize, 3 - said.len());
        assert_eq!((counters.sent, counters.queued), (3, 0));
    }
}

#[test]
fn what_is_to_be_repeated_and_is_too_long_now_lets_the_rest_go_on() {
    let device = device(QoS::AtLeastOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.online(0, CONNACK);
    client.queues_for(0, false, "1");
    client.queues_for(1, false, "2");
    client.queues_for(0, false, "3");
    assert_eq!(client.says(0).len(), 3);
    client.closed(10, ClosedBy::Network);
    client.online(20, &connack(1, &[0x27, 0, 0, 0, 15]));
    client.queues_for(1, false, "4");
    assert_eq!(client.says(20), ["PUBLISH 2+ 2", "PUBLISH 4 4"]);
    client.hears(30, &puback(2)).expect("PUBACK");
    client.hears(30, &puback(4)).expect("PUBACK");
    let counters = client.counters();
    assert_eq!((counters.refused, counters.acknowledged), (2, 2));
    assert!(client.session.is_idle());
}

#[test]
fn the_brokers_keep_alive_counts() {
    let device = device(QoS::AtLeastOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.online(0, &connack(0, &[0x13, 0, 20]));
    assert_eq!(client.deadline(), 15_000);
    // 0 turns it off at the broker; ours stays.
    client.closed(1, ClosedBy::Network);
    client.online(2, &connack(1, &[0x13, 0, 0]));
    assert_eq!(client.deadline(), 45_002);
}

#[test]
fn a_name_that_the_broker_gives_is_kept() {
    let device = device(QoS::AtLeastOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.online(0, &connack(0, b"\x12\x00\x03abc"));
    client.closed(1, ClosedBy::Network);
    client.opened(2).expect("room");
    client.drain(2, usize::MAX).expect("CONNECT");
    let Some(ClientPacket::Connect(connect)) = packet::take_packet(&mut client.begun) else {
        panic!("CONNECT");
    };
    assert_eq!(connect.client_id, "abc");
}

#[test]
fn an_expiry_counts_down_from_acceptance_and_what_is_too_old_is_dropped() {
    let device = Device {
        message_expiry: 30,
        ..device(QoS::AtLeastOnce)
    };
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    for (second, value) in [(0, "1"), (1, "2"), (10, "3"), (20, "4")] {
        client.session.accepts_at(second as i64 * 1000);
        client.queues(value);
    }
    client.online(35_000, CONNACK);
    assert_eq!(
        client.says(35_000),
        ["PUBLISH 1 expiry=5 3", "PUBLISH 2 expiry=15 4"]
    );
    assert_eq!(client.counters().dropped, 2);
    // The signals of what was dropped are to be heard of again.
    assert_eq!(client.session.poll_event(), Some(Event::ValuesLost));
    client.closed(36_000, ClosedBy::Network);
    // What is in flight is repeated, whatever its age.
    client.online(45_000, RESUMED);
    assert_eq!(
        client.says(45_000),
        ["PUBLISH 1+ expiry=1 3", "PUBLISH 2+ expiry=5 4"]
    );
    let counters = client.counters();
    assert_eq!((counters.sent, counters.queued), (2, 0));
}

#[test]
fn an_alias_stands_for_a_topic_that_the_broker_has_seen_on_this_connection() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        let device = Device {
            topic_alias: true,
            ..device(qos)
        };
        let mut memory = Memory::for_device(&device);
        let mut client = Client::new(&device, &mut memory);
        client.online(0, &connack(0, b"\x22\x00\x02"));
        for value in ["1", "2"] {
            client.queues_for(0, false, value);
            client.queues_for(1, false, value);
        }
        let said = |said: Vec<String>| -> Vec<String> {
            let without_id =
                |packet: &String| packet.split_once("alias").expect("one").1.to_string();
            said.iter().map(without_id).collect()
        };
        assert_eq!(
            said(client.says(0)),
            [
                r#"=1 "good" 1"#,
                r#"=2 "bad" 1"#,
                r#"=1 "" 2"#,
                r#"=2 "" 2"#
            ]
        );
        client.closed(1, ClosedBy::Network);
        let back = connack(u8::from(qos != QoS::AtMostOnce), b"\x22\x00\x01");
        client.online(2, &back);
        if qos == QoS::AtLeastOnce {
            let again = [
                "PUBLISH 1+ 1",
                "PUBLISH 2+ 1",
                "PUBLISH 3+ 2",
                "PUBLISH 4+ 2",
            ];
            assert_eq!(client.says(2), again, "never in a repetition");
        }
        client.queues_for(1, false, "3");
        client.queues_for(0, false, "3");
        let new = client.says(2);
        assert!(new[0].ends_with(r#"alias=1 "bad" 3"#), "{new:?}");
        assert!(!new[1].contains("alias"), "there is one alias: {new:?}");
    }
}

#[test]
fn an_alias_that_was_taken_back_unsent_is_told_again() {
    let device = Device {
        topic_alias: true,
        ..device(QoS::AtLeastOnce)
    };
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.online(0, &connack(0, b"\x22\x00\x0a"));
    client.queues("1");
    client.queues("2");
    assert!(
        !client
            .session
            .output(at(0))
            .expect("two packets")
            .is_empty()
    );
    // The network takes none of it, and the reload takes it back.
    client.session.renumber(|number| {
        Some(mqtt_client_core::outbox::NewSignal {
            number,
            has_moved: false,
        })
    });
    let said = client.says(1);
    assert_eq!(said[0], r#"PUBLISH 1 alias=1 "good" 1"#);
}

#[test]
fn what_breaks_the_protocol_is_answered_with_disconnect_and_a_reason() {
    let property = |packet_type, id, flaw| {
        Violation::V5(Breach::Property {
            packet_type,
            id,
            flaw,
        })
    };
    for (bytes, violation, reason) in [
        (
            &b"\x40\x06\x00\x01\x00\x02\x24\x01"[..],
            property(4, 0x24, Flaw::NotHere),
            0x81,
        ),
        (
            b"\x40\x0c\x00\x01\x00\x08\x1f\x00\x01a\x1f\x00\x01b",
            property(4, 0x1f, Flaw::Doubled),
            0x82,
        ),
        (
            b"\x40\x06\x00\x01\x00\x02\x7e\x01",
            property(4, 0x7e, Flaw::Unknown),
            0x81,
        ),
        (b"\x40\x01\x00", Violation::V5(Breach::Malformed(4)), 0x81),
        (
            b"\x40\x03\x00\x01\x05",
            Violation::V5(Breach::ReasonCode {
                packet_type: 4,
                reason: Reason(5),
            }),
            0x81,
        ),
        (b"\x40\x02\x00\x00", Violation::ZeroPacketIdentifier, 0x82),
        (b"\x30\x80\x02", Violation::V5(Breach::TooLarge(259)), 0x95),
        (
            b"\x30\x06\x00\x00\x03\x23\x00\x01",
            Violation::V5(Breach::TopicAlias),
            0x94,
        ),
        (b"\x30\x03\x00\x00\x00", Violation::V5(Breach::Topic), 0x82),
        (b"\xf0\x00", Violation::V5(Breach::Authentication), 0x82),
        (b"\x20\x03\x00\x00\x00", Violation::SecondConnack, 0x82),
        (b"\xd0\x00", Violation::UnaskedPingresp, 0x82),
        (b"\x40\x02\x00\x09", Violation::AckOfUnsent, 0x82),
    ] {
        let device = device(QoS::AtLeastOnce);
        let mut memory = Memory::for_device(&device);
        let mut client = Client::new(&device, &mut memory);
        client.online(0, CONNACK);
        if violation == Violation::AckOfUnsent {
            // Half of it is no packet, and nothing can be said into its middle.
            for _ in 0..9 {
                client.queues("1");
            }
            client.drain(1, 16 * 8 + 4).expect("the network takes it");
        }
        let close = Close::Violation(violation);
        assert_eq!(client.hears(2, bytes), Err(close), "{bytes:x?}");
        let last_words = client.session.last_words(&close).to_vec();
        if violation == Violation::AckOfUnsent {
            assert!(last_words.is_empty());
        } else {
            assert_eq!(last_words, [0xe0, 1, reason], "{violation}");
        }
    }
}

#[test]
fn a_disconnect_of_the_brokers_says_why() {
    for (reason, retry) in [
        (0x8b, Retry::BackOff),
        (0x8e, Retry::BackOff),
        (0x9d, Retry::Permanent),
    ] {
        let device = device(QoS::AtLeastOnce);
        let mut memory = Memory::for_device(&device);
        let mut client = Client::new(&device, &mut memory);
        client.online(0, CONNACK);
        let close = Close::Disconnected(Reason(reason));
        assert_eq!(client.hears(1, &[0xe0, 1, reason]), Err(close));
        assert!(client.session.last_words(&close).is_empty());
        assert_eq!(client.closed(1, ClosedBy::Us(close)), retry);
    }
    let text = Close::Disconnected(Reason(0x8e)).to_string();
    assert_eq!(
        text,
        "the broker disconnects us: Session taken over (0x8e); another client uses this client_id"
    );
}

#[test]
fn a_broker_that_disconnects_after_each_message_of_a_topic_has_it_set_aside() {
    let device = device(QoS::AtLeastOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.queues_for(1, false, "1");
    let mut now = 0;
    let mut is_set_aside = false;
    for connection in 0..12 {
        now += 1000;
        client.online(now, if connection == 0 { CONNACK } else { RESUMED });
        let mut said = client.says(now);
        if said == ["PINGREQ"] {
            client.hears(now, b"\xd0\x00").expect("PINGRESP");
            said = client.says(now);
        }
        if said.is_empty() {
            is_set_aside = true;
            break;
        }
        let close = Close::Disconnected(Reason(0x87));
        assert_eq!(client.hears(now, &[0xe0, 1, 0x87]), Err(close));
        client.closed(now, ClosedBy::Us(close));
        while let Some(event) = client.session.poll_event() {
            is_set_aside |= event == Event::SetAside(1);
        }
    }
    assert!(is_set_aside);
}

#[test]
fn an_unasked_message_is_acknowledged_and_passed_over() {
    let device = device(QoS::AtLeastOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.online(0, CONNACK);
    for (packet, answer) in [
        (&b"\x32\x08\x00\x01a\x00\x07\x00hi"[..], vec!["PUBACK 7"]),
        (b"\x34\x0a\x00\x01a\x00\x08\x02\x0b\x05hi", vec!["PUBREC 8"]),
        (b"\x62\x02\x00\x08", vec!["PUBCOMP 8"]),
        (b"\x62\x03\x00\x08\x92", vec!["PUBCOMP 8"]),
        (b"\x30\x06\x00\x01a\x00hi", vec![]),
    ] {
        client.hears(1, packet).expect("no breach");
        assert_eq!(client.says(1), answer);
    }
}

#[test]
fn packets_with_properties_are_shown_before_the_next_one_is_handled() {
    let device = device(QoS::AtLeastOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.session.watch(true);
    client.opened(0).expect("room");
    let mut shown = Vec::new();
    let mut drain = |client: &mut Client<'_>| {
        while let Some(event) = client.session.poll_event() {
            match event {
                Event::Sent(packet) => shown.push(format!("> {}{packet}", packet.name())),
                Event::Received(packet) => shown.push(format!("< {}{packet}", packet.name())),
                _ => {}
            }
        }
    };
    drain(&mut client);
    client.drain(0, usize::MAX).expect("CONNECT");
    client
        .hears(0, &connack(0, b"\x21\x00\x0a"))
        .expect("let in");
    drain(&mut client);
    client.queues("1");
    client.queues("2");
    for _ in 0..3 {
        client.drain(1, usize::MAX).expect("PUBLISH");
        drain(&mut client);
    }
    let answers = b"\x40\x02\x00\x01\x40\x0b\x00\x02\x87\x07\x1f\x00\x04no\x1b!\xe0\x01\x8b";
    let mut close = client.hears(2, answers);
    for _ in 0..3 {
        drain(&mut client);
        if close.is_ok() {
            close = client.drain(2, usize::MAX).map(|_| ());
        }
    }
    assert_eq!(close, Err(Close::Disconnected(Reason(0x8b))));
    drain(&mut client);
    assert_eq!(
        shown,
        [
            "> CONNECT 5 client_id=-00c0ffee clean_session=1 keep_alive=60 {session-expiry=86400 maximum-packet-size=256 request-problem-information=1}".replace("=-", "=cloud-"),
            "< CONNACK accepted session_present=0 {receive-maximum=10}".into(),
            "> PUBLISH q1 id=1 good 1,1,1".into(),
            "> PUBLISH q1 id=2 good 2,1,1".into(),
            "< PUBACK id=1".into(),
            "< PUBACK id=2 Not authorized (0x87) {reason-string=\"no\\x1b!\"}".into(),
            "< DISCONNECT Server shutting down (0x8b)".into(),
        ]
    );
}
