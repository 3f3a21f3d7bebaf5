//! What does a status ask for, and which will does it make?

use mqtt_client_core::config::Will;
use mqtt_client_core::delivery::QoS;

use crate::{check, check_with, device, file};

#[test]
fn a_status_is_the_will_too_where_there_is_no_other() {
    for (qos, will_qos) in [
        ("0", QoS::AtMostOnce),
        ("1", QoS::AtLeastOnce),
        ("2", QoS::AtLeastOnce),
    ] {
        let row = device(&[
            ("enable", "1"),
            ("status_topic", "\"plant/7/status\""),
            ("mqtt_qos", qos),
        ]);
        let mut seen = false;
        let outcome = check_with(file(&[row], &[]).as_bytes(), |config| {
            let device = &config.devices[0];
            let will = Will {
                topic: "plant/7/status",
                message: "offline",
                qos: will_qos,
                retain: true,
            };
            assert_eq!(device.status_topic, Some("plant/7/status"));
            assert_eq!(device.will, Some(will));
            seen = true;
        });
        assert_eq!((outcome.findings, seen), (Vec::new(), true));
    }
}

#[test]
fn a_will_that_leaves_online_behind_is_warned_of() {
    let warning = "warning: devices[0].status_topic: still says online after a crash: set last_will_topic to it and last_will_retain=1, or use_last_will=0";
    for (topic, retain, is_warned) in [
        ("\"t\"", "1", false),
        ("\"t\"", "0", true),
        ("\"other\"", "1", true),
    ] {
        let row = device(&[
            ("enable", "1"),
            ("status_topic", "\"t\""),
            ("use_last_will", "1"),
            ("last_will_topic", topic),
            ("last_will_message", "\"gone\""),
            ("last_will_retain", retain),
        ]);
        let mut message = None;
        let outcome = check_with(file(&[row], &[]).as_bytes(), |config| {
            message = config.devices[0].will.map(|will| will.message.to_owned());
        });
        let expected = if is_warned { vec![warning] } else { vec![] };
        assert_eq!(outcome.findings, expected, "{topic} {retain}");
        assert_eq!(message.as_deref(), Some("gone"));
    }
}

#[test]
fn a_status_topic_is_one_that_can_be_published_on() {
    for (topic, words) in [("\"a/#\"", "a/#"), ("\"$a\"", "$a"), ("\"a+\"", "a+")] {
        let row = device(&[("enable", "1"), ("status_topic", topic)]);
        let findings = check(&file(&[row], &[]));
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(
            findings[0].starts_with("devices[0].status_topic: ") && findings[0].contains(words),
            "{findings:?}"
        );
    }
}

#[cfg(feature = "health")]
#[test]
fn an_interval_needs_a_topic() {
    let warning = "warning: devices[0].status_interval: is ignored with no status_topic";
    for (topic, is_warned) in [("\"t\"", false), ("\"\"", true)] {
        let row = device(&[
            ("enable", "1"),
            ("status_topic", topic),
            ("status_interval", "60"),
        ]);
        let mut interval = 0;
        let outcome = check_with(file(&[row], &[]).as_bytes(), |config| {
            interval = config.devices[0].status_interval;
        });
        let expected = if is_warned { vec![warning] } else { vec![] };
        assert_eq!(
            (outcome.findings, interval),
            (expected.into_iter().map(String::from).collect(), 60)
        );
    }
}
