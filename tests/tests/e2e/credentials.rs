//! User names and passwords: let in, kept out, and never shown.

use std::io;
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use mqtt_client_tests::config::cloud;
use mqtt_client_tests::daemon::Finished;
use mqtt_client_tests::fake_broker::BAD_CREDENTIALS;
use mqtt_client_tests::servers::{Mosquitto, Redis};
use mqtt_client_tests::subscriber;
use mqtt_client_tests::{Config, Daemon, FakeBroker, wait};

const PASSWORD: &str = "correct-horse-battery";
const REDIS_PASSWORD: &str = "redis-secret-word";

fn with_password(password: &str) -> Config {
    cloud()
        .with("auth", "password")
        .with("username", "gateway")
        .with("password", password)
        .signal("p")
}

#[test]
fn the_right_password_is_let_in_and_never_shown_at_any_debug_level() {
    let redis = Redis::start_with(&[&format!("requirepass {REDIS_PASSWORD}")]);
    let broker = Mosquitto::with_user("gateway", PASSWORD);
    let config = with_password(PASSWORD)
        .redis("password", REDIS_PASSWORD)
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

    assert_shows_no_secret(&daemon.stop());
}

#[test]
fn a_password_that_is_sent_back_is_not_shown_at_any_debug_level() {
    // Redis repeats what it does not know. The other end of the wrong port may repeat everything.
    let redis = Redis::start_with(&["rename-command AUTH \"\""]);
    let mirror = mirror();
    for (redis, close) in [
        (redis.port(), "the server says: ERR unknown command"),
        (mirror, "does not speak Redis' protocol"),
    ] {
        let config = with_password(PASSWORD)
            .redis("password", REDIS_PASSWORD)
            .with_ports(redis, mirror);
        let mut daemon = Daemon::start_with(&config, &["-d", "4", "-r", "-m"]);
        daemon.stderr().wait_for(&["redis", close]);
        daemon.stderr().wait_for(&["cloud", "breaks the protocol"]);
        assert_shows_no_secret(&daemon.stop());
    }
}

/// The port of a server that sends back whatever comes.
fn mirror() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("its address").port();
    thread::spawn(move || {
        for link in listener.incoming().flatten() {
            let reader = link.try_clone();
            thread::spawn(move || io::copy(&mut &reader?, &mut &link));
        }
    });
    port
}

fn assert_shows_no_secret(finished: &Finished) {
    let lines = finished.stdout.iter().chain(&finished.stderr);
    for secret in [PASSWORD, REDIS_PASSWORD] {
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
        ("password", given("token"), given("")),
        ("token", given("token"), None),
        ("none", None, None),
    ] {
        let broker = FakeBroker::start();
        let config = cloud()
            .with("auth", auth)
            .with("username", username.as_deref().unwrap_or("gateway"))
            .with("password", password.as_deref().unwrap_or(PASSWORD));
        let daemon = Daemon::start(&config.signal("p").with_ports(1, broker.port()));
        let (_link, connect) = broker.accept();
        assert_eq!((connect.username, connect.password), (username, password));
        let ignored = match auth {
            "none" => "devices[0].username: is ignored",
            "token" => "devices[0].password: is ignored",
            _ => continue,
        };
        daemon.stderr().wait_for(&[ignored]);
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
    // A random part of up to a quarter is taken off 32 s.
    assert!(waited >= Duration::from_secs(24), "{waited:?}");
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
