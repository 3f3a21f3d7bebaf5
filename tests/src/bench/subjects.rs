//! Which bridges are there, and how are they built? Ours, and peers that do the same job with well-known libraries.
//!
//! A peer is a program that is started with `REDIS_PORT BROKER_PORT QOS WINDOW CHANNEL...`.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::workload::{SIGNALS, alias, channel};
use crate::install::{self, Tool, packages};
use crate::process::Process;
use crate::program::output;
use crate::{config, earlier, program};

/// A bridge to be measured.
pub struct Subject {
    /// Its name in the table.
    pub name: String,
    /// QoS 1 and 2 messages in flight.
    pub window: u16,
    /// The QoS levels that it knows.
    pub qos: &'static [u8],
    /// Messages of one run: a second's, more or less.
    pub messages: u64,
}

/// Builds a bridge, and installs what that needs; or tells why that is not possible here.
pub type Build = fn() -> Result<Program, String>;

/// What is executed.
pub enum Program {
    /// Ours, with a configuration file.
    Daemon(PathBuf),
    /// Ours with MQTT 5.
    Daemon5(PathBuf),
    /// A program and its first arguments.
    Peer(PathBuf, Vec<String>),
}

/// A bridge at work. Dropping it kills it.
pub struct Running {
    pub process: Process,
    _folder: Option<TempDir>,
}

/// The daemon with its defaults.
pub const DAEMON: &str = "mqtt-client";

/// The same with MQTT 5.
pub const DAEMON_5: &str = "mqtt-client, MQTT 5";

/// The embedded peer with MQTT 5.
pub const MINIMQ: &str = "Rust: minimq, MQTT 5";

/// The bridge that no other can be faster than.
pub const RELAY: &str = "bytes relayed unread";

/// The default of `max_inflight` at QoS 0 and 1, and that of the peers' libraries, which is ours at QoS 2.
const WINDOWS: [u16; 2] = [100, 20];

/// Messages in flight that `minimq` has room for.
const MINIMQ_WINDOW: u16 = 8;

/// All of them, in the order of the table.
#[must_use]
pub fn all() -> Vec<(Subject, Build)> {
    let [ours, theirs] = WINDOWS;
    vec![
        (subject(DAEMON, ours, 1_000_000), daemon as Build),
        (subject("mqtt-client, window 20", theirs, 1_000_000), daemon),
        (
            subject("mqtt-client, static, no TLS", ours, 1_000_000),
            static_daemon,
        ),
        (subject(DAEMON_5, ours, 1_000_000), daemon_5),
        (subject("C: libmosquitto, hiredis", theirs, 200_000), c),
        (subject("Rust: rumqttc, redis", theirs, 200_000), rust),
        (subject("Rust: rumqttc, MQTT 5", theirs, 200_000), rust_5),
        (subject(MINIMQ, MINIMQ_WINDOW, 200_000), minimq),
        (
            subject("Python: paho-mqtt, redis-py", theirs, 20_000),
            python,
        ),
        (
            Subject {
                qos: &[0],
                ..subject(RELAY, ours, 5_000_000)
            },
            relay,
        ),
    ]
}

/// An older build of the daemon, named as in [`earlier::program`].
///
/// # Errors
///
/// As there.
pub fn other_daemon(named: &str) -> Result<(Subject, Program), String> {
    let program = Program::Daemon(earlier::program(named, &program::DAEMON)?);
    Ok((subject(named, WINDOWS[0], 1_000_000), program))
}

fn subject(name: &str, window: u16, messages: u64) -> Subject {
    Subject {
        name: String::from(name),
        window,
        qos: &[0, 1, 2],
        messages,
    }
}

impl Program {
    /// Starts the bridge between two ports of the loopback.
    #[must_use]
    pub fn start(&self, redis_port: u16, broker_port: u16, qos: u8, window: u16) -> Running {
        match self {
            Program::Daemon(path) | Program::Daemon5(path) => {
                let version = match self {
                    Program::Daemon5(_) => "5",
                    _ => "3.1.1",
                };
                let folder = TempDir::new().expect("a temporary folder");
                let file = folder.path().join("mqtt.json");
                (0..SIGNALS)
                    .fold(config::cloud(), |config, signal| {
                        config.signal(&alias(signal))
                    })
                    .device_key("mqtt_version", version)
                    .device_key("mqtt_qos", qos)
                    .device_key("max_inflight", window)
                    .with_ports(redis_port, broker_port)
                    .write(&file);
                let arguments = [String::from("-c"), file.display().to_string()];
                Running {
                    process: Process::start("mqtt-client", path, &arguments),
                    _folder: Some(folder),
                }
            }
            Program::Peer(path, first) => {
                let numbers =
                    [redis_port, broker_port, qos.into(), window].map(|number| number.to_string());
                let arguments: Vec<_> = (first.iter().cloned())
                    .chain(numbers)
                    .chain((0..SIGNALS).map(channel))
                    .collect();
                Running {
                    process: Process::start(path.display(), path, &arguments),
                    _folder: None,
                }
            }
        }
    }
}

fn daemon() -> Result<Program, String> {
    Ok(Program::Daemon(program::daemon().path.clone()))
}

fn daemon_5() -> Result<Program, String> {
    Ok(Program::Daemon5(program::daemon().path.clone()))
}

/// With the C library inside, as on OpenWrt with musl, so that no page is the dynamic linker's; and without TLS, which the peers do not
/// have either.
fn static_daemon() -> Result<Program, String> {
    let version = output(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.ok_or("rustc does not tell its host")?;
    let target = target().join("static");
    output(
        Command::new("cargo")
            .current_dir(program::workspace())
            .env("RUSTFLAGS", "-C target-feature=+crt-static")
            .args([
                "build",
                "--locked",
                "--release",
                "-p",
                "mqtt-client",
                "--no-default-features",
                "--target",
                host,
                "--target-dir",
            ])
            .arg(&target),
    )?;
    Ok(Program::Daemon(
        target.join(host).join("release/mqtt-client"),
    ))
}

fn c() -> Result<Program, String> {
    let needed = [
        ("/usr/bin/cc", "gcc"),
        ("/usr/include/mosquitto.h", "libmosquitto-dev"),
        ("/usr/include/hiredis/hiredis.h", "libhiredis-dev"),
    ];
    install::ensure(&needed.map(|(program, package)| Tool { program, package }))?;
    let program = target().join("peer-c");
    std::fs::create_dir_all(target()).map_err(|error| error.to_string())?;
    output(
        Command::new("cc")
            .args(["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-o"])
            .arg(&program)
            .arg(peers().join("c/bridge.c"))
            .args(["-lmosquitto", "-lhiredis"]),
    )?;
    Ok(Program::Peer(program, Vec::new()))
}

fn rust() -> Result<Program, String> {
    let target = target().join("rust");
    packages::cargo(&peers().join("rust"), &target, &["--release"])?;
    Ok(Program::Peer(target.join("release/peer-rust"), Vec::new()))
}

fn rust_5() -> Result<Program, String> {
    match rust()? {
        Program::Peer(path, _) => Ok(Program::Peer(path, vec![String::from("v5")])),
        other => Ok(other),
    }
}

fn minimq() -> Result<Program, String> {
    let target = target().join("minimq");
    packages::cargo(&peers().join("minimq"), &target, &["--release"])?;
    let program = target.join("release/peer-minimq");
    Ok(Program::Peer(program, Vec::new()))
}

/// `minimq` alone, between an application and a broker in memory: see its page.
///
/// # Errors
///
/// If it does not build: what the compiler says.
pub fn minimq_in_memory() -> Result<PathBuf, String> {
    let target = target().join("minimq");
    let profile = ["--profile", "profiling"];
    packages::cargo(&peers().join("minimq"), &target, &profile)?;
    Ok(target.join("profiling/minimq-in-memory"))
}

fn python() -> Result<Program, String> {
    let requirements = peers().join("python/requirements.txt");
    let programs = packages::python(&requirements, &target().join("python"))?;
    let script = peers().join("python/bridge.py").display().to_string();
    Ok(Program::Peer(programs.join("python"), vec![script]))
}

fn relay() -> Result<Program, String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    Ok(Program::Peer(this, vec![String::from("relay")]))
}

/// Where the peers' sources are.
fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}

/// Where what is built here goes.
fn target() -> PathBuf {
    program::workspace().join("target/compare")
}
