//! `cargo sim`: many lives of the bridge, each from a number, with all that has to hold looked at after every step.
//!
//! ```text
//! cargo sim [--seeds N] [--seed S] [--keep I,J,...]    N lives, from seed S on; one with its trace if N is 1
//! cargo sim --plan --seed S                            what happens in a life
//! cargo sim --mutants [NAME...]                        whether each deliberate mistake is caught; writes docs/mutants.md
//! cargo sim --fleet                                    how 10,000 bridges come back to one broker; writes docs/fleet.md and docs/fleet.svg
//! ```
//!
//! The exit code is 0 if everything held, 1 if something did not, 64 for a wrong argument.

mod arguments;
mod fleet;
mod mutants;
mod report;

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use arguments::{Arguments, Task};
use indicatif::{ProgressBar, ProgressStyle};
use mqtt_client_sim::plan::Plan;
use mqtt_client_sim::run::run;

fn main() -> ExitCode {
    let arguments = match arguments::parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("cargo sim: {error}\n{}", arguments::USAGE);
            return ExitCode::from(64);
        }
    };
    let held = match &arguments.task {
        Task::ShowPlan => {
            report::plan(&planned(&arguments, arguments.seed));
            true
        }
        Task::TryMutants(names) => told(mutants::try_all(names)),
        Task::Fleet => told(fleet::run()),
        Task::Live if arguments.seeds == 1 => report::one(&planned(&arguments, arguments.seed)),
        Task::Live => live(&arguments),
    };
    if held {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Whether everything held; an error is told.
fn told(result: Result<bool, String>) -> bool {
    result.unwrap_or_else(|error| {
        eprintln!("cargo sim: {error}");
        false
    })
}

fn planned(arguments: &Arguments, seed: u64) -> Plan {
    let plan = Plan::draw_in(seed, |world| {
        if arguments.plain {
            world.make_plain();
        }
    });
    match &arguments.keep {
        Some(numbers) => plan.only(numbers),
        None => plan,
    }
}

/// Lives through all seeds, on all cores, until one fails; whether none did.
fn live(arguments: &Arguments) -> bool {
    let started = Instant::now();
    let style = "{bar:40} {pos}/{len} seeds, {per_sec}, {eta} left";
    let style = ProgressStyle::with_template(style).expect("a template");
    let bar = ProgressBar::new(arguments.seeds).with_style(style);
    let end = arguments.seed + arguments.seeds;
    let next = AtomicU64::new(arguments.seed);
    // The lowest one that fails, whatever the threads' order.
    let failed = Mutex::new(None::<u64>);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    if run(&planned(arguments, seed), false).result.is_err() {
                        let mut failed = failed.lock().expect("no thread panics");
                        *failed = Some(failed.map_or(seed, |other: u64| other.min(seed)));
                        next.store(end, Ordering::Relaxed);
                    }
                    bar.inc(1);
                }
            });
        }
    });
    bar.finish_and_clear();
    let time = started.elapsed().as_secs_f64();
    match failed.into_inner().expect("no thread panics") {
        None => {
            println!(
                "{} seeds from {} on: all held, in {time:.1} s",
                arguments.seeds, arguments.seed
            );
            true
        }
        Some(seed) => {
            let plan = planned(arguments, seed);
            if arguments.brief {
                report::brief(&plan);
                return false;
            }
            report::one(&plan)
        }
    }
}
