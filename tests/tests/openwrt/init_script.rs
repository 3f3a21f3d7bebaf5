//! `/etc/init.d/mqtt-client`, in busybox's `ash`: what it asks of procd, and what it writes to the system log.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use mqtt_client_tests::install::{self, Tool};
use mqtt_client_tests::{Config, config, program};
use tempfile::TempDir;

pub const BUSYBOX: Tool = Tool {
    program: "busybox",
    package: "busybox",
};

/// Writes what stands in for programs that only root may run: the service's user is there as long as the stub of `id` is executable, and everything
/// runs as ourselves. `STUB_LOG` names a file that gets a line for each call.
pub fn write_stubs(folder: &Path) {
    std::fs::create_dir_all(folder).expect("a new folder");
    for (name, text) in [
        ("id", ""),
        ("chgrp", "echo \"chgrp $*\" >>\"$STUB_LOG\"\n"),
        (
            "start-stop-daemon",
            "while [ \"$1\" != -x ]; do case $1 in -c) echo \"as $2\" >>\"$STUB_LOG\" ;; esac; shift; done\n\
             program=$2; shift 3; exec \"$program\" \"$@\"\n",
        ),
    ] {
        let path = folder.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}")).expect("write a stub");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("our own file");
    }
}

/// `PATH` with stubs in front.
pub fn search_path(stubs: &Path) -> String {
    format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", stubs.display())
}

/// A gateway with nothing but the daemon.
struct Gateway {
    folder: TempDir,
    program: PathBuf,
}

impl Gateway {
    fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        // The script names one program, so what runs it goes into one.
        let daemon = program::daemon();
        let words = daemon.arguments.join(" ");
        let text = format!("#!/bin/sh\nexec {} {words} \"$@\"\n", daemon.path.display());
        let program = folder.path().join("mqtt-client");
        std::fs::write(&program, text).expect("write to a temporary folder");
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).expect("our own file");
        write_stubs(&folder.path().join("stubs"));
        Self { folder, program }
    }

    fn with(self, file: &str, config: &Config) -> Self {
        config.write(&self.path(file));
        self
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// Calls a command of the script, and returns whether it succeeded and the lines that the stand-in wrote. For so many times that the
    /// script asks, the daemon runs.
    fn call(&self, command: &str, runs: usize) -> (bool, Vec<String>) {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
        let configs = [self.path("mqtt.conf"), self.path("mqtt.json")];
        let configs = configs.map(|path| path.display().to_string());
        let output = Command::new(install::path(BUSYBOX))
            .arg("ash")
            .arg(tests.join("tests/openwrt/procd.sh"))
            .arg(program::workspace().join("port-linux/openwrt/mqtt-client/files/mqtt-client.init"))
            .arg(command)
            .arg(&self.program)
            .arg(configs.join(" "))
            .arg(runs.to_string())
            // Some systems end as soon as they have begun.
            .arg("9")
            .env("PATH", search_path(&self.path("stubs")))
            .env("STUB_LOG", self.path("stub-log"))
            .output()
            .expect("run busybox");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let folder = self.folder.path().display().to_string();
        let lines = text.lines().map(|line| line.replace(&folder, "~"));
        (output.status.success(), lines.collect())
    }
}

fn usable() -> Config {
    config::cloud().signal("p").with_ports(6379, 1883)
}

/// What procd is asked when the service starts. A daemon that does not run is forgotten first.
fn started(file: &str, runs: bool) -> Vec<String> {
    let command = format!("set command ~/mqtt-client --keep-trying -c ~/{file}");
    let lines = [
        "service",
        "kill mqtt-client",
        "open",
        &command,
        "set file ~/mqtt-client",
        "set respawn 3600 30 0",
        "set stderr 1",
        "set user mqtt-client",
        "set term_timeout 15",
        "close",
        "sent",
    ];
    let asked = lines
        .into_iter()
        .filter(|line| !(runs && line.starts_with("kill")));
    asked.map(String::from).collect()
}

#[test]
fn with_a_usable_configuration_procd_supervises_the_daemon() {
    let gateway = Gateway::new().with("mqtt.json", &usable());
    assert_eq!(
        gateway.call("start", 0),
        (true, started("mqtt.json", false))
    );
}

#[test]
fn a_daemon_that_runs_is_not_forgotten_when_it_is_started() {
    let gateway = Gateway::new().with("mqtt.json", &usable());
    assert_eq!(gateway.call("start", 1), (true, started("mqtt.json", true)));
}

#[test]
fn of_two_configurations_the_one_that_the_daemon_prefers_is_used() {
    let gateway = Gateway::new()
        .with("mqtt.json", &usable())
        .with("mqtt.conf", &usable());
    assert_eq!(
        gateway.call("start", 0),
        (true, started("mqtt.conf", false))
    );
}

/// The commands that need a configuration, and what they may have asked of procd before they find none.
const STARTS: [(&str, &[&str]); 3] = [
    ("start", &["service"]),
    ("restart", &[]),
    ("reload", &["service"]),
];

#[test]
fn without_a_configuration_nothing_is_sent_to_procd_and_the_log_names_the_files() {
    let gateway = Gateway::new();
    for (command, asked) in STARTS {
        let line = "log -t mqtt-client -p daemon.warn: no configuration: ~/mqtt.conf ~/mqtt.json";
        let lines = [asked, &[line]].concat();
        assert_eq!(
            gateway.call(command, 0),
            (false, lines.into_iter().map(String::from).collect()),
            "{command}"
        );
    }
}

#[test]
fn every_error_of_a_configuration_is_a_line_of_the_log_and_nothing_is_sent_to_procd() {
    let wrong = usable().device_key("mqtt_qos", 3).device_key("auth", "key");
    let gateway = Gateway::new().with("mqtt.json", &wrong);
    for (command, asked) in STARTS {
        let (succeeded, lines) = gateway.call(command, 0);
        assert!(!succeeded, "{command}");
        let (before, lines) = lines.split_at(asked.len());
        assert_eq!(before, asked, "{command}");
        let prefix = "log -t mqtt-client -p daemon.err: ";
        let error = |line| {
            let error = str::strip_prefix(line, prefix);
            error.unwrap_or_else(|| panic!("{command}: {line}"))
        };
        let errors: Vec<_> = lines.iter().map(|line| error(line)).collect();
        let [errors @ .., "not accepted: ~/mqtt.json"] = &errors[..] else {
            panic!("{command}: {errors:?}");
        };
        for key in ["mqtt_qos", "auth"] {
            let start = format!("~/mqtt.json: devices[0].{key}: ");
            let count = errors.iter().filter(|line| line.starts_with(&start));
            assert_eq!(count.count(), 1, "{key} in {errors:?}");
        }
    }
}

#[test]
fn a_daemon_that_cannot_run_is_reported_and_not_started() {
    let gateway = Gateway::new().with("mqtt.json", &usable());
    std::fs::remove_file(&gateway.program).expect("our own file");
    let (succeeded, lines) = gateway.call("start", 0);
    assert!(!succeeded);
    assert!(lines[1].contains("mqtt-client: not found"), "{lines:?}");
}

#[test]
fn restart_ends_the_daemon_that_runs_and_leaves_it_to_procd_to_wait() {
    let gateway = Gateway::new().with("mqtt.json", &usable());
    let mut expected = started("mqtt.json", true);
    expected.insert(0, String::from("kill mqtt-client"));
    assert_eq!(gateway.call("restart", 1), (true, expected));
}

#[test]
fn reload_signals_a_running_daemon_and_leaves_it_to_judge_the_file() {
    let gateway = Gateway::new().with("mqtt.json", &usable().device_key("mqtt_qos", 3));
    let signal = String::from("signal mqtt-client * HUP");
    assert_eq!(gateway.call("reload", 1), (true, vec![signal]));
}

#[test]
fn reload_starts_a_daemon_that_does_not_run() {
    let gateway = Gateway::new().with("mqtt.json", &usable());
    assert_eq!(
        gateway.call("reload", 0),
        (true, started("mqtt.json", false))
    );
}

/// What is asked of procd, and said, where nothing is to do: a service without an instance has no process.
fn idle(command: &str) -> Vec<String> {
    let nothing = "log -t mqtt-client -p daemon.notice: ~/mqtt.json: no MQTT device is enabled: nothing to do";
    let lines = match command {
        "restart" => &["kill mqtt-client", "service", nothing, "sent"][..],
        _ => &["service", nothing, "sent"],
    };
    lines.iter().map(|&line| String::from(line)).collect()
}

#[test]
fn without_an_enabled_device_there_is_no_process() {
    let disabled = usable().device_key("enable", 0);
    let gateway = Gateway::new().with("mqtt.json", &disabled);
    // A daemon that runs is ended as well.
    for (command, runs) in [
        ("start", 0),
        ("boot", 0),
        ("restart", 0),
        ("reload", 0),
        ("start", 9),
        ("reload", 9),
    ] {
        assert_eq!(
            gateway.call(command, runs),
            (true, idle(command)),
            "{command}"
        );
    }
}

#[test]
fn the_configuration_that_is_installed_is_accepted_and_starts_nothing() {
    let gateway = Gateway::new();
    let installed =
        program::workspace().join("port-linux/openwrt/mqtt-client/files/elseta-mqtt.json");
    std::fs::copy(installed, gateway.path("mqtt.json")).expect("copy to a temporary folder");
    assert_eq!(gateway.call("start", 0), (true, idle("start")));
}

#[test]
fn at_boot_a_wrong_configuration_is_left_to_the_daemon_which_tries_again() {
    let wrong = usable().device_key("mqtt_qos", 3);
    let gateway = Gateway::new().with("mqtt.json", &wrong);
    let (succeeded, lines) = gateway.call("boot", 0);
    assert!(succeeded);
    let (said, asked): (Vec<_>, Vec<_>) =
        lines.into_iter().partition(|line| line.starts_with("log "));
    assert_eq!(asked, started("mqtt.json", false));
    assert!(said[0].contains("devices[0].mqtt_qos: "), "{said:?}");
    let nothing = Gateway::new().call("boot", 0);
    assert!(!nothing.0, "{nothing:?}");
}

#[test]
fn many_errors_are_the_first_50_and_a_count() {
    let mut wrong = Config::new();
    for number in 0..30 {
        let device = wrong.device(&format!("d{number}"));
        wrong = device.with("mqtt_qos", 3).with("auth", "key");
    }
    let gateway = Gateway::new().with("mqtt.json", &wrong);
    let (succeeded, lines) = gateway.call("start", 0);
    assert!(!succeeded);
    let errors = lines.iter().filter(|line| line.contains(": devices["));
    assert_eq!(errors.count(), 50);
    let count = "daemon.err: 10 more: ~/mqtt-client --check -c ~/mqtt.json";
    assert_eq!(
        lines.iter().filter(|line| line.contains(count)).count(),
        1,
        "{lines:?}"
    );
}

#[test]
fn the_check_runs_as_the_services_user_or_as_root_where_there_is_none() {
    let gateway = Gateway::new().with("mqtt.json", &usable());
    gateway.call("start", 0);
    let log = std::fs::read_to_string(gateway.path("stub-log")).expect("calls of stubs");
    assert!(log.lines().count() >= 2, "{log}");
    assert!(
        log.lines().all(|line| line == "as mqtt-client:mqtt-client"),
        "{log}"
    );

    std::fs::write(gateway.path("stubs/id"), "#!/bin/sh\nexit 1\n").expect("our own file");
    let (succeeded, mut lines) = gateway.call("start", 0);
    assert!(succeeded);
    let warning = "log -t mqtt-client -p daemon.warn: there is no user mqtt-client, or no start-stop-daemon: it runs as root";
    lines.retain(|line| line != warning);
    let mut expected = started("mqtt.json", false);
    expected.retain(|line| !line.starts_with("set user"));
    assert_eq!(lines, expected);
}

#[test]
fn a_table_that_only_root_may_read_is_made_readable_and_the_log_says_so() {
    let gateway = Gateway::new().with("mqtt.json", &usable());
    let table = gateway.path("mqtt.json");
    let mode = || {
        std::fs::metadata(&table)
            .expect("the table")
            .permissions()
            .mode()
            & 0o777
    };
    std::fs::set_permissions(&table, PermissionsExt::from_mode(0o600)).expect("our own file");
    // As for another user: only the group's right counts.
    let reader = "#!/bin/sh\nwhile [ \"$1\" != -x ]; do shift; done\nprogram=$2; shift 3\n\
        for table; do :; done\ncase $(ls -l \"$table\") in ????r*) exec \"$program\" \"$@\";; esac\n\
        echo \"$table: Permission denied\" >&2; exit 1\n";
    let stub = gateway.path("stubs/start-stop-daemon");
    std::fs::write(stub, reader).expect("our own file");
    let said = "log -t mqtt-client -p daemon.notice: ~/mqtt.json: now readable for the group mqtt-client, as which the service runs";
    for command in ["start", "reload"] {
        std::fs::set_permissions(&table, PermissionsExt::from_mode(0o600)).expect("our own file");
        let (succeeded, lines) = gateway.call(command, 0);
        assert!(succeeded, "{lines:?}");
        assert!(lines.contains(&said.into()), "{lines:?}");
        assert!(lines.contains(&"sent".into()), "{lines:?}");
        assert_eq!(mode(), 0o640);
    }
    let log = std::fs::read_to_string(gateway.path("stub-log")).expect("calls of stubs");
    assert!(
        log.starts_with(&format!("chgrp mqtt-client {}\n", table.display())),
        "{log}"
    );
}

#[test]
fn the_end_of_the_system_waits_for_the_daemon_for_6_seconds_at_most() {
    let gateway = Gateway::new();
    for (runs, tenths) in [(0, 0), (1, 1), (50, 50), (1_000, 60)] {
        let mut expected = vec!["kill mqtt-client"];
        expected.resize(1 + tenths, "sleep 0.1");
        let expected: Vec<_> = expected.into_iter().map(String::from).collect();
        assert_eq!(gateway.call("shutdown", runs).1, expected, "{runs}");
    }
}

#[test]
fn it_ends_before_the_network_does_and_disable_finds_its_links() {
    // rc.common links K${STOP}mqtt-client, removes K??mqtt-client, and the system shuts down in the order of these names.
    let script = program::workspace().join("port-linux/openwrt/mqtt-client/files/mqtt-client.init");
    let script = std::fs::read_to_string(script).expect("the script");
    let number = |name: &str| {
        let line = script.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name}"))
    };
    for name in ["START=", "STOP="] {
        assert_eq!(number(name).len(), 2, "{name}{}", number(name));
    }
    assert!(number("STOP=") < "90", "the network's is 90");
    assert!(number("START=") > "20", "the network's is 20");
}
