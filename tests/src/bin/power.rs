//! `cargo power`: an emulated gateway whose power is cut again and again while its daemon writes to ext4 and to UBIFS.
//!
//! ```text
//! cargo power [--cuts N] [--seed S] [--storage ext4|ubifs] [--at-a-time N] [--evidence FOLDER]
//! ```
//!
//! The first time it builds a kernel and busybox, in `target/gateway`: some minutes. A cut takes a few seconds. Each chain of 25 leaves its diary in
//! FOLDER, and its disk if it has failed; its seed repeats it as far as the machine's own timing does. The exit code is 0 if everything held that is
//! promised, 1 if not, 64 for a wrong argument.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use mqtt_client_tests::machine::power;
use mqtt_client_tests::machine::power::crowd::{self, Plan};
use mqtt_client_tests::machine::power::gateway::Storage;

const USAGE: &str = "usage: cargo power [--cuts N] [--seed S] [--storage ext4|ubifs] [--at-a-time N] [--evidence FOLDER]";

fn main() -> ExitCode {
    let plan = match parse(std::env::args().skip(1)) {
        Ok(plan) => plan,
        Err(error) => {
            eprintln!("{error}\n{USAGE}");
            return ExitCode::from(64);
        }
    };
    if let Err(error) = power::prepare() {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    println!("seeds from {} on", plan.seed);
    let begun = Instant::now();
    let (sum, lived) = crowd::live(&plan, |count| {
        if count.is_multiple_of(25) {
            println!("{:6.0} s  {count} cuts", begun.elapsed().as_secs_f64());
        }
    });
    println!("{:6.0} s  {sum}", begun.elapsed().as_secs_f64());
    match lived {
        Ok(()) => ExitCode::SUCCESS,
        Err(wrong) => {
            eprintln!("{wrong}");
            ExitCode::FAILURE
        }
    }
}

fn parse(words: impl IntoIterator<Item = String>) -> Result<Plan, String> {
    let mut plan = Plan {
        storage: vec![Storage::Ext4, Storage::Ubifs],
        seed: fastrand::u64(..),
        lives: 50,
        at_a_time: 2,
        evidence: None,
    };
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let value = words.next().unwrap_or_default();
        let number = || -> Result<u64, String> {
            let number = value.parse();
            number.map_err(|_| format!("{word} needs a number, not \"{value}\""))
        };
        match (word.as_str(), value.as_str()) {
            ("--cuts", _) => plan.lives = number()?,
            ("--seed", _) => plan.seed = number()?,
            ("--at-a-time", _) => plan.at_a_time = number()?.clamp(1, 64) as usize,
            ("--storage", "ext4") => plan.storage = vec![Storage::Ext4],
            ("--storage", "ubifs") => plan.storage = vec![Storage::Ubifs],
            ("--storage", _) => return Err(format!("--storage is ext4 or ubifs, not \"{value}\"")),
            ("--evidence", _) => plan.evidence = Some(PathBuf::from(value)),
            _ => return Err(format!("no such argument: {word}")),
        }
    }
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Plan, String> {
        parse(line.split_whitespace().map(String::from))
    }

    #[test]
    fn arguments_choose_storage_seed_and_number() {
        let plan = parsed("--cuts 3 --seed 7 --storage ubifs").unwrap();
        assert_eq!((plan.lives, plan.seed), (3, 7));
        assert_eq!(plan.storage, [Storage::Ubifs]);
    }

    #[test]
    fn a_wrong_argument_is_named() {
        for line in ["--cuts", "--seed x", "--storage fat", "--nonsense 1"] {
            let error = parsed(line).err().unwrap();
            let word = line.split(' ').next().unwrap();
            assert!(error.contains(word), "{error}");
        }
    }
}
