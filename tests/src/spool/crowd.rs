//! Many kills, in some chains at a time.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::ledger::Sum;
use super::life::{Chain, Setting};

/// Lives in one chain: few enough that one that fails is soon repeated.
const IN_A_CHAIN: u64 = 25;

/// All settings, to be taken in turn.
pub const SETTINGS: [Setting; 4] = [
    Setting::Noting { qos: 1 },
    Setting::Noting { qos: 2 },
    Setting::Noting { qos: 1 },
    Setting::Mosquitto,
];

/// So many lives, `at_a_time` chains side by side, in these settings in turn, whose seeds count up from the first. `after_each` is told how many
/// there were.
///
/// # Panics
///
/// If one fails, when the others that have begun are over.
pub fn live(
    lives: u64,
    seed: u64,
    settings: &[Setting],
    at_a_time: usize,
    after_each: impl Fn(u64) + Sync,
) -> Sum {
    let chains = lives.div_ceil(IN_A_CHAIN);
    let (next, count) = (AtomicU64::new(0), AtomicU64::new(0));
    let sum = Mutex::new(Sum::default());
    thread::scope(|scope| {
        for _ in 0..at_a_time {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    if number >= chains {
                        return;
                    }
                    let chain = Chain {
                        setting: settings[number as usize % settings.len()],
                        seed: seed.wrapping_add(number),
                        lives: IN_A_CHAIN.min(lives - number * IN_A_CHAIN),
                    };
                    let lived = chain.live(|| after_each(count.fetch_add(1, Ordering::SeqCst) + 1));
                    *sum.lock().expect("adding does not panic") += lived;
                }
            });
        }
    });
    sum.into_inner().expect("adding does not panic")
}
