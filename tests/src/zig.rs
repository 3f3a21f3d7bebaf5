//! Where compiler, linker and C library for MIPS come from: zig's release on PyPI, of one version, in the workspace's own `target/tools`.

use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::install::{self, Tool};
use crate::program;

const PIP: Tool = Tool {
    program: "/usr/bin/pip3",
    package: "python3-pip",
};

/// The names by which `zig-cc` knows its target.
const COMPILERS: [&str; 2] = ["mips-linux-musleabi-cc", "mipsel-linux-musleabi-cc"];

/// The tools, installed.
pub struct Zig {
    /// To be put in `PATH`: `zig`, and the C compilers that call it.
    pub folder: PathBuf,
}

/// Installs zig where it is missing.
///
/// # Errors
///
/// Says what could not be installed.
pub fn install() -> Result<Zig, String> {
    let scripts = program::workspace().join("port-linux/cross");
    let tools = program::workspace().join("target/tools");
    let version = std::fs::read_to_string(scripts.join("zig-version"));
    let version = version.map_err(|error| format!("zig-version: {error}"))?;
    let zig = tools.join(format!("zig-{}", version.trim()));
    if !zig.is_dir() {
        install::ensure(&[PIP])?;
        pip(&format!("ziglang=={}", version.trim()), &zig)?;
    }
    let folder = tools.join("bin");
    let mut links = vec![("zig", zig.join("ziglang/zig"))];
    links.extend(COMPILERS.map(|name| (name, scripts.join("zig-cc"))));
    link(&folder, &links).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(Zig { folder })
}

/// Into another folder first, so that what is there is always whole.
fn pip(package: &str, folder: &Path) -> Result<(), String> {
    let partial = folder.with_extension("partial");
    let status = Command::new(PIP.program)
        .args(["install", "--quiet", "--upgrade", "--target"])
        .arg(&partial)
        .arg(package)
        .status()
        .map_err(|error| format!("{}: {error}", PIP.program))?;
    if !status.success() {
        return Err(format!("pip cannot install {package}"));
    }
    std::fs::rename(&partial, folder).map_err(|error| format!("{}: {error}", folder.display()))
}

fn link(folder: &Path, links: &[(&str, PathBuf)]) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for (name, target) in links {
        let path = folder.join(name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => symlink(target, &path)?,
        }
    }
    Ok(())
}
