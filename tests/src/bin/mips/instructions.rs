//! How much work is a message for the gateway's processor? The daemon's own instructions, counted by the emulator.
//!
//! The emulator is told to execute instructions one by one and to write a line for each, into a pipe that is read here. Each number is the
//! difference of two lives that differ in how many messages pass, and in nothing else: so start and end are not in it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use mqtt_client_tests::gateway::Gateway;
use mqtt_client_tests::process::{Process, Signal};
use mqtt_client_tests::servers::{Mosquitto, Redis};
use mqtt_client_tests::zig::Zig;
use mqtt_client_tests::{Config, config, install, program, wait};
use rustix::fs::{CWD, Mode, mkfifoat};
use tempfile::TempDir;

use crate::arguments::Features;
use crate::{build, emulator};

/// Messages of the shorter and of the longer life.
const MESSAGES: [usize; 2] = [20, 220];

/// When does the next message come?
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// When the one before has arrived: each one wakes the daemon, as on a quiet plant.
    OneByOne,
    /// At once: several are read, and acknowledged, together.
    AtOnce,
}

/// Builds the daemon without TLS, counts, and prints the table. `others` are older daemons; each is counted for the gateway of its byte order.
///
/// # Errors
///
/// If it does not build, or one of `others` is no program of a gateway.
pub fn print(zig: &Zig, gateways: &[Gateway], others: &[PathBuf]) -> Result<(), String> {
    let older = (others.iter())
        .map(|path| Ok((path, build::check(path)?.elf.data)))
        .collect::<Result<Vec<_>, String>>()?;
    println!("| target | QoS | instructions/message, one by one | all at once |");
    println!("|---|---:|---:|---:|");
    for gateway in gateways {
        install::ensure(&[gateway.emulator, install::REDIS_SERVER, install::MOSQUITTO])?;
        let features = Features {
            lean: true,
            ..Features::default()
        };
        let binary = build::binary(zig, gateway, &features)?;
        let target = gateway.target;
        for qos in 0..=2 {
            let count = |path| {
                [Pace::OneByOne, Pace::AtOnce].map(|pace| per_message(gateway, path, qos, pace))
            };
            let ours = count(&binary.path);
            let [one_by_one, at_once] = ours;
            println!("| `{target}` | {qos} | {one_by_one} | {at_once} |");
            for (path, _) in older.iter().filter(|(_, data)| *data == gateway.elf_data) {
                let theirs = count(path);
                let ratio = |pace: usize| ours[pace] as f64 / theirs[pace] as f64;
                let (path, [one_by_one, at_once]) = (path.display(), theirs);
                println!("| {path} | {qos} | {one_by_one} | {at_once} |");
                println!(
                    "| ratio to it | {qos} | {:.2} | {:.2} |",
                    ratio(0),
                    ratio(1)
                );
            }
        }
    }
    Ok(())
}

fn per_message(gateway: &Gateway, binary: &Path, qos: u8, pace: Pace) -> usize {
    let [few, many] = MESSAGES;
    let [short, long] = MESSAGES.map(|messages| count(gateway, binary, qos, pace, messages));
    (long - short) / (many - few)
}

/// The instructions of a life in which so many messages pass.
fn count(gateway: &Gateway, binary: &Path, qos: u8, pace: Pace, messages: usize) -> usize {
    let redis = Redis::start();
    let broker = Mosquitto::start();
    let config = config::cloud().with("mqtt_qos", qos).signal("p");
    let config = config.with_ports(redis.port(), broker.port());
    let subscriber = broker.subscribe();
    of_life(gateway, binary, &config, &[], &[], |daemon| {
        redis.wait_for_subscriptions(&config.channels());
        broker.wait_for_bridges(1);
        for number in 1..=messages {
            // As many digits in each life.
            redis.publish(
                &config::channel("p"),
                format!("{}.5,1708000203824,", number % 10),
            );
            if pace == Pace::OneByOne || number == messages {
                wait::until(format_args!("message {number}"), || {
                    wait::holds(subscriber.count() == number)
                });
            }
        }
        daemon.signal(Signal::TERM);
    })
}

/// The instructions of a daemon with this configuration and these arguments, which `live` leads towards its end. The emulator gets `options`.
///
/// # Panics
///
/// If it does not end well.
pub fn of_life(
    gateway: &Gateway,
    binary: &Path,
    config: &Config,
    options: &[&str],
    arguments: &[&str],
    live: impl FnOnce(&mut Process),
) -> usize {
    let folder = TempDir::new().expect("a temporary folder");
    let [file, trace] = ["mqtt.json", "trace"].map(|name| folder.path().join(name));
    config.write(&file);
    mkfifoat(CWD, &trace, Mode::RUSR | Mode::WUSR).expect("a pipe with a name");
    let lines = {
        let trace = trace.clone();
        thread::spawn(move || lines(&trace))
    };
    let trace = trace.display().to_string();
    let traced = ["-singlestep", "-d", "exec,nochain", "-D", &trace];
    let options = [&traced, options].concat();
    let mut daemon = emulator::start(gateway, &options, binary, &file, arguments);
    live(&mut daemon);
    let status = daemon.wait();
    assert!(status.success(), "{status}");
    lines.join().expect("the trace is counted")
}

/// Reads to the end; how many lines there were. Not done here, where tests are not optimised: the emulator would wait for that.
fn lines(trace: &Path) -> usize {
    let mut count = Command::new("wc");
    count.arg("-l").arg(trace);
    let output = program::output(&mut count).expect("the trace is read");
    let number = output.split_whitespace().next().expect("a number");
    number.parse().expect("a number")
}
