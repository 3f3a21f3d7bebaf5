//! Template, table, workbook, table: nothing is lost on the way.

use std::fs;
use std::path::Path;

use mqtt_client_core::config::Table;
use serde_json::json;
use tempfile::TempDir;

use crate::{Book, part, run, signal};

/// Runs a command that must say nothing on standard error.
#[track_caller]
fn succeed(folder: &Path, arguments: &[&str]) {
    let outcome = run(folder, arguments);
    assert_eq!(
        (outcome.code, outcome.stderr),
        (0, Vec::new()),
        "{arguments:?}"
    );
}

/// Exports the table in `first`, builds that, and returns both tables.
#[track_caller]
fn there_and_back(folder: &Path, first: &str) -> [String; 2] {
    succeed(folder, &["export", first, "-o", "back.xlsx"]);
    succeed(folder, &["build", "back.xlsx", "-o", "second.json"]);
    [first, "second.json"].map(|name| fs::read_to_string(folder.join(name)).unwrap())
}

#[test]
fn the_template_builds_without_a_warning_and_survives_the_way_back() {
    let folder = TempDir::new().unwrap();
    succeed(folder.path(), &["template", "template.xlsx"]);
    succeed(
        folder.path(),
        &["build", "template.xlsx", "-o", "first.json"],
    );
    let [first, second] = there_and_back(folder.path(), "first.json");
    assert_eq!(first, second);
    let table: serde_json::Value = serde_json::from_str(&first).unwrap();
    assert_eq!(table["devices"][0]["protocol"], "MQTT");
    assert_eq!(
        table["signals"][0]["device_alias"],
        table["devices"][0]["device_alias"]
    );
}

#[test]
fn the_template_explains_every_column_and_lists_the_values_to_choose_from() {
    let folder = TempDir::new().unwrap();
    succeed(folder.path(), &["template", "template.xlsx"]);
    let bytes = fs::read(folder.path().join("template.xlsx")).unwrap();
    for (sheet, columns, lists) in [
        (
            1,
            Table::Devices.keys().len(),
            &[
                "none,password,tls,token",
                "auto,3.1,3.1.1,5",
                "0,1,2",
                "0,1",
            ][..],
        ),
        (2, Table::Signals.keys().len(), &["0,1"]),
    ] {
        let notes = part(&bytes, &format!("xl/comments{sheet}.xml"));
        assert_eq!(notes.matches("<comment ").count(), columns);
        assert_eq!(notes.matches("Type: ").count(), columns);
        assert_eq!(notes.matches("Required: ").count(), columns);
        let cells = part(&bytes, &format!("xl/worksheets/sheet{sheet}.xml"));
        for list in lists {
            let list = format!("<formula1>\"{list}\"</formula1>");
            assert!(cells.contains(&list), "{list}");
        }
    }
    let notes = part(&bytes, "xl/comments1.xml");
    for line in [
        "MQTT broker port selection. With auth=tls it is usually 8883.",
        "Default: 1883",
        "Range: 1 to 65535",
    ] {
        assert!(notes.contains(line), "{line}");
    }
}

#[test]
fn two_builds_of_one_workbook_are_identical() {
    let folder = TempDir::new().unwrap();
    let book = Book::plant().row("Signals", 3, &signal(&[("signal_alias", "q")]));
    fs::write(folder.path().join("plant.xlsx"), book.bytes()).unwrap();
    let build = || run(folder.path(), &["build", "plant.xlsx", "-o", "-"]).stdout;
    assert_eq!(build(), build());
}

#[test]
fn texts_that_look_like_something_else_survive() {
    let table = json!({
        "redis": {"socket": "/var/run/redis.sock", "password": "007", "database": 3},
        "devices": [{
            "name": "=1+1", "device_alias": "1-2", "enable": 1, "protocol": "MQTT", "ip": "10.0.0.1", "port": 1883,
            "auth": "password", "username": "TRUE", "password": "0123", "client_id": "12345678901234567890",
            "mqtt_version": "3.1.1", "keep_alive": 30,
        }],
        "signals": [
            {"signal_name": "1e5", "device_alias": "1-2", "signal_alias": "00", "source_device_alias": "#N/A",
             "source_signal_alias": "2024-01-01", "enable": 0, "log": 2, "topic": "'quoted'"},
        ],
    });
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("first.json"), table.to_string()).unwrap();
    let [_, second] = there_and_back(folder.path(), "first.json");
    let second: serde_json::Value = serde_json::from_str(&second).unwrap();
    assert_eq!(second, table);
}

#[test]
fn an_empty_password_is_told_from_none() {
    let device = json!({"name": "Cloud", "device_alias": "cloud", "enable": 1, "protocol": "MQTT", "ip": "broker", "auth": "password",
                        "username": "token", "password": ""});
    let folder = TempDir::new().unwrap();
    let table = json!({"devices": [device], "signals": []});
    fs::write(folder.path().join("first.json"), table.to_string()).unwrap();
    let [_, second] = there_and_back(folder.path(), "first.json");
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&second).unwrap(),
        table
    );

    let mut devices = Book::plant();
    for (place, text) in [("Devices!I2", "password"), ("Devices!J2", "token")] {
        devices = devices.put(place, text);
    }
    assert_eq!(
        devices.build().errors(),
        ["Devices!K2 password: is missing, auth=password requires it"]
    );
}

#[test]
fn rows_of_other_protocols_and_unknown_keys_get_into_the_workbook() {
    let table = json!({
        "devices": [
            {"name": "Cloud", "device_alias": "cloud", "enable": true, "protocol": "MQTT", "ip": "broker", "auth": "none",
             "colour": "blue"},
            {"name": "Inverter", "device_alias": "INV1", "protocol": "Modbus TCP", "scan_rate_ms": 500, "list": [1, 2]},
        ],
        "signals": [],
    });
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("first.json"), table.to_string()).unwrap();
    let outcome = run(folder.path(), &["export", "first.json", "-o", "back.xlsx"]);
    assert_eq!(outcome.code, 0);
    assert_eq!(
        outcome.stderr,
        ["warning: first.json: devices[0].colour: unknown key, ignored"]
    );
    let outcome = run(folder.path(), &["build", "back.xlsx"]);
    assert_eq!(
        outcome.warnings(),
        [format!(
            "warning: Devices!{}1 colour: unknown column, ignored",
            column(Table::Devices.keys().len())
        )]
    );

    use calamine::{Data, Reader, Xlsx, open_workbook};
    let mut book: Xlsx<_> = open_workbook(folder.path().join("back.xlsx")).unwrap();
    let range = book.worksheet_range("Devices").unwrap();
    let last: Vec<_> = range
        .rows()
        .map(|row| row[row.len() - 2..].to_vec())
        .collect();
    let text = |text: &str| Data::String(text.into());
    assert_eq!(last[0], [text("list"), text("scan_rate_ms")]);
    assert_eq!(last[2], [text("[1,2]"), Data::Float(500.0)]);
}

/// The letters of the column behind so many, which are 26 to 701.
fn column(count: usize) -> String {
    let letter = |number: usize| char::from(b'A' + number as u8);
    [letter(count / 26 - 1), letter(count % 26)]
        .iter()
        .collect()
}

#[test]
fn a_wrong_table_is_not_exported() {
    let folder = TempDir::new().unwrap();
    for (text, message) in [
        (
            r#"{"devices": [], "signals": 5}"#,
            "first.json: signals: is a number, not an array",
        ),
        ("{", "first.json:1:2: expected a key in double quotes"),
    ] {
        fs::write(folder.path().join("first.json"), text).unwrap();
        let outcome = run(folder.path(), &["export", "first.json", "-o", "back.xlsx"]);
        assert_eq!(outcome.code, 78);
        assert_eq!(
            outcome.stderr,
            [
                message,
                "first.json: 1 error in the configuration, nothing written"
            ]
        );
        assert!(!folder.path().join("back.xlsx").exists());
    }
}

#[test]
fn what_a_workbook_cannot_hold_is_named_by_its_place_and_not_exported() {
    let table = json!({
        "devices": [
            {"name": "Cloud ", "device_alias": "cloud", "protocol": "MQTT", "ip": "broker", "auth": "none"},
            {"name": " Inverter", "device_alias": "INV1", "protocol": "Modbus"},
        ],
        "signals": [
            {"signal_name": "P", "device_alias": "cloud", "signal_alias": "p", "source_device_alias": "INV1\nINV2",
             "source_signal_alias": "P", "topic": "\u{200b}p"},
            {"signal_name": "P", "device_alias": "INV1", "source_device_alias": "a\nb"},
            {"signal_name": "x".repeat(32_768), "device_alias": "cloud", "signal_alias": "x", "source_device_alias": "INV1",
             "source_signal_alias": "P"},
        ],
        "redis": {"password": "\"\""},
    });
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("first.json"), table.to_string()).unwrap();
    let outcome = run(folder.path(), &["export", "first.json", "-o", "back.xlsx"]);
    let lost =
        "begins or ends with a space or an invisible character, which would get lost in a workbook";
    assert_eq!(
        (outcome.code, outcome.stderr),
        (
            78,
            vec![
                format!("first.json: devices[0].name: {lost}"),
                "first.json: signals[0].source_device_alias: holds a line break, which a workbook may not have there".into(),
                format!("first.json: signals[0].topic: {lost}"),
                "first.json: signals[2].signal_name: has more than the 32767 characters that a cell holds".into(),
                "first.json: redis.password: is two quotation marks, which stand for an empty password in a workbook".into(),
                "first.json: 5 values that a workbook cannot hold, nothing written".into(),
            ]
        )
    );
    assert!(!folder.path().join("back.xlsx").exists());
}

#[test]
fn a_key_that_only_a_header_would_take_for_a_parameter_gets_no_column() {
    let table = json!({
        "devices": [{"name": "Cloud", "device_alias": "cloud", "enable": 1, "protocol": "MQTT", "ip": "broker", "auth": "none",
                     "Port": 1}],
        "signals": [],
    });
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("first.json"), table.to_string()).unwrap();
    let outcome = run(folder.path(), &["export", "first.json", "-o", "back.xlsx"]);
    assert_eq!(
        outcome.stderr,
        ["warning: first.json: devices[0].Port: unknown key, ignored"]
    );
    let table = run(folder.path(), &["build", "back.xlsx"]).table();
    assert_eq!(table["devices"][0].get("port"), None);
}
