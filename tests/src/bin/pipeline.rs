//! `cargo pipeline`: how much work is one message? The core alone, from Redis' bytes to the broker's, without sockets.
//!
//! ```text
//! cargo pipeline [--with OLD]... [--profile QOS]
//! ```
//!
//! Prints messages per second (both ends included), and instructions per message if `valgrind` is installed: those of
//! `Bridge::poll` and all that it calls. `--with` runs an older build by turns with this one, and prints the ratios: a git revision, a folder
//! with a checkout, or a `pipeline` that is built already. `--profile` shows where the instructions of one QoS go.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use mqtt_client_tests::bench::ends::AHEAD;
use mqtt_client_tests::bench::memory::with_pipeline;
use mqtt_client_tests::program::{self, Wanted};
use mqtt_client_tests::{earlier, install};
use tempfile::TempDir;

/// Messages of a timed run, and of one whose instructions are counted (which takes fifty times as long).
const TIMED: u64 = 2_000_000;
const COUNTED: u64 = 50_000;

/// The functions that `--profile` lists cover so much of all instructions, in percent.
const COVERED: &str = "--threshold=97";

const USAGE: &str = "usage: cargo pipeline [--with OLD]... [--profile QOS]";

/// This program.
const PIPELINE: Wanted<'static> = Wanted {
    package: "mqtt-client-tests",
    name: "pipeline",
    arguments: &["--profile", "profiling"],
};

/// A build, and what it is called in the table.
struct Build {
    name: String,
    program: PathBuf,
}

/// What one build takes at one QoS.
struct Figures {
    rate: f64,
    /// `None` without valgrind.
    instructions: Option<f64>,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let result = match words[..] {
        ["--profile", qos @ ("0" | "1" | "2")] => profile(qos),
        // What is timed, and what runs under valgrind.
        ["run", qos, messages] => {
            let number = |word: &str| word.parse().expect("a number");
            run(number(qos) as u8, number(messages));
            Ok(())
        }
        _ => match others(&words) {
            Some(others) => table(&others),
            None => {
                eprintln!("{USAGE}");
                return ExitCode::from(64);
            }
        },
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The older builds that are asked for; `None` if that is not all that is asked for.
fn others<'w>(words: &[&'w str]) -> Option<Vec<&'w str>> {
    let pairs = words.chunks(2).map(|pair| match *pair {
        ["--with", old] => Some(old),
        _ => None,
    });
    pairs.collect()
}

fn table(others: &[&str]) -> Result<(), String> {
    let mut builds = vec![Build {
        name: String::from("this"),
        program: this()?,
    }];
    for other in others {
        builds.push(Build {
            name: String::from(*other),
            program: earlier::program(other, &PIPELINE)?,
        });
    }
    let width = builds.iter().map(|build| build.name.len()).max();
    let width = width.unwrap_or_default() + "this / ".len();
    println!("QoS  {:<width$}  messages/s  instructions/message", "build");
    for qos in 0..3 {
        let mut all = Vec::new();
        for build in &builds {
            let figures = measure(&build.program, qos)?;
            let name = &build.name;
            println!("{qos:>3}  {name:<width$}  {}", figures.shown(0));
            all.push(figures);
        }
        let Some((this, older)) = all.split_first() else {
            continue;
        };
        for (old, build) in older.iter().zip(&builds[1..]) {
            let name = format!("this / {}", build.name);
            println!("{qos:>3}  {name:<width$}  {}", this.over(old).shown(2));
        }
    }
    Ok(())
}

impl Figures {
    /// The ratios.
    fn over(&self, old: &Figures) -> Figures {
        Figures {
            rate: self.rate / old.rate,
            instructions: (self.instructions.zip(old.instructions)).map(|(new, old)| new / old),
        }
    }

    fn shown(&self, digits: usize) -> String {
        let mut line = format!("{:>10.digits$}", self.rate);
        match self.instructions {
            Some(number) => write!(line, "  {number:>20.digits$}"),
            None => write!(line, "  {:>20}", "(no valgrind)"),
        }
        .expect("memory");
        line
    }
}

fn measure(program: &Path, qos: u8) -> Result<Figures, String> {
    let qos = qos.to_string();
    let start = Instant::now();
    program::output(Command::new(program).args(["run", &qos, &TIMED.to_string()]))?;
    let rate = TIMED as f64 / start.elapsed().as_secs_f64();
    let instructions = match install::find("valgrind") {
        None => None,
        Some(_) => {
            let folder = TempDir::new().map_err(|error| error.to_string())?;
            let counted = count(program, &qos, &folder)?.instructions;
            Some(counted as f64 / COUNTED as f64)
        }
    };
    Ok(Figures { rate, instructions })
}

fn profile(qos: &str) -> Result<(), String> {
    let folder = TempDir::new().map_err(|error| error.to_string())?;
    let counted = count(&this()?, qos, &folder)?;
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

fn this() -> Result<PathBuf, String> {
    std::env::current_exe().map_err(|error| error.to_string())
}

/// Counts the instructions of [`COUNTED`] messages.
fn count(program: &Path, qos: &str, folder: &TempDir) -> Result<Counted, String> {
    let file = folder.path().join("callgrind.out");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--toggle-collect=*poll_bridge*"])
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(program)
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
