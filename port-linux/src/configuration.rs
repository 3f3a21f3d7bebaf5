//! The mapping table in memory: read from its file, checked by the core, kept in allocations of the right size.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;
#[cfg(feature = "tls")]
use std::time::UNIX_EPOCH;

use mqtt_client_core::config::{self, Config, Device, Finding, Invalid, Rows, Severity, Signal};
use mqtt_client_core::log::Legible;

use crate::files::{read_any, read_regular};
use crate::memory::warn_of_large_buffers;
use crate::modes;
use crate::net::Transport;
use crate::rights;
#[cfg(feature = "tls")]
use crate::tls::{Identity, SystemRoots};

/// What this build can do with a device.
const ABILITIES: config::Abilities = config::Abilities {
    tls: cfg!(feature = "tls"),
    mqtt5: cfg!(feature = "mqtt5"),
    ..config::Abilities::ALL
};

/// Memory for one configuration; its strings lie in the file's text.
pub struct Tables<'t> {
    devices: Vec<Device<'t>>,
    signals: Vec<Signal<'t>>,
    index: Vec<u32>,
    unescaped: Vec<u8>,
}

/// Says what is wrong: [`complain`] before the start, and later a way that never waits.
pub type Complain = fn(fmt::Arguments<'_>);

/// How many errors and how many warnings are told one by one; the rest is counted.
#[derive(Clone, Copy)]
pub struct Most {
    errors: u32,
    warnings: u32,
}

impl Most {
    /// For `--check`.
    pub const ALL: Most = Most {
        errors: u32::MAX,
        warnings: u32::MAX,
    };
    /// Nothing is started for them, so every error is to be seen.
    pub const AT_START: Most = Most {
        errors: u32::MAX,
        warnings: 50,
    };
    /// A gateway's log holds 64 KB.
    pub const IN_SERVICE: Most = Most {
        errors: 50,
        warnings: 50,
    };
}

/// The configuration is not to be used. All reasons have been told.
#[derive(Debug)]
pub struct Unusable;

/// Bytes of a table, at most: as many as the smallest gateway has memory.
const MAX_TABLE: u64 = 64 << 20;

/// Reads the file.
///
/// # Errors
/// It cannot be read; the reason has been told.
pub fn read(path: &Path, complain: Complain) -> Result<Vec<u8>, Unusable> {
    read_any(path, MAX_TABLE).map_err(|error| {
        let remedy = rights::remedy(path, &error);
        let path = path.display();
        complain(format_args!("{path}: cannot be read: {error}{remedy}"));
        Unusable
    })
}

/// Reads the file again while there is a bridge to keep going: only a file that cannot keep it waiting.
///
/// # Errors
/// As [`read`].
pub fn read_again(path: &Path, complain: Complain) -> Result<Vec<u8>, Unusable> {
    read_regular(path, MAX_TABLE).map_err(|error| {
        let remedy = rights::remedy(path, &error);
        let path = path.display();
        complain(format_args!("{path}: cannot be read: {error}{remedy}"));
        Unusable
    })
}

impl<'t> Tables<'t> {
    /// Memory for the configuration in `text`; none if that is no JSON, which [`Tables::parse`] then reports.
    pub fn for_text(text: &[u8]) -> Self {
        let sizes = config::measure(text).unwrap_or_default();
        Tables {
            devices: vec![Device::EMPTY; sizes.devices],
            signals: vec![Signal::EMPTY; sizes.signals],
            index: vec![0; sizes.index],
            unescaped: vec![0; sizes.text],
        }
    }

    /// Checks `text` and reports what is wrong with it, or as much of that as `most` says: errors by `complain`, warnings through the log. If
    /// there are any errors, the devices' files are checked here too; else [`transports`] does that.
    ///
    /// # Errors
    /// There was an error.
    pub fn parse(
        &'t mut self,
        path: &Path,
        text: &'t [u8],
        complain: Complain,
        most: Most,
    ) -> Result<Config<'t>, Unusable> {
        self.rows(path, text, complain, most).map(Rows::into_config)
    }

    /// The same, with the rows that are not enabled.
    ///
    /// # Errors
    /// As there.
    pub fn rows(
        &'t mut self,
        path: &Path,
        text: &'t [u8],
        complain: Complain,
        most: Most,
    ) -> Result<Rows<'t>, Unusable> {
        let file = path.to_string_lossy();
        let (mut errors, mut warnings) = (0, 0);
        let mut report = |finding: &Finding<'_>| match finding.severity {
            Severity::Error => {
                errors += 1;
                if errors <= most.errors {
                    complain(format_args!("{}", finding.in_file(&file)));
                }
            }
            Severity::Warning => {
                warnings += 1;
                if warnings <= most.warnings {
                    log::warn!("{}", finding.in_file(&file));
                }
            }
        };
        let filled = self.fill(text, &mut report);
        #[cfg(feature = "providers")]
        if let Ok(rows) = &filled {
            rows.check_providers(&mut report);
        }
        if let Some(more @ 1..) = errors.checked_sub(most.errors) {
            complain(format_args!(
                "{file}: {more} more errors: --check shows all"
            ));
        }
        if let Some(more @ 1..) = warnings.checked_sub(most.warnings) {
            log::warn!("{file}: {more} more warnings: --check shows all");
        }
        let filled = filled.inspect(|rows| {
            modes::warn(path, rows);
            warn_of_large_buffers(path, rows);
            #[cfg(feature = "spool")]
            crate::spool::warn(path, rows);
        });
        filled.map_err(|invalid| {
            let _ = transports(path, invalid.devices, complain);
            Unusable
        })
    }

    /// The same for a text that [`Tables::parse`] has reported on already.
    ///
    /// # Errors
    /// As there.
    pub fn parse_again(&'t mut self, text: &'t [u8]) -> Result<Config<'t>, Unusable> {
        let rows = self.fill(text, &mut |_| {});
        rows.map(Rows::into_config).map_err(|_| Unusable)
    }

    fn fill(
        &'t mut self,
        text: &'t [u8],
        report: &mut dyn FnMut(&Finding<'_>),
    ) -> Result<Rows<'t>, Invalid<'t>> {
        let storage = config::Storage {
            devices: &mut self.devices,
            signals: &mut self.signals,
            index: &mut self.index,
            text: &mut self.unescaped,
        };
        config::rows(text, storage, ABILITIES, report)
    }
}

/// What carries the bytes of each device, in order: its TLS files are read and checked here. What is wrong with them
/// is reported as in [`Tables::parse`].
///
/// # Errors
/// There was an error.
pub fn transports<'d>(
    path: &Path,
    devices: impl IntoIterator<Item = &'d Device<'d>>,
    complain: Complain,
) -> Result<Vec<Transport>, Unusable> {
    let mut shared = Shared::default();
    // All of them, so that every error is reported.
    let transports = (devices.into_iter())
        .map(|device| transport(path, device, &mut shared, complain))
        .collect::<Vec<_>>();
    transports.into_iter().collect()
}

/// What is read once for all devices.
#[cfg(feature = "tls")]
type Shared = SystemRoots;
#[cfg(not(feature = "tls"))]
#[derive(Default)]
struct Shared {}

#[cfg(feature = "tls")]
fn transport(
    path: &Path,
    device: &Device<'_>,
    system: &mut Shared,
    complain: Complain,
) -> Result<Transport, Unusable> {
    use config::{Auth, KeyName, Place, Table};

    let Auth::Tls(tls) = &device.auth else {
        return Ok(Transport::Tcp);
    };
    // A clock before 1970 is as wrong as one that begins there.
    let now = UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
    let file = path.display();
    let identity = Identity::load(device, tls, now, system, &mut |severity, key, problem| {
        let place = Place::Cell {
            table: Table::Devices,
            row: device.row,
            key: KeyName::Known(key),
        };
        match severity {
            Severity::Error => complain(format_args!("{file}: {place}: {problem}")),
            Severity::Warning => log::warn!("{file}: {place}: {problem}"),
        }
    });
    identity.map(Transport::Tls).ok_or(Unusable)
}

/// Without TLS built in, the core has refused every device that asks for it.
#[cfg(not(feature = "tls"))]
fn transport(_: &Path, _: &Device<'_>, _: &mut Shared, _: Complain) -> Result<Transport, Unusable> {
    Ok(Transport::Tcp)
}

/// One line on standard error, at every debug level, in one write(2), which waits for its reader. Nobody is left to be told if that
/// fails.
pub fn complain(line: fmt::Arguments<'_>) {
    let line = format!("{}\n", Legible(&line.to_string()));
    let _ = io::stderr().write_all(line.as_bytes());
}
