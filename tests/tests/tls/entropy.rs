//! A gateway that has no random numbers for a while after its start: TLS waits for them, and nothing else does.

use std::fs;
use std::path::PathBuf;

use mqtt_client_tests::config::cloud;
use mqtt_client_tests::daemon::run_under;
use mqtt_client_tests::pki::{Issued, request};
use mqtt_client_tests::preload::Preload;
use mqtt_client_tests::servers::Redis;
use mqtt_client_tests::{Daemon, program, subscriber};
use tempfile::TempDir;

use crate::Secure;

/// A system whose random numbers come when the test wants them.
struct Early {
    preload: Preload,
    folder: TempDir,
}

impl Early {
    /// `None`: the daemon is another processor's, and what is compiled here is not for it.
    fn new() -> Option<Self> {
        if !program::daemon().arguments.is_empty() {
            println!("skipped: an emulator's program cannot be kept from random numbers");
            return None;
        }
        Some(Self {
            preload: Preload::new(include_str!("early.c")),
            folder: TempDir::new().expect("a temporary folder"),
        })
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("numbers")
    }

    /// In front of a program's command line.
    fn words(&self) -> Vec<String> {
        let variable = format!("RANDOM_NUMBERS_FROM={}", self.file().display());
        self.preload.words().into_iter().chain([variable]).collect()
    }

    fn has_numbers(&self) {
        fs::write(self.file(), "").expect("write to a temporary folder");
    }
}

const NO_NUMBERS: &str = "the system has no random numbers yet";

#[test]
fn tls_waits_for_random_numbers_and_redis_and_the_other_devices_do_not() {
    let Some(early) = Early::new() else { return };
    let (redis, secure) = (Redis::start(), Secure::new());
    let config = secure.config(cloud().signal("p"));
    let config = config
        .device("plain")
        .at(secure.broker.port())
        .signal("p")
        .redis("port", redis.port());
    let received = subscriber::to(secure.broker.port()).connect();
    let daemon = Daemon::start_under(&early.words(), &config);
    redis.wait_for_subscriptions(&config.channels());
    let about_key = ["W ", "devices[0].client_key", "is not checked yet"];
    daemon.stderr().wait_for(&about_key);
    daemon.stderr().wait_for(&["cloud: ", NO_NUMBERS]);
    redis.publish("tag/plain/p/in", "1,1000,");
    received.expect("tag/plain/p/in", "1,1000,1");
    redis.publish("tag/cloud/p/in", "2,1000,");

    early.has_numbers();
    daemon
        .stderr()
        .wait_for(&["cloud: TLS 1.3, full handshake"]);
    received.expect("tag/cloud/p/in", "2,1000,1");
}

#[test]
fn a_key_that_could_not_be_checked_at_the_start_is_refused_later() {
    let Some(early) = Early::new() else { return };
    let secure = Secure::new();
    let own_key = |issued: &Issued| {
        let text = fs::read_to_string(&issued.key).expect("a key");
        secure.authority.write("own.key", &text)
    };
    let wrong = own_key(&secure.authority.issue(request("other")));
    let config = secure.config(cloud().signal("p"));
    let config = config
        .device_key("client_key", wrong.display().to_string())
        .redis("port", 1);
    let finished = run_under(&early.words(), &config, &["--check"]);
    assert_eq!(finished.code, 0, "{:?}", finished.stderr);
    let words = ["devices[0].client_key", "is not checked yet"];
    assert_eq!(
        finished.errors_with(&words).len(),
        1,
        "{:?}",
        finished.stderr
    );

    let mut daemon = Daemon::start_under(&early.words(), &config);
    daemon.stderr().wait_for(&["cloud: ", NO_NUMBERS]);
    early.has_numbers();
    let words = "client_key: ";
    let line = daemon.stderr().wait_for(&["E cloud: ", words]);
    assert!(line.contains("does not match the certificate in"), "{line}");
    // The table is the same.
    own_key(&secure.gateway);
    daemon.reload(&config);
    daemon
        .stderr()
        .wait_for(&["cloud: TLS 1.3, full handshake"]);
}
