//! A model HTTP proxy before a broker: what it is asked, what it answers, and what it does wrong.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use crate::ledger::Ledger;
use crate::line::{Line, Tap};
use crate::property::{self, Verdict};
use crate::world::SECRETS;

/// What a proxy does instead of connecting its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyFault {
    /// It answers with this status, and its client's login.
    Refuse(u16),
    Close,
    Silent,
    /// It speaks another protocol.
    Garbage,
    /// It goes on and on with its answer.
    Endless,
    /// It does connect, and answers one byte in so many milliseconds.
    Slow(u64),
}

/// See the module's page.
pub struct Proxy {
    verdict: Rc<Verdict>,
    /// What it must be asked.
    request: String,
    /// What it knows of its client, and says to it: the password, and the form in which it was told that.
    repeats: [&'static str; 2],
    pub fault: Option<ProxyFault>,
    connections: BTreeMap<u32, Stage>,
    /// Bytes of slow answers.
    late: VecDeque<(u64, u32, u8)>,
}

enum Stage {
    /// So much of the request has come.
    Asked(Vec<u8>),
    /// It has answered, and the last byte of that goes out at this time.
    Answered(u64),
    Refused,
    Through,
}

const OK: &str = "HTTP/1.1 200 Connection established\r\nVia: it\r\n\r\n";

/// What became of bytes that a client sent.
pub enum Heard {
    Nothing,
    /// It is connected now.
    Opened,
    /// They are the broker's.
    Passed,
}

impl Proxy {
    #[must_use]
    pub fn new(verdict: Rc<Verdict>, has_login: bool) -> Self {
        let login = match has_login {
            true => format!("Proxy-Authorization: Basic {}\r\n", SECRETS[3]),
            false => String::new(),
        };
        let request = format!("CONNECT broker:1883 HTTP/1.1\r\nHost: broker:1883\r\n{login}\r\n");
        let [.., password, told] = SECRETS;
        Proxy {
            verdict,
            request,
            repeats: if has_login { [password, told] } else { [""; 2] },
            fault: None,
            connections: BTreeMap::new(),
            late: VecDeque::new(),
        }
    }

    pub fn opened(&mut self, connection: u32) {
        self.connections
            .insert(connection, Stage::Asked(Vec::new()));
    }

    pub fn ended(&mut self, connection: u32) {
        self.connections.remove(&connection);
    }

    #[must_use]
    pub fn next_event(&self) -> Option<u64> {
        self.late.front().map(|(at, ..)| *at)
    }

    /// Sends what is due.
    pub fn serve(&mut self, now: u64, line: &Line) {
        while let Some((at, connection, byte)) = self.late.front().copied()
            && at <= now
        {
            self.late.pop_front();
            line.server_write(connection, &[byte]);
        }
    }

    /// [`property::PROXY`]
    pub fn take(&mut self, connection: u32, bytes: &[u8], now: u64, line: &Line) -> Heard {
        let Some(stage) = self.connections.get_mut(&connection) else {
            return Heard::Nothing;
        };
        match stage {
            Stage::Through => return Heard::Passed,
            Stage::Refused => return Heard::Nothing,
            Stage::Answered(at) => {
                let is_due = *at <= now;
                self.verdict.require(
                    property::PROXY,
                    is_due,
                    || "something follows before the answer has ended",
                );
                *stage = Stage::Through;
                return Heard::Passed;
            }
            Stage::Asked(heard) => {
                heard.extend_from_slice(bytes);
                let is_right = self.request.as_bytes().starts_with(heard);
                self.verdict.require(property::PROXY, is_right, || {
                    format!("it is asked {:?}", String::from_utf8_lossy(heard))
                });
                if heard.len() < self.request.len() {
                    return Heard::Nothing;
                }
            }
        }
        *stage = Stage::Refused;
        let [password, told] = self.repeats;
        match self.fault {
            None => {
                line.server_write(connection, OK.as_bytes());
                *stage = Stage::Answered(now);
                return Heard::Opened;
            }
            Some(ProxyFault::Slow(pace)) => {
                let mut at = now;
                for byte in OK.bytes() {
                    self.late.push_back((at, connection, byte));
                    at += pace;
                }
                self.late.make_contiguous().sort();
                *stage = Stage::Answered(at - pace);
                return Heard::Opened;
            }
            Some(ProxyFault::Refuse(status)) => {
                let answer = format!("HTTP/1.1 {status} {password} or {told}\r\n\r\nbody");
                line.server_write(connection, answer.as_bytes());
            }
            Some(ProxyFault::Garbage) => {
                let answer = format!("{told} is no HTTP\r\n");
                line.server_write(connection, answer.as_bytes());
            }
            Some(ProxyFault::Endless) => {
                let answer = OK.trim_end().to_string() + &"\r\nA: b".repeat(2000);
                line.server_write(connection, answer.as_bytes());
            }
            Some(ProxyFault::Close) => line.server_close(connection),
            Some(ProxyFault::Silent) => {}
        }
        Heard::Nothing
    }
}

/// Reads along what the client writes to a proxy, and hands on what is for the broker.
pub struct Behind {
    ledger: Rc<RefCell<Ledger>>,
    connection: u32,
    request: Vec<u8>,
    is_through: bool,
}

impl Behind {
    #[must_use]
    pub fn new(ledger: Rc<RefCell<Ledger>>) -> Self {
        Behind {
            ledger,
            connection: 0,
            request: Vec::new(),
            is_through: false,
        }
    }
}

impl Tap for Behind {
    fn opened(&mut self, connection: u32) {
        self.connection = connection;
        self.request.clear();
        self.is_through = false;
    }

    fn wrote(&mut self, bytes: &[u8]) {
        if !self.is_through && !self.request.ends_with(b"\r\n\r\n") {
            self.request.extend_from_slice(bytes);
            return;
        }
        let mut ledger = self.ledger.borrow_mut();
        if !self.is_through {
            self.is_through = true;
            ledger.opened(self.connection);
        }
        ledger.wrote(bytes);
    }

    fn refused_to_write(&mut self) {
        if self.is_through {
            self.ledger.borrow_mut().refused_to_write();
        }
    }

    fn closed(&mut self) {
        if self.is_through {
            self.ledger.borrow_mut().closed();
        }
    }
}
