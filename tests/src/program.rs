//! Which programs are tested? The daemon that is named in the environment, else this workspace's own, built once; and this
//! workspace's utility for spreadsheets.
//!
//! | variable | meaning |
//! |---|---|
//! | `MQTT_CLIENT_BIN` | the daemon's path; a relative one counts from the workspace's folder |
//! | `MQTT_CLIENT_RUNNER` | a program, with arguments, to run it with: `qemu-mips-static` |

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// How the daemon is started.
pub struct Program {
    /// What to execute.
    pub path: PathBuf,
    /// The arguments that come before the daemon's own.
    pub arguments: Vec<String>,
}

/// A program that cargo can build.
pub struct Wanted<'a> {
    pub package: &'a str,
    pub name: &'a str,
    /// Profile and features.
    pub arguments: &'a [&'a str],
}

/// The daemon as it is shipped.
pub const DAEMON: Wanted<'static> = Wanted {
    package: "mqtt-client",
    name: "mqtt-client",
    arguments: &["--release"],
};

/// The workspace's folder.
#[must_use]
pub fn workspace() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().expect("the folder above this package")
}

/// `cargo`: the one that runs this program, if one does.
#[must_use]
pub fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs a command whose output is for whoever started this program.
///
/// # Errors
///
/// If it cannot be started, or does not succeed.
pub fn succeed(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().display().to_string();
    match command.status() {
        Err(error) => Err(format!("{name}: {error}")),
        Ok(status) if !status.success() => Err(format!("{name}: {status}")),
        Ok(_) => Ok(()),
    }
}

/// Runs a command to its end, and returns what it wrote to standard output.
///
/// # Errors
///
/// If it cannot be started, or does not succeed: the first line about an error.
pub fn output(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().display().to_string();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let reason = errors
        .lines()
        .find(|line| line.contains("rror"))
        .or(errors.lines().last());
    Err(format!(
        "{name}: {}",
        reason.unwrap_or("it fails without a word")
    ))
}

/// The daemon, built at the first call if it has to be.
///
/// # Panics
///
/// If it cannot be built, or the environment names something that is not there.
#[must_use]
pub fn daemon() -> &'static Program {
    // A failure is remembered as well: a hundred tests would try a hundred times.
    static PROGRAM: OnceLock<Result<Program, String>> = OnceLock::new();
    let program = PROGRAM.get_or_init(find);
    program.as_ref().unwrap_or_else(|error| panic!("{error}"))
}

/// The utility that makes mapping tables of workbooks, built at the first call.
///
/// # Panics
///
/// If it cannot be built.
#[must_use]
pub fn spreadsheet_utility() -> &'static Path {
    static PATH: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let path = PATH.get_or_init(|| {
        // Not as it is shipped: optimising it takes minutes, and it would do nothing else.
        build(
            workspace(),
            &Wanted {
                package: "mqtt-client",
                name: "elseta-mqtt-config",
                arguments: &["--features", "excel"],
            },
        )
    });
    path.as_ref().unwrap_or_else(|error| panic!("{error}"))
}

fn find() -> Result<Program, String> {
    let daemon = match std::env::var_os("MQTT_CLIENT_BIN") {
        Some(path) => workspace().join(path),
        None => build(workspace(), &DAEMON)?,
    };
    if !daemon.is_file() {
        return Err(format!("there is no {}", daemon.display()));
    }
    let runner = std::env::var("MQTT_CLIENT_RUNNER").unwrap_or_default();
    let mut words = runner.split_whitespace().map(String::from);
    Ok(match words.next() {
        None => Program {
            path: daemon,
            arguments: Vec::new(),
        },
        Some(runner) => Program {
            path: PathBuf::from(runner),
            arguments: words.chain([daemon.display().to_string()]).collect(),
        },
    })
}

/// Builds a program in the workspace at `folder`, and asks cargo where it is.
///
/// # Errors
///
/// If it does not build.
pub fn build(folder: &Path, wanted: &Wanted<'_>) -> Result<PathBuf, String> {
    build_target("--bin", folder, wanted)
}

/// An example of the core, built if it has to be.
///
/// # Panics
///
/// If it cannot be built.
#[must_use]
pub fn example(name: &str) -> PathBuf {
    let wanted = Wanted {
        package: "mqtt-client-core",
        name,
        arguments: &[],
    };
    build_target("--example", workspace(), &wanted).unwrap_or_else(|error| panic!("{error}"))
}

fn build_target(option: &str, folder: &Path, wanted: &Wanted<'_>) -> Result<PathBuf, String> {
    let mut cargo = cargo();
    cargo.current_dir(folder);
    if folder != workspace() {
        // Its programs have this workspace's names.
        cargo.env("CARGO_TARGET_DIR", folder.join("target"));
    }
    let name = wanted.name;
    let output = cargo
        .args(["build", "--locked", "-p", wanted.package, option, name])
        .args(wanted.arguments)
        .arg("--message-format=json-render-diagnostics")
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("run cargo: {error}"))?;
    if !output.status.success() {
        return Err(format!("{name} does not build"));
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let mut executables = messages.lines().filter_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        let is_wanted = message["target"]["name"] == name;
        let path = message["executable"].as_str().filter(|_| is_wanted)?;
        Some(PathBuf::from(path))
    });
    let last = executables.next_back();
    last.ok_or_else(|| format!("cargo names no binary {name}"))
}
