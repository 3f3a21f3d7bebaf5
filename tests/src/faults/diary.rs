//! What was done when? Said when a life fails, with the command that repeats it.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use super::plan::Setting;

/// The notes of a life; printed when it is dropped by a panic.
pub struct Diary {
    seed: u64,
    setting: Setting,
    start: Instant,
    notes: Vec<(Duration, String)>,
}

impl Diary {
    /// Begins now.
    #[must_use]
    pub fn new(seed: u64, setting: Setting) -> Self {
        Self {
            seed,
            setting,
            start: Instant::now(),
            notes: Vec::new(),
        }
    }

    /// This happens now.
    pub fn note(&mut self, what: impl fmt::Display) {
        self.notes.push((self.start.elapsed(), what.to_string()));
    }
}

impl Drop for Diary {
    fn drop(&mut self) {
        if !thread::panicking() {
            return;
        }
        let (setting, seed) = (self.setting.name(), self.seed);
        println!("---- to repeat this life: cargo faults --{setting} --seed {seed}");
        for (time, what) in &self.notes {
            println!("{:8.3} s  {what}", time.as_secs_f64());
        }
        println!("{:8.3} s  failed", self.start.elapsed().as_secs_f64());
    }
}
