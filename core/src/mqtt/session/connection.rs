//! What a session says on one connection, and when.

use super::events::Control as ControlPacket;
use super::v5::Prepared;
use super::{Phase, Session, connect};
use crate::config::{Payload, Signal};
use crate::delivery::QoS;
use crate::log::{Text, Words, trace};
use crate::mqtt::ClientId;
use crate::mqtt::close::Close;
use crate::mqtt::encode::{Connect, PINGREQ, PublishHeader};
use crate::mqtt::liveness::{Awaiting, Due, Liveness};
use crate::mqtt::v5::encode::{NONE, has_alias};
use crate::net::protocol::{ClosedBy, Protocol, Retry};
use crate::outbox::Outgoing;
use crate::payload::{self, json::Json};
use crate::rate;
use crate::secret::Secrets;
use crate::time::Instant;

impl Protocol for Session<'_> {
    type Close = Close;

    fn secrets(&self) -> Secrets<'_> {
        self.device.secrets()
    }

    /// A connection is open: CONNECT is the first packet [MQTT-3.1.0-1].
    fn opened(&mut self, now: Instant) -> Result<(), Close> {
        let assigned = self
            .state
            .v5
            .assigned
            .clone()
            .filter(|_| cfg!(feature = "mqtt5"));
        let connect = self.connect_as(assigned.as_deref());
        if !self.control.begin_with(&connect) {
            return Err(Close::ControlTooSmall(connect.encoded_len()));
        }
        self.state.events.sent(ControlPacket::Connect);
        self.outbox.start_over();
        self.state.phase = Phase::Greeting;
        self.state.filled = 0;
        self.state.passing = None;
        self.state.proving = false;
        self.state.is_stalled = false;
        self.state.v5.lying = 0;
        self.state.status.opened();
        self.state.unacknowledged.counted_before = self.state.counters.acknowledged;
        self.state.liveness = Liveness::begin(self.device.keep_alive, now);
        Ok(())
    }

    fn input(&mut self) -> &mut [u8] {
        self.input.get_mut(self.state.filled..).unwrap_or_default()
    }

    fn received(&mut self, count: usize, now: Instant) -> Result<(), Close> {
        let from = self.state.filled;
        self.state.filled = (from + count).min(self.input.len());
        self.state.liveness.received(now);
        let new = self.input.get(from..self.state.filled).unwrap_or_default();
        if self.is_online() {
            trace!(
                "{}: {} bytes from the broker: {}",
                self.device.alias,
                count,
                Words(new, self.secrets())
            );
        } else {
            // Who answers CONNECT may be no broker, and repeat it with its password.
            trace!("{}: {} bytes from the broker", self.device.alias, count);
        }
        self.handle_input(now)
    }

    fn output(&mut self, now: Instant) -> Result<&[u8], Close> {
        if self.state.filled > 0 {
            self.handle_input(now)?;
        }
        if self.is_online() {
            self.state.counters.sent -= self.outbox.pass_aside() as u64;
            self.say_online(now);
            self.repeat_pubrels(now);
            if now >= self.state.suspicion.try_again_at() && !self.state.stopping {
                self.try_again();
            }
            if self.begins_anew() {
                self.leave();
            }
            if self.is_v5() && self.state.v5.is_postponing {
                self.send_postponed(now);
            }
            if self.state.stopping && self.outbox.is_empty() && self.control.is_empty() {
                self.leave();
            }
        }
        if self.state.events.is_watched() && self.has_packets_to_show() {
            // Who watches sees a packet before it is written.
            return Ok(&[]);
        }
        let bytes = match self.source() {
            Source::Control => self.control.bytes(),
            Source::RestOfPacket => self.transmit.rest_of_packet(),
            Source::Outbox
                if self.state.proving || self.begins_anew() || self.waits_for_status() =>
            {
                &[]
            }
            Source::Outbox => {
                self.fill(now);
                if self.is_v5() && self.state.v5.has_refused {
                    self.fill_again(now);
                }
                match self.is_v5() && !self.control.is_empty() {
                    true => self.control.bytes(),
                    false => self.transmit.bytes(),
                }
            }
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

    fn sent(&mut self, count: usize, now: Instant) {
        self.state.liveness.sent(now);
        if self.source() == Source::Control {
            self.control.written(count);
            self.status_written(now);
            return;
        }
        self.state.is_stalled = false;
        if self.outbox.in_flight() == 0 {
            self.state.liveness.begin_wait(now);
        }
        let tick = self.state.liveness.tick(now);
        self.transmit.written(count);
        let first_time = if self.transmit.pass_all() {
            self.outbox.sent_all(tick)
        } else {
            self.sent_in_part(tick)
        };
        self.state.counters.sent += first_time as u64;
        self.state.last_publish = now;
        #[cfg(feature = "spool")]
        if self.is_replaying() {
            self.replayed(first_time);
        }
        if self.state.suspicion.goes_one_by_one() {
            self.ask_after_qos0(now);
        }
        self.state.overflow.pass(now);
        if self.state.overflow.is_any() && self.outbox.queued() == 0 {
            self.state.overflow.emptied(now, self.device);
        }
    }

    fn deadline(&self) -> Instant {
        let try_again = match self.state.phase {
            Phase::Online { .. } if !self.state.draining => self.state.suspicion.try_again_at(),
            _ => Instant::NEVER,
        };
        let deadline = match self.awaiting() {
            Some(awaiting) => self.state.liveness.deadline(awaiting).min(try_again),
            None => Instant::NEVER,
        };
        let deadline = if self.is_v5() {
            deadline.min(self.state.v5.pause_until)
        } else {
            deadline
        };
        let deadline = deadline.min(self.status_deadline());
        if self.most_in_a_second() > 0 {
            deadline.min(self.burst_deadline())
        } else {
            deadline
        }
    }

    fn expire(&mut self, now: Instant) -> Result<(), Close> {
        if self.is_v5() && now >= self.state.v5.pause_until {
            // What was postponed waits no longer: it goes with what is written next.
            self.state.v5.pause_until = Instant::NEVER;
        }
        self.expire_status(now)?;
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
                let _ = self.push_pingreq();
                Ok(())
            }
        }
    }

    fn last_words(&mut self, close: &Close) -> &[u8] {
        if self.is_v5() {
            self.say_last_words(close)
        } else {
            &[]
        }
    }

    fn closed(&mut self, by: &ClosedBy<Close>, now: Instant) -> Retry {
        self.conclude(by, now)
    }
}

impl<'a> Session<'a> {
    /// The network has taken some of the packets, and perhaps the beginning of one more; how many for the first time.
    fn sent_in_part(&mut self, tick: u8) -> usize {
        let mut first_time = 0;
        while self.transmit.pass_packet() {
            first_time += usize::from(self.outbox.sent_whole(tick));
        }
        if self.transmit.is_half_written() {
            self.outbox.sent_in_part();
        }
        first_time
    }

    /// Encodes what is to be sent next, once all that was encoded before is written.
    #[inline]
    pub(super) fn fill(&mut self, now: Instant) {
        self.transmit.rewind(self.state.events.is_watched());
        if !self.transmit.is_empty() || self.outbox.is_empty() {
            return;
        }
        let window = self.window();
        let is_bounded = self.state.is_stalled || self.most_in_a_second() > 0;
        if is_bounded && !self.may_begin(now) {
            return;
        }
        let (qos, retain) = (self.qos(), self.retain());
        let is_v5 = self.is_v5();
        let properties: &[u8] = if is_v5 { NONE } else { &[] };
        let is_special = is_v5 && self.state.v5.is_special(self.device);
        let is_json = cfg!(feature = "json") && self.device.payload == Payload::Json;
        while let Some(outgoing) = self.outbox.next_outgoing(window) {
            let Some(signal) = self.signals.get(outgoing.signal() as usize) else {
                return;
            };
            let mut header = PublishHeader {
                qos,
                retain: retain && !outgoing.is_overtaken(),
                dup: outgoing.is_repeated,
                packet_id: outgoing.packet_id,
                signal,
                device_alias: self.device.alias,
                properties,
                has_known_alias: false,
            };
            let json = is_json.then(|| self.json(&outgoing, signal));
            let len = match &json {
                Some(json) => json.len(),
                None => payload::len(outgoing.text_len()),
            };
            let list;
            if is_special {
                list = match self.prepare(&mut header, &outgoing, len, now) {
                    Prepared::Ready(list) => list,
                    Prepared::Gone => continue,
                    Prepared::Later => return,
                };
                header.properties = list.bytes();
            }
            let outbox = &self.outbox;
            let pushed = self.transmit.push(header, len, |out| match &json {
                Some(json) => json.write(out),
                None => payload::write(out, outgoing.quality(), |text| {
                    outbox.write_text(&outgoing, text);
                }),
            });
            if pushed.is_err() {
                return;
            }
            if is_special {
                let has_alias = has_alias(header.properties);
                self.state.v5.aliases.sent(outgoing.signal(), has_alias);
            }
            self.outbox.hand_out(&outgoing);
            if is_bounded && self.is_enough() {
                return;
            }
        }
    }

    /// The payload of a sample, where the device's are JSON objects.
    #[cold]
    #[inline(never)]
    fn json<'s>(&self, outgoing: &Outgoing, signal: &Signal<'s>) -> Json<'s> {
        let alias = signal.is_named.then_some(signal.alias);
        Json::new(outgoing.text_len(), outgoing.quality(), alias, |text| {
            self.outbox.write_text(outgoing, text);
        })
    }

    /// Whether `max_rate` lets a message go now.
    #[cold]
    #[inline(never)]
    pub(super) fn may_begin(&mut self, now: Instant) -> bool {
        let (max_rate, last) = (self.most_in_a_second(), self.state.last_publish);
        max_rate == 0 || self.state.rate.allows(max_rate, last, now)
    }

    /// A message is handed out, while they go one at a time or in bursts: whether no other follows it now.
    #[cold]
    #[inline(never)]
    fn is_enough(&mut self) -> bool {
        let is_spent = self.most_in_a_second() > 0 && self.state.rate.take();
        is_spent || self.state.is_stalled
    }

    /// When the next burst may begin, if a message may wait for that. Whether one does, `fill` finds out: where it looks is inlined once.
    #[cold]
    #[inline(never)]
    fn burst_deadline(&self) -> Instant {
        let waits = self.source() == Source::Outbox
            && !self.state.proving
            && self.state.rate.is_spent()
            && self.transmit.is_empty()
            && !self.outbox.is_empty();
        if waits {
            rate::next_burst(self.most_in_a_second(), self.state.last_publish)
        } else {
            Instant::NEVER
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
    fn ask_after_qos0(&mut self, now: Instant) {
        let is_sent = self.outbox.in_flight() > 0 && !self.transmit.is_half_written();
        if self.qos() == QoS::AtMostOnce && is_sent {
            if self.push_pingreq() {
                self.state.liveness.asked(now);
            } else {
                self.outbox.complete_oldest();
            }
        }
    }

    pub(super) fn push_pingreq(&mut self) -> bool {
        let is_pushed = self.control.push(&PINGREQ);
        if is_pushed {
            self.state.events.sent(ControlPacket::Pingreq);
        }
        is_pushed
    }

    /// CONNECT, as it is to be said now.
    pub(super) fn connect(&self) -> Connect<'_> {
        self.connect_as(self.state.v5.assigned.as_deref())
    }

    /// The same of a client that the broker has given this name.
    fn connect_as<'c>(&self, assigned: Option<&'c str>) -> Connect<'c>
    where
        'a: 'c,
    {
        let attempts = &self.state.attempts;
        let client_id = match assigned {
            Some(assigned) => ClientId::Given(assigned),
            None => self.client_id.as_at(attempts.naming_level()),
        };
        let mut connect = connect(
            self.device,
            client_id,
            attempts.level(),
            attempts.clean_session(),
            self.input.len() as u32,
        );
        if self.is_v5()
            && let Some(will) = &mut connect.will
        {
            self.state.v5.will.bound(will);
        }
        connect
    }

    /// How many messages may be in flight: no new one while what is set aside waits to be tried again.
    fn window(&self) -> usize {
        if self.state.draining || self.is_v5() && self.state.v5.is_postponing {
            0
        } else if self.is_v5() {
            let agreed = self.state.v5.agreed.receive_maximum;
            self.window_beside_status(usize::from(self.device.max_inflight.min(agreed)))
        } else {
            self.window_beside_status(usize::from(self.device.max_inflight))
        }
    }

    fn awaiting(&self) -> Option<Awaiting> {
        match self.state.phase {
            Phase::Offline => None,
            Phase::Leaving => Some(Awaiting::Disconnect),
            Phase::Greeting => Some(Awaiting::Connack),
            Phase::Online { .. }
                if self.qos() == QoS::AtMostOnce
                    || self.outbox.in_flight() == 0 && !self.is_status_in_flight() =>
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
                if self.transmit.is_half_written() {
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
