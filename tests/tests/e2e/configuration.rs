//! The mapping table: what is accepted, in which forms, and what is warned about.

use serde_json::json;

use mqtt_client_tests::config::cloud;
use mqtt_client_tests::daemon::run_with;
use mqtt_client_tests::servers::Redis;
use mqtt_client_tests::{Daemon, FakeBroker, Site};

#[test]
fn an_unknown_key_is_warned_about_by_name_and_stops_nothing() {
    let config = cloud()
        .with("colour", "red")
        .signal("p")
        .with("unit", "kW")
        .redis("cluster", 1)
        .top("generator", "Excel");
    let mut site = Site::start_with(config, &[]);
    for key in ["colour", "unit", "cluster", "generator"] {
        site.daemon.stderr().wait_for(&[key]);
    }
    assert!(site.daemon.is_running());
}

#[test]
fn booleans_are_0_1_false_or_true() {
    for (on, off) in [(json!(1), json!(0)), (json!(true), json!(false))] {
        let config = cloud()
            .with("enable", on.clone())
            .signal("p")
            .with("enable", on)
            .signal("q")
            .with("enable", off);
        let site = Site::start(config);
        assert_eq!(site.redis.subscribed_channels(), ["tag/cloud/p/in"]);
    }
}

#[test]
fn rows_of_other_protocols_and_their_signals_are_skipped_whatever_they_hold() {
    let config = cloud()
        .signal("p")
        .device("meter")
        .with("protocol", "Modbus RTU")
        .with("ip", "")
        .with("port", 0)
        .with("auth", "serial")
        .with("baudrate", 9600)
        .signal("v")
        .without("source_device_alias");
    let finished = run_with(&config, &["--check"]);
    assert_eq!(finished.code, 0, "{:?}", finished.stderr);
}

#[test]
fn the_protocol_is_matched_in_any_letter_case() {
    for protocol in ["MQTT", "mqtt", "Mqtt"] {
        let site = Site::start(cloud().with("protocol", protocol).signal("p"));
        assert_eq!(site.redis.subscribed_channels(), ["tag/cloud/p/in"]);
    }
}

#[test]
fn what_is_odd_but_works_is_warned_about() {
    for (config, words) in [
        (
            cloud().with("username", "me").signal("p"),
            ["devices[0]", "username"],
        ),
        (
            cloud()
                .signal("p")
                .with("topic", "same")
                .signal("q")
                .with("topic", "same"),
            ["signals[1]", "topic"],
        ),
    ] {
        let finished = run_with(&config, &["--check"]);
        assert_eq!(finished.code, 0, "{:?}", finished.stderr);
        assert!(
            !finished.errors_with(&words).is_empty(),
            "{words:?}: {:?}",
            finished.stderr
        );
    }
}

#[test]
fn at_debug_level_0_a_warning_is_shown_by_a_check_alone_which_is_asked_for_it() {
    let broker = FakeBroker::start();
    let odd = |column| {
        let config = cloud().with(column, "?").with("username", "me");
        let config = config.with("client_id", column).signal("p");
        config.with_ports(1, broker.port())
    };
    let mut daemon = Daemon::start_with(&odd("colour"), &["-d", "0"]);
    let (_link, _) = broker.accept();
    daemon.reload(&odd("shape"));
    let (_other_link, connect) = broker.accept();
    assert_eq!(connect.client_id, "shape");
    let finished = daemon.stop();
    let others = finished.stderr.iter();
    let others: Vec<_> = others.filter(|line| !line.contains("received")).collect();
    assert_eq!(others, [""; 0]);

    for level in [&["--check"][..], &["--check", "-d0"], &["-d4", "--check"]] {
        let finished = run_with(&odd("colour"), level);
        assert_eq!(
            finished.errors_with(&["devices[0]."]).len(),
            2,
            "{:?}",
            finished.stderr
        );
    }
}

#[test]
fn the_whole_redis_block_is_optional() {
    let finished = run_with(&cloud().signal("p"), &["--check"]);
    assert_eq!(finished.code, 0, "{:?}", finished.stderr);
    // Its port is 6379 by default, which may or may not be in use here: so only another one is really tried.
    let redis = Redis::start();
    let config = cloud().signal("p").redis("port", redis.port()).at(1);
    let _daemon = Daemon::start(&config);
    redis.wait_for_subscriptions(&config.channels());
}
