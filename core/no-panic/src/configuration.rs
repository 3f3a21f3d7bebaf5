//! The way of a configuration: measured, parsed, every finding shown.

use core::hint::black_box;

use mqtt_client_core::config::{
    Abilities, Config, Device, Finding, Signal, Storage, measure, rows,
};

use crate::outside::{mine, unknown};
use crate::sink::show;

/// Any text at all.
fn text() -> &'static [u8] {
    black_box(b"{}")
}

/// Reads a configuration, and hands it on if it is valid.
pub fn with_parsed(run: fn(&Config<'_>)) {
    let text = text();
    let Ok(sizes) = measure(text) else {
        mine!(mine_no_json);
        return;
    };
    black_box(sizes);
    let (mut devices, mut signals) = ([Device::EMPTY; 4], [Signal::EMPTY; 4]);
    let (mut index, mut decoded) = ([0; 64], [0; 64]);
    let storage = Storage {
        devices: unknown(&mut devices),
        signals: unknown(&mut signals),
        index: unknown(&mut index),
        text: unknown(&mut decoded),
    };
    let abilities = black_box(Abilities::ALL);
    let report = &mut |finding: &Finding<'_>| {
        mine!(mine_finding);
        show(format_args!("{}", finding.in_file(black_box("file"))));
    };
    match rows(text, storage, abilities, report) {
        Ok(rows) => {
            rows.check_providers(report);
            run(black_box(&rows.into_config()));
        }
        Err(invalid) => show(format_args!("{invalid}")),
    }
}
