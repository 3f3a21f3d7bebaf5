//! What is wrong is named by sheet, cell and parameter, all of it at once.

use crate::{Book, CLOUD, DEVICES, POWER, SIGNALS, device, signal};

#[test]
fn errors_of_the_tables_are_named_by_sheet_cell_and_parameter() {
    for (place, value, message) in [
        ("Devices!A2", "", "name: is missing"),
        (
            "Devices!B2",
            "my cloud",
            "device_alias: \"my cloud\" holds something other than letters, digits, - and _",
        ),
        (
            "Devices!C2",
            "yes",
            "enable: \"yes\" is a string, not a boolean",
        ),
        ("Devices!C2", "2", "enable: 2 is not 0, 1, false or true"),
        (
            "Devices!E2",
            "broker:1883",
            "ip: \"broker:1883\" is not an address or a domain name",
        ),
        ("Devices!F2", "0", "port: 0 is not in 1..65535"),
        ("Devices!F2", "65536", "port: 65536 is not in 1..65535"),
        (
            "Devices!F2",
            "1883,0",
            "port: \"1883,0\" is a string, not an integer",
        ),
        ("Devices!G2", "3", "mqtt_qos: 3 is not in 0..2"),
        ("Devices!I2", "", "auth: is missing"),
        (
            "Devices!I2",
            "TLS",
            "auth: \"TLS\" is not none, password, tls or token",
        ),
        (
            "Devices!M2",
            "4",
            "mqtt_version: \"4\" is not auto, 3.1, 3.1.1 or 5",
        ),
        ("Signals!A2", "", "signal_name: is missing"),
        ("Signals!B2", "", "device_alias: is missing"),
        ("Signals!C2", "", "signal_alias: is missing"),
        (
            "Signals!G2",
            "1.5",
            "log: \"1.5\" is a string, not an integer",
        ),
        (
            "Signals!H2",
            "plant/#",
            "topic: \"plant/#\" holds #, which only filters may",
        ),
    ] {
        let book = if value.is_empty() {
            let (sheet, row, column) = crate::coordinates(place);
            Book::plant().with(sheet, |sheet| {
                sheet.clear_cell(row, column);
            })
        } else {
            Book::plant().put(place, value)
        };
        let errors = book.build().errors();
        let expected = format!("{place} {message}");
        assert!(errors.contains(&expected), "{expected}\n{errors:#?}");
    }
}

#[test]
fn all_errors_are_reported_at_once_in_the_order_of_their_places() {
    let book = Book::plant()
        .put("Devices!G2", 3)
        .put("Devices!F2", 70_000)
        .put("Devices!M2", true)
        .row(
            "Signals",
            3,
            &signal(&[("signal_alias", "q"), ("topic", "a+b")]),
        )
        .put("Signals!F2", "maybe");
    let errors = book.build().errors();
    let places: Vec<_> = errors
        .iter()
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    let expected = [
        "Devices!F2",
        "Devices!G2",
        "Devices!M2",
        "Signals!F2",
        "Signals!H3",
    ];
    assert_eq!(places, expected);
}

#[test]
fn duplicates_name_both_cells() {
    let book = Book::plant()
        .row("Devices", 3, &device(&[]))
        .row("Signals", 3, &signal(&[("signal_alias", "q")]))
        .sheet("Signals 2", &[&SIGNALS, &POWER]);
    assert_eq!(
        book.build().errors(),
        [
            "Devices!B3 device_alias: \"cloud\" is the alias of Devices!B2 already",
            "'Signals 2'!C2 signal_alias: \"p\" is the alias of Signals!C2 already",
        ]
    );
}

#[test]
fn a_signal_of_no_device_is_an_error() {
    let book = Book::plant().put("Signals!B2", "clod");
    assert_eq!(
        book.build().errors(),
        ["Signals!B2 device_alias: \"clod\" is not the alias of any device"]
    );
}

#[test]
fn what_a_setting_requires_is_missed_in_its_cell_or_its_row() {
    let book = Book::plant()
        .put("Devices!I2", "tls")
        .put("Devices!K2", "x");
    let no_column = "requires it; there is no such column";
    assert_eq!(
        book.build().errors(),
        [
            format!("Devices!2:2 ca_certificate: is missing, auth=tls {no_column}"),
            format!("Devices!2:2 client_certificate: is missing, auth=tls (tls_client_auth=1) {no_column}"),
            format!("Devices!2:2 client_key: is missing, auth=tls (tls_client_auth=1) {no_column}"),
            "warning: Devices!F2 port: 1883 is the port without TLS".to_owned(),
            "Devices!J2 username: is missing, password requires it".to_owned(),
        ]
        .into_iter()
        .filter(|line| !line.starts_with("warning"))
        .collect::<Vec<_>>()
    );
}

#[test]
fn a_column_that_must_be_there_is_missed_once_and_not_in_each_row() {
    let rows: [[&str; 4]; 3] = [
        [
            "device_alias",
            "signal_alias",
            "source_device_alias",
            "signal_name",
        ],
        ["cloud", "p", "INV1", "P"],
        ["cloud", "q", "INV1", "Q"],
    ];
    let rows: Vec<&[&str]> = rows.iter().map(|row| &row[..]).collect();
    let book = Book::new()
        .sheet("Devices", &[&DEVICES, &CLOUD])
        .sheet("Signals", &rows);
    assert_eq!(
        book.build().errors(),
        ["Signals!2:2 source_signal_alias: is missing; there is no such column"]
    );
}

#[test]
fn an_unknown_column_is_a_warning_and_a_repeated_one_an_error() {
    let unknown = Book::plant()
        .put("Devices!N1", "mqtt_qoss")
        .put("Devices!N2", 2)
        .put("Devices!O2", "stray")
        .put("Signals!I1", "Signal-Name")
        .put("Signals!I2", "P")
        .put("Signals!J1", "Unit");
    assert_eq!(
        unknown.build().warnings(),
        [
            "warning: Devices!N1 mqtt_qoss: unknown column, ignored",
            "warning: Devices!O2: stands in a column without a name, ignored",
            "warning: Signals!I1 Signal-Name: unknown column, ignored; is signal_name meant?",
        ],
        "a column without values is not worth a word"
    );
    let repeated = Book::plant().put("Devices!N1", " Port ");
    assert_eq!(
        repeated.build().errors(),
        ["Devices!N1 Port: stands in Devices!F1 already"]
    );
}

#[test]
fn rows_of_other_protocols_are_skipped_with_their_signals_and_columns() {
    let modbus = device(&[
        ("name", "Inverter"),
        ("device_alias", "INV1"),
        ("protocol", "Modbus TCP"),
        ("ip", "10.0.0.7:502"),
        ("port", "none"),
        ("auth", ""),
        ("mqtt_qos", "9"),
    ]);
    let book = Book::plant()
        .row("Devices", 3, &modbus)
        .put("Devices!N1", "scan_rate_ms")
        .put("Devices!N3", 500)
        .row("Signals", 3, &["", "INV1", "P", "", "", "perhaps", "", "#"])
        .put("Signals!I1", "register")
        .put("Signals!I3", 40_001)
        .row("Signals", 4, &signal(&[("signal_alias", "q")]));
    let table = book.build().table();
    assert_eq!(table["devices"].as_array().unwrap().len(), 1);
    let aliases: Vec<_> = table["signals"].as_array().unwrap().iter().collect();
    assert_eq!(aliases.len(), 2);
    assert_eq!(aliases[1]["signal_alias"], "q");
}

#[test]
fn no_device_of_another_protocol_may_have_the_alias_of_ours() {
    let book = Book::plant().row("Devices", 3, &device(&[("protocol", "IEC 61850")]));
    assert_eq!(
        book.build().errors(),
        ["Devices!B3 device_alias: \"cloud\" is the alias of Devices!B2 already"]
    );
}

#[test]
fn an_empty_row_ends_the_sheet() {
    let book = Book::plant()
        .row("Signals", 4, &signal(&[("signal_alias", "q")]))
        .row("Signals", 5, &["Notes: ..."])
        .put("Signals!A3", "  ");
    let outcome = book.build();
    assert!(!outcome.json.as_ref().unwrap().contains("\"q\""));
    assert_eq!(
        outcome.warnings(),
        ["warning: Signals!3:3: is empty and ends the sheet; 2 rows below it are ignored"]
    );
}

#[test]
fn sheets_whose_names_begin_with_signals_are_more_signals() {
    let book = Book::plant()
        .sheet("Notes", &[&["device_alias"], &["nonsense"]])
        .sheet(
            "signals (north)",
            &[&SIGNALS, &signal(&[("signal_alias", "q")])],
        )
        .sheet("Signals_blank", &[]);
    let table = book.build().table();
    assert_eq!(table["signals"].as_array().unwrap().len(), 2);
}

#[test]
fn a_workbook_without_our_tabs_or_their_headers_is_refused() {
    for (book, expected) in [
        (
            Book::new().sheet("Sheet1", &[&["a"]]),
            vec!["there is no tab Devices", "there is no tab Signals"],
        ),
        (
            Book::new()
                .sheet("Devices", &[&["a"], &CLOUD])
                .sheet("Signals", &[&["Plant 7"], &POWER]),
            vec![
                "Devices!1:1: must be the header, and holds no parameter's name",
                "Signals!1:1: must be the header, and holds no parameter's name",
            ],
        ),
        (
            Book::new()
                .sheet("Devices", &[&[], &[], &DEVICES, &CLOUD])
                .sheet("Signals", &[&["Plant 7"], &SIGNALS]),
            vec![
                "Devices!1:1: must be the header, which stands in row 3; delete the rows above it",
                "Signals!1:1: must be the header, which stands in row 2; delete the rows above it",
            ],
        ),
        (
            Book::new().sheet("Devices", &[]).sheet("Signals", &[]),
            vec![
                "Devices: is blank; its first row must be the header, with the parameters' names",
                "Signals: is blank; its first row must be the header, with the parameters' names",
            ],
        ),
    ] {
        assert_eq!(book.build().errors(), expected);
    }
}

#[test]
fn the_tab_redis_is_ours_and_may_be_left_out() {
    let redis: [&[&str]; 2] = [&["host", "port", "database"], &["10.0.0.1", "6380", "2"]];
    let table = Book::plant().sheet("Redis", &redis).build().table();
    assert_eq!(
        table["redis"],
        serde_json::json!({"host": "10.0.0.1", "port": 6380, "database": 2})
    );
    let twice = [redis[0], redis[1], &["10.0.0.2"]];
    let wrong = Book::plant().sheet("Redis", &twice).put("Redis!B2", 0);
    assert_eq!(
        wrong.build().errors(),
        [
            "Redis!B2 port: 0 is not in 1..65535",
            "Redis!3:3: there is one Redis, so this tab has one row",
        ]
    );
}

#[test]
fn without_any_alias_of_a_device_only_the_first_signal_misses_it() {
    let columns: Vec<&str> = DEVICES
        .into_iter()
        .filter(|name| *name != "device_alias")
        .collect();
    let book = Book::new().sheet("Devices", &[&columns]).sheet(
        "Signals",
        &[&SIGNALS, &POWER, &signal(&[("signal_alias", "q")])],
    );
    assert_eq!(
        book.build().errors(),
        ["Signals!B2 device_alias: \"cloud\" is not the alias of any device"]
    );
}

#[test]
fn a_name_for_two_merged_columns_is_refused() {
    let book = Book::plant().with("Signals", |sheet| {
        let format = rust_xlsxwriter::Format::new();
        sheet.merge_range(0, 6, 0, 7, "log", &format).unwrap();
    });
    assert_eq!(
        book.build().errors(),
        ["Signals!G1: G1:H1 is merged; unmerge it and give each column its own name"]
    );
}
