//! Which Rust can build its own library? Debian's: the compiler and the library's source come in packages of one version.
//!
//! The MIPS targets need that, since nobody publishes a library for them. `RUSTC_BOOTSTRAP` lets this stable compiler do it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::install::Tool;
use crate::program;

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

/// The source of its standard library.
pub const LIBRARY: &str = "/usr/lib/rustlib/src/rust/library";

/// Whether that source is installed.
#[must_use]
pub fn has_library() -> bool {
    Path::new(LIBRARY).is_dir()
}

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

/// The folder of `rust-lld`, which links for any target: Debian's compiler comes without, rustup's toolchain has it.
///
/// # Errors
///
/// If it is not there.
pub fn linker() -> Result<PathBuf, String> {
    let output = Command::new("rustc")
        .current_dir(program::workspace())
        .args(["--print", "target-libdir"])
        .output()
        .map_err(|error| format!("run rustc: {error}"))?;
    let libraries = String::from_utf8_lossy(&output.stdout);
    let folder = Path::new(libraries.trim_end()).with_file_name("bin");
    if folder.join("rust-lld").is_file() {
        Ok(folder)
    } else {
        Err(format!(
            "no rust-lld in {}: rustup's toolchain has one",
            folder.display()
        ))
    }
}
