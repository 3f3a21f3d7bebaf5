//! The daemon with brokers other than Mosquitto, each of which does something in its own way: `docs/brokers.md`.
//!
//! Each kind is installed the first time that a test wants it. Every test starts its own servers, so each can be run alone:
//! `cargo test -p mqtt-client-tests --test brokers aedes`.

mod exactly_once;
mod load;
mod refusals;
mod rows;
mod version5;

use std::ops::Range;

use mqtt_client_tests::config::channel;
use mqtt_client_tests::servers::{Broker, Redis};
use mqtt_client_tests::{Config, Counters, Daemon, Proxy, Subscriber, wait};

/// The topic of the signal `p`.
const TOPIC: &str = "tag/cloud/p/in";

/// A bridge to one of these brokers, over a link that can fail. Its device is `cloud`, and shows each packet (`-m`).
///
/// The fields are in the order in which they end.
struct Site {
    daemon: Daemon,
    subscriber: Subscriber,
    link: Proxy,
    broker: Broker,
    redis: Redis,
    config: Config,
}

impl Site {
    /// Starts everything, and waits until the bridge is subscribed in Redis.
    fn start(broker: Broker, config: Config) -> Self {
        let subscriber = broker.subscribe();
        Self::start_with(broker, subscriber, config)
    }

    /// As [`start`](Self::start), with a subscriber that the broker lets in.
    fn start_with(broker: Broker, subscriber: Subscriber, config: Config) -> Self {
        let redis = Redis::start();
        let link = Proxy::to(broker.port());
        let config = config.with_ports(redis.port(), link.port());
        let site = Self {
            daemon: Daemon::start_with(&config, &["-d", "2", "-m"]),
            subscriber,
            link,
            broker,
            redis,
            config,
        };
        site.redis.wait_for_subscriptions(&site.config.channels());
        site
    }

    /// Publishes measurements of the signal `p` with these values.
    fn publish(&self, values: Range<u32>) {
        let messages = values.map(|n| format!("{n},1000,"));
        self.redis.publish_all(&channel("p"), messages);
    }

    /// Kills the broker, starts it again, and subscribes to it before the bridge is let through: what is sent from then on is seen.
    fn restart_broker(&mut self) {
        self.link.refuse();
        self.broker.kill();
        self.broker.start_again();
        self.subscriber = self.broker.subscribe();
        self.link.accept();
    }

    /// The first 600 values of a load arrive; where `is_cut`, over a link that is cut while they come. At QoS 0 what is on its way would be lost.
    fn carry_through_a_cut_link(&mut self, qos: u8, is_cut: bool, context: &str) {
        self.publish(0..300);
        if is_cut {
            wait::until("part of the load", || {
                wait::holds(self.subscriber.count() > 30)
            });
            self.link.cut();
        }
        self.publish(300..600);
        self.subscriber.wait_for(TOPIC, &last(0..600));
        assert_eq!(self.values(), messages(0..600), "{context}");
        self.daemon
            .wait_for_counters("cloud", |now| qos == 0 || now.acknowledged == 600);
    }

    /// The values from 600 to 1,000 arrive, through a broker that is killed while they come; what was counted in the end.
    fn carry_through_a_kill(&mut self, qos: u8, context: &str) -> Counters {
        self.link.refuse();
        self.publish(600..900);
        self.restart_broker();
        self.publish(900..1000);
        self.subscriber.wait_for(TOPIC, &last(600..1000));
        assert_eq!(self.values(), messages(600..1000), "{context}");
        let counters = self
            .daemon
            .wait_for_counters("cloud", |now| qos == 0 || now.acknowledged == 1000);
        assert_eq!(
            (counters.received, counters.sent, counters.dropped),
            (1000, 1000, 0),
            "{context}"
        );
        counters
    }

    /// What has arrived of the signal `p`, each value once.
    fn values(&self) -> Vec<String> {
        let mut values = self.subscriber.payloads(TOPIC);
        let mut seen = std::collections::HashSet::new();
        values.retain(|value| seen.insert(value.clone()));
        values
    }
}

/// The messages of these values.
fn messages(values: Range<u32>) -> Vec<String> {
    values.map(|n| format!("{n},1000,1")).collect()
}

/// The last of the messages of these values.
fn last(values: Range<u32>) -> String {
    messages(values).pop().expect("a value")
}
