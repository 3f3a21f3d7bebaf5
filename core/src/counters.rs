//! What has happened to the samples of one device.

use core::fmt;

/// Counted since the start. `received` is always `rejected + suppressed + queued + sent + dropped`, and what is spooled; at QoS 1 and 2
/// `sent - acknowledged - refused` are in flight, at QoS 0 nothing is acknowledged. A port that begins a new session for changed settings lets them
/// go on: what was in flight is then queued again, and what was sent at QoS 0 stays unacknowledged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Messages from Redis for this device's signals, and samples that earlier processes left in its spool.
    pub received: u64,
    /// Malformed ones, see [`crate::sample::Rejection`].
    pub rejected: u64,
    /// Ones that `enable_threshold` held back as unchanged.
    pub suppressed: u64,
    /// In the outbox now, not sent yet.
    pub queued: u64,
    /// Written whole to a connection, or refused as too long for it; repetitions do not count.
    pub sent: u64,
    /// Confirmed by the broker for good.
    pub acknowledged: u64,
    /// Not wanted by the broker, which says so with MQTT 5 only.
    pub refused: u64,
    /// Lost to a full outbox, or because nobody is left to send them, or older than `message_expiry`.
    pub dropped: u64,
    /// Connections to the broker after the first.
    pub reconnects: u64,
    /// Of a device that has a spool.
    #[cfg(feature = "spool")]
    pub spool: Option<Spooled>,
}

/// What waits longer.
#[cfg(feature = "spool")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spooled {
    /// Samples that wait on storage, or are about to, and not in the outbox.
    pub spooled: u64,
    /// Age of the oldest sample that waits anywhere, in seconds.
    pub oldest: u64,
}

impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "received {} rejected {} suppressed {} queued {} sent {} acknowledged {}",
            self.received,
            self.rejected,
            self.suppressed,
            self.queued,
            self.sent,
            self.acknowledged
        )?;
        // A line without it is the same in all versions.
        if self.refused > 0 {
            write!(f, " refused {}", self.refused)?;
        }
        write!(
            f,
            " dropped {} reconnects {}",
            self.dropped, self.reconnects
        )?;
        #[cfg(feature = "spool")]
        if let Some(Spooled { spooled, oldest }) = self.spool {
            write!(f, " spooled {spooled} oldest {oldest}")?;
        }
        Ok(())
    }
}
