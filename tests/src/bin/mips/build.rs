//! How a binary and a package are made for one kind of gateway.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mqtt_client_tests::elf::Elf;
use mqtt_client_tests::gateway::{self, Gateway};
use mqtt_client_tests::supply::{self, Bill, Product, platform};
use mqtt_client_tests::{debian_rust, install, program};

use crate::arguments::Features;
use mqtt_client_tests::zig::Zig;

/// MIPS, in the ELF header's list of processors.
const MIPS: u16 = 8;

/// A binary that was built.
pub struct Binary {
    pub path: PathBuf,
    /// Of the file, in bytes.
    pub size: usize,
    pub elf: Elf,
}

/// Builds the daemon, and puts it into `target/dist`.
///
/// # Errors
///
/// If it does not build, or is not what the gateway needs: static, of its byte order.
pub fn binary(zig: &Zig, gateway: &Gateway, features: &Features) -> Result<Binary, String> {
    install::ensure(&debian_rust::TOOLS)?;
    let mut cargo = debian_rust::cargo(&[&zig.folder]);
    cargo.current_dir(program::workspace());
    cargo.args(["--config", "port-linux/cross/release.toml"]);
    cargo.args(["build", "--locked", "--release"]);
    cargo.args(["--package", "mqtt-client"]);
    cargo.args(["--target", gateway.target, "--target-dir", "target/mips"]);
    if features.lean {
        cargo.arg("--no-default-features");
    }
    if !features.list.is_empty() {
        cargo.args(["--features", &features.list]);
    }
    for known in gateway::ALL {
        let short = known.target.replace("-unknown-linux-musl", "");
        let name = format!("CC_{}", known.target.replace('-', "_"));
        cargo.env(name, format!("{short}-linux-musleabi-cc"));
    }
    program::succeed(&mut cargo)?;

    let built = program::workspace()
        .join("target/mips")
        .join(gateway.target);
    let path = gateway.binary(features.lean);
    let folder = path.parent().expect("a file's folder");
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::copy(built.join("release/mqtt-client"), &path))
        .map_err(|error| format!("{}: {error}", path.display()))?;
    let binary = check(&path)?;
    if binary.elf.data != gateway.elf_data {
        return Err(format!("{}: not of {gateway:?}", path.display()));
    }
    Ok(binary)
}

/// Looks at a program that was built for a gateway.
///
/// # Errors
///
/// If it is not static for MIPS.
pub fn check(path: &Path) -> Result<Binary, String> {
    let complaint = |what: &str| format!("{}: {what}", path.display());
    let file = std::fs::read(path).map_err(|error| complaint(&error.to_string()))?;
    let elf = Elf::of(&file).ok_or_else(|| complaint("no 32-bit ELF file"))?;
    if (elf.machine, elf.is_static) != (MIPS, true) {
        return Err(complaint(&format!("not static for MIPS: {elf:?}")));
    }
    Ok(Binary {
        path: path.into(),
        size: file.len(),
        elf,
    })
}

/// Writes what is in the binary, and by whose leave, into a folder beside it.
///
/// # Errors
///
/// If a part comes without the text of its licence.
pub fn bill(
    zig: &Zig,
    gateway: &Gateway,
    features: &Features,
    binary: &Path,
) -> Result<PathBuf, String> {
    let product = Product {
        name: "mqtt-client",
        target: gateway.target,
        is_lean: features.lean,
        features: features.list.clone(),
    };
    let mut platform = platform::std(false)?;
    platform.extend(platform::zig(zig)?);
    Bill::of(product, platform)?.write(binary, &binary.with_file_name("licences"))
}

/// Packs the binary and that folder's files, and returns the package's path; the same files lie beside it.
///
/// # Errors
///
/// If `make-ipk` fails.
pub fn package(gateway: &Gateway, lean: bool, bill: &Path) -> Result<String, String> {
    let script = program::workspace().join("port-linux/openwrt/make-ipk");
    let output = Command::new(&script)
        .arg(gateway.binary(lean))
        .arg(gateway.architecture)
        .arg(gateway::packages(lean))
        .arg(bill)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("{}: {error}", script.display()))?;
    if !output.status.success() {
        return Err(format!("{}: {}", script.display(), output.status));
    }
    let package = String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned();
    supply::copy_beside(Path::new(&package), bill)?;
    Ok(package)
}
