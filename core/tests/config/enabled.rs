//! What becomes of rows with `enable` 0? They are checked like all others, and are gone from what is handed out.

use mqtt_client_core::config::Config;

use crate::{check, check_with, device, file, signal, valid, valid_rows};

/// A device under this alias.
fn named(alias: &str, enable: &str) -> String {
    device(&[
        ("device_alias", &format!("\"{alias}\"")),
        ("enable", enable),
    ])
}

/// A signal of this device.
fn of(device: &str, alias: &str, enable: &str) -> String {
    signal(&[
        ("device_alias", &format!("\"{device}\"")),
        ("signal_alias", &format!("\"{alias}\"")),
        ("enable", enable),
    ])
}

/// Three devices of which the first and the third are enabled, two signals of each and one of another protocol in between.
fn table() -> String {
    let other = r#"{"device_alias": "INV1", "protocol": "Modbus"}"#.to_owned();
    let devices = [
        named("off", "0"),
        named("a", "1"),
        other,
        named("idle", "0"),
        named("b", "1"),
    ];
    let signals = [
        of("b", "first", "1"),
        of("off", "x", "1"),
        of("a", "off", "0"),
        of("INV1", "P", "1"),
        of("a", "second", ""),
        of("idle", "x", "0"),
        of("b", "off", "false"),
        of("b", "third", "true"),
    ];
    file(&devices, &signals)
}

/// The signals by their devices' aliases and their own.
fn signals(config: &Config<'_>) -> Vec<String> {
    let names = config.signals.iter().map(|signal| {
        let device = config.devices[usize::from(signal.device)];
        format!("{}/{}", device.alias, signal.alias)
    });
    names.collect()
}

#[test]
fn only_enabled_rows_are_handed_out_and_numbered_without_gaps() {
    valid(&table(), |config| {
        let devices: Vec<_> = (config.devices.iter())
            .map(|device| (device.alias, device.row))
            .collect();
        assert_eq!(devices, [("a", 1), ("b", 4)]);
        assert_eq!(signals(config), ["b/first", "a/second", "b/third"]);
    });
}

#[test]
fn all_rows_of_ours_can_be_had_in_the_files_order() {
    valid_rows(&table(), |rows| {
        let devices: Vec<_> = rows
            .devices()
            .map(|(device, on)| (device.alias, on))
            .collect();
        let expected = [("off", false), ("a", true), ("idle", false), ("b", true)];
        assert_eq!(devices, expected);
        let signals: Vec<_> = (rows.signals())
            .map(|(signal, on)| (devices[usize::from(signal.device)].0, signal.alias, on))
            .collect();
        assert_eq!(
            signals,
            [
                ("b", "first", true),
                ("off", "x", true),
                ("a", "off", false),
                ("a", "second", true),
                ("idle", "x", false),
                ("b", "off", false),
                ("b", "third", true),
            ]
        );
    });
}

#[test]
fn nothing_is_left_where_nothing_is_enabled() {
    let text = file(&[named("a", "0")], &[of("a", "p", "1")]);
    valid(&text, |config| {
        assert_eq!((config.devices.len(), config.signals.len()), (0, 0));
    });
}

#[test]
fn a_disabled_row_is_checked_like_any_other() {
    let devices = [device(&[("enable", "0"), ("mqtt_qos", "3")])];
    let signals = [signal(&[("enable", "0"), ("topic", "\"#\"")])];
    assert_eq!(
        check(&file(&devices, &signals)),
        [
            "devices[0].mqtt_qos: 3 is not in 0..2",
            "signals[0].topic: \"#\" holds #, which only filters may",
        ]
    );
}

#[test]
fn a_disabled_row_has_its_alias_for_itself() {
    let twice = [named("a", "0"), named("a", "1"), named("a", "0")];
    assert_eq!(
        check(&file(&twice, &[])),
        [1, 2].map(|row| format!(
            "devices[{row}].device_alias: \"a\" is the alias of devices[0] already"
        ))
    );
    for device in ["0", "1"] {
        let signals = [of("a", "p", "0"), of("a", "p", "1"), of("a", "p", "0")];
        assert_eq!(
            check(&file(&[named("a", device)], &signals)),
            [1, 2].map(|row| format!(
                "signals[{row}].signal_alias: \"p\" is the alias of signals[0] already"
            ))
        );
    }
}

#[test]
fn topics_that_enabled_signals_of_a_disabled_device_share_are_warned_of() {
    let shared = |alias| signal(&[("signal_alias", alias), ("topic", "\"plant\"")]);
    let off = signal(&[("enable", "0"), ("topic", "\"plant\"")]);
    let text = file(
        &[named("spare", "0"), named("cloud", "0")],
        &[off, shared("\"a\""), shared("\"b\"")],
    );
    let expected = "warning: signals[2].topic: is also the topic of signals[1]";
    assert_eq!(check(&text), [expected]);
}

#[test]
fn an_invalid_file_still_tells_its_enabled_devices() {
    let text = file(&[named("a", "0"), named("b", "1"), named("b", "1")], &[]);
    let outcome = check_with(text.as_bytes(), |_| ());
    assert_eq!((outcome.errors, outcome.devices), (1, vec![1, 2]));
}
