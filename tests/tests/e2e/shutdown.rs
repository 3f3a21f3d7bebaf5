//! The end: what is queued goes out, handshakes are finished, and it does not take for ever.

use std::time::{Duration, Instant};

use mqtt_client_tests::config::{channel, cloud};
use mqtt_client_tests::counters::NAMES;
use mqtt_client_tests::fake_broker::Packet;
use mqtt_client_tests::process::Signal;
use mqtt_client_tests::servers::Redis;
use mqtt_client_tests::{Daemon, FakeBroker, Site, wait};

#[test]
fn the_bridge_disconnects_and_exits_with_0_when_it_is_asked_to_end() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut site = Site::start(cloud().signal("p"));
        site.publish("p", "1,1000,");
        site.expect("tag/cloud/p/in", "1,1000,1");
        site.daemon.signal(signal);
        let finished = site.daemon.wait();
        assert_eq!(finished.code, 0);
        // The counters are the last word.
        let words = [&NAMES[..], &["cloud"]].concat();
        assert_eq!(
            finished.errors_with(&words).len(),
            1,
            "{:?}",
            finished.stderr
        );
        site.broker
            .log()
            .wait_for(&["Received DISCONNECT", "cloud"]);
        site.redis.wait_for_subscriptions(&[]);
    }
}

/// A bridge with one message in flight and three more queued, and the broker's end of its connection.
fn with_a_queue(qos: u8) -> (Daemon, mqtt_client_tests::fake_broker::Link, Redis) {
    let (redis, broker) = (Redis::start(), FakeBroker::start());
    let config = cloud()
        .with("mqtt_qos", qos)
        .with("max_inflight", 1)
        .signal("p");
    let config = config.with_ports(redis.port(), broker.port());
    let mut daemon = Daemon::start(&config);
    redis.wait_for_subscriptions(&config.channels());
    let (link, _) = broker.accept();
    redis.publish_all(&channel("p"), (0..4).map(|n| format!("{n},1000,")));
    daemon.wait_for_counters("cloud", |now| now.received == 4);
    (daemon, link, redis)
}

#[test]
fn what_is_queued_is_sent_and_acknowledged_before_the_end() {
    for qos in [1, 2] {
        let (mut daemon, mut link, redis) = with_a_queue(qos);
        daemon.signal(Signal::TERM);
        redis.wait_for_subscriptions(&[]);
        for n in 0..4 {
            let publish = link.publish();
            assert_eq!(publish.payload, format!("{n},1000,1"));
            let id = publish.id.unwrap();
            assert!(daemon.is_running());
            if qos == 1 {
                link.puback(id);
            } else {
                link.pubrec(id);
                link.expect(&Packet::Pubrel(id));
                link.pubcomp(id);
            }
        }
        link.expect(&Packet::Disconnect);
        assert_eq!(link.packet(), None);
        assert_eq!(daemon.wait().code, 0);
    }
}

#[test]
fn a_broker_that_acknowledges_nothing_delays_the_end_by_5_seconds() {
    let (mut daemon, mut link, _redis) = with_a_queue(1);
    link.publish();
    let start = Instant::now();
    let finished = daemon.stop();
    let time = start.elapsed();
    assert_eq!(finished.code, 0);
    assert!(time >= Duration::from_secs(5), "{time:?}");
    link.expect(&Packet::Disconnect);
}

#[test]
fn two_signals_at_once_are_one_request_to_end() {
    let (mut daemon, mut link, redis) = with_a_queue(1);
    // Both wait for it when it goes on.
    for signal in [Signal::STOP, Signal::TERM, Signal::INT, Signal::CONT] {
        daemon.signal(signal);
    }
    redis.wait_for_subscriptions(&[]);
    for n in 0..4 {
        let publish = link.publish();
        assert_eq!(publish.payload, format!("{n},1000,1"));
        link.puback(publish.id.unwrap());
    }
    link.expect(&Packet::Disconnect);
    assert_eq!(daemon.wait().code, 0);
}

#[test]
fn whoever_asks_again_after_a_second_need_not_wait() {
    let (mut daemon, mut link, _redis) = with_a_queue(1);
    link.publish();
    wait::until("the end", || {
        daemon.signal(Signal::TERM);
        wait::holds(daemon.ends_within(Duration::from_millis(500)))
    });
    assert_eq!(daemon.wait().code, 128 + 15);
}

#[test]
fn with_neither_redis_nor_broker_it_ends_as_well() {
    let config = cloud().signal("p").with_ports(1, 1);
    let mut daemon = Daemon::start(&config);
    daemon.stderr().wait_for(&["cloud", "refused"]);
    assert_eq!(daemon.stop().code, 0);
}
