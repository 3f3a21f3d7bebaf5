//! What are the rules of each key? A file that breaks one, and the findings it brings.

use mqtt_client_core::config::{
    Auth, Authorities, ClientFiles, Credentials, Endpoint, Secret, Tls, Version, Will,
};
use mqtt_client_core::mqtt::QoS;

use crate::{EXAMPLE, check, check_with, device, file, signal, valid};

pub type Cells<'t> = &'t [(&'t str, &'t str)];

/// Checks a file of one device row per case, which is valid but for the changes.
pub fn device_cases(cases: &[(Cells<'_>, &[&str])]) {
    for (changes, expected) in cases {
        let text = file(&[device(changes)], &[]);
        assert_eq!(check(&text), *expected, "{text}");
    }
}

/// The same with a signal row of a valid device.
fn signal_cases(cases: &[(Cells<'_>, &[&str])]) {
    for (changes, expected) in cases {
        let text = file(&[device(&[])], &[signal(changes)]);
        assert_eq!(check(&text), *expected, "{text}");
    }
}

/// The same with a `redis` block, which has nothing but the cells.
fn redis_cases(cases: &[(Cells<'_>, &[&str])]) {
    for (cells, expected) in cases {
        let redis = crate::object(cells);
        let text = format!("{{\"redis\": {redis}, \"devices\": [], \"signals\": []}}");
        assert_eq!(check(&text), *expected, "{text}");
    }
}

#[test]
fn the_example_sets_every_key() {
    let outcome = check_with(EXAMPLE.as_bytes(), |config| {
        assert_eq!(
            config.redis.endpoint,
            Endpoint::Tcp {
                host: "127.0.0.1",
                port: 6379
            }
        );
        assert_eq!(config.redis.username, Some("bridge"));
        assert_eq!(
            config.redis.password.map(Secret::expose),
            Some("redis-secret")
        );
        let [cloud, control] = config.devices else {
            panic!("{:?}", config.devices);
        };
        assert_eq!((cloud.name, cloud.alias), ("Cloud", "cloud"));
        assert_eq!((cloud.host, cloud.port), ("broker.example.com", 8883));
        assert_eq!(
            (cloud.qos, cloud.retain, cloud.threshold),
            (QoS::AtLeastOnce, true, true)
        );
        let credentials = Credentials {
            username: "plant-7",
            password: Some(Secret::new("broker-secret")),
        };
        let tls = Tls {
            ca_certificate: Authorities::File("/etc/mqtt-client/ca.pem"),
            client: Some(ClientFiles {
                certificate: "/etc/mqtt-client/client.pem",
                key: "/etc/mqtt-client/client.key",
            }),
            verify_hostname: true,
            alpn: Some("mqtt"),
            credentials: Some(credentials),
        };
        assert_eq!(cloud.auth, Auth::Tls(tls));
        let will = Will {
            topic: "plant/7/status",
            message: "offline",
            qos: QoS::AtLeastOnce,
            retain: true,
        };
        assert_eq!(cloud.will, Some(will));
        assert_eq!(
            (cloud.client_id, cloud.version),
            (Some("plant-7-gateway"), Version::V5)
        );
        assert_eq!((cloud.session_expiry, cloud.message_expiry), (86_400, 0));
        assert!(!cloud.topic_alias);
        assert_eq!((cloud.keep_alive, cloud.max_inflight), (60, 100));
        assert_eq!(cloud.buffer_size, Some(1_048_576));
        assert!(!control.threshold);

        let [power, temperature, second] = config.signals else {
            panic!("{:?}", config.signals);
        };
        assert_eq!(
            (power.name, power.alias, power.device),
            ("Active power", "p", 0)
        );
        assert_eq!(
            (power.source_device_alias, power.source_signal_alias),
            ("INV1", "P")
        );
        assert_eq!(power.log, 0);
        assert_eq!(power.topic, Some("plant/7/inverter/power"));
        assert_eq!(temperature.name, "Temperature in \u{b0}C");
        assert_eq!(
            temperature.topic_pieces(cloud.alias).concat(),
            "tag/cloud/t/in"
        );
        assert_eq!(second.device, 1);
    });
    assert_eq!(outcome.findings, [""; 0]);
}

#[test]
fn device_rules() {
    let long_host = format!("\"{}\"", "h".repeat(254));
    let host = format!(
        "devices[0].ip: \"{}...\" is not an address or a domain name",
        "h".repeat(40)
    );
    let alias = "holds something other than letters, digits, - and _";
    device_cases(&[
        (&[("device_alias", "\"a-Z_9\"")], &[]),
        (
            &[("device_alias", "\"a b\"")],
            &[&format!("devices[0].device_alias: \"a b\" {alias}")],
        ),
        (
            &[("device_alias", "\"a/b\"")],
            &[&format!("devices[0].device_alias: \"a/b\" {alias}")],
        ),
        (
            &[("device_alias", "\"\u{e9}\"")],
            &[&format!("devices[0].device_alias: \"\u{e9}\" {alias}")],
        ),
        (&[("protocol", "\"mqtt\"")], &[]),
        (&[("protocol", "\"MqTt\"")], &[]),
        (&[("ip", "\"10.0.0.1\"")], &[]),
        (&[("ip", "\"2001:db8::1\"")], &[]),
        (&[("ip", "\"fe8::1\"")], &[]),
        (&[("ip", "\"fe80.example.com\"")], &[]),
        (
            &[("ip", "\"fe80::1%eth0\"")],
            &[
                "devices[0].ip: \"fe80::1%eth0\" is link-local, or names an interface (%): give another address, or a domain name",
            ],
        ),
        (
            &[("ip", "\"FEBF::1\"")],
            &[
                "devices[0].ip: \"FEBF::1\" is link-local, or names an interface (%): give another address, or a domain name",
            ],
        ),
        (
            &[("ip", "\"broker%eth0\"")],
            &["devices[0].ip: \"broker%eth0\" is not an address or a domain name"],
        ),
        (&[("ip", "\"my_broker\"")], &[]),
        (
            &[("ip", "\"broker:8883\"")],
            &["devices[0].ip: \"broker:8883\" is not an address or a domain name"],
        ),
        (
            &[("ip", "\"mqtt://b\"")],
            &["devices[0].ip: \"mqtt://b\" is not an address or a domain name"],
        ),
        (
            &[("ip", "\" b\"")],
            &["devices[0].ip: \" b\" is not an address or a domain name"],
        ),
        (&[("ip", &long_host)], &[&host]),
        (
            &[("auth", "\"TLS\"")],
            &["devices[0].auth: \"TLS\" is not none, password, tls or token"],
        ),
        (&[("mqtt_version", "\"3.1.1\"")], &[]),
        (&[("mqtt_version", "\"auto\"")], &[]),
        (&[("mqtt_version", "\"5\""), ("enable", "0")], &[]),
        (
            &[("mqtt_version", "\"4\"")],
            &["devices[0].mqtt_version: \"4\" is not auto, 3.1, 3.1.1 or 5"],
        ),
        (
            &[("client_id", "\"a\\u0000b\"")],
            &["devices[0].client_id: holds a NUL character"],
        ),
    ]);
}

#[test]
fn topic_rules_hold_for_the_last_will_too() {
    let longest = format!("\"{}\"", "t".repeat(256));
    let too_long = format!("\"{}\"", "t".repeat(257));
    let shown = "t".repeat(40);
    let too_long_topic = format!("\"{shown}...\" has 257 bytes, more than 256");
    for (topic, problem) in [
        ("\"plant/power\"", ""),
        ("\"/\"", ""),
        ("\"a$b \u{e9}\"", ""),
        (&longest, ""),
        (&too_long, &too_long_topic),
        ("\"a/#\"", "\"a/#\" holds #, which only filters may"),
        ("\"+/a\"", "\"+/a\" holds +, which only filters may"),
        (
            "\"$SYS/a\"",
            "\"$SYS/a\" starts with $, which only the broker's own topics may",
        ),
        ("\"a\\u0000\"", "\"a\\u0000\" holds a NUL character"),
        ("\"\\u0023\"", "\"\\u0023\" holds #, which only filters may"),
    ] {
        let expected = |place: &str| match problem {
            "" => Vec::new(),
            problem => vec![format!("{place}: {problem}")],
        };
        let will = [("use_last_will", "1"), ("last_will_topic", topic)];
        assert_eq!(
            check(&file(&[device(&will)], &[])),
            expected("devices[0].last_will_topic")
        );
        let signals = [signal(&[("topic", topic)])];
        assert_eq!(
            check(&file(&[device(&[])], &signals)),
            expected("signals[0].topic")
        );
    }
    device_cases(&[
        (
            &[("use_last_will", "1")],
            &["devices[0].last_will_topic: is missing, use_last_will=1 requires it"],
        ),
        (&[("use_last_will", "0"), ("last_will_topic", "\"#\"")], &[]),
    ]);
}

#[test]
fn of_the_brokers_own_topics_a_signal_may_have_those_of_aws_rules() {
    let refused = "starts with $, which only the broker's own topics may";
    for (topic, problem) in [
        ("$aws/rules/r", ""),
        ("$aws/rules/plant/7/power", ""),
        ("$aws/rules/", refused),
        ("$aws/rules", refused),
        ("$AWS/rules/r", refused),
        ("$aws/things/t/shadow/update", refused),
        ("$share/g/t", refused),
        ("$", refused),
        ("$aws/rules/+", "holds +, which only filters may"),
    ] {
        let value = format!("\"{topic}\"");
        let signals = [signal(&[("topic", &value)])];
        let expected: &[String] = match problem {
            "" => &[],
            problem => &[format!("signals[0].topic: {value} {problem}")],
        };
        assert_eq!(check(&file(&[device(&[])], &signals)), expected);
        // A rule takes no Last Will.
        let will = [("use_last_will", "1"), ("last_will_topic", &value)];
        let expected = format!("devices[0].last_will_topic: {value} {refused}");
        assert_eq!(check(&file(&[device(&will)], &[])), [expected]);
    }
}

#[test]
fn a_control_character_in_what_a_broker_reads_is_warned_of() {
    let warning = |place: &str, value: &str| {
        vec![format!(
            "warning: {place}: {value}holds a control character: the broker may close the connection for it, each time"
        )]
    };
    for value in [
        r#""a\u0001b""#,
        r#""a\n""#,
        "\"\u{7f}\"",
        "\"a\u{85}\"",
        "\"\u{fdd0}\"",
        r#""\uffff""#,
        "\"\u{1fffe}\"",
    ] {
        // Shown without what a terminal would act upon.
        let shown = match value {
            "\"\u{7f}\"" => r#""\u{7f}""#,
            "\"a\u{85}\"" => r#""a\u{85}""#,
            other => other,
        };
        for (keys, key) in [
            (&[("use_last_will", "1")][..], "last_will_topic"),
            (&[], "client_id"),
            (
                &[
                    ("ip", "\"::1\""),
                    ("auth", "\"password\""),
                    ("password", "\"x\""),
                ],
                "username",
            ),
        ] {
            let text = file(&[device(&[keys, &[(key, value)]].concat())], &[]);
            // A user name may be a secret.
            let shown = match key {
                "username" => String::new(),
                _ => format!("{shown} "),
            };
            assert_eq!(check(&text), warning(&format!("devices[0].{key}"), &shown));
        }
        for key in ["topic", "signal_alias"] {
            let text = file(&[device(&[])], &[signal(&[(key, value)])]);
            let shown = format!("{shown} ");
            assert_eq!(check(&text), warning(&format!("signals[0].{key}"), &shown));
        }
    }
    signal_cases(&[
        (&[("signal_alias", r#""a\n""#), ("topic", "\"a\"")], &[]),
        (&[("topic", "\"T \u{a0}\u{fdf0}\u{fffd}\u{1fffd}\"")], &[]),
    ]);
}

#[test]
fn an_alias_makes_a_channel_and_the_default_topic() {
    // tag/cloud/ and /in are 13 bytes.
    let longest = format!("\"{}\"", "s".repeat(243));
    let too_long = format!("\"{}\"", "s".repeat(244));
    let too_long_channel = "signals[0].signal_alias: makes a channel of 257 bytes, more than 256";
    signal_cases(&[
        (&[("signal_alias", &longest)], &[]),
        (&[("signal_alias", &too_long)], &[too_long_channel]),
        (
            &[("signal_alias", &too_long), ("topic", "\"short\"")],
            &[too_long_channel],
        ),
        (
            &[("signal_alias", "\"p#\"")],
            &[
                "signals[0].signal_alias: \"p#\" makes a topic that holds #, which only filters may; set topic, or another alias",
            ],
        ),
        (&[("signal_alias", "\"p+\""), ("topic", "\"plus\"")], &[]),
        (
            &[("signal_alias", "\"p\\u0000\"")],
            &[
                "signals[0].signal_alias: \"p\\u0000\" makes a topic that holds a NUL character; set topic, or another alias",
            ],
        ),
    ]);
}

#[test]
fn lengths_are_bounded_by_what_mqtt_can_send() {
    let longest = format!("\"{}\"", "x".repeat(65_535));
    let too_long = format!("\"{}\"", "x".repeat(65_536));
    let will = |message| {
        [
            ("use_last_will", "1"),
            ("last_will_topic", "\"w\""),
            ("last_will_message", message),
        ]
    };
    let user = |name, password| {
        [
            ("ip", "\"::1\""),
            ("auth", "\"password\""),
            ("username", name),
            ("password", password),
        ]
    };
    let problem = "has 65536 bytes, more than 65535";
    device_cases(&[
        (&will(&longest), &[]),
        (
            &will(&too_long),
            &[&format!("devices[0].last_will_message: {problem}")],
        ),
        (&user(&longest, &longest), &[]),
        (
            &user(&too_long, &too_long),
            &[
                &format!("devices[0].username: {problem}"),
                &format!("devices[0].password: {problem}"),
            ],
        ),
        (&[("client_id", &longest)], &[]),
        (
            &[("client_id", &too_long)],
            &[&format!("devices[0].client_id: {problem}")],
        ),
    ]);
    let id = |length| format!("\"{}\"", "i".repeat(length));
    device_cases(&[
        (&[("client_id", &id(23)), ("mqtt_version", "\"3.1\"")], &[]),
        (
            &[("client_id", &id(24)), ("mqtt_version", "\"3.1\"")],
            &["devices[0].client_id: has 24 bytes, more than 23, the limit with mqtt_version=3.1"],
        ),
        (
            &[("client_id", &id(24)), ("mqtt_version", "\"3.1.1\"")],
            &[],
        ),
        (&[("client_id", &id(24))], &[]),
    ]);
}

#[test]
fn redis_rules() {
    redis_cases(&[
        (
            &[("host", "\"10.0.0.1\""), ("password", "\"p\"")],
            &[
                "warning: redis.password: goes out in the clear: use a network of your own, or a VPN",
            ],
        ),
        (&[("host", "\"LocalHost\""), ("password", "\"p\"")], &[]),
        (&[("host", "\"::1\""), ("password", "\"p\"")], &[]),
        (&[("socket", "\"/run/redis\""), ("password", "\"p\"")], &[]),
        (&[], &[]),
        (&[("host", "\"redis.local\""), ("port", "6380")], &[]),
        (
            &[("host", "\"a b\"")],
            &["redis.host: \"a b\" is not an address or a domain name"],
        ),
        (&[("socket", "\"/run/redis.sock\"")], &[]),
        (
            &[
                ("socket", "\"/run/redis.sock\""),
                ("host", "\"\""),
                ("port", "null"),
            ],
            &[],
        ),
        (
            &[("socket", "\"/run/redis.sock\""), ("host", "\"h\"")],
            &["redis.socket: excludes host and port"],
        ),
        (
            &[("socket", "\"/run/redis.sock\""), ("port", "6379")],
            &["redis.socket: excludes host and port"],
        ),
        (&[("password", "\"p\"")], &[]),
        (&[("username", "\"u\""), ("password", "\"p\"")], &[]),
        (
            &[("username", "\"u\"")],
            &["redis.password: is missing, username requires it"],
        ),
        (
            &[("name", "\"n\"")],
            &["warning: redis.name: unknown key, ignored"],
        ),
    ]);
    let text =
        r#"{"redis": {"socket": "/run/redis.sock", "database": 3}, "devices": [], "signals": []}"#;
    valid(text, |config| {
        assert_eq!(config.redis.endpoint, Endpoint::Unix("/run/redis.sock"));
        assert_eq!(config.redis.database, 3);
    });
}

#[test]
fn the_window_at_qos_2_is_what_mosquitto_takes_unless_asked_for_more() {
    let warning = |value: &str| {
        format!(
            "warning: devices[0].max_inflight: {value} is more than 20: Mosquitto as it is shipped throws away what exceeds that at QoS 2, and \
             acknowledges it all the same"
        )
    };
    for (qos, given, expected, warned) in [
        ("0", "", 100, false),
        ("1", "", 100, false),
        ("2", "", 20, false),
        ("2", "null", 20, false),
        ("2", "20", 20, false),
        ("2", "1", 1, false),
        ("2", "21", 21, true),
        ("2", "65535", 65535, true),
        ("1", "65535", 65535, false),
    ] {
        let text = file(
            &[device(&[("mqtt_qos", qos), ("max_inflight", given)])],
            &[],
        );
        let outcome = check_with(text.as_bytes(), |config| {
            assert_eq!(config.devices[0].max_inflight, expected, "{text}");
        });
        assert!(outcome.valid);
        let expected: Vec<_> = warned.then(|| warning(given)).into_iter().collect();
        assert_eq!(outcome.findings, expected, "{text}");
    }
}
