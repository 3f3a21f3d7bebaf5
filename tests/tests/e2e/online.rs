//! What a broker retains of whether a device is online: true after a start, a stop, a crash, a restart of the broker, and a reload.

use mqtt_client_tests::config::cloud;
use mqtt_client_tests::servers::Mosquitto;
use mqtt_client_tests::subscriber::Subscriber;
use mqtt_client_tests::{Config, Site};

const TOPIC: &str = "plant/status";

fn with_status(version: &str, qos: u8) -> Config {
    cloud()
        .with("status_topic", TOPIC)
        .with("mqtt_version", version)
        .with("mqtt_qos", qos)
}

/// What a client is told that subscribes now.
fn retained(broker: &Mosquitto, topic: &str) -> (String, bool) {
    let delivery = broker.subscribe().next(topic);
    (delivery.payload, delivery.retained)
}

/// A session of an earlier process may have to be wiped out before: that is `offline`.
fn come_online(subscriber: &Subscriber) {
    while subscriber.next(TOPIC).payload != "online" {}
}

#[test]
fn a_device_is_online_while_it_runs_and_offline_after_it_has_ended() {
    for version in ["3.1", "3.1.1", "5"] {
        for qos in 0..3 {
            let mut site = Site::start(with_status(version, qos).signal("p"));
            come_online(&site.subscriber);
            site.publish("p", "1,1000,");
            site.expect("tag/cloud/p/in", "1,1000,1");
            assert_eq!(retained(&site.broker, TOPIC), ("online".into(), true));
            let counters = site.daemon.counters("cloud");
            assert_eq!((counters.received, counters.sent), (1, 1), "{counters:?}");
            assert_eq!(site.daemon.stop().code, 0);
            site.subscriber.expect(TOPIC, "offline");
            assert_eq!(retained(&site.broker, TOPIC), ("offline".into(), true));
        }
    }
}

#[test]
fn a_device_whose_process_is_killed_is_offline() {
    for version in ["3.1", "3.1.1", "5"] {
        // The will's delay is no longer.
        let config = with_status(version, 1);
        let config = match version {
            "5" => config.with("session_expiry", 1),
            _ => config,
        };
        let mut site = Site::start(config.signal("p"));
        come_online(&site.subscriber);
        site.daemon.kill();
        site.subscriber.expect(TOPIC, "offline");
        assert_eq!(retained(&site.broker, TOPIC), ("offline".into(), true));
    }
}

#[test]
fn a_broker_that_has_forgotten_all_is_told_again() {
    for version in ["3.1", "3.1.1", "5"] {
        let mut site = Site::start(with_status(version, 1).signal("p"));
        come_online(&site.subscriber);
        site.broker.kill();
        site.broker.start_again();
        come_online(&site.broker.subscribe());
    }
}

#[test]
fn a_reload_leaves_no_topic_behind_that_says_online() {
    let mut site = Site::start(with_status("3.1.1", 1).signal("p"));
    let ports =
        |config: Config, site: &Site| config.with_ports(site.redis.port(), site.broker.port());
    come_online(&site.subscriber);
    let moved = cloud()
        .with("status_topic", "elsewhere")
        .with("mqtt_version", "3.1.1")
        .with("mqtt_qos", 1)
        .signal("p");
    site.daemon.reload(&ports(moved, &site));
    site.subscriber.expect(TOPIC, "offline");
    site.subscriber.expect("elsewhere", "online");
    let removed = Config::new().device("other").signal("p");
    site.daemon.reload(&ports(removed, &site));
    site.subscriber.expect("elsewhere", "offline");
    for topic in [TOPIC, "elsewhere"] {
        assert_eq!(retained(&site.broker, topic), ("offline".into(), true));
    }
}
