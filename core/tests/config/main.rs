//! Does the mapping table's reader keep the rules of the manual's tables, and say what breaks them?

mod auth;
mod built_in;
mod enabled;
mod file;
#[cfg(feature = "providers")]
mod providers;
#[cfg(feature = "proxy")]
mod proxy;
mod readme;
mod robust;
mod rows;
mod rules;
mod schema;
#[cfg(feature = "spool")]
mod spool;
#[cfg(feature = "status")]
mod status;
mod values;
mod versions;

use mqtt_client_core::config::{
    Abilities, Config, Device, Finding, Rows, Severity, Signal, Storage, measure, parse, rows,
};

/// A complete example that uses every key.
pub const EXAMPLE: &str = include_str!("../../../port-linux/example.json");

/// What checking a file gave.
pub struct Outcome {
    /// As the user sees them; a warning has `warning: ` in front.
    pub findings: Vec<String>,
    pub errors: usize,
    pub valid: bool,
    /// Rows of the devices that an invalid file tells.
    pub devices: Vec<usize>,
}

/// Checks a file with exactly the storage that it needs, and hands the configuration, if there is one, to `look`.
pub fn check_with(text: &[u8], look: impl FnOnce(&Config<'_>)) -> Outcome {
    check_for(Abilities::ALL, text, look)
}

/// The same for a program with these abilities.
pub fn check_for(abilities: Abilities, text: &[u8], look: impl FnOnce(&Config<'_>)) -> Outcome {
    let mut findings = Vec::new();
    let mut errors = 0;
    let mut devices = Vec::new();
    let mut report = |finding: &Finding<'_>| {
        let warning = match finding.severity {
            Severity::Error => {
                errors += 1;
                ""
            }
            Severity::Warning => "warning: ",
        };
        findings.push(format!("{warning}{finding}"));
    };
    let valid = match measure(text) {
        Ok(sizes) => {
            let storage = Storage {
                devices: &mut vec![Device::EMPTY; sizes.devices],
                signals: &mut vec![Signal::EMPTY; sizes.signals],
                index: &mut vec![7; sizes.index],
                text: &mut vec![0xff; sizes.text],
            };
            match parse(text, storage, abilities, &mut report) {
                Ok(config) => {
                    look(&config);
                    Ok(())
                }
                Err(invalid) => {
                    devices.extend(invalid.devices.iter().map(|device| device.row));
                    Err(invalid.errors)
                }
            }
        }
        Err(finding) => {
            report(&finding);
            Err(1)
        }
    };
    assert_eq!(valid.err().unwrap_or(0), errors, "{findings:?}");
    Outcome {
        valid: valid.is_ok(),
        findings,
        errors,
        devices,
    }
}

pub fn check(text: &str) -> Vec<String> {
    check_with(text.as_bytes(), |_| ()).findings
}

/// Hands the configuration of a valid file to `look`.
pub fn valid(text: &str, look: impl FnOnce(&Config<'_>)) {
    let outcome = check_with(text.as_bytes(), look);
    assert!(outcome.valid, "{text}\n{:?}", outcome.findings);
}

/// Hands all rows of a valid file to `look`, also those that are not enabled.
pub fn valid_rows(text: &str, look: impl FnOnce(&Rows<'_>)) {
    let sizes = measure(text.as_bytes()).expect("JSON");
    let storage = Storage {
        devices: &mut vec![Device::EMPTY; sizes.devices],
        signals: &mut vec![Signal::EMPTY; sizes.signals],
        index: &mut vec![7; sizes.index],
        text: &mut vec![0xff; sizes.text],
    };
    match rows(text.as_bytes(), storage, Abilities::ALL, &mut |_| {}) {
        Ok(rows) => look(&rows),
        Err(invalid) => panic!("{text}\n{invalid}"),
    }
}

/// A row as JSON, from keys and JSON values; an empty value leaves the key out.
pub fn object(cells: &[(&str, &str)]) -> String {
    let given = cells.iter().filter(|(_, value)| !value.is_empty());
    let cells: Vec<_> = given
        .map(|(key, value)| format!("\"{key}\": {value}"))
        .collect();
    format!("{{{}}}", cells.join(", "))
}

/// `base` with the values of `changes`; keys that it does not have are added.
fn changed<'a>(base: &[(&'a str, &'a str)], changes: &[(&'a str, &'a str)]) -> String {
    let mut cells = base.to_vec();
    for &(key, value) in changes {
        match cells.iter_mut().find(|(other, _)| *other == key) {
            Some(cell) => cell.1 = value,
            None => cells.push((key, value)),
        }
    }
    object(&cells)
}

/// A valid row of the Devices tab with changes; it is enabled.
pub fn device(changes: &[(&str, &str)]) -> String {
    let base = [
        ("name", "\"Cloud\""),
        ("device_alias", "\"cloud\""),
        ("enable", "1"),
        ("protocol", "\"MQTT\""),
        ("ip", "\"broker.example.com\""),
        ("auth", "\"none\""),
    ];
    changed(&base, changes)
}

/// A valid row of the Signals tab with changes.
pub fn signal(changes: &[(&str, &str)]) -> String {
    let base = [
        ("signal_name", "\"Active power\""),
        ("device_alias", "\"cloud\""),
        ("signal_alias", "\"p\""),
        ("source_device_alias", "\"INV1\""),
        ("source_signal_alias", "\"P\""),
    ];
    changed(&base, changes)
}

/// A file of these rows.
pub fn file(devices: &[String], signals: &[String]) -> String {
    let (devices, signals) = (devices.join(", "), signals.join(", "));
    format!("{{\"devices\": [{devices}], \"signals\": [{signals}]}}")
}
