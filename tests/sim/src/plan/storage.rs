//! What befalls devices with a spool: outages that are longer than the flush interval, storage that fails, and processes that end in the middle.

use fastrand::Rng;
use mqtt_client_core::spool::Fault;

use super::{End, LineFault, Published, StorageFault, What};
use crate::line::Cut;
use crate::network::Door;
use crate::world::World;

/// What becomes of their brokers, their storage and the process, where there are any.
pub(super) fn spools(world: &World, rng: &mut Rng) -> Vec<(u64, What)> {
    let mut happenings = Vec::new();
    for (device, of) in world.devices.iter().enumerate() {
        let Some(spool) = of.spool.filter(|_| world.spared != Some(device)) else {
            continue;
        };
        for _ in 0..rng.usize(1..4) {
            happenings.extend(outage(world, device, rng));
        }
        for _ in 0..if spool.is_well { 0 } else { rng.usize(1..4) } {
            let fault = match rng.u8(..8) {
                0 => StorageFault::Fails(Fault::Missing),
                1..3 => StorageFault::Fails(Fault::Failing(5)),
                3 => StorageFault::FailsToWrite(Fault::ReadOnly),
                4..6 => StorageFault::FailsToWrite(Fault::Full),
                _ => StorageFault::Hangs,
            };
            let longest = [1000, 20_000, 100_000][rng.usize(..3)];
            let lasts = rng.u64(1..longest);
            let what = What::Storage(device, fault, lasts);
            happenings.push((rng.u64(0..world.storm), what));
        }
        if world.spared.is_none() {
            for _ in 0..rng.usize(0..4) {
                let (at, changes) = (rng.u64(0..world.storm), rng.u32(0..30));
                let what = match rng.u8(..8) {
                    0 => What::Kill,
                    1 => What::PowerCut,
                    2..4 => What::Restart,
                    4 => What::Storage(device, StorageFault::Dies(changes), world.storm),
                    _ => What::Storage(device, StorageFault::CutsPower(changes), world.storm),
                };
                happenings.push((at, what));
            }
        }
    }
    happenings
}

/// The broker is away, while its signals speak.
fn outage(world: &World, device: usize, rng: &mut Rng) -> Vec<(u64, What)> {
    let at = rng.u64(0..world.storm);
    let lasts = rng.u64(1000..60_000);
    let line = |fault, lasts| What::Line(End::Broker(device), fault, lasts);
    let mut happenings = vec![
        (at, line(LineFault::Door(Door::Refused), lasts)),
        (at, line(LineFault::Cut(Cut::Reset, None), 1)),
    ];
    for _ in 0..rng.usize(1..8) {
        let count = [1, 10, 100, 400][rng.usize(..4)];
        let what = What::Publish {
            device,
            signal: rng.usize(..world.devices[device].signals),
            samples: vec![Published::New; rng.usize(1..=count)],
        };
        happenings.push((at + rng.u64(0..lasts), what));
    }
    happenings
}
