//! What a broker sends to a client that has not subscribed (MQTT 3.1.1, section 4.5), and the acknowledgements that it is owed for that.

use std::collections::BTreeMap;

use super::{Answer, Broker, packet_with_id};

/// Messages to the client that are not done with, by the broker's own identifiers.
#[derive(Default)]
pub(super) struct Outgoing {
    /// The PUBLISH; `None` when its PUBREC came and PUBREL went out.
    messages: BTreeMap<u16, Option<Vec<u8>>>,
    last_id: u16,
}

const PUBLISH: u8 = 0x30;
const DUP: u8 = 0x08;

impl Broker {
    /// Sends a message of this QoS and length to the client, if it is let in. `at` is where its identifiers begin.
    pub fn publish_to(&mut self, number: u32, qos: u8, len: usize, at: u16) -> Option<Vec<Answer>> {
        if !self.has_let_in(number) {
            return None;
        }
        // The client's Maximum Packet Size.
        if self.v5.is_some() && len > 200 {
            return None;
        }
        let mut answers = Vec::new();
        self.session.get_or_insert_default().outgoing.last_id = at;
        self.send(number, qos, false, "a/b", &vec![b'x'; len], &mut answers);
        Some(answers)
    }

    /// Whether the client owes an acknowledgement on this connection.
    #[must_use]
    pub fn is_owed(&self, number: u32) -> bool {
        let connection = self.connections.get(&number);
        connection.is_some_and(|connection| !connection.owed.is_empty())
    }

    /// A client is let in: what it has not acknowledged goes again [MQTT-4.4.0-1], and what this kind of broker sends to everybody.
    pub(super) fn send_unasked(&mut self, number: u32, answers: &mut Vec<Answer>) {
        let session = self.session.get_or_insert_default();
        let connection = self.connections.get_mut(&number).expect("it is open");
        for (id, publish) in &session.outgoing.messages {
            match publish {
                Some(publish) => {
                    let mut again = publish.clone();
                    again[0] |= DUP;
                    let answer = if publish[0] >> 1 & 3 == 1 { 4 } else { 5 };
                    connection.owed.push_back((answer, *id));
                    answers.push(Answer::Packet(number, again));
                }
                None => {
                    connection.owed.push_back((7, *id));
                    answers.push(packet_with_id(number, 0x62, *id));
                }
            }
        }
        if self.kind.sends_retained_to_all() {
            let retained: Vec<_> = self.retained.values().cloned().collect();
            for publish in retained {
                let payload = publish.payload.as_bytes();
                self.send(number, publish.qos, true, &publish.topic, payload, answers);
            }
        }
    }

    fn send(
        &mut self,
        number: u32,
        qos: u8,
        retain: bool,
        topic: &str,
        payload: &[u8],
        answers: &mut Vec<Answer>,
    ) {
        let is_v5 = self.v5.is_some();
        let outgoing = &mut self.session.get_or_insert_default().outgoing;
        let mut body = (topic.len() as u16).to_be_bytes().to_vec();
        body.extend(topic.bytes());
        let id = outgoing.next_id();
        if qos > 0 {
            body.extend(id.to_be_bytes());
        }
        if is_v5 {
            // A user property.
            body.extend(b"\x07\x26\0\x01k\0\x01v");
        }
        body.extend(payload);
        let mut packet = vec![PUBLISH | qos << 1 | u8::from(retain)];
        let mut rest = body.len();
        while rest >= 128 {
            packet.push((rest % 128) as u8 | 0x80);
            rest /= 128;
        }
        packet.push(rest as u8);
        packet.extend(body);
        if qos > 0 {
            outgoing.messages.insert(id, Some(packet.clone()));
            let connection = self.connections.get_mut(&number).expect("it is open");
            let answer = if qos == 1 { 4 } else { 5 };
            connection.owed.push_back((answer, id));
        }
        answers.push(Answer::Packet(number, packet));
    }

    /// The client acknowledges: it must be what it owes next, and nothing else.
    pub(super) fn acknowledged(
        &mut self,
        number: u32,
        kind: u8,
        id: u16,
        answers: &mut Vec<Answer>,
    ) {
        let connection = self.connections.get_mut(&number).expect("it is open");
        let owed = connection.owed.pop_front();
        assert_eq!(
            owed,
            Some((kind, id)),
            "an acknowledgement [MQTT-4.5.0-2] [MQTT-4.3.2-2] [MQTT-4.3.3-2]"
        );
        let outgoing = &mut self.session.get_or_insert_default().outgoing;
        if kind == 5 {
            outgoing.messages.insert(id, None);
            connection.owed.push_back((7, id));
            answers.push(packet_with_id(number, 0x62, id));
        } else {
            outgoing.messages.remove(&id);
        }
    }
}

impl Outgoing {
    fn next_id(&mut self) -> u16 {
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            if !self.messages.contains_key(&self.last_id) {
                return self.last_id;
            }
        }
    }
}
