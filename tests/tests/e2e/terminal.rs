//! Nothing that the daemon writes is obeyed by a terminal or a log viewer, wherever in the table it stands; and a bad table floods no log.
//!
//! A new character, a new place in the table and a new way to start are one line of a list.

use mqtt_client_tests::config::cloud;
use mqtt_client_tests::daemon::{Finished, run_with, run_with_text};
use mqtt_client_tests::{Config, Daemon, FakeBroker};

/// Colours, the same in one byte, the start of a line, a title, bells, lines and paragraphs, and text that runs the other way.
const OBEYED: [&str; 9] = [
    "\u{1b}[31m",
    "\u{9b}31m",
    "\r",
    "\u{1b}]0;title\u{7}",
    "\u{7}\u{8}",
    "\u{2028}",
    "\u{202e}",
    "\u{2066}",
    "\u{61c}",
];

/// Where it stands in the table: a device's column, a signal's, or a key of `redis`.
const PLACES: [&str; 14] = [
    "devices.name",
    "devices.device_alias",
    "devices.ip",
    "devices.username",
    "devices.client_id",
    "devices.last_will_topic",
    "devices.last_will_message",
    "devices.ca_certificate",
    "devices.mqtt_version",
    "devices.unknown",
    "signals.signal_alias",
    "signals.topic",
    "redis.host",
    "redis.socket",
];

fn with(place: &str, text: &str) -> Config {
    let config = cloud()
        .with("auth", "password")
        .with("username", "gateway")
        .with("password", "secret")
        .with("use_last_will", 1)
        .with("last_will_topic", "will")
        .signal("p");
    match place.split_once('.') {
        // As a key as well as a value.
        Some((_, "unknown")) => config.device_key(&format!("u{text}"), text),
        Some(("devices", key)) => config.device_key(key, format!("x{text}y")),
        Some(("redis", key)) => config.redis(key, format!("x{text}y")),
        Some((_, key)) => config.with(key, format!("x{text}y")),
        None => panic!("{place}"),
    }
}

fn assert_is_harmless(what: &str, finished: &Finished) {
    for line in finished.stdout.iter().chain(&finished.stderr) {
        let is_obeyed = |letter: char| {
            letter.is_control() || "\u{61c}\u{2028}\u{202e}\u{2066}".contains(letter)
        };
        assert!(!line.contains(is_obeyed), "{what}: {line:?}");
    }
}

#[test]
fn what_stands_in_the_table_moves_no_cursor() {
    // Most places refuse the first ones.
    for text in [OBEYED.concat(), OBEYED[5..].concat()] {
        for place in PLACES {
            let config = with(place, &text).with_ports(1, 1);
            let finished = run_with(&config, &["--check"]);
            assert_is_harmless(place, &finished);
            if finished.code == 0 {
                let mut daemon = Daemon::start_with(&config, &["-d4", "-r", "-m"]);
                daemon.stderr().wait_for(&["refused"]);
                assert_is_harmless(place, &daemon.stop());
            }
        }
    }
}

#[test]
fn neither_do_arguments() {
    let text = OBEYED.concat();
    for arguments in [["-c", &text], ["--check", &text], ["-d", &text]] {
        assert_is_harmless(&text, &mqtt_client_tests::daemon::run(&arguments));
    }
}

/// So many faulty rows.
const ROWS: usize = 5_000;

fn faulty() -> String {
    let rows = vec![r#"{"device_alias": "cloud"}"#; ROWS].join(",");
    format!(r#"{{"devices": [], "signals": [{rows}]}}"#)
}

#[test]
fn of_thousands_of_errors_a_services_log_gets_fifty_and_a_count_and_check_shows_all() {
    let broker = FakeBroker::start();
    let config = cloud().signal("p").with_ports(1, broker.port());
    let errors = |lines: &[String]| {
        let errors = lines.iter().filter(|line| line.contains(": signals["));
        errors.count()
    };
    let all = run_with_text(faulty(), &["--check"]);
    assert!(errors(&all.stderr) >= ROWS, "{}", errors(&all.stderr));
    let count = format!(
        " {} more errors: --check shows all",
        errors(&all.stderr) - 50
    );

    let mut daemon = Daemon::start(&config);
    let _link = broker.accept();
    let mark = daemon.stderr().mark();
    daemon.reload_text(&faulty());
    daemon.stderr().wait_for_after(mark, &["not usable"]);
    assert_eq!(errors(&daemon.stderr().all()), 50);
    assert_eq!(daemon.stderr().with(&[&count]).len(), 1);
    daemon.stop();

    let mut daemon = Daemon::start_with(&cloud().with("enable", 0), &["--keep-trying"]);
    daemon.stderr().wait_for(&["not usable yet"]);
    daemon.reload_text(&faulty());
    daemon.stderr().wait_for(&[&count]);
    assert_eq!(errors(&daemon.stderr().all()), 50);
}

#[test]
fn of_thousands_of_warnings_a_log_gets_fifty_and_a_count() {
    let keys: Vec<_> = (0..300_000)
        .map(|number| format!(r#""k{number}": 0"#))
        .collect();
    let text = format!(r#"{{"devices": [], "signals": [], {}}}"#, keys.join(","));
    let unknown = |finished: &Finished| finished.errors_with(&["unknown key"]).len();
    let finished = run_with_text(&text, &[]);
    assert_eq!((finished.code, unknown(&finished)), (0, 50));
    assert_eq!(
        finished
            .errors_with(&["more warnings: --check shows all"])
            .len(),
        1
    );
    assert!(unknown(&run_with_text(&text, &["--check"])) > 50);
}
