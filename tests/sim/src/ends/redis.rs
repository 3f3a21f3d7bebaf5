//! Redis at the far end of its line.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::heal_line;
use crate::line::{Event, Line};
use crate::redis::{Redis, message};
use crate::trace;
use crate::world::Device;

/// The line to Redis, and the server as each connection sees it.
pub struct RedisEnd {
    pub line: Line,
    pub password: Option<String>,
    /// What it says to every command.
    pub error: Option<&'static str>,
    /// What it says to PING, if that is an error.
    ping_error: Option<&'static str>,
    /// Channels that its ACL withholds.
    refused: BTreeSet<String>,
    /// Connections to which it has refused what it permits now.
    outdated: BTreeSet<u32>,
    /// Answers are kept back.
    pub is_silent: bool,
    unsaid: Vec<(u32, Vec<u8>)>,
    /// What the bridge is to read yet.
    pub expected: VecDeque<Expected>,
    /// The connection that the bridge reads, or read last.
    read_from: u32,
    connections: BTreeMap<u32, Redis>,
}

/// Something that Redis wrote to a subscriber.
pub struct Expected {
    pub connection: u32,
    pub message: Message,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Channel and text.
    Whole(String, String),
    /// Too long for the bridge's buffer; device and signal.
    Oversized(usize, usize),
}

impl RedisEnd {
    #[must_use]
    pub fn new(line: Line, password: Option<String>) -> Self {
        RedisEnd {
            line,
            password,
            error: None,
            ping_error: None,
            refused: BTreeSet::new(),
            outdated: BTreeSet::new(),
            is_silent: false,
            unsaid: Vec::new(),
            expected: VecDeque::new(),
            read_from: 0,
            connections: BTreeMap::new(),
        }
    }

    /// Whether the bridge's connection is subscribed to so many channels.
    #[must_use]
    pub fn has_subscriber_of(&self, channels: usize) -> bool {
        let newest = self.line.open_connection();
        let server = newest.and_then(|newest| self.connections.get(&newest));
        server.is_some_and(|server| server.channels.len() >= channels)
    }

    /// Whether the bridge's connection is subscribed to all of these channels that are not refused.
    #[must_use]
    pub fn serves(&self, channels: &BTreeSet<String>) -> bool {
        let newest = self.line.open_connection();
        let server = newest.and_then(|newest| self.connections.get(&newest));
        server.is_some_and(|server| channels.difference(&self.refused).eq(&server.channels))
    }

    /// Those of these channels that are refused.
    #[must_use]
    pub fn refused_of(&self, channels: &BTreeSet<String>) -> BTreeSet<String> {
        channels.intersection(&self.refused).cloned().collect()
    }

    /// A message that the bridge has not read from its connection.
    #[must_use]
    pub fn unread(&self) -> Option<&Expected> {
        let newest = self.line.newest_connection();
        self.expected
            .iter()
            .find(|expected| expected.connection == newest)
    }

    /// Does all that can be done now.
    pub fn serve(&mut self) {
        for event in self.line.events() {
            match event {
                Event::Opened(connection) => {
                    let mut server = Redis::new();
                    server.password.clone_from(&self.password);
                    server.ping_error = self.ping_error;
                    server.refused.clone_from(&self.refused);
                    self.connections.insert(connection, server);
                }
                Event::Ended(connection) => {
                    self.connections.remove(&connection);
                    self.outdated.remove(&connection);
                }
                Event::Bytes(connection, bytes) => {
                    self.answer(connection, &bytes);
                    self.throw_out(BTreeSet::new());
                }
            }
        }
    }

    fn answer(&mut self, connection: u32, bytes: &[u8]) {
        let Some(server) = self.connections.get_mut(&connection) else {
            return;
        };
        let answer = match self.error {
            Some(error) => {
                let (channels, commands) = (server.channels.clone(), server.heard.len());
                server.take(bytes);
                server.channels = channels;
                let errors = server.heard.len() - commands;
                format!("-{error}\r\n").repeat(errors).into_bytes()
            }
            None => server.take(bytes),
        };
        trace::note(|| {
            (
                "redis".into(),
                format!("hears {}, says {}", bytes.len(), answer.escape_ascii()),
            )
        });
        if self.is_silent {
            self.unsaid.push((connection, answer));
        } else {
            self.line.server_write(connection, &answer);
        }
    }

    /// What it says to PING from now on, if that is an error.
    pub fn set_ping_error(&mut self, error: Option<&'static str>) {
        self.ping_error = error;
        for server in self.connections.values_mut() {
            server.ping_error = error;
        }
    }

    /// Its ACL withholds these channels, and no others, from now on. Like a real one it throws out who is subscribed to any of them.
    pub fn refuse(&mut self, channels: BTreeSet<String>) {
        let before = std::mem::replace(&mut self.refused, channels);
        let mut subscribed = BTreeSet::new();
        let permits = !before.is_subset(&self.refused);
        for (connection, server) in &mut self.connections {
            server.refused.clone_from(&self.refused);
            if !server.channels.is_disjoint(&self.refused) {
                subscribed.insert(*connection);
            } else if permits && server.has_refused {
                self.outdated.insert(*connection);
            }
        }
        self.throw_out(subscribed);
    }

    /// Ends these connections, and others. Who is served in part hears only so that the ACL has changed; who is not served at all has to come back by itself.
    fn throw_out(&mut self, mut connections: BTreeSet<u32>) {
        let in_part = |connection: &&u32| {
            let server = self.connections.get(connection);
            server.is_some_and(|server| !server.channels.is_empty())
        };
        connections.extend(self.outdated.iter().filter(in_part));
        for connection in connections {
            self.connections.remove(&connection);
            self.outdated.remove(&connection);
            self.line.server_close(connection);
        }
    }

    /// Gives the answers that it has kept to itself.
    pub fn speak(&mut self) {
        self.is_silent = false;
        for (connection, answer) in std::mem::take(&mut self.unsaid) {
            self.line.server_write(connection, &answer);
        }
    }

    /// Somebody publishes; the text is `None` if it is to be longer than any buffer.
    pub fn publish(&mut self, device: usize, signal: usize, text: Option<String>) {
        let channel = Device::channel(device, signal);
        let subscribers = self.connections.iter();
        let subscribers = subscribers.filter(|(_, server)| server.channels.contains(&channel));
        for connection in subscribers
            .map(|(connection, _)| *connection)
            .collect::<Vec<_>>()
        {
            let expected = match &text {
                Some(text) => Message::Whole(channel.clone(), text.clone()),
                None => Message::Oversized(device, signal),
            };
            let text = text.clone().unwrap_or_else(|| "1".repeat(3000));
            self.write(connection, expected, &message(&channel, &text));
        }
    }

    /// A message comes to every subscriber on a channel that none of them named.
    pub fn be_strange(&mut self) {
        let (channel, text) = ("tag/nobody/s/in", "1,1");
        if let Some(connection) = self.line.open_connection() {
            let expected = Message::Whole(channel.to_string(), text.to_string());
            self.write(connection, expected, &message(channel, text));
        }
    }

    fn write(&mut self, connection: u32, message: Message, bytes: &[u8]) {
        self.line.server_write(connection, bytes);
        self.expected.push_back(Expected {
            connection,
            message,
        });
    }

    /// Says what no Redis says; the connection that has to be closed for it.
    pub fn break_protocol(&mut self, bytes: &[u8]) -> Option<u32> {
        let connection = self.line.open_connection()?;
        self.line.server_write(connection, bytes);
        Some(connection)
    }

    /// The bridge reads, from its newest connection.
    pub fn is_read(&mut self) {
        self.read_from = self.line.newest_connection();
    }

    /// The device of the expected message that comes next, if that was too long. `signals` are those that each device has.
    pub fn oversized_next(&mut self, signals: &[usize]) -> Option<usize> {
        while let Some(front) = self.expected.front() {
            match front.message {
                _ if front.connection < self.read_from => {}
                Message::Oversized(device, signal) if signal < signals[device] => {
                    return Some(device);
                }
                Message::Oversized(..) => {}
                Message::Whole(..) => return None,
            }
            self.expected.pop_front();
        }
        None
    }

    pub fn crash(&mut self) {
        for connection in std::mem::take(&mut self.connections).into_keys() {
            self.line.server_reset(connection);
        }
    }

    pub fn heal(&mut self, latency: (u64, u64)) {
        heal_line(&self.line, latency);
        self.error = None;
        self.set_ping_error(None);
        self.refuse(BTreeSet::new());
        self.speak();
    }
}
