//! Which rows are ours, and what does each say?
//!
//! A gateway's workbook holds rows of other protocols too, with columns of their own. Of their devices only the aliases matter
//! here, which no MQTT device may have as well; their signals do not matter at all.

use std::collections::{BTreeMap, BTreeSet};

use mqtt_client_core::config::{Key, Table, is_mqtt};

use crate::characters::brief;
use crate::header::{self, Header};
use crate::report::Remark;
use crate::value::{Kind, Oddity, Refusal, Value, value};
use crate::workbook::{Area, Cell, Line, Sheet, Spot};

/// The rows of all sheets, those of each tab from above, its sheets from left to right.
#[derive(Debug, Default)]
pub struct Rows {
    pub redis: Vec<Row>,
    pub spool: Vec<Row>,
    pub devices: Vec<Row>,
    pub signals: Vec<Row>,
    /// By sheet.
    pub headers: Vec<Header>,
}

/// One row.
#[derive(Debug)]
pub struct Row {
    /// The number of its sheet.
    pub sheet: usize,
    /// Its number in the sheet, from 0.
    pub row: u32,
    /// Whether it is another protocol's device.
    pub foreign: bool,
    /// In the order of [`Table::keys`], without blank cells.
    pub values: Vec<(Key, Value)>,
    /// Parameters whose cells are refused.
    pub refused: Vec<Key>,
}

impl Row {
    pub fn value(&self, key: Key) -> Option<&Value> {
        let found = self.values.iter().find(|&&(other, _)| other == key);
        found.map(|(_, value)| value)
    }

    fn text(&self, key: Key) -> Option<&str> {
        match self.value(key)? {
            Value::Text(text) | Value::Literal(text) => Some(text),
        }
    }
}

/// Reads the rows of all sheets. What is wrong with single cells goes to `remarks`.
pub fn read(sheets: &[Sheet], remarks: &mut Vec<Remark>) -> Rows {
    let headers = sheets.iter().enumerate();
    let mut rows = Rows {
        headers: headers
            .map(|(number, sheet)| Header::read(number, sheet, remarks))
            .collect(),
        ..Rows::default()
    };
    let ours = |table| {
        sheets
            .iter()
            .enumerate()
            .filter(move |(_, sheet)| sheet.table == table)
    };
    for (number, sheet) in
        (ours(Table::Redis).chain(ours(Table::Spool))).chain(ours(Table::Devices))
    {
        let Some(header) = rows.headers.get(number) else {
            continue;
        };
        let tab = Tab::new(number, sheet, header);
        let read = tab.read(|line| tab.is_foreign(line), |_| true, remarks);
        match sheet.table {
            Table::Redis => rows.redis.extend(read),
            Table::Spool => rows.spool.extend(read),
            _ => rows.devices.extend(read),
        }
    }
    for (block, text) in [
        (&rows.redis, "there is one Redis, so this tab has one row"),
        (
            &rows.spool,
            "there is one folder for spools, so this tab has one row",
        ),
    ] {
        for second in block.iter().skip(1) {
            remarks.push(Remark::error(second.sheet, Spot::Row(second.row), "", text));
        }
    }
    let aliases = |foreign| {
        let devices = rows
            .devices
            .iter()
            .filter(move |row| row.foreign == foreign);
        devices.filter_map(|row| row.text(Key::DeviceAlias))
    };
    let mqtt: BTreeSet<&str> = aliases(false).collect();
    let foreign: BTreeSet<&str> = aliases(true)
        .filter(|alias| !mqtt.contains(alias))
        .collect();
    let mut signals = Vec::new();
    for (number, sheet) in ours(Table::Signals) {
        let Some(header) = rows.headers.get(number) else {
            continue;
        };
        let tab = Tab::new(number, sheet, header);
        let is_ours = |line: &Line| match tab.quiet_text(line, Key::DeviceAlias) {
            Some(alias) => !foreign.contains(alias.as_str()),
            None => true,
        };
        signals.extend(tab.read(|_| false, is_ours, remarks));
    }
    rows.signals = signals;
    rows
}

/// One sheet with its header.
struct Tab<'s> {
    number: usize,
    sheet: &'s Sheet,
    header: &'s Header,
}

impl<'s> Tab<'s> {
    fn new(number: usize, sheet: &'s Sheet, header: &'s Header) -> Self {
        Tab {
            number,
            sheet,
            header,
        }
    }

    /// The rows up to the first blank one, without those that are not to be taken.
    fn read(
        &self,
        is_foreign: impl Fn(&Line) -> bool,
        is_taken: impl Fn(&Line) -> bool,
        remarks: &mut Vec<Remark>,
    ) -> Vec<Row> {
        if self.header.columns().is_empty() {
            return Vec::new();
        }
        if self.sheet.hidden {
            let text = "is hidden; its rows count";
            remarks.push(Remark::warning(self.number, Spot::Sheet, "", text));
        }
        let lines = self.lines(remarks);
        let merged = self.merged(lines);
        let mut unknown = BTreeMap::new();
        let mut rows = Vec::new();
        for line in lines.iter().filter(|line| is_taken(line)) {
            if is_foreign(line) {
                remarks.extend(self.doubtful_protocol(line));
                rows.push(self.foreign(line));
                continue;
            }
            let areas = merged.get(&line.row).map_or(&[][..], Vec::as_slice);
            rows.push(self.row(line, areas, remarks));
            for (column, _) in line.cells() {
                if let Some(name) = self.header.unknown(column) {
                    unknown.entry(column).or_insert((name, line.row));
                }
            }
        }
        for (column, (name, row)) in unknown {
            let (spot, text) = if name.is_empty() {
                (
                    Spot::Cell(row, column),
                    "stands in a column without a name, ignored".to_owned(),
                )
            } else {
                let text = match header::meant(self.sheet.table, name) {
                    None => "unknown column, ignored".to_owned(),
                    Some(key) => format!("unknown column, ignored; is {} meant?", key.name()),
                };
                (Spot::Cell(0, column), text)
            };
            remarks.push(Remark::warning(self.number, spot, name, text));
        }
        rows
    }

    /// The lines below the header, up to the first blank row.
    fn lines(&self, remarks: &mut Vec<Remark>) -> &'s [Line] {
        let lines = self.sheet.lines.get(1..).unwrap_or_default();
        let gap = (1..).zip(lines).position(|(row, line)| line.row != row);
        let Some(gap) = gap else {
            return lines;
        };
        let (lines, rest) = lines.split_at(gap);
        let blank = lines.len() as u32 + 1;
        let text = match rest.len() {
            1 => "is empty and ends the sheet; 1 row below it is ignored".to_owned(),
            rows => format!("is empty and ends the sheet; {rows} rows below it are ignored"),
        };
        remarks.push(Remark::warning(self.number, Spot::Row(blank), "", text));
        lines
    }

    /// The merged areas by the rows that they reach into.
    fn merged(&self, lines: &[Line]) -> BTreeMap<u32, Vec<Area>> {
        let mut merged: BTreeMap<u32, Vec<Area>> = BTreeMap::new();
        let end = lines.last().map_or(0, |line| line.row);
        for &area in &self.sheet.merged {
            if area.first == area.last {
                continue;
            }
            for row in area.first.0..=area.last.0.min(end) {
                merged.entry(row).or_default().push(area);
            }
        }
        merged
    }

    /// Whether the row is a device of another protocol. One without a protocol may well be meant for us.
    fn is_foreign(&self, line: &Line) -> bool {
        self.sheet.table == Table::Devices
            && self
                .quiet_text(line, Key::Protocol)
                .is_some_and(|protocol| !is_mqtt(&protocol))
    }

    /// A device that is skipped, and perhaps should not be.
    fn doubtful_protocol(&self, line: &Line) -> Option<Remark> {
        let protocol = self.quiet_text(line, Key::Protocol)?;
        let column = self.header.column(Key::Protocol)?;
        protocol.to_ascii_lowercase().contains("mqtt").then(|| {
            let text = "is another protocol than MQTT, so this device and its signals are skipped";
            let spot = Spot::Cell(line.row, column);
            Remark::warning(self.number, spot, Key::Protocol.name(), text)
        })
    }

    fn foreign(&self, line: &Line) -> Row {
        let keys = [Key::DeviceAlias, Key::Protocol];
        let values = keys.into_iter().filter_map(|key| {
            let text = self.quiet_text(line, key)?;
            Some((key, Value::Text(text)))
        });
        Row {
            sheet: self.number,
            row: line.row,
            foreign: true,
            values: values.collect(),
            refused: Vec::new(),
        }
    }

    /// A text that decides whose row this is; if it cannot be told, that is not the place to say so.
    fn quiet_text(&self, line: &Line, key: Key) -> Option<String> {
        let cell = line.cell(self.header.column(key)?)?;
        match value(key, Kind::Text, cell) {
            Ok((Value::Text(text), _)) => Some(text),
            _ => None,
        }
    }

    fn row(&self, line: &Line, merged: &[Area], remarks: &mut Vec<Remark>) -> Row {
        let mut row = Row {
            sheet: self.number,
            row: line.row,
            foreign: false,
            values: Vec::new(),
            refused: Vec::new(),
        };
        for &(key, column) in self.header.columns() {
            let spot = Spot::Cell(line.row, column);
            if let Some(area) = merged.iter().find(|area| area.holds(column)) {
                // Once per area.
                if spot == Spot::Cell(area.first.0.max(1), self.leftmost(area)) {
                    let text = format!(
                        "{area} is merged, and only its first cell has a value; unmerge it and fill each cell"
                    );
                    remarks.push(Remark::error(self.number, spot, key.name(), text));
                }
                row.refused.push(key);
                continue;
            }
            let Some(cell) = line.cell(column) else {
                if self.sheet.empty_results.contains(&(line.row, column)) {
                    let text = "holds a formula whose result is empty or was never computed, and counts as blank";
                    let remark = Remark::warning(self.number, spot, key.name(), text);
                    push_once(remarks, remark);
                }
                continue;
            };
            if let Some(doubt) = self.sheet.doubts.get(&(line.row, column)) {
                remarks.push(Remark::warning(self.number, spot, key.name(), doubt));
            }
            match value(key, self.kind(key), cell) {
                Ok((value, oddity)) => {
                    if let Some(oddity) = oddity {
                        let remark = Remark::warning(self.number, spot, key.name(), oddity);
                        if oddity == Oddity::UnknownFormat {
                            push_once(remarks, remark);
                        } else {
                            remarks.push(remark);
                        }
                    }
                    row.values.push((key, value));
                }
                Err(refusal) => {
                    let text = self.explain(key, &refusal, line);
                    remarks.push(Remark::error(self.number, spot, key.name(), text));
                    row.refused.push(key);
                }
            }
        }
        row
    }

    /// The first column of ours that an area reaches into.
    fn leftmost(&self, area: &Area) -> u32 {
        let columns = self.header.columns().iter().map(|&(_, column)| column);
        columns
            .filter(|&column| area.holds(column))
            .min()
            .unwrap_or(0)
    }

    fn kind(&self, key: Key) -> Kind {
        let mut all = self.sheet.table.parameters().iter();
        all.find(|parameter| parameter.key == key)
            .map_or(Kind::Text, Kind::of)
    }

    fn explain(&self, key: Key, refusal: &Refusal, line: &Line) -> String {
        let is_source = matches!(key, Key::SourceDeviceAlias | Key::SourceSignalAlias);
        match refusal {
            Refusal::LineBreak { lines } if is_source => {
                let name = self.header.column(Key::SignalName);
                let name = match name.and_then(|column| line.cell(column)) {
                    Some(Cell::Text(name)) => format!("signal \"{}\"", brief(name.trim())),
                    _ => "the signal".into(),
                };
                format!(
                    "{name} has {lines} sources, and several sources for one signal are not supported"
                )
            }
            refusal => refusal.to_string(),
        }
    }
}

/// For what is about the file rather than about the cell: once per column is enough.
fn push_once(remarks: &mut Vec<Remark>, remark: Remark) {
    if !remarks.iter().any(|other| remark.is_like(other)) {
        remarks.push(remark);
    }
}

impl Area {
    fn holds(&self, column: u32) -> bool {
        (self.first.1..=self.last.1).contains(&column)
    }
}
