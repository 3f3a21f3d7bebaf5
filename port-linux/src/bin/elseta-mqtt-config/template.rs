//! How does a workbook to start from come about? Both tabs with all columns, and an example row of each.

use std::path::Path;

use mqtt_client_core::config::{Column, Table};
use rust_xlsxwriter::{Workbook, XlsxError};

use crate::tab::Tab;
use crate::value::Kind;
use crate::{Failure, output};

/// Writes the template, but never over a file that is there.
pub fn write(path: &Path) -> Result<(), Failure> {
    let bytes =
        workbook().map_err(|error| Failure::Output(format!("{}: {error}", path.display())))?;
    output::write_new(path, &bytes)
}

fn workbook() -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    for table in [Table::Devices, Table::Signals] {
        let mut tab = Tab::new(workbook.add_worksheet(), table)?;
        for (number, column) in (0..).zip(Column::of(table)) {
            tab.parameter(number, &column)?;
            let example = column.note.example;
            match (Kind::of(column.parameter), example.parse()) {
                (Kind::Integer | Kind::Boolean, Ok(value)) => tab.number(1, number, value)?,
                _ if example.is_empty() => {}
                _ => tab.text(1, number, example)?,
            }
        }
    }
    workbook.save_to_buffer()
}
