//! `cargo pipeline`: how much work is one message? The core alone, from Redis' bytes to the broker's, without sockets.
//!
//! ```text
//! cargo pipeline [--minimq] [--with OLD]...
//! cargo pipeline --profile QOS
//! ```
//!
//! Prints messages per second (both ends included), and instructions per message if `valgrind` is installed: those of
//! `Bridge::poll` and all that it calls, where messages come in thousands and where each comes alone, as a gateway meets them. `--with` runs an older build by turns with this one, and prints the ratios: a git revision, a folder
//! with a checkout, or a `pipeline` that is built already. `--minimq` counts that library with MQTT 5 likewise, which is a part of a bridge only: its messages are
//! ready, where ours are read from Redis. `--profile` shows where the instructions of one QoS go.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use mqtt_client_tests::bench::ends::AHEAD;
use mqtt_client_tests::bench::memory::with_pipeline;
use mqtt_client_tests::bench::subjects;
use mqtt_client_tests::program::{self, Wanted};
use mqtt_client_tests::{earlier, install};
use tempfile::TempDir;

/// Messages under way where each comes alone.
const ALONE: u64 = 1;

/// Messages of a timed run, and of one whose instructions are counted (which takes fifty times as long).
const TIMED: u64 = 2_000_000;
const COUNTED: u64 = 50_000;

/// The functions that `--profile` lists cover so much of all instructions, in percent.
const COVERED: &str = "--threshold=97";

const USAGE: &str =
    "usage: cargo pipeline [--minimq] [--with OLD]...\n       cargo pipeline --profile QOS";

/// The functions that a message's instructions are those of.
const OURS: &str = "*poll_bridge*";
const MINIMQS: &str = "*drive_minimq*";

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
    /// Of MQTT, if it is not [`OLD_VERSION`].
    version: Option<&'static str>,
}

/// What builds speak that cannot be told otherwise.
const OLD_VERSION: &str = "3.1.1";

/// What one build takes at one QoS.
struct Figures {
    rate: f64,
    /// `None` without valgrind.
    instructions: Option<f64>,
    /// Likewise, and of an older build that cannot be told so.
    alone: Option<f64>,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let result = match words[..] {
        ["--profile", qos @ ("0" | "1" | "2")] => profile(qos),
        // What is timed, and what runs under valgrind.
        ["run", qos, messages] => {
            run(number(qos) as u8, number(messages), AHEAD, OLD_VERSION);
            Ok(())
        }
        ["run", qos, messages, ahead] => {
            run(
                number(qos) as u8,
                number(messages),
                number(ahead),
                OLD_VERSION,
            );
            Ok(())
        }
        ["run", qos, messages, ahead, version] => {
            run(number(qos) as u8, number(messages), number(ahead), version);
            Ok(())
        }
        _ => {
            let (with_minimq, rest) = match &words[..] {
                ["--minimq", rest @ ..] => (true, rest),
                rest => (false, rest),
            };
            let Some(others) = others(rest) else {
                eprintln!("{USAGE}");
                return ExitCode::from(64);
            };
            table(with_minimq, &others)
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

/// Of an argument that this program gives itself.
fn number(word: &str) -> u64 {
    word.parse().expect("a number")
}

/// The older builds that are asked for; `None` if that is not all that is asked for.
fn others<'w>(words: &[&'w str]) -> Option<Vec<&'w str>> {
    let pairs = words.chunks(2).map(|pair| match *pair {
        ["--with", old] => Some(old),
        _ => None,
    });
    pairs.collect()
}

fn table(with_minimq: bool, others: &[&str]) -> Result<(), String> {
    let build = |name: &str, program, version| Build {
        name: String::from(name),
        program,
        version,
    };
    let mut builds = vec![
        build("this, MQTT 5", this()?, Some("5")),
        build("this", this()?, None),
    ];
    for other in others {
        builds.push(build(other, earlier::program(other, &PIPELINE)?, None));
    }
    let minimq = with_minimq.then(subjects::minimq_in_memory).transpose()?;
    let width = builds.iter().map(|build| build.name.len()).max();
    let width = width.unwrap_or_default() + "this, MQTT 5 / ".len();
    println!(
        "QoS  {:<width$}  messages/s  instructions/message  one by one",
        "build"
    );
    for qos in 0..3 {
        let mut all = Vec::new();
        for build in &builds {
            let figures = measure(build, qos)?;
            let name = &build.name;
            println!("{qos:>3}  {name:<width$}  {}", figures.shown(0));
            all.push(figures);
        }
        let [new, this, older @ ..] = &all[..] else {
            continue;
        };
        let name = "this, MQTT 5 / this";
        println!("{qos:>3}  {name:<width$}  {}", new.over(this).shown(2));
        if let Some(program) = &minimq {
            let figures = measure_minimq(program, qos)?;
            println!("{qos:>3}  {:<width$}  {}", "minimq", figures.shown(0));
            let name = "this, MQTT 5 / minimq";
            println!("{qos:>3}  {name:<width$}  {}", new.over(&figures).shown(2));
        }
        for (old, build) in older.iter().zip(&builds[2..]) {
            let name = format!("this / {}", build.name);
            println!("{qos:>3}  {name:<width$}  {}", this.over(old).shown(2));
        }
    }
    Ok(())
}

impl Figures {
    /// The ratios.
    fn over(&self, old: &Figures) -> Figures {
        let over = |new: Option<f64>, old| new.zip(old).map(|(new, old)| new / old);
        Figures {
            rate: self.rate / old.rate,
            instructions: over(self.instructions, old.instructions),
            alone: over(self.alone, old.alone),
        }
    }

    fn shown(&self, digits: usize) -> String {
        let mut line = format!("{:>10.digits$}", self.rate);
        for (figure, width) in [(self.instructions, 20), (self.alone, 10)] {
            match figure {
                Some(number) => write!(line, "  {number:>width$.digits$}"),
                None => write!(line, "  {:>width$}", "-"),
            }
            .expect("memory");
        }
        line
    }
}

fn measure(build: &Build, qos: u8) -> Result<Figures, String> {
    let (program, version) = (&build.program, build.version);
    let qos = qos.to_string();
    let start = Instant::now();
    let mut command = Command::new(program);
    command.args(["run", &qos, &TIMED.to_string()]);
    command.args(more(None, version));
    program::output(&mut command)?;
    let rate = TIMED as f64 / start.elapsed().as_secs_f64();
    if install::find("valgrind").is_none() {
        eprintln!("instructions are not counted: valgrind is not installed");
        return Ok(Figures {
            rate,
            instructions: None,
            alone: None,
        });
    }
    let folder = TempDir::new().map_err(|error| error.to_string())?;
    let a_message = |counted: Counted| counted.instructions as f64 / COUNTED as f64;
    let instructions = Some(a_message(count(program, &qos, None, version, &folder)?));
    let alone = (count(program, &qos, Some(ALONE), version, &folder).ok()).map(a_message);
    Ok(Figures {
        rate,
        instructions,
        alone,
    })
}

fn measure_minimq(program: &Path, qos: u8) -> Result<Figures, String> {
    let qos = qos.to_string();
    let start = Instant::now();
    program::output(Command::new(program).args([&qos, &TIMED.to_string()]))?;
    let rate = TIMED as f64 / start.elapsed().as_secs_f64();
    let folder = TempDir::new().map_err(|error| error.to_string())?;
    let arguments = vec![qos, COUNTED.to_string()];
    let counted = count_in(MINIMQS, program, arguments, &folder)?;
    Ok(Figures {
        rate,
        instructions: Some(counted.instructions as f64 / COUNTED as f64),
        alone: None,
    })
}

fn profile(qos: &str) -> Result<(), String> {
    let folder = TempDir::new().map_err(|error| error.to_string())?;
    let counted = count(&this()?, qos, None, None, &folder)?;
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

/// Counts the instructions of [`COUNTED`] messages, of which so many are under way.
fn count(
    program: &Path,
    qos: &str,
    ahead: Option<u64>,
    version: Option<&str>,
    folder: &TempDir,
) -> Result<Counted, String> {
    let mut arguments = vec!["run".into(), qos.into(), COUNTED.to_string()];
    arguments.extend(more(ahead, version));
    count_in(OURS, program, arguments, folder)
}

/// Counts the instructions of some functions, and of all that they call.
fn count_in(
    functions: &str,
    program: &Path,
    arguments: Vec<String>,
    folder: &TempDir,
) -> Result<Counted, String> {
    let file = folder.path().join("callgrind.out");
    let output = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--toggle-collect={functions}"))
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(program)
        .args(arguments)
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

/// The arguments that older builds do not know, where there are any.
fn more(ahead: Option<u64>, version: Option<&str>) -> Vec<String> {
    match (ahead, version) {
        (None, None) => vec![],
        (Some(ahead), None) => vec![ahead.to_string()],
        (ahead, Some(version)) => vec![ahead.unwrap_or(AHEAD).to_string(), version.to_string()],
    }
}

fn run(qos: u8, messages: u64, ahead: u64, version: &str) {
    with_pipeline(qos, version, ahead, |pipeline| pipeline.run(messages));
}
