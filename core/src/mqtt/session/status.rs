//! Is the broker told whether this device is online? `online`, retained, on each connection that samples go on, before any that is new;
//! `offline` right before each DISCONNECT, and as the Last Will, which `config` makes.
//!
//! Both go at QoS 1 at most, and not at 2: a status that comes twice is the same status, and `offline` need not be waited for. A broker that
//! does not get as far as `offline` gets no DISCONNECT either, and sends the will.
//!
//! The broker sends the will of an earlier connection, at the latest when a new one takes its session over, before it reads what follows CONNECT.
//! Where it does not keep that order, or where the earlier connection had another client identifier, a late will has the last word: so
//! `online` is said once more, when no will of an earlier connection can come any more.
//!
//! In between it is told how the device is, see `telling`. One of these messages is in flight at a time.

use super::events::Control as ControlPacket;
use super::refusals::PAUSE;
use super::{Phase, Session, WILL_DELAY};
use crate::config::OFFLINE;
use crate::delivery::QoS;
use crate::log::{Printed, error, warning};
use crate::mqtt::Ack;
use crate::mqtt::attempt::Known;
use crate::mqtt::close::Close;
use crate::mqtt::encode::{DISCONNECT, Notice, notice_len};
use crate::mqtt::packet::Publish;
use crate::mqtt::suspicion::TRY_AGAIN_AFTER;
use crate::mqtt::v5::encode::NONE;
use crate::mqtt::v5::property::Properties;
use crate::mqtt::v5::reason::Reason;
use crate::mqtt::v5::show_reason;
use crate::net::protocol::Retry;
use crate::rate;
use crate::time::{Instant, SECOND};

const ONLINE: &str = "online";

/// Connections that end right after `online`, sent alone, before it is said no more.
const CERTAIN: u8 = 2;

/// What a session remembers of it.
#[derive(Debug, Clone)]
pub(super) struct Status {
    /// `online` is to be said.
    pub(super) is_due: bool,
    /// It was said on this connection.
    pub(super) is_said: bool,
    /// It was, and nothing has shown yet that the broker bears it.
    pub(super) is_on_trial: bool,
    /// It is not written whole.
    is_being_written: bool,
    /// Packet identifier of the last message, perhaps of an earlier connection, and of the one before it, whose acknowledgement may come twice; 0:
    /// none.
    packet_id: u16,
    earlier_id: u16,
    is_unacknowledged: bool,
    /// The last message was no `online`, but the device's health: a newer one takes its place.
    is_health: bool,
    /// When it has to be acknowledged.
    answer_by: Instant,
    /// When the next health is due, and the connections that have ended right after one.
    pub(super) health_at: Instant,
    pub(super) health_closes: u8,
    /// Packet identifier of the `offline` before DISCONNECT; 0: none.
    farewell: u16,
    /// When to say it once more, or to try it again with a broker that did not take it.
    again_at: Instant,
    /// Connections that have ended right after it.
    closes: u8,
    /// The broker does not take it: it is said no more until then.
    refused_until: Option<Instant>,
    /// It did not, and is tried again.
    is_on_probation: bool,
}

impl Default for Status {
    fn default() -> Self {
        Status {
            is_due: false,
            is_said: false,
            is_on_trial: false,
            is_being_written: false,
            packet_id: 0,
            earlier_id: 0,
            is_unacknowledged: false,
            is_health: false,
            answer_by: Instant::NEVER,
            health_at: Instant::default(),
            health_closes: 0,
            farewell: 0,
            again_at: Instant::NEVER,
            closes: 0,
            refused_until: None,
            is_on_probation: false,
        }
    }
}

/// What is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Words {
    Online,
    Offline,
    /// At the front of the control packets, in so many bytes.
    #[cfg(feature = "health")]
    Health(usize),
}

/// A status on its way, to be shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said {
    pub(super) text: Words,
    pub(super) qos: QoS,
    pub(super) retain: bool,
    pub(super) dup: bool,
    pub(super) packet_id: u16,
}

impl Status {
    /// A connection is open.
    pub(super) fn opened(&mut self) {
        *self = Status {
            packet_id: self.packet_id,
            is_unacknowledged: self.is_unacknowledged && !self.is_health,
            health_at: self.health_at,
            health_closes: self.health_closes,
            closes: self.closes,
            refused_until: self.refused_until,
            is_on_probation: self.is_on_probation,
            ..Status::default()
        };
    }

    /// PINGRESP came, and no other is awaited: the broker has read all that was said before.
    pub(super) fn proven(&mut self) {
        if core::mem::take(&mut self.is_on_trial) {
            if self.is_health {
                self.health_closes = 0;
                return;
            }
            self.closes = 0;
            self.is_on_probation = false;
        }
    }
}

impl<'a> Session<'a> {
    /// Where the status goes, if there is one; never without the feature.
    #[inline]
    fn status_topic(&self) -> Option<&'a str> {
        self.device
            .status_topic
            .filter(|_| cfg!(feature = "status"))
    }

    /// The same, where the broker takes it.
    #[inline]
    pub(super) fn status_goes_to(&self) -> Option<&'a str> {
        self.status_topic()
            .filter(|_| self.state.status.refused_until.is_none())
    }

    /// Bytes of the longest status of a device, and of DISCONNECT behind it: control packets leave room for that.
    pub(super) fn farewell_len(topic: Option<&str>) -> usize {
        let status = topic
            .filter(|_| cfg!(feature = "status"))
            .map_or(0, |topic| {
                notice_len(topic.len(), OFFLINE.len().max(ONLINE.len()))
            });
        status + DISCONNECT.len()
    }

    /// The broker has let us in, and samples may go.
    pub(super) fn begin_status(&mut self, known: Known, now: Instant) {
        if self.status_topic().is_none() {
            return;
        }
        if let Some(until) = self.state.status.refused_until {
            self.state.status.again_at = until;
            return;
        }
        let will_delay = match self.is_v5() {
            true => u64::from(WILL_DELAY) * SECOND,
            false => 0,
        };
        // A broker gives up a connection that is silent for one and a half keep-alives.
        let asked = u64::from(self.device.keep_alive) * SECOND;
        let keep_alive = self.state.liveness.keep_alive().max(asked);
        let is_lost = matches!(known, Known::Nothing | Known::Wiped);
        let status = &mut self.state.status;
        status.is_due = true;
        status.again_at = now + 2 * keep_alive + will_delay;
        if is_lost {
            status.is_unacknowledged = false;
        }
    }

    /// Says `online`, if it is due and there is room for it.
    #[inline]
    pub(super) fn say_online(&mut self, now: Instant) {
        if let Some(topic) = self.status_goes_to()
            && self.state.status.is_due
        {
            self.try_to_say_online(topic, now);
        }
    }

    #[cold]
    #[inline(never)]
    fn try_to_say_online(&mut self, topic: &'a str, now: Instant) {
        if self.state.proving
            || self.begins_anew()
            || self.is_status_in_flight()
            || !self.state.events.has_room()
        {
            return;
        }
        if !self.may_begin(now) {
            return;
        }
        let (qos, retain) = self.status_goes_as();
        let is_repeated = self.state.status.is_unacknowledged && qos != QoS::AtMostOnce;
        let packet_id = match is_repeated {
            false => self.outbox.free_id(0),
            true => self.state.status.packet_id,
        };
        // With all identifiers in use there is none to be had.
        let qos = if packet_id == 0 { QoS::AtMostOnce } else { qos };
        let said = Said {
            text: Words::Online,
            qos,
            retain,
            dup: is_repeated,
            packet_id,
        };
        if self.notice(topic, said).len() as u64
            > u64::from(self.state.v5.agreed.maximum_packet_size)
        {
            self.refuse_status(now);
            return;
        }
        if !self.push_status(topic, said, &[]) {
            return;
        }
        let status = &mut self.state.status;
        status.is_due = false;
        status.is_said = true;
        self.has_pushed(said, now);
        // Nothing else goes until it is certain that the broker bears this.
        if self.state.suspicion.goes_one_by_one() && self.push_pingreq() {
            self.state.proving = true;
            self.state.liveness.asked(now);
        }
    }

    /// A message is among the control packets.
    pub(super) fn has_pushed(&mut self, said: Said, now: Instant) {
        self.state.events.sent(ControlPacket::Status(said));
        let keep_alive = self.state.liveness.keep_alive();
        let status = &mut self.state.status;
        status.is_on_trial = true;
        status.is_being_written = true;
        status.earlier_id = status.packet_id;
        status.packet_id = said.packet_id;
        status.is_unacknowledged = said.qos != QoS::AtMostOnce;
        status.is_health = !matches!(said.text, Words::Online);
        status.answer_by = now + 2 * keep_alive;
        self.limit_repeated();
        let _ = self.state.rate.take();
        self.state.last_publish = now;
        if self.outbox.in_flight() == 0 {
            self.state.liveness.begin_wait(now);
        }
    }

    /// QoS, and whether it is retained.
    pub(super) fn status_goes_as(&self) -> (QoS, bool) {
        let qos = self.qos().min(QoS::AtLeastOnce);
        (qos, !self.is_v5() || self.state.v5.agreed.may_retain)
    }

    fn notice<'n>(&self, topic: &'n str, said: Said) -> Notice<'n> {
        let text = match said.text {
            Words::Online => ONLINE,
            _ => OFFLINE,
        };
        Notice {
            qos: said.qos,
            retain: said.retain,
            dup: said.dup,
            packet_id: said.packet_id,
            topic: [topic, ""],
            properties: self.notice_properties(),
            payload: text.as_bytes(),
        }
    }

    pub(super) fn notice_properties(&self) -> &'static [u8] {
        if self.is_v5() { NONE } else { &[] }
    }

    /// Whether there was room for it, and for what follows.
    fn push_status(&mut self, topic: &str, said: Said, rest: &[u8]) -> bool {
        let notice = self.notice(topic, said);
        self.control.push_notice(&notice, rest)
    }

    /// Says DISCONNECT, and `offline` before it; whether there was room for both.
    pub(super) fn say_goodbye(&mut self) -> bool {
        let Some(topic) = self.status_goes_to() else {
            return self.control.push(&DISCONNECT);
        };
        self.say_offline(topic)
    }

    #[cold]
    #[inline(never)]
    fn say_offline(&mut self, topic: &'a str) -> bool {
        // Without CONNACK nobody knows what a broker allows, and at QoS 0 nothing is owed. A will that still waits for its delay goes
        // with the CONNECT that was said, and has to be said in its place.
        let (qos, retain) = match self.state.phase {
            Phase::Online { .. } => self.status_goes_as(),
            _ => (QoS::AtMostOnce, true),
        };
        let packet_id = self.outbox.free_id(self.state.status.packet_id);
        let said = Said {
            text: Words::Offline,
            qos: if packet_id == 0 { QoS::AtMostOnce } else { qos },
            retain,
            dup: false,
            packet_id,
        };
        if !self.push_status(topic, said, &DISCONNECT) {
            return false;
        }
        self.state.events.sent(ControlPacket::Status(said));
        self.state.status.farewell = packet_id;
        // What it said is not true any more: it is not repeated.
        self.state.status.is_unacknowledged = false;
        true
    }

    /// Whether samples wait for `online`.
    #[inline]
    pub(super) fn waits_for_status(&self) -> bool {
        let status = &self.state.status;
        self.status_goes_to().is_some() && status.is_due && !status.is_said
    }

    /// Whether `online` was said on this connection, and is not acknowledged.
    #[inline]
    pub(super) fn is_status_in_flight(&self) -> bool {
        let status = &self.state.status;
        self.status_topic().is_some() && status.is_said && status.is_unacknowledged
    }

    /// How many samples may be in flight beside a status, of so many without.
    #[inline]
    pub(super) fn window_beside_status(&self, window: usize) -> usize {
        if self.status_topic().is_none() || !self.state.status.is_unacknowledged {
            return window;
        }
        let free = self.outbox.ids_before(self.state.status.packet_id);
        (window - usize::from(self.is_status_in_flight()).min(window)).min(free)
    }

    /// A broker of MQTT 5 counts the status among what it takes at a time.
    fn limit_repeated(&mut self) {
        if self.is_v5() {
            let most = self.state.v5.agreed.receive_maximum;
            let taken = u16::from(self.is_status_in_flight());
            self.outbox.limit_repeated(most.saturating_sub(taken));
        }
    }

    /// Some of the control packets are written.
    #[inline]
    pub(super) fn status_written(&mut self, now: Instant) {
        if cfg!(feature = "status") && self.state.status.is_being_written {
            // As the rate counts.
            self.state.last_publish = now;
            self.state.status.is_being_written = !self.control.is_empty();
        }
    }

    /// Whether this acknowledges a status, and no sample. `reason`: why the broker refuses it.
    #[inline]
    pub(super) fn acknowledges_status(
        &mut self,
        ack: Ack,
        packet_id: u16,
        reason: Option<Reason>,
        now: Instant,
    ) -> bool {
        let status = &self.state.status;
        let is_one = [status.packet_id, status.earlier_id, status.farewell].contains(&packet_id);
        // A copy of its acknowledgement may come late, when a sample has the identifier.
        let is_samples = || self.outbox.ids_before(packet_id) < self.outbox.in_flight();
        if self.status_topic().is_none() || ack != Ack::Puback || !is_one || is_samples() {
            return false;
        }
        if packet_id == status.packet_id {
            self.pass_status(reason, now);
        }
        true
    }

    #[cold]
    #[inline(never)]
    fn pass_status(&mut self, reason: Option<Reason>, now: Instant) {
        self.state.status.is_unacknowledged = false;
        self.state.status.proven();
        self.state.liveness.progressed(now);
        self.limit_repeated();
        if let Some(reason) = reason
            && self.state.phase != Phase::Leaving
        {
            let next = match (reason, self.state.status.is_health) {
                (Reason::QUOTA_EXCEEDED, _) => now + PAUSE,
                (_, true) => now + TRY_AGAIN_AFTER,
                (_, false) => Instant::NEVER,
            };
            let status = &mut self.state.status;
            if status.is_health {
                status.health_at = status.health_at.max(next);
            } else {
                status.again_at = next;
            }
            warning!(
                "{}: the broker does not take the status: {}",
                self.device.alias,
                Printed(core::fmt::from_fn(|f| show_reason("it refuses", reason, f)))
            );
        }
    }

    /// When [`Session::status_due`] or [`Session::say_online`] has something to do.
    #[inline]
    pub(super) fn status_deadline(&self) -> Instant {
        let status = &self.state.status;
        if self.status_topic().is_none() || !self.is_online() {
            return Instant::NEVER;
        }
        let most = self.most_in_a_second();
        let waits_for_rate = status.is_due
            && most > 0
            && self.state.rate.is_spent()
            && !self.state.proving
            && self.control.is_empty()
            && !self.is_status_in_flight();
        let deadline = match waits_for_rate {
            true => rate::next_burst(most, self.state.last_publish).min(status.again_at),
            false => status.again_at,
        };
        match self.is_status_in_flight() {
            true => deadline.min(status.answer_by),
            false => deadline.min(self.health_deadline()),
        }
    }

    /// The deadline may have passed.
    ///
    /// # Errors
    /// `online` is not acknowledged, though it is time to say it again: whether the broker has it nobody knows.
    #[inline]
    pub(super) fn expire_status(&mut self, now: Instant) -> Result<(), Close> {
        if !cfg!(feature = "status") {
            return Ok(());
        }
        if self.is_status_in_flight() && now >= self.state.status.answer_by {
            return Err(self.state.liveness.overdue());
        }
        if now < self.state.status.again_at {
            return Ok(());
        }
        self.state.status.again_at = Instant::NEVER;
        self.state.status.is_due = true;
        if self.state.status.refused_until.take().is_some() {
            self.state.status.is_on_probation = true;
        }
        Ok(())
    }

    /// The broker has closed: what follows, if `online` is to blame, as it is where it was the last to go while messages go one by one.
    pub(super) fn judge_status(&mut self, now: Instant) -> Option<Option<Retry>> {
        if self.state.status.is_health {
            self.judge_health(now);
            return None;
        }
        let is_alone = self.state.suspicion.goes_one_by_one();
        if self.status_goes_to().is_none()
            || !self.state.status.is_on_trial
            || !(is_alone || self.state.status.is_on_probation)
        {
            return None;
        }
        self.state.status.is_on_trial = false;
        self.state.status.closes = self.state.status.closes.saturating_add(1);
        if self.state.status.closes < CERTAIN && !self.state.status.is_on_probation {
            return Some(None);
        }
        self.refuse_status(now);
        self.state.attempts.is_explained();
        Some(Some(Retry::StartOver))
    }

    #[cold]
    #[inline(never)]
    fn refuse_status(&mut self, now: Instant) {
        self.state.status.refused_until = Some(now + TRY_AGAIN_AFTER);
        self.state.status.again_at = now + TRY_AGAIN_AFTER;
        self.state.status.is_due = false;
        error!(
            "{}: the broker closes the connection after the status on {}, or takes no packet so long: it is tried again in {} minutes; may this user publish on it?",
            self.device.alias,
            self.status_topic().unwrap_or_default(),
            TRY_AGAIN_AFTER / SECOND / 60
        );
    }

    /// The packet, to be shown.
    pub(super) fn shown_status(&self, said: Said) -> Publish<'_> {
        let payload = match said.text {
            Words::Online => ONLINE,
            Words::Offline => OFFLINE,
            #[cfg(feature = "health")]
            Words::Health(len) => {
                let packet = self.control.bytes().get(..len);
                let level = self.state.attempts.level();
                match packet.and_then(|packet| Publish::decode(packet, level)) {
                    Some(publish) => return publish,
                    None => "",
                }
            }
        };
        Publish {
            qos: said.qos,
            retain: said.retain,
            dup: said.dup,
            packet_id: (said.qos != QoS::AtMostOnce).then_some(said.packet_id),
            topic: self.status_topic().unwrap_or_default().as_bytes(),
            properties: Properties::default(),
            payload: payload.as_bytes(),
        }
    }
}
