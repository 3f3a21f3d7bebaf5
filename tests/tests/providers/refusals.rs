//! Is what `--check` warns of in fact refused, the way the provider's documentation says?

use mqtt_client_model_broker::{Event, Refusal, providers};
use mqtt_client_tests::Config;
use serde_json::Value;

use crate::{Model, Site, account, table, warnings};

/// What a model does about it.
#[derive(Clone, Copy, Debug)]
enum Answer {
    Refuses(Refusal),
    /// Neither takes it nor acknowledges it.
    Ignores,
    /// Takes it, and keeps it for nobody.
    HandsOn,
    /// Acknowledges it, and throws it away.
    Discards,
}
use Answer::{Discards, HandsOn, Ignores, Refuses};

/// A change of a table that works, and what is warned of and done about it.
type Case = (fn(Config) -> Config, &'static str, Answer);

#[track_caller]
fn are_warned_of_and_refused(heading: &str, profile: Model, cases: &[Case]) {
    let right = table(heading);
    let account = account(&right);
    for (number, (change, path, answer)) in cases.iter().enumerate() {
        let case = format!("{heading}, case {number}, {path}");
        let config = change(right.clone());
        let found = warnings(config.clone(), &account);
        let is_named =
            |line: &String| line.starts_with(&format!("{path}: ")) && line.contains("(https://");
        assert!(found.iter().any(is_named), "{case}: {found:#?}");
        let site = Site::start(config, &account, profile);
        // A start says it as well, but for what depends on the port, which is another here.
        if *path != "devices[0].tls_alpn" {
            let place = format!("{path}: ");
            site.daemon.stderr().wait_for(&[&place, "(https://"]);
        }
        site.publish("12.5,1708000203824,");
        match *answer {
            Refuses(refusal) => site.wait_for_refusal(refusal),
            Ignores => {
                site.wait_for(&case, |event| matches!(event, Event::Ignored(_)));
            }
            HandsOn => assert!(!site.next().kept, "{case}"),
            Discards => {
                site.wait_for(&case, |event| matches!(event, Event::Discarded(_)));
            }
        }
        if !matches!(answer, HandsOn) {
            assert_eq!(site.broker.messages(), [], "{case}");
        }
    }
}

fn with_will(config: Config, key: &str, value: u8) -> Config {
    let topic = config.signal_text("topic").map(String::from);
    config
        .device_key("use_last_will", 1)
        .device_key("last_will_topic", topic)
        .device_key(key, value)
}

#[test]
fn by_aws_iot_core() {
    let cases: [Case; 6] = [
        (
            |table| table.device_key("mqtt_qos", 2),
            "devices[0].mqtt_qos",
            Ignores,
        ),
        (
            |table| table.device_key("keep_alive", 1201),
            "devices[0].keep_alive",
            Refuses(Refusal::KeepAlive),
        ),
        (
            |table| table.device_key("client_id", "x".repeat(129)),
            "devices[0].client_id",
            Refuses(Refusal::ClientId),
        ),
        (
            |table| table.with("topic", "plant/7/a/b/c/d/e/f/g"),
            "signals[0].topic",
            Refuses(Refusal::Topic),
        ),
        (
            |table| {
                with_will(table, "last_will_retain", 1)
                    .device_key("last_will_topic", "a/b/c/d/e/f/g/h/i")
            },
            "devices[0].last_will_topic",
            Refuses(Refusal::Topic),
        ),
        (
            |table| table.device_key("auth", "none"),
            "devices[0].auth",
            Refuses(Refusal::Handshake),
        ),
    ];
    are_warned_of_and_refused("AWS IoT Core", providers::aws_iot_core, &cases);
}

#[test]
fn by_azure_iot_hub() {
    let cases: [Case; 8] = [
        (
            |table| table.device_key("mqtt_qos", 2),
            "devices[0].mqtt_qos",
            Refuses(Refusal::Qos2),
        ),
        (
            |table| table.device_key("mqtt_retain", 1),
            "devices[0].mqtt_retain",
            HandsOn,
        ),
        (
            |table| table.device_key("keep_alive", 1178),
            "devices[0].keep_alive",
            Refuses(Refusal::KeepAlive),
        ),
        (
            |table| table.device_key("client_id", ""),
            "devices[0].client_id",
            Refuses(Refusal::ClientId),
        ),
        (
            |table| table.device_key("username", "gateway-7"),
            "devices[0].username",
            Refuses(Refusal::Login),
        ),
        (
            |table| table.with("topic", "plant/7/inverter/power"),
            "signals[0].topic",
            Refuses(Refusal::Topic),
        ),
        (
            |table| with_will(table, "last_will_qos", 2),
            "devices[0].last_will_qos",
            Refuses(Refusal::Qos2),
        ),
        (
            |table| table.device_key("auth", "none"),
            "devices[0].auth",
            Refuses(Refusal::Handshake),
        ),
    ];
    are_warned_of_and_refused("Azure IoT Hub", providers::azure_iot_hub, &cases);
}

#[test]
fn by_azure_event_grid() {
    let cases: [Case; 6] = [
        (
            |table| table.device_key("mqtt_qos", 2),
            "devices[0].mqtt_qos",
            Refuses(Refusal::Qos2),
        ),
        (
            |table| table.device_key("mqtt_retain", 1),
            "devices[0].mqtt_retain",
            Refuses(Refusal::Retained),
        ),
        (
            |table| table.device_key("keep_alive", 1161),
            "devices[0].keep_alive",
            Refuses(Refusal::KeepAlive),
        ),
        (
            |table| with_will(table, "last_will_qos", 2),
            "devices[0].last_will_qos",
            Refuses(Refusal::Qos2),
        ),
        (
            |table| with_will(table, "last_will_retain", 1),
            "devices[0].last_will_retain",
            Refuses(Refusal::Retained),
        ),
        (
            |table| table.device_key("auth", "none"),
            "devices[0].auth",
            Refuses(Refusal::Handshake),
        ),
    ];
    are_warned_of_and_refused("Azure Event Grid", providers::azure_event_grid, &cases);
}

fn without_tls(table: Config) -> Config {
    table.device_key("auth", "none")
}

fn without_username(table: Config) -> Config {
    let table = table.device_key("username", Value::Null);
    table.device_key("password", Value::Null)
}

#[test]
fn by_aws_iot_core_at_port_443() {
    let cases: [Case; 1] = [(
        |table| table.device_key("tls_alpn", Value::Null),
        "devices[0].tls_alpn",
        Refuses(Refusal::Protocol),
    )];
    let model = providers::aws_iot_core_443;
    are_warned_of_and_refused("AWS IoT Core, port 443", model, &cases);
}

#[test]
fn by_hivemq_cloud() {
    let cases: [Case; 2] = [
        (without_tls, "devices[0].auth", Refuses(Refusal::Handshake)),
        (
            without_username,
            "devices[0].username",
            Refuses(Refusal::Login),
        ),
    ];
    are_warned_of_and_refused("HiveMQ Cloud", providers::hivemq_cloud, &cases);
}

#[test]
fn by_emqx_cloud() {
    let cases: [Case; 3] = [
        (without_tls, "devices[0].auth", Refuses(Refusal::Handshake)),
        (
            without_username,
            "devices[0].username",
            Refuses(Refusal::Login),
        ),
        (
            |table| table.device_key("client_id", "x".repeat(1025)),
            "devices[0].client_id",
            Refuses(Refusal::ClientId),
        ),
    ];
    are_warned_of_and_refused("EMQX Cloud", providers::emqx_cloud, &cases);
}

#[test]
fn by_thingsboard() {
    let cases: [Case; 3] = [
        (|table| table, "devices[0].ip", Refuses(Refusal::Payload)),
        (
            |table| table.with("topic", "plant/7/inverter/power"),
            "signals[0].topic",
            Discards,
        ),
        // Its PUBACK ends the message, so that it comes once at least.
        (
            |table| table.device_key("mqtt_qos", 2).with("topic", "plant"),
            "devices[0].mqtt_qos",
            Discards,
        ),
    ];
    are_warned_of_and_refused("ThingsBoard", providers::thingsboard, &cases);
}
