//! Which files appear, with which content, and which stay as they were.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Stdio;

use tempfile::TempDir;

use crate::{Book, run, signal, utility};

#[test]
fn the_table_has_one_line_per_row_in_the_order_of_the_sheets() {
    let book = Book::plant()
        .row("Signals", 3, &signal(&[("signal_alias", "b")]))
        .row("Signals", 4, &signal(&[("signal_alias", "a")]));
    let expected = r#"{
  "devices": [
    {"name": "Cloud", "device_alias": "cloud", "enable": 1, "protocol": "MQTT", "ip": "broker", "port": 1883, "mqtt_qos": 1, "mqtt_retain": 0, "auth": "none"}
  ],
  "signals": [
    {"signal_name": "Power", "device_alias": "cloud", "signal_alias": "p", "source_device_alias": "INV1", "source_signal_alias": "P", "enable": 1, "log": 0},
    {"signal_name": "Power", "device_alias": "cloud", "signal_alias": "b", "source_device_alias": "INV1", "source_signal_alias": "P", "enable": 1, "log": 0},
    {"signal_name": "Power", "device_alias": "cloud", "signal_alias": "a", "source_device_alias": "INV1", "source_signal_alias": "P", "enable": 1, "log": 0}
  ]
}
"#;
    assert_eq!(book.build().json.unwrap(), expected);
}

#[test]
fn build_writes_where_it_is_told_and_check_nowhere() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("plant.xlsx"), Book::plant().bytes()).unwrap();
    let outcome = run(folder.path(), &["check", "plant.xlsx"]);
    assert_eq!((outcome.code, outcome.json), (0, None));
    assert_eq!(outcome.stdout, "plant.xlsx: 1 device, 1 signal\n");

    let outcome = run(folder.path(), &["build", "plant.xlsx", "-o", "-"]);
    assert_eq!((outcome.code, outcome.json), (0, None));
    let standard = outcome.stdout;

    let outcome = run(folder.path(), &["build", "plant.xlsx"]);
    assert_eq!(outcome.stdout, "elseta-mqtt.json: 1 device, 1 signal\n");
    assert_eq!(outcome.json.unwrap(), standard);

    let outcome = run(folder.path(), &["build", "plant.xlsx", "-o", "other.json"]);
    assert_eq!(outcome.code, 0);
    let other = fs::read_to_string(folder.path().join("other.json")).unwrap();
    assert_eq!(other, standard);
}

#[test]
fn a_wrong_workbook_leaves_an_older_table_alone() {
    let folder = TempDir::new().unwrap();
    let wrong = Book::plant().put("Devices!G2", 3).bytes();
    fs::write(folder.path().join("plant.xlsx"), wrong).unwrap();
    fs::write(folder.path().join("elseta-mqtt.json"), "as it was").unwrap();
    let outcome = run(folder.path(), &["build", "plant.xlsx"]);
    assert_eq!(outcome.code, 78);
    assert_eq!(
        outcome.stderr,
        [
            "Devices!G2 mqtt_qos: 3 is not in 0..2",
            "plant.xlsx: 1 error, nothing written",
        ]
    );
    assert_eq!(outcome.json.unwrap(), "as it was");
    let left = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 2, "no other file is left behind");
}

#[test]
fn a_new_table_is_private_and_one_in_an_older_ones_place_keeps_its_permissions() {
    let folder = TempDir::new().unwrap();
    let mode = |name: &str| {
        let metadata = fs::metadata(folder.path().join(name)).unwrap();
        metadata.permissions().mode() & 0o777
    };
    fs::write(folder.path().join("plant.xlsx"), Book::plant().bytes()).unwrap();
    run(folder.path(), &["build", "plant.xlsx"]);
    assert_eq!(mode("elseta-mqtt.json"), 0o600, "it may hold passwords");

    fs::write(folder.path().join("old.json"), "").unwrap();
    let permissions = fs::Permissions::from_mode(0o640);
    fs::set_permissions(folder.path().join("old.json"), permissions).unwrap();
    symlink("old.json", folder.path().join("link.json")).unwrap();
    run(folder.path(), &["build", "plant.xlsx", "-o", "link.json"]);
    assert_eq!(mode("old.json"), 0o640);
    let link = fs::symlink_metadata(folder.path().join("link.json")).unwrap();
    assert!(
        link.is_symlink(),
        "the file is replaced, not the link to it"
    );
    let text = fs::read_to_string(folder.path().join("old.json")).unwrap();
    assert!(text.contains("\"cloud\""));
}

#[test]
fn passwords_in_a_table_that_everybody_may_read_are_said() {
    let folder = TempDir::new().unwrap();
    let book = Book::plant();
    let with_password = Book::plant()
        .put("Devices!I2", "password")
        .put("Devices!J2", "gateway")
        .put("Devices!K2", "secret-word");
    fs::write(folder.path().join("without.xlsx"), book.bytes()).unwrap();
    fs::write(folder.path().join("with.xlsx"), with_password.bytes()).unwrap();
    for (workbook, mode, is_said) in [
        ("without.xlsx", 0o644, false),
        ("with.xlsx", 0o640, false),
        ("with.xlsx", 0o644, true),
    ] {
        let table = folder.path().join("table.json");
        fs::write(&table, "").unwrap();
        fs::set_permissions(&table, fs::Permissions::from_mode(mode)).unwrap();
        let outcome = run(folder.path(), &["build", workbook, "-o", "table.json"]);
        let warning = "warning: table.json: everybody may read it, and passwords stand in it: chmod o= table.json";
        let count = outcome
            .stderr
            .iter()
            .filter(|line| *line == warning)
            .count();
        assert_eq!(
            count,
            usize::from(is_said),
            "{workbook} {mode:o}: {:?}",
            outcome.stderr
        );
    }
}

#[test]
fn a_table_that_cannot_be_written_is_an_error_of_its_own() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("plant.xlsx"), Book::plant().bytes()).unwrap();
    let outcome = run(
        folder.path(),
        &["build", "plant.xlsx", "-o", "no/such/folder.json"],
    );
    assert_eq!(outcome.code, 73);
    let [line] = &outcome.stderr[..] else {
        panic!("{:?}", outcome.stderr);
    };
    assert!(
        line.starts_with("no/such/folder.json: cannot be written: "),
        "{line}"
    );
}

#[test]
fn workbooks_are_never_overwritten() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("plant.xlsx"), Book::plant().bytes()).unwrap();
    run(folder.path(), &["build", "plant.xlsx"]);
    for arguments in [
        &["template", "plant.xlsx"][..],
        &["export", "elseta-mqtt.json", "-o", "plant.xlsx"],
    ] {
        let before = fs::read(folder.path().join("plant.xlsx")).unwrap();
        let outcome = run(folder.path(), arguments);
        assert_eq!(outcome.code, 73);
        assert_eq!(
            outcome.stderr,
            ["plant.xlsx: cannot be written: exists already, and workbooks are not overwritten"]
        );
        assert_eq!(fs::read(folder.path().join("plant.xlsx")).unwrap(), before);
    }
}

#[test]
fn usage_errors_exit_with_64_and_help_with_0() {
    let folder = TempDir::new().unwrap();
    for (arguments, code) in [
        (&["--help"][..], 0),
        (&["-V"], 0),
        (&[], 64),
        (&["build"], 64),
        (&["build", "plant.xlsx", "--nonsense"], 64),
    ] {
        assert_eq!(run(folder.path(), arguments).code, code, "{arguments:?}");
    }
}

#[test]
fn a_full_disk_and_a_reader_that_goes_away_are_told_of_and_no_reason_to_panic() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("plant.xlsx"), Book::plant().bytes()).unwrap();
    let outcome = run(folder.path(), &["build", "plant.xlsx", "-o", "/dev/full"]);
    assert_eq!(outcome.code, 73);
    assert_eq!(
        outcome.stderr,
        ["/dev/full: cannot be written: No space left on device (os error 28)"]
    );
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut child = utility()
        .args(["build", "plant.xlsx", "-o", "-"])
        .current_dir(folder.path())
        .stdout(writer)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut errors = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut errors)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(73));
    assert_eq!(errors, "standard output: Broken pipe (os error 32)\n");
}

#[test]
fn builds_at_the_same_time_leave_one_whole_table() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("plant.xlsx"), Book::plant().bytes()).unwrap();
    let build = || {
        let mut command = utility();
        command
            .args(["build", "plant.xlsx"])
            .current_dir(folder.path())
            .stdout(Stdio::null());
        command.spawn().unwrap()
    };
    let builds: Vec<_> = (0..6).map(|_| build()).collect();
    for mut build in builds {
        assert!(build.wait().unwrap().success());
    }
    let alone = run(folder.path(), &["build", "plant.xlsx", "-o", "-"]);
    assert_eq!(alone.json.unwrap(), alone.stdout);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn names_in_any_script_are_shown_in_utf8() {
    let folder = TempDir::new().unwrap();
    let wrong = Book::plant().put("Signals!B2", "Šiauliai").bytes();
    fs::write(folder.path().join("Gerät.xlsx"), wrong).unwrap();
    let outcome = run(folder.path(), &["check", "Gerät.xlsx"]);
    assert_eq!(
        outcome.stderr,
        [
            "Signals!B2 device_alias: \"Šiauliai\" is not the alias of any device",
            "Gerät.xlsx: 1 error, nothing written",
        ]
    );
}
