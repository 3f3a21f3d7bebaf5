//! What the ledger takes from the log: a topic is set aside, what waited for it is tried again, a session begins anew. The operator learns
//! of it there and nowhere else.

use std::mem::take;

use mqtt_client_core::net::backoff::HELD;

use super::{Fate, Item, Ledger, Stage};
use crate::property;
use crate::trace::{self, News};
use crate::world::Device;

/// The messages that are set aside, oldest first, and the bytes behind them that are not free.
#[derive(Default)]
pub(super) struct Aside {
    pub(super) items: Vec<Item>,
    gap: usize,
    /// The signals whose topics are set aside.
    signals: Vec<usize>,
    /// Messages that are in front of others, or among them, wait for that.
    any: bool,
    /// A topic has been set aside in this life.
    pub(super) ever: bool,
}

/// How often the broker has closed the connection for messages on one topic.
#[derive(Default)]
pub(super) struct Closes {
    all: u32,
    row: u32,
    longest_row: u32,
    last_at: u64,
}

/// The gap is closed once the messages before it have at most so many times its length.
const MOVED_PER_GAP: usize = 16;

/// Connections that must have ended after a message before its topic is set aside.
const CLOSES: u32 = 2;

/// Connections that must have ended with the same PUBREL unanswered before the session begins anew.
const UNANSWERED: u32 = 3;

impl Aside {
    /// Bytes that take up room.
    pub(super) fn room(&self) -> usize {
        let bytes: usize = self.items.iter().map(|item| item.len).sum();
        bytes + self.gap
    }

    pub(super) fn freed(&mut self, bytes: usize) {
        if !self.items.is_empty() {
            self.gap += bytes;
        }
    }

    pub(super) fn is_aside(&self, signal: usize) -> bool {
        self.any && self.signals.contains(&signal)
    }

    /// These signals are left; what waits for others.
    pub(super) fn keep_signals(&mut self, signals: usize) -> Vec<Item> {
        self.signals.retain(|signal| *signal < signals);
        self.gap = 0;
        let is_gone = |item: &mut Item| item.signal.is_none_or(|signal| signal >= signals);
        self.items.extract_if(.., is_gone).collect()
    }
}

impl Ledger {
    /// Takes in what was logged.
    pub fn settle(&mut self) {
        // Not at the close itself: what came before it is told behind it.
        if !self.wire.is_open {
            self.forget_flight();
        }
        for news in trace::take_news(&Device::alias(self.number)) {
            if news == News::SpoolLost {
                self.last.clear();
                continue;
            }
            self.beginnings += 1;
            match news {
                News::SpoolLost => {}
                News::SetAside(topic) => self.set_aside(&topic),
                News::TriedAgain => {
                    // What is next in turn and set aside leaves the flight before that is asked for.
                    self.pass_aside();
                    self.take_back();
                }
                News::PubrelUnanswered => self.begin_anew(),
            }
        }
        if self.wire.is_open && self.wire.let_in && !self.wire.said_goodbye {
            self.pass_aside();
        }
    }

    /// The broker closed the connection for a message on this topic, `now`.
    pub fn closed_for(&mut self, topic: &str, now: u64) {
        let closes = self.closed_for.entry(topic.to_string()).or_default();
        let is_in_row = closes.all > 0 && now - closes.last_at < HELD;
        closes.all += 1;
        closes.row = if is_in_row { closes.row + 1 } else { 1 };
        closes.longest_row = closes.longest_row.max(closes.row);
        closes.last_at = now;
    }

    /// The connection ends as if the broker had closed it, whatever message is on its way: that may look like a reason.
    pub fn ended_in_order(&mut self) {
        self.ended_in_order += 1;
    }

    /// The topics for which the broker has closed the connection, and how often in a row: one that has held for long begins a new row.
    pub fn culprits(&self) -> impl Iterator<Item = (&String, u32)> {
        let closes = self.closed_for.iter();
        closes.map(|(topic, closes)| (topic, closes.longest_row))
    }

    /// How often the bridge has begun something anew for one of these reasons.
    #[must_use]
    pub fn beginnings(&self) -> usize {
        self.beginnings
    }

    /// [`property::CULPRIT`]
    fn set_aside(&mut self, said: &str) {
        // It is that of the oldest message; the log cuts long ones.
        let oldest = self.kept.as_ref().or(self.items.front());
        let topic = oldest.map_or("", |item| &self.samples[item.sample].topic);
        let is_named = said
            .strip_suffix("...")
            .map_or(topic == said, |start| topic.starts_with(start));
        self.verdict.require(property::CULPRIT, is_named, || {
            format!("{said} is set aside, not {topic}")
        });
        let topic = &topic.to_string();
        let closes = self.closed_for.get(topic).map_or(0, |closes| closes.all);
        let closes = closes + self.ended_in_order;
        // rumqttd closes on the second PUBREL for a doubled PUBREC, which comes while the next message goes alone.
        let is_guilty = closes >= CLOSES || self.device.kind.closes_on_unknown_pubrel();
        self.verdict.require(property::CULPRIT, is_guilty, || {
            format!("{topic} is set aside after {closes} closes")
        });
        // At QoS 0 it was kept until it was certain that it had arrived.
        if let Some(kept) = self.kept.take() {
            self.items.push_front(kept);
        }
        self.wire.half = None;
        self.wire.cursor = 0;
        self.aside.any = true;
        self.aside.ever = true;
        let device = &self.device;
        let signals = 0..device.signals;
        let same = signals.filter(|signal| device.topic(self.number, *signal) == *topic);
        self.aside.signals.extend(same);
        for item in &mut self.items {
            let sample = &mut self.samples[item.sample];
            let was_sent = item.stage == Stage::Published;
            if sample.topic == *topic && (was_sent || item.stage == Stage::Queued) {
                item.is_aside = true;
                sample.may_repeat |= was_sent;
            }
        }
        self.pass_aside();
    }

    /// Messages at the old end that are set aside leave it.
    pub(super) fn pass_aside(&mut self) {
        while self.wire.cursor == 0
            && self.wire.half.is_none()
            && self.kept.is_none()
            && self.items.front().is_some_and(|item| item.is_aside)
            && let Some(mut item) = self.items.pop_front()
        {
            if item.stage == Stage::Published {
                self.counters.sent -= 1;
                self.samples[item.sample].fate = Fate::Waiting;
            }
            item.stage = Stage::Queued;
            self.aside.gap = 0;
            self.aside.items.push(item);
        }
    }

    fn take_back(&mut self) {
        let (in_flight, _) = self.flight();
        self.verdict
            .require(property::NEXT_PUBLISH, in_flight == 0, || {
                format!("{in_flight} are in flight while what was set aside is taken back")
            });
        for item in take(&mut self.aside.items).into_iter().rev() {
            self.items.push_front(item);
        }
        self.items.iter_mut().for_each(|item| item.is_aside = false);
        self.aside.any = false;
        self.aside.gap = 0;
        self.aside.signals.clear();
        self.begins_anew = self.device.qos > 0;
    }

    /// [`property::PUBREL`]: a session begins anew only where the broker left the same PUBREL unanswered again and again.
    fn begin_anew(&mut self) {
        let id = self.items.front().map(|item| item.id);
        let times = id.and_then(|id| self.unanswered.get(&id).copied());
        let is_right = times.unwrap_or_default() >= UNANSWERED;
        self.verdict.require(property::PUBREL, is_right, || {
            format!("the session begins anew after {times:?} times PUBREL {id:?}")
        });
        self.session_is_lost();
        self.unanswered.clear();
        self.begins_anew = true;
    }

    /// Makes room, in the order in which the outbox does: closes the gap, or drops the oldest that is set aside; whether it did.
    pub(super) fn make_room_aside(&mut self) -> bool {
        if self.aside.items.is_empty() {
            return false;
        }
        let bytes: usize = self.aside.items.iter().map(|item| item.len).sum();
        let gap = self.aside.gap;
        if gap > 0 && gap * MOVED_PER_GAP >= bytes {
            self.aside.gap = 0;
            return true;
        }
        let oldest = self.aside.items.remove(0);
        self.dropped(oldest.sample);
        if let Some(signal) = oldest.signal {
            self.last.remove(&signal);
        }
        if self.aside.items.is_empty() {
            self.aside.gap = 0;
        }
        true
    }

    /// At QoS 0 the last message that was written is done with.
    pub(super) fn free_kept(&mut self) {
        if let Some(kept) = self.kept.take() {
            self.aside.freed(kept.len);
        }
    }

    /// A connection ends: which PUBREL does it leave unanswered?
    pub(super) fn note_unanswered(&mut self) {
        let was_given = self.wire.cursor > 0 || self.wire.half.is_some();
        let oldest = self.items.front();
        if self.wire.let_in
            && was_given
            && let Some(item) = oldest.filter(|item| item.stage == Stage::Released)
        {
            *self.unanswered.entry(item.id).or_default() += 1;
        }
    }
}
