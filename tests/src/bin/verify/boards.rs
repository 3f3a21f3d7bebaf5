//! How the boards' images are checked, weighed and tested.

use std::process::Command;

use mqtt_client_tests::board::QEMU;
use mqtt_client_tests::board::image::{self, EMULATED, EMULATED_WITH_SPOOL, REAL};
use mqtt_client_tests::install::{self, Tool};

use crate::lints;
use crate::run::{self, Outcome, cargo};

/// Of the version of the compiler that builds the images.
const CLIPPY: Tool = Tool {
    program: "/usr/bin/clippy-driver",
    package: "rust-web-clippy",
};

/// What clippy says of the code that is compiled for boards only.
pub fn clippy(verbose: bool) -> Outcome {
    install::ensure(&[CLIPPY])?;
    let denied = lints::are_denied_for_boards(Command::new(CLIPPY.program).arg("--version"));
    let mut commands = Vec::new();
    for firmware in [EMULATED, EMULATED_WITH_SPOOL, REAL] {
        let mut clippy = image::cargo(firmware, "clippy")?;
        clippy.args(["--profile", "board"]);
        commands.push(lints::clippy(clippy, denied));
    }
    run::all(commands, verbose)
}

/// The image's size without and with a spool, against its limits.
pub fn sizes(verbose: bool) -> Outcome {
    let without = cargo(&["board", "--sizes"]);
    let with = cargo(&["board", "--sizes", "--with-spool"]);
    run::all([without, with], verbose)
}

/// The end-to-end tests on the emulated board, and the memory map of the real one.
pub fn tests(verbose: bool) -> Outcome {
    install::ensure(&[QEMU])?;
    let words = ["test", "-p", "mqtt-client-tests", "--test", "board"];
    run::all([cargo(&words)], verbose)
}
