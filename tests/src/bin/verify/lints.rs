//! Whose warnings fail a step? Those of the compilers that the CI has. What a newer or older one warns of is shown, and fails nothing: each
//! release brings new lints, and whoever builds this project should not have to wait for it to follow.

use std::process::Command;
use std::sync::OnceLock;

use crate::run::cargo;

/// The compiler of the CI: no part of the project has a warning under it.
const CI: &str = "1.95";

/// Debian's, which compiles for boards. Its version is what Debian has.
const CI_FOR_BOARDS: &str = "1.96";

/// What a compiler's flags have to hold so that its warnings fail.
pub const DENY: [&str; 2] = ["-D", "warnings"];

/// Whether warnings of the compiler that everything but a board's image is built with are to fail.
pub fn are_denied() -> bool {
    static DENIED: OnceLock<bool> = OnceLock::new();
    *DENIED.get_or_init(|| is_of(&mut cargo(&["clippy", "--version"]), CI))
}

/// The same for a board's image. `version` is a command that prints clippy's version.
pub fn are_denied_for_boards(version: &mut Command) -> bool {
    is_of(version, CI_FOR_BOARDS)
}

/// `cargo clippy` with its arguments, and with the flag that makes warnings fail, or without.
#[must_use]
pub fn clippy(mut command: Command, denied: bool) -> Command {
    if denied {
        command.arg("--").args(DENY);
    }
    command
}

/// The warnings in a compiler's output, each with its lines.
#[must_use]
pub fn warnings(output: &str) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut lines = output.lines();
    while let Some(line) = lines.next() {
        // Cargo counts them: "warning: `core` (lib) generated 1 warning".
        if line.starts_with("warning: ") && !line.contains(" generated ") {
            let rest = lines.by_ref().take_while(|line| !line.is_empty());
            warnings.push(
                [line]
                    .into_iter()
                    .chain(rest)
                    .collect::<Vec<_>>()
                    .join("\n"),
            );
        }
    }
    warnings
}

fn is_of(version: &mut Command, wanted: &str) -> bool {
    let output = version.output();
    output.is_ok_and(|output| release(&String::from_utf8_lossy(&output.stdout)) == Some(wanted))
}

/// The compiler's release in clippy's version: `1.95` in `clippy 0.1.95 (59807616e1 2026-04-14)`.
fn release(version: &str) -> Option<&str> {
    let number = version.strip_prefix("clippy 0.")?;
    number.split_whitespace().next()
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::run::{self, Outcome};

    #[test]
    fn a_compiler_is_known_by_the_version_of_its_clippy() {
        for (version, expected) in [
            ("clippy 0.1.95 (59807616e1 2026-04-14)\n", Some("1.95")),
            ("clippy 0.1.99 (59807616e1 2026-10-14)\n", Some("1.99")),
            ("clippy 0.1.95\n", Some("1.95")),
            ("error: no such command: `clippy`", None),
            ("", None),
        ] {
            assert_eq!(release(version), expected, "{version}");
        }
    }

    /// What clippy says of a program with a warning in it.
    fn with_a_warning(denied: bool) -> Outcome {
        let folder = TempDir::new().unwrap();
        let manifest = folder.path().join("Cargo.toml");
        let text = "[package]\nname = \"odd\"\nedition = \"2024\"\n[[bin]]\nname = \"odd\"\npath = \"odd.rs\"\n[workspace]\n";
        std::fs::write(&manifest, text).unwrap();
        std::fs::write(folder.path().join("odd.rs"), "fn main() { let odd = 1; }\n").unwrap();
        let mut command = cargo(&["clippy", "--manifest-path"]);
        command.arg(manifest).arg("--target-dir").arg(folder.path());
        run::all([clippy(command, denied)], false)
    }

    #[test]
    fn a_warning_fails_under_a_compiler_of_the_ci_and_is_shown_under_any_other() {
        let output = with_a_warning(true).unwrap_err();
        assert!(output.contains("unused variable: `odd`"), "{output}");

        let output = with_a_warning(false).unwrap();
        let warnings = warnings(&output);
        assert!(
            warnings[0].starts_with("warning: unused variable: `odd`\n"),
            "{output}"
        );
        assert!(warnings[0].contains("odd.rs:1"), "{output}");
        assert_eq!(warnings.len(), 1, "{output}");
    }
}
