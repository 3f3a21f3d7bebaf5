//! What the bridge costs when nothing happens.

use std::time::Duration;

use mqtt_client_tests::Site;
use mqtt_client_tests::config::cloud;

/// How long it is watched. This is what is measured, not a way to wait for something.
const WATCHED: Duration = Duration::from_secs(4);

#[test]
fn an_idle_bridge_sleeps() {
    let mut site = Site::start(cloud().with("mqtt_qos", 2).signal("p"));
    site.publish("p", "1,1000,");
    site.expect("tag/cloud/p/in", "1,1000,1");
    site.daemon
        .wait_for_counters("cloud", |now| now.acknowledged == 1);
    let before = site.daemon.voluntary_context_switches();
    assert!(!site.daemon.ends_within(WATCHED));
    let woken = site.daemon.voluntary_context_switches() - before;
    // At a keep-alive of 60 s there is nothing to do; one or two are left over from the question before.
    assert!(woken <= 3, "woken {woken} times in {WATCHED:?}");
}
