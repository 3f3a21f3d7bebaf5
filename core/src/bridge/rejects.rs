//! Rejected messages are reported one by one, but not without limit: a broken producer must not fill the log.

use crate::config::Device;
use crate::log::{Printed, Text, warning};
use crate::sample::Rejection;
use crate::time::{Instant, SECOND};

/// So many lines in so many milliseconds.
const LINES: u32 = 10;
const WINDOW: u64 = 10 * SECOND;

/// The reports of the current window.
#[derive(Debug, Clone, Default)]
pub(super) struct Rejects {
    window: Instant,
    count: u32,
}

impl Rejects {
    pub(super) fn report(
        &mut self,
        now: Instant,
        device: &Device<'_>,
        channel: &[u8],
        reason: Rejection,
    ) {
        if now.since(self.window) >= WINDOW {
            self.close();
            self.window = now;
        }
        self.count = self.count.saturating_add(1);
        if self.count <= LINES {
            warning!(
                "{}: rejected a message on {}: {}",
                device.alias,
                Text(channel),
                Printed(reason)
            );
        }
    }

    /// When [`Rejects::expire`] has something to say.
    pub(super) fn deadline(&self) -> Instant {
        if self.count > LINES {
            self.window + WINDOW
        } else {
            Instant::NEVER
        }
    }

    /// Time has passed.
    pub(super) fn expire(&mut self, now: Instant) {
        if now >= self.deadline() {
            self.close();
        }
    }

    /// Says how many messages had no line of their own.
    pub(super) fn close(&mut self) {
        let hidden = self.count.saturating_sub(LINES);
        if hidden > 0 {
            warning!("{} more messages were rejected", hidden);
        }
        self.count = 0;
    }
}
