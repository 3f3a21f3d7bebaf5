//! How a program for Windows is tested on this machine: under Wine, with a Windows of its own in `target/windows`.

use std::path::Path;
use std::process::{Command, Stdio};

use mqtt_client_tests::install::{self, Tool};
use mqtt_client_tests::program;

use crate::MINGW;

/// The loader itself: Debian's `wine` would complain that it is not installed for 32 bits as well.
const WINE: Tool = Tool::new("/usr/lib/wine/wine64", "wine64");
/// Stands for the kernel of a Windows: with this it stays for so many seconds after the last program, and not every program boots anew.
const SERVER: (&str, &str) = ("/usr/lib/wine/wineserver64", "-p10");
/// What has no meaning on Windows, and every cut and every wrong byte of a file: thousands of starts, and nothing that depends on the system.
const SKIPPED: [&str; 6] = [
    "a_new_table_is_private",
    "a_full_disk",
    // Windows may refuse one of two replacements at the same moment.
    "builds_at_the_same_time",
    "a_workbook_that_is_cut_short",
    "no_single_wrong_byte",
    "no_damage_inside",
];

/// Runs the spreadsheet tests with the program in `path`.
pub fn test(path: &Path) -> Result<(), String> {
    install::ensure(&[WINE])?;
    let prefix = program::workspace().join("target/windows/wine");
    prepare(&prefix)?;
    let mut tests = program::cargo();
    tests.current_dir(program::workspace());
    tests.args(["test", "--package", "mqtt-client", "--features", "excel"]);
    tests.args([
        "--test",
        "spreadsheet",
        "--no-fail-fast",
        "--",
        "--include-ignored",
    ]);
    for name in SKIPPED {
        tests.args(["--skip", name]);
    }
    tests.env("ELSETA_MQTT_CONFIG_BIN", path);
    tests.env("ELSETA_MQTT_CONFIG_RUNNER", WINE.program);
    program::succeed(in_wine(&mut tests, &prefix))
}

fn in_wine<'c>(command: &'c mut Command, prefix: &Path) -> &'c mut Command {
    command
        .env("WINEPREFIX", prefix)
        .env("WINEDEBUG", "-all")
        // Neither a window nor an offer to install anything.
        .env_remove("DISPLAY")
        .env("WINEDLLOVERRIDES", "mscoree,mshtml=")
}

/// Makes a fresh Windows, and adds what the tests need there.
fn prepare(prefix: &Path) -> Result<(), String> {
    std::fs::create_dir_all(prefix).map_err(|error| format!("{}: {error}", prefix.display()))?;
    let (server, stay) = SERVER;
    program::succeed(in_wine(Command::new(server).arg(stay), prefix))?;
    let mut boot = Command::new(WINE.program);
    boot.args(["wineboot", "--init"])
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    program::succeed(in_wine(&mut boot, prefix))?;
    let sources = program::workspace().join("tests/src/bin/windows");
    let system = prefix.join("drive_c/windows/system32");
    let compile = |source: &str, made: &str, options: &[&str]| {
        let mut compile = Command::new(MINGW.program);
        compile.arg("-o").arg(system.join(made));
        compile.arg(sources.join(source)).args(options);
        program::succeed(&mut compile)
    };
    // Windows has had this library since version 7, and Wine 8 has it not.
    let library = "bcryptprimitives.dll";
    compile("bcryptprimitives.c", library, &["-shared", "-ladvapi32"])?;
    compile("hold-open.c", "hold-open.exe", &[])
}
