//! A system on this machine, with the daemon and the package, and with what stands in for OpenWrt's rc.common, procd and opkg on the emulated gateway
//! (`tests/gateway/root`): everything below one folder.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use mqtt_client_tests::{Config, gateway, install, program, wait};
use tempfile::TempDir;

use crate::init_script::{BUSYBOX, search_path, write_stubs};

pub struct System(TempDir);

/// What runs the daemon, in the place of the binary: with a version, and a line in a file for each start.
fn binary(version: &str, starts: &Path) -> String {
    let daemon = program::daemon();
    let words = daemon.arguments.join(" ");
    format!(
        "#!/bin/sh\n# {version}\ncase $1 in --check | --status) ;; *) echo started >>{} ;; esac\nexec {} {words} \"$@\"\n",
        starts.display(),
        daemon.path.display()
    )
}

impl System {
    /// Installs the package.
    pub fn new() -> Self {
        let system = Self(TempDir::new().expect("a temporary folder"));
        let workspace = program::workspace();
        copy(&workspace.join("tests/gateway/root"), &system.path(""));
        for folder in [
            "etc/rc.d",
            "tmp",
            "usr/lib/opkg/info",
            "var/run/procd",
            "stubs",
            "feed/openwrt",
        ] {
            std::fs::create_dir_all(system.path(folder)).expect("a new folder");
        }
        // The system log: a line for each that is read, or the words that are given.
        let logger = format!(
            "#!/bin/sh\nexec >>{}\n[ $# -le 4 ] || exec echo \"$*\"\nexec sed -u \"s,^,$* ,\"\n",
            system.path("log").display()
        );
        write_stubs(&system.path("stubs"));
        system.write("stubs/logger", &logger);
        copy(
            &workspace.join("port-linux/openwrt"),
            &system.path("feed/openwrt"),
        );
        let example = workspace.join("port-linux/example.json");
        copy(&example, &system.path("feed/example.json"));
        // The script names files of a whole system.
        let script = "feed/openwrt/mqtt-client/files/mqtt-client.init";
        let root = system.path("").display().to_string();
        let text = system.text(script);
        let text = [
            "/usr/bin/mqtt-client",
            "/etc/elseta",
            "/var/run/mqtt-client",
        ]
        .into_iter()
        .fold(text, |text, path| {
            text.replace(path, &format!("{root}{}", &path[1..]))
        });
        system.write(script, &text);
        let (code, errors) = system.opkg("install", "1");
        assert_eq!((code, errors.as_str()), (0, ""));
        system
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Writes a program.
    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("write to a temporary folder");
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(self.path(name), mode).expect("our own file");
    }

    /// A command line in busybox's shell: with the stubs, no environment that the init script could notice, and no wait between two starts.
    fn shell(&self, words: &[&str]) -> Command {
        let mut command = Command::new(install::path(BUSYBOX));
        command
            .arg("ash")
            .args(words)
            .env("IPKG_INSTROOT", self.0.path())
            .env("PROCD_WAIT", "0.01")
            .env("STUB_LOG", self.path("stub-log"))
            .env("PATH", search_path(&self.path("stubs")));
        command
    }

    /// What the package manager says: `install`, or `upgrade` as apk does it, to a version of the daemon.
    pub fn opkg(&self, command: &str, version: &str) -> (i32, String) {
        self.write("feed/built", &binary(version, &self.path("starts")));
        let output = Command::new(self.path("feed/openwrt/make-ipk"))
            .arg(self.path("feed/built"))
            .arg(gateway::BIG_ENDIAN.architecture)
            .arg(self.path("feed/out"))
            .output()
            .expect("run make-ipk");
        let package = said(&output);
        self.run_opkg(&[command, package.trim()])
    }

    pub fn remove(&self) -> (i32, String) {
        self.run_opkg(&["remove", "mqtt-client"])
    }

    fn run_opkg(&self, words: &[&str]) -> (i32, String) {
        let opkg = self.path("bin/opkg").display().to_string();
        let output = self
            .shell(&[&[opkg.as_str()], words].concat())
            .output()
            .expect("run opkg");
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code().expect("an exit code"), errors)
    }

    /// `/etc/init.d/mqtt-client COMMAND`: its exit code, and the first line that it printed.
    pub fn service(&self, command: &str) -> (i32, String) {
        let (code, text) = self.service_in_full(command);
        (code, text.lines().next().unwrap_or_default().to_owned())
    }

    /// The same, with all that it printed.
    pub fn service_in_full(&self, command: &str) -> (i32, String) {
        let [common, script] = ["etc/rc.common", "etc/init.d/mqtt-client"]
            .map(|name| self.path(name).display().to_string());
        let output = self
            .shell(&[&common, &script, command])
            .output()
            .expect("run busybox");
        (
            output.status.code().expect("an exit code"),
            said(&output).trim().to_owned(),
        )
    }

    pub fn configure(&self, config: &Config) {
        config.write(&self.path("etc/elseta-mqtt.json"));
    }

    /// The daemon's process id, if it runs.
    pub fn daemon(&self) -> Option<u32> {
        let text = std::fs::read_to_string(self.path("var/run/procd/mqtt-client/pid"));
        text.ok()?.trim().parse().ok()
    }

    /// How often the daemon was started.
    pub fn starts(&self) -> usize {
        let starts = std::fs::read_to_string(self.path("starts"));
        starts.unwrap_or_default().lines().count()
    }

    /// Waits until another process than this one is the daemon, and returns its id.
    #[track_caller]
    pub fn another_daemon(&self, than: u32) -> u32 {
        wait::until("another daemon", || self.daemon().filter(|&id| id != than))
    }

    /// How many lines of the system log contain these words?
    pub fn log(&self, words: &str) -> usize {
        let log = std::fs::read_to_string(self.path("log")).unwrap_or_default();
        log.lines().filter(|line| line.contains(words)).count()
    }

    /// Waits for so many of them.
    #[track_caller]
    pub fn wait_for_log(&self, words: &str, count: usize) {
        wait::until(format_args!("{words} in the log"), || {
            wait::holds(self.log(words) >= count)
        });
    }
}

impl Drop for System {
    fn drop(&mut self) {
        self.service("stop");
        let has_ended = || wait::holds(!self.path("var/run/procd/mqtt-client").exists());
        if wait::within(wait::LIMIT, has_ended).is_none() && !std::thread::panicking() {
            panic!("the daemon does not end");
        }
    }
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").args(["-rT"]).args([from, to]).status();
    assert!(status.expect("run cp").success(), "{}", from.display());
}
