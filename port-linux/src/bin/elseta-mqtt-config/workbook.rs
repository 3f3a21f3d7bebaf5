//! What stands in the cells of the tabs, whatever the file's format? This file has the sheets and cells as they are read;
//! below it, one module for each way of reading them.
//!
//! Blank cells are left out, and so are cells of sheets that are none of our tabs. Rows and columns count from 0.

mod doubts;
mod other;
mod remarks;
mod text;
mod xlsx;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display, Formatter};
use std::fs;
use std::io::Cursor;
use std::panic;
use std::path::{Path, PathBuf};
use std::process;

use mqtt_client_core::config::Table;
use zip::ZipArchive;

use crate::characters::{brief, trim};
use crate::progress::Progress;
pub use doubts::Doubt;

/// A tab of the workbook that is ours.
#[derive(Debug)]
pub struct Sheet {
    pub name: String,
    /// [`Table::Devices`], [`Table::Signals`], [`Table::Redis`] or [`Table::Spool`].
    pub table: Table,
    pub hidden: bool,
    /// The rows that are not blank, from above.
    pub lines: Vec<Line>,
    pub merged: Vec<Area>,
    /// Formulas that gave an empty text, or were never computed: the file does not tell which.
    pub empty_results: BTreeSet<(u32, u32)>,
    /// Texts of which the file does not say what they are.
    pub doubts: BTreeMap<(u32, u32), Doubt>,
}

/// A row that is not blank.
#[derive(Debug)]
pub struct Line {
    pub row: u32,
    cells: Vec<(u32, Cell)>,
}

/// What stands in a cell, as far as the file tells.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// With all its spaces and line breaks.
    Text(String),
    Number(f64, NumberFormat),
    Boolean(bool),
    /// A date, a time or both.
    Date,
    /// An error's name, such as `#N/A`.
    Error(String),
    /// A formula whose result is not in the file.
    NoResult,
    /// A text that is longer than a cell can hold, and is not kept.
    TooLong,
}

impl Cell {
    fn text(text: &str) -> Cell {
        match TooLong::measure(text) {
            Some(TooLong) => Cell::TooLong,
            None => Cell::Text(text.to_owned()),
        }
    }
}

/// A text that no cell can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

impl TooLong {
    /// What Excel lets a cell hold, in units of UTF-16.
    const CELL: usize = 32_767;

    /// `None`: a cell can hold the text.
    pub fn measure(text: &str) -> Option<Self> {
        // A unit is 1 to 3 bytes of UTF-8. Counting is only for what may be either, since thousands of cells can share one text.
        let is_too_long = text.len() > 3 * Self::CELL
            || text.len() > Self::CELL && text.encode_utf16().count() > Self::CELL;
        is_too_long.then_some(TooLong)
    }
}

impl Display for TooLong {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "has more than the {} characters that a cell holds",
            Self::CELL
        )
    }
}

/// How a number is shown.
#[derive(Debug, Clone, PartialEq)]
pub enum NumberFormat {
    /// As it is.
    General,
    /// As an integer with at least so many digits.
    Digits(usize),
    /// In some other way, given as the format's code if that is known.
    Other(Option<String>),
    /// The file's format, or what reads it, does not tell.
    Unknown,
}

/// A rectangle of cells, both corners included: row and column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Area {
    pub first: (u32, u32),
    pub last: (u32, u32),
}

/// What can be pointed at: a cell, a whole row, or the whole sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spot {
    Sheet,
    Row(u32),
    Cell(u32, u32),
}

impl Spot {
    /// Sorts places from above, what is about a whole row before that row's cells.
    pub fn order(self) -> (Option<u32>, Option<u32>) {
        match self {
            Spot::Sheet => (None, None),
            Spot::Row(row) => (Some(row), None),
            Spot::Cell(row, column) => (Some(row), Some(column)),
        }
    }
}

/// Reads the tabs of a workbook: one file, or CSV files.
///
/// # Errors
/// The reason why that cannot be done, without the file's name.
pub fn read(files: &[PathBuf], progress: &Progress) -> Result<Vec<Sheet>, String> {
    let sheets = match files {
        [file] if !text::is_csv(file) => {
            let bytes = read_file(file)?;
            guarded(file, || read_bytes(&bytes, progress))?
        }
        files => text::read(files)?,
    };
    let rows: usize = sheets.iter().map(|sheet| sheet.lines.len()).sum();
    if rows > ROWS {
        return Err(TOO_MANY_ROWS.into());
    }
    Ok(sheets)
}

/// Rows with content that the tabs may have, all together.
const ROWS: usize = 200_000;
const TOO_MANY_ROWS: &str = "has more than 200,000 rows with content, which is too many";

fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let is_lock = path
        .file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with("~$"));
    if is_lock {
        return Err(
            "is what Excel keeps beside a workbook that is open; name the workbook itself".into(),
        );
    }
    if path.is_dir() {
        return Err("is a folder, not a workbook".into());
    }
    fs::read(path).map_err(|error| crate::unreadable(&error))
}

/// The format is told by the first bytes, since files are renamed.
fn read_bytes(bytes: &[u8], progress: &Progress) -> Result<Vec<Sheet>, String> {
    /// A compound file: an old workbook, or a new one that is encrypted.
    const COMPOUND: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";
    if bytes.starts_with(COMPOUND) {
        if xlsx::is_encrypted(bytes) {
            return Err(PASSWORD.into());
        }
        other::read_xls(bytes, progress)
    } else if bytes.starts_with(b"PK") {
        read_archive(bytes, progress)
    } else {
        Err(format!("is {}", what_else(bytes)))
    }
}

/// What a file is that is no workbook.
fn what_else(bytes: &[u8]) -> &'static str {
    let start = bytes.get(..64).unwrap_or(bytes);
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let head = bytes.get(..1024).unwrap_or(bytes);
    let is_flat = head.windows(16).any(|window| window == b"<office:document");
    // Programs write tables as web pages, and call them .xls: Excel opens them.
    if is_flat {
        "a workbook of LibreOffice in one XML file (.fods); open it in LibreOffice and save it as .ods or .xlsx"
    } else if start.trim_ascii_start().starts_with(b"<") {
        "a web page or XML, not a workbook, whatever its name; open it in Excel and save it as .xlsx"
    } else if bytes.is_empty() {
        "empty"
    } else {
        "no workbook of Excel or LibreOffice, and its name does not end in .csv"
    }
}

/// Bytes of all parts of a workbook, at most. 500,000 signals take 200 MB.
const UNPACKED: u128 = 1 << 30;

fn read_archive(bytes: &[u8], progress: &Progress) -> Result<Vec<Sheet>, String> {
    let archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| damaged(&error))?;
    // A small one can be larger inside than there is room for.
    let size = archive.decompressed_size();
    if size.is_some_and(|size| size > UNPACKED) {
        return Err("unpacks to more than 1 GiB, which is too large".into());
    }
    let holds = |part| archive.index_for_name(part).is_some();
    if holds("xl/workbook.bin") {
        Err("is a binary workbook (.xlsb); save it as .xlsx".into())
    } else if holds("META-INF/manifest.xml") {
        // Every package of OpenDocument has one (ODF 1.2, part 3, 3.2).
        other::read_ods(bytes, progress)
    } else {
        xlsx::read(bytes, progress)
    }
}

const PASSWORD: &str = "is protected by a password; save it without one";

fn damaged(error: &dyn Display) -> String {
    let error = error.to_string();
    format!("is damaged or cut short: {}", brief(&error))
}

/// Calls `read`, which trusts a library with somebody else's bytes: should that panic, it is the file's fault and not a
/// reason for a backtrace. The program ends there, since release builds do not unwind.
fn guarded<T>(file: &Path, read: impl FnOnce() -> T) -> T {
    let line = format!(
        "{}: is damaged: its parts contradict each other",
        file.display()
    );
    panic::set_hook(Box::new(move |_| {
        crate::complain(format_args!("{line}"));
        process::exit(crate::EX_CONFIG.into());
    }));
    let result = read();
    // Back to the usual one.
    drop(panic::take_hook());
    result
}

/// Which of our tabs a sheet with this name is.
fn table(name: &str) -> Option<Table> {
    let name = trim(name).to_ascii_lowercase();
    match name.as_str() {
        "devices" => Some(Table::Devices),
        "redis" => Some(Table::Redis),
        "spool" => Some(Table::Spool),
        _ if name.starts_with("signals") => Some(Table::Signals),
        _ => None,
    }
}

/// Cells in any order, to be lines.
#[derive(Default)]
struct Cells(BTreeMap<u32, BTreeMap<u32, Cell>>);

impl Cells {
    fn put(&mut self, (row, column): (u32, u32), cell: Cell) {
        let blank = matches!(&cell, Cell::Text(text) if trim(text).is_empty());
        // One row too many is enough to refuse them all.
        let is_counted = self.0.len() <= ROWS || self.0.contains_key(&row);
        if !blank && is_counted {
            self.0.entry(row).or_default().insert(column, cell);
        }
    }

    /// What stands in these areas are results that do not count.
    fn refuse(&mut self, areas: &[Area]) {
        for area in areas {
            for (_, cells) in self
                .0
                .range_mut(area.first.0..=area.last.0.max(area.first.0))
            {
                let columns = area.first.1..=area.last.1.max(area.first.1);
                for (_, cell) in cells.range_mut(columns) {
                    *cell = Cell::NoResult;
                }
            }
        }
    }

    fn clear(&mut self, (row, column): (u32, u32)) {
        if let Some(cells) = self.0.get_mut(&row) {
            cells.remove(&column);
        }
    }

    fn into_lines(self) -> Vec<Line> {
        let line = |(row, cells): (u32, BTreeMap<u32, Cell>)| Line {
            row,
            cells: cells.into_iter().collect(),
        };
        self.0
            .into_iter()
            .map(line)
            .filter(|line| !line.cells.is_empty())
            .collect()
    }
}

impl Line {
    /// What stands in a column; `None` if that is blank.
    pub fn cell(&self, column: u32) -> Option<&Cell> {
        let at = self
            .cells
            .binary_search_by_key(&column, |&(column, _)| column);
        at.ok()
            .and_then(|at| self.cells.get(at))
            .map(|(_, cell)| cell)
    }

    /// The cells that are not blank, from the left.
    pub fn cells(&self) -> impl Iterator<Item = (u32, &Cell)> {
        self.cells.iter().map(|(column, cell)| (*column, cell))
    }
}

impl Sheet {
    /// A place in it, as Excel writes that: `Devices!H4`, `'Signals 2'!4:4`, `Signals`.
    pub fn at(&self, spot: Spot) -> impl Display {
        fmt::from_fn(move |f| {
            let plain = |character: char| character.is_alphanumeric() || "_.-".contains(character);
            // Excel takes 31 characters.
            if self.name.len() <= 100 && self.name.chars().all(plain) {
                f.write_str(&self.name)?;
            } else {
                write!(f, "'{}'", brief(&self.name.replace('\'', "''")))?;
            }
            match spot {
                Spot::Sheet => Ok(()),
                Spot::Row(row) => write!(f, "!{0}:{0}", row + 1),
                Spot::Cell(row, column) => write!(f, "!{}{}", Letters(column), row + 1),
            }
        })
    }
}

impl Display for Area {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let ((row, column), (last_row, last_column)) = (self.first, self.last);
        let (first, last) = (Letters(column), Letters(last_column));
        write!(f, "{first}{}:{last}{}", row + 1, last_row + 1)
    }
}

/// The name of a column: A to Z, AA to ZZ, AAA ...
struct Letters(u32);

impl Display for Letters {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(left) = (self.0 / 26).checked_sub(1) {
            Letters(left).fmt(f)?;
        }
        write!(f, "{}", char::from(b'A' + (self.0 % 26) as u8))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_the_names_that_excel_gives_them() {
        for (column, name) in [
            (0, "A"),
            (25, "Z"),
            (26, "AA"),
            (51, "AZ"),
            (52, "BA"),
            (701, "ZZ"),
            (702, "AAA"),
            (16_383, "XFD"),
        ] {
            assert_eq!(Letters(column).to_string(), name);
        }
    }

    #[test]
    fn a_place_is_written_as_excel_writes_it() {
        for (name, spot, place) in [
            ("Devices", Spot::Cell(3, 7), "Devices!H4"),
            ("Signals 2", Spot::Row(3), "'Signals 2'!4:4"),
            ("Signals 'x'", Spot::Sheet, "'Signals ''x'''"),
            ("Signals_Süd", Spot::Cell(0, 0), "Signals_Süd!A1"),
        ] {
            let sheet = Sheet {
                name: name.into(),
                table: Table::Signals,
                hidden: false,
                lines: Vec::new(),
                merged: Vec::new(),
                empty_results: BTreeSet::new(),
                doubts: BTreeMap::new(),
            };
            assert_eq!(sheet.at(spot).to_string(), place);
        }
    }

    #[test]
    fn a_sheet_is_a_tab_by_its_name_in_any_letter_case() {
        for (name, expected) in [
            ("Devices", Some(Table::Devices)),
            (" DEVICES ", Some(Table::Devices)),
            ("Devices 2", None),
            ("Signals", Some(Table::Signals)),
            ("signals2", Some(Table::Signals)),
            ("Signals (north)", Some(Table::Signals)),
            ("My signals", None),
            ("Redis", Some(Table::Redis)),
            ("Spool", Some(Table::Spool)),
            ("Sheet1", None),
        ] {
            assert_eq!(table(name), expected, "{name}");
        }
    }
}
