//! The real servers: a Redis, a Mosquitto and other brokers, and an HTTP proxy before them, each on a port and in a folder of its own.
//!
//! All are ready when `start` returns, keep their port over a restart, and are killed by process id when dropped. When a
//! test fails, what they logged is printed.

mod broker;
mod mosquitto;
mod redis;
mod tinyproxy;

pub use broker::{Broker, KINDS, KINDS_5, Kind, Kind5, Rules, tight};
pub use mosquitto::{Mosquitto, SUBSCRIBER_MAY_LAG, password_file};
pub use redis::Redis;
pub use tinyproxy::Tinyproxy;

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

use crate::{subscriber, wait};

/// Writes a server's configuration file: fixed lines first, then those of the test.
fn write_configuration(path: &Path, fixed: &[String], more: &[String]) {
    let mut text = String::new();
    for line in fixed.iter().chain(more) {
        writeln!(text, "{line}").expect("memory");
    }
    std::fs::write(path, text).expect("write to a temporary folder");
}

/// Waits for the answer to a CONNECT, whatever it is, also that the connection is closed without a word. A broker that merely listens may not
/// have entered its main loop yet: Mosquitto forgets a SIGTERM that comes before.
fn wait_for_an_answer(port: u16) {
    let id = format!("{}-probe", subscriber::CLIENT_ID);
    let length = u8::try_from(id.len()).expect("a short identifier");
    let mut connect = vec![0x10, 12 + length];
    connect.extend(b"\x00\x04MQTT\x04\x02\x00\x3c\x00");
    connect.push(length);
    connect.extend(id.bytes());
    // RabbitMQ needs many seconds, and more of them on a busy machine.
    let answer = wait::within(4 * wait::LIMIT, || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.write_all(&connect).ok()?;
        stream.read(&mut [0]).ok()
    });
    answer.expect("an answer of the broker");
}
