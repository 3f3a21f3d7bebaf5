//! `cargo mips`: the daemon for OpenWrt gateways of both MIPS byte orders, as static binaries and as packages.
//!
//! ```text
//! cargo mips [--lean] [--features LIST] [--sizes | --authorities | --instructions [--with OLD]...] [TARGET...]
//! ```
//!
//! It installs what it needs (Debian's Rust with the library's source; zig, in `target/tools`), and writes to `target/dist`:
//! `TARGET/mqtt-client`, and an .ipk for each, with its bill of materials and the licences of its parts beside it. The exit code is 0, 1 if something failed, or 64 for a wrong argument.

mod arguments;
mod authorities;
mod build;
mod emulator;
mod instructions;
mod resident;
mod sizes;

use std::process::ExitCode;

use arguments::{Arguments, Job};
use mqtt_client_tests::zig;

fn main() -> ExitCode {
    let arguments = match arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("{error}\n{}", arguments::USAGE);
            return ExitCode::from(64);
        }
    };
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let zig = zig::install()?;
    match arguments.job {
        Job::Build => {}
        Job::Sizes => return sizes::print(&zig, &arguments.gateways),
        Job::Authorities => return authorities::print(&zig, &arguments.gateways),
        Job::Instructions => {
            return instructions::print(&zig, &arguments.gateways, &arguments.with);
        }
    }
    for gateway in &arguments.gateways {
        let binary = build::binary(&zig, gateway, &arguments.features)?;
        let bill = build::bill(&zig, gateway, &arguments.features, &binary.path)?;
        let package = build::package(gateway, arguments.features.lean, &bill)?;
        println!("{} ({} bytes)", binary.path.display(), binary.size);
        println!("{package}");
    }
    Ok(())
}
