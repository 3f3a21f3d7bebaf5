//! How the gateways' binaries are built and tested, under emulation.

use mqtt_client_tests::gateway::{self, Gateway};
use mqtt_client_tests::{debian_rust, install, program};

use crate::run::{self, Outcome, cargo};

/// Binaries and packages, for both byte orders; and whether they are as small as they have to be.
pub fn build(verbose: bool) -> Outcome {
    let sizes = cargo(&["mips", "--sizes", gateway::BIG_ENDIAN.target]);
    run::all([cargo(&["mips"]), sizes], verbose)
}

/// The core's own tests on the order of bytes that the development machine does not have.
pub fn unit_tests(verbose: bool) -> Outcome {
    install::ensure(&debian_rust::TOOLS)?;
    install::ensure(&[gateway::BIG_ENDIAN.emulator])?;
    // The linker; `build` has installed it.
    let tools = program::workspace().join("target/tools/bin");
    let mut test = debian_rust::cargo(&[&tools]);
    test.args(["test", "--package", "mqtt-client-core", "--lib", "--tests"]);
    test.args(["--target", gateway::BIG_ENDIAN.target]);
    // Tests unwind, and the shipped binary does not, so this library is another one.
    test.args(["-Zbuild-std=std,test,panic_unwind"]);
    test.args(["--target-dir", "target/mips-unit", "--no-fail-fast"]);
    // Millions of cases, each instruction of them emulated: it pays to have fewer instructions.
    test.env("CARGO_PROFILE_DEV_OPT_LEVEL", "2");
    test.env("CARGO_PROFILE_DEV_DEBUG", "false");
    run::all([test], verbose)
}

/// The end-to-end tests, with the binary for big-endian gateways.
pub fn end_to_end_big_endian(verbose: bool) -> Outcome {
    end_to_end(gateway::BIG_ENDIAN, verbose)
}

/// As [`end_to_end_big_endian`], for little-endian ones.
pub fn end_to_end_little_endian(verbose: bool) -> Outcome {
    end_to_end(gateway::LITTLE_ENDIAN, verbose)
}

fn end_to_end(gateway: Gateway, verbose: bool) -> Outcome {
    install::ensure(&[gateway.emulator])?;
    let mut whole = cargo(&["test", "-p", "mqtt-client-tests", "--no-fail-fast"]);
    whole.args(["--test", "e2e", "--test", "tls", "--test", "openwrt"]);
    let mut faults = cargo(&["test", "-p", "mqtt-client-tests", "--test", "faults"]);
    faults.args(["--", "a_few_lives"]);
    let commands = [whole, faults].map(|mut test| {
        test.env("MQTT_CLIENT_BIN", gateway.binary(false));
        test.env("MQTT_CLIENT_RUNNER", gateway.emulator.program);
        test
    });
    run::all(commands, verbose)
}
