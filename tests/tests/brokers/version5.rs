//! MQTT 5 at real brokers: loads, restarts, refusals, tight limits.

use mqtt_client_tests::bench::subjects;
use mqtt_client_tests::bench::workload::{self, SIGNALS};
use mqtt_client_tests::config::{channel, cloud};
use mqtt_client_tests::servers::{Broker, KINDS_5, Kind5, Redis, Rules, tight};
use mqtt_client_tests::subscriber::Delivery;
use mqtt_client_tests::{Config, Daemon, wait};

use crate::{Site, TOPIC, last, messages};

/// Where nobody may publish, in the tests that forbid a topic.
const FORBIDDEN: &str = "plant/forbidden";

/// Those of the brokers that can be told to refuse a topic, and to set limits: rumqttd has no such rules.
const WITH_RULES: [Kind5; 2] = [Kind5::Mosquitto, Kind5::Rmqtt];

fn version_5(qos: u8) -> Config {
    cloud()
        .with("mqtt_version", "5")
        .with("mqtt_qos", qos)
        .with("max_inflight", 20)
        .with("client_id", "gateway-5")
}

/// A load through a cut link (QoS 0: what is on its way is lost with the link), and through a broker that is killed while samples come.
fn carries_the_load(kind: Kind5) {
    for qos in [0, 1, 2] {
        let config = version_5(qos).signal("p");
        let mut site = Site::start(Broker::of_version_5(kind, Rules::Shipped), config);
        let context = format!("{kind:?}, QoS {qos}");
        // rumqttd closes at each PUBREL of a session from before the cut: `exactly_once` has that.
        let is_cut = qos == 1 || qos == 2 && kind != Kind5::Rumqttd;
        site.carry_through_a_cut_link(qos, is_cut, &context);
        // rmqtt forgets which messages of QoS 2 it has, with the connection, and hands on a copy.
        let repeated = site.subscriber.payloads(TOPIC).len() - 600;
        let may_repeat = qos == 1 || qos == 2 && kind == Kind5::Rmqtt;
        assert!(may_repeat || repeated == 0, "{context}: {repeated}");
        let counters = site.carry_through_a_kill(qos, &context);
        assert_eq!(counters.refused, 0, "{context}");
        let connected = site.daemon.stdout().wait_for(&["> CONNECT", "cloud"]);
        assert!(connected.contains('{'), "with properties: {connected}");
    }
}

#[test]
fn mosquitto_carries_the_load_of_mqtt_5_through_a_cut_link_and_a_kill() {
    carries_the_load(Kind5::Mosquitto);
}

#[test]
fn rmqtt_carries_the_load_of_mqtt_5_through_a_cut_link_and_a_kill() {
    carries_the_load(Kind5::Rmqtt);
}

#[test]
fn rumqttd_carries_the_load_of_mqtt_5_through_a_cut_link_and_a_kill() {
    carries_the_load(Kind5::Rumqttd);
}

/// SIGTERM makes Mosquitto save its sessions.
#[test]
fn a_session_goes_on_over_a_restart_of_a_mosquitto_that_keeps_it() {
    let config = version_5(2).signal("p");
    let broker = Broker::of_version_5(Kind5::Mosquitto, Rules::Persistent);
    let mut site = Site::start(broker, config);
    site.publish(0..100);
    site.subscriber.wait_for(TOPIC, &last(0..100));
    site.daemon
        .wait_for_counters("cloud", |now| now.acknowledged == 100);
    // Mosquitto 2.0.11 does not save a session whose last CONNECT had Clean Start 1: this one is resumed once.
    let mark = site.daemon.stdout().mark();
    site.link.cut();
    site.daemon
        .stdout()
        .wait_for_after(mark, &["< CONNACK", "cloud", "session_present=1"]);
    let mark = site.daemon.stdout().mark();
    site.broker.stop();
    site.publish(100..200);
    site.broker.start_again();
    let connack = site
        .daemon
        .stdout()
        .wait_for_after(mark, &["< CONNACK", "cloud"]);
    assert!(connack.contains("session_present=1"), "{connack}");
    let counters = site
        .daemon
        .wait_for_counters("cloud", |now| now.acknowledged == 200);
    assert_eq!((counters.dropped, counters.refused), (0, 0));
}

/// A broker of 3.1.1 acknowledges such a message and throws it away, or closes: that it is refused is only told with MQTT 5.
#[test]
fn a_forbidden_topic_is_counted_as_refused_and_named_once_while_all_others_flow() {
    for kind in WITH_RULES {
        for qos in [1, 2] {
            let config = version_5(qos)
                .signal("bad")
                .with("topic", FORBIDDEN)
                .signal("p");
            let broker = Broker::of_version_5(kind, Rules::NotTo(FORBIDDEN));
            let mut site = Site::start(broker, config);
            let bad = (0..50).map(|n| format!("{n},1000,"));
            site.redis.publish_all(&channel("bad"), bad);
            site.publish(0..300);
            site.subscriber.wait_for(TOPIC, &last(0..300));
            assert_eq!(site.values(), messages(0..300), "{kind:?}, QoS {qos}");
            let counters = site
                .daemon
                .wait_for_counters("cloud", |now| now.refused == 50 && now.acknowledged == 300);
            assert_eq!(
                (counters.dropped, counters.queued, counters.reconnects),
                (0, 0, 0),
                "{kind:?}, QoS {qos}: {counters:?}"
            );
            let named = site.daemon.stderr().with(&["W ", "cloud", FORBIDDEN]);
            assert_eq!(named.len(), 1, "{kind:?}, QoS {qos}: {named:?}");
            assert!(named[0].contains("Not authorized (0x87)"), "{named:?}");
            assert!(site.subscriber.payloads(FORBIDDEN).is_empty());
            let sent = site.daemon.stdout().with(&["> PUBLISH", FORBIDDEN]);
            assert_eq!(sent.len(), 50, "{kind:?}, QoS {qos}: none goes twice");
        }
    }
}

#[test]
fn limits_that_are_told_are_kept_and_what_they_change_is_said_once() {
    for kind in WITH_RULES {
        // A topic with which no sample fits into the broker's longest packet.
        let long = format!("plant/{}", "x".repeat(tight::LONGEST_PACKET));
        let config = version_5(2)
            .with("mqtt_retain", 1)
            .with("keep_alive", 90)
            .with("topic_alias", 1)
            .signal("long")
            .with("topic", &long[..])
            .signal("p")
            .signal("q")
            .signal("r");
        let mut site = Site::start(Broker::of_version_5(kind, Rules::Tight), config);
        let long_ones = (0..10).map(|n| format!("{n},1000,"));
        site.redis.publish_all(&channel("long"), long_ones);
        for signal in ["q", "r"] {
            let some = (0..50).map(|n| format!("{n},1000,"));
            site.redis.publish_all(&channel(signal), some);
        }
        site.publish(0..300);
        site.subscriber.wait_for(TOPIC, &last(0..300));
        assert_eq!(site.values(), messages(0..300), "{kind:?}");
        let counters = site
            .daemon
            .wait_for_counters("cloud", |now| now.acknowledged == 400 && now.refused == 10);
        assert_eq!(
            (counters.dropped, counters.reconnects),
            (0, 0),
            "{kind:?}: {counters:?}"
        );
        // None of them at QoS 2, none retained, none of a topic that is too long.
        let sent = site.daemon.stdout().with(&["> PUBLISH", "cloud"]);
        assert_eq!(sent.len(), 400, "{kind:?}");
        for line in &sent {
            let words: Vec<_> = line.split_whitespace().collect();
            assert!(words.contains(&"q1"), "{kind:?}: {line}");
            assert!(!words.contains(&"retain"), "{kind:?}: {line}");
        }
        // Aliases 1 and 2, and no others.
        let aliases: std::collections::BTreeSet<_> = sent
            .iter()
            .filter_map(|line| line.split("topic-alias=").nth(1))
            .map(|rest| rest.trim_end_matches(|c: char| !c.is_ascii_digit()))
            .map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next())
            .collect();
        assert_eq!(
            aliases,
            [Some("1"), Some("2")].into(),
            "{kind:?}, of {}",
            tight::ALIASES
        );
        assert_eq!(most_in_flight(&site.daemon), tight::AT_A_TIME, "{kind:?}");
        for words in [
            ["no message above QoS 1", "mqtt_qos=2"],
            ["retains no messages", "mqtt_retain=1"],
            ["Packet too large (0x95)", &long],
            ["keep-alive", &format!("{} s", tight::KEEP_ALIVE)],
        ] {
            let said = site.daemon.stderr().with(&["cloud", words[0], words[1]]);
            assert_eq!(said.len(), 1, "{kind:?}, {words:?}: {said:?}");
        }
        // What the next connection is told anew is not said anew.
        site.link.cut();
        site.publish(300..301);
        site.subscriber.wait_for(TOPIC, &last(300..301));
        for words in ["no message above QoS 1", "retains no messages"] {
            let said = site.daemon.stderr().with(&[words]);
            assert_eq!(said.len(), 1, "{kind:?}: {said:?}");
        }
    }
}

/// The most messages of QoS 1 that were sent and unacknowledged at a time, by what `-m` shows.
fn most_in_flight(daemon: &Daemon) -> usize {
    let (mut now, mut most) = (0_usize, 0);
    for line in daemon.stdout().all() {
        if line.contains("> PUBLISH") {
            now += 1;
            most = most.max(now);
        } else if line.contains("< PUBACK") {
            now = now.saturating_sub(1);
        }
    }
    most
}

#[test]
fn a_message_that_has_expired_is_no_longer_there_for_a_later_subscriber() {
    for kind in [Kind5::Mosquitto, Kind5::Rmqtt] {
        let config = version_5(1)
            .with("mqtt_retain", 1)
            .with("message_expiry", 2)
            .signal("p");
        let mut site = Site::start(Broker::of_version_5(kind, Rules::Shipped), config);
        site.publish(0..1);
        site.daemon
            .wait_for_counters("cloud", |now| now.acknowledged == 1);
        let sent = site.daemon.stdout().wait_for(&["> PUBLISH", "cloud"]);
        assert!(sent.contains("message-expiry="), "{kind:?}: {sent}");
        wait::until("a subscriber that is told of nothing", || {
            let later = site.broker.subscribe();
            // Behind what is retained.
            later.publish("mark", "the end");
            later.wait_for("mark", "the end");
            wait::holds(later.payloads(TOPIC).is_empty())
        });
    }
}

/// Neither says why it throws the older one out: both close without a word, as with 3.1.1.
#[test]
fn a_client_of_the_same_name_is_named_as_the_reason_at_each_broker() {
    for kind in WITH_RULES {
        let config = version_5(1).signal("p");
        let site = Site::start(Broker::of_version_5(kind, Rules::Shipped), config);
        site.daemon.stdout().wait_for(&["< CONNACK", "cloud"]);
        let other = Daemon::start_with(&site.config, &[]);
        let said = wait::until("the reason", || {
            let both = [site.daemon.stderr(), other.stderr()];
            let mut said = both
                .iter()
                .flat_map(|log| log.with(&["cloud", "another client"]));
            said.next()
        });
        assert!(said.contains("client_id"), "{kind:?}: {said}");
    }
}

#[test]
fn a_publisher_without_a_subscriber_is_told_so_and_that_is_a_success() {
    for kind in KINDS_5 {
        for qos in [1, 2] {
            let config = version_5(qos).signal("p");
            let mut site = Site::start(Broker::of_version_5(kind, Rules::Shipped), config);
            // The subscriber to everything is gone.
            site.subscriber = site.broker.subscribe_to("somewhere/else");
            site.publish(0..50);
            let counters = site
                .daemon
                .wait_for_counters("cloud", |now| now.acknowledged == 50);
            assert_eq!((counters.refused, counters.dropped), (0, 0), "{kind:?}");
        }
    }
}

/// Samples of a few signals through each program to a broker of one kind: what arrives of them.
fn what_arrives(kind: Kind5, name: &str, qos: u8) -> Vec<Delivery> {
    let (subject, build) = subjects::all()
        .into_iter()
        .find(|(subject, _)| subject.name == name)
        .expect("a bridge of this name");
    let program = build().unwrap_or_else(|error| panic!("{name}: {error}"));
    let broker = Broker::of_version_5(kind, Rules::Shipped);
    let subscriber = broker.subscribe();
    let redis = Redis::start();
    let _running = program.start(redis.port(), broker.port(), qos, subject.window);
    let channels: Vec<String> = (0..SIGNALS).map(workload::channel).collect();
    redis.wait_for_subscriptions(&channels);
    for round in 0..20 {
        let other = if round % 2 == 0 { "nan" } else { "+7." };
        let samples = [
            format!("{round}.5,1000,"),
            format!("-{round}.25e-3,1708000203824,IV"),
            format!("{round},0,OK"),
            format!("{other},5,NT|OV"),
        ];
        for (channel, sample) in channels.iter().zip(samples) {
            assert_eq!(redis.publish(channel, &sample), 1);
        }
    }
    let count = 80;
    wait::until(format_args!("all of {name}"), || {
        wait::holds(subscriber.count() >= count)
    });
    subscriber.publish("mark", "the end");
    subscriber.wait_for("mark", "the end");
    let mut all = subscriber.deliveries();
    all.pop();
    all
}

/// `minimq` is the second opinion on MQTT 5: another author's publisher.
#[test]
fn the_same_samples_through_minimq_and_through_this_bridge_are_the_same_messages() {
    for kind in KINDS_5 {
        for qos in [0, 1, 2] {
            let ours = what_arrives(kind, subjects::DAEMON_5, qos);
            let theirs = what_arrives(kind, subjects::MINIMQ, qos);
            assert_eq!(ours, theirs, "{kind:?}, QoS {qos}");
            assert_eq!(ours.len(), 80, "{kind:?}, QoS {qos}");
        }
    }
}
