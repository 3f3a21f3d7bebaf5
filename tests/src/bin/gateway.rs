//! `cargo gateway`: a whole emulated gateway with the package installed, live between real servers.
//!
//! ```text
//! cargo gateway [--qos 0|1|2] [--seconds N] [--keep]
//! ```
//!
//! It ends after 20 seconds (or `--seconds`), or with Ctrl-C. The first time it builds a kernel and busybox, in `target/gateway`: some minutes. The
//! exit code is 0 if the daemon's counters agree with what was seen, 1 if not, 64 for a wrong argument.

use std::process::ExitCode;

use mqtt_client_tests::live::{self, arguments};
use mqtt_client_tests::machine::{self, Machine};
use mqtt_client_tests::{Config, install};

/// What the gateway is asked about itself, before the service ends.
const QUESTIONS: [&str; 5] = [
    "cat /proc/version",
    "grep -E '^(machine|cpu model)' /proc/cpuinfo",
    "free",
    "/etc/init.d/mqtt-client status",
    "grep -E '^(VmRSS|RssAnon|VmData|Threads|voluntary)' /proc/$(cat /var/run/procd/mqtt-client/pid)/status",
];

fn main() -> ExitCode {
    let arguments = match arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(error) => {
            let options = arguments::USAGE;
            eprintln!("{error}\nusage: cargo gateway {options}");
            return ExitCode::from(64);
        }
    };
    if let Err(error) = install::ensure(&live::TOOLS).and_then(|()| machine::prepare()) {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    let mut log = None;
    let code = live::show(&arguments, |config: &Config| {
        let mut gateway = Machine::serving(config);
        for question in QUESTIONS {
            println!("gateway# {question}\n{}", gateway.run(question));
        }
        log = Some(gateway.log().clone());
        gateway
    });
    println!("\nThe gateway's console:");
    for line in log.iter().flat_map(|lines| lines.all()) {
        println!("  {line}");
    }
    code
}
