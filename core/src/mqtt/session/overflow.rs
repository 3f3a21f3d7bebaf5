//! Samples lost to a full outbox are reported, but not without limit: a broker that takes them by fits and starts must not fill the log.

use crate::config::Device;
use crate::log::warning;
use crate::time::{Instant, SECOND};

/// After a report, an overflow is not reported for so many milliseconds, only counted.
const QUIET: u64 = 60 * SECOND;

/// The samples that are not reported yet.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Overflow {
    dropped: u64,
    /// The log has its beginning and not its end.
    announced: bool,
    /// Until when nothing is announced.
    quiet_until: Option<Instant>,
}

impl Overflow {
    /// Samples were dropped.
    pub(super) fn dropped(&mut self, count: u64, device: &Device<'_>) {
        self.dropped += count;
        if count > 0 && !self.announced && self.quiet_until.is_none() {
            self.announced = true;
            warning!(
                "{}: the buffer is full, the oldest samples are being dropped",
                device.alias
            );
        }
    }

    /// Whether samples were dropped that are not reported yet.
    #[inline]
    pub(super) fn is_any(&self) -> bool {
        self.dropped > 0
    }

    /// Time has passed.
    pub(super) fn pass(&mut self, now: Instant) {
        self.quiet_until = self.quiet_until.filter(|until| now < *until);
    }

    /// Nothing waits any more.
    pub(super) fn emptied(&mut self, now: Instant, device: &Device<'_>) {
        if self.dropped > 0 && self.quiet_until.is_none() {
            warning!(
                "{}: {} samples were dropped while the buffer was full",
                device.alias,
                self.dropped
            );
            *self = Overflow {
                quiet_until: Some(now + QUIET),
                ..Overflow::default()
            };
        }
    }
}
