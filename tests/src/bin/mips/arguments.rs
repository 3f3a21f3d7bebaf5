//! The command line of `cargo mips`.

use std::path::PathBuf;

use mqtt_client_tests::gateway::{self, Gateway};

/// Shown with an error.
pub const USAGE: &str =
    "usage: cargo mips [--lean] [--features LIST] [--sizes | --authorities | --instructions [--with OLD]...] [TARGET...]
  --lean           without the features that are on by default
  --features LIST  with these
  --sizes          print the README's tables instead: sizes, and memory under the emulator
  --authorities    print its second table alone: what the system's public authorities take
  --instructions   print what a message costs instead, counted by the emulator
  --with OLD       beside an older daemon that is built already, and the ratios
  TARGET           mips-unknown-linux-musl, mipsel-unknown-linux-musl; else both";

/// What to build.
#[derive(Debug, PartialEq, Eq)]
pub struct Arguments {
    pub features: Features,
    pub job: Job,
    /// Older daemons, to be counted too.
    pub with: Vec<PathBuf>,
    pub gateways: Vec<Gateway>,
}

/// What for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// Binaries and packages.
    Build,
    /// The README's tables of sizes.
    Sizes,
    /// The second of them.
    Authorities,
    /// The README's table of instructions.
    Instructions,
}

/// The features of a build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// None but those in `list`.
    pub lean: bool,
    /// As cargo takes them, separated by commas.
    pub list: String,
}

/// Reads the arguments after the program's name.
///
/// # Errors
///
/// Names the argument that is wrong.
pub fn parse(words: impl IntoIterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments = Arguments {
        features: Features::default(),
        job: Job::Build,
        with: Vec::new(),
        gateways: Vec::new(),
    };
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--lean" => arguments.features.lean = true,
            "--features" => {
                arguments.features.list = words.next().ok_or("--features needs a list")?;
            }
            "--sizes" => arguments.job = Job::Sizes,
            "--authorities" => arguments.job = Job::Authorities,
            "--instructions" => arguments.job = Job::Instructions,
            "--with" => {
                let old = words.next().ok_or("--with needs a program")?;
                arguments.with.push(old.into());
            }
            name => {
                let known = gateway::ALL.into_iter().find(|known| known.target == name);
                let known = known.ok_or_else(|| format!("no such argument: {name}"))?;
                arguments.gateways.push(known);
            }
        }
    }
    if !arguments.with.is_empty() && arguments.job != Job::Instructions {
        return Err(String::from("--with is for --instructions"));
    }
    if arguments.gateways.is_empty() {
        arguments.gateways = gateway::ALL.into();
    }
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Arguments, String> {
        parse(line.split_whitespace().map(String::from))
    }

    #[test]
    fn without_arguments_everything_is_built_for_both() {
        let arguments = parsed("").unwrap();
        assert_eq!(arguments.features, Features::default());
        assert_eq!(arguments.gateways, gateway::ALL);
        assert_eq!(arguments.job, Job::Build);
    }

    #[test]
    fn tables_can_be_asked_for() {
        assert_eq!(parsed("--sizes").unwrap().job, Job::Sizes);
        assert_eq!(parsed("--authorities").unwrap().job, Job::Authorities);
        let instructions = parsed("--instructions --with old").unwrap();
        assert_eq!(instructions.job, Job::Instructions);
        assert_eq!(instructions.with, [PathBuf::from("old")]);
    }

    #[test]
    fn features_and_targets_can_be_chosen() {
        let arguments = parsed("--lean --features tls mips-unknown-linux-musl").unwrap();
        let (lean, list) = (true, String::from("tls"));
        assert_eq!(arguments.features, Features { lean, list });
        assert_eq!(arguments.gateways, [gateway::BIG_ENDIAN]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, named) in [
            ("--features", "needs a list"),
            ("--instructions --with", "needs a program"),
            ("--with old", "is for --instructions"),
            ("arm-unknown-linux-musleabi", "arm-"),
        ] {
            let error = parsed(line).unwrap_err();
            assert!(error.contains(named), "{line}: {error}");
        }
    }
}
