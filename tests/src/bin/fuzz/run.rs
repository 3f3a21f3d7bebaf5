//! How one target is run, and what came of it.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use mqtt_client_tests::program;
use tempfile::TempDir;

use crate::arguments::{Arguments, Target};

/// Of the lines that [`Summary`] prints.
pub const HEADER: &str = "target          executions  coverage  grew last at     time";

/// How a run went.
pub struct Summary {
    name: &'static str,
    curve: Curve,
    took: Duration,
}

/// What libFuzzer tells of its coverage.
#[derive(Debug, Default, PartialEq, Eq)]
struct Curve {
    executions: u64,
    /// Edges.
    coverage: u64,
    /// The execution that added the last one.
    grew_last_at: u64,
}

/// Runs one target.
///
/// # Errors
///
/// What it found, and how to see it again.
pub fn target(binaries: &Path, target: &Target, arguments: &Arguments) -> Result<Summary, String> {
    let name = target.name;
    let complaint = |error: std::io::Error| format!("{name}: {error}");
    let artifacts = folder("artifacts", name).map_err(complaint)?;
    let seeds = program::workspace().join("core/fuzz/seeds").join(name);
    // libFuzzer writes what it finds to the first folder.
    let fresh = TempDir::new().map_err(complaint)?;
    let corpus = match arguments.time {
        Some(_) => folder("corpus", name).map_err(complaint)?,
        None => fresh.path().into(),
    };
    let limit = match arguments.time {
        Some(time) => format!("-max_total_time={}", time.as_secs()),
        None => format!("-runs={}", target.runs),
    };
    let start = Instant::now();
    let output = Command::new(binaries.join(name))
        .args([&corpus, &seeds])
        .arg(format!("-seed={}", arguments.seed))
        .arg(limit)
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .output()
        .map_err(complaint)?;
    let text = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!(
            "{}\n{name}: {}; to see it again: {} FILE, with the file that is named above",
            end_of(&text),
            output.status,
            binaries.join(name).display()
        ));
    }
    Ok(Summary {
        name,
        curve: Curve::of(&text),
        took: start.elapsed(),
    })
}

fn folder(kind: &str, name: &str) -> std::io::Result<PathBuf> {
    let folder = program::workspace()
        .join("target/fuzz")
        .join(kind)
        .join(name);
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// From the panic on, or the last lines.
fn end_of(output: &str) -> &str {
    let start = output
        .rfind("panicked at")
        .or_else(|| output.rfind("ERROR:"));
    &output[start.unwrap_or(output.floor_char_boundary(output.len().saturating_sub(4000)))..]
}

impl Curve {
    /// Reads libFuzzer's lines: the executions so far, a tab, an event, and `cov:` with the edges that were seen.
    fn of(output: &str) -> Self {
        let mut curve = Curve::default();
        for line in output.lines() {
            let Some((executions, rest)) = line
                .strip_prefix('#')
                .and_then(|line| line.split_once('\t'))
            else {
                continue;
            };
            let Ok(executions) = executions.parse() else {
                continue;
            };
            curve.executions = executions;
            let mut words = rest.split_whitespace();
            let coverage = words
                .find(|word| *word == "cov:")
                .and_then(|_| words.next()?.parse().ok());
            if let Some(coverage) = coverage.filter(|coverage| *coverage > curve.coverage) {
                curve.coverage = coverage;
                curve.grew_last_at = executions;
            }
        }
        curve
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Curve {
            executions,
            coverage,
            grew_last_at,
        } = self.curve;
        let seconds = self.took.as_secs_f64();
        write!(
            f,
            "{:<14}{executions:>12}{coverage:>10}{grew_last_at:>14}{seconds:>8.1} s",
            self.name
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_is_read_off_libfuzzers_lines() {
        let output = "INFO: Seed: 1\n#2\tINITED cov: 10 ft: 11 corp: 1/1b\n#7\tNEW    cov: 12 ft: 14 L: 3/3\n\
            #9\tNEW    cov: 12 ft: 15\n#4096\tpulse  cov: 12 ft: 15\n#5000\tDONE   cov: 12 ft: 15\nDone 5000 runs in 1 second(s)";
        let expected = Curve {
            executions: 5000,
            coverage: 12,
            grew_last_at: 7,
        };
        assert_eq!(Curve::of(output), expected);
    }

    #[test]
    fn a_failure_is_shown_from_its_panic_on() {
        assert_eq!(
            end_of("#1\tNEW\nthread panicked at x:\nmessage"),
            "panicked at x:\nmessage"
        );
        assert_eq!(end_of("nothing known"), "nothing known");
    }
}
