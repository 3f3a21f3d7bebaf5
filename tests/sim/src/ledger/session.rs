//! What becomes of the ledger when the broker lets the client in, acknowledges, or forgets, and when the bridge gets another configuration or dies.

use std::mem::take;

use mqtt_client_core::counters::Counters;
use mqtt_client_core::mqtt::Ack;

use super::{Fate, Ledger, Stage, Wire};
use crate::trace;
use crate::world::Device;

impl Ledger {
    /// The broker has forgotten its session: what is in flight goes again from PUBLISH on, and may have arrived before.
    pub fn session_is_lost(&mut self) {
        let (in_flight, _) = self.flight();
        for item in self.items.iter().take(in_flight) {
            self.samples[item.sample].may_repeat = true;
        }
    }

    /// The broker has forgotten its session, and the client cannot know: PUBREL goes to nobody, and what it was for is lost.
    fn session_is_lost_unsaid(&mut self) {
        let (in_flight, _) = self.flight();
        for item in self.items.iter().take(in_flight) {
            self.samples[item.sample].excused = true;
        }
    }

    /// The broker has forgotten all that it knew, retained messages too.
    pub fn broker_forgot(&mut self) {
        self.session_is_lost();
        self.is_forgotten = true;
    }

    /// Whether CONNACK called a session present that a CONNECT of the client's own had begun, one whose CONNACK it never got: no client can
    /// tell that from the session that it had before.
    #[must_use]
    pub fn is_misled(&self) -> bool {
        self.is_misled
    }

    /// The configuration changes: these signals of it are left.
    pub fn keep_signals(&mut self, signals: usize) {
        self.last.retain(|signal, _| *signal < signals);
        self.newest.retain(|signal, _| *signal < signals);
        let mut gone = self.aside.keep_signals(signals);
        let (in_flight, _) = self.flight();
        let mut forgets_flight = false;
        for index in (0..self.items.len()).rev() {
            let item = &mut self.items[index];
            item.signal = item.signal.filter(|signal| *signal < signals);
            if item.signal.is_none() && index >= in_flight {
                gone.extend(self.items.remove(index));
            } else if item.signal.is_none() {
                forgets_flight |= item.stage != Stage::Complete;
            }
        }
        for item in gone {
            self.dropped(item.sample);
        }
        self.forgets_flight |= forgets_flight;
        if forgets_flight && self.device.qos > 0 {
            self.session_is_lost();
            self.begins_anew = true;
        }
        if !self.wire.is_open {
            self.forget_flight();
        }
    }

    /// What is in flight goes again in a new session, if its topics have changed; the connection on which that was decided has ended.
    pub(super) fn forget_flight(&mut self) {
        if !take(&mut self.forgets_flight) {
            return;
        }
        self.free_kept();
        self.wire.half = None;
        self.wire.cursor = 0;
        for mut item in take(&mut self.items) {
            match item.stage {
                Stage::Complete => continue,
                Stage::Queued => {}
                Stage::Published | Stage::Released => {
                    self.counters.sent -= 1;
                    self.samples[item.sample].fate = Fate::Waiting;
                    item.stage = Stage::Queued;
                }
            }
            if item.signal.is_none() {
                self.dropped(item.sample);
            } else {
                self.items.push_back(item);
            }
        }
    }

    /// The new configuration is in force; its keep-alive in seconds.
    pub fn reloaded(&mut self, keep_alive: u64) {
        self.keep_alive = super::v5::keep_alive(&self.asked, keep_alive) * 1000;
        self.asked_keep_alive = keep_alive * 1000;
        self.may_leave = false;
    }

    /// The bridge took in CONNACK. If it says that a session is gone that was ours, nothing is left of it: what waits for PUBREL begins again
    /// at PUBLISH, and what is retained may be gone as well.
    pub fn let_in(&mut self, session_present: bool) {
        // A second CONNACK is no news.
        if self.wire.let_in {
            return;
        }
        let now = self.clock.get();
        self.wire.let_in = true;
        self.wire.let_in_at = now;
        if self.device.v5.is_some_and(|v5| v5.keep_alive > 0) {
            // The client has not known of this keep-alive before.
            self.wire.last_written = now;
        }
        self.wire.progress = now;
        if self.wire.clean && self.device.v5.is_some() && self.asked.qos > 0 {
            self.begins_with_a_clean_start(session_present);
            return;
        }
        if self.wire.clean {
            self.has_wiped = true;
            return;
        }
        self.is_misled |= session_present && self.is_forgotten;
        if take(&mut self.is_forgotten) && (session_present || self.wire.old) {
            self.session_is_lost_unsaid();
        }
        let is_known = self.is_ours || self.has_wiped || !session_present;
        if !is_known || (self.begins_anew && !self.has_wiped) {
            // It is there because of an old session only.
            return;
        }
        self.begins_anew = false;
        self.has_qos2 &= session_present && !self.wire.old;
        let was_wiped = take(&mut self.has_wiped);
        let is_gone = !session_present && !self.wire.old;
        if was_wiped || is_gone {
            self.session_is_lost();
            for item in &mut self.items {
                if item.stage == Stage::Released {
                    item.stage = Stage::Published;
                }
            }
        }
        // MQTT 3.1 does not say what the broker has; and what is repeated after a later message was acknowledged is the last to arrive.
        let may_be_gone = !session_present && !was_wiped;
        if self.is_ours && (may_be_gone || self.repeats_out_of_order()) {
            self.last.clear();
        }
        self.is_ours = true;
    }

    /// With MQTT 5 a clean start begins the session that goes on.
    fn begins_with_a_clean_start(&mut self, session_present: bool) {
        if session_present {
            // Which no broker may say.
            return;
        }
        self.begins_anew = false;
        self.is_forgotten = false;
        self.has_qos2 = false;
        self.session_is_lost();
        for item in &mut self.items {
            if item.stage == Stage::Released {
                item.stage = Stage::Published;
            }
        }
        if self.is_ours && self.repeats_out_of_order() {
            self.last.clear();
        }
        self.is_ours = true;
    }

    /// Whether a message goes again that a later one has overtaken.
    fn repeats_out_of_order(&self) -> bool {
        let stages = self.items.iter().map(|item| item.stage);
        let mut later = stages.skip_while(|stage| *stage != Stage::Published);
        later.any(|stage| stage > Stage::Published)
    }

    /// The bridge's process is gone, and what it knew.
    pub fn process_died(&mut self) {
        let aside = take(&mut self.aside);
        self.aside.ever = aside.ever;
        let waiting = take(&mut self.items);
        for item in waiting
            .into_iter()
            .chain(aside.items)
            .chain(self.kept.take())
        {
            self.samples[item.sample].excused = true;
        }
        self.begins_anew = false;
        self.has_wiped = false;
        self.unanswered.clear();
        drop(trace::take_news(&Device::alias(self.number)));
        self.last.clear();
        self.newest.clear();
        self.is_ours = false;
        self.has_qos2 = false;
        self.has_said_identifier = false;
        self.written.clear();
        self.counters = Counters::default();
        self.wire = Wire {
            connection: self.wire.connection,
            ..Wire::default()
        };
    }

    /// The bridge took in an acknowledgement.
    pub fn acknowledged(&mut self, ack: Ack, id: u16) {
        self.wire.progress = self.clock.get();
        let (in_flight, _) = self.flight();
        let mut sent = self.items.iter_mut().take(in_flight);
        let item = sent.find(|item| item.id == id && item.stage != Stage::Queued);
        let stage = item.as_ref().map(|item| item.stage);
        let done = match (self.device.qos, ack, stage) {
            // At QoS 2 it comes from a broker that has no QoS 2; of one that has it, it is a breach.
            (2, Ack::Puback, _) if self.has_qos2 => false,
            (1 | 2, Ack::Puback, Some(Stage::Published)) => true,
            (2, Ack::Pubcomp, Some(Stage::Released)) => true,
            (2, Ack::Pubrec, _) => {
                self.has_qos2 = true;
                if let Some(item) = item
                    && item.stage == Stage::Published
                {
                    item.stage = Stage::Released;
                    item.since = self.clock.get();
                    item.overtaken = None;
                }
                self.note_overtaken();
                self.wire.owed.push_back(id);
                return;
            }
            _ => false,
        };
        if done && let Some(item) = item {
            item.stage = Stage::Complete;
            self.counters.acknowledged += 1;
            self.note_overtaken();
            self.free_complete();
        }
    }

    /// Later messages have come further than earlier ones.
    pub(super) fn note_overtaken(&mut self) {
        let mut furthest = Stage::Queued;
        for item in self.items.iter_mut().take(self.wire.cursor).rev() {
            if item.stage < furthest {
                item.overtaken.get_or_insert(self.wire.progress);
            }
            furthest = furthest.max(item.stage);
        }
    }

    pub(super) fn free_complete(&mut self) {
        while self
            .items
            .front()
            .is_some_and(|item| item.stage == Stage::Complete)
            && self.wire.half != Some(0)
        {
            if let Some(item) = self.items.pop_front() {
                self.aside.freed(item.len);
            }
            self.wire.cursor = self.wire.cursor.saturating_sub(1);
            self.wire.half = self.wire.half.map(|index| index - 1);
        }
    }
}
