//! `cargo faults`: real faults against the real daemon, as many as one likes.
//!
//! ```text
//! cargo faults [--plain|--old|--tls] [--lives N] [--seed S]     lives of 12 faults each, some at a time
//! cargo faults --minutes N                                      what the daemon uses of its machine, as a table
//! ```
//!
//! Without a setting, lives of all three kinds. The exit code is 0 if everything held that is promised, 101 if not, 64 for a wrong argument.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use fastrand::Rng;

use mqtt_client_tests::faults::crowd::Crowd;
use mqtt_client_tests::faults::plan::Setting;
use mqtt_client_tests::faults::{STEPS, usage};
use mqtt_client_tests::{install, program};

const USAGE: &str = "usage: cargo faults [--plain|--old|--tls] [--lives N] [--seed S]\n       cargo faults --minutes N [--seed S]";

/// Lives at a time: they mostly wait.
const AT_A_TIME: usize = 4;

struct Arguments {
    settings: Vec<Setting>,
    lives: u64,
    seed: u64,
    minutes: Option<u64>,
}

fn main() -> ExitCode {
    let arguments = match parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("{error}\n{USAGE}");
            return ExitCode::from(64);
        }
    };
    if let Err(error) = install::ensure(&install::SERVERS) {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    // Built, if need be, before the clock starts.
    let _ = program::daemon();
    match arguments.minutes {
        Some(minutes) => watch(minutes, arguments.seed),
        None => live(&arguments),
    }
}

fn parse(words: impl IntoIterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments = Arguments {
        settings: Vec::new(),
        lives: 1,
        seed: fastrand::u64(..),
        minutes: None,
    };
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let mut number = || -> Result<u64, String> {
            let value = words.next().unwrap_or_default();
            value
                .parse()
                .map_err(|_| format!("{word} needs a number, not \"{value}\""))
        };
        match word.as_str() {
            "--lives" => arguments.lives = number()?,
            "--seed" => arguments.seed = number()?,
            "--minutes" => arguments.minutes = Some(number()?),
            other => {
                let name = other.strip_prefix("--").unwrap_or("");
                let setting = Setting::ALL.into_iter().find(|one| one.name() == name);
                let setting = setting.ok_or_else(|| format!("no such argument: {other}"))?;
                arguments.settings.push(setting);
            }
        }
    }
    if arguments.settings.is_empty() {
        arguments.settings.extend(Setting::ALL);
    }
    Ok(arguments)
}

fn live(arguments: &Arguments) -> ExitCode {
    for &setting in &arguments.settings {
        let start = Instant::now();
        let crowd = Crowd {
            setting,
            seed: arguments.seed,
            lives: arguments.lives,
            steps: STEPS,
            at_a_time: AT_A_TIME,
        };
        println!("{}: seeds from {} on", setting.name(), crowd.seed);
        let sum = crowd.live(|sum| println!("  {:6.1} s  {sum}", start.elapsed().as_secs_f64()));
        println!("{}: {sum}, nothing lost, nothing twice", setting.name());
    }
    ExitCode::SUCCESS
}

fn watch(minutes: u64, seed: u64) -> ExitCode {
    println!("seed {seed}\n{}", usage::HEAD);
    let time = Duration::from_secs(60 * minutes);
    let rest = Duration::from_secs(60);
    let run = usage::run(&mut Rng::with_seed(seed), time, rest, |one| {
        println!("{one}")
    });
    println!(
        "worked {:.2} % of a minute without load",
        100.0 * run.work_at_rest()
    );
    let excesses = run.excesses();
    for excess in &excesses {
        println!("{excess}");
    }
    if excesses.is_empty() {
        println!("nothing grew");
        return ExitCode::SUCCESS;
    }
    ExitCode::from(101)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Arguments, String> {
        parse(line.split_whitespace().map(String::from))
    }

    #[test]
    fn arguments_choose_settings_seed_and_number() {
        let arguments = parsed("--tls --lives 3 --seed 7").unwrap();
        assert_eq!(arguments.settings, [Setting::Tls]);
        assert_eq!((arguments.lives, arguments.seed), (3, 7));
        assert_eq!(parsed("").unwrap().settings, Setting::ALL);
        assert_eq!(parsed("--minutes 10").unwrap().minutes, Some(10));
    }

    #[test]
    fn a_wrong_argument_is_named() {
        for line in ["--seed", "--seed x", "--nonsense", "tls"] {
            let error = parsed(line).err().unwrap();
            let word = line.split(' ').next().unwrap();
            assert!(error.contains(word), "{error}");
        }
    }
}
