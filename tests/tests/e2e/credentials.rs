//! User names and passwords: let in, kept out, and never shown.

use std::time::{Duration, Instant};

use mqtt_client_tests::config::cloud;
use mqtt_client_tests::fake_broker::BAD_CREDENTIALS;
use mqtt_client_tests::servers::{Mosquitto, Redis};
use mqtt_client_tests::subscriber;
use mqtt_client_tests::{Config, Daemon, FakeBroker, wait};

const PASSWORD: &str = "correct-horse-battery";

fn with_password(password: &str) -> Config {
    cloud()
        .with("auth", "password")
        .with("username", "gateway")
        .with("password", password)
        .signal("p")
}

#[test]
fn the_right_password_is_let_in_and_never_shown_at_any_debug_level() {
    let redis = Redis::start_with(&["requirepass redis-secret-word"]);
    let broker = Mosquitto::with_user("gateway", PASSWORD);
    let config = with_password(PASSWORD)
        .redis("password", "redis-secret-word")
        .with_ports(redis.port(), broker.port());
    let received = subscriber::to(broker.port())
        .user("gateway", PASSWORD)
        .connect();
    let mut daemon = Daemon::start_with(&config, &["-d", "4", "-r", "-m"]);
    redis.wait_for_subscriptions(&config.channels());
    redis.publish("tag/cloud/p/in", "1,1000,");
    received.expect("tag/cloud/p/in", "1,1000,1");
    let [line] = &broker.bridges()[..] else {
        panic!("one bridge, not {:?}", broker.bridges());
    };
    assert!(line.contains("u'gateway'"), "{line}");

    let finished = daemon.stop();
    let lines = finished.stdout.iter().chain(&finished.stderr);
    for secret in [PASSWORD, "redis-secret-word"] {
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        for line in lines.clone() {
            // A dump of bytes may put anything between them.
            let letters: String = line.chars().filter(char::is_ascii_alphanumeric).collect();
            assert!(!line.contains(secret), "{line}");
            assert!(!letters.to_lowercase().contains(&hex), "{line}");
        }
    }
}

#[test]
fn user_name_and_password_are_sent_as_configured_and_only_if_they_are_to_be_used() {
    let given = |text: &str| Some(String::from(text));
    for (auth, username, password) in [
        ("password", given("gateway"), given(PASSWORD)),
        ("none", None, None),
    ] {
        let broker = FakeBroker::start();
        let config = cloud()
            .with("auth", auth)
            .with("username", "gateway")
            .with("password", PASSWORD);
        let daemon = Daemon::start(&config.signal("p").with_ports(1, broker.port()));
        let (_link, connect) = broker.accept();
        assert_eq!((connect.username, connect.password), (username, password));
        if auth == "none" {
            daemon.stderr().wait_for(&["devices[0]", "username"]);
        }
    }
}

#[test]
fn a_wrong_password_is_reported_and_the_bridge_keeps_running() {
    let redis = Redis::start();
    let broker = Mosquitto::with_user("gateway", PASSWORD);
    let config = with_password("wrong").with_ports(redis.port(), broker.port());
    let mut daemon = Daemon::start_with(&config, &[]);
    wait::until("a report of the refusal", || {
        let about = daemon.stderr().with(&["cloud"]);
        let about = about.iter().map(|line| line.to_lowercase());
        about.into_iter().find(|line| {
            ["authori", "password", "credential"]
                .iter()
                .any(|word| line.contains(word))
        })
    });
    redis.wait_for_subscriptions(&config.channels());
    assert!(daemon.is_running());
}

#[test]
fn a_permanent_refusal_is_tried_again_after_32_seconds_and_reported_once() {
    let broker = FakeBroker::start();
    let config = with_password("wrong").with_ports(1, broker.port());
    let daemon = Daemon::start_with(&config, &["-d", "1"]);
    let refuse = || {
        let mut link = broker
            .link_within(Duration::from_secs(32) + wait::LIMIT)
            .expect("an attempt");
        let time = Instant::now();
        link.connect();
        link.connack(BAD_CREDENTIALS);
        assert_eq!(link.packet(), None, "it hangs up");
        time
    };
    let first = refuse();
    daemon.stderr().wait_for(&["cloud"]);
    let waited = refuse() - first;
    assert!(waited >= Duration::from_secs(32), "{waited:?}");
    // The third attempt is far off, so whatever is to be said about the second is said before this question is answered.
    let mut daemon = daemon;
    daemon.counters("cloud");
    let reports = daemon.stderr().with(&["cloud"]);
    let reports: Vec<_> = reports
        .iter()
        .filter(|line| !line.contains("reconnects"))
        .collect();
    assert_eq!(reports.len(), 1, "{reports:?}");
}
