//! What if the broker sends messages to this client, which has not subscribed (MQTT 3.1.1, 4.5)?

use mqtt_client_core::mqtt::QoS::{self, AtLeastOnce, AtMostOnce, ExactlyOnce};
use mqtt_client_core::mqtt::close::Close;
use mqtt_client_core::net::protocol::{ClosedBy, Retry};

use super::{Client, Memory, WELCOME, WELCOME_BACK, device, puback};

/// A PUBLISH of the broker's on a topic and with a payload of these lengths.
fn publish(qos: QoS, id: u16, topic: usize, payload: usize) -> Vec<u8> {
    let id = if qos == AtMostOnce {
        Vec::new()
    } else {
        id.to_be_bytes().to_vec()
    };
    let mut remaining = 2 + topic + id.len() + payload;
    let mut packet = vec![0x31 | u8::from(qos) << 1];
    while remaining >= 0x80 {
        packet.push(remaining as u8 | 0x80);
        remaining >>= 7;
    }
    packet.push(remaining as u8);
    packet.extend((topic as u16).to_be_bytes());
    packet.extend(std::iter::repeat_n(b't', topic));
    packet.extend(id);
    packet.extend(std::iter::repeat_n(b'p', payload));
    packet
}

fn pubrel(id: u8) -> [u8; 4] {
    [0x62, 2, 0, id]
}

#[test]
fn messages_of_any_length_are_passed_over_and_acknowledged_as_their_qos_asks() {
    // The input of these tests has 64 bytes.
    for (topic, payload) in [(0, 0), (1, 5), (40, 40), (65_535, 0), (300, 100_000)] {
        for qos in [AtMostOnce, AtLeastOnce, ExactlyOnce] {
            let device = device(qos);
            let mut memory = Memory::for_device(&device);
            let mut client = Client::new(&device, &mut memory);
            client.online(0, WELCOME);
            let context = format!("{qos:?}, {topic} and {payload} bytes");
            assert_eq!(
                client.hears(1, &publish(AtMostOnce, 0, topic, payload)),
                Ok(())
            );
            assert!(client.says(1).is_empty(), "{context}");
            assert_eq!(
                client.hears(1, &publish(AtLeastOnce, 7, topic, payload)),
                Ok(())
            );
            assert_eq!(client.says(1), ["PUBACK 7"], "{context}");
            assert_eq!(
                client.hears(1, &publish(ExactlyOnce, 8, topic, payload)),
                Ok(())
            );
            assert_eq!(client.says(1), ["PUBREC 8"], "{context}");
            assert_eq!(client.hears(2, &pubrel(8)), Ok(()));
            assert_eq!(client.says(2), ["PUBCOMP 8"], "{context}");
            // What it sends itself does not mind.
            client.queues("a");
            assert_eq!(client.says(3).len(), 1, "{context}");
        }
    }
}

#[test]
fn a_message_may_come_in_pieces_cut_anywhere_and_the_next_packet_right_behind() {
    let stream = [
        &publish(ExactlyOnce, 9, 3, 4)[..],
        &puback(1),
        &publish(AtLeastOnce, 2, 0, 0),
        &pubrel(9),
    ]
    .concat();
    for piece in 1..=stream.len() {
        let device = device(AtLeastOnce);
        let mut memory = Memory::for_device(&device);
        let mut client = Client::new(&device, &mut memory);
        client.online(0, WELCOME);
        client.queues("a");
        client.says(0);
        for bytes in stream.chunks(piece) {
            assert_eq!(client.hears(1, bytes), Ok(()), "in pieces of {piece}");
        }
        assert_eq!(
            client.says(1),
            ["PUBREC 9", "PUBACK 2", "PUBCOMP 9"],
            "in pieces of {piece}"
        );
        assert_eq!(client.counters().acknowledged, 1);
    }
}

#[test]
fn half_a_message_is_forgotten_with_its_connection() {
    let device = device(AtLeastOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.online(0, WELCOME);
    assert_eq!(
        client.hears(1, &publish(AtLeastOnce, 7, 200, 200)[..300]),
        Ok(())
    );
    client.closed(2, ClosedBy::Network);
    client.online(3, WELCOME_BACK);
    assert!(client.says(3).is_empty());
}

#[test]
fn a_session_that_an_earlier_subscriber_left_is_wiped_out_all_the_same() {
    let device = device(AtLeastOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    assert_eq!(client.opened(0), Ok(()));
    client.says(0);
    // Its messages come right behind CONNACK.
    let hello = [WELCOME_BACK, &publish(AtLeastOnce, 1, 5, 5)].concat();
    assert_eq!(client.hears(0, &hello), Ok(()));
    let (said, close) = client.says_at_last(0);
    assert_eq!((said, close), (vec!["DISCONNECT".into()], Close::Wiped));
    assert_eq!(client.closed(0, ClosedBy::Us(Close::Wiped)), Retry::AtOnce);
    assert_eq!(client.opened(1), Ok(()));
    assert_eq!(client.says(1), ["CONNECT 4 clean"]);
}

#[test]
fn a_flood_of_messages_waits_while_their_acknowledgements_cannot_be_written() {
    let device = device(AtLeastOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.online(0, WELCOME);
    // `hears` writes when there is no room to read.
    for id in 1..=200 {
        assert_eq!(client.hears(1, &publish(AtLeastOnce, id, 1, 1)), Ok(()));
    }
    let said = client.says(1);
    assert_eq!(said.last().map(String::as_str), Some("PUBACK 200"));
}
