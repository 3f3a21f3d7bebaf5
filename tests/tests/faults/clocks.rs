//! A wall clock that jumps, the gateway's or the broker's: nothing but a certificate's dates may depend on it.

use std::path::PathBuf;

use mqtt_client_tests::config::{channel, cloud};
use mqtt_client_tests::pki::{Authority, request};
use mqtt_client_tests::servers::{Mosquitto, Redis};
use mqtt_client_tests::{Config, Daemon, install, wait};
use tempfile::TempDir;

/// The dates that a clock jumps to, in the words of libfaketime: absolute ones, and ones that are so far from the true one.
const JUMPS: [&str; 6] = [
    "@1970-01-01 00:00:10",
    "+5h",
    "-5h",
    "@2037-12-31 23:59:58",
    "+400d",
    "-90d",
];

/// In seconds: short enough to see PINGREQ, and long enough for a busy machine to answer it in time.
const KEEP_ALIVE: u64 = 20;

/// A clock for programs that are started with it. Only the time of day is false: no system lets the monotonic time jump.
struct Clock {
    folder: TempDir,
}

impl Clock {
    fn at(time: &str) -> Self {
        let clock = Self {
            folder: TempDir::new().expect("a temporary folder"),
        };
        clock.jump(time);
        clock
    }

    fn jump(&self, time: &str) {
        // In one step, since it is read at any moment.
        let new = self.folder.path().join("new");
        std::fs::write(&new, time).expect("write to a temporary folder");
        std::fs::rename(new, self.file()).expect("rename in a temporary folder");
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("time")
    }

    /// What stands in front of a program's command line.
    fn words(&self) -> Vec<String> {
        let program = install::path(install::FAKETIME);
        // The library's folder is named for the machine's kind.
        let library = "libfaketime.so.1";
        let folders = std::fs::read_dir("/usr/lib").expect("a folder of libraries");
        let found = folders.flatten().find_map(|folder| {
            let path = folder.path().join("faketime").join(library);
            path.is_file().then_some(path)
        });
        let found =
            found.unwrap_or_else(|| panic!("{} is here, and no {library}", program.display()));
        [
            String::from("env"),
            format!("LD_PRELOAD={}", found.display()),
            format!("FAKETIME_TIMESTAMP_FILE={}", self.file().display()),
            // Read the file at every call.
            String::from("FAKETIME_NO_CACHE=1"),
            String::from("FAKETIME_DONT_FAKE_MONOTONIC=1"),
        ]
        .into()
    }
}

fn publish(redis: &Redis, numbers: std::ops::Range<u32>) {
    redis.publish_all(&channel("p"), numbers.map(|n| format!("{n},1000,")));
}

fn expected(count: u32) -> Vec<String> {
    (0..count).map(|n| format!("{n},1000,1")).collect()
}

#[test]
fn jumps_of_the_gateways_clock_disturb_nothing() {
    let clock = Clock::at("+0");
    let (redis, broker) = (Redis::start(), Mosquitto::start());
    let subscriber = broker.subscribe();
    let config = cloud()
        .with("mqtt_qos", 2)
        .with("keep_alive", KEEP_ALIVE)
        .signal("p");
    let config = config.with_ports(redis.port(), broker.port());
    let mut daemon = Daemon::start_under(&clock.words(), &config);
    redis.wait_for_subscriptions(&config.channels());
    broker.wait_for_bridges(1);
    let mut next = 0;
    for jump in JUMPS {
        clock.jump(jump);
        publish(&redis, next..next + 50);
        next += 50;
        daemon.wait_for_counters("cloud", |now| now.acknowledged == u64::from(next));
    }
    // Through two keep-alives: PINGREQ is due by the monotonic time.
    let pings = || broker.log().with(&["Received PINGREQ from cloud"]).len();
    for jump in ["@1970-01-01 00:00:10", "+5h"] {
        let before = pings();
        clock.jump(jump);
        wait::until("a PINGREQ", || wait::holds(pings() > before));
    }
    assert_eq!(subscriber.payloads(&channel("p")), expected(next));
    assert_eq!(daemon.counters("cloud").reconnects, 0);
    assert_eq!(redis.subscribers().len(), 1);
    assert_eq!(daemon.stop().code, 0);
}

#[test]
fn jumps_of_the_brokers_clock_disturb_nothing() {
    let clock = Clock::at("+0");
    let redis = Redis::start();
    let broker = Mosquitto::start_under(&clock.words(), &["allow_anonymous true"]);
    let subscriber = broker.subscribe();
    let config = cloud()
        .with("mqtt_qos", 2)
        .with("keep_alive", KEEP_ALIVE)
        .signal("p");
    let config = config.with_ports(redis.port(), broker.port());
    let mut daemon = Daemon::start(&config);
    redis.wait_for_subscriptions(&config.channels());
    let mut next = 0;
    for jump in JUMPS {
        clock.jump(jump);
        publish(&redis, next..next + 50);
        next += 50;
        daemon.wait_for_counters("cloud", |now| now.acknowledged == u64::from(next));
    }
    subscriber.wait_for(&channel("p"), &format!("{},1000,1", next - 1));
    assert_eq!(subscriber.payloads(&channel("p")), expected(next));
    assert_eq!(daemon.counters("cloud").reconnects, 0);
}

/// A broker with TLS, and a configuration for it.
fn secure(redis: &Redis) -> (Mosquitto, Config, impl Sized) {
    let authority = Authority::new("Plant CA");
    let shown = authority.issue(request("broker").hosts(&["127.0.0.1"]).years(2020, 2099));
    let gateway = authority.issue(request("gateway").years(2020, 2099));
    let (broker, port) = authority.broker(&shown, &[]);
    let config = cloud().with("mqtt_qos", 1).signal("p").at(port.number());
    let config = authority.secure(config, &gateway);
    let config = config.with_ports(redis.port(), 0);
    (broker, config, (authority, port))
}

#[test]
fn a_gateway_that_starts_in_1970_says_what_its_clock_says_and_connects_once_the_clock_is_set() {
    let clock = Clock::at("@1970-01-01 00:00:10");
    let redis = Redis::start();
    let (broker, config, _files) = secure(&redis);
    let subscriber = broker.subscribe();
    let mut daemon = Daemon::start_under(&clock.words(), &config);
    daemon.stderr().wait_for(&[
        "E cloud: ",
        "the broker's certificate is valid from 2020-01-01 on; the clock here says 1970-01-01",
        "next try in ",
    ]);
    redis.wait_for_subscriptions(&config.channels());
    publish(&redis, 0..10);
    daemon.wait_for_counters("cloud", |now| now.queued == 10);
    clock.jump("+0");
    // The next attempt is 24 to 32 s after the first.
    let next = wait::within(2 * wait::LIMIT, || {
        wait::holds(!broker.bridges().is_empty())
    });
    next.expect("a connection once the clock is right");
    subscriber.wait_for(&channel("p"), "9,1000,1");
    assert_eq!(subscriber.payloads(&channel("p")), expected(10));
}

#[test]
fn a_jump_to_1970_does_not_end_a_connection_that_is_there() {
    let clock = Clock::at("+0");
    let redis = Redis::start();
    let (broker, config, _files) = secure(&redis);
    let subscriber = broker.subscribe();
    let daemon = Daemon::start_under(&clock.words(), &config);
    redis.wait_for_subscriptions(&config.channels());
    broker.wait_for_bridges(1);
    clock.jump("@1970-01-01 00:00:10");
    publish(&redis, 0..10);
    subscriber.wait_for(&channel("p"), "9,1000,1");
    assert_eq!(subscriber.payloads(&channel("p")), expected(10));
    assert_eq!(daemon.stderr().with(&["next try"]), [""; 0]);
}
