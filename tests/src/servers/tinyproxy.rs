//! A real HTTP proxy, as Debian ships it.

use std::net::TcpStream;

use tempfile::TempDir;

use super::write_configuration;
use crate::port::Reserved;
use crate::process::{Lines, Process};
use crate::{install, wait};

/// A proxy on a loopback port. Its log names every request.
pub struct Tinyproxy {
    process: Process,
    port: Reserved,
    _folder: TempDir,
}

impl Tinyproxy {
    /// Starts a proxy whose configuration has these lines as well: `ConnectPort 443`, `BasicAuth user password`.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[must_use]
    pub fn start_with(lines: &[&str]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let port = Reserved::new();
        let fixed = [
            format!("Port {}", port.number()),
            String::from("Listen 127.0.0.1"),
            String::from("Allow 127.0.0.1"),
            String::from("MaxClients 50"),
            String::from("Timeout 600"),
            String::from("LogLevel Info"),
        ];
        let lines: Vec<_> = lines.iter().map(|&line| String::from(line)).collect();
        let file = folder.path().join("tinyproxy.conf");
        write_configuration(&file, &fixed, &lines);
        let arguments = ["-d", "-c", &file.display().to_string()].map(String::from);
        let program = install::path(install::TINYPROXY);
        let process = Process::start("tinyproxy", &program, &arguments);
        wait::until("the proxy to listen", || {
            TcpStream::connect(("127.0.0.1", port.number())).ok()
        });
        Self {
            process,
            port,
            _folder: folder,
        }
    }

    /// Where it is, as the configuration wants it.
    #[must_use]
    pub fn place(&self) -> String {
        format!("127.0.0.1:{}", self.port.number())
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> &Lines {
        self.process.stdout()
    }
}
