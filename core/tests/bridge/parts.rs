//! What does a bridge have to be made of?

use mqtt_client_core::bridge::Mismatched;

use super::common::rig::with_brokers;
use super::{on, table};

#[test]
fn each_enabled_device_has_to_have_its_broker_at_its_place() {
    let devices = [
        ("first", on("")),
        ("off", String::new()),
        ("second", on("")),
    ];
    let table = table(&devices, &[("first", "p", ""), ("second", "p", "")]);
    with_brokers(&table, |_| {}, |rig| assert!(rig.is_ok()));
    with_brokers(
        &table,
        |brokers| brokers.swap(0, 1),
        |rig| assert_eq!(rig.err(), Some(Mismatched)),
    );
    for missing in 0..2 {
        with_brokers(
            &table,
            |brokers| drop(brokers.remove(missing)),
            |rig| assert_eq!(rig.err(), Some(Mismatched)),
        );
    }
}
