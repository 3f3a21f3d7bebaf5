//! Do the tables of `docs/brokers.md` work?

use mqtt_client_tests::servers::{Broker, Kind, Redis};
use mqtt_client_tests::{Daemon, page, subscriber};

fn the_table_works(heading: &str, kind: Kind) {
    let table = page::table("docs/brokers.md", heading);
    let text = |key| String::from(table.device_text(key).expect("a text"));
    let (user, password) = (text("username"), text("password"));
    let broker = Broker::with_user(kind, &user, &password);
    let subscriber = subscriber::to(broker.port())
        .user(&user, &password)
        .connect();
    let redis = Redis::start();
    let config = table.device_key("ip", "127.0.0.1").at(broker.port());
    let config = config.with_ports(redis.port(), broker.port());
    let _daemon = Daemon::start(&config);
    redis.wait_for_subscriptions(&config.channels());
    assert_eq!(redis.publish(&config.channels()[0], "12.5,1000,IV"), 1);
    let topic = config.signal_text("topic").expect("a topic");
    let delivery = subscriber.expect(topic, "12.5,1000,0");
    assert_eq!(delivery.qos, 1);
}

#[test]
fn rabbitmq_gets_the_samples_of_the_table_on_the_page() {
    the_table_works("RabbitMQ", Kind::RabbitMq);
}

#[test]
fn activemq_gets_the_samples_of_the_table_on_the_page() {
    the_table_works("ActiveMQ Classic", Kind::ActiveMq);
}
