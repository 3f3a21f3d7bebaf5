//! A model broker: bytes in, bytes out, and a record of all that it was told. It keeps one session (MQTT 3.1.1, 4.1),
//! since one client talks to it.

use std::collections::BTreeSet;

use super::packet::{ClientPacket, Connect, Publish, take_packet, take_packet_v5};

pub struct Broker {
    /// How it greets.
    pub greeting: Greeting,
    /// Whether it acknowledges PUBLISH and PUBREL.
    pub acknowledges: bool,
    /// Whether it answers PINGREQ.
    pub answers_pings: bool,
    /// All packets of all connections, in the words of [`ClientPacket`]'s `Display`.
    pub heard: Vec<String>,
    /// The CONNECT of each connection.
    pub connects: Vec<Connect>,
    /// What subscribers got: at QoS 2 each message once.
    pub delivered: Vec<Publish>,
    /// Last Wills that were sent, because a connection ended without DISCONNECT.
    pub wills_sent: usize,
    /// Identifiers that PUBREL has not freed, if a session is kept.
    session: Option<BTreeSet<u16>>,
    input: Vec<u8>,
    /// The will of the connection that is open, and whether that was let in.
    will: bool,
    let_in: bool,
    /// It is one of MQTT 5.
    is_v5: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Greeting {
    Welcome,
    /// Only clients of MQTT 3.1 are welcome, others hear CONNACK 1.
    WelcomeTo3_1,
    /// Only clients of MQTT 3.1 are welcome, others hear nothing and are closed.
    HangUpOn3_1_1,
    /// CONNACK with this code.
    Refuse(u8),
    HangUp,
    /// Lets the client in, and closes.
    ThrowOut,
    Silence,
}

/// What the broker answers.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub bytes: Vec<u8>,
    pub closes: bool,
}

impl Broker {
    pub fn new() -> Self {
        Broker {
            greeting: Greeting::Welcome,
            acknowledges: true,
            answers_pings: true,
            heard: Vec::new(),
            connects: Vec::new(),
            delivered: Vec::new(),
            wills_sent: 0,
            session: None,
            input: Vec::new(),
            will: false,
            let_in: false,
            is_v5: false,
        }
    }

    /// A broker that keeps a session of some earlier client, with these identifiers not freed.
    pub fn with_session(held: impl IntoIterator<Item = u16>) -> Self {
        Broker {
            session: Some(held.into_iter().collect()),
            ..Self::new()
        }
    }

    /// A message for each of the first session's packets: what subscribers got, in order.
    pub fn payloads(&self) -> Vec<&str> {
        self.delivered
            .iter()
            .map(|publish| publish.payload.as_str())
            .collect()
    }

    /// The connection is gone, however that came.
    pub fn connection_ended(&mut self) {
        self.wills_sent += usize::from(self.will);
        self.input.clear();
        (self.will, self.let_in, self.is_v5) = (false, false, false);
    }

    /// Takes bytes from the client.
    pub fn take(&mut self, bytes: &[u8]) -> Answer {
        self.input.extend_from_slice(bytes);
        let mut answer = Answer::default();
        loop {
            let take = if self.is_v5 {
                take_packet_v5
            } else {
                take_packet
            };
            let Some(packet) = take(&mut self.input) else {
                return answer;
            };
            self.heard.push(packet.to_string());
            self.handle(packet, &mut answer);
            if answer.closes {
                self.connection_ended();
            }
        }
    }

    fn handle(&mut self, packet: ClientPacket, answer: &mut Answer) {
        if let ClientPacket::Connect(connect) = packet {
            assert!(!self.let_in, "a second CONNECT [MQTT-3.1.0-2]");
            self.greet(connect, answer);
            return;
        }
        match packet {
            // What comes before the client is let in, or after it was not, is nobody's.
            _ if !self.let_in => {}
            ClientPacket::Connect(_) => {}
            ClientPacket::Publish(publish) => self.publish(publish, answer),
            ClientPacket::Pubrel { id, .. } => {
                if self.acknowledges {
                    self.held().remove(&id);
                    answer.push(0x70, id);
                }
            }
            ClientPacket::Puback { .. }
            | ClientPacket::Pubrec { .. }
            | ClientPacket::Pubcomp { .. } => {
                panic!("{packet} of a message that was not sent")
            }
            ClientPacket::Pingreq => {
                if self.answers_pings {
                    answer.bytes.extend([0xd0, 0]);
                }
            }
            ClientPacket::Disconnect => {
                self.will = false;
                answer.closes = true;
            }
            // The will is sent.
            ClientPacket::DisconnectFor(_) => answer.closes = true,
        }
    }

    fn greet(&mut self, connect: Connect, answer: &mut Answer) {
        let old = connect.level == 3;
        self.is_v5 = connect.level == 5;
        let (clean, will) = (connect.clean_session, connect.will.is_some());
        self.connects.push(connect);
        let code = match self.greeting {
            Greeting::Silence => return,
            Greeting::HangUp => None,
            Greeting::HangUpOn3_1_1 if !old => None,
            Greeting::WelcomeTo3_1 if !old => Some(1),
            Greeting::Refuse(code) => Some(code),
            _ => Some(0),
        };
        answer.closes = code != Some(0) || self.greeting == Greeting::ThrowOut;
        let Some(code) = code else { return };
        let present = code == 0 && !clean && self.session.is_some();
        // 3.1 has no such flag.
        let (len, properties) = if self.is_v5 {
            (3, &[0][..])
        } else {
            (2, &[][..])
        };
        answer
            .bytes
            .extend([0x20, len, u8::from(present && !old), code]);
        answer.bytes.extend(properties);
        if code == 0 {
            (self.let_in, self.will) = (true, will);
            if clean {
                self.session = None;
            } else {
                self.session.get_or_insert_default();
            }
        }
    }

    fn publish(&mut self, publish: Publish, answer: &mut Answer) {
        let id = publish.id.unwrap_or(0);
        let known = publish.qos == 2 && !self.held().insert(id);
        if self.acknowledges {
            match publish.qos {
                0 => {}
                1 => answer.push(0x40, id),
                _ => answer.push(0x50, id),
            }
        }
        if !known {
            self.delivered.push(publish);
        }
    }

    fn held(&mut self) -> &mut BTreeSet<u16> {
        self.session.get_or_insert_default()
    }
}

impl Answer {
    fn push(&mut self, first: u8, id: u16) {
        let [high, low] = id.to_be_bytes();
        self.bytes.extend([first, 2, high, low]);
    }
}
