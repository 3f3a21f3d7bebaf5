//! What is logged?

use mqtt_client_bare::Addressing;

use super::one_device;
use super::rig::{Rig, start};
use crate::common::cable::{Cable, Clock};
use crate::models::logbook;

#[test]
fn every_finding_in_the_configuration_is_logged() {
    logbook::open();
    let table = one_device(r#", "mqtt_qos": 3, "mqtt_version": "5", "colour": "red""#)
        .replace("10.0.0.1", "localhost");
    let (_, [device, _]) = Cable::new(Clock::default(), 1);
    assert!(start(&table, Addressing::Dhcp, device, 1).is_err());
    assert_eq!(
        logbook::lines(),
        [
            r#"ERROR configuration: redis.host: "localhost" is this machine itself, which has no servers"#,
            "ERROR configuration: devices[0].mqtt_qos: 3 is not in 0..2",
            "ERROR configuration: devices[0].mqtt_version: built without MQTT 5",
            "WARN configuration: devices[0].colour: unknown key, ignored",
        ]
    );
}

#[test]
fn what_does_not_fit_is_logged_with_the_room_that_there_is() {
    logbook::open();
    let password = "x".repeat(500);
    let table = one_device(r#", "buffer_size": 9000, "client_id": "a""#).replace(
        r#""host": "10.0.0.1""#,
        &format!(r#""host": "10.0.0.1", "password": "{password}""#),
    );
    let (_, [device, _]) = Cable::new(Clock::default(), 1);
    assert!(start(&table, Addressing::Dhcp, device, 1).is_err());
    assert_eq!(
        logbook::lines(),
        [
            "WARN configuration: redis.password: goes out in the clear: use a network of your own, or a VPN",
            "ERROR configuration: redis: limit reached: room for 512 bytes of one command (user name, password)",
            "ERROR configuration: devices[0].buffer_size: limit reached: room for 8192 bytes of samples of all devices",
        ]
    );
}

#[test]
fn a_life_is_told_in_a_few_lines() {
    let mut rig = Rig::new(&one_device(""));
    logbook::open();
    rig.until_online(100);
    rig.set_cable(false);
    rig.pass(1000);
    rig.set_cable(true);
    rig.pass(1000);
    rig.host.dhcp.lease = None;
    rig.pass(700_000);
    let lines: Vec<_> = logbook::lines()
        .into_iter()
        .filter(|line| !line.starts_with("TRACE") && !line.starts_with("DEBUG"))
        .collect();
    assert_eq!(
        lines,
        [
            "INFO network: address 10.0.0.7/24, router 10.0.0.1, DNS 10.0.0.1",
            "INFO redis: connected to 10.0.0.1:6379 (10.0.0.1)",
            "INFO redis: subscribed to 2 channels",
            "INFO cloud: connected to broker.example:1883 (10.0.0.1)",
            "INFO cloud: online, MQTT 3.1.1, session new, 0 to repeat, 0 queued",
            "WARN network: the cable is unplugged",
            "INFO network: the cable is plugged in",
            "WARN network: the address is gone: its lease has ended",
            "WARN redis: 10.0.0.1:6379: this board's address is gone; next try at once",
            "WARN cloud: broker.example:1883: this board's address is gone; next try at once",
        ]
    );
}
