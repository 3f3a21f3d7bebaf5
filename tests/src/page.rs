//! What does a page of the documentation hold to? Which tests it names, each in backquotes as `path.rs::name`, and its mapping tables.

use std::fs;

use crate::{Config, program};

/// The text of a page.
///
/// # Panics
///
/// If it is not there.
#[must_use]
pub fn read(page: &str) -> String {
    let path = program::workspace().join(page);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The sections of a page that hold a mapping table (` ```json `), each by its heading, and the table.
#[must_use]
pub fn tables(text: &str) -> Vec<(String, String)> {
    let mut tables = Vec::new();
    let mut heading = "";
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.starts_with('#') {
            heading = line.trim_start_matches('#').trim();
        } else if line == "```json" {
            let table: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
            tables.push((String::from(heading), table.join("\n")));
        }
    }
    tables
}

/// The mapping table in a section of a page.
///
/// # Panics
///
/// If there is none.
#[must_use]
pub fn table(page: &str, heading: &str) -> Config {
    let text = read(page);
    let tables = tables(&text);
    let found = tables.iter().find(|(title, _)| title == heading);
    let (_, table) = found.unwrap_or_else(|| panic!("{page} has no table under {heading}"));
    Config::parse(table)
}

/// The tests that a text names: the file's path without its ending, and the test's name.
pub fn tests(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .filter_map(|quoted| quoted.split_once(".rs::"))
}

/// Checks that every test in the text is one, and returns how many there are.
///
/// # Panics
///
/// If one is not: with its name.
#[must_use]
pub fn existing_tests(text: &str) -> usize {
    let mut count = 0;
    for (path, name) in tests(text) {
        let path = format!("{path}.rs");
        let source = read(&path);
        let head = format!("fn {name}()");
        // Other attributes may stand between the two.
        let is_test = source.split("#[test]").skip(1).any(|item| {
            let mut lines = item.lines().map(str::trim).filter(|line| !line.is_empty());
            let function = lines.find(|line| !line.starts_with("#["));
            function.is_some_and(|line| line.starts_with(&head))
        });
        assert!(is_test, "{path} has no test {name}");
        count += 1;
    }
    count
}
