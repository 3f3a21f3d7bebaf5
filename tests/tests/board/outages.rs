//! What if a server goes away, and comes back?

use std::collections::HashSet;
use std::ops::Range;

use mqtt_client_tests::board::{self, Board};
use mqtt_client_tests::config::{channel, cloud};
use mqtt_client_tests::servers::{Mosquitto, Redis};
use mqtt_client_tests::subscriber;

use crate::finish;

#[test]
fn at_quality_of_service_2_every_message_arrives_exactly_once_over_restarts_of_broker_and_redis() {
    let (mut redis, mut broker) = (Redis::start(), Mosquitto::persistent());
    // A session that outlives the restarts, so that nothing is missed by the one who counts.
    let subscriber = subscriber::to(broker.port()).lasting().connect();
    let config = cloud().with("mqtt_qos", 2).signal("p");
    let config = config.with_ports(redis.port(), broker.port());
    let mut board = Board::start(&config);
    redis.wait_for_subscriptions(&config.channels());
    let publish = |redis: &Redis, values: Range<u64>| {
        redis.publish_all(&channel("p"), values.map(|n| format!("{n},1000,")));
    };
    for restart in 0..2 {
        // The first are on their way while the broker goes, the others wait for it.
        let first = restart * 30;
        publish(&redis, first..first + 15);
        broker.stop();
        publish(&redis, first + 15..first + 30);
        board.wait_for_counters("cloud", |now| now.received == first + 30);
        broker.start_again();
        board.wait_for_counters("cloud", |now| now.acknowledged == first + 30);
        redis.stop();
        redis.start_again();
        redis.wait_for_subscriptions(&config.channels());
    }
    publish(&redis, 60..75);
    subscriber.wait_for("tag/cloud/p/in", "74,1000,1");
    let mut deliveries = subscriber.deliveries();
    // What the broker itself repeats to its subscriber says nothing about the bridge.
    let mut seen = HashSet::new();
    deliveries.retain(|one| seen.insert(one.payload.clone()) || !one.again);
    let payloads: Vec<_> = deliveries.into_iter().map(|one| one.payload).collect();
    let expected: Vec<_> = (0..75).map(|n| format!("{n},1000,1")).collect();
    assert_eq!(payloads, expected);
    let counters = board.wait_for_counters("cloud", |now| now.acknowledged == 75);
    assert_eq!((counters.received, counters.dropped), (75, 0));
    finish(&mut board);
}

#[test]
fn a_redis_that_is_killed_and_comes_back_is_subscribed_to_again() {
    let mut site = board::site(cloud().with("mqtt_qos", 2).signal("p").signal("q"));
    for (value, end) in [(1, Redis::stop as fn(&mut Redis)), (2, Redis::kill)] {
        let mark = site.daemon.log().mark();
        end(&mut site.redis);
        site.daemon
            .log()
            .wait_for_after(mark, &["redis", "next try"]);
        site.redis.start_again();
        site.redis
            .wait_for_subscriptions(&[channel("p"), channel("q")]);
        site.publish("p", format!("{value},1000,"));
        site.expect("tag/cloud/p/in", &format!("{value},1000,1"));
    }
    assert_eq!(site.broker.bridges().len(), 1, "the broker noticed nothing");
    finish(&mut site.daemon);
}

#[test]
fn a_full_buffer_gives_up_the_oldest_and_counts_them() {
    let (redis, mut broker) = (Redis::start(), Mosquitto::start());
    let config = cloud()
        .with("mqtt_qos", 1)
        .with("mqtt_retain", 1)
        .with("buffer_size", 1024);
    // A signal for each message, so that all of them are retained.
    let config = (0..30).fold(config, |config, n| config.signal(&format!("s{n}")));
    let config = config.with_ports(redis.port(), broker.port());
    broker.stop();
    let mut board = Board::start(&config);
    redis.wait_for_subscriptions(&config.channels());
    // Each takes 60 bytes.
    let sample = format!("1.{},1000", "0".repeat(100));
    for n in 0..30 {
        redis.publish(&channel(&format!("s{n}")), format!("{sample},"));
    }
    let counters = board.wait_for_counters("cloud", |now| now.received == 30);
    assert!(counters.dropped > 0, "{counters:?}");
    assert_eq!(counters.queued + counters.dropped, 30);
    board.log().wait_for(&["cloud", "buffer is full"]);
    broker.start_again();
    let subscriber = broker.subscribe();
    for n in counters.dropped..30 {
        subscriber.expect(&channel(&format!("s{n}")), &format!("{sample},1"));
    }
    assert_eq!(subscriber.deliveries().len() as u64, 30 - counters.dropped);
    finish(&mut board);
}
