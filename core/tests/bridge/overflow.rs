//! What is lost when a buffer is full, and does it add up? (That it adds up after every step is the rig's own rule.)

use super::common::network::Door;
use super::common::rig::with_bridge;
use super::one_device;

/// As small as a buffer may be: some 110 samples.
const SMALL: &str = r#", "buffer_size": 1024"#;

#[test]
fn a_full_buffer_keeps_the_newest_and_sends_them_in_their_order() {
    for qos in 0..3 {
        with_bridge(
            &one_device(&format!(r#", "mqtt_qos": {qos}{SMALL}"#)),
            |rig| {
                rig.brokers[0].line.set_door(Door::Refused);
                rig.settle();
                for value in 0..600 {
                    rig.publish("tag/cloud/p/in", &format!("{value},1"));
                }
                let kept = rig.counters(0).queued;
                assert!((95..=125).contains(&kept), "{kept} kept");
                assert_eq!(rig.counters(0).dropped, 600 - kept);
                rig.brokers[0].line.set_door(Door::Open);
                rig.run_until(60_000);
                let newest: Vec<_> = (600 - kept..600)
                    .map(|value| format!("{value},1,1"))
                    .collect();
                assert_eq!(rig.delivered(0), newest, "QoS {qos}");
                assert_eq!((rig.counters(0).queued, rig.counters(0).sent), (0, kept));
            },
        );
    }
}

#[test]
fn what_is_in_flight_is_never_dropped() {
    for qos in 1..3 {
        let keys = format!(r#", "mqtt_qos": {qos}, "max_inflight": 5{SMALL}"#);
        with_bridge(&one_device(&keys), |rig| {
            rig.settle();
            rig.brokers[0].server.acknowledges = false;
            for value in 0..600 {
                rig.publish("tag/cloud/p/in", &format!("{value},1"));
            }
            let counters = rig.counters(0);
            assert_eq!((counters.sent, counters.received), (5, 600));
            // The acknowledgements were lost: the broker has the five, and gets them again.
            rig.brokers[0].line.cut();
            rig.brokers[0].server.acknowledges = true;
            rig.run_until(1000);
            let mut delivered = rig.delivered(0);
            let first: Vec<_> = delivered.drain(..5).collect();
            assert_eq!(first, ["0,1,1", "1,1,1", "2,1,1", "3,1,1", "4,1,1"]);
            if qos == 1 {
                assert_eq!(
                    delivered.drain(..5).collect::<Vec<_>>(),
                    first,
                    "at least once"
                );
            }
            let newest: Vec<_> = (600 - counters.queued..600)
                .map(|value| format!("{value},1,1"))
                .collect();
            assert_eq!(delivered, newest, "QoS {qos}");
            assert_eq!(rig.counters(0).acknowledged, rig.counters(0).sent);
        });
    }
}

#[test]
fn a_buffer_full_of_what_is_in_flight_drops_the_new_and_forgets_them() {
    let keys = format!(r#", "mqtt_qos": 1, "max_inflight": 1000{SMALL}"#);
    with_bridge(&one_device(&keys), |rig| {
        rig.settle();
        rig.brokers[0].server.acknowledges = false;
        rig.publish("tag/cloud/q/in", "7,1");
        for value in 0..600 {
            rig.publish("tag/cloud/p/in", &format!("{value},1"));
        }
        rig.publish("tag/cloud/q/in", "8,2");
        let counters = rig.counters(0);
        assert_eq!(
            (counters.queued, counters.sent + counters.dropped),
            (0, 602)
        );
        rig.brokers[0].server.acknowledges = true;
        rig.brokers[0].line.cut();
        rig.run_until(1000);
        // The 8 between them was lost: so the 7 is news, although nobody has heard of anything else.
        rig.publish("tag/cloud/q/in", "7,3");
        assert_eq!(rig.delivered(0).last(), Some(&"7,3,1"));
        assert_eq!(rig.counters(0).suppressed, 0);
    });
}

#[test]
fn a_signal_whose_sample_was_dropped_is_news_with_its_next_one() {
    with_bridge(&one_device(SMALL), |rig| {
        rig.brokers[0].line.set_door(Door::Refused);
        rig.settle();
        rig.publish("tag/cloud/q/in", "7,1");
        rig.publish("tag/cloud/q/in", "7,2");
        assert_eq!(rig.counters(0).suppressed, 1);
        for value in 0..200 {
            rig.publish("tag/cloud/p/in", &format!("{value},1"));
        }
        rig.publish("tag/cloud/q/in", "7,3");
        assert_eq!(rig.counters(0).suppressed, 1, "what was lost is no memory");
        rig.brokers[0].line.set_door(Door::Open);
        rig.run_until(60_000);
        assert_eq!(rig.delivered(0).last(), Some(&"7,3,1"));
    });
}

#[test]
fn a_message_that_a_stall_cut_in_half_is_counted_once_it_is_whole() {
    for qos in 0..3 {
        for window in 1..40 {
            with_bridge(&one_device(&format!(r#", "mqtt_qos": {qos}"#)), |rig| {
                rig.settle();
                rig.brokers[0].line.set_window(window);
                rig.publish("tag/cloud/p/in", "1,1");
                rig.publish("tag/cloud/p/in", "2,1");
                rig.brokers[0].line.set_window(usize::MAX);
                rig.run_until(10_000);
                assert_eq!(rig.delivered(0), ["1,1,1", "2,1,1"]);
                assert_eq!(
                    (rig.counters(0).sent, rig.counters(0).queued),
                    (2, 0),
                    "QoS {qos}, window {window}"
                );
            });
        }
    }
}
