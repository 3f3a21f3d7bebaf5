//! Which Rust can build its own library? Debian's: the compiler and the library's source come in packages of one version.
//!
//! The MIPS targets need that, since nobody publishes a library for them. `RUSTC_BOOTSTRAP` lets this stable compiler do it.

use std::path::Path;
use std::process::Command;

use crate::install::Tool;

/// What has to be installed.
pub const TOOLS: [Tool; 3] = [
    Tool {
        program: "/usr/bin/rustc",
        package: "rustc-web",
    },
    Tool {
        program: "/usr/bin/cargo",
        package: "cargo-web",
    },
    Tool {
        program: "/usr/lib/rustlib/src/rust/library/core/Cargo.toml",
        package: "rust-web-src",
    },
];

/// Debian's cargo and compiler, whichever others are in `PATH`; `folders` come before all of it.
///
/// # Panics
///
/// If a folder's name holds a colon.
#[must_use]
pub fn cargo(folders: &[&Path]) -> Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let first = folders.iter().copied().chain([Path::new("/usr/bin")]);
    let all = first
        .map(Path::to_path_buf)
        .chain(std::env::split_paths(&path));
    let mut command = Command::new("/usr/bin/cargo");
    command
        .env("PATH", std::env::join_paths(all).expect("no colons"))
        .env("RUSTC", "/usr/bin/rustc")
        .env("RUSTC_BOOTSTRAP", "1")
        // `cargo run` has put the libraries of its own compiler there.
        .env_remove("LD_LIBRARY_PATH")
        // It would replace the flags of `.cargo/config.toml`.
        .env_remove("RUSTFLAGS");
    command
}
