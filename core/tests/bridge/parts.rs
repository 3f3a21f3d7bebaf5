//! What does a bridge have to be made of?

use mqtt_client_core::bridge::assembly::{Block, BrokerSizes, FeedSizes};
use mqtt_client_core::config::{Config, Device, Redis, Secret, Spool};
use mqtt_client_core::mqtt::{QoS, session};
use mqtt_client_core::redis::session::MIN_INPUT;
use mqtt_client_core::routes::TooSmall;

use super::common::rig::with_bridge;
use super::{on, table};

const POWER: &str = "1,1700000000000,0";

#[test]
fn the_samples_of_each_device_go_to_its_broker_past_a_device_that_is_not_enabled() {
    let devices = [
        ("first", on("")),
        ("off", String::new()),
        ("second", on("")),
    ];
    let table = table(
        &devices,
        &[("second", "p", ""), ("off", "p", ""), ("first", "q", "")],
    );
    with_bridge(&table, |rig| {
        rig.settle();
        rig.publish("tag/second/p/in", POWER);
        assert_eq!(rig.brokers.len(), 2);
        assert_eq!([0, 1].map(|broker| rig.delivered(broker).len()), [0, 1]);
        rig.publish("tag/first/q/in", POWER);
        assert_eq!([0, 1].map(|broker| rig.delivered(broker).len()), [1, 1]);
    });
}

#[test]
fn sizes_are_what_the_configuration_needs_or_what_is_wished_if_that_is_more() {
    let config = Config {
        redis: Redis {
            password: Some(Secret::new("0123456789")),
            ..Redis::default()
        },
        spool: Spool::default(),
        devices: &[],
        signals: &[],
    };
    let needed = FeedSizes::of(&config, FeedSizes::default());
    assert_eq!(needed.input, MIN_INPUT);
    assert!(needed.commands > 10, "{needed:?}");
    let wish = FeedSizes {
        input: 1,
        commands: 10_000,
    };
    let sizes = FeedSizes::of(&config, wish);
    assert_eq!((sizes.input, sizes.commands), (MIN_INPUT, 10_000));

    let device = Device {
        alias: "cloud",
        qos: QoS::AtLeastOnce,
        max_inflight: 7,
        ..Device::EMPTY
    };
    let wish = BrokerSizes {
        outbox: 3000,
        input: 100,
        ..BrokerSizes::default()
    };
    let sizes = BrokerSizes::of(&device, wish);
    assert_eq!((sizes.outbox, sizes.in_flight, sizes.input), (3000, 7, 100));
    assert_eq!(sizes.control, session::Session::control_len(&device));
    // A reload makes buffers longer, never shorter.
    let smaller = Device {
        alias: "c",
        max_inflight: 6,
        ..device
    };
    assert_eq!(BrokerSizes::of(&smaller, sizes), sizes);
    let with_buffer = Device {
        buffer_size: Some(2000),
        ..device
    };
    assert_eq!(BrokerSizes::of(&with_buffer, wish).outbox, 2000);
}

#[test]
fn buffers_lie_one_behind_the_other_and_one_byte_less_is_too_small() {
    let sizes = BrokerSizes {
        outbox: 5,
        in_flight: 2,
        input: 3,
        control: 2,
        transmit: 1,
    };
    assert_eq!((sizes.bytes(), sizes.kept_bytes()), (15, 9));
    let mut bytes = [0; 15];
    let storage = sizes.take(&mut Block::new(&mut bytes)).expect("room");
    storage.outbox.fill(1);
    storage.handshakes.fill([2; 2]);
    storage.input.fill(3);
    storage.control.fill(4);
    storage.transmit.fill(5);
    assert_eq!(bytes, [1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 4, 4, 5]);
    let short = sizes.take(&mut Block::new(&mut bytes[..14]));
    assert_eq!(short.err(), Some(TooSmall));

    let sizes = FeedSizes {
        input: 2,
        commands: 2,
    };
    let mut block = Block::new(&mut bytes[..3]);
    assert_eq!(sizes.take(&mut block).err(), Some(TooSmall));
}
