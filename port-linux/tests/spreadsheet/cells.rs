//! What a spreadsheet makes of what is typed into it, and what comes out in the end.

use rust_xlsxwriter::{ExcelDateTime, Format, Formula};
use serde_json::json;

use crate::{Book, build_bytes, signal, with_part};

fn number_shown_as(code: &str) -> Format {
    Format::new().set_num_format(code)
}

#[test]
fn texts_stored_as_numbers_and_numbers_stored_as_texts_come_out_right() {
    let book = Book::plant()
        .put("Devices!A2", 7)
        .put("Devices!F2", "1883.0")
        .put("Devices!G2", 2)
        .put("Devices!I2", "password")
        .put("Devices!J2", 4711)
        .put("Devices!K2", "0123")
        .put("Devices!L2", 123_456_789_012_345_i64)
        .put("Devices!M2", 3.1)
        .put("Signals!C2", -5);
    let table = book.build().table();
    let device = &table["devices"][0];
    assert_eq!(device["name"], "7");
    assert_eq!(device["port"], 1883);
    assert_eq!(device["mqtt_qos"], 2);
    assert_eq!(device["username"], "4711");
    assert_eq!(device["password"], "0123");
    assert_eq!(device["client_id"], "123456789012345");
    assert_eq!(device["mqtt_version"], "3.1");
    assert_eq!(table["signals"][0]["signal_alias"], "-5");
}

#[test]
fn a_number_that_is_shown_with_zeros_in_front_keeps_them_as_a_text() {
    let book = Book::plant()
        .put("Devices!I2", "password")
        .put("Devices!J2", "u")
        .with("Devices", |sheet| {
            let format = number_shown_as("0000");
            sheet.write_with_format(1, 10, 123, &format).unwrap();
        });
    assert_eq!(book.build().table()["devices"][0]["password"], "0123");
}

#[test]
fn booleans_of_excel_are_booleans() {
    let table = Book::plant()
        .put("Devices!C2", true)
        .put("Devices!H2", false)
        .put("Signals!F2", "TRUE")
        .build()
        .table();
    assert_eq!(table["devices"][0]["enable"], 1);
    assert_eq!(table["devices"][0]["mqtt_retain"], 0);
    assert_eq!(table["signals"][0]["enable"], 1);
}

#[test]
fn spaces_around_values_and_names_are_ignored_and_letter_case_of_names_too() {
    let book = Book::new()
        .sheet(
            "Devices",
            &[
                &[
                    " AUTH",
                    "Name\n",
                    "\u{feff}Device_Alias",
                    "protocol",
                    "IP",
                    "PORT\u{200b}",
                    "Enable",
                ],
                &[
                    " none\u{200b}",
                    "Cloud ",
                    " cloud",
                    "mqtt",
                    "\u{a0}broker",
                    " 1884 ",
                    "1",
                ],
            ],
        )
        .sheet(
            "Signals",
            &[
                &[
                    "topic",
                    "SOURCE_SIGNAL_ALIAS",
                    "source_device_alias",
                    "signal_alias",
                    "device_alias",
                    "signal_name",
                ],
                &["plant/p ", "P", "INV1", "p", "cloud", "Power"],
            ],
        );
    let expected = json!({
        "devices": [{"name": "Cloud", "device_alias": "cloud", "enable": 1, "protocol": "mqtt",
                     "ip": "broker", "port": 1884, "auth": "none"}],
        "signals": [{"signal_name": "Power", "device_alias": "cloud", "signal_alias": "p",
                     "source_device_alias": "INV1", "source_signal_alias": "P", "topic": "plant/p"}],
    });
    assert_eq!(book.build().table(), expected);
}

#[test]
fn what_excel_has_changed_beyond_recovery_is_refused_with_its_cell() {
    let date = ExcelDateTime::from_ymd(2024, 2, 1).unwrap();
    let book = Book::plant()
        .put("Devices!A2", true)
        .put("Devices!L2", 1_234_567_890_123_456_i64)
        .with("Devices", |sheet| {
            let percent = number_shown_as("0%");
            sheet.write_with_format(1, 4, 0.5, &percent).unwrap();
            let day = number_shown_as("d-mmm");
            sheet.write_with_format(1, 5, &date, &day).unwrap();
        })
        .with("Signals", |sheet| {
            let day = number_shown_as("d-mmm");
            sheet.write_with_format(1, 2, &date, &day).unwrap();
            let scientific = number_shown_as("0.00E+00");
            sheet.write_with_format(1, 4, 1e5, &scientific).unwrap();
        });
    let again = "format the cell as Text and type it again";
    let expected = [
        format!("Devices!A2 name: is a boolean: Excel makes one of the text true; {again}"),
        format!(
            "Devices!E2 ip: is a number that is shown as 0%, and what was typed is lost; {again}"
        ),
        format!("Devices!F2 port: is a date: Excel makes one of texts like 1-2; {again}"),
        format!(
            "Devices!L2 client_id: is a number with more than 15 digits, and Excel keeps no more; {again}"
        ),
        format!("Signals!C2 signal_alias: is a date: Excel makes one of texts like 1-2; {again}"),
        format!(
            "Signals!E2 source_signal_alias: is a number that is shown as 0.00E+00, and what was typed is lost; {again}"
        ),
    ];
    assert_eq!(book.build().errors(), expected);
}

#[test]
fn the_result_of_a_formula_counts() {
    let book = |alias: &str, port: &str| {
        Book::plant()
            .put("Signals!C2", Formula::new("=\"p\"&1").set_result(alias))
            .put("Devices!F2", Formula::new("=1800+83").set_result(port))
    };
    let table = book("p1", "1883").build_computed().table();
    assert_eq!(table["signals"][0]["signal_alias"], "p1");
    assert_eq!(table["devices"][0]["port"], 1883);
    assert_eq!(
        book("#N/A", "#DIV/0!").build_computed().errors(),
        [
            "Devices!F2 port: holds the error #DIV/0!",
            "Signals!C2 signal_alias: holds the error #N/A",
        ]
    );
}

#[test]
fn a_formula_whose_result_is_not_in_the_file_is_refused_and_not_read_as_blank() {
    let bytes = Book::plant()
        .put("Devices!F2", Formula::new("=1800+84").set_result("1884"))
        .bytes();
    let bytes = with_part(&bytes, "xl/worksheets/sheet1.xml", |xml| {
        let text = String::from_utf8(xml.clone()).unwrap();
        assert!(text.contains("<v>1884</v>"));
        *xml = text.replace("<v>1884</v>", "").into();
    });
    assert_eq!(
        build_bytes("plant.xlsx", &bytes).errors(),
        [
            "Devices!F2 port: holds a formula whose result is not in the file; open and save it in Excel, or in LibreOffice after Data > Calculate > Recalculate Hard"
        ]
    );
}

#[test]
fn merged_cells_are_refused_once_whatever_they_hide() {
    let book = Book::plant()
        .row("Signals", 3, &signal(&[("signal_alias", "q")]))
        .row("Signals", 4, &signal(&[("signal_alias", "r")]))
        .with("Signals", |sheet| {
            let format = Format::new();
            sheet.merge_range(1, 3, 3, 3, "INV1", &format).unwrap();
        });
    let expected = "Signals!D2 source_device_alias: D2:D4 is merged, and only its first cell has a value; \
                    unmerge it and fill each cell";
    assert_eq!(book.build().errors(), [expected]);
}

#[test]
fn merged_cells_beside_our_columns_and_rows_do_not_matter() {
    let book = Book::plant().with("Signals", |sheet| {
        let format = Format::new();
        sheet.merge_range(4, 0, 6, 3, "A note", &format).unwrap();
    });
    assert_eq!(
        book.build().warnings(),
        ["warning: Signals!3:3: is empty and ends the sheet; 1 row below it is ignored"]
    );
}

#[test]
fn hidden_rows_and_columns_count_and_hidden_sheets_too_with_a_warning() {
    let book = Book::plant()
        .row("Signals", 3, &signal(&[("signal_alias", "q")]))
        .with("Signals", |sheet| {
            sheet.set_row_hidden(2).unwrap();
            sheet.set_column_hidden(2).unwrap();
        });
    let table = book.build().table();
    assert_eq!(table["signals"][1]["signal_alias"], "q");

    let hidden = Book::plant().with("Signals", |sheet| {
        sheet.set_hidden(true);
    });
    let outcome = hidden.build();
    assert!(
        outcome
            .json
            .as_ref()
            .unwrap()
            .contains("\"signal_alias\": \"p\"")
    );
    assert_eq!(
        outcome.warnings(),
        ["warning: Signals: is hidden; its rows count"]
    );
}

#[test]
fn several_sources_of_a_signal_are_reported_by_its_name() {
    let book = Book::plant()
        .put("Signals!A2", "Total \"power\"")
        .put("Signals!D2", "INV1\nINV2")
        .put("Signals!E2", "P\nP\n");
    let text = "signal \"Total \"power\"\" has 2 sources, and several sources for one signal are not supported";
    assert_eq!(
        book.build().errors(),
        [
            format!("Signals!D2 source_device_alias: {text}"),
            format!("Signals!E2 source_signal_alias: {text}"),
        ]
    );
}

#[test]
fn a_line_break_is_refused_where_it_cannot_be_meant() {
    let book = Book::plant()
        .put("Devices!A2", "Cloud\n(north)")
        .put("Signals!H2", "plant/p\nplant/q");
    assert_eq!(
        book.build().errors(),
        ["Signals!H2 topic: holds a line break"]
    );
}

#[test]
fn characters_of_all_kinds_pass_through() {
    let name = "Ü \"quoted\" \\ 電力 \u{1f50c} <&> 'x'";
    let table = Book::plant()
        .put("Signals!A2", name)
        .put("Signals!H2", "Anlage/Überspannung")
        .build()
        .table();
    assert_eq!(table["signals"][0]["signal_name"], name);
    assert_eq!(table["signals"][0]["topic"], "Anlage/Überspannung");
}

#[test]
fn no_message_shows_a_password() {
    for password in ["hunter2\nhunter2", "hunter2 "] {
        let outcome = Book::plant()
            .put("Devices!F2", 0)
            .put("Devices!I2", "password")
            .put("Devices!K2", password)
            .build();
        assert_eq!(outcome.code, 78);
        assert!(
            !outcome.stderr.concat().contains("hunter2"),
            "{:?}",
            outcome.stderr
        );
    }
    let outcome = Book::plant()
        .put("Devices!I2", "password")
        .put("Devices!J2", "u")
        .put("Devices!K2", 4711)
        .build();
    assert_eq!(
        outcome.warnings(),
        [
            "warning: Devices!K2 password: is a number, which has no zeros in front; if it should, \
          format the cell as Text and type it again"
        ]
    );
}

#[test]
fn characters_that_nobody_sees_are_warned_of_where_a_computer_reads_the_text() {
    let book = Book::plant()
        .put("Signals!A2", "Active\u{a0}power")
        .put("Signals!C2", "p\u{200b}1")
        .put("Signals!H2", "plant\u{a0}7/p");
    let again = "type it again if that is a mistake";
    assert_eq!(
        book.build().warnings(),
        [
            format!(
                "warning: Signals!C2 signal_alias: holds the character U+200B, which nobody sees; {again}"
            ),
            format!(
                "warning: Signals!H2 topic: holds the character U+00A0, which looks like a space and is none; {again}"
            ),
        ]
    );
    let wrong = Book::plant().put("Devices!I2", "no\u{200b}ne").build();
    assert_eq!(
        wrong.errors().last().unwrap(),
        "Devices!I2 auth: \"no\\u{200b}ne\" is not none, password, tls or token"
    );
}
