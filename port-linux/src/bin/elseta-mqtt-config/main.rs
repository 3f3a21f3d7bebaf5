//! `elseta-mqtt-config`: from the Devices and Signals tabs of a workbook to the mapping table of `mqtt-client`, and back.
//!
//! The way of a cell, one module per step:
//!
//! | module | question |
//! |---|---|
//! | [`args`] | what did the user ask for? |
//! | [`workbook`] | what stands in the cells of the tabs, whatever the file's format? |
//! | [`characters`] | which characters does nobody see? |
//! | [`header`] | which column is which parameter? |
//! | [`value`] | what does a cell say to its parameter, and is that what its author typed? |
//! | [`rows`] | which rows are ours, and what does each say? |
//! | [`json`] | how does the mapping table lie in its file? |
//! | [`verdict`] | which cell is a finding of the core's rules about? |
//! | [`advice`] | what is allowed, and yet would cost a site visit? |
//! | [`template`], [`export`], [`tab`] | how does a workbook come about? |
//! | [`losses`] | what would come back from a workbook as something else? |
//! | [`output`], [`progress`] | how does a file appear whole, and what does a person see meanwhile? |
//! | [`window`] | what if the window closes with the program? |
//! | [`memory`] | what if a file asks for more memory than it should have? |
//!
//! The parameters, their rules and what is told of them are the core's ([`mqtt_client_core::config`]); this program has none of its own, except about
//! cells.

mod advice;
mod args;
mod characters;
mod export;
mod header;
mod json;
mod losses;
mod memory;
mod output;
mod progress;
mod report;
mod rows;
mod tab;
mod template;
mod value;
mod verdict;
mod window;
mod workbook;

use std::env;
use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use args::{Command, Output};
use characters::printable;
use progress::Progress;
use report::Severity;
use verdict::Verdict;

#[global_allocator]
static ALLOCATOR: memory::Bounded = memory::Bounded;

/// `sysexits.h`: the command line is wrong.
const EX_USAGE: u8 = 64;
/// The result cannot be written.
const EX_CANTCREAT: u8 = 73;
/// The workbook, or the mapping table, is wrong or cannot be read.
const EX_CONFIG: u8 = 78;

/// Why there is no result. What is wrong with cells has been reported before.
pub enum Failure {
    /// The input cannot be used.
    Input(String),
    /// The output cannot be written.
    Output(String),
}

fn main() -> ExitCode {
    let code = run();
    window::keep_open();
    code
}

fn run() -> ExitCode {
    let result = match Command::from_env() {
        Ok(Command::Help) => print(args::HELP),
        Ok(Command::Version) => print(concat!(
            "elseta-mqtt-config ",
            env!("CARGO_PKG_VERSION"),
            "\n"
        )),
        Ok(Command::Build { workbook, output }) => build(&workbook, &output),
        Ok(Command::Check { workbook }) => check(&workbook),
        Ok(Command::Template { output }) => template::write(&output),
        Ok(Command::Export { table, output }) => export::write(&table, &output),
        // A double click.
        Err(_) if window::is_ours() && env::args_os().len() == 1 => print(args::HELP),
        Err(error) => {
            complain(format_args!("elseta-mqtt-config: {error}"));
            return ExitCode::from(EX_USAGE);
        }
    };
    let (text, code) = match result {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Input(text)) => (text, EX_CONFIG),
        Err(Failure::Output(text)) => (text, EX_CANTCREAT),
    };
    complain(format_args!("{text}"));
    ExitCode::from(code)
}

fn build(workbook: &[PathBuf], output: &Output) -> Result<(), Failure> {
    let verdict = judge(workbook)?;
    match output {
        Output::Standard => io::stdout()
            .write_all(verdict.json.as_bytes())
            .map_err(|error| Failure::Output(format!("standard output: {error}"))),
        Output::File(path) => {
            output::write(path, verdict.json.as_bytes())?;
            let name = path.display().to_string();
            if verdict.json.contains("\"password\":") && output::is_open(path) {
                complain(format_args!(
                    "warning: {name}: everybody may read it, and passwords stand in it: chmod o= {name}"
                ));
            }
            print(&format!("{}: {}\n", printable(&name), verdict.counts))
        }
    }
}

fn check(workbook: &[PathBuf]) -> Result<(), Failure> {
    let verdict = judge(workbook)?;
    let name = name(workbook);
    print(&format!("{}: {}\n", printable(&name), verdict.counts))
}

/// Reads the workbook, checks it by every rule, and reports all that was found.
fn judge(workbook: &[PathBuf]) -> Result<Verdict, Failure> {
    let progress = Progress::new();
    let name = name(workbook);
    memory::is_taken_for(printable(&name).to_string());
    let sheets = workbook::read(workbook, &progress)
        .map_err(|reason| Failure::Input(format!("{name}: {reason}")))?;
    let (verdict, remarks) = verdict::judge(&sheets);
    drop(progress);
    for remark in &remarks {
        complain(format_args!("{}", remark.in_sheets(&sheets)));
    }
    verdict.ok_or_else(|| {
        let count = remarks
            .iter()
            .filter(|remark| remark.severity == Severity::Error)
            .count();
        let plural = if count == 1 { "" } else { "s" };
        Failure::Input(format!("{name}: {count} error{plural}, nothing written"))
    })
}

/// How messages call the workbook: by its first file.
fn name(workbook: &[PathBuf]) -> String {
    workbook
        .first()
        .map_or_else(String::new, |path| Path::display(path).to_string())
}

fn print(text: &str) -> Result<(), Failure> {
    // Whoever closed standard output does not want to know.
    let _ = io::stdout().write_all(text.as_bytes());
    Ok(())
}

/// Why a file cannot be read, in words that do not depend on the system where they need not.
fn unreadable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".into(),
        _ => format!("cannot be read: {error}"),
    }
}

/// One line on standard error, whatever it repeats of a file's or a library's words.
fn complain(line: fmt::Arguments<'_>) {
    let line = line.to_string();
    // Nobody is left to be told if that fails.
    let _ = writeln!(io::stderr().lock(), "{}", printable(&line));
}
