//! How is the device? Told to whoever subscribes, once in `status_interval`: the newest, or none while there is no connection.
//!
//! It goes among the control packets, as the [status](super::status) does, and at its QoS. One that is not acknowledged when the connection ends is not
//! repeated, in no session: the next one says more.

use super::Session;
use super::status::{Said, Words};
use crate::config::Device;
use crate::counters::Counters;
use crate::delivery::QoS;
use crate::health::{Health, MAX_LEN, Redis};
use crate::log::{error, warning};
use crate::mqtt::encode::{Notice, notice_len};
use crate::mqtt::suspicion::TRY_AGAIN_AFTER;
use crate::rate;
use crate::time::{Instant, SECOND};

/// Behind `status_topic`.
const BEHIND: &str = "/health";

/// Connections that end right after it, before it is told no more for a while.
const CERTAIN: u8 = 3;

impl<'a> Session<'a> {
    /// Bytes of the longest message, 0 where there is none.
    pub(super) fn health_len(device: &Device<'_>) -> usize {
        match device.status_topic {
            Some(topic) if device.status_interval > 0 => {
                notice_len(topic.len() + BEHIND.len(), MAX_LEN)
            }
            _ => 0,
        }
    }

    /// Where it goes, if it may go as soon as it is due.
    fn health_goes_to(&self) -> Option<&'a str> {
        self.status_goes_to().filter(|_| {
            self.device.status_interval > 0
                && self.is_online()
                && !self.state.stopping
                && !self.state.proving
                && !self.begins_anew()
                && self.has_said_online()
                && self.control.is_empty()
                && self.state.events.has_room()
        })
    }

    /// Whether `online` was said on this connection, and is not to be said now.
    fn has_said_online(&self) -> bool {
        self.state.status.is_said && !self.state.status.is_due
    }

    /// When `max_rate` lets a message go.
    fn burst_begins_at(&self) -> Instant {
        let most = self.most_in_a_second();
        match most > 0 && self.state.rate.is_spent() {
            true => rate::next_burst(most, self.state.last_publish),
            false => Instant::default(),
        }
    }

    /// When it is due, and may go.
    pub(super) fn health_deadline(&self) -> Instant {
        match self.health_goes_to() {
            Some(_) => self.state.status.health_at.max(self.burst_begins_at()),
            None => Instant::NEVER,
        }
    }

    /// Whether [`Session::tell_health`] has something to do.
    #[must_use]
    pub fn is_health_due(&self, now: Instant) -> bool {
        self.device.status_interval > 0
            && !self.is_status_in_flight()
            && now >= self.health_deadline()
    }

    /// Tells how the device is, by these counters.
    #[cold]
    #[inline(never)]
    pub fn tell_health(&mut self, now: Instant, counters: &Counters, redis: Redis) {
        let Some(topic) = self.health_goes_to() else {
            return;
        };
        if !self.is_health_due(now) || !self.may_begin(now) {
            return;
        }
        let version = env!("CARGO_PKG_VERSION");
        let uptime = now.as_millis() / SECOND;
        let health = Health::new(version, uptime, counters, redis, self.standing());
        let mut text = [0; MAX_LEN];
        let Some(payload) = health.write(&mut text) else {
            return;
        };
        let packet_id = self.outbox.free_id(0);
        let (qos, _) = self.status_goes_as();
        let notice = Notice {
            qos: if packet_id == 0 { QoS::AtMostOnce } else { qos },
            retain: false,
            dup: false,
            packet_id,
            topic: [topic, BEHIND],
            properties: self.notice_properties(),
            payload,
        };
        let len = notice.len();
        if len as u64 > u64::from(self.state.v5.agreed.maximum_packet_size) {
            self.state.status.health_at = Instant::NEVER;
            warning!(
                "{}: the broker takes no packet of {} bytes: no health is sent",
                self.device.alias,
                len
            );
            return;
        }
        if !self.control.push_notice(&notice, &[]) {
            return;
        }
        let said = Said {
            text: Words::Health(len),
            qos: notice.qos,
            retain: false,
            dup: false,
            packet_id,
        };
        self.state.status.health_at = now + u64::from(self.device.status_interval) * SECOND;
        self.has_pushed(said, now);
    }

    /// The broker has closed the connection, perhaps for it.
    pub(super) fn judge_health(&mut self, now: Instant) {
        let status = &mut self.state.status;
        if !core::mem::take(&mut status.is_on_trial) {
            return;
        }
        status.health_closes = status.health_closes.saturating_add(1);
        if status.health_closes >= CERTAIN {
            status.health_closes = 0;
            status.health_at = now + TRY_AGAIN_AFTER;
            error!(
                "{}: the broker closes the connection after each message on {}{}: it is tried again in {} minutes; may this user publish on it?",
                self.device.alias,
                self.device.status_topic.unwrap_or_default(),
                BEHIND,
                TRY_AGAIN_AFTER / SECOND / 60
            );
        }
    }
}
