//! The README's tables: how large the daemon is for each gateway and feature set, and how much memory it takes.
//!
//! Memory is measured under the emulator, counting the gateway's own pages alone, so it is indicative: a kernel may share or read ahead
//! differently.

use mqtt_client_tests::gateway::Gateway;
use mqtt_client_tests::install;

use crate::arguments::Features;
use crate::authorities;
use crate::build::{self, Binary};
use crate::resident::{self, Peers};
use mqtt_client_tests::zig::Zig;

/// Numbers of signals for which memory is measured.
const SIGNALS: [usize; 3] = [10, 1_000, 10_000];

/// The same, with a TLS session to the broker.
const SIGNALS_OVER_TLS: usize = 1_000;

/// The largest binaries, in bytes: without any feature, and with all. They are what was reached and 1 % more: the gateways' flash is squashfs, which
/// takes two fifths of that.
const MOST_BYTES: [usize; 2] = [354_000, 1_117_000];

/// The most memory over TLS, in KiB: 2.5 MB.
const MOST_KIB_OVER_TLS: u64 = 2_441;

/// One row of the table.
struct Row {
    gateway: Gateway,
    lean: bool,
    binary: Binary,
    /// In KiB, for each of [`SIGNALS`].
    resident: [u64; 3],
    /// In KiB, if there is TLS in it.
    resident_over_tls: Option<u64>,
}

/// Builds and measures everything, and prints the tables.
///
/// # Errors
///
/// If something does not build, or is larger than a gateway can bear.
pub fn print(zig: &Zig, gateways: &[Gateway]) -> Result<(), String> {
    let mut rows = Vec::new();
    for gateway in gateways {
        install::ensure(&[gateway.emulator, install::REDIS_SERVER, install::MOSQUITTO])?;
        for lean in [true, false] {
            rows.push(measure(zig, gateway, lean)?);
        }
    }
    println!(
        "| target | features | stripped, bytes | static data, bytes | RSS, KiB: 10 signals | 1,000 | 10,000 | 1,000 over TLS |"
    );
    println!("|---|---|---:|---:|---:|---:|---:|---:|");
    for row in &rows {
        row.print();
    }
    rows.iter().try_for_each(Row::check)?;
    println!();
    authorities::print(zig, gateways)
}

fn measure(zig: &Zig, gateway: &Gateway, lean: bool) -> Result<Row, String> {
    let features = Features {
        lean,
        list: String::new(),
    };
    let binary = build::binary(zig, gateway, &features)?;
    let kib = |signals, peers: &Peers| resident::kib(gateway, &binary.path, signals, peers);
    let plain = Peers::plain();
    let resident = SIGNALS.map(|signals| kib(signals, &plain));
    let resident_over_tls = (!lean).then(|| kib(SIGNALS_OVER_TLS, &Peers::secure()));
    Ok(Row {
        gateway: *gateway,
        lean,
        binary,
        resident,
        resident_over_tls,
    })
}

impl Row {
    fn print(&self) {
        let [few, usual, many] = self.resident;
        println!(
            "| `{}` | {} | {} | {} | {few} | {usual} | {many} | {} |",
            self.gateway.target,
            if self.lean { "none" } else { "default (`tls`)" },
            self.binary.size,
            self.binary.elf.writable,
            self.resident_over_tls
                .map_or(String::new(), |kib| kib.to_string()),
        );
    }

    fn check(&self) -> Result<(), String> {
        let path = self.binary.path.display();
        let (size, most) = (self.binary.size, MOST_BYTES[usize::from(!self.lean)]);
        if size > most {
            return Err(format!("{path}: {size} bytes, more than {most}"));
        }
        match self.resident_over_tls {
            Some(kib) if kib > MOST_KIB_OVER_TLS => Err(format!(
                "{path}: {kib} KiB in use over TLS, more than {MOST_KIB_OVER_TLS}"
            )),
            _ => Ok(()),
        }
    }
}
