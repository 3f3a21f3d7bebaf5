//! The protocol's versions: 3.1.1 first, 3.1 for those brokers that know nothing else, or the one that is configured.

use mqtt_client_tests::config::cloud;
use mqtt_client_tests::fake_broker::{ACCEPTED, Connect, UNACCEPTABLE_LEVEL};
use mqtt_client_tests::{Config, Daemon, FakeBroker, Site};

fn spoken(connect: &Connect) -> (&str, u8) {
    (&connect.protocol, connect.level)
}

const V3_1: (&str, u8) = ("MQIsdp", 3);
const V3_1_1: (&str, u8) = ("MQTT", 4);

#[test]
fn a_real_broker_speaks_the_configured_version() {
    for (version, in_the_log) in [("auto", "(p2,"), ("3.1.1", "(p2,"), ("3.1", "(p1,")] {
        for qos in [0, 1, 2] {
            let config = cloud()
                .with("mqtt_version", version)
                .with("mqtt_qos", qos)
                .signal("p");
            let site = Site::start(config);
            site.publish("p", "1,1000,");
            site.expect("tag/cloud/p/in", "1,1000,1");
            let bridges = site.broker.bridges();
            assert!(bridges[0].contains(in_the_log), "{version}: {bridges:?}");
        }
    }
}

fn start(config: Config) -> (Daemon, FakeBroker) {
    let broker = FakeBroker::start();
    let daemon = Daemon::start(&config.signal("p").with_ports(1, broker.port()));
    (daemon, broker)
}

#[test]
fn auto_falls_back_to_3_1_when_the_broker_refuses_the_level() {
    let (_daemon, broker) = start(cloud());
    let mut link = broker.link();
    assert_eq!(spoken(&link.connect()), V3_1_1);
    link.connack(UNACCEPTABLE_LEVEL);
    assert_eq!(link.packet(), None, "it hangs up");
    let mut link = broker.link();
    assert_eq!(spoken(&link.connect()), V3_1);
    link.connack(ACCEPTED);
}

#[test]
fn auto_falls_back_to_3_1_when_the_broker_hangs_up_on_connect_twice_in_a_row() {
    let (_daemon, broker) = start(cloud());
    for expected in [V3_1_1, V3_1_1, V3_1] {
        let connect = broker.link().connect();
        assert_eq!(spoken(&connect), expected);
    }
}

#[test]
fn a_configured_version_is_never_left() {
    for (version, expected) in [("3.1.1", V3_1_1), ("3.1", V3_1)] {
        let (_daemon, broker) = start(cloud().with("mqtt_version", version));
        for _ in 0..3 {
            let connect = broker.link().connect();
            assert_eq!(spoken(&connect), expected);
        }
    }
}

#[test]
fn on_3_1_a_client_id_of_our_own_making_is_at_most_23_bytes_long() {
    let config = Config::new()
        .device("a-very-long-alias-of-a-device")
        .with("mqtt_version", "3.1");
    let (_daemon, broker) = start(config);
    let id = broker.link().connect().client_id;
    assert!((1..=23).contains(&id.len()), "{id}");
}
