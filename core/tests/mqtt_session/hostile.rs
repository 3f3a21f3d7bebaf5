//! What may a broker do that it should not? Each breach closes the connection with its clause; nothing makes the session
//! panic, or read something else when the bytes come in other pieces.

use mqtt_client_core::config::{Device, Version};
use mqtt_client_core::mqtt::QoS;
use mqtt_client_core::mqtt::close::Close;
use mqtt_client_core::net::protocol::ClosedBy;

use super::{Client, Memory, PINGRESP, WELCOME, WELCOME_BACK, device, puback, pubcomp, pubrec};

#[test]
fn every_breach_closes_the_connection_with_its_clause() {
    use QoS::{AtLeastOnce, AtMostOnce};
    // Before and after CONNACK.
    for (qos, bytes, clause) in [
        (
            AtLeastOnce,
            &b"\xd0\x00"[..],
            "the first packet is PINGRESP, not CONNACK [MQTT-3.2.0-1]",
        ),
        (
            AtLeastOnce,
            b"\x40\x02\x00\x01",
            "the first packet is PUBACK, not CONNACK [MQTT-3.2.0-1]",
        ),
        (
            AtLeastOnce,
            b"\x20\x02\x02\x00",
            "reserved bits in CONNACK's flags 0x02 (MQTT 3.2.2.1)",
        ),
        (
            AtMostOnce,
            b"\x20\x02\x01\x00",
            "a session is present after a clean start [MQTT-3.2.2-1]",
        ),
        (
            AtLeastOnce,
            b"\x20\x02\x01\x05",
            "a refusal says that a session is present [MQTT-3.2.2-4]",
        ),
        (
            AtLeastOnce,
            b"\x20\x02\x00\x06",
            "CONNACK return code 6 is reserved (MQTT 3.2.2.3)",
        ),
        (
            AtLeastOnce,
            b"\x20\x02\x00\x00\x20\x02\x00\x00",
            "a second CONNACK (MQTT 3.2)",
        ),
        (
            AtLeastOnce,
            b"\x20\x02\x00\x00\x82\x00",
            "SUBSCRIBE is not for a client that only publishes (MQTT 2.2.1)",
        ),
        (
            AtLeastOnce,
            b"\x20\x02\x00\x00\x36\x10\x00\x01",
            "PUBLISH has QoS 3 [MQTT-3.3.1-4]",
        ),
        (
            AtLeastOnce,
            b"\x20\x02\x00\x00\x32\x03\x00\x01a",
            "PUBLISH has Remaining Length 3 (MQTT 2.2.3)",
        ),
        (
            AtLeastOnce,
            b"\x20\x02\x00\x00\x60\x02\x00\x01",
            "PUBREL has flags 0x0 [MQTT-2.2.2-2]",
        ),
        (
            AtLeastOnce,
            b"\x20\x02\x00\x00\x41\x02\x00\x01",
            "PUBACK has flags 0x1 [MQTT-2.2.2-2]",
        ),
        (
            AtLeastOnce,
            b"\x20\x02\x00\x00\x40\x03",
            "PUBACK has Remaining Length 3 (MQTT 2.2.3)",
        ),
        (
            AtLeastOnce,
            b"\x20\x02\x00\x00\x40\x80\x80\x80\x80",
            "Remaining Length is over four bytes (MQTT 2.2.3)",
        ),
        (
            AtLeastOnce,
            b"\x20\x02\x00\x00\x40\x02\x00\x00",
            "a packet has packet identifier 0 [MQTT-2.3.1-1]",
        ),
        (
            AtLeastOnce,
            b"\x20\x02\x00\x00\xd0\x00",
            "PINGRESP without PINGREQ [MQTT-3.12.4-1]",
        ),
        (
            AtMostOnce,
            b"\x20\x02\x00\x00\x40\x02\x00\x01",
            "an acknowledgement, though all was sent at QoS 0 [MQTT-4.3.1-1]",
        ),
        (
            AtLeastOnce,
            b"\x20\x02\x00\x00\x50\x02\x00\x01",
            "QoS 1 is acknowledged by PUBACK only [MQTT-4.3.2-2]",
        ),
    ] {
        let device = device(qos);
        let mut memory = Memory::for_device(&device);
        let mut client = Client::new(&device, &mut memory);
        assert_eq!(client.opened(0), Ok(()));
        client.says(0);
        let close = client.hears(0, bytes).expect_err(clause);
        assert_eq!(
            close.to_string(),
            format!("the broker breaks the protocol: {clause}")
        );
        client.closed(0, ClosedBy::Us(close));
        // And the next connection is none the worse for it.
        client.online(1, WELCOME);
        client.queues("a");
        assert_eq!(client.says(1).len(), 1, "{clause}");
    }
}

#[test]
fn acknowledging_what_is_not_sent_whole_or_too_early_is_a_breach() {
    for (cut, bytes, clause) in [
        (
            3,
            pubrec(1),
            "an acknowledgement of a message that was not sent (MQTT 4.3)",
        ),
        (15, pubcomp(1), "PUBCOMP before PUBREC [MQTT-4.3.3-2]"),
    ] {
        let device = device(QoS::ExactlyOnce);
        let mut memory = Memory::for_device(&device);
        let mut client = Client::new(&device, &mut memory);
        client.online(0, WELCOME);
        client.queues("a");
        client.drain(0, cut).expect("online");
        let close = client.hears(0, &bytes).expect_err(clause);
        assert_eq!(
            close.to_string(),
            format!("the broker breaks the protocol: {clause}")
        );
    }
}

/// What a good broker says to three messages and a PINGREQ.
fn good_stream() -> Vec<u8> {
    let acks = [
        pubrec(1),
        pubrec(2),
        pubcomp(2),
        pubrec(3),
        pubcomp(1),
        pubcomp(3),
    ];
    [WELCOME, &acks.concat(), PINGRESP, &pubrec(3), &pubcomp(3)].concat()
}

/// All that the session says while it hears `pieces`, and how that ends.
fn answer_to(device: &Device<'_>, pieces: &[&[u8]]) -> (Vec<String>, Result<(), Close>) {
    let mut memory = Memory::for_device(device);
    let mut client = Client::new(device, &mut memory);
    for value in ["a", "b", "c"] {
        client.queues(value);
    }
    assert_eq!(client.opened(0), Ok(()));
    let mut said = client.says(0);
    let mut time = 0;
    for piece in pieces {
        let heard = client
            .hears(time, piece)
            .and_then(|()| client.drain(time, usize::MAX).map(|_| ()));
        said.extend(client.packets());
        if let Err(close) = heard {
            return (said, Err(close));
        }
        if client.session.is_online() && time == 0 {
            time = 50_000;
            client.expires(time).expect("PINGREQ is due");
            said.extend(client.says(time));
        }
    }
    (said, Ok(()))
}

#[test]
fn a_stream_means_the_same_wherever_it_is_split() {
    let device = device(QoS::ExactlyOnce);
    let stream = good_stream();
    let (welcome, rest) = stream.split_at(WELCOME.len());
    let whole = answer_to(&device, &[welcome, rest]);
    assert_eq!(whole.1, Ok(()));
    assert_eq!(
        whole.0.len(),
        1 + 3 + 1 + 4,
        "CONNECT, PUBLISH, PINGREQ, PUBREL: {:?}",
        whole.0
    );
    for first in 0..=rest.len() {
        for second in first..=rest.len() {
            let pieces = [
                welcome,
                &rest[..first],
                &rest[first..second],
                &rest[second..],
            ];
            assert_eq!(
                answer_to(&device, &pieces),
                whole,
                "split at {first} and {second}"
            );
        }
    }
    for split in 0..=welcome.len() {
        let pieces = [&welcome[..split], &welcome[split..], rest];
        assert_eq!(
            answer_to(&device, &pieces),
            whole,
            "CONNACK split at {split}"
        );
    }
    let bytes: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(answer_to(&device, &bytes), whole, "byte by byte");
}

#[test]
fn no_corrupted_byte_makes_the_session_panic_or_say_anything_but_packets() {
    for version in [Version::V3_1_1, Version::V3_1] {
        let device = Device {
            version,
            ..device(QoS::ExactlyOnce)
        };
        let good = good_stream();
        let (mut tolerated, mut closed) = (0, 0);
        for place in 0..good.len() {
            for value in 0..=u8::MAX {
                let mut stream = good.clone();
                stream[place] = value;
                // Whatever is missing at the end comes as more good bytes.
                stream.extend_from_slice(&pubcomp(1).repeat(4));
                let (welcome, rest) = stream.split_at(WELCOME.len());
                let (said, result) = answer_to(&device, &[welcome, rest]);
                assert!(said.iter().all(|packet| !packet.is_empty()));
                match result {
                    Ok(()) => tolerated += 1,
                    Err(close) => {
                        assert!(!close.to_string().is_empty());
                        closed += 1;
                    }
                }
            }
        }
        assert!(closed > 1000, "{closed} closed, {tolerated} tolerated");
    }
}

#[test]
fn an_identifier_that_was_never_used_is_taken_for_one_that_is_done_with() {
    let device = device(QoS::AtLeastOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.online(0, WELCOME);
    client.queues("a");
    client.says(0);
    assert_eq!(client.hears(1, &puback(99)), Ok(()));
    assert_eq!(
        (client.counters().acknowledged, client.session.is_idle()),
        (0, false)
    );
}

#[test]
fn what_an_old_connection_left_in_the_input_is_forgotten() {
    let device = device(QoS::AtLeastOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.online(0, WELCOME);
    assert_eq!(client.hears(1, b"\x40\x02\x00"), Ok(()));
    client.closed(2, ClosedBy::Peer);
    client.online(3, WELCOME_BACK);
}

#[test]
fn the_smallest_input_buffer_is_enough() {
    let device = device(QoS::ExactlyOnce);
    let mut memory = Memory::for_device(&device);
    memory
        .input
        .truncate(mqtt_client_core::mqtt::session::MIN_INPUT);
    memory.control.truncate(memory.control.len() - 64);
    let mut client = Client::new(&device, &mut memory);
    client.online(0, WELCOME);
    for value in ["a", "b", "c"] {
        client.queues(value);
    }
    client.says(0);
    let acks: Vec<u8> = (1..=3)
        .flat_map(|id| [pubrec(id), pubcomp(id)].concat())
        .collect();
    assert_eq!(client.hears(1, &acks), Ok(()));
    assert!(client.session.is_idle());
    assert_eq!(client.says(1), ["PUBREL 1", "PUBREL 2", "PUBREL 3"]);
}
