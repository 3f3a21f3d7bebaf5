//! How is the gateway's Linux built? From Debian's source, with Debian's compiler, and only what `tests/gateway/kernel.config` names.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::source;
use crate::install::{self, Tool};
use crate::program;

const SOURCE: Tool = Tool::new("/usr/src/linux-source-6.1.tar.xz", "linux-source-6.1");

const TOOLS: [Tool; 6] = [
    SOURCE,
    COMPILER,
    Tool::new("make", "make"),
    Tool::new("flex", "flex"),
    Tool::new("bison", "bison"),
    Tool::new("bc", "bc"),
];

/// The compiler; its binutils serve the tools as well.
pub const COMPILER: Tool = Tool::new("mips-linux-gnu-gcc", "gcc-mips-linux-gnu");

/// What is large, and not built.
const LEFT_OUT: [&str; 4] = [
    "*/Documentation/*/*",
    "*/drivers/gpu/*.[ch]",
    "*/drivers/media/*.[ch]",
    "*/sound/*.[ch]",
];

/// What the emulator's processor counts a second: every 6 ns.
const COUNTER: u32 = 166_666_667;

/// The kernel's file, built at the first call if it has not been for this configuration.
///
/// # Errors
///
/// Says what is missing or does not build.
pub fn path() -> Result<&'static Path, String> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let config = program::workspace().join("tests/gateway/kernel.config");
        source::once("vmlinux", &[&config], |to| build(&config, to))
    });
    built.as_deref().map_err(Clone::clone)
}

fn build(config: &Path, to: &Path) -> Result<(), String> {
    install::ensure(&TOOLS)?;
    let folder = source::workshop("kernel")?;
    let (code, objects) = (folder.join("source"), folder.join("objects"));
    for folder in [&code, &objects] {
        std::fs::create_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    let mut tar = Command::new("tar");
    tar.args([
        "--strip-components=1",
        "--wildcards",
        "-xJf",
        SOURCE.program,
    ]);
    for pattern in LEFT_OUT {
        tar.arg(format!("--exclude={pattern}"));
    }
    source::run(tar.arg("-C").arg(&code))?;
    tell_frequency(&code)?;

    let make = |targets: &[&str]| {
        let mut make = source::make();
        make.current_dir(&code)
            .args(["ARCH=mips", "CROSS_COMPILE=mips-linux-gnu-"])
            .arg(format!("O={}", objects.display()))
            .arg(format!("KCONFIG_ALLCONFIG={}", config.display()))
            .args(targets);
        source::run(&mut make)
    };
    make(&["allnoconfig"])?;
    source::check_options(config, &objects.join(".config"))?;
    make(&["vmlinux"])?;
    source::take(&objects.join("vmlinux"), to, &folder)
}

/// The kernel measures its counter against the seconds of the board's clock, which takes two of them, and many on a busy machine, where it misses the
/// moments that it waits for. The emulator's counter is known.
fn tell_frequency(code: &Path) -> Result<(), String> {
    let file = code.join("arch/mips/mti-malta/malta-time.c");
    let complain = |error: std::io::Error| format!("{}: {error}", file.display());
    let text = std::fs::read_to_string(&file).map_err(complain)?;
    let told = text.replace(
        "\testimate_frequencies();\n",
        &format!("\tmips_hpt_frequency = {COUNTER};\n"),
    );
    if told == text {
        return Err(format!("{}: it does not measure", file.display()));
    }
    std::fs::write(&file, told).map_err(complain)
}
