//! Does it hold whatever comes? Damaged files, large files, and secrets in every wrong place.

use mqtt_client_core::config::{Table, measure};

use crate::{EXAMPLE, Outcome, check_with, device, file, object, signal};

/// Checks a file of which nothing is known, and that the outcome makes sense.
fn check_anything(text: &[u8]) -> Outcome {
    let outcome = check_with(text, |_| ());
    assert_eq!(outcome.valid, outcome.errors == 0);
    for finding in &outcome.findings {
        assert!(!finding.chars().any(char::is_control), "{finding:?}");
    }
    outcome
}

#[test]
fn a_truncated_file_is_an_error() {
    let whole = EXAMPLE.trim_end().as_bytes();
    for length in 0..whole.len() {
        let outcome = check_anything(&whole[..length]);
        assert_eq!(outcome.errors, 1, "{length} bytes: {:?}", outcome.findings);
    }
    assert!(check_anything(whole).valid);
}

/// Checks `text` with each of its bytes replaced by each of `wrong`, and counts the files that are still valid.
fn valid_with_one_wrong_byte(text: &str, wrong: impl Iterator<Item = u8> + Clone) -> usize {
    let mut bytes = text.as_bytes().to_vec();
    let mut valid = 0;
    for place in 0..bytes.len() {
        let right = bytes[place];
        for wrong in wrong.clone() {
            bytes[place] = wrong;
            valid += usize::from(check_anything(&bytes).valid);
        }
        bytes[place] = right;
    }
    valid
}

#[test]
fn a_file_with_one_wrong_byte_never_makes_it_panic() {
    let small = file(
        &[device(&[("port", "1"), ("name", "\"\\u00e9\"")])],
        &[signal(&[])],
    );
    // All 256 take too long for the whole example: one byte of each kind that JSON, UTF-8 or a rule tells apart.
    let kinds = b"\0 \"#$,:1[\\]}a\x80\xc3".iter().copied();
    for (text, valid) in [
        (
            small.as_str(),
            valid_with_one_wrong_byte(&small, 0..=u8::MAX),
        ),
        (EXAMPLE, valid_with_one_wrong_byte(EXAMPLE, kinds)),
    ] {
        // Many bytes stand in texts that may say anything.
        assert!(valid > text.len(), "{valid} of {} bytes", text.len());
    }
}

/// Pseudo-random numbers (xorshift, Marsaglia 2003), the same on every run.
struct Dice(u32);

impl Dice {
    fn pick<'t>(&mut self, from: &[&'t str]) -> &'t str {
        from[self.below(from.len())]
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 as usize % bound
    }
}

#[test]
fn pieces_of_json_in_any_order_never_make_it_panic() {
    let pieces = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"devices\"",
        "\"signals\"",
        "\"redis\"",
        "\"a\"",
        "1",
        "-1e5",
        "null",
        "true",
        "\"",
        "\\",
        "\u{feff}",
        " ",
        "{\"devices\":[{",
        "}],\"signals\":[{",
        "\"device_alias\":\"a\",",
        "}]}",
    ];
    let mut dice = Dice(0x2545_f491);
    for _ in 0..100_000 {
        let text: String = (0..dice.below(24)).map(|_| dice.pick(&pieces)).collect();
        check_anything(text.as_bytes());
    }
}

#[test]
fn rows_of_any_keys_and_values_never_make_it_panic() {
    let values = [
        "null",
        "0",
        "1",
        "2",
        "-1",
        "1.5",
        "99999999999999999999",
        "true",
        "[]",
        "[[1], {}]",
        "{\"a\": 1}",
        "\"\"",
        "\"a\"",
        "\"b\"",
        "\"\\u0061\"",
        "\"mqtt\"",
        "\"Modbus\"",
        "\"tls\"",
        "\"none\"",
        "\"password\"",
        "\"3.1\"",
        "\"$a/#\"",
        "\"\\u0000\"",
        "\"\\ud83d\\ude00\"",
    ];
    let keys: Vec<_> = [Table::Top, Table::Redis, Table::Devices, Table::Signals]
        .iter()
        .flat_map(|table| table.keys())
        .map(|key| key.name())
        .chain(["a", "b", "\\u0061"])
        .collect();
    let mut dice = Dice(0x9e37_79b9);
    let mut row = |width: usize| {
        let cells: Vec<_> = (0..dice.below(width))
            .map(|_| (dice.pick(&keys), dice.pick(&values)))
            .collect();
        object(&cells)
    };
    let mut findings = std::collections::BTreeSet::new();
    for _ in 0..5_000 {
        let redis = row(8);
        let devices = [row(40), device(&[("name", "1")]), row(40)].join(",");
        let signals = [row(12), signal(&[]), row(12)].join(",");
        let text =
            format!("{{\"redis\": {redis}, \"devices\": [{devices}], \"signals\": [{signals}]}}");
        findings.extend(check_anything(text.as_bytes()).findings);
    }
    assert!(
        findings.len() > 500,
        "only {} different findings",
        findings.len()
    );
}

#[test]
fn ten_thousand_signals_take_the_storage_that_was_measured() {
    let text = |count: usize, topic: &str| {
        let signals: Vec<_> = (0..count)
            .map(|number| {
                let alias = format!("\"signal_{number}\"");
                signal(&[
                    ("signal_alias", &alias),
                    ("topic", topic),
                    ("extra", "1"),
                    ("more", "2"),
                ])
            })
            .collect();
        file(&[device(&[])], &signals)
    };
    for (topic, warnings) in [("\"\"", 2), ("\"plant/all\"", 3)] {
        let outcome = check_with(text(10_000, topic).as_bytes(), |config| {
            assert_eq!(config.signals.len(), 10_000)
        });
        assert!(outcome.valid);
        assert_eq!(outcome.findings.len(), warnings);
    }
    let sizes = measure(text(10_000, "\"\"").as_bytes()).expect("JSON");
    assert_eq!((sizes.devices, sizes.signals, sizes.text), (1, 10_000, 0));
    assert!(sizes.index < 26_000, "{}", sizes.index);
}

#[test]
fn ten_thousand_errors_are_all_reported_and_tell_the_row() {
    let signals = vec![signal(&[]); 10_000];
    let outcome = check_with(file(&[device(&[])], &signals).as_bytes(), |_| ());
    assert_eq!(outcome.errors, 9_999);
    assert_eq!(
        outcome.findings[9_998],
        "signals[9999].signal_alias: \"p\" is the alias of signals[0] already"
    );
}

#[test]
fn an_object_with_very_many_unknown_keys_takes_linear_time() {
    let keys: Vec<_> = (0..50_000)
        .map(|number| format!("\"k{number}\": 0"))
        .collect();
    let text = format!(
        "{{\"devices\": [], \"signals\": [], {}, \"k7\": 1}}",
        keys.join(", ")
    );
    let outcome = check_with(text.as_bytes(), |_| ());
    assert_eq!(outcome.errors, 1);
    assert_eq!(outcome.findings.len(), 50_001);
    assert_eq!(
        outcome.findings[50_000],
        "k7: appears more than once in one object"
    );
}

#[test]
fn secrets_appear_in_no_finding() {
    const MARK: &str = "HUNTER2";
    // 424242 is a secret that is a number.
    const NUMBER: &str = "424242";
    let long = format!("\"{}\"", MARK.repeat(10_000));
    let values = [
        "\"HUNTER2\"",
        "\"HUNTER2\\u0000\"",
        "\"HUNTER2\\n\"",
        "\"HUNTER2\\q\"",
        "\"HUNTER2\n\"",
        "\"HUNTER2",
        "HUNTER2",
        "'HUNTER2'",
        "424242",
        "-424242",
        "424242.5e9",
        "[\"HUNTER2\"]",
        "{\"a\": {\"HUNTER2\": \"HUNTER2\"}}",
        "\"HUNTER2\" \"HUNTER2\"",
        &long,
    ];
    let mut findings = 0;
    for value in values {
        for auth in ["\"none\"", "\"password\"", "\"tls\"", "\"other\"", "1"] {
            for key in ["password", "client_key", "username"] {
                let cells = [("auth", auth), (key, value), ("port", "0")];
                let row = device(&cells);
                let twice = object(&[(key, value), (key, value)]);
                let redis = object(&[("password", value), ("username", "5"), ("port", "0")]);
                for text in [
                    file(std::slice::from_ref(&row), &[]),
                    file(&[row.clone(), row.clone()], &[]),
                    file(&[twice], &[]),
                    format!("{{\"redis\": {redis}, \"devices\": [], \"signals\": []}}"),
                    format!("{{\"redis\": {value}, \"devices\": {value}, \"signals\": [{value}]}}"),
                ] {
                    check_with(text.as_bytes(), |config| {
                        let debug = format!("{:?}", config.redis);
                        assert!(!debug.contains(MARK), "{debug}");
                    })
                    .findings
                    .iter()
                    .for_each(|finding| {
                        assert!(
                            !finding.contains(MARK) && !finding.contains(NUMBER),
                            "{finding}\n{text}"
                        );
                        findings += 1;
                    });
                }
            }
        }
    }
    assert!(findings > values.len() * 5, "{findings}");
    let row = device(&[
        ("auth", "\"password\""),
        ("username", "\"u\""),
        ("password", "\"HUNTER2\""),
    ]);
    let outcome = check_with(file(&[row], &[]).as_bytes(), |config| {
        let debug = format!("{config:?}");
        assert!(debug.contains("***") && !debug.contains(MARK), "{debug}");
    });
    assert!(outcome.valid);
}

/// Cells that moved by a column, as they do in a spreadsheet.
#[test]
fn a_secret_in_another_column_is_not_shown_by_what_refuses_it() {
    // One more secret, or one more column, is one more line.
    let secrets: [&[(&str, &str)]; 4] = [
        &[
            ("auth", "\"password\""),
            ("username", "\"u\""),
            ("password", "\"Hunter2-Hunter2\""),
        ],
        &[("auth", "\"token\""), ("username", "\"Hunter2-Hunter2\"")],
        &[("auth", "\"tls\""), ("username", "\"Hunter2-Hunter2\"")],
        &[
            ("proxy", "\"127.0.0.1:1\""),
            ("proxy_username", "\"u\""),
            ("proxy_password", "\"Hunter2-Hunter2\""),
        ],
    ];
    let columns = [
        "device_alias",
        "enable",
        "auth",
        "ip",
        "port",
        "mqtt_qos",
        "mqtt_version",
        "mqtt_retain",
        "keep_alive",
        "max_rate",
        "buffer_size",
        "tls_client_auth",
        "enable_threshold",
    ];
    let wrong = ["\"Hunter2-Hunter2\"", "\"x Hunter2-Hunter2 y:\""];
    for secret in secrets {
        for column in columns {
            for value in wrong {
                let mut cells = secret.to_vec();
                cells.push((column, value));
                let outcome = check_with(file(&[device(&cells)], &[]).as_bytes(), |_| ());
                // A word in a column of free text may be right.
                for finding in &outcome.findings {
                    assert!(!finding.contains("Hunter2"), "{column}: {finding}");
                }
            }
        }
    }
    // A short one is hidden where it is all of the value, and not where it is a part of it.
    let short = |value| {
        let cells = [
            ("auth", "\"password\""),
            ("username", "\"u\""),
            ("password", "\"3.1\""),
            ("mqtt_version", value),
        ];
        check_with(file(&[device(&cells)], &[]).as_bytes(), |_| ())
            .findings
            .join("\n")
    };
    assert!(short("\"3.1.2\"").contains("3.1.2"));
    assert!(!short("3.1").contains("\"3.1\""));
}
