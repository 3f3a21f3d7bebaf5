//! The model broker: one client's session over any number of connections, and all that subscribers ever got.
//!
//! It reads strictly (see [`crate::packet`]), and keeps to MQTT 3.1.1, 4.3, in either of the two ways that [MQTT-4.3.3-2] allows at QoS 2:
//! see [`Delivers`]. How brokers of the field differ is its [`Kind`]; what else it may be made to do, by the faults of a plan, are its public
//! fields.

mod kind;
mod unasked;
mod v5;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use crate::json::Spelling;
use crate::packet::{ClientPacket, Connect, Publish, Will, take_packet, take_packet_v5};
use crate::world::V5;
pub use kind::Kind;
use unasked::Outgoing;

/// When a QoS 2 message goes on to subscribers (MQTT 3.1.1, figure 4.3: methods B and A).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivers {
    OnPublish,
    OnPubrel,
}

/// How it answers CONNECT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Greeting {
    Welcome,
    /// CONNACK with this code.
    Refuse(u8),
    /// Closes without an answer.
    HangUp,
    /// Lets the client in, and closes.
    ThrowOut,
    Silence,
    /// Welcomes, and says that a session is present, true or not.
    ClaimSession,
    /// Welcomes, and says that none is.
    DenySession,
}

/// Which protocol levels it speaks, and how it says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    Both,
    /// 3.1 only; others hear CONNACK 1.
    Only3_1,
    /// 3.1 only; others are closed.
    Only3_1AndHangsUp,
}

/// See the module's page.
pub struct Broker {
    pub kind: Kind,
    pub delivers: Delivers,
    pub speaks: Speaks,
    pub greeting: Greeting,
    pub answers_pings: bool,
    /// What subscribers got, and when.
    pub delivered: Vec<(u64, Publish)>,
    /// Connections that ended so that the Last Will is sent.
    pub wills: usize,
    /// A will that waits for its delay, and when that is over.
    late_will: Option<(u64, Will)>,
    /// PUBLISH that it takes in a second of those with an acknowledgement: what exceeds that it passes over in silence.
    pub throttle: Option<usize>,
    /// When it took those of the last second.
    taken: VecDeque<u64>,
    /// How many it has passed over, of late and ever.
    pub passed_over: usize,
    pub passed_over_ever: usize,
    /// It closes the connection on a PUBLISH to one of these topics.
    pub forbidden: BTreeSet<String>,
    /// The topic for which it closed just now.
    pub last_closed_for: Option<String>,
    /// Payloads of new messages that it took for copies of old ones.
    pub taken_for_copies: Vec<String>,
    /// Of a device whose payloads are JSON.
    pub spelling: Option<Rc<Spelling>>,
    /// The retained message of each topic.
    pub retained: BTreeMap<String, Publish>,
    /// It speaks MQTT 5, with these limits.
    pub v5: Option<V5>,
    connections: BTreeMap<u32, Connection>,
    session: Option<Session>,
}

#[derive(Default)]
struct Session {
    /// Identifiers that PUBREL has not freed, with what it will deliver.
    held: BTreeMap<u16, Option<Publish>>,
    /// What the client has been sent and has not acknowledged: identifiers of this direction, apart from the client's.
    outgoing: Outgoing,
}

struct Connection {
    input: Vec<u8>,
    state: State,
    last_heard: u64,
    /// Packet type and identifier of each answer that the client owes, in order [MQTT-4.6.0-2] [MQTT-4.6.0-3].
    owed: VecDeque<(u8, u16)>,
    aliases: BTreeMap<u32, String>,
}

enum State {
    Fresh,
    Refused,
    LetIn {
        keep_alive: u64,
        will: Option<Will>,
        clean: bool,
    },
}

/// What the broker does about what it heard.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// To this connection.
    Packet(u32, Vec<u8>),
    Close(u32),
}

impl Broker {
    /// A broker that keeps a session of an earlier process, with these identifiers not freed, if there are any.
    #[must_use]
    pub fn new(
        kind: Kind,
        delivers: Delivers,
        speaks: Speaks,
        earlier_session: Option<Vec<u16>>,
        v5: Option<V5>,
    ) -> Self {
        let session = earlier_session.map(|identifiers| Session {
            held: identifiers.into_iter().map(|id| (id, None)).collect(),
            outgoing: Outgoing::default(),
        });
        Broker {
            kind,
            delivers,
            speaks,
            greeting: Greeting::Welcome,
            answers_pings: true,
            delivered: Vec::new(),
            wills: 0,
            late_will: None,
            throttle: None,
            taken: VecDeque::new(),
            passed_over: 0,
            passed_over_ever: 0,
            forbidden: BTreeSet::new(),
            last_closed_for: None,
            taken_for_copies: Vec::new(),
            spelling: None,
            retained: BTreeMap::new(),
            v5,
            connections: BTreeMap::new(),
            session,
        }
    }

    /// A connection has come.
    pub fn opened(&mut self, connection: u32, now: u64) {
        let fresh = Connection {
            input: Vec::new(),
            state: State::Fresh,
            last_heard: now,
            owed: VecDeque::new(),
            aliases: BTreeMap::new(),
        };
        self.connections.insert(connection, fresh);
    }

    /// A connection is gone, however that came.
    pub fn ended(&mut self, connection: u32, now: u64) {
        let Some(connection) = self.connections.remove(&connection) else {
            return;
        };
        if let State::LetIn { will, clean, .. } = connection.state {
            self.wills += usize::from(will.is_some());
            if let Some(will) = will {
                let delay = will.properties.get(&0x18).copied().unwrap_or(0);
                self.late_will = Some((now + u64::from(delay) * 1000, will));
                self.send_late_will(now);
            }
            self.end_of_session(clean);
        }
    }

    /// Sends the will whose delay is over by then.
    fn send_late_will(&mut self, now: u64) {
        let Some((_, will)) = self.late_will.take_if(|(at, _)| *at <= now) else {
            return;
        };
        if will.retain {
            let publish = Publish {
                qos: will.qos,
                dup: false,
                retain: true,
                id: None,
                topic: will.topic.clone(),
                properties: BTreeMap::new(),
                payload: will.message,
            };
            self.retained.insert(will.topic, publish);
        }
    }

    /// What becomes of the session when its connection ends: a clean one lasts no longer [MQTT-3.1.2-6].
    fn end_of_session(&mut self, clean: bool) {
        if clean {
            self.session = None;
        } else if self.kind.forgets_what_it_holds()
            && let Some(session) = &mut self.session
        {
            session.held.clear();
        }
    }

    /// It crashes; the connections that it had. Whether it finds its session again is for the caller to say.
    pub fn crash(&mut self, keeps_session: bool) -> Vec<u32> {
        if !keeps_session {
            self.session = None;
            self.retained.clear();
        }
        self.late_will = None;
        let connections: Vec<u32> = self.connections.keys().copied().collect();
        self.connections.clear();
        connections
    }

    /// Whether this connection is let in.
    #[must_use]
    pub fn has_let_in(&self, connection: u32) -> bool {
        let connection = self.connections.get(&connection);
        connection.is_some_and(|connection| matches!(connection.state, State::LetIn { .. }))
    }

    /// When [`Broker::close_silent`] has something to do.
    #[must_use]
    pub fn next_silence(&self) -> Option<u64> {
        let connections = self.connections.values();
        let late_will = self.late_will.iter().map(|(at, _)| *at);
        connections
            .filter_map(Connection::silent_at)
            .chain(late_will)
            .min()
    }

    /// Closes the connections that were silent for one and a half keep-alives [MQTT-3.1.2-24].
    pub fn close_silent(&mut self, now: u64) -> Vec<u32> {
        let connections = self.connections.iter();
        let silent: Vec<u32> = connections
            .filter(|(_, connection)| connection.silent_at().is_some_and(|time| time <= now))
            .map(|(number, _)| *number)
            .collect();
        silent.iter().for_each(|number| self.ended(*number, now));
        self.send_late_will(now);
        silent
    }

    /// Takes bytes of this connection.
    pub fn take(
        &mut self,
        number: u32,
        bytes: &[u8],
        now: u64,
        heard: &mut dyn FnMut(&ClientPacket),
    ) -> Vec<Answer> {
        let mut answers = Vec::new();
        if let Some(connection) = self.connections.get_mut(&number) {
            connection.input.extend_from_slice(bytes);
        }
        let take = if self.v5.is_some() {
            take_packet_v5
        } else {
            take_packet
        };
        // It may be closed on the way.
        while let Some(connection) = self.connections.get_mut(&number)
            && let before = connection.input.len()
            && let Some(mut packet) = take(&mut connection.input)
        {
            let len = before - connection.input.len();
            self.check_limits(&packet, len);
            let connection = self.connections.get_mut(&number).expect("it is open");
            if let Some(spelling) = &self.spelling {
                spelling.restore(&mut packet);
            }
            heard(&packet);
            connection.last_heard = now;
            self.handle(number, packet, now, &mut answers);
        }
        answers
    }

    fn handle(&mut self, number: u32, packet: ClientPacket, now: u64, answers: &mut Vec<Answer>) {
        let connection = self.connections.get_mut(&number).expect("it is open");
        match (&mut connection.state, packet) {
            (State::Fresh, ClientPacket::Connect(connect)) => {
                self.greet(number, &connect, now, answers);
            }
            (State::Fresh, other) => panic!("{other} before CONNECT [MQTT-3.1.0-1]"),
            (_, ClientPacket::Connect(_)) => panic!("a second CONNECT [MQTT-3.1.0-2]"),
            (State::Refused, _) => {}
            (State::LetIn { .. }, ClientPacket::Publish(mut publish)) => {
                connection.resolve(&mut publish);
                self.publish(number, publish, now, answers);
            }
            (State::LetIn { .. }, ClientPacket::Puback { id }) => {
                self.acknowledged(number, 4, id, answers)
            }
            (State::LetIn { .. }, ClientPacket::Pubrec { id }) => {
                self.acknowledged(number, 5, id, answers)
            }
            (State::LetIn { .. }, ClientPacket::Pubcomp { id }) => {
                self.acknowledged(number, 7, id, answers)
            }
            (State::LetIn { .. }, ClientPacket::Pubrel { id, .. }) => {
                self.release(number, id, now, answers);
            }
            (State::LetIn { .. }, ClientPacket::Pingreq) => {
                if self.answers_pings {
                    answers.push(Answer::Packet(number, vec![0xd0, 0]));
                }
            }
            // The will is sent.
            (State::LetIn { .. }, ClientPacket::DisconnectFor(_)) => {
                self.ended(number, now);
                answers.push(Answer::Close(number));
            }
            (&mut State::LetIn { clean, .. }, ClientPacket::Disconnect) => {
                self.connections.remove(&number);
                self.end_of_session(clean);
                answers.push(Answer::Close(number));
            }
        }
    }

    fn release(&mut self, number: u32, id: u16, now: u64, answers: &mut Vec<Answer>) {
        let session = self.session.get_or_insert_default();
        match session.held.remove(&id) {
            Some(publish) => publish
                .into_iter()
                .for_each(|publish| self.deliver(now, publish)),
            None if self.kind.closes_on_unknown_pubrel() => {
                self.ended(number, now);
                answers.push(Answer::Close(number));
                return;
            }
            None if self.kind.ignores_unknown_pubrel() => return,
            None => {}
        }
        answers.push(packet_with_id(number, 0x70, id));
    }

    fn greet(&mut self, number: u32, connect: &Connect, now: u64, answers: &mut Vec<Answer>) {
        let old = connect.level == 3;
        assert_eq!(connect.level == 5, self.v5.is_some(), "{connect:?}");
        let code = match (self.greeting, self.speaks) {
            (Greeting::Silence, _) => {
                self.be(number, State::Refused);
                return;
            }
            (Greeting::HangUp, _) => None,
            (_, Speaks::Only3_1AndHangsUp) if !old => None,
            (_, Speaks::Only3_1) if !old => Some(1),
            (Greeting::Refuse(code), _) => Some(code),
            _ => Some(0),
        };
        if code != Some(0) {
            if let Some(code) = code {
                answers.push(Answer::Packet(number, self.refusal(code)));
            }
            answers.push(Answer::Close(number));
            self.connections.remove(&number);
            return;
        }
        // A client takes its session over from its earlier connection [MQTT-3.1.4-2].
        let earlier: Vec<u32> = self
            .connections
            .keys()
            .copied()
            .filter(|other| *other != number)
            .collect();
        for other in earlier {
            self.ended(other, now);
            answers.push(Answer::Close(other));
        }
        // A session that goes on cancels it, one that ends does not wait for it [MQTT-3.1.3-9].
        if connect.clean_session || self.session.is_none() {
            self.send_late_will(u64::MAX);
        }
        self.late_will = None;
        let present = match self.greeting {
            Greeting::ClaimSession => true,
            Greeting::DenySession => false,
            _ => !connect.clean_session && self.session.is_some() && self.kind.tells_of_sessions(),
        };
        // 3.1 has no such flag.
        let flags = u8::from(present && !old);
        answers.push(Answer::Packet(number, self.welcome(flags)));
        let keep_alive = self.keep_alive(connect);
        let will = connect.will.clone();
        let clean = self.is_lost_at_the_end(connect);
        self.be(
            number,
            State::LetIn {
                keep_alive,
                will,
                clean,
            },
        );
        if connect.clean_session {
            self.session = None;
        }
        self.session.get_or_insert_default();
        self.send_unasked(number, answers);
        if self.greeting == Greeting::ThrowOut {
            self.ended(number, now);
            answers.push(Answer::Close(number));
        }
    }

    fn be(&mut self, number: u32, state: State) {
        self.connections.get_mut(&number).expect("it is open").state = state;
    }

    fn publish(&mut self, number: u32, publish: Publish, now: u64, answers: &mut Vec<Answer>) {
        let id = publish.id.unwrap_or(0);
        if self.refuses(number, &publish, now, answers) {
            return;
        }
        if self.forbidden.contains(&publish.topic) {
            self.last_closed_for = Some(publish.topic);
            if self.v5.is_some() {
                answers.push(Answer::Packet(number, vec![0xe0, 1, v5::NOT_AUTHORIZED]));
            }
            self.ended(number, now);
            answers.push(Answer::Close(number));
            return;
        }
        if publish.qos > 0 && self.v5.is_none() && self.is_throttled(now) {
            self.passed_over += 1;
            self.passed_over_ever += 1;
            return;
        }
        match publish.qos {
            0 => self.deliver(now, publish),
            1 => {
                answers.push(packet_with_id(number, 0x40, id));
                self.deliver(now, publish);
            }
            _ if !self.kind.has_qos_2() => {
                answers.push(packet_with_id(number, 0x40, id));
                self.deliver(now, publish);
            }
            _ => {
                answers.push(packet_with_id(number, 0x50, id));
                let session = self.session.get_or_insert_default();
                if session.held.contains_key(&id) {
                    if !publish.dup {
                        self.taken_for_copies.push(publish.payload);
                    }
                    return;
                }
                if session.held.len() >= self.kind.most_incoming() {
                    return;
                }
                match self.delivers {
                    Delivers::OnPublish => {
                        session.held.insert(id, None);
                        self.deliver(now, publish);
                    }
                    Delivers::OnPubrel => {
                        session.held.insert(id, Some(publish));
                    }
                }
            }
        }
    }

    /// Whether a message comes that exceeds what it takes in a second.
    fn is_throttled(&mut self, now: u64) -> bool {
        let Some(most) = self.throttle else {
            return false;
        };
        while self.taken.front().is_some_and(|at| at + 1000 <= now) {
            self.taken.pop_front();
        }
        let is_full = self.taken.len() >= most;
        if !is_full {
            self.taken.push_back(now);
        }
        is_full
    }

    fn deliver(&mut self, now: u64, publish: Publish) {
        if publish.retain {
            let topic = publish.topic.clone();
            self.retained.insert(topic, publish.clone());
        }
        // A status is no sample.
        if !publish.topic.starts_with("status/") {
            self.delivered.push((now, publish));
        }
    }
}

impl Connection {
    fn silent_at(&self) -> Option<u64> {
        match self.state {
            State::LetIn { keep_alive, .. } => Some(self.last_heard + keep_alive * 3 / 2),
            State::Fresh | State::Refused => None,
        }
    }
}

fn packet_with_id(number: u32, first: u8, id: u16) -> Answer {
    let [high, low] = id.to_be_bytes();
    Answer::Packet(number, vec![first, 2, high, low])
}
