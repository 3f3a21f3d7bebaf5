//! A broker of MQTT 5 refuses messages: which, why, and what becomes of them?

use super::Session;
use crate::delivery::{QoS, Stage};
use crate::index;
use crate::log::{Printed, Words, debug, warning};
use crate::mqtt::Ack;
use crate::mqtt::close::Close;
use crate::mqtt::packet::Topic;
use crate::mqtt::v5::property::{Properties, REASON_STRING, SERVER_REFERENCE};
use crate::mqtt::v5::reason::Reason;
use crate::mqtt::violation::Violation;
use crate::outbox::Acknowledged;
use crate::time::{Instant, SECOND};

/// Milliseconds until what a broker had no quota for goes again: less than the 7.5 s after which an acknowledgement may be overdue.
pub(super) const PAUSE: u64 = 5 * SECOND;

/// Refusals that are remembered, so that each is said once; and as many are said in a minute, at most.
const REMEMBERED: usize = 8;
const WINDOW: u64 = 60 * SECOND;

/// Which refusals have been said.
#[derive(Debug, Clone, Default)]
pub(super) struct Refusals {
    /// Hashes of topics with reasons: the latest.
    said: heapless::Deque<u32, REMEMBERED>,
    window: Instant,
    /// Lines in the window.
    lines: usize,
    /// Hash of what the broker last gave as its reasons, in its own words.
    words: u32,
}

impl Refusals {
    /// Whether this one is to be said now.
    fn is_news(&mut self, hash: u32, now: Instant) -> bool {
        if self.said.iter().any(|said| *said == hash) {
            return false;
        }
        if now.since(self.window) >= WINDOW {
            (self.window, self.lines) = (now, 0);
        }
        if self.lines >= REMEMBERED {
            return false;
        }
        self.lines += 1;
        if self.said.is_full() {
            self.said.pop_front();
        }
        // There is room now.
        let _ = self.said.push_back(hash);
        true
    }
}

impl<'a> Session<'a> {
    /// PUBACK or PUBREC with a reason of failure.
    #[cold]
    #[inline(never)]
    pub(super) fn refuse(
        &mut self,
        ack: Ack,
        packet_id: u16,
        reason: Reason,
        properties: &Properties<'_>,
        now: Instant,
    ) -> Result<(), Close> {
        if ack == Ack::Pubrec && self.qos() == QoS::AtLeastOnce {
            return Err(Violation::WrongAckForQoS1.into());
        }
        self.state.liveness.progressed(now);
        if self.outbox.is_on_its_way(packet_id) {
            // Refused before it is repeated: it must not go once more.
            self.take_back_unsent();
        }
        let message = self.outbox.in_flight_as(packet_id);
        if let (Reason::QUOTA_EXCEEDED, Some((signal, Stage::Published))) = (reason, message) {
            if self.outbox.postpone(packet_id) {
                self.postpone(signal, now);
            }
            return Ok(());
        }
        let tick = self.state.liveness.tick(now);
        let acknowledged =
            self.outbox
                .acknowledge(crate::delivery::Reply::Refused, packet_id, tick);
        if acknowledged.map_err(Violation::from)? == Acknowledged::Complete {
            self.count_refused(
                message.map_or(u32::MAX, |(signal, _)| signal),
                reason,
                properties,
                now,
            );
        }
        Ok(())
    }

    /// A message is done with, since the broker does not want it.
    pub(super) fn count_refused(
        &mut self,
        signal: u32,
        reason: Reason,
        properties: &Properties<'_>,
        now: Instant,
    ) {
        self.state.counters.refused += 1;
        let topic = self.topic_of(signal);
        let hash =
            index::hash(&topic.map(str::as_bytes)) ^ u32::from(reason.0).wrapping_mul(0x9e37_79b1);
        if self.state.v5.refusals.is_news(hash, now) {
            let (before, words) = match properties.text(REASON_STRING) {
                Some(words) => (", it says: ", words),
                None => ("", &b""[..]),
            };
            warning!(
                "{}: the broker refuses messages on {}: {}{}{}; they are counted, and not sent again",
                self.device.alias,
                Printed(Topic(topic)),
                Printed(reason),
                before,
                Words(words, self.device.secrets())
            );
        } else {
            debug!(
                "{}: the broker refuses a message on {}: {}",
                self.device.alias,
                Printed(Topic(topic)),
                Printed(reason)
            );
        }
        if self.state.suspicion.is_active() {
            self.pass_suspect();
        }
    }

    /// The broker has no quota for a message of this signal, which says nothing about the message: it waits for a while with all that is new,
    /// and goes again.
    fn postpone(&mut self, signal: u32, now: Instant) {
        if !core::mem::replace(&mut self.state.v5.is_postponing, true) {
            let topic = Printed(Topic(self.topic_of(signal)));
            let (alias, seconds) = (self.device.alias, PAUSE / SECOND);
            let reason = Printed(Reason::QUOTA_EXCEEDED);
            if core::mem::replace(&mut self.state.v5.said_quota, true) {
                debug!("{}: {} again for messages on {}", alias, reason, topic);
            } else {
                warning!(
                    "{}: the broker takes no more messages for now, on {}: {}; they go again in {} s, see max_rate",
                    alias,
                    topic,
                    reason,
                    seconds
                );
            }
            self.state.v5.pause_until = now + PAUSE;
        }
    }

    /// Sends what was postponed, once the pause is over and all else that is in flight is done with: as new messages, since the broker has
    /// freed their identifiers.
    #[cold]
    #[inline(never)]
    pub(super) fn send_postponed(&mut self, now: Instant) {
        if now < self.state.v5.pause_until && self.state.v5.pause_until != Instant::NEVER {
            return;
        }
        // What is awaited then wakes up the session.
        self.state.v5.pause_until = Instant::NEVER;
        if self.outbox.awaits_others() || self.transmit.is_half_written() {
            return;
        }
        self.take_back_unsent();
        self.queue_flight_again();
        self.state.v5.is_postponing = false;
        self.state.liveness.begin_wait(now);
    }

    /// What the broker says beside a reason code, once for each change.
    pub(super) fn say_words(&mut self, properties: &Properties<'_>) {
        let text = |id| properties.text(id).unwrap_or_default();
        let (reason, server) = (text(REASON_STRING), text(SERVER_REFERENCE));
        let hash = index::hash(&[reason, server]);
        if (reason.is_empty() && server.is_empty())
            || core::mem::replace(&mut self.state.v5.refusals.words, hash) == hash
        {
            return;
        }
        let (alias, secrets) = (self.device.alias, self.device.secrets());
        if !reason.is_empty() {
            warning!("{}: the broker says: {}", alias, Words(reason, secrets));
        }
        if !server.is_empty() {
            warning!(
                "{}: the broker names another server, which is not followed: {}",
                alias,
                Words(server, secrets)
            );
        }
    }

    /// In pieces.
    pub(super) fn topic_of(&self, signal: u32) -> [&'a str; 5] {
        let signal = self.signals.get(signal as usize);
        signal.map_or([""; 5], |signal| signal.topic_pieces(self.device.alias))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_said_once_and_no_more_than_eight_in_a_minute() {
        let mut refusals = Refusals::default();
        let now = Instant::from_millis(100 * SECOND);
        assert!(refusals.is_news(1, now));
        assert!(!refusals.is_news(1, now));
        let said = (2..100).filter(|hash| refusals.is_news(*hash, now)).count();
        assert_eq!(said, 7);
        let later = now + WINDOW;
        assert!(!refusals.is_news(8, later), "it is remembered");
        assert!(refusals.is_news(99, later));
        assert!(!refusals.is_news(99, later));
    }
}
