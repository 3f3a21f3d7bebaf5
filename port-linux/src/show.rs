//! What an engineer sees on standard output: every Redis message (`-r`), every MQTT packet (`-m`).

use std::fmt;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use mqtt_client_core::config::{Redis, Secret};
use mqtt_client_core::log::Words;
use mqtt_client_core::mqtt::packet::Packet;
use mqtt_client_core::observer::Observer;
use mqtt_client_core::secret::Secrets;

use crate::outlet::Outlet;
use crate::poller::{Interest, Poller};

/// Bytes that wait for a reader, at most; lines beyond them are lost.
const MAX_WAITING: usize = 256 * 1024;

/// How long a reader may take for what waits at the end.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Prints what the options ask for, without ever waiting for whoever reads it: a pager, a terminal after Ctrl-S. A closed standard output
/// is not an error: the bridge goes on.
pub struct Show {
    redis: bool,
    mqtt: bool,
    /// None if nothing is asked for.
    lines: Option<Lines>,
    /// What Redis may repeat and nobody is to see: its password, or an empty text.
    secret: String,
}

/// Lines on their way to standard output.
struct Lines {
    outlet: Outlet,
    waiting: Vec<u8>,
    /// Lines that found no room since the last one that did.
    lost: u64,
}

impl Show {
    /// `poller` wakes with the event `key` when a full standard output has room again.
    ///
    /// # Errors
    /// No file descriptor is left for a second one on standard output.
    pub fn new(redis: bool, mqtt: bool, poller: &Poller, key: u32) -> io::Result<Self> {
        let lines = if redis || mqtt {
            let outlet = Outlet::new(io::stdout().as_fd())?;
            // A file cannot be watched, and is never full.
            let _ = poller.add(&outlet, key, Interest::Write);
            Some(Lines::to(outlet))
        } else {
            None
        };
        Ok(Show {
            redis,
            mqtt,
            lines,
            secret: String::new(),
        })
    }

    /// From here on this Redis' password is masked in what it says.
    pub fn mask(&mut self, redis: &Redis<'_>) {
        self.secret = redis.password.map_or("", Secret::expose).into();
    }

    /// Call it before waiting: lines are collected, so that a busy bridge does not write each on its own.
    pub fn flush(&mut self) {
        if let Some(lines) = &mut self.lines {
            lines.flush();
        }
    }

    /// Writes what still waits, if it is read within a second.
    pub fn finish(&mut self) {
        if let Some(lines) = &mut self.lines {
            lines.finish();
        }
    }

    fn print(&mut self, line: fmt::Arguments<'_>) {
        if let Some(lines) = &mut self.lines {
            lines.push(line);
        }
    }
}

impl Lines {
    fn to(outlet: Outlet) -> Lines {
        Lines {
            outlet,
            waiting: Vec::new(),
            lost: 0,
        }
    }

    fn push(&mut self, line: fmt::Arguments<'_>) {
        if self.waiting.len() >= MAX_WAITING {
            self.flush();
        }
        if self.waiting.len() >= MAX_WAITING {
            self.lost += 1;
            return;
        }
        self.tell_lost();
        // A vector takes all.
        let _ = writeln!(self.waiting, "{line}");
    }

    fn tell_lost(&mut self) {
        let lost = std::mem::take(&mut self.lost);
        if lost > 0 {
            // As above.
            let _ = writeln!(
                self.waiting,
                "{lost} lines lost here: standard output was full"
            );
        }
    }

    fn flush(&mut self) {
        let mut written = 0;
        while let Some(rest) = self.waiting.get(written..).filter(|rest| !rest.is_empty()) {
            match self.outlet.write(rest) {
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // Whoever closed it does not want to know.
                Err(_) => written = self.waiting.len(),
            }
        }
        self.waiting.drain(..written);
    }

    fn finish(&mut self) {
        let end = Instant::now() + LAST_WORDS;
        self.tell_lost();
        self.flush();
        while !self.waiting.is_empty() && Instant::now() < end {
            self.outlet
                .wait(end.saturating_duration_since(Instant::now()));
            self.flush();
        }
    }
}

impl Observer for Show {
    fn redis_message(&mut self, channel: &[u8], message: &[u8]) {
        if let Some(lines) = self.lines.as_mut().filter(|_| self.redis) {
            let words = |bytes| Words(bytes, Secrets::one(&self.secret));
            lines.push(format_args!(
                "REDIS < {} {}",
                words(channel),
                words(message)
            ));
        }
    }

    fn sees_packets(&self) -> bool {
        self.mqtt
    }

    fn packet_sent(&mut self, device: &str, packet: &Packet<'_>) {
        if self.mqtt {
            self.print(format_args!("MQTT > {} {device}{packet}", packet.name()));
        }
    }

    fn packet_received(&mut self, device: &str, packet: &Packet<'_>) {
        if self.mqtt {
            self.print(format_args!("MQTT < {} {device}{packet}", packet.name()));
        }
    }
}
