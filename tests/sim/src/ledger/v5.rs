//! What the ledger knows of MQTT 5: messages that the broker refuses, those that wait for its quota, those that are too old or too long.

use super::{Fate, Item, Ledger, Stage};
use crate::packet::Publish;
use crate::property;
use crate::world::Device;
use mqtt_client_core::counters::Counters;
use mqtt_client_core::mqtt::Ack;

/// Milliseconds that messages wait for the broker's quota.
const PAUSE: u64 = 5000;

const QUOTA_EXCEEDED: u8 = 0x97;

/// Seconds, where the configuration has it so.
pub(super) fn keep_alive(device: &Device, asked: u64) -> u64 {
    match device.v5 {
        Some(v5) if v5.keep_alive > 0 => v5.keep_alive,
        _ => asked,
    }
}

impl Ledger {
    /// Bytes that the outbox takes for a sample's time.
    pub(super) fn stamp_len(&self) -> usize {
        if self.expiry() > 0 { 4 } else { 0 }
    }

    /// Seconds.
    fn expiry(&self) -> u64 {
        self.device.v5.map_or(0, |v5| v5.message_expiry)
    }

    /// Seconds that are left of a sample that was accepted then: the outbox counts from up to 64 ms before.
    fn left_of(&self, accepted: u64) -> u64 {
        let now = self.clock.get() + self.ahead;
        let waited = now.saturating_sub(accepted / 64 * 64);
        self.expiry().saturating_sub(waited / 1000)
    }

    /// The bridge took in PUBACK or PUBREC with a reason of failure.
    pub fn refused(&mut self, ack: Ack, id: u16, reason: u8) {
        if ack == Ack::Pubcomp {
            return self.acknowledged(ack, id);
        }
        self.wire.progress = self.clock.get();
        let (in_flight, _) = self.flight();
        let mut sent = self.items.iter_mut().take(in_flight);
        let Some(item) = sent.find(|item| item.id == id && item.stage == Stage::Published) else {
            return;
        };
        if reason == QUOTA_EXCEEDED {
            if !std::mem::replace(&mut item.is_postponed, true) {
                let until = self.clock.get() + self.ahead + PAUSE;
                self.postpones_until.get_or_insert(until);
            }
            return;
        }
        item.stage = Stage::Complete;
        let sample = &mut self.samples[item.sample];
        sample.fate = Fate::Dropped;
        // Before its topic was forbidden it may have been taken.
        sample.may_repeat = true;
        self.counters.refused += 1;
        self.note_overtaken();
        self.free_complete();
    }

    /// What waited for quota goes again, if it is time for that: as new messages.
    pub(super) fn take_back_postponed(&mut self) {
        let now = self.clock.get() + self.ahead;
        let is_over = self.postpones_until.is_some_and(|until| now >= until);
        let is_awaited = |item: &Item| {
            matches!(item.stage, Stage::Published | Stage::Released) && !item.is_postponed
        };
        if !is_over || self.items.iter().any(is_awaited) || self.wire.half.is_some() {
            return;
        }
        self.postpones_until = None;
        self.wire.cursor = 0;
        self.items.retain(|item| item.stage != Stage::Complete);
        for item in &mut self.items {
            if item.stage == Stage::Published {
                self.counters.sent -= 1;
                self.samples[item.sample].fate = Fate::Waiting;
                item.stage = Stage::Queued;
                item.is_postponed = false;
            }
        }
    }

    /// Whether the oldest message that was never sent is not sent at all: it is dropped, or refused by this client itself.
    fn skips_oldest_unsent(&mut self) -> bool {
        let (in_flight, _) = self.flight();
        self.skips(in_flight)
    }

    /// The same of what seems to be half written: of half a packet nobody can say which message it is.
    fn skips_half(&mut self) -> bool {
        let is_skipped = self.half_sent() && self.skips(self.flight().0 - 1);
        if is_skipped {
            self.wire.half = self.wire.half.filter(|half| *half < self.items.len());
        }
        is_skipped
    }

    /// Whether a message that was never sent is too old to be.
    fn is_too_old(&self, item: &Item) -> bool {
        self.expiry() > 0 && self.left_of(item.accepted) == 0
    }

    /// Whether nothing is left but what is too old.
    pub(super) fn has_nothing_to_send(&self) -> bool {
        let mut items = self.items.iter();
        items.all(|item| item.stage == Stage::Queued && self.is_too_old(item))
    }

    fn skips(&mut self, index: usize) -> bool {
        let Some(item) = self.items.get(index) else {
            return false;
        };
        let maximum = self.device.v5.map_or(0, |v5| v5.maximum_packet_size) as usize;
        let is_too_old = self.is_too_old(item);
        let sample = &mut self.samples[item.sample];
        let is_too_long = maximum > 0 && sample.topic.len() + sample.payload.len() > maximum;
        if is_too_old {
            self.counters.dropped += 1;
            self.last.clear();
        } else if is_too_long {
            self.counters.sent += 1;
            self.counters.refused += 1;
        } else {
            return false;
        }
        sample.fate = Fate::Dropped;
        let len = item.len;
        self.items.remove(index);
        self.aside.freed(len);
        true
    }

    /// Takes down what the bridge has decided without a word on the wire, as far as it could.
    pub(super) fn follow(&mut self, counters: &Counters) {
        if self.device.v5.is_none() {
            return;
        }
        let has_skipped =
            counters.dropped > self.counters.dropped || counters.refused > self.counters.refused;
        if counters.sent < self.counters.sent || has_skipped {
            self.take_back_postponed();
        }
        while (counters.dropped > self.counters.dropped || counters.refused > self.counters.refused)
            && (self.skips_oldest_unsent() || self.skips_half())
        {}
    }

    /// A message is about to be looked at: what goes before it, and is not sent?
    pub(super) fn pass_what_is_not_sent(&mut self, publish: &Publish) {
        if self.device.v5.is_none() {
            return;
        }
        if !publish.dup {
            self.take_back_postponed();
        }
        while let Some(index) = self.next()
            && self.items[index].stage == Stage::Queued
            && self.samples[self.items[index].sample].payload != publish.payload
            && self.skips(index)
        {}
    }

    /// [`property::EXPIRY`]
    pub(super) fn check_expiry(&self, publish: &Publish, index: usize) {
        let said = publish
            .properties
            .get(&0x02)
            .map(|seconds| u64::from(*seconds));
        let expiry = self.expiry();
        let left = self.left_of(self.items[index].accepted).max(1);
        let right = match said {
            None => expiry == 0,
            // What the network keeps waiting is as old as it was.
            Some(said) if self.wire.was_stalled => (left..=expiry).contains(&said),
            Some(said) => said == left,
        };
        self.verdict.require(property::EXPIRY, right, || {
            format!("{publish:?}, of which {left} of {expiry} s are left")
        });
    }
}
