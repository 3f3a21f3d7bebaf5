//! Does each broker get the whole load, through cut links and its own end?

use mqtt_client_tests::config::cloud;
use mqtt_client_tests::servers::{Broker, Kind};
use mqtt_client_tests::wait;

use crate::{Site, TOPIC, last, messages};

/// A load through a cut link (QoS 1: what is on its way at QoS 0 is lost with the link), and through a broker that is killed while samples come.
fn carries_the_load(kind: Kind) {
    for qos in [0, 1] {
        let config = cloud().with("mqtt_qos", qos).signal("p");
        let mut site = Site::start(Broker::start(kind), config);
        site.publish(0..300);
        if qos > 0 {
            wait::until("part of the load", || {
                wait::holds(site.subscriber.count() > 30)
            });
            site.link.cut();
        }
        site.publish(300..600);
        site.subscriber.wait_for(TOPIC, &last(0..600));
        assert_eq!(site.values(), messages(0..600), "{kind:?}, QoS {qos}");
        site.daemon
            .wait_for_counters("cloud", |now| qos == 0 || now.acknowledged == 600);

        site.link.refuse();
        site.publish(600..900);
        site.restart_broker();
        site.publish(900..1000);
        site.subscriber.wait_for(TOPIC, &last(600..1000));
        assert_eq!(site.values(), messages(600..1000), "{kind:?}, QoS {qos}");
        let counters = site
            .daemon
            .wait_for_counters("cloud", |now| qos == 0 || now.acknowledged == 1000);
        assert_eq!(
            (counters.received, counters.sent, counters.dropped),
            (1000, 1000, 0),
            "{kind:?}, QoS {qos}"
        );
    }
}

#[test]
fn activemq_carries_the_load_through_a_cut_link_and_a_kill() {
    carries_the_load(Kind::ActiveMq);
}

#[test]
fn aedes_carries_the_load_through_a_cut_link_and_a_kill() {
    carries_the_load(Kind::Aedes);
}

#[test]
fn amqtt_carries_the_load_through_a_cut_link_and_a_kill() {
    carries_the_load(Kind::Amqtt);
}

#[test]
fn rabbitmq_carries_the_load_through_a_cut_link_and_a_kill() {
    carries_the_load(Kind::RabbitMq);
}

#[test]
fn rumqttd_carries_the_load_through_a_cut_link_and_a_kill() {
    carries_the_load(Kind::Rumqttd);
}
