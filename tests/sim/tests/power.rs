//! The power is cut, or the process killed, in the middle of every write, erase and sync of whole lives: nothing that has waited for the flush
//! interval is missing at the end, and each next process starts.

use mqtt_client_sim::life::{live, live_and_count};
use mqtt_client_sim::plan::{Plan, StorageFault, What};
use mqtt_client_sim::{disk, trace};

/// Lives that write at least so often.
const LEAST: u32 = 12;

/// So many of them of each kind of storage, and of each a change in so many at most.
const LIVES: usize = 2;
const MOST: u32 = 40;

/// The plan of a seed, in which nothing else ends a process.
fn plan(seed: u64) -> Plan {
    let plan = Plan::draw(seed);
    let happenings = plan
        .happenings
        .iter()
        .filter(|happening| match &happening.what {
            What::Kill | What::Restart | What::PowerCut => false,
            What::Storage(_, fault, _) => !fault.ends_the_process(),
            _ => true,
        });
    let numbers: Vec<usize> = happenings.map(|happening| happening.number).collect();
    plan.only(&numbers)
}

fn cut_everywhere(kind: disk::Kind) {
    let mut lives = 0;
    let mut cuts = 0;
    for seed in 1.. {
        let mut plan = plan(seed);
        let devices = plan.world.devices.iter();
        let device = devices
            .clone()
            .position(|device| (device.spool).is_some_and(|spool| spool.kind == kind));
        let Some(device) = device.filter(|_| plan.world.restarts) else {
            continue;
        };
        trace::open(false, false);
        let (result, changes) = live_and_count(&plan);
        assert_eq!(result, Ok(()), "seed {seed}");
        let changes = changes[device];
        if changes < LEAST {
            continue;
        }
        for change in (0..changes).take(MOST as usize) {
            for fault in [StorageFault::CutsPower(change), StorageFault::Dies(change)] {
                plan.ends_at = Some((device, fault));
                trace::open(false, false);
                assert_eq!(
                    live(&plan),
                    Ok(()),
                    "seed {seed}, {fault:?} of device {device}"
                );
                cuts += 1;
            }
        }
        lives += 1;
        if lives == LIVES {
            println!("{cuts} ends in the middle of a change");
            return;
        }
    }
}

#[test]
fn on_files_that_lose_and_tear_what_was_not_synced() {
    cut_everywhere(disk::Kind::Files);
}

#[test]
fn on_flash_that_tears_at_a_word() {
    cut_everywhere(disk::Kind::Flash);
}
