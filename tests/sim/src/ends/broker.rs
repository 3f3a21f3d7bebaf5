//! The end of a line where a broker is: what it does with acknowledgements, and what else it says.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use fastrand::Rng;

use super::heal_line;
use crate::broker::{Answer, Broker, Delivers, Greeting};
use crate::ledger::Ledger;
use crate::line::{Event, Line};
use crate::packet::ClientPacket;
use crate::plan::Hostile;
use crate::proxy::{Heard, Proxy, ProxyFault};
use crate::trace;

/// A line to a broker, that broker, and what it is made to do.
pub struct BrokerEnd {
    pub line: Line,
    pub server: Broker,
    pub ledger: Rc<RefCell<Ledger>>,
    /// Acknowledgements are held back.
    pub holds: bool,
    pub doubles: bool,
    /// Of the next acknowledgements so many are swallowed, one in three.
    pub swallows: u8,
    /// Acknowledgements go out in their order, one in so many milliseconds.
    pub pace: Option<u64>,
    /// Acknowledgements went out of order, or one was swallowed.
    has_shuffled: bool,
    has_swallowed: bool,
    /// It claimed a session that was not there.
    has_lied: bool,
    held: Vec<Vec<u8>>,
    /// Acknowledgements, and copies of them, that go out later.
    late: VecDeque<(u64, u32, Vec<u8>)>,
    /// What stands before it.
    proxy: Option<Proxy>,
}

const PINGRESP: [u8; 2] = [0xd0, 0];

/// How late an acknowledgement's copy may be, in milliseconds.
const LATE: u64 = 5000;

impl BrokerEnd {
    #[must_use]
    pub fn new(
        line: Line,
        server: Broker,
        ledger: Rc<RefCell<Ledger>>,
        proxy: Option<Proxy>,
    ) -> Self {
        BrokerEnd {
            line,
            server,
            ledger,
            holds: false,
            doubles: false,
            swallows: 0,
            pace: None,
            has_shuffled: false,
            has_swallowed: false,
            has_lied: false,
            held: Vec::new(),
            late: VecDeque::new(),
            proxy,
        }
    }

    #[must_use]
    pub fn next_event(&self) -> Option<u64> {
        let late = self.late.iter().map(|(at, ..)| *at).min();
        let times = [
            late,
            self.line.next_event(),
            self.server.next_silence(),
            self.proxy.as_ref().and_then(Proxy::next_event),
        ];
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
            self.forget_what_is_held();
            self.line.server_close(connection);
        }
        if let Some(proxy) = &mut self.proxy {
            proxy.serve(now, &self.line);
        }
        for event in self.line.events() {
            match event {
                Event::Opened(connection) => match &mut self.proxy {
                    Some(proxy) => proxy.opened(connection),
                    None => self.server.opened(connection, now),
                },
                Event::Ended(connection) => {
                    if let Some(proxy) = &mut self.proxy {
                        proxy.ended(connection);
                    }
                    if self.server.has_let_in(connection) {
                        self.forget_what_is_held();
                    }
                    self.server.ended(connection, now);
                }
                Event::Bytes(connection, bytes) => {
                    if let Some(proxy) = &mut self.proxy {
                        match proxy.take(connection, &bytes, now, &self.line) {
                            Heard::Nothing => continue,
                            Heard::Opened => {
                                self.server.opened(connection, now);
                                continue;
                            }
                            Heard::Passed => {}
                        }
                    }
                    let name = self.name();
                    let mut wipes = false;
                    let heard = &mut |packet: &ClientPacket| {
                        wipes |= matches!(packet, ClientPacket::Connect(connect) if connect.clean_session);
                        if *packet != ClientPacket::Pingreq {
                            trace::note(|| (name.clone(), format!("heard {packet}")));
                        }
                    };
                    let answers = self.server.take(connection, &bytes, now, heard);
                    if wipes {
                        self.held.clear();
                    }
                    answers
                        .into_iter()
                        .for_each(|answer| self.answer(answer, now, rng));
                }
            }
        }
    }

    fn answer(&mut self, answer: Answer, now: u64, rng: &mut Rng) {
        match answer {
            Answer::Close(connection) => {
                if let Some(topic) = self.server.last_closed_for.take() {
                    self.ledger.borrow_mut().closed_for(&topic, now);
                }
                self.forget_what_is_held();
                self.line.server_close(connection);
            }
            Answer::Packet(connection, bytes) => {
                // A refusal of MQTT 5 is of this connection alone.
                let acknowledges = matches!(bytes[..2], [0x40 | 0x50 | 0x70, 2]);
                if matches!(bytes[..2], [0x40 | 0x50, 3]) && self.doubles {
                    self.write(connection, &bytes);
                }
                if acknowledges && self.holds {
                    self.held.push(bytes);
                    return;
                }
                if acknowledges && self.swallows > 0 && rng.u8(..3) == 0 {
                    self.swallows -= 1;
                    self.has_swallowed = true;
                    trace::note(|| (self.name(), format!("swallows {bytes:02x?}")));
                    return;
                }
                if acknowledges && let Some(pace) = self.pace {
                    let last = self.late.back().map_or(now, |(at, ..)| *at);
                    self.late
                        .push_back((last.max(now) + pace, connection, bytes));
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
            let shown = &bytes[..bytes.len().min(40)];
            trace::note(|| (self.name(), format!("says {shown:02x?}")));
        }
        self.line.server_write(connection, bytes);
    }

    /// A connection has ended: with a broker that forgets then what it holds, nobody can say what becomes of what is in flight.
    fn forget_what_is_held(&self) {
        if self.server.kind.forgets_what_it_holds() {
            self.ledger.borrow_mut().session_is_lost();
        }
    }

    /// Acknowledgements are held up no longer.
    pub fn hurry(&mut self, now: u64) {
        self.pace = None;
        self.late.iter_mut().for_each(|(at, ..)| *at = now.min(*at));
    }

    /// What the proxy before it does wrong, if there is one.
    pub fn set_proxy_fault(&mut self, fault: Option<ProxyFault>) {
        if let Some(proxy) = &mut self.proxy {
            proxy.fault = fault;
        }
    }

    /// It answers CONNECT so from now on.
    pub fn greet(&mut self, greeting: Greeting) {
        self.has_lied |= greeting == Greeting::ClaimSession;
        self.server.greeting = greeting;
    }

    /// Sends a message to the client that has not subscribed.
    pub fn publish(&mut self, qos: u8, len: usize, at: u16) {
        let connection = self.line.open_connection();
        if let Some(connection) = connection
            && let Some(answers) = self.server.publish_to(connection, qos, len, at)
        {
            for answer in answers {
                if let Answer::Packet(connection, bytes) = answer {
                    self.write(connection, &bytes);
                }
            }
        }
    }

    /// The client's process has died, or ended in good order: what is held back is for nobody any more.
    pub fn client_died(&mut self, in_order: bool) {
        self.held.clear();
        self.line.client_dies();
        self.ledger.borrow_mut().process_died(in_order);
    }

    /// Whether the order of what arrived is the broker's own choice: one that delivers on PUBREL asks for it with PUBREC, and one that passes a
    /// message over takes later ones before it.
    #[must_use]
    pub fn has_chosen_the_order(&self) -> bool {
        let has_skipped = self.has_shuffled || self.has_swallowed;
        (has_skipped && self.server.delivers == Delivers::OnPubrel)
            || self.server.passed_over_ever > 0
    }

    /// Whether an old message may have come again after newer ones: the broker acknowledged those and not that one.
    #[must_use]
    pub fn may_end_with_an_old_one(&self) -> bool {
        let has_skipped = self.has_shuffled || self.has_swallowed;
        self.has_chosen_the_order() || (has_skipped && self.ledger.borrow().may_arrive_twice())
    }

    /// The same of what is retained, once a signal has spoken again after what came again.
    #[must_use]
    pub fn may_retain_an_old_one(&self) -> bool {
        let is_repeated = self.has_shuffled && self.ledger.borrow().may_arrive_twice();
        self.has_chosen_the_order() || is_repeated || self.has_lied
    }

    /// The status that is retained, if the client's connection is one that the broker holds, and it passes nothing over.
    #[must_use]
    pub fn status_of(&self, ledger: &Ledger) -> Option<Option<&str>> {
        let is_honest =
            self.server.passed_over_ever == 0 && self.server.has_let_in(ledger.connection());
        is_honest.then(|| self.status(ledger))
    }

    fn status(&self, ledger: &Ledger) -> Option<&str> {
        let topic = ledger.status_topic();
        let retained = self.server.retained.get(&topic);
        retained.map(|publish| publish.payload.as_str())
    }

    /// Whether it has the right status of a client that is connected, or has left.
    #[must_use]
    pub fn has_status(&self, has_left: bool) -> bool {
        let ledger = self.ledger.borrow();
        let wanted = ledger.status_at_the_end(has_left);
        let is_honest = self.server.passed_over_ever == 0;
        wanted.is_none_or(|wanted| !is_honest || self.status(&ledger) == Some(wanted))
    }

    /// Whether the client owes no acknowledgement of what it was sent.
    #[must_use]
    pub fn is_acknowledged(&self) -> bool {
        let open = self.line.open_connection();
        open.is_none_or(|open| !self.server.is_owed(open))
    }

    /// Sends what was held back, in any order, and to the connection that the client has now: acknowledgements belong to the session.
    pub fn release(&mut self, rng: &mut Rng) {
        self.holds = false;
        rng.shuffle(&mut self.held);
        // One that is slow may be overtaken, too.
        let overtakes = !self.held.is_empty() && !self.late.is_empty();
        self.has_shuffled |= self.held.len() > 1 || overtakes;
        let held = std::mem::take(&mut self.held);
        let newest = self.line.open_connection();
        if let Some(newest) = newest.filter(|newest| self.server.has_let_in(*newest)) {
            held.iter().for_each(|bytes| self.write(newest, bytes));
        }
    }

    pub fn crash(&mut self, keeps_session: bool) {
        self.held.clear();
        self.late.clear();
        let keeps_session = keeps_session && !self.server.kind.is_forgetful();
        if !keeps_session {
            self.ledger.borrow_mut().broker_forgot();
        }
        for connection in self.server.crash(keeps_session) {
            self.line.server_reset(connection);
        }
    }

    /// Sends what no broker may; the connection that has to be closed for it.
    pub fn be_hostile(&mut self, how: Hostile, rng: &mut Rng) -> Option<u32> {
        let connection = self.line.open_connection()?;
        let (qos, old) = {
            let ledger = self.ledger.borrow();
            (ledger.qos(), ledger.speaks_3_1())
        };
        // PUBACK ends a QoS 2 message where the broker has no QoS 2.
        let is_borne = how == Hostile::OtherHandshake && qos == 2;
        if is_borne || !self.server.has_let_in(connection) {
            return None;
        }
        let unanswered = self.held.iter().find(|bytes| bytes[0] == 0x50);
        let is_v5 = self.server.v5.is_some();
        let bytes = match (how, unanswered) {
            (Hostile::SecondConnack, _) if is_v5 => vec![0x20, 3, 0, 0, 0],
            (Hostile::SecondConnack, _) => vec![0x20, 2, 0, 0],
            (Hostile::WrongLength, _) if is_v5 => vec![0x40, 5, 0, 1, 0, 3, 0x1f],
            (Hostile::PublishWithoutIdentifier, _) if is_v5 => {
                vec![0x32, 6, 0, 1, b'a', 0, 0, 0]
            }
            (Hostile::OtherHandshake, _) => vec![if qos == 0 { 0x40 } else { 0x50 }, 2, 0, 1],
            // 3.1 does not reserve them.
            (Hostile::ReservedFlags, _) if !old => vec![0xd1, 0],
            (Hostile::WrongLength, _) => vec![0x40, 3, 0, 1, 0],
            (Hostile::EndlessLength, _) => vec![0x40, 0x80, 0x80, 0x80, 0x80],
            (Hostile::PublishOfQos3, _) => vec![0x36, 5, 0, 1, b'a', 0, 1],
            (Hostile::PublishWithoutIdentifier, _) => vec![0x32, 5, 0, 1, b'a', 0, 0],
            (Hostile::Suback, _) => vec![0x90, 3, 0, 1, 0],
            (Hostile::EarlyPubcomp, Some(pubrec)) if qos == 2 => {
                vec![0x70, 2, pubrec[2], pubrec[3]]
            }
            (Hostile::Garbage(count), _) => {
                let first = [0x00, 0x10, 0x15, 0x36, 0x80, 0xa0, 0xc0, 0xe0, 0xf0][rng.usize(..9)];
                // It is a packet's beginning in MQTT 5.
                let first = if is_v5 && first == 0xe0 { 0xf0 } else { first };
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
    pub fn heal(&mut self, latency: (u64, u64), now: u64, rng: &mut Rng) {
        heal_line(&self.line, latency);
        self.swallows = 0;
        self.set_proxy_fault(None);
        self.hurry(now);
        self.server.forbidden.clear();
        self.server.throttle = None;
        self.server.greeting = Greeting::Welcome;
        self.server.answers_pings = true;
        self.doubles = false;
        self.release(rng);
    }

    fn name(&self) -> String {
        self.ledger.borrow().name()
    }
}
