//! How does the mapping table lie in its file? Sheets' order, one row per line, the keys in the manual's order: two builds of
//! one workbook are identical, and a changed row is one changed line.

use std::fmt::Write;

use mqtt_client_core::config::{Key, Table};

use crate::rows::{Row, Rows};
use crate::value::Value;

/// The mapping table, with the devices of other protocols or without.
pub fn table(rows: &Rows, foreign: bool) -> String {
    let mut text = String::from("{\n");
    for (table, key, block) in [
        (Table::Redis, Key::Redis, &rows.redis),
        (Table::Spool, Key::Spool, &rows.spool),
    ] {
        if let Some(row) = block.first() {
            let _ = write!(text, "  \"{}\": ", key.name());
            push_row(&mut text, table, row);
            text.push_str(",\n");
        }
    }
    let devices = rows.devices.iter().filter(|row| foreign || !row.foreign);
    push_rows(&mut text, Table::Devices, Key::Devices, devices);
    text.push_str(",\n");
    push_rows(&mut text, Table::Signals, Key::Signals, rows.signals.iter());
    text.push_str("\n}\n");
    text
}

fn push_rows<'r>(text: &mut String, table: Table, key: Key, rows: impl Iterator<Item = &'r Row>) {
    let _ = write!(text, "  \"{}\": [", key.name());
    let mut separator = "\n    ";
    for row in rows {
        text.push_str(separator);
        push_row(text, table, row);
        separator = ",\n    ";
    }
    let is_empty = separator == "\n    ";
    text.push_str(if is_empty { "]" } else { "\n  ]" });
}

fn push_row(text: &mut String, table: Table, row: &Row) {
    let mut separator = "{";
    for key in table.keys() {
        if let Some(value) = row.value(key) {
            let _ = write!(text, "{separator}\"{}\": ", key.name());
            push_value(text, value);
            separator = ", ";
        }
    }
    text.push_str(if separator == "{" { "{}" } else { "}" });
}

fn push_value(text: &mut String, value: &Value) {
    match value {
        Value::Literal(literal) => text.push_str(literal),
        // A string without what JSON cannot spell.
        Value::Text(string) => text.push_str(&serde_json::Value::from(string.as_str()).to_string()),
    }
}
