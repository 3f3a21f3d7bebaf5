//! What can the other end send that a board does not survive? A failure tells the seed, which replays it.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::one_device;
use super::rig::Rig;
use crate::common::cable::Faults;

const SEEDS: u64 = 30;
const STEPS: u64 = 60;

#[test]
fn no_frame_stops_a_board_for_good() {
    for seed in 1..=SEEDS {
        let story = AssertUnwindSafe(|| live_through(seed));
        if let Err(panic) = catch_unwind(story) {
            eprintln!("seed {seed}");
            resume_unwind(panic);
        }
    }
}

/// The board verifies no checksums, so that what is wrong gets as far as it can: to DHCP, DNS, TCP, Redis and MQTT.
fn live_through(seed: u64) {
    let mut rig = Rig::credulous(
        &one_device(r#", "mqtt_qos": 2, "enable_threshold": 0"#),
        seed,
    );
    for step in 0..STEPS {
        rig.cable.borrow_mut().set_faults(Faults {
            mangled: (step % 3 * 30) as u8,
            ..Faults::default()
        });
        if step % 10 == 9 {
            replug(&mut rig);
        }
        rig.pass(2000);
        rig.publish("tag/cloud/p/in", &format!("{step},1"));
    }
    rig.cable.borrow_mut().set_faults(Faults::default());
    // A lease that was misread may be for ever.
    replug(&mut rig);
    // A connection that looks alive may be dead: that shows after 1.5 keep-alives.
    rig.pass(120_000);
    rig.until_online(100_000);
    assert!(rig.publish("tag/cloud/p/in", "7,7"));
    rig.until(1000, |rig| rig.delivered(0).last() == Some(&"7,7,1"));
}

fn replug(rig: &mut Rig) {
    rig.set_cable(false);
    rig.pass(10);
    rig.set_cable(true);
}
