//! Many power cuts, in some chains at a time, and what came of them.

use std::fmt::{self, Display};
use std::ops::AddAssign;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use fastrand::Rng;

use super::disk::Traffic;
use super::gateway::Storage;
use super::life::World;
use crate::spool::ledger;

/// Lives in one chain: few enough that one that fails is soon repeated.
const IN_A_CHAIN: u64 = 25;

/// Which lives.
#[derive(Clone, Debug)]
pub struct Plan {
    /// In turn, one for each chain.
    pub storage: Vec<Storage>,
    /// Of the first chain; they count up.
    pub seed: u64,
    /// Cuts.
    pub lives: u64,
    /// Chains side by side; each takes a processor.
    pub at_a_time: usize,
    /// Where the diary of each chain is left, and the disk of one that failed.
    pub evidence: Option<PathBuf>,
}

/// What came of many lives.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum {
    pub ledger: ledger::Sum,
    pub traffic: Traffic,
    /// Cuts before the daemon listened: during the boot, the file system's recovery or the spool's.
    pub early: u64,
    /// The daemon's words of damaged samples.
    pub damaged: u64,
}

impl AddAssign for Sum {
    fn add_assign(&mut self, other: Self) {
        self.ledger += other.ledger;
        self.early += other.early;
        self.damaged += other.damaged;
        self.traffic.writes += other.traffic.writes;
        self.traffic.flushes += other.traffic.flushes;
        self.traffic.unflushed += other.traffic.unflushed;
        self.traffic.lost += other.traffic.lost;
        self.traffic.torn += other.traffic.torn;
    }
}

impl Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Traffic {
            writes,
            flushes,
            unflushed,
            lost,
            torn,
        } = self.traffic;
        write!(
            f,
            "{}; {} cuts before the daemon listened, {torn} during a write, of {writes} writes and {flushes} flushes; {unflushed} pages unflushed, {lost} of them lost; \
             {} words of damage",
            self.ledger, self.early, self.damaged
        )
    }
}

/// Lives them all. `after_each` is told how many there were.
///
/// # Errors
///
/// What of that which is promised did not hold, for each chain that it ended; the others went on.
///
/// # Panics
///
/// If the gateway cannot be built, or the emulator does not start.
pub fn live(plan: &Plan, after_each: impl Fn(u64) + Sync) -> (Sum, Result<(), String>) {
    let chains = plan.lives.div_ceil(IN_A_CHAIN);
    let (next, count) = (AtomicU64::new(0), AtomicU64::new(0));
    let sum = Mutex::new((Sum::default(), Vec::new()));
    thread::scope(|scope| {
        for _ in 0..plan.at_a_time {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    if number >= chains {
                        return;
                    }
                    let lives = IN_A_CHAIN.min(plan.lives - number * IN_A_CHAIN);
                    let lived = chain(plan, number, lives, || {
                        after_each(count.fetch_add(1, Ordering::SeqCst) + 1);
                    });
                    let mut sum = sum.lock().expect("adding does not panic");
                    sum.0 += lived.0;
                    sum.1.extend(lived.1.err());
                }
            });
        }
    });
    let (sum, wrong) = sum.into_inner().expect("adding does not panic");
    let is_well = wrong.is_empty();
    (sum, is_well.then_some(()).ok_or(wrong.join("\n")))
}

fn chain(
    plan: &Plan,
    number: u64,
    lives: u64,
    mut after_each: impl FnMut(),
) -> (Sum, Result<(), String>) {
    let storage = plan.storage[number as usize % plan.storage.len()];
    let seed = plan.seed.wrapping_add(number);
    let mut rng = Rng::with_seed(seed);
    let mut world = World::start(storage, &mut rng);
    let lived = world.live_all(seed, lives, &mut rng, &mut after_each);
    let name = format!("{storage:?}-{seed}").to_lowercase();
    match &plan.evidence {
        Some(folder) => {
            if let Err(error) = world.leave_evidence(folder, &name, lived.is_err()) {
                println!("{}: {error}", folder.display());
            }
        }
        None if lived.is_err() => println!("{}", world.diary().join("\n")),
        None => {}
    }
    let lived = lived.map_err(|wrong| format!("{name}: {wrong}"));
    if let Err(wrong) = &lived {
        println!("{wrong}");
    }
    (world.sum(), lived)
}
