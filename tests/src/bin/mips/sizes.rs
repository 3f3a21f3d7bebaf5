//! The README's table: how large the daemon is for each gateway and feature set, and how much memory it takes.
//!
//! Memory is measured under the emulator, counting the gateway's own pages alone, so it is indicative: a kernel may share or read ahead
//! differently.

use mqtt_client_tests::gateway::Gateway;
use mqtt_client_tests::install;
use mqtt_client_tests::servers::{Mosquitto, Redis};

use crate::arguments::Features;
use crate::build;
use crate::resident;
use crate::zig::Zig;

/// Numbers of signals for which memory is measured.
const SIGNALS: [usize; 3] = [10, 1_000, 10_000];

/// Builds and measures everything, and prints the table.
///
/// # Errors
///
/// If something does not build.
pub fn print(zig: &Zig, gateways: &[Gateway]) -> Result<(), String> {
    let mut rows = Vec::new();
    for gateway in gateways {
        install::ensure(&[gateway.emulator, install::REDIS_SERVER, install::MOSQUITTO])?;
        for lean in [true, false] {
            let features = Features {
                lean,
                list: String::new(),
            };
            let binary = build::binary(zig, gateway, &features)?;
            let (redis, broker) = (Redis::start(), Mosquitto::start());
            let resident = SIGNALS
                .map(|signals| resident::kib(gateway, &binary.path, signals, &redis, &broker));
            let [few, usual, many] = resident;
            rows.push(format!(
                "| `{}` | {} | {} | {} | {few} | {usual} | {many} |",
                gateway.target,
                if lean { "none" } else { "default (`tls`)" },
                binary.size,
                binary.elf.writable,
            ));
        }
    }
    println!(
        "| target | features | stripped, bytes | static data, bytes | RSS, KiB: 10 signals | 1,000 | 10,000 |"
    );
    println!("|---|---|---:|---:|---:|---:|---:|");
    for row in rows {
        println!("{row}");
    }
    Ok(())
}
