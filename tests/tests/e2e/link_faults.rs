//! Links and brokers that fail under load: everything arrives, exactly once where that was asked for, in order.

use std::collections::HashSet;

use fastrand::Rng;

use mqtt_client_tests::config::{channel, cloud};
use mqtt_client_tests::servers::{Mosquitto, Redis, SUBSCRIBER_MAY_LAG};
use mqtt_client_tests::{Proxy, Site, Subscriber, seed, subscriber, wait};

const TOPIC: &str = "tag/cloud/p/in";
const BATCH: u32 = 100;
const BATCHES: u32 = 20;

fn publish_batch(site: &Site, batch: u32) {
    let values = batch * BATCH..(batch + 1) * BATCH;
    site.redis
        .publish_all(&channel("p"), values.map(|n| format!("{n},1000,")));
}

fn expected() -> Vec<String> {
    (0..BATCH * BATCHES)
        .map(|n| format!("{n},1000,1"))
        .collect()
}

/// What arrived, without the broker's own repetitions to the subscriber.
fn arrived(subscriber: &Subscriber) -> Vec<String> {
    let mut seen = HashSet::new();
    let mut deliveries = subscriber.deliveries();
    deliveries.retain(|one| one.topic == TOPIC && (seen.insert(one.payload.clone()) || !one.again));
    deliveries.into_iter().map(|one| one.payload).collect()
}

/// The same without repetitions at all: QoS 1 allows them.
fn without_repetitions(payloads: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::new();
    let mut payloads = payloads;
    payloads.retain(|payload| seen.insert(payload.clone()));
    payloads
}

/// Publishes a batch, and waits until part of it has arrived.
fn under_way(site: &Site, batch: u32, rng: &mut Rng) {
    publish_batch(site, batch);
    let amount = (batch * BATCH + rng.u32(0..BATCH)) as usize;
    wait::until("part of the batch", || {
        wait::holds(site.subscriber.deliveries().len() >= amount)
    });
}

/// The link is closed while a batch is on its way.
fn cut(site: &mut Site, proxy: &Proxy, batch: u32, rng: &mut Rng) {
    under_way(site, batch, rng);
    proxy.cut();
}

/// The link is reset while a batch is on its way.
fn reset(site: &mut Site, proxy: &Proxy, batch: u32, rng: &mut Rng) {
    under_way(site, batch, rng);
    proxy.reset();
}

/// All that the bridge sends of a batch is lost, and then the link is closed.
fn swallow(site: &mut Site, proxy: &Proxy, batch: u32, _: &mut Rng) {
    let sent = u64::from(batch * BATCH);
    site.daemon
        .wait_for_counters("cloud", |now| now.acknowledged == sent);
    proxy.stall();
    publish_batch(site, batch);
    // As many as may be in flight: the whole batch at QoS 1, 20 messages at QoS 2.
    let all = sent + u64::from(BATCH);
    site.daemon
        .wait_for_counters("cloud", |now| now.received == all && now.sent >= sent + 20);
    proxy.cut();
}

type Fault = fn(&mut Site, &Proxy, u32, &mut Rng);

fn survives(qos: u8, fault: Fault) {
    let mut rng = seed::rng();
    let broker = Mosquitto::start_with(&["allow_anonymous true", SUBSCRIBER_MAY_LAG]);
    let redis = Redis::start();
    let proxy = Proxy::to(broker.port());
    let config = cloud().with("mqtt_qos", qos).at(proxy.port()).signal("p");
    let mut site = Site::between(redis, broker, config);
    let mut batches: Vec<_> = (0..BATCHES).collect();
    rng.shuffle(&mut batches);
    // Four: the delays before the next attempts are 0, 1, 2 and 4 seconds.
    let faulty: HashSet<_> = batches.into_iter().take(4).collect();
    for batch in 0..BATCHES {
        if faulty.contains(&batch) {
            let connections = proxy.accepted();
            fault(&mut site, &proxy, batch, &mut rng);
            proxy.wait_for_connections(connections + 1);
        } else {
            publish_batch(&site, batch);
        }
    }
    site.subscriber.wait_for(TOPIC, expected().last().unwrap());
    let all = u64::from(BATCH * BATCHES);
    site.daemon
        .wait_for_counters("cloud", |now| now.acknowledged == all);
    check(qos, arrived(&site.subscriber));
}

fn check(qos: u8, arrived: Vec<String>) {
    let arrived = if qos == 2 {
        arrived
    } else {
        without_repetitions(arrived)
    };
    assert!(arrived == expected(), "{}", difference(&arrived));
}

fn difference(arrived: &[String]) -> String {
    let expected = expected();
    let first = expected
        .iter()
        .zip(arrived)
        .position(|(one, other)| one != other);
    let first = first.unwrap_or(expected.len().min(arrived.len()));
    let around = |list: &[String]| {
        list.iter()
            .skip(first.saturating_sub(2))
            .take(6)
            .cloned()
            .collect::<Vec<_>>()
    };
    format!(
        "{} messages arrived of {}; from {first} on {:?} instead of {:?}",
        arrived.len(),
        expected.len(),
        around(arrived),
        around(&expected)
    )
}

#[test]
fn everything_arrives_in_order_at_qos_1_over_a_link_that_is_cut() {
    survives(1, cut);
}

#[test]
fn everything_arrives_in_order_at_qos_1_over_a_link_that_is_reset() {
    survives(1, reset);
}

#[test]
fn everything_arrives_in_order_at_qos_1_over_a_link_that_swallows_messages() {
    survives(1, swallow);
}

#[test]
fn everything_arrives_exactly_once_at_qos_2_over_a_link_that_is_cut() {
    survives(2, cut);
}

#[test]
fn everything_arrives_exactly_once_at_qos_2_over_a_link_that_is_reset() {
    survives(2, reset);
}

#[test]
fn everything_arrives_exactly_once_at_qos_2_over_a_link_that_swallows_messages() {
    survives(2, swallow);
}

/// Mosquitto throws away what exceeds 20 incoming QoS 2 messages in flight, and answers PUBREC all the same: to 3.1.1 that is success.
#[test]
fn what_comes_while_the_link_is_cut_arrives_exactly_once_at_a_mosquitto_as_it_is_shipped() {
    let (redis, broker) = (Redis::start(), Mosquitto::start());
    let proxy = Proxy::to(broker.port());
    let config = cloud().with("mqtt_qos", 2).at(proxy.port()).signal("p");
    let mut site = Site::between(redis, broker, config);
    site.publish("p", "0,1000,");
    site.subscriber.wait_for(TOPIC, "0,1000,1");
    proxy.refuse();
    site.redis
        .publish_all(&channel("p"), (1..501).map(|n| format!("{n},1000,")));
    site.daemon
        .wait_for_counters("cloud", |now| now.received == 501);
    proxy.accept();
    let counters = site
        .daemon
        .wait_for_counters("cloud", |now| now.acknowledged == 501);
    assert_eq!((counters.queued, counters.dropped), (0, 0));
    // What is acknowledged has arrived, or never will: this comes behind it.
    site.subscriber.publish("mark", "the end");
    site.subscriber.wait_for("mark", "the end");
    let expected: Vec<_> = (0..501).map(|n| format!("{n},1000,1")).collect();
    let arrived = site.subscriber.payloads(TOPIC);
    assert!(arrived == expected, "{} of 501 arrived", arrived.len());
}

fn survives_a_restart_of_the_broker(qos: u8) {
    let redis = Redis::start();
    let broker = Mosquitto::start_with(&[
        "allow_anonymous true",
        "persistence true",
        SUBSCRIBER_MAY_LAG,
    ]);
    let lasting = subscriber::to(broker.port()).lasting().connect();
    let config = cloud().with("mqtt_qos", qos).signal("p");
    let mut site = Site::between(redis, broker, config);
    for batch in 0..BATCHES {
        publish_batch(&site, batch);
        if batch == 5 || batch == 12 {
            site.broker.stop();
        }
        if batch == 8 || batch == 12 {
            site.broker.start_again();
        }
    }
    lasting.wait_for(TOPIC, expected().last().unwrap());
    let all = u64::from(BATCH * BATCHES);
    site.daemon
        .wait_for_counters("cloud", |now| now.acknowledged == all);
    check(qos, arrived(&lasting));
}

#[test]
fn everything_arrives_in_order_at_qos_1_through_restarts_of_the_broker() {
    survives_a_restart_of_the_broker(1);
}

#[test]
fn everything_arrives_exactly_once_at_qos_2_through_restarts_of_the_broker() {
    survives_a_restart_of_the_broker(2);
}

#[test]
fn a_broker_that_was_killed_is_found_again() {
    let mut site = Site::start(cloud().signal("p"));
    site.broker.kill();
    site.broker.start_again();
    site.broker.wait_for_bridges(1);
    let subscriber = site.broker.subscribe();
    site.publish("p", "1,1000,");
    subscriber.expect(TOPIC, "1,1000,1");
    let counters = site.daemon.counters("cloud");
    assert!(counters.reconnects >= 1, "{counters:?}");
}
