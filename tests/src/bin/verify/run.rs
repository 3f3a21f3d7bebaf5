//! How a step runs a command: in the workspace's folder, its whole output kept in order, shown as it comes if wanted.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::process::Command;

use mqtt_client_tests::program;

/// What a command wrote, on success and on failure.
pub type Outcome = Result<String, String>;

/// `cargo` with these arguments.
#[must_use]
pub fn cargo(arguments: &[&str]) -> Command {
    let mut command = program::cargo();
    command.args(arguments);
    command
}

/// Runs commands one after the other, until one fails.
pub fn all(commands: impl IntoIterator<Item = Command>, verbose: bool) -> Outcome {
    let mut output = String::new();
    for mut command in commands {
        writeln!(output, "$ {}", line_of(&command)).expect("memory");
        match run(&mut command, verbose) {
            Ok(text) => output += &text,
            Err(text) => return Err(output + &text),
        }
    }
    Ok(output)
}

/// Shows text that does not end a line.
pub fn print_now(text: &str) {
    print!("{text}");
    // A closed output is noticed at the next line.
    let _ = std::io::stdout().flush();
}

fn run(command: &mut Command, verbose: bool) -> Outcome {
    // One pipe for both outputs keeps them in order.
    let (reader, writer) = std::io::pipe().expect("a pipe");
    command
        .current_dir(program::workspace())
        .env("CARGO_TERM_COLOR", "never")
        .stdout(writer.try_clone().expect("a second end of the pipe"))
        .stderr(writer);
    let child = command.spawn();
    let name = line_of(command);
    let mut child = child.map_err(|error| format!("{name}: {error}\n"))?;
    // `command` holds the writing ends, and the pipe ends only when all of them are closed.
    command
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    let mut output = String::new();
    for line in BufReader::new(reader).split(b'\n') {
        let line = line.map_err(|error| format!("{output}{name}: {error}\n"))?;
        let line = String::from_utf8_lossy(&line);
        if verbose {
            println!("{line}");
        }
        writeln!(output, "{line}").expect("memory");
    }
    let status = child
        .wait()
        .map_err(|error| format!("{output}{name}: {error}\n"))?;
    if status.success() {
        return Ok(output);
    }
    Err(format!("{output}{name}: {status}\n"))
}

fn line_of(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn both_outputs_are_kept_in_order_up_to_the_first_command_that_fails() {
        let commands = [
            shell("echo one; echo two >&2; echo three"),
            shell("echo four; exit 1"),
            shell("echo five"),
        ];
        let output = all(commands, false).unwrap_err();
        let lines: Vec<_> = output
            .lines()
            .filter(|line| !line.contains("sh -c"))
            .collect();
        assert_eq!(lines, ["one", "two", "three", "four"]);
    }
}
