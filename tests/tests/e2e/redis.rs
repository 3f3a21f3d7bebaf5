//! The Redis side: logging in, choosing a database, a Unix socket, and a Redis that goes away.

use std::time::Duration;

use mqtt_client_tests::config::{channel, cloud};
use mqtt_client_tests::servers::{Mosquitto, Redis};
use mqtt_client_tests::{Config, Daemon, Proxy, Site, wait};
use tempfile::TempDir;

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
        let line = daemon.stderr().wait_for(&[
            "redis:",
            "no channel may be subscribed to",
            "NOPERM",
            words,
        ]);
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

/// A table for the user `bridge`.
fn of_a_user() -> Config {
    cloud()
        .redis("username", "bridge")
        .redis("password", "secret")
}

/// A line of `redis.conf` for that user, with these rights alone.
fn user(rights: &str) -> String {
    format!("user bridge on >secret resetchannels -@all {rights}")
}

/// A bridge whose Redis serves some channels only.
fn served_in_part(redis: Redis, config: Config, served: &[&str]) -> Site {
    let broker = Mosquitto::start();
    let config = config.with_ports(redis.port(), broker.port());
    let subscriber = broker.subscribe();
    let daemon = Daemon::start_with(&config, &["-d", "2"]);
    let served: Vec<String> = served.iter().map(|signal| channel(signal)).collect();
    redis.wait_for_subscriptions(&served);
    broker.wait_for_bridges(1);
    Site {
        daemon,
        subscriber,
        broker,
        redis,
    }
}

#[test]
fn a_redis_that_answers_ping_with_an_error_is_listened_to_as_before() {
    let folder = TempDir::new().expect("a temporary folder");
    let dir = format!("dir {}", folder.path().display());
    let cannot_save = Redis::start_with(&[&dir, "save 3600 1"]);
    drop(folder);
    let no_master = Redis::start_with(&["replica-serve-stale-data no"]);
    let no_right = Redis::start_with(&[&user("&tag/* +subscribe +unsubscribe")]);
    let cases = [
        ("MISCONF", cannot_save, cloud()),
        ("MASTERDOWN", no_master, cloud()),
        ("NOPERM", no_right, of_a_user()),
    ];
    let sites = cases.map(|(error, redis, config)| {
        (
            error,
            Site::between(redis, Mosquitto::start(), config.signal("p")),
        )
    });
    let [(_, cannot_save), (_, no_master), _] = &sites;
    cannot_save.redis.fail_to_save();
    no_master.redis.lose_master();
    for round in 1..=2 {
        for (error, site) in &sites {
            wait::until(format_args!("{error} in answer to PING"), || {
                wait::holds(site.redis.rejected_pings() >= round)
            });
            site.daemon
                .stderr()
                .wait_for(&["redis: PING is answered", error]);
            site.publish("p", format!("{round},1000,"));
            site.expect("tag/cloud/p/in", &format!("{round},1000,1"));
        }
    }
    for (error, site) in sites {
        let lines = site.daemon.stderr().with(&["redis:"]);
        let told = |words| lines.iter().filter(|line| line.contains(words)).count();
        assert_eq!((told("connected to"), told(error)), (1, 1), "{lines:#?}");
    }
}

#[test]
fn channels_that_redis_refuses_are_named_and_the_others_served() {
    let rights = user("&tag/cloud/p/in &tag/cloud/s12/in +subscribe +ping");
    let signals = (0..13).map(|number| format!("s{number}"));
    let config = signals.fold(of_a_user(), |config, signal| config.signal(&signal));
    let config = config.signal("p");
    let mut site = served_in_part(Redis::start_with(&[&rights]), config.clone(), &["p", "s12"]);
    let served = ["p", "s12"];
    site.daemon
        .stderr()
        .wait_for(&["redis: subscribed to 2 channels"]);
    for signal in served {
        site.publish(signal, "1,1000,");
        site.expect(&channel(signal), "1,1000,1");
    }
    // Again, and nothing new is to be told.
    site.redis.drop_subscribers();
    site.redis.wait_for_subscriptions(&served.map(channel));
    for signal in served {
        site.publish(signal, "2,1000,");
        site.expect(&channel(signal), "2,1000,1");
    }
    let told = site.daemon.stderr().with(&["no subscription to"]);
    assert_eq!(told.len(), 11, "{told:#?}");
    for (number, line) in told[..10].iter().enumerate() {
        let start =
            format!("W redis: no subscription to tag/cloud/s{number}/in: the server says: NOPERM ");
        assert!(line.starts_with(&start), "{line}");
    }
    assert_eq!(told[10], "W redis: no subscription to 2 more channels");

    // A reload: one of them goes, without the right to leave it, and another may be heard now.
    let config = of_a_user().signal("s12").signal("s3").signal("s4");
    let config = config.with_ports(site.redis.port(), site.broker.port());
    site.redis.permit("bridge", &["&tag/cloud/s3/in"]);
    let mark = site.daemon.stderr().mark();
    site.daemon.reload(&config);
    site.redis.publish_when_heard(&channel("s3"), "3,1000,");
    site.expect("tag/cloud/s3/in", "3,1000,1");
    site.daemon
        .stderr()
        .wait_for_after(mark, &["W redis: UNSUBSCRIBE is answered", "NOPERM"]);
    site.daemon
        .stderr()
        .wait_for_after(mark, &["W redis: no subscription to tag/cloud/s4/in: "]);
    site.redis.publish(&channel("p"), "3,1000,");
    site.publish("s12", "3,1000,");
    site.expect("tag/cloud/s12/in", "3,1000,1");
    assert_eq!(site.redis.subscribers().len(), 1);

    // All of them, from the next connection on.
    site.redis.permit("bridge", &["&tag/*"]);
    site.redis.drop_subscribers();
    site.redis.wait_for_subscriptions(&config.channels());
}

#[test]
fn a_thousand_channels_of_which_every_third_is_refused_are_served_but_for_those() {
    let rights = user("&tag/cloud/yes* +subscribe +unsubscribe +ping");
    let names: Vec<String> = (0..1000)
        .map(|number| format!("{}{number}", ["yes", "no", "yes"][number % 3]))
        .collect();
    let config = names
        .iter()
        .fold(of_a_user(), |config, name| config.signal(name));
    let served: Vec<&str> = names
        .iter()
        .filter(|name| name.starts_with("yes"))
        .map(String::as_str)
        .collect();
    let site = served_in_part(Redis::start_with(&[&rights]), config, &served);
    site.daemon
        .stderr()
        .wait_for(&["W redis: no subscription to 323 more channels"]);
    site.publish("yes999", "1,1000,");
    site.expect("tag/cloud/yes999/in", "1,1000,1");
}

#[test]
fn the_readmes_acl_line_permits_what_the_bridge_says_and_is_needed_in_full() {
    let readme = include_str!("../../../README.md");
    let line = readme
        .lines()
        .find_map(|line| line.strip_prefix("ACL SETUSER bridge on >redis-secret "))
        .expect("an ACL line");
    let redis = Redis::start_with(&[&format!("user bridge on >secret {line}")]);
    let site = Site::between(redis, Mosquitto::start(), of_a_user().signal("p"));
    site.publish("p", "1,1000,");
    site.expect("tag/cloud/p/in", "1,1000,1");
    let commands: [&[&str]; 3] = [
        &["SUBSCRIBE", "tag/cloud/p/in"],
        &["UNSUBSCRIBE", "tag/cloud/p/in"],
        &["PING"],
    ];
    for command in commands {
        assert_eq!(site.redis.dry_run("bridge", command), "OK", "{command:?}");
        let right = format!("-{}", command[0].to_lowercase());
        site.redis.permit("bridge", &[&right]);
        assert_ne!(site.redis.dry_run("bridge", command), "OK", "{command:?}");
    }
    for command in [&["GET", "x"][..], &["PUBLISH", "tag/cloud/p/in", "1"]] {
        assert_ne!(site.redis.dry_run("bridge", command), "OK", "{command:?}");
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
