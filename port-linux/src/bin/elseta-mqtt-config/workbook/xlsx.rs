//! What stands in an Excel workbook (`.xlsx`, `.xlsm`)?

use std::collections::BTreeSet;
use std::io::Cursor;

use calamine::{DataRef, Reader, SheetType, SheetVisible, Style, Xlsx, XlsxError};

use super::doubts::Doubts;
use super::{Area, Cell, Cells, NumberFormat, PASSWORD, Sheet, damaged, table};
use crate::characters::brief;
use crate::progress::Progress;

type Book<'b> = Xlsx<Cursor<&'b [u8]>>;

/// Whether this is a compound file that holds an encrypted workbook.
pub fn is_encrypted(bytes: &[u8]) -> bool {
    matches!(Book::new(Cursor::new(bytes)), Err(XlsxError::Password))
}

/// The tabs of the workbook in `bytes`.
///
/// # Errors
/// The reason why it cannot be read.
pub fn read(bytes: &[u8], progress: &Progress) -> Result<Vec<Sheet>, String> {
    let mut doubts = Doubts::read(bytes).map_err(|error| damaged(&error))?;
    sheets(bytes, &mut doubts, progress).map_err(|error| match error {
        XlsxError::Password => PASSWORD.into(),
        XlsxError::FileNotFound(part) => {
            format!(
                "is not a workbook, or a damaged one: there is no {} in it",
                brief(&part)
            )
        }
        error => damaged(&error),
    })
}

fn sheets(bytes: &[u8], doubts: &mut Doubts, progress: &Progress) -> Result<Vec<Sheet>, XlsxError> {
    let mut book = Book::new(Cursor::new(bytes))?;
    let all = book.sheets_metadata().to_vec();
    let mut ours = Vec::new();
    for sheet in all {
        let Some(table) = table(&sheet.name) else {
            continue;
        };
        if sheet.typ != SheetType::WorkSheet {
            continue;
        }
        let mut cells = values(&mut book, &sheet.name, progress)?;
        let doubtful = doubts.of(&sheet.name);
        let all = doubts.results_do_not_count;
        formulas_without_result(&mut book, &sheet.name, all, &mut cells)?;
        if all {
            cells.refuse(&doubtful.arrays);
        }
        let merged = book.merge_cells_by_sheet_name(&sheet.name)?;
        ours.push(Sheet {
            table,
            hidden: sheet.visible != SheetVisible::Visible,
            doubts: doubtful.doubts,
            lines: cells.into_lines(),
            merged: merged.into_iter().map(Area::from).collect(),
            empty_results: BTreeSet::new(),
            name: sheet.name,
        });
    }
    Ok(ours)
}

/// The sheet is read cell by cell and not as a rectangle: one stray cell in the last corner would make that enormous.
fn values(book: &mut Book<'_>, sheet: &str, progress: &Progress) -> Result<Cells, XlsxError> {
    let mut cells = Cells::default();
    let mut reader = book.worksheet_cells_reader(sheet)?;
    progress.sheet(sheet, reader.dimensions().end.0 as usize + 1);
    let mut last_row = None;
    while let Some((cell, style)) = reader.next_cell_with_style_id()? {
        let position = cell.get_position();
        let value = match cell.get_value() {
            DataRef::Empty => continue,
            DataRef::String(text) => Cell::text(text),
            DataRef::SharedString(text) => Cell::text(text),
            DataRef::Int(number) => Cell::Number(*number as f64, NumberFormat::General),
            DataRef::Float(number) => {
                let format = number_format(reader.styles().get(style));
                Cell::Number(*number, format)
            }
            DataRef::Bool(value) => Cell::Boolean(*value),
            DataRef::DateTime(_) | DataRef::DateTimeIso(_) | DataRef::DurationIso(_) => Cell::Date,
            DataRef::Error(error) => Cell::Error(error.to_string()),
        };
        cells.put(position, value);
        if last_row != Some(position.0) {
            last_row = Some(position.0);
            progress.row();
        }
    }
    Ok(cells)
}

/// Programs other than Excel may leave the results to be computed when the workbook is opened. Such a cell would read as blank, or, where
/// `all` results are to be computed, as what stands there meanwhile.
fn formulas_without_result(
    book: &mut Book<'_>,
    sheet: &str,
    all: bool,
    cells: &mut Cells,
) -> Result<(), XlsxError> {
    let mut reader = book.worksheet_cells_reader(sheet)?;
    while let Some(cell) = reader.next_cell_with_formula_metadata()? {
        if cell.formula.is_some() && (all || cell.value == DataRef::Empty) {
            cells.put(cell.pos, Cell::NoResult);
        }
    }
    Ok(())
}

fn number_format(style: Option<&Style>) -> NumberFormat {
    let format = style.and_then(|style| style.number_format.as_ref());
    match format.map(|format| format.format_code.as_str()) {
        None | Some("General" | "GENERAL" | "@" | "") => NumberFormat::General,
        Some(code) if code.bytes().all(|byte| byte == b'0') => NumberFormat::Digits(code.len()),
        Some(code) => NumberFormat::Other(Some(code.to_owned())),
    }
}

impl From<calamine::Dimensions> for Area {
    fn from(dimensions: calamine::Dimensions) -> Self {
        Area {
            first: dimensions.start,
            last: dimensions.end,
        }
    }
}
