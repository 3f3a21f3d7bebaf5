//! The command line of what runs live: `cargo demo`, `cargo board`.

use std::time::Duration;

/// The options, for a message about an error.
pub const USAGE: &str = "[--qos 0|1|2] [--seconds N] [--keep]";

/// How it is to run.
#[derive(Debug, PartialEq, Eq)]
pub struct Arguments {
    /// The bridge's quality of service.
    pub qos: u8,
    /// When it ends.
    pub time: Duration,
    /// Whether it goes on until Ctrl-C.
    pub keep: bool,
}

/// Reads the arguments after the program's name.
///
/// # Errors
///
/// Names the argument that is wrong.
pub fn parse(words: impl IntoIterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments = Arguments {
        qos: 1,
        time: Duration::from_secs(20),
        keep: false,
    };
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--keep" => arguments.keep = true,
            "--qos" => {
                arguments.qos = number(&word, words.next())?;
                if arguments.qos > 2 {
                    return Err(String::from("--qos is 0, 1 or 2"));
                }
            }
            "--seconds" => arguments.time = Duration::from_secs(number(&word, words.next())?),
            _ => return Err(format!("no such argument: {word}")),
        }
    }
    Ok(arguments)
}

fn number<T: std::str::FromStr>(option: &str, value: Option<String>) -> Result<T, String> {
    let value = value.ok_or_else(|| format!("{option} needs a number"))?;
    value
        .parse()
        .map_err(|_| format!("{option} needs a number, not {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Arguments, String> {
        parse(line.split_whitespace().map(String::from))
    }

    #[test]
    fn options_have_defaults_and_can_be_given() {
        let usual = Arguments {
            qos: 1,
            time: Duration::from_secs(20),
            keep: false,
        };
        assert_eq!(parsed(""), Ok(usual));
        let other = Arguments {
            qos: 2,
            time: Duration::from_secs(3),
            keep: true,
        };
        assert_eq!(parsed("--seconds 3 --keep --qos 2"), Ok(other));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, named) in [
            ("--qos 3", "0, 1 or 2"),
            ("--qos", "--qos needs a number"),
            ("--seconds soon", "not soon"),
            ("--loud", "--loud"),
        ] {
            let error = parsed(line).unwrap_err();
            assert!(error.contains(named), "{line}: {error}");
        }
    }
}
