//! `cargo windows`: the utility for spreadsheets as a program for Windows, where the engineer's workbooks mostly are.
//!
//! ```text
//! cargo windows [--test]
//! ```
//!
//! It installs what it needs (Debian's Rust with the library's source, mingw, and for `--test` Wine), and writes
//! `target/dist/x86_64-pc-windows-gnu/elseta-mqtt-config.exe`. `--test` runs the tests of `port-linux/tests/spreadsheet` with it, under Wine. The exit
//! code is 0, 1 if something failed, or 64 for a wrong argument.

mod wine;

use std::path::PathBuf;
use std::process::ExitCode;

use mqtt_client_tests::install::{self, Tool};
use mqtt_client_tests::supply::{self, Bill, Product, platform};
use mqtt_client_tests::{debian_rust, program};

const TARGET: &str = "x86_64-pc-windows-gnu";
const NAME: &str = "elseta-mqtt-config.exe";
/// The linker for Windows, and its libraries.
const MINGW: Tool = Tool::new("x86_64-w64-mingw32-gcc", "gcc-mingw-w64-x86-64");

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let is_test = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => false,
        ["--test"] => true,
        _ => {
            eprintln!("usage: cargo windows [--test]");
            return ExitCode::from(64);
        }
    };
    let result = build().and_then(|path| {
        println!("{}", path.display());
        if is_test { wine::test(&path) } else { Ok(()) }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Builds the utility, and puts it into `target/dist`.
fn build() -> Result<PathBuf, String> {
    install::ensure(&debian_rust::TOOLS)?;
    install::ensure(&[MINGW])?;
    let mut cargo = debian_rust::cargo(&[]);
    cargo.current_dir(program::workspace());
    cargo.args(["--config", "port-linux/cross/windows.toml"]);
    cargo.args(["build", "--locked", "--release"]);
    cargo.args(["--package", "mqtt-client"]);
    cargo.args(["--bin", "elseta-mqtt-config", "--features", "excel"]);
    cargo.args(["--target", TARGET, "--target-dir", "target/windows"]);
    program::succeed(&mut cargo)?;
    let target = program::workspace().join("target");
    let folder = target.join("dist").join(TARGET);
    let path = folder.join(NAME);
    let built = target
        .join("windows")
        .join(TARGET)
        .join("release")
        .join(NAME);
    std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::copy(built, &path))
        .map_err(|error| format!("{}: {error}", path.display()))?;
    let product = Product {
        name: "elseta-mqtt-config",
        target: TARGET,
        is_lean: false,
        features: "excel".into(),
    };
    let mut platform = platform::std(true)?;
    platform.extend(platform::mingw()?);
    let bill = Bill::of(product, platform)?.write(&path, &folder.join("licences"))?;
    supply::copy_beside(&path, &bill)?;
    Ok(path)
}
