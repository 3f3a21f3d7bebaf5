//! What is in a gateway's root file system? Busybox, the scripts of `tests/gateway/root`, the package to be installed and a mapping table.

use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::{source, userland};
use crate::gateway::BIG_ENDIAN;
use crate::install::{self, Tool};
use crate::{gateway, program};

/// Writes the archive that the kernel unpacks.
const BUSYBOX: Tool = Tool::new("busybox", "busybox");

const FOLDERS: [&str; 10] = [
    "bin",
    "dev",
    "etc/init.d",
    "etc/rc.d",
    "proc",
    "sys",
    "tmp",
    "usr/bin",
    "usr/sbin",
    "var/run",
];

/// The package, built by `cargo mips` once in the life of this process.
///
/// # Errors
///
/// If it does not build.
pub fn package() -> Result<&'static Path, String> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let mut mips = program::cargo();
        mips.current_dir(program::workspace());
        source::run(mips.args(["mips", BIG_ENDIAN.target]))?;
        let name = format!(
            "mqtt-client_{}-r1_{}.ipk",
            env!("CARGO_PKG_VERSION"),
            BIG_ENDIAN.architecture
        );
        Ok(gateway::packages(false).join(name))
    });
    built.as_deref().map_err(Clone::clone)
}

/// Writes an image into `folder`, and returns its path.
///
/// # Errors
///
/// If something of it is missing.
pub fn write(folder: &Path, table: &[u8]) -> Result<PathBuf, String> {
    install::ensure(&[BUSYBOX])?;
    let (root, image) = (folder.join("root"), folder.join("image"));
    let scripts = program::workspace().join("tests/gateway/root");
    source::run(Command::new("cp").arg("-r").arg(scripts).arg(&root))?;
    fill(&root, table).map_err(|error| format!("{}: {error}", root.display()))?;
    pack(&root, &image)?;
    Ok(image)
}

/// The same for a gateway whose power is cut: no package but the daemon alone, started by the script of `tests/gateway/power`, so that it boots fast.
///
/// # Errors
///
/// If something of it is missing.
pub fn write_for_power_cuts(folder: &Path, table: &[u8]) -> Result<PathBuf, String> {
    install::ensure(&[BUSYBOX])?;
    package()?;
    let (root, image) = (folder.join("root"), folder.join("image"));
    let scripts = program::workspace().join("tests/gateway/power");
    source::run(Command::new("cp").arg("-r").arg(scripts).arg(&root))?;
    let fill = || {
        fill_userland(&root)?;
        let daemon = root.join("usr/sbin/mqtt-client");
        std::fs::copy(BIG_ENDIAN.binary(false), daemon)?;
        std::fs::write(root.join("tmp/table.json"), table)
    };
    fill().map_err(|error: io::Error| format!("{}: {error}", root.display()))?;
    pack(&root, &image)?;
    Ok(image)
}

fn pack(root: &Path, image: &Path) -> Result<(), String> {
    let mut pack = Command::new("sh");
    // Every file belongs to root there.
    pack.args(["-ec", "find . | \"$0\" cpio -o -H newc -R 0:0 >\"$1\""]);
    pack.arg(install::path(BUSYBOX)).arg(image);
    source::run(pack.current_dir(root))
}

fn fill(root: &Path, table: &[u8]) -> io::Result<()> {
    fill_userland(root)?;
    std::fs::copy(
        package().map_err(io::Error::other)?,
        root.join("tmp/mqtt-client.ipk"),
    )?;
    std::fs::write(root.join("tmp/table.json"), table)
}

fn fill_userland(root: &Path) -> io::Result<()> {
    for folder in FOLDERS {
        std::fs::create_dir_all(root.join(folder))?;
    }
    std::fs::copy(
        userland::path().map_err(io::Error::other)?,
        root.join("bin/busybox"),
    )?;
    for name in userland::names().map_err(io::Error::other)? {
        symlink("busybox", root.join("bin").join(name))?;
    }
    symlink("sbin/init", root.join("init"))
}
