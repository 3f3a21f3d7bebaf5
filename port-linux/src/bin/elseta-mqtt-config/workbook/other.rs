//! What stands in an old Excel workbook (`.xls`), or in one of LibreOffice (`.ods`)?
//!
//! How numbers are shown is not known for `.xls`: calamine does not tell.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Read, Seek};

use calamine::{Data, Ods, OdsError, Range, Reader, SheetVisible, Xls, XlsError};

use super::remarks::{self, Remarks, Shown};
use super::{Area, Cell, Cells, PASSWORD, ROWS, Sheet, TOO_MANY_ROWS, damaged, table};
use crate::progress::Progress;

/// The tabs of the `.xls` workbook in `bytes`.
///
/// # Errors
/// The reason why it cannot be read.
pub fn read_xls(bytes: &[u8], progress: &Progress) -> Result<Vec<Sheet>, String> {
    let explain = |error| match error {
        XlsError::Password => PASSWORD.into(),
        error => damaged(&error),
    };
    let mut book = Xls::new(Cursor::new(bytes)).map_err(explain)?;
    sheets(&mut book, progress, |book, name| {
        let merged = book.merge_cells_by_sheet_name(name)?;
        let merged = merged.into_iter().map(Area::from).collect();
        Ok(Remarks::without_formats(merged))
    })
    .map_err(explain)
}

/// The tabs of the `.ods` workbook in `bytes`.
///
/// # Errors
/// The reason why it cannot be read.
pub fn read_ods(bytes: &[u8], progress: &Progress) -> Result<Vec<Sheet>, String> {
    let explain = |error| match error {
        OdsError::Password => PASSWORD.into(),
        error => damaged(&error),
    };
    if remarks::is_encrypted(bytes).map_err(|error| damaged(&error))? {
        return Err(PASSWORD.into());
    }
    // This comes first: calamine goes round for ever in a document whose elements do not end.
    let mut all = remarks::read_ods(bytes).map_err(|error| damaged(&error))?;
    if all.rows > ROWS {
        return Err(TOO_MANY_ROWS.into());
    }
    let bytes = remarks::without_indentation(bytes).map_err(|error| damaged(&error))?;
    let mut book = Ods::new(Cursor::new(&*bytes)).map_err(explain)?;
    let mut sheets = sheets(&mut book, progress, |_, name| {
        let mut remarks = all.sheets.remove(name).unwrap_or_default();
        remarks.results_do_not_count = all.results_do_not_count;
        Ok(remarks)
    })
    .map_err(explain)?;
    // LibreOffice computes every formula before it saves.
    for sheet in &mut sheets {
        sheet.empty_results.clear();
    }
    Ok(sheets)
}

fn sheets<S: Read + Seek, R: Reader<S>>(
    book: &mut R,
    progress: &Progress,
    mut remarks: impl FnMut(&R, &str) -> Result<Remarks, R::Error>,
) -> Result<Vec<Sheet>, R::Error> {
    let all = book.sheets_metadata().to_vec();
    let mut ours = Vec::new();
    for sheet in all {
        let Some(table) = table(&sheet.name) else {
            continue;
        };
        let values = book.worksheet_range(&sheet.name)?;
        let formulas = book.worksheet_formula(&sheet.name)?;
        let remarks = remarks(book, &sheet.name)?;
        ours.push(Sheet {
            table,
            hidden: sheet.visible != SheetVisible::Visible,
            lines: cells(&sheet.name, &values, &formulas, &remarks, progress).into_lines(),
            merged: remarks.merged,
            empty_results: empty_results(&values, &formulas),
            doubts: BTreeMap::new(),
            name: sheet.name,
        });
    }
    Ok(ours)
}

fn cells(
    sheet: &str,
    values: &Range<Data>,
    formulas: &Range<String>,
    remarks: &Remarks,
    progress: &Progress,
) -> Cells {
    progress.sheet(sheet, values.height());
    let mut cells = Cells::default();
    for (position, formula) in used(formulas) {
        if !formula.is_empty() {
            cells.put(position, Cell::NoResult);
        }
    }
    for (position, value) in used(values) {
        let value = match value {
            Data::Empty => continue,
            Data::String(text) => match remarks.shown.get(&position) {
                Some(Shown::Error(name)) => Cell::Error(name.clone()),
                _ => Cell::text(text),
            },
            Data::Int(number) => {
                let number = *number as f64;
                Cell::Number(number, remarks.format(position, number))
            }
            Data::Float(number) => Cell::Number(*number, remarks.format(position, *number)),
            Data::Bool(value) => Cell::Boolean(*value),
            Data::DateTime(_) | Data::DateTimeIso(_) | Data::DurationIso(_) => Cell::Date,
            Data::Error(error) => Cell::Error(error.to_string()),
        };
        let is_computed = !remarks.results_do_not_count
            || formulas.get_value(position).is_none_or(String::is_empty);
        if is_computed {
            // A formula may well have an empty text as its result.
            cells.clear(position);
            cells.put(position, value);
        }
    }
    for _ in 0..values.height() {
        progress.row();
    }
    cells
}

/// Formulas whose result is an empty text. Some programs write that for one that they have not computed.
fn empty_results(values: &Range<Data>, formulas: &Range<String>) -> BTreeSet<(u32, u32)> {
    let is_empty = |place: &(u32, u32)| matches!(values.get_value(*place), Some(Data::String(text)) if text.is_empty());
    used(formulas)
        .filter(|(_, formula)| !formula.is_empty())
        .map(|(place, _)| place)
        .filter(is_empty)
        .collect()
}

/// The cells of a range that hold something, by their places in the sheet.
fn used<T: calamine::CellType>(range: &Range<T>) -> impl Iterator<Item = ((u32, u32), &T)> {
    let (row, column) = range.start().unwrap_or_default();
    range
        .used_cells()
        .map(move |(down, right, value)| ((row + down as u32, column + right as u32), value))
}
