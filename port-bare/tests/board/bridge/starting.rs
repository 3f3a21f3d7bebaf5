//! With what does a board start, and with what does it refuse to?

use mqtt_client_bare::{Addressing, Instant, Memory, NotStarted, Runner, Status, memory_type};

use super::rig::{BOARD, Rig, SIZES, lease, setup, start};
use super::{one_device, table};
use crate::common::cable::{Cable, Clock};

fn refusal(table: &str) -> Option<NotStarted> {
    let (_, [device, _]) = Cable::new(Clock::default(), 1);
    start(table, Addressing::Dhcp, device, 1).err()
}

#[test]
fn from_the_cable_to_the_broker_its_status_says_what_is_missing() {
    let mut rig = Rig::new(&one_device(""));
    rig.up = [false; 3];
    rig.host.dhcp.lease = None;
    rig.set_cable(false);
    rig.pass(10);
    assert_eq!(rig.status(), Status::NoCable);
    rig.set_cable(true);
    rig.pass(10);
    assert_eq!(rig.status(), Status::NoAddress);
    rig.host.dhcp.lease = Some(lease(BOARD));
    rig.pass(10_000);
    assert_eq!(rig.status(), Status::NoRedis);
    rig.up[0] = true;
    rig.pass(40_000);
    assert_eq!(rig.status(), Status::NoBroker);
    rig.up = [true; 3];
    rig.pass(40_000);
    assert_eq!(rig.status(), Status::Online);
}

#[test]
fn a_board_is_online_some_milliseconds_after_its_start() {
    let mut leased = Rig::new(&one_device(""));
    let mut given = Rig::with_static_address(&one_device(", \"client_id\": \"given\""));
    given.host.dns.answers = false;
    assert!(leased.until_online(100) < 30);
    // Its one broker is a name, and nobody has named a DNS server.
    given.pass(1000);
    assert_eq!(given.status(), Status::NoBroker);
}

#[test]
fn a_wrong_configuration_is_refused() {
    for (what, table) in [
        ("no JSON", "{".to_string()),
        ("a value out of range", one_device(r#", "mqtt_qos": 3"#)),
        ("MQTT 5", one_device(r#", "mqtt_version": "5""#)),
        ("more devices than there is room for", table(&[("a", 1, ""), ("b", 2, ""), ("c", 3, "")])),
        ("more samples than there is room for", one_device(r#", "buffer_size": 16384"#)),
        ("a Last Will over the room for CONNECT", {
            let message = "x".repeat(600);
            one_device(&format!(
                r#", "use_last_will": 1, "last_will_topic": "t", "last_will_message": "{message}""#
            ))
        }),
        ("no Redis", one_device("").replace(r#""host": "10.0.0.1""#, "")),
        ("a Redis on the board", one_device("").replace("10.0.0.1", "127.0.0.1")),
        ("TLS", one_device("").replace(
            r#""auth": "none""#,
            r#""auth": "tls", "ca_certificate": "a", "client_certificate": "b", "client_key": "c""#,
        )),
    ] {
        assert_eq!(refusal(&table), Some(NotStarted::Configuration), "{what}");
    }
}

#[test]
fn without_an_enabled_device_there_is_nothing_to_do() {
    let table = one_device("").replace(r#""enable": 1"#, r#""enable": 0"#);
    assert_eq!(refusal(&table), Some(NotStarted::NothingToDo));
}

#[test]
fn devices_share_the_memory_for_samples_as_they_say() {
    // There are 8192 bytes.
    for (sizes, fits) in [
        (["", ""], true),
        ([r#", "buffer_size": 7168"#, ""], true),
        ([r#", "buffer_size": 7169"#, ""], false),
        (
            [r#", "buffer_size": 4096"#, r#", "buffer_size": 4096"#],
            true,
        ),
        (
            [r#", "buffer_size": 4096"#, r#", "buffer_size": 4097"#],
            false,
        ),
    ] {
        let table = table(&[("a", 1883, sizes[0]), ("b", 1884, sizes[1])]);
        assert_eq!(refusal(&table).is_none(), fits, "{sizes:?}");
    }
}

#[test]
fn a_device_that_is_not_enabled_takes_no_memory_for_samples() {
    let both = table(&[("a", 1883, r#", "buffer_size": 8192"#), ("b", 1884, "")]);
    assert_eq!(refusal(&both), Some(NotStarted::Configuration));
    let alone = both.replace(r#""b", "enable": 1"#, r#""b", "enable": 0"#);
    assert_eq!(refusal(&alone), None);
}

#[test]
fn what_a_board_says_of_itself_must_fit() {
    let valid = setup(&one_device(""), Addressing::Dhcp, 1);
    let mut of_a_group = valid;
    of_a_group.network.mac[0] |= 1;
    let mut larger_than_its_memory = valid;
    larger_than_its_memory.sizes.outbox += 4000;
    for (setup, expected) in [
        (valid, None),
        (of_a_group, Some(NotStarted::Mac)),
        (larger_than_its_memory, Some(NotStarted::Sizes)),
    ] {
        let mut memory: memory_type!(SIZES) = Memory::new();
        let (_, [device, _]) = Cable::new(Clock::default(), 1);
        let runner = Runner::new(&mut memory, &setup, device, Instant::from_millis(0));
        assert_eq!(runner.err(), expected);
    }
}
