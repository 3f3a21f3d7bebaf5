//! What the daemon gives up, what it says of files that it may not read, and how it waits for those that come later (`--keep-trying`).

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use mqtt_client_tests::config::cloud;
use mqtt_client_tests::process::Signal;
use mqtt_client_tests::{Daemon, FakeBroker, pki, program};
use tempfile::TempDir;

#[test]
fn what_the_daemon_does_not_need_is_given_up() {
    let broker = FakeBroker::start();
    let config = cloud().signal("p").with_ports(1, broker.port());
    // Whatever it was started with.
    let words = ["sh", "-c", "ulimit -c unlimited; exec \"$0\" \"$@\""].map(String::from);
    let daemon = Daemon::start_under(&words, &config);
    let _link = broker.accept();
    let read = |file: &str| {
        let path = format!("/proc/{}/{file}", daemon.id());
        std::fs::read_to_string(path).expect("the daemon runs")
    };
    assert!(read("status").contains("NoNewPrivs:\t1\n"));
    let limits = read("limits");
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let core: Vec<_> = core.expect("a limit").split_whitespace().collect();
    assert_eq!(core[4..6], ["0", "0"], "{core:?}");
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("our own file");
}

#[test]
fn what_the_user_may_not_read_is_named_with_the_commands_that_help() {
    let folder = TempDir::new().expect("a temporary folder");
    let (table, closed) = (
        folder.path().join("mqtt.json"),
        folder.path().join("closed"),
    );
    let key = folder.path().join("client.key");
    std::fs::create_dir(&closed).expect("a new folder");
    std::fs::write(closed.join("ca.pem"), "").expect("a new file");
    std::fs::write(&key, "").expect("a new file");
    set_mode(folder.path(), 0o755);
    set_mode(&closed, 0o600);
    set_mode(&key, 0o200);
    let config = cloud()
        .with("auth", "tls")
        .with(
            "ca_certificate",
            closed.join("ca.pem").display().to_string(),
        )
        .with("client_certificate", key.display().to_string())
        .with("client_key", key.display().to_string())
        .signal("p");
    config.with_ports(1, 1).write(&table);
    let check = || {
        let daemon = program::daemon();
        // For root, every file is readable.
        let mut words = vec![daemon.path.display().to_string()];
        words.extend(daemon.arguments.iter().cloned());
        if rustix::process::geteuid().is_root() {
            let user = [
                "setpriv",
                "--reuid=65534",
                "--regid=65534",
                "--clear-groups",
            ];
            words.splice(0..0, user.map(String::from));
        }
        words.extend(["--check", "-c"].map(String::from));
        let output = Command::new(&words[0])
            .args(&words[1..])
            .arg(&table)
            .output();
        String::from_utf8(output.expect("run the daemon").stderr).expect("UTF-8")
    };
    let remedy = |errors: &str, key: &str, path: &Path, right: &str| {
        let path = path.display();
        let line = errors.lines().find(|line| line.contains(key));
        let line = line.unwrap_or_else(|| panic!("no {key} in {errors}"));
        assert!(line.contains("Permission denied"), "{line}");
        assert!(line.contains("; as root: chgrp "), "{line}");
        assert!(
            line.ends_with(&format!(" {path}; chmod g+{right} {path}")),
            "{line}"
        );
    };
    let errors = check();
    remedy(&errors, "client_key", &key, "r");
    remedy(&errors, "ca_certificate", &closed, "x");
    set_mode(&table, 0o200);
    remedy(&check(), "mqtt.json", &table, "r");
    set_mode(&closed, 0o700);
}

#[test]
fn with_keep_trying_a_certificate_may_come_later_and_what_is_missing_is_said_once() {
    let broker = FakeBroker::start();
    let folder = TempDir::new().expect("a temporary folder");
    let later = folder.path().join("storage");
    let authority = pki::Authority::new("Plant CA");
    let issued = authority.issue(pki::request("gateway"));
    let path = |file: &Path| {
        let name = file.file_name().expect("a file's name");
        later.join(name).display().to_string()
    };
    let config = cloud()
        .with("auth", "tls")
        .with("ca_certificate", path(&authority.file()))
        .with("client_certificate", path(&issued.certificate))
        .with("client_key", path(&issued.key))
        .signal("p")
        .with_ports(1, broker.port());
    let mut daemon = Daemon::start_with(&config, &["--keep-trying"]);
    daemon.stderr().wait_for(&["not usable yet"]);
    let said = daemon.stderr().all().len();
    assert_eq!(said, 4, "{:?}", daemon.stderr().all());
    daemon.signal(Signal::HUP);
    // As if it were mounted.
    let there = authority.file();
    let there = there.parent().expect("a folder");
    std::os::unix::fs::symlink(there, &later).expect("a new link");
    daemon.signal(Signal::HUP);
    // A connection: it has begun to work.
    let _link = broker.link();
    assert_eq!(daemon.stderr().with(&["cannot be read"]).len(), 3);
    assert_eq!(daemon.stderr().with(&["not usable yet"]).len(), 1);
}

#[test]
fn with_keep_trying_nothing_to_do_is_waited_for_too() {
    let broker = FakeBroker::start();
    let config = cloud().signal("p").with_ports(1, broker.port());
    let disabled = config.clone().device_key("enable", 0);
    let mut daemon = Daemon::start_with(&disabled, &["--keep-trying"]);
    daemon.stderr().wait_for(&["no MQTT device is enabled"]);
    daemon.reload(&config);
    let _link = broker.accept();
}
