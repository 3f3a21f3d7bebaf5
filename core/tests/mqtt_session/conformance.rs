//! What does the standard ask for that no other file's question covers? `docs/conformance.md` has the whole list.

use mqtt_client_core::config::{Auth, Credentials, Device, Secret, Version, Will};
use mqtt_client_core::mqtt::QoS;
use mqtt_client_core::mqtt::close::Close;
use mqtt_client_core::net::protocol::ClosedBy;

use mqtt_client_core::net::protocol::Protocol as _;

use super::packet::{self, ClientPacket};
use super::{Client, Memory, WELCOME, WELCOME_BACK, at, device, puback, pubcomp, pubrec};

#[test]
fn connect_has_the_flags_of_what_its_payload_has() {
    let will_of = |qos, retain| Will {
        topic: "w",
        message: "",
        qos,
        retain,
    };
    let wills = [
        (None, 0),
        (Some(will_of(QoS::AtMostOnce, false)), 0x04),
        (Some(will_of(QoS::AtLeastOnce, false)), 0x0c),
        (Some(will_of(QoS::ExactlyOnce, true)), 0x34),
    ];
    let credentials = |password| {
        Auth::Password(Credentials {
            username: "u",
            password,
        })
    };
    let auths = [
        (Auth::None, 0),
        (credentials(None), 0x80),
        (credentials(Some(Secret::new("p"))), 0xc0),
    ];
    for (version, flags_at) in [(Version::V3_1_1, 9), (Version::V3_1, 11)] {
        for (will, will_flags) in wills {
            for (auth, auth_flags) in auths {
                let device = Device {
                    version,
                    will,
                    auth,
                    ..device(QoS::AtMostOnce)
                };
                let mut memory = Memory::for_device(&device);
                let mut client = Client::new(&device, &mut memory);
                assert_eq!(client.opened(0), Ok(()));
                client.drain(0, usize::MAX).expect("CONNECT");
                // The reserved bit is 0, the session clean.
                assert_eq!(
                    client.begun[flags_at],
                    will_flags | auth_flags | 0x02,
                    "{version:?} {will:?} {auth:?}"
                );
                // The reader takes the fields that the flags announce, and insists on no byte more or less.
                let Some(ClientPacket::Connect(connect)) = packet::take_packet(&mut client.begun)
                else {
                    panic!("no CONNECT");
                };
                assert_eq!(connect.will.is_some(), will.is_some());
                assert_eq!(connect.username.is_some(), auth_flags & 0x80 != 0);
                assert_eq!(connect.password.is_some(), auth_flags & 0x40 != 0);
            }
        }
    }
}

#[test]
fn a_byte_order_mark_inside_a_text_is_kept() {
    let text = "\u{feff}\u{e4}\u{feff}";
    let device = Device {
        client_id: Some(text),
        will: Some(Will {
            topic: text,
            message: text,
            qos: QoS::AtMostOnce,
            retain: false,
        }),
        auth: Auth::Password(Credentials {
            username: text,
            password: Some(Secret::new(text)),
        }),
        ..device(QoS::AtMostOnce)
    };
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    assert_eq!(client.opened(0), Ok(()));
    client.drain(0, usize::MAX).expect("CONNECT");
    let field = [&[0, 8], text.as_bytes()].concat();
    let expected = field.repeat(5);
    assert!(client.begun.ends_with(&expected), "{:x?}", client.begun);
}

#[test]
fn fixed_headers_have_the_flags_of_the_standards_table() {
    let device = device(QoS::ExactlyOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    let mut headers = Vec::new();
    let mut note = |client: &mut Client<'_>| {
        let _ = client.drain(0, usize::MAX);
        headers.extend(client.begun.first().copied());
        client.begun.clear();
    };
    assert_eq!(client.opened(0), Ok(()));
    note(&mut client);
    assert_eq!(client.hears(0, WELCOME), Ok(()));
    client.queues("a");
    note(&mut client);
    assert_eq!(client.hears(0, &pubrec(1)), Ok(()));
    note(&mut client);
    assert_eq!(client.hears(0, &pubcomp(1)), Ok(()));
    assert_eq!(client.expires(45_000), Ok(()));
    note(&mut client);
    client.session.leave();
    note(&mut client);
    assert_eq!(headers, [0x10, 0x34, 0x62, 0xc0, 0xe0]);
}

#[test]
fn a_connection_has_one_connect() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let device = device(qos);
        let mut memory = Memory::for_device(&device);
        let mut client = Client::new(&device, &mut memory);
        for connack in [
            WELCOME,
            if qos == QoS::AtMostOnce {
                WELCOME
            } else {
                WELCOME_BACK
            },
        ] {
            client.online(0, connack);
            client.queues("a");
            let mut said = client.says(0);
            while client.deadline() < 300_000 && client.expires(client.deadline()).is_ok() {
                said.extend(client.says(0));
            }
            assert!(!said.is_empty(), "{qos:?}");
            assert!(
                said.iter().all(|packet| !packet.starts_with("CONNECT")),
                "{said:?}"
            );
            client.closed(300_000, ClosedBy::Network);
        }
    }
}

#[test]
fn at_qos_0_nothing_is_sent_again_and_nothing_has_dup() {
    // PUBLISH has 13 bytes; cut before, in and behind it.
    for (cut, again) in [(0, &["PUBLISH a"][..]), (3, &["PUBLISH a"]), (13, &[])] {
        let device = device(QoS::AtMostOnce);
        let mut memory = Memory::for_device(&device);
        let mut client = Client::new(&device, &mut memory);
        client.online(0, WELCOME);
        client.queues("a");
        assert_eq!(client.drain(0, cut), Ok(cut));
        client.closed(1, ClosedBy::Network);
        assert_eq!(client.opened(2), Ok(()));
        assert_eq!(client.says(2), ["CONNECT 4 clean"]);
        assert_eq!(client.hears(2, WELCOME), Ok(()));
        client.drain(2, usize::MAX).expect("online");
        let dup = client.begun.first().is_some_and(|first| first & 0x08 != 0);
        assert!(!dup, "cut at {cut}");
        assert_eq!(client.packets(), again, "cut at {cut}");
        assert_eq!(client.counters().sent, 1, "cut at {cut}");
    }
}

#[test]
fn pubrels_go_in_the_order_of_their_pubrecs() {
    for order in [[1, 2, 3], [3, 2, 1], [2, 3, 1]] {
        let device = device(QoS::ExactlyOnce);
        let mut memory = Memory::for_device(&device);
        let mut client = Client::new(&device, &mut memory);
        client.online(0, WELCOME);
        for value in ["a", "b", "c"] {
            client.queues(value);
        }
        client.says(0);
        // In one piece, and one by one.
        assert_eq!(
            client.hears(
                1,
                &order[..2]
                    .iter()
                    .copied()
                    .flat_map(pubrec)
                    .collect::<Vec<_>>()
            ),
            Ok(())
        );
        let mut said = client.says(1);
        assert_eq!(client.hears(2, &pubrec(order[2])), Ok(()));
        said.extend(client.says(2));
        assert_eq!(said, order.map(|id| format!("PUBREL {id}")));
    }
}

#[test]
fn a_publish_is_not_sent_again_after_its_pubrel() {
    let device = device(QoS::ExactlyOnce);
    let mut memory = Memory::for_device(&device);
    // PUBREL on its way, half written, or not written at all when the connection breaks.
    for cut in [4, 2, 0] {
        let mut client = Client::new(&device, &mut memory);
        client.online(0, WELCOME);
        client.queues("a");
        client.says(0);
        assert_eq!(client.hears(1, &pubrec(1)), Ok(()));
        assert_eq!(client.drain(1, cut), Ok(cut));
        client.closed(2, ClosedBy::Network);
        client.online(3, WELCOME_BACK);
        assert_eq!(client.says(3), ["PUBREL 1"], "cut at {cut}");
        // A broker that has lost the session may have lost the message with it: in the new session it begins anew.
        client.closed(4, ClosedBy::Network);
        client.online(5, WELCOME);
        assert_eq!(client.says(5), ["PUBLISH 1+ a"], "cut at {cut}");
        assert_eq!(client.counters().acknowledged, 0);
    }
}

#[test]
fn after_disconnect_nothing_is_said_and_the_connection_closes() {
    let device = device(QoS::AtLeastOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.online(0, WELCOME);
    client.queues("a");
    client.says(0);
    client.session.leave();
    let (said, close) = client.says_at_last(1);
    assert_eq!(
        (said, close),
        (vec!["DISCONNECT".to_string()], Close::Finished)
    );
    // Whatever happens before the network has closed.
    client.queues("b");
    assert_eq!(client.hears(2, &puback(1)), Ok(()));
    client.session.leave();
    client.session.stop();
    for _ in 0..2 {
        assert_eq!(client.session.output(at(3)), Err(Close::Finished));
    }
    assert_eq!(client.expires(client.deadline()), Err(Close::Finished));
}
