//! Does each broker get the whole load, through cut links and its own end?

use mqtt_client_tests::config::cloud;
use mqtt_client_tests::servers::{Broker, Kind};

use crate::Site;

/// A load through a cut link (QoS 1: what is on its way at QoS 0 is lost with the link), and through a broker that is killed while samples come.
fn carries_the_load(kind: Kind) {
    for qos in [0, 1] {
        let config = cloud().with("mqtt_qos", qos).signal("p");
        let mut site = Site::start(Broker::start(kind), config);
        let context = format!("{kind:?}, QoS {qos}");
        site.carry_through_a_cut_link(qos, qos > 0, &context);
        site.carry_through_a_kill(qos, &context);
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
