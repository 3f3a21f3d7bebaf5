//! When is the next attempt?

use super::common::broker::{Broker, Greeting};
use super::common::network::{Door, Names};
use super::common::rig::with_bridge;
use super::{Trouble, one_device};

/// At once, then after 1, 2, 4, 8, 16, 32, 32 seconds.
const BACKOFF: [u64; 9] = [0, 0, 1000, 3000, 7000, 15_000, 31_000, 63_000, 95_000];

#[test]
fn attempts_follow_the_delays_whatever_keeps_them_from_succeeding() {
    let ways: [Trouble; 4] = [
        ("refused", |rig| rig.brokers[0].line.set_door(Door::Refused)),
        ("unknown name", |rig| {
            rig.brokers[0].line.set_names(Names::Unknown)
        }),
        ("not available", |rig| {
            rig.brokers[0].server.greeting = Greeting::Refuse(3)
        }),
        ("no MQTT", |rig| {
            rig.brokers[0].server.greeting = Greeting::Refuse(77)
        }),
    ];
    for (way, breaks) in ways {
        with_bridge(&one_device(r#", "mqtt_version": "3.1.1""#), |rig| {
            breaks(rig);
            rig.run_until(100_000);
            assert_eq!(rig.brokers[0].line.attempts(), BACKOFF, "{way}");
        });
    }
}

#[test]
fn redis_is_tried_after_the_same_delays() {
    with_bridge(&one_device(""), |rig| {
        rig.redis.line.set_door(Door::Refused);
        rig.run_until(100_000);
        assert_eq!(rig.redis.line.attempts(), BACKOFF);
        rig.redis.line.set_door(Door::Open);
        rig.run_until(130_000);
        rig.publish("tag/cloud/p/in", "1,2");
        assert_eq!(rig.delivered(0), ["1,2,1"]);
    });
}

#[test]
fn an_attempt_that_nobody_answers_ends_after_20_seconds() {
    for (door, names) in [(Door::Silent, Names::Known), (Door::Open, Names::Silent)] {
        with_bridge(&one_device(""), |rig| {
            rig.brokers[0].line.set_door(door);
            rig.brokers[0].line.set_names(names);
            // 0 to 20, 20 to 40, 41 to 61, 63 to 83 seconds.
            let mut woken = Vec::new();
            while rig.now() < 83_000 {
                let wake_up = rig.settle();
                rig.run_until(wake_up);
                woken.push(wake_up);
            }
            // Redis is asked with PING every 15 s.
            woken.retain(|time| time % 15_000 != 0);
            assert_eq!(
                woken,
                [20_000, 40_000, 41_000, 61_000, 63_000, 83_000],
                "{door:?} {names:?}"
            );
        });
    }
}

#[test]
fn a_broker_that_does_not_greet_is_left_after_20_seconds() {
    with_bridge(&one_device(""), |rig| {
        rig.brokers[0].server.greeting = Greeting::Silence;
        rig.run_until(70_000);
        assert_eq!(rig.brokers[0].line.attempts(), [0, 20_000, 41_000, 63_000]);
    });
}

#[test]
fn the_delays_start_over_once_a_connection_has_held_for_60_seconds() {
    // Two attempts failed before it; how long after its end the next ones are.
    for (held, next) in [(59_999, &[2000][..]), (60_000, &[0, 1000, 3000])] {
        with_bridge(&one_device(""), |rig| {
            rig.brokers[0].line.set_door(Door::Refused);
            rig.run_until(500);
            rig.brokers[0].line.set_door(Door::Open);
            rig.run_until(1000);
            assert!(rig.brokers[0].line.is_open());
            rig.run_until(1000 + held);
            rig.brokers[0].line.set_door(Door::Refused);
            rig.brokers[0].line.cut();
            let broken = rig.now();
            rig.run_until(broken + 3500);
            let since: Vec<_> = rig.brokers[0].line.attempts()[3..]
                .iter()
                .map(|time| time - broken)
                .collect();
            assert_eq!(since, next, "held for {held}");
        });
    }
}

#[test]
fn what_only_a_new_configuration_can_help_is_tried_every_32_seconds() {
    let ways: [Trouble; 4] = [
        ("certificate", |rig| {
            rig.brokers[0].line.set_door(Door::Untrusted)
        }),
        ("identifier", |rig| {
            rig.brokers[0].server.greeting = Greeting::Refuse(2)
        }),
        ("password", |rig| {
            rig.brokers[0].server.greeting = Greeting::Refuse(4)
        }),
        ("authorization", |rig| {
            rig.brokers[0].server.greeting = Greeting::Refuse(5)
        }),
    ];
    for (way, breaks) in ways {
        with_bridge(&one_device(""), |rig| {
            breaks(rig);
            rig.run_until(100_000);
            assert_eq!(
                rig.brokers[0].line.attempts(),
                [0, 32_000, 64_000, 96_000],
                "{way}"
            );
        });
    }
}

#[test]
fn a_wrong_redis_password_is_tried_every_32_seconds() {
    with_bridge(&one_device(""), |rig| {
        rig.redis.server.password = Some("secret".to_string());
        rig.run_until(100_000);
        assert_eq!(rig.redis.line.attempts(), [0, 32_000, 64_000, 96_000]);
    });
}

#[test]
fn a_redis_that_falls_silent_is_left_after_30_seconds_and_subscribed_to_again() {
    with_bridge(&one_device(""), |rig| {
        rig.run_until(10_000);
        rig.redis.server.answers = false;
        rig.run_until(40_000);
        rig.redis.server.answers = true;
        rig.run_until(50_000);
        assert_eq!(rig.redis.line.attempts().len(), 2);
        let subscriptions = rig
            .redis
            .server
            .heard
            .iter()
            .filter(|command| command.starts_with("SUBSCRIBE"));
        assert_eq!(subscriptions.count(), 2 * 2, "of two channels");
        rig.publish("tag/cloud/p/in", "1,2");
        assert_eq!(rig.delivered(0), ["1,2,1"]);
    });
}

#[test]
fn a_redis_that_answers_ping_with_an_error_is_listened_to_all_day() {
    with_bridge(&one_device(""), |rig| {
        rig.settle();
        rig.redis.server.ping_error = Some("MISCONF Redis is unable to persist to disk");
        rig.run_until(86_400_000);
        rig.publish("tag/cloud/p/in", "1,2");
        assert_eq!(rig.delivered(0), ["1,2,1"]);
        assert_eq!(rig.redis.line.attempts(), [0]);
    });
}

#[test]
fn a_channel_that_redis_refuses_keeps_no_other_waiting_and_is_asked_for_again_on_the_next_connection()
 {
    with_bridge(&one_device(""), |rig| {
        rig.redis.server.refused = ["tag/cloud/p/in".into()].into();
        rig.run_until(3_600_000);
        assert_eq!(rig.redis.line.attempts(), [0]);
        for (payload, delivered) in [
            ("1,2", &["1,2,1"][..]),
            ("2,3", &["1,2,1", "2,3,1", "2,3,1"]),
        ] {
            for channel in ["tag/cloud/p/in", "tag/cloud/q/in"] {
                rig.publish(channel, payload);
            }
            assert_eq!(rig.delivered(0), delivered);
            rig.redis.server.refused.clear();
            rig.redis.line.cut();
            rig.run_until(3_700_000);
        }
    });
}

#[test]
fn a_redis_that_refuses_every_channel_is_asked_again_every_32_seconds() {
    with_bridge(&one_device(""), |rig| {
        let channels = ["tag/cloud/p/in", "tag/cloud/q/in"];
        rig.redis.server.refused = channels.map(String::from).into();
        rig.run_until(70_000);
        assert_eq!(rig.redis.line.attempts(), [0, 32_000, 64_000]);
        rig.redis.server.refused.clear();
        rig.run_until(96_000);
        rig.publish("tag/cloud/p/in", "1,2");
        assert_eq!(rig.delivered(0), ["1,2,1"]);
    });
}

#[test]
fn an_idle_bridge_keeps_its_connections_for_a_day() {
    with_bridge(&one_device(r#", "mqtt_qos": 1"#), |rig| {
        rig.run_until(86_400_000);
        assert_eq!(rig.brokers[0].line.attempts(), [0]);
        assert_eq!(rig.redis.line.attempts(), [0]);
        let pings = rig.brokers[0]
            .server
            .heard
            .iter()
            .filter(|packet| *packet == "PINGREQ")
            .count();
        assert_eq!(pings, 86_400 / 45, "one in 45 s");
    });
}

#[test]
fn a_broker_that_stops_answering_is_replaced_within_one_and_a_half_keep_alives() {
    for qos in 0..3 {
        with_bridge(&one_device(&format!(r#", "mqtt_qos": {qos}"#)), |rig| {
            rig.run_until(1000);
            rig.brokers[0].line.set_window(0);
            for second in 2..=91 {
                rig.run_until(second * 1000);
                rig.publish("tag/cloud/p/in", &format!("{second},1"));
            }
            assert!(rig.brokers[0].line.attempts().len() > 1, "QoS {qos}");
            rig.brokers[0].line.set_window(usize::MAX);
            rig.run_until(250_000);
            assert_eq!(rig.delivered(0).len(), 90, "QoS {qos}");
        });
    }
}

#[test]
fn a_bridge_that_was_held_up_reads_before_it_judges() {
    with_bridge(&one_device(""), |rig| {
        rig.run_until(44_999);
        rig.oversleep(1);
        rig.poll();
        // PINGREQ and PING are under way; both are answered, but nobody looks at the answers in time.
        rig.oversleep(40_000);
        rig.settle();
        assert_eq!(
            rig.brokers[0].server.heard.last().map(String::as_str),
            Some("PINGREQ")
        );
        assert_eq!(rig.brokers[0].line.attempts(), [0]);
        assert_eq!(rig.redis.line.attempts(), [0]);
    });
}

#[test]
fn auto_finds_the_level_that_the_broker_speaks() {
    for (greeting, levels) in [
        (Greeting::Welcome, &[4][..]),
        (Greeting::WelcomeTo3_1, &[4, 3]),
        (Greeting::HangUpOn3_1_1, &[4, 4, 3]),
    ] {
        with_bridge(&one_device(""), |rig| {
            rig.brokers[0].server.greeting = greeting;
            rig.run_until(2000);
            let heard: Vec<_> = rig.brokers[0]
                .server
                .connects
                .iter()
                .map(|connect| connect.level)
                .collect();
            assert_eq!(heard, levels, "{greeting:?}");
            rig.publish("tag/cloud/p/in", "1,2");
            assert_eq!(rig.delivered(0), ["1,2,1"], "{greeting:?}");
        });
    }
}

#[test]
fn to_be_hung_up_on_or_thrown_out_follows_the_delays_too() {
    for (greeting, attempts) in [
        // The change of level after the second is no failure, and has no delay.
        (Greeting::HangUp, &[0, 0, 0, 1000, 3000, 7000][..]),
        (Greeting::ThrowOut, &[0, 0, 1000, 3000, 7000]),
    ] {
        with_bridge(&one_device(""), |rig| {
            rig.brokers[0].server.greeting = greeting;
            rig.run_until(10_000);
            assert_eq!(rig.brokers[0].line.attempts(), attempts, "{greeting:?}");
        });
    }
}

#[test]
fn the_session_of_an_earlier_process_does_not_swallow_new_samples() {
    with_bridge(&one_device(r#", "mqtt_qos": 2"#), |rig| {
        // An earlier process left these identifiers half done: a broker takes the same ones for repetitions.
        rig.brokers[0].server = Broker::with_session([1, 2, 3]);
        rig.settle();
        for value in 0..5 {
            rig.publish("tag/cloud/p/in", &format!("{value},1"));
        }
        assert_eq!(
            rig.delivered(0),
            ["0,1,1", "1,1,1", "2,1,1", "3,1,1", "4,1,1"]
        );
        assert_eq!(rig.counters(0).reconnects, 0);
    });
}
