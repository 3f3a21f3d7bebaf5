//! `elseta-mqtt-config` from outside: workbooks made with a writer library, and what the utility makes of them.
//!
//! `ELSETA_MQTT_CONFIG_BIN` names another utility to test than the one that was built with them, by its full path, and
//! `ELSETA_MQTT_CONFIG_RUNNER` a program to run that with: so `cargo windows --test` runs it under Wine.
//!
//! A test starts from [`Book::plant`], a workbook without any fault, and changes cells of it.

mod advice;
mod any_table;
mod cells;
mod damage;
mod formats;
mod hostile_texts;
mod large;
mod output;
mod round_trip;
mod rules;
mod windows;
mod writers;

use std::env;
use std::fs;
use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rust_xlsxwriter::{IntoExcelData, Workbook, Worksheet};
use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// The columns of the plant's tabs.
const DEVICES: [&str; 13] = [
    "name",
    "device_alias",
    "enable",
    "protocol",
    "ip",
    "port",
    "mqtt_qos",
    "mqtt_retain",
    "auth",
    "username",
    "password",
    "client_id",
    "mqtt_version",
];
const SIGNALS: [&str; 8] = [
    "signal_name",
    "device_alias",
    "signal_alias",
    "source_device_alias",
    "source_signal_alias",
    "enable",
    "log",
    "topic",
];

/// What a row of [`DEVICES`] says if it is not changed.
const CLOUD: [&str; 13] = [
    "Cloud", "cloud", "1", "MQTT", "broker", "1883", "1", "0", "none", "", "", "", "",
];
const POWER: [&str; 8] = ["Power", "cloud", "p", "INV1", "P", "1", "0", ""];

/// A workbook in the making.
struct Book(Workbook);

impl Book {
    /// Without any sheet.
    fn new() -> Book {
        Book(Workbook::new())
    }

    /// The device `cloud` and its signal `p`, all cells texts.
    fn plant() -> Book {
        Book::new()
            .sheet("Devices", &[&DEVICES, &CLOUD])
            .sheet("Signals", &[&SIGNALS, &POWER])
    }

    /// Adds a sheet with these texts; an empty one is a blank cell.
    fn sheet(mut self, name: &str, rows: &[&[&str]]) -> Book {
        let sheet = self.0.add_worksheet();
        sheet.set_name(name).unwrap();
        for (row, cells) in (0..).zip(rows) {
            for (column, text) in (0..).zip(*cells) {
                if !text.is_empty() {
                    sheet.write_string(row, column, *text).unwrap();
                }
            }
        }
        self
    }

    /// Changes a sheet by hand.
    fn with(mut self, sheet: &str, change: impl FnOnce(&mut Worksheet)) -> Book {
        change(self.0.worksheet_from_name(sheet).unwrap());
        self
    }

    /// Puts a value into a cell that is named as in Excel: `Devices!F2`.
    fn put(self, place: &str, value: impl IntoExcelData) -> Book {
        let (sheet, row, column) = coordinates(place);
        self.with(sheet, |sheet| {
            sheet.write(row, column, value).unwrap();
        })
    }

    /// Adds a row of texts to a sheet, at a row number as Excel counts.
    fn row(self, sheet: &str, number: u32, texts: &[&str]) -> Book {
        self.with(sheet, |sheet| {
            for (column, text) in (0..).zip(texts) {
                if !text.is_empty() {
                    sheet.write_string(number - 1, column, *text).unwrap();
                }
            }
        })
    }

    fn bytes(mut self) -> Vec<u8> {
        self.0.save_to_buffer().unwrap()
    }

    /// Builds it as Excel saves it, which has computed all formulas; the writer library asks whoever opens the workbook to do so.
    fn build_computed(self) -> Outcome {
        let computed = with_part(&self.bytes(), "xl/workbook.xml", |part| {
            let text = String::from_utf8(part.clone()).unwrap();
            *part = text.replace(" fullCalcOnLoad=\"1\"", "").into_bytes();
        });
        build_bytes("plant.xlsx", &computed)
    }

    /// Builds it; the workbook's name is `plant.xlsx`.
    fn build(self) -> Outcome {
        build_bytes("plant.xlsx", &self.bytes())
    }
}

/// One of a workbook's XML parts.
fn part(workbook: &[u8], name: &str) -> String {
    let mut archive = ZipArchive::new(Cursor::new(workbook)).unwrap();
    let mut text = String::new();
    let mut file = archive.by_name(name).unwrap();
    file.read_to_string(&mut text).unwrap();
    text
}

/// A workbook with one of its XML parts changed.
fn with_part(workbook: &[u8], part: &str, change: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    let mut archive = ZipArchive::new(Cursor::new(workbook)).unwrap();
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for number in 0..archive.len() {
        let mut file = archive.by_index(number).unwrap();
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        let name = file.name().unwrap().into_owned();
        if name == part {
            change(&mut content);
        }
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        writer.start_file(name, options).unwrap();
        writer.write_all(&content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// Sheet, row and column, from 0, of a cell with a column of one letter.
fn coordinates(place: &str) -> (&str, u32, u16) {
    let (sheet, cell) = place.split_once('!').unwrap();
    let (letter, number) = cell.split_at(1);
    let column = u16::from(letter.as_bytes()[0] - b'A');
    (sheet, number.parse::<u32>().unwrap() - 1, column)
}

/// A device's row that differs in some columns from the plant's.
fn device<'t>(changes: &[(&str, &'t str)]) -> [&'t str; 13] {
    changed(DEVICES, CLOUD, changes)
}

/// A signal's row that differs in some columns from the plant's.
fn signal<'t>(changes: &[(&str, &'t str)]) -> [&'t str; 8] {
    changed(SIGNALS, POWER, changes)
}

fn changed<'t, const N: usize>(
    columns: [&str; N],
    mut row: [&'t str; N],
    changes: &[(&str, &'t str)],
) -> [&'t str; N] {
    for (name, value) in changes {
        let column = columns.iter().position(|column| column == name);
        row[column.expect("a column of the plant")] = value;
    }
    row
}

/// A warning of every table with a password whose broker is another machine; it is in the core's tests, and left out of outcomes.
const IN_THE_CLEAR: &str = "password: goes out in the clear: auth=tls encrypts it";

/// What the utility did.
#[derive(Debug)]
struct Outcome {
    code: i32,
    stdout: String,
    /// Lines of standard error.
    stderr: Vec<String>,
    /// The mapping table, if one was written.
    json: Option<String>,
}

impl Outcome {
    /// The mapping table of a workbook that must have no fault, and nothing to remark about.
    #[track_caller]
    fn table(self) -> serde_json::Value {
        assert_eq!((self.code, &self.stderr), (0, &Vec::new()));
        serde_json::from_str(&self.json.expect("a mapping table")).expect("JSON")
    }

    /// The errors and warnings of a workbook that must be refused, without the last line, which counts them.
    #[track_caller]
    fn errors(self) -> Vec<String> {
        assert_eq!((self.code, self.json), (78, None), "{:?}", self.stderr);
        let (last, lines) = self.stderr.split_last().expect("a message");
        assert!(last.ends_with("nothing written"), "{last}");
        lines.to_vec()
    }

    /// The warnings of a workbook that must not be refused.
    #[track_caller]
    fn warnings(self) -> Vec<String> {
        assert_eq!(self.code, 0, "{:?}", self.stderr);
        assert!(self.json.is_some());
        self.stderr
    }
}

/// Builds a workbook that consists of these bytes.
fn build_bytes(name: &str, bytes: &[u8]) -> Outcome {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join(name), bytes).unwrap();
    build_in(folder.path(), &[name])
}

/// Builds a workbook of these files in `folder`.
fn build_in(folder: &Path, files: &[&str]) -> Outcome {
    run(folder, &[&["build"], files].concat())
}

/// The utility: the one that the environment names, else the one that was built with these tests.
fn utility() -> Command {
    let Some(program) = env::var_os("ELSETA_MQTT_CONFIG_BIN") else {
        return Command::new(env!("CARGO_BIN_EXE_elseta-mqtt-config"));
    };
    match env::var_os("ELSETA_MQTT_CONFIG_RUNNER") {
        None => Command::new(program),
        Some(runner) => {
            let mut command = Command::new(runner);
            command.arg(program);
            command
        }
    }
}

/// Runs the utility in `folder`.
fn run(folder: &Path, arguments: &[&str]) -> Outcome {
    outcome(folder, utility().args(arguments).current_dir(folder))
}

/// Runs a command that is the utility, whatever stands before that.
fn outcome(folder: &Path, command: &mut Command) -> Outcome {
    let output = command
        .stdin(Stdio::null())
        .output()
        .expect("run the utility");
    let stderr = String::from_utf8_lossy(&output.stderr);
    Outcome {
        code: output.status.code().expect("an exit, not a signal"),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: stderr
            .lines()
            .filter(|line| !line.ends_with(IN_THE_CLEAR))
            .map(String::from)
            .collect(),
        json: fs::read_to_string(folder.join("elseta-mqtt.json")).ok(),
    }
}

/// A file that lies beside these tests.
fn fixture(name: &str) -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.join("tests/spreadsheet/files").join(name)
}
