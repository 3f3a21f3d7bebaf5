//! What arrives at the brokers?

use super::rig::Rig;
use super::{one_device, table};

#[test]
fn a_sample_arrives_at_every_quality_of_service() {
    for qos in 0..3 {
        let mut rig = Rig::new(&one_device(&format!(r#", "mqtt_qos": {qos}"#)));
        rig.until_online(100);
        assert!(rig.publish("tag/cloud/p/in", "12.5,1708000203824,"));
        assert!(rig.publish("tag/cloud/q/in", "-1e3,1708000203825,IV"));
        rig.pass(50);
        let delivered = &rig.brokers[0].delivered;
        let topics: Vec<_> = delivered
            .iter()
            .map(|publish| publish.topic.as_str())
            .collect();
        assert_eq!(topics, ["tag/cloud/p/in", "tag/cloud/q/in"]);
        assert_eq!(
            rig.delivered(0),
            ["12.5,1708000203824,1", "-1e3,1708000203825,0"]
        );
        assert!(delivered.iter().all(|publish| publish.qos == qos));
        let counters = rig.counters(0);
        assert_eq!(
            (counters.sent, counters.acknowledged),
            (2, if qos == 0 { 0 } else { 2 })
        );
    }
}

#[test]
fn a_sample_needs_a_few_milliseconds() {
    let mut rig = Rig::new(&one_device(r#", "mqtt_qos": 1"#));
    rig.until_online(100);
    rig.pass(1000);
    rig.publish("tag/cloud/p/in", "1,1");
    // One millisecond from Redis to the board, one from there to the broker, as the cable is.
    let took = rig.until(100, |rig| !rig.delivered(0).is_empty());
    assert_eq!(took, 2);
}

#[test]
fn the_client_identifier_ends_with_the_boards_digits() {
    let mut rig = Rig::new(&one_device(""));
    rig.until_online(100);
    assert_eq!(rig.brokers[0].connects[0].client_id, "cloud-00c0ffee");
}

#[test]
fn each_broker_gets_its_own_signals() {
    let mut rig = Rig::new(&table(&[
        ("east", 1883, ""),
        ("west", 1884, r#", "mqtt_qos": 2"#),
    ]));
    rig.until_online(100);
    for (channel, payload) in [("tag/east/p/in", "1,1"), ("tag/west/p/in", "2,2")] {
        assert!(rig.publish(channel, payload));
    }
    rig.pass(50);
    assert_eq!(rig.delivered(0), ["1,1,1"]);
    assert_eq!(rig.delivered(1), ["2,2,1"]);
}

#[test]
fn a_broker_that_is_away_delays_no_other() {
    let mut rig = Rig::new(&table(&[("east", 1883, ""), ("west", 1884, "")]));
    rig.up[1] = false;
    rig.pass(1000);
    for value in 0..10 {
        rig.publish("tag/east/p/in", &format!("{value},1"));
        rig.publish("tag/west/p/in", &format!("{value},1"));
        let took = rig.until(100, |rig| rig.delivered(1).len() == value + 1);
        assert_eq!(took, 2, "value {value}");
    }
    rig.up[1] = true;
    rig.until_online(40_000);
    rig.pass(100);
    assert_eq!(rig.delivered(0).len(), 10, "they have waited");
}

#[test]
fn what_does_not_fit_is_dropped_oldest_first_and_counted() {
    let mut rig = Rig::new(&one_device(r#", "mqtt_qos": 1, "enable_threshold": 0"#));
    rig.until_online(100);
    rig.up[1] = false;
    rig.pass(10);
    const COUNT: usize = 2000;
    for value in 0..COUNT {
        rig.publish("tag/cloud/p/in", &format!("{value},1"));
        rig.pass(10);
    }
    rig.up[1] = true;
    rig.until_online(40_000);
    rig.pass(5000);
    let counters = rig.counters(0);
    assert_eq!(counters.received as usize, COUNT);
    assert!(counters.dropped > 0, "{counters}");
    let kept = COUNT - counters.dropped as usize;
    let expected: Vec<_> = (COUNT - kept..COUNT)
        .map(|value| format!("{value},1,1"))
        .collect();
    assert_eq!(rig.delivered(0), expected);
}

#[test]
fn a_burst_is_taken_in_portions_and_arrives_whole() {
    let mut rig = Rig::new(&one_device(r#", "mqtt_qos": 2, "enable_threshold": 0"#));
    rig.until_online(100);
    let mut expected = Vec::new();
    for portion in 0..40 {
        // As much as the server's buffer takes at once: twice what the board's does.
        for value in 0..30 {
            rig.publish("tag/cloud/p/in", &format!("{value},{portion}"));
            expected.push(format!("{value},{portion},1"));
        }
        let arrived = expected.len();
        rig.until(60_000, |rig| rig.delivered(0).len() == arrived);
    }
    assert_eq!(rig.delivered(0), expected);
}
