//! How is the machine started and reset, and a cable pulled? By QEMU's monitor, which takes commands as JSON (QMP).

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};

use crate::wait;

/// A monitor that takes commands.
pub struct Monitor {
    stream: BufReader<UnixStream>,
}

impl Monitor {
    /// Exchanges greetings.
    ///
    /// # Panics
    ///
    /// If nothing answers within [`wait::LIMIT`].
    pub fn new(stream: UnixStream) -> Self {
        stream
            .set_read_timeout(Some(wait::LIMIT))
            .expect("a read timeout");
        let mut monitor = Self {
            stream: BufReader::new(stream),
        };
        let greeting = monitor.read();
        assert!(greeting["QMP"].is_object(), "{greeting}");
        monitor.execute("qmp_capabilities", &json!({}));
        monitor
    }

    /// Lets the processor begin.
    pub fn start(&mut self) {
        self.execute("cont", &json!({}));
    }

    /// Asks for something that changes nothing: some 0.1 ms.
    pub fn pass_time(&mut self) {
        self.execute("query-status", &json!({}));
    }

    /// Resets the machine.
    pub fn reset(&mut self) {
        self.execute("system_reset", &json!({}));
    }

    /// Unplugs a cable or a network, or plugs it in.
    pub fn set_link(&mut self, name: &str, up: bool) {
        self.execute("set_link", &json!({ "name": name, "up": up }));
    }

    #[track_caller]
    fn execute(&mut self, command: &str, arguments: &Value) {
        // In one piece: QEMU obeys once the object is whole, and a board that halts at once is gone before a separate end of the line comes.
        let line = format!(
            "{}\n",
            json!({ "execute": command, "arguments": arguments })
        );
        let stream = self.stream.get_mut();
        (stream.write_all(line.as_bytes())).expect("a monitor that listens");
        // Events may come first.
        let answer = loop {
            let line = self.read();
            if line["event"].is_null() {
                break line;
            }
        };
        assert!(answer["return"].is_object(), "{command}: {answer}");
    }

    fn read(&mut self) -> Value {
        let mut line = String::new();
        let result = self.stream.read_line(&mut line);
        result.expect("an answer of the monitor");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }
}
