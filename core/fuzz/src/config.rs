//! A mapping table.
//!
//! - It is JSON to us exactly when it is JSON to `serde_json`, but for depth.
//! - What `measure` says suffices for `parse`; the findings are the same with any storage that does; with less there are more
//!   errors, never fewer, and no panic.
//! - Each finding's position lies in the text, and no finding holds a control character.
//! - A valid configuration keeps the limits that its types promise, and routes and sessions can be made of it.

use mqtt_client_core::config::{
    self, Abilities, Config, Device, Finding, MAX_CHANNEL, MAX_TOPIC, Place, Problem, Severity,
    Signal, Sizes, Storage, Syntax, Table, Version,
};
use mqtt_client_core::index::Index;
use mqtt_client_core::mqtt::session::Session;
use mqtt_client_core::routes::{LastSample, Routes};
use serde::Deserialize as _;
use serde_json::Value;

/// Checks one file.
pub fn check(text: &[u8]) {
    let json = is_json_to_serde_json(text);
    match config::measure(text) {
        Err(finding) => {
            check_finding(&finding, text, None);
            let too_deep = matches!(finding.problem, Problem::NotJson(Syntax::Shallower));
            assert!(!json || too_deep, "{finding}, but it is JSON");
        }
        Ok(sizes) => {
            assert!(json, "it is no JSON to serde_json");
            let outcome = parse(text, sizes, sizes);
            let doubled = Sizes {
                devices: sizes.devices * 2,
                signals: sizes.signals * 2 + 1,
                index: sizes.index * 2 + 1,
                text: sizes.text * 2 + 1,
            };
            assert_eq!(parse(text, doubled, sizes), outcome);
            for less in smaller(sizes) {
                let with_less = parse(text, less, sizes);
                assert!(
                    with_less.errors >= outcome.errors.min(1),
                    "{with_less:?}, {outcome:?}"
                );
                assert!(with_less.no_room || with_less == outcome);
            }
        }
    }
}

fn is_json_to_serde_json(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut reader = serde_json::Deserializer::from_slice(text);
    // Deeper than ours, and not so deep that its recursion overflows the stack.
    if deepest(text) < 1000 {
        reader.disable_recursion_limit();
    }
    Value::deserialize(&mut reader).is_ok() && reader.end().is_ok()
}

fn deepest(text: &[u8]) -> usize {
    text.iter()
        .filter(|byte| matches!(byte, b'[' | b'{'))
        .count()
}

fn smaller(sizes: Sizes) -> impl Iterator<Item = Sizes> {
    let one_less = [
        sizes
            .devices
            .checked_sub(1)
            .map(|devices| Sizes { devices, ..sizes }),
        sizes
            .signals
            .checked_sub(1)
            .map(|signals| Sizes { signals, ..sizes }),
        sizes
            .index
            .checked_sub(1)
            .map(|index| Sizes { index, ..sizes }),
        sizes
            .text
            .checked_sub(1)
            .map(|text| Sizes { text, ..sizes }),
    ];
    one_less.into_iter().flatten()
}

#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    findings: Vec<String>,
    errors: usize,
    no_room: bool,
}

fn parse(text: &[u8], sizes: Sizes, rows: Sizes) -> Outcome {
    let mut outcome = Outcome {
        findings: Vec::new(),
        errors: 0,
        no_room: false,
    };
    let storage = Storage {
        devices: &mut vec![Device::EMPTY; sizes.devices],
        signals: &mut vec![Signal::EMPTY; sizes.signals],
        index: &mut vec![7; sizes.index],
        text: &mut vec![0xff; sizes.text],
    };
    let result = config::parse(text, storage, Abilities::ALL, &mut |finding| {
        check_finding(finding, text, Some(rows));
        outcome.errors += usize::from(finding.severity == Severity::Error);
        outcome.no_room |= matches!(finding.problem, Problem::NoRoom { .. });
        outcome.findings.push(finding.to_string());
    });
    match result {
        Ok(config) => {
            assert_eq!(outcome.errors, 0, "{outcome:?}");
            check_config(&config);
        }
        Err(invalid) => assert_eq!(invalid.errors, outcome.errors),
    }
    outcome
}

fn check_finding(finding: &Finding<'_>, text: &[u8], rows: Option<Sizes>) {
    let shown = finding.in_file("table.json").to_string();
    assert!(!shown.chars().any(char::is_control), "{shown:?}");
    let rows = |table| match (table, rows) {
        (Table::Top | Table::Redis | Table::Spool, _) => 1,
        (Table::Devices, Some(rows)) => rows.devices,
        (Table::Signals, Some(rows)) => rows.signals,
        (_, None) => 0,
    };
    match finding.place {
        Place::Text { line, column } => {
            let lines: Vec<_> = text.split(|byte| *byte == b'\n').collect();
            let place = lines
                .get(line.wrapping_sub(1))
                .unwrap_or_else(|| panic!("{shown}"));
            assert!((1..=place.len() + 1).contains(&column), "{shown}");
        }
        Place::Table(_) => {}
        Place::Row(table, row) | Place::Cell { table, row, .. } => {
            assert!(row < rows(table), "{shown}");
        }
    }
}

fn check_config(config: &Config<'_>) {
    for (number, device) in config.devices.iter().enumerate() {
        let twin = config.devices[..number]
            .iter()
            .find(|other| other.alias == device.alias);
        assert_eq!(twin, None);
        assert!(!device.alias.is_empty() && device.port > 0 && device.keep_alive >= 5);
        assert!(device.max_inflight > 0);
        assert!(
            device
                .buffer_size
                .is_none_or(|size| (1024..=1 << 30).contains(&size))
        );
        if let Some(will) = device.will {
            check_topic(&[will.topic]);
        }
        if let Some(client_id) = device.client_id {
            let longest = if device.version == Version::V3_1 {
                23
            } else {
                65_535
            };
            assert!((1..=longest).contains(&client_id.len()) && !client_id.contains('\0'));
        }
        assert!(Session::control_len(device) <= 5 * 65_537 + 32);
    }
    let mut slots = vec![0; Index::slots_for(config.signals.len())];
    let mut last = vec![LastSample::NOTHING; config.signals.len()];
    let routes = Routes::new(config, &mut slots, &mut last).expect("room for all signals");
    for (number, signal) in config.signals.iter().enumerate() {
        let device = config.devices[usize::from(signal.device)];
        let channel = signal.channel_pieces(device.alias).concat();
        assert!(channel.len() <= MAX_CHANNEL);
        check_topic(&signal.topic_pieces(device.alias));
        let found = routes.find(channel.as_bytes());
        assert_eq!(found, Some(number as u32), "{channel}");
    }
}

fn check_topic(pieces: &[&str]) {
    let topic = pieces.concat();
    assert!((1..=MAX_TOPIC).contains(&topic.len()), "{topic:?}");
    let is_ours = !topic.starts_with('$') || topic.starts_with("$aws/rules/");
    assert!(!topic.contains(['#', '+', '\0']) && is_ours, "{topic:?}");
}
