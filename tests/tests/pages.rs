//! Is what the documentation says of tests so? `docs/conformance.md` has more to hold to: the test `standard`.

use std::collections::BTreeSet;

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

/// The crates that a manifest names in its tables of dependencies.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut is_table = false;
    let mut crates = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            is_table = line.ends_with("dependencies]");
        } else if is_table && let Some((name, _)) = line.split_once(['=', '.']) {
            let name = name.trim();
            if !line.starts_with(['#', ' ']) && !name.starts_with("mqtt-client") {
                crates.push(name.to_string());
            }
        }
    }
    crates
}

#[test]
fn every_dependency_and_no_other_is_explained() {
    let manifests = [
        "Cargo.toml",
        "core/fuzz/Cargo.toml",
        "tests/peers/minimq/Cargo.toml",
        "tests/peers/rust/Cargo.toml",
        "tests/brokers/rmqtt/Cargo.toml",
        "tests/brokers/rumqttd/Cargo.toml",
    ];
    let named: BTreeSet<_> = manifests
        .iter()
        .flat_map(|manifest| dependencies(&page::read(manifest)))
        .collect();
    let page = page::read("docs/dependencies.md");
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let explained: BTreeSet<_> = rows
        .filter_map(|row| row.split('|').nth(1))
        .flat_map(|names| names.split('`').skip(1).step_by(2))
        .map(String::from)
        .collect();
    assert!(named.len() > 50, "{named:?}");
    assert_eq!(named, explained);
}
