//! Which channels are found, and which samples are news?

use std::format;
use std::string::String;
use std::vec;
use std::vec::Vec;

use super::*;
use crate::config::Redis;
#[cfg(feature = "spool")]
use crate::config::Spool;
use crate::redis::session::Channels as _;

/// Two devices, and two signals of each.
fn tables() -> ([Device<'static>; 2], [Signal<'static>; 4]) {
    let device = |alias| Device {
        alias,
        ..Device::EMPTY
    };
    let signal = |device, alias| Signal {
        device,
        alias,
        ..Signal::EMPTY
    };
    (
        [device("cloud"), device("spare")],
        [
            signal(0, "p"),
            signal(0, "q"),
            signal(1, "p"),
            signal(1, "q"),
        ],
    )
}

/// Calls `test` with routes for these tables.
fn with_routes(devices: &[Device<'_>], signals: &[Signal<'_>], test: impl FnOnce(Routes<'_>)) {
    let config = Config {
        redis: Redis::default(),
        #[cfg(feature = "spool")]
        spool: Spool::default(),
        devices,
        signals,
    };
    let mut slots = vec![0; Index::slots_for(signals.len())];
    let mut last = vec![LastSample::NOTHING; signals.len()];
    test(Routes::new(&config, &mut slots, &mut last).expect("room"));
}

fn sample(message: &str) -> Sample<'_> {
    Sample::parse(message.as_bytes()).expect("well-formed")
}

#[test]
fn the_signals_channels_are_found_and_no_others() {
    let (devices, signals) = tables();
    with_routes(&devices, &signals, |routes| {
        for (channel, number) in [
            ("tag/cloud/p/in", Some(0)),
            ("tag/cloud/q/in", Some(1)),
            ("tag/spare/p/in", Some(2)),
            ("tag/spare/q/in", Some(3)),
            ("tag/spare/r/in", None),
            ("tag/cloud/p/out", None),
            ("tag/cloud/p/in/", None),
            ("tag/cloud/p/i", None),
            ("tag/Cloud/p/in", None),
            ("xtag/cloud/p/in", None),
            ("", None),
        ] {
            assert_eq!(routes.find(channel.as_bytes()), number, "{channel:?}");
        }
    });
}

#[test]
fn the_same_channels_are_subscribed_to() {
    let (devices, signals) = tables();
    let config = Config {
        redis: Redis::default(),
        #[cfg(feature = "spool")]
        spool: Spool::default(),
        devices: &devices,
        signals: &signals,
    };
    let channels = &config;
    let channels: Vec<_> = (0..channels.count() + 2)
        .filter_map(|number| Some((number, channels.channel(number)?.concat())))
        .collect();
    let names = ["cloud/p", "cloud/q", "spare/p", "spare/q"];
    let expected = names.map(|name| format!("tag/{name}/in").into_bytes());
    assert_eq!(channels, Vec::from_iter((0..).zip(expected)));
}

#[test]
fn every_signal_of_a_large_table_is_found() {
    let aliases: Vec<String> = (0..2000).map(|number| format!("signal{number}")).collect();
    let devices = [Device {
        alias: "d",
        ..Device::EMPTY
    }];
    let signals: Vec<Signal<'_>> = aliases
        .iter()
        .map(|alias| Signal {
            alias,
            ..Signal::EMPTY
        })
        .collect();
    with_routes(&devices, &signals, |routes| {
        for (alias, number) in aliases.iter().zip(0..) {
            assert_eq!(
                routes.find(format!("tag/d/{alias}/in").as_bytes()),
                Some(number)
            );
        }
    });
}

#[test]
fn storage_that_is_too_small_is_refused() {
    let (devices, signals) = tables();
    let config = Config {
        redis: Redis::default(),
        #[cfg(feature = "spool")]
        spool: Spool::default(),
        devices: &devices,
        signals: &signals,
    };
    for (slots, last, fits) in [
        (7, 4, true),
        (4, 4, true),
        (3, 4, false),
        (0, 4, false),
        (7, 3, false),
    ] {
        let mut slots = vec![0; slots];
        let mut last = vec![LastSample::NOTHING; last];
        assert_eq!(
            Routes::new(&config, &mut slots, &mut last).is_ok(),
            fits,
            "{slots:?} {last:?}"
        );
    }
}

#[test]
fn a_sample_repeats_the_last_one_if_value_text_and_quality_are_equal() {
    let long = "1".repeat(31);
    let longer = "1".repeat(32);
    let other = format!("{}2", "1".repeat(30));
    for (first, second, repetition) in [
        ("12.5,1", "12.5,1", true),
        ("12.5,1", "12.5,2,cot=3", true),
        ("12.5,1", "12.50,1", false),
        ("12.5,1", "+12.5,1", false),
        ("12.5,1", "1.5,1", false),
        ("12.5,1,iv", "12.5,2,OV", true),
        ("12.5,1", "12.5,2,iv", false),
        ("12.5,1,iv", "12.5,2", false),
        ("nan,1", "nan,2", true),
        ("nan,1", "NaN,2", false),
        (
            &format!("{},1", &long[1..]),
            &format!("{},2", &long[1..]),
            true,
        ),
        (&format!("{long},1"), &format!("{long},2"), true),
        (&format!("{long},1"), &format!("{other},2"), false),
        (&format!("{long},1"), &format!("{longer},2"), false),
        (&format!("{long},1"), &format!("{},2", &long[1..]), false),
    ] {
        let (devices, signals) = tables();
        with_routes(&devices, &signals, |mut routes| {
            assert!(
                !routes.is_repetition(0, &sample(first)),
                "the first sample is news"
            );
            routes.remember(0, &sample(first));
            assert_eq!(
                routes.is_repetition(0, &sample(second)),
                repetition,
                "{second} after {first}"
            );
        });
    }
}

#[test]
fn values_of_every_length_are_told_apart_in_every_byte() {
    for len in 1..=126 {
        let value = "7".repeat(len);
        let message = format!("{value},1");
        let mut last = LastSample::NOTHING;
        last.remember(&sample(&message));
        assert!(last.says(&sample(&message)), "{len}");
        for place in 0..len {
            let mut other = message.clone();
            other.replace_range(place..=place, "8");
            assert!(!last.says(&sample(&other)), "{len} bytes, byte {place}");
        }
    }
}

#[test]
fn a_forgotten_sample_is_news_again_and_no_other_signals_is() {
    let (devices, signals) = tables();
    with_routes(&devices, &signals, |mut routes| {
        for number in [0, 1] {
            routes.remember(number, &sample("1,2"));
        }
        routes.forget(0);
        assert!(!routes.is_repetition(0, &sample("1,2")));
        assert!(routes.is_repetition(1, &sample("1,2")));
    });
}

#[test]
fn a_topic_that_is_set_aside_is_so_for_its_signals_until_it_is_taken_back() {
    let (devices, mut signals) = tables();
    let topic = Some("plant/p");
    (signals[0].topic, signals[1].topic) = (topic, topic);
    assert_eq!(signals[0].device, signals[1].device);
    with_routes(&devices, &signals, |mut routes| {
        routes.set_aside(0);
        routes.remember(0, &sample("1,2"));
        routes.forget(1);
        routes.set_aside(u32::MAX);
        let all = |routes: &Routes<'_>| [0, 1, 2, 3].map(|number| routes.is_aside(number));
        assert_eq!(all(&routes), [true, true, false, false]);
        assert!(routes.is_repetition(0, &sample("1,2")));
        routes.forget_all(signals[0].device);
        assert_eq!(all(&routes), [true, true, false, false]);
        routes.take_back(signals[0].device);
        assert_eq!(all(&routes), [false; 4]);
    });
}

#[test]
fn a_signal_that_is_not_there_has_no_memory() {
    let (devices, signals) = tables();
    with_routes(&devices, &signals, |mut routes| {
        for number in [4, u32::MAX] {
            routes.remember(number, &sample("1,2"));
            routes.forget(number);
            assert!(!routes.is_repetition(number, &sample("1,2")));
            assert_eq!(routes.signal(number), None);
        }
    });
}

#[test]
fn the_memory_of_a_sample_has_32_bytes() {
    assert_eq!(size_of::<LastSample>(), 32);
}
