//! The Last Will: what the broker says in the bridge's name when it is gone without a word.

use mqtt_client_tests::config::cloud;
use mqtt_client_tests::fake_broker::Will;
use mqtt_client_tests::{Config, Daemon, FakeBroker, Site};

fn with_will() -> Config {
    cloud()
        .with("use_last_will", 1)
        .with("last_will_topic", "gateway/state")
        .with("last_will_message", "lost")
}

#[test]
fn a_killed_bridge_leaves_its_last_will() {
    let mut site = Site::start(with_will().signal("p"));
    site.daemon.kill();
    let will = site.subscriber.expect("gateway/state", "lost");
    assert_eq!((will.qos, will.retained), (0, false));
}

#[test]
fn a_bridge_that_is_asked_to_end_leaves_none() {
    let mut site = Site::start(with_will().signal("p"));
    assert_eq!(site.daemon.stop().code, 0);
    site.subscriber.publish("gateway/state", "a mark");
    site.expect("gateway/state", "a mark");
}

#[test]
fn the_last_will_has_its_own_quality_of_service_and_retain_flag() {
    for (qos, retain) in [(1, 0), (2, 1)] {
        let config = with_will()
            .with("last_will_qos", qos)
            .with("last_will_retain", retain)
            .signal("p");
        let mut site = Site::start(config);
        site.daemon.kill();
        assert_eq!(site.subscriber.expect("gateway/state", "lost").qos, qos);
        let late = site.broker.subscribe();
        if retain == 1 {
            assert!(late.expect("gateway/state", "lost").retained);
        } else {
            late.publish("gateway/state", "a mark");
            late.expect("gateway/state", "a mark");
        }
    }
}

#[test]
fn a_last_will_without_a_message_is_empty() {
    let config = cloud()
        .with("use_last_will", true)
        .with("last_will_topic", "gateway/state")
        .signal("p");
    let mut site = Site::start(config);
    site.daemon.kill();
    site.expect("gateway/state", "");
}

#[test]
fn a_last_will_that_is_not_used_is_not_sent_to_the_broker() {
    for (used, expected) in [
        (0, None),
        (
            1,
            Some(Will {
                topic: String::from("gateway/state"),
                message: String::from("lost"),
                qos: 0,
                retain: false,
            }),
        ),
    ] {
        let broker = FakeBroker::start();
        let config = with_will().with("use_last_will", used).signal("p");
        let _daemon = Daemon::start(&config.with_ports(1, broker.port()));
        let (_link, connect) = broker.accept();
        assert_eq!(connect.will, expected);
    }
}
