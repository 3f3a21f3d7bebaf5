//! How is an image built, and where is it? With Debian's compiler, which can build `core` for any processor, and the linker of rustup's
//! toolchain, which links for any.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use defmt_decoder::Table;
use object::read::elf::ElfFile32;
use object::{Object as _, ObjectSymbol as _};

use crate::{debian_rust, install, program};

/// Cortex-M3, as on the emulated board.
pub const CORTEX_M3: &str = "thumbv7m-none-eabi";
/// Cortex-M7 with its floating-point unit, as on the real board.
pub const CORTEX_M7: &str = "thumbv7em-none-eabihf";

/// The firmware of one kind of board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Firmware {
    /// The package, and its binary.
    pub package: &'static str,
    /// Rust's name of the processor.
    pub target: &'static str,
    /// What it is built with that it does not have by default.
    pub features: &'static [&'static str],
    /// Where it is built: the same folder would not do for two images of one name.
    folder: &'static str,
}

/// What runs under QEMU.
pub const EMULATED: Firmware = Firmware {
    package: "mqtt-client-mps2-an385",
    target: CORTEX_M3,
    features: &[],
    folder: "target/board",
};

/// The same, with a spool.
pub const EMULATED_WITH_SPOOL: Firmware = Firmware {
    features: &["spool"],
    folder: "target/board-with-spool",
    ..EMULATED
};

/// What can be flashed, and not be run here.
pub const REAL: Firmware = Firmware {
    package: "mqtt-client-nucleo-h743zi2",
    target: CORTEX_M7,
    features: &[],
    folder: "target/board",
};

/// An image that was built.
pub struct Image {
    /// The ELF file.
    pub path: PathBuf,
    /// Where the mapping table belongs.
    pub configuration: u32,
    /// The texts of the log.
    pub table: Table,
}

impl Image {
    /// The image of the board that QEMU emulates, built at the first call.
    ///
    /// # Panics
    ///
    /// If it cannot be built.
    #[must_use]
    pub fn of_emulated_board() -> &'static Self {
        // A failure is remembered as well.
        static IMAGE: OnceLock<Result<Image, String>> = OnceLock::new();
        let image = IMAGE.get_or_init(|| Self::open(build(EMULATED)?));
        image.as_ref().unwrap_or_else(|error| panic!("{error}"))
    }

    /// The same with a spool.
    ///
    /// # Panics
    ///
    /// If it cannot be built.
    #[must_use]
    pub fn of_emulated_board_with_spool() -> &'static Self {
        static IMAGE: OnceLock<Result<Image, String>> = OnceLock::new();
        let image = IMAGE.get_or_init(|| Self::open(build(EMULATED_WITH_SPOOL)?));
        image.as_ref().unwrap_or_else(|error| panic!("{error}"))
    }

    /// Reads what has to be known about an image's file.
    ///
    /// # Errors
    ///
    /// If it is no firmware of this project.
    pub fn open(path: PathBuf) -> Result<Self, String> {
        let problem = |what: &str| format!("{}: {what}", path.display());
        let file = std::fs::read(&path).map_err(|error| problem(&error.to_string()))?;
        let table = Table::parse(&file).map_err(|error| problem(&error.to_string()))?;
        let table = table.ok_or_else(|| problem("no defmt log"))?;
        let elf: ElfFile32<'_> =
            ElfFile32::parse(&*file).map_err(|error| problem(&error.to_string()))?;
        let configuration = elf
            .symbol_by_name("__configuration_start")
            .and_then(|symbol| u32::try_from(symbol.address()).ok());
        let configuration =
            configuration.ok_or_else(|| problem("no place for the mapping table"))?;
        Ok(Self {
            path,
            configuration,
            table,
        })
    }
}

/// Builds an image, and returns its path.
///
/// # Errors
///
/// If something that this needs cannot be installed, or it does not build.
pub fn build(firmware: Firmware) -> Result<PathBuf, String> {
    let mut cargo = cargo(firmware, "build")?;
    cargo.args(["--profile", "board"]);
    let status = cargo
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("run cargo: {error}"))?;
    if !status.success() {
        return Err(format!("{} does not build", firmware.package));
    }
    let folder = Path::new(firmware.folder).join(firmware.target);
    Ok(program::workspace()
        .join(folder)
        .join("board")
        .join(firmware.package))
}

/// A cargo command for a firmware's package.
///
/// # Errors
///
/// If something that this needs cannot be installed.
pub fn cargo(firmware: Firmware, command: &str) -> Result<Command, String> {
    install::ensure(&debian_rust::TOOLS)?;
    let mut cargo = debian_rust::cargo(&[&debian_rust::linker()?]);
    cargo
        .current_dir(program::workspace())
        .args([command, "--locked"])
        .args(["--config", "port-bare/boards/image.toml"])
        .args(["--package", firmware.package])
        .args(["--features", &firmware.features.join(",")])
        .args(["--target", firmware.target])
        // Another compiler in the same folder would make both build everything again and again.
        .args(["--target-dir", firmware.folder]);
    Ok(cargo)
}
