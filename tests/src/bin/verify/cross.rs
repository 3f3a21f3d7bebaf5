//! How the core, and the library for boards, are built for the small targets, with whichever compiler of this machine can.
//!
//! A target needs its `core`: prebuilt (rustup has it for the Cortex-M), or built from the standard library's source, which is the only way
//! for MIPS. rustup has the source as the component `rust-src`, Debian in a package beside a compiler of the same version.

use std::path::PathBuf;
use std::process::Command;

use mqtt_client_tests::{debian_rust, install, program};

use crate::run::{self, Outcome, cargo};

/// Where there is no operating system.
const BOARDS: &str = "thumbv7m-none-eabi";

const TARGETS: [&str; 3] = [
    BOARDS,
    "mips-unknown-linux-musl",
    "mipsel-unknown-linux-musl",
];

/// A compiler that can build for a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compiler {
    /// The workspace's own, whose `core` is there already.
    OwnPrebuilt,
    /// The workspace's own, with the source.
    OwnSource,
    /// rustup's nightly, with the source.
    Nightly,
    /// Debian's, with Debian's source.
    Debian,
}

/// Builds the core for all of [`TARGETS`], and for boards the library that is theirs.
pub fn build_core(verbose: bool) -> Outcome {
    let mut commands = Vec::new();
    for target in TARGETS {
        let compiler = compiler_for(target);
        if compiler == Compiler::Debian {
            install::ensure(&debian_rust::TOOLS)?;
        }
        commands.push(command(compiler, target));
    }
    run::all(commands, verbose)
}

fn compiler_for(target: &str) -> Compiler {
    let has_core = sysroot("rustc", &[]).is_some_and(|sysroot| {
        let libraries = sysroot.join("lib/rustlib").join(target).join("lib");
        libraries.is_dir()
    });
    let has_source = |sysroot: Option<PathBuf>| {
        sysroot.is_some_and(|path| path.join("lib/rustlib/src/rust/library/core").is_dir())
    };
    if has_core {
        Compiler::OwnPrebuilt
    } else if has_source(sysroot("rustc", &[])) {
        Compiler::OwnSource
    } else if has_source(sysroot("rustup", &["run", "nightly", "rustc"])) {
        Compiler::Nightly
    } else {
        Compiler::Debian
    }
}

fn sysroot(program: &str, before: &[&str]) -> Option<PathBuf> {
    let output = Command::new(program)
        .current_dir(program::workspace())
        .args(before)
        .args(["--print", "sysroot"])
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output
        .status
        .success()
        .then(|| PathBuf::from(text.trim_end()))
}

fn command(compiler: Compiler, target: &str) -> Command {
    let mut command = match compiler {
        Compiler::OwnPrebuilt | Compiler::OwnSource => cargo(&[]),
        Compiler::Nightly => {
            let mut command = Command::new("rustup");
            command.args(["run", "nightly", "cargo"]);
            command
        }
        Compiler::Debian => debian_rust::cargo(&[]),
    };
    command.args(["build", "--locked", "--release", "--lib"]);
    command.args(["-p", "mqtt-client-core"]);
    if target == BOARDS {
        command.args(["-p", "mqtt-client-bare"]);
    }
    // Another compiler in the same folder would make both build everything again and again.
    command.args(["--target", target, "--target-dir", "target/cross"]);
    if compiler != Compiler::OwnPrebuilt {
        command.arg("-Zbuild-std=core");
        // Lets a stable compiler build its own library; a nightly one does not need it.
        command.env("RUSTC_BOOTSTRAP", "1");
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_is_built_from_source_only_where_it_is_not_there_already() {
        for (compiler, from_source) in [
            (Compiler::OwnPrebuilt, false),
            (Compiler::OwnSource, true),
            (Compiler::Nightly, true),
            (Compiler::Debian, true),
        ] {
            let command = command(compiler, "mips-unknown-linux-musl");
            let builds_std = command.get_args().any(|word| word == "-Zbuild-std=core");
            assert_eq!(builds_std, from_source, "{compiler:?}");
        }
    }
}
