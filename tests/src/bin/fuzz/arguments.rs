//! The command line of `cargo fuzz-all`.

use std::time::Duration;

/// Shown with an error.
pub const USAGE: &str = "usage: cargo fuzz-all [--seconds N] [--seed N] [TARGET...]
  --seconds N  run each target for so long, and keep what it finds; else a fixed number of executions
  --seed N     the fuzzer's random numbers, 1 to 4294967295; 1 if none is given
  TARGET       resp_stream, sample, config, packets, packets_v5, outbox, spool, proxy_answer, broker_stream, bridge; else all";

/// A fuzz target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    pub name: &'static str,
    /// Executions of a run that is not timed: some 15 s on one busy core.
    pub runs: u64,
}

const fn target(name: &'static str, runs: u64) -> Target {
    Target { name, runs }
}

/// All of them, in the order of the core's modules.
pub const ALL: [Target; 10] = [
    target("resp_stream", 60_000),
    target("sample", 600_000),
    target("config", 300_000),
    target("packets", 300_000),
    target("packets_v5", 300_000),
    target("outbox", 60_000),
    target("spool", 20_000),
    target("proxy_answer", 600_000),
    target("broker_stream", 150_000),
    target("bridge", 12_000),
];

/// What to run.
#[derive(Debug, PartialEq, Eq)]
pub struct Arguments {
    pub time: Option<Duration>,
    pub seed: u32,
    pub targets: Vec<Target>,
}

/// Reads the arguments after the program's name.
///
/// # Errors
///
/// Names the argument that is wrong.
pub fn parse(words: impl IntoIterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments = Arguments {
        time: None,
        seed: 1,
        targets: Vec::new(),
    };
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seconds" => {
                arguments.time = Some(Duration::from_secs(number(&word, words.next())?.into()))
            }
            "--seed" => arguments.seed = number(&word, words.next())?,
            name => {
                let known = ALL.into_iter().find(|known| known.name == name);
                let known = known.ok_or_else(|| format!("no such argument: {name}"))?;
                arguments.targets.push(known);
            }
        }
    }
    if arguments.targets.is_empty() {
        arguments.targets = ALL.into();
    }
    Ok(arguments)
}

/// Not 0, which to libFuzzer means "any" and "no limit".
fn number(option: &str, word: Option<String>) -> Result<u32, String> {
    let number = word.and_then(|word| word.parse().ok());
    number
        .filter(|number| *number > 0)
        .ok_or_else(|| format!("{option} needs a number from 1 on"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Arguments, String> {
        parse(line.split_whitespace().map(String::from))
    }

    #[test]
    fn without_arguments_all_targets_get_their_executions() {
        let arguments = parsed("").unwrap();
        assert_eq!((arguments.time, arguments.seed), (None, 1));
        assert_eq!(arguments.targets, ALL);
    }

    #[test]
    fn time_seed_and_targets_can_be_chosen() {
        let arguments = parsed("outbox --seconds 7 --seed 9 bridge").unwrap();
        assert_eq!(
            (arguments.time, arguments.seed),
            (Some(Duration::from_secs(7)), 9)
        );
        let names: Vec<_> = arguments.targets.iter().map(|target| target.name).collect();
        assert_eq!(names, ["outbox", "bridge"]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, named) in [
            ("--seconds", "--seconds needs"),
            ("--seconds 0", "--seconds needs"),
            ("--seed x", "--seed needs"),
            ("mqtt", "mqtt"),
        ] {
            let error = parsed(line).unwrap_err();
            assert!(error.contains(named), "{line}: {error}");
        }
    }
}
