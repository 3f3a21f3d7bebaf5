//! Is all that pip, npm and cargo bring named by its hash? Whoever adds a package adds its hashes: a new file of requirements joins by a line.

use std::fs;
use std::path::Path;
use std::process::Command;

use mqtt_client_tests::program;
use serde_json::Value;

/// Files that pip installs from.
const REQUIREMENTS: [&str; 3] = [
    "port-linux/cross/zig.txt",
    "tests/brokers/amqtt/requirements.txt",
    "tests/peers/python/requirements.txt",
];

fn read(path: &str) -> String {
    let path = program::workspace().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files that the repository holds.
fn tracked(pattern: &str) -> Vec<String> {
    let mut git = Command::new("git");
    let git = git.current_dir(program::workspace());
    let output = program::output(git.args(["ls-files", "--", pattern]));
    let output = output.expect("git lists the repository's files");
    output.lines().map(String::from).collect()
}

#[test]
fn every_package_for_python_has_an_exact_version_and_hashes() {
    for file in REQUIREMENTS {
        let text = read(file).replace("\\\n", " ");
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let mut packages = 0;
        for line in lines {
            let words: Vec<_> = line.split_whitespace().collect();
            let [package, hashes @ ..] = &words[..] else {
                panic!("{file}: an empty line");
            };
            assert!(package.contains("=="), "{file}: {package}");
            assert!(!hashes.is_empty(), "{file}: {package} has no hash");
            for hash in hashes {
                let digits = hash.strip_prefix("--hash=sha256:");
                assert_eq!(digits.map(str::len), Some(64), "{file}: {package} {hash}");
            }
            packages += 1;
        }
        assert!(packages > 0, "{file}");
    }
}

#[test]
fn pip_installs_from_these_files_alone_and_only_by_hashes() {
    let known: Vec<_> = tracked("*requirements*.txt");
    for file in &known {
        assert!(REQUIREMENTS.contains(&&**file), "{file} is not in the list");
    }
    let dockerfile = read("port-linux/cross/Dockerfile");
    let line = dockerfile.lines().find(|line| line.contains("pip install"));
    assert!(line.is_some_and(|line| line.contains("--require-hashes")));
}

#[test]
fn every_package_for_node_has_its_hash_and_runs_nothing_while_it_is_installed() {
    let locks = tracked("*package-lock.json");
    assert!(!locks.is_empty());
    for file in locks {
        let lock: Value = serde_json::from_str(&read(&file)).expect("JSON");
        let packages = lock["packages"].as_object().expect("packages");
        for (name, package) in packages.iter().filter(|(name, _)| !name.is_empty()) {
            let hash = package["integrity"].as_str().unwrap_or_default();
            assert!(hash.starts_with("sha512-"), "{file}: {name}");
            assert!(package["hasInstallScript"].is_null(), "{file}: {name}");
        }
    }
}

#[test]
fn every_crate_comes_from_the_registry_with_its_checksum_or_from_this_repository() {
    for file in tracked("*Cargo.lock") {
        for package in read(&file).split("[[package]]").skip(1) {
            let is_own = !package.contains("\nsource = ");
            let has_checksum = package.contains("\nchecksum = ");
            let is_registrys = package.contains("\nsource = \"registry+");
            assert!(is_own || is_registrys && has_checksum, "{file}: {package}");
        }
    }
}

#[test]
fn every_release_is_built_with_the_lock_file_as_it_is() {
    let mut builds = 0;
    for file in tracked("*.rs") {
        // A list of arguments may be of several lines.
        for statement in read(&file).split(';') {
            let is_build = statement.contains("\"build\"") && statement.contains("\"--release\"");
            if is_build && Path::new(&file).starts_with("tests/src") {
                assert!(statement.contains("\"--locked\""), "{file}: {statement}");
                builds += 1;
            }
        }
    }
    assert!(builds >= 4, "{builds}");
    for file in ["README.md", "cross.toml", "port-bare/README.md"] {
        for line in read(file).lines() {
            let is_build = line.contains("build --release") || line.contains("build -r ");
            assert!(!is_build, "{file}: {line}");
        }
    }
}
