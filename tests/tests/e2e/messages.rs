//! What becomes of a message: value and timestamp untouched, quality from the flags, repetitions and nonsense held back.

use mqtt_client_tests::config::{self, channel, cloud};
use mqtt_client_tests::{Config, Site};

const TIME: &str = "1708000203824";

#[test]
fn value_and_timestamp_reach_the_broker_byte_for_byte() {
    let site = Site::start(cloud().signal("p"));
    for value in [
        "0",
        "-0",
        "+5",
        "-12",
        "007",
        "12.50",
        "230.39999999999998",
        "0.10000000000000001",
        "-1234567890.1234567",
        "9007199254740993",
        "1e5",
        "1.5E-10",
        "-2.2250738585072014e-308",
        "+1.7976931348623157E+308",
        "nan",
        "NaN",
        "NAN",
        "-nan",
    ] {
        site.publish("p", format!("{value},{TIME},"));
        site.expect("tag/cloud/p/in", &format!("{value},{TIME},1"));
    }
    for (value, time) in [("1", "0"), ("2", "000001"), ("3", "253402300799999")] {
        site.publish("p", format!("{value},{time},"));
        site.expect("tag/cloud/p/in", &format!("{value},{time},1"));
    }
}

#[test]
fn json_is_read_by_others_as_the_same_number() {
    let json = cloud().with("payload", "json").signal("p");
    let site = Site::start(json);
    for value in [
        "0",
        "-0",
        "+5",
        "007",
        "-000.50",
        ".5",
        "-.5e3",
        "5.",
        "12.50",
        "230.39999999999998",
        "0.10000000000000001",
        "9007199254740993",
        "1.5E-10",
        "-2.2250738585072014e-308",
        "+1.7976931348623157E+308",
    ] {
        site.publish("p", format!("{value},{TIME},"));
        let payload = site.subscriber.next("tag/cloud/p/in").payload;
        let read: serde_json::Value = serde_json::from_str(&payload).expect(&payload);
        let number: f64 = value.parse().expect("a number");
        assert_eq!(read["v"].as_f64(), Some(number), "{value}: {payload}");
        assert_eq!(read["t"].as_u64(), TIME.parse().ok(), "{payload}");
        assert_eq!(read["q"], 1, "{payload}");
    }
    site.publish("p", format!("nan,{TIME},"));
    let expected = format!(r#"{{"v":null,"t":{TIME},"q":0}}"#);
    site.expect("tag/cloud/p/in", &expected);
}

#[test]
fn signals_on_one_topic_are_told_apart_in_json() {
    let json = cloud().with("payload", "json");
    let on_plant = |config: Config, alias: &str| config.signal(alias).with("topic", "plant");
    let site = Site::start(on_plant(on_plant(json, "p"), "q").signal("r"));
    for signal in ["p", "q"] {
        site.publish(signal, format!("1,{TIME},"));
        let expected = format!(r#"{{"s":"{signal}","v":1,"t":{TIME},"q":1}}"#);
        site.expect("plant", &expected);
    }
    site.publish("r", format!("1,{TIME},"));
    site.expect("tag/cloud/r/in", &format!(r#"{{"v":1,"t":{TIME},"q":1}}"#));
}

#[test]
fn the_flags_invalid_non_topical_and_overflow_make_the_quality_0_and_nothing_else_does() {
    let site = Site::start(cloud().with("enable_threshold", 0).signal("p"));
    for (flags, quality) in [
        (",", 1),
        ("", 1),
        (",IV", 0),
        (",NT", 0),
        (",OV", 0),
        (",iv", 0),
        (",Nt", 0),
        (",IV,NT,OV", 0),
        (",cot=3 IV", 0),
        (",SB|BL;OV", 0),
        (",(NT)", 0),
        (",[SB]/iv/", 0),
        (",cot=3", 1),
        (",SB,BL", 1),
        (",IVX", 1),
        (",XIV", 1),
        (",IV_", 1),
        (",_OV", 1),
        (",OV2", 1),
        (",cot=3,SB NT", 0),
    ] {
        site.publish("p", format!("12.5,{TIME}{flags}"));
        let delivery = site.subscriber.next("tag/cloud/p/in");
        assert_eq!(
            delivery.payload,
            format!("12.5,{TIME},{quality}"),
            "flags {flags:?}"
        );
    }
}

#[test]
fn spaces_around_a_field_are_dropped() {
    let site = Site::start(cloud().signal("p"));
    site.publish("p", format!("  12.5 , {TIME}  , IV "));
    site.expect("tag/cloud/p/in", &format!("12.5,{TIME},0"));
}

#[test]
fn the_topic_is_the_channel_unless_the_signal_has_one_of_its_own() {
    let config = cloud()
        .signal("p")
        .signal("empty")
        .with("topic", "")
        .signal("q")
        .with("topic", "plant/inverter/reactive power")
        .signal("u")
        .with("topic", "Anlage/Überspannung");
    let site = Site::start(config);
    for (signal, topic) in [
        ("p", "tag/cloud/p/in"),
        ("empty", "tag/cloud/empty/in"),
        ("q", "plant/inverter/reactive power"),
        ("u", "Anlage/Überspannung"),
    ] {
        site.publish(signal, format!("1,{TIME},"));
        site.expect(topic, &format!("1,{TIME},1"));
    }
}

#[test]
fn signals_that_share_a_topic_both_send_to_it() {
    let config = cloud()
        .signal("p")
        .with("topic", "plant")
        .signal("q")
        .with("topic", "plant");
    let site = Site::start(config);
    site.publish("p", format!("1,{TIME},"));
    site.expect("plant", &format!("1,{TIME},1"));
    site.publish("q", format!("1,{TIME},"));
    site.expect("plant", &format!("1,{TIME},1"));
}

#[test]
fn a_repeated_value_is_not_sent_again_until_value_or_quality_change() {
    let mut site = Site::start(cloud().signal("p").signal("q"));
    for message in [
        "1,1000,",
        // Suppressed: a new timestamp, or other flags without influence, do not count.
        "1,2000,",
        "1,3000,cot=3",
        // Sent: the quality changes, there and back.
        "1,4000,IV",
        "1,5000,NT",
        "1,6000,",
        // Sent: the value's text changes, though not the number.
        "1.0,7000,",
        "1.0,8000,",
        "nan,9000,",
        "nan,10000,",
        // Sent: back at an earlier value.
        "1,11000,",
    ] {
        site.publish("p", message);
    }
    // Another signal has a memory of its own.
    site.publish("q", "1,12000,");
    site.expect("tag/cloud/q/in", "1,12000,1");
    let sent = site.subscriber.payloads("tag/cloud/p/in");
    let expected = [
        "1,1000,1",
        "1,4000,0",
        "1,6000,1",
        "1.0,7000,1",
        "nan,9000,1",
        "1,11000,1",
    ];
    assert_eq!(sent, expected);
    let counters = site.daemon.counters("cloud");
    assert_eq!(
        (counters.received, counters.suppressed, counters.sent),
        (12, 5, 7)
    );
}

#[test]
fn without_the_threshold_every_message_is_sent() {
    let site = Site::start(cloud().with("enable_threshold", 0).signal("p"));
    for time in [1000, 2000, 2000] {
        site.publish("p", format!("1,{time},"));
        site.expect("tag/cloud/p/in", &format!("1,{time},1"));
    }
}

#[test]
fn a_message_that_cannot_be_read_is_counted_and_skipped_and_the_next_one_goes_out() {
    let mut site = Site::start(cloud().signal("p"));
    let too_long = format!("{},{TIME},", "1".repeat(129 - TIME.len() - 2));
    assert_eq!(too_long.len(), 129);
    let messages: [&[u8]; 29] = [
        b"",
        b",",
        b",1708000203824,",
        b" ,1708000203824,",
        b"abc,1708000203824,",
        b"on,1708000203824,",
        b"inf,1708000203824,",
        b"-INF,1708000203824,",
        b"infinity,1708000203824,",
        b"nano,1708000203824,",
        b"0x10,1708000203824,",
        b"--5,1708000203824,",
        b"1.2.3,1708000203824,",
        b"1e,1708000203824,",
        b"e5,1708000203824,",
        b".,1708000203824,",
        b"-,1708000203824,",
        b"1 2,1708000203824,",
        b"12.5",
        b"12.5,",
        b"12.5,,IV",
        b"12.5,-1,",
        b"12.5,1.5,",
        b"12.5,yesterday,",
        b"12,5,1708000203824,",
        b"12.5,1708000203824,I\x01V",
        b"12.5\n,1708000203824,",
        b"\xff\xfe,1708000203824,",
        too_long.as_bytes(),
    ];
    for (n, message) in messages.iter().enumerate() {
        site.publish("p", message);
        site.publish("p", format!("{n},{TIME},"));
        let next = site.subscriber.next("tag/cloud/p/in").payload;
        let shown = String::from_utf8_lossy(message);
        assert_eq!(next, format!("{n},{TIME},1"), "after {shown:?}");
    }
    let counters = site.daemon.counters("cloud");
    assert_eq!(counters.rejected, messages.len() as u64);
    assert_eq!(counters.sent, messages.len() as u64);
}

#[test]
fn a_message_of_128_bytes_is_forwarded() {
    let site = Site::start(cloud().signal("p"));
    let value = "1".repeat(128 - TIME.len() - 2);
    site.publish("p", format!("{value},{TIME},"));
    site.expect("tag/cloud/p/in", &format!("{value},{TIME},1"));
}

#[test]
fn a_rejected_message_is_reported_with_its_channel_at_the_default_debug_level() {
    let site = Site::start_with(cloud().signal("p"), &[]);
    site.publish("p", "rubbish,1708000203824,");
    site.daemon.stderr().wait_for(&["tag/cloud/p/in"]);
}

#[test]
fn a_flood_of_rejected_messages_is_not_a_flood_of_reports() {
    let mut site = Site::start(cloud().signal("p"));
    let rubbish = (0..2000).map(|n| format!("rubbish {n}"));
    site.redis.publish_all(&channel("p"), rubbish);
    site.daemon
        .wait_for_counters("cloud", |now| now.rejected == 2000);
    let reports = site.daemon.stderr().with(&["tag/cloud/p/in"]).len();
    assert!((1..200).contains(&reports), "{reports} lines");
}

#[test]
fn only_the_in_channels_of_enabled_signals_of_enabled_devices_are_subscribed_to() {
    let config = cloud()
        .signal("p")
        .signal("off")
        .with("enable", 0)
        .device("idle")
        .with("enable", 0)
        .signal("p")
        .device("meter")
        .with("protocol", "Modbus RTU")
        .signal("p");
    let site = Site::start(config);
    assert_eq!(site.redis.subscribed_channels(), [config::channel("p")]);
    assert_eq!(site.redis.pattern_subscriptions(), 0);
    for other in [
        "tag/cloud/p/out",
        "tag/cloud/p/rin",
        "tag/cloud/p/rout",
        "tag/INV1/P/in",
    ] {
        assert_eq!(
            site.redis.publish(other, format!("1,{TIME},")),
            0,
            "{other}"
        );
    }
}

#[test]
fn a_table_of_ten_thousand_signals_works() {
    let many = (0..10_000).fold(cloud(), |config: Config, n| config.signal(&format!("s{n}")));
    let site = Site::start(many);
    for n in [0, 1, 4999, 9998, 9999] {
        site.publish(&format!("s{n}"), format!("{n},{TIME},"));
        site.expect(&format!("tag/cloud/s{n}/in"), &format!("{n},{TIME},1"));
    }
    println!("{} KiB with 10,000 signals", site.daemon.resident_kib());
}
