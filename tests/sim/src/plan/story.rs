//! Faults that belong together: some that seldom meet by chance, and some that have to be met alone, so that more can be asked of the life.

use fastrand::Rng;

use super::{BrokerFault, End, LineFault, Published, What};
use crate::line::{Cut, Direction};
use crate::proxy::ProxyFault;
use crate::world::{Edition, World};

/// Faults in a row that seldom meet by chance.
pub(super) fn rare_moment(world: &World, at: u64, rng: &mut Rng) -> Vec<(u64, What)> {
    let device = rng.usize(..world.devices.len());
    if world.spared.is_some() {
        return Vec::new();
    }
    let burst = What::Publish {
        device,
        signal: 0,
        samples: vec![Published::New; rng.usize(2..40)],
    };
    let line = |fault, lasts| What::Line(End::Broker(device), fault, lasts);
    let held = What::Broker(device, BrokerFault::HoldAcks, rng.u64(1000..4000));
    if rng.bool() {
        // Acknowledgements come while their messages are being repeated.
        let latency = rng.u64(20..400);
        let again = at + rng.u64(1000..6000);
        return vec![
            (at, held),
            (at + 1, burst),
            (at + 500, line(LineFault::Cut(Cut::Reset, None), 1)),
            (at + 501, line(LineFault::Window(rng.usize(1..60)), 10_000)),
            (at + 501, line(LineFault::Latency(latency, latency), 10_000)),
            (again, line(LineFault::Cut(Cut::Reset, None), 1)),
        ];
    }
    // A reload comes while answers wait to be written.
    let reload = Edition {
        turned: rng.bool(),
        ..Edition::default()
    };
    vec![
        (at, held),
        (at + 1, burst),
        (at + 500, line(LineFault::Stall(Direction::ToServer), 6000)),
        (at + 4500, What::Reload(reload)),
    ]
}

/// What proxies do, where there are any.
pub(super) fn proxies(world: &World, rng: &mut Rng) -> Vec<(u64, What)> {
    let mut happenings = Vec::new();
    for (device, of) in world.devices.iter().enumerate() {
        if of.proxy.is_none() || world.spared == Some(device) {
            continue;
        }
        for _ in 0..rng.usize(0..6) {
            let fault = match rng.u8(..8) {
                0..3 => ProxyFault::Refuse([403, 407, 500, 502, 503, 504][rng.usize(..6)]),
                3 => ProxyFault::Close,
                4 => ProxyFault::Silent,
                5 => ProxyFault::Garbage,
                6 => ProxyFault::Endless,
                _ => ProxyFault::Slow(rng.u64(1..1000)),
            };
            let at = rng.u64(0..world.storm);
            let lasts = rng.u64(1..60_000);
            happenings.push((at, What::Broker(device, BrokerFault::Proxy(fault), lasts)));
            // So that it is met: a connection begins.
            let cut = LineFault::Cut(Cut::Reset, None);
            happenings.push((at, What::Line(End::Broker(device), cut, 1)));
        }
    }
    happenings
}

/// The broker does not answer PINGREQ, and says other things meanwhile, so that its silence ends nothing: PINGREQ has to go again and again.
pub(super) fn talk_without_pong(world: &World, rng: &mut Rng) -> Vec<(u64, What)> {
    let device = rng.usize(..world.devices.len());
    if world.spared == Some(device) {
        return Vec::new();
    }
    let broker = |fault, lasts| What::Broker(device, fault, lasts);
    let keep_alive = 1000 * world.devices[device].keep_alive;
    let at = rng.u64(0..world.storm);
    let mut happenings = vec![(at, broker(BrokerFault::NoPings, 4 * keep_alive))];
    // More often than a missing PINGRESP is waited for, and at QoS 0, which the bridge does not answer.
    happenings.extend((1..12).map(|part| {
        let word = BrokerFault::Publish(0, 10, 1);
        (at + part * keep_alive / 3, broker(word, 1))
    }));
    happenings
}

/// A single kind of fault befalls one device and nothing else goes wrong: a topic is forbidden, acknowledgements are slow, lost one by one, or do not
/// come at all, messages come that nobody asked for. All signals speak all the time.
pub(super) fn calm(world: &World, rng: &mut Rng) -> Vec<(u64, What)> {
    let mut happenings = Vec::new();
    for (device, of) in world.devices.iter().enumerate() {
        for signal in 0..of.signals {
            for _ in 0..rng.usize(5..20) {
                let publish = What::Publish {
                    device,
                    signal,
                    samples: vec![Published::New; rng.usize(1..4)],
                };
                happenings.push((rng.u64(0..world.storm), publish));
            }
        }
    }
    let count = world.devices.len();
    let device = match world.spared {
        Some(spared) => (spared + rng.usize(1..count)) % count,
        None => rng.usize(..count),
    };
    let signal = rng.usize(..world.devices[device].signals);
    let kind = rng.u8(..5);
    for _ in 0..[1, rng.usize(1..8)][usize::from(kind > 1)] {
        let fault = match kind {
            0 => BrokerFault::Forbid(signal),
            1 => BrokerFault::Throttle([0, 0, 2, 30][rng.usize(..4)]),
            2 => BrokerFault::SlowAcks(rng.u64(1..1000)),
            3 => BrokerFault::SwallowAcks(1),
            _ => BrokerFault::Publish(rng.u8(..3), rng.usize(..20_000), rng.u16(..)),
        };
        let lasts = rng.u64(10_000..world.storm);
        let what = What::Broker(device, fault, lasts);
        happenings.push((rng.u64(0..world.storm), what));
    }
    happenings
}
