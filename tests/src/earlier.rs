//! Which older build runs beside the present one, so that a ratio needs no memory of yesterday's machine?
//!
//! It is named as a program that is built already, as a folder with a checkout of this repository, or as a git revision, which is unpacked into
//! a folder of its own in `target/earlier`, and built there.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::{self, Wanted};

/// Digits of a commit that name its folder.
const DIGITS: usize = 12;

/// The program `wanted` of the build that `named` names.
///
/// # Errors
///
/// It is neither a file nor a folder nor a revision, or does not build.
pub fn program(named: &str, wanted: &Wanted<'_>) -> Result<PathBuf, String> {
    let path = Path::new(named);
    if path.is_file() {
        return std::path::absolute(path).map_err(|error| format!("{named}: {error}"));
    }
    let folder = if path.is_dir() {
        std::path::absolute(path).map_err(|error| format!("{named}: {error}"))?
    } else {
        unpack(named)?
    };
    program::build(&folder, wanted).map_err(|error| format!("{named}: {error}"))
}

/// The folder with the files of a revision.
fn unpack(revision: &str) -> Result<PathBuf, String> {
    let commit = program::output(
        git()
            .args(["rev-parse", "--verify", "--end-of-options"])
            .arg(format!("{revision}^{{commit}}")),
    )
    .map_err(|_| format!("{revision}: no program, no folder, and no git revision here"))?;
    let name = commit.get(..DIGITS).unwrap_or(commit.trim_end());
    let all = program::workspace().join("target/earlier");
    let folder = all.join(name);
    if folder.is_dir() {
        return Ok(folder);
    }
    // Whole or not at all: a folder that was left half unpacked is not taken for the revision.
    let unpacked = all.join(format!("{name}.new"));
    let archive = all.join(format!("{name}.tar"));
    let failed = |error: std::io::Error| format!("{}: {error}", all.display());
    std::fs::create_dir_all(&unpacked).map_err(failed)?;
    program::succeed(git().args(["archive", "--output"]).arg(&archive).arg(name))?;
    program::succeed(
        Command::new("tar")
            .arg("--directory")
            .arg(&unpacked)
            .args(["--extract", "--file"])
            .arg(&archive),
    )?;
    std::fs::remove_file(&archive).map_err(failed)?;
    std::fs::rename(&unpacked, &folder).map_err(failed)?;
    Ok(folder)
}

fn git() -> Command {
    let mut git = Command::new("git");
    git.current_dir(program::workspace());
    git
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::DAEMON;

    #[test]
    fn a_program_that_is_there_is_taken_as_it_is() {
        let this = std::env::current_exe().unwrap();
        let named = this.display().to_string();
        assert_eq!(program(&named, &DAEMON), Ok(this));
    }

    #[test]
    fn what_names_no_build_is_an_error_that_says_what_it_could_be() {
        for named in ["no-such-build", "--help", ""] {
            let error = program(named, &DAEMON).unwrap_err();
            assert_eq!(
                error,
                format!("{named}: no program, no folder, and no git revision here")
            );
        }
    }
}
