//! Tells the linker where what goes, when an image is built for a board: every board's build script.

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    if env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("none") {
        return;
    }
    let folder = PathBuf::from(env::var_os("OUT_DIR").expect("cargo's folder for this script"));
    let has_spool = env::var_os("CARGO_FEATURE_SPOOL").is_some();
    let memory = if has_spool {
        "memory-spool.x"
    } else {
        "memory.x"
    };
    println!("cargo:rerun-if-changed={memory}");
    // The second where no other package brings the names of the board's interrupts.
    for (script, name) in [(memory, "memory.x"), ("device.x", "device.x")] {
        if Path::new(script).exists() {
            fs::copy(script, folder.join(name)).expect("copy a linker script");
        }
    }
    println!("cargo:rustc-link-search={}", folder.display());
    for script in ["link.x", "defmt.x"] {
        println!("cargo:rustc-link-arg-bins=-T{script}");
    }
    // Sections need not start on pages of 64 KB.
    println!("cargo:rustc-link-arg-bins=--nmagic");
}
