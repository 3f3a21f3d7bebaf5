//! How does a board come back?

use std::net::Ipv4Addr;

use mqtt_client_bare::Status;

use super::one_device;
use super::rig::{BOARD, BROKERS, REDIS, Rig, lease};
use crate::common::host::{HOST, NOBODY};

const BROKER: u16 = BROKERS[0];

/// The longest delay before an attempt to connect, and some seconds for the attempt.
const COMES_BACK: u64 = 40_000;

/// A board that has been online for long enough to try again at once.
fn online(keys: &str) -> Rig {
    let mut rig = Rig::new(&one_device(keys));
    rig.until_online(100);
    rig.pass(70_000);
    rig
}

/// Says something, and sees it arrive.
fn works(rig: &mut Rig) {
    let payload = format!("{},1", rig.now());
    let before = rig.delivered(0).len();
    assert!(rig.publish("tag/cloud/p/in", &payload), "it is subscribed");
    rig.until(1000, |rig| rig.delivered(0).len() > before);
    assert_eq!(
        rig.delivered(0).last(),
        Some(&format!("{payload},1").as_str())
    );
}

#[test]
fn a_reset_is_followed_by_a_new_connection_at_once() {
    for port in [REDIS, BROKER] {
        let mut rig = online(r#", "mqtt_qos": 1"#);
        rig.reset(port);
        rig.pass(20);
        assert_eq!(rig.status(), Status::Online, "port {port}");
        works(&mut rig);
    }
}

#[test]
fn a_server_that_starts_again_is_found() {
    for (number, missing) in [(0, Status::NoRedis), (1, Status::NoBroker)] {
        let mut rig = online(r#", "mqtt_qos": 1"#);
        rig.up[number] = false;
        rig.pass(120_000);
        assert_eq!(rig.status(), missing);
        rig.up[number] = true;
        rig.until_online(COMES_BACK);
        works(&mut rig);
    }
}

#[test]
fn a_message_in_flight_when_the_broker_falls_arrives_exactly_once() {
    for acknowledges in [true, false] {
        let mut rig = online(r#", "mqtt_qos": 2, "enable_threshold": 0"#);
        rig.brokers[0].acknowledges = acknowledges;
        for value in 0..5 {
            rig.publish("tag/cloud/p/in", &format!("{value},1"));
            rig.pass(3);
        }
        rig.reset(BROKER);
        rig.brokers[0].acknowledges = true;
        rig.until(1000, |rig| rig.counters(0).acknowledged == 5);
        assert_eq!(
            rig.delivered(0),
            ["0,1,1", "1,1,1", "2,1,1", "3,1,1", "4,1,1"]
        );
    }
}

#[test]
fn nonsense_from_a_server_costs_its_connection_and_nothing_else() {
    for port in [REDIS, BROKER] {
        for nonsense in [
            &[b'+'; 4000][..],
            &[0xff; 4000],
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            &[0; 64],
        ] {
            eprintln!("port {port}: {}", nonsense[..8].escape_ascii());
            let mut rig = online(r#", "mqtt_qos": 1"#);
            rig.say(port, nonsense);
            // Some of it may be the beginning of something, which shows when a PING is not answered.
            rig.pass(60_000);
            rig.until_online(COMES_BACK);
            works(&mut rig);
        }
    }
}

#[test]
fn a_server_that_falls_silent_is_left_and_found_again() {
    let mut rig = online(r#", "mqtt_qos": 1, "keep_alive": 10"#);
    rig.brokers[0].answers_pings = false;
    rig.until(20_000, |rig| rig.status() == Status::NoBroker);
    rig.brokers[0].answers_pings = true;
    rig.until_online(COMES_BACK);

    rig.redis.answers = false;
    rig.until(40_000, |rig| rig.status() == Status::NoRedis);
    rig.redis.answers = true;
    rig.until_online(COMES_BACK);
    works(&mut rig);
}

#[test]
fn a_cable_that_is_pulled_for_a_moment_costs_no_connection() {
    let mut rig = online(r#", "mqtt_qos": 1"#);
    pull(&mut rig, 10_000);
    rig.until_online(100);
    works(&mut rig);
    assert_eq!(rig.brokers[0].connects.len(), 1);
    assert_eq!(rig.counters(0).reconnects, 0);
}

#[test]
fn a_cable_that_is_pulled_for_long_is_followed_by_new_connections() {
    let mut rig = online(r#", "mqtt_qos": 1"#);
    // The host has forgotten the old ones.
    rig.reset(REDIS);
    rig.reset(BROKER);
    pull(&mut rig, 600_000);
    rig.until_online(COMES_BACK);
    works(&mut rig);
}

#[test]
fn plugged_into_another_network_a_board_connects_at_once() {
    let mut rig = online(r#", "mqtt_qos": 1"#);
    rig.set_cable(false);
    rig.pass(1000);
    rig.host.dhcp.lease = Some(lease(Ipv4Addr::new(10, 0, 0, 8)));
    rig.set_cable(true);
    rig.until(1000, |rig| rig.runner.address() != Some(BOARD));
    rig.until_online(500);
    works(&mut rig);
}

#[test]
fn a_cable_of_which_the_board_knows_nothing_may_be_pulled_too() {
    let mut rig = online(r#", "mqtt_qos": 1, "keep_alive": 10"#);
    rig.cable.borrow_mut().set_unplugged(true);
    rig.pass(120_000);
    assert_eq!(rig.status(), Status::NoRedis);
    rig.cable.borrow_mut().set_unplugged(false);
    rig.until_online(2 * COMES_BACK);
    works(&mut rig);
}

#[test]
fn a_lease_that_ends_and_another_that_begins_are_lived_through() {
    let mut rig = online(r#", "mqtt_qos": 1"#);
    rig.host.dhcp.lease = None;
    rig.until(700_000, |rig| rig.status() == Status::NoAddress);
    assert_eq!(rig.runner.address(), None);
    // However long it takes: the board does not count attempts that it cannot make.
    rig.pass(3_600_000);
    let other = Ipv4Addr::new(10, 0, 0, 8);
    rig.host.dhcp.lease = Some(lease(other));
    let took = rig.until_online(10_000);
    assert!(took < 6_000, "{took} ms");
    assert_eq!(rig.runner.address(), Some(other));
    works(&mut rig);
}

#[test]
fn another_address_of_the_same_server_is_lived_through() {
    let mut rig = online(r#", "mqtt_qos": 1"#);
    rig.host.dhcp.lease = Some(lease(Ipv4Addr::new(10, 0, 0, 8)));
    rig.until(400_000, |rig| {
        rig.runner.address() != Some(BOARD) && rig.runner.address().is_some()
    });
    rig.until_online(2000);
    works(&mut rig);
}

#[test]
fn a_broker_that_moves_is_found_at_its_new_address() {
    let mut rig = Rig::new(&one_device(""));
    rig.host.dns.know("broker.example", &[NOBODY]);
    rig.pass(100_000);
    assert_eq!(rig.status(), Status::NoBroker);
    rig.host.dns.know("broker.example", &[HOST]);
    // One more attempt at the old address may be under way.
    rig.until_online(2 * COMES_BACK);
    works(&mut rig);
}

#[test]
fn of_two_addresses_the_one_that_answers_is_found() {
    let mut rig = Rig::new(&one_device(""));
    rig.host.dns.know("broker.example", &[NOBODY, HOST]);
    rig.until_online(COMES_BACK);
    works(&mut rig);
}

#[test]
fn a_dns_server_that_is_away_delays_redis_by_nothing() {
    let mut rig = Rig::new(&one_device(""));
    rig.host.dns.answers = false;
    rig.pass(1000);
    assert_eq!(
        rig.status(),
        Status::NoBroker,
        "Redis is an address, and online"
    );
    rig.pass(100_000);
    rig.host.dns.answers = true;
    rig.until_online(COMES_BACK);
    works(&mut rig);
}

fn pull(rig: &mut Rig, millis: u64) {
    rig.set_cable(false);
    rig.pass(millis);
    assert_eq!(rig.status(), Status::NoCable);
    rig.set_cable(true);
}
