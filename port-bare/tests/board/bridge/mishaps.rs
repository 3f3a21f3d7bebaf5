//! Does anything get lost or doubled when everything goes wrong at random? A failure tells the seed, which replays it.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use mqtt_client_bare::Addressing;

use super::one_device;
use super::rig::{BOARD, BROKERS, REDIS, Rig, lease};
use crate::common::cable::Faults;

const SEEDS: u64 = 30;
const STEPS: usize = 40;

#[test]
fn every_sample_that_redis_gave_arrives_as_its_qos_says() {
    for qos in 1..3 {
        for seed in 1..=SEEDS {
            let story = AssertUnwindSafe(|| live_through(seed, qos));
            if let Err(panic) = catch_unwind(story) {
                eprintln!("QoS {qos}, seed {seed}");
                resume_unwind(panic);
            }
        }
    }
}

fn live_through(seed: u64, qos: u8) {
    let keys = format!(r#", "mqtt_qos": {qos}, "enable_threshold": 0"#);
    let mut rig = Rig::with(&one_device(&keys), Addressing::Dhcp, seed);
    let mut random = fastrand::Rng::with_seed(seed);
    for step in 0..STEPS {
        mishap(&mut rig, &mut random);
        rig.pass(random.u64(..5000));
        rig.publish("tag/cloud/p/in", &format!("{step},1"));
    }
    heal(&mut rig);
    rig.until_online(200_000);
    rig.until(200_000, |rig| rig.counters(0).queued == 0);
    rig.until(200_000, |rig| {
        rig.counters(0).acknowledged == rig.counters(0).sent
    });
    let counters = rig.counters(0);
    let delivered = rig.delivered(0);
    let mut once: Vec<_> = Vec::new();
    for payload in &delivered {
        if !once.contains(payload) {
            once.push(payload);
        }
    }
    let in_order = once.is_sorted_by_key(|payload| step_of(payload));
    assert!(in_order, "{once:?}");
    assert_eq!(
        once.len() as u64,
        counters.received,
        "all that came from Redis"
    );
    assert_eq!(counters.dropped, 0);
    if qos == 2 {
        assert_eq!(
            delivered.len(),
            once.len(),
            "exactly once: {:?}",
            rig.brokers[0].heard
        );
    }
}

fn step_of(payload: &str) -> usize {
    let (step, _) = payload.split_once(',').expect("a sample");
    step.parse().expect("a number")
}

fn mishap(rig: &mut Rig, random: &mut fastrand::Rng) {
    match random.u8(..12) {
        0 => rig.reset(REDIS),
        1 => rig.reset(BROKERS[0]),
        2 => rig.up[random.usize(..2)] = false,
        3 => {
            let is_plugged_in = random.bool();
            rig.set_cable(is_plugged_in);
        }
        // The board does not notice.
        4 => rig.cable.borrow_mut().set_unplugged(true),
        5 => rig.cable.borrow_mut().set_faults(Faults {
            lost: random.u8(..30),
            doubled: random.u8(..30),
            garbled: random.u8(..30),
            late: random.u64(..50),
            ..Faults::default()
        }),
        6 => rig.brokers[0].acknowledges = random.bool(),
        7 => rig.redis.answers = false,
        8 => rig.host.dns.answers = random.bool(),
        9 => {
            // Where it plugs in next, it may get another address, or none.
            let mut address = BOARD.octets();
            address[3] += random.u8(..2);
            rig.host.dhcp.lease = random.bool().then(|| lease(address.into()));
            rig.set_cable(false);
            rig.pass(10);
            rig.set_cable(true);
        }
        _ => heal(rig),
    }
}

fn heal(rig: &mut Rig) {
    rig.up = [true; 3];
    rig.set_cable(true);
    rig.cable.borrow_mut().set_faults(Faults::default());
    rig.brokers[0].acknowledges = true;
    if !rig.redis.answers {
        // What it did not answer it does not know any more.
        rig.reset(REDIS);
    }
    rig.redis.answers = true;
    rig.host.dns.answers = true;
    rig.host.dhcp.lease = Some(lease(BOARD));
}
