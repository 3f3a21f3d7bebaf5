//! What does a session of MQTT 5 hear, and say, that the other versions do not?

use super::age::age;
use super::alias::Aliases;
use super::events::Control as ControlPacket;
use super::refusals::Refusals;
use super::terms::{Agreed, Said, WillBounds};
use super::{Phase, Session};
use crate::bytes::move_within;
use crate::config::Device;
use crate::log::{debug, warning};
use crate::mqtt::client_id::MAX_ASSIGNED;
use crate::mqtt::close::Close;
use crate::mqtt::decode::Incoming as Plain;
use crate::mqtt::encode::PublishHeader;
use crate::mqtt::unasked::Unasked;
use crate::mqtt::v5::decode::{Incoming, decode, plain_ack};
use crate::mqtt::v5::encode::{List, disconnect, publish};
use crate::mqtt::v5::property::Properties;
use crate::mqtt::v5::reason::Reason;
use crate::mqtt::violation::Violation;
use crate::mqtt::{Ack, Refusal, longest_publish};
use crate::outbox::Outgoing;
use crate::time::{Instant, SECOND};

/// What a session of MQTT 5 remembers beside the rest.
#[derive(Debug, Clone)]
pub(super) struct Memory {
    pub(super) agreed: Agreed,
    pub(super) said: Said,
    pub(super) will: WillBounds,
    /// What the broker calls this client.
    pub(super) assigned: Option<heapless::String<MAX_ASSIGNED>>,
    pub(super) aliases: Aliases,
    pub(super) refusals: Refusals,
    /// The broker had no quota for messages in flight, and until when they wait; [`Instant::NEVER`]: no longer.
    pub(super) is_postponing: bool,
    pub(super) pause_until: Instant,
    pub(super) said_quota: bool,
    /// A message that was to be repeated is refused unsent: others may have their turn.
    pub(super) has_refused: bool,
    /// On this connection it was said that samples were too old.
    said_expired: bool,
    /// Bytes at the front of the input that are handled, and may be shown.
    pub(super) lying: usize,
    last_words: [u8; 3],
}

/// What becomes of a sample whose turn it is.
pub(super) enum Prepared {
    /// It goes, with these properties.
    Ready(List),
    /// It does not: the next one has its turn.
    Gone,
    /// What was handed out before has to be sent first.
    Later,
}

impl Memory {
    pub(super) fn new(device: &Device<'_>) -> Self {
        Memory {
            agreed: Agreed::with(device),
            said: Said::default(),
            will: WillBounds::NONE,
            assigned: None,
            aliases: Aliases::default(),
            refusals: Refusals::default(),
            is_postponing: false,
            pause_until: Instant::NEVER,
            said_quota: false,
            has_refused: false,
            said_expired: false,
            lying: 0,
            last_words: [0; 3],
        }
    }

    pub(super) fn connection_ended(&mut self) {
        if !cfg!(feature = "mqtt5") {
            return;
        }
        self.is_postponing = false;
        self.pause_until = Instant::NEVER;
        self.said_expired = false;
    }

    /// Whether a message needs more than the plain way.
    #[inline]
    pub(super) fn is_special(&self, device: &Device<'_>) -> bool {
        device.message_expiry > 0
            || self.aliases.is_any()
            || self.agreed.maximum_packet_size < longest_publish(device) as u32
    }
}

impl Session<'_> {
    /// Whether this session is one of MQTT 5; never without the feature.
    #[inline]
    pub(super) fn is_v5(&self) -> bool {
        self.state.attempts.level().is_v5()
    }

    /// Whether messages are to be retained: only where the broker does that.
    #[inline]
    pub(super) fn retain(&self) -> bool {
        self.device.retain && (!self.is_v5() || self.state.v5.agreed.may_retain)
    }

    pub(super) fn handle_input_v5(&mut self, now: Instant) -> Result<(), Close> {
        if self.state.events.is_lying() {
            return Ok(());
        }
        // What a packet says is used while it lies in the input.
        let input = core::mem::take(&mut self.input);
        let mut handled = core::mem::take(&mut self.state.v5.lying);
        let heard = self.hear(input, &mut handled, now);
        move_within(input, handled..self.state.filled, 0);
        self.state.filled -= handled;
        self.input = input;
        heard
    }

    /// Handles the packets from `handled` on.
    fn hear(&mut self, input: &[u8], handled: &mut usize, now: Instant) -> Result<(), Close> {
        let tick = self.state.liveness.tick(now);
        let is_watched = self.state.events.is_watched();
        // Each packet may have to be answered, and shown: without room for that it waits.
        while self.control.has_room() && self.state.events.has_room() {
            let rest = input.get(*handled..self.state.filled).unwrap_or_default();
            if let Some((ack, packet_id, len)) = plain_ack(rest)
                && self.state.phase != Phase::Greeting
                && !is_watched
            {
                *handled += len;
                self.acknowledge(ack, packet_id, tick, now)?;
                continue;
            }
            let Some((packet, len)) = decode(rest, input.len())? else {
                return Ok(());
            };
            if is_watched {
                // It is shown before the next one is handled.
                self.state.events.received_lying();
                self.state.v5.lying = len;
                return self.handle_v5(packet, now);
            }
            *handled += len;
            self.handle_v5(packet, now)?;
        }
        Ok(())
    }

    #[inline(never)]
    fn handle_v5(&mut self, packet: Incoming<'_>, now: Instant) -> Result<(), Close> {
        match (self.state.phase, packet) {
            (
                Phase::Greeting,
                Incoming::Connack {
                    session_present,
                    reason,
                    properties,
                },
            ) => {
                if !reason.is_failure() {
                    return self.accept_v5(session_present, &properties, now);
                }
                self.say_words(&properties);
                Err(Close::Refused(Refusal::Reason(reason)))
            }
            // DISCONNECT did not wait for it, or crosses the broker's.
            (Phase::Leaving, Incoming::Connack { .. }) => Ok(()),
            (Phase::Leaving, Incoming::Disconnect { .. }) => {
                Err(self.state.attempts.reason_to_leave())
            }
            (_, Incoming::Connack { .. }) => Err(Violation::SecondConnack.into()),
            (_, Incoming::Disconnect { reason, properties }) => {
                self.say_words(&properties);
                Err(Close::Disconnected(reason))
            }
            (Phase::Greeting, other) => Err(Violation::NoConnack(other.packet_type()).into()),
            (
                _,
                Incoming::Ack {
                    ack,
                    packet_id,
                    reason,
                    properties,
                },
            ) => {
                if reason.is_failure()
                    && self.acknowledges_status(ack, packet_id, Some(reason), now)
                {
                    return Ok(());
                }
                if reason.is_failure() && ack != Ack::Pubcomp {
                    return self.refuse(ack, packet_id, reason, &properties, now);
                }
                if reason.is_failure() {
                    // The end of the handshake all the same (4.3.3).
                    debug!(
                        "{}: PUBCOMP for packet identifier {}, which the broker does not know",
                        self.device.alias, packet_id
                    );
                }
                self.handle(Plain::Ack { ack, packet_id }, now)
            }
            (_, Incoming::Pingresp) => self.handle(Plain::Pingresp, now),
            (_, Incoming::Pubrel { packet_id, .. }) => {
                self.handle(Plain::Pubrel { packet_id }, now)
            }
            (_, Incoming::Publish { qos, packet_id, .. }) => {
                self.answer(Unasked::whole(qos, packet_id));
                Ok(())
            }
        }
    }

    /// DISCONNECT with a reason, where the connection ends since the broker breaks the protocol (4.13), and still takes a packet.
    #[cold]
    #[inline(never)]
    pub(super) fn say_last_words(&mut self, close: &Close) -> &[u8] {
        let Close::Violation(violation) = close else {
            return &[];
        };
        let can_be_said = matches!(self.state.phase, Phase::Greeting | Phase::Online { .. })
            && *violation != Violation::TlsRecord
            && self.control.is_between_packets()
            && !self.transmit.is_half_written();
        if !can_be_said {
            return &[];
        }
        let reason = violation.reason();
        self.state
            .events
            .sent(ControlPacket::Disconnect(Some(reason)));
        self.state.v5.last_words = disconnect(reason);
        &self.state.v5.last_words
    }

    /// Prepares a message that may have an expiry or an alias, or be too long for the broker.
    #[cold]
    #[inline(never)]
    pub(super) fn prepare(
        &mut self,
        header: &mut PublishHeader<'_>,
        outgoing: &Outgoing,
        payload_len: usize,
        now: Instant,
    ) -> Prepared {
        let expiry = match (self.device.message_expiry, outgoing.stamp(&self.outbox)) {
            (0, _) => None,
            (expiry, None) => Some(expiry),
            (expiry, Some(accepted)) => Some(left_of(expiry, accepted, now)),
        };
        if expiry == Some(0) && !outgoing.is_repeated {
            return self.drop_expired(now);
        }
        // What is repeated is repeated: the broker may have it, and drops it if nobody does.
        let expiry = expiry.map(|seconds| seconds.max(1));
        // A repetition outlives the connection that its alias is of [MQTT-3.3.2-7].
        let alias = match outgoing.is_repeated {
            true => None,
            false => self.state.v5.aliases.of(outgoing.signal()),
        };
        let list = publish(expiry, alias.map(|(alias, _)| alias));
        header.has_known_alias = alias.is_some_and(|(_, is_known)| is_known);
        let len = PublishHeader {
            properties: list.bytes(),
            ..*header
        }
        .encoded_len(payload_len);
        if len as u64 > u64::from(self.state.v5.agreed.maximum_packet_size) {
            return self.refuse_unsent(outgoing, now);
        }
        Prepared::Ready(list)
    }

    /// Drops the samples that are too old to be of use.
    fn drop_expired(&mut self, now: Instant) -> Prepared {
        if !self.transmit.is_empty() {
            return Prepared::Later;
        }
        let expiry = self.device.message_expiry;
        let dropped = self.outbox.drop_unsent_while(|_, accepted| {
            accepted.is_some_and(|accepted| left_of(expiry, accepted, now) == 0)
        });
        self.state.counters.dropped += dropped as u64;
        // A signal whose sample was dropped unsent is to be heard of again.
        self.state.events.values_lost = true;
        if !core::mem::replace(&mut self.state.v5.said_expired, true) {
            warning!(
                "{}: {} samples have waited for longer than message_expiry={}, and are dropped",
                self.device.alias,
                dropped,
                expiry
            );
        }
        Prepared::Gone
    }

    /// A message is longer than the broker's Maximum Packet Size [MQTT-3.2.2-15].
    fn refuse_unsent(&mut self, outgoing: &Outgoing, now: Instant) -> Prepared {
        let signal = outgoing.signal();
        if outgoing.is_repeated {
            let tick = self.state.liveness.tick(now);
            let reply = crate::delivery::Reply::Refused;
            // It is in flight, and awaits an acknowledgement.
            let _ = self.outbox.acknowledge(reply, outgoing.packet_id, tick);
            self.state.v5.has_refused = true;
        } else if self.transmit.is_empty() {
            let mut is_first = true;
            let dropped = self
                .outbox
                .drop_unsent_while(|_, _| core::mem::take(&mut is_first));
            self.state.counters.sent += dropped as u64;
        } else {
            return Prepared::Later;
        }
        self.count_refused(
            signal,
            Reason::PACKET_TOO_LARGE,
            &Properties::default(),
            now,
        );
        Prepared::Gone
    }

    /// Goes on behind messages that were to be repeated, and are refused.
    #[cold]
    #[inline(never)]
    pub(super) fn fill_again(&mut self, now: Instant) {
        while core::mem::take(&mut self.state.v5.has_refused)
            && self.transmit.is_empty()
            && self.control.is_empty()
        {
            self.repeat_pubrels(now);
            if self.control.is_empty() {
                self.fill(now);
            }
        }
    }
}

/// Seconds that are left of `expiry` for a sample that was accepted then.
fn left_of(expiry: u32, accepted: u32, now: Instant) -> u32 {
    expiry.saturating_sub((age(accepted, now) / SECOND) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::session::age::stamp;

    #[test]
    fn what_is_left_of_an_expiry_counts_down_from_acceptance_in_whole_seconds() {
        let at = |millis| Instant::from_millis(millis);
        for (millis, left) in [
            (0, 30),
            (900, 30),
            (1100, 29),
            (29_900, 1),
            (30_100, 0),
            (90_000, 0),
        ] {
            for accepted in [1000, u64::from(u32::MAX) << 6] {
                let accepted = accepted / 64 * 64;
                let now = at(accepted + millis);
                assert_eq!(left_of(30, stamp(accepted as i64), now), left, "{millis}");
                let earlier = at(accepted.saturating_sub(millis));
                assert_eq!(left_of(30, stamp(accepted as i64), earlier), 30, "{millis}");
            }
        }
    }
}
