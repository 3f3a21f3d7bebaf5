//! SIGHUP takes up renewed certificates, and no output ever shows a key.

use std::fs;

use mqtt_client_tests::config::cloud;
use mqtt_client_tests::pki::request;
use mqtt_client_tests::process::Signal;
use mqtt_client_tests::servers::Redis;
use mqtt_client_tests::{Daemon, Site};

use crate::Secure;

#[test]
fn renewed_files_are_taken_up_and_unchanged_ones_disturb_nothing() {
    let secure = Secure::new();
    // The first message's handshake may not be over when the connection is changed: it arrives once all the same.
    let config = secure.config(cloud().with("mqtt_qos", 2).signal("p"));
    let Secure {
        authority,
        gateway,
        broker,
        port: _port,
    } = secure;
    let mut site = Site::between(Redis::start(), broker, config);
    let mark = site.daemon.stderr().mark();
    site.daemon.signal(Signal::HUP);
    site.daemon.stderr().wait_for_after(mark, &["read again"]);
    site.publish("p", "1,1000,");
    site.expect("tag/cloud/p/in", "1,1000,1");
    assert_eq!(site.broker.bridges().len(), 1, "the connection was kept");

    let renewed = authority.issue(request("gateway-renewed"));
    fs::copy(&renewed.certificate, &gateway.certificate).expect("renew the certificate");
    fs::copy(&renewed.key, &gateway.key).expect("renew the key");
    site.daemon.signal(Signal::HUP);
    let bridges = site.broker.wait_for_bridges(2);
    assert!(bridges[1].contains("u'gateway-renewed'"), "{bridges:?}");
    site.publish("p", "2,1000,");
    site.expect("tag/cloud/p/in", "2,1000,1");
    let counters = site
        .daemon
        .wait_for_counters("cloud", |now| now.acknowledged == 2);
    assert_eq!((counters.received, counters.sent), (2, 2));
}

#[test]
fn renewed_files_that_do_not_fit_are_reported_and_the_old_ones_stay_in_force() {
    let secure = Secure::new();
    let config = secure.config(cloud().with("mqtt_qos", 1).signal("p"));
    let Secure {
        authority,
        gateway,
        broker,
        port: _port,
    } = secure;
    let mut site = Site::between(Redis::start(), broker, config);
    let renewed = authority.issue(request("gateway-renewed"));
    fs::copy(&renewed.certificate, &gateway.certificate).expect("renew the certificate only");
    site.daemon.signal(Signal::HUP);
    site.daemon
        .stderr()
        .wait_for(&["devices[0].client_key", "does not match"]);
    site.daemon
        .stderr()
        .wait_for(&["the old configuration stays in force"]);
    site.publish("p", "1,1000,");
    site.expect("tag/cloud/p/in", "1,1000,1");
    assert_eq!(site.broker.bridges().len(), 1, "the connection was kept");
}

#[test]
fn no_output_at_any_level_shows_a_key() {
    let secure = Secure::new();
    let redis = Redis::start();
    let config = secure
        .config(cloud().with("mqtt_qos", 1).signal("p"))
        .with_ports(redis.port(), 0);
    let mut daemon = Daemon::start_with(&config, &["-d4", "-r", "-m"]);
    secure.broker.wait_for_bridges(1);
    daemon.signal(Signal::HUP);
    daemon.stderr().wait_for(&["read again"]);
    let finished = daemon.stop();
    let key = fs::read_to_string(&secure.gateway.key).expect("the key");
    let output = [finished.stdout, finished.stderr].concat().join("\n");
    assert!(output.len() > 100, "it says something: {output}");
    for line in key.lines().filter(|line| !line.starts_with('-')) {
        assert!(!output.contains(line), "a line of the key");
    }
    assert!(!output.contains("PRIVATE KEY"), "{output}");
}
