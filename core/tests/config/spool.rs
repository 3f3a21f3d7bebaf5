//! What may be asked of a spool, and what needs one?

use crate::{check_with, device};

/// A file with this `spool` block, or none where that is empty, and one device.
fn text(block: &str, device: &str) -> String {
    let block = match block {
        "" => String::new(),
        block => format!("\"spool\": {block}, "),
    };
    format!(r#"{{{block}"devices": [{device}], "signals": []}}"#)
}

fn findings(block: &str, device: &str) -> Vec<String> {
    check_with(text(block, device).as_bytes(), |_| ()).findings
}

const FOLDER: &str = r#"{"path": "/mnt/sd/mqtt-client"}"#;

#[test]
fn a_spool_has_a_size_a_folder_and_an_interval() {
    for (block, size, expected) in [
        (FOLDER, "65536", (Some("/mnt/sd/mqtt-client"), 10, 65_536)),
        (
            FOLDER,
            "1099511627776",
            (Some("/mnt/sd/mqtt-client"), 10, 1 << 40),
        ),
        (
            r#"{"path": "relative", "flush_interval": 3600}"#,
            "65536",
            (Some("relative"), 3600, 65_536),
        ),
        ("", "0", (None, 10, 0)),
        ("null", "0", (None, 10, 0)),
        (r#"{"flush_interval": 1}"#, "0", (None, 1, 0)),
    ] {
        let device = device(&[("enable", "1"), ("spool_size", size)]);
        let mut seen = None;
        let outcome = check_with(text(block, &device).as_bytes(), |config| {
            let spool = &config.spool;
            let size = config.devices[0].spool_size;
            seen = Some((spool.path.map(String::from), spool.flush_interval, size));
        });
        assert_eq!(outcome.findings, [""; 0], "{block} {size}");
        let (path, interval, size) = expected;
        assert_eq!(seen, Some((path.map(String::from), interval, size)));
    }
}

#[test]
fn a_size_that_no_spool_has_is_refused() {
    for size in ["1", "65535", "-1", "1099511627777"] {
        let device = device(&[("enable", "1"), ("spool_size", size)]);
        let findings = findings(FOLDER, &device);
        assert!(
            findings[0].starts_with("devices[0].spool_size: ") && findings[0].contains(size),
            "{size}: {findings:?}"
        );
    }
}

#[test]
fn an_interval_has_between_a_second_and_an_hour() {
    for interval in ["0", "3601"] {
        let block = format!(r#"{{"flush_interval": {interval}}}"#);
        assert_eq!(
            findings(&block, &device(&[])),
            [format!(
                "spool.flush_interval: {interval} is not in 1..3600"
            )]
        );
    }
}

#[test]
fn a_folder_is_needed_by_enabled_devices_only() {
    let missing = "spool.path: is missing, spool_size requires it";
    for (block, enable, expected) in [
        ("", "1", &[missing][..]),
        ("{}", "1", &[missing]),
        (r#"{"path": ""}"#, "1", &[missing]),
        ("", "0", &[]),
        (FOLDER, "1", &[]),
    ] {
        let device = device(&[("enable", enable), ("spool_size", "65536")]);
        assert_eq!(findings(block, &device), expected, "{block} {enable}");
    }
}

#[test]
fn what_has_no_effect_without_a_spool_is_warned_of() {
    for (key, value, is_warned) in [
        ("live_first", "1", true),
        ("live_first", "0", false),
        // What waits in memory goes at this rate too, and is dropped at this age.
        ("replay_rate", "10", false),
        ("max_age", "60", false),
    ] {
        let warning = format!("warning: devices[0].{key}: is ignored with spool_size=0");
        let expected = if is_warned { vec![warning] } else { vec![] };
        let row = device(&[("enable", "1"), (key, value)]);
        assert_eq!(findings(FOLDER, &row), expected, "{key} {value}");
    }
}
