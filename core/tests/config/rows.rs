//! What holds between rows? Aliases, shared topics, signals and their devices, and rows of other protocols.

use mqtt_client_core::config::{Config, Payload};

use crate::{check, device, file, signal, valid, valid_rows};

#[test]
fn an_empty_row_lacks_every_required_key() {
    assert_eq!(
        check(r#"{"devices": [{}], "signals": [{}]}"#),
        [
            "devices[0].protocol: is missing",
            "devices[0].device_alias: is missing",
            "devices[0].name: is missing",
            "devices[0].ip: is missing",
            "devices[0].auth: is missing",
            "signals[0].device_alias: is missing",
            "signals[0].signal_name: is missing",
            "signals[0].signal_alias: is missing",
            "signals[0].source_device_alias: is missing",
            "signals[0].source_signal_alias: is missing",
        ]
    );
}

#[test]
fn aliases_are_unique() {
    let other = |alias| device(&[("protocol", "\"Modbus\""), ("device_alias", alias)]);
    let taken = |row: usize, by: usize| {
        format!("devices[{row}].device_alias: \"cloud\" is the alias of devices[{by}] already")
    };
    for (devices, expected) in [
        (
            vec![device(&[]), device(&[("device_alias", "\"Cloud\"")])],
            vec![],
        ),
        (
            vec![device(&[]), device(&[]), device(&[])],
            vec![taken(1, 0), taken(2, 0)],
        ),
        (vec![device(&[]), other("\"cloud\"")], vec![taken(1, 0)]),
        (
            vec![other("\"x\""), other("\"cloud\""), device(&[])],
            vec![taken(2, 1)],
        ),
        (
            vec![other("\"cl\\u006fud\""), device(&[])],
            vec![taken(1, 0)],
        ),
        (vec![other("\"cloud\""), other("\"cloud\"")], vec![]),
    ] {
        assert_eq!(check(&file(&devices, &[])), expected);
    }

    let devices = [
        device(&[]),
        other("\"INV1\""),
        device(&[("device_alias", "\"second\"")]),
    ];
    let signals = [
        signal(&[("device_alias", "\"INV1\"")]),
        signal(&[]),
        signal(&[("device_alias", "\"second\"")]),
        signal(&[("device_alias", "\"INV1\"")]),
        signal(&[("signal_alias", "\"\\u0070\"")]),
    ];
    assert_eq!(
        check(&file(&devices, &signals)),
        ["signals[4].signal_alias: \"\\u0070\" is the alias of signals[1] already"]
    );
}

#[test]
fn a_shared_topic_is_warned_about_once() {
    let shared = |alias| signal(&[("signal_alias", alias), ("topic", "\"plant\"")]);
    let signals = [
        signal(&[]),
        shared("\"a\""),
        signal(&[
            ("signal_alias", "\"off\""),
            ("topic", "\"plant\""),
            ("enable", "0"),
        ]),
        shared("\"b\""),
        shared("\"c\""),
        signal(&[("signal_alias", "\"d\""), ("topic", "\"tag/cloud/p/in\"")]),
        signal(&[
            ("signal_alias", "\"a\""),
            ("topic", "\"plant\""),
            ("device_alias", "\"second\""),
        ]),
    ];
    let devices = [device(&[]), device(&[("device_alias", "\"second\"")])];
    let text = file(&devices, &signals);
    assert_eq!(
        check(&text),
        [
            "warning: signals[3].topic: is also the topic of signals[1]",
            "warning: signals[5].topic: is also the topic of signals[0]",
        ]
    );
    valid_rows(&text, |rows| assert_eq!(rows.signals().len(), 7));
}

#[test]
fn json_says_whose_a_message_is_where_signals_share_a_topic() {
    let shared = |alias| signal(&[("signal_alias", alias), ("topic", "\"plant\"")]);
    let signals = [shared("\"a\""), signal(&[]), shared("\"b\"")];
    let of = |payload, retain| {
        let device = device(&[("payload", payload), ("mqtt_retain", retain)]);
        file(&[device], &signals)
    };
    let is_named = |config: &Config<'_>| {
        let signals = config.signals.iter();
        signals.map(|signal| signal.is_named).collect::<Vec<_>>()
    };
    let json = of("\"json\"", "0");
    assert_eq!(check(&json), [""; 0]);
    valid(&json, |config| {
        assert_eq!(config.devices[0].payload, Payload::Json);
        assert_eq!(is_named(config), [true, false, true]);
    });
    let warning = ["warning: signals[2].topic: is also the topic of signals[0]"];
    assert_eq!(check(&of("\"json\"", "1")), warning, "one is retained");
    let csv = of("\"csv\"", "0");
    assert_eq!(check(&csv), warning);
    valid(&csv, |config| {
        assert_eq!(config.devices[0].payload, Payload::Csv);
        assert_eq!(is_named(config), [false; 3]);
    });
}

#[test]
fn rows_of_other_protocols_are_not_our_business() {
    let devices = [
        r#"{"device_alias": "INV 1", "protocol": "Modbus", "mqtt_qos": 9, "port": "x", "baud": 1, "baud": 1}"#.into(),
        device(&[]),
        r#"{"protocol": "IEC104", "name": 5}"#.into(),
    ];
    let signals = [
        r#"{"device_alias": "INV 1", "signal_name": 7, "register": 40001, "register": 1}"#.into(),
        signal(&[]),
    ];
    assert_eq!(
        check(&file(&devices, &signals)),
        ["devices[2].device_alias: is missing"]
    );

    valid(&file(&devices[..2], &signals), |config| {
        assert_eq!((config.devices.len(), config.signals.len()), (1, 1));
        assert_eq!(config.signals[0].device, 0);
    });
}

#[test]
fn a_signal_of_a_device_that_does_not_exist_is_an_error() {
    let signals = [signal(&[]), signal(&[("device_alias", "\"clod\"")])];
    assert_eq!(
        check(&file(&[device(&[])], &signals)),
        ["signals[1].device_alias: \"clod\" is not the alias of any device"]
    );
}

#[test]
fn a_wrong_device_does_not_make_its_signals_wrong() {
    let devices = [device(&[("mqtt_qos", "3")])];
    assert_eq!(
        check(&file(&devices, &[signal(&[])])),
        ["devices[0].mqtt_qos: 3 is not in 0..2"]
    );
}

#[test]
fn every_error_is_reported() {
    let devices = [
        device(&[("mqtt_qos", "3"), ("port", "0"), ("auth", "\"x\"")]),
        device(&[
            ("device_alias", "\"b\""),
            ("use_last_will", "1"),
            ("color", "\"red\""),
        ]),
    ];
    let signals = [
        signal(&[("topic", "\"#\""), ("log", "\"1\"")]),
        signal(&[("signal_name", "")]),
    ];
    assert_eq!(
        check(&file(&devices, &signals)),
        [
            "devices[0].port: 0 is not in 1..65535",
            "devices[0].mqtt_qos: 3 is not in 0..2",
            "devices[0].auth: \"x\" is not none, password, tls or token",
            "devices[1].last_will_topic: is missing, use_last_will=1 requires it",
            "warning: devices[1].color: unknown key, ignored",
            "signals[0].log: \"1\" is a string, not an integer; write it without quotes",
            "signals[0].topic: \"#\" holds #, which only filters may",
            "signals[1].signal_name: is missing",
            "signals[1].signal_alias: \"p\" is the alias of signals[0] already",
        ]
    );
}

#[test]
fn which_device_a_row_belongs_to_must_be_clear_in_every_row() {
    let devices = [
        r#"{"device_alias": "a", "protocol": "Modbus", "protocol": "MQTT"}"#.into(),
        r#"{"device_alias": "b", "device_alias": "c", "protocol": "Modbus"}"#.into(),
    ];
    let signals = [r#"{"device_alias": "a", "device_alias": "b"}"#.into()];
    let twice = "appears more than once in one object";
    assert_eq!(
        check(&file(&devices, &signals)),
        [
            format!("devices[0].protocol: {twice}"),
            format!("devices[1].device_alias: {twice}"),
            format!("signals[0].device_alias: {twice}"),
        ]
    );
}
