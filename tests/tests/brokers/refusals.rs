//! What is said and done when a broker lets nobody in, or does not take a topic.

use mqtt_client_tests::config::{channel, cloud};
use mqtt_client_tests::servers::{Broker, KINDS, Kind};
use mqtt_client_tests::{Daemon, subscriber};

use crate::{Site, TOPIC, last, messages};

/// What a person can act upon: which of the reasons it is, the broker does not tell.
#[test]
fn a_wrong_password_is_named_at_every_broker() {
    for kind in KINDS {
        let broker = Broker::with_user(kind, "gateway", "right");
        let config = cloud()
            .with("auth", "password")
            .with("username", "gateway")
            .with("password", "wrong")
            .signal("p")
            .with_ports(1, broker.port());
        let daemon = Daemon::start_with(&config, &[]);
        let said = daemon.stderr().wait_for(&["cloud", "password"]);
        if kind == Kind::Rumqttd {
            // It closes the connection without a word, as a TLS port does with a client that speaks no TLS.
            assert!(said.contains("TLS"), "{kind:?}: {said}");
        } else {
            assert!(said.contains("user name or password"), "{kind:?}: {said}");
        }
    }
}

#[test]
fn the_right_password_is_let_in_at_every_broker() {
    for kind in KINDS {
        let broker = Broker::with_user(kind, "gateway", "right");
        let config = cloud()
            .with("mqtt_qos", 1)
            .with("auth", "password")
            .with("username", "gateway")
            .with("password", "right")
            .signal("p");
        let subscriber = subscriber::to(broker.port()).user("gateway", "right");
        let mut site = Site::start_with(broker, subscriber.connect(), config);
        site.publish(0..1);
        site.daemon
            .wait_for_counters("cloud", |now| now.acknowledged == 1);
    }
}

/// AWS IoT Core does the same. 3.1.1 has no word for "this topic is not allowed", and the connection is all that can be refused.
#[test]
fn a_topic_that_aedes_answers_by_closing_is_set_aside_and_named_while_all_others_flow() {
    const FORBIDDEN: &str = "plant/forbidden";
    for qos in [1, 2] {
        let config = cloud()
            .with("mqtt_qos", qos)
            .with("max_inflight", 20)
            .signal("bad")
            .with("topic", FORBIDDEN)
            .signal("p");
        let mut site = Site::start(Broker::that_forbids(FORBIDDEN), config);
        let heard = site.redis.publish(&channel("bad"), "1,1000,");
        assert_eq!(heard, 1);
        site.publish(0..100);
        site.subscriber.wait_for(TOPIC, &last(0..100));
        assert_eq!(site.values(), messages(0..100), "QoS {qos}");
        let named = site.daemon.stderr().wait_for(&["cloud", FORBIDDEN]);
        assert!(named.starts_with("E "), "an error, not: {named}");
        let counters = site
            .daemon
            .wait_for_counters("cloud", |now| now.acknowledged == 100);
        // It may be allowed one day: it waits.
        assert_eq!(counters.dropped, 0, "QoS {qos}: {counters:?}");
        assert!(site.subscriber.payloads(FORBIDDEN).is_empty());
    }
}
