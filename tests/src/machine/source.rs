//! Where do sources come from, and how is something built of them once? From Debian's archive, as this machine's own settings of apt name it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::install;
use crate::program;

/// Where everything for the emulated gateway is kept.
pub fn folder() -> PathBuf {
    program::workspace().join("target/gateway")
}

/// Runs something that matters by its end alone.
///
/// # Errors
///
/// The last lines of its standard error.
pub fn run(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().display().to_string();
    let output = command.output();
    let output = output.map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<_> = errors.lines().collect();
    let last = lines[lines.len().saturating_sub(12)..].join("\n");
    Err(format!("{command:?}: {}\n{last}", output.status))
}

/// An empty folder of this name, for what is half done.
///
/// # Errors
///
/// If it cannot be made.
pub fn workshop(name: &str) -> Result<PathBuf, String> {
    let path = folder().join(name);
    let gone = match std::fs::remove_dir_all(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => std::fs::create_dir_all(&path),
    };
    gone.map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path)
}

/// Builds `name` unless it has been built from exactly these files.
///
/// # Errors
///
/// What `build`, which is told where its result belongs, says.
pub fn once(
    name: &str,
    files: &[&Path],
    build: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<PathBuf, String> {
    let complain = |error: std::io::Error| format!("{name}: {error}");
    std::fs::create_dir_all(folder()).map_err(complain)?;
    // Another process may be building it; until this one ends its turn.
    let turn = std::fs::File::create(folder().join(format!("{name}.lock"))).map_err(complain)?;
    turn.lock().map_err(complain)?;
    let mut made_of = String::new();
    for file in files {
        made_of += &std::fs::read_to_string(file).map_err(complain)?;
    }
    let (path, record) = (
        folder().join(name),
        folder().join(format!("{name}.made-of")),
    );
    let is_known = std::fs::read_to_string(&record).is_ok_and(|text| text == made_of);
    if !(is_known && path.is_file()) {
        build(&path)?;
        std::fs::write(&record, made_of).map_err(complain)?;
    }
    Ok(path)
}

/// Moves what was built to its place, and removes the workshop.
///
/// # Errors
///
/// If either fails.
pub fn take(built: &Path, to: &Path, workshop: &Path) -> Result<(), String> {
    std::fs::rename(built, to)
        .and_then(|()| std::fs::remove_dir_all(workshop))
        .map_err(|error| format!("{}: {error}", built.display()))
}

/// `make` on all processors, and quiet; not as a part of whatever runs this program.
pub fn make() -> Command {
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let mut make = Command::new("make");
    make.args(["-s", &format!("-j{jobs}")]);
    make.env_remove("MAKEFLAGS").env_remove("CARGO_MAKEFLAGS");
    make
}

/// The options in a file: its lines without those that explain them.
///
/// # Errors
///
/// If it cannot be read.
pub fn options(file: &Path) -> Result<Vec<String>, String> {
    let text = std::fs::read_to_string(file);
    let text = text.map_err(|error| format!("{}: {error}", file.display()))?;
    let is_option = |line: &&str| line.starts_with("CONFIG_") || line.starts_with("# CONFIG_");
    Ok(text.lines().filter(is_option).map(String::from).collect())
}

/// Whether a build will have what is wanted: an option that needs another is left out in silence.
///
/// # Errors
///
/// Names the options that it will not have.
pub fn check_options(wanted: &Path, actual: &Path) -> Result<(), String> {
    let actual = options(actual)?;
    let mut missing = options(wanted)?;
    missing.retain(|line| !actual.contains(line));
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{}: without effect: {}",
        wanted.display(),
        missing.join(", ")
    ))
}

/// Downloads the source of a Debian package, without its unpacking, into `to`.
///
/// apt looks for sources only where its lists say so, which is not usual: it gets lists of its own here, made of the machine's.
///
/// # Errors
///
/// Says what apt did.
pub fn download(package: &str, to: &Path) -> Result<(), String> {
    let complain = |error: std::io::Error| format!("{}: {error}", to.display());
    let lists = to.join("lists");
    for name in ["lists", "state/partial", "cache/archives/partial"] {
        std::fs::create_dir_all(to.join(name)).map_err(complain)?;
    }
    for file in debian_lists() {
        let text = std::fs::read_to_string(&file).map_err(complain)?;
        let name = file.file_name().expect("a file's name");
        std::fs::write(lists.join(name), for_sources(&text)).map_err(complain)?;
    }
    let apt = install::find("apt-get").ok_or("this system has no apt-get")?;
    let apt_get = |words: &[&str]| {
        let mut command = Command::new(&apt);
        command.current_dir(to);
        for (key, value) in [
            ("Dir::Etc::SourceList", PathBuf::from("/dev/null")),
            ("Dir::Etc::SourceParts", lists.clone()),
            ("Dir::State::Lists", to.join("state")),
            ("Dir::Cache", to.join("cache")),
        ] {
            command.args(["-o", &format!("{key}={}", value.display())]);
        }
        command.args(words);
        run(&mut command)
    };
    apt_get(&["update"])?;
    apt_get(&["source", "--download-only", package])
}

/// The machine's lists of package archives that are Debian's.
fn debian_lists() -> Vec<PathBuf> {
    let etc = Path::new("/etc/apt");
    let parts = std::fs::read_dir(etc.join("sources.list.d"));
    let parts = parts.into_iter().flatten().flatten();
    let all = parts.map(|part| part.path());
    let all = all.chain([etc.join("sources.list")]);
    all.filter(|path| {
        std::fs::read_to_string(path).is_ok_and(|text| text.to_lowercase().contains("debian"))
    })
    .collect()
}

/// A list for sources in the place of one for packages, of either format.
fn for_sources(list: &str) -> String {
    let line = |line: &str| match line.strip_prefix("deb ") {
        Some(rest) => format!("deb-src {rest}\n"),
        None if line.starts_with("Types:") => String::from("Types: deb-src\n"),
        None => format!("{line}\n"),
    };
    list.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_both_formats_are_made_lists_of_sources() {
        for (before, after) in [
            ("deb http://a b main\n", "deb-src http://a b main\n"),
            (
                "Types: deb\nURIs: http://a\n",
                "Types: deb-src\nURIs: http://a\n",
            ),
            ("Types: deb deb-src\n", "Types: deb-src\n"),
            ("# deb\n", "# deb\n"),
        ] {
            assert_eq!(for_sources(before), after);
        }
    }
}
