//! How is a gateway told what to do? Over its second serial line, where a shell takes one command a line, see `tests/gateway/root/sbin/init`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::wait;

/// Comes after a command's output, with its exit code.
const END: &str = "--end-- ";

/// The harness's end of the line.
pub struct Shell {
    stream: BufReader<UnixStream>,
}

/// What a command has left.
#[derive(Debug)]
pub struct Output {
    pub code: i32,
    /// Both outputs.
    pub text: String,
}

impl Shell {
    /// Waits until the gateway has booted.
    ///
    /// # Panics
    ///
    /// If it has not within `limit`.
    pub fn new(stream: UnixStream, limit: Duration) -> Self {
        stream.set_read_timeout(Some(limit)).expect("a timeout");
        let stream = BufReader::new(stream);
        let mut shell = Self { stream };
        shell.read("the boot");
        // A command may wait for the service's end, which may take 10 s.
        let limit = Some(2 * wait::LIMIT);
        let set = shell.stream.get_ref().set_read_timeout(limit);
        set.expect("a timeout");
        shell
    }

    /// Runs a command.
    ///
    /// # Panics
    ///
    /// If it has more than one line, or does not end.
    #[track_caller]
    pub fn run(&mut self, command: &str) -> Output {
        assert!(!command.contains('\n'), "one line: {command}");
        let written = writeln!(self.stream.get_mut(), "{command}");
        written.expect("a gateway that runs");
        self.read(command)
    }

    #[track_caller]
    fn read(&mut self, what: &str) -> Output {
        let mut text = String::new();
        loop {
            let start = text.len();
            let read = self.stream.read_line(&mut text);
            match read {
                Ok(1..) => {}
                other => panic!("{what} does not end, {other:?}: {text}"),
            }
            // Output without an end of line stands before it.
            let Some(end) = text[start..].find(END) else {
                continue;
            };
            let code = text[start + end + END.len()..].trim();
            let code = code.parse().expect("an exit code");
            text.truncate(start + end);
            return Output { code, text };
        }
    }
}
