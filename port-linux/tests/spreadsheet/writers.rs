//! Workbooks that other programs have written, from the same cells as far as each can hold them.
//!
//! The files in `files` come from these: `xlsxwriter-formulas.xlsx` and `xlsxwriter-array.xlsx` from XlsxWriter 3.2.9; `pandas.xlsx` and `pandas-formulas.xlsx` from pandas
//! 3.1.1 with XlsxWriter; `openpyxl.xlsx` from openpyxl 3.1.5; `gnumeric.xlsx`, `gnumeric.ods` and `gnumeric-errors.ods` from Gnumeric 1.12.55, converted from that;
//! `sheetjs.xlsx`, `.ods` and `.fods`, `sheetjs-formulas.ods` and `sheetjs-escape.xlsx` from SheetJS 0.18.5; `excel4node.xlsx` from excel4node 1.8.2.

use std::fs;

use rust_xlsxwriter::Formula;
use serde_json::Value;

use crate::{Book, Outcome, build_bytes, fixture, with_part};

const NO_RESULT: &str = "holds a formula whose result is not in the file; open and save it in Excel, or in LibreOffice after Data > Calculate > Recalculate Hard";

const SPACES: &str = "has spaces, at an end or where its format changes, that the file does not mark as kept, and is read without them; \
                      type it again in Excel if they belong to it";

const ESCAPE: &str = "holds _x, four digits and _, which stand for one character, and is read so; type it again in Excel if they do not";

fn build_fixture(name: &str) -> Outcome {
    build_bytes(name, &fs::read(fixture(name)).unwrap())
}

/// Names and topics of the signals, and the device's password.
fn gist(outcome: &Outcome) -> (Vec<[String; 2]>, Value) {
    let json = outcome.json.as_ref().expect("a mapping table");
    let table: Value = serde_json::from_str(json).expect("JSON");
    let signals = table["signals"].as_array().expect("signals");
    let of = |signal: &Value| {
        ["signal_name", "topic"].map(|key| signal[key].as_str().unwrap().to_owned())
    };
    (
        signals.iter().map(of).collect(),
        table["devices"][0]["password"].clone(),
    )
}

#[test]
fn a_formula_that_its_writer_has_not_computed_is_refused_in_its_cell() {
    let errors = build_fixture("xlsxwriter-formulas.xlsx").errors();
    let expected = [
        "Devices!C2 enable",
        "Devices!G2 mqtt_qos",
        "Signals!F2 topic",
    ];
    assert_eq!(errors, expected.map(|cell| format!("{cell}: {NO_RESULT}")));
    let errors = build_fixture("pandas-formulas.xlsx").errors();
    assert_eq!(errors, [format!("Signals!F2 topic: {NO_RESULT}")]);
    // One formula has the results of both.
    let errors = build_fixture("xlsxwriter-array.xlsx").errors();
    let expected = ["Signals!F2 topic", "Signals!F3 topic"];
    assert_eq!(errors, expected.map(|cell| format!("{cell}: {NO_RESULT}")));
    let errors = build_fixture("sheetjs-formulas.ods").errors();
    let expected = ["Devices!G2 mqtt_qos", "Signals!F2 topic"];
    assert_eq!(errors, expected.map(|cell| format!("{cell}: {NO_RESULT}")));
    // rust_xlsxwriter does as XlsxWriter, also where it was told a result.
    let formula = Formula::new("=\"plant/7/\"&C2").set_result("plant/7/p");
    let book = || Book::plant().put("Signals!H2", formula.clone());
    let errors = book().build().errors();
    assert_eq!(errors, [format!("Signals!H2 topic: {NO_RESULT}")]);
    // Excel, once it has computed, asks nobody to do it again.
    let table = book().build_computed().table();
    assert_eq!(table["signals"][0]["topic"], "plant/7/p");
}

#[test]
fn workbooks_without_any_doubt_are_read_without_a_word() {
    let power = |topic: &str| ["Power".to_owned(), topic.to_owned()];
    let count = |topic: &str| ["1234567890".to_owned(), topic.to_owned()];
    for (name, signals) in [
        ("pandas.xlsx", vec![power("plant/7/p")]),
        (
            "sheetjs.xlsx",
            vec![power("plant/7/p"), count("plant/hall 7/q")],
        ),
        (
            "sheetjs.ods",
            vec![power("plant/7/p"), count("plant/hall 7/q")],
        ),
    ] {
        let outcome = build_fixture(name);
        assert_eq!(outcome.stderr, [""; 0], "{name}");
        assert_eq!(gist(&outcome).0, signals, "{name}");
    }
    // Gnumeric stores 1234567890 as the 1.23E+09 that fits its column.
    for name in ["openpyxl.xlsx", "gnumeric.ods"] {
        let outcome = build_fixture(name);
        let (signals, password) = gist(&outcome);
        assert_eq!(
            signals,
            [power("plant/hall 7/p"), count("plant/7/q")],
            "{name}"
        );
        assert_eq!(password, " p ", "{name}");
        let warning =
            "warning: Devices!J2 password: begins or ends with a space, which belongs to it";
        assert_eq!(outcome.warnings(), [warning], "{name}");
    }
}

#[test]
fn spaces_that_a_file_does_not_mark_as_kept_and_what_stands_for_a_character_are_remarked() {
    assert_eq!(
        build_fixture("gnumeric.xlsx").warnings(),
        [
            format!("warning: Devices!J2 password: {SPACES}"),
            format!("warning: Signals!F2 topic: {SPACES}")
        ]
    );
    assert_eq!(
        build_fixture("excel4node.xlsx").warnings(),
        [
            format!("warning: Devices!J2 password: {SPACES}"),
            format!("warning: Signals!F3 topic: {ESCAPE}")
        ]
    );
    assert_eq!(
        build_fixture("sheetjs-escape.xlsx").warnings(),
        [format!("warning: Signals!A3 signal_name: {ESCAPE}")]
    );
}

/// LibreOffice keeps the 0 that XlsxWriter puts in the place of a result, and drops the request to compute it.
#[test]
fn a_text_that_is_the_number_0_is_remarked() {
    let text = "is the number 0, which is also what stands in the place of a formula's result that no program has computed; if it \
                should be 0, format the cell as Text and type it again";
    let formula = Formula::new("=\"plant/7/\"&C2").set_result("0");
    let kept = Book::plant().put("Signals!H2", formula).build_computed();
    assert_eq!(
        kept.warnings(),
        [format!("warning: Signals!H2 topic: {text}")]
    );
}

#[test]
fn an_error_is_one_in_whatever_dress_its_writer_puts_it() {
    assert_eq!(
        build_fixture("gnumeric-errors.ods").errors(),
        [
            "warning: Devices!J2 password: begins or ends with a space, which belongs to it",
            "Signals!E2 source_signal_alias: holds the error #DIV/0!",
            "Signals!E3 source_signal_alias: holds the error #N/A"
        ]
    );
}

#[test]
fn a_workbook_of_libreoffice_that_cannot_be_read_is_called_what_it_is() {
    for name in ["sheetjs.fods", "renamed.ods"] {
        let bytes = fs::read(fixture("sheetjs.fods")).unwrap();
        let text = "is a workbook of LibreOffice in one XML file (.fods); open it in LibreOffice and save it as .ods or .xlsx";
        let outcome = build_bytes(name, &bytes);
        assert_eq!(
            (outcome.code, outcome.stderr),
            (78, vec![format!("{name}: {text}")])
        );
    }
    // What LibreOffice writes of a file with a password: the manifest names the method, the content is noise.
    let bytes = fs::read(fixture("mixed.ods")).unwrap();
    let locked = with_part(&bytes, "META-INF/manifest.xml", |part| {
        let text = String::from_utf8(part.clone()).unwrap();
        let entry = "manifest:full-path=\"content.xml\" manifest:media-type=\"text/xml\"";
        assert!(text.contains(entry), "{text}");
        let encryption = "<manifest:encryption-data manifest:checksum=\"AA==\"/>";
        *part = text
            .replace(
                &format!("<manifest:file-entry {entry}/>"),
                &format!("<manifest:file-entry {entry}>{encryption}</manifest:file-entry>"),
            )
            .into_bytes();
    });
    let locked = with_part(&locked, "content.xml", |part| {
        *part = b"\x93\x01\xfe noise".to_vec()
    });
    let outcome = build_bytes("locked.ods", &locked);
    let text = "locked.ods: is protected by a password; save it without one";
    assert_eq!((outcome.code, outcome.stderr), (78, vec![text.to_owned()]));
}
