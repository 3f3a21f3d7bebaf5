//! Warnings that save a site visit.

use crate::{Book, CLOUD, DEVICES, SIGNALS, device, signal};

/// Two devices and a signal of each; only what differs is given.
fn two(
    first: &[(&str, &'static str)],
    second: &[(&str, &'static str)],
    topics: [&'static str; 2],
) -> Book {
    let second = [&[("device_alias", "backup")], second].concat();
    Book::new()
        .sheet("Devices", &[&DEVICES, &device(first), &device(&second)])
        .sheet(
            "Signals",
            &[
                &SIGNALS,
                &signal(&[("topic", topics[0])]),
                &signal(&[("device_alias", "backup"), ("topic", topics[1])]),
            ],
        )
}

#[test]
fn port_1883_with_tls() {
    let columns = [
        &DEVICES[..],
        &["ca_certificate", "client_certificate", "client_key"],
    ]
    .concat();
    let row = |port| {
        [
            &device(&[("auth", "tls"), ("port", port)])[..],
            &["ca", "crt", "key"],
        ]
        .concat()
    };
    let text = "port: 1883 is the port without TLS, and auth is tls; with TLS it is usually 8883";
    for (port, expected) in [
        ("1883", vec![format!("warning: Devices!F2 {text}")]),
        ("", vec![format!("warning: Devices!F2 {text}")]),
        ("8883", vec![]),
    ] {
        let book = Book::new()
            .sheet("Devices", &[&columns, &row(port)])
            .sheet("Signals", &[&SIGNALS]);
        assert_eq!(book.build().warnings(), expected, "port {port:?}");
    }
}

#[test]
fn what_the_provider_of_the_broker_does_not_accept() {
    let book = Book::plant()
        .put("Devices!E2", "a1-ats.iot.eu-west-1.amazonaws.com")
        .put("Devices!F2", "8883")
        .put("Devices!G2", 2)
        .put("Signals!H2", "a/b/c/d/e/f/g/h/i");
    let warnings = book.build().warnings();
    for expected in [
        "warning: Devices!G2 mqtt_qos: AWS IoT Core takes QoS 0 and 1, and never acknowledges QoS 2 (https://docs.aws.amazon.com/",
        "warning: Signals!H2 topic: AWS IoT Core takes 7 slashes at most",
    ] {
        let found = warnings.iter().any(|one| one.starts_with(expected));
        assert!(found, "{expected}: {warnings:#?}");
    }
}

#[test]
fn qos_2_to_a_topic_that_two_signals_share() {
    let shared = |qos| {
        Book::plant()
            .put("Devices!G2", qos)
            .put("Signals!H2", "plant")
            .row(
                "Signals",
                3,
                &signal(&[("signal_alias", "q"), ("topic", "plant")]),
            )
            .row(
                "Signals",
                4,
                &signal(&[("signal_alias", "r"), ("topic", "plant")]),
            )
            .build()
            .warnings()
    };
    assert_eq!(
        shared(2),
        [
            "warning: Signals!H3 topic: is also the topic of Signals!H2, and QoS 2 delivers each message exactly once, \
          but does not tell from which signal"
        ]
    );
    assert_eq!(
        shared(1),
        ["warning: Signals!H3 topic: is also the topic of Signals!H2"]
    );
}

#[test]
fn a_topic_that_two_devices_publish_retained() {
    let retained = [("mqtt_retain", "1")];
    let elsewhere = [("mqtt_retain", "1"), ("ip", "other")];
    let same_host = [("mqtt_retain", "1"), ("ip", "BROKER")];
    let off = [("mqtt_retain", "1"), ("enable", "0")];
    let expected = "warning: Signals!H3 topic: is also the topic of Signals!H2, of another device, and both are retained: \
                    the broker keeps whichever comes last";
    for (second, topics, warned) in [
        (&same_host[..], ["plant", "plant"], true),
        (&retained, ["plant", "plant/2"], false),
        (&retained, ["", ""], false),
        (&elsewhere, ["plant", "plant"], false),
        (&off, ["plant", "plant"], false),
        (&[], ["plant", "plant"], false),
    ] {
        let warnings = two(&retained, second, topics).build().warnings();
        let expected = if warned { vec![expected] } else { vec![] };
        assert_eq!(warnings, expected, "{second:?} {topics:?}");
    }
}

#[test]
fn last_wills_of_two_devices_that_are_retained_on_one_topic() {
    let columns = [
        &DEVICES[..],
        &["use_last_will", "last_will_topic", "last_will_retain"],
    ]
    .concat();
    let will = ["1", "plant/status", "1"];
    let first = [&CLOUD[..], &will].concat();
    let second = [&device(&[("device_alias", "backup")])[..], &will].concat();
    let book = Book::new()
        .sheet("Devices", &[&columns, &first, &second])
        .sheet("Signals", &[&SIGNALS]);
    assert_eq!(
        book.build().warnings(),
        [
            "warning: Devices!O3 last_will_topic: is also the topic of Devices!O2, of another device, and both are \
          retained: the broker keeps whichever comes last"
        ]
    );
}

#[test]
fn a_client_id_that_is_used_twice_for_one_broker() {
    let expected = "warning: Devices!L3 client_id: is that of Devices!L2 too, at the same broker, which will throw \
                    one out for the other";
    for (second, warned) in [
        (&[("client_id", "gateway")][..], true),
        (&[("client_id", "gateway"), ("port", "1884")], false),
        (&[("client_id", "gateway"), ("ip", "other")], false),
        (&[("client_id", "gateway"), ("enable", "0")], false),
        (&[("client_id", "gateway2")], false),
        (&[], false),
    ] {
        let book = two(&[("client_id", "gateway")], second, ["a", "b"]);
        let expected = if warned { vec![expected] } else { vec![] };
        assert_eq!(book.build().warnings(), expected, "{second:?}");
    }
}

#[test]
fn a_workbook_without_any_mqtt_device() {
    let book = Book::new()
        .sheet("Devices", &[&DEVICES, &device(&[("protocol", "Modbus")])])
        .sheet("Signals", &[&SIGNALS, &signal(&[])]);
    assert_eq!(
        book.build().warnings(),
        ["warning: Devices: holds no device whose protocol is MQTT"]
    );
}

#[test]
fn a_device_that_is_off_or_not_quite_mqtt_is_warned_of() {
    let almost = device(&[("device_alias", "second"), ("protocol", "MQTT 3.1")]);
    let book = Book::plant()
        .put("Devices!C2", 0)
        .row("Devices", 3, &almost);
    assert_eq!(
        book.build().warnings(),
        [
            "warning: Devices: holds no MQTT device with enable 1, so nothing will be sent",
            "warning: Devices!D3 protocol: is another protocol than MQTT, so this device and its signals are skipped",
        ]
    );
}
