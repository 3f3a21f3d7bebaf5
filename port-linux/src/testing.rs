//! What do several modules' tests need? A limit for waiting, randomness that can be replayed, a process of their own.

use std::process::{Command, ExitStatus};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Beyond this, what a test waits for is not going to happen.
pub const LIMIT: Duration = Duration::from_secs(30);

/// Set in the process that runs one test's body alone.
const ALONE: &str = "TEST_RUNS_ALONE";

/// Runs `body` in a process where nothing else runs, for what belongs to a whole process: its signals, its file
/// descriptors. `test` is the path of the calling test. What `body` prints goes to the calling test's output; a panic
/// in it shows as a status other than success.
///
/// `MQTT_CLIENT_RUNNER` names the emulator, where these tests run under one.
pub fn alone(test: &str, body: impl FnOnce()) -> ExitStatus {
    if std::env::var_os(ALONE).is_some() {
        body();
        std::process::exit(0);
    }
    let program = std::env::current_exe().unwrap();
    let mut command = match std::env::var_os("MQTT_CLIENT_RUNNER") {
        Some(runner) => Command::new(runner),
        None => Command::new(&program),
    };
    if command.get_program() != program {
        command.arg(&program);
    }
    let output = command
        .args(["--exact", test, "--test-threads=1", "--nocapture"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    println!("{}", String::from_utf8_lossy(&output.stdout));
    println!("{}", String::from_utf8_lossy(&output.stderr));
    output.status
}

/// Pseudo-random numbers (xorshift, 64 bits); the same seed gives the same numbers.
pub struct Random(u64);

impl Random {
    /// Seeded by the environment variable `SEED`, or else by the clock; prints the seed, which a failing test shows.
    pub fn new() -> Random {
        let seed: usize = match std::env::var("SEED") {
            Ok(seed) => seed.parse().unwrap(),
            Err(_) => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap()
                .as_nanos() as usize,
        };
        println!("SEED={seed}");
        Random::seeded(seed)
    }

    pub fn seeded(seed: usize) -> Random {
        Random(seed.max(1) as u64)
    }

    /// A number from 1 to `most`.
    pub fn up_to(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 as usize % most + 1
    }
}
