//! The connection to a broker: who the bridge says it is, how it notices a dead link, and how it comes back.
//!
//! That nothing comes too late to the millisecond is shown on a virtual clock, in `core/tests`. Here a busy machine may delay
//! everything: what counts is that it comes, and not too early.

use std::time::{Duration, Instant};

use mqtt_client_tests::config::cloud;
use mqtt_client_tests::fake_broker::Packet;
use mqtt_client_tests::servers::{Mosquitto, Redis};
use mqtt_client_tests::{Config, Daemon, FakeBroker, Proxy, Site, wait};

fn connect_of(config: Config) -> mqtt_client_tests::fake_broker::Connect {
    let broker = FakeBroker::start();
    let _daemon = Daemon::start(&config.with_ports(1, broker.port()));
    broker.link().connect()
}

#[test]
fn a_client_id_that_is_not_configured_is_the_alias_with_eight_stable_hex_digits() {
    let first = connect_of(cloud().signal("p")).client_id;
    let digits = first.strip_prefix("cloud-").expect("the alias first");
    assert_eq!(digits.len(), 8, "{first}");
    assert!(
        digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{first}"
    );
    assert_eq!(connect_of(cloud().signal("p")).client_id, first);
    assert_eq!(
        connect_of(cloud().with("client_id", "").signal("p")).client_id,
        first
    );
}

#[test]
fn a_configured_client_id_and_keep_alive_are_used_as_they_are() {
    let connect = connect_of(
        cloud()
            .with("client_id", "WCC Lite 7")
            .with("keep_alive", 65535)
            .signal("p"),
    );
    assert_eq!(
        (connect.client_id.as_str(), connect.keep_alive),
        ("WCC Lite 7", 65535)
    );
}

#[test]
fn the_keep_alive_is_60_seconds_unless_configured() {
    assert_eq!(connect_of(cloud().signal("p")).keep_alive, 60);
}

#[test]
fn an_idle_connection_is_kept_alive_with_pings() {
    let broker = FakeBroker::start();
    let config = cloud()
        .with("keep_alive", 5)
        .signal("p")
        .with_ports(1, broker.port());
    let _daemon = Daemon::start(&config);
    let (mut link, _) = broker.accept();
    for _ in 0..2 {
        assert_eq!(link.packet(), Some(Packet::Pingreq));
        link.pingresp();
    }
}

/// A bridge with a short keep-alive, connected through a proxy, with one message acknowledged.
fn through_a_proxy() -> (Site, Proxy) {
    let (redis, broker) = (Redis::start(), Mosquitto::start());
    let proxy = Proxy::to(broker.port());
    let config = cloud()
        .with("keep_alive", 5)
        .with("mqtt_qos", 1)
        .at(proxy.port())
        .signal("p");
    let mut site = Site::between(redis, broker, config);
    site.publish("p", "0,1000,");
    site.daemon
        .wait_for_counters("cloud", |now| now.acknowledged == 1);
    (site, proxy)
}

#[test]
fn a_half_open_link_is_replaced() {
    let (site, proxy) = through_a_proxy();
    proxy.stall();
    proxy.wait_for_connections(2);
    site.publish("p", "1,1000,");
    site.subscriber.wait_for("tag/cloud/p/in", "1,1000,1");
}

#[test]
fn a_link_that_stalls_under_load_is_replaced() {
    let (site, proxy) = through_a_proxy();
    proxy.stall();
    // Traffic of our own must not pass for a sign of life of the broker.
    let mut next = 1;
    wait::until("a new connection", || {
        site.publish("p", format!("{next},1000,"));
        next += 1;
        wait::holds(proxy.accepted() >= 2)
    });
    for n in 0..next {
        site.expect("tag/cloud/p/in", &format!("{n},1000,1"));
    }
}

#[test]
fn a_lost_connection_is_opened_again_at_once_and_then_with_growing_delays() {
    let broker = FakeBroker::start();
    let _daemon = Daemon::start(&cloud().signal("p").with_ports(1, broker.port()));
    let mut gaps = Vec::new();
    let mut lost = None;
    for _ in 0..4 {
        let (link, _) = broker.accept();
        gaps.extend(lost.map(|lost: Instant| lost.elapsed().as_secs_f64()));
        lost = Some(Instant::now());
        drop(link);
    }
    // From 1 s on a random part of up to seven eighths is taken off.
    for (gap, delay) in gaps.iter().zip([0.0, 0.125, 0.25]) {
        assert!(
            *gap >= delay,
            "at once, after 0.125 to 1 s, after 0.25 to 2 s; not {gaps:?}"
        );
    }
}

#[test]
fn a_bridge_that_is_thrown_out_again_and_again_says_that_its_client_id_is_taken() {
    let broker = FakeBroker::start();
    let daemon = Daemon::start_with(&cloud().signal("p").with_ports(1, broker.port()), &[]);
    wait::until("the explanation", || {
        if let Some(mut link) = broker.link_within(Duration::from_millis(100)) {
            link.connect();
            link.connack(0);
        }
        daemon
            .stderr()
            .with(&["cloud", "another client uses this client_id"])
            .pop()
    });
}
