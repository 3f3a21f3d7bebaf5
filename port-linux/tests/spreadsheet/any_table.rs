//! Whatever the daemon accepts, the way through a workbook changes nothing of it, or is refused before a workbook is written.

use std::fs;

use fastrand::Rng;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::run;

/// What spreadsheets, XML, the workbook's own escapes or terminals take for something else.
const PIECES: &[&str] = &[
    "a",
    "Z9",
    "0",
    "007",
    "1e5",
    "=",
    "=1+1",
    "=\"x\"",
    "'",
    "''",
    "\"",
    "\\",
    "<",
    "&amp;",
    "]]>",
    "_x0041_",
    "_x005F_",
    "_x000D_",
    "_",
    "#N/A",
    "#",
    "+",
    "-",
    "@",
    "TRUE",
    "1-2",
    "2024-01-01",
    "12345678901234567890",
    "3.10",
    ";",
    ",",
    "ü",
    "電",
    "\u{1f50c}",
    "\u{301}",
    "\u{fffd}",
    "\u{ffff}",
    "\u{7f}",
    "\u{1}",
    "\u{1f}",
    "http://x/y",
    "mailto:a@b",
];
/// What may be lost at the ends of a text, or end a line in its middle.
const BLANKS: &[&str] = &[
    " ", "\t", "\n", "\r\n", "\r", "\u{a0}", "\u{2028}", "\u{200b}", "\u{feff}", "\u{85}",
    "\u{200d}",
];

/// Texts of a table, with blanks anywhere or with none.
struct Texts<'r> {
    rng: &'r mut Rng,
    blanks: bool,
}

impl Texts<'_> {
    fn any(&mut self) -> String {
        let mut text = String::new();
        for _ in 0..self.rng.usize(1..6) {
            let pieces = if self.blanks && self.rng.u8(..) < 2 {
                BLANKS
            } else {
                PIECES
            };
            text += self.rng.choice(pieces).expect("pieces");
        }
        text
    }

    /// Without what only filters may have.
    fn topic(&mut self) -> String {
        self.any().replace(['#', '+', '$'], "/")
    }

    fn put(&mut self, row: &mut Value, key: &str, value: impl FnOnce(&mut Self) -> Value) {
        if self.rng.bool() {
            row[key] = value(self);
        }
    }

    fn device(&mut self, alias: &str) -> Value {
        let mut row = json!({
            "name": self.any(), "device_alias": alias, "protocol": "mqtt", "ip": "10.0.0.1", "auth": "password",
            "username": self.any(), "password": self.any(), "enable": 1,
        });
        self.put(&mut row, "port", |texts| texts.rng.u16(1..).into());
        self.put(&mut row, "mqtt_retain", |texts| texts.rng.u8(..2).into());
        self.put(&mut row, "client_id", |texts| texts.any().into());
        self.put(&mut row, "last_will_message", |texts| texts.any().into());
        self.put(&mut row, "buffer_size", |texts| {
            texts.rng.u32(1024..=1 << 30).into()
        });
        row
    }

    fn signal(&mut self, number: usize) -> Value {
        let mut row = json!({
            "signal_name": self.any(), "device_alias": "one", "signal_alias": format!("{}{number}", self.topic()),
            "source_device_alias": self.any(), "source_signal_alias": self.any(),
        });
        self.put(&mut row, "log", |texts| texts.rng.i32(..).into());
        self.put(&mut row, "enable", |texts| texts.rng.u8(..2).into());
        self.put(&mut row, "topic", |texts| texts.topic().into());
        row
    }

    fn table(&mut self) -> Value {
        let mut table = Map::new();
        if self.rng.bool() {
            table.insert(
                "redis".into(),
                json!({"port": 6380, "username": self.any(), "password": self.any()}),
            );
        }
        let devices: Vec<_> = ["one", "0123"].map(|alias| self.device(alias)).into();
        table.insert("devices".into(), devices.into());
        let signals = (0..self.rng.usize(..8)).map(|number| self.signal(number));
        table.insert("signals".into(), signals.collect());
        table.into()
    }
}

#[test]
fn a_table_comes_back_from_its_workbook_as_it_was_or_gets_into_none() {
    let seed = std::env::var("SEED").map_or_else(
        |_| fastrand::u64(..),
        |seed| seed.parse().expect("a number"),
    );
    println!("SEED={seed}");
    let mut rng = Rng::with_seed(seed);
    let mut refused = 0;
    for round in 0..60 {
        let blanks = round % 2 == 1;
        let table = Texts {
            rng: &mut rng,
            blanks,
        }
        .table();
        let folder = TempDir::new().unwrap();
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        fs::write(folder.path().join("first.json"), table.to_string()).unwrap();
        let export = run(folder.path(), &["export", "first.json", "-o", "back.xlsx"]);
        if export.code == 78 && blanks {
            let errors: Vec<_> = export
                .stderr
                .iter()
                .filter(|line| !line.contains(": warning: "))
                .collect();
            assert!(
                errors
                    .last()
                    .unwrap()
                    .contains("that a workbook cannot hold"),
                "{errors:?}\n{table:#}"
            );
            assert!(!folder.path().join("back.xlsx").exists());
            refused += 1;
            continue;
        }
        assert_eq!(export.code, 0, "{:?}\n{table:#}", export.stderr);
        let build = run(folder.path(), &["build", "back.xlsx", "-o", "second.json"]);
        assert_eq!(build.code, 0, "{:?}\n{table:#}", build.stderr);
        let second = read("second.json");
        assert_eq!(serde_json::from_str::<Value>(&second).unwrap(), table);
        // From then on byte for byte.
        assert_eq!(
            run(
                folder.path(),
                &["export", "second.json", "-o", "again.xlsx"]
            )
            .code,
            0
        );
        assert_eq!(
            run(folder.path(), &["build", "again.xlsx", "-o", "third.json"]).code,
            0
        );
        assert_eq!(read("third.json"), second);
    }
    println!("{refused} of 30 tables with blanks were refused");
}
