//! What did the user ask for? The command line, as the manual's chapter on debugging has it, and `--check`, which
//! is ours.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use lexopt::Arg::{Long, Short};

/// What a program without a spool does not have.
#[cfg(feature = "spool")]
macro_rules! with_spool {
    ($text:literal) => {
        $text
    };
}
#[cfg(not(feature = "spool"))]
macro_rules! with_spool {
    ($text:literal) => {
        ""
    };
}

/// Text of `--help`; every line fits 80 columns.
pub const HELP: &str = concat!(
    "\
Forwards measurements from Redis to MQTT brokers.

Usage: mqtt-client [-h] [-c FILE] [-V] [-d LEVEL] [-r] [-m] [--check]
                   [--keep-trying]",
    with_spool!(" [--spool DIR]"),
    "\n
Options:
  -h, --help         Show this help and exit
  -c, --config FILE  Configuration file; default /etc/elseta-mqtt.conf, and
                     where that does not exist /etc/elseta-mqtt.json
  -V, --version      Show the version and what was built in, and exit
  -d, --debug LEVEL  What to report on standard error; each level adds to the
                     ones before it (default 1):
                       0  errors
                       1  warnings
                       2  connections and state, counters once a minute
                       3  messages
                       4  bytes
  -r, --redis        Show every Redis message on standard output
  -m, --mqtt         Show every MQTT packet on standard output
      --check        Validate the configuration, print a summary and exit;
                     opens no connection
      --keep-trying  Wait while the configuration cannot be used, and read it
                     again: for services
",
    with_spool!(
        "      --spool DIR    Print what the spools in a folder hold, or that of one
                     device, and exit; writes nothing
"
    ),
    "\nSignals:
  TERM, INT          Send what is queued (at most 5 s), disconnect and exit;
                     a second one exits at once
  HUP                Read the configuration again
  USR1               Report the counters on standard error

Exit status:
  0   success
  64  wrong command line
",
    with_spool!("  66  --spool: no spool is there\n"),
    "  71  the system denies something\n",
    with_spool!("  74  --spool: a part cannot be read\n"),
    "  78  wrong configuration\n"
);

/// The default configuration files, best first: the manual names both.
const DEFAULT_CONFIG: [&str; 2] = ["/etc/elseta-mqtt.conf", "/etc/elseta-mqtt.json"];

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// Show [`HELP`] on standard output.
    Help,
    /// Show the version on standard output.
    Version,
    /// Validate the configuration file and print a summary.
    Check { config: PathBuf },
    /// Print what the spools in a folder hold.
    #[cfg(feature = "spool")]
    Spool { folder: PathBuf },
    /// Forward.
    Run(Options),
}

/// How to forward.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    /// The configuration file, which need not exist.
    pub config: PathBuf,
    /// Debugging level, 0 to 4.
    pub debug: u8,
    /// Show Redis messages on standard output.
    pub show_redis: bool,
    /// Show MQTT packets on standard output.
    pub show_mqtt: bool,
    /// Wait for a configuration that can be used.
    pub keep_trying: bool,
}

/// A wrong command line, in words that name the argument and the rule.
#[derive(Debug, PartialEq, Eq)]
pub struct UsageError(String);

impl Command {
    /// The command that this process was started with.
    ///
    /// `-h` and `-V` win over whatever stands after them. An option given twice counts as given last.
    pub fn from_env() -> Result<Command, UsageError> {
        parse(lexopt::Parser::from_env(), Path::exists)
    }
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

impl From<lexopt::Error> for UsageError {
    /// In lexopt's words. Its own way to show an argument costs a gateway 4 KB, for tables of what can be printed.
    fn from(error: lexopt::Error) -> Self {
        use lexopt::Error;
        UsageError(match error {
            Error::MissingValue {
                option: Some(option),
            } => {
                format!("missing argument for option '{option}'")
            }
            Error::UnexpectedOption(option) => format!("invalid option '{option}'"),
            Error::UnexpectedArgument(value) => {
                format!("unexpected argument \"{}\"", value.display())
            }
            Error::UnexpectedValue { option, value } => format!(
                "unexpected argument for option '{option}': \"{}\"",
                value.display()
            ),
            // For values that are parsed by lexopt, and none is here.
            _ => "wrong arguments".into(),
        })
    }
}

fn parse(mut arguments: lexopt::Parser, exists: fn(&Path) -> bool) -> Result<Command, UsageError> {
    let mut config = None;
    let mut debug = 1;
    let mut show_redis = false;
    let mut show_mqtt = false;
    let mut check = false;
    let mut keep_trying = false;
    #[cfg(feature = "spool")]
    let mut spool = None;
    while let Some(argument) = arguments.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(Command::Help),
            Short('V') | Long("version") => return Ok(Command::Version),
            Short('c') | Long("config") => config = Some(config_file(arguments.value()?)?),
            Short('d') | Long("debug") => debug = debug_level(&arguments.value()?)?,
            Short('r') | Long("redis") => show_redis = true,
            Short('m') | Long("mqtt") => show_mqtt = true,
            Long("check") => check = true,
            Long("keep-trying") => keep_trying = true,
            #[cfg(feature = "spool")]
            Long("spool") => spool = Some(arguments.value()?.into()),
            other => return Err(other.unexpected().into()),
        }
    }
    let config = config.unwrap_or_else(|| default_config(exists));
    #[cfg(feature = "spool")]
    if let Some(folder) = spool {
        return Ok(Command::Spool { folder });
    }
    Ok(if check {
        Command::Check { config }
    } else {
        Command::Run(Options {
            config,
            debug,
            show_redis,
            show_mqtt,
            keep_trying,
        })
    })
}

fn config_file(value: OsString) -> Result<PathBuf, UsageError> {
    if value.is_empty() {
        return Err(UsageError(
            "option '--config' needs the name of a file, and it is empty".into(),
        ));
    }
    Ok(value.into())
}

fn debug_level(value: &OsStr) -> Result<u8, UsageError> {
    match value.as_encoded_bytes() {
        [digit @ b'0'..=b'4'] => Ok(digit - b'0'),
        _ => Err(UsageError(format!(
            "option '--debug' needs a level from 0 to 4, not \"{}\"",
            value.display()
        ))),
    }
}

fn default_config(exists: fn(&Path) -> bool) -> PathBuf {
    let [first, second] = DEFAULT_CONFIG.map(Path::new);
    if exists(first) { first } else { second }.into()
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    fn parse_all(arguments: &[&str]) -> Result<Command, String> {
        parse(lexopt::Parser::from_args(arguments), |_| true).map_err(|error| error.to_string())
    }

    fn run(config: &str, debug: u8, show_redis: bool, show_mqtt: bool) -> Command {
        Command::Run(Options {
            config: config.into(),
            debug,
            show_redis,
            show_mqtt,
            keep_trying: false,
        })
    }

    #[test]
    fn every_option_is_understood_in_every_form() {
        let conf = "/etc/elseta-mqtt.conf";
        let check = |config: &str| Command::Check {
            config: config.into(),
        };
        let cases: &[(&[&str], Command)] = &[
            (&[], run(conf, 1, false, false)),
            (&["-h"], Command::Help),
            (&["--help"], Command::Help),
            (&["-V"], Command::Version),
            (&["--version"], Command::Version),
            (&["-c", "a"], run("a", 1, false, false)),
            (&["-ca"], run("a", 1, false, false)),
            (&["-c=a"], run("a", 1, false, false)),
            (&["--config", "a"], run("a", 1, false, false)),
            (&["--config=a"], run("a", 1, false, false)),
            (&["-c", "-a"], run("-a", 1, false, false)),
            (&["-c", "a", "-c", "b"], run("b", 1, false, false)),
            (&["-d0"], run(conf, 0, false, false)),
            (&["-d3"], run(conf, 3, false, false)),
            (&["-d", "3"], run(conf, 3, false, false)),
            (&["-d=3"], run(conf, 3, false, false)),
            (&["--debug", "4"], run(conf, 4, false, false)),
            (&["--debug=4"], run(conf, 4, false, false)),
            (&["-d4", "-d2"], run(conf, 2, false, false)),
            (&["-r"], run(conf, 1, true, false)),
            (&["--redis"], run(conf, 1, true, false)),
            (&["-m"], run(conf, 1, false, true)),
            (&["--mqtt"], run(conf, 1, false, true)),
            (&["-rmd3"], run(conf, 3, true, true)),
            (&["--check"], check(conf)),
            (&["--check", "-c", "a", "-d3", "-r"], check("a")),
            #[cfg(feature = "spool")]
            (
                &["--spool", "/mnt/sd", "-d2"],
                Command::Spool {
                    folder: "/mnt/sd".into(),
                },
            ),
            (&["-r", "-h", "--nonsense"], Command::Help),
            (&["-V", "stray"], Command::Version),
            (&["--"], run(conf, 1, false, false)),
        ];
        for (arguments, command) in cases {
            assert_eq!(parse_all(arguments).as_ref(), Ok(command), "{arguments:?}");
        }
    }

    #[test]
    fn a_usage_error_names_the_argument_and_the_rule() {
        let cases: &[(&[&str], &str)] = &[
            (&["-d"], "missing argument for option '-d'"),
            (&["--debug"], "missing argument for option '--debug'"),
            (
                &["-d5"],
                "option '--debug' needs a level from 0 to 4, not \"5\"",
            ),
            (
                &["-d", "-r"],
                "option '--debug' needs a level from 0 to 4, not \"-r\"",
            ),
            (
                &["-dd"],
                "option '--debug' needs a level from 0 to 4, not \"d\"",
            ),
            (
                &["--debug=03"],
                "option '--debug' needs a level from 0 to 4, not \"03\"",
            ),
            (
                &["--debug="],
                "option '--debug' needs a level from 0 to 4, not \"\"",
            ),
            (&["-c"], "missing argument for option '-c'"),
            (
                &["-c", ""],
                "option '--config' needs the name of a file, and it is empty",
            ),
            (
                &["--check=1"],
                "unexpected argument for option '--check': \"1\"",
            ),
            (&["-r=1"], "unexpected argument for option '-r': \"1\""),
            #[cfg(feature = "spool")]
            (&["--spool"], "missing argument for option '--spool'"),
            (&["-x"], "invalid option '-x'"),
            (&["--nonsense"], "invalid option '--nonsense'"),
            (&["stray"], "unexpected argument \"stray\""),
            (&["--", "-r"], "unexpected argument \"-r\""),
            (&["-x", "-h"], "invalid option '-x'"),
        ];
        for (arguments, error) in cases {
            assert_eq!(parse_all(arguments), Err((*error).into()), "{arguments:?}");
        }
    }

    #[test]
    fn a_path_need_not_be_utf8_but_a_level_must() {
        let odd = OsString::from_vec(b"/tmp/\xff".into());
        let command = parse(
            lexopt::Parser::from_args(["-c".into(), odd.clone()]),
            |_| true,
        );
        assert!(matches!(command, Ok(Command::Run(options)) if options.config.as_os_str() == odd));
        let error = parse(lexopt::Parser::from_args(["-d".into(), odd]), |_| true).unwrap_err();
        assert_eq!(
            error.0,
            "option '--debug' needs a level from 0 to 4, not \"/tmp/\u{fffd}\""
        );
    }

    #[test]
    fn the_default_file_is_the_json_one_only_where_the_conf_one_is_missing() {
        assert_eq!(default_config(|_| true), Path::new("/etc/elseta-mqtt.conf"));
        assert_eq!(
            default_config(|_| false),
            Path::new("/etc/elseta-mqtt.json")
        );
        let json_only = |path: &Path| path.extension() == Some(OsStr::new("json"));
        assert_eq!(
            default_config(json_only),
            Path::new("/etc/elseta-mqtt.json")
        );
    }

    #[test]
    fn the_help_fits_80_columns_and_names_every_option() {
        for line in HELP.lines() {
            assert!(line.len() <= 80, "{} columns: {line}", line.len());
        }
        for option in [
            "-h, --help",
            "-c, --config FILE",
            "-V, --version",
            "-d, --debug LEVEL",
            "-r, --redis",
            "-m, --mqtt",
            "--check",
        ] {
            assert!(HELP.contains(option), "{option}");
        }
        for file in DEFAULT_CONFIG {
            assert!(HELP.contains(file), "{file}");
        }
    }
}
