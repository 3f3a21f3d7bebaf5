//! Are `docs/conformance.md` and `docs/conformance-5.md` whole, and is what they say there?

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use mqtt_client_tests::{page, program};

/// How many statements each section has in Appendix B of MQTT 3.1.1.
const APPENDIX: [(&str, usize); 39] = [
    ("1.5.3", 3),
    ("2.2.2", 2),
    ("2.3.1", 7),
    ("3.1.0", 2),
    ("3.1.2", 24),
    ("3.1.3", 11),
    ("3.1.4", 5),
    ("3.2.0", 1),
    ("3.2.2", 6),
    ("3.3.1", 12),
    ("3.3.2", 3),
    ("3.3.4", 1),
    ("3.3.5", 2),
    ("3.6.1", 1),
    ("3.8.1", 1),
    ("3.8.3", 4),
    ("3.8.4", 6),
    ("3.9.3", 2),
    ("3.10.1", 1),
    ("3.10.3", 2),
    ("3.10.4", 6),
    ("3.12.4", 1),
    ("3.14.1", 1),
    ("3.14.4", 3),
    ("4.1.0", 2),
    ("4.3.1", 1),
    ("4.3.2", 2),
    ("4.3.3", 2),
    ("4.4.0", 1),
    ("4.5.0", 2),
    ("4.6.0", 6),
    ("4.7.1", 3),
    ("4.7.2", 1),
    ("4.7.3", 4),
    ("4.8.0", 2),
    ("6.0.0", 4),
    ("7.0.0", 2),
    ("7.1.1", 1),
    ("7.1.2", 1),
];

/// How many it has in that of MQTT 5.
const APPENDIX_5: [(&str, usize); 56] = [
    ("1.5.4", 3),
    ("1.5.5", 1),
    ("1.5.7", 1),
    ("2.1.3", 1),
    ("2.2.1", 6),
    ("2.2.2", 1),
    ("3.1.0", 2),
    ("3.1.2", 30),
    ("3.1.3", 12),
    ("3.1.4", 6),
    ("3.2.0", 2),
    ("3.2.2", 22),
    ("3.3.1", 13),
    ("3.3.2", 20),
    ("3.3.4", 10),
    ("3.4.2", 3),
    ("3.5.2", 3),
    ("3.6.1", 1),
    ("3.6.2", 3),
    ("3.7.2", 3),
    ("3.8.1", 1),
    ("3.8.3", 5),
    ("3.8.4", 8),
    ("3.9.2", 2),
    ("3.9.3", 2),
    ("3.10.1", 1),
    ("3.10.3", 2),
    ("3.10.4", 6),
    ("3.11.2", 2),
    ("3.11.3", 2),
    ("3.12.4", 1),
    ("3.14.0", 1),
    ("3.14.1", 1),
    ("3.14.2", 4),
    ("3.14.4", 3),
    ("3.15.1", 1),
    ("3.15.2", 3),
    ("4.1.0", 2),
    ("4.2.0", 1),
    ("4.3.1", 1),
    ("4.3.2", 5),
    ("4.3.3", 13),
    ("4.4.0", 2),
    ("4.5.0", 2),
    ("4.6.0", 6),
    ("4.7.0", 1),
    ("4.7.1", 2),
    ("4.7.2", 1),
    ("4.7.3", 4),
    ("4.8.2", 6),
    ("4.9.0", 3),
    ("4.12.0", 7),
    ("4.12.1", 2),
    ("4.13.1", 1),
    ("4.13.2", 1),
    ("6.0.0", 4),
];

/// Section 2.2.1 of MQTT 5 begins with 2.
const NONE_5: &str = "2.2.1-1";

/// A page, and the list that it goes by.
struct Page {
    text: String,
    statements: BTreeSet<String>,
    /// Rows of statements that are in scope.
    rows: usize,
}

fn pages() -> [Page; 2] {
    let numbers = |&(section, count): &(&str, usize)| {
        let section = section.to_string();
        (1..=count).map(move |number| format!("{section}-{number}"))
    };
    let mut statements_5: BTreeSet<_> = APPENDIX_5.iter().flat_map(numbers).collect();
    statements_5.remove(NONE_5);
    let pages = [
        Page {
            text: page::read("docs/conformance.md"),
            statements: APPENDIX.iter().flat_map(numbers).collect(),
            rows: 90,
        },
        Page {
            text: page::read("docs/conformance-5.md"),
            statements: statements_5,
            rows: 138,
        },
    ];
    assert_eq!(pages[0].statements.len(), 141);
    assert_eq!(pages[1].statements.len(), 251);
    pages
}

impl Page {
    fn in_scope(&self) -> &str {
        let (in_scope, _) = (self.text.split_once("## Out of scope")).expect("its heading");
        in_scope
    }
}

/// All that stands in brackets as `[MQTT-3.1.0-1]`.
fn clauses(text: &str) -> impl Iterator<Item = &str> {
    text.split("[MQTT-")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once(']')?.0))
}

/// Calls `each` for every Rust file below a folder.
fn for_each_source(folder: &Path, each: &mut impl FnMut(&Path, &str)) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            for_each_source(&path, each);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            each(&path, &fs::read_to_string(&path).expect("a text"));
        }
    }
}

#[test]
fn every_statement_of_the_appendix_stands_in_the_page_once() {
    for page in pages() {
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        clauses(&page.text).for_each(|clause| *times.entry(clause).or_default() += 1);
        for statement in &page.statements {
            let found = times.remove(statement.as_str()).unwrap_or(0);
            assert_eq!(found, 1, "[MQTT-{statement}] stands {found} times");
        }
        assert!(times.is_empty(), "no statements of the appendix: {times:?}");
    }
}

#[test]
fn every_statement_in_scope_names_a_test() {
    for page in pages() {
        let rows = page.in_scope().lines();
        let rows = rows.filter(|line| line.starts_with("| [MQTT-"));
        assert_eq!(rows.clone().count(), page.rows);
        for row in rows {
            assert!(page::tests(row).next().is_some(), "{row}");
        }
    }
}

#[test]
fn every_test_that_the_page_names_exists() {
    for page in pages() {
        let count = page::existing_tests(&page.text);
        assert!(count > 100, "{count}");
    }
}

#[test]
fn every_clause_that_the_core_cites_is_a_statement_in_scope() {
    let pages = pages();
    // The two standards share numbers, and code that is one for both cites either.
    let known: BTreeSet<&str> = pages
        .iter()
        .flat_map(|page| clauses(page.in_scope()))
        .collect();
    let mut cited = 0;
    let mut check = |path: &Path, source: &str| {
        for clause in clauses(source) {
            assert!(
                known.contains(clause),
                "{} cites [MQTT-{clause}]",
                path.display()
            );
            cited += 1;
        }
    };
    for folder in ["core/src", "core/tests", "core/fuzz/src"] {
        for_each_source(&program::workspace().join(folder), &mut check);
    }
    assert!(cited > 30, "{cited}");
}
