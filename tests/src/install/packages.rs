//! Packages that Debian does not have, from npm, PyPI and crates.io, in exact versions: each kind of package in a folder of its own below `target`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use super::Tool;
use crate::program::{self, output};

/// Node.js, in version 18 or later.
pub const NODE: Tool = Tool::new("node", "nodejs");
const NPM: Tool = Tool::new("npm", "npm");
const PYTHON: Tool = Tool::new("python3", "python3-venv");

/// Copies the folder of a program for Node.js to `target`, with the packages that its `package-lock.json` names, by their hashes.
///
/// # Errors
///
/// If npm is missing or fails: what it says.
pub fn npm(source: &Path, target: &Path) -> Result<(), String> {
    const LOCK: &str = "package-lock.json";
    // npm writes it last.
    let done = target.join("node_modules/.package-lock.json");
    let same = |name: &str| fs::read(source.join(name)).ok() == fs::read(target.join(name)).ok();
    let is_installed = done.is_file() && same(LOCK);
    copy_files(source, target).map_err(|error| format!("{}: {error}", target.display()))?;
    if is_installed {
        return Ok(());
    }
    super::ensure(&[NODE, NPM])?;
    output(Command::new("npm").current_dir(target).args([
        "ci",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
    ]))?;
    Ok(())
}

/// pip's options for what a file of requirements names: these versions alone, as files with the hashes that stand there, and nothing that runs while it is
/// installed.
pub const HASHED: [&str; 5] = [
    "--no-deps",
    "--require-hashes",
    "--only-binary",
    ":all:",
    "--requirement",
];

/// Makes a Python environment with the packages of `requirements`; returns the folder of its programs.
///
/// # Errors
///
/// If Python is missing or pip fails: what it says.
pub fn python(requirements: &Path, environment: &Path) -> Result<PathBuf, String> {
    let programs = environment.join("bin");
    let interpreter = programs.join("python");
    if !interpreter.is_file() {
        super::ensure(&[PYTHON])?;
        output(
            Command::new("python3")
                .args(["-m", "venv"])
                .arg(environment),
        )?;
    }
    output(
        Command::new(interpreter)
            .args(["-m", "pip", "install", "--quiet"])
            .args(HASHED)
            .arg(requirements),
    )?;
    Ok(programs)
}

/// Builds a package that is no member of the workspace, with the dependencies of its `Cargo.lock`, in `target`.
///
/// # Errors
///
/// If it does not build: what the compiler says.
pub fn cargo(package: &Path, target: &Path, arguments: &[&str]) -> Result<(), String> {
    output(
        program::cargo()
            .args(["build", "--locked", "--manifest-path"])
            .arg(package.join("Cargo.toml"))
            .arg("--target-dir")
            .arg(target)
            .args(arguments),
    )?;
    Ok(())
}

fn copy_files(source: &Path, target: &Path) -> io::Result<()> {
    fs::create_dir_all(target)?;
    for entry in fs::read_dir(source)? {
        let entry = entry?;
        fs::copy(entry.path(), target.join(entry.file_name()))?;
    }
    Ok(())
}
