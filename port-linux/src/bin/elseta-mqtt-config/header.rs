//! Which column is which parameter? The first row of a sheet.

use mqtt_client_core::config::{Key, Table};

use crate::characters::trim;
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
                Cell::Text(name) => trim(name),
                _ => "",
            };
            let key = parameter(sheet.table, name);
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
            let text = match header_below(sheet) {
                None => "must be the header, and holds no parameter's name".into(),
                Some(row) => format!(
                    "must be the header, which stands in row {}; delete the rows above it",
                    row + 1
                ),
            };
            remarks.push(Remark::error(number, Spot::Row(0), "", text));
        }
        header.merged(number, sheet, remarks);
        let place = |key: &Key| sheet.table.keys().position(|other| other == *key);
        header.columns.sort_by_key(|(key, _)| place(key));
        header
    }

    /// Two columns under one name: nobody can tell which of them is meant.
    fn merged(&self, number: usize, sheet: &Sheet, remarks: &mut Vec<Remark>) {
        for area in &sheet.merged {
            let first = area.first.1;
            let is_ours = |column| self.columns.iter().any(|&(_, ours)| ours == column);
            if area.first.0 == 0 && area.last.1 > first && is_ours(first) {
                let text =
                    format!("{area} is merged; unmerge it and give each column its own name");
                remarks.push(Remark::error(number, Spot::Cell(0, first), "", text));
            }
        }
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

/// The parameter whose column has this name: in any letter case, whatever nobody sees around it.
pub fn parameter(table: Table, name: &str) -> Option<Key> {
    let name = trim(name);
    table
        .keys()
        .find(|key| key.name().eq_ignore_ascii_case(name))
}

/// The parameter that a column's name looks like, if it is none itself.
pub fn meant(table: Table, name: &str) -> Option<Key> {
    let letters = |name: &str| -> String {
        let letters = name.chars().filter(|character| character.is_alphanumeric());
        letters.collect::<String>().to_ascii_lowercase()
    };
    table
        .keys()
        .find(|key| letters(key.name()) == letters(name))
}

/// The row that looks like the header, where a title or something else stands above it.
fn header_below(sheet: &Sheet) -> Option<u32> {
    let is_header = |line: &&Line| {
        let names = line.cells().filter_map(|(_, cell)| match cell {
            Cell::Text(name) => parameter(sheet.table, name),
            _ => None,
        });
        names.count() >= 2
    };
    let lines = sheet.lines.iter().take(20);
    lines.into_iter().find(is_header).map(|line| line.row)
}
