//! In a program without the feature `health` nobody is told how the device is.

use super::Session;
use crate::config::Device;
use crate::time::Instant;

impl Session<'_> {
    pub(super) const fn health_len(_device: &Device<'_>) -> usize {
        0
    }

    pub(super) const fn health_deadline(&self) -> Instant {
        Instant::NEVER
    }

    pub(super) const fn judge_health(&mut self, _now: Instant) {}
}
