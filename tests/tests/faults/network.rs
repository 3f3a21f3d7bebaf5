//! A cable that is pulled, an address that changes, packets that are dropped: on a link between two network namespaces.
//!
//! Needs root. Where that is not given a test says so, as `skipped: ...`, and `cargo verify` shows and counts that.

use std::collections::HashSet;

use mqtt_client_tests::config::{channel, cloud};
use mqtt_client_tests::namespace::{GATEWAY, Namespaces, SITE};
use mqtt_client_tests::port::Reserved;
use mqtt_client_tests::servers::{Mosquitto, Redis};
use mqtt_client_tests::{Daemon, Subscriber, wait};

/// A gateway, a site, and load between them. The fields are in the order in which they end.
struct Plant {
    daemon: Daemon,
    subscriber: Subscriber,
    broker: Mosquitto,
    redis: Redis,
    _port: Reserved,
    cable: Namespaces,
    qos: u8,
    published: u32,
}

impl Plant {
    /// `keep_alive` is in seconds. `None` where namespaces are not permitted, which is said.
    fn start(qos: u8, keep_alive: u64) -> Option<Self> {
        let cable = match Namespaces::enter() {
            Ok(cable) => cable,
            Err(reason) => {
                println!("skipped: network namespaces are not permitted here ({reason})");
                return None;
            }
        };
        let redis = Redis::start();
        let port = Reserved::new();
        let listener = format!("listener {} {SITE}", port.number());
        let broker = Mosquitto::start_with(&["allow_anonymous true", &listener]);
        let subscriber = broker.subscribe();
        let config = cloud()
            .with("mqtt_qos", qos)
            .with("keep_alive", keep_alive)
            .with("ip", SITE)
            .at(port.number())
            .signal("p")
            // Redis is the gateway's own: a Unix socket, which no namespace of networks hides.
            .redis("socket", redis.socket().display().to_string());
        let daemon = Daemon::start_under(&cable.on_the_gateway(), &config);
        redis.wait_for_subscriptions(&config.channels());
        broker.wait_for_bridges(1);
        let mut plant = Self {
            daemon,
            subscriber,
            broker,
            redis,
            _port: port,
            cable,
            qos,
            published: 0,
        };
        plant.publish();
        plant.check();
        Some(plant)
    }

    fn publish(&mut self) {
        let numbers = self.published..self.published + 50;
        self.published = numbers.end;
        let messages = numbers.map(|n| format!("{n},1000,"));
        self.redis.publish_all(&channel("p"), messages);
    }

    /// Load until the daemon has noticed that nobody answers: at the latest one and a half keep-alives after the fault.
    fn load_until_it_notices(&mut self) {
        let mark = self.daemon.stderr().mark();
        self.publish();
        let words = [SITE, "next try"];
        self.daemon.stderr().wait_for_after(mark, &words);
        self.publish();
    }

    /// All that was published has arrived, once and in order, after delays of up to 8 s before the next attempt.
    fn check(&mut self) {
        let all = u64::from(self.published);
        let acknowledged = wait::within(4 * wait::LIMIT, || {
            wait::holds(self.daemon.counters("cloud").acknowledged == all)
        });
        acknowledged.unwrap_or_else(|| panic!("{:?}", self.daemon.counters("cloud")));
        let expected: Vec<_> = (0..self.published).map(|n| format!("{n},1000,1")).collect();
        let last = expected.last().expect("something was published");
        self.subscriber.wait_for(&channel("p"), last);
        let mut arrived = self.subscriber.payloads(&channel("p"));
        if self.qos == 1 {
            // Repetitions are allowed.
            let mut seen = HashSet::new();
            arrived.retain(|payload| seen.insert(payload.clone()));
        }
        assert_eq!(arrived, expected);
    }
}

#[test]
fn a_cable_that_is_pulled_at_either_end_and_put_back_loses_nothing() {
    let Some(mut plant) = Plant::start(2, 5) else {
        return;
    };
    // Without a carrier, packets are lost without a word.
    plant.cable.at_the_site(&["link", "set", "cable", "down"]);
    plant.load_until_it_notices();
    plant.cable.at_the_site(&["link", "set", "cable", "up"]);
    plant.check();
    // Without an interface, there is no route: connecting fails at once.
    plant
        .cable
        .at_the_gateway(&["link", "set", "cable", "down"]);
    plant.load_until_it_notices();
    plant.daemon.stderr().wait_for(&["cloud", "unreachable"]);
    plant.cable.at_the_gateway(&["link", "set", "cable", "up"]);
    plant.check();
}

#[test]
fn a_cable_that_is_put_back_soon_costs_no_connection() {
    let Some(mut plant) = Plant::start(1, 60) else {
        return;
    };
    plant.cable.at_the_site(&["link", "set", "cable", "down"]);
    plant.publish();
    let published = u64::from(plant.published);
    plant
        .daemon
        .wait_for_counters("cloud", |now| now.received == published);
    plant.cable.at_the_site(&["link", "set", "cable", "up"]);
    plant.publish();
    plant.check();
    assert_eq!(plant.daemon.counters("cloud").reconnects, 0);
}

#[test]
fn a_gateway_whose_address_changes_comes_back_with_the_new_one() {
    let Some(mut plant) = Plant::start(2, 5) else {
        return;
    };
    let [old, new] = GATEWAY.map(|address| format!("{address}/24"));
    plant
        .cable
        .at_the_gateway(&["addr", "del", &old, "dev", "cable"]);
    plant
        .cable
        .at_the_gateway(&["addr", "add", &new, "dev", "cable"]);
    plant.load_until_it_notices();
    plant.check();
    let bridges = plant.broker.bridges();
    let last = bridges.last().expect("a bridge");
    assert!(last.contains(GATEWAY[1]), "{bridges:?}");
}

#[test]
fn answers_that_are_dropped_lose_nothing() {
    let Some(mut plant) = Plant::start(2, 5) else {
        return;
    };
    let route = format!("{}/32", GATEWAY[0]);
    plant
        .cable
        .at_the_site(&["route", "add", "blackhole", &route]);
    plant.load_until_it_notices();
    plant
        .cable
        .at_the_site(&["route", "del", "blackhole", &route]);
    plant.check();
}
