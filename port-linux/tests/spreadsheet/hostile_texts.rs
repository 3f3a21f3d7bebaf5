//! Texts that a terminal would obey, or that read otherwise than they are: wherever they stand, nothing of them comes out as it is.
//!
//! A new text joins by a line of [`TEXTS`], a new place by a line of [`places`].

use std::fs;

use tempfile::TempDir;

use crate::{
    Book, CLOUD, DEVICES, Outcome, POWER, SIGNALS, build_in, device, fixture, run, signal,
    with_part,
};

/// What a terminal obeys, and what turns the direction of writing.
const TEXTS: [(&str, &str); 9] = [
    ("colour", "\u{1b}[31m"),
    ("title", "\u{1b}]0;pwned\u{7}"),
    ("one-byte escape", "\u{9b}2J"),
    ("backspaces", "\u{8}\u{8}\u{8}"),
    ("carriage return", "\r0 errors"),
    ("right-to-left override", "\u{202e}txt"),
    ("isolate", "\u{2066}x\u{2069}"),
    ("Arabic letter mark", "\u{61c}"),
    ("tags", "\u{e0041}\u{e007f}"),
];

/// Everything in it may be shown as it is.
#[track_caller]
fn assert_harmless(outcome: &Outcome, what: &str) {
    let shown = [&outcome.stdout[..], &outcome.stderr.join("\n")].concat();
    let is_harmful = |character: &char| {
        character.is_control() && *character != '\n'
            || matches!(*character, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{e0000}'..='\u{e007f}')
    };
    let found: Vec<char> = shown.chars().filter(is_harmful).collect();
    assert!(found.is_empty(), "{what}: {found:?} in {shown:?}");
}

/// A workbook with the text in one place of it, for each place.
fn places(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    let xml = text.chars().fold(String::new(), |xml, character| {
        format!("{xml}&#{};", u32::from(character))
    });
    let in_part = |book: Vec<u8>, part: &str, from: &str, to: String| {
        with_part(&book, part, |xml| {
            let old = String::from_utf8(xml.clone()).unwrap();
            assert!(old.contains(from), "{from} in {part}");
            *xml = old.replacen(from, &to, 1).into();
        })
    };
    let plant = || Book::plant().bytes();
    // A signal without a topic's alias, so that its tab is named.
    let wrong = || {
        Book::plant()
            .row("Signals", 3, &signal(&[("enable", "2")]))
            .bytes()
    };
    let book = "xl/workbook.xml";
    let strings = "xl/sharedStrings.xml";
    let ods = || fs::read(fixture("odd.ods")).unwrap();
    vec![
        (
            "the name of a tab",
            in_part(
                wrong(),
                book,
                "name=\"Signals\"",
                format!("name=\"Signals{xml}\""),
            ),
        ),
        (
            "the name of a tab that is read to its end",
            in_part(
                plant(),
                book,
                "name=\"Signals\"",
                format!("name=\"Signals{xml}\""),
            ),
        ),
        (
            "the name of a tab of LibreOffice's",
            in_part(
                ods(),
                "content.xml",
                "table:name=\"Signals\"",
                format!("table:name=\"Signals{xml}\""),
            ),
        ),
        (
            "the name of a column",
            in_part(plant(), strings, ">topic<", format!(">x{xml}<")),
        ),
        (
            "a device's alias",
            in_part(plant(), strings, ">INV1<", format!(">INV{xml}<")),
        ),
        (
            "a word of which there are some",
            in_part(plant(), strings, ">none<", format!(">n{xml}one<")),
        ),
        (
            "an element's name",
            in_part(plant(), strings, "<si>", format!("<s{text}>")),
        ),
        (
            "the end of an element",
            in_part(plant(), strings, "</si>", format!("</s{text}>")),
        ),
        (
            "a reference",
            in_part(plant(), strings, ">INV1<", format!(">&{text};<")),
        ),
        (
            "a part's name",
            in_part(
                plant(),
                "xl/_rels/workbook.xml.rels",
                "worksheets/sheet1.xml",
                format!("worksheets/{xml}"),
            ),
        ),
        (
            "a number",
            in_part(
                plant(),
                "xl/worksheets/sheet1.xml",
                "<v>0</v>",
                format!("<v>{xml}</v>"),
            ),
        ),
        (
            "a cell's name",
            in_part(
                plant(),
                "xl/worksheets/sheet1.xml",
                "r=\"A1\"",
                format!("r=\"A1{xml}\""),
            ),
        ),
        (
            "a kind of cell",
            in_part(
                plant(),
                "xl/worksheets/sheet1.xml",
                "t=\"s\"",
                format!("t=\"{xml}\""),
            ),
        ),
        (
            "a kind of value of LibreOffice's",
            in_part(
                ods(),
                "content.xml",
                "office:value-type=\"string\"",
                format!("office:value-type=\"{xml}\""),
            ),
        ),
        (
            "a count of LibreOffice's",
            in_part(
                ods(),
                "content.xml",
                "<table:table-cell ",
                format!("<table:table-cell table:number-columns-repeated=\"{xml}\" "),
            ),
        ),
    ]
}

#[test]
fn nothing_in_a_workbook_reaches_the_terminal_as_it_is() {
    for (what, text) in TEXTS {
        for (place, bytes) in places(text) {
            let folder = TempDir::new().unwrap();
            fs::write(folder.path().join("plant.xlsx"), bytes).unwrap();
            let outcome = build_in(folder.path(), &["plant.xlsx"]);
            assert!(
                matches!(outcome.code, 0 | 78),
                "{what} in {place}: {outcome:?}"
            );
            assert_harmless(&outcome, &format!("{what} in {place}"));
        }
    }
}

#[test]
fn nor_does_anything_of_csv_files_of_a_table_or_of_files_names() {
    for (what, text) in TEXTS {
        let folder = TempDir::new().unwrap();
        let write = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
        let plant = format!("p{text}-devices.csv");
        write(
            &plant,
            format!(
                "{},\"x{text}\"\n{},1\n",
                DEVICES.join(","),
                device(&[("mqtt_qos", text)]).join(",")
            ),
        );
        write(
            &format!("p{text}-signals.csv"),
            format!("{}\n{}\n", SIGNALS.join(","), POWER.join(",")),
        );
        let table = format!("{text}.json");
        write(
            &table,
            format!(
                "{{\"devices\": [{{\"x{text}\": 1, \"name\": {:?}}}]}}",
                CLOUD[0]
            ),
        );
        let book = format!("{text}.xlsx");
        fs::write(folder.path().join(&book), Book::plant().bytes()).unwrap();
        for arguments in [
            &["check", &plant][..],
            &["check", &book],
            &["build", &book, "-o", &format!("of{text}.json")],
            &["build", &book, "-o", &format!("no{text}folder/x.json")],
            &["export", &table, "-o", "back.xlsx"],
            &["template", &book],
            &["check", &format!("no{text}.xlsx")],
            &[text],
        ] {
            let outcome = run(folder.path(), arguments);
            assert_harmless(&outcome, &format!("{what}: {arguments:?}"));
        }
    }
}

#[test]
fn a_name_that_nobody_wrote_by_hand_does_not_fill_the_screen() {
    let long = "x".repeat(30_000);
    let book = Book::plant()
        .row("Signals", 3, &signal(&[("enable", "2")]))
        .bytes();
    let bytes = with_part(&book, "xl/workbook.xml", |xml| {
        let text = String::from_utf8(xml.clone()).unwrap();
        *xml = text
            .replace("name=\"Signals\"", &format!("name=\"Signals{long}\""))
            .into();
    });
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("plant.xlsx"), bytes).unwrap();
    let outcome = build_in(folder.path(), &["plant.xlsx"]);
    assert_eq!(outcome.code, 78);
    let longest = outcome.stderr.iter().map(String::len).max();
    assert!(longest < Some(1000), "{longest:?}");
}
