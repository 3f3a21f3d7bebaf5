//! The feed's `Makefile`, in a stand-in for an OpenWrt tree (`tree`): is it found, when does it build again, what does it install?

use std::path::{Path, PathBuf};
use std::process::Command;

use mqtt_client_tests::install::{self, Tool};
use mqtt_client_tests::program;
use tempfile::TempDir;

const MAKE: Tool = Tool {
    program: "make",
    package: "make",
};

/// The package's folder, in a workspace.
const PACKAGE: &str = "port-linux/openwrt/mqtt-client";

/// An OpenWrt tree, and a workspace with the real feed and little else.
struct Tree(TempDir);

impl Tree {
    fn new() -> Self {
        let tree = Self(TempDir::new().expect("a temporary folder"));
        let stand_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openwrt/tree");
        copy(&stand_in, &tree.path("openwrt"));
        for name in [
            "Cargo.lock",
            "core/src/lib.rs",
            "target/debug/built",
            ".cargo/config.toml",
            ".git/HEAD",
        ] {
            tree.write(name, "");
        }
        let feed = "port-linux/openwrt";
        std::fs::create_dir(tree.workspace().join("port-linux")).expect("a new folder");
        copy(
            &program::workspace().join(feed),
            &tree.workspace().join(feed),
        );
        tree
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn workspace(&self) -> PathBuf {
        self.path("workspace")
    }

    /// Writes a file of the workspace.
    fn write(&self, name: &str, text: &str) {
        let path = self.workspace().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a new folder");
        std::fs::write(&path, text).expect("write to a temporary folder");
    }

    /// Runs a script in the OpenWrt tree: whether it succeeded, and what it printed.
    fn run(&self, script: &str) -> (bool, String) {
        let make = install::path(MAKE);
        let folder = make.parent().expect("a program's folder").display();
        let output = Command::new("sh")
            .args(["-ec", script])
            .current_dir(self.path("openwrt"))
            .env("PATH", format!("{folder}:/usr/bin:/bin"))
            .env("MAKEFLAGS", "--no-print-directory --silent")
            .output()
            .expect("run sh");
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).trim_end().to_owned();
        (output.status.success(), text)
    }

    /// Makes a target of the package's own Makefile, in this workspace.
    fn make(&self, workspace: &Path, target: &str, variables: &[(&str, &Path)]) -> String {
        let folder = workspace.join(PACKAGE).display().to_string();
        let mut script =
            format!("./scripts/feeds update packages; make -C {folder} TOPDIR=$PWD {target}");
        for (name, path) in variables {
            script += &format!(" {name}={}", path.display());
        }
        let (succeeded, text) = self.run(&script);
        assert!(succeeded, "{text}");
        text
    }

    /// What the README says about a firmware build, with this workspace's path.
    fn steps_of_the_readme(&self) -> String {
        let readme = std::fs::read_to_string(program::workspace().join("README.md"));
        let readme = readme.expect("the README");
        let (_, part) = readme
            .split_once("**In a firmware build.**")
            .expect("its part about OpenWrt's build");
        let (_, steps) = part.split_once("```sh\n").expect("its steps");
        let (steps, _) = steps.split_once("```").expect("their end");
        let workspace = self.workspace().display().to_string();
        assert!(steps.contains("/path/to/mqtt-client"), "{steps}");
        steps.replace("/path/to/mqtt-client", &workspace)
    }
}

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-r").args([from, to]).status();
    assert!(status.expect("run cp").success(), "{}", from.display());
}

/// What the stand-in says when it builds.
const BUILT: &str = "cargo install --path port-linux";

#[test]
fn the_steps_of_the_readme_build_the_linux_port() {
    let tree = Tree::new();
    assert_eq!(
        tree.run(&tree.steps_of_the_readme()),
        (true, BUILT.to_owned())
    );
}

#[test]
fn a_change_in_any_source_is_built_again_and_nothing_else_is() {
    let tree = Tree::new();
    let (succeeded, text) = tree.run(&tree.steps_of_the_readme());
    assert!(succeeded, "{text}");
    let again = || tree.run("make package/mqtt-client/compile");
    assert_eq!(again(), (true, String::new()));
    for name in ["core/src/lib.rs", "Cargo.lock", "port-linux/src/main.rs"] {
        tree.write(name, "changed");
        assert_eq!(again(), (true, BUILT.to_owned()), "{name}");
        let copy = tree.path("openwrt/build_dir/mqtt-client").join(name);
        assert_eq!(std::fs::read_to_string(copy).expect("a copy"), "changed");
        assert_eq!(again(), (true, String::new()), "{name}");
    }
    for name in ["target/debug/built", ".git/HEAD"] {
        tree.write(name, "changed");
        assert_eq!(again(), (true, String::new()), "{name}");
    }
}

#[test]
fn the_sources_are_the_workspace_without_what_was_built_or_is_for_other_builds() {
    let tree = Tree::new();
    let (succeeded, text) = tree.run(&tree.steps_of_the_readme());
    assert!(succeeded, "{text}");
    let folder = tree.path("openwrt/build_dir/mqtt-client");
    for (name, is_there) in [
        ("Cargo.lock", true),
        ("core/src/lib.rs", true),
        ("port-linux/openwrt/make-ipk", true),
        ("target", false),
        (".git", false),
        (".cargo", false),
    ] {
        assert_eq!(folder.join(name).exists(), is_there, "{name}");
    }
}

#[test]
fn the_version_is_that_of_the_program_and_both_configurations_and_keys_are_kept() {
    let tree = Tree::new();
    assert_eq!(
        tree.make(&tree.workspace(), "print", &[]),
        format!(
            "mqtt-client {} 1 mqtt-client:mqtt-client /etc/elseta-mqtt.conf /etc/elseta-mqtt.json /etc/mqtt-client/",
            env!("CARGO_PKG_VERSION")
        )
    );
}

#[test]
fn it_installs_what_the_ipk_has() {
    let tree = Tree::new();
    let (built, destination) = (tree.path("built"), tree.path("root"));
    std::fs::create_dir_all(built.join("bin")).expect("a new folder");
    std::fs::write(built.join("bin/mqtt-client"), "").expect("write to a temporary folder");
    tree.make(
        program::workspace(),
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
    // OpenWrt's build adds lib/upgrade/keep.d by itself, for what is no installed file.
    assert_eq!(
        files,
        [
            "640 ./etc/elseta-mqtt.json",
            "644 ./usr/share/mqtt-client/example.json",
            "755 ./etc/init.d/mqtt-client",
            "755 ./usr/bin/mqtt-client",
        ]
    );
}
