//! What the bridge costs when nothing happens, or one thing at a time.

use std::time::Duration;

use mqtt_client_tests::config::{channel, cloud};
use mqtt_client_tests::servers::{Mosquitto, Redis};
use mqtt_client_tests::{Daemon, Site, install, wait};
use tempfile::TempDir;

/// How long it is watched. This is what is measured, not a way to wait for something.
const WATCHED: Duration = Duration::from_secs(4);

#[test]
fn an_idle_bridge_sleeps() {
    let mut site = Site::start(cloud().with("mqtt_qos", 2).signal("p"));
    site.publish("p", "1,1000,");
    site.expect("tag/cloud/p/in", "1,1000,1");
    site.daemon
        .wait_for_counters("cloud", |now| now.acknowledged == 1);
    let before = site.daemon.voluntary_context_switches();
    assert!(!site.daemon.ends_within(WATCHED));
    let woken = site.daemon.voluntary_context_switches() - before;
    // At a keep-alive of 60 s there is nothing to do; one or two are left over from the question before.
    assert!(woken <= 3, "woken {woken} times in {WATCHED:?}");
}

/// Samples whose system calls are counted.
const SAMPLES: usize = 20;

#[test]
fn a_sample_costs_one_wait_for_each_packet_that_comes_one_read_and_no_more_writes_than_packets() {
    for qos in 0..=2 {
        let calls = calls_of_single_samples(qos);
        let count = |name: &str| calls.iter().filter(|call| call.contains(name)).count();
        let said = calls.join("\n");
        // The sample; PUBACK, or PUBREC and PUBCOMP. Fewer, where an acknowledgement comes together with the next sample.
        let incoming = SAMPLES * (1 + qos);
        let outgoing = SAMPLES * if qos == 2 { 2 } else { 1 };
        assert!(count("epoll_") <= incoming, "QoS {qos}:\n{said}");
        assert!(count("recvfrom(") <= incoming, "QoS {qos}:\n{said}");
        assert!(count("sendto(") <= outgoing, "QoS {qos}:\n{said}");
        assert_eq!(count("EAGAIN"), 0, "QoS {qos}:\n{said}");
        assert_eq!(count("epoll_ctl("), 0, "QoS {qos}:\n{said}");
    }
}

/// The daemon's calls that wait, read, write or change what is waited for, from the arrival of one sample to that of the last of so many more.
fn calls_of_single_samples(qos: usize) -> Vec<String> {
    let (redis, broker) = (Redis::start(), Mosquitto::start());
    let subscriber = broker.subscribe();
    let config = cloud().with("mqtt_qos", qos).signal("p");
    let config = config.with_ports(redis.port(), broker.port());
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("calls");
    let words = [
        install::path(install::STRACE).display().to_string(),
        // The daemon stays this program's child.
        String::from("--daemonize=grandchild"),
        String::from("--follow-forks"),
        String::from("--string-limit=100"),
        String::from(
            "--trace=read,write,recvfrom,sendto,epoll_wait,epoll_pwait,epoll_pwait2,epoll_ctl",
        ),
        format!("--output={}", file.display()),
    ];
    let mut daemon = Daemon::start_under(&words, &config);
    redis.wait_for_subscriptions(&config.channels());
    broker.wait_for_bridges(1);
    for number in 1..=SAMPLES + 1 {
        redis.publish(&channel("p"), format!("{number},1000,"));
        wait::until(format_args!("sample {number}"), || {
            wait::holds(subscriber.count() == number)
        });
    }
    daemon.stop();
    let text = std::fs::read_to_string(&file).expect("what strace wrote");
    let lines: Vec<String> = text.lines().map(String::from).collect();
    let is_sample = |line: &String| line.contains("recvfrom(") && line.contains(r"\nmessage\r");
    let first = lines.iter().position(is_sample);
    let last = lines.iter().rposition(is_sample);
    let (first, last) = first
        .zip(last)
        .unwrap_or_else(|| panic!("no sample:\n{text}"));
    lines[first + 1..=last].to_vec()
}
