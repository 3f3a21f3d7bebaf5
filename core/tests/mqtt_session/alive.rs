//! How is a dead broker told from a silent one? (MQTT 3.1.1, 3.1.2.10.)

use mqtt_client_core::config::Device;
use mqtt_client_core::mqtt::QoS;
use mqtt_client_core::mqtt::close::Close;
use mqtt_client_core::mqtt::violation::Violation;
use mqtt_client_core::net::protocol::ClosedBy;

use super::{Client, Memory, PINGRESP, WELCOME, WELCOME_BACK, device, puback, pubrec};

#[test]
fn a_silent_connection_is_asked_after_three_quarters_of_a_keep_alive() {
    let device = device(QoS::AtLeastOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.online(1000, WELCOME);
    assert_eq!(client.deadline(), 46_000);
    assert_eq!(client.expires(45_999), Ok(()));
    assert_eq!(client.says(45_999), [""; 0]);
    assert_eq!(client.expires(46_000), Ok(()));
    assert_eq!(client.says(46_000), ["PINGREQ"]);
    assert_eq!(client.hears(46_100, PINGRESP), Ok(()));
    assert_eq!(client.deadline(), 91_000, "45 s after PINGREQ was sent");
}

#[test]
fn both_directions_have_to_be_alive_for_a_link_not_to_be_asked() {
    let device = device(QoS::AtMostOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.online(0, WELCOME);
    for second in 1..45 {
        client.queues("a");
        assert_eq!(client.says(second * 1000), ["PUBLISH a"]);
        assert_eq!(client.deadline(), 45_000, "nothing has been heard since 0");
    }
}

#[test]
fn a_dead_link_is_noticed_within_one_and_a_quarter_keep_alives() {
    for keep_alive in [5, 60, 65_535] {
        let device = Device {
            keep_alive,
            ..device(QoS::AtLeastOnce)
        };
        let mut memory = Memory::for_device(&device);
        let mut client = Client::new(&device, &mut memory);
        client.online(0, WELCOME);
        let second = u64::from(keep_alive) * 1000;
        let asked = client.deadline();
        assert!(asked < second, "[MQTT-3.1.2-23]: {asked}");
        assert_eq!(client.expires(asked), Ok(()));
        assert_eq!(client.says(asked), ["PINGREQ"]);
        let given_up = client.deadline();
        assert_eq!(client.expires(given_up - 1), Ok(()));
        assert_eq!(client.says(given_up - 1), [""; 0], "it is asked once");
        assert_eq!(
            client.expires(given_up),
            Err(Close::NoPingresp(given_up - asked))
        );
        assert!(given_up <= second / 4 * 5, "{given_up} after {second}");
    }
}

#[test]
fn a_write_that_stalls_anywhere_is_noticed_within_one_and_a_quarter_keep_alives() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        for cut in 0..8 {
            let device = device(qos);
            let mut memory = Memory::for_device(&device);
            let mut client = Client::new(&device, &mut memory);
            client.online(0, WELCOME);
            client.queues("a");
            client.drain(1000, cut).expect("online");
            let asked = client.deadline();
            assert_eq!(client.expires(asked), Ok(()));
            let given_up = client.deadline();
            assert_eq!(
                client.expires(given_up),
                Err(Close::NoPingresp(30_000)),
                "{qos:?} {cut}"
            );
            assert!(given_up <= 75_000, "{given_up}");
        }
    }
}

#[test]
fn whatever_arrives_counts_as_an_answer_but_the_question_stays_open() {
    let device = device(QoS::AtLeastOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.online(0, WELCOME);
    client.queues("a");
    client.queues("b");
    assert_eq!(client.says(1000), ["PUBLISH 1 a", "PUBLISH 2 b"]);
    assert_eq!(client.expires(45_000), Ok(()));
    assert_eq!(client.says(45_000), ["PINGREQ"]);
    // On a slow line the answer stands behind much else.
    assert_eq!(client.hears(59_000, &puback(1)), Ok(()));
    assert_eq!(client.deadline(), 89_000);
    assert_eq!(client.hears(88_000, PINGRESP), Ok(()));
    assert_eq!(
        client.hears(88_000, PINGRESP),
        Err(Close::Violation(Violation::UnaskedPingresp))
    );
}

#[test]
fn while_an_answer_is_awaited_something_is_said_within_each_keep_alive_all_the_same() {
    let device = device(QoS::AtLeastOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.online(0, WELCOME);
    client.queues("a");
    client.queues("b");
    assert_eq!(client.says(1000), ["PUBLISH 1 a", "PUBLISH 2 b"]);
    assert_eq!(client.expires(45_000), Ok(()));
    assert_eq!(client.says(45_000), ["PINGREQ"]);
    assert_eq!(client.hears(70_000, &puback(1)), Ok(()));
    assert_eq!(client.deadline(), 90_000, "45 s after PINGREQ was sent");
    assert_eq!(client.expires(90_000), Ok(()));
    assert_eq!(client.says(90_000), ["PINGREQ"], "[MQTT-3.1.2-23]");
    // "b" has waited for one and a half keep-alives, but nothing says that it is lost.
    assert_eq!(client.deadline(), 91_112, "a look at what waits");
    assert_eq!(client.expires(91_112), Ok(()));
    assert_eq!(client.deadline(), 92_136, "and at each tick from then on");
    // Each is answered.
    for _ in 0..2 {
        assert_eq!(client.hears(99_000, PINGRESP), Ok(()));
    }
    assert_eq!(
        client.hears(99_000, PINGRESP),
        Err(Close::Violation(Violation::UnaskedPingresp))
    );
}

#[test]
fn pingreq_waits_for_the_end_of_a_half_written_publish() {
    let device = device(QoS::AtMostOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.online(0, WELCOME);
    client.queues("a");
    client.queues("b");
    client.drain(44_000, 3).expect("online");
    assert_eq!(client.expires(45_000), Ok(()));
    assert_eq!(client.says(45_000), ["PUBLISH a", "PINGREQ", "PUBLISH b"]);
}

#[test]
fn connack_must_come_within_20_seconds_or_a_shorter_keep_alive() {
    for (keep_alive, within) in [
        (5, 5000),
        (19, 19_000),
        (20, 20_000),
        (60, 20_000),
        (65_535, 20_000),
    ] {
        let device = Device {
            keep_alive,
            ..device(QoS::AtLeastOnce)
        };
        let mut memory = Memory::for_device(&device);
        let mut client = Client::new(&device, &mut memory);
        assert_eq!(client.opened(1000), Ok(()));
        assert_eq!(client.says(1000), ["CONNECT 4"]);
        assert_eq!(client.deadline(), 1000 + within);
        assert_eq!(client.expires(999 + within), Ok(()));
        assert_eq!(client.expires(1000 + within), Err(Close::NoConnack(within)));
    }
}

#[test]
fn a_broker_that_answers_but_acknowledges_nothing_is_left_after_one_and_a_half_keep_alives() {
    let device = device(QoS::AtLeastOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.online(0, WELCOME);
    client.queues("a");
    assert_eq!(client.says(10_000), ["PUBLISH 1 a"]);
    for ping in [45_000, 90_000] {
        assert_eq!(client.expires(ping), Ok(()));
        client.queues("b");
        let said = client.says(ping);
        assert!(said.contains(&"PINGREQ".to_string()), "{said:?} at {ping}");
        assert_eq!(client.hears(ping, PINGRESP), Ok(()));
    }
    assert_eq!(
        client.deadline(),
        100_000,
        "90 s after the first message went"
    );
    assert_eq!(client.expires(99_999), Ok(()));
    assert_eq!(
        client.expires(100_000),
        Err(Close::NoAcknowledgement(90_000))
    );
}

#[test]
fn any_acknowledgement_is_progress() {
    for (qos, ack) in [(QoS::AtLeastOnce, puback(1)), (QoS::ExactlyOnce, pubrec(1))] {
        let device = device(qos);
        let mut memory = Memory::for_device(&device);
        let mut client = Client::new(&device, &mut memory);
        client.online(0, WELCOME);
        client.queues("a");
        client.queues("b");
        client.says(0);
        assert_eq!(client.expires(45_000), Ok(()));
        client.says(45_000);
        assert_eq!(client.hears(74_000, &ack), Ok(()));
        assert_eq!(client.hears(74_000, PINGRESP), Ok(()));
        client.says(74_000);
        client.expires(119_000).expect("alive");
        client.says(119_000);
        assert_eq!(client.hears(119_000, PINGRESP), Ok(()));
        assert_eq!(client.expires(163_999), Ok(()), "{qos:?}");
        assert_eq!(
            client.expires(164_000),
            Err(Close::NoAcknowledgement(90_000)),
            "{qos:?}"
        );
    }
}

#[test]
fn without_a_message_in_flight_nothing_has_to_be_acknowledged() {
    let device = device(QoS::AtLeastOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.online(0, WELCOME);
    for ping in (45_000..1_000_000).step_by(45_000) {
        assert_eq!(client.deadline(), ping);
        assert_eq!(client.expires(ping), Ok(()));
        assert_eq!(client.says(ping), ["PINGREQ"]);
        assert_eq!(client.hears(ping, PINGRESP), Ok(()));
    }
}

#[test]
fn the_wait_for_acknowledgements_begins_with_connack() {
    let device = Device {
        keep_alive: 8,
        ..device(QoS::AtLeastOnce)
    };
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    client.online(0, WELCOME);
    client.queues("a");
    assert_eq!(client.says(0), ["PUBLISH 1 a"]);
    client.closed(1000, ClosedBy::Network);
    assert_eq!(client.opened(2000), Ok(()));
    assert_eq!(client.says(2000), ["CONNECT 4"]);
    assert_eq!(client.hears(9_999, WELCOME_BACK), Ok(()));
    assert_eq!(client.says(9_999), ["PUBLISH 1+ a"]);
    // PINGREQ goes on its own way; until then 12 s are left for PUBACK.
    client.expires(15_999).expect("alive");
    assert_eq!(client.says(15_999), ["PINGREQ"]);
    assert_eq!(client.hears(16_000, PINGRESP), Ok(()));
    assert_eq!(client.expires(21_998), Ok(()));
    assert_eq!(
        client.expires(21_999),
        Err(Close::NoAcknowledgement(12_000))
    );
}

#[test]
fn a_disconnect_that_the_network_does_not_take_is_given_up_after_a_keep_alive() {
    let device = device(QoS::AtLeastOnce);
    let mut memory = Memory::for_device(&device);
    let mut client = Client::new(&device, &mut memory);
    assert_eq!(client.opened(0), Ok(()));
    assert_eq!(client.says(0), ["CONNECT 4"]);
    // Somebody else's session: this connection is left at once, if only the network took DISCONNECT.
    assert_eq!(client.hears(1000, WELCOME_BACK), Ok(()));
    assert_eq!(client.deadline(), 61_000);
    assert_eq!(client.expires(60_999), Ok(()));
    assert_eq!(client.expires(61_000), Err(Close::Wiped));
}
