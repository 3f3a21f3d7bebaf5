//! What do the columns say that only one version of MQTT has?

use crate::{check, device, file};

#[test]
fn what_makes_no_sense_without_mqtt_5_is_warned_of() {
    let ignored =
        |key: &str, because: &str| format!("warning: devices[0].{key}: is ignored with {because}");
    let keys = ["session_expiry", "message_expiry", "topic_alias"];
    for version in ["auto", "3.1", "3.1.1"] {
        let device = device(&[
            ("mqtt_version", &format!("\"{version}\"")),
            ("session_expiry", "10"),
            ("message_expiry", "10"),
            ("topic_alias", "1"),
        ]);
        let expected = keys.map(|key| ignored(key, "mqtt_version other than 5"));
        assert_eq!(check(&file(&[device], &[])), expected, "{version}");
    }
    for (qos, expected) in [
        ("0", vec![ignored("session_expiry", "mqtt_qos=0")]),
        ("1", vec![]),
        ("2", vec![]),
    ] {
        let device = device(&[
            ("mqtt_version", "\"5\""),
            ("mqtt_qos", qos),
            ("session_expiry", "4294967295"),
            ("message_expiry", "4294967295"),
            ("topic_alias", "1"),
        ]);
        assert_eq!(check(&file(&[device], &[])), expected, "QoS {qos}");
    }
    for key in &keys[..2] {
        for (value, wrong) in [("-1", "-1"), ("4294967296", "4294967296")] {
            let device = device(&[("mqtt_version", "\"5\""), ("mqtt_qos", "1"), (key, value)]);
            let expected = format!("devices[0].{key}: {wrong} is not in 0..4294967295");
            assert_eq!(check(&file(&[device], &[])), [expected]);
        }
    }
}
