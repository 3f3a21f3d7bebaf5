//! Is what the documentation says of tests so? `docs/conformance.md` has more to hold to: the test `standard`.

use mqtt_client_tests::page;

#[test]
fn every_test_that_the_threat_model_names_exists() {
    let count = page::existing_tests(&page::read("docs/threat-model.md"));
    assert!(count > 30, "{count}");
}

#[test]
fn every_row_of_what_may_not_be_done_names_a_test() {
    let model = page::read("docs/threat-model.md");
    let rows = model.lines().filter(|line| line.starts_with("| "));
    let mut count = 0;
    for row in rows.filter(|row| !row.contains("may not |")) {
        let is_shown = page::tests(row).next().is_some() || row.ends_with("| as above |");
        assert!(is_shown, "{row}");
        count += 1;
    }
    assert!(count > 10, "{count}");
}
