//! What a broker keeps of a client between its connections, and what it forgets: subscriptions, retained values.

use std::process::Command;

use mqtt_client_tests::config::cloud;
use mqtt_client_tests::process::Signal;
use mqtt_client_tests::servers::{Mosquitto, Redis};
use mqtt_client_tests::{Config, Site, install, wait};

const TOPIC: &str = "tag/cloud/p/in";

/// Leaves a session in which everything is subscribed to, as a person does who tries a client identifier with Mosquitto's own client.
fn subscribe_once(broker: &Mosquitto, client_id: &str) {
    let port = broker.port().to_string();
    let status = Command::new(install::path(install::MOSQUITTO_SUB))
        .args(["-h", "127.0.0.1", "-p", &port, "-i", client_id])
        // `-E`: it ends when the subscription is confirmed.
        .args(["-c", "-q", "1", "-t", "#", "-E"])
        .status()
        .expect("run mosquitto_sub");
    assert!(status.success(), "{status}");
}

/// A bridge at QoS 1 whose client identifier is `gateway`.
fn gateway() -> Config {
    cloud()
        .with("mqtt_qos", 1)
        .with("client_id", "gateway")
        .signal("p")
}

/// A minute's samples arrive, over one connection.
fn delivers(site: &mut Site) {
    let reconnects = site.daemon.counters("cloud").reconnects;
    for n in 0..120 {
        site.publish("p", format!("{n},1000,"));
        site.expect(TOPIC, &format!("{n},1000,1"));
    }
    let counters = site
        .daemon
        .wait_for_counters("cloud", |now| now.acknowledged == 120);
    assert_eq!(
        (counters.reconnects, counters.dropped),
        (reconnects, 0),
        "{counters:?}"
    );
}

#[test]
fn a_session_with_subscriptions_and_messages_that_somebody_left_does_not_keep_the_bridge_from_delivering()
 {
    let broker = Mosquitto::start();
    subscribe_once(&broker, "gateway");
    // It waits in that session, and comes right behind CONNACK.
    let subscriber = broker.subscribe();
    subscriber.publish("plant/other", "waiting");
    subscriber.expect("plant/other", "waiting");
    let mut site = Site::between(Redis::start(), broker, gateway());
    delivers(&mut site);
}

/// The bridge is then sent each of its own messages, at QoS 1, and has to acknowledge them [MQTT-4.5.0-2].
#[test]
fn a_bridge_that_somebody_subscribes_while_it_runs_delivers_all_the_same() {
    let mut site = Site::between(Redis::start(), Mosquitto::start(), gateway());
    // It takes the connection over, and leaves the subscription to the session. The bridge stands still meanwhile, else each would take the
    // connection from the other.
    let mark = site.daemon.stderr().mark();
    site.daemon.signal(Signal::STOP);
    subscribe_once(&site.broker, "gateway");
    site.daemon.signal(Signal::CONT);
    site.daemon
        .stderr()
        .wait_for_after(mark, &["cloud", "online", "session resumed"]);
    delivers(&mut site);
    // Mosquitto sends 20, and then none before those are acknowledged.
    let own = ["Received PUBACK from gateway"];
    wait::until("an acknowledgement of each message", || {
        wait::holds(site.broker.log().with(&own).len() >= 120)
    });
    let said = site
        .daemon
        .stderr()
        .with(&["W cloud", "subscribes to nothing"]);
    assert_eq!(said.len(), 1, "said once: {said:?}");
}

/// Such a broker has forgotten every retained value, and the value that does not change is all that there is to know.
#[test]
fn a_value_that_does_not_change_is_retained_again_after_a_broker_without_persistence_restarts() {
    for qos in [0, 1, 2] {
        let config = cloud()
            .with("mqtt_qos", qos)
            .with("mqtt_retain", 1)
            .signal("p");
        let mut site = Site::start(config);
        site.publish("p", "7,1000,");
        site.expect(TOPIC, "7,1000,1");
        site.daemon
            .wait_for_counters("cloud", |now| qos == 0 || now.acknowledged == 1);
        let mark = site.daemon.stderr().mark();
        site.broker.stop();
        site.broker.start_again();
        site.daemon
            .stderr()
            .wait_for_after(mark, &["cloud", "online"]);
        site.publish("p", "7,2000,");
        // A new one, which sees only what is retained or comes from now on.
        let late = site.broker.subscribe();
        late.expect(TOPIC, "7,2000,1");
        site.publish("p", "7,3000,");
        site.daemon
            .wait_for_counters("cloud", |now| now.suppressed == 1);
    }
}
