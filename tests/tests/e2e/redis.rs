//! The Redis side: logging in, choosing a database, a Unix socket, and a Redis that goes away.

use std::time::Duration;

use mqtt_client_tests::config::{channel, cloud};
use mqtt_client_tests::servers::{Mosquitto, Redis};
use mqtt_client_tests::{Daemon, Proxy, Site, wait};

#[test]
fn a_redis_that_restarts_is_subscribed_to_again() {
    let mut site = Site::start(cloud().signal("p").signal("q"));
    let channels = [channel("p"), channel("q")];
    for (value, end) in [(1, Redis::stop as fn(&mut Redis)), (2, Redis::kill)] {
        end(&mut site.redis);
        site.redis.start_again();
        site.redis.wait_for_subscriptions(&channels);
        site.publish("p", format!("{value},1000,"));
        site.expect("tag/cloud/p/in", &format!("{value},1000,1"));
    }
    assert_eq!(site.broker.bridges().len(), 1, "the broker noticed nothing");
}

#[test]
fn a_link_to_redis_that_is_cut_or_reset_is_replaced() {
    let (redis, broker) = (Redis::start(), Mosquitto::start());
    let proxy = Proxy::to(redis.port());
    let config = cloud().redis("port", proxy.port()).signal("p");
    let site = Site::between(redis, broker, config);
    for (value, fault) in [(1, Proxy::cut as fn(&Proxy)), (2, Proxy::reset)] {
        fault(&proxy);
        proxy.wait_for_connections(value + 1);
        let message = format!("{value},1000,");
        site.redis.publish_when_heard(&channel("p"), &message);
        site.subscriber
            .wait_for("tag/cloud/p/in", &format!("{value},1000,1"));
    }
}

#[test]
fn a_redis_that_is_not_there_at_the_start_is_waited_for() {
    let (mut redis, broker) = (Redis::start(), Mosquitto::start());
    redis.stop();
    let subscriber = broker.subscribe();
    let config = cloud().signal("p").with_ports(redis.port(), broker.port());
    let daemon = Daemon::start(&config);
    broker.wait_for_bridges(1);
    daemon.stderr().wait_for(&["redis", "refused"]);
    redis.start_again();
    redis.wait_for_subscriptions(&config.channels());
    redis.publish(&channel("p"), "1,1000,");
    subscriber.expect("tag/cloud/p/in", "1,1000,1");
}

#[test]
fn the_password_of_the_default_user_or_a_user_of_its_own_lets_the_bridge_in() {
    for (line, user) in [
        ("requirepass secret", None),
        ("user bridge on >secret ~* &* +@all", Some("bridge")),
    ] {
        let redis = Redis::start_with(&[line]);
        let mut config = cloud().redis("password", "secret").signal("p");
        if let Some(user) = user {
            config = config.redis("username", user);
        }
        let site = Site::between(redis, Mosquitto::start(), config);
        site.publish("p", "1,1000,");
        site.expect("tag/cloud/p/in", "1,1000,1");
        let [client] = &site.redis.subscribers()[..] else {
            panic!("one subscriber");
        };
        let wanted = format!("user={}", user.unwrap_or("default"));
        assert!(client.contains(&wanted), "{client}");
    }
}

#[test]
fn a_wrong_or_missing_password_is_reported_in_the_words_of_the_server() {
    for (password, words) in [(Some("wrong"), "WRONGPASS"), (None, "NOAUTH")] {
        let redis = Redis::start_with(&["requirepass secret"]);
        let mut config = cloud().signal("p").with_ports(redis.port(), 1);
        if let Some(password) = password {
            config = config.redis("password", password);
        }
        let mut daemon = Daemon::start_with(&config, &[]);
        daemon.stderr().wait_for(&["redis", words]);
        assert!(daemon.is_running());
    }
}

#[test]
fn a_user_who_may_not_subscribe_is_reported_in_the_words_of_the_server_until_he_may() {
    let cases = [
        ("&other/* +@all", "channel"),
        ("allchannels -@all +auth +ping", "subscribe"),
    ];
    let refused = cases.map(|(rights, words)| {
        let redis = Redis::start_with(&[&format!("user bridge on >secret ~* {rights}")]);
        let config = cloud()
            .redis("username", "bridge")
            .redis("password", "secret");
        let config = config.signal("p").with_ports(redis.port(), 1);
        let daemon = Daemon::start_with(&config, &[]);
        let line = daemon.stderr().wait_for(&["redis", "NOPERM", words]);
        // 32 s, of which a random part of up to a quarter is taken off.
        let seconds = line.split("next try in ").nth(1);
        let seconds = seconds.and_then(|rest| rest.trim_end_matches(" s").parse().ok());
        let is_right = seconds.is_some_and(|seconds: u32| (24..=32).contains(&seconds));
        assert!(is_right, "{line}");
        redis.permit("bridge", &["allchannels", "+@all"]);
        (redis, config, daemon)
    });
    for (redis, config, _daemon) in &refused {
        wait::within(Duration::from_secs(32) + wait::LIMIT, || {
            wait::holds(redis.subscribed_channels() == config.channels())
        })
        .expect("a subscription at the next try");
    }
}

#[test]
fn the_configured_database_is_selected() {
    let site = Site::start(cloud().redis("database", 3).signal("p"));
    let [client] = &site.redis.subscribers()[..] else {
        panic!("one subscriber");
    };
    assert!(client.contains(" db=3 "), "{client}");
}

#[test]
fn a_unix_socket_serves_instead_of_host_and_port() {
    let redis = Redis::start();
    let socket = redis.socket().display().to_string();
    let mut site = Site::between(
        redis,
        Mosquitto::start(),
        cloud().redis("socket", &*socket).signal("p"),
    );
    let connected = site.daemon.stderr().wait_for(&["redis: connected to"]);
    assert_eq!(connected, format!("I redis: connected to {socket}"));
    let [client] = &site.redis.subscribers()[..] else {
        panic!("one subscriber");
    };
    assert!(client.contains("redis.sock"), "{client}");
    site.redis.stop();
    site.redis.start_again();
    site.redis.wait_for_subscriptions(&[channel("p")]);
    site.publish("p", "1,1000,");
    site.expect("tag/cloud/p/in", "1,1000,1");
}

#[test]
fn a_broker_that_hangs_never_stops_the_reading_of_redis() {
    // Redis cuts off a subscriber that lets more than this wait.
    let redis = Redis::start_with(&["client-output-buffer-limit pubsub 256kb 256kb 1"]);
    let broker = Mosquitto::start();
    let proxy = Proxy::to(broker.port());
    let config = cloud()
        .with("buffer_size", 16384)
        .at(proxy.port())
        .signal("p");
    let mut site = Site::between(redis, broker, config);
    let before = site.redis.subscribers();
    proxy.stall();
    for batch in 0..20 {
        let values = batch * 1000..(batch + 1) * 1000;
        site.redis
            .publish_all(&channel("p"), values.map(|n| format!("{n},1708000203824,")));
        let all = (batch + 1) * 1000;
        site.daemon
            .wait_for_counters("cloud", |now| now.received == all);
    }
    let id = |clients: &[String]| clients[0].split(' ').next().map(String::from);
    assert_eq!(
        id(&site.redis.subscribers()),
        id(&before),
        "the same connection"
    );
}
