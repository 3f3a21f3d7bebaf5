//! The .ipk that `make-ipk` writes: unpacked with tar, as opkg does.

use std::path::{Path, PathBuf};
use std::process::Command;

use mqtt_client_tests::install;
use mqtt_client_tests::{gateway, program, supply};
use tempfile::TempDir;

use crate::init_script::BUSYBOX;

/// A package of some binary, unpacked.
struct Package {
    folder: TempDir,
    file: PathBuf,
}

const BINARY: &[u8] = b"\x7fELF and so on";

impl Package {
    fn new() -> Self {
        Self::with(|_| None)
    }

    /// `licences` makes the folder of what is in the binary, if there is to be one.
    fn with(licences: impl FnOnce(&Path) -> Option<PathBuf>) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let binary = folder.path().join("built");
        std::fs::write(&binary, BINARY).expect("write to a temporary folder");
        let output = Command::new(program::workspace().join("port-linux/openwrt/make-ipk"))
            .arg(&binary)
            .arg(gateway::BIG_ENDIAN.architecture)
            .arg(folder.path().join("out"))
            .args(licences(folder.path()))
            .output()
            .expect("run make-ipk");
        assert!(output.status.success(), "{output:?}");
        let file = String::from_utf8(output.stdout).expect("UTF-8");
        let file = PathBuf::from(file.trim_end());
        let package = Self { folder, file };
        package.unpack(&package.file, "ipk");
        package.unpack(&package.path("ipk/data.tar.gz"), "data");
        package.unpack(&package.path("ipk/control.tar.gz"), "control");
        package
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn unpack(&self, archive: &Path, folder: &str) {
        std::fs::create_dir(self.path(folder)).expect("a new folder");
        tar(&["-xzf".as_ref(), archive, "-C".as_ref(), &self.path(folder)]);
    }

    /// A maintainer script, run on a gateway whose `functions.sh` says what it is asked.
    fn run(&self, script: &str, no_script: &str) -> String {
        let root = TempDir::new().expect("a temporary folder");
        std::fs::create_dir(root.path().join("lib")).expect("a new folder");
        let functions = "default_postinst() { echo postinst \"$#\"; }\ndefault_prerm() { echo prerm \"$#\"; }\n";
        std::fs::write(root.path().join("lib/functions.sh"), functions).expect("write");
        let output = Command::new(install::path(BUSYBOX))
            .arg("ash")
            .arg(self.path("control").join(script))
            .arg("configure")
            .env("IPKG_INSTROOT", root.path())
            .env("IPKG_NO_SCRIPT", no_script)
            .output()
            .expect("run busybox");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }
}

fn tar(arguments: &[&Path]) -> String {
    let output = Command::new("tar").args(arguments).output();
    let output = output.expect("run tar");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Mode, owner and name of each member, but for the folder itself.
fn members(archive: &Path) -> Vec<String> {
    let list = tar(&["--numeric-owner".as_ref(), "-tvzf".as_ref(), archive]);
    let member = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        format!("{} {} {}", words[0], words[1], words[5])
    };
    let all = list.lines().map(member);
    all.filter(|line| !line.ends_with(" ./")).collect()
}

#[test]
fn the_package_is_named_by_version_and_architecture() {
    let name = Package::new().file.file_name().map(ToOwned::to_owned);
    let version = env!("CARGO_PKG_VERSION");
    let expected = format!("mqtt-client_{version}-r1_mips_24kc.ipk");
    assert_eq!(name, Some(expected.into()));
}

#[test]
fn the_archives_stand_in_the_order_that_opkg_expects() {
    let package = Package::new();
    let expected = ["./debian-binary", "./data.tar.gz", "./control.tar.gz"];
    assert_eq!(
        members(&package.file),
        expected.map(|name| format!("-rw-r--r-- 0/0 {name}"))
    );
    assert_eq!(package.text("ipk/debian-binary"), "2.0\n");
}

#[test]
fn every_file_has_its_place_its_mode_and_root_as_owner() {
    let package = Package::new();
    assert_eq!(
        members(&package.path("ipk/data.tar.gz")),
        [
            "drwxr-xr-x 0/0 ./etc/",
            "-rw-r----- 0/0 ./etc/elseta-mqtt.json",
            "drwxr-xr-x 0/0 ./etc/init.d/",
            "-rwxr-xr-x 0/0 ./etc/init.d/mqtt-client",
            "drwxr-xr-x 0/0 ./etc/mqtt-client/",
            "drwxr-xr-x 0/0 ./lib/",
            "drwxr-xr-x 0/0 ./lib/upgrade/",
            "drwxr-xr-x 0/0 ./lib/upgrade/keep.d/",
            "-rw-r--r-- 0/0 ./lib/upgrade/keep.d/mqtt-client",
            "drwxr-xr-x 0/0 ./usr/",
            "drwxr-xr-x 0/0 ./usr/bin/",
            "-rwxr-xr-x 0/0 ./usr/bin/mqtt-client",
            "drwxr-xr-x 0/0 ./usr/share/",
            "drwxr-xr-x 0/0 ./usr/share/mqtt-client/",
            "-rw-r--r-- 0/0 ./usr/share/mqtt-client/example.json",
        ]
    );
    let binary = std::fs::read(package.path("data/usr/bin/mqtt-client"));
    assert_eq!(binary.expect("the binary"), BINARY);
}

#[test]
fn what_is_in_the_binary_is_installed_packed() {
    let package = Package::with(|folder| {
        let licences = folder.join("licences");
        std::fs::create_dir(&licences).expect("a new folder");
        for name in [supply::SBOM, supply::NOTICES] {
            std::fs::write(licences.join(name), name).expect("a new file");
        }
        Some(licences)
    });
    let installed = "data/usr/share/licenses/mqtt-client";
    for name in [supply::SBOM, supply::NOTICES] {
        let file = package.path(installed).join(format!("{name}.gz"));
        let text = program::output(Command::new("zcat").arg(file));
        assert_eq!(text.as_deref(), Ok(name));
    }
    let members = members(&package.path("ipk/data.tar.gz"));
    let modes = members.iter().filter(|line| line.contains("/licenses/"));
    let expected = [
        "drwxr-xr-x 0/0 ./usr/share/licenses/",
        "drwxr-xr-x 0/0 ./usr/share/licenses/mqtt-client/",
        "-rw-r--r-- 0/0 ./usr/share/licenses/mqtt-client/notices.txt.gz",
        "-rw-r--r-- 0/0 ./usr/share/licenses/mqtt-client/sbom.cdx.json.gz",
    ];
    assert!(modes.eq(expected));
}

#[test]
fn the_control_file_says_what_opkg_needs_to_know() {
    let package = Package::new();
    let control = package.text("control/control");
    let version = format!("Version: {}-r1", env!("CARGO_PKG_VERSION"));
    for line in [
        "Package: mqtt-client",
        &version,
        "Architecture: mips_24kc",
        "License: MIT",
        "Require-User: mqtt-client:mqtt-client",
        "Description: Forwards measurements from Redis to MQTT brokers",
    ] {
        assert!(control.lines().any(|other| other == line), "{line}");
    }
    let size = control
        .lines()
        .find_map(|line| line.strip_prefix("Installed-Size: "));
    let size: usize = size.and_then(|text| text.parse().ok()).expect("a size");
    assert!(size > BINARY.len());
}

#[test]
fn the_configuration_and_the_folder_of_keys_outlive_upgrades_of_the_package_and_of_the_firmware() {
    let package = Package::new();
    // opkg complains of a conffile that is not in the package, so the other one is left to sysupgrade.
    assert_eq!(package.text("control/conffiles"), "/etc/elseta-mqtt.json\n");
    assert_eq!(
        package.text("data/lib/upgrade/keep.d/mqtt-client"),
        "/etc/elseta-mqtt.conf\n/etc/mqtt-client/\n"
    );
}

#[test]
fn the_maintainer_scripts_do_what_openwrts_own_do() {
    let package = Package::new();
    assert_eq!(
        members(&package.path("ipk/control.tar.gz")),
        [
            "-rw-r--r-- 0/0 ./conffiles",
            "-rw-r--r-- 0/0 ./control",
            "-rwxr-xr-x 0/0 ./postinst",
            "-rwxr-xr-x 0/0 ./prerm",
        ]
    );
    for script in ["postinst", "prerm"] {
        // The script's own name, and what it was given.
        assert_eq!(package.run(script, ""), format!("{script} 2\n"));
        assert_eq!(package.run(script, "1"), "");
    }
}

#[test]
fn the_same_binary_gives_the_same_package() {
    let bytes = || std::fs::read(Package::new().file).expect("the package");
    assert!(bytes() == bytes());
}
