//! The feed's `Makefile`, run by make with a stand-in for OpenWrt's build system: what it installs, and what it tells cargo.

use std::path::Path;
use std::process::Command;

use mqtt_client_tests::install::{self, Tool};
use mqtt_client_tests::program;
use tempfile::TempDir;

const MAKE: Tool = Tool {
    program: "make",
    package: "make",
};

/// The parts of OpenWrt's `rules.mk`, `package.mk` and `rust-package.mk` that the Makefile uses, and one target for each of its recipes.
const STAND_IN: [(&str, &str); 3] = [
    (
        "rules.mk",
        "INCLUDE_DIR:=$(TOPDIR)/include
INSTALL_DIR:=install -d -m0755
INSTALL_BIN:=install -m0755
INSTALL_DATA:=install -m0644
INSTALL_CONF:=install -m0600
TAR:=tar
",
    ),
    (
        "include/package.mk",
        "define BuildPackage
prepare:
\t$$(Build/Prepare)
compile:
\t$$(Build/Compile)
install:
\t$$(call Package/$(1)/install,$$(DESTINATION))
print:
\t@echo $(PKG_NAME) $(PKG_VERSION) $(PKG_RELEASE) $$(strip $$(Package/$(1)/conffiles))
endef
",
    ),
    (
        "feeds/packages/lang/rust/rust-package.mk",
        "RUST_ARCH_DEPENDS:=@mips
RustBinPackage=
Build/Compile/Cargo=@echo cargo install --path $(1)
",
    ),
];

fn make(target: &str, variables: &[(&str, &Path)]) -> String {
    let top = TempDir::new().expect("a temporary folder");
    for (name, text) in STAND_IN {
        let path = top.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a new folder");
        std::fs::write(path, text).expect("write to a temporary folder");
    }
    let mut command = Command::new(install::path(MAKE));
    command
        .args(["--no-print-directory", "--silent", "-C"])
        .arg(program::workspace().join("port-linux/openwrt"))
        .arg(format!("TOPDIR={}", top.path().display()))
        .arg(target);
    for (name, path) in variables {
        command.arg(format!("{name}={}", path.display()));
    }
    let output = command.output().expect("run make");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn the_version_is_that_of_the_program_and_both_configurations_are_kept() {
    assert_eq!(
        make("print", &[]).trim_end(),
        format!(
            "mqtt-client {} 1 /etc/elseta-mqtt.conf /etc/elseta-mqtt.json",
            env!("CARGO_PKG_VERSION")
        )
    );
}

#[test]
fn cargo_builds_the_linux_port() {
    assert_eq!(
        make("compile", &[]).trim_end(),
        "cargo install --path port-linux"
    );
}

#[test]
fn the_sources_are_the_workspace_without_what_was_built_or_is_for_other_builds() {
    let folder = TempDir::new().expect("a temporary folder");
    make("prepare", &[("PKG_BUILD_DIR", folder.path())]);
    for (name, is_there) in [
        ("Cargo.lock", true),
        ("core/src/lib.rs", true),
        ("port-linux/src/main.rs", true),
        ("target", false),
        (".git", false),
        (".cargo", false),
    ] {
        assert_eq!(folder.path().join(name).exists(), is_there, "{name}");
    }
}

#[test]
fn it_installs_what_the_ipk_has() {
    let folder = TempDir::new().expect("a temporary folder");
    let (built, destination) = (folder.path().join("built"), folder.path().join("root"));
    std::fs::create_dir_all(built.join("bin")).expect("a new folder");
    std::fs::write(built.join("bin/mqtt-client"), "").expect("write to a temporary folder");
    make(
        "install",
        &[
            ("PKG_BUILD_DIR", program::workspace()),
            ("PKG_INSTALL_DIR", &built),
            ("DESTINATION", &destination),
        ],
    );
    let output = Command::new("find")
        .args([".", "-type", "f", "-printf", "%m %p\n"])
        .current_dir(&destination)
        .output()
        .expect("run find");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let mut files: Vec<_> = text.lines().collect();
    files.sort_unstable();
    // OpenWrt's build adds lib/upgrade/keep.d by itself, for the conffile that is not installed.
    assert_eq!(
        files,
        [
            "600 ./etc/elseta-mqtt.json",
            "644 ./usr/share/mqtt-client/example.json",
            "755 ./etc/init.d/mqtt-client",
            "755 ./usr/bin/mqtt-client",
        ]
    );
}
