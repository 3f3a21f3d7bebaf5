//! What the bridge itself shows of what it takes in: its observer feeds the second books.

use std::cell::RefMut;

use mqtt_client_core::mqtt::decode::Incoming;
use mqtt_client_core::mqtt::packet::Packet;
use mqtt_client_core::mqtt::v5::decode as v5;
use mqtt_client_core::observer::Observer;

use crate::ends::{BrokerEnd, Message, RedisEnd};
use crate::ledger::Ledger;
use crate::property::{self, Verdict};
use crate::trace;

/// For the time of one poll.
pub struct Seen<'s> {
    pub redis: &'s mut RedisEnd,
    pub brokers: &'s [BrokerEnd],
    /// Signals that each device has now.
    pub signals: &'s [usize],
    pub verdict: &'s Verdict,
}

impl Observer for Seen<'_> {
    fn redis_message(&mut self, channel: &[u8], message: &[u8]) {
        let (channel, message) = (
            channel.escape_ascii().to_string(),
            message.escape_ascii().to_string(),
        );
        trace::note(|| ("redis".into(), format!("{channel} {message} is read")));
        self.expect(&channel, &message);
        let Some((device, signal)) = place_of(&channel) else {
            return;
        };
        if signal < self.signals[device] {
            self.brokers[device]
                .ledger
                .borrow_mut()
                .received(signal, &message);
        }
    }

    fn sees_packets(&self) -> bool {
        true
    }

    fn packet_sent(&mut self, device: &str, packet: &Packet<'_>) {
        match packet {
            Packet::Pubrel { packet_id } => self.ledger_of(device).decides_on_pubrel(*packet_id),
            Packet::Publish(publish) if self.ledger_of(device).is_status(publish.topic) => {
                self.ledger_of(device).decides_on_status();
            }
            _ => {}
        }
        if trace::is_verbose() {
            trace::shown(&packet.to_string());
        }
    }

    fn packet_received(&mut self, device: &str, packet: &Packet<'_>) {
        let end = self.end_of(device);
        let mut ledger = end.ledger.borrow_mut();
        if packet.name() == "PINGRESP" {
            ledger.check_status(end.status_of(&ledger));
        }
        match packet {
            Packet::Incoming(Incoming::Connack(Ok(accepted))) => {
                ledger.let_in(accepted.session_present);
            }
            Packet::Incoming(Incoming::Ack { ack, packet_id }) => {
                ledger.acknowledged(*ack, *packet_id)
            }
            Packet::IncomingV5(v5::Incoming::Connack {
                session_present,
                reason,
                ..
            }) if !reason.is_failure() => ledger.let_in(*session_present),
            Packet::IncomingV5(v5::Incoming::Ack {
                ack,
                packet_id,
                reason,
                ..
            }) if reason.is_failure() => ledger.refused(*ack, *packet_id, reason.0),
            Packet::IncomingV5(v5::Incoming::Ack { ack, packet_id, .. }) => {
                ledger.acknowledged(*ack, *packet_id);
            }
            _ => {}
        }
        if packet.name() != "PINGRESP" {
            trace::note(|| (ledger.name(), format!("-> {}{packet}", packet.name())));
        }
    }
}

impl Seen<'_> {
    fn end_of(&self, device: &str) -> &BrokerEnd {
        let number: usize = device[1..].parse().expect("d and a number");
        &self.brokers[number]
    }

    fn ledger_of(&self, device: &str) -> RefMut<'_, Ledger> {
        self.end_of(device).ledger.borrow_mut()
    }

    /// [`property::STREAM`]: what is read is what Redis wrote next to this connection.
    fn expect(&mut self, channel: &str, message: &str) {
        self.redis.is_read();
        while let Some(device) = self.redis.oversized_next(self.signals) {
            self.redis.expected.pop_front();
            self.brokers[device]
                .ledger
                .borrow_mut()
                .received_oversized();
        }
        let next = self
            .redis
            .expected
            .pop_front()
            .map(|expected| expected.message);
        let right =
            matches!(&next, Some(Message::Whole(at, text)) if at == channel && text == message);
        self.verdict.require(property::STREAM, right, || {
            format!("{channel} {message} is read, next is {next:?}")
        });
    }
}

/// Device and signal of one of our channels.
fn place_of(channel: &str) -> Option<(usize, usize)> {
    let rest = channel.strip_prefix("tag/d")?.strip_suffix("/in")?;
    let (device, signal) = rest.split_once("/s")?;
    Some((device.parse().ok()?, signal.parse().ok()?))
}
