//! What does the package leave behind?

use mqtt_client_tests::machine::{PACKAGE, SERVICE};
use mqtt_client_tests::{Machine, config};

#[test]
fn a_removed_package_leaves_its_configuration_and_nothing_else() {
    let mut machine = Machine::boot(&config::cloud().signal("p").with_ports(6379, 1883));
    let list = "echo /etc/* /etc/*/* /usr/bin/* /usr/share/* /lib/*";
    let before = machine.run(list);
    machine.run(&format!("opkg install {PACKAGE}"));
    let links = machine.run("ls /etc/rc.d");
    assert_eq!(words(&links), ["K09mqtt-client", "S96mqtt-client"]);
    assert!(
        machine
            .run("mqtt-client --version")
            .contains("built with TLS")
    );
    machine.run(&format!("{SERVICE} start"));
    machine.run("opkg remove mqtt-client");
    assert_eq!(machine.daemon(), None);
    let after = machine.run(list);
    let left: Vec<_> = words(&after)
        .into_iter()
        .filter(|path| !words(&before).contains(path))
        // opkg itself removes folders that are empty then.
        .filter(|path| {
            !["/lib/upgrade", "/usr/share/mqtt-client"].contains(path) && !path.contains('*')
        })
        .collect();
    assert_eq!(left, ["/etc/elseta-mqtt.json"]);
}

fn words(text: &str) -> Vec<&str> {
    let mut words: Vec<_> = text.split_whitespace().collect();
    words.sort_unstable();
    words
}
