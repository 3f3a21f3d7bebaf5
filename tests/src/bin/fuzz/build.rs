//! How the fuzz targets are built: with cargo-fuzz, of one version, in the workspace's own `target/tools`.

use std::path::PathBuf;
use std::process::Command;

use mqtt_client_tests::install::{self, Tool};
use mqtt_client_tests::program;

const CARGO_FUZZ: &str = "0.13.2";

/// libFuzzer is C++.
const COMPILER: Tool = Tool {
    program: "c++",
    package: "g++",
};

/// Builds all targets, and returns the folder that they are in.
///
/// # Errors
///
/// Says what could not be installed or built.
pub fn targets() -> Result<PathBuf, String> {
    install::ensure(&[COMPILER])?;
    let cargo_fuzz = install_cargo_fuzz()?;
    let folder = program::workspace().join("target/fuzz");
    let host = host()?;
    program::succeed(
        Command::new(cargo_fuzz)
            .args(["build", "--fuzz-dir", "fuzz", "--sanitizer", "none"])
            .args(["--codegen-units", "16", "--target", &host, "--target-dir"])
            .arg(&folder)
            // It wants to be near the package that is fuzzed.
            .current_dir(program::workspace().join("core")),
    )?;
    Ok(folder.join(host).join("release"))
}

fn install_cargo_fuzz() -> Result<PathBuf, String> {
    let root = program::workspace().join(format!("target/tools/cargo-fuzz-{CARGO_FUZZ}"));
    let binary = root.join("bin/cargo-fuzz");
    if !binary.is_file() {
        program::succeed(
            program::cargo()
                .args(["install", "cargo-fuzz", "--locked", "--version", CARGO_FUZZ])
                .args(["--target-dir", "target/tools/build", "--root"])
                .arg(&root)
                .current_dir(program::workspace()),
        )?;
    }
    Ok(binary)
}

/// The machine's own target, which cargo-fuzz would take too, but not tell.
fn host() -> Result<String, String> {
    let output = Command::new("rustc").arg("-vV").output();
    let output = output.map_err(|error| format!("rustc: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(String::from)
        .ok_or_else(|| String::from("rustc -vV names no host"))
}
