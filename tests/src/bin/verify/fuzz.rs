//! How the fuzz targets are checked and run. They are a workspace of their own, so that nothing else needs what they need.

use std::process::Command;

use crate::lints;
use crate::run::{self, Outcome, cargo};

/// Format, lints, the seeds, and a bounded run of the fuzzer.
pub fn all(verbose: bool) -> Outcome {
    let commands = [
        own(&["fmt"], &["--check", "--", "--color=never"]),
        lints::clippy(lean("clippy", &["--all-targets"]), lints::are_denied()),
        lean("test", &[]),
        cargo(&["fuzz-all"]),
    ];
    run::all(commands, verbose)
}

/// `cargo` in the fuzz targets' workspace.
fn own(command: &[&str], arguments: &[&str]) -> Command {
    cargo(
        &[
            command,
            &["--manifest-path", "core/fuzz/Cargo.toml"],
            arguments,
        ]
        .concat(),
    )
}

/// Likewise, without the fuzzer, which would be compiled once more.
fn lean(command: &str, arguments: &[&str]) -> Command {
    let options = ["--no-default-features", "--target-dir", "target/fuzz"];
    own(&[command], &[&options, arguments].concat())
}
