//! What is verified, in order.

use mqtt_client_tests::install;

use crate::run::{self, Outcome, cargo};
use crate::{boards, cross, deny, fuzz, lints, mips, no_panic};

/// One thing to verify.
pub struct Step {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What holds when it succeeds.
    pub purpose: &'static str,
    /// Runs it; the argument says whether to show the output as it comes.
    pub run: fn(bool) -> Outcome,
}

/// All steps, the quick ones first.
#[must_use]
pub fn all() -> Vec<Step> {
    vec![
        Step {
            name: "install",
            purpose: "the servers that the tests start are installed",
            run: |_| install::ensure(&install::SERVERS).map(|()| String::new()),
        },
        Step {
            name: "fmt",
            purpose: "the code is formatted",
            run: |verbose| {
                run::all(
                    [cargo(&["fmt", "--all", "--check", "--", "--color=never"])],
                    verbose,
                )
            },
        },
        Step {
            name: "clippy",
            purpose: "clippy has nothing to say about any target",
            run: |verbose| run::all([clippy(&["--workspace"])], verbose),
        },
        Step {
            name: "features",
            purpose: "nor about the core and the board's library with fewer and more features, the daemon without TLS, and the utility",
            run: |verbose| {
                let core = |more: &[&str]| clippy(&[&["-p", "mqtt-client-core"], more].concat());
                let commands = [
                    core(&["--no-default-features"]),
                    core(&["--no-default-features", "--features", "log"]),
                    core(&["--no-default-features", "--features", "defmt"]),
                    core(&["--all-features"]),
                    clippy(&["-p", "mqtt-client-bare", "--features", "log"]),
                    clippy(&["-p", "mqtt-client-bare", "--all-features"]),
                    clippy(&["-p", "mqtt-client-mps2-an385", "--all-features"]),
                    clippy(&["-p", "mqtt-client", "--features", "excel"]),
                    clippy(&["-p", "mqtt-client", "--no-default-features"]),
                ];
                run::all(commands, verbose)
            },
        },
        Step {
            name: "deny",
            purpose: "what comes from others may: licences, sources, known holes",
            run: deny::check,
        },
        Step {
            name: "unit",
            purpose: "every part's own tests pass, examples in the documentation included",
            run: |verbose| {
                let others = [
                    "test",
                    "--workspace",
                    "--exclude",
                    "mqtt-client-tests",
                    "--exclude",
                    "mqtt-client-sim",
                    "--no-fail-fast",
                ];
                // What the core and a board report is tested where it goes to a log.
                let log = [
                    "test",
                    "-p",
                    "mqtt-client-core",
                    "--features",
                    "log",
                    "--test",
                    "bridge",
                ];
                let board = [
                    "test",
                    "-p",
                    "mqtt-client-bare",
                    "-p",
                    "mqtt-client-mps2-an385",
                    "--features",
                    "mqtt-client-bare/log,mqtt-client-bare/proxy,mqtt-client-mps2-an385/spool",
                ];
                let utility = [
                    "test",
                    "-p",
                    "mqtt-client",
                    "--features",
                    "excel",
                    "--bin",
                    "elseta-mqtt-config",
                    "--test",
                    "spreadsheet",
                    "--no-fail-fast",
                ];
                let without_tls = ["test", "-p", "mqtt-client", "--no-default-features"];
                let commands = [&others[..], &log, &board, &utility, &without_tls];
                run::all(commands.map(cargo), verbose)
            },
        },
        Step {
            name: "fuzz",
            purpose: "the core's invariants hold for the seeds, and under a fuzzer",
            run: fuzz::all,
        },
        Step {
            name: "sim",
            purpose: "thousands of simulated lives lose nothing and double nothing",
            run: |verbose| {
                let test = cargo(&["test", "--profile", "sim", "-p", "mqtt-client-sim"]);
                let plain = cargo(&["sim", "--plain", "--seeds", "12000"]);
                // Not all of them hold yet with a spool and a status: docs/reliability.md says which do not.
                let lives = cargo(&["sim", "--seeds", "1500"]);
                run::all([test, plain, lives], verbose)
            },
        },
        Step {
            name: "e2e",
            purpose: "the daemon does what it should, between real servers",
            run: |verbose| {
                let build = cargo(&["build", "--locked", "--release", "-p", "mqtt-client"]);
                let test = cargo(&["test", "-p", "mqtt-client-tests", "--no-fail-fast"]);
                run::all([build, test], verbose)
            },
        },
        Step {
            name: "faults",
            purpose: "nothing is lost and nothing comes twice over hundreds of faults",
            run: |verbose| {
                install::ensure(&[install::FAKETIME, install::IP])?;
                let mut test = cargo(&["test", "-p", "mqtt-client-tests", "--test", "faults"]);
                // What cannot run here says so in its output.
                test.args(["--no-fail-fast", "--", "--show-output"]);
                run::all([test], verbose)
            },
        },
        Step {
            name: "spool",
            purpose: "what waits survives hundreds of kills, and storage that fails",
            run: |verbose| {
                let mut test = cargo(&["test", "-p", "mqtt-client-tests", "--test", "spool"]);
                // What cannot run here says so in its output.
                test.args(["--no-fail-fast", "--", "--show-output"]);
                run::all([test], verbose)
            },
        },
        Step {
            name: "brokers",
            purpose: "brokers other than Mosquitto get all that they should, each in its own way",
            run: |verbose| {
                let test = ["test", "-p", "mqtt-client-tests", "--test", "brokers"];
                run::all([cargo(&[&test[..], &["--no-fail-fast"]].concat())], verbose)
            },
        },
        Step {
            name: "doc",
            purpose: "the documentation builds, and its links lead somewhere",
            run: |verbose| {
                let mut doc = cargo(&["doc", "--workspace", "--no-deps"]);
                if lints::are_denied() {
                    doc.env("RUSTDOCFLAGS", lints::DENY.join(" "));
                }
                run::all([doc], verbose)
            },
        },
        Step {
            name: "cross",
            purpose: "the core builds for a Cortex-M and for MIPS of both byte orders, and the library for boards",
            run: cross::build_core,
        },
        Step {
            name: "no-panic",
            purpose: "an image of the core links only without a reachable panic, and does",
            run: no_panic::check,
        },
        Step {
            name: "board-lint",
            purpose: "clippy has nothing to say about the boards' images",
            run: boards::clippy,
        },
        Step {
            name: "board-size",
            purpose: "the image for 32 signals is within 101 KB of flash and 48 KB of RAM, and with a spool within 144 and 80",
            run: boards::sizes,
        },
        Step {
            name: "board",
            purpose: "the emulated board does what it should, between real servers",
            run: boards::tests,
        },
        Step {
            name: "mips",
            purpose: "static binaries and packages build for both kinds of gateway",
            run: mips::build,
        },
        Step {
            name: "mips-unit",
            purpose: "the core's own tests pass on a big-endian processor",
            run: mips::unit_tests,
        },
        Step {
            name: "mips-e2e",
            purpose: "the end-to-end tests pass with the big-endian binary",
            run: mips::end_to_end_big_endian,
        },
        Step {
            name: "mipsel-e2e",
            purpose: "and with the little-endian one",
            run: mips::end_to_end_little_endian,
        },
    ]
}

fn clippy(packages: &[&str]) -> std::process::Command {
    let words = [&["clippy"], packages, &["--all-targets"]];
    lints::clippy(cargo(&words.concat()), lints::are_denied())
}
