//! The servers at the far ends of the lines, with the faults that a plan gives them.

mod redis;

pub use redis::{Expected, Message, RedisEnd};

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use fastrand::Rng;

use crate::broker::{Answer, Broker, Greeting};
use crate::ledger::Ledger;
use crate::line::{Direction, Event, Line};
use crate::network::{Door, Names};
use crate::packet::ClientPacket;
use crate::plan::Hostile;
use crate::trace;

/// A line to a broker, that broker, and what it is made to do.
pub struct BrokerEnd {
    pub line: Line,
    pub server: Broker,
    pub ledger: Rc<RefCell<Ledger>>,
    /// Acknowledgements are held back.
    pub holds: bool,
    pub doubles: bool,
    /// Acknowledgements went out of order.
    pub has_shuffled: bool,
    held: Vec<Vec<u8>>,
    /// Copies that go out later.
    late: VecDeque<(u64, u32, Vec<u8>)>,
}

const PINGRESP: [u8; 2] = [0xd0, 0];

/// How late an acknowledgement's copy may be, in milliseconds.
const LATE: u64 = 5000;

impl BrokerEnd {
    #[must_use]
    pub fn new(line: Line, server: Broker, ledger: Rc<RefCell<Ledger>>) -> Self {
        BrokerEnd {
            line,
            server,
            ledger,
            holds: false,
            doubles: false,
            has_shuffled: false,
            held: Vec::new(),
            late: VecDeque::new(),
        }
    }

    #[must_use]
    pub fn next_event(&self) -> Option<u64> {
        let late = self.late.iter().map(|(at, ..)| *at).min();
        let times = [late, self.line.next_event(), self.server.next_silence()];
        times.into_iter().flatten().min()
    }

    /// Does all that can be done now.
    pub fn serve(&mut self, now: u64, rng: &mut Rng) {
        while let Some(due) = self.late.iter().position(|(at, ..)| *at <= now)
            && let Some((_, connection, bytes)) = self.late.remove(due)
        {
            self.write(connection, &bytes);
        }
        for connection in self.server.close_silent(now) {
            trace::note(|| {
                (
                    self.name(),
                    format!("closes connection {connection}, silent for too long"),
                )
            });
            self.line.server_close(connection);
        }
        for event in self.line.events() {
            match event {
                Event::Opened(connection) => self.server.opened(connection, now),
                Event::Ended(connection) => self.server.ended(connection),
                Event::Bytes(connection, bytes) => {
                    let name = self.name();
                    let heard = &mut |packet: &ClientPacket| {
                        if *packet != ClientPacket::Pingreq {
                            trace::note(|| (name.clone(), format!("heard {packet}")));
                        }
                    };
                    let answers = self.server.take(connection, &bytes, now, heard);
                    answers
                        .into_iter()
                        .for_each(|answer| self.answer(answer, now, rng));
                }
            }
        }
    }

    fn answer(&mut self, answer: Answer, now: u64, rng: &mut Rng) {
        match answer {
            Answer::Close(connection) => self.line.server_close(connection),
            Answer::Packet(connection, bytes) => {
                let acknowledges = matches!(bytes[0], 0x40 | 0x50 | 0x70);
                if acknowledges && self.holds {
                    self.held.push(bytes);
                    return;
                }
                self.write(connection, &bytes);
                if acknowledges && self.doubles {
                    self.write(connection, &bytes);
                    self.late
                        .push_back((now + rng.u64(1..LATE), connection, bytes));
                }
            }
        }
    }

    fn write(&self, connection: u32, bytes: &[u8]) {
        if bytes != PINGRESP {
            trace::note(|| (self.name(), format!("says {bytes:02x?}")));
        }
        self.line.server_write(connection, bytes);
    }

    /// Sends what was held back, in any order, and to the connection that the client has now: acknowledgements belong to the session.
    pub fn release(&mut self, rng: &mut Rng) {
        self.holds = false;
        rng.shuffle(&mut self.held);
        self.has_shuffled |= self.held.len() > 1;
        let held = std::mem::take(&mut self.held);
        let newest = self.line.open_connection();
        if let Some(newest) = newest.filter(|newest| self.server.has_let_in(*newest)) {
            held.iter().for_each(|bytes| self.write(newest, bytes));
        }
    }

    pub fn crash(&mut self, keeps_session: bool) {
        self.held.clear();
        self.late.clear();
        if !keeps_session {
            self.ledger.borrow_mut().session_is_lost();
        }
        for connection in self.server.crash(keeps_session) {
            self.line.server_reset(connection);
        }
    }

    /// Sends what no broker may; the connection that has to be closed for it.
    pub fn be_hostile(&mut self, how: Hostile, rng: &mut Rng) -> Option<u32> {
        let connection = self.line.open_connection()?;
        if !self.server.has_let_in(connection) {
            return None;
        }
        let (qos, old) = {
            let ledger = self.ledger.borrow();
            (ledger.qos(), ledger.speaks_3_1())
        };
        let unanswered = self.held.iter().find(|bytes| bytes[0] == 0x50);
        let bytes = match (how, unanswered) {
            (Hostile::SecondConnack, _) => vec![0x20, 2, 0, 0],
            (Hostile::OtherHandshake, _) => vec![[0x40, 0x50, 0x40][usize::from(qos)], 2, 0, 1],
            // 3.1 does not reserve them.
            (Hostile::ReservedFlags, _) if !old => vec![0xd1, 0],
            (Hostile::WrongLength, _) => vec![0x40, 3, 0, 1, 0],
            (Hostile::EndlessLength, _) => vec![0x40, 0x80, 0x80, 0x80, 0x80],
            (Hostile::PublishToUs, _) => vec![0x30, 3, 0, 1, b'a'],
            (Hostile::Suback, _) => vec![0x90, 3, 0, 1, 0],
            (Hostile::EarlyPubcomp, Some(pubrec)) if qos == 2 => {
                vec![0x70, 2, pubrec[2], pubrec[3]]
            }
            (Hostile::Garbage(count), _) => {
                let first =
                    [0x00, 0x10, 0x15, 0x30, 0x60, 0x80, 0xa0, 0xc0, 0xe0, 0xf0][rng.usize(..10)];
                let rest = (1..count).map(|_| rng.u8(..));
                [first].into_iter().chain(rest).collect()
            }
            (Hostile::ZeroIdentifier | Hostile::ReservedFlags | Hostile::EarlyPubcomp, _) => {
                vec![0x40, 2, 0, 0]
            }
        };
        self.write(connection, &bytes);
        Some(connection)
    }

    /// All is well again.
    pub fn heal(&mut self, latency: (u64, u64), rng: &mut Rng) {
        heal_line(&self.line, latency);
        self.server.greeting = Greeting::Welcome;
        self.server.answers_pings = true;
        self.doubles = false;
        self.release(rng);
    }

    fn name(&self) -> String {
        self.ledger.borrow().name()
    }
}

fn heal_line(line: &Line, latency: (u64, u64)) {
    line.defuse();
    line.set_door(Door::Open);
    line.set_names(Names::Known);
    line.set_delays(0, 0);
    line.set_latency(latency);
    line.set_piece(usize::MAX);
    line.set_window(usize::MAX);
    line.set_stalled(Direction::ToServer, false);
    line.set_stalled(Direction::ToClient, false);
}
