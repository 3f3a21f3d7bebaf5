//! What stands in a pair of CSV files? One is the Devices tab, the others are Signals tabs, by their names.
//!
//! Excel separates by commas or by semicolons, depending on the country; the header row tells which.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use csv::{ByteRecord, ReaderBuilder};
use mqtt_client_core::config::Table;

use super::{Cell, Cells, Sheet, read_file};

/// Whether the file is to be read as CSV.
pub fn is_csv(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("csv"))
}

/// The tabs in these files. If there is only one, its counterpart is taken from the same folder.
///
/// # Errors
/// The reason why they cannot be read; of all files but the first, with the name.
pub fn read(files: &[PathBuf]) -> Result<Vec<Sheet>, String> {
    let files = match files {
        [file] => vec![file.clone(), counterpart(file)?],
        files => files.to_vec(),
    };
    let mut sheets = Vec::new();
    for (number, path) in files.iter().enumerate() {
        let sheet = read_sheet(path).map_err(|reason| match number {
            0 => reason,
            _ => format!("{}: {reason}", path.display()),
        });
        sheets.push(sheet?);
    }
    Ok(sheets)
}

fn read_sheet(path: &Path) -> Result<Sheet, String> {
    if !is_csv(path) {
        return Err("is not a .csv file, and a workbook is one file".into());
    }
    let table = table(path).ok_or("its name holds neither \"devices\" nor \"signals\"")?;
    let bytes = read_file(path)?;
    Ok(Sheet {
        name: file_name(path),
        table,
        hidden: false,
        lines: cells(&bytes)?.into_lines(),
        merged: Vec::new(),
        empty_results: BTreeSet::new(),
        doubts: BTreeMap::new(),
    })
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

fn table(path: &Path) -> Option<Table> {
    let name = file_name(path).to_ascii_lowercase();
    match (name.contains("devices"), name.contains("signals")) {
        (true, false) => Some(Table::Devices),
        (false, true) => Some(Table::Signals),
        _ => None,
    }
}

/// `plant-signals.csv` for `plant-devices.csv`, and the other way round.
fn counterpart(path: &Path) -> Result<PathBuf, String> {
    let name = file_name(path);
    let pairs = [
        ("devices", "signals"),
        ("Devices", "Signals"),
        ("DEVICES", "SIGNALS"),
    ];
    let words = pairs.iter().flat_map(|&(a, b)| [(a, b), (b, a)]);
    let mut found = words
        .filter(|(word, _)| name.contains(word))
        .map(|(word, other)| path.with_file_name(name.replacen(word, other, 1)));
    found
        .next()
        .ok_or_else(|| "its name holds neither \"devices\" nor \"signals\"".into())
}

fn cells(bytes: &[u8]) -> Result<Cells, String> {
    // The byte order mark that Excel puts in front of "CSV UTF-8".
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err("is UTF-16, not UTF-8; save it as \"CSV UTF-8\"".into());
    }
    let (named, bytes) = named_delimiter(bytes);
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(named.unwrap_or_else(|| delimiter(bytes)))
        .from_reader(bytes);
    let mut cells = Cells::default();
    let mut record = ByteRecord::new();
    let mut row = 0;
    while reader
        .read_byte_record(&mut record)
        .map_err(|error| super::damaged(&error))?
    {
        row += blank_lines(bytes, &record);
        for (column, field) in (0..).zip(record.iter()) {
            let text = str::from_utf8(field)
                .map_err(|_| format!("row {}: is not UTF-8; save it as \"CSV UTF-8\"", row + 1))?;
            cells.put((row, column), Cell::text(unwrapped(text)));
        }
        row += 1;
    }
    Ok(cells)
}

/// Lines without any character in front of the record, which the reader skips; each is a blank row.
fn blank_lines(bytes: &[u8], record: &ByteRecord) -> u32 {
    let at = record.position().map_or(0, |position| position.byte()) as usize;
    let (before, from) = bytes.split_at_checked(at).unwrap_or_default();
    // The record before this one ends with its carriage return.
    let from = match before {
        [.., b'\r'] => from.strip_prefix(b"\n").unwrap_or(from),
        _ => from,
    };
    let is_break = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let end = from.iter().position(|byte| !is_break(byte));
    let breaks = from.get(..end.unwrap_or(from.len())).unwrap_or_default();
    // Lines end with \n, with \r\n, or, on old Macs, with \r.
    let pairs = breaks.windows(2).filter(|pair| pair == b"\r\n").count();
    (breaks.len() - pairs) as u32
}

/// Excel's own way to name the separator: a first line such as `sep=;`, which is no row. What follows it is returned.
fn named_delimiter(bytes: &[u8]) -> (Option<u8>, &[u8]) {
    let named = match bytes {
        [s, e, p, b'=', separator, rest @ ..] if [*s, *e, *p].eq_ignore_ascii_case(b"sep") => {
            let ends: [&[u8]; 3] = [b"\r\n", b"\n", b"\r"];
            let rest = ends.iter().find_map(|end| rest.strip_prefix(*end));
            rest.map(|rest| (Some(*separator), rest))
        }
        _ => None,
    };
    named.unwrap_or((None, bytes))
}

/// `="0123"` is how a text is kept from becoming a number when Excel opens the file.
fn unwrapped(text: &str) -> &str {
    let inner = text
        .strip_prefix("=\"")
        .and_then(|text| text.strip_suffix('"'));
    inner.filter(|inner| !inner.contains('"')).unwrap_or(text)
}

/// The separator that the header row holds most of.
fn delimiter(bytes: &[u8]) -> u8 {
    let header = bytes
        .split(|&byte| byte == b'\n')
        .next()
        .unwrap_or_default();
    let count = |separator: u8| header.iter().filter(|&&byte| byte == separator).count();
    // Of equals the last is taken, so that a comma it is where there is one column only.
    let mut best = [b'\t', b';', b','];
    best.sort_by_key(|&separator| count(separator));
    best[2]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table_of(text: &[u8]) -> Vec<(u32, u32, String)> {
        let lines = cells(text).unwrap().into_lines();
        let cells = lines.iter().flat_map(|line| {
            line.cells()
                .map(|(column, cell)| (line.row, column, cell.clone()))
        });
        cells
            .map(|(row, column, cell)| match cell {
                Cell::Text(text) => (row, column, text),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn commas_semicolons_and_tabs_separate_as_the_header_says() {
        for text in ["a,b\n1,2;3\t4\n", "a;b\n1;2,3\t4\n", "a\tb\n1\t2;3,4\n"] {
            let cells = table_of(text.as_bytes());
            let places: Vec<_> = cells.iter().map(|cell| (cell.0, cell.1)).collect();
            assert_eq!(places, [(0, 0), (0, 1), (1, 0), (1, 1)], "{text}");
        }
    }

    #[test]
    fn excels_own_line_names_the_separator_and_is_no_row() {
        let cells = table_of(b"\xef\xbb\xbfSEP=|\r\na|b,c\r\n1|2\r\n");
        let texts: Vec<_> = cells.iter().map(|cell| cell.2.as_str()).collect();
        assert_eq!(texts, ["a", "b,c", "1", "2"]);
        assert_eq!(cells[0].0, 0);
    }

    #[test]
    fn a_text_in_the_dress_of_a_formula_is_that_text() {
        let cells = table_of(b"a,b,c\n\"=\"\"0123\"\"\",=0123,\"=\"\"a\"\"&\"\"b\"\"\"\n");
        let texts: Vec<_> = cells.iter().map(|cell| cell.2.as_str()).collect();
        assert_eq!(texts[3..], ["0123", "=0123", "=\"a\"&\"b\""]);
    }

    #[test]
    fn quotes_hold_separators_quotes_and_line_breaks() {
        let cells = table_of(b"\xef\xbb\xbfa,b\r\n\"1,\"\"2\"\"\",\"3\n4\"\r\n5,6\r\n");
        let texts: Vec<_> = cells.iter().map(|cell| cell.2.as_str()).collect();
        assert_eq!(texts, ["a", "b", "1,\"2\"", "3\n4", "5", "6"]);
        assert_eq!(
            cells.last().unwrap().0,
            2,
            "a quoted line break starts no row"
        );
    }

    #[test]
    fn a_blank_line_is_a_blank_row_whatever_the_line_ends_are() {
        for text in [
            "a\nb\n\nc\n",
            "a\r\nb\r\n\r\nc\r\n",
            "a,\nb,\n,\nc,\n",
            "a,\r\nb,\r\n , \r\nc,\r\n",
            "a\rb\r\rc\r",
            "sep=;\r\na;\r\nb;\r\n;\r\nc;\r\n",
        ] {
            let rows: Vec<_> = table_of(text.as_bytes())
                .iter()
                .map(|cell| cell.0)
                .collect();
            assert_eq!(rows, [0, 1, 3], "{text:?}");
        }
    }

    #[test]
    fn another_encoding_is_refused_with_its_row() {
        let reason = cells(b"a,b\n1,\xfcber\n").err().unwrap();
        assert_eq!(reason, "row 2: is not UTF-8; save it as \"CSV UTF-8\"");
        let reason = cells(b"\xff\xfea\0,\0b\0\n\0").err().unwrap();
        assert_eq!(reason, "is UTF-16, not UTF-8; save it as \"CSV UTF-8\"");
    }

    #[test]
    fn the_counterpart_differs_in_one_word() {
        for (file, other) in [
            ("devices.csv", "signals.csv"),
            ("a/Plant-Signals.csv", "a/Plant-Devices.csv"),
            ("SIGNALS.CSV", "DEVICES.CSV"),
        ] {
            assert_eq!(counterpart(Path::new(file)), Ok(PathBuf::from(other)));
        }
        assert!(counterpart(Path::new("plant.csv")).is_err());
    }
}
