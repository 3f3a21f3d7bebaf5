//! How much memory does the daemon occupy on a gateway? Measured under the emulator, without the emulator's own memory.

use std::path::Path;
use std::process::Command;

use mqtt_client_tests::gateway::Gateway;
use mqtt_client_tests::pki::{Authority, Issued, request};
use mqtt_client_tests::port::Reserved;
use mqtt_client_tests::servers::{Mosquitto, Redis};
use mqtt_client_tests::{Config, config, program, wait};
use tempfile::TempDir;

use crate::emulator;

/// Where the emulator is told to put the gateway's 4 GiB: above everything of its own.
pub const BASE: u64 = 0x10_0000_0000;

/// The daemon's peers.
pub struct Peers {
    redis: Redis,
    broker: Mosquitto,
    tls: Option<Tls>,
}

/// What `auth`=`tls` takes.
struct Tls {
    authority: Authority,
    gateway: Issued,
    port: Reserved,
}

impl Peers {
    /// The broker speaks MQTT over TCP.
    pub fn plain() -> Self {
        Self {
            redis: Redis::start(),
            broker: Mosquitto::start(),
            tls: None,
        }
    }

    /// The broker speaks MQTT over TLS, and wants a certificate.
    pub fn secure() -> Self {
        let authority = Authority::new("Plant CA");
        let gateway = authority.issue(request("gateway"));
        let shown = authority.issue(request("broker").hosts(&["127.0.0.1"]));
        let (broker, port) = authority.broker(&shown, &[]);
        Self {
            redis: Redis::start(),
            broker,
            tls: Some(Tls {
                authority,
                gateway,
                port,
            }),
        }
    }

    fn config(&self, signals: &[String]) -> Config {
        let mut device = config::cloud().with("mqtt_qos", 1);
        if let Some(tls) = &self.tls {
            let secured = tls.authority.secure(device, &tls.gateway);
            device = secured.at(tls.port.number());
        }
        let config = signals
            .iter()
            .fold(device, |config, name| config.signal(name));
        config.with_ports(self.redis.port(), self.broker.port())
    }
}

/// The most memory in use, in KiB, while one message for each of `signals` signals passes.
///
/// # Panics
///
/// If the daemon does not forward them.
#[must_use]
pub fn kib(gateway: &Gateway, binary: &Path, signals: usize, peers: &Peers) -> u64 {
    let names: Vec<_> = (0..signals).map(|number| format!("s{number}")).collect();
    let config = peers.config(&names);
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("mqtt.json");
    config.write(&file);

    let subscriber = peers.broker.subscribe();
    let daemon = emulator::start(gateway, &["-B", &BASE.to_string()], binary, &file, &[]);
    peers.redis.wait_for_subscriptions(&config.channels());
    peers.broker.wait_for_bridges(1);
    let mut most = 0;
    for name in &names {
        peers
            .redis
            .publish(&config::channel(name), "12.5,1708000203824,");
    }
    // All of them may take longer than a wait's limit on a machine with other work.
    let mut arrived = 0;
    while arrived < signals {
        let before = arrived;
        wait::until(format_args!("more than {before} messages"), || {
            most = most.max(in_use(daemon.id()));
            arrived = subscriber.count();
            wait::holds(arrived > before)
        });
    }
    most.max(in_use(daemon.id()))
}

/// The resident pages of the gateway's address space, in KiB.
#[must_use]
pub fn in_use(process: u32) -> u64 {
    let path = format!("/proc/{process}/smaps");
    // The daemon lets nobody but root look at it.
    let maps = std::fs::read_to_string(&path)
        .or_else(|_| program::output(Command::new("sudo").args(["-n", "cat", &path])))
        .unwrap_or_else(|error| panic!("{path}: {error}"));
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
