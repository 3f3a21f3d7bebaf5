//! What a session hears on one connection, and what it does about it.

use super::events::Control as ControlPacket;
use super::{Phase, Session};
use crate::bytes::move_within;
use crate::delivery::QoS;
use crate::log::{Printed, debug, info, warning};
use crate::mqtt::Ack;
use crate::mqtt::attempt::{Known, Welcome};
use crate::mqtt::close::Close;
use crate::mqtt::decode::{ACK_LEN, Accepted, Incoming, decode, plain_ack};
use crate::mqtt::encode::{answer, pubrel};
use crate::mqtt::unasked::Unasked;
use crate::mqtt::violation::Violation;
use crate::net::backoff::HELD;
use crate::outbox::Acknowledged;
use crate::rate;
use crate::time::Instant;

impl Session<'_> {
    pub(super) fn handle_input(&mut self, now: Instant) -> Result<(), Close> {
        if self.state.attempts.level().is_v5() {
            return self.handle_input_v5(now);
        }
        let mut handled = 0;
        let tick = self.state.liveness.tick(now);
        // Each packet may have to be answered, and shown: without room for that it waits.
        while self.control.has_room() && self.state.events.has_room() {
            let rest = self
                .input
                .get(handled..self.state.filled)
                .unwrap_or_default();
            if let Some(message) = &mut self.state.passing {
                handled += message.pass(rest)?;
                if !message.is_whole() {
                    break;
                }
                let message = *message;
                self.state.passing = None;
                self.show_and_answer(message);
                continue;
            }
            if let Some((ack, packet_id)) = plain_ack(rest)
                && self.state.phase != Phase::Greeting
            {
                handled += ACK_LEN;
                self.state.events.received(Incoming::Ack { ack, packet_id });
                self.acknowledge(ack, packet_id, tick, now)?;
                continue;
            }
            let Some((packet, len)) = decode(rest, self.state.attempts.level())? else {
                break;
            };
            handled += len;
            // A message is shown once all of it has come.
            if !matches!(packet, Incoming::Publish(_)) {
                self.state.events.received(packet);
            }
            self.handle(packet, now)?;
        }
        move_within(self.input, handled..self.state.filled, 0);
        self.state.filled -= handled;
        Ok(())
    }

    #[inline(never)]
    pub(super) fn handle(&mut self, packet: Incoming, now: Instant) -> Result<(), Close> {
        match (self.state.phase, packet) {
            (Phase::Greeting, Incoming::Connack(Ok(accepted))) => self.accept(accepted, now),
            (Phase::Greeting, Incoming::Connack(Err(refusal))) => Err(Close::Refused(refusal)),
            (Phase::Greeting, other) => Err(Violation::NoConnack(other.packet_type()).into()),
            // DISCONNECT did not wait for it.
            (Phase::Leaving, Incoming::Connack(_)) => Ok(()),
            (_, Incoming::Connack(_)) => Err(Violation::SecondConnack.into()),
            (_, Incoming::Ack { ack, packet_id }) => {
                let tick = self.state.liveness.tick(now);
                self.acknowledge(ack, packet_id, tick, now)
            }
            (_, Incoming::Pingresp) if self.state.liveness.ping_answered() => {
                self.state.proving &= self.state.liveness.awaits_pong();
                if !self.state.liveness.awaits_pong() {
                    self.state.status.proven();
                }
                if self.state.suspicion.goes_one_by_one() && self.qos() == QoS::AtMostOnce {
                    self.pass_at_qos0(now);
                }
                Ok(())
            }
            (_, Incoming::Pingresp) => Err(Violation::UnaskedPingresp.into()),
            (_, Incoming::Publish(message)) => {
                self.state.passing = Some(message);
                Ok(())
            }
            (_, Incoming::Pubrel { packet_id }) => {
                self.push_answer(Ack::Pubcomp, packet_id);
                Ok(())
            }
        }
    }

    /// The same as [`answer`](Session::answer), once whoever watches is shown the message.
    #[cold]
    #[inline(never)]
    fn show_and_answer(&mut self, message: Unasked) {
        self.state.events.received(Incoming::Publish(message));
        self.answer(message);
    }

    /// A message that nobody asked for has come and is gone: it is acknowledged [MQTT-4.5.0-2].
    #[cold]
    #[inline(never)]
    pub(super) fn answer(&mut self, message: Unasked) {
        if !core::mem::replace(&mut self.state.said_unasked, true) {
            warning!(
                "{}: the broker sends messages to this client_id, which subscribes to nothing: they are acknowledged and passed over",
                self.device.alias
            );
        }
        let ack = match message.qos() {
            QoS::ExactlyOnce => Ack::Pubrec,
            _ => Ack::Puback,
        };
        if let Some(packet_id) = message.packet_id() {
            self.push_answer(ack, packet_id);
        }
    }

    /// Only called with room for it.
    #[inline(never)]
    pub(super) fn push_answer(&mut self, ack: Ack, packet_id: u16) {
        // Nothing follows DISCONNECT [MQTT-3.14.4-2].
        if self.is_online() && self.control.push(&answer(ack, packet_id)) {
            self.state
                .events
                .sent(ControlPacket::Answer(ack, packet_id));
        }
    }

    /// PINGRESP shows that the broker took the message that went alone at QoS 0.
    fn pass_at_qos0(&mut self, now: Instant) {
        if self.state.liveness.awaits_pong() {
            return;
        }
        self.outbox.complete_oldest();
        if let Phase::Online { since } = self.state.phase
            && now.since(since) >= HELD
        {
            self.send_one_by_one(0);
        }
    }

    #[cold]
    #[inline(never)]
    pub(super) fn accept(&mut self, accepted: Accepted, now: Instant) -> Result<(), Close> {
        let Accepted { session_present } = accepted;
        let welcome = self.state.attempts.accepted(session_present)?;
        self.state.phase = Phase::Online { since: now };
        let Welcome::Begin(known) = welcome else {
            info!(
                "{}: wiping out the session that the broker has kept",
                self.device.alias
            );
            self.leave();
            return Ok(());
        };
        #[cfg(feature = "health")]
        self.state.standing.begin(known, self.qos());
        self.begin_status(known, now);
        self.state.has_qos2 &= known == Known::All;
        if matches!(known, Known::Nothing | Known::Wiped) {
            // A PUBREL would mean nothing to its new session, and what it had only PUBREC for, it may have lost.
            self.outbox.take_back_released();
        }
        // Who has lost the session has lost its retained messages too; at QoS 0 nobody knows what got through before the end; and what is
        // repeated after a later message was acknowledged makes an older value the last one.
        let is_forgetful = self.qos() == QoS::AtMostOnce
            || matches!(known, Known::Nothing | Known::Unsaid)
            || self.outbox.repeats_out_of_order();
        self.state.events.values_lost |= self.state.was_online && is_forgetful;
        if self.state.suspicion.goes_one_by_one() && self.push_pingreq() {
            self.state.proving = true;
            self.state.liveness.asked(now);
        }
        if self.state.attempts.take_guess() {
            warning!(
                "{}: speaking MQTT 3.1, since the broker closed without an answer when asked for 3.1.1; the next connection asks again",
                self.device.alias
            );
        }
        self.state.liveness.begin_wait(now);
        self.state.counters.reconnects += u64::from(self.state.was_online);
        #[cfg(feature = "spool")]
        self.begin_replay();
        let most = self.most_in_a_second();
        if !self.state.was_online && most > 0 {
            // An earlier process, or the session before a reload, may have sent all that a second may have.
            self.state.last_publish = rate::last_for_a_burst_in_a_second(most, now);
        }
        self.state.was_online = true;
        info!(
            "{}: online, MQTT {}, session {}, {} to repeat, {} queued",
            self.device.alias,
            Printed(self.state.attempts.level()),
            if session_present { "resumed" } else { "new" },
            self.outbox.to_repeat(),
            self.outbox.queued()
        );
        if most > 0 {
            info!(
                "{}: at most {} messages a second ({})",
                self.device.alias,
                most,
                if cfg!(not(feature = "spool")) || most == self.device.max_rate {
                    "max_rate"
                } else {
                    "replay_rate, until what waits is sent"
                }
            );
        }
        Ok(())
    }

    /// `tick` is that of `now`, see [`Liveness::tick`](crate::mqtt::liveness::Liveness::tick).
    #[inline]
    pub(super) fn acknowledge(
        &mut self,
        ack: Ack,
        packet_id: u16,
        tick: u8,
        now: Instant,
    ) -> Result<(), Close> {
        if self.acknowledges_status(ack, packet_id, None, now) {
            return Ok(());
        }
        // A broker without QoS 2 answers each message so; of one that has it, a PUBACK is a breach, and would lose the message.
        if ack == Ack::Puback && self.state.has_qos2 {
            return Err(Violation::PubackAfterPubrec.into());
        }
        self.state.has_qos2 |= ack == Ack::Pubrec && self.qos() == QoS::ExactlyOnce;
        self.state.liveness.progressed(now);
        if self.outbox.is_on_its_way(packet_id) {
            // Acknowledged before it is repeated: it must not go once more.
            self.take_back_unsent();
        }
        let acknowledged = self.outbox.acknowledge(ack.into(), packet_id, tick);
        match acknowledged.map_err(Violation::from)? {
            Acknowledged::Complete => {
                self.state.counters.acknowledged += 1;
                if ack == Ack::Puback && self.qos() == QoS::ExactlyOnce {
                    self.say_no_qos2();
                }
                if self.state.suspicion.is_active() {
                    self.pass_suspect();
                }
            }
            // Nothing follows DISCONNECT [MQTT-3.14.4-2]: the next connection releases it.
            Acknowledged::Release if self.state.phase == Phase::Leaving => {}
            Acknowledged::Release => self.push_pubrel(packet_id, false),
            Acknowledged::Repeated => {
                debug!(
                    "{}: packet identifier {} was acknowledged already",
                    self.device.alias, packet_id
                );
            }
        }
        Ok(())
    }

    /// PUBREL for what an earlier connection left half done.
    pub(super) fn repeat_pubrels(&mut self, now: Instant) {
        let tick = self.state.liveness.tick(now);
        while self.control.has_room() && self.state.events.has_room() && !self.state.proving {
            let Some(packet_id) = self.outbox.pubrel_to_repeat() else {
                break;
            };
            self.push_pubrel(packet_id, true);
            self.outbox.pubrel_repeated(tick);
        }
    }

    /// Only called with room for it.
    fn push_pubrel(&mut self, packet_id: u16, repeated: bool) {
        if self
            .control
            .push(&pubrel(packet_id, self.state.attempts.level(), repeated))
        {
            self.state.events.sent(ControlPacket::Pubrel(packet_id));
        }
    }

    #[cold]
    #[inline(never)]
    fn say_no_qos2(&mut self) {
        if !core::mem::replace(&mut self.state.said_no_qos2, true) {
            warning!(
                "{}: the broker answers QoS 2 as QoS 1, with PUBACK: a message may arrive more than once",
                self.device.alias
            );
        }
    }
}
