//! What of a mapping table would come back from a workbook as something else? Cells have a limit, and spaces around a text or a line break in an
//! alias mean nothing, or something else, once they stand in one.

use std::borrow::Cow;
use std::collections::BTreeSet;

use mqtt_client_core::config::{Key, Table, is_mqtt};
use serde_json::{Map, Value};

use crate::characters::printable;
use crate::export::rows;
use crate::value::change;
use crate::workbook::TooLong;

/// What would come back from the workbook as something else, by its place in the table.
pub fn losses(table: &Value) -> Vec<String> {
    let text = |row: &Map<String, Value>, key: Key| {
        let text = row.get(key.name()).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let devices = rows(table, Key::Devices);
    let is_ours = |row: &Map<String, Value>| is_mqtt(&text(row, Key::Protocol));
    let (ours, foreign): (Vec<_>, Vec<_>) = devices.iter().partition(|row| is_ours(row));
    let aliases = |rows: Vec<&&Map<String, Value>>| -> BTreeSet<String> {
        let aliases = rows.into_iter().map(|row| text(row, Key::DeviceAlias));
        aliases.collect()
    };
    let (ours, foreign) = (aliases(ours), aliases(foreign));
    let mut losses = Losses(Vec::new());
    for (number, row) in devices.into_iter().enumerate() {
        let place = format!("{}[{number}]", Key::Devices.name());
        let counts = |key| is_ours(row) || matches!(key, Key::DeviceAlias | Key::Protocol);
        losses.row(&place, Table::Devices, row, counts);
    }
    for (number, row) in rows(table, Key::Signals).into_iter().enumerate() {
        let place = format!("{}[{number}]", Key::Signals.name());
        let device = text(row, Key::DeviceAlias);
        let is_ours = ours.contains(&device) || !foreign.contains(&device);
        let counts = |key| is_ours || key == Key::DeviceAlias;
        losses.row(&place, Table::Signals, row, counts);
    }
    for (block, key) in [(Table::Redis, Key::Redis), (Table::Spool, Key::Spool)] {
        if let Some(row) = table.get(key.name()).and_then(Value::as_object) {
            losses.row(key.name(), block, row, |_| true);
        }
    }
    losses.0
}

struct Losses(Vec<String>);

impl Losses {
    /// Looks at a row; of those parameters that count, texts have to come back from the workbook as they are.
    fn row(
        &mut self,
        place: &str,
        table: Table,
        row: &Map<String, Value>,
        counts: impl Fn(Key) -> bool,
    ) {
        for (name, value) in row {
            let text = as_text(value);
            let Some(text) = text.filter(|text| !text.is_empty()) else {
                continue;
            };
            let mut keys = table.keys();
            let key = keys.find(|key| key.name() == name && counts(*key));
            let loss = match TooLong::measure(&text) {
                Some(too_long) => Some(too_long.to_string()),
                None => key.and_then(|key| change(key, &text)),
            };
            let loss = loss.map(|loss| format!("{place}.{}: {loss}", printable(name)));
            self.0.extend(loss);
        }
    }
}

/// What is written as a text.
pub fn as_text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(text.into()),
        // Only under keys that mean nothing here.
        Value::Array(_) | Value::Object(_) => Some(value.to_string().into()),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}
