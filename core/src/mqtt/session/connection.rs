//! What a session says on one connection, and when.

use super::{Phase, Session, connect};
use crate::log::{Text, Words, trace};
use crate::mqtt::QoS;
use crate::mqtt::close::Close;
use crate::mqtt::encode::PINGREQ;
use crate::mqtt::liveness::{Awaiting, Due, Liveness};
use crate::mqtt::packet::{Packet, Publish};
use crate::observer::Observer;
use crate::outbox;
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
        self.state.passing = None;
        self.state.proving = false;
        self.state.liveness = Liveness::begin(self.device.keep_alive, now);
        Ok(())
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
                Words(new, self.device.secrets())
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
            self.state.counters.sent -= self.outbox.pass_aside() as u64;
            self.repeat_pubrels(now, observer);
            if now >= self.state.suspicion.try_again_at() && !self.state.stopping {
                self.try_again(observer);
            }
            if self.state.stopping && self.outbox.is_empty() && self.control.is_empty() {
                self.leave(observer);
            }
        }
        let bytes = match self.source() {
            Source::Control => self.control.bytes(),
            Source::RestOfPacket => self.outbox.rest_of_packet(),
            Source::Outbox if self.state.proving => &[],
            Source::Outbox => self.outbox.unsent(self.window()),
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
            self.state.liveness.begin_wait(now);
        }
        let device = self.device.alias;
        let sees_packets = observer.sees_packets();
        let mut show = |packet: &[u8]| {
            if let Some(publish) = Publish::decode(packet) {
                observer.packet_sent(device, &Packet::Publish(publish));
            }
        };
        let seen: Option<outbox::Seen<'_>> = if sees_packets { Some(&mut show) } else { None };
        let tick = self.state.liveness.tick(now);
        let first_time = self.outbox.written(count, tick, seen);
        self.state.counters.sent += first_time as u64;
        self.state.last_publish = now;
        if self.state.suspicion.goes_one_by_one() {
            self.ask_after_qos0(now, observer);
        }
        self.state.overflow.pass(now);
        if self.outbox.queued() == 0 {
            self.state.overflow.emptied(now, self.device);
        }
    }

    /// When [`Session::expire`] has something to do, if nothing happens until then.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        let try_again = match self.state.phase {
            Phase::Online { .. } if !self.state.draining => self.state.suspicion.try_again_at(),
            _ => Instant::NEVER,
        };
        match self.awaiting() {
            Some(awaiting) => self.state.liveness.deadline(awaiting).min(try_again),
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
        if awaiting == Awaiting::Acknowledgement && self.state.liveness.is_time_to_look(now) {
            self.look(now)?;
        }
        match self.state.liveness.take_due(awaiting, now) {
            None => Ok(()),
            Some(Due::Close(close)) => Err(close),
            Some(Due::GiveUp) => Err(self.state.attempts.reason_to_leave()),
            Some(Due::Pingreq) => {
                // With no room for it nothing has been written for long: it goes unanswered all the same.
                let _ = self.push_pingreq(observer);
                Ok(())
            }
        }
    }

    /// Looks at how long each message has waited for its acknowledgement.
    fn look(&mut self, now: Instant) -> Result<(), Close> {
        let tick = self.state.liveness.tick(now);
        let waiting = self.outbox.waiting(tick, self.state.liveness.most_ticks());
        if waiting.is_overtaken {
            return Err(self.state.liveness.overdue());
        }
        self.state.liveness.look_again(waiting.longest, now);
        Ok(())
    }

    /// Sends PINGREQ behind a message that goes alone at QoS 0: the answer shows that the broker has taken the message.
    fn ask_after_qos0(&mut self, now: Instant, observer: &mut dyn Observer) {
        let is_sent = self.outbox.in_flight() > 0 && !self.outbox.is_half_written();
        if self.device.qos == QoS::AtMostOnce && is_sent {
            if self.push_pingreq(observer) {
                self.state.liveness.asked(now);
            } else {
                self.outbox.complete_oldest();
            }
        }
    }

    pub(super) fn push_pingreq(&mut self, observer: &mut dyn Observer) -> bool {
        let is_pushed = self.control.push(&PINGREQ);
        if is_pushed {
            observer.packet_sent(self.device.alias, &Packet::Pingreq);
        }
        is_pushed
    }

    /// How many messages may be in flight: no new one while what is set aside waits to be tried again.
    fn window(&self) -> usize {
        if self.state.draining {
            0
        } else {
            usize::from(self.device.max_inflight)
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
