//! What if the cable is pulled, and what does a board cost that has nothing to do?

use std::time::Duration;

use mqtt_client_tests::board;
use mqtt_client_tests::config::{channel, cloud};

use crate::finish;

#[test]
fn a_cable_that_is_pulled_for_a_moment_costs_no_message_and_no_connection() {
    let mut site = board::site(cloud().with("mqtt_qos", 2).signal("p"));
    site.publish("p", "1,1000,");
    site.expect("tag/cloud/p/in", "1,1000,1");
    site.daemon.set_cable(false);
    site.daemon.log().wait_for(&["cable is unplugged"]);
    site.publish("p", "2,2000,");
    site.daemon.set_cable(true);
    site.expect("tag/cloud/p/in", "2,2000,1");
    assert_eq!(site.daemon.counters("cloud").reconnects, 0);
    finish(&mut site.daemon);
}

#[test]
fn a_cable_that_is_out_until_the_broker_has_given_up_costs_no_message() {
    let config = cloud().with("mqtt_qos", 2).with("keep_alive", 5);
    let mut site = board::site(config.signal("p"));
    site.publish("p", "1,1000,");
    site.expect("tag/cloud/p/in", "1,1000,1");
    site.daemon.set_cable(false);
    site.publish("p", "2,2000,");
    site.broker.log().wait_for(&["exceeded timeout"]);
    site.daemon.set_cable(true);
    site.broker.wait_for_bridges(2);
    site.expect("tag/cloud/p/in", "2,2000,1");
    site.publish("p", "3,3000,");
    site.expect("tag/cloud/p/in", "3,3000,1");
    assert_eq!(site.subscriber.deliveries().len(), 3);
    finish(&mut site.daemon);
}

#[test]
fn an_address_that_dhcp_has_taken_away_is_replaced_and_every_connection_made_again() {
    let mut site = board::site(cloud().with("mqtt_qos", 2).signal("p"));
    site.publish("p", "1,1000,");
    site.expect("tag/cloud/p/in", "1,1000,1");
    let log = site.daemon.log().clone();
    log.wait_for(&["network: address 10.0.2.15"]);
    site.daemon.set_cable(false);
    log.wait_for(&["cable is unplugged"]);
    site.daemon.change_network();
    let mark = log.mark();
    site.daemon.set_cable(true);
    log.wait_for_after(mark, &["network: address 10.0.2.99"]);
    log.wait_for_after(mark, &["redis: subscribed"]);
    site.broker.wait_for_bridges(2);
    // Redis still has the old connection too, whose end nobody could tell it.
    site.redis.publish(&channel("p"), "2,2000,");
    site.expect("tag/cloud/p/in", "2,2000,1");
    finish(&mut site.daemon);
}

/// How long a board is watched. This is what is measured, not a way to wait for something.
const WATCHED: Duration = Duration::from_secs(2);

#[test]
fn an_idle_board_sleeps() {
    let mut site = board::site(cloud().with("mqtt_qos", 2).signal("p"));
    site.publish("p", "1,1000,");
    site.expect("tag/cloud/p/in", "1,1000,1");
    site.daemon
        .wait_for_counters("cloud", |now| now.acknowledged == 1);
    let before = site.daemon.processor_time();
    assert!(!site.daemon.ends_within(WATCHED));
    let used = site.daemon.processor_time() - before;
    // One that never sleeps would use all of it.
    assert!(used < WATCHED / 4, "{used:?} in {WATCHED:?}");
    finish(&mut site.daemon);
}
