//! How are the gateway's shell and tools built? Busybox from Debian's source, with the compiler and the C library that the daemon has.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::{kernel, source};
use crate::install::{self, Tool};
use crate::{program, zig};

const TOOLS: [Tool; 3] = [
    kernel::COMPILER,
    Tool::new("make", "make"),
    Tool::new("bzip2", "bzip2"),
];

/// Busybox, built at the first call if it has not been with this configuration.
///
/// # Errors
///
/// Says what is missing or does not build.
pub fn path() -> Result<&'static Path, String> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let [config, compiler] = ["busybox.config", "busybox-cc"]
            .map(|name| program::workspace().join("tests/gateway").join(name));
        source::once("busybox", &[&config, &compiler], |to| {
            build(&config, &compiler, to)
        })
    });
    built.as_deref().map_err(Clone::clone)
}

/// The names by which it is called.
///
/// # Errors
///
/// If its configuration cannot be read.
pub fn names() -> Result<Vec<String>, String> {
    let file = program::workspace().join("tests/gateway/busybox.config");
    let options = source::options(&file)?;
    let applet = |line: String| {
        let option = line.strip_prefix("CONFIG_")?.strip_suffix("=y")?;
        // Features have more than one word, and a few options are no program.
        let is_applet =
            !option.contains('_') && !["STATIC", "LFS", "BUSYBOX", "TEST1"].contains(&option);
        is_applet.then(|| option.to_lowercase())
    };
    let applets = options.into_iter().filter_map(applet);
    let others = ["sh", "[", "start-stop-daemon"].map(String::from);
    Ok(applets.chain(others).collect())
}

fn build(config: &Path, compiler: &Path, to: &Path) -> Result<(), String> {
    install::ensure(&TOOLS)?;
    let zig = zig::install()?;
    let folder = source::workshop("userland")?;
    source::download("busybox", &folder)?;
    let code = folder.join("source");
    let complain = |error: std::io::Error| format!("{}: {error}", code.display());
    std::fs::create_dir(&code).map_err(complain)?;
    let archive = std::fs::read_dir(&folder)
        .map_err(complain)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.to_string_lossy().ends_with(".orig.tar.bz2"));
    let archive = archive.ok_or("apt has brought no source of busybox")?;
    let mut tar = Command::new("tar");
    tar.args(["--strip-components=1", "-xjf"]).arg(archive);
    source::run(tar.arg("-C").arg(&code))?;

    // A constant that is written to once: clang takes it at its word.
    let header = code.join("include/libbb.h");
    let text = std::fs::read_to_string(&header).map_err(complain)?;
    let text = text.replace("globals *const ptr_to_globals", "globals *ptr_to_globals");
    std::fs::write(&header, text).map_err(complain)?;

    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = [zig.folder].into_iter().chain(std::env::split_paths(&path));
    let path = std::env::join_paths(path).map_err(|error| error.to_string())?;
    let make = |targets: &[&str]| {
        let mut make = source::make();
        make.current_dir(&code)
            .env("PATH", &path)
            .args(["CROSS_COMPILE=mips-linux-gnu-", "SKIP_STRIP=y"])
            .arg(format!("CC={}", compiler.display()))
            .args(targets);
        source::run(&mut make)
    };
    // Nothing, then what is asked for, in the place of the lines that say otherwise.
    make(&["allnoconfig"])?;
    let file = code.join(".config");
    let wanted = source::options(config)?;
    let nothing = std::fs::read_to_string(&file).map_err(complain)?;
    let name = |line: &str| {
        line.split('=')
            .next()
            .map(|name| format!("# {name} is not set"))
    };
    let replaced: Vec<_> = wanted.iter().filter_map(|line| name(line)).collect();
    let mut lines: Vec<_> = nothing
        .lines()
        .filter(|line| !replaced.iter().any(|other| other == line))
        .collect();
    lines.extend(wanted.iter().map(String::as_str));
    std::fs::write(&file, lines.join("\n") + "\n").map_err(complain)?;
    // It asks about what the lines make possible, and takes an empty answer for the default.
    let mut settle = Command::new("sh");
    settle.args(["-c", "yes '' | make -s oldconfig"]);
    source::run(
        settle
            .env_remove("MAKEFLAGS")
            .env_remove("CARGO_MAKEFLAGS")
            .current_dir(&code),
    )?;
    source::check_options(config, &file)?;
    make(&["busybox"])?;
    source::take(&code.join("busybox"), to, &folder)
}
