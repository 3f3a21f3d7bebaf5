//! What goes on when the configuration changes?

use mqtt_client_core::bridge::reload::{Kept, Origin, Reload, carry_last};
use mqtt_client_core::config::{
    Auth, Config, Credentials, Device, Payload, Redis, Secret, Signal, Spool, Version, Will,
};
use mqtt_client_core::index::Index;
use mqtt_client_core::mqtt::QoS;
use mqtt_client_core::routes::{LastSample, Routes};
use mqtt_client_core::sample::Sample;

const CLOUD: Device<'_> = Device {
    row: 1,
    name: "Cloud",
    alias: "cloud",
    host: "broker",
    ..Device::EMPTY
};

const POWER: Signal<'_> = Signal {
    name: "Power",
    alias: "p",
    ..Signal::EMPTY
};

fn config<'a>(devices: &'a [Device<'a>], signals: &'a [Signal<'a>]) -> Config<'a> {
    Config {
        redis: Redis::default(),
        spool: Spool::default(),
        devices,
        signals,
    }
}

/// Compares the configurations, whose devices' bytes are carried as before.
fn with_reload(old: &Config<'_>, new: &Config<'_>, check: impl FnOnce(&Reload<'_>)) {
    let mut slots = vec![0; Index::slots_for(new.signals.len())];
    check(&Reload::new(old, new, &mut slots));
}

fn kept(old: Device<'_>, new: Device<'_>, is_same_way: bool) -> Option<Kept> {
    let (old, new) = ([old], [new]);
    let mut kept = None;
    with_reload(&config(&old, &[]), &config(&new, &[]), |reload| {
        let origin = reload.origin(&new[0], |_| is_same_way);
        kept = origin.map(|origin| origin.kept);
    });
    kept
}

#[test]
fn how_much_of_a_broker_goes_on_is_decided_by_what_has_changed_of_its_device() {
    let will = Will {
        topic: "will",
        message: "",
        qos: QoS::AtMostOnce,
        retain: false,
    };
    let credentials = Credentials {
        username: "u",
        password: Some(Secret::new("p")),
    };
    let cases = [
        (Some(Kept::Connection), CLOUD),
        // Its place in the file does not count.
        (Some(Kept::Connection), Device { row: 7, ..CLOUD }),
        (Some(Kept::Session), Device { name: "x", ..CLOUD }),
        (
            Some(Kept::Session),
            Device {
                keep_alive: 5,
                ..CLOUD
            },
        ),
        (
            Some(Kept::Session),
            Device {
                threshold: false,
                ..CLOUD
            },
        ),
        (
            Some(Kept::Session),
            Device {
                max_inflight: 1,
                ..CLOUD
            },
        ),
        (
            Some(Kept::Session),
            Device {
                will: Some(will),
                ..CLOUD
            },
        ),
        (
            Some(Kept::Session),
            Device {
                auth: Auth::Password(credentials),
                ..CLOUD
            },
        ),
        (Some(Kept::Samples), Device { host: "x", ..CLOUD }),
        (Some(Kept::Samples), Device { port: 1, ..CLOUD }),
        (
            Some(Kept::Samples),
            Device {
                client_id: Some("x"),
                ..CLOUD
            },
        ),
        (
            Some(Kept::Samples),
            Device {
                version: Version::V3_1_1,
                ..CLOUD
            },
        ),
        (
            Some(Kept::Samples),
            Device {
                qos: QoS::AtLeastOnce,
                ..CLOUD
            },
        ),
        (
            Some(Kept::Samples),
            Device {
                retain: true,
                ..CLOUD
            },
        ),
        (
            Some(Kept::Samples),
            Device {
                buffer_size: Some(4096),
                ..CLOUD
            },
        ),
        (
            Some(Kept::Samples),
            Device {
                payload: Payload::Json,
                ..CLOUD
            },
        ),
        (
            None,
            Device {
                alias: "other",
                ..CLOUD
            },
        ),
    ];
    for (expected, device) in cases {
        assert_eq!(kept(CLOUD, device, true), expected, "{device:?}");
    }
    // A certificate is another, in a file of the same name.
    assert_eq!(kept(CLOUD, CLOUD, false), Some(Kept::Session));
}

#[test]
fn a_signal_is_known_by_its_channel_wherever_it_stands() {
    let gateway = Device {
        alias: "gateway",
        ..CLOUD
    };
    let old_devices = [CLOUD, gateway];
    let new_devices = [gateway, CLOUD];
    let named = |alias, device| Signal {
        alias,
        device,
        ..POWER
    };
    let old_signals = [
        named("p", 0),
        named("q", 0),
        named("gone", 0),
        named("p", 1),
        named("r", 0),
    ];
    let moved = Signal {
        topic: Some("plant/q"),
        ..named("q", 1)
    };
    // Another signal has its topic now, and its messages say whose they are.
    let shared = Signal {
        is_named: true,
        ..named("r", 1)
    };
    let new_signals = [named("p", 0), moved, named("new", 1), named("p", 1), shared];
    let old = config(&old_devices, &old_signals);
    let new = config(&new_devices, &new_signals);
    with_reload(&old, &new, |reload| {
        let origins = new_devices.map(|device| reload.origin(&device, |_| true));
        assert_eq!(
            origins.map(|origin| origin.map(|origin| origin.device)),
            [Some(1), Some(0)]
        );
        let successors = [0, 1, 2, 3, 4].map(|signal| reload.successor(signal, &origins));
        let seen = successors.map(|successor| {
            successor.map(|successor| {
                let signal = successor.signal;
                (signal.number, signal.has_moved, successor.is_unchanged)
            })
        });
        let expected = [
            Some((3, false, true)),
            Some((1, true, false)),
            None,
            Some((0, false, true)),
            Some((4, true, false)),
        ];
        assert_eq!(seen, expected);
        assert_eq!(reload.successor(5, &origins), None);

        // Nothing is remembered where the samples go another way.
        let begun_anew = origins.map(|origin| {
            origin.map(|origin| Origin {
                kept: Kept::Samples,
                ..origin
            })
        });
        for origins in [begun_anew, [None; 2]] {
            let successor = reload.successor(0, &origins);
            assert!(successor.is_some_and(|successor| !successor.is_unchanged));
        }

        let mut left = Vec::new();
        let unfinished = ["tag/cloud/p/in", "tag/old/p/in"];
        reload.for_each_left(&unfinished, |pieces| left.push(pieces.concat()));
        assert_eq!(left, ["tag/cloud/gone/in", "tag/old/p/in"]);

        // What the signals last said goes with them.
        let sample = Sample::parse(b"1,1").expect("a sample");
        let mut last = [LastSample::NOTHING; 5];
        let mut slots = [0; Index::slots_for(5)];
        let mut routes = Routes::new(&old, &mut slots, &mut last).expect("room");
        (0..5).for_each(|number| routes.remember(number, &sample));
        let mut new_last = [LastSample::NOTHING; 5];
        carry_last(&successors, &last, &mut new_last);
        let said = new_last.map(|last| last != LastSample::NOTHING);
        assert_eq!(said, [true, false, false, true, false]);
    });
}

#[test]
fn the_connection_to_redis_goes_on_if_its_block_is_the_same() {
    let old = config(&[], &[]);
    with_reload(&old, &old, |reload| assert!(reload.keeps_feed()));
    let mut new = old;
    new.redis.database = 1;
    with_reload(&old, &new, |reload| assert!(!reload.keeps_feed()));
}
