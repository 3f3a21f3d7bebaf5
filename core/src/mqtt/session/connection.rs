//! What a session says and hears on one connection.

use super::{Phase, Session, connect};
use crate::bytes::move_within;
use crate::config::Auth;
use crate::log::{Printed, Text, debug, error, info, trace, warning};
use crate::mqtt::QoS;
use crate::mqtt::attempt::{Reached, Welcome};
use crate::mqtt::close::Close;
use crate::mqtt::decode::{Accepted, Incoming, decode};
use crate::mqtt::encode::{PINGREQ, pubrel};
use crate::mqtt::liveness::{Awaiting, Due, Liveness};
use crate::mqtt::packet::{Packet, Publish};
use crate::mqtt::qos::Ack;
use crate::mqtt::violation::Violation;
use crate::net::protocol::{ClosedBy, Retry};
use crate::observer::Observer;
use crate::outbox::{self, Acknowledged};
use crate::time::Instant;

impl Session<'_> {
    /// A connection is open: CONNECT is the first packet [MQTT-3.1.0-1].
    ///
    /// # Errors
    /// [`Close::ControlTooSmall`].
    pub fn opened(&mut self, now: Instant, observer: &mut dyn Observer) -> Result<(), Close> {
        let Session {
            device, client_id, ..
        } = *self;
        let attempts = &self.state.attempts;
        let connect = connect(
            device,
            client_id.as_at(attempts.naming_level()),
            attempts.level(),
            attempts.clean_session(),
        );
        if !self.control.begin_with(&connect) {
            return Err(Close::ControlTooSmall(connect.encoded_len()));
        }
        observer.packet_sent(self.device.alias, &Packet::Connect(&connect));
        self.outbox.start_over();
        self.state.phase = Phase::Greeting;
        self.state.filled = 0;
        self.state.liveness = Liveness::begin(self.device.keep_alive, now);
        Ok(())
    }

    /// The connection is gone. The answer tells when to try again.
    pub fn closed(&mut self, by: &ClosedBy<Close>, now: Instant) -> Retry {
        let phase = core::mem::replace(&mut self.state.phase, Phase::Offline);
        self.control.clear();
        self.state.filled = 0;
        self.state.overflow.pass(now);
        let reached = match phase {
            Phase::Greeting => Reached::Greeting,
            Phase::Online { since } => Reached::Online(now.since(since)),
            Phase::Offline | Phase::Leaving => Reached::Nothing,
        };
        let level = self.state.attempts.level();
        let retry = self.state.attempts.closed(by, reached);
        if (by, reached) == (&ClosedBy::Peer, Reached::Greeting)
            && self.state.attempts.suggests_tls()
            && !matches!(self.device.auth, Auth::Tls(_))
        {
            error!(
                "{}: the broker closes every connection at CONNECT without an answer: if it expects TLS on port {}, set auth=tls",
                self.device.alias, self.device.port
            );
        }
        if self.state.attempts.level() != level {
            info!(
                "{}: trying MQTT {} next",
                self.device.alias,
                Printed(self.state.attempts.level())
            );
        }
        retry
    }

    /// Where received bytes go. Empty while acknowledgements wait to be written: then [`Session::output`] comes first.
    pub fn input(&mut self) -> &mut [u8] {
        self.input.get_mut(self.state.filled..).unwrap_or_default()
    }

    /// `count` bytes were received into [`Session::input`].
    ///
    /// # Errors
    /// The reason to close the connection.
    pub fn received(
        &mut self,
        count: usize,
        now: Instant,
        observer: &mut dyn Observer,
    ) -> Result<(), Close> {
        let from = self.state.filled;
        self.state.filled = (from + count).min(self.input.len());
        self.state.liveness.received(now);
        let new = self.input.get(from..self.state.filled).unwrap_or_default();
        if self.is_online() {
            trace!(
                "{}: {} bytes from the broker: {}",
                self.device.alias,
                count,
                Text(new)
            );
        } else {
            // Who answers CONNECT may be no broker, and repeat it with its password.
            trace!("{}: {} bytes from the broker", self.device.alias, count);
        }
        self.handle_input(now, observer)
    }

    /// What to write next; empty if there is nothing.
    ///
    /// The answer changes with every other method that takes `&mut self`.
    ///
    /// # Errors
    /// The reason to close the connection: [`Close::Finished`] among them.
    pub fn output(&mut self, now: Instant, observer: &mut dyn Observer) -> Result<&[u8], Close> {
        if self.state.filled > 0 {
            self.handle_input(now, observer)?;
        }
        if self.is_online() {
            self.repeat_pubrels(observer);
            if self.state.stopping && self.outbox.is_empty() && self.control.is_empty() {
                self.leave(observer);
            }
        }
        let bytes = match self.source() {
            Source::Control => self.control.bytes(),
            Source::RestOfPacket => self.outbox.rest_of_packet(),
            Source::Outbox => self.outbox.unsent(usize::from(self.device.max_inflight)),
        };
        if bytes.is_empty() && self.state.phase == Phase::Leaving {
            return Err(self.state.attempts.reason_to_leave());
        }
        // Before that it is CONNECT, which may hold a password.
        if matches!(self.state.phase, Phase::Online { .. }) && !bytes.is_empty() {
            trace!("{}: to the broker: {}", self.device.alias, Text(bytes));
        }
        Ok(bytes)
    }

    /// The network took the first `count` bytes of [`Session::output`].
    pub fn sent(&mut self, count: usize, now: Instant, observer: &mut dyn Observer) {
        self.state.liveness.sent(now);
        if self.source() == Source::Control {
            self.control.written(count);
            return;
        }
        if self.outbox.in_flight() == 0 {
            self.state.liveness.progressed(now);
        }
        let device = self.device.alias;
        let sees_packets = observer.sees_packets();
        let mut show = |packet: &[u8]| {
            if let Some(publish) = Publish::decode(packet) {
                observer.packet_sent(device, &Packet::Publish(publish));
            }
        };
        let seen: Option<outbox::Seen<'_>> = if sees_packets { Some(&mut show) } else { None };
        let first_time = self.outbox.written(count, seen);
        self.state.counters.sent += first_time as u64;
        self.state.overflow.pass(now);
        if self.outbox.queued() == 0 {
            self.state.overflow.emptied(now, self.device);
        }
    }

    /// When [`Session::expire`] has something to do, if nothing happens until then.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        match self.awaiting() {
            Some(awaiting) => self.state.liveness.deadline(awaiting),
            None => Instant::NEVER,
        }
    }

    /// Time has passed.
    ///
    /// # Errors
    /// The reason to close the connection.
    pub fn expire(&mut self, now: Instant, observer: &mut dyn Observer) -> Result<(), Close> {
        let Some(awaiting) = self.awaiting() else {
            return Ok(());
        };
        match self.state.liveness.take_due(awaiting, now) {
            None => Ok(()),
            Some(Due::Close(close)) => Err(close),
            Some(Due::GiveUp) => Err(self.state.attempts.reason_to_leave()),
            Some(Due::Pingreq) => {
                // With no room for it nothing has been written for long: it goes unanswered all the same.
                if self.control.push(&PINGREQ) {
                    observer.packet_sent(self.device.alias, &Packet::Pingreq);
                }
                Ok(())
            }
        }
    }

    fn awaiting(&self) -> Option<Awaiting> {
        match self.state.phase {
            Phase::Offline => None,
            Phase::Leaving => Some(Awaiting::Disconnect),
            Phase::Greeting => Some(Awaiting::Connack),
            Phase::Online { .. }
                if self.device.qos == QoS::AtMostOnce || self.outbox.in_flight() == 0 =>
            {
                Some(Awaiting::Nothing)
            }
            Phase::Online { .. } => Some(Awaiting::Acknowledgement),
        }
    }

    fn handle_input(&mut self, now: Instant, observer: &mut dyn Observer) -> Result<(), Close> {
        let mut handled = 0;
        // Each packet may have to be answered: without room for the answer it waits.
        while self.control.has_room() {
            let rest = self
                .input
                .get(handled..self.state.filled)
                .unwrap_or_default();
            let Some((packet, len)) = decode(rest, self.state.attempts.level())? else {
                break;
            };
            handled += len;
            if observer.sees_packets() {
                observer.packet_received(self.device.alias, &Packet::Incoming(packet));
            }
            self.handle(packet, now, observer)?;
        }
        move_within(self.input, handled..self.state.filled, 0);
        self.state.filled -= handled;
        Ok(())
    }

    fn handle(
        &mut self,
        packet: Incoming,
        now: Instant,
        observer: &mut dyn Observer,
    ) -> Result<(), Close> {
        match (self.state.phase, packet) {
            (Phase::Greeting, Incoming::Connack(Ok(accepted))) => {
                self.accept(accepted, now, observer)
            }
            (Phase::Greeting, Incoming::Connack(Err(refusal))) => Err(Close::Refused(refusal)),
            (Phase::Greeting, other) => Err(Violation::NoConnack(other.packet_type()).into()),
            // DISCONNECT did not wait for it.
            (Phase::Leaving, Incoming::Connack(_)) => Ok(()),
            (_, Incoming::Connack(_)) => Err(Violation::SecondConnack.into()),
            (_, Incoming::Ack { ack, packet_id }) => {
                self.acknowledge(ack, packet_id, now, observer)
            }
            (_, Incoming::Pingresp) if self.state.liveness.ping_answered() => Ok(()),
            (_, Incoming::Pingresp) => Err(Violation::UnaskedPingresp.into()),
        }
    }

    fn accept(
        &mut self,
        accepted: Accepted,
        now: Instant,
        observer: &mut dyn Observer,
    ) -> Result<(), Close> {
        let Accepted { session_present } = accepted;
        let welcome = self.state.attempts.accepted(session_present)?;
        self.state.phase = Phase::Online { since: now };
        if welcome == Welcome::Leave {
            info!(
                "{}: wiping out the session that an earlier process left",
                self.device.alias
            );
            self.leave(observer);
            return Ok(());
        }
        if self.state.attempts.take_guess() {
            warning!(
                "{}: speaking MQTT 3.1, since the broker closed without an answer when asked for 3.1.1; the next connection asks again",
                self.device.alias
            );
        }
        self.state.liveness.progressed(now);
        self.state.counters.reconnects += u64::from(self.state.was_online);
        self.state.was_online = true;
        info!(
            "{}: online, MQTT {}, session {}, {} to repeat, {} queued",
            self.device.alias,
            Printed(self.state.attempts.level()),
            if session_present { "resumed" } else { "new" },
            self.outbox.to_repeat(),
            self.outbox.queued()
        );
        Ok(())
    }

    fn acknowledge(
        &mut self,
        ack: Ack,
        packet_id: u16,
        now: Instant,
        observer: &mut dyn Observer,
    ) -> Result<(), Close> {
        self.state.liveness.progressed(now);
        match self.outbox.acknowledge(ack, packet_id)? {
            Acknowledged::Complete => self.state.counters.acknowledged += 1,
            // Nothing follows DISCONNECT [MQTT-3.14.4-2]: the next connection releases it.
            Acknowledged::SendPubrel if self.state.phase == Phase::Leaving => {}
            Acknowledged::SendPubrel => self.push_pubrel(packet_id, false, observer),
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
    fn repeat_pubrels(&mut self, observer: &mut dyn Observer) {
        while self.control.has_room() {
            let Some(packet_id) = self.outbox.pubrel_to_repeat() else {
                break;
            };
            self.push_pubrel(packet_id, true, observer);
            self.outbox.pubrel_repeated();
        }
    }

    /// Only called with room for it.
    fn push_pubrel(&mut self, packet_id: u16, repeated: bool, observer: &mut dyn Observer) {
        if self
            .control
            .push(&pubrel(packet_id, self.state.attempts.level(), repeated))
        {
            observer.packet_sent(self.device.alias, &Packet::Pubrel { packet_id });
        }
    }

    /// Control packets go first, but never into the middle of a PUBLISH.
    fn source(&self) -> Source {
        match (self.state.phase, self.control.is_empty()) {
            (Phase::Offline | Phase::Greeting, _) => Source::Control,
            (Phase::Leaving, _) | (Phase::Online { .. }, false) => {
                if self.outbox.is_half_written() {
                    Source::RestOfPacket
                } else {
                    Source::Control
                }
            }
            (Phase::Online { .. }, true) => Source::Outbox,
        }
    }
}

/// Where the next bytes come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Control,
    /// Of a PUBLISH, so that control packets can follow.
    RestOfPacket,
    Outbox,
}
