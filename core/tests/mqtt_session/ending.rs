//! How does a session end, and what does it think of the end?

use mqtt_client_core::mqtt::QoS;
use mqtt_client_core::mqtt::close::Close;
use mqtt_client_core::mqtt::session::Session;
use mqtt_client_core::net::protocol::{ClosedBy, Retry};

use super::{Client, Memory, WELCOME, WELCOME_BACK, device, puback, pubcomp, pubrec};

#[test]
fn stopping_sends_what_is_queued_finishes_the_handshakes_and_says_disconnect() {
    let device = device(QoS::ExactlyOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.online(0, WELCOME);
    client.queues("a");
    client.queues("b");
    client.session.stop();
    assert_eq!(client.says(1), ["PUBLISH 1 a", "PUBLISH 2 b"]);
    assert_eq!(client.hears(2, &pubrec(1)), Ok(()));
    assert_eq!(client.hears(2, &pubrec(2)), Ok(()));
    assert_eq!(client.says(2), ["PUBREL 1", "PUBREL 2"]);
    assert_eq!(client.hears(3, &pubcomp(2)), Ok(()));
    assert_eq!(client.says(3), [""; 0]);
    assert_eq!(client.hears(4, &pubcomp(1)), Ok(()));
    assert_eq!(
        client.says_at_last(4),
        (vec!["DISCONNECT".to_string()], Close::Finished)
    );
    assert_eq!(
        client.closed(4, ClosedBy::Us(Close::Finished)),
        Retry::Never
    );
}

#[test]
fn stopping_with_nothing_queued_says_disconnect_at_once() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let device = device(qos);
        let mut memory = Memory::for_device(&device);
        let mut client = Client::new(&device, &mut memory);
        client.online(0, WELCOME);
        client.session.stop();
        assert_eq!(
            client.says_at_last(1),
            (vec!["DISCONNECT".to_string()], Close::Finished),
            "{qos:?}"
        );
    }
}

#[test]
fn at_qos_0_stopping_waits_until_the_network_has_taken_the_last_byte() {
    let device = device(QoS::AtMostOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.online(0, WELCOME);
    client.queues("a");
    client.session.stop();
    let publish = 6;
    for byte in 0..publish {
        assert_eq!(client.drain(byte, 1), Ok(1), "byte {byte}");
    }
    assert_eq!(
        client.says_at_last(publish),
        (
            vec!["PUBLISH a".to_string(), "DISCONNECT".to_string()],
            Close::Finished
        )
    );
}

#[test]
fn a_connection_that_breaks_while_stopping_is_made_again_and_the_rest_sent() {
    let device = device(QoS::AtLeastOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.online(0, WELCOME);
    client.queues("a");
    client.session.stop();
    assert_eq!(client.says(1), ["PUBLISH 1 a"]);
    assert_eq!(client.closed(2, ClosedBy::Network), Retry::BackOff);
    client.online(3, WELCOME_BACK);
    assert_eq!(client.says(3), ["PUBLISH 1+ a"]);
    assert_eq!(client.hears(4, &puback(1)), Ok(()));
    assert_eq!(
        client.says_at_last(4),
        (vec!["DISCONNECT".to_string()], Close::Finished)
    );
}

#[test]
fn leaving_says_disconnect_behind_the_packet_that_is_half_written_and_nothing_else() {
    for (cut, said) in [
        (0, &["DISCONNECT"][..]),
        (1, &["PUBLISH 1 a", "DISCONNECT"]),
        (7, &["PUBLISH 1 a", "DISCONNECT"]),
        (8, &["PUBLISH 1 a", "DISCONNECT"]),
    ] {
        let device = device(QoS::AtLeastOnce);
        let mut memory = Memory::for_device(&device);
        let mut client = Client::new(&device, &mut memory);
        client.online(0, WELCOME);
        client.queues("a");
        client.queues("b");
        client.drain(1, cut).expect("online");
        client.session.leave();
        let said: Vec<_> = said.iter().map(ToString::to_string).collect();
        assert_eq!(
            client.says_at_last(2),
            (said, Close::Finished),
            "cut at {cut}"
        );
    }
}

#[test]
fn nothing_follows_disconnect_and_what_is_acknowledged_behind_it_is_released_next_time() {
    let device = device(QoS::ExactlyOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.online(0, WELCOME);
    client.queues("a");
    assert_eq!(client.says(1), ["PUBLISH 1 a"]);
    client.session.leave();
    assert_eq!(client.hears(2, &pubrec(1)), Ok(()));
    assert_eq!(
        client.says_at_last(2),
        (vec!["DISCONNECT".to_string()], Close::Finished)
    );
    client.closed(2, ClosedBy::Us(Close::Finished));
    client.online(3, WELCOME_BACK);
    assert_eq!(client.says(3), ["PUBREL 1"]);
}

#[test]
fn however_many_answers_wait_to_be_written_there_is_room_for_disconnect() {
    let device = device(QoS::ExactlyOnce);
    for more_room in 0..4 {
        let mut memory = Memory::for_device(&device);
        memory.input.resize(1000, 0);
        memory
            .control
            .truncate(Session::control_len(&device) + more_room);
        let mut client = Client::new(&device, &mut memory);
        client.online(0, WELCOME);
        for _ in 0..20 {
            client.queues("a");
        }
        assert_eq!(client.says(1).len(), 20);
        let acknowledgements = (1..=20).map(pubrec).collect::<Vec<_>>().concat();
        assert_eq!(client.hears(2, &acknowledgements), Ok(()));
        client.session.leave();
        let (said, close) = client.says_at_last(2);
        let behind = said.len() - 1;
        assert_eq!(said[behind], "DISCONNECT", "{said:?}");
        assert!((1..20).contains(&behind), "they do not all fit: {said:?}");
        assert_eq!(close, Close::Finished);
    }
}

#[test]
fn leaving_before_connack_says_disconnect_too_so_that_no_last_will_is_sent() {
    let device = device(QoS::AtLeastOnce);
    for cut in 0..10 {
        let mut memory = Memory::for_device(&device);
        let mut client = Client::new(&device, &mut memory);
        client.queues("a");
        assert_eq!(client.opened(0), Ok(()));
        client.drain(0, cut).expect("CONNECT");
        client.session.leave();
        assert_eq!(
            client.hears(1, WELCOME),
            Ok(()),
            "it comes too late to matter"
        );
        let said = vec!["CONNECT 4".to_string(), "DISCONNECT".to_string()];
        assert_eq!(
            client.says_at_last(1),
            (said, Close::Finished),
            "cut at {cut}"
        );
    }
}

#[test]
fn leaving_without_a_connection_does_nothing() {
    let device = device(QoS::AtLeastOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.session.leave();
    assert!(!client.session.is_connected());
    client.online(0, WELCOME);
}

#[test]
fn to_be_thrown_out_three_times_right_after_connack_means_that_another_client_has_the_name() {
    // For each connection: how long after CONNACK it ends, and by whom.
    let peer = ClosedBy::Peer;
    for (ends, last) in [
        (
            &[(4999, peer), (4999, peer), (4999, peer)][..],
            Retry::Displaced,
        ),
        (
            &[(0, peer), (0, peer), (0, peer), (0, peer)],
            Retry::Displaced,
        ),
        (&[(0, peer), (0, peer)], Retry::BackOff),
        (&[(0, peer), (0, peer), (5000, peer)], Retry::BackOff),
        (
            &[(0, peer), (0, peer), (5000, peer), (0, peer)],
            Retry::BackOff,
        ),
        (
            &[
                (0, ClosedBy::Network),
                (0, ClosedBy::Network),
                (0, ClosedBy::Network),
            ],
            Retry::BackOff,
        ),
        (
            &[(0, peer), (0, peer), (0, ClosedBy::Network), (0, peer)],
            Retry::BackOff,
        ),
    ] {
        let device = device(QoS::AtMostOnce);
        let mut memory = Memory::for_device(&device);
        let mut client = Client::new(&device, &mut memory);
        let mut time = 0;
        let mut retry = None;
        for (held, by) in ends {
            time += 60_000;
            client.online(time, WELCOME);
            retry = Some(client.closed(time + held, *by));
        }
        assert_eq!(retry, Some(last), "{ends:?}");
    }
}

#[test]
fn reasons_are_told_in_words_with_seconds() {
    for (close, words) in [
        (Close::NoConnack(20_000), "no CONNACK within 20 s"),
        (Close::NoPingresp(30_000), "no PINGRESP within 30 s"),
        (Close::NoPingresp(500), "no PINGRESP within 1 s"),
        (
            Close::NoAcknowledgement(90_000),
            "no acknowledgement within 90 s",
        ),
        (Close::Wiped, "an old session is being wiped out"),
        (Close::Finished, "disconnected"),
        (
            Close::ControlTooSmall(31),
            "our control buffer is too small: CONNECT needs 31 bytes",
        ),
    ] {
        assert_eq!(close.to_string(), words);
    }
}
