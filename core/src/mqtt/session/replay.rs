//! How fast does what has waited go, once the broker is back? At most `replay_rate` messages in any second, so that a backlog does not fill a thin
//! link until that breaks.

use super::Session;

/// How much of the backlog is left.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Replay {
    /// Samples that waited when this connection was let in, and have not been sent.
    left: u64,
    /// Samples that wait behind the outbox, and come into it later.
    elsewhere: u64,
    /// The backlog waits elsewhere, and comes at its own pace: what is in the outbox is no part of it.
    is_paced_elsewhere: bool,
}

impl Session<'_> {
    /// So many samples wait elsewhere, and come into the outbox as it empties: they are part of the backlog. `None`: they come at their own pace.
    #[cfg(feature = "spool")]
    pub fn set_backlog(&mut self, elsewhere: Option<u64>) {
        self.state.replay.elsewhere = elsewhere.unwrap_or_default();
        self.state.replay.is_paced_elsewhere = elsewhere.is_none();
        self.bound_replay();
    }

    /// A connection is let in, or storage has been found: all that waits is its backlog.
    pub fn begin_replay(&mut self) {
        self.state.replay.left = u64::MAX;
        self.bound_replay();
    }

    /// So many messages were sent for the first time.
    #[cold]
    #[inline(never)]
    pub(super) fn replayed(&mut self, count: usize) {
        self.state.replay.left = self.state.replay.left.saturating_sub(count as u64);
        self.bound_replay();
    }

    /// Whether a backlog is being sent.
    #[inline]
    pub(super) fn is_replaying(&self) -> bool {
        self.state.replay.left > 0
    }

    /// What was dropped is not sent.
    fn bound_replay(&mut self) {
        let queued = self.outbox.queued() as u64;
        let replay = &mut self.state.replay;
        let waiting = queued.saturating_add(replay.elsewhere);
        replay.left = replay.left.min(waiting);
        if self.device.replay_rate == 0 || replay.is_paced_elsewhere {
            replay.left = 0;
        }
    }

    /// Messages that may be sent in any second now; 0: as many as there are.
    #[inline]
    pub(super) fn most_in_a_second(&self) -> u16 {
        if self.is_replaying() {
            self.replay_rate()
        } else {
            self.device.max_rate
        }
    }

    #[cold]
    #[inline(never)]
    fn replay_rate(&self) -> u16 {
        match (self.device.max_rate, self.device.replay_rate) {
            (0, replay_rate) => replay_rate,
            (max_rate, replay_rate) => max_rate.min(replay_rate),
        }
    }
}
