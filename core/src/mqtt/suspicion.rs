//! Which message makes the broker close the connection? Brokers that 3.1.1 leaves no other way answer a forbidden topic so (AWS IoT Core),
//! and some a PUBREL whose identifier they have forgotten.
//!
//! After the third close in a row what was under way goes one message at a time, the first of them once PINGRESP has shown that the connection
//! holds without. A message that two connections in a row end right after, with nothing else unanswered, is the culprit: its topic is
//! set aside, and tried again every ten minutes.

use crate::index;
use crate::time::{Instant, SECOND};

/// Milliseconds until topics that were set aside are tried again.
pub(super) const TRY_AGAIN_AFTER: u64 = 600 * SECOND;

/// Closes after one and the same message, sent alone, that make it the culprit.
const CERTAIN: u8 = 2;

/// Connections in a row that end with the same PUBREL unanswered before the session is begun anew.
const PUBREL_UNANSWERED: u8 = 3;

/// What past ends of connections give reason to suspect.
#[derive(Debug, Clone)]
pub(super) struct Suspicion {
    /// So many messages, from the oldest on, go one at a time.
    one_by_one: usize,
    /// So many messages, from the oldest on, were set aside before, and are tried again.
    on_trial: usize,
    /// Hash of the topic that the last connections ended after, and how many of them did.
    topic: u32,
    closes: u8,
    /// Identifier whose PUBREL the last connections left unanswered, and how many of them did.
    pubrel: u16,
    unanswered: u8,
    /// When to try again what is set aside.
    try_again: Instant,
}

impl Default for Suspicion {
    fn default() -> Self {
        Suspicion {
            one_by_one: 0,
            on_trial: 0,
            topic: 0,
            closes: 0,
            pubrel: 0,
            unanswered: 0,
            try_again: Instant::NEVER,
        }
    }
}

impl Suspicion {
    pub(super) fn goes_one_by_one(&self) -> bool {
        self.one_by_one > 0
    }

    /// Whether [`Suspicion::passed`] has something to count.
    pub(super) fn is_active(&self) -> bool {
        self.one_by_one > 0 || self.on_trial > 0
    }

    /// Whether what is under way was set aside before.
    pub(super) fn is_on_trial(&self) -> bool {
        self.on_trial > 0
    }

    /// The `count` oldest messages are to go one at a time.
    pub(super) fn send_one_by_one(&mut self, count: usize) {
        self.one_by_one = count;
    }

    /// The broker closed the connection though no message was under way: none is to blame.
    pub(super) fn acquit(&mut self) {
        self.one_by_one = 0;
        self.closes = 0;
    }

    /// The oldest message is done with.
    pub(super) fn passed(&mut self) {
        self.one_by_one = self.one_by_one.saturating_sub(1);
        self.on_trial = self.on_trial.saturating_sub(1);
    }

    /// The broker closed the connection right after a message on this topic, sent alone. Whether that is the culprit.
    pub(super) fn closed_after(&mut self, topic: [&str; 5]) -> bool {
        let hash = index::hash(&topic.map(str::as_bytes));
        if self.topic != hash {
            (self.topic, self.closes) = (hash, 0);
        }
        self.closes = self.closes.saturating_add(1);
        self.closes >= CERTAIN || self.is_on_trial()
    }

    /// A topic was set aside.
    pub(super) fn set_aside(&mut self, now: Instant) {
        self.closes = 0;
        self.try_again = self.try_again.min(now + TRY_AGAIN_AFTER);
    }

    /// When what is set aside is due to be tried again.
    pub(super) fn try_again_at(&self) -> Instant {
        self.try_again
    }

    /// The `count` messages that were set aside are tried again.
    pub(super) fn try_again(&mut self, count: usize) {
        self.try_again = Instant::NEVER;
        self.on_trial = count;
    }

    /// A connection ended; `pubrel` is the identifier whose PUBREL it left unanswered. Whether that has gone on for too long.
    pub(super) fn left_unanswered(&mut self, pubrel: Option<u16>) -> bool {
        match pubrel {
            Some(pubrel) if pubrel == self.pubrel => {
                self.unanswered = self.unanswered.saturating_add(1);
            }
            Some(pubrel) => (self.pubrel, self.unanswered) = (pubrel, 1),
            None => (self.pubrel, self.unanswered) = (0, 0),
        }
        let is_too_long = self.unanswered >= PUBREL_UNANSWERED;
        if is_too_long {
            self.unanswered = 0;
        }
        is_too_long
    }
}
