//! `cargo spool`: the spool over real parts, for as long as one likes.
//!
//! ```text
//! cargo spool [--kills N] [--seed S] [--at-a-time N] [--mosquitto]     a daemon that is killed so often under load, with a broker that comes and goes
//! cargo spool --figures [SECONDS]                                      what a sample costs on storage, beside SQLite and Mosquitto
//! ```
//!
//! `--mosquitto` takes that broker alone, and not in turn with one that notes what it acknowledges.
//!
//! The exit code is 0 if everything held that is promised, 101 if not, 64 for a wrong argument.

use std::process::ExitCode;
use std::time::Instant;

use mqtt_client_tests::spool::life::Setting;
use mqtt_client_tests::spool::{crowd, figures};
use mqtt_client_tests::{install, program};

const USAGE: &str = "usage: cargo spool [--kills N] [--seed S] [--at-a-time N] [--mosquitto], or cargo spool --figures [SECONDS]";

/// Six times what waits for ten seconds before it is written.
const FIGURES_TAKE: u64 = 60;

#[derive(Debug, PartialEq)]
enum Arguments {
    Kills {
        kills: u64,
        seed: u64,
        at_a_time: usize,
        settings: &'static [Setting],
    },
    Figures {
        seconds: u64,
    },
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
    match arguments {
        Arguments::Figures { seconds } => {
            if let Err(error) = install::ensure(&[figures::SQLITE, install::MOSQUITTO_PUB]) {
                eprintln!("{error}");
                return ExitCode::FAILURE;
            }
            figures::measure(seconds);
        }
        Arguments::Kills {
            kills,
            seed,
            at_a_time,
            settings,
        } => {
            let begun = Instant::now();
            println!("seeds from {seed} on");
            let sum = crowd::live(kills, seed, settings, at_a_time, |count| {
                if count.is_multiple_of(100) {
                    println!("{:6.0} s  {count} lives", begun.elapsed().as_secs_f64());
                }
            });
            println!("{:6.0} s  {sum}", begun.elapsed().as_secs_f64());
        }
    }
    ExitCode::SUCCESS
}

fn parse(words: impl IntoIterator<Item = String>) -> Result<Arguments, String> {
    let (mut kills, mut seed, mut at_a_time) = (100, fastrand::u64(..), 6);
    let mut settings = &crowd::SETTINGS[..];
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--mosquitto" => {
                settings = &[Setting::Mosquitto];
                continue;
            }
            "--kills" | "--seed" | "--at-a-time" | "--figures" => {}
            other => return Err(format!("no such argument: {other}")),
        }
        let value = words.next();
        if word == "--figures" && value.is_none() {
            let seconds = FIGURES_TAKE;
            return Ok(Arguments::Figures { seconds });
        }
        let value = value.unwrap_or_default();
        let number = value
            .parse()
            .map_err(|_| format!("{word} needs a number, not \"{value}\""))?;
        match word.as_str() {
            "--kills" => kills = number,
            "--seed" => seed = number,
            "--at-a-time" => at_a_time = number.clamp(1, 64) as usize,
            _ => return Ok(Arguments::Figures { seconds: number }),
        }
    }
    Ok(Arguments::Kills {
        kills,
        seed,
        at_a_time,
        settings,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Arguments, String> {
        parse(line.split_whitespace().map(String::from))
    }

    #[test]
    fn arguments_choose_seed_and_number() {
        let chosen = Arguments::Kills {
            kills: 3,
            seed: 7,
            at_a_time: 2,
            settings: &[Setting::Mosquitto],
        };
        let arguments = parsed("--kills 3 --mosquitto --seed 7 --at-a-time 2");
        assert_eq!(arguments, Ok(chosen));
        for (line, seconds) in [("--figures", FIGURES_TAKE), ("--figures 20", 20)] {
            assert_eq!(parsed(line), Ok(Arguments::Figures { seconds }));
        }
    }

    #[test]
    fn a_wrong_argument_is_named() {
        for line in ["--kills", "--seed x", "--nonsense 1", "--figures x"] {
            let error = parsed(line).err().unwrap();
            let word = line.split(' ').next().unwrap();
            assert!(error.contains(word), "{error}");
        }
    }
}
