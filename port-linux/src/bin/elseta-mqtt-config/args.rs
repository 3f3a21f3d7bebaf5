//! What did the user ask for? The command line.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use lexopt::Arg::{Long, Short, Value};

/// Text of `--help`; every line fits 80 columns.
pub const HELP: &str = "\
Makes the mapping table of mqtt-client from a workbook's Devices and Signals
tabs, and a workbook from a mapping table.

Usage: elseta-mqtt-config build WORKBOOK [-o FILE]
       elseta-mqtt-config check WORKBOOK
       elseta-mqtt-config template FILE.xlsx
       elseta-mqtt-config export FILE.json -o WORKBOOK.xlsx

Commands:
  build     Check the workbook and write the mapping table
  check     Check the workbook and write nothing
  template  Write a workbook to start from
  export    Write a workbook with what the mapping table says

WORKBOOK is a file of Excel (.xlsx, .xlsm, .xls) or LibreOffice (.ods), or a
pair of .csv files, one whose name holds \"devices\" and one with \"signals\";
the second may be left out if it differs from the first in that word only.

Options:
  -o, --output FILE  What to write; for build default elseta-mqtt.json, and -
                     is standard output
  -h, --help         Show this help and exit
  -V, --version      Show the version and exit

Every error is reported with its cell, as in
  Devices!H4 mqtt_qos: 3 is not in 0..2
and then nothing is written. Hidden rows, columns and sheets count like visible
ones. Workbooks are never overwritten.

Exit status:
  0   success, perhaps with warnings
  64  wrong command line
  73  the result cannot be written
  78  wrong workbook, or wrong mapping table
";

/// Where the mapping table goes unless told otherwise.
const DEFAULT_OUTPUT: &str = "elseta-mqtt.json";

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// Show [`HELP`] on standard output.
    Help,
    /// Show the version on standard output.
    Version,
    /// Write the mapping table of a workbook, which is one file or several CSV files.
    Build {
        workbook: Vec<PathBuf>,
        output: Output,
    },
    /// Only report what is wrong with a workbook.
    Check { workbook: Vec<PathBuf> },
    /// Write a workbook to start from.
    Template { output: PathBuf },
    /// Write a workbook from a mapping table.
    Export { table: PathBuf, output: PathBuf },
}

/// Where the mapping table goes.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    Standard,
    File(PathBuf),
}

/// A wrong command line, in words that name the argument and the rule.
#[derive(Debug, PartialEq, Eq)]
pub struct UsageError(String);

impl Command {
    /// The command that this process was started with. `-h` and `-V` win over whatever stands after them.
    pub fn from_env() -> Result<Command, UsageError> {
        parse(lexopt::Parser::from_env())
    }
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<lexopt::Error> for UsageError {
    fn from(error: lexopt::Error) -> Self {
        UsageError(error.to_string())
    }
}

fn parse(mut arguments: lexopt::Parser) -> Result<Command, UsageError> {
    let mut words = Vec::new();
    let mut output = None;
    while let Some(argument) = arguments.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(Command::Help),
            Short('V') | Long("version") => return Ok(Command::Version),
            Short('o') | Long("output") => output = Some(arguments.value()?),
            Value(word) => words.push(word),
            other => return Err(other.unexpected().into()),
        }
    }
    if words.is_empty() {
        return Err(UsageError(
            "give a command: build, check, template or export".into(),
        ));
    }
    let command = words.remove(0);
    let files = words;
    match command.to_str() {
        Some("build") => Ok(Command::Build {
            workbook: workbook(files)?,
            output: match output {
                None => Output::File(DEFAULT_OUTPUT.into()),
                Some(output) if output == "-" => Output::Standard,
                Some(output) => Output::File(not_empty(output)?),
            },
        }),
        Some("check") => {
            no_output("check", output)?;
            let workbook = workbook(files)?;
            Ok(Command::Check { workbook })
        }
        Some("template") => {
            no_output("template", output)?;
            let output = one("template", "FILE.xlsx", files)?;
            Ok(Command::Template { output })
        }
        Some("export") => {
            let table = one("export", "FILE.json", files)?;
            let missing = || UsageError("'export' needs '-o WORKBOOK.xlsx'".into());
            let output = not_empty(output.ok_or_else(missing)?)?;
            Ok(Command::Export { table, output })
        }
        _ => Err(UsageError(format!(
            "there is no command {command:?}, only build, check, template and export"
        ))),
    }
}

fn workbook(files: Vec<OsString>) -> Result<Vec<PathBuf>, UsageError> {
    if files.is_empty() {
        return Err(UsageError("name the workbook".into()));
    }
    files.into_iter().map(not_empty).collect()
}

fn one(command: &str, what: &str, files: Vec<OsString>) -> Result<PathBuf, UsageError> {
    match <[OsString; 1]>::try_from(files) {
        Ok([file]) => not_empty(file),
        Err(files) => Err(UsageError(format!(
            "'{command}' takes one {what}, not {}",
            files.len()
        ))),
    }
}

fn not_empty(file: OsString) -> Result<PathBuf, UsageError> {
    if file.is_empty() {
        return Err(UsageError("the name of a file is empty".into()));
    }
    Ok(file.into())
}

fn no_output(command: &str, output: Option<OsString>) -> Result<(), UsageError> {
    match output {
        None => Ok(()),
        Some(_) => Err(UsageError(format!("'{command}' takes no '-o'"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_all(arguments: &[&str]) -> Result<Command, String> {
        parse(lexopt::Parser::from_args(arguments)).map_err(|error| error.to_string())
    }

    fn build(workbook: &[&str], output: Output) -> Command {
        Command::Build {
            workbook: workbook.iter().map(PathBuf::from).collect(),
            output,
        }
    }

    #[test]
    fn every_command_is_understood_in_every_form() {
        let default = || Output::File(DEFAULT_OUTPUT.into());
        let export = || Command::Export {
            table: "t.json".into(),
            output: "w.xlsx".into(),
        };
        let cases: &[(&[&str], Command)] = &[
            (&["-h"], Command::Help),
            (&["build", "--help"], Command::Help),
            (&["-V", "stray"], Command::Version),
            (&["build", "w.xlsx"], build(&["w.xlsx"], default())),
            (
                &["build", "w.xlsx", "-o", "f"],
                build(&["w.xlsx"], Output::File("f".into())),
            ),
            (
                &["-of", "build", "w.xlsx"],
                build(&["w.xlsx"], Output::File("f".into())),
            ),
            (
                &["build", "w.xlsx", "--output=-"],
                build(&["w.xlsx"], Output::Standard),
            ),
            (
                &["build", "devices.csv", "signals.csv", "-o", "-"],
                build(&["devices.csv", "signals.csv"], Output::Standard),
            ),
            (
                &["check", "w.ods"],
                Command::Check {
                    workbook: vec!["w.ods".into()],
                },
            ),
            (
                &["template", "w.xlsx"],
                Command::Template {
                    output: "w.xlsx".into(),
                },
            ),
            (&["export", "t.json", "-o", "w.xlsx"], export()),
            (&["export", "--output", "w.xlsx", "t.json"], export()),
        ];
        for (arguments, command) in cases {
            assert_eq!(parse_all(arguments).as_ref(), Ok(command), "{arguments:?}");
        }
    }

    #[test]
    fn a_usage_error_names_the_argument_and_the_rule() {
        let cases: &[(&[&str], &str)] = &[
            (&[], "give a command: build, check, template or export"),
            (
                &["make"],
                "there is no command \"make\", only build, check, template and export",
            ),
            (&["build"], "name the workbook"),
            (&["build", ""], "the name of a file is empty"),
            (&["build", "w", "-o"], "missing argument for option '-o'"),
            (&["build", "w", "-x"], "invalid option '-x'"),
            (&["check"], "name the workbook"),
            (&["check", "w", "-o", "f"], "'check' takes no '-o'"),
            (&["template"], "'template' takes one FILE.xlsx, not 0"),
            (&["template", "w", "-o", "f"], "'template' takes no '-o'"),
            (&["export", "t"], "'export' needs '-o WORKBOOK.xlsx'"),
            (
                &["export", "t", "u", "-o", "w"],
                "'export' takes one FILE.json, not 2",
            ),
        ];
        for (arguments, error) in cases {
            assert_eq!(parse_all(arguments), Err((*error).into()), "{arguments:?}");
        }
    }

    #[test]
    fn the_help_fits_80_columns() {
        for line in HELP.lines() {
            assert!(line.len() <= 80, "{} columns: {line}", line.len());
        }
    }
}
