//! Is a device warned of what its cloud provider does not accept, and no other device?

use mqtt_client_core::config::{Finding, Severity};

use crate::{device, file, signal, valid_rows};

/// What the providers do not accept of a valid file.
fn warnings(devices: &[String], signals: &[String]) -> Vec<String> {
    let text = file(devices, signals);
    let mut findings = Vec::new();
    valid_rows(&text, |rows| {
        rows.check_providers(&mut |finding: &Finding<'_>| {
            assert_eq!(finding.severity, Severity::Warning);
            findings.push(finding.to_string());
        });
    });
    findings
}

const RIGHT: [(&str, &str); 6] = [
    ("max_rate", "10"),
    ("port", "8883"),
    ("auth", "\"tls\""),
    ("ca_certificate", "\"ca\""),
    ("client_certificate", "\"crt\""),
    ("client_key", "\"key\""),
];

/// A device of a provider that is right but for these changes.
fn at(host: &str, changes: &[(&str, &str)]) -> String {
    let host = format!("\"{host}\"");
    let mut cells = RIGHT.to_vec();
    cells.push(("ip", &host));
    cells.extend(changes);
    device(&cells)
}

const AWS: &str = "a1b2c3-ats.iot.eu-central-1.amazonaws.com";
const IOT_HUB: &str = "plant.azure-devices.net";
const EVENT_GRID: &str = "plant.westeurope-1.ts.eventgrid.azure.net";
const HIVEMQ: &str = "0123abcd.s1.eu.hivemq.cloud";
const EMQX: &str = "z1234567.ala.eu-central-1.emqxsl.com";
const THINGSBOARD: &str = "mqtt.eu.thingsboard.cloud";

/// At Azure IoT Hub.
const AS_DEVICE: [(&str, &str); 2] = [
    ("client_id", "\"gw-7\""),
    (
        "username",
        "\"plant.azure-devices.net/gw-7/?api-version=2021-04-12\"",
    ),
];

/// A host, changes, a topic or none, and how the warnings begin.
type Case<'c> = (&'c str, &'c [(&'c str, &'c str)], &'c str, &'c [&'c str]);

#[test]
fn each_limit_is_named_with_the_path_of_the_value_the_provider_and_its_page() {
    let will = |topic: &'static str| {
        [
            ("use_last_will", "1"),
            ("last_will_topic", topic),
            ("last_will_qos", "2"),
            ("last_will_retain", "1"),
        ]
    };
    let long = format!("\"{}\"", "x".repeat(129));
    let with_username = [("username", "\"gw-7\""), ("password", "\"secret\"")];
    let cases: [Case<'_>; 30] = [
        (AWS, &[], "", &[]),
        (
            AWS,
            &[
                ("mqtt_retain", "1"),
                ("mqtt_qos", "1"),
                ("keep_alive", "1200"),
                ("port", "443"),
                ("tls_alpn", "\"x-amzn-mqtt-ca\""),
            ],
            "",
            &[],
        ),
        (
            AWS,
            &[("port", "443")],
            "$aws/rules/r/a/b/c/d/e/f/g/h",
            &["devices[0].tls_alpn: AWS IoT Core wants x-amzn-mqtt-ca at port 443"],
        ),
        (
            AWS,
            &[],
            "$aws/rules/r/a/b/c/d/e/f/g/h/i",
            &["signals[0].topic: AWS IoT Core takes 7 slashes at most"],
        ),
        (
            HIVEMQ,
            &[
                ("tls_client_auth", "0"),
                ("client_certificate", ""),
                ("client_key", ""),
            ],
            "",
            &[
                "devices[0].username: HiveMQ Cloud lets nobody in without a user name or a client certificate (https://docs.hivemq.com/",
            ],
        ),
        (
            AWS,
            &[("port", "1883")],
            "",
            &[
                "devices[0].port: AWS IoT Core listens on ports 8883 and 443 (https://docs.aws.amazon.com/",
            ],
        ),
        (
            AWS,
            &[("mqtt_qos", "2")],
            "",
            &[
                "devices[0].mqtt_qos: AWS IoT Core takes QoS 0 and 1, and never acknowledges QoS 2 (https://docs.aws.amazon.com/",
            ],
        ),
        (
            AWS,
            &will("\"plant/gw\""),
            "",
            &["devices[0].last_will_qos: AWS IoT Core takes QoS 0 and 1"],
        ),
        (
            AWS,
            &[("keep_alive", "1201")],
            "",
            &[
                "devices[0].keep_alive: AWS IoT Core takes 1200 seconds at most (https://docs.aws.amazon.com/",
            ],
        ),
        (
            AWS,
            &[("mqtt_qos", "1"), ("max_inflight", "101")],
            "",
            &[
                "devices[0].max_inflight: AWS IoT Core takes 100 unacknowledged messages at most (https://",
            ],
        ),
        (AWS, &[("max_inflight", "101")], "", &[]),
        (AWS, &[("max_rate", "100")], "", &[]),
        (
            AWS,
            &[("max_rate", "0")],
            "",
            &[
                "devices[0].max_rate: AWS IoT Core takes 100 messages a second at most, and ignores what exceeds them (https://",
            ],
        ),
        (
            EMQX,
            &[("username", "\"gw-7\""), ("max_rate", "11")],
            "",
            &[
                "devices[0].max_rate: EMQX Cloud (Serverless) takes 10 messages a second at most (https://",
            ],
        ),
        (
            AWS,
            &[("client_id", &long)],
            "",
            &[
                "devices[0].client_id: AWS IoT Core takes 128 bytes at most (https://docs.aws.amazon.com/",
            ],
        ),
        (AWS, &[], "a/b/c/d/e/f/g/h", &[]),
        (
            AWS,
            &[],
            "a/b/c/d/e/f/g/h/i",
            &[
                "signals[0].topic: AWS IoT Core takes 7 slashes at most, not counting $aws/rules/<rule>/ (https://docs.aws.amazon.com/",
            ],
        ),
        (IOT_HUB, &AS_DEVICE, "devices/gw-7/messages/events/", &[]),
        (
            IOT_HUB,
            &AS_DEVICE,
            "devices/gw-7/messages/events/signal=p",
            &[],
        ),
        (
            IOT_HUB,
            &AS_DEVICE,
            "devices/gw-8/messages/events/",
            &[
                "signals[0].topic: Azure IoT Hub takes devices/<client_id>/messages/events/ only, and properties behind it (https://learn.microsoft.com/",
            ],
        ),
        (
            IOT_HUB,
            &[
                ("client_id", "\"gw/m\""),
                (
                    "username",
                    "\"plant.azure-devices.net/gw/m/?api-version=2021-04-12\"",
                ),
            ],
            "devices/gw/modules/m/messages/events/",
            &[],
        ),
        (
            IOT_HUB,
            &[
                ("username", AS_DEVICE[1].1),
                ("client_id", "\"gw-8\""),
                ("keep_alive", "1178"),
                ("mqtt_qos", "2"),
                ("mqtt_retain", "1"),
            ],
            "devices/gw-8/messages/events/",
            &[
                "devices[0].mqtt_qos: Azure IoT Hub takes QoS 0 and 1, and closes the connection at QoS 2 (https://learn.microsoft.com/",
                "devices[0].mqtt_retain: Azure IoT Hub keeps no retained message: it hands it on with the property mqtt-retain (https://learn.microsoft.com/",
                "devices[0].keep_alive: Azure IoT Hub takes 1177 seconds at most (https://learn.microsoft.com/",
                "devices[0].username: Azure IoT Hub wants <ip>/<client_id>/?api-version=2021-04-12 (https://learn.microsoft.com/",
            ],
        ),
        (
            EVENT_GRID,
            &[("keep_alive", "1160"), ("mqtt_qos", "1")],
            "",
            &[],
        ),
        (
            EVENT_GRID,
            &[
                ("keep_alive", "1161"),
                ("mqtt_qos", "2"),
                ("mqtt_retain", "1"),
            ],
            "",
            &[
                "devices[0].mqtt_qos: Azure Event Grid takes QoS 0 and 1, and closes the connection at QoS 2 (https://learn.microsoft.com/",
                "devices[0].mqtt_retain: Azure Event Grid closes the connection at a retained message, except where the namespace has MQTT Retain (https://learn.microsoft.com/",
                "devices[0].keep_alive: Azure Event Grid takes 1160 seconds at most (https://learn.microsoft.com/",
            ],
        ),
        (
            EVENT_GRID,
            &will("\"plant/gw\""),
            "",
            &[
                "devices[0].last_will_qos: Azure Event Grid takes QoS 0 and 1",
                "devices[0].last_will_retain: Azure Event Grid closes the connection at a retained message",
            ],
        ),
        (
            HIVEMQ,
            &[
                ("mqtt_qos", "2"),
                ("mqtt_retain", "1"),
                ("keep_alive", "65535"),
            ],
            "",
            &[],
        ),
        (
            HIVEMQ,
            &[("port", "8884")],
            "",
            &["devices[0].port: HiveMQ Cloud listens on port 8883 (https://"],
        ),
        (EMQX, &with_username, "", &[]),
        (
            EMQX,
            &[],
            "",
            &[
                "devices[0].username: EMQX Cloud (Serverless) lets nobody in without a user name and a password (https://docs.emqx.com/",
            ],
        ),
        (
            THINGSBOARD,
            &[("username", "\"token\""), ("mqtt_qos", "2")],
            "plant/p",
            &[
                "devices[0].ip: ThingsBoard takes JSON and closes the connection at CSV",
                "devices[0].mqtt_qos: ThingsBoard takes QoS 0 and 1 (https://thingsboard.io/",
                "signals[0].topic: ThingsBoard throws away what goes to another topic than v1/devices/me/telemetry",
            ],
        ),
    ];
    for (host, changes, topic, expected) in cases {
        let topic = if topic.is_empty() {
            String::new()
        } else {
            format!("\"{topic}\"")
        };
        let signals = if topic.is_empty() {
            vec![]
        } else {
            vec![signal(&[("topic", &topic)])]
        };
        let found = warnings(&[at(host, changes)], &signals);
        let starts = found
            .iter()
            .zip(expected)
            .all(|(one, start)| one.starts_with(start) && one.ends_with(')'));
        assert!(
            starts && found.len() == expected.len(),
            "{host} {changes:?} {topic}:\n{found:#?}"
        );
    }
}

#[test]
fn a_provider_that_takes_tls_only_is_not_spoken_to_without() {
    for host in [AWS, IOT_HUB, EVENT_GRID, HIVEMQ, EMQX] {
        let found = warnings(&[device(&[("ip", &format!("\"{host}\""))])], &[]);
        let named = found.iter().any(|one| {
            one.starts_with("devices[0].auth: ") && one.contains(" takes TLS only (https://")
        });
        assert!(named, "{host}: {found:?}");
        assert!(
            found.iter().any(|one| one.starts_with("devices[0].port: ")),
            "{host}: {found:?}"
        );
    }
}

#[test]
fn a_provider_is_known_by_the_end_of_the_name_in_any_letter_case() {
    for (host, known) in [
        ("A1-ATS.IOT.EU-CENTRAL-1.AMAZONAWS.COM", true),
        ("a1.iot.cn-north-1.amazonaws.com.cn", true),
        ("a1.ats.iot.eu-west-1.amazonaws.com.", true),
        ("ec2-1-2-3-4.eu-west-1.compute.amazonaws.com", false),
        ("amazonaws.com", false),
        ("iot.amazonaws.com", false),
        ("plant.azure-devices.net", true),
        ("plant.azure-devices.net.example.com", false),
        ("azure-devices.net", false),
        ("plant.eventgrid.azure.net", true),
        ("cloud", false),
        ("192.0.2.7", false),
        ("::1", false),
    ] {
        let found = warnings(&[at(host, &[("keep_alive", "65535")])], &[]);
        assert_eq!(!found.is_empty(), known, "{host}: {found:?}");
    }
}

#[test]
fn rows_that_are_not_enabled_or_of_other_protocols_are_passed_over_and_rows_keep_their_numbers() {
    let aws = |alias: &str, changes: &[(&str, &str)]| {
        let alias = format!("\"{alias}\"");
        at(AWS, &[&[("device_alias", &*alias)], changes].concat())
    };
    let devices = [
        device(&[("device_alias", "\"meter\""), ("protocol", "\"Modbus\"")]),
        aws("off", &[("enable", "0"), ("mqtt_qos", "2")]),
        aws("cloud", &[("mqtt_qos", "2")]),
    ];
    let deep = ("topic", "\"a/b/c/d/e/f/g/h/i\"");
    let of = |alias: &'static str, more: &[(&'static str, &'static str)]| {
        signal(&[&[("device_alias", alias), deep], more].concat())
    };
    let signals = [
        of("\"meter\"", &[]),
        of("\"off\"", &[]),
        of("\"cloud\"", &[("enable", "0")]),
        of("\"cloud\"", &[("signal_alias", "\"q\"")]),
    ];
    let found = warnings(&devices, &signals);
    let places: Vec<_> = found
        .iter()
        .filter_map(|one| one.split(": ").next())
        .collect();
    assert_eq!(places, ["devices[2].mqtt_qos", "signals[3].topic"]);
}

#[test]
fn the_default_topic_counts_too() {
    let found = warnings(&[at(IOT_HUB, &AS_DEVICE)], &[signal(&[])]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("signals[0].topic: "), "{found:?}");
}
