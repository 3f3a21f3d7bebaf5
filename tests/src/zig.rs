//! Where compiler, linker and C library for MIPS come from: zig's release on PyPI, of one version, in the workspace's own `target/tools`.

use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::install::packages::HASHED;
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
    /// Of zig.
    pub version: String,
    /// What pip has installed: `zig` itself, and the C libraries with their licences.
    pub package: PathBuf,
}

/// Installs zig where it is missing.
///
/// # Errors
///
/// Says what could not be installed.
pub fn install() -> Result<Zig, String> {
    let scripts = program::workspace().join("port-linux/cross");
    let tools = program::workspace().join("target/tools");
    let requirements = scripts.join("zig.txt");
    let version = version(&requirements)?;
    let zig = tools.join(format!("zig-{version}"));
    if !zig.is_dir() {
        install::ensure(&[PIP])?;
        pip(&requirements, &zig)?;
    }
    let folder = tools.join("bin");
    let mut links = vec![("zig", zig.join("ziglang/zig"))];
    links.extend(COMPILERS.map(|name| (name, scripts.join("zig-cc"))));
    link(&folder, &links).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(Zig {
        folder,
        version,
        package: zig.join("ziglang"),
    })
}

/// What `ziglang==` says in the requirements.
fn version(requirements: &Path) -> Result<String, String> {
    let problem = |what: &str| format!("{}: {what}", requirements.display());
    let text = std::fs::read_to_string(requirements);
    let text = text.map_err(|error| problem(&error.to_string()))?;
    let version = text.lines().find_map(|line| line.strip_prefix("ziglang=="));
    let version = version.and_then(|rest| rest.split_whitespace().next());
    Ok(version
        .ok_or_else(|| problem("names no ziglang"))?
        .to_owned())
}

/// Into another folder first, so that what is there is always whole.
fn pip(requirements: &Path, folder: &Path) -> Result<(), String> {
    let partial = folder.with_extension("partial");
    let status = Command::new(PIP.program)
        .args(["install", "--quiet", "--upgrade", "--target"])
        .arg(&partial)
        .args(HASHED)
        .arg(requirements)
        .status()
        .map_err(|error| format!("{}: {error}", PIP.program))?;
    if !status.success() {
        return Err("pip cannot install zig".into());
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
