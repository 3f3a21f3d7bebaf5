//! What the bridge does without TLS it does with it: each part of its behaviour once.

use mqtt_client_tests::config::{channel, cloud};
use mqtt_client_tests::servers::Redis;
use mqtt_client_tests::{Daemon, Proxy, Site, wait};

use crate::Secure;

#[test]
fn messages_arrive_at_every_quality_of_service() {
    for qos in [0, 1, 2] {
        let (site, _authority) = Secure::new().site(cloud().with("mqtt_qos", qos).signal("p"));
        site.publish("p", "12.5,1708000203824,IV");
        let delivery = site
            .subscriber
            .expect("tag/cloud/p/in", "12.5,1708000203824,0");
        assert_eq!(delivery.qos, qos);
        let bridges = site.broker.bridges();
        assert!(
            bridges[0].contains("u'gateway'"),
            "its certificate's name: {bridges:?}"
        );
    }
}

#[test]
fn a_user_name_and_password_go_inside() {
    let secure = Secure::with(&["use_identity_as_username false"]);
    let config = cloud()
        .with("username", "me")
        .with("password", "opensesame")
        .signal("p");
    let (site, _authority) = secure.site(config);
    let bridges = site.broker.bridges();
    assert!(bridges[0].contains("u'me'"), "{bridges:?}");
}

#[test]
fn a_killed_bridge_leaves_its_last_will_and_a_stopped_one_does_not() {
    let will = || {
        cloud()
            .with("use_last_will", 1)
            .with("last_will_topic", "gateway/state")
            .with("last_will_message", "lost")
            .signal("p")
    };
    let (mut site, _authority) = Secure::new().site(will());
    site.daemon.kill();
    site.expect("gateway/state", "lost");
    let (mut site, _authority) = Secure::new().site(will());
    assert_eq!(site.daemon.stop().code, 0);
    site.broker
        .log()
        .wait_for(&["Received DISCONNECT from cloud"]);
    site.subscriber.publish("gateway/state", "a mark");
    site.expect("gateway/state", "a mark");
}

#[test]
fn nothing_is_lost_or_doubled_when_the_link_is_cut_under_load() {
    const BATCH: u32 = 200;
    let secure = Secure::new();
    let proxy = Proxy::to(secure.port.number());
    let config = cloud()
        .with("mqtt_qos", 2)
        .with("keep_alive", 5)
        .signal("p");
    let config = secure.config(config).at(proxy.port());
    let site = Site::between(Redis::start(), secure.broker, config);
    let faults: [fn(&Proxy); 3] = [Proxy::cut, Proxy::reset, Proxy::stall];
    for (number, fault) in (0..).zip(faults) {
        let values = number * BATCH..(number + 1) * BATCH;
        let messages = values.map(|n| format!("{n},1000,"));
        site.redis.publish_all(&channel("p"), messages);
        let half = (number * BATCH + BATCH / 2) as usize;
        wait::until("half of the batch", || {
            wait::holds(site.subscriber.deliveries().len() >= half)
        });
        fault(&proxy);
        let last = format!("{},1000,1", (number + 1) * BATCH - 1);
        site.subscriber.wait_for("tag/cloud/p/in", &last);
    }
    let expected: Vec<_> = (0..3 * BATCH).map(|n| format!("{n},1000,1")).collect();
    assert_eq!(site.subscriber.payloads("tag/cloud/p/in"), expected);
}

#[test]
fn what_waits_too_long_for_the_broker_is_dropped_and_counted() {
    let mut secure = Secure::new();
    secure.broker.stop();
    let redis = Redis::start();
    let config = cloud()
        .with("mqtt_qos", 1)
        .with("mqtt_retain", 1)
        .with("buffer_size", 1024)
        .signal("p");
    let config = secure.config(config).with_ports(redis.port(), 0);
    let mut daemon = Daemon::start(&config);
    redis.wait_for_subscriptions(&config.channels());
    redis.publish_all(&channel("p"), (0..500).map(|n| format!("{n},1000,")));
    let counters = daemon.wait_for_counters("cloud", |now| now.received == 500);
    assert!(
        counters.dropped > 300 && counters.queued > 0,
        "{counters:?}"
    );
    secure.broker.start_again();
    daemon.wait_for_counters("cloud", |now| now.acknowledged == counters.queued);
    let subscriber = secure.broker.subscribe();
    subscriber.expect("tag/cloud/p/in", "499,1000,1");
}

#[test]
fn a_large_backlog_gets_through() {
    let mut secure = Secure::new();
    secure.broker.stop();
    let redis = Redis::start();
    let config = cloud()
        .with("mqtt_qos", 1)
        .with("enable_threshold", 0)
        .signal("p");
    let config = secure.config(config).with_ports(redis.port(), 0);
    let mut daemon = Daemon::start(&config);
    redis.wait_for_subscriptions(&config.channels());
    redis.publish_all(&channel("p"), (0..10_000).map(|n| format!("{n},1000,")));
    daemon.wait_for_counters("cloud", |now| now.queued == 10_000);
    secure.broker.start_again();
    let counters = daemon.wait_for_counters("cloud", |now| now.acknowledged == 10_000);
    assert_eq!((counters.dropped, counters.queued), (0, 0));
    assert_eq!(daemon.stop().code, 0);
}

#[test]
fn a_broker_that_is_silent_in_the_handshake_does_not_delay_another() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let secure = Secure::new();
    let config = secure
        .config(cloud().with("mqtt_qos", 1).signal("p"))
        .device("silent");
    let port = silent.local_addr().expect("an address").port();
    let config = secure
        .authority
        .secure(config, &secure.gateway)
        .at(port)
        .signal("p");
    let site = Site::between(Redis::start(), secure.broker, config);
    let (_stream, _) = silent
        .accept()
        .expect("the bridge tries the silent one too");
    for n in 0..50 {
        site.publish("p", format!("{n},1000,"));
        site.expect("tag/cloud/p/in", &format!("{n},1000,1"));
    }
}
