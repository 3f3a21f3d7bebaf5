//! Is the device online, since when, and what did the broker know of its session?

use super::{Phase, Session};
use crate::delivery::QoS;
use crate::health;
use crate::mqtt::Level;
use crate::mqtt::attempt::Known;
use crate::time::Instant;

/// What is to be remembered for that.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    /// Of the last connection that was accepted.
    begun: health::Session,
    /// When the last one ended, or the start of the process.
    offline_since: Instant,
}

impl Default for Standing {
    fn default() -> Self {
        Standing {
            begun: health::Session::Offline,
            offline_since: Instant::default(),
        }
    }
}

impl Standing {
    /// The broker has accepted a connection.
    pub(super) fn begin(&mut self, known: Known, qos: QoS) {
        self.begun = match known {
            _ if qos == QoS::AtMostOnce => health::Session::New,
            Known::All => health::Session::Resumed,
            Known::Nothing | Known::Wiped => health::Session::New,
            Known::Unsaid => health::Session::Unknown,
        };
    }

    /// A connection has ended, perhaps one that was not accepted.
    pub(super) fn end(&mut self, now: Instant) {
        if self.begun != health::Session::Offline {
            self.begun = health::Session::Offline;
            self.offline_since = now;
        }
    }
}

impl Session<'_> {
    /// Whether samples can go. A connection that only wipes an old session out is none.
    #[must_use]
    pub fn standing(&self) -> health::Session {
        match self.state.phase {
            Phase::Online { .. } => self.state.standing.begun,
            Phase::Offline | Phase::Greeting | Phase::Leaving => health::Session::Offline,
        }
    }

    /// Since when it has been online, or has not been.
    #[must_use]
    pub fn since(&self) -> Instant {
        match self.state.phase {
            Phase::Online { since } => since,
            Phase::Offline | Phase::Greeting | Phase::Leaving => self.state.standing.offline_since,
        }
    }

    /// The protocol version that is spoken, or tried next.
    #[must_use]
    pub fn level(&self) -> Level {
        self.state.attempts.level()
    }
}
