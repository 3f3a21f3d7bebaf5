//! What is logged, and how often?

use super::common::broker::Greeting;
use super::common::logbook;
use super::common::network::Door;
use super::common::rig::with_bridge;
use super::one_device;

/// Lines of warnings and errors that hold these words.
fn warnings_with(words: &str) -> Vec<String> {
    let loud = |line: &String| line.starts_with("WARN ") || line.starts_with("ERROR ");
    logbook::lines()
        .into_iter()
        .filter(|line| loud(line) && line.contains(words))
        .collect()
}

#[test]
fn a_flood_of_rejected_messages_is_reported_ten_lines_at_a_time() {
    logbook::open();
    with_bridge(&one_device(""), |rig| {
        rig.settle();
        for value in 0..1000 {
            rig.publish("tag/cloud/p/in", &format!("nonsense {value}"));
        }
        let lines = warnings_with("reject");
        assert_eq!(lines.len(), 10, "{lines:?}");
        assert_eq!(
            lines[0],
            "WARN cloud: rejected a message on tag/cloud/p/in: the value is not an integer, a float or nan"
        );
        rig.run_until(11_000);
        assert_eq!(
            warnings_with("reject"),
            ["WARN 990 more messages were rejected"]
        );
        rig.publish("tag/cloud/p/in", "nonsense");
        assert_eq!(warnings_with("rejected a message on").len(), 1);
    });
}

#[test]
fn the_rest_of_a_flood_is_reported_when_the_bridge_stops() {
    logbook::open();
    with_bridge(&one_device(""), |rig| {
        rig.settle();
        for value in 0..12 {
            rig.publish("tag/cloud/p/in", &format!("nonsense {value}"));
        }
        rig.stop();
        assert_eq!(
            warnings_with("more messages"),
            ["WARN 2 more messages were rejected"]
        );
    });
}

#[test]
fn a_failure_is_reported_once_for_each_change_of_its_reason() {
    logbook::open();
    with_bridge(&one_device(""), |rig| {
        rig.brokers[0].line.set_door(Door::Refused);
        rig.run_until(200_000);
        assert_eq!(
            warnings_with("cloud"),
            ["WARN cloud: broker:1883: connection refused; next try at once"]
        );
        rig.brokers[0].line.set_door(Door::Open);
        rig.brokers[0].server.greeting = Greeting::Refuse(4);
        rig.run_until(400_000);
        assert_eq!(
            warnings_with("cloud"),
            ["ERROR cloud: broker:1883: wrong user name or password (CONNACK 4); next try in 32 s"]
        );
    });
}

#[test]
fn to_be_thrown_out_again_and_again_is_reported_as_another_client() {
    logbook::open();
    with_bridge(&one_device(""), |rig| {
        rig.brokers[0].server.greeting = Greeting::ThrowOut;
        rig.run_until(200_000);
        let lines = warnings_with("another client uses this client_id");
        assert_eq!(lines.len(), 1, "{lines:?}");
    });
}

#[test]
fn an_overflow_is_reported_when_it_begins_and_when_it_is_over() {
    logbook::open();
    with_bridge(&one_device(r#", "buffer_size": 1024"#), |rig| {
        rig.brokers[0].line.set_door(Door::Refused);
        rig.settle();
        for value in 0..300 {
            rig.publish("tag/cloud/p/in", &format!("{value},1"));
        }
        let dropped = rig.counters(0).dropped;
        assert_eq!(
            warnings_with("buffer"),
            ["WARN cloud: the buffer is full, the oldest samples are being dropped"]
        );
        rig.brokers[0].line.set_door(Door::Open);
        rig.run_until(60_000);
        assert_eq!(
            warnings_with("buffer"),
            [format!(
                "WARN cloud: {dropped} samples were dropped while the buffer was full"
            )]
        );
    });
}

#[test]
fn a_broker_that_takes_samples_by_fits_and_starts_does_not_fill_the_log() {
    logbook::open();
    with_bridge(&one_device(r#", "buffer_size": 1024"#), |rig| {
        rig.settle();
        let mut lines = Vec::new();
        for second in 0..120 {
            rig.brokers[0].line.set_window(0);
            for value in 0..300 {
                rig.publish("tag/cloud/p/in", &format!("{value},{second}"));
            }
            rig.brokers[0].line.set_window(usize::MAX);
            rig.run_until(1000 * (second + 1));
            lines.extend(warnings_with("buffer"));
        }
        // The beginning and the end of the first overflow, and after a minute the sum of the others since.
        assert_eq!(lines.len(), 3, "{lines:#?}");
        let reported: u64 = lines
            .iter()
            .filter_map(|line| {
                line.strip_prefix("WARN cloud: ")?
                    .split(' ')
                    .next()?
                    .parse::<u64>()
                    .ok()
            })
            .sum();
        assert!(reported > rig.counters(0).dropped / 3, "{lines:#?}");
    });
}

#[test]
fn an_overflow_is_reported_too_if_the_broker_went_away_soon_after_another() {
    logbook::open();
    with_bridge(&one_device(r#", "buffer_size": 1024"#), |rig| {
        rig.settle();
        for (millis, window) in [(0, 0), (1000, usize::MAX)] {
            rig.brokers[0].line.set_window(window);
            for value in 0..300 {
                rig.publish("tag/cloud/p/in", &format!("{value},{millis}"));
            }
            rig.run_until(millis + 500);
        }
        assert_eq!(warnings_with("buffer").len(), 2);
        rig.brokers[0].line.set_door(Door::Refused);
        rig.brokers[0].line.cut();
        rig.run_until(200_000);
        for value in 0..300 {
            rig.publish("tag/cloud/p/in", &format!("{value},7"));
        }
        assert_eq!(
            warnings_with("buffer"),
            ["WARN cloud: the buffer is full, the oldest samples are being dropped"]
        );
    });
}

#[test]
fn a_guess_that_the_broker_speaks_3_1_only_is_reported_once_until_it_proves_wrong() {
    logbook::open();
    with_bridge(&one_device(""), |rig| {
        let mut now = 0;
        // Always the same broker, behind a proxy at times; how often the guess is reported at each connection.
        for (greeting, level, reports) in [
            (Greeting::HangUpOn3_1_1, 3, 1),
            (Greeting::HangUpOn3_1_1, 3, 0),
            (Greeting::Welcome, 4, 0),
        ] {
            rig.brokers[0].server.greeting = greeting;
            rig.brokers[0].line.cut();
            // Until it is connected, and the delays start over.
            now += 150_000;
            rig.run_until(now);
            let connects = &rig.brokers[0].server.connects;
            assert_eq!(connects.last().map(|connect| connect.level), Some(level));
            assert_eq!(warnings_with("speaking MQTT 3.1").len(), reports);
        }
    });
}

#[test]
fn the_password_is_in_no_line_at_any_level() {
    logbook::open();
    let table = one_device("").replace(
        r#""auth": "none""#,
        r#""auth": "password", "username": "gw", "password": "hunter2""#,
    );
    let table = table.replacen('{', r#"{"redis": {"password": "hunter2"}, "#, 1);
    with_bridge(&table, |rig| {
        rig.redis.server.password = Some("hunter2".to_string());
        rig.run_until(1000);
        rig.publish("tag/cloud/p/in", "1,2");
        assert_eq!(rig.delivered(0), ["1,2,1"]);
        assert_eq!(
            rig.brokers[0].server.connects[0].password.as_deref(),
            Some("hunter2")
        );
        let lines = logbook::lines();
        assert!(
            lines.len() > 10 && lines.iter().all(|line| !line.contains("hunter2")),
            "{lines:#?}"
        );
    });
}

#[test]
fn samples_that_a_stop_leaves_undelivered_are_a_warning_with_their_number() {
    for (qos, is_reached) in [(0, false), (1, false), (1, true), (2, true)] {
        logbook::open();
        with_bridge(&one_device(&format!(r#", "mqtt_qos": {qos}"#)), |rig| {
            rig.brokers[0].server.acknowledges = false;
            if !is_reached {
                rig.brokers[0].line.set_door(Door::Refused);
            }
            rig.settle();
            for value in 0..3 {
                rig.publish("tag/cloud/p/in", &format!("{value},2"));
            }
            rig.stop();
            rig.run_until(6000);
            assert_eq!(
                warnings_with("the end"),
                ["WARN cloud: the end, and 3 samples are not delivered: they are lost"],
                "QoS {qos}, {is_reached}"
            );
        });
    }
    with_bridge(&one_device(r#", "mqtt_qos": 2"#), |rig| {
        rig.settle();
        rig.publish("tag/cloud/p/in", "1,2");
        rig.stop();
        rig.run_until(6000);
        assert_eq!(warnings_with("the end"), [""; 0], "all is delivered");
    });
}

#[test]
fn a_broker_that_acknowledges_nothing_is_told_of_once_and_met_ever_later() {
    logbook::open();
    with_bridge(&one_device(r#", "mqtt_qos": 2"#), |rig| {
        rig.brokers[0].server.acknowledges = false;
        rig.settle();
        for value in 1..=3 {
            rig.publish("tag/cloud/p/in", &format!("{value},1"));
        }
        rig.run_until(1_500_000);
        // 90 s for an acknowledgement, and then 0, 32, 64, 128, 256, 256 s.
        assert_eq!(
            rig.brokers[0].line.attempts(),
            [0, 90_000, 212_000, 366_000, 584_000, 930_000, 1_276_000]
        );
        assert_eq!(
            warnings_with("cloud"),
            [
                "WARN cloud: the broker took 3 messages at QoS 2 and acknowledged 0: it may throttle (see max_rate), or not know QoS 2",
                "WARN cloud: broker:1883: no acknowledgement within 90 s; next try at once",
            ]
        );
        rig.brokers[0].server.acknowledges = true;
        rig.run_until(1_900_000);
        assert_eq!(rig.delivered(0), ["1,1,1", "2,1,1", "3,1,1"]);
        let said: Vec<_> = logbook::lines();
        assert!(
            said.contains(&"INFO cloud: the broker acknowledges again".into()),
            "{said:?}"
        );
    });
}
