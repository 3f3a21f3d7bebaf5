//! `mqtt-client`: forwards measurements from Redis to MQTT brokers.
//!
//! | module | question |
//! |---|---|
//! | [`args`] | what did the user ask for? |
//! | [`configuration`] | is the mapping table right, and where does it live? |
//! | [`rights`] | what does the process give up for good, and what may it not read? |
//! | [`files`] | how is a file read that the user names? |
//! | [`modes`] | may others read secrets, or write to the table? |
//! | [`patience`] | what if the configuration cannot be used yet? |
//! | [`daemon`] | what wakes the bridge, and what ends it? |
//! | [`reload`] | what goes on when the configuration changes? |
//! | [`memory`] | how much memory has each session? |
//! | [`net`], [`poller`], [`thread`] | how are peers reached without ever waiting, and what does the one wait wait for? |
//! | [`tls`] | who are we to a broker, whom do we trust, and what goes wrong? |
//! | [`logger`], [`show`], [`outlet`], [`summary`], [`date`] | what does a person see? |
//! | `status` | what does the running daemon tell whoever asks? |
//! | [`signals`], [`machine_id`] | what comes from the system? |

#![forbid(unsafe_code)]

#[cfg(not(target_os = "linux"))]
compile_error!(
    "the daemon runs on Linux only; what builds elsewhere is --bin elseta-mqtt-config --features excel"
);

mod args;
mod configuration;
mod daemon;
mod date;
mod files;
mod logger;
mod machine_id;
mod memory;
mod modes;
mod net;
mod outlet;
mod patience;
mod poller;
mod random;
mod reload;
mod rights;
mod show;
mod signals;
#[cfg(feature = "spool")]
mod spool;
#[cfg(feature = "status")]
mod status;
mod summary;
#[cfg(test)]
mod testing;
mod thread;
#[cfg(feature = "tls")]
mod tls;

use std::path::Path;
use std::process::ExitCode;

use args::Command;
use configuration::{Most, Tables, Unusable, complain};

/// `sysexits.h`: the command line is wrong.
const EX_USAGE: u8 = 64;
/// What is to be read is not there, or not all of it can be.
#[cfg(feature = "spool")]
const EX_NOINPUT: u8 = 66;
#[cfg(feature = "spool")]
const EX_IOERR: u8 = 74;
/// There is no daemon that could be asked.
#[cfg(feature = "status")]
const EX_UNAVAILABLE: u8 = 69;
/// The system denies what the daemon cannot do without.
const EX_OSERR: u8 = 71;
#[cfg(feature = "status")]
const EX_NOPERM: u8 = 77;
/// The configuration is wrong.
const EX_CONFIG: u8 = 78;

fn main() -> ExitCode {
    match Command::from_env() {
        Ok(Command::Help) => print(args::HELP),
        Ok(Command::Version) => print(&version()),
        Ok(Command::Check { config }) => check(&config),
        #[cfg(feature = "spool")]
        Ok(Command::Spool { folder }) => list_spools(&folder),
        #[cfg(feature = "status")]
        Ok(Command::Status(asking)) => ask(&asking),
        Ok(Command::Run(options)) => daemon::run(&options),
        Err(error) => {
            complain(format_args!("mqtt-client: {error}"));
            ExitCode::from(EX_USAGE)
        }
    }
}

/// Text of `--version`.
fn version() -> String {
    let tls = if cfg!(feature = "tls") {
        "with TLS 1.2, 1.3"
    } else {
        "without TLS"
    };
    let proxies = if cfg!(feature = "proxy") {
        "with HTTP proxies"
    } else {
        "without HTTP proxies"
    };
    let spool = if cfg!(feature = "spool") {
        "with a spool"
    } else {
        "without a spool"
    };
    let (versions, mqtt5) = if cfg!(feature = "mqtt5") {
        ("3.1, 3.1.1, 5", "with MQTT 5")
    } else {
        ("3.1, 3.1.1", "without MQTT 5")
    };
    let json = if cfg!(feature = "json") {
        "with JSON"
    } else {
        "without JSON"
    };
    let number = env!("CARGO_PKG_VERSION");
    format!(
        "mqtt-client {number}\nMQTT {versions}; built {tls}, {proxies}, {spool}, {mqtt5}, {json}\n"
    )
}

fn print(text: &str) -> ExitCode {
    use std::io::Write;
    // Whoever closed standard output does not want to know.
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

/// `--spool`: what lies in this folder.
#[cfg(feature = "spool")]
fn list_spools(folder: &Path) -> ExitCode {
    rights::give_up_rights();
    match spool::list::print(folder) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(EX_IOERR),
        Err(error) => {
            complain(format_args!("{}: {error}", folder.display()));
            ExitCode::from(EX_NOINPUT)
        }
    }
}

/// `--status`: how the running daemon is.
#[cfg(feature = "status")]
fn ask(asking: &args::Asking) -> ExitCode {
    rights::give_up_rights();
    status::ask::run(asking)
}

/// `--check`: opens no connection.
fn check(path: &Path) -> ExitCode {
    if let Err(error) = logger::start(1) {
        complain(format_args!("mqtt-client: {error}"));
        return ExitCode::from(EX_OSERR);
    }
    rights::give_up_rights();
    let Ok(text) = configuration::read(path, complain) else {
        return ExitCode::from(EX_CONFIG);
    };
    let mut tables = Tables::for_text(&text);
    let rows = tables
        .rows(path, &text, complain, Most::ALL)
        .and_then(|rows| {
            let devices = rows.devices().filter(|(_, enabled)| *enabled);
            configuration::transports(path, devices.map(|(device, _)| device), complain)?;
            Ok(rows)
        });
    match rows {
        Ok(rows) => {
            summary::print(&rows);
            ExitCode::SUCCESS
        }
        Err(Unusable) => ExitCode::from(EX_CONFIG),
    }
}
