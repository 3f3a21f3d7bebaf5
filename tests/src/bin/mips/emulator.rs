//! The daemon of a gateway, run on this machine.

use std::path::Path;

use mqtt_client_tests::gateway::Gateway;
use mqtt_client_tests::install;
use mqtt_client_tests::process::Process;

/// Starts `binary` with the configuration in `file` and these arguments, under the gateway's emulator with `options`.
///
/// # Panics
///
/// If it cannot be started.
pub fn start(
    gateway: &Gateway,
    options: &[&str],
    binary: &Path,
    file: &Path,
    arguments: &[&str],
) -> Process {
    let (binary, file) = (binary.display().to_string(), file.display().to_string());
    let words = [options, &[binary.as_str(), "-c", &file], arguments].concat();
    let words: Vec<_> = words.into_iter().map(String::from).collect();
    Process::start("mqtt-client", &install::path(gateway.emulator), &words)
}
