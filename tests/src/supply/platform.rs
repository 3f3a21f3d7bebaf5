//! What do the compiler and the C library bring into a program? Rust's standard library and the crates that are in it, and musl or mingw's.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Part, licences};
use crate::zig::Zig;
use crate::{debian_rust, program};

/// Crates that the standard library always holds.
const IN_STD: [&str; 4] = ["cfg-if", "hashbrown", "libc", "rustc-demangle"];

/// Those by which it shows where a program panicked: `build-std-features` in `port-linux/cross/release.toml` leaves them out.
const FOR_BACKTRACES: [&str; 6] = [
    "addr2line",
    "adler2",
    "gimli",
    "memchr",
    "miniz_oxide",
    "object",
];

/// Debian's standard library, built from source.
///
/// # Errors
///
/// If its source is not there.
pub fn std(with_backtraces: bool) -> Result<Vec<Part>, String> {
    let library = Path::new(debian_rust::LIBRARY);
    let copyright = read(&library.with_file_name("COPYRIGHT"))?;
    let version = program::output(Command::new("/usr/bin/rustc").arg("--version"))?;
    let version = version.split_whitespace().nth(1).unwrap_or_default();
    let mut standard = part("rust-std", version, "MIT OR Apache-2.0", Vec::new());
    let authors = ["The Rust Project Contributors".to_owned()];
    standard.texts = vec![copyright, licences::mit(&standard.licence, &authors)?];
    // Its exception asks nothing of what is compiled with it.
    let builtins = part(
        "compiler-builtins",
        version,
        "MIT AND Apache-2.0 WITH LLVM-exception",
        vec![licences::mit("MIT", &authors)?],
    );
    standard.needs.push(builtins.reference());
    let mut crates = vec![builtins];
    let more: &[&str] = if with_backtraces {
        &FOR_BACKTRACES
    } else {
        &[]
    };
    for name in IN_STD.iter().chain(more) {
        let found = vendored(&library.join("vendor"), name)?;
        standard.needs.push(found.reference());
        crates.push(found);
    }
    crates.insert(0, standard);
    Ok(crates)
}

/// musl, and what else zig links.
///
/// # Errors
///
/// If zig comes without the licences.
pub fn zig(zig: &Zig) -> Result<Vec<Part>, String> {
    let musl = zig.package.join("lib/libc/musl/COPYRIGHT");
    let licence = read(&zig.package.join("LICENSE"))?;
    let of_zig = format!("of-zig-{}", zig.version);
    Ok(vec![
        part("zig", &zig.version, "MIT", vec![licence]),
        part("musl", &of_zig, "MIT", vec![read(&musl)?]),
    ])
}

/// mingw's C library, and GCC's own, as Debian packs them.
///
/// # Errors
///
/// If Debian's copyright files are not there.
pub fn mingw() -> Result<Vec<Part>, String> {
    let debian = |package: &str, licence: &str| -> Result<Part, String> {
        let query = ["--show", "--showformat", "${Version}", package];
        let version = program::output(Command::new("dpkg-query").args(query))?;
        let copyright = Path::new("/usr/share/doc").join(package).join("copyright");
        Ok(part(package, &version, licence, vec![read(&copyright)?]))
    };
    Ok(vec![
        debian("mingw-w64-x86-64-dev", "ZPL-2.1")?,
        // Its exception asks nothing of what is compiled with it.
        debian(
            "gcc-mingw-w64-x86-64",
            "GPL-3.0-or-later WITH GCC-exception-3.1",
        )?,
    ])
}

/// A crate in the folder of those that the standard library is built with.
fn vendored(vendor: &Path, name: &str) -> Result<Part, String> {
    let problem = |what: &str| format!("{}: {what} {name}", vendor.display());
    let entries = fs::read_dir(vendor).map_err(|error| problem(&error.to_string()))?;
    let mut names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let found = names.find_map(|folder| {
        let version = folder.strip_prefix(name)?.strip_prefix('-')?;
        let is_version = version.starts_with(|first: char| first.is_ascii_digit());
        is_version.then(|| version.to_owned())
    });
    let version = found.ok_or_else(|| problem("there is no"))?;
    let folder = vendor.join(format!("{name}-{version}"));
    let manifest = read(&folder.join("Cargo.toml"))?;
    let licence = manifest
        .lines()
        .find_map(|line| line.strip_prefix("license = \"")?.strip_suffix('"'));
    let licence = licence.ok_or_else(|| problem("no licence in the manifest of"))?;
    // Debian leaves out the files of licences, and all of these crates offer MIT.
    let texts = licences::texts(&folder, licence, &authors(&manifest))?;
    let name = format!("{name}-in-rust-std");
    Ok(part(&name, &version, &licences::spdx(licence), texts))
}

/// The names in a manifest's `authors = [...]`.
fn authors(manifest: &str) -> Vec<String> {
    let list = manifest.split_once("\nauthors = [");
    let list = list.and_then(|(_, rest)| rest.split_once(']'));
    let list = list.map_or("", |(list, _)| list);
    list.split('"')
        .skip(1)
        .step_by(2)
        .map(String::from)
        .collect()
}

fn part(name: &str, version: &str, licence: &str, texts: Vec<String>) -> Part {
    Part {
        name: name.into(),
        version: version.into(),
        licence: licence.into(),
        features: Vec::new(),
        checksum: None,
        repository: None,
        is_from_registry: false,
        needs: Vec::new(),
        texts,
    }
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}
