//! A daemon with two devices: `cloud`, which has a spool, and `other`, which has none and must not be delayed by that of `cloud`.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use mqtt_client_tests::servers::Redis;
use mqtt_client_tests::spool::broker::{Broker, Mood};
use mqtt_client_tests::{Config, Daemon, config, wait};
use serde_json::json;

/// Seconds, the least there is.
pub const FLUSH_INTERVAL: u64 = 1;

/// Storage that comes back is used again after the flush interval and 5 s; what is more is for a busy machine.
pub const USED_AGAIN: Duration = Duration::from_secs(FLUSH_INTERVAL + 5 + 3);

/// How long a sample of the other device may take, on a machine that is busy with other tests.
const PROMPT: Duration = Duration::from_secs(2);

/// The fields are in the order in which they end.
pub struct Gateway {
    pub daemon: Daemon,
    pub cloud: Broker,
    pub other: Broker,
    pub redis: Redis,
    pub config: Config,
    next: u32,
    to_this_daemon: u64,
}

/// The table of both devices, with the spool in this folder.
pub fn table(folder: &Path, qos: u8) -> Config {
    let config = config::cloud()
        .with("mqtt_qos", qos)
        .with("spool_size", 16 << 20);
    let block = json!({ "path": folder, "flush_interval": FLUSH_INTERVAL });
    config.top("spool", block)
}

impl Gateway {
    /// Starts it while the broker of `cloud` is away.
    pub fn start(table: Config) -> Self {
        let [cloud, other] = [Broker::start(), Broker::start()];
        cloud.be(Mood::Away);
        let redis = Redis::start();
        let config = table
            .at(cloud.port())
            .signal("p")
            .device("other")
            .with("mqtt_qos", 1)
            .at(other.port())
            .signal("p")
            .with_ports(redis.port(), 0);
        let daemon = Daemon::start(&config);
        redis.wait_for_subscriptions(&config.channels());
        Self {
            daemon,
            cloud,
            other,
            redis,
            config,
            next: 0,
            to_this_daemon: 0,
        }
    }

    /// Starts the daemon again, after an end or a kill.
    pub fn start_again(&mut self) {
        self.daemon = Daemon::start(&self.config);
        self.to_this_daemon = 0;
        self.redis.wait_for_subscriptions(&self.config.channels());
    }

    /// Publishes more samples of `cloud`, and waits until the daemon has accepted them.
    pub fn publish(&mut self, count: u32) {
        let numbers = self.next..self.next + count;
        self.next = numbers.end;
        let messages = numbers.map(|n| format!("{n}.5,{n},"));
        self.redis.publish_all(&config::channel("p"), messages);
        let before = self.daemon.counters("cloud").received;
        self.daemon
            .wait_for_counters("cloud", |now| now.received >= before.max(1));
    }

    /// A sample of the other device arrives at once.
    #[track_caller]
    pub fn check_the_other(&self) {
        let count = self.other.arrivals_after(0).len();
        self.redis
            .publish("tag/other/p/in", format!("{count}.25,1,"));
        let arrived = wait::within(PROMPT, || {
            wait::holds(self.other.arrivals_after(0).len() > count)
        });
        arrived.expect("a sample of the device without a spool");
    }

    /// The broker comes back, and all that was published arrives, each sample once and in order; but for one that the client says to be a
    /// repetition, since its connection broke before it had read that the first was acknowledged.
    #[track_caller]
    pub fn check_all(&mut self) {
        self.cloud.be(Mood::There);
        let all: Vec<_> = (0..self.next).map(|n| format!("{n}.5,{n},1")).collect();
        let mut arrived = Vec::new();
        let complete = wait::within(2 * wait::LIMIT, || {
            let mut seen = HashSet::new();
            let arrivals = self.cloud.arrivals_after(0).into_iter();
            let first = arrivals.filter(|one| seen.insert(one.payload.clone()) || !one.again);
            arrived = first.map(|one| one.payload).collect();
            wait::holds(arrived == all)
        });
        let first_wrong = arrived.iter().zip(&all).position(|(a, b)| a != b);
        let (count, published) = (arrived.len(), all.len());
        assert!(
            complete.is_some(),
            "{count} of {published} arrived, the first wrong one at {first_wrong:?}"
        );
    }

    /// What the daemon says about its spool being used or not.
    pub fn warnings(&self) -> Vec<String> {
        self.daemon.stderr().with(&["the spool is not used"])
    }
}

/// Bytes in the segments of `cloud`.
pub fn stored(folder: &Path) -> u64 {
    let files = std::fs::read_dir(folder.join("cloud"));
    let files = files.into_iter().flatten().flatten();
    let files = files.filter(|file| file.path().extension().is_some_and(|end| end == "spool"));
    files
        .filter_map(|file| Some(file.metadata().ok()?.len()))
        .sum()
}

/// Waits until more is stored than this, within that time.
#[track_caller]
pub fn wait_until_stored(folder: &Path, more_than: u64, limit: Duration) {
    let grown = wait::within(limit, || wait::holds(stored(folder) > more_than));
    grown.unwrap_or_else(|| panic!("{} bytes are stored, no more", stored(folder)));
}
