//! `cargo spool`: the spool over real parts, for as long as one likes.
//!
//! ```text
//! cargo spool [--kills N] [--seed S] [--at-a-time N]     a daemon that is killed so often under load, with a broker that comes and goes
//! ```
//!
//! The exit code is 0 if everything held that is promised, 101 if not, 64 for a wrong argument.

use std::process::ExitCode;
use std::time::Instant;

use mqtt_client_tests::spool::crowd;
use mqtt_client_tests::{install, program};

const USAGE: &str = "usage: cargo spool [--kills N] [--seed S] [--at-a-time N]";

struct Arguments {
    kills: u64,
    seed: u64,
    at_a_time: usize,
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
    let begun = Instant::now();
    let Arguments {
        kills,
        seed,
        at_a_time,
    } = arguments;
    println!("seeds from {seed} on");
    let sum = crowd::live(kills, seed, at_a_time, |count| {
        if count.is_multiple_of(100) {
            println!("{:6.0} s  {count} lives", begun.elapsed().as_secs_f64());
        }
    });
    println!("{:6.0} s  {sum}", begun.elapsed().as_secs_f64());
    ExitCode::SUCCESS
}

fn parse(words: impl IntoIterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments = Arguments {
        kills: 100,
        seed: fastrand::u64(..),
        at_a_time: 6,
    };
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let value = words.next().unwrap_or_default();
        let number = || -> Result<u64, String> {
            let number = value.parse();
            number.map_err(|_| format!("{word} needs a number, not \"{value}\""))
        };
        match word.as_str() {
            "--kills" => arguments.kills = number()?,
            "--seed" => arguments.seed = number()?,
            "--at-a-time" => arguments.at_a_time = number()?.clamp(1, 64) as usize,
            other => return Err(format!("no such argument: {other}")),
        }
    }
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Arguments, String> {
        parse(line.split_whitespace().map(String::from))
    }

    #[test]
    fn arguments_choose_seed_and_number() {
        let arguments = parsed("--kills 3 --seed 7 --at-a-time 2").unwrap();
        assert_eq!((arguments.kills, arguments.seed), (3, 7));
        assert_eq!(arguments.at_a_time, 2);
    }

    #[test]
    fn a_wrong_argument_is_named() {
        for line in ["--kills", "--seed x", "--nonsense 1"] {
            let error = parsed(line).err().unwrap();
            let word = line.split(' ').next().unwrap();
            assert!(error.contains(word), "{error}");
        }
    }
}
