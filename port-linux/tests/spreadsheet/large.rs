//! Small files that ask for gigabytes: each is refused in words that name the rule, and takes no more memory than the limit meanwhile.

use std::env;
use std::fs;
use std::process::Command;

use tempfile::TempDir;

use crate::{
    Book, CLOUD, DEVICES, Outcome, POWER, SIGNALS, device, fixture, outcome, part, utility,
    with_part,
};

/// Address space that the utility gets in these tests, in MiB: its limit of 512, itself, and what the allocator leaves between pieces.
const ROOM: u32 = 640;

const MEMORY: &str = "is damaged or too large: reading it takes more than 512 MiB of memory";
const ROWS: &str = "has more than 200,000 rows with content, which is too many";

/// Checks a workbook with little room. Should the utility ever want more than that, the system says no, and its words are others.
fn check(name: &str, bytes: &[u8], room: u32) -> Outcome {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join(name), bytes).unwrap();
    outcome(
        folder.path(),
        utility_with_room(room)
            .args(["check", name])
            .current_dir(folder.path()),
    )
}

fn utility_with_room(mib: u32) -> Command {
    let utility = utility();
    if is_under_wine() {
        return utility;
    }
    let mut command = Command::new("sh");
    let script = format!("ulimit -v {}; exec \"$@\"", mib * 1024);
    command.args(["-c", &script, "sh"]);
    command.arg(utility.get_program()).args(utility.get_args());
    command
}

/// Wine itself takes more address space than that.
fn is_under_wine() -> bool {
    env::var_os("ELSETA_MQTT_CONFIG_RUNNER").is_some()
}

/// The plant with these rows in place of its signals, and these shared texts.
fn xlsx(rows: &str, shared: &str) -> Vec<u8> {
    xlsx_of(Book::plant(), rows, shared)
}

fn xlsx_of(book: Book, rows: &str, shared: &str) -> Vec<u8> {
    let whole = book.bytes();
    let header: String = SIGNALS
        .iter()
        .map(|name| format!("<c t=\"inlineStr\"><is><t>{name}</t></is></c>"))
        .collect();
    let rows = format!("<row r=\"1\">{header}</row>{rows}");
    let sheet = with_part(&whole, "xl/worksheets/sheet2.xml", |xml| {
        *xml = format!("<worksheet><sheetData>{rows}</sheetData></worksheet>").into();
    });
    let own = part(&whole, "xl/sharedStrings.xml");
    with_part(&sheet, "xl/sharedStrings.xml", |xml| {
        // Behind the workbook's own.
        let all = own.replace("</sst>", &format!("{shared}</sst>"));
        *xml = all.into();
    })
}

/// How many shared texts a workbook has of its own.
fn own_texts() -> usize {
    let own = part(&Book::plant().bytes(), "xl/sharedStrings.xml");
    own.matches("<si>").count()
}

/// Rows from the second on, each with one cell that has the first shared text behind the workbook's own.
fn rows_of_one_text(count: usize) -> String {
    let text = own_texts();
    (2..count + 2)
        .map(|row| format!("<row r=\"{row}\"><c r=\"A{row}\" t=\"s\"><v>{text}</v></c></row>"))
        .collect()
}

fn text(length: usize) -> String {
    format!("<si><t>{}</t></si>", "a".repeat(length))
}

/// A workbook of LibreOffice's with this content in place of its signals' rows below the header.
fn ods(rows: &str) -> Vec<u8> {
    let whole = fs::read(fixture("mixed.ods")).unwrap();
    with_part(&whole, "content.xml", |xml| {
        let text = String::from_utf8(xml.clone()).unwrap();
        let at = text.find("table:name=\"Signals\"").expect("the tab");
        let (before, tab) = text.split_at(at);
        let end = tab.find("</table:table-row>").expect("a header") + "</table:table-row>".len();
        let (header, rest) = tab.split_at(end);
        *xml = format!("{before}{header}{rows}{rest}").into();
    })
}

fn ods_cell(repeated: usize, text: &str) -> String {
    format!(
        "<table:table-cell table:number-columns-repeated=\"{repeated}\" office:value-type=\"string\"><text:p>{text}</text:p></table:table-cell>"
    )
}

fn ods_row(repeated: usize, cells: &str) -> String {
    format!("<table:table-row table:number-rows-repeated=\"{repeated}\">{cells}</table:table-row>")
}

/// An old workbook with one of its cells in the last corner of the sheet: a rectangle of 16,777,216 cells.
fn xls_with_a_cell_in_the_corner() -> Vec<u8> {
    /// A cell with a shared text: kind of record, length, and in front of the rest row and column ([MS-XLS] 2.4.149).
    const LABEL_SST: [u8; 4] = [0xfd, 0x00, 0x0a, 0x00];
    let mut bytes = fs::read(fixture("mixed.xls")).unwrap();
    let last = bytes
        .windows(4)
        .rposition(|window| window == LABEL_SST)
        .expect("a text");
    bytes[last + 4..last + 8].copy_from_slice(&[0xff, 0xff, 0xff, 0x00]);
    bytes
}

fn csv_signals(rows: usize) -> Vec<u8> {
    let mut text = SIGNALS.join(",");
    text.push_str(&"\na".repeat(rows));
    text.into()
}

#[test]
fn a_small_file_that_asks_for_gigabytes_is_refused_and_does_not_get_them() {
    let wide = ods_row(20, &ods_cell(16_384, &"a".repeat(1000)));
    for (name, bytes, rule) in [
        (
            "shared.xlsx",
            xlsx(&rows_of_one_text(25_000), &text(32_767)),
            MEMORY,
        ),
        ("repeated.ods", ods(&wide), MEMORY),
        (
            "wide.ods",
            ods(&ods_row(1, &ods_cell(16_384, &"a".repeat(40_000)))),
            MEMORY,
        ),
        (
            "everywhere.ods",
            ods(&ods_row(1_048_576, &ods_cell(16_384, "a"))),
            ROWS,
        ),
        ("corner.xls", xls_with_a_cell_in_the_corner(), MEMORY),
        ("rows.ods", ods(&ods_row(200_001, &ods_cell(1, "a"))), ROWS),
        (
            "rows.xlsx",
            xlsx(&rows_of_one_text(200_001), &text(1)),
            ROWS,
        ),
    ] {
        let outcome = check(name, &bytes, ROOM);
        assert_eq!(
            (outcome.code, outcome.stderr),
            (78, vec![format!("{name}: {rule}")])
        );
    }
}

#[test]
fn a_pair_of_csv_files_has_no_more_rows_than_a_workbook() {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, bytes: Vec<u8>| fs::write(folder.path().join(name), bytes).unwrap();
    write("devices.csv", b"device_alias".to_vec());
    write("signals.csv", csv_signals(200_000));
    let mut command = utility_with_room(ROOM);
    let command = command.args(["check", "devices.csv"]);
    let outcome = outcome(folder.path(), command.current_dir(folder.path()));
    assert_eq!(outcome.stderr, [format!("devices.csv: {ROWS}")]);
}

#[test]
fn the_room_of_these_tests_is_what_the_limit_is_measured_by() {
    if is_under_wine() {
        return;
    }
    // With less than the limit takes, the system refuses before the utility does.
    let bytes = xlsx(&rows_of_one_text(25_000), &text(32_767));
    let outcome = check("shared.xlsx", &bytes, 384);
    assert_eq!(
        outcome.stderr,
        ["shared.xlsx: cannot be read: this computer has not enough memory left"]
    );
}

#[test]
fn a_text_that_no_cell_can_hold_is_an_error_of_each_cell_that_has_it() {
    let outcome = check(
        "shared.xlsx",
        &xlsx(&rows_of_one_text(20_000), &text(1_000_000)),
        ROOM,
    );
    assert_eq!(outcome.code, 78);
    let too_long = |line: &&String| {
        line.ends_with("signal_name: has more than the 32767 characters that a cell holds")
    };
    assert!(outcome.stderr[0].starts_with("Signals!A2 signal_name: has"));
    assert_eq!(outcome.stderr.iter().filter(too_long).count(), 20_000);
}

#[test]
fn a_text_that_is_too_long_is_named_by_its_cell_in_every_format() {
    let long = "\u{e4}".repeat(32_768);
    let folder = TempDir::new().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    let csv = format!("{}\n{long},cloud,p,INV1,P,1,0,\n", SIGNALS.join(","));
    write("p-signals.csv", csv.as_bytes());
    write("p-devices.csv", csv_devices().as_bytes());
    let shared = format!("<si><t>{long}</t></si>");
    let own = format!("<row r=\"2\"><c r=\"A2\" t=\"inlineStr\"><is><t>{long}</t></is></c></row>");
    write("own.xlsx", &xlsx(&own, ""));
    write("shared.xlsx", &xlsx(&rows_of_one_text(1), &shared));
    write("p.ods", &ods(&ods_row(1, &ods_cell(1, &long))));
    for (file, sheet) in [
        ("own.xlsx", "Signals"),
        ("shared.xlsx", "Signals"),
        ("p.ods", "Signals"),
        ("p-devices.csv", "p-signals.csv"),
    ] {
        let mut command = utility();
        let command = command.args(["check", file]).current_dir(folder.path());
        let outcome = outcome(folder.path(), command);
        let expected =
            format!("{sheet}!A2 signal_name: has more than the 32767 characters that a cell holds");
        assert!(outcome.stderr.contains(&expected), "{file}: {outcome:?}");
    }
}

fn csv_devices() -> String {
    format!("{}\n{}\n", DEVICES.join(","), CLOUD.join(","))
}

#[test]
fn as_many_rows_as_the_limit_allows_are_read() {
    let modbus = device(&[("device_alias", "INV1"), ("protocol", "Modbus")]);
    let book = Book::plant().row("Devices", 3, &modbus);
    let power = POWER.map(|text| format!("<c t=\"inlineStr\"><is><t>{text}</t></is></c>"));
    let mut rows = format!("<row r=\"2\">{}</row>", power.concat());
    // Three rows of devices, and the header.
    for row in 3..=200_000 - 3 {
        rows.push_str(&format!(
            "<row r=\"{row}\"><c r=\"B{row}\" t=\"inlineStr\"><is><t>INV1</t></is></c></row>"
        ));
    }
    let outcome = check("rows.xlsx", &xlsx_of(book, &rows, ""), ROOM);
    assert_eq!((outcome.code, outcome.stderr), (0, Vec::new()));
    assert_eq!(outcome.stdout, "rows.xlsx: 1 device, 1 signal\n");
}
