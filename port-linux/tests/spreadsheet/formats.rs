//! Every format that spreadsheets are saved in gives the same table.
//!
//! The files in `files` are saved by LibreOffice 7.4 from the workbooks that [`mixed`] and [`odd`] make.

use std::fs;
use std::io::Cursor;

use rust_xlsxwriter::{ExcelDateTime, Format, Formula};
use tempfile::TempDir;
use zip::{ZipArchive, ZipWriter};

use crate::{Book, CLOUD, DEVICES, POWER, SIGNALS, build_bytes, build_in, device, fixture, signal};

/// Numbers, booleans and texts that look like them, a row of another protocol, and
/// several sheets.
fn mixed() -> Book {
    Book::plant()
        .put("Devices!C2", true)
        .put("Devices!F2", 1884)
        .put("Devices!I2", "password")
        .put("Devices!J2", "Ünal")
        .put("Devices!K2", "0123")
        .put("Devices!L2", 12_345_678)
        .with("Devices", |sheet| {
            let format = Format::new().set_num_format("00000");
            sheet.write_with_format(1, 0, 815, &format).unwrap();
        })
        .row(
            "Devices",
            3,
            &device(&[("device_alias", "INV1"), ("protocol", "Modbus")]),
        )
        .row("Signals", 3, &["", "INV1", "P"])
        .sheet(
            "Signals 2",
            &[&SIGNALS, &["Two", "cloud", "q", "INV1", "Q"]],
        )
}

#[test]
fn workbooks_of_libreoffice_read_like_those_of_excel() {
    let expected = mixed().build().table();
    assert_eq!(expected["devices"][0]["name"], "00815");
    assert_eq!(expected["devices"][0]["password"], "0123");
    assert_eq!(expected["signals"][1]["signal_alias"], "q");
    let bytes = fs::read(fixture("mixed.ods")).unwrap();
    assert_eq!(build_bytes("mixed.ods", &bytes).table(), expected);
}

#[test]
fn old_workbooks_read_like_new_ones_but_for_how_numbers_are_shown() {
    let mut expected = mixed().build().table();
    expected["devices"][0]["name"] = "815".into();
    let bytes = fs::read(fixture("mixed.xls")).unwrap();
    let outcome = build_bytes("mixed.xls", &bytes);
    let table: serde_json::Value = serde_json::from_str(outcome.json.as_ref().unwrap()).unwrap();
    assert_eq!(table, expected);
    let text = "is a number, and this file does not tell how it is shown: zeros in front would be lost; format the \
                column as Text, or save the workbook as .xlsx";
    assert_eq!(
        outcome.warnings(),
        [
            format!("warning: Devices!A2 name: {text}"),
            format!("warning: Devices!L2 client_id: {text}"),
        ]
    );
}

#[test]
fn the_first_bytes_tell_the_format_and_not_the_name() {
    let expected = mixed().build().table();
    let xls = fs::read(fixture("mixed.xls")).unwrap();
    let ods = fs::read(fixture("mixed.ods")).unwrap();
    assert_eq!(build_bytes("plant.xlsx", &xls).code, 0);
    for (name, bytes) in [
        ("plant.xlsm", mixed().bytes()),
        ("plant.xls", mixed().bytes()),
        ("plant.xlsx", ods.clone()),
        ("plant", ods),
    ] {
        assert_eq!(build_bytes(name, &bytes).table(), expected, "{name}");
    }
}

#[test]
fn a_formula_of_an_old_workbook_that_may_never_have_been_computed_is_warned_of() {
    // Written by Python's xlwt, which computes nothing: an empty text is the result of each of its formulas.
    let bytes = fs::read(fixture("uncomputed.xls")).unwrap();
    let text = "holds a formula whose result is empty or was never computed, and counts as blank";
    assert_eq!(
        build_bytes("uncomputed.xls", &bytes).warnings(),
        [
            format!("warning: Devices!F2 port: {text}"),
            format!("warning: Devices!L2 client_id: {text}"),
            format!("warning: Signals!H2 topic: {text}"),
        ]
    );
}

#[test]
fn a_workbook_of_libreoffice_is_one_in_whatever_order_its_parts_lie() {
    let bytes = fs::read(fixture("mixed.ods")).unwrap();
    let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut turned = ZipWriter::new(Cursor::new(Vec::new()));
    for number in (0..archive.len()).rev() {
        let part = archive.by_index_raw(number).unwrap();
        turned.raw_copy_file(part).unwrap();
    }
    let bytes = turned.finish().unwrap().into_inner();
    assert_eq!(
        build_bytes("mixed.ods", &bytes).table(),
        mixed().build().table()
    );
}

/// The same for what is refused: a boolean, a date, an error, merged cells.
fn odd() -> Book {
    let date = ExcelDateTime::from_ymd(2024, 2, 1).unwrap();
    let day = Format::new().set_num_format("d-mmm");
    Book::plant()
        .put("Devices!A2", true)
        .put("Devices!L2", Formula::new("=NA()").set_result("#N/A"))
        .row("Signals", 3, &signal(&[("signal_alias", "q")]))
        .with("Signals", |sheet| {
            sheet.write_with_format(1, 2, &date, &day).unwrap();
            let plain = Format::new();
            sheet.merge_range(1, 3, 2, 3, "INV1", &plain).unwrap();
        })
}

#[test]
fn dates_errors_and_merged_cells_are_refused_in_every_format() {
    let again = "format the cell as Text and type it again";
    let mut expected = [
        format!("Devices!A2 name: is a boolean: Excel makes one of the text true; {again}"),
        "Devices!L2 client_id: holds the error #N/A".to_owned(),
        format!("Signals!C2 signal_alias: is a date: Excel makes one of texts like 1-2; {again}"),
        "Signals!D2 source_device_alias: D2:D3 is merged, and only its first cell has a value; unmerge it and fill each \
         cell"
            .to_owned(),
    ];
    assert_eq!(odd().build_computed().errors(), expected);
    let bytes = fs::read(fixture("odd.xls")).unwrap();
    assert_eq!(build_bytes("odd.xls", &bytes).errors(), expected);
    // LibreOffice makes the number 1, shown as TRUE, of Excel's boolean.
    expected[0] = format!(
        "Devices!A2 name: is a number that is shown in another way, and what was typed is lost; {again}"
    );
    let bytes = fs::read(fixture("odd.ods")).unwrap();
    assert_eq!(build_bytes("odd.ods", &bytes).errors(), expected);
}

/// The rows as CSV.
fn csv(rows: &[&[&str]], separator: &str) -> String {
    let quoted = |text: &&str| format!("\"{text}\"");
    let line = |row: &&[&str]| row.iter().map(quoted).collect::<Vec<_>>().join(separator);
    rows.iter().map(line).collect::<Vec<_>>().join("\r\n")
}

#[test]
fn a_pair_of_csv_files_reads_like_a_workbook() {
    let expected = Book::plant().build().table();
    let devices = csv(&[&DEVICES, &CLOUD], ",");
    let signals = csv(&[&SIGNALS, &POWER], ";");
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("plant-devices.csv"), devices).unwrap();
    fs::write(folder.path().join("plant-signals.csv"), signals).unwrap();
    for files in [
        &["plant-devices.csv"][..],
        &["plant-signals.csv"],
        &["plant-devices.csv", "plant-signals.csv"],
        &["plant-signals.csv", "plant-devices.csv"],
    ] {
        assert_eq!(
            build_in(folder.path(), files).table(),
            expected,
            "{files:?}"
        );
    }
}

#[test]
fn errors_in_csv_files_are_named_by_file_and_cell() {
    let folder = TempDir::new().unwrap();
    let devices = csv(&[&DEVICES, &device(&[("mqtt_qos", "3")])], ",");
    let signals = csv(
        &[&SIGNALS, &["Two\nlines", "cloud", "p\nq", "INV1", "P\nQ"]],
        ",",
    );
    fs::write(folder.path().join("devices.csv"), devices).unwrap();
    fs::write(folder.path().join("signals.csv"), signals).unwrap();
    assert_eq!(
        build_in(folder.path(), &["devices.csv"]).errors(),
        [
            "devices.csv!G2 mqtt_qos: 3 is not in 0..2",
            "signals.csv!C2 signal_alias: holds a line break",
            "signals.csv!E2 source_signal_alias: signal \"Two\\nlines\" has 2 sources, and several sources for one \
             signal are not supported",
        ]
    );
}

#[test]
fn csv_files_that_are_no_pair_are_refused() {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("devices.csv", &csv(&[&DEVICES, &CLOUD], ","));
    write("plant.csv", "");
    write("plant.xlsx", "");
    for (files, message) in [
        (
            &["devices.csv"][..],
            "devices.csv: signals.csv: there is no such file",
        ),
        (
            &["plant.csv"],
            "plant.csv: its name holds neither \"devices\" nor \"signals\"",
        ),
        (
            &["devices.csv", "plant.xlsx"],
            "devices.csv: plant.xlsx: is not a .csv file, and a workbook is one file",
        ),
    ] {
        let outcome = build_in(folder.path(), files);
        assert_eq!(outcome.code, 78);
        assert_eq!(outcome.stderr, [message]);
    }
}
