//! An end by SIGTERM with the broker away, a reload, and a broker that is there: what is written, and what arrives.

use mqtt_client_tests::spool::broker::Mood;
use mqtt_client_tests::wait;
use tempfile::TempDir;

use crate::gateway::{FLUSH_INTERVAL, Gateway, stored, table, wait_until_stored};

fn stop(gateway: &mut Gateway) {
    let end = gateway.daemon.stop();
    assert_eq!(end.code, 0);
    assert_eq!(end.errors_with(&["they are lost"]), [""; 0]);
}

#[test]
fn an_end_with_the_broker_away_puts_everything_on_storage_and_the_next_start_delivers_it() {
    for qos in 0..=2 {
        let folder = TempDir::new().unwrap();
        let mut gateway = Gateway::start(table(folder.path(), qos));
        gateway.publish(3000);
        stop(&mut gateway);
        assert!(stored(folder.path()) > 3000, "QoS {qos}");
        // And once more, with samples of two processes.
        gateway.start_again();
        gateway.publish(500);
        stop(&mut gateway);
        gateway.start_again();
        gateway.check_all();
        stop(&mut gateway);
    }
}

#[test]
fn a_reload_with_another_broker_qos_and_buffer_keeps_what_waits() {
    let folder = TempDir::new().unwrap();
    let mut gateway = Gateway::start(table(folder.path(), 1));
    gateway.publish(2000);
    wait_until_stored(folder.path(), 0, wait::LIMIT);
    for (key, value) in [("keep_alive", 7), ("max_inflight", 3), ("mqtt_qos", 2)] {
        let text = String::from_utf8(gateway.config.to_json()).unwrap();
        let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
        json["devices"][0][key] = value.into();
        gateway.config = mqtt_client_tests::Config::parse(&json.to_string());
        let mark = gateway.daemon.stderr().mark();
        gateway.daemon.reload(&gateway.config);
        gateway
            .daemon
            .stderr()
            .wait_for_after(mark, &["read again"]);
        gateway.publish(500);
    }
    gateway.check_all();
    stop(&mut gateway);
}

#[test]
fn nothing_is_written_while_the_broker_acknowledges_in_time() {
    let folder = TempDir::new().unwrap();
    let mut gateway = Gateway::start(table(folder.path(), 1));
    gateway.cloud.be(Mood::There);
    gateway.publish(1);
    wait::until("the first sample", || {
        wait::holds(!gateway.cloud.arrivals_after(0).is_empty())
    });
    let written = written_bytes(gateway.daemon.id());
    let switches = spool_thread_switches(gateway.daemon.id());
    let begun = std::time::Instant::now();
    let mut count = 1;
    // Load over four flush intervals.
    while begun.elapsed().as_secs() < 4 * FLUSH_INTERVAL {
        gateway.publish(100);
        count += 100;
        wait::until("the samples", || {
            wait::holds(gateway.cloud.arrivals_after(0).len() >= count)
        });
    }
    assert_eq!(stored(folder.path()), 0);
    assert_eq!(written_bytes(gateway.daemon.id()), written);
    assert_eq!(spool_thread_switches(gateway.daemon.id()), switches);
    gateway.check_all();
    stop(&mut gateway);
}

/// Bytes that the process has caused to be written to storage.
fn written_bytes(id: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{id}/io")).unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("write_bytes: "));
    line.unwrap().parse().unwrap()
}

/// How often the threads beside the event loop have gone to sleep: the spool's is the only one.
fn spool_thread_switches(id: u32) -> String {
    let tasks = std::fs::read_dir(format!("/proc/{id}/task")).unwrap();
    let tasks = tasks.map(|task| task.unwrap().path());
    let mut others = tasks.filter(|path| !path.ends_with(id.to_string()));
    let status = std::fs::read_to_string(others.next().unwrap().join("status")).unwrap();
    assert_eq!(others.next(), None);
    let mut lines = status.lines();
    let switches = lines.find(|line| line.starts_with("voluntary_ctxt_switches"));
    switches.unwrap().into()
}
