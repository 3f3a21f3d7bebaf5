//! Are the README's tables of parameters those of the schema, and its example the one that the package brings?

use std::fmt::Write as _;

use mqtt_client_core::config::{Column, Required, Table};

use crate::EXAMPLE;

const README: &str = include_str!("../../../README.md");

#[test]
fn the_tables_of_parameters_are_the_schemas() {
    for table in [Table::Redis, Table::Spool, Table::Devices, Table::Signals] {
        let expected = markdown(table);
        assert!(
            README.contains(&expected),
            "README.md lacks this table:\n\n{expected}"
        );
    }
}

#[test]
fn the_example_is_the_packages() {
    assert!(
        README.contains(EXAMPLE.trim_end()),
        "port-linux/example.json"
    );
}

/// The table as the README shows it.
fn markdown(table: Table) -> String {
    let mut text = String::from("| key | type | required | default | range | |\n");
    text.push_str("|---|---|---|---|---|---|\n");
    for column in Column::of(table) {
        let required = match column.parameter.required {
            Required::No => String::new(),
            Required::Yes => "yes".into(),
            Required::If(setting) => format!("with `{}`", setting.name()),
        };
        // That there is nothing without it goes without saying.
        let default = column.default().to_string();
        let default = if default == "empty" { "" } else { &default };
        let _ = writeln!(
            text,
            "| `{}` | {} | {required} | {default} | {} | {} |",
            column.key().name(),
            column.type_name(),
            column.range(),
            column.note.explanation,
        );
    }
    text
}
