//! What the ledger knows of the status: when which is to be said, and what the broker must have of it.

use super::Ledger;
use crate::packet::Publish;
use crate::property;
use crate::trace;
use crate::world::Device;

/// What was said of it on a connection.
#[derive(Default)]
pub(super) struct Said {
    /// Packets that the client has decided on, and not written whole.
    pub(super) decided: usize,
    /// `online` is written.
    is_online: bool,
    /// `offline` is the last packet that is.
    pub(super) is_last_offline: bool,
}

impl Ledger {
    #[must_use]
    pub fn is_status(&self, topic: &[u8]) -> bool {
        self.device.status && topic == Device::status_topic(self.number).as_bytes()
    }

    #[must_use]
    pub fn status_topic(&self) -> String {
        Device::status_topic(self.number)
    }

    /// The client is about to write a status.
    pub fn decides_on_status(&mut self) {
        self.wire.status.decided += 1;
    }

    /// Where samples go on this connection, and not only an old session is wiped out.
    fn is_for_samples(&self) -> bool {
        !self.wire.clean || self.asked.qos == 0 || self.device.v5.is_some()
    }

    /// [`property::STATUS`], as it is written.
    pub(super) fn status(&mut self, publish: &Publish) {
        self.wire.status.decided = self.wire.status.decided.saturating_sub(1);
        let is_online = publish.payload == "online";
        let is_taken = publish
            .id
            .is_some_and(|id| self.items.iter().any(|item| item.is_in_flight_as(id)));
        let qos = if self.wire.let_in {
            self.device.qos.min(1)
        } else {
            0
        };
        let right = publish.retain
            && publish.qos == qos
            && !is_taken
            && match is_online {
                true => self.wire.let_in && self.is_for_samples(),
                false => publish.payload == "offline" && !publish.dup,
            };
        self.verdict
            .require(property::STATUS, right, || format!("{publish:?}"));
        self.wire.status.is_online |= is_online;
        self.wire.status.is_last_offline = !is_online;
        if is_online {
            self.check_rate();
        }
    }

    /// Whether `online` may be missing: the broker seemed to close for it.
    fn is_given_up(&self) -> bool {
        trace::was_told("closes the connection after the status")
    }

    /// [`property::STATUS`]: a sample goes that was not sent before.
    pub(super) fn check_status_before_sample(&self) {
        let right = !self.device.status || self.wire.status.is_online || self.is_given_up();
        self.verdict.require(property::STATUS, right, || {
            "a new sample before online".to_string()
        });
    }

    /// [`property::STATUS`]: DISCONNECT is said.
    pub(super) fn check_status_before_disconnect(&self) {
        let said = &self.wire.status;
        let right = !self.device.status || said.is_last_offline || self.is_given_up();
        self.verdict.require(property::STATUS, right, || {
            "DISCONNECT without offline before it".to_string()
        });
    }

    /// [`property::STATUS`]: PINGRESP came, so that the broker has read what was said before. `retained`: what it has, if it still holds this
    /// connection, and passes nothing over.
    pub fn check_status(&self, retained: Option<Option<&str>>) {
        let wire = &self.wire;
        let Some(retained) = retained.filter(|_| self.device.status && !wire.said_goodbye) else {
            return;
        };
        if !wire.let_in || !self.is_for_samples() || self.is_given_up() {
            return;
        }
        let held = self.clock.get() - wire.let_in_at;
        let is_late = held >= self.keep_alive && !wire.was_stalled && self.excused_until == 0;
        if wire.status.is_online || is_late {
            self.verdict
                .require(property::STATUS, retained == Some("online"), || {
                    format!("{retained:?} is retained {held} ms after CONNACK")
                });
        }
    }

    /// What a broker must have that the client is connected to, or that it has left.
    #[must_use]
    pub fn status_at_the_end(&self, has_left: bool) -> Option<&'static str> {
        let is_known = self.device.status && !self.is_given_up();
        is_known.then_some(if has_left { "offline" } else { "online" })
    }
}
