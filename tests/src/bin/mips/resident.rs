//! How much memory does the daemon occupy on a gateway? Measured under the emulator, without the emulator's own memory.

use std::path::Path;

use mqtt_client_tests::gateway::Gateway;
use mqtt_client_tests::process::Process;
use mqtt_client_tests::servers::{Mosquitto, Redis};
use mqtt_client_tests::{Config, config, install, wait};
use tempfile::TempDir;

/// Where the emulator is told to put the gateway's 4 GiB: above everything of its own.
const BASE: u64 = 0x10_0000_0000;

/// The most memory in use, in KiB, while one message for each of `signals` signals passes.
///
/// # Panics
///
/// If the daemon does not forward them.
#[must_use]
pub fn kib(
    gateway: &Gateway,
    binary: &Path,
    signals: usize,
    redis: &Redis,
    broker: &Mosquitto,
) -> u64 {
    let names: Vec<_> = (0..signals).map(|number| format!("s{number}")).collect();
    let config = names
        .iter()
        .fold(config::cloud().with("mqtt_qos", 1), |config, name| {
            config.signal(name)
        });
    let config: Config = config.with_ports(redis.port(), broker.port());
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("mqtt.json");
    config.write(&file);

    let words = [
        "-B",
        &BASE.to_string(),
        &binary.display().to_string(),
        "-c",
        &file.display().to_string(),
    ];
    let subscriber = broker.subscribe();
    let emulator = install::path(gateway.emulator);
    let daemon = Process::start("mqtt-client", &emulator, &words.map(String::from));
    redis.wait_for_subscriptions(&config.channels());
    broker.wait_for_bridges(1);
    let mut most = 0;
    for name in &names {
        redis.publish(&config::channel(name), "12.5,1708000203824,");
    }
    wait::until(format_args!("{signals} messages"), || {
        most = most.max(in_use(daemon.id()));
        wait::holds(subscriber.deliveries().len() == signals)
    });
    most.max(in_use(daemon.id()))
}

/// The resident pages of the gateway's address space, in KiB.
fn in_use(process: u32) -> u64 {
    let path = format!("/proc/{process}/smaps");
    let maps = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut inside = false;
    let mut sum = 0;
    for line in maps.lines() {
        let first = line.split_whitespace().next().unwrap_or_default();
        if let Some((start, _)) = first.split_once('-') {
            let start = u64::from_str_radix(start, 16).expect("an address");
            inside = (BASE..BASE + (1 << 32)).contains(&start);
        } else if inside && first == "Rss:" {
            let number = line.split_whitespace().nth(1).expect("a number of KiB");
            sum += number.parse::<u64>().expect("a number of KiB");
        }
    }
    sum
}
