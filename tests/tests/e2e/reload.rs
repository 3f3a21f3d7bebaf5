//! SIGHUP: the configuration is read again, and what did not change goes on undisturbed.

use mqtt_client_tests::Site;
use mqtt_client_tests::config::{channel, cloud};
use mqtt_client_tests::servers::{Mosquitto, Redis};

#[test]
fn a_signal_can_be_added_and_another_removed_without_disturbing_the_broker() {
    let before = cloud().signal("p").signal("q");
    let mut site = Site::start(before);
    let after = cloud().signal("q").signal("new").with("topic", "plant/new");
    let after = after.with_ports(site.redis.port(), site.broker.port());
    site.daemon.reload(&after);
    site.redis.publish_when_heard(&channel("new"), "1,1000,");
    site.expect("plant/new", "1,1000,1");
    // A channel that is no longer wanted may be left only when something comes on it.
    site.redis.publish(&channel("p"), "1,1000,");
    site.redis.wait_for_subscriptions(&after.channels());
    site.publish("q", "1,1000,");
    site.expect("tag/cloud/q/in", "1,1000,1");
    assert_eq!(site.subscriber.payloads("tag/cloud/p/in"), [""; 0]);
    assert_eq!(site.broker.bridges().len(), 1, "the connection was kept");
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
    site.redis.publish(&channel("p"), "1,1000,");
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
