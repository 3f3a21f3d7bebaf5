//! SIGHUP: the configuration is read again, and what did not change goes on undisturbed.

use mqtt_client_tests::config::{channel, cloud};
use mqtt_client_tests::counters::Counters;
use mqtt_client_tests::fake_broker::{Packet, Publish};
use mqtt_client_tests::process::Signal;
use mqtt_client_tests::servers::{Mosquitto, Redis};
use mqtt_client_tests::{Daemon, FakeBroker, Site};
use rustix::fs::Mode;

#[test]
fn a_signal_can_be_added_and_another_removed_without_disturbing_the_broker() {
    let before = cloud().signal("p").signal("q");
    let mut site = Site::start(before);
    let after = cloud().signal("q").signal("new").with("topic", "plant/new");
    let after = after.with_ports(site.redis.port(), site.broker.port());
    site.daemon.reload(&after);
    site.redis.publish_when_heard(&channel("new"), "1,1000,");
    site.expect("plant/new", "1,1000,1");
    site.redis.wait_for_subscriptions(&after.channels());
    site.redis.publish(&channel("p"), "1,1000,");
    site.publish("q", "1,1000,");
    site.expect("tag/cloud/q/in", "1,1000,1");
    assert_eq!(site.subscriber.payloads("tag/cloud/p/in"), [""; 0]);
    assert_eq!(site.broker.bridges().len(), 1, "the connection was kept");
}

#[test]
fn thousands_of_channels_that_are_removed_are_all_left_without_a_message_on_them() {
    let many = |from| (from..3000).fold(cloud(), |config, n| config.signal(&format!("signal{n}")));
    let mut site = Site::start(many(0));
    let ports = |config: mqtt_client_tests::Config, site: &Site| {
        config.with_ports(site.redis.port(), site.broker.port())
    };
    // The second time, the first removal may not be through yet.
    let fewer = ports(many(2000), &site);
    let few = ports(many(2900).signal("new"), &site);
    site.daemon.reload(&fewer);
    site.redis.wait_for_subscriptions(&fewer.channels());
    let all = ports(many(0), &site);
    site.daemon.reload(&all);
    site.redis.wait_for_subscriptions(&all.channels());
    site.daemon.reload(&fewer);
    site.daemon.reload(&few);
    site.redis.wait_for_subscriptions(&few.channels());
    assert_eq!(site.redis.subscribers().len(), 1);
    assert_eq!(site.broker.bridges().len(), 1, "the connection was kept");
    site.publish("new", "1,1000,");
    site.expect("tag/cloud/new/in", "1,1000,1");
}

#[test]
fn an_invalid_new_configuration_is_reported_and_the_old_one_stays_in_force() {
    let mut site = Site::start(cloud().signal("p"));
    let invalid = cloud().with("mqtt_qos", 3).signal("q");
    let invalid = invalid.with_ports(site.redis.port(), site.broker.port());
    site.daemon.reload(&invalid);
    site.daemon.stderr().wait_for(&["devices[0].mqtt_qos", "3"]);
    site.publish("p", "1,1000,");
    site.expect("tag/cloud/p/in", "1,1000,1");
    let mark = site.daemon.stderr().mark();
    site.daemon.reload_text("{ \"devices\": [");
    site.daemon.stderr().wait_for_after(mark, &["mqtt.json"]);
    site.publish("p", "2,1000,");
    site.expect("tag/cloud/p/in", "2,1000,1");
    assert_eq!(site.broker.bridges().len(), 1, "the connection was kept");
}

#[test]
fn what_is_odd_about_a_new_configuration_is_said_once() {
    let mut site = Site::start(cloud().signal("p"));
    let odd = cloud().with("colour", "blue").signal("p").signal("new");
    let odd = odd.with_ports(site.redis.port(), site.broker.port());
    site.daemon.reload(&odd);
    site.redis.wait_for_subscriptions(&odd.channels());
    // What the daemon writes when it is asked stands behind all that it had to say.
    site.daemon.counters("cloud");
    let said = site.daemon.stderr().with(&["colour"]);
    assert_eq!(said.len(), 1, "{said:?}");
}

#[test]
fn what_could_keep_the_bridge_waiting_is_not_read_again() {
    let mut site = Site::start(cloud().signal("p"));
    // Nobody writes to it, and nobody ever will.
    site.daemon.replace_configuration(|path| {
        rustix::fs::mkfifoat(rustix::fs::CWD, path, Mode::RWXU).expect("a pipe with a name");
    });
    site.daemon.signal(Signal::HUP);
    site.daemon
        .stderr()
        .wait_for(&["mqtt.json", "not a regular file"]);
    site.daemon
        .stderr()
        .wait_for(&["the old configuration stays in force"]);
    site.publish("p", "1,1000,");
    site.expect("tag/cloud/p/in", "1,1000,1");
}

#[test]
fn a_device_whose_settings_changed_connects_again_with_the_new_ones() {
    let mut site = Site::start(cloud().signal("p"));
    let changed = cloud()
        .with("keep_alive", 30)
        .with("mqtt_qos", 1)
        .signal("p");
    let changed = changed.with_ports(site.redis.port(), site.broker.port());
    site.daemon.reload(&changed);
    let bridges = site.broker.wait_for_bridges(2);
    assert!(bridges[1].contains("k30"), "{bridges:?}");
    site.redis.wait_for_subscriptions(&changed.channels());
    site.publish("p", "1,1000,");
    assert_eq!(site.subscriber.expect("tag/cloud/p/in", "1,1000,1").qos, 1);
}

#[test]
fn a_session_goes_on_over_a_new_connection_when_the_settings_of_the_connection_change() {
    let (redis, broker) = (Redis::start(), FakeBroker::start());
    let device = || cloud().with("mqtt_qos", 2);
    let before = device().signal("q").signal("p");
    let before = before.with_ports(redis.port(), broker.port());
    let mut daemon = Daemon::start(&before);
    let (mut link, _) = broker.accept();
    redis.wait_for_subscriptions(&before.channels());
    redis.publish(&channel("p"), "1,1000,");
    redis.publish(&channel("p"), "2,1000,");
    let [first, second] = [(); 2].map(|()| link.publish());
    link.pubrec(first.id.expect("QoS 2 has an identifier"));
    assert!(matches!(link.packet(), Some(Packet::Pubrel(_))));

    // A longer CONNECT than before, and signals with other numbers.
    let user = "a".repeat(5000);
    let after = device().with("keep_alive", 30).with("auth", "password");
    let after = after
        .with("username", user.as_str())
        .with("password", "secret");
    let after = after.signal("p");
    daemon.reload(&after.with_ports(redis.port(), broker.port()));
    assert_eq!(link.packet(), Some(Packet::Disconnect));
    let mut link = broker.link();
    let connect = link.connect();
    link.connack_session_present();
    assert_eq!((connect.keep_alive, connect.clean_session), (30, false));
    assert_eq!(connect.username.as_deref(), Some(user.as_str()));
    link.expect(&Packet::Pubrel(first.id.expect("as before")));
    link.expect(&Packet::Publish(Publish {
        dup: true,
        ..second
    }));
    let counters = daemon.counters("cloud");
    assert_eq!((counters.received, counters.sent), (2, 2));
}

#[test]
fn a_device_can_be_added_and_another_removed() {
    let mut site = Site::start(cloud().signal("p"));
    let second = Mosquitto::start();
    let at_second = second.subscribe();
    let redis_port = site.redis.port();
    let both = cloud()
        .signal("p")
        .device("second")
        .at(second.port())
        .signal("p");
    let both = both.with_ports(redis_port, site.broker.port());
    site.daemon.reload(&both);
    site.redis.publish_when_heard("tag/second/p/in", "1,1000,");
    at_second.expect("tag/second/p/in", "1,1000,1");
    assert_eq!(
        site.broker.bridges().len(),
        1,
        "the first connection was kept"
    );

    let only_second = cloud()
        .with("enable", 0)
        .signal("p")
        .device("second")
        .at(second.port())
        .signal("p");
    let only_second = only_second.with_ports(redis_port, site.broker.port());
    site.daemon.reload(&only_second);
    site.broker.log().wait_for(&["cloud", "disconnected"]);
    site.redis.wait_for_subscriptions(&only_second.channels());
    assert_eq!(second.bridges().len(), 1, "the second connection was kept");
}

#[test]
fn another_redis_can_be_chosen() {
    let mut site = Site::start(cloud().signal("p"));
    let other = Redis::start();
    let config = cloud()
        .signal("p")
        .with_ports(other.port(), site.broker.port());
    site.daemon.reload(&config);
    other.wait_for_subscriptions(&config.channels());
    site.redis.wait_for_subscriptions(&[]);
    other.publish(&channel("p"), "1,1000,");
    site.expect("tag/cloud/p/in", "1,1000,1");
    assert_eq!(
        site.broker.bridges().len(),
        1,
        "the connection to the broker was kept"
    );
}

#[test]
fn a_signal_remembers_its_last_value_across_a_reload() {
    let mut site = Site::start(cloud().signal("p"));
    site.publish("p", "1,1000,");
    site.expect("tag/cloud/p/in", "1,1000,1");
    let more = cloud().signal("new").signal("p");
    let more = more.with_ports(site.redis.port(), site.broker.port());
    site.daemon.reload(&more);
    site.redis.wait_for_subscriptions(&more.channels());
    site.publish("p", "1,2000,");
    site.publish("p", "2,3000,");
    site.expect("tag/cloud/p/in", "2,3000,1");
}

#[test]
fn samples_that_wait_survive_a_change_of_their_devices_settings() {
    for qos in [0, 1, 2] {
        let redis = Redis::start();
        let mut broker = Mosquitto::start();
        let wrong = cloud().with("mqtt_retain", 1).signal("p").signal("q");
        let wrong = wrong.with_ports(redis.port(), broker.port());
        broker.stop();
        let mut daemon = Daemon::start(&wrong);
        redis.wait_for_subscriptions(&wrong.channels());
        redis.publish(&channel("p"), "1,1000,");
        redis.publish(&channel("q"), "2,1000,IV");
        daemon.wait_for_counters("cloud", |now| now.queued == 2);

        let right = cloud().with("mqtt_retain", 1).with("mqtt_qos", qos);
        let right = right.signal("q").signal("p").with("topic", "plant/p");
        let right = right.with_ports(redis.port(), broker.port());
        daemon.reload(&right);
        broker.start_again();
        let subscriber = broker.subscribe();
        // What waits is the sample: it goes out on the topic that its signal has now.
        subscriber.wait_for("plant/p", "1,1000,1");
        subscriber.wait_for("tag/cloud/q/in", "2,1000,0");
    }
}

#[test]
fn samples_that_wait_for_a_device_that_goes_are_counted_as_dropped_and_warned_of() {
    let redis = Redis::start();
    let (first, second) = (FakeBroker::start(), FakeBroker::start());
    let both = |enable: u8| {
        let both = cloud().with("enable", enable).signal("p").signal("q");
        let both = both.device("second").at(second.port()).signal("p");
        both.with_ports(redis.port(), first.port())
    };
    let mut daemon = Daemon::start(&both(1));
    redis.wait_for_subscriptions(&both(1).channels());
    // Nobody lets the first in: its samples wait.
    redis.publish(&channel("p"), "1,1000,");
    redis.publish(&channel("p"), "1,2000,");
    redis.publish(&channel("q"), "nonsense");
    redis.publish(&channel("q"), "2,1000,");
    daemon.wait_for_counters("cloud", |now| now.received == 4);

    let mark = daemon.stderr().mark();
    daemon.reload(&both(0));
    let stderr = daemon.stderr();
    stderr.wait_for_after(mark, &["W cloud", "2 samples", "dropped"]);
    let report = stderr.wait_for_after(mark, &["cloud: received"]);
    assert_eq!(
        report,
        "cloud: received 4 rejected 1 suppressed 1 queued 0 sent 0 acknowledged 0 dropped 2 reconnects 0"
    );
}

#[test]
fn the_counters_of_a_device_go_on_when_its_settings_change() {
    for qos in 0..=2 {
        let (redis, broker) = (Redis::start(), FakeBroker::start());
        let with = |qos: u8| {
            let one = cloud().with("mqtt_qos", qos).with("max_inflight", 2);
            one.signal("p").with_ports(redis.port(), broker.port())
        };
        let mut daemon = Daemon::start(&with(1));
        let (mut link, _) = broker.accept();
        redis.wait_for_subscriptions(&with(1).channels());
        redis.publish(&channel("p"), "nonsense");
        for message in ["1,1000,", "2,1000,", "3,1000,", "3,2000,"] {
            redis.publish(&channel("p"), message);
        }
        let [first, _] = [(); 2].map(|()| link.publish());
        link.puback(first.id.expect("QoS 1 has an identifier"));
        let third = link.publish();
        assert_eq!(third.payload, "3,1000,1");
        let before =
            daemon.wait_for_counters("cloud", |now| (now.received, now.acknowledged) == (5, 1));
        assert_eq!((before.sent, before.queued), (3, 0));

        // Two are not acknowledged. What has to go again is counted as sent when it does.
        daemon.reload(&with(qos).device_key("mqtt_retain", 1));
        let (mut link, _) = broker.accept();
        let again = [(); 2].map(|()| link.publish().payload);
        assert_eq!(again, ["2,1000,1", "3,1000,1"], "to QoS {qos}");
        let after = daemon.wait_for_counters("cloud", |now| now.sent == 3);
        let Counters {
            rejected,
            suppressed,
            acknowledged,
            ..
        } = after;
        assert_eq!((after.received, after.queued, after.dropped), (5, 0, 0));
        assert_eq!((rejected, suppressed, acknowledged), (1, 1, 1));
    }
}
