//! What may the file look like? JSON, the order of tables, keys that stand twice or mean nothing, and too little storage.

use mqtt_client_core::config::{Abilities, Device, MAX_DEPTH, Signal, Storage, measure, parse};

use crate::{EXAMPLE, check, check_with, device, file, object, signal};

#[test]
fn a_file_that_is_no_json_gets_line_and_column() {
    for (text, expected) in [
        ("", "1:1: expected a value"),
        ("\n\n  ", "3:3: expected a value"),
        ("devices", "1:1: expected a value"),
        (
            "{\n  devices: []\n}",
            "2:3: expected a key in double quotes",
        ),
        ("{\n  \"devices\" []\n}", "2:13: expected a colon"),
        (
            "{\r\n\"devices\": [],\r\n}",
            "3:1: expected a key in double quotes",
        ),
        ("{\"\u{e9}\u{e9}\": x}", "1:8: expected a value"),
        (
            "{\"devices\": [] \"signals\": []}",
            "1:16: expected a comma or }",
        ),
        ("{\"devices\": [{} {}]}", "1:17: expected a comma or ]"),
        ("{} {}", "1:4: expected the end of the file"),
        ("{\"a\": -}", "1:8: expected a digit"),
        (
            "{\"a\": \"b}",
            "1:7: expected a closing quote for the string that begins here",
        ),
        (
            "{\"a\": \"b\nc\"}",
            "1:9: expected an escape such as \\n instead of a control character",
        ),
        (
            "{\"a\": \"C:\\dir\"}",
            "1:10: expected a valid escape sequence",
        ),
        (
            "{\"a\": \"\\ud800\"}",
            "1:8: expected a valid escape sequence",
        ),
    ] {
        assert_eq!(check(text), [expected], "{text}");
    }
    let deep = "[".repeat(MAX_DEPTH as usize + 1);
    assert_eq!(check(&deep), ["1:33: expected at most 32 levels"]);
    let very_deep = "{\"a\":".repeat(1_000_000);
    assert_eq!(check(&very_deep), ["1:161: expected at most 32 levels"]);
    for bytes in [
        &b"{\n\"\xc3\xa9\": \"\xff\"}"[..],
        b"{\n\"\xc3\xa9\": \"\xc3",
    ] {
        let findings = check_with(bytes, |_| ()).findings;
        assert_eq!(findings, ["2:7: expected UTF-8 text"]);
    }
}

#[test]
fn the_files_name_comes_first() {
    let in_file =
        |text: &[u8]| measure(text).map_err(|finding| finding.in_file("t.json").to_string());
    assert_eq!(
        in_file(b"[,").err().as_deref(),
        Some("t.json:1:2: expected a value")
    );

    let text = file(&[device(&[("mqtt_qos", "3")])], &[]);
    let sizes = measure(text.as_bytes()).expect("JSON");
    let storage = Storage {
        devices: &mut vec![Device::EMPTY; sizes.devices],
        signals: &mut [],
        index: &mut vec![0; sizes.index],
        text: &mut [],
    };
    let mut lines = Vec::new();
    let config = parse(text.as_bytes(), storage, Abilities::ALL, &mut |finding| {
        lines.push(finding.in_file("t.json").to_string())
    });
    assert_eq!(lines, ["t.json: devices[0].mqtt_qos: 3 is not in 0..2"]);
    assert_eq!(
        config.err().map(|invalid| invalid.to_string()).as_deref(),
        Some("1 error in the configuration")
    );
}

#[test]
fn a_byte_order_mark_is_no_error() {
    let text = format!("\u{feff}{}", file(&[device(&[])], &[signal(&[])]));
    assert_eq!(check(&text), [""; 0]);
    assert_eq!(check("\u{feff}["), ["1:2: expected a value"]);
}

#[test]
fn tables_have_the_right_type() {
    for (text, expected) in [
        ("[]", &["top level: is an array, not an object"][..]),
        ("null", &["top level: is null, not an object"]),
        ("{}", &["devices: is missing", "signals: is missing"]),
        (
            r#"{"devices": null, "signals": null}"#,
            &["devices: is missing", "signals: is missing"],
        ),
        (
            r#"{"devices": {}, "signals": "x"}"#,
            &[
                "devices: is an object, not an array",
                "signals: is a string, not an array",
            ],
        ),
        (
            r#"{"redis": [], "devices": [], "signals": []}"#,
            &["redis: is an array, not an object"],
        ),
        (r#"{"redis": null, "devices": [], "signals": []}"#, &[]),
        (
            r#"{"devices": [5, [[]]], "signals": [null, {"device_alias": "x"}, "s"]}"#,
            &[
                "devices[0]: is a number, not an object",
                "devices[1]: is an array, not an object",
                "signals[0]: is null, not an object",
                "signals[1].device_alias: \"x\" is not the alias of any device",
                "signals[1].signal_name: is missing",
                "signals[1].signal_alias: is missing",
                "signals[1].source_device_alias: is missing",
                "signals[1].source_signal_alias: is missing",
                "signals[2]: is a string, not an object",
            ],
        ),
    ] {
        assert_eq!(check(text), expected, "{text}");
    }
}

#[test]
fn without_a_devices_table_signals_are_checked_but_for_their_device() {
    let signals = signal(&[("log", "1.5")]);
    assert_eq!(
        check(&format!("{{\"signals\": [{signals}]}}")),
        [
            "devices: is missing",
            "signals[0].log: 1.5 is not an integer; write it without point and exponent"
        ]
    );
}

#[test]
fn signals_may_come_before_devices() {
    let (device, signal) = (device(&[]), signal(&[]));
    let text = format!("{{\"signals\": [{signal}], \"devices\": [{device}]}}");
    let outcome = check_with(text.as_bytes(), |config| {
        assert_eq!((config.devices.len(), config.signals.len()), (1, 1));
    });
    assert!(outcome.valid, "{:?}", outcome.findings);
}

#[test]
fn a_key_may_not_stand_twice_in_one_object() {
    let device = object(&[
        ("name", "\"Cloud\""),
        ("device_alias", "\"cloud\""),
        ("protocol", "\"MQTT\""),
        ("ip", "\"b\""),
        ("auth", "\"none\""),
        ("new", "1"),
        ("port", "1"),
        ("n\\u0065w", "null"),
        ("p\\u006frt", "2"),
        ("new", "{\"port\": 1, \"port\": 2}"),
    ]);
    let text = format!(
        "{{\"devices\": [{device}], \"x\": 1, \"devices\": [], \"signals\": [], \"x\": 2}}"
    );
    assert_eq!(
        check(&text),
        [
            "devices: appears more than once in one object",
            "warning: x: unknown key, ignored",
            "x: appears more than once in one object",
            "devices[0].port: appears more than once in one object",
            "warning: devices[0].new: unknown key, ignored",
            "devices[0].n\\u0065w: appears more than once in one object",
            "devices[0].new: appears more than once in one object",
        ]
    );
}

#[test]
fn an_unknown_key_is_named_once_per_table() {
    let device = |alias| {
        device(&[
            ("device_alias", alias),
            ("color", "\"red\""),
            ("topic", "1"),
        ])
    };
    let signals = ["\"a\"", "\"b\""].map(|alias| {
        signal(&[
            ("signal_alias", alias),
            ("color", "null"),
            ("c\\u006flor", ""),
        ])
    });
    assert_eq!(
        check(&file(&[device("\"cloud\""), device("\"d\"")], &signals)),
        [
            "warning: devices[0].color: unknown key, ignored",
            "warning: devices[0].topic: unknown key, ignored",
            "warning: signals[0].color: unknown key, ignored",
        ]
    );
}

#[test]
fn more_unknown_keys_than_are_remembered_are_all_named() {
    let names: Vec<_> = (0..100).map(|number| format!("key{number}")).collect();
    let cells: Vec<_> = names.iter().map(|name| (name.as_str(), "1")).collect();
    let findings = check(&file(&[device(&cells)], &[]));
    let expected: Vec<_> = names
        .iter()
        .map(|name| format!("warning: devices[0].{name}: unknown key, ignored"))
        .collect();
    assert_eq!(findings, expected);
}

#[test]
fn values_are_shown_shortened_and_without_control_characters() {
    let long = format!("\"{}\"", "\u{e9}".repeat(41));
    let shown = format!("\"{}...\"", "\u{e9}".repeat(40));
    for (value, shown) in [
        ("\"a\\nb\\\"\"", "\"a\\nb\\\"\""),
        (
            "\"\u{7f}\u{9b}2J\u{202e}\"",
            "\"\\u{7f}\\u{9b}2J\\u{202e}\"",
        ),
        (&long, &shown),
    ] {
        let findings = check(&file(&[device(&[("auth", value)])], &[]));
        assert_eq!(
            findings,
            [format!(
                "devices[0].auth: {shown} is not none, password, tls or token"
            )]
        );
    }
    let text = "{\"devices\": [], \"signals\": [], \"a\u{7f}\\u001b\": 1}";
    assert_eq!(
        check(text),
        ["warning: a\\u{7f}\\u001b: unknown key, ignored"]
    );
}

#[test]
fn strings_borrow_from_the_file_unless_they_hold_escapes() {
    let text = file(
        &[device(&[("name", "\"C\\\\l\\u00f6\\ud83d\\ude00ud\"")])],
        &[signal(&[("signal_name", "\"a\\tb\"")])],
    );
    let outcome = check_with(text.as_bytes(), |config| {
        assert_eq!(config.devices[0].name, "C\\l\u{f6}\u{1f600}ud");
        assert_eq!(config.signals[0].name, "a\tb");
        let file = text.as_bytes().as_ptr_range();
        assert!(file.contains(&config.devices[0].alias.as_ptr()));
        assert!(!file.contains(&config.devices[0].name.as_ptr()));
    });
    assert!(outcome.valid, "{:?}", outcome.findings);
    let sizes = measure(text.as_bytes()).expect("JSON");
    assert_eq!(sizes.text, "C\\l\u{f6}\u{1f600}ud".len() + "a\tb".len());
}

#[test]
fn too_little_storage_is_an_error_that_names_the_limit() {
    let sizes = measure(EXAMPLE.as_bytes()).expect("JSON");
    let try_with = |devices, signals, index, text| {
        let storage = Storage {
            devices: &mut vec![Device::EMPTY; devices],
            signals: &mut vec![Signal::EMPTY; signals],
            index: &mut vec![0; index],
            text: &mut vec![0; text],
        };
        let mut findings = Vec::new();
        let config = parse(
            EXAMPLE.as_bytes(),
            storage,
            Abilities::ALL,
            &mut |finding| findings.push(finding.to_string()),
        );
        assert_eq!(config.is_ok(), findings.is_empty());
        findings
    };
    // Of three and four rows, one each is another protocol's.
    assert_eq!(try_with(2, 3, sizes.index, sizes.text), [""; 0]);
    assert_eq!(
        try_with(1, 3, sizes.index, sizes.text),
        ["devices: limit reached: room for 1 devices"]
    );
    assert_eq!(
        try_with(2, 2, sizes.index, sizes.text),
        ["signals: limit reached: room for 2 signals"]
    );
    assert_eq!(
        try_with(2, 3, sizes.index - 1, sizes.text),
        [format!(
            "top level: limit reached: room for {} index entries",
            sizes.index - 1
        )]
    );
    assert_eq!(
        try_with(2, 3, sizes.index, sizes.text - 1),
        [format!(
            "signals[1].signal_name: limit reached: room for {} bytes of text with escapes",
            sizes.text - 1
        )]
    );
    assert_eq!(
        try_with(0, 0, 0, 0),
        ["top level: limit reached: room for 0 index entries"]
    );
}
