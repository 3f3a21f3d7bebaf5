//! A mapping table that cannot be used: every error with its place, before any connection.

use serde_json::{Value, json};

use mqtt_client_tests::config::cloud;
use mqtt_client_tests::daemon::{run_with, run_with_text};
use mqtt_client_tests::{Config, FakeBroker};

#[test]
fn every_broken_rule_is_reported_with_its_place_and_value() {
    let long = "t".repeat(257);
    let device = |key: &str, value: Value| cloud().with(key, value).signal("p");
    let signal = |key: &str, value: Value| cloud().signal("p").with(key, value);
    let will = || {
        cloud()
            .with("use_last_will", 1)
            .with("last_will_topic", "w")
    };
    let cases: Vec<(Config, &str, &str)> = vec![
        (cloud().without("name").signal("p"), "devices[0].name", ""),
        (
            cloud().without("protocol").signal("p"),
            "devices[0].protocol",
            "",
        ),
        (cloud().without("ip").signal("p"), "devices[0].ip", ""),
        (cloud().without("auth").signal("p"), "devices[0].auth", ""),
        (
            Config::new().device("").signal("p"),
            "devices[0].device_alias",
            "",
        ),
        (
            Config::new().device("a/b").signal("p"),
            "devices[0].device_alias",
            "a/b",
        ),
        (
            Config::new().device("a b").signal("p"),
            "devices[0].device_alias",
            "a b",
        ),
        (
            cloud().signal("p").device("cloud"),
            "devices[1].device_alias",
            "cloud",
        ),
        (device("ip", json!(7)), "devices[0].ip", ""),
        (device("enable", json!(2)), "devices[0].enable", "2"),
        (device("enable", json!("yes")), "devices[0].enable", "yes"),
        (device("port", json!(0)), "devices[0].port", "0"),
        (device("port", json!(65536)), "devices[0].port", "65536"),
        (device("port", json!(-1)), "devices[0].port", "-1"),
        (
            device("enable_threshold", json!(3)),
            "devices[0].enable_threshold",
            "3",
        ),
        (device("mqtt_qos", json!(3)), "devices[0].mqtt_qos", "3"),
        (device("mqtt_qos", json!(-1)), "devices[0].mqtt_qos", "-1"),
        (
            device("mqtt_retain", json!(2)),
            "devices[0].mqtt_retain",
            "2",
        ),
        (
            device("auth", json!("kerberos")),
            "devices[0].auth",
            "kerberos",
        ),
        (device("auth", json!("password")), "devices[0].username", ""),
        (device("auth", json!("password")), "devices[0].password", ""),
        (
            device("auth", json!("tls")),
            "devices[0].ca_certificate",
            "",
        ),
        (
            device("auth", json!("tls")),
            "devices[0].client_certificate",
            "",
        ),
        (device("auth", json!("tls")), "devices[0].client_key", ""),
        (
            device("use_last_will", json!(1)),
            "devices[0].last_will_topic",
            "",
        ),
        (
            device("use_last_will", json!(7)),
            "devices[0].use_last_will",
            "7",
        ),
        (
            will().with("last_will_topic", "a/#").signal("p"),
            "devices[0].last_will_topic",
            "a/#",
        ),
        (
            will().with("last_will_qos", 3).signal("p"),
            "devices[0].last_will_qos",
            "3",
        ),
        (
            will().with("last_will_retain", 3).signal("p"),
            "devices[0].last_will_retain",
            "3",
        ),
        (
            will().with("last_will_message", 3).signal("p"),
            "devices[0].last_will_message",
            "",
        ),
        (
            device("mqtt_version", json!("4")),
            "devices[0].mqtt_version",
            "4",
        ),
        (device("keep_alive", json!(4)), "devices[0].keep_alive", "4"),
        (
            device("keep_alive", json!(65536)),
            "devices[0].keep_alive",
            "65536",
        ),
        (
            device("buffer_size", json!(0)),
            "devices[0].buffer_size",
            "0",
        ),
        (
            device("buffer_size", json!("big")),
            "devices[0].buffer_size",
            "big",
        ),
        (
            device("max_inflight", json!(0)),
            "devices[0].max_inflight",
            "0",
        ),
        (
            device("max_inflight", json!(65536)),
            "devices[0].max_inflight",
            "65536",
        ),
        (
            device("tls_verify_hostname", json!(2)),
            "devices[0].tls_verify_hostname",
            "2",
        ),
        (
            device("tls_client_auth", json!(2)),
            "devices[0].tls_client_auth",
            "2",
        ),
        (
            device("tls_alpn", json!(["mqtt"])),
            "devices[0].tls_alpn",
            "",
        ),
        (device("auth", json!("token")), "devices[0].username", ""),
        (
            cloud().signal("p").with("topic", "$aws/things/p"),
            "signals[0].topic",
            "$aws/things/p",
        ),
        (
            device("proxy", json!("http://10.0.0.1:3128")),
            "devices[0].proxy",
            "is not host:port",
        ),
        (
            device("proxy_username", json!("gateway")),
            "devices[0].proxy_password",
            "is missing",
        ),
        (
            cloud().signal("p").without("signal_name"),
            "signals[0].signal_name",
            "",
        ),
        (
            cloud().signal("p").without("device_alias"),
            "signals[0].device_alias",
            "",
        ),
        (
            cloud().signal("p").without("signal_alias"),
            "signals[0].signal_alias",
            "",
        ),
        (
            cloud().signal("p").without("source_device_alias"),
            "signals[0].source_device_alias",
            "",
        ),
        (
            cloud().signal("p").without("source_signal_alias"),
            "signals[0].source_signal_alias",
            "",
        ),
        (
            signal("device_alias", json!("nobody")),
            "signals[0].device_alias",
            "nobody",
        ),
        (
            cloud().signal("p").signal("p"),
            "signals[1].signal_alias",
            "p",
        ),
        (signal("enable", json!(2)), "signals[0].enable", "2"),
        (signal("log", json!("much")), "signals[0].log", "much"),
        (
            signal("topic", json!("plant/+/p")),
            "signals[0].topic",
            "plant/+/p",
        ),
        (
            signal("topic", json!("plant/#")),
            "signals[0].topic",
            "plant/#",
        ),
        (
            signal("topic", json!("$SYS/p")),
            "signals[0].topic",
            "$SYS/p",
        ),
        (signal("topic", json!("plant\0p")), "signals[0].topic", ""),
        (signal("topic", json!(long)), "signals[0].topic", "256"),
        (signal("topic", json!(5)), "signals[0].topic", ""),
        (cloud().signal("p").redis("port", 0), "redis.port", "0"),
        (
            cloud().signal("p").redis("database", -1),
            "redis.database",
            "-1",
        ),
        (cloud().signal("p").redis("host", 7), "redis.host", ""),
        (cloud().top("devices", 7), "devices", ""),
        (cloud().top("signals", "none"), "signals", ""),
    ];
    for (config, place, value) in cases {
        let finished = run_with(&config, &["--check"]);
        assert_eq!(finished.code, 78, "{place} {value}: {:?}", finished.stderr);
        let file_and_place = format!("mqtt.json: {place}");
        let found = finished.errors_with(&[&file_and_place, value]);
        assert!(!found.is_empty(), "{place} {value}: {:?}", finished.stderr);
    }
}

#[test]
fn all_errors_are_reported_at_once_each_on_its_own_line_before_any_connection() {
    let broker = FakeBroker::start();
    let config = cloud()
        .with("mqtt_qos", 3)
        .with("keep_alive", 1)
        .signal("p")
        .with("topic", "a/#")
        .signal("q")
        .without("source_device_alias")
        .with_ports(1, broker.port());
    let finished = run_with(&config, &[]);
    assert_eq!(finished.code, 78);
    let places = [
        "devices[0].mqtt_qos",
        "devices[0].keep_alive",
        "signals[0].topic",
        "signals[1].source_device_alias",
    ];
    for place in places {
        assert_eq!(
            finished.errors_with(&[place]).len(),
            1,
            "{place}: {:?}",
            finished.stderr
        );
    }
    assert!(
        finished.errors_with(&["mqtt_qos: 3 is not in 0..2"]).len() == 1,
        "{:?}",
        finished.stderr
    );
    assert!(broker.link_within(std::time::Duration::ZERO).is_none());
}

#[test]
fn a_file_that_is_no_json_is_reported_with_line_and_column() {
    let finished = run_with_text("{\n  \"devices\": [\n  oops\n", &[]);
    assert_eq!(finished.code, 78);
    let lines = finished.stderr.join("\n").to_lowercase();
    let is_named =
        lines.contains(":3:3") || (lines.contains("line 3") && lines.contains("column 3"));
    assert!(is_named, "{lines}");
    for text in ["", "[]", "7", "{", "{\"devices\": []} trailing"] {
        assert_eq!(run_with_text(text, &[]).code, 78, "{text}");
    }
    assert_eq!(run_with_text(b"{\"devices\": \"\xff\"}", &[]).code, 78);
}

#[test]
fn a_secret_is_not_shown_even_where_it_is_an_error() {
    for config in [
        cloud()
            .with("auth", "password")
            .with("username", "me")
            .with("password", 987_654_321)
            .signal("p"),
        cloud()
            .with("auth", "password")
            .with("username", "me")
            .with("password", json!(["987654321"]))
            .signal("p"),
        cloud().signal("p").redis("password", 987_654_321),
    ] {
        let finished = run_with(&config, &["-d", "4"]);
        assert_eq!(finished.code, 78);
        assert!(!finished.errors_with(&["password"]).is_empty());
        assert_eq!(
            finished.errors_with(&["987654321"]).len(),
            0,
            "{:?}",
            finished.stderr
        );
    }
}
