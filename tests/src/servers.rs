//! The real servers: a Redis and a Mosquitto of Debian, each on a port and in a folder of its own.
//!
//! Both are ready when `start` returns, keep their port over a restart, and are killed by process id when dropped. When a
//! test fails, what they logged is printed.

mod mosquitto;
mod redis;

pub use mosquitto::Mosquitto;
pub use redis::Redis;

use std::fmt::Write as _;
use std::path::Path;

/// Writes a server's configuration file: fixed lines first, then those of the test.
fn write_configuration(path: &Path, fixed: &[String], more: &[String]) {
    let mut text = String::new();
    for line in fixed.iter().chain(more) {
        writeln!(text, "{line}").expect("memory");
    }
    std::fs::write(path, text).expect("write to a temporary folder");
}
