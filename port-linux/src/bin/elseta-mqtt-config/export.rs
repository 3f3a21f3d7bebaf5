//! How does a mapping table become a workbook again? Every row and every key of it, so that nothing that runs on a gateway is lost.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use mqtt_client_core::config::{self, Abilities, Column, Device, Key, Signal, Storage, Table};
use rust_xlsxwriter::{Workbook, XlsxError};
use serde_json::{Map, Value};

use crate::characters::printable;
use crate::header::parameter;
use crate::losses::{as_text, losses};
use crate::tab::Tab;
use crate::value::EMPTY_PASSWORD;
use crate::{Failure, complain, memory, output, unreadable};

/// Writes the workbook of the mapping table in `table`, but never over a file that is there.
pub fn write(table: &Path, path: &Path) -> Result<(), Failure> {
    let name = table.display().to_string();
    memory::is_taken_for(printable(&name).to_string());
    let text = fs::read(table)
        .map_err(|error| Failure::Input(format!("{name}: {}", unreadable(&error))))?;
    check(&name, &text)?;
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    let table: Value =
        serde_json::from_slice(text).map_err(|error| Failure::Input(format!("{name}: {error}")))?;
    let losses = losses(&table);
    for loss in &losses {
        complain(format_args!("{name}: {loss}"));
    }
    if !losses.is_empty() {
        let plural = if losses.len() == 1 { "" } else { "s" };
        return Err(Failure::Input(format!(
            "{name}: {} value{plural} that a workbook cannot hold, nothing written",
            losses.len()
        )));
    }
    let bytes = workbook(&table)
        .map_err(|error| Failure::Output(format!("{}: {error}", path.display())))?;
    output::write_new(path, &bytes)
}

/// The objects of a tab's rows.
pub fn rows(table: &Value, key: Key) -> Vec<&Map<String, Value>> {
    let rows = table.get(key.name()).and_then(Value::as_array);
    let rows = rows.into_iter().flatten();
    rows.filter_map(Value::as_object).collect()
}

/// The core's rules; what they find is named by its place in the file.
fn check(name: &str, text: &[u8]) -> Result<(), Failure> {
    // Of what is no JSON nothing is to be stored, and the core says what is wrong.
    let sizes = config::measure(text).unwrap_or_default();
    let storage = Storage {
        devices: &mut vec![Device::EMPTY; sizes.devices],
        signals: &mut vec![Signal::EMPTY; sizes.signals],
        index: &mut vec![0; sizes.index],
        text: &mut vec![0; sizes.text],
    };
    config::parse(text, storage, Abilities::ALL, &mut |finding| {
        let kind = match finding.severity {
            config::Severity::Error => "",
            config::Severity::Warning => "warning: ",
        };
        complain(format_args!("{kind}{}", finding.in_file(name)));
    })
    .map(drop)
    .map_err(|invalid| Failure::Input(format!("{name}: {invalid}, nothing written")))
}

fn workbook(table: &Value) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    add_tab(&mut workbook, Table::Devices, &rows(table, Key::Devices))?;
    add_tab(&mut workbook, Table::Signals, &rows(table, Key::Signals))?;
    for (block, key) in [(Table::Redis, Key::Redis), (Table::Spool, Key::Spool)] {
        if let Some(row) = table.get(key.name()).and_then(Value::as_object) {
            add_tab(&mut workbook, block, &[row])?;
        }
    }
    workbook.save_to_buffer()
}

fn add_tab(
    workbook: &mut Workbook,
    table: Table,
    rows: &[&Map<String, Value>],
) -> Result<(), XlsxError> {
    let mut tab = Tab::new(workbook.add_worksheet(), table)?;
    let mut names = Vec::new();
    for (number, column) in (0..).zip(Column::of(table)) {
        tab.parameter(number, &column)?;
        names.push(column.key().name());
    }
    let given: BTreeSet<&str> = rows
        .iter()
        .flat_map(|row| row.keys())
        .map(String::as_str)
        .collect();
    for name in given {
        // Under a name that a header takes for a parameter's, it would get a meaning that it does not have.
        if !names.contains(&name) && parameter(table, name).is_none() {
            tab.unknown(names.len() as u16, name)?;
            names.push(name);
        }
    }
    for (row, values) in (1..).zip(rows) {
        for (column, name) in (0..).zip(&names) {
            if let Some(value) = values.get(*name) {
                put(&mut tab, row, column, name, value)?;
            }
        }
    }
    Ok(())
}

fn put(
    tab: &mut Tab<'_>,
    row: u32,
    column: u16,
    name: &str,
    value: &Value,
) -> Result<(), XlsxError> {
    match value {
        Value::Null => Ok(()),
        Value::Bool(value) => tab.number(row, column, f64::from(u8::from(*value))),
        Value::Number(number) => match number.as_f64() {
            Some(number) => tab.number(row, column, number),
            None => Ok(()),
        },
        Value::String(_) | Value::Array(_) | Value::Object(_) => match as_text(value) {
            Some(text) if !text.is_empty() => tab.text(row, column, &text),
            _ if name == Key::Password.name() => tab.text(row, column, EMPTY_PASSWORD),
            _ => Ok(()),
        },
    }
}
