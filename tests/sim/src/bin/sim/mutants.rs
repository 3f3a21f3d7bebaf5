//! `cargo sim --mutants`: is each deliberate mistake caught, by which seed and which property?
//!
//! Each is made in a copy of the core and the simulator, built, and run until a seed fails. What is tried gets its row in `docs/mutants.md` at once;
//! all others keep theirs.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mqtt_client_sim::mutants::{MUTANTS, Mutant};

/// Lives before a mistake counts as not caught.
const SEEDS: u64 = 5000;

/// A mistake that makes it run for longer than this never ends.
const LIMIT: Duration = Duration::from_secs(300);

/// What must be there to build the simulator.
const PARTS: [&str; 3] = ["Cargo.lock", "core", "tests/sim"];

/// What a run of the simulator came to.
enum Caught {
    /// Seed and property.
    By(String, String),
    Survived,
    NeverEnds,
}

/// Tries all mutants whose names hold one of these words; whether all were caught.
///
/// # Errors
/// If the copy cannot be made or built.
pub fn try_all(wanted: &[String]) -> Result<bool, String> {
    let started = Instant::now();
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let workspace = workspace
        .canonicalize()
        .map_err(|error| error.to_string())?;
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let bench = Bench {
        copy: folder.path().to_path_buf(),
        target: workspace.join("target/mutants"),
        workspace,
    };
    bench.copy_all().map_err(|error| error.to_string())?;
    bench.build()?;
    if let Caught::By(seed, property) = bench.run()? {
        return Err(format!(
            "without any mistake, seed {seed} breaks: {property}"
        ));
    }
    let path = bench.workspace.join("docs/mutants.md");
    let old = fs::read_to_string(&path).map_err(|error| error.to_string())?;
    let mut rows: Vec<_> = (MUTANTS.iter())
        .map(|mutant| kept(&old, mutant.name).unwrap_or_else(|| NOT_TRIED.map(String::from)))
        .collect();
    let mut all_caught = true;
    let chosen = MUTANTS.iter().enumerate().filter(|(_, mutant)| {
        wanted.is_empty() || wanted.iter().any(|word| mutant.name.contains(word))
    });
    for (number, mutant) in chosen {
        let row = match bench.try_one(mutant)? {
            Caught::By(seed, property) => [seed, property],
            Caught::NeverEnds => ["any", "a life ends"].map(String::from),
            Caught::Survived => {
                all_caught = false;
                ["none", "NOT CAUGHT"].map(String::from)
            }
        };
        println!("{:<55} {:>5}  {}", mutant.name, row[0], row[1]);
        rows[number] = row;
        fs::write(&path, table(&rows)).map_err(|error| error.to_string())?;
    }
    let minutes = started.elapsed().as_secs().div_ceil(60);
    println!("{minutes} minutes");
    Ok(all_caught)
}

/// The table with these seeds and properties, in the order of [`MUTANTS`].
fn table(rows: &[[String; 2]]) -> String {
    let mut table = String::from(HEAD);
    for (mutant, [seed, property]) in MUTANTS.iter().zip(rows) {
        let (name, file) = (mutant.name, mutant.file);
        writeln!(table, "| {name} | `{file}` | {seed} | {property} |").expect("memory");
    }
    table
}

/// The seed and the property that an older table has for a mistake.
fn kept(table: &str, name: &str) -> Option<[String; 2]> {
    let row = (table.lines()).find_map(|line| line.strip_prefix(&format!("| {name} | ")))?;
    let mut cells = row.strip_suffix(" |")?.split(" | ").skip(1);
    Some([cells.next()?.into(), cells.next()?.into()])
}

/// The seed and the property of a mistake that is new in the list.
const NOT_TRIED: [&str; 2] = ["-", "not tried"];

const HEAD: &str = "# Deliberate mistakes, and what catches them

Written by `cargo sim --mutants`. Each mistake is made in a copy of the core ([the list](../tests/sim/src/mutants.rs)), and seeds are tried from
1 on: the first that fails, and the property that it finds broken. `cargo sim --mutants WORD...` tries those whose names hold such a word, and leaves the other rows.

| mistake | in | seed | property |
|---|---|---:|---|
";

/// Where mistakes are made.
struct Bench {
    workspace: PathBuf,
    copy: PathBuf,
    target: PathBuf,
}

impl Bench {
    fn copy_all(&self) -> io::Result<()> {
        for part in PARTS {
            copy(&self.workspace.join(part), &self.copy.join(part))?;
        }
        let manifest = fs::read_to_string(self.workspace.join("Cargo.toml"))?;
        let lines = manifest
            .lines()
            .filter(|line| !line.starts_with("exclude = "));
        let lines = lines.map(|line| match line.starts_with("members = ") {
            true => "members = [\"core\", \"tests/sim\"]",
            false => line,
        });
        fs::write(
            self.copy.join("Cargo.toml"),
            lines.collect::<Vec<_>>().join("\n"),
        )
    }

    fn try_one(&self, mutant: &Mutant) -> Result<Caught, String> {
        let path = self.copy.join(mutant.file);
        let source = fs::read_to_string(&path).map_err(|error| error.to_string())?;
        if source.matches(mutant.text).count() != 1 {
            return Err(format!(
                "{}: its text is not in {}, or not once",
                mutant.name, mutant.file
            ));
        }
        let write = |text: &str| fs::write(&path, text).map_err(|error| error.to_string());
        write(&source.replace(mutant.text, mutant.instead))?;
        let caught = self.build().and_then(|()| self.run());
        write(&source)?;
        caught.map_err(|error| format!("{}: {error}", mutant.name))
    }

    fn build(&self) -> Result<(), String> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args([
                "build",
                "--offline",
                "--profile",
                "sim",
                "-p",
                "mqtt-client-sim",
                "--bin",
                "sim",
            ])
            .arg("--target-dir")
            .arg(&self.target)
            // The next mistake is another one in the same crate.
            .env("CARGO_INCREMENTAL", "1")
            .env("CARGO_PROFILE_SIM_DEBUG", "false")
            .current_dir(&self.copy)
            .output()
            .map_err(|error| error.to_string())?;
        if output.status.success() {
            Ok(())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    fn run(&self) -> Result<Caught, String> {
        let mut child = Command::new(self.target.join("sim/sim"))
            .args(["--brief", "--seeds", &SEEDS.to_string(), "--seed", "1"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        let started = Instant::now();
        while child
            .try_wait()
            .map_err(|error| error.to_string())?
            .is_none()
        {
            if started.elapsed() > LIMIT {
                child
                    .kill()
                    .and_then(|()| child.wait())
                    .map_err(|error| error.to_string())?;
                return Ok(Caught::NeverEnds);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let output = child
            .wait_with_output()
            .map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().find_map(|line| line.strip_prefix("seed "));
        let Some((seed, rest)) = line.and_then(|line| line.split_once(": ")) else {
            return Ok(Caught::Survived);
        };
        let property = rest.split(": ").next().unwrap_or(rest);
        Ok(Caught::By(seed.into(), property.into()))
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if from.is_file() {
        let folder = to.parent().expect("a file is in a folder");
        fs::create_dir_all(folder)?;
        return fs::copy(from, to).map(|_| ());
    }
    for entry in fs::read_dir(from)? {
        let name = entry?.file_name();
        if name != "target" {
            copy(&from.join(&name), &to.join(&name))?;
        }
    }
    Ok(())
}
