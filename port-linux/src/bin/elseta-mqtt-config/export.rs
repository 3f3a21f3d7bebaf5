//! How does a mapping table become a workbook again? Every row and every key of it, so that nothing that runs on a gateway is lost.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use mqtt_client_core::config::{self, Abilities, Device, Key, Signal, Storage, Table};
use rust_xlsxwriter::{Workbook, XlsxError};
use serde_json::{Map, Value};

use crate::parameters;
use crate::tab::Tab;
use crate::{Failure, complain, output};

/// Writes the workbook of the mapping table in `table`, but never over a file that is there.
pub fn write(table: &Path, path: &Path) -> Result<(), Failure> {
    let name = table.display().to_string();
    let text = fs::read(table)
        .map_err(|error| Failure::Input(format!("{name}: cannot be read: {error}")))?;
    check(&name, &text)?;
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    let table: Value =
        serde_json::from_slice(text).map_err(|error| Failure::Input(format!("{name}: {error}")))?;
    let bytes = workbook(&table)
        .map_err(|error| Failure::Output(format!("{}: {error}", path.display())))?;
    output::write_new(path, &bytes)
}

/// The core's rules; what they find is named by its place in the file.
fn check(name: &str, text: &[u8]) -> Result<(), Failure> {
    let (devices, signals, index, unescaped) = config::measure(text)
        .map_or((0, 0, 0, 0), |sizes| {
            (sizes.devices, sizes.signals, sizes.index, sizes.text)
        });
    let storage = Storage {
        devices: &mut vec![Device::EMPTY; devices],
        signals: &mut vec![Signal::EMPTY; signals],
        index: &mut vec![0; index],
        text: &mut vec![0; unescaped],
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
    let rows = |key: Key| {
        let rows = table.get(key.name()).and_then(Value::as_array);
        let rows = rows.into_iter().flatten();
        rows.filter_map(Value::as_object).collect::<Vec<_>>()
    };
    let redis = table.get(Key::Redis.name()).and_then(Value::as_object);
    let mut workbook = Workbook::new();
    add_tab(&mut workbook, Table::Devices, &rows(Key::Devices))?;
    add_tab(&mut workbook, Table::Signals, &rows(Key::Signals))?;
    if let Some(redis) = redis {
        add_tab(&mut workbook, Table::Redis, &[redis])?;
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
    for (column, parameter) in (0..).zip(parameters::of(table)) {
        tab.parameter(column, parameter)?;
        names.push(parameter.key.name());
    }
    let given: BTreeSet<&str> = rows
        .iter()
        .flat_map(|row| row.keys())
        .map(String::as_str)
        .collect();
    for name in given {
        if !names.contains(&name) {
            tab.unknown(names.len() as u16, name)?;
            names.push(name);
        }
    }
    for (row, values) in (1..).zip(rows) {
        for (column, name) in (0..).zip(&names) {
            if let Some(value) = values.get(*name) {
                put(&mut tab, row, column, value)?;
            }
        }
    }
    Ok(())
}

fn put(tab: &mut Tab<'_>, row: u32, column: u16, value: &Value) -> Result<(), XlsxError> {
    match value {
        Value::Null => Ok(()),
        Value::Bool(value) => tab.number(row, column, f64::from(u8::from(*value))),
        Value::Number(number) => match number.as_f64() {
            Some(number) => tab.number(row, column, number),
            None => Ok(()),
        },
        Value::String(text) if text.is_empty() => Ok(()),
        Value::String(text) => tab.text(row, column, text),
        // Only under keys that mean nothing here.
        Value::Array(_) | Value::Object(_) => tab.text(row, column, &value.to_string()),
    }
}
