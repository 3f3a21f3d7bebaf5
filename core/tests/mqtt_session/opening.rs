//! How does a connection begin, and what if the broker does not want it?

use mqtt_client_core::config::{Auth, Credentials, Device, Secret, Version, Will};
use mqtt_client_core::mqtt::close::Close;
use mqtt_client_core::mqtt::session::Session;
use mqtt_client_core::mqtt::violation::Violation;
use mqtt_client_core::mqtt::{QoS, Refusal};
use mqtt_client_core::net::protocol::{ClosedBy, Retry};

use super::packet::{self, ClientPacket};
use super::{Client, Memory, WELCOME, WELCOME_BACK, device};

#[test]
fn connect_is_the_first_packet_and_says_what_the_configuration_says() {
    let credentials = Credentials {
        username: "user",
        password: Some(Secret::new("pass")),
    };
    let device = Device {
        auth: Auth::Password(credentials),
        keep_alive: 77,
        will: Some(Will {
            topic: "gone",
            message: "1",
            qos: QoS::AtLeastOnce,
            retain: true,
        }),
        ..device(QoS::AtLeastOnce)
    };
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.queues("a");
    assert_eq!(client.opened(0), Ok(()));
    client.drain(0, usize::MAX).expect("CONNECT");
    let Some(ClientPacket::Connect(connect)) = packet::take_packet(&mut client.begun) else {
        panic!("no CONNECT");
    };
    assert_eq!(
        (connect.level, connect.clean_session, connect.keep_alive),
        (4, false, 77)
    );
    assert_eq!(connect.client_id, "cloud-00c0ffee");
    assert_eq!(
        (connect.username.as_deref(), connect.password.as_deref()),
        (Some("user"), Some("pass"))
    );
    let will = connect.will.expect("a will");
    assert_eq!(
        (
            will.topic.as_str(),
            will.message.as_str(),
            will.qos,
            will.retain
        ),
        ("gone", "1", 1, true)
    );
    assert_eq!(client.says(1), [""; 0], "nothing else until CONNACK");
}

#[test]
fn the_session_is_clean_at_qos_0_only() {
    for (qos, connect) in [
        (QoS::AtMostOnce, "CONNECT 4 clean"),
        (QoS::AtLeastOnce, "CONNECT 4"),
        (QoS::ExactlyOnce, "CONNECT 4"),
    ] {
        let device = device(qos);
        let mut memory = Memory::for_device(&device);
        let mut client = Client::new(&device, &mut memory);
        for time in [0, 1000] {
            assert_eq!(client.opened(time), Ok(()));
            assert_eq!(client.says(time), [connect]);
            assert_eq!(client.hears(time, WELCOME), Ok(()));
            client.closed(time, ClosedBy::Network);
        }
    }
}

#[test]
fn the_version_of_the_configuration_is_spoken() {
    for (version, qos, connect) in [
        (Version::Auto, QoS::AtMostOnce, "CONNECT 4 clean"),
        (Version::V3_1_1, QoS::AtMostOnce, "CONNECT 4 clean"),
        (Version::V3_1, QoS::AtMostOnce, "CONNECT 3 clean"),
        (Version::V3_1_1, QoS::AtLeastOnce, "CONNECT 4"),
    ] {
        let device = Device {
            version,
            ..device(qos)
        };
        let mut memory = Memory::for_device(&device);
        let mut client = Client::new(&device, &mut memory);
        assert_eq!(client.opened(0), Ok(()));
        assert_eq!(client.says(0), [connect], "{version:?}");
    }
}

#[test]
fn every_refusal_closes_and_tells_when_to_try_again() {
    for (code, refusal, retry) in [
        (1, Refusal::ProtocolLevel, Retry::Permanent),
        (2, Refusal::Identifier, Retry::Permanent),
        (3, Refusal::ServerUnavailable, Retry::BackOff),
        (4, Refusal::Credentials, Retry::Permanent),
        (5, Refusal::NotAuthorized, Retry::Permanent),
    ] {
        let device = Device {
            version: Version::V3_1_1,
            ..device(QoS::AtLeastOnce)
        };
        let mut memory = Memory::for_device(&device);
        let mut client = Client::new(&device, &mut memory);
        for time in [0, 40_000] {
            assert_eq!(client.opened(time), Ok(()));
            assert_eq!(client.says(time), ["CONNECT 4"]);
            let close = Close::Refused(refusal);
            assert_eq!(client.hears(time, &[0x20, 2, 0, code]), Err(close));
            assert_eq!(
                client.closed(time, ClosedBy::Us(close)),
                retry,
                "code {code}"
            );
        }
    }
}

#[test]
fn auto_falls_back_to_3_1_when_the_level_is_refused() {
    let device = device(QoS::AtMostOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    assert_eq!(client.opened(0), Ok(()));
    assert_eq!(client.says(0), ["CONNECT 4 clean"]);
    let close = Close::Refused(Refusal::ProtocolLevel);
    assert_eq!(client.hears(10, b"\x20\x02\x00\x01"), Err(close));
    assert_eq!(client.closed(10, ClosedBy::Us(close)), Retry::AtOnce);
    assert_eq!(client.opened(20), Ok(()));
    assert_eq!(client.says(20), ["CONNECT 3 clean"]);
    assert_eq!(client.hears(30, WELCOME), Ok(()));
    // And stays there.
    assert_eq!(client.closed(40, ClosedBy::Network), Retry::BackOff);
    assert_eq!(client.opened(50), Ok(()));
    assert_eq!(client.says(50), ["CONNECT 3 clean"]);
}

#[test]
fn a_broker_that_refuses_both_levels_is_not_tried_without_delay_for_ever() {
    let device = device(QoS::AtMostOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    for (time, connect, retry) in [
        (0, "CONNECT 4 clean", Retry::AtOnce),
        (1, "CONNECT 3 clean", Retry::Permanent),
        (32_001, "CONNECT 4 clean", Retry::Permanent),
        (64_001, "CONNECT 3 clean", Retry::Permanent),
    ] {
        assert_eq!(client.opened(time), Ok(()));
        assert_eq!(client.says(time), [connect]);
        let close = Close::Refused(Refusal::ProtocolLevel);
        assert_eq!(client.hears(time, b"\x20\x02\x00\x01"), Err(close));
        assert_eq!(client.closed(time, ClosedBy::Us(close)), retry, "at {time}");
    }
}

#[test]
fn a_level_that_was_accepted_once_is_not_what_a_broker_hangs_up_about() {
    let device = device(QoS::AtMostOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    assert_eq!(client.opened(0), Ok(()));
    assert_eq!(client.says(0), ["CONNECT 4 clean"]);
    assert_eq!(client.hears(10, WELCOME), Ok(()));
    assert_eq!(client.closed(20, ClosedBy::Network), Retry::BackOff);
    // A load balancer whose broker is restarting.
    for time in [30, 40, 50, 60] {
        assert_eq!(client.opened(time), Ok(()));
        assert_eq!(client.says(time), ["CONNECT 4 clean"]);
        assert_eq!(client.closed(time, ClosedBy::Peer), Retry::BackOff);
    }
}

#[test]
fn auto_falls_back_to_3_1_when_connect_is_answered_with_a_close_twice_in_a_row() {
    // How each connection ends, before any CONNACK; the level of the next one.
    for (ends, level) in [
        (&[ClosedBy::Peer][..], 4),
        (&[ClosedBy::Peer, ClosedBy::Peer], 3),
        (
            &[ClosedBy::Network, ClosedBy::Network, ClosedBy::Network],
            4,
        ),
        (&[ClosedBy::Peer, ClosedBy::Peer, ClosedBy::Peer], 3),
        (
            &[
                ClosedBy::Peer,
                ClosedBy::Peer,
                ClosedBy::Peer,
                ClosedBy::Peer,
            ],
            4,
        ),
    ] {
        let device = device(QoS::AtMostOnce);
        let mut memory = Memory::for_device(&device);
        let mut client = Client::new(&device, &mut memory);
        for end in ends {
            assert_eq!(client.opened(0), Ok(()));
            client.says(0);
            client.closed(1, *end);
        }
        assert_eq!(client.opened(2), Ok(()));
        assert_eq!(
            client.says(2),
            [format!("CONNECT {level} clean")],
            "{ends:?}"
        );
    }
}

#[test]
fn after_a_guess_that_was_accepted_the_next_connection_asks_for_3_1_1_again() {
    // A proxy before a broker that is down closes; the broker, up again, speaks both levels.
    let device = Device {
        alias: "a-long-alias-of-a-device",
        ..device(QoS::AtMostOnce)
    };
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    let mut names = Vec::new();
    for (connect, connack, end, retry) in [
        ("CONNECT 4 clean", false, ClosedBy::Peer, Retry::BackOff),
        ("CONNECT 4 clean", false, ClosedBy::Peer, Retry::AtOnce),
        ("CONNECT 3 clean", true, ClosedBy::Network, Retry::BackOff),
        // Down once more, or indeed a broker of 3.1 only.
        ("CONNECT 4 clean", false, ClosedBy::Peer, Retry::BackOff),
        ("CONNECT 4 clean", false, ClosedBy::Peer, Retry::AtOnce),
        ("CONNECT 3 clean", true, ClosedBy::Peer, Retry::BackOff),
        // Known from now on.
        ("CONNECT 4 clean", true, ClosedBy::Network, Retry::BackOff),
        ("CONNECT 4 clean", false, ClosedBy::Peer, Retry::BackOff),
        ("CONNECT 4 clean", false, ClosedBy::Peer, Retry::BackOff),
        ("CONNECT 4 clean", false, ClosedBy::Peer, Retry::BackOff),
    ] {
        assert_eq!(client.opened(0), Ok(()));
        client.drain(0, usize::MAX).expect("the connection goes on");
        let said = packet::take_packet(&mut client.begun).expect("CONNECT");
        assert_eq!(said.to_string(), connect);
        if let ClientPacket::Connect(connect) = said {
            names.push(connect.client_id);
        }
        if connack {
            assert_eq!(client.hears(0, WELCOME), Ok(()));
        }
        assert_eq!(client.closed(10_000, end), retry);
    }
    let (long, short) = names.split_at(2);
    assert!(short.iter().all(|name| name.len() == 23), "{names:?}");
    assert!(long.iter().all(|name| name.len() > 23), "{names:?}");
}

#[test]
fn an_accepted_connection_between_them_makes_two_closes_no_row() {
    let device = device(QoS::AtMostOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    for welcome in [false, true, false] {
        assert_eq!(client.opened(0), Ok(()));
        assert_eq!(client.says(0), ["CONNECT 4 clean"]);
        if welcome {
            assert_eq!(client.hears(0, WELCOME), Ok(()));
        }
        client.closed(10_000, ClosedBy::Peer);
    }
    assert_eq!(client.opened(20_000), Ok(()));
    assert_eq!(client.says(20_000), ["CONNECT 4 clean"]);
}

#[test]
fn a_version_that_was_asked_for_is_kept_whatever_the_broker_does() {
    for (version, connect) in [
        (Version::V3_1, "CONNECT 3 clean"),
        (Version::V3_1_1, "CONNECT 4 clean"),
    ] {
        let device = Device {
            version,
            ..device(QoS::AtMostOnce)
        };
        let mut memory = Memory::for_device(&device);
        let mut client = Client::new(&device, &mut memory);
        for time in 0..4 {
            assert_eq!(client.opened(time), Ok(()));
            assert_eq!(client.says(time), [connect]);
            assert_eq!(client.closed(time, ClosedBy::Peer), Retry::BackOff);
        }
    }
}

#[test]
fn the_session_of_an_earlier_process_is_wiped_out_before_anything_is_sent() {
    let device = device(QoS::ExactlyOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.queues("a");
    // There is one: it is left.
    assert_eq!(client.opened(0), Ok(()));
    assert_eq!(client.says(0), ["CONNECT 4"]);
    assert_eq!(client.hears(1, WELCOME_BACK), Ok(()));
    assert_eq!(
        client.says_at_last(1),
        (vec!["DISCONNECT".to_string()], Close::Wiped)
    );
    assert_eq!(client.closed(1, ClosedBy::Us(Close::Wiped)), Retry::AtOnce);
    // A clean one takes its place, and is left too.
    assert_eq!(client.opened(2), Ok(()));
    assert_eq!(client.says(2), ["CONNECT 4 clean"]);
    assert_eq!(client.hears(3, WELCOME), Ok(()));
    assert_eq!(
        client.says_at_last(3),
        (vec!["DISCONNECT".to_string()], Close::Wiped)
    );
    assert_eq!(client.closed(3, ClosedBy::Us(Close::Wiped)), Retry::AtOnce);
    // Now a session is ours.
    client.online(4, WELCOME);
    assert_eq!(client.says(4), ["PUBLISH 1 a"]);
    assert_eq!(client.counters().reconnects, 0, "it was one beginning");
    // And stays ours, whatever the broker remembers.
    client.closed(5, ClosedBy::Network);
    client.online(6, WELCOME_BACK);
    assert_eq!(client.says(6), ["PUBLISH 1+ a"]);
    assert_eq!(client.counters().reconnects, 1);
}

#[test]
fn wiping_goes_on_after_a_connection_that_broke_in_its_middle() {
    let device = device(QoS::AtLeastOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.queues("a");
    // DISCONNECT is never written; then it is, twice.
    for (connect, connack, breaks) in [
        ("CONNECT 4", WELCOME_BACK, true),
        ("CONNECT 4", WELCOME_BACK, false),
        ("CONNECT 4 clean", WELCOME, true),
        ("CONNECT 4 clean", WELCOME, false),
    ] {
        assert_eq!(client.opened(0), Ok(()));
        assert_eq!(client.says(0), [connect]);
        assert_eq!(client.hears(1, connack), Ok(()));
        if breaks {
            assert_eq!(client.closed(1, ClosedBy::Network), Retry::BackOff);
        } else {
            assert_eq!(client.says_at_last(1).0, ["DISCONNECT"]);
            assert_eq!(client.closed(1, ClosedBy::Us(Close::Wiped)), Retry::AtOnce);
        }
    }
    client.online(2, WELCOME);
    assert_eq!(client.says(2), ["PUBLISH 1 a"]);
}

#[test]
fn in_3_1_which_tells_nothing_the_old_session_is_wiped_unseen() {
    let device = Device {
        version: Version::V3_1,
        ..device(QoS::AtLeastOnce)
    };
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.queues("a");
    assert_eq!(client.opened(0), Ok(()));
    assert_eq!(client.says(0), ["CONNECT 3 clean"]);
    assert_eq!(client.hears(1, WELCOME), Ok(()));
    assert_eq!(
        client.says_at_last(1),
        (vec!["DISCONNECT".to_string()], Close::Wiped)
    );
    assert_eq!(client.closed(1, ClosedBy::Us(Close::Wiped)), Retry::AtOnce);
    assert_eq!(client.opened(2), Ok(()));
    assert_eq!(client.says(2), ["CONNECT 3"]);
    assert_eq!(client.hears(3, WELCOME), Ok(()));
    assert_eq!(client.says(3), ["PUBLISH 1 a"]);
}

#[test]
fn a_session_that_is_present_after_a_clean_start_breaks_the_standard() {
    let device = device(QoS::AtMostOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    assert_eq!(client.opened(0), Ok(()));
    assert_eq!(client.says(0), ["CONNECT 4 clean"]);
    let close = Close::Violation(Violation::SessionPresentAfterClean);
    assert_eq!(client.hears(1, WELCOME_BACK), Err(close));
    assert_eq!(client.closed(1, ClosedBy::Us(close)), Retry::BackOff);
}

#[test]
fn a_control_buffer_that_does_not_hold_connect_is_reported_with_the_size_it_needs() {
    let device = device(QoS::AtLeastOnce);
    let needed = Session::control_len(&device);
    // 3.1's longer name needs two bytes more than what is sent first.
    for (len, fits) in [
        (0, false),
        (needed - 3, false),
        (needed - 2, true),
        (needed, true),
    ] {
        let mut memory = Memory::for_device(&device);
        memory.control.truncate(len);
        let mut client = Client::new(&device, &mut memory);
        let close = Close::ControlTooSmall(needed - 2);
        assert_eq!(
            client.opened(0),
            if fits { Ok(()) } else { Err(close) },
            "{len} bytes"
        );
        if !fits {
            assert_eq!(client.closed(0, ClosedBy::Us(close)), Retry::Permanent);
            assert!(!client.session.is_connected());
        }
    }
}

#[test]
fn a_session_suspended_while_it_waits_for_connack_goes_on() {
    let device = device(QoS::AtLeastOnce);
    let mut memory = Memory::for_device(&device);
    for cut in 0..20 {
        let mut client = Client::new(&device, &mut memory);
        assert_eq!(client.opened(0), Ok(()));
        client.drain(0, cut).expect("CONNECT");
        let (begun, state) = (client.begun, client.session.suspend());
        let mut client = Client::resume(&device, &mut memory, state);
        client.begun = begun;
        assert_eq!(client.says(1), ["CONNECT 4"], "cut at {cut}");
        assert_eq!(client.hears(2, WELCOME), Ok(()));
        assert!(client.session.is_online());
    }
}
