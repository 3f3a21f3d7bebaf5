//! What is said at the end?

use super::common::broker::Greeting;
use super::common::network::Door;
use super::common::rig::{Rig, with_bridge};
use super::one_device;

const WILL: &str = r#", "use_last_will": 1, "last_will_topic": "gone""#;

fn device(qos: u8) -> String {
    one_device(&format!(r#", "mqtt_qos": {qos}{WILL}"#))
}

/// Runs on until the bridge has stopped; how long that took.
fn stopped_after(rig: &mut Rig<'_, '_>) -> u64 {
    let begun = rig.now();
    while !rig.bridge.has_stopped() {
        let wake_up = rig.settle();
        if rig.bridge.has_stopped() {
            break;
        }
        assert!(
            wake_up <= begun + 5000,
            "still not stopped, and waits until {wake_up}"
        );
        rig.run_until(wake_up);
    }
    rig.settle();
    rig.now() - begun
}

#[test]
fn with_nothing_left_to_do_it_says_disconnect_at_once() {
    for qos in 0..3 {
        with_bridge(&device(qos), |rig| {
            rig.settle();
            rig.publish("tag/cloud/p/in", "1,2");
            rig.stop();
            assert_eq!(stopped_after(rig), 0);
            let broker = &rig.brokers[0].server;
            assert_eq!(
                broker.heard.last().map(String::as_str),
                Some("DISCONNECT"),
                "QoS {qos}"
            );
            assert_eq!(broker.wills_sent, 0);
            assert!(!rig.redis.line.is_open(), "Redis is not read any more");
        });
    }
}

#[test]
fn what_is_queued_is_sent_and_acknowledged_first() {
    for qos in 0..3 {
        with_bridge(&device(qos), |rig| {
            rig.brokers[0].line.set_door(Door::Refused);
            rig.run_until(1500);
            for value in 0..10 {
                rig.publish("tag/cloud/p/in", &format!("{value},1"));
            }
            rig.stop();
            rig.brokers[0].line.set_door(Door::Open);
            assert_eq!(stopped_after(rig), 1500, "the next attempt is at 3 s");
            assert_eq!(rig.delivered(0).len(), 10, "QoS {qos}");
            assert_eq!(
                rig.brokers[0].server.heard.last().map(String::as_str),
                Some("DISCONNECT")
            );
            assert_eq!(rig.brokers[0].server.wills_sent, 0);
        });
    }
}

#[test]
fn it_waits_five_seconds_for_acknowledgements_and_then_leaves() {
    for qos in 1..3 {
        with_bridge(&device(qos), |rig| {
            rig.settle();
            rig.brokers[0].server.acknowledges = false;
            rig.publish("tag/cloud/p/in", "1,2");
            rig.stop();
            assert_eq!(stopped_after(rig), 5000, "QoS {qos}");
            assert_eq!(
                rig.brokers[0].server.heard.last().map(String::as_str),
                Some("DISCONNECT")
            );
            assert_eq!(rig.brokers[0].server.wills_sent, 0);
        });
    }
}

#[test]
fn an_acknowledgement_that_came_at_the_last_moment_still_counts() {
    with_bridge(&device(1), |rig| {
        rig.settle();
        rig.brokers[0].server.acknowledges = false;
        rig.publish("tag/cloud/p/in", "1,2");
        rig.stop();
        rig.run_until(4999);
        rig.brokers[0].line.server_write(1, b"\x40\x02\x00\x01");
        rig.oversleep(1);
        rig.poll();
        assert!(rig.bridge.has_stopped());
        assert_eq!(rig.counters(0).acknowledged, 1);
        rig.settle();
        assert_eq!(
            rig.brokers[0].server.heard,
            ["CONNECT 4", "PUBLISH 1 1,2,1", "DISCONNECT"]
        );
    });
}

#[test]
fn a_broker_that_is_away_holds_it_up_for_five_seconds_and_only_if_something_is_queued() {
    for (payload, takes) in [(Some("1,2"), 5000), (None, 0)] {
        with_bridge(&device(1), |rig| {
            rig.brokers[0].line.set_door(Door::Refused);
            rig.settle();
            if let Some(payload) = payload {
                rig.publish("tag/cloud/p/in", payload);
            }
            rig.stop();
            assert_eq!(stopped_after(rig), takes, "{payload:?}");
        });
    }
}

#[test]
fn a_stalled_broker_does_not_hold_it_up_for_longer() {
    for window in 0..40 {
        with_bridge(&device(1), |rig| {
            rig.settle();
            rig.brokers[0].line.set_window(0);
            rig.publish("tag/cloud/p/in", "1,2");
            rig.brokers[0].line.set_window(window);
            rig.stop();
            assert!(stopped_after(rig) <= 5000, "window {window}");
        });
    }
}

#[test]
fn a_second_stop_changes_nothing() {
    with_bridge(&device(1), |rig| {
        rig.settle();
        rig.brokers[0].server.acknowledges = false;
        rig.publish("tag/cloud/p/in", "1,2");
        rig.stop();
        rig.run_until(4000);
        rig.stop();
        assert_eq!(stopped_after(rig), 1000);
    });
}

#[test]
fn at_the_last_moment_no_connection_is_begun() {
    with_bridge(&device(1), |rig| {
        rig.brokers[0].line.set_door(Door::Refused);
        rig.run_until(2000);
        rig.publish("tag/cloud/p/in", "1,2");
        // The five seconds end when the next attempt is due, at 7 s.
        rig.stop();
        rig.run_until(6999);
        assert_eq!(rig.brokers[0].line.attempts(), [0, 0, 1000, 3000]);
        rig.brokers[0].line.set_door(Door::Open);
        assert_eq!(stopped_after(rig), 1);
        assert_eq!(rig.brokers[0].line.attempts(), [0, 0, 1000, 3000]);
        assert_eq!(rig.brokers[0].server.wills_sent, 0);
    });
}

#[test]
fn a_connection_that_is_not_let_in_yet_ends_without_a_last_will() {
    with_bridge(&device(1), |rig| {
        rig.brokers[0].server.greeting = Greeting::Silence;
        rig.settle();
        rig.publish("tag/cloud/p/in", "1,2");
        rig.stop();
        assert_eq!(stopped_after(rig), 5000);
        assert_eq!(rig.brokers[0].server.heard, ["CONNECT 4", "DISCONNECT"]);
    });
}

#[test]
fn a_connection_that_breaks_makes_the_broker_send_the_last_will() {
    // So that the tests above would notice.
    with_bridge(&device(1), |rig| {
        rig.settle();
        rig.brokers[0].line.cut();
        rig.settle();
        assert_eq!(rig.brokers[0].server.wills_sent, 1);
    });
}
