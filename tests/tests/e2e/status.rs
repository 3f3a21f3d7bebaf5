//! `--status`: how the running daemon is, for people and for programs; and that nobody who asks holds it up.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use boon::{Compiler, SchemaIndex, Schemas};
use mqtt_client_tests::config::{channel, cloud};
use mqtt_client_tests::daemon::{Finished, run};
use mqtt_client_tests::process::{Process, Signal};
use mqtt_client_tests::{Config, Daemon, Site, program, wait};
use serde_json::Value;
use tempfile::TempDir;

/// A place for a socket.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        Self { folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("status.sock")
    }

    fn name(&self) -> String {
        self.path().display().to_string()
    }

    fn site(&self, config: Config) -> Site {
        Site::start_with(config, &["-d", "2", "--socket", &self.name()])
    }

    fn daemon(&self, config: &Config) -> Daemon {
        Daemon::start_with(config, &["-d", "2", "--socket", &self.name()])
    }

    fn ask(&self, options: &[&str]) -> Finished {
        run(&[&["--status", "--socket", &self.name()], options].concat())
    }

    /// What a daemon says that runs.
    fn json(&self) -> Value {
        let finished = self.ask(&["--json"]);
        assert_eq!(
            (finished.code, finished.stderr.len()),
            (0, 0),
            "{finished:?}"
        );
        serde_json::from_str(&finished.stdout.concat()).expect("JSON")
    }

    /// The same, once it is as wanted.
    fn json_when(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let found = wait::within(wait::LIMIT, || {
            last = self.json();
            wanted(&last).then(|| last.clone())
        });
        found.unwrap_or_else(|| panic!("it stays {last}"))
    }

    fn watch(&self, options: &[&str]) -> Process {
        let daemon = program::daemon();
        let name = self.name();
        let words = [&["--status", "--watch", "--socket", &name], options].concat();
        let words = words.into_iter().map(String::from);
        let words: Vec<_> = daemon.arguments.iter().cloned().chain(words).collect();
        Process::start("mqtt-client --status", &daemon.path, &words)
    }
}

/// A table whose broker and Redis are not there.
fn nowhere() -> Config {
    cloud().signal("p").with_ports(1, 1)
}

/// The schema of `docs/` of this name.
struct Schema(Schemas, SchemaIndex);

impl Schema {
    fn read(name: &str) -> Self {
        let path = program::workspace().join("docs").join(name);
        let mut schemas = Schemas::new();
        let compiled = Compiler::new().compile(&path.display().to_string(), &mut schemas);
        let index = compiled.unwrap_or_else(|error| panic!("{error:#}"));
        Self(schemas, index)
    }

    fn refuses(&self, value: &Value) -> Option<String> {
        let error = self.0.validate(value, self.1).err();
        error.map(|error| format!("{error:#}"))
    }

    #[track_caller]
    fn allows(&self, value: &Value) {
        assert_eq!(self.refuses(value), None, "{value}");
    }
}

#[test]
fn the_table_tells_people_how_each_device_is_with_rates() {
    let place = Place::new();
    let site = place.site(cloud().with("mqtt_qos", 1).signal("p"));
    let is_over = AtomicBool::new(false);
    let finished = std::thread::scope(|scope| {
        let publisher = scope.spawn(|| {
            let mut value = 0;
            while !is_over.load(Ordering::Relaxed) {
                value += 1;
                site.publish("p", format!("{value},1708000203824,"));
                site.expect(&channel("p"), &format!("{value},1708000203824,1"));
            }
        });
        let finished = place.ask(&[]);
        is_over.store(true, Ordering::Relaxed);
        publisher.join().expect("samples flow");
        finished
    });
    assert_eq!(
        (finished.code, finished.stderr.len()),
        (0, 0),
        "{finished:?}"
    );
    let table = finished.stdout.join("\n");
    let broker = format!(
        "127.0.0.1:{}, MQTT 3.1.1, QoS 1, session new",
        site.broker.port()
    );
    for part in ["redis: up", "cloud: online for ", &broker, "KiB (0 %)"] {
        assert!(table.contains(part), "no {part} in:\n{table}");
    }
    for name in ["received", "sent", "acknowledged"] {
        let is_row = |line: &&String| line.trim_start().starts_with(name);
        let row = finished.stdout.iter().find(is_row).expect("a row");
        assert!(row.ends_with("/s)"), "no rate in:\n{table}");
    }
}

#[test]
fn json_follows_its_schemas_whatever_is_up_or_down() {
    let (status, health) = (
        Schema::read("status.schema.json"),
        Schema::read("health.schema.json"),
    );
    let spools = TempDir::new().expect("a temporary folder");
    let place = Place::new();
    let config = cloud()
        .with("mqtt_qos", 1)
        .with("spool_size", 1_048_576)
        .signal("p")
        .top("spool", serde_json::json!({ "path": spools.path() }));
    let mut site = place.site(config);
    site.publish("p", "1,1708000203824,");
    let json = place.json_when(|json| json["devices"][0]["health"]["acknowledged"] == 1);
    status.allows(&json);
    let device = &json["devices"][0];
    health.allows(&device["health"]);
    assert_eq!(json["pid"], site.daemon.id());
    assert_eq!(json["redis"]["state"], "up");
    assert_eq!(
        (&device["state"], &device["mqtt"]),
        (&"online".into(), &"3.1.1".into())
    );
    assert_eq!(device["health"]["session"], "new");
    assert_eq!(device["spool"]["size"], 1_048_576);

    // What a schema allows that allows everything shows nothing.
    for change in [
        |health: &mut Value| health["sent"] = (-1).into(),
        |health: &mut Value| health["session"] = "lost".into(),
        |health: &mut Value| health["more"] = 1.into(),
        |health: &mut Value| _ = health.as_object_mut().expect("an object").remove("oldest"),
    ] {
        let mut changed = json.clone();
        change(&mut changed["devices"][0]["health"]);
        assert!(health.refuses(&changed["devices"][0]["health"]).is_some());
        assert!(status.refuses(&changed).is_some());
    }

    site.broker.stop();
    let json = place.json_when(|json| !json["devices"][0]["last_error"].is_null());
    status.allows(&json);
    let device = &json["devices"][0];
    assert_eq!(
        (&device["state"], &device["health"]["session"]),
        (&"offline".into(), &"offline".into())
    );
    site.publish("p", "2,1708000203825,");
    let json = place.json_when(|json| json["devices"][0]["health"]["queued"] == 1);
    assert!(
        json["devices"][0]["queue"]["used"].as_u64() > Some(0),
        "{json}"
    );

    site.redis.stop();
    let json = place.json_when(|json| json["redis"]["state"] == "down");
    status.allows(&json);
    assert_eq!(json["devices"][0]["health"]["redis"], "down");
    assert!(json["redis"]["last_error"]["text"].is_string(), "{json}");
}

#[test]
fn without_a_daemon_the_exit_status_is_69_and_a_dead_ones_socket_is_none() {
    let place = Place::new();
    for _ in 0..2 {
        for options in [&[][..], &["--json"], &["--watch"]] {
            let finished = place.ask(options);
            assert_eq!(finished.code, 69, "{finished:?}");
            assert_eq!(
                finished.errors_with(&["no daemon is running there"]).len(),
                1
            );
            assert_eq!(finished.stdout, [""; 0]);
        }
        let mut daemon = place.daemon(&nowhere());
        daemon.stderr().wait_for(&["refused"]);
        daemon.kill();
        assert!(place.path().exists());
    }
}

#[test]
fn the_socket_is_its_owners_alone_outlives_a_reload_and_goes_with_the_daemon() {
    let place = Place::new();
    let mut daemon = place.daemon(&nowhere());
    daemon.stderr().wait_for(&["refused"]);
    let mode = place
        .path()
        .symlink_metadata()
        .expect("a socket")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let second = nowhere().device("second").signal("q").with_ports(1, 1);
    daemon.reload(&second);
    let json = place.json_when(|json| json["devices"][1].is_object());
    assert_eq!(json["devices"][1]["device"], "second");
    daemon.stop();
    assert!(!place.path().exists());
}

#[test]
fn a_dead_daemons_socket_is_replaced_and_beside_a_living_one_a_second_goes_on_without() {
    let place = Place::new();
    let mut dead = place.daemon(&nowhere());
    dead.stderr().wait_for(&["refused"]);
    dead.kill();
    let site = place.site(cloud().signal("p"));
    assert_eq!(place.json()["pid"], site.daemon.id());
    let mut second = place.daemon(&nowhere());
    second
        .stderr()
        .wait_for(&["no --status", "another daemon answers there"]);
    second.stderr().wait_for(&["cloud", "refused"]);
    assert_eq!(second.stop().code, 0);
    assert_eq!(place.json()["pid"], site.daemon.id());
}

#[test]
fn a_symbolic_link_in_the_sockets_place_is_not_followed() {
    let place = Place::new();
    let target = place.folder.path().join("target");
    std::os::unix::fs::symlink(&target, place.path()).expect("our own folder");
    let mut daemon = place.daemon(&nowhere());
    daemon
        .stderr()
        .wait_for(&["no --status", "no socket of ours"]);
    daemon.stop();
    assert!(place.path().is_symlink() && !target.exists());
}

#[test]
fn askers_that_never_read_hold_nothing_up() {
    let place = Place::new();
    let site = place.site(cloud().with("mqtt_qos", 1).signal("p"));
    let descriptors = site.daemon.descriptors();
    let mut silent = Vec::new();
    for number in 0..200 {
        silent.push(UnixStream::connect(place.path()).expect("the daemon runs"));
        if number % 20 == 0 {
            site.publish("p", format!("{number},1708000203824,"));
            site.expect(&channel("p"), &format!("{number},1708000203824,1"));
        }
    }
    assert_eq!(place.json()["devices"][0]["health"]["sent"], 10);
    wait::until("no descriptor is left of those who asked", || {
        wait::holds(site.daemon.descriptors() == descriptors)
    });
    drop(silent);
}

#[test]
fn watching_goes_on_over_a_restart_until_ctrl_c() {
    let place = Place::new();
    let mut daemon = place.daemon(&nowhere());
    daemon.stderr().wait_for(&["refused"]);
    let mut watching = place.watch(&[]);
    let looks = |word: &str, count| {
        wait::until(format_args!("{count} times {word}"), || {
            wait::holds(watching.stdout().with(&[word]).len() >= count)
        });
    };
    looks("cloud: offline", 2);
    daemon.stop();
    looks("no daemon is running there", 1);
    let seen = watching.stdout().with(&["cloud: offline"]).len();
    let _again = place.daemon(&nowhere());
    looks("cloud: offline", seen + 1);
    watching.signal(Signal::INT);
    assert!(!watching.wait().success());

    let watching = place.watch(&["--json"]);
    wait::until("two lines", || {
        wait::holds(watching.stdout().all().len() >= 2)
    });
    for line in watching.stdout().all() {
        serde_json::from_str::<Value>(&line).expect("an object in a line");
    }
}

#[test]
fn another_users_daemon_cannot_be_asked() {
    let place = Place::new();
    let daemon = place.daemon(&nowhere());
    daemon.stderr().wait_for(&["refused"]);
    let set_mode = |path: &Path, mode| {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("our own");
    };
    let program = program::daemon();
    let mut command = if rustix::process::geteuid().is_root() {
        // For root, every socket is open.
        set_mode(place.folder.path(), 0o755);
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
        command.arg(&program.path);
        command
    } else {
        set_mode(&place.path(), 0o000);
        Command::new(&program.path)
    };
    command.args(&program.arguments);
    command.args(["--status", "--socket", &place.name()]);
    let output = command.output().expect("run the daemon");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(77), "{errors}");
    assert!(errors.contains("only its own user and root"), "{errors}");
}
