//! Does the service start, reload, stop and come back as OpenWrt asks it to?

use mqtt_client_tests::machine::{PACKAGE, SERVICE, TABLE};
use mqtt_client_tests::{Config, Machine, config, machine, wait};

#[test]
fn samples_flow_at_every_qos_until_the_service_stops() {
    let config = (0..=2).fold(Config::new(), |config, qos| {
        let device = config.device(["zero", "cloud", "two"][qos]);
        device.with("mqtt_qos", qos).signal("p")
    });
    let mut site = machine::site(config);
    site.broker.wait_for_bridges(3);
    for number in 0..20 {
        let message = format!("{number}.5,1708000203824");
        for alias in ["zero", "cloud", "two"] {
            let topic = format!("tag/{alias}/p/in");
            site.redis.publish(&topic, format!("{message},"));
            site.expect(&topic, &format!("{message},1"));
        }
    }
    let status = site.daemon.run(&format!("{SERVICE} status"));
    assert!(status.starts_with("running"), "{status}");
    assert_eq!(status.matches(": online for ").count(), 3, "{status}");
    assert_eq!(site.daemon.stop(), 0);
}

#[test]
fn a_stop_says_goodbye_and_a_power_failure_does_not() {
    let will = config::cloud()
        .with("use_last_will", 1)
        .with("last_will_topic", "plant/status")
        .with("last_will_message", "offline")
        .signal("p");
    let mut site = machine::site(will);
    site.daemon.stop();
    site.daemon.run(&format!("{SERVICE} start"));
    site.broker.wait_for_bridges(2);
    assert_eq!(site.subscriber.payloads("plant/status"), [""; 0]);
    let id = site.daemon.daemon().expect("it runs");
    site.daemon.run(&format!("kill -KILL {id}"));
    site.expect("plant/status", "offline");
}

#[test]
fn reload_takes_a_new_table_keeps_the_connection_and_refuses_a_wrong_one() {
    let mut site = machine::site(config::cloud().with("mqtt_qos", 1).signal("p"));
    let id = site.daemon.daemon();
    change(
        &mut site.daemon,
        r#""signal_alias": "p""#,
        r#""signal_alias": "q""#,
    );
    site.daemon.run(&format!("{SERVICE} reload"));
    site.redis
        .publish_when_heard(&config::channel("q"), "1,1708000203824,");
    site.expect(&config::channel("q"), "1,1708000203824,1");

    let mark = site.daemon.log().mark();
    change(&mut site.daemon, r#""mqtt_qos": 1"#, r#""mqtt_qos": 3"#);
    site.daemon.run(&format!("{SERVICE} reload"));
    site.daemon
        .log()
        .wait_for_after(mark, &["mqtt-client[", "mqtt_qos: 3 is not in 0..2"]);
    site.publish("q", "2,1708000203824,");
    site.expect(&config::channel("q"), "2,1708000203824,1");
    assert_eq!(site.daemon.counters("cloud").reconnects, 0);
    assert_eq!(site.daemon.daemon(), id);
}

/// Changes the table in its place.
fn change(machine: &mut Machine, from: &str, to: &str) {
    machine.run(&format!("sed -i 's/{from}/{to}/' /etc/elseta-mqtt.json"));
}

#[test]
fn a_daemon_that_dies_is_started_again() {
    let mut site = machine::site(config::cloud().with("mqtt_qos", 1).signal("p"));
    let id = site.daemon.daemon().expect("it runs");
    site.daemon.run(&format!("kill -KILL {id}"));
    site.daemon.wait_for_another_daemon(id);
    site.redis
        .publish_when_heard(&config::channel("p"), "1,1708000203824,");
    site.expect(&config::channel("p"), "1,1708000203824,1");
}

#[test]
fn a_wrong_table_is_in_the_log_line_by_line_and_nothing_starts() {
    let wrong = config::cloud()
        .with("mqtt_qos", 3)
        .with("auth", "key")
        .signal("p");
    let mut machine = Machine::boot(&wrong.with_ports(6379, 1883));
    machine.run(&format!("opkg install {PACKAGE}"));
    machine.run(&format!("cp {TABLE} /etc/elseta-mqtt.json"));
    assert_ne!(machine.try_to(&format!("{SERVICE} start")).code, 0);
    assert_eq!(machine.daemon(), None);
    for key in ["mqtt_qos", "auth"] {
        let words = ["mqtt-client:", &format!("devices[0].{key}: ")];
        machine.log().wait_for(&words);
    }
    machine
        .log()
        .wait_for(&["mqtt-client: not accepted: /etc/elseta-mqtt.json"]);
    assert_eq!(machine.daemon(), None);
}

#[test]
fn it_runs_as_a_user_of_its_own_that_can_do_nothing_else() {
    let mut site = machine::site(config::cloud().signal("p"));
    site.publish("p", "1,1708000203824,");
    site.expect(&config::channel("p"), "1,1708000203824,1");
    let id = site.daemon.run("id -u mqtt-client");
    assert_ne!(id.trim(), "0");
    let process = site.daemon.daemon().expect("it runs");
    let status = site.daemon.run(&format!("cat /proc/{process}/status"));
    let line = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {status}"))
            .split_whitespace()
            .collect::<Vec<_>>()
    };
    assert_eq!(line("Uid:"), [id.trim(); 4]);
    assert_eq!(line("Gid:"), [id.trim(); 4]);
    assert_eq!(line("CapEff:"), ["0000000000000000"]);
    assert_eq!(line("NoNewPrivs:"), ["1"]);
    // The emulated gateway's root wrote it for itself only.
    let table = site.daemon.run("ls -l /etc/elseta-mqtt.json");
    assert!(table.starts_with("-rw-r-----"), "{table}");
}

#[test]
fn a_table_of_an_earlier_version_goes_on_and_a_key_that_is_roots_alone_is_named() {
    let mut machine = Machine::serving(&config::cloud().signal("p").with_ports(6379, 1883));
    // Now it has read the table.
    machine.log().wait_for(&["refused"]);
    let id = machine.daemon().expect("it runs");
    machine.run("chmod 600 /etc/elseta-mqtt.json && chgrp root /etc/elseta-mqtt.json");
    machine.run(&format!("{SERVICE} reload"));
    machine
        .log()
        .wait_for(&["/etc/elseta-mqtt.json: now readable for the group mqtt-client"]);
    assert_eq!(machine.daemon(), Some(id));

    machine.run("mkdir -p /etc/mqtt-client && touch /etc/mqtt-client/client.key");
    machine.run("chmod 600 /etc/mqtt-client/client.key");
    change(
        &mut machine,
        r#""auth": "none""#,
        r#""auth": "tls", "ca_certificate": "\/etc\/mqtt-client\/client.key", "client_certificate": "\/etc\/mqtt-client\/client.key", "client_key": "\/etc\/mqtt-client\/client.key""#,
    );
    assert_ne!(machine.try_to(&format!("{SERVICE} restart")).code, 0);
    machine.log().wait_for(&[
        "client_key",
        "as root: chgrp mqtt-client /etc/mqtt-client/client.key; chmod g+r /etc/mqtt-client/client.key",
    ]);
    assert_eq!(machine.daemon(), Some(id));
}

#[test]
fn a_wrong_table_ends_no_daemon() {
    let mut machine = Machine::serving(&config::cloud().signal("p").with_ports(6379, 1883));
    // Now it has read the table.
    machine.log().wait_for(&["refused"]);
    let id = machine.daemon();
    change(&mut machine, r#""auth": "none""#, r#""auth": "key""#);
    for command in ["start", "restart"] {
        assert_ne!(machine.try_to(&format!("{SERVICE} {command}")).code, 0);
    }
    assert_eq!(machine.run(&format!("{SERVICE} status")).trim(), "running");
    assert_eq!(machine.daemon(), id);
}

#[test]
fn a_reboot_waits_until_a_broker_has_everything_that_was_silent_for_a_while() {
    let config = config::cloud()
        .with("mqtt_qos", 1)
        .with("use_last_will", 1)
        .with("last_will_topic", "plant/status")
        .with("last_will_message", "offline")
        .signal("p");
    let mut site = machine::site(config);
    site.broker.pause();
    let samples = (0..300).map(|number| format!("{number},1708000203824,"));
    site.redis.publish_all(&config::channel("p"), samples);
    site.daemon
        .wait_for_counters("cloud", |counters| counters.received == 300);
    site.daemon.run("reboot >/dev/null 2>&1 &");
    // Now it takes its leave.
    site.redis.wait_for_subscriptions(&[]);
    site.broker.go_on();
    site.broker
        .log()
        .wait_for(&["Received DISCONNECT", "cloud"]);
    wait::until("the last sample", || {
        wait::holds(site.subscriber.payloads(&config::channel("p")).len() >= 300)
    });
    let expected: Vec<_> = (0..300)
        .map(|number| format!("{number},1708000203824,1"))
        .collect();
    assert_eq!(site.subscriber.payloads(&config::channel("p")), expected);
    assert_eq!(site.subscriber.payloads("plant/status"), [""; 0]);
}
