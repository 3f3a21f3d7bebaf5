//! `cargo pipeline`: how much work is one message? The core alone, from Redis' bytes to the broker's, without sockets.
//!
//! ```text
//! cargo pipeline [--profile QOS]
//! ```
//!
//! Prints messages per second (both ends included), and instructions per message if `valgrind` is installed: those of
//! `Bridge::poll` and all that it calls. `--profile` shows where the instructions of one QoS go.

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Instant;

use mqtt_client_tests::bench::ends::AHEAD;
use mqtt_client_tests::bench::memory::with_pipeline;
use mqtt_client_tests::install;
use tempfile::TempDir;

/// Messages of a timed run, and of one whose instructions are counted (which takes fifty times as long).
const TIMED: u64 = 2_000_000;
const COUNTED: u64 = 50_000;

/// The functions that `--profile` lists cover so much of all instructions, in percent.
const COVERED: &str = "--threshold=97";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let result = match words[..] {
        [] => table(),
        ["--profile", qos @ ("0" | "1" | "2")] => profile(qos),
        // What runs under valgrind.
        ["run", qos, messages] => {
            let number = |word: &str| word.parse().expect("a number");
            run(number(qos) as u8, number(messages));
            Ok(())
        }
        _ => {
            eprintln!("usage: cargo pipeline [--profile QOS]");
            return ExitCode::from(64);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn table() -> Result<(), String> {
    println!("QoS  messages/s  instructions/message");
    for qos in 0..3 {
        let start = Instant::now();
        run(qos, TIMED);
        let rate = TIMED as f64 / start.elapsed().as_secs_f64();
        let instructions = match install::find("valgrind") {
            None => String::from("(no valgrind)"),
            Some(_) => {
                let folder = TempDir::new().map_err(|error| error.to_string())?;
                let counted = count(&qos.to_string(), &folder)?.instructions;
                format!("{:.0}", counted as f64 / COUNTED as f64)
            }
        };
        println!("{qos:>3}  {rate:>10.0}  {instructions:>20}");
    }
    Ok(())
}

fn profile(qos: &str) -> Result<(), String> {
    let folder = TempDir::new().map_err(|error| error.to_string())?;
    let counted = count(qos, &folder)?;
    let shown = Command::new("callgrind_annotate")
        .args(["--auto=no", COVERED])
        .arg(counted.file)
        .status()
        .map_err(|error| format!("callgrind_annotate: {error}"))?;
    shown
        .success()
        .then_some(())
        .ok_or_else(|| format!("callgrind_annotate: {shown}"))
}

struct Counted {
    instructions: u64,
    file: PathBuf,
}

/// Counts the instructions of [`COUNTED`] messages.
fn count(qos: &str, folder: &TempDir) -> Result<Counted, String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let file = folder.path().join("callgrind.out");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--toggle-collect=*poll_bridge*"])
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(this)
        .args(["run", qos, &COUNTED.to_string()])
        .output()
        .map_err(|error| format!("valgrind: {error}"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    let collected = text
        .lines()
        .find_map(|line| line.split_once("Collected : "));
    let instructions = collected.and_then(|(_, number)| number.trim().parse().ok());
    match instructions {
        Some(instructions) if output.status.success() && instructions > 0 => {
            Ok(Counted { instructions, file })
        }
        _ => Err(format!("valgrind: {text}")),
    }
}

fn run(qos: u8, messages: u64) {
    with_pipeline(qos, AHEAD, |pipeline| pipeline.run(messages));
}
