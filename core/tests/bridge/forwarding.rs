//! What arrives at the brokers?

use super::common::network::{Door, Names};
use super::common::redis::message;
use super::common::rig::with_bridge;
use super::{Trouble, on, one_device, table};

#[test]
fn a_sample_arrives_at_every_qos_on_its_topic_with_its_quality() {
    for (qos, retain) in [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1)] {
        let keys = on(&format!(r#", "mqtt_qos": {qos}, "mqtt_retain": {retain}"#));
        let signals = [
            ("cloud", "p", ""),
            ("cloud", "q", r#", "topic": "plant/q""#),
        ];
        with_bridge(&table(&[("cloud", keys)], &signals), |rig| {
            rig.settle();
            rig.publish("tag/cloud/p/in", "12.5,1708000203824,");
            rig.publish("tag/cloud/q/in", "nan,7,IV");
            let delivered: Vec<_> = rig.brokers[0]
                .server
                .delivered
                .iter()
                .map(|publish| {
                    (
                        publish.topic.as_str(),
                        publish.payload.as_str(),
                        publish.qos,
                        u8::from(publish.retain),
                        publish.dup,
                    )
                })
                .collect();
            assert_eq!(
                delivered,
                [
                    ("tag/cloud/p/in", "12.5,1708000203824,1", qos, retain, false),
                    ("plant/q", "nan,7,0", qos, retain, false)
                ]
            );
            let counters = rig.counters(0);
            let acknowledged = if qos == 0 { 0 } else { 2 };
            assert_eq!(
                (counters.received, counters.sent, counters.acknowledged),
                (2, 2, acknowledged)
            );
        });
    }
}

#[test]
fn a_sample_arrives_as_json_where_that_is_asked_for_and_says_whose_it_is_where_signals_share_a_topic()
 {
    for (qos, version) in [(0, "3.1.1"), (1, "3.1.1"), (2, "3.1.1"), (1, "5")] {
        let keys = on(&format!(
            r#", "mqtt_qos": {qos}, "mqtt_version": "{version}", "payload": "json""#
        ));
        let signals = [
            ("cloud", "p", ""),
            ("cloud", "q", r#", "topic": "plant""#),
            ("cloud", "r", r#", "topic": "plant""#),
        ];
        with_bridge(&table(&[("cloud", keys)], &signals), |rig| {
            rig.settle();
            rig.brokers[0].line.cut();
            for (signal, message) in [
                ("p", "+012.50,1708000203824,"),
                ("q", "1,2,IV"),
                ("r", "nan,3,"),
            ] {
                rig.publish(&format!("tag/cloud/{signal}/in"), message);
            }
            // They wait for the next connection, packed.
            rig.run_until(10_000);
            assert_eq!(
                rig.delivered(0),
                [
                    r#"{"v":12.50,"t":1708000203824,"q":1}"#,
                    r#"{"s":"q","v":1,"t":2,"q":0}"#,
                    r#"{"s":"r","v":null,"t":3,"q":0}"#,
                ],
                "QoS {qos}, {version}"
            );
        });
    }
}

#[test]
fn only_the_channels_of_enabled_signals_of_enabled_devices_are_subscribed_to() {
    let devices = [("cloud", on("")), ("spare", String::new())];
    let signals = [
        ("cloud", "p", ""),
        ("cloud", "q", r#", "enable": 0"#),
        ("spare", "p", ""),
    ];
    let text = table(&devices, &signals);
    with_bridge(&text, |rig| {
        rig.settle();
        assert_eq!(rig.redis.server.heard, ["SUBSCRIBE tag/cloud/p/in"]);
        assert_eq!(rig.brokers.len(), 1);
    });
}

#[test]
fn a_channel_that_is_not_ours_is_left() {
    with_bridge(&one_device(""), |rig| {
        rig.settle();
        rig.push(&message("tag/other/p/in", "1,2"));
        rig.settle();
        assert_eq!(
            rig.redis.server.heard.last().map(String::as_str),
            Some("UNSUBSCRIBE tag/other/p/in")
        );
        assert_eq!(rig.delivered(0), [""; 0]);
        assert_eq!(rig.counters(0).received, 0);
    });
}

#[test]
fn with_the_threshold_only_news_is_sent() {
    for (threshold, delivered) in [
        (1, &["1,1,1", "1,3,0", "1,5,1", "2,6,1"][..]),
        (0, &["1,1,1", "1,2,1", "1,3,0", "1,4,0", "1,5,1", "2,6,1"]),
    ] {
        with_bridge(
            &one_device(&format!(r#", "enable_threshold": {threshold}"#)),
            |rig| {
                rig.settle();
                for payload in ["1,1", "1,2", "1,3,iv", "1,4,nt", "1,5", "2,6"] {
                    rig.publish("tag/cloud/p/in", payload);
                }
                assert_eq!(rig.delivered(0), delivered);
                assert_eq!(rig.counters(0).suppressed, 6 - delivered.len() as u64);
            },
        );
    }
}

#[test]
fn what_a_broken_connection_may_have_lost_at_qos_0_is_said_again() {
    for (qos, delivered) in [
        (0, &["1,1,1", "1,2,1"][..]),
        (1, &["1,1,1"]),
        (2, &["1,1,1"]),
    ] {
        let keys = format!(r#", "mqtt_qos": {qos}, "enable_threshold": 1"#);
        with_bridge(&one_device(&keys), |rig| {
            rig.settle();
            rig.publish("tag/cloud/p/in", "1,1");
            rig.settle();
            rig.brokers[0].line.cut();
            rig.run_until(10_000);
            assert_eq!(rig.counters(0).reconnects, 1);
            for payload in ["1,2", "1,3"] {
                rig.publish("tag/cloud/p/in", payload);
            }
            assert_eq!(rig.delivered(0), delivered, "QoS {qos}");
        });
    }
}

#[test]
fn what_is_no_sample_is_rejected_and_stops_nothing() {
    with_bridge(&one_device(""), |rig| {
        rig.settle();
        let huge = format!("{},1", "9".repeat(5000));
        for payload in [
            "",
            "text,1",
            "1",
            "1,-2",
            "inf,3",
            "1,2\u{7},",
            &"1".repeat(129),
            &huge,
        ] {
            rig.publish("tag/cloud/p/in", payload);
        }
        rig.publish("tag/cloud/p/in", "1,2");
        assert_eq!(rig.delivered(0), ["1,2,1"]);
        assert_eq!((rig.counters(0).received, rig.counters(0).rejected), (9, 8));
    });
}

#[test]
fn a_broker_that_is_down_never_delays_another() {
    let ways: [Trouble; 4] = [
        ("refused", |rig| rig.brokers[0].line.set_door(Door::Refused)),
        ("no answer", |rig| {
            rig.brokers[0].line.set_door(Door::Silent)
        }),
        ("no name", |rig| {
            rig.brokers[0].line.set_names(Names::Silent)
        }),
        ("stalled", |rig| rig.brokers[0].line.set_window(0)),
    ];
    for qos in 0..3 {
        for (way, breaks) in ways {
            let keys = on(&format!(r#", "mqtt_qos": {qos}"#));
            let devices = [("down", keys.clone()), ("up", keys)];
            with_bridge(
                &table(&devices, &[("down", "p", ""), ("up", "p", "")]),
                |rig| {
                    breaks(rig);
                    rig.settle();
                    for time in 1..200 {
                        rig.run_until(time * 1000);
                        rig.publish("tag/down/p/in", &format!("{time},1"));
                        rig.publish("tag/up/p/in", &format!("{time},1"));
                        assert_eq!(rig.delivered(1).len() as u64, time, "{way} at {time} s");
                    }
                    assert!(rig.redis.line.attempts().len() == 1, "Redis is read on");
                    assert_eq!(rig.delivered(0), [""; 0]);
                },
            );
        }
    }
}

#[test]
fn the_size_of_the_networks_pieces_makes_no_difference() {
    for qos in 0..3 {
        for piece in [1, 2, 3, 7, 100] {
            with_bridge(&one_device(&format!(r#", "mqtt_qos": {qos}"#)), |rig| {
                rig.redis.line.set_piece(piece);
                rig.brokers[0].line.set_piece(piece);
                rig.settle();
                for value in 0..20 {
                    rig.push(&message("tag/cloud/p/in", &format!("{value},1")));
                }
                rig.settle();
                let expected: Vec<_> = (0..20).map(|value| format!("{value},1,1")).collect();
                assert_eq!(rig.delivered(0), expected, "QoS {qos} in pieces of {piece}");
                assert_eq!(rig.counters(0).sent, 20);
            });
        }
    }
}
