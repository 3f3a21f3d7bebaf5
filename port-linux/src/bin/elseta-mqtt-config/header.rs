//! Which column is which parameter? The first row of a sheet.

use mqtt_client_core::config::{Key, Table};

use crate::report::Remark;
use crate::workbook::{Cell, Line, Sheet, Spot};

/// The columns of a sheet by their names.
#[derive(Debug, Default)]
pub struct Header {
    /// In the order of [`Table::keys`].
    columns: Vec<(Key, u32)>,
    /// Columns whose names mean nothing here.
    unknown: Vec<(u32, String)>,
}

impl Header {
    /// Reads the first row of `sheet`, which is number `number`. Names count in any letter case, with spaces around them.
    pub fn read(number: usize, sheet: &Sheet, remarks: &mut Vec<Remark>) -> Header {
        let mut header = Header::default();
        let Some(line) = sheet.lines.first() else {
            return header;
        };
        let names = Some(line).filter(|line| line.row == 0);
        for (column, cell) in names.into_iter().flat_map(Line::cells) {
            let name = match cell {
                Cell::Text(name) => name.trim(),
                _ => "",
            };
            let key = key(sheet.table, name);
            match key.and_then(|key| header.column(key)) {
                Some(first) => {
                    let first = sheet.at(Spot::Cell(0, first));
                    let text = format!("stands in {first} already");
                    remarks.push(Remark::error(number, Spot::Cell(0, column), name, text));
                }
                None => match key {
                    Some(key) => header.columns.push((key, column)),
                    None => header.unknown.push((column, name.to_owned())),
                },
            }
        }
        if header.columns.is_empty() {
            let text = "must be the header, and holds no parameter's name";
            remarks.push(Remark::error(number, Spot::Row(0), "", text));
        }
        let place = |key: &Key| sheet.table.keys().iter().position(|other| other == key);
        header.columns.sort_by_key(|(key, _)| place(key));
        header
    }

    /// Where a parameter's values stand.
    pub fn column(&self, key: Key) -> Option<u32> {
        let found = self.columns.iter().find(|&&(other, _)| other == key);
        found.map(|&(_, column)| column)
    }

    /// The parameters of this sheet and their columns, in the order of [`Table::keys`].
    pub fn columns(&self) -> &[(Key, u32)] {
        &self.columns
    }

    /// The name of a column that is no parameter's; may be empty.
    pub fn unknown(&self, column: u32) -> Option<&str> {
        if self.columns.iter().any(|&(_, known)| known == column) {
            return None;
        }
        let found = self.unknown.iter().find(|&&(other, _)| other == column);
        Some(found.map_or("", |(_, name)| name))
    }
}

fn key(table: Table, name: &str) -> Option<Key> {
    let keys = table.keys().iter().copied();
    keys.into_iter()
        .find(|key| key.name().eq_ignore_ascii_case(name))
}
