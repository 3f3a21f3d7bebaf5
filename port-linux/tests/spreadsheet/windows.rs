//! What is different on Windows: paths, and files that are open. `cargo windows --test` runs these tests.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::{Book, run};

/// How Windows calls a path of this machine: Wine's drive Z is its root.
fn windows_path(path: &Path) -> String {
    format!("Z:{}", path.to_str().unwrap().replace('/', "\\"))
}

#[test]
#[ignore = "needs the program for Windows"]
fn paths_have_backslashes_and_drive_letters() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("sub")).unwrap();
    let workbook = folder.path().join("sub/plant.xlsx");
    fs::write(&workbook, Book::plant().bytes()).unwrap();
    for (from, to) in [
        ("sub\\plant.xlsx", "sub\\table.json"),
        (".\\sub\\plant.xlsx", "sub/table.json"),
        (
            &windows_path(&workbook),
            &windows_path(&folder.path().join("sub/table.json")),
        ),
    ] {
        let outcome = run(folder.path(), &["build", from, "-o", to]);
        assert_eq!((outcome.code, &outcome.stderr[..]), (0, &[][..]));
        assert_eq!(outcome.stdout, format!("{to}: 1 device, 1 signal\n"));
        // The second and the third replace the first.
        assert!(folder.path().join("sub/table.json").is_file());
    }
    assert_eq!(fs::read_dir(folder.path().join("sub")).unwrap().count(), 2);
}

#[test]
#[ignore = "needs the program for Windows"]
fn a_table_that_another_program_has_open_stays_and_that_is_said() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("plant.xlsx"), Book::plant().bytes()).unwrap();
    fs::write(folder.path().join("elseta-mqtt.json"), "as it was").unwrap();
    let mut holder = Command::new(env::var_os("ELSETA_MQTT_CONFIG_RUNNER").unwrap())
        .args(["hold-open", "elseta-mqtt.json"])
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(holder.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    assert_eq!(line.trim_end(), "held");

    let outcome = run(folder.path(), &["build", "plant.xlsx"]);
    assert_eq!(outcome.code, 73);
    let [line] = &outcome.stderr[..] else {
        panic!("{:?}", outcome.stderr);
    };
    assert!(
        line.starts_with("elseta-mqtt.json: cannot be written: "),
        "{line}"
    );
    assert!(
        line.ends_with("; is it open in another program, or read-only?"),
        "{line}"
    );
    assert_eq!(outcome.json.unwrap(), "as it was");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);

    // That ends its input.
    drop(holder.stdin.take());
    assert!(holder.wait().unwrap().success());
    assert_eq!(run(folder.path(), &["build", "plant.xlsx"]).code, 0);
}
