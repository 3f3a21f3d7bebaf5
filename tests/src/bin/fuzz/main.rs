//! `cargo fuzz-all`: the core's fuzz targets, one after the other.
//!
//! ```text
//! cargo fuzz-all [--seconds N] [--seed N] [TARGET...]
//! ```
//!
//! It installs what it needs (a C++ compiler; cargo-fuzz, in `target/tools`), and works with a stable toolchain: the core
//! forbids unsafe code, so no sanitizer is asked for. Without `--seconds` each target gets a fixed number of executions from the
//! repository's seeds alone; with it, what was found is kept in `target/fuzz/corpus`, and the next run goes on from there. The
//! exit code is 0, 1 if something was found or failed, or 64 for a wrong argument.

mod arguments;
mod build;
mod run;

use std::process::ExitCode;

use arguments::Arguments;

fn main() -> ExitCode {
    let arguments = match arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("{error}\n{}", arguments::USAGE);
            return ExitCode::from(64);
        }
    };
    match fuzz(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn fuzz(arguments: &Arguments) -> Result<(), String> {
    let binaries = build::targets()?;
    println!("seed {}", arguments.seed);
    println!("{}", run::HEADER);
    let mut failed = Vec::new();
    for target in &arguments.targets {
        match run::target(&binaries, target, arguments) {
            Ok(summary) => println!("{summary}"),
            Err(error) => {
                println!("{:<14} FAILED", target.name);
                eprintln!("{error}");
                failed.push(target.name);
            }
        }
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(format!("failed: {}", failed.join(", ")))
    }
}
