//! Which cell is a finding of the core's rules about?
//!
//! The rows become a mapping table, the core checks that as the daemon would, and each finding's place in the table is turned
//! back into sheet and cell.

use std::fmt::Display;
use std::mem;

use mqtt_client_core::config::{
    self, Abilities, Device, Finding, Key, KeyName, Place, Problem, Severity, Signal, Storage,
    Table,
};

use crate::advice::{self, SharedTopic};
use crate::characters::printable;
use crate::json;
use crate::report::Remark;
use crate::rows::{self, Row, Rows};
use crate::workbook::{Sheet, Spot};

/// A workbook without errors.
pub struct Verdict {
    /// The mapping table, as it is to be written.
    pub json: String,
    /// How much is in it, for a person.
    pub counts: String,
}

/// Checks a workbook by every rule. The remarks come in the order of their places; without an error among them there is a verdict.
pub fn judge(sheets: &[Sheet]) -> (Option<Verdict>, Vec<Remark>) {
    let mut remarks = missing_tabs(sheets);
    let rows = rows::read(sheets, &mut remarks);
    let text = json::table(&rows, true);
    let places = Places {
        sheets,
        rows: &rows,
    };
    check(&text, &places, &mut remarks);
    remarks.sort_by_key(|remark| remark.place.map(|(sheet, spot)| (sheet, spot.order())));
    if has_error(&remarks) {
        return (None, remarks);
    }
    let devices = rows.devices.iter().filter(|row| !row.foreign).count();
    let verdict = Verdict {
        json: json::table(&rows, false),
        counts: format!(
            "{}, {}",
            counted(devices, "device"),
            counted(rows.signals.len(), "signal")
        ),
    };
    (Some(verdict), remarks)
}

fn has_error(remarks: &[Remark]) -> bool {
    let mut severities = remarks.iter().map(|remark| remark.severity);
    severities.any(|severity| severity == Severity::Error)
}

fn counted(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// Both tabs have to be there, with a header. A further tab for signals may be blank.
fn missing_tabs(sheets: &[Sheet]) -> Vec<Remark> {
    let tabs = [(Table::Devices, "Devices"), (Table::Signals, "Signals")];
    let mut missing = Vec::new();
    for (table, name) in tabs {
        let ours = || {
            sheets
                .iter()
                .enumerate()
                .filter(|(_, sheet)| sheet.table == table)
        };
        if ours().any(|(_, sheet)| !sheet.lines.is_empty()) {
            continue;
        }
        missing.push(match ours().next() {
            Some((blank, _)) => {
                let text = "is blank; its first row must be the header, with the parameters' names";
                Remark::error(blank, Spot::Sheet, "", text)
            }
            None => Remark {
                severity: Severity::Error,
                place: None,
                parameter: String::new(),
                text: format!("there is no tab {name}"),
            },
        });
    }
    missing
}

/// Lets the core check the table, and adds advice if it has no errors.
fn check(text: &str, places: &Places<'_>, remarks: &mut Vec<Remark>) {
    let sizes = match config::measure(text.as_bytes()) {
        Ok(sizes) => sizes,
        Err(finding) => {
            remarks.extend(places.remark(&finding));
            return;
        }
    };
    let storage = Storage {
        devices: &mut vec![Device::EMPTY; sizes.devices],
        signals: &mut vec![Signal::EMPTY; sizes.signals],
        index: &mut vec![0; sizes.index],
        text: &mut vec![0; sizes.text],
    };
    // Where no device has an alias, that has been said, or a single signal's device says it for all.
    let no_aliases = places
        .rows
        .devices
        .iter()
        .all(|row| row.value(Key::DeviceAlias).is_none());
    let mut devices_missed = false;
    let mut missing_columns = Vec::new();
    let mut shared_topics = Vec::new();
    let checked = config::rows(text.as_bytes(), storage, Abilities::ALL, &mut |finding| {
        match (finding.problem, finding.place) {
            (Problem::TopicShared { row: first }, Place::Cell { row, .. }) => {
                shared_topics.push(SharedTopic { row, first });
            }
            (Problem::NoSuchDevice(_), _)
                if no_aliases && mem::replace(&mut devices_missed, true) => {}
            (Problem::Missing { because: None }, Place::Cell { table, row, key }) => {
                // Where there is no such column, that is to be said once and not for each row.
                let sheet = places.row(table, row).map(|row| row.sheet);
                if places.column(table, row, key).is_none() {
                    if missing_columns.contains(&(sheet, key.name().to_owned())) {
                        return;
                    }
                    missing_columns.push((sheet, key.name().to_owned()));
                }
                remarks.extend(places.remark(finding));
            }
            _ => remarks.extend(places.remark(finding)),
        }
    });
    if let Ok(rows) = checked
        && !has_error(remarks)
    {
        remarks.extend(advice::give(&rows, &shared_topics, places));
        rows.check_providers(&mut |finding| remarks.extend(places.remark(finding)));
    }
}

/// Where the rows of the table come from.
pub struct Places<'s> {
    pub sheets: &'s [Sheet],
    pub rows: &'s Rows,
}

impl Places<'_> {
    fn row(&self, table: Table, row: usize) -> Option<&Row> {
        match table {
            Table::Top => None,
            Table::Redis => self.rows.redis.first(),
            Table::Spool => self.rows.spool.first(),
            Table::Devices => self.rows.devices.get(row),
            Table::Signals => self.rows.signals.get(row),
        }
    }

    fn column(&self, table: Table, row: usize, key: KeyName<'_>) -> Option<u32> {
        let KeyName::Known(key) = key else {
            return None;
        };
        let sheet = self.row(table, row)?.sheet;
        self.rows.headers.get(sheet)?.column(key)
    }

    /// The cell of a parameter in a row of the table, or the row where it has no such column.
    pub fn spot(&self, table: Table, row: usize, key: Key) -> Option<(usize, Spot)> {
        let found = self.row(table, row)?;
        let column = self.column(table, row, KeyName::Known(key));
        let spot = column.map_or(Spot::Row(found.row), |column| Spot::Cell(found.row, column));
        Some((found.sheet, spot))
    }

    /// The same for a person.
    pub fn shown(&self, table: Table, row: usize, key: Key) -> String {
        let found = self.spot(table, row, key);
        let sheet = found.and_then(|(sheet, spot)| Some((self.sheets.get(sheet)?, spot)));
        sheet.map_or_else(String::new, |(sheet, spot)| sheet.at(spot).to_string())
    }

    /// A warning about a parameter in a row of the table.
    pub fn warning(&self, table: Table, row: usize, key: Key, text: impl Display) -> Remark {
        Remark {
            severity: Severity::Warning,
            place: self.spot(table, row, key),
            parameter: key.name().to_owned(),
            text: text.to_string(),
        }
    }

    /// What a finding says of the workbook; nothing if its cell has been refused already.
    fn remark(&self, finding: &Finding<'_>) -> Option<Remark> {
        let mut parameter = String::new();
        let place = match finding.place {
            Place::Cell { table, row, key } => {
                parameter.push_str(key.name());
                let KeyName::Known(known) = key else {
                    return None;
                };
                let found = self.row(table, row)?;
                if found.refused.contains(&known) {
                    return None;
                }
                self.spot(table, row, known)
            }
            Place::Row(table, row) => {
                let found = self.row(table, row);
                found.map(|found| (found.sheet, Spot::Row(found.row)))
            }
            Place::Table(table) => {
                let mut sheets = self.sheets.iter();
                let sheet = sheets.position(|sheet| sheet.table == table);
                sheet.map(|sheet| (sheet, Spot::Sheet))
            }
            Place::Text { .. } => None,
        };
        Some(Remark {
            severity: finding.severity,
            place,
            parameter,
            text: self.text(finding),
        })
    }

    fn text(&self, finding: &Finding<'_>) -> String {
        match (finding.problem, finding.place) {
            (
                Problem::AliasTaken { value, table, row },
                Place::Cell {
                    key: KeyName::Known(key),
                    ..
                },
            ) => {
                format!(
                    "{value}is the alias of {} already",
                    self.shown(table, row, key)
                )
            }
            (Problem::Missing { because }, Place::Cell { table, row, key })
                if self.column(table, row, key).is_none() =>
            {
                let why =
                    because.map_or_else(String::new, |because| format!(", {because} requires it"));
                format!("is missing{why}; there is no such column")
            }
            (Problem::NotBuiltIn(what), _) => format!("mqtt-client is built without {what}"),
            (problem, _) => printable(&problem.to_string()).to_string(),
        }
    }
}

/// How a key is called in the header.
trait Name {
    fn name(&self) -> &str;
}

impl Name for KeyName<'_> {
    fn name(&self) -> &str {
        match self {
            KeyName::Known(key) => key.name(),
            KeyName::Unknown(name) => name,
        }
    }
}
