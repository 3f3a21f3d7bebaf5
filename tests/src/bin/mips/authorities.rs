//! What does it take a gateway to trust the system's public authorities (`ca_certificate`=`system`), and one CA of its own? Memory, and work.
//!
//! Memory is measured under the emulator, as for the other table. To read the authorities is what `--check` does, which connects to nobody; a handshake is
//! what a life with TLS takes more than one without, but for that.

use std::fs;
use std::path::Path;
use std::time::Duration;

use mqtt_client_tests::config::{Config, channel, cloud};
use mqtt_client_tests::gateway::Gateway;
use mqtt_client_tests::install::{self, Tool};
use mqtt_client_tests::pki::{Authority, request};
use mqtt_client_tests::port::Reserved;
use mqtt_client_tests::process::{Process, Signal};
use mqtt_client_tests::servers::{Mosquitto, Redis};
use mqtt_client_tests::wait;
use mqtt_client_tests::zig::Zig;
use tempfile::TempDir;

use crate::arguments::Features;
use crate::resident::{self, BASE};
use crate::{build, emulator, instructions};

/// The public authorities, as Debian has them.
const BUNDLE: Tool = Tool::new("/etc/ssl/certs/ca-certificates.crt", "ca-certificates");

/// How long a handshake may take whose instructions are counted one by one.
const PATIENCE: Duration = Duration::from_secs(600);

/// The daemon's peers: the broker asks for no certificate.
struct Peers {
    authority: Authority,
    broker: Mosquitto,
    port: Reserved,
    redis: Redis,
    /// Holds the bundle: the public authorities, and ours.
    folder: TempDir,
    count: usize,
}

/// Whom the device trusts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// There is no TLS.
    Nobody,
    File,
    System,
}

/// Builds the daemon, measures, and prints the table.
///
/// # Errors
///
/// If it does not build.
pub fn print(zig: &Zig, gateways: &[Gateway]) -> Result<(), String> {
    install::ensure(&[BUNDLE, install::REDIS_SERVER, install::MOSQUITTO])?;
    println!(
        "| target | `ca_certificate` | RSS, KiB: idle | at most | instructions to read it | of a full handshake |"
    );
    println!("|---|---|---:|---:|---:|---:|");
    for gateway in gateways {
        install::ensure(&[gateway.emulator])?;
        let binary = build::binary(zig, gateway, &Features::default())?.path;
        let peers = Peers::new();
        let reading = |trust| peers.reading(gateway, &binary, trust);
        let connecting = |trust| peers.connecting(gateway, &binary, trust);
        let (neither, plain) = (reading(Trust::Nobody), connecting(Trust::Nobody));
        for trust in [Trust::File, Trust::System] {
            let [idle, most] = peers.resident(gateway, &binary, trust);
            let name = match trust {
                Trust::System => format!("`system`, {} authorities", peers.count),
                _ => String::from("a file with one"),
            };
            let read = reading(trust) - neither;
            let handshake = connecting(trust) - plain - read;
            println!(
                "| `{}` | {name} | {idle} | {most} | {read} | {handshake} |",
                gateway.target
            );
        }
    }
    Ok(())
}

impl Peers {
    fn new() -> Self {
        let authority = Authority::new("Public Root");
        let shown = authority.issue(request("broker").hosts(&["127.0.0.1"]));
        let (broker, port) = authority.broker_for_anybody(&shown, &[]);
        let folder = TempDir::new().expect("a temporary folder");
        let public = fs::read_to_string(BUNDLE.program).expect("the system's authorities");
        let all = public + &authority.pem();
        let count = all.matches("BEGIN CERTIFICATE").count();
        fs::write(folder.path().join("bundle"), all).expect("write to a temporary folder");
        Self {
            authority,
            broker,
            port,
            redis: Redis::start(),
            folder,
            count,
        }
    }

    fn config(&self, trust: Trust) -> Config {
        let plain = cloud().with("mqtt_qos", 1).signal("p");
        let secured = |config| self.authority.trust(config).at(self.port.number());
        let config = match trust {
            Trust::Nobody => plain,
            Trust::File => secured(plain),
            Trust::System => secured(plain).device_key("ca_certificate", "system"),
        };
        config.with_ports(self.redis.port(), self.broker.port())
    }

    /// What tells the daemon under the emulator where the bundle is.
    fn variable(&self) -> String {
        let bundle = self.folder.path().join("bundle");
        format!("SSL_CERT_FILE={}", bundle.display())
    }

    /// Starts a daemon, and lets `look` see it until the broker has let it in and a message has arrived, and once after that.
    fn live<T>(
        &self,
        gateway: &Gateway,
        binary: &Path,
        trust: Trust,
        mut look: impl FnMut(&Process) -> T,
    ) -> T {
        let (file, config) = (self.folder.path().join("mqtt.json"), self.config(trust));
        config.write(&file);
        let subscriber = self.broker.subscribe();
        let known = self.broker.bridges().len();
        let options = ["-B", &BASE.to_string(), "-E", &self.variable()];
        let daemon = emulator::start(gateway, &options, binary, &file, &[]);
        wait::until("the bridge at the broker", || {
            look(&daemon);
            wait::holds(self.broker.bridges().len() > known)
        });
        self.redis.wait_for_subscriptions(&config.channels());
        self.redis.publish(&channel("p"), "12.5,1708000203824,");
        subscriber.expect(&channel("p"), "12.5,1708000203824,1");
        look(&daemon)
    }

    /// In KiB: in the end, and at most.
    fn resident(&self, gateway: &Gateway, binary: &Path, trust: Trust) -> [u64; 2] {
        let mut most = 0;
        let idle = self.live(gateway, binary, trust, |daemon| {
            let now = resident::in_use(daemon.id());
            most = most.max(now);
            now
        });
        [idle, most]
    }

    /// The instructions of a life that lasts until the broker has let the daemon in.
    fn connecting(&self, gateway: &Gateway, binary: &Path, trust: Trust) -> usize {
        let options = ["-E", &self.variable()];
        let known = self.broker.bridges().len();
        instructions::of_life(
            gateway,
            binary,
            &self.config(trust),
            &options,
            &[],
            |daemon| {
                let is_known = || wait::holds(self.broker.bridges().len() > known);
                wait::within(PATIENCE, is_known).expect("the bridge at the broker");
                daemon.signal(Signal::TERM);
            },
        )
    }

    fn reading(&self, gateway: &Gateway, binary: &Path, trust: Trust) -> usize {
        let options = ["-E", &self.variable()];
        let config = self.config(trust);
        instructions::of_life(gateway, binary, &config, &options, &["--check"], |_| {})
    }
}
