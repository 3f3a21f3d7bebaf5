//! Files that are cut short, damaged, locked or no workbooks: one clear line, never a panic, and nothing written.

use std::fs;
use std::io::Cursor;

use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::{Book, Outcome, build_bytes, build_in, fixture, with_part};

/// A refusal of the file as a whole.
#[track_caller]
fn assert_refused(outcome: &Outcome, what: &str) {
    assert_eq!(
        (outcome.code, &outcome.json),
        (78, &None),
        "{what}: {outcome:?}"
    );
    let [line] = &outcome.stderr[..] else {
        panic!("{what}: {:?}", outcome.stderr);
    };
    assert!(
        line.contains("is damaged") || line.contains("is no workbook"),
        "{what}: {line}"
    );
}

/// Whether the utility came to an end of its own, whatever it made of the file.
#[track_caller]
fn assert_survived(outcome: &Outcome, what: &str) {
    let text = outcome.stderr.join("\n");
    assert!(matches!(outcome.code, 0 | 78), "{what}: {outcome:?}");
    assert!(!text.contains("panicked"), "{what}: {text}");
}

#[test]
fn a_workbook_that_is_cut_short_is_refused_wherever_that_is() {
    let xls = fs::read(fixture("mixed.xls")).unwrap();
    let ods = fs::read(fixture("mixed.ods")).unwrap();
    for (name, bytes) in [
        ("a.xlsx", Book::plant().bytes()),
        ("a.xls", xls),
        ("a.ods", ods),
    ] {
        // Behind its last part a compound file may have padding.
        for length in (8..bytes.len() * 9 / 10).step_by(bytes.len() / 100) {
            let outcome = build_bytes(name, &bytes[..length]);
            if name == "a.xls" {
                assert_survived(&outcome, &format!("{name} cut to {length} bytes"));
                assert_eq!(
                    outcome.code, 78,
                    "{name} cut to {length} bytes: {outcome:?}"
                );
            } else {
                assert_refused(&outcome, &format!("{name} cut to {length} bytes"));
            }
        }
    }
}

#[test]
fn no_single_wrong_byte_makes_it_panic() {
    let xls = fs::read(fixture("mixed.xls")).unwrap();
    let ods = fs::read(fixture("mixed.ods")).unwrap();
    for (name, bytes) in [
        ("a.xlsx", Book::plant().bytes()),
        ("a.xls", xls),
        ("a.ods", ods),
    ] {
        for at in (0..bytes.len()).step_by(bytes.len() / 300) {
            for wrong in [bytes[at] ^ 0xff, bytes[at].wrapping_add(1)] {
                let mut damaged = bytes.clone();
                damaged[at] = wrong;
                let outcome = build_bytes(name, &damaged);
                assert_survived(&outcome, &format!("{name}, byte {at} is {wrong:#x}"));
            }
        }
    }
}

#[test]
fn no_damage_inside_of_a_part_makes_it_panic_or_go_on_for_ever() {
    let xlsx = Book::plant().put("Devices!F2", 1883).bytes();
    let ods = fs::read(fixture("odd.ods")).unwrap();
    for (whole, part) in [
        (&xlsx, "xl/workbook.xml"),
        (&xlsx, "xl/_rels/workbook.xml.rels"),
        (&xlsx, "xl/styles.xml"),
        (&xlsx, "xl/sharedStrings.xml"),
        (&xlsx, "xl/worksheets/sheet1.xml"),
        (&ods, "content.xml"),
        (&ods, "META-INF/manifest.xml"),
    ] {
        for step in 0..25 {
            for wrong in [b'<', b'9', 0xff] {
                let bytes = with_part(whole, part, |xml| {
                    let at = step * xml.len() / 25;
                    xml[at] = wrong;
                });
                let outcome = build_bytes("a.xlsx", &bytes);
                assert_survived(&outcome, &format!("{part}, {wrong:#x} at {step}/25"));
            }
            let bytes = with_part(whole, part, |xml| xml.truncate(step * xml.len() / 25));
            let outcome = build_bytes("a.xlsx", &bytes);
            assert_survived(&outcome, &format!("{part} cut at {step}/25"));
        }
    }
}

#[test]
fn a_count_that_is_too_large_for_any_computer_is_refused() {
    let whole = Book::plant().bytes();
    let bytes = with_part(&whole, "xl/sharedStrings.xml", |xml| {
        let text = String::from_utf8(xml.clone()).unwrap();
        let wrong = text.replace("uniqueCount=\"", "uniqueCount=\"99999999");
        assert_ne!(wrong, text);
        *xml = wrong.into();
    });
    let outcome = build_bytes("a.xlsx", &bytes);
    assert_eq!(
        outcome.stderr,
        ["a.xlsx: is damaged or too large: reading it takes more than 512 MiB of memory"]
    );
}

#[test]
fn what_is_no_workbook_is_told_in_one_line() {
    let text: &[u8] = b"{\"devices\": []}";
    let page = "plant.xlsx: is a web page or XML, not a workbook, whatever its name; open it in Excel and save it as .xlsx";
    for (bytes, message) in [
        (&b"<html><table></table></html>"[..], page),
        (b"\xef\xbb\xbf\r\n<?xml version=\"1.0\"?><Workbook/>", page),
        (b"", "plant.xlsx: is empty"),
        (
            text,
            "plant.xlsx: is no workbook of Excel or LibreOffice, and its name does not end in .csv",
        ),
    ] {
        let outcome = build_bytes("plant.xlsx", bytes);
        assert_eq!(outcome.code, 78);
        assert_eq!(outcome.stderr, [message]);
    }
    for bytes in [
        &b"PK\x03\x04"[..],
        b"PK\x05\x06",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    ] {
        assert_refused(&build_bytes("plant.xlsx", bytes), "only a signature");
    }
}

#[test]
fn a_workbook_that_is_not_there_is_told_in_one_line() {
    let folder = TempDir::new().unwrap();
    let outcome = build_in(folder.path(), &["plant.xlsx"]);
    assert_eq!(outcome.code, 78);
    assert_eq!(outcome.stderr, ["plant.xlsx: there is no such file"]);
}

#[test]
fn a_workbook_with_a_password_is_refused_as_such() {
    let bytes = fs::read(fixture("locked.xlsx")).unwrap();
    let outcome = build_bytes("locked.xlsx", &bytes);
    assert_eq!(outcome.code, 78);
    assert_eq!(
        outcome.stderr,
        ["locked.xlsx: is protected by a password; save it without one"]
    );
}

#[test]
fn a_cell_in_the_last_corner_costs_nothing() {
    let book = Book::plant().with("Signals", |sheet| {
        sheet.write_string(1_048_575, 16_383, "stray").unwrap();
    });
    assert_eq!(
        book.build().warnings(),
        ["warning: Signals!3:3: is empty and ends the sheet; 1 row below it is ignored"]
    );
}

#[test]
fn other_archives_folders_and_lock_files_are_told_apart_from_workbooks() {
    let plant = Book::plant().bytes();
    for (part, line) in [
        (
            "word/document.xml",
            "is not a workbook, or a damaged one: there is no _rels/.rels in it",
        ),
        (
            "xl/workbook.bin",
            "is a binary workbook (.xlsb); save it as .xlsx",
        ),
    ] {
        let outcome = build_bytes("plant.xlsx", &archive_of(part));
        assert_eq!(
            (outcome.code, outcome.stderr),
            (78, vec![format!("plant.xlsx: {line}")])
        );
    }
    let outcome = build_bytes("~$plant.xlsx", &plant);
    assert_eq!(
        outcome.stderr,
        [
            "~$plant.xlsx: is what Excel keeps beside a workbook that is open; name the workbook itself"
        ]
    );
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("plant.xlsx")).unwrap();
    let outcome = build_in(folder.path(), &["plant.xlsx"]);
    assert_eq!(outcome.stderr, ["plant.xlsx: is a folder, not a workbook"]);
}

#[test]
fn an_archive_that_unpacks_to_more_than_any_workbook_is_refused_unread() {
    let mut bytes = archive_of("xl/workbook.xml");
    // The unpacked size in the archive's directory (APPNOTE.TXT 4.3.12).
    let entry = bytes
        .windows(4)
        .position(|window| window == b"PK\x01\x02")
        .unwrap();
    bytes[entry + 24..entry + 28].copy_from_slice(&(1_u32 << 30 | 1).to_le_bytes());
    let outcome = build_bytes("plant.xlsx", &bytes);
    assert_eq!(
        (outcome.code, outcome.stderr),
        (
            78,
            vec!["plant.xlsx: unpacks to more than 1 GiB, which is too large".to_owned()]
        )
    );
}

/// An archive with one empty part.
fn archive_of(part: &str) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    archive
        .start_file(part, SimpleFileOptions::default())
        .unwrap();
    archive.finish().unwrap().into_inner()
}
