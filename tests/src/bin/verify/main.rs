//! `cargo verify`: everything that has to hold before a change is done, in one command.
//!
//! ```text
//! cargo verify [-v] [--list] [STEP...]
//! ```
//!
//! Steps run in the order of [`steps::all`]; all of them, or those that are named. A step's output is shown if it fails, or with `-v`
//! as it comes; of one that succeeds, its warnings are, which fail under the CI's own compiler alone ([`lints`]). The exit code is 0 if every
//! step succeeded, 1 if one did not, 64 for a wrong argument.

mod boards;
mod cross;
mod deny;
mod fuzz;
mod lints;
mod mips;
mod no_panic;
mod run;
mod steps;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use mqtt_client_tests::libtest::{Totals, skipped};
use steps::Step;

const USAGE: &str = "usage: cargo verify [-v] [--list] [STEP...]";

struct Arguments {
    verbose: bool,
    list: bool,
    steps: Vec<Step>,
}

fn main() -> ExitCode {
    let arguments = match parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("{error}\n{USAGE}");
            return ExitCode::from(64);
        }
    };
    if arguments.list {
        for step in arguments.steps {
            println!("{:<10} {}", step.name, step.purpose);
        }
        return ExitCode::SUCCESS;
    }
    verify(&arguments)
}

fn parse(words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments = Arguments {
        verbose: false,
        list: false,
        steps: Vec::new(),
    };
    let mut wanted = Vec::new();
    for word in words {
        match word.as_str() {
            "-v" | "--verbose" => arguments.verbose = true,
            "--list" => arguments.list = true,
            option if option.starts_with('-') => return Err(format!("no such option: {option}")),
            _ => wanted.push(word),
        }
    }
    let all = steps::all();
    if let Some(unknown) = wanted
        .iter()
        .find(|word| all.iter().all(|step| step.name != **word))
    {
        return Err(format!("no such step: {unknown} (see --list)"));
    }
    arguments.steps = all;
    arguments
        .steps
        .retain(|step| wanted.is_empty() || wanted.iter().any(|word| word == step.name));
    Ok(arguments)
}

fn verify(arguments: &Arguments) -> ExitCode {
    let start = Instant::now();
    let mut totals = Totals::default();
    let mut failed = Vec::new();
    for step in &arguments.steps {
        let step_start = Instant::now();
        if arguments.verbose {
            println!("==== {}: {}", step.name, step.purpose);
        } else {
            run::print_now(&format!("{:<10} {:<66}", step.name, step.purpose));
        }
        let outcome = (step.run)(arguments.verbose);
        let (word, text) = match &outcome {
            Ok(output) => ("ok", output),
            Err(output) => ("FAILED", output),
        };
        let time = seconds(step_start.elapsed());
        println!(
            "{}{word:<6} {time:>9}",
            if arguments.verbose { "==== " } else { " " }
        );
        totals += Totals::of(text);
        skipped(text).for_each(|reason| println!("{:<10} {reason}", ""));
        if outcome.is_err() {
            failed.push(step.name);
            if !arguments.verbose {
                println!("{text}");
            }
        } else if !arguments.verbose {
            let warnings = lints::warnings(text);
            warnings.iter().for_each(|warning| println!("{warning}\n"));
        }
    }
    println!("\ntests: {totals}");
    let time = seconds(start.elapsed());
    if failed.is_empty() {
        println!("all {} steps succeeded in {time}", arguments.steps.len());
        return ExitCode::SUCCESS;
    }
    println!("failed in {time}: {}", failed.join(", "));
    ExitCode::FAILURE
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Arguments, String> {
        parse(words.iter().map(|&word| String::from(word)))
    }

    #[test]
    fn named_steps_run_in_their_fixed_order() {
        let arguments = parsed(&["doc", "-v", "fmt"]).unwrap();
        let names: Vec<_> = arguments.steps.iter().map(|step| step.name).collect();
        assert_eq!(names, ["fmt", "doc"]);
        assert!(arguments.verbose);
    }

    #[test]
    fn an_unknown_step_or_option_is_named() {
        for words in [["fmt", "nonsense"], ["fmt", "--nonsense"]] {
            let error = parsed(&words).err().unwrap();
            assert!(error.contains(words[1]), "{error}");
        }
    }
}
