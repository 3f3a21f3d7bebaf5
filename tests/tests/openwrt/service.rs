//! The service under procd and the package managers: what starts, what goes on, what ends, and when.

use mqtt_client_tests::process::Signal;
use mqtt_client_tests::servers::{Mosquitto, Redis};
use mqtt_client_tests::{Config, config, wait};
use rustix::process::{Pid, kill_process};

use crate::system::System;

/// With an enabled device, whose broker is not there.
fn usable() -> Config {
    config::cloud().signal("p").with_ports(1, 1)
}

/// The package installed, with a daemon that runs.
fn running() -> (System, u32) {
    let system = System::new();
    let id = start(&system, &usable());
    // Now it listens to signals.
    system.wait_for_log("refused", 1);
    (system, id)
}

/// Starts the service anew with this table, and returns the daemon's process id.
fn start(system: &System, config: &Config) -> u32 {
    system.service("stop");
    wait::until("the service's end", || {
        wait::holds(system.service("status") == (3, "inactive".into()))
    });
    system.configure(config);
    assert_eq!(system.service("start"), (0, String::new()));
    system.daemon().expect("the daemon runs")
}

fn signal(id: u32, signal: Signal) {
    let id = i32::try_from(id).ok().and_then(Pid::from_raw);
    kill_process(id.expect("a process id"), signal).expect("the daemon runs");
}

#[test]
fn however_often_the_daemon_ends_it_is_started_again() {
    let (system, mut id) = running();
    for _ in 0..8 {
        signal(id, Signal::KILL);
        id = system.another_daemon(id);
    }
    assert_eq!(system.log("crash loop"), 0);
    assert_eq!(system.service("status"), (0, "running".into()));
}

#[test]
fn the_status_of_a_service_that_runs_shows_its_devices() {
    let (system, id) = running();
    let (code, text) = system.service_in_full("status");
    assert_eq!(code, 0);
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("running"));
    assert!(text.contains(&format!("process {id}, ")), "{text}");
    assert!(text.contains("\ncloud: offline for "), "{text}");
}

#[test]
fn a_start_beside_a_running_daemon_changes_nothing() {
    let (system, mut id) = running();
    for _ in 0..2 {
        assert_eq!(system.service("start"), (0, String::new()));
        assert_eq!(system.daemon(), Some(id));
        signal(id, Signal::KILL);
        id = system.another_daemon(id);
    }
}

#[test]
fn without_an_enabled_device_no_process_runs() {
    // As the package installs it.
    let system = System::new();
    system.wait_for_log("no MQTT device is enabled", 1);
    assert_eq!((system.daemon(), system.starts()), (None, 0));
    let disabled = usable().device_key("enable", 0);
    for command in ["reload", "restart", "start"] {
        let id = start(&system, &usable());
        system.configure(&disabled);
        assert_eq!(system.service(command), (0, String::new()), "{command}");
        wait::until(format_args!("the end of {id} after {command}"), || {
            wait::holds(system.service("status") == (0, "active with no instances".into()))
        });
    }
}

#[test]
fn a_table_that_cannot_be_used_at_boot_is_used_as_soon_as_it_can_be() {
    let system = System::new();
    system.configure(&usable().device_key("mqtt_qos", 3));
    assert_eq!(system.service("boot"), (0, String::new()));
    system.wait_for_log("devices[0].mqtt_qos: 3 is not in 0..2", 2);
    system.wait_for_log("not usable yet", 1);
    let id = system.daemon().expect("the daemon waits");
    system.configure(&usable());
    // It would look by itself, later.
    assert_eq!(system.service("reload"), (0, String::new()));
    system.wait_for_log("refused", 1);
    assert_eq!((system.daemon(), system.starts()), (Some(id), 1));
}

#[test]
fn an_upgrade_over_a_table_that_cannot_be_used_starts_a_daemon_that_waits() {
    let (system, _) = running();
    system.configure(&usable().device_key("mqtt_qos", 3));
    let (code, errors) = system.opkg("install", "2");
    assert_eq!(code, 0, "{errors}");
    system.wait_for_log("not usable yet", 1);
    assert_eq!(system.service("status"), (0, "running".into()));
}

#[test]
fn neither_a_wrong_nor_a_missing_table_ends_the_daemon_that_runs() {
    let (system, id) = running();
    let table = system.path("etc/elseta-mqtt.json");
    for is_missing in [false, true] {
        system.configure(&usable().device_key("mqtt_qos", 3));
        if is_missing {
            std::fs::remove_file(&table).expect("our own file");
        }
        for command in ["start", "restart"] {
            assert_eq!(system.service(command), (1, String::new()), "{command}");
            assert_eq!(system.service("status"), (0, "running".into()));
        }
        assert_eq!(system.service("reload"), (0, String::new()));
        assert_eq!(system.daemon(), Some(id));
    }
    system.configure(&usable());
    assert_eq!(system.service("reload"), (0, String::new()));
    assert_eq!(system.daemon(), Some(id));
}

#[test]
fn a_wrong_table_starts_nothing_and_is_a_failure() {
    let (system, _) = running();
    system.service("stop");
    wait::until("the daemon's end", || {
        wait::holds(system.daemon().is_none())
    });
    let starts = system.starts();
    system.configure(&usable().device_key("mqtt_qos", 3));
    for command in ["start", "restart", "reload"] {
        assert_eq!(system.service(command), (1, String::new()), "{command}");
        assert_eq!(system.service("status"), (3, "inactive".into()));
    }
    assert_eq!(system.starts(), starts);
}

#[test]
fn a_restart_starts_the_daemon_when_the_old_one_has_ended() {
    let (system, id) = running();
    assert_eq!(system.service("restart"), (0, String::new()));
    system.another_daemon(id);
    assert!(!std::path::Path::new(&format!("/proc/{id}")).exists());
    assert_eq!(system.service("status"), (0, "running".into()));
}

#[test]
fn an_upgrade_starts_the_new_program_and_leaves_an_unchanged_one_alone() {
    for manager in ["install", "upgrade"] {
        let (system, id) = running();
        let (code, errors) = system.opkg(manager, "2");
        assert_eq!(code, 0, "{manager}: {errors}");
        let id = system.another_daemon(id);
        wait::until("version 2", || {
            wait::holds(system.text("usr/bin/mqtt-client").contains("# 2"))
        });
        if manager == "upgrade" {
            let (code, errors) = system.opkg(manager, "2");
            assert_eq!(code, 0, "{manager}: {errors}");
            assert_eq!(system.daemon(), Some(id));
        }
    }
}

#[test]
fn a_table_that_somebody_has_changed_outlives_upgrades_and_removal() {
    let (system, _) = running();
    let table = system.text("etc/elseta-mqtt.json");
    let (code, errors) = system.opkg("install", "2");
    assert_eq!(code, 0, "{errors}");
    assert!(errors.contains("Collected errors"), "{errors}");
    assert_eq!(system.text("etc/elseta-mqtt.json"), table);
    assert!(
        system
            .text("etc/elseta-mqtt.json-opkg")
            .contains("\"devices\": []")
    );
    assert_eq!(system.remove().0, 0);
    assert_eq!(system.text("etc/elseta-mqtt.json"), table);
}

#[test]
fn a_removed_package_leaves_no_file_no_link_and_no_daemon() {
    let system = System::new();
    let table = system.text("etc/elseta-mqtt.json");
    let id = start(&system, &usable());
    std::fs::write(system.path("etc/elseta-mqtt.json"), table).expect("our own file");
    assert_eq!(system.remove(), (0, String::new()));
    wait::until("the daemon's end", || {
        wait::holds(!std::path::Path::new(&format!("/proc/{id}")).exists())
    });
    for name in [
        "etc/elseta-mqtt.json",
        "etc/init.d/mqtt-client",
        "etc/rc.d/S96mqtt-client",
        "etc/rc.d/K09mqtt-client",
    ] {
        assert!(system.path(name).symlink_metadata().is_err(), "{name}");
    }
}

#[test]
fn at_the_end_of_the_system_everything_arrives_although_the_broker_is_silent_for_a_while() {
    let (redis, mut broker) = (Redis::start(), Mosquitto::start());
    let config = config::cloud()
        .with("mqtt_qos", 1)
        .with("use_last_will", 1)
        .with("last_will_topic", "plant/status")
        .with("last_will_message", "offline")
        .signal("p")
        .with_ports(redis.port(), broker.port());
    let subscriber = broker.subscribe();
    let system = System::new();
    let id = start(&system, &config);
    redis.wait_for_subscriptions(&config.channels());
    broker.wait_for_bridges(1);

    broker.pause();
    let expected: Vec<_> = (0..300).map(|number| format!("{number},1000,1")).collect();
    redis.publish_all(
        &config::channel("p"),
        (0..300).map(|number| format!("{number},1000,")),
    );
    wait::until("the daemon to have them", || {
        signal(id, Signal::USR1);
        wait::holds(system.log("received 300") > 0)
    });
    let was_running = std::thread::scope(|scope| {
        let end = scope.spawn(|| {
            system.service("shutdown");
            // Here the network goes.
            system.daemon().is_some()
        });
        // Now it takes its leave.
        redis.wait_for_subscriptions(&[]);
        broker.go_on();
        end.join().expect("the end of the system")
    });
    assert!(!was_running);
    wait::until("the last sample", || {
        wait::holds(subscriber.payloads(&config::channel("p")).len() >= expected.len())
    });
    assert_eq!(subscriber.payloads(&config::channel("p")), expected);
    broker.log().wait_for(&["Received DISCONNECT", "cloud"]);
    assert_eq!(subscriber.payloads("plant/status"), [""; 0]);
}
