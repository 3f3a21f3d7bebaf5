//! What can happen to a bridge.

use arbitrary::Arbitrary;

use super::rig::Rig;
use crate::model::broker::{Broker, Greeting};
use crate::model::network::{Door, Names};

#[derive(Arbitrary, Debug)]
pub enum Happening<'c> {
    /// Somebody publishes at Redis.
    Sample {
        signal: u8,
        value: u8,
        bad: bool,
    },
    /// Likewise, what is none.
    Message {
        signal: u8,
        payload: &'c [u8],
    },
    /// Bytes that Redis never said.
    RedisLies(&'c [u8]),
    BrokerLies {
        device: u8,
        bytes: &'c [u8],
    },
    BrokerAcknowledges {
        device: u8,
        kind: u8,
        id: u8,
    },
    /// The broker is started again, and remembers nothing.
    BrokerForgets {
        device: u8,
    },
    Greeting {
        device: u8,
        kind: u8,
    },
    BrokerIsSilent {
        device: u8,
        about_pings: bool,
        about_messages: bool,
    },
    RedisIsSilent(bool),
    Pieces {
        line: u8,
        bytes: u8,
    },
    Window {
        line: u8,
        bytes: u8,
    },
    Cut {
        line: u8,
    },
    Close {
        line: u8,
    },
    Door {
        line: u8,
        kind: u8,
    },
    Names {
        line: u8,
        kind: u8,
    },
    /// In milliseconds.
    Wait(u16),
    WaitForWakeUp,
    /// The bridge is held up, in seconds.
    Oversleep(u8),
    /// The bridge runs, the servers do not.
    Poll,
}

impl Rig<'_, '_> {
    pub fn happen(&mut self, happening: &Happening<'_>) {
        match *happening {
            Happening::Sample { signal, value, bad } => {
                self.samples += 1;
                let flags = if bad { "IV" } else { "" };
                let payload = format!("{value},{},{flags}", self.samples);
                self.publish(usize::from(signal), payload.as_bytes());
            }
            Happening::Message { signal, payload } => {
                self.redis_lied = true;
                self.publish(usize::from(signal), payload);
            }
            Happening::RedisLies(bytes) => {
                self.redis_lied = true;
                self.lines[0].server_write(self.redis_connection, bytes);
            }
            Happening::BrokerLies { device, bytes } => self.end(device).lie(bytes),
            Happening::BrokerAcknowledges { device, kind, id } => {
                let first = [0x40, 0x50, 0x70, 0xd0][usize::from(kind % 4)];
                let packet = [first, if first == 0xd0 { 0 } else { 2 }, 0, id];
                let len = if first == 0xd0 { 2 } else { 4 };
                self.end(device).lie(&packet[..len]);
            }
            Happening::BrokerForgets { device } => {
                let end = self.end(device);
                end.lied = true;
                end.line.server_close(end.connection);
                end.server.connection_ended();
                let delivered = std::mem::take(&mut end.server.delivered);
                end.server = Broker::new();
                end.server.delivered = delivered;
            }
            Happening::Greeting { device, kind } => {
                let kinds = [
                    Greeting::Welcome,
                    Greeting::WelcomeTo3_1,
                    Greeting::HangUpOn3_1_1,
                    Greeting::HangUp,
                    Greeting::ThrowOut,
                    Greeting::Silence,
                    Greeting::Refuse(1 + kind % 5),
                ];
                self.end(device).server.greeting = kinds[usize::from(kind) % kinds.len()];
            }
            Happening::BrokerIsSilent {
                device,
                about_pings,
                about_messages,
            } => {
                let server = &mut self.end(device).server;
                server.answers_pings = !about_pings;
                server.acknowledges = !about_messages;
            }
            Happening::RedisIsSilent(silent) => self.redis.answers = !silent,
            Happening::Pieces { line, bytes } => self.line(line).set_piece(1 + usize::from(bytes)),
            Happening::Window { line, bytes } => self.line(line).set_window(usize::from(bytes)),
            Happening::Cut { line } => self.line(line).cut(),
            Happening::Close { line } => {
                let connection = match line % 3 {
                    0 => self.redis_connection,
                    other => self.ends[usize::from(other) - 1].connection,
                };
                self.line(line).server_close(connection);
            }
            Happening::Door { line, kind } => {
                let kinds = [Door::Open, Door::Refused, Door::Silent, Door::Untrusted];
                self.line(line).set_door(kinds[usize::from(kind % 4)]);
            }
            Happening::Names { line, kind } => {
                let kinds = [Names::Known, Names::Unknown, Names::Silent];
                self.line(line).set_names(kinds[usize::from(kind % 3)]);
            }
            Happening::Wait(millis) => self.run_until(self.clock.get() + u64::from(millis)),
            Happening::WaitForWakeUp => {
                let wake_up = self.settle();
                self.clock.set(wake_up.min(self.clock.get() + 100_000));
            }
            Happening::Oversleep(seconds) => {
                self.clock.set(self.clock.get() + u64::from(seconds) * 1000)
            }
            Happening::Poll => {
                self.poll();
            }
        }
    }
}
