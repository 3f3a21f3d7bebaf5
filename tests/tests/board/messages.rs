//! What arrives, where, and how?

use mqtt_client_tests::Config;
use mqtt_client_tests::board::{self, Board};
use mqtt_client_tests::config::{channel, cloud};
use mqtt_client_tests::servers::{Mosquitto, Redis};

use crate::finish;

#[test]
fn messages_arrive_once_and_in_order_at_every_quality_of_service() {
    for qos in [0, 1, 2] {
        let mut site = board::site(cloud().with("mqtt_qos", qos).signal("p"));
        site.publish("p", "a wrong one,1000,");
        for block in 0..10 {
            let messages = (0..20).map(|n| format!("{},1000,", block * 20 + n));
            site.redis.publish_all(&channel("p"), messages);
            // No more than the outbox holds, since nothing may be dropped here.
            let last = block * 20 + 19;
            site.subscriber
                .wait_for("tag/cloud/p/in", &format!("{last},1000,1"));
        }
        let expected: Vec<_> = (0..200).map(|n| format!("{n},1000,1")).collect();
        assert_eq!(site.subscriber.payloads("tag/cloud/p/in"), expected);
        let deliveries = site.subscriber.deliveries();
        assert!(deliveries.iter().all(|delivery| delivery.qos == qos));
        let acknowledged = if qos == 0 { 0 } else { 200 };
        let counters = site
            .daemon
            .wait_for_counters("cloud", |now| now.acknowledged == acknowledged);
        assert_eq!(
            (counters.received, counters.rejected, counters.sent),
            (201, 1, 200)
        );
        finish(&mut site.daemon);
    }
}

#[test]
fn the_quality_is_bad_if_a_flag_says_so() {
    let mut site = board::site(cloud().signal("p"));
    for (message, payload) in [
        ("12.5,1708000203824,", "12.5,1708000203824,1"),
        ("12.5,1708000203825,IV", "12.5,1708000203825,0"),
        ("12.5,1708000203826,cot=3", "12.5,1708000203826,1"),
        ("-1e-300,1708000203827,nt", "-1e-300,1708000203827,0"),
        ("NaN,1708000203828,xx OV", "NaN,1708000203828,0"),
    ] {
        site.publish("p", message);
        site.expect("tag/cloud/p/in", payload);
    }
    finish(&mut site.daemon);
}

#[test]
fn with_a_threshold_only_another_value_or_quality_is_sent() {
    let config = cloud()
        .signal("p")
        .device("all")
        .with("enable_threshold", 0);
    let mut site = board::site(config.signal("p"));
    for message in [
        "1,1000,",
        "1,2000,",
        "1,3000,IV",
        "1,4000,IV",
        "1.0,5000,IV",
    ] {
        site.publish("p", message);
        site.redis.publish("tag/all/p/in", message);
    }
    for payload in ["1,1000,1", "1,3000,0", "1.0,5000,0"] {
        site.expect("tag/cloud/p/in", payload);
    }
    for payload in ["1,1000,1", "1,2000,1", "1,3000,0", "1,4000,0", "1.0,5000,0"] {
        site.expect("tag/all/p/in", payload);
    }
    assert_eq!(site.daemon.counters("cloud").suppressed, 2);
    finish(&mut site.daemon);
}

#[test]
fn a_topic_of_its_own_takes_the_place_of_the_channels_name() {
    let config = cloud()
        .with("mqtt_retain", 1)
        .signal("p")
        .with("topic", "plant/7/power")
        .signal("q");
    let mut site = board::site(config);
    site.publish("p", "1,1000,");
    site.publish("q", "2,2000,");
    site.expect("plant/7/power", "1,1000,1");
    site.expect("tag/cloud/q/in", "2,2000,1");
    assert_eq!(site.subscriber.deliveries().len(), 2);
    let late = site.broker.subscribe();
    assert!(late.expect("plant/7/power", "1,1000,1").retained);
    finish(&mut site.daemon);
}

#[test]
fn two_brokers_get_the_signals_of_their_own_devices_and_one_that_is_away_delays_nothing() {
    let (redis, one, mut two) = (Redis::start(), Mosquitto::start(), Mosquitto::start());
    let config = Config::new()
        .device("one")
        .with("mqtt_qos", 1)
        .at(one.port())
        .signal("p")
        .device("two")
        .with("mqtt_qos", 2)
        .with("mqtt_retain", 1)
        .at(two.port())
        .signal("p")
        .redis("port", redis.port());
    let (at_one, at_two) = (one.subscribe(), two.subscribe());
    let mut board = Board::start(&config);
    redis.wait_for_subscriptions(&config.channels());
    let publish = |value: u32| {
        for device in ["one", "two"] {
            redis.publish(&format!("tag/{device}/p/in"), format!("{value},1000,"));
        }
    };
    publish(1);
    assert_eq!(at_one.expect("tag/one/p/in", "1,1000,1").qos, 1);
    assert_eq!(at_two.expect("tag/two/p/in", "1,1000,1").qos, 2);
    drop(at_two);
    two.stop();
    for value in 2..20 {
        publish(value);
        at_one.expect("tag/one/p/in", &format!("{value},1000,1"));
    }
    two.start_again();
    let back = two.subscribe();
    back.wait_for("tag/two/p/in", "19,1000,1");
    assert_eq!(at_one.deliveries().len(), 19);
    finish(&mut board);
}

#[test]
fn a_board_that_loses_its_power_leaves_its_last_will() {
    let config = cloud()
        .with("use_last_will", 1)
        .with("last_will_topic", "board/state")
        .with("last_will_message", "lost")
        .with("last_will_qos", 2)
        .with("last_will_retain", 1);
    let mut site = board::site(config.signal("p"));
    site.daemon.kill();
    assert_eq!(site.subscriber.expect("board/state", "lost").qos, 2);
    let late = site.broker.subscribe();
    assert!(late.expect("board/state", "lost").retained);
}

#[test]
fn a_board_that_is_asked_to_stop_sends_what_it_has_and_leaves_no_will() {
    let config = cloud()
        .with("mqtt_qos", 2)
        .with("use_last_will", 1)
        .with("last_will_topic", "board/state");
    let mut site = board::site(config.signal("p"));
    site.redis
        .publish_all(&channel("p"), (0..20).map(|n| format!("{n},1000,")));
    site.daemon
        .wait_for_counters("cloud", |now| now.received == 20);
    finish(&mut site.daemon);
    site.subscriber.publish("board/state", "a mark");
    site.expect("board/state", "a mark");
    assert_eq!(site.subscriber.payloads("tag/cloud/p/in").len(), 20);
}
