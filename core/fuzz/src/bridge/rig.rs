//! The bridge, its servers and the clock together.

use mqtt_client_core::bridge::Bridge;
use mqtt_client_core::time::Instant;

use crate::model::broker::Broker;
use crate::model::network::{Clock, Event, Line};
use crate::model::redis::{Redis, message};

/// Two of each device.
pub const SIGNALS: [&str; 4] = ["tag/a/p/in", "tag/a/q/in", "tag/b/p/in", "tag/b/q/in"];

/// Polls in a row without any wait, of which each moved something.
const LONGEST_BURST: usize = 100_000;

/// A broker, and what else is to be known of it.
pub struct End {
    pub line: Line,
    pub server: Broker,
    pub connection: u32,
    /// Whether what it said, or forgot, can have cost or doubled messages.
    pub lied: bool,
}

impl End {
    pub fn new(line: &Line) -> Self {
        End {
            line: line.clone(),
            server: Broker::new(),
            connection: 0,
            lied: false,
        }
    }
}

pub struct Rig<'b, 'a> {
    pub bridge: Bridge<'b, 'a, Line>,
    pub redis: Redis,
    pub redis_connection: u32,
    pub ends: [End; 2],
    pub lines: [Line; 3],
    pub clock: Clock,
    /// Samples so far: the next one's timestamp.
    pub samples: u64,
    pub redis_lied: bool,
}

impl<'b, 'a> Rig<'b, 'a> {
    pub fn new(bridge: Bridge<'b, 'a, Line>, lines: [Line; 3], clock: Clock) -> Self {
        Rig {
            bridge,
            redis: Redis::new(),
            redis_connection: 0,
            ends: [End::new(&lines[1]), End::new(&lines[2])],
            lines,
            clock,
            samples: 0,
            redis_lied: false,
        }
    }

    pub fn end(&mut self, device: u8) -> &mut End {
        &mut self.ends[usize::from(device % 2)]
    }

    pub fn line(&self, line: u8) -> &Line {
        &self.lines[usize::from(line % 3)]
    }

    pub fn publish(&mut self, signal: usize, payload: &[u8]) {
        let channel = SIGNALS[signal % SIGNALS.len()];
        if self.redis.channels.contains(channel) {
            let head = message(channel, "");
            // Without the empty payload: what is said need not be text.
            let head = &head[..head.len() - b"$0\r\n\r\n".len()];
            let len = format!("${}\r\n", payload.len());
            let bytes = [head, len.as_bytes(), payload, b"\r\n"].concat();
            self.lines[0].server_write(self.redis_connection, &bytes);
        }
    }

    /// Everybody does all that can be done now, and then waits, as often as the bridge wants, until this time.
    pub fn run_until(&mut self, millis: u64) {
        loop {
            let wake_up = self.settle();
            if wake_up > millis {
                break;
            }
            self.clock.set(wake_up);
        }
        self.clock.set(millis);
    }

    /// Everybody does all that can be done now; when the bridge wants to be called again.
    pub fn settle(&mut self) -> u64 {
        let mut idle = 0;
        for _ in 0..LONGEST_BURST {
            let before = self.moves();
            self.serve();
            let wake_up = self.poll();
            self.serve();
            if self.moves() != before {
                continue;
            }
            if wake_up > self.clock.get() {
                return wake_up;
            }
            idle += 1;
            assert!(
                idle < 3,
                "it asks to be called at {wake_up}, at {}, and does nothing",
                self.clock.get()
            );
        }
        panic!("no rest at {}", self.clock.get());
    }

    pub fn poll(&mut self) -> u64 {
        let wake_up = self
            .bridge
            .poll(Instant::from_millis(self.clock.get()), &mut ());
        for (device, counters) in self.bridge.counters() {
            let accounted = counters.rejected
                + counters.suppressed
                + counters.queued
                + counters.sent
                + counters.dropped;
            assert_eq!(counters.received, accounted, "{}: {counters}", device.alias);
            assert!(
                counters.acknowledged <= counters.sent,
                "{}: {counters}",
                device.alias
            );
        }
        wake_up.as_millis()
    }

    pub fn moves(&self) -> u64 {
        self.lines.iter().map(Line::moves).sum()
    }

    pub fn serve(&mut self) {
        for event in self.lines[0].events() {
            match event {
                Event::Opened(connection) => self.redis_connection = connection,
                Event::Bytes(connection, bytes) => {
                    let answer = self.redis.take(&bytes);
                    if !answer.is_empty() {
                        self.lines[0].server_write(connection, &answer);
                    }
                }
                Event::Ended(_) => self.redis.connection_ended(),
            }
        }
        self.ends.iter_mut().for_each(End::serve);
    }
}

impl End {
    pub fn lie(&mut self, bytes: &[u8]) {
        self.lied = true;
        self.line.server_write(self.connection, bytes);
    }

    pub fn serve(&mut self) {
        for event in self.line.events() {
            match event {
                Event::Opened(connection) => self.connection = connection,
                Event::Bytes(connection, bytes) => {
                    let answer = self.server.take(&bytes);
                    if !answer.bytes.is_empty() {
                        self.line.server_write(connection, &answer.bytes);
                    }
                    if answer.closes {
                        self.line.server_close(connection);
                    }
                }
                Event::Ended(_) => self.server.connection_ended(),
            }
        }
    }
}
