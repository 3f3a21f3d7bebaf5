//! What the bridge shows of its traffic, and its counters.

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use mqtt_client_tests::config::cloud;
use mqtt_client_tests::counters::NAMES;
use mqtt_client_tests::process::Process;
use mqtt_client_tests::program::succeed;
use mqtt_client_tests::servers::{Mosquitto, Redis};
use mqtt_client_tests::{Daemon, Site, wait};
use tempfile::TempDir;

#[test]
fn r_shows_every_redis_message() {
    for option in ["-r", "--redis"] {
        let site = Site::start_with(cloud().signal("p"), &[option]);
        site.publish("p", "12.5,1708000203824,");
        site.publish("p", "rubbish");
        let lines = site.daemon.stdout();
        let line = lines.wait_for(&["REDIS <", "12.5"]);
        assert_eq!(line, "REDIS < tag/cloud/p/in 12.5,1708000203824,");
        let line = lines.wait_for(&["rubbish"]);
        assert_eq!(line, "REDIS < tag/cloud/p/in rubbish");
    }
}

#[test]
fn m_shows_every_mqtt_packet() {
    for option in ["-m", "--mqtt"] {
        let config = cloud()
            .with("mqtt_qos", 1)
            .signal("p")
            .with("topic", "plant/inverter/power");
        let site = Site::start_with(config, &[option]);
        site.publish("p", "12.5,1708000203824,");
        let lines = site.daemon.stdout();
        let publish = lines.wait_for(&["MQTT > PUBLISH cloud q1 id="]);
        let id = publish
            .split("id=")
            .nth(1)
            .and_then(|rest| rest.split(' ').next());
        let id: u16 = id.and_then(|id| id.parse().ok()).expect("an identifier");
        assert_eq!(
            publish,
            format!("MQTT > PUBLISH cloud q1 id={id} plant/inverter/power 12.5,1708000203824,1")
        );
        let puback = lines.wait_for(&["MQTT < PUBACK"]);
        assert_eq!(puback, format!("MQTT < PUBACK cloud id={id}"));
        lines.wait_for(&["MQTT > CONNECT cloud"]);
        lines.wait_for(&["MQTT < CONNACK cloud"]);
    }
}

#[test]
fn a_standard_output_that_nobody_reads_does_not_stop_the_bridge() {
    const MESSAGES: u64 = 8000;
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("output").display().to_string();
    succeed(Command::new("mkfifo").arg(&path)).expect("a FIFO");
    // A FIFO that is open at both ends is there for the daemon, and read by nobody.
    let unread = File::options().read(true).write(true).open(&path);
    let _unread = unread.expect("both ends");
    let words = ["sh", "-c", "exec \"$@\" -r -m >\"$0\""].map(String::from);
    let words = [&words[..], std::slice::from_ref(&path)].concat();

    let redis = Redis::start();
    let broker = Mosquitto::start();
    let config = cloud().signal("p").with_ports(redis.port(), broker.port());
    let mut daemon = Daemon::start_under(&words, &config);
    redis.wait_for_subscriptions(&config.channels());
    daemon.stderr().wait_for(&["cloud: online"]);
    // Twice 60 bytes each: more than what the pipe holds and the daemon keeps for it.
    let messages = (0..MESSAGES).map(|value| format!("{value},1708000203824,"));
    redis.publish_all("tag/cloud/p/in", messages);
    daemon.wait_for_counters("cloud", |now| now.sent == MESSAGES);

    // Once somebody reads it, what was kept comes, and with the next line word of the loss.
    let reader = Process::start("reader", Path::new("cat"), &[path]);
    let shown = reader.stdout();
    shown.wait_for(&["MQTT > PUBLISH cloud q0 tag/cloud/p/in 0,1708000203824,1"]);
    wait::until("word of the loss", || {
        redis.publish("tag/cloud/p/in", "more");
        shown
            .with(&["lines lost here: standard output was full"])
            .pop()
    });
    assert_eq!(daemon.stop().code, 0);
}

#[test]
fn standard_output_is_empty_unless_asked_for() {
    let mut site = Site::start_with(cloud().signal("p"), &["-d", "4"]);
    site.publish("p", "1,1000,");
    site.expect("tag/cloud/p/in", "1,1000,1");
    assert_eq!(site.daemon.stop().stdout, [""; 0]);
}

#[test]
fn each_debug_level_says_more_than_the_one_before() {
    let mut lines = Vec::new();
    for level in ["0", "1", "2", "3", "4"] {
        let mut site = Site::start_with(cloud().signal("p"), &["-d", level]);
        site.publish("p", "1,1000,");
        site.expect("tag/cloud/p/in", "1,1000,1");
        lines.push(site.daemon.stop().stderr.len());
    }
    // All is well, so that errors and warnings are alike; the counters at the end are told in any case.
    assert_eq!(lines[0], lines[1], "{lines:?}");
    assert!(
        lines[1..].is_sorted_by(|less, more| less < more),
        "{lines:?}"
    );
}

#[test]
fn the_counters_tell_what_became_of_every_message() {
    let mut site = Site::start(cloud().with("mqtt_qos", 1).signal("p"));
    for message in ["1,1000,", "1,2000,", "rubbish", "2,3000,", "3,4000,IV"] {
        site.publish("p", message);
    }
    let counters = site
        .daemon
        .wait_for_counters("cloud", |now| now.acknowledged == 3);
    let seen = (
        counters.received,
        counters.rejected,
        counters.suppressed,
        counters.sent,
    );
    assert_eq!(seen, (5, 1, 1, 3));
    assert_eq!(
        (counters.queued, counters.dropped, counters.reconnects),
        (0, 0, 0)
    );
    wait::until("the last message", || {
        wait::holds(site.subscriber.payloads("tag/cloud/p/in").len() == 3)
    });
}

#[test]
fn the_counters_are_told_once_a_minute_from_debug_level_2_on() {
    let words = [&NAMES[..], &["cloud"]].concat();
    let mut quiet = Site::start_with(cloud().signal("p"), &["-d", "1"]);
    let talkative = Site::start_with(cloud().signal("p"), &["-d", "2"]);
    let begin = Instant::now();
    let line = wait::within(Duration::from_secs(60) + wait::LIMIT, || {
        talkative.daemon.stderr().with(&words).pop()
    });
    assert!(line.is_some(), "{:?} without a line", begin.elapsed());
    assert_eq!(talkative.daemon.stderr().with(&words).len(), 1);
    // The other one has been there for longer, and tells when it is asked only.
    quiet.daemon.counters("cloud");
    assert_eq!(quiet.daemon.stderr().with(&words).len(), 1);
}
