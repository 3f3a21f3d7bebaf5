//! How is it proved that no panic is reachable in the core? By linking `core/no-panic`, whose panic handler calls a function that
//! exists nowhere. That the proof is not empty is checked too: the core's functions are in the image, and the image with mines does not link.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use mqtt_client_tests::elf::Elf;
use mqtt_client_tests::{debian_rust, install, program};

use crate::run::{self, Outcome};

const TARGET: &str = "thumbv7m-none-eabi";

/// The boards' level, and that of everything else. A panic path that is dead is dead at all of them; how much of that the
/// optimiser sees differs.
const LEVELS: [&str; 2] = ["z", "3"];

const FEATURES: [&str; 3] = ["", "defmt", "log"];

/// What the panic handler calls.
const PANIC: &str = "the_core_can_panic";

/// Functions of the core, from each part of a sample's way and of the configuration's, that every image must hold, inlined or not.
const FUNCTIONS: [&str; 36] = [
    "check_providers",
    "skip_white_space",
    "warn_of_shared_topics",
    "any_frame",
    "begin_element",
    "channel_is_refused",
    "next_incoming",
    "commands_len",
    "is_joined",
    "fnv1a_64",
    "from_flags",
    "append_any",
    "drop_oldest_unsent",
    "pass_aside",
    "free_complete",
    "remaining_length",
    "packet_end",
    "change_level",
    "take_due",
    "repeat_pubrels",
    "show_connect",
    "handle_input",
    "handle_v5",
    "accept_v5",
    "say_last_words",
    "drop_unsent_while",
    "count_refused",
    "next_delay",
    "plan_next",
    "carry_out",
    "write_digits",
    "next_sample",
    "put_live",
    "give_back",
    "erase_sector",
    "device_number",
];

/// Bytes of the smallest image; it had 55,800 when this was written.
const SMALLEST: u32 = 45_000;

/// Links all images.
pub fn check(verbose: bool) -> Outcome {
    install::ensure(&debian_rust::TOOLS)?;
    let linker = debian_rust::linker()?;
    let mut report = String::new();
    for level in LEVELS {
        for features in FEATURES {
            let build = || link(&linker, level, features);
            report += &run::all([build()], verbose).map_err(|output| {
                let callers = run::all([callers(build())], verbose);
                output + &callers.unwrap_or_else(|output| output)
            })?;
            let size = inspect()?;
            writeln!(report, "level {level}, {features:?}: {size} bytes").expect("memory");
        }
        report += &mined(link(&linker, level, "log,defmt"), verbose)?;
    }
    Ok(report)
}

/// The command that links one image.
fn link(linker: &Path, level: &str, features: &str) -> Command {
    let mut cargo = debian_rust::cargo(&[linker]);
    cargo.args(["rustc", "--release", "--package", "mqtt-client-no-panic"]);
    cargo.args(["--features", features]);
    cargo.args(["--target", TARGET, "-Zbuild-std=core"]);
    // Another compiler in the same folder would make both build everything again and again.
    cargo.args(["--target-dir", "target/no-panic"]);
    cargo.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", level);
    // The names of functions, inlined ones too.
    cargo.env("CARGO_PROFILE_RELEASE_DEBUG", "line-tables-only");
    cargo.env("CARGO_PROFILE_RELEASE_STRIP", "none");
    // No line of the log is left out.
    cargo.env("DEFMT_LOG", "trace");
    cargo.args(["--", "-Clink-arg=--error-limit=0"]);
    cargo
}

/// The same image, linked all the same, to be told who calls the functions that panic.
fn callers(mut link: Command) -> Command {
    link.arg(format!("-Clink-arg=--defsym={PANIC}=0"));
    link.args(["-Clink-arg=--why-live=*panicking*", "-Wlinker-messages"]);
    link
}

/// Looks into the image that was just linked; its size.
fn inspect() -> Result<u32, String> {
    let path = program::workspace()
        .join("target/no-panic")
        .join(TARGET)
        .join("release/no-panic");
    let problem = |what: &str| format!("{}: {what}\n", path.display());
    let file = std::fs::read(&path).map_err(|error| problem(&error.to_string()))?;
    let elf = Elf::of(&file).ok_or_else(|| problem("no 32-bit ELF file"))?;
    if elf.loaded < SMALLEST {
        let size = format!("{} bytes: something was left out", elf.loaded);
        return Err(problem(&size));
    }
    match missing(&file, &FUNCTIONS)[..] {
        [] => Ok(elf.loaded),
        ref missing => Err(problem(&format!("no {}", missing.join(", no ")))),
    }
}

/// Which of these names are not among a file's strings, with or without type arguments behind them.
fn missing<'n>(file: &[u8], names: &[&'n str]) -> Vec<&'n str> {
    let strings = file.split(|byte| matches!(byte, 0 | b'<'));
    let strings: HashSet<_> = strings.collect();
    let is_missing = |name: &&&str| !strings.contains(name.as_bytes());
    names.iter().filter(is_missing).copied().collect()
}

/// The image with mines must not link, and the linker must name each of them, and the panic handler's function.
fn mined(mut link: Command, verbose: bool) -> Outcome {
    link.args(["--cfg", "mined"]);
    let output = match run::all([link], verbose) {
        Err(output) => output,
        Ok(output) => return Err(output + "the image links, though a panic is reachable in it\n"),
    };
    let mut expected = mines()?;
    expected.push(PANIC.into());
    let unnoticed: Vec<_> = expected
        .iter()
        .filter(|name| !output.contains(&format!("undefined symbol: {name}\n")))
        .map(String::as_str)
        .collect();
    if unnoticed.is_empty() {
        let count = expected.len();
        Ok(format!("with mines: the linker names all {count}\n"))
    } else {
        let list = unnoticed.join(", ");
        Err(format!("{output}the linker does not name: {list}\n"))
    }
}

/// The names of the mines in the image's source.
fn mines() -> Result<Vec<String>, String> {
    let folder = program::workspace().join("core/no-panic/src");
    let problem = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(problem)? {
        let text = std::fs::read_to_string(entry.map_err(problem)?.path()).map_err(problem)?;
        names.extend(mines_of(&text));
    }
    if names.is_empty() {
        return Err(format!("{}: no mines", folder.display()));
    }
    Ok(names)
}

fn mines_of(text: &str) -> impl Iterator<Item = String> {
    let uses = text.split("mine!(").skip(1);
    uses.filter_map(|rest| rest.split_once(')'))
        .map(|(name, _)| name.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mine_is_known_by_its_name() {
        let text = "mine!(mine_a);\n  x => mine!(mine_b),\nmacro_rules! mine { }";
        let names: Vec<_> = mines_of(text).collect();
        assert_eq!(names, ["mine_a", "mine_b"]);
    }

    #[test]
    fn only_a_whole_name_counts() {
        let file = b"\x7fELF\0end_of_run\0poll<a::Network>\0un";
        let names = ["end_of_run", "poll", "end", "un_", "handle_input"];
        assert_eq!(missing(file, &names), ["end", "un_", "handle_input"]);
    }
}
