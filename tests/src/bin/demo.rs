//! `cargo demo`: a small plant, a real Redis, the real bridge, a real broker; what goes in beside what comes out.
//!
//! ```text
//! cargo demo [--qos 0|1|2] [--seconds N] [--keep]
//! ```
//!
//! Ends after 20 seconds (or `--seconds`), or with Ctrl-C, with the bridge's counters. `--keep` goes on until Ctrl-C, and prints commands to look
//! at the servers with. The exit code is 0 if the counters agree with what was seen, 1 if not, 64 for a wrong argument.

use std::process::ExitCode;

use mqtt_client_tests::live::{self, arguments};
use mqtt_client_tests::{Daemon, install, program};

fn main() -> ExitCode {
    let arguments = match arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("{error}\nusage: cargo demo {}", arguments::USAGE);
            return ExitCode::from(64);
        }
    };
    if let Err(error) = install::ensure(&live::TOOLS) {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    // Built, if need be, before anything is shown.
    let _ = program::daemon();
    live::show(&arguments, Daemon::start)
}
