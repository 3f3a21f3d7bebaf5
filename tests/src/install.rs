//! Where the programs that tests need come from: found on this machine, else installed with apt.

pub mod packages;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

/// A program, and the Debian package that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tool {
    /// The program's name, or its full path where only that one will do.
    pub program: &'static str,
    /// The Debian package.
    pub package: &'static str,
}

impl Tool {
    /// A program, and the Debian package that has it.
    #[must_use]
    pub const fn new(program: &'static str, package: &'static str) -> Self {
        Self { program, package }
    }
}

/// The Redis server.
pub const REDIS_SERVER: Tool = Tool::new("redis-server", "redis-server");
/// The MQTT broker.
pub const MOSQUITTO: Tool = Tool::new("mosquitto", "mosquitto");
/// Writes the broker's password file.
pub const MOSQUITTO_PASSWD: Tool = Tool::new("mosquitto_passwd", "mosquitto");
/// Makes RSA keys, converts keys, and serves TLS as a broker would not.
pub const OPENSSL: Tool = Tool::new("openssl", "openssl");
/// An HTTP proxy, without its service.
pub const TINYPROXY: Tool = Tool::new("tinyproxy", "tinyproxy-bin");
/// What tests start.
pub const SERVERS: [Tool; 5] = [
    REDIS_SERVER,
    MOSQUITTO,
    MOSQUITTO_PASSWD,
    OPENSSL,
    TINYPROXY,
];
/// Sets a program's clock.
pub const FAKETIME: Tool = Tool::new("faketime", "faketime");
/// Writes down a program's system calls.
pub const STRACE: Tool = Tool::new("strace", "strace");
/// Makes network namespaces and links between them.
pub const IP: Tool = Tool::new("ip", "iproute2");
/// For a person at the demo's servers.
pub const MOSQUITTO_SUB: Tool = Tool::new("mosquitto_sub", "mosquitto-clients");
/// A client without any configuration of its own.
pub const MOSQUITTO_PUB: Tool = Tool::new("mosquitto_pub", "mosquitto-clients");
/// For a person at the demo's servers.
pub const REDIS_CLI: Tool = Tool::new("redis-cli", "redis-tools");

/// Only one apt at a time: it locks its database.
static APT: Mutex<()> = Mutex::new(());

/// The path of a tool, installed if need be.
///
/// # Panics
///
/// If it is not there and cannot be installed; the message says what to do.
#[must_use]
pub fn path(tool: Tool) -> PathBuf {
    match find(tool.program) {
        Some(path) => path,
        None => {
            ensure(&[tool]).unwrap_or_else(|error| panic!("{error}"));
            find(tool.program).expect("a program that was just installed")
        }
    }
}

/// Installs those of `tools` that are missing.
///
/// Debian starts a service that it installs. Nothing here depends on that: the tests' servers have their own folders and ports.
///
/// # Errors
///
/// If something is missing and cannot be installed: what, why, and the command that would do it.
pub fn ensure(tools: &[Tool]) -> Result<(), String> {
    let _turn = APT.lock().unwrap_or_else(|broken| broken.into_inner());
    let mut packages: Vec<_> = tools
        .iter()
        .filter(|tool| find(tool.program).is_none())
        .map(|tool| tool.package)
        .collect();
    packages.sort_unstable();
    packages.dedup();
    if packages.is_empty() {
        return Ok(());
    }
    install(&packages).map_err(|reason| complaint(&packages, &reason))?;
    match tools.iter().find(|tool| find(tool.program).is_none()) {
        None => Ok(()),
        Some(tool) => Err(format!(
            "{} is installed, but {} is still not found",
            tool.package, tool.program
        )),
    }
}

fn complaint(packages: &[&str], reason: &str) -> String {
    let list = packages.join(" ");
    format!("needed, not installed: {list} ({reason}). Please run: sudo apt-get install {list}")
}

fn install(packages: &[&str]) -> Result<(), String> {
    let apt = find("apt-get").ok_or("this system has no apt-get")?;
    let as_root: &[&str] = if rustix::process::geteuid().is_root() {
        &[]
    } else if find("sudo").is_some() {
        // Never asks for a password: nobody may be there to type it.
        &["sudo", "-n"]
    } else {
        return Err(String::from("not root, and no sudo"));
    };
    let run = |arguments: &[&str]| {
        let mut words = as_root.to_vec();
        words.extend(["env", "DEBIAN_FRONTEND=noninteractive"]);
        let apt = apt.to_str().ok_or("the path of apt-get is no UTF-8")?;
        // Another one may be at work, as on a machine that has just started.
        words.extend([apt, "-o", "DPkg::Lock::Timeout=300"]);
        words.extend(arguments);
        let output = Command::new(words[0])
            .args(&words[1..])
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("{}: {error}", words[0]))?;
        if output.status.success() {
            return Ok(());
        }
        let errors = String::from_utf8_lossy(&output.stderr);
        let last = errors.lines().last().unwrap_or("no reason given");
        Err(format!("apt-get {}: {last}", arguments[0]))
    };
    let mut arguments = vec!["install", "-y", "--no-install-recommends"];
    arguments.extend(packages);
    // A fresh machine has no package lists, and an old one stale ones: so once more after an update.
    run(&arguments).or_else(|_| run(&["update"]).and_then(|()| run(&arguments)))
}

/// The path of a program that is installed. Debian keeps servers in `/usr/sbin`, which is not in everybody's `PATH`.
#[must_use]
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path);
    let folders = folders.chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    // Joining an absolute path gives that path.
    folders
        .map(|folder| folder.join(program))
        .find(|path| Path::is_file(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_by_name_or_by_full_path() {
        assert!(find("sh").is_some());
        assert_eq!(find("/bin/sh"), Some(PathBuf::from("/bin/sh")));
        assert_eq!(find("no-such-program-anywhere"), None);
    }

    #[test]
    fn missing_packages_are_named_with_the_command_that_installs_them() {
        let text = complaint(&["mosquitto", "redis-server"], "not root, and no sudo");
        assert_eq!(
            text,
            "needed, not installed: mosquitto redis-server (not root, and no sudo). \
             Please run: sudo apt-get install mosquitto redis-server"
        );
    }
}
