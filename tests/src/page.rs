//! Which tests does a page of the documentation name, and do they exist? A test stands in backquotes as `path.rs::name`.

use std::fs;

use crate::program;

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
