//! What does a LibreOffice workbook say of its cells besides their values? Which are merged, how numbers are shown, and which
//! texts are the names of errors: calamine does not tell.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::io::{Cursor, Read, Write};
use std::str::FromStr;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::{Area, NumberFormat, table};

/// What is said of a workbook.
#[derive(Debug, Default)]
pub struct All {
    /// By our tabs' names.
    pub sheets: HashMap<String, Remarks>,
    /// SheetJS wrote it, which computes no formula: what stands there as results does not count.
    pub results_do_not_count: bool,
    /// Rows with content, repetitions included: calamine makes room for each.
    pub rows: usize,
}

/// What is said of one sheet.
#[derive(Debug, Default)]
pub struct Remarks {
    pub merged: Vec<Area>,
    /// Of cells that show something else than their value, by row and column.
    pub shown: HashMap<(u32, u32), Shown>,
    /// Nothing is known of what cells show.
    formats_unknown: bool,
    /// What stands there as the results of formulas does not count.
    pub results_do_not_count: bool,
    /// Rows with content.
    rows: usize,
}

/// What a cell shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    Number(String),
    /// An error's name.
    Error(String),
}

type Failure = Box<dyn std::error::Error>;

/// The limits of a sheet, so that no repetition goes beyond them.
const ROWS: u32 = 1_048_576;
const COLUMNS: u32 = 16_384;

/// Whether parts of the workbook are encrypted: the manifest says so (ODF 1.2, part 3, 4.8).
///
/// # Errors
/// The file is not what it pretends to be.
pub fn is_encrypted(bytes: &[u8]) -> Result<bool, Failure> {
    let mut archive = ZipArchive::new(Cursor::new(bytes))?;
    let mut manifest = String::new();
    archive
        .by_name("META-INF/manifest.xml")?
        .read_to_string(&mut manifest)?;
    Ok(manifest.contains("encryption-data"))
}

/// The workbook without the white space by which Gnumeric and SheetJS indent its elements: calamine takes none.
///
/// # Errors
/// The file is not what it pretends to be.
pub fn without_indentation(bytes: &[u8]) -> Result<Cow<'_, [u8]>, Failure> {
    let mut archive = ZipArchive::new(Cursor::new(bytes))?;
    let content = content(&mut archive)?;
    let stripped = stripped(&content)?;
    if stripped.len() == content.len() {
        return Ok(Cow::Borrowed(bytes));
    }
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for number in 0..archive.len() {
        let entry = archive.by_index_raw(number)?;
        if entry.name()? != CONTENT {
            writer.raw_copy_file(entry)?;
        }
    }
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    writer.start_file(CONTENT, options)?;
    writer.write_all(stripped.as_bytes())?;
    Ok(Cow::Owned(writer.finish()?.into_inner()))
}

/// The part with all cells.
const CONTENT: &str = "content.xml";

fn content(archive: &mut ZipArchive<Cursor<&[u8]>>) -> Result<String, Failure> {
    let mut content = String::new();
    archive.by_name(CONTENT)?.read_to_string(&mut content)?;
    Ok(content)
}

/// The document without texts of nothing but white space, which belong to no paragraph.
fn stripped(content: &str) -> Result<String, Failure> {
    let mut reader = Reader::from_str(content);
    let mut stripped = String::with_capacity(content.len());
    let mut paragraphs = 0;
    loop {
        let from = reader.buffer_position() as usize;
        let event = reader.read_event()?;
        let piece = content.get(from..reader.buffer_position() as usize);
        let is_paragraph = |name: &str| matches!(name, "text:p" | "text:h");
        match event {
            Event::Eof => return Ok(stripped),
            Event::Text(text) if paragraphs == 0 && text.as_ref().trim_ascii().is_empty() => {
                continue;
            }
            Event::Start(start) if is_paragraph(start.name().as_ref()) => paragraphs += 1,
            Event::End(end) if is_paragraph(end.name().as_ref()) => paragraphs -= 1,
            _ => {}
        }
        stripped.push_str(piece.unwrap_or_default());
    }
}

/// SheetJS's own name space, which its files name.
const SHEETJS: &str = "urn:oasis:names:tc:opendocument:sh33tjs:";

/// The names of errors, as Gnumeric writes them: as texts of formulas (ODF 1.2, part 2, 5.12).
const ERRORS: [&str; 7] = [
    "#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!",
];

/// What is said of our tabs.
///
/// # Errors
/// The file is not what it pretends to be; in particular, its XML is not well-formed.
pub fn read_ods(bytes: &[u8]) -> Result<All, Failure> {
    let mut archive = ZipArchive::new(Cursor::new(bytes))?;
    let content = content(&mut archive)?;
    let mut general = HashSet::new();
    let mut reader = Reader::from_str(&content);
    reader.config_mut().expand_empty_elements = true;
    let mut all = All {
        sheets: HashMap::new(),
        results_do_not_count: content.contains(SHEETJS),
        rows: 0,
    };
    let mut open = 0;
    loop {
        match reader.read_event()? {
            Event::Start(start) => {
                open += 1;
                let is_table = start.name().as_ref() == "table:table";
                // Gnumeric's word for numbers without a format: it stores as many digits as fit the column.
                if attribute(&start, "style:data-style-name")?.as_deref() == Some("General") {
                    general.extend(attribute(&start, "style:name")?);
                }
                let name = attribute(&start, "table:name")?.unwrap_or_default();
                if is_table && table(&name).is_some() {
                    let sheet = read_table(&mut reader, &general)?;
                    all.rows = all.rows.saturating_add(sheet.rows);
                    all.sheets.insert(name, sheet);
                    open -= 1;
                }
            }
            // The reader has checked that it is the end of what was opened last.
            Event::End(_) => open -= 1,
            Event::Eof if open == 0 => return Ok(all),
            Event::Eof => return Err("the document has no end".into()),
            _ => {}
        }
    }
}

fn read_table(reader: &mut Reader<&[u8]>, general: &HashSet<String>) -> Result<Remarks, Failure> {
    let mut remarks = Remarks::default();
    let (mut row, mut rows, mut column) = (0, 1, 0);
    let mut has_content = false;
    loop {
        match reader.read_event()? {
            Event::Start(start) => match start.name().as_ref() {
                "table:table-row" => {
                    rows = number(&start, "table:number-rows-repeated")?.min(ROWS - row);
                    column = 0;
                    has_content = false;
                }
                "table:table-cell" | "table:covered-table-cell" => {
                    let columns = number(&start, "table:number-columns-repeated")?;
                    let columns = columns.min(COLUMNS - column);
                    let down = number(&start, "table:number-rows-spanned")?;
                    let right = number(&start, "table:number-columns-spanned")?;
                    if down > 1 || right > 1 {
                        remarks.merged.push(Area {
                            first: (row, column),
                            last: (
                                row.saturating_add(down - 1).min(ROWS - 1),
                                column.saturating_add(right - 1).min(COLUMNS - 1),
                            ),
                        });
                    }
                    let cell = Seen::read(reader, &start, general)?;
                    has_content |= cell.has_content;
                    if let Some(shown) = cell.shown {
                        for row in row..row + rows {
                            for column in column..column + columns {
                                remarks.shown.insert((row, column), shown.clone());
                            }
                        }
                    }
                    column += columns;
                }
                _ => {}
            },
            Event::End(end) => match end.name().as_ref() {
                "table:table-row" => {
                    row += rows;
                    remarks.rows += if has_content { rows as usize } else { 0 };
                }
                "table:table" => return Ok(remarks),
                _ => {}
            },
            Event::Eof => return Err("the table has no end".into()),
            _ => {}
        }
    }
}

/// What is seen of a cell.
struct Seen {
    has_content: bool,
    /// What it shows, if that is worth knowing.
    shown: Option<Shown>,
}

impl Seen {
    /// Reads a cell to its end.
    fn read(
        reader: &mut Reader<&[u8]>,
        cell: &BytesStart<'_>,
        general: &HashSet<String>,
    ) -> Result<Self, Failure> {
        let value = attribute(cell, "office:value")?;
        let is_error = attribute(cell, "calcext:value-type")?.as_deref() == Some("error");
        let style = attribute(cell, "table:style-name")?;
        let is_general = style.is_some_and(|style| general.contains(&style));
        let is_formula = attribute(cell, "table:formula")?.is_some();
        let has_type = attribute(cell, "office:value-type")?.is_some();
        let text = text(reader, cell.name().as_ref())?;
        Ok(Seen {
            has_content: has_type || is_formula || !text.is_empty(),
            shown: match value {
                _ if is_error => Some(Shown::Error(text)),
                _ if is_formula && ERRORS.contains(&&*text) => Some(Shown::Error(text)),
                _ if is_general => None,
                Some(value) if value != text && !text.is_empty() => Some(Shown::Number(text)),
                _ => None,
            },
        })
    }
}

/// The text of an element up to its end, without that of its annotation.
fn text(reader: &mut Reader<&[u8]>, name: &str) -> Result<String, Failure> {
    let mut text = String::new();
    loop {
        match reader.read_event()? {
            Event::Text(piece) => text.push_str(&piece.xml10_content()),
            Event::Start(start) if start.name().as_ref() == "office:annotation" => {
                reader.read_to_end(start.name())?;
            }
            Event::End(end) if end.name().as_ref() == name => return Ok(text),
            Event::Eof => return Err("the cell has no end".into()),
            _ => {}
        }
    }
}

fn attribute(start: &BytesStart<'_>, name: &str) -> Result<Option<String>, Failure> {
    let found = start.try_get_attribute(name)?;
    Ok(match found {
        Some(attribute) => Some(quick_xml::escape::unescape(&attribute.value)?.into_owned()),
        None => None,
    })
}

/// A count, which is 1 unless it is given.
fn number(start: &BytesStart<'_>, name: &str) -> Result<u32, Failure> {
    match attribute(start, name)? {
        Some(text) => Ok(u32::from_str(&text)?.max(1)),
        None => Ok(1),
    }
}

impl Remarks {
    /// For a file of which values and merged cells are known, and no more.
    pub fn without_formats(merged: Vec<Area>) -> Self {
        Remarks {
            merged,
            formats_unknown: true,
            ..Remarks::default()
        }
    }

    /// How the number in a cell is shown.
    pub fn format(&self, place: (u32, u32), number: f64) -> NumberFormat {
        match self.shown.get(&place) {
            _ if self.formats_unknown => NumberFormat::Unknown,
            Some(Shown::Number(text)) => format(text, number),
            Some(Shown::Error(_)) | None => NumberFormat::General,
        }
    }
}

/// The format in which `number` is shown as `text`.
fn format(text: &str, number: f64) -> NumberFormat {
    if text.replace(',', ".") == number.to_string() {
        NumberFormat::General
    } else if text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse() == Ok(number) {
        NumberFormat::Digits(text.len())
    } else {
        NumberFormat::Other(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_told_by_what_is_shown() {
        for (number, shown, expected) in [
            (1883.0, "1883", NumberFormat::General),
            (3.1, "3,1", NumberFormat::General),
            (123.0, "0123", NumberFormat::Digits(4)),
            (123.5, "0124", NumberFormat::Other(None)),
            (1.0, "TRUE", NumberFormat::Other(None)),
            (0.5, "50%", NumberFormat::Other(None)),
            (100_000.0, "1E+005", NumberFormat::Other(None)),
        ] {
            assert_eq!(format(shown, number), expected, "{shown}");
        }
    }
}
