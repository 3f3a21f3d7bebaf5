//! Does what the schema says of each parameter hold? And is what it tells people true?

use mqtt_client_core::config::{
    Column, Device, Integer, Key, Kind, Required, Signal, Table, Words,
};

use crate::{EXAMPLE, check, device, file, object, signal, valid_rows};

const TABLES: [Table; 4] = [Table::Devices, Table::Signals, Table::Redis, Table::Spool];

/// The columns that a file has rows or a block for.
fn columns() -> impl Iterator<Item = (Table, Column)> {
    TABLES
        .into_iter()
        .flat_map(|table| Column::of(table).map(move |column| (table, column)))
}

/// A file whose only row, or block, of this table is `row`, and where the findings about a key of it stand.
fn file_of(table: Table, row: &str) -> (String, &'static str) {
    let row = row.to_owned();
    match table {
        Table::Devices => (file(&[row], &[]), "devices[0]"),
        Table::Signals => (file(&[], &[row]), "signals[0]"),
        Table::Spool => (
            format!(r#"{{"spool": {row}, "devices": [], "signals": []}}"#),
            "spool",
        ),
        Table::Redis | Table::Top => (
            format!(r#"{{"redis": {row}, "devices": [], "signals": []}}"#),
            "redis",
        ),
    }
}

/// What is said of `key` where `row` is all that its table has.
fn about(table: Table, row: &str, key: Key) -> Vec<String> {
    let (text, place) = file_of(table, row);
    let start = format!("{place}.{}: ", key.name());
    let findings = check(&text).into_iter();
    findings
        .filter_map(|finding| Some(finding.strip_prefix(&start)?.to_owned()))
        .collect()
}

/// The same for a row with this value alone.
fn with_value(table: Table, key: Key, value: &str) -> Vec<String> {
    about(table, &object(&[(key.name(), value)]), key)
}

#[test]
fn every_parameter_is_read_and_its_type_checked() {
    for (table, column) in columns() {
        let key = column.key();
        let article = if column.type_name() == "integer" {
            "an"
        } else {
            "a"
        };
        let expected = format!("is an array, not {article} {}", column.type_name());
        assert_eq!(with_value(table, key, "[]"), [expected], "{table:?}");
    }
}

#[test]
fn what_is_required_is_missed_and_nothing_else_is() {
    // Enough to make the parameters required that are so with a setting only.
    let rows = [
        "{}",
        r#"{"auth": "password"}"#,
        r#"{"auth": "token"}"#,
        r#"{"auth": "tls"}"#,
        r#"{"use_last_will": 1}"#,
        r#"{"username": "u"}"#,
        r#"{"proxy_username": "u"}"#,
        r#"{"proxy_password": "p"}"#,
    ];
    for (table, column) in columns() {
        let key = column.key();
        let mut all: Vec<_> = rows.iter().flat_map(|row| about(table, row, key)).collect();
        // Several settings may ask for one.
        all.dedup();
        match column.parameter.required {
            Required::Yes => assert!(all.contains(&"is missing".to_owned()), "{key:?}"),
            Required::No => assert_eq!(all, [""; 0], "{key:?}"),
            Required::If(setting) => {
                let missing = format!("is missing, {} requires it", setting.name());
                assert_eq!(all, [missing], "{key:?}");
            }
        }
    }
}

#[test]
fn the_ends_of_each_range_are_allowed_and_what_lies_beyond_is_not() {
    for (table, column) in columns() {
        let Kind::Integer(Integer { min, max, default }) = column.parameter.kind else {
            continue;
        };
        let (min, default) = (i64::from(min), i64::from(default));
        let key = column.key();
        assert!((min..=max).contains(&default), "{key:?}");
        for good in [min, max, default] {
            assert_eq!(
                with_value(table, key, &good.to_string()),
                [""; 0],
                "{key:?}"
            );
        }
        for bad in [min - 1, max + 1] {
            let expected = format!("{bad} is not in {min}..{max}");
            assert_eq!(
                with_value(table, key, &bad.to_string()),
                [expected],
                "{key:?}"
            );
        }
    }
}

#[test]
fn only_the_words_of_a_parameter_are_allowed() {
    for (table, column) in columns() {
        let Kind::Words(words) = column.parameter.kind else {
            continue;
        };
        for word in words.0 {
            let missing = with_value(table, column.key(), &format!("\"{word}\""));
            assert_eq!(missing, [""; 0], "{word}");
        }
        assert_eq!(
            with_value(table, column.key(), "\"other\""),
            [format!("\"other\" is not {words}")]
        );
    }
}

#[test]
fn words_read_as_a_sentence_has_them() {
    for (words, text) in [
        (&[][..], ""),
        (&["a"], "a"),
        (&["a", "b"], "a or b"),
        (&["a", "b", "c"], "a, b or c"),
    ] {
        assert_eq!(Words(words).to_string(), text);
    }
}

#[test]
fn a_row_without_them_has_the_defaults() {
    let text = file(&[device(&[("enable", "")])], &[signal(&[])]);
    valid_rows(&text, |rows| {
        let (&device, _) = rows.devices().next().expect("a device");
        let expected = Device {
            name: device.name,
            alias: device.alias,
            host: device.host,
            ..Device::EMPTY
        };
        assert_eq!(device, expected);
        let (&signal, _) = rows.signals().next().expect("a signal");
        let expected = Signal {
            name: signal.name,
            alias: signal.alias,
            source_device_alias: signal.source_device_alias,
            source_signal_alias: signal.source_signal_alias,
            ..Signal::EMPTY
        };
        assert_eq!(signal, expected);
    });
}

#[test]
fn every_parameter_is_explained_in_a_sentence() {
    for (_, column) in columns() {
        let explanation = column.note.explanation;
        assert!(
            explanation.ends_with('.') && explanation.len() > 10,
            "{column:?}"
        );
    }
}

#[test]
fn the_examples_make_a_table_without_a_finding() {
    let row = |table| {
        let cells = Column::of(table).map(|column| {
            let example = column.note.example;
            let value = match column.parameter.kind {
                Kind::Integer(_) | Kind::Boolean(_) => example.to_owned(),
                _ if example.is_empty() => String::new(),
                _ => format!("\"{example}\""),
            };
            (column.key().name(), value)
        });
        let cells: Vec<_> = cells.collect();
        let cells: Vec<_> = (cells.iter())
            .map(|(key, value)| (*key, value.as_str()))
            .collect();
        object(&cells)
    };
    let text = file(&[row(Table::Devices)], &[row(Table::Signals)]);
    assert_eq!(check(&text), [""; 0], "{text}");
}

/// The complete example that the package brings and the README shows.
#[test]
fn the_complete_example_has_every_key_in_the_schemas_order() {
    for (table, column) in columns() {
        // The other way to Redis.
        if column.key() == Key::Socket {
            continue;
        }
        let start = match table {
            Table::Redis | Table::Top => "\"redis\": {",
            Table::Spool => "\"spool\": {",
            Table::Devices => "\"devices\": [",
            Table::Signals => "\"signals\": [",
        };
        let at = EXAMPLE.find(start).expect(start);
        let first = EXAMPLE[at + start.len()..].split('}').next();
        let keys: Vec<_> = (first.unwrap_or_default().split(['{', ','])).collect();
        let keys: Vec<_> = keys
            .iter()
            .filter_map(|cell| cell.split('"').nth(1))
            .collect();
        let expected = table.keys().filter(|key| *key != Key::Socket);
        let expected: Vec<_> = expected.map(Key::name).collect();
        assert_eq!(keys, expected, "{table:?}");
    }
}
