//! Which types and numbers does each key take, and what does it mean when it is left out?

use mqtt_client_core::config::{Auth, Redis, Version};
use mqtt_client_core::mqtt::QoS;

use crate::{check, device, file, signal, valid, valid_rows};

#[test]
fn what_is_left_out_or_null_has_the_tables_default() {
    let nulls = [
        "port",
        "enable_threshold",
        "mqtt_qos",
        "mqtt_retain",
        "username",
        "password",
        "ca_certificate",
        "client_certificate",
        "client_key",
        "use_last_will",
        "last_will_topic",
        "last_will_message",
        "last_will_qos",
        "last_will_retain",
        "client_id",
        "mqtt_version",
        "keep_alive",
        "buffer_size",
        "max_inflight",
        "max_rate",
        "tls_verify_hostname",
        "tls_client_auth",
        "tls_alpn",
    ]
    .map(|key| (key, "null"));
    for changes in [&nulls[..], &[]] {
        let signals = [signal(&[
            ("enable", "null"),
            ("log", "null"),
            ("topic", "null"),
        ])];
        let disabled = [changes, &[("enable", "")]].concat();
        let text = file(&[device(&disabled)], &signals);
        valid_rows(&text, |rows| {
            assert_eq!(rows.redis, Redis::default());
            let (device, enabled) = rows.devices().next().expect("a device");
            assert!(!enabled);
            assert_eq!((device.port, device.threshold), (1883, true));
            assert_eq!((device.qos, device.retain), (QoS::AtMostOnce, false));
            assert_eq!(
                (device.auth, device.will, device.client_id),
                (Auth::None, None, None)
            );
            assert_eq!((device.version, device.keep_alive), (Version::Auto, 60));
            assert_eq!((device.buffer_size, device.max_inflight), (None, 100));
            assert_eq!(device.max_rate, 0);
            let (signal, enabled) = rows.signals().next().expect("a signal");
            assert_eq!((enabled, signal.log, signal.topic), (true, 0, None));
        });
    }
}

#[test]
fn an_empty_optional_string_is_as_good_as_none() {
    let keys = [
        "username",
        "password",
        "ca_certificate",
        "client_id",
        "mqtt_version",
        "last_will_topic",
    ];
    let changes = keys.map(|key| (key, "\"\""));
    valid(
        &file(&[device(&changes)], &[signal(&[("topic", "\"\"")])]),
        |config| {
            assert_eq!(config.devices[0].client_id, None);
            assert_eq!(config.devices[0].version, Version::Auto);
            assert_eq!(config.signals[0].topic, None);
        },
    );
}

#[test]
fn a_required_key_is_missing_when_left_out_null_or_empty() {
    for value in ["", "null", "\"\""] {
        for key in ["name", "device_alias", "protocol", "ip", "auth"] {
            let text = file(&[device(&[(key, value)])], &[]);
            assert_eq!(
                check(&text),
                [format!("devices[0].{key}: is missing")],
                "{text}"
            );
        }
        for key in [
            "signal_name",
            "device_alias",
            "signal_alias",
            "source_device_alias",
            "source_signal_alias",
        ] {
            let text = file(&[device(&[])], &[signal(&[(key, value)])]);
            assert_eq!(
                check(&text),
                [format!("signals[0].{key}: is missing")],
                "{text}"
            );
        }
    }
}

#[test]
fn strings_are_strings() {
    let cases = [
        ("12", "12 is a number, not a string; write it in quotes"),
        ("true", "true is a boolean, not a string"),
        ("[1]", "is an array, not a string"),
        ("{\"a\": 1}", "is an object, not a string"),
    ];
    let keys = [
        "name",
        "device_alias",
        "protocol",
        "ip",
        "auth",
        "username",
        "ca_certificate",
        "client_certificate",
        "last_will_topic",
        "last_will_message",
        "client_id",
        "mqtt_version",
        "tls_alpn",
    ];
    for (value, shown) in cases {
        // A user name may be a secret.
        let problem = |key| match key {
            "username" => shown.strip_prefix(&format!("{value} ")).unwrap_or(shown),
            _ => shown,
        };
        for key in keys {
            let findings = check(&file(&[device(&[(key, value)])], &[]));
            assert_eq!(findings[0], format!("devices[0].{key}: {}", problem(key)));
        }
        for key in [
            "signal_name",
            "device_alias",
            "signal_alias",
            "source_device_alias",
            "source_signal_alias",
            "topic",
        ] {
            let findings = check(&file(&[device(&[])], &[signal(&[(key, value)])]));
            assert_eq!(findings, [format!("signals[0].{key}: {shown}")]);
        }
        for key in ["host", "socket", "username"] {
            let text = format!(
                "{{\"redis\": {{\"{key}\": {value}, \"password\": \"x\"}}, \"devices\": [], \"signals\": []}}"
            );
            assert_eq!(check(&text), [format!("redis.{key}: {}", problem(key))]);
        }
    }
}

#[test]
fn integers_are_plain_and_in_range() {
    let devices = [
        ("port", 1, 65_535),
        ("mqtt_qos", 0, 2),
        ("last_will_qos", 0, 2),
        ("keep_alive", 5, 65_535),
        ("buffer_size", 1024, 1_073_741_824),
        ("max_inflight", 1, 65_535_i64),
        ("max_rate", 0, 65_535),
    ];
    let row = |key: &str, value: &str| check(&file(&[device(&[(key, value)])], &[]));
    for (key, min, max) in devices {
        integer(key, min, max, "devices[0]", &row);
    }
    integer(
        "log",
        i32::MIN.into(),
        i32::MAX.into(),
        "signals[0]",
        &|key, value| check(&file(&[device(&[])], &[signal(&[(key, value)])])),
    );
    for (key, min, max) in [("port", 1, 65_535), ("database", 0, i32::MAX.into())] {
        integer(key, min, max, "redis", &|key, value| {
            check(&format!(
                "{{\"redis\": {{\"{key}\": {value}}}, \"devices\": [], \"signals\": []}}"
            ))
        });
    }
}

fn integer(key: &str, min: i64, max: i64, row: &str, findings: &dyn Fn(&str, &str) -> Vec<String>) {
    for allowed in [min, max] {
        assert_eq!(findings(key, &allowed.to_string()), [""; 0], "{key}");
    }
    let below = (min - 1).to_string();
    let above = (max + 1).to_string();
    let huge = "9".repeat(60);
    let shown = format!("{}...", "9".repeat(40));
    let range = format!("is not in {min}..{max}");
    let plain = "is not an integer; write it without point and exponent";
    for (value, problem) in [
        (below.as_str(), format!("{below} {range}")),
        (&above, format!("{above} {range}")),
        (&huge, format!("{shown} {range}")),
        ("2.0", format!("2.0 {plain}")),
        ("1e0", format!("1e0 {plain}")),
        ("1E0", format!("1E0 {plain}")),
        (
            "\"1\"",
            "\"1\" is a string, not an integer; write it without quotes".into(),
        ),
        ("\"one\"", "\"one\" is a string, not an integer".into()),
        ("\"\"", "\"\" is a string, not an integer".into()),
        ("true", "true is a boolean, not an integer".into()),
        ("[1]", "is an array, not an integer".into()),
        ("{}", "is an object, not an integer".into()),
    ] {
        assert_eq!(findings(key, value), [format!("{row}.{key}: {problem}")]);
    }
}

#[test]
fn booleans_are_0_1_false_and_true() {
    let keys = [
        "enable",
        "enable_threshold",
        "mqtt_retain",
        "last_will_retain",
    ];
    for (value, meaning) in [("0", false), ("1", true), ("false", false), ("true", true)] {
        let signals = [signal(&[("enable", value)])];
        let will = [("use_last_will", "1"), ("last_will_topic", "\"w\"")];
        let changes = [&keys.map(|key| (key, value))[..], &will].concat();
        valid_rows(&file(&[device(&changes)], &signals), |rows| {
            let (device, enabled) = rows.devices().next().expect("a device");
            assert_eq!([enabled, device.threshold, device.retain], [meaning; 3]);
            assert_eq!(device.will.map(|will| will.retain), Some(meaning));
            let enabled: Vec<_> = rows.signals().map(|(_, enabled)| enabled).collect();
            assert_eq!(enabled, [meaning]);
        });
        let will = [("use_last_will", value), ("last_will_topic", "\"w\"")];
        valid(&file(&[device(&will)], &[]), |config| {
            assert_eq!(config.devices[0].will.is_some(), meaning);
        });
    }
    for (value, problem) in [
        ("2", "2 is not 0, 1, false or true"),
        ("-1", "-1 is not 0, 1, false or true"),
        ("1.0", "1.0 is not 0, 1, false or true"),
        (
            "\"1\"",
            "\"1\" is a string, not a boolean; write it without quotes",
        ),
        (
            "\"true\"",
            "\"true\" is a string, not a boolean; write it without quotes",
        ),
        ("\"2\"", "\"2\" is a string, not a boolean"),
        ("\"yes\"", "\"yes\" is a string, not a boolean"),
        ("[]", "is an array, not a boolean"),
        ("{}", "is an object, not a boolean"),
    ] {
        for key in
            keys.into_iter()
                .chain(["use_last_will", "tls_verify_hostname", "tls_client_auth"])
        {
            let text = file(&[device(&[(key, value)])], &[]);
            assert_eq!(check(&text), [format!("devices[0].{key}: {problem}")]);
        }
        let text = file(&[device(&[])], &[signal(&[("enable", value)])]);
        assert_eq!(check(&text), [format!("signals[0].enable: {problem}")]);
    }
}
