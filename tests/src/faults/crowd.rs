//! Many lives, some at a time.

use std::fmt;
use std::ops::AddAssign;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::life::live;
use super::plan::Setting;

/// What a life was made of.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary {
    pub lives: u64,
    pub faults: u64,
    /// Messages that were read from Redis.
    pub messages: u64,
    /// Connections to the broker after each device's first.
    pub reconnects: u64,
}

impl AddAssign for Summary {
    fn add_assign(&mut self, other: Self) {
        self.lives += other.lives;
        self.faults += other.faults;
        self.messages += other.messages;
        self.reconnects += other.reconnects;
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} lives, {} faults, {} messages, {} reconnects",
            self.lives, self.faults, self.messages, self.reconnects
        )
    }
}

/// How many lives, and of which kind.
#[derive(Clone, Copy, Debug)]
pub struct Crowd {
    pub setting: Setting,
    /// Of the first life; the others count up from there.
    pub seed: u64,
    pub lives: u64,
    /// Faults in each.
    pub steps: usize,
    /// So many at a time.
    pub at_a_time: usize,
}

impl Crowd {
    /// Lives them all, and calls `after_each` with the sum so far.
    ///
    /// # Panics
    ///
    /// If one fails, when the others that have begun are over.
    #[must_use]
    pub fn live(self, after_each: impl Fn(&Summary) + Sync) -> Summary {
        let next = AtomicU64::new(0);
        let sum = Mutex::new(Summary::default());
        thread::scope(|scope| {
            for _ in 0..self.at_a_time {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::SeqCst);
                        if number >= self.lives {
                            return;
                        }
                        let stop_others = StopOthers(&next, self.lives);
                        let seed = self.seed.wrapping_add(number);
                        let one = live(seed, self.setting, self.steps);
                        drop(stop_others);
                        let mut sum = sum.lock().expect("no panic while it is locked");
                        *sum += one;
                        after_each(&sum);
                    }
                });
            }
        });
        sum.into_inner().expect("no panic while it is locked")
    }
}

/// Lets no other life begin after one has failed.
struct StopOthers<'n>(&'n AtomicU64, u64);

impl Drop for StopOthers<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.store(self.1, Ordering::SeqCst);
        }
    }
}
