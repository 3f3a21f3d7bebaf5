//! Does anything get lost or doubled when everything goes wrong at random? A failure tells the seed, which replays it.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::common::broker::Greeting;
use super::common::network::{Door, Names};
use super::common::rig::{Rig, with_bridge};
use super::one_device;

const SEEDS: u64 = 150;
const STEPS: usize = 80;

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
    let keys = format!(r#", "mqtt_qos": {qos}, "max_inflight": 3, "enable_threshold": 0"#);
    with_bridge(&one_device(&keys), |rig| {
        let mut random = Random(seed);
        let mut published = Vec::new();
        for step in 0..STEPS {
            mishap(rig, &mut random);
            let until = rig.now() + random.below(3000);
            rig.run_until(until);
            if rig.redis.server.channels.contains("tag/cloud/p/in") {
                rig.publish("tag/cloud/p/in", &format!("{step},1"));
                published.push(format!("{step},1,1"));
            }
        }
        heal(rig);
        rig.run_until(rig.now() + 300_000);
        let delivered = rig.delivered(0);
        let mut once: Vec<_> = Vec::new();
        for payload in &delivered {
            if !once.contains(payload) {
                once.push(payload);
            }
        }
        assert_eq!(once, published, "all, in their order");
        if qos == 2 {
            assert_eq!(
                delivered.len(),
                once.len(),
                "exactly once: {:?}",
                rig.brokers[0].server.heard
            );
        }
        let counters = rig.counters(0);
        let count = published.len() as u64;
        assert_eq!(
            (counters.received, counters.sent, counters.acknowledged),
            (count, count, count)
        );
    });
}

fn mishap(rig: &mut Rig<'_, '_>, random: &mut Random) {
    let broker = &mut rig.brokers[0];
    match random.below(19) {
        0 => broker.line.cut(),
        1 => broker.line.set_door(Door::Refused),
        2 => broker.line.set_door(Door::Silent),
        3 => broker.line.set_names(Names::Unknown),
        4 => broker.line.set_window(random.below(60) as usize),
        5 => broker.line.set_piece(1 + random.below(9) as usize),
        6 => broker.server.acknowledges = false,
        7 => broker.server.answers_pings = false,
        8 => broker.server.greeting = Greeting::Silence,
        9 => broker.server.greeting = Greeting::Refuse(3),
        10 => broker.server.greeting = Greeting::HangUp,
        11 => broker.server.greeting = Greeting::ThrowOut,
        12 => broker.server.greeting = Greeting::WelcomeTo3_1,
        13 => rig.redis.line.set_piece(1 + random.below(9) as usize),
        14..17 => heal(rig),
        _ => {}
    }
}

fn heal(rig: &mut Rig<'_, '_>) {
    let broker = &mut rig.brokers[0];
    broker.line.set_door(Door::Open);
    broker.line.set_names(Names::Known);
    broker.line.set_window(usize::MAX);
    broker.line.set_piece(usize::MAX);
    broker.server.acknowledges = true;
    broker.server.answers_pings = true;
    broker.server.greeting = Greeting::Welcome;
}

/// xorshift64*: the same numbers from the same seed, everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % limit
    }
}
