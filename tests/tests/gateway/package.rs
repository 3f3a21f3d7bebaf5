//! What does the package leave behind?

use mqtt_client_tests::machine::{PACKAGE, SERVICE, TABLE};
use mqtt_client_tests::{Machine, config};

/// What is on the gateway that a package might have put there.
const LIST: &str = "echo /etc/* /etc/*/* /usr/bin/* /usr/share/* /lib/*";

/// Removes the package, and returns what is there that was not before.
fn left(machine: &mut Machine, before: &str) -> Vec<String> {
    machine.run("opkg remove mqtt-client");
    machine.wait_until_inactive();
    let after = machine.run(LIST);
    let paths = words(&after).into_iter();
    // opkg itself removes folders that are empty then.
    let is_left = |path: &&str| {
        ![
            "/lib/upgrade",
            "/usr/share/licenses",
            "/usr/share/mqtt-client",
            "/etc/mqtt-client",
        ]
        .contains(path)
            && !path.contains('*')
            && !words(before).contains(path)
    };
    paths.filter(is_left).map(String::from).collect()
}

#[test]
fn a_removed_package_leaves_a_configuration_that_was_changed_and_nothing_else() {
    let mut machine = Machine::boot(&config::cloud().signal("p").with_ports(6379, 1883));
    let before = machine.run(LIST);
    machine.run(&format!("opkg install {PACKAGE}"));
    let links = machine.run("cd /etc/rc.d && ls *mqtt-client");
    assert_eq!(words(&links), ["K09mqtt-client", "S96mqtt-client"]);
    assert!(
        machine
            .run("mqtt-client --version")
            .contains("built with TLS")
    );
    assert_eq!(left(&mut machine, &before), [""; 0]);

    machine.run(&format!("opkg install {PACKAGE}"));
    machine.run(&format!("cp {TABLE} /etc/elseta-mqtt.json"));
    machine.run(&format!("{SERVICE} start"));
    assert_eq!(left(&mut machine, &before), ["/etc/elseta-mqtt.json"]);
}

fn words(text: &str) -> Vec<&str> {
    let mut words: Vec<_> = text.split_whitespace().collect();
    words.sort_unstable();
    words
}
