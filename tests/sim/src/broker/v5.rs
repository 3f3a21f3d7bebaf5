//! What a broker of MQTT 5 says that the others do not: its limits, and why it refuses.

use super::{Answer, Broker, Connection};
use crate::packet::{ClientPacket, Connect, Publish};

pub(super) const NOT_AUTHORIZED: u8 = 0x87;
const QUOTA_EXCEEDED: u8 = 0x97;

impl Broker {
    /// CONNACK without a refusal.
    pub(super) fn welcome(&self, flags: u8) -> Vec<u8> {
        let Some(v5) = self.v5 else {
            return vec![0x20, 2, flags, 0];
        };
        let mut properties = Vec::new();
        if v5.receive_maximum > 0 {
            properties.push(0x21);
            properties.extend(v5.receive_maximum.to_be_bytes());
        }
        if v5.maximum_packet_size > 0 {
            properties.push(0x27);
            properties.extend(v5.maximum_packet_size.to_be_bytes());
        }
        if v5.lacks_qos_2 {
            properties.extend([0x24, 1]);
        }
        if !v5.retains {
            properties.extend([0x25, 0]);
        }
        if v5.keep_alive > 0 {
            properties.extend([0x13, 0, v5.keep_alive as u8]);
        }
        properties.push(0x22);
        properties.extend(v5.alias_maximum.to_be_bytes());
        // A Reason String, for whoever looks.
        properties.extend(b"\x1f\0\x07welcome");
        let len = properties.len() as u8;
        [&[0x20, 3 + len, flags, 0, len], &properties[..]].concat()
    }

    /// CONNACK with this code of 3.1.1, or what MQTT 5 has for it.
    pub(super) fn refusal(&self, code: u8) -> Vec<u8> {
        if self.v5.is_none() {
            return vec![0x20, 2, 0, code];
        }
        let reason = match code {
            1 => 0x84,
            2 => 0x85,
            3 => 0x88,
            4 => 0x86,
            5 => NOT_AUTHORIZED,
            // No reason of CONNACK.
            other => other,
        };
        vec![0x20, 3, 0, reason, 0]
    }

    /// Milliseconds.
    pub(super) fn keep_alive(&self, connect: &Connect) -> u64 {
        let own = self.v5.map_or(0, |v5| v5.keep_alive);
        let seconds = if own > 0 {
            own
        } else {
            connect.keep_alive.into()
        };
        seconds * 1000
    }

    /// Whether the session ends with its connection.
    pub(super) fn is_lost_at_the_end(&self, connect: &Connect) -> bool {
        match self.v5 {
            Some(_) => !connect.properties.contains_key(&0x11),
            None => connect.clean_session,
        }
    }

    /// What this client may not say to this broker: packets over its limits.
    pub(super) fn check_limits(&self, packet: &ClientPacket, len: usize) {
        let (Some(v5), ClientPacket::Publish(publish)) = (self.v5, packet) else {
            return;
        };
        assert!(
            v5.maximum_packet_size == 0 || len <= v5.maximum_packet_size as usize,
            "{publish:?} has {len} bytes [MQTT-3.2.2-15]"
        );
        assert!(
            !v5.lacks_qos_2 || publish.qos < 2,
            "{publish:?} [MQTT-3.2.2-11]"
        );
        assert!(v5.retains || !publish.retain, "{publish:?} [MQTT-3.2.2-14]");
        if let Some(alias) = publish.properties.get(&0x23) {
            let is_allowed = v5.topic_alias && *alias <= u32::from(v5.alias_maximum);
            assert!(is_allowed, "{publish:?} [MQTT-3.3.2-9]");
            assert!(!publish.dup, "{publish:?} may come over another connection");
        }
    }

    /// Refuses a message with a reason code; whether it does.
    pub(super) fn refuses(
        &mut self,
        number: u32,
        publish: &Publish,
        now: u64,
        answers: &mut Vec<Answer>,
    ) -> bool {
        let Some(id) = publish.id.filter(|_| self.v5.is_some()) else {
            return false;
        };
        let session = self.session.get_or_insert_default();
        if session.held.contains_key(&id) {
            // It has it already.
            return false;
        }
        let reason = if self.forbidden.contains(&publish.topic) {
            NOT_AUTHORIZED
        } else if self.is_throttled(now) {
            self.passed_over_ever += 1;
            QUOTA_EXCEEDED
        } else {
            return false;
        };
        let [high, low] = id.to_be_bytes();
        let first = if publish.qos == 1 { 0x40 } else { 0x50 };
        answers.push(Answer::Packet(number, vec![first, 3, high, low, reason]));
        true
    }
}

impl Connection {
    /// Gives the message the topic that its alias stands for (MQTT 5, 3.3.2.3.4).
    pub(super) fn resolve(&mut self, publish: &mut Publish) {
        let Some(alias) = publish.properties.get(&0x23) else {
            return;
        };
        if publish.topic.is_empty() {
            let topic = self.aliases.get(alias);
            publish.topic = topic.expect("an alias that stands for a topic").clone();
        } else {
            self.aliases.insert(*alias, publish.topic.clone());
        }
    }
}
