//! What becomes of QoS 2 at brokers that know it in their own way, or not at all.

use std::collections::HashSet;

use mqtt_client_tests::config::cloud;
use mqtt_client_tests::proxy::{Fault, Treatment, Way};
use mqtt_client_tests::servers::{Broker, Kind};
use mqtt_client_tests::{Config, Daemon, wait};

use crate::{Site, TOPIC, last, messages};

/// The default of `max_inflight` at QoS 2.
const WINDOW: u32 = 20;

fn exactly_once() -> Config {
    // Short, so that what is not answered is noticed soon.
    cloud()
        .with("mqtt_qos", 2)
        .with("max_inflight", WINDOW)
        .with("keep_alive", 5)
        .signal("p")
}

/// The packet identifiers of a daemon's publications, in their order, from what `-m` shows: `MQTT > PUBLISH cloud q2 id=7 ...`.
fn identifiers(daemon: &Daemon) -> Vec<String> {
    let lines = daemon.stdout().with(&["> PUBLISH"]);
    let ids = lines.iter().map(|line| {
        let mut words = line.split_whitespace();
        words.find(|word| word.starts_with("id="))
    });
    ids.map(|id| id.expect("an identifier").to_owned())
        .collect()
}

/// aedes says that it has no session, and still takes a message whose identifier it has seen for a copy.
#[test]
fn aedes_takes_all_that_comes_after_a_crash_of_the_bridge_with_messages_under_way() {
    let mut site = Site::start(Broker::start(Kind::Aedes), exactly_once());
    site.publish(0..1);
    site.subscriber.wait_for(TOPIC, &last(0..1));
    site.daemon
        .wait_for_counters("cloud", |now| now.acknowledged == 1);
    // Nothing that aedes answers arrives: the whole window is under way.
    site.link
        .strike(Fault::Treat(&[Way::ToClient], Treatment::Swallow));
    site.publish(1..1 + WINDOW);
    wait::until("a window of messages at the broker", || {
        wait::holds(site.values().len() == 1 + WINDOW as usize)
    });
    let before: HashSet<_> = identifiers(&site.daemon).into_iter().collect();
    // One in a thousand new lives begins where the old one was: that proves nothing, and another life is tried.
    for first in [1000, 2000, 3000] {
        site.daemon.kill();
        site.daemon = Daemon::start_with(&site.config, &["-d", "2", "-m"]);
        site.redis.wait_for_subscriptions(&site.config.channels());
        let values = first..first + 2 * WINDOW;
        site.publish(values.clone());
        let done = u64::from(2 * WINDOW);
        site.daemon
            .wait_for_counters("cloud", |now| now.acknowledged == done);
        if identifiers(&site.daemon)
            .iter()
            .any(|id| before.contains(id))
        {
            continue;
        }
        // What is acknowledged has arrived: a message behind it shows that no more are to come.
        site.subscriber.publish("mark", "the end");
        site.subscriber.wait_for("mark", "the end");
        let arrived = site.values();
        let expected = messages(values);
        assert!(
            arrived.ends_with(&expected),
            "of {} only {} arrived",
            expected.len(),
            arrived.len() - 1 - WINDOW as usize
        );
        return;
    }
    panic!("each life used the packet identifiers of the one before");
}

/// Publishes one message whose PUBREL never reaches the broker.
fn stop_before_pubrel(site: &mut Site) {
    site.publish(0..1);
    site.subscriber.wait_for(TOPIC, &last(0..1));
    site.daemon
        .wait_for_counters("cloud", |now| now.acknowledged == 1);
    // The second is as long as the first, in bytes: "1" for "0".
    let length = 2 + 2 + TOPIC.len() + 2 + last(1..2).len();
    site.link.arm(
        Way::ToServer,
        length,
        Fault::Treat(&[Way::ToServer], Treatment::Swallow),
    );
    let mark = site.daemon.stdout().mark();
    site.publish(1..2);
    site.daemon
        .stdout()
        .wait_for_after(mark, &["> PUBREL", "cloud"]);
}

/// After a restart amqtt knows no session, and answers no PUBREL of a message that it does not know.
#[test]
fn amqtt_restarted_between_pubrec_and_pubrel_does_not_stop_the_device() {
    let mut site = Site::start(Broker::start(Kind::Amqtt), exactly_once());
    stop_before_pubrel(&mut site);
    site.restart_broker();
    site.publish(2..100);
    site.subscriber.wait_for(TOPIC, &last(2..100));
    assert!(site.values().ends_with(&messages(2..100)));
    let counters = site
        .daemon
        .wait_for_counters("cloud", |now| now.acknowledged == 100);
    assert_eq!((counters.queued, counters.dropped), (0, 0));
}

/// rumqttd has the session, and closes the connection at each PUBREL of a message from before the link was cut.
#[test]
fn rumqttd_after_a_cut_link_between_pubrec_and_pubrel_gets_a_session_anew_and_that_is_said() {
    let mut site = Site::start(Broker::start(Kind::Rumqttd), exactly_once());
    stop_before_pubrel(&mut site);
    site.link.cut();
    site.publish(2..100);
    site.subscriber.wait_for(TOPIC, &last(2..100));
    // It had not handed on the message that PUBREL was to release.
    assert_eq!(site.values(), messages(0..100));
    site.daemon
        .wait_for_counters("cloud", |now| now.acknowledged == 100);
    let said = site.daemon.stderr().with(&["cloud", TOPIC, "session"]);
    assert_eq!(said.len(), 1, "{said:?}");
    let blamed = site.daemon.stderr().with(&["another client"]);
    assert!(blamed.is_empty(), "{blamed:?}");
}

/// RabbitMQ has no QoS 2. It answers with PUBACK, which gives at least once.
#[test]
fn rabbitmq_ends_a_qos_2_message_with_puback_and_that_is_said_once() {
    let mut site = Site::start(Broker::start(Kind::RabbitMq), exactly_once());
    site.publish(0..100);
    site.subscriber.wait_for(TOPIC, &last(0..100));
    site.daemon
        .wait_for_counters("cloud", |now| now.acknowledged == 100);
    assert_eq!(site.subscriber.payloads(TOPIC), messages(0..100));
    let said = site.daemon.stderr().with(&["cloud", "PUBACK"]);
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(site.daemon.counters("cloud").reconnects, 0);
}

/// amqtt forgets a session now and then, with all that waits for PUBREL; aedes keeps the identifiers and denies the session.
#[test]
fn nothing_is_lost_when_the_link_is_cut_again_and_again_between_pubrec_and_pubrel() {
    for kind in [Kind::Aedes, Kind::Amqtt] {
        let mut site = Site::start(Broker::start(kind), exactly_once());
        let mut count = 0;
        // Four cuts: the delays before the next attempts are 0, 1, 2 and 4 seconds.
        for under_way in [30, 47, 64, 81] {
            site.publish(count..count + 300);
            let some = count as usize + under_way;
            wait::until("part of the load", || {
                wait::holds(site.values().len() > some)
            });
            site.link.cut();
            count += 300;
            let done = u64::from(count);
            site.daemon
                .wait_for_counters("cloud", |now| now.acknowledged == done);
        }
        // What is acknowledged has arrived: this comes behind it.
        site.subscriber.publish("mark", "the end");
        site.subscriber.wait_for("mark", "the end");
        let mut values = site.values();
        if kind == Kind::Amqtt {
            // It may acknowledge later messages and not earlier ones, which come again behind them.
            values.sort_by_key(|value| {
                let number = value.split(',').next();
                number.and_then(|number| number.parse::<u32>().ok())
            });
        }
        assert_eq!(values, messages(0..count), "{kind:?}");
    }
}

/// aedes takes a message for a copy whose identifier an earlier connection has left between PUBREC and PUBREL.
#[test]
fn aedes_takes_a_message_when_the_identifiers_come_round_after_a_cut_link() {
    let mut site = Site::start(Broker::start(Kind::Aedes), exactly_once());
    stop_before_pubrel(&mut site);
    site.link.cut();
    let mut count = 2;
    while count < 66_000 {
        site.publish(count..count + 1000);
        count += 1000;
        let done = u64::from(count);
        site.daemon
            .wait_for_counters("cloud", |now| now.acknowledged == done);
    }
    site.subscriber.publish("mark", "the end");
    site.subscriber.wait_for("mark", "the end");
    let arrived = site.values();
    assert!(
        arrived == messages(0..count),
        "{} of {count}",
        arrived.len()
    );
}

/// Whoever connects to amqtt is sent its retained messages, subscribed or not.
#[test]
fn amqtt_sends_its_retained_messages_to_a_bridge_that_has_subscribed_to_nothing() {
    for qos in [0, 1, 2] {
        let config = cloud()
            .with("mqtt_qos", qos)
            .with("max_inflight", WINDOW)
            .with("mqtt_retain", 1)
            .with("use_last_will", 1)
            .with("last_will_topic", "plant/state")
            .with("last_will_message", "lost")
            .with("last_will_retain", 1)
            .signal("p");
        let mut site = Site::start(Broker::start(Kind::Amqtt), config);
        site.publish(0..1);
        site.subscriber.wait_for(TOPIC, &last(0..1));
        // All is acknowledged: amqtt would not answer a PUBREL that comes again.
        site.daemon
            .wait_for_counters("cloud", |now| qos == 0 || now.acknowledged == 1);
        // Cut, it leaves its last will, retained as well.
        let mark = site.daemon.stdout().mark();
        site.link.cut();
        site.subscriber.wait_for("plant/state", "lost");
        site.daemon
            .stdout()
            .wait_for_after(mark, &["< PUBLISH", "cloud"]);
        site.publish(1..100);
        site.subscriber.wait_for(TOPIC, &last(1..100));
        assert_eq!(site.values(), messages(0..100), "QoS {qos}");
        let counters = site.daemon.counters("cloud");
        assert_eq!(counters.reconnects, 1, "QoS {qos}: {counters:?}");
    }
}
