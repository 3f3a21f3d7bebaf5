//! What outlives a reset? What waits in flash.

use mqtt_client_bare::flash::Flash;
use mqtt_client_bare::{Addressing, NotStarted};

use super::rig::{Rig, start_with};
use super::{one_device, table};
use crate::common::cable::{Cable, Clock};
use crate::nor::Nor;

const SECTOR: usize = 16 * 1024;
const SECTORS: usize = 8;
const SPOOLED: &str = r#", "mqtt_qos": 1, "enable_threshold": 0, "spool_size": 131072"#;

fn flash(nor: &Nor<SECTOR>) -> Flash<Nor<SECTOR>, SECTORS> {
    nor.restore();
    Flash::new(nor.clone())
}

/// Publishes these, with a turn after each few.
fn publish(rig: &mut Rig, samples: std::ops::Range<u32>) {
    for n in samples {
        assert!(rig.publish("tag/cloud/p/in", &format!("{n},1000")));
        if n % 4 == 0 {
            rig.pass(1);
        }
    }
}

fn expected(samples: std::ops::Range<u32>) -> Vec<String> {
    samples.map(|n| format!("{n},1000,1")).collect()
}

#[test]
fn what_waited_for_longer_than_the_flush_interval_is_sent_after_a_reset_and_sent_once() {
    // Fewer than there is memory for, and many more.
    for count in [20, 2000] {
        let nor = Nor::new(SECTORS, 1);
        let table = one_device(SPOOLED);
        let mut rig = Rig::with_flash(&table, flash(&nor));
        rig.until_online(100);
        rig.up[1] = false;
        publish(&mut rig, 0..count);
        rig.pass(11_000);
        // And these were accepted a moment ago.
        publish(&mut rig, count..count + 5);
        drop(rig);
        let mut rig = Rig::with_flash(&table, flash(&nor));
        rig.until_online(100);
        rig.pass(20_000);
        assert_eq!(rig.delivered(0), expected(0..count), "{count}");
        drop(rig);
        let mut rig = Rig::with_flash(&table, flash(&nor));
        rig.until_online(100);
        rig.pass(20_000);
        assert_eq!(rig.delivered(0).len(), 0, "{count}");
    }
}

#[test]
fn what_waits_while_the_cable_is_out_is_written_too() {
    let nor = Nor::new(SECTORS, 1);
    let table = one_device(SPOOLED);
    let mut rig = Rig::with_flash(&table, flash(&nor));
    rig.until_online(100);
    rig.up[1] = false;
    publish(&mut rig, 0..20);
    rig.pass(10);
    rig.set_cable(false);
    rig.pass(60_000);
    drop(rig);
    let mut rig = Rig::with_flash(&table, flash(&nor));
    rig.until_online(100);
    rig.pass(1000);
    assert_eq!(rig.delivered(0), expected(0..20));
}

#[test]
fn a_power_cut_at_any_word_and_any_erase_loses_nothing_that_was_accepted_in_time() {
    let table = one_device(SPOOLED);
    for cut in (0..1500).step_by(13) {
        println!("cut {cut}");
        let nor = Nor::new(SECTORS, 1 + u64::from(cut));
        let mut rig = Rig::with_flash(&table, flash(&nor));
        rig.until_online(100);
        rig.up[1] = false;
        publish(&mut rig, 0..20);
        rig.pass(11_000);
        nor.cut_in(cut);
        for round in 0..20 {
            publish(&mut rig, 20 + 40 * round..60 + 40 * round);
            if nor.is_cut() {
                break;
            }
        }
        drop(rig);
        let mut rig = Rig::with_flash(&table, flash(&nor));
        rig.until_online(100);
        rig.pass(20_000);
        let delivered = rig.delivered(0);
        let sent = delivered.len() as u32;
        assert!(sent >= 20, "{delivered:?}");
        assert_eq!(delivered, expected(0..sent));
    }
}

#[test]
fn nothing_is_written_while_the_broker_acknowledges_in_time() {
    let nor = Nor::new(SECTORS, 1);
    let mut rig = Rig::with_flash(&one_device(SPOOLED), flash(&nor));
    rig.until_online(100);
    for n in 0..100 {
        publish(&mut rig, n..n + 1);
        rig.pass(1000);
    }
    assert_eq!(rig.delivered(0).len(), 100);
    assert_eq!(nor.changes(), 0);
}

#[test]
fn a_spool_that_the_flash_has_no_room_for_is_refused() {
    for (sizes, starts) in [
        // The region is the most.
        ([65_536, 0], true),
        ([131_072, 0], true),
        ([131_073, 0], false),
        ([65_536, 65_536], true),
        ([65_536, 65_537], false),
    ] {
        let keys = sizes.map(|size| format!(r#", "spool_size": {size}"#));
        let table = table(&[("cloud", 1883, &keys[0]), ("scada", 1884, &keys[1])]);
        let nor = Nor::new(SECTORS, 1);
        let (_cable, [device, _end]) = Cable::new(Clock::default(), 1);
        let runner = start_with(&table, Addressing::Dhcp, device, 1, flash(&nor));
        let expected = if starts {
            None
        } else {
            Some(NotStarted::Configuration)
        };
        assert_eq!(runner.err(), expected, "{sizes:?}");
    }
}

#[test]
fn a_spool_is_two_sectors_at_least() {
    const LARGE: usize = 128 * 1024;
    for (size, starts) in [(65_536, false), (262_143, false), (262_144, true)] {
        let table = one_device(&format!(r#", "spool_size": {size}"#));
        let (_cable, [device, _end]) = Cable::new(Clock::default(), 1);
        let flash = Flash::<_, SECTORS>::new(Nor::<LARGE>::new(SECTORS, 1));
        let runner = start_with(&table, Addressing::Dhcp, device, 1, flash);
        assert_eq!(runner.is_ok(), starts, "{size}");
    }
}

#[test]
fn a_board_without_flash_refuses_a_spool() {
    let (_cable, [device, _end]) = Cable::new(Clock::default(), 1);
    let runner = super::rig::start(&one_device(SPOOLED), Addressing::Dhcp, device, 1);
    assert_eq!(runner.err(), Some(NotStarted::Configuration));
}
