//! Several brokers in one table: each has its own session and buffer, and none waits for another.

use mqtt_client_tests::servers::{Mosquitto, Redis};
use mqtt_client_tests::{Config, Daemon, Proxy};

const COUNT: usize = 500;

fn publish_to(redis: &Redis, device: &str) {
    let messages = (0..COUNT).map(|n| format!("{n},1000,"));
    redis.publish_all(&format!("tag/{device}/p/in"), messages);
}

/// Devices with these names, qualities of service and ports of their brokers, each with a signal `p`.
fn devices(redis: &Redis, rows: [(&str, u8, u16); 2]) -> Config {
    let config = Config::new().redis("port", redis.port());
    rows.into_iter().fold(config, |config, (name, qos, port)| {
        config
            .device(name)
            .with("mqtt_qos", qos)
            .at(port)
            .signal("p")
    })
}

fn expected() -> Vec<String> {
    (0..COUNT).map(|n| format!("{n},1000,1")).collect()
}

#[test]
fn each_broker_gets_the_signals_of_its_own_device_at_its_own_quality_of_service() {
    let (redis, one, two) = (Redis::start(), Mosquitto::start(), Mosquitto::start());
    let config = devices(&redis, [("one", 1, one.port()), ("two", 2, two.port())]);
    let (at_one, at_two) = (one.subscribe(), two.subscribe());
    let mut daemon = Daemon::start(&config);
    redis.wait_for_subscriptions(&config.channels());
    publish_to(&redis, "one");
    publish_to(&redis, "two");
    for (subscriber, device, qos) in [(&at_one, "one", 1), (&at_two, "two", 2)] {
        let topic = format!("tag/{device}/p/in");
        subscriber.wait_for(&topic, "499,1000,1");
        let deliveries = subscriber.deliveries();
        assert!(
            deliveries
                .iter()
                .all(|delivery| delivery.topic == topic && delivery.qos == qos)
        );
        assert_eq!(subscriber.payloads(&topic), expected());
        assert_eq!(daemon.counters(device).received, COUNT as u64);
    }
}

#[test]
fn a_broker_that_is_down_does_not_delay_another_and_gets_its_messages_later() {
    let (redis, up) = (Redis::start(), Mosquitto::start());
    let mut down = Mosquitto::start();
    down.stop();
    // Of `down`: its subscriber may come later than the messages.
    let config = devices(&redis, [("up", 0, up.port()), ("down", 0, down.port())]);
    let config = config.device_key("mqtt_retain", 1);
    let at_up = up.subscribe();
    let _daemon = Daemon::start(&config);
    redis.wait_for_subscriptions(&config.channels());
    publish_to(&redis, "down");
    publish_to(&redis, "up");
    at_up.wait_for("tag/up/p/in", "499,1000,1");
    assert_eq!(at_up.payloads("tag/up/p/in"), expected());
    down.start_again();
    down.subscribe().wait_for("tag/down/p/in", "499,1000,1");
}

#[test]
fn a_broker_that_hangs_does_not_delay_another() {
    let (redis, up, hanging) = (Redis::start(), Mosquitto::start(), Mosquitto::start());
    let proxy = Proxy::to(hanging.port());
    let config = devices(&redis, [("hanging", 1, proxy.port()), ("up", 1, up.port())]);
    let at_up = up.subscribe();
    let _daemon = Daemon::start(&config);
    redis.wait_for_subscriptions(&config.channels());
    hanging.wait_for_bridges(1);
    proxy.stall();
    publish_to(&redis, "hanging");
    publish_to(&redis, "up");
    at_up.wait_for("tag/up/p/in", "499,1000,1");
    assert_eq!(at_up.payloads("tag/up/p/in"), expected());
}

#[test]
fn a_name_that_cannot_be_found_does_not_delay_another_broker_and_is_reported() {
    let (redis, up) = (Redis::start(), Mosquitto::start());
    let config = Config::new()
        .device("lost")
        .with("ip", "no-such-host.invalid")
        .signal("p")
        .device("up")
        .with("ip", "localhost")
        .at(up.port())
        .signal("p")
        .redis("port", redis.port());
    let at_up = up.subscribe();
    let daemon = Daemon::start(&config);
    redis.wait_for_subscriptions(&config.channels());
    publish_to(&redis, "up");
    at_up.wait_for("tag/up/p/in", "499,1000,1");
    assert_eq!(at_up.payloads("tag/up/p/in"), expected());
    daemon.stderr().wait_for(&["lost", "resolve"]);
}

#[test]
fn fifty_brokers_are_served_by_one_process() {
    let (redis, broker) = (Redis::start(), Mosquitto::start());
    let config = (0..50).fold(Config::new(), |config, n| {
        config
            .device(&format!("device{n}"))
            .with("mqtt_qos", 1)
            .signal("p")
    });
    let config = config.with_ports(redis.port(), broker.port());
    let subscriber = broker.subscribe();
    let mut daemon = Daemon::start(&config);
    broker.wait_for_bridges(50);
    redis.wait_for_subscriptions(&config.channels());
    for channel in config.channels() {
        redis.publish(&channel, "1,1000,");
    }
    for channel in config.channels() {
        subscriber.expect(&channel, "1,1000,1");
    }
    for n in 0..50 {
        daemon.wait_for_counters(&format!("device{n}:"), |now| now.acknowledged == 1);
    }
}
