//! Store and forward: what waits while the broker is away, and what is given up when there is no more room.

use mqtt_client_tests::config::{channel, cloud};
use mqtt_client_tests::servers::{Mosquitto, Redis};
use mqtt_client_tests::{Config, Daemon, FakeBroker, Subscriber};

/// A bridge whose broker is not there yet.
struct Waiting {
    daemon: Daemon,
    broker: Mosquitto,
    redis: Redis,
}

impl Waiting {
    fn start(config: Config) -> Self {
        let redis = Redis::start();
        let mut broker = Mosquitto::start();
        broker.stop();
        let config = config.with_ports(redis.port(), broker.port());
        let daemon = Daemon::start(&config);
        redis.wait_for_subscriptions(&config.channels());
        Self {
            daemon,
            broker,
            redis,
        }
    }

    fn publish(&mut self, signal: &str, values: std::ops::Range<u64>) {
        let before = self.daemon.counters("cloud").received;
        let count = values.end - values.start;
        let messages = values.map(|n| format!("{n},1000,"));
        self.redis.publish_all(&channel(signal), messages);
        let all = before + count;
        self.daemon
            .wait_for_counters("cloud", |now| now.received == all);
    }

    /// The broker comes. Bridge and subscriber race to it, so messages have to be retained, each on a topic of its own.
    fn broker_comes(&mut self) -> Subscriber {
        self.broker.start_again();
        self.broker.subscribe()
    }
}

#[test]
fn messages_wait_for_the_broker_and_arrive_in_order_at_every_quality_of_service() {
    for qos in [0, 1, 2] {
        let config = (0..50).fold(
            cloud().with("mqtt_qos", qos).with("mqtt_retain", 1),
            |config, n| config.signal(&format!("s{n}")),
        );
        let mut waiting = Waiting::start(config);
        for n in 0..50 {
            waiting.redis.publish(&channel(&format!("s{n}")), "1,1000,");
        }
        let counters = waiting
            .daemon
            .wait_for_counters("cloud", |now| now.received == 50);
        assert_eq!(
            (counters.queued, counters.sent, counters.dropped),
            (50, 0, 0)
        );
        let subscriber = waiting.broker_comes();
        for n in 0..50 {
            subscriber.expect(&channel(&format!("s{n}")), "1,1000,1");
        }
    }
}

#[test]
fn the_newest_value_is_the_one_that_stays_retained() {
    let mut waiting = Waiting::start(
        cloud()
            .with("mqtt_retain", 1)
            .with("mqtt_qos", 1)
            .signal("p"),
    );
    waiting.publish("p", 0..100);
    let subscriber = waiting.broker_comes();
    subscriber.wait_for("tag/cloud/p/in", "99,1000,1");
    let late = waiting.broker.subscribe();
    late.expect("tag/cloud/p/in", "99,1000,1");
}

#[test]
fn a_full_buffer_gives_up_the_oldest_and_says_how_many() {
    for qos in [0, 1] {
        let config = cloud()
            .with("buffer_size", 4096)
            .with("mqtt_qos", qos)
            .with("mqtt_retain", 1);
        // A signal for each message, so that all of them are retained.
        let config = (0..500).fold(config, |config, n| config.signal(&format!("s{n}")));
        let mut waiting = Waiting::start(config);
        for n in 0..500 {
            waiting.redis.publish(&channel(&format!("s{n}")), "1,1000,");
        }
        let counters = waiting
            .daemon
            .wait_for_counters("cloud", |now| now.received == 500);
        assert!(counters.dropped > 50, "{counters:?}");
        assert!(counters.queued > 300, "{counters:?}");
        assert_eq!(counters.queued + counters.dropped, 500);
        let subscriber = waiting.broker_comes();
        subscriber.wait_for(&channel("s499"), "1,1000,1");
        for n in counters.dropped..500 {
            subscriber.expect(&channel(&format!("s{n}")), "1,1000,1");
        }
        assert_eq!(
            subscriber.payloads(&channel(&format!("s{}", counters.dropped - 1))),
            [""; 0]
        );
        let counters = waiting
            .daemon
            .wait_for_counters("cloud", |now| now.sent + now.dropped == 500);
        assert_eq!(counters.queued, 0);
        // At the default debug level nothing else would tell the user.
        waiting.daemon.stderr().wait_for(&["cloud", "drop"]);
    }
}

#[test]
fn a_value_that_was_given_up_is_sent_when_it_comes_again() {
    let config = cloud()
        .with("buffer_size", 4096)
        .with("mqtt_retain", 1)
        .signal("p")
        .signal("q");
    let mut waiting = Waiting::start(config);
    waiting.publish("p", 7..8);
    waiting.publish("q", 0..500);
    assert!(waiting.daemon.counters("cloud").dropped > 1);
    // Without the loss, this would be the same value once more.
    waiting.redis.publish(&channel("p"), "7,2000,");
    let subscriber = waiting.broker_comes();
    subscriber.expect(&channel("p"), "7,2000,1");
}

#[test]
fn messages_in_flight_are_never_given_up() {
    let (redis, broker) = (Redis::start(), FakeBroker::start());
    let config = cloud()
        .with("mqtt_qos", 1)
        .with("buffer_size", 4096)
        .with("max_inflight", 3)
        .signal("p");
    let config = config.with_ports(redis.port(), broker.port());
    let mut daemon = Daemon::start(&config);
    redis.wait_for_subscriptions(&config.channels());
    let (mut link, _) = broker.accept();
    redis.publish_all(&channel("p"), (0..3).map(|n| format!("{n},1000,")));
    let in_flight: Vec<_> = (0..3).map(|_| link.publish().payload).collect();
    redis.publish_all(&channel("p"), (3..1000).map(|n| format!("{n},1000,")));
    daemon.wait_for_counters("cloud", |now| now.received == 1000 && now.dropped > 300);
    drop(link);
    let (mut link, _) = broker.accept();
    for payload in in_flight {
        let publish = link.publish();
        assert_eq!((publish.dup, publish.payload), (true, payload));
    }
}
