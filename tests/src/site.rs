//! The usual setting of a test: one Redis, one broker with a subscriber, and the bridge between them, all connected.

use crate::servers::{Mosquitto, Redis};
use crate::{Config, Daemon, Subscriber, config};

/// A Redis, a broker, a subscriber to everything, and the bridge: the daemon, or a [`Board`](crate::Board). Its device is `cloud`.
///
/// The fields are in the order in which they end.
pub struct Site<B = Daemon> {
    pub daemon: B,
    pub subscriber: Subscriber,
    pub broker: Mosquitto,
    pub redis: Redis,
}

impl Site {
    /// Starts everything, and waits until the bridge is subscribed in Redis and let in by the broker.
    #[must_use]
    pub fn start(config: Config) -> Self {
        Self::start_with(config, &["-d", "2"])
    }

    /// As [`start`](Self::start), with the daemon's arguments.
    #[must_use]
    pub fn start_with(config: Config, arguments: &[&str]) -> Self {
        let start = |config: &Config| Daemon::start_with(config, arguments);
        Self::assemble(Redis::start(), Mosquitto::start(), config, start)
    }

    /// As [`start`](Self::start), with servers that the test has started its own way.
    ///
    /// A device that has a port already keeps it: the way through a [`Proxy`](crate::Proxy).
    #[must_use]
    pub fn between(redis: Redis, broker: Mosquitto, config: Config) -> Self {
        Self::assemble(redis, broker, config, Daemon::start)
    }
}

impl<B> Site<B> {
    /// As [`between`](Site::between), with a bridge that is started in this way.
    pub fn assemble(
        redis: Redis,
        broker: Mosquitto,
        config: Config,
        start: impl FnOnce(&Config) -> B,
    ) -> Self {
        let config = config.with_ports(redis.port(), broker.port());
        let subscriber = broker.subscribe();
        let site = Self {
            daemon: start(&config),
            subscriber,
            broker,
            redis,
        };
        site.redis.wait_for_subscriptions(&config.channels());
        site.broker.wait_for_bridges(1);
        site
    }

    /// Publishes a measurement of a signal of `cloud`, to which the bridge must be subscribed.
    ///
    /// # Panics
    ///
    /// If it is not.
    #[track_caller]
    pub fn publish(&self, signal: &str, message: impl AsRef<[u8]>) {
        let heard = self.redis.publish(&config::channel(signal), message);
        assert_eq!(heard, 1, "subscribers of signal {signal}");
    }

    /// The next message on `topic` is this one; see [`Subscriber::expect`].
    #[track_caller]
    pub fn expect(&self, topic: &str, payload: &str) {
        self.subscriber.expect(topic, payload);
    }
}
