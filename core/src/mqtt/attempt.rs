//! What to ask for when connecting, and how soon: protocol level, clean session, and what past failures teach.

use super::close::Close;
use super::violation::Violation;
use super::{Level, QoS, Refusal};
use crate::config::{Device, Version};
use crate::net::protocol::{ClosedBy, Retry};
use crate::time::SECOND;

/// A connection that ends sooner after CONNACK than this, in milliseconds, was thrown out.
const THROWN_OUT_WITHIN: u64 = 5 * SECOND;

/// So many in a row, and it is no accident.
const THROWN_OUT_TIMES: u8 = 3;

/// Closes on CONNECT in a row that make `auto` try the other protocol level.
const CLOSES_BEFORE_FALLBACK: u8 = 2;

/// So many without a CONNACK in between, and the broker may be waiting for TLS.
const CLOSES_BEFORE_HINT: u8 = 3;

/// What is known about a broker from connecting to it.
#[derive(Debug, Clone)]
pub(super) struct Attempts {
    qos: QoS,
    /// `mqtt_version`=`auto`.
    may_change_level: bool,
    level: Level,
    /// A broker here has accepted this level: if one hangs up on CONNECT now, that is not why.
    level_accepted: bool,
    fallback: Fallback,
    /// A guess was reported since 3.1.1 was last accepted.
    guess_reported: bool,
    /// A broker here has accepted some level.
    let_in: bool,
    /// At which level our session began.
    began_at: Option<Level>,
    past: Past,
    /// The last connection wiped out the session.
    wiped: bool,
    /// Closes by the broker before any CONNACK, in a row.
    closes_on_connect: u8,
    /// The same, at any protocol level.
    unanswered: u8,
    /// Closes by the broker soon after CONNACK, in a row.
    throws_out: u8,
    /// Level changes since the last accepted connection.
    level_changes: u8,
}

/// Why `auto` speaks 3.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fallback {
    /// It does not.
    None,
    /// The broker refused 3.1.1 (CONNACK 1).
    Told,
    /// It closed without a word, as does a proxy whose broker is down: 3.1.1 is tried again at the next connection.
    Guessed,
}

/// What the broker may remember of this client identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Past {
    /// Perhaps an earlier process's session, of which nothing is known here: its packet identifiers could be taken for ours,
    /// and new samples for repetitions.
    Unknown,
    /// Such a session is there: this connection ends, and the next one wipes it out.
    Found,
    /// This connection wipes it out, with a clean session: only that, but with MQTT 5.
    Wiping,
    /// Ours, or none.
    Known,
}

/// What to do with an accepted connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Welcome {
    Begin(Known),
    /// Leave it at once: it is there because of an old session only.
    Leave,
}

/// What the broker knows of our session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// It goes on.
    All,
    /// Nothing: if there was one, it is lost.
    Nothing,
    /// Nothing, since it was wiped out on purpose.
    Wiped,
    /// MQTT 3.1 does not say.
    Unsaid,
}

/// How far a connection had come when it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reached {
    Nothing,
    /// CONNECT went out.
    Greeting,
    /// It was accepted, so many milliseconds ago.
    Online(u64),
}

impl Attempts {
    pub(super) fn new(device: &Device<'_>) -> Self {
        let level = match device.version {
            Version::V3_1 => Level::V3_1,
            Version::V5 if cfg!(feature = "mqtt5") => Level::V5,
            Version::Auto | Version::V3_1_1 | Version::V5 => Level::V3_1_1,
        };
        let past = match (device.qos, level) {
            (QoS::AtMostOnce, _) => Past::Known,
            // 3.1 does not tell whether a session is present: it is wiped unseen.
            (_, Level::V3_1) => Past::Wiping,
            // A clean start leaves a session that goes on, so that nothing need be found out before.
            (_, Level::V5) => Past::Wiping,
            (_, Level::V3_1_1) => Past::Unknown,
        };
        Attempts {
            qos: device.qos,
            may_change_level: device.version == Version::Auto,
            level,
            level_accepted: false,
            fallback: Fallback::None,
            guess_reported: false,
            let_in: false,
            began_at: None,
            past,
            wiped: false,
            closes_on_connect: 0,
            unanswered: 0,
            throws_out: 0,
            level_changes: 0,
        }
    }

    pub(super) fn level(&self) -> Level {
        self.level
    }

    /// The level that decides how the client is called. A session that began as 3.1's, with a shorter name, keeps it.
    pub(super) fn naming_level(&self) -> Level {
        self.began_at
            .filter(|level| *level == Level::V3_1)
            .unwrap_or(self.level)
    }

    /// At QoS 0 the broker has nothing to keep; else it keeps its state across connections.
    pub(super) fn clean_session(&self) -> bool {
        self.qos == QoS::AtMostOnce || self.past == Past::Wiping
    }

    /// CONNACK accepted.
    pub(super) fn accepted(&mut self, session_present: bool) -> Result<Welcome, Violation> {
        if self.clean_session() && session_present {
            return Err(Violation::SessionPresentAfterClean);
        }
        self.closes_on_connect = 0;
        self.unanswered = 0;
        self.level_changes = 0;
        self.level_accepted = true;
        self.let_in = true;
        self.guess_reported &= self.level == Level::V3_1;
        match self.past {
            Past::Unknown if session_present => {
                self.past = Past::Found;
                Ok(Welcome::Leave)
            }
            Past::Wiping if self.level.is_v5() => {
                self.past = Past::Known;
                self.began_at.get_or_insert(self.level);
                Ok(Welcome::Begin(Known::Wiped))
            }
            Past::Found | Past::Wiping => Ok(Welcome::Leave),
            Past::Unknown | Past::Known => {
                self.past = Past::Known;
                self.began_at.get_or_insert(self.level);
                let wiped = core::mem::take(&mut self.wiped);
                Ok(Welcome::Begin(match (wiped, session_present, self.level) {
                    (true, _, _) => Known::Wiped,
                    (false, true, _) => Known::All,
                    (false, false, Level::V3_1_1 | Level::V5) => Known::Nothing,
                    (false, false, Level::V3_1) => Known::Unsaid,
                }))
            }
        }
    }

    /// Whether the level just accepted is a guess that has not been reported yet.
    pub(super) fn take_guess(&mut self) -> bool {
        self.fallback == Fallback::Guessed && !core::mem::replace(&mut self.guess_reported, true)
    }

    /// The session cannot go on: it is wiped out over a connection of its own, once the open one, if there is one, has ended.
    pub(super) fn begin_anew(&mut self, is_connected: bool) {
        if self.qos != QoS::AtMostOnce {
            self.past = if is_connected {
                Past::Found
            } else {
                Past::Wiping
            };
        }
    }

    /// Whether the broker has just closed so often in a row right after it let us in that it is no accident.
    pub(super) fn is_thrown_out(&self) -> bool {
        self.throws_out >= THROWN_OUT_TIMES
    }

    /// The reason for it is found, and removed.
    pub(super) fn is_explained(&mut self) {
        self.throws_out = 0;
    }

    /// DISCONNECT is out: why.
    pub(super) fn reason_to_leave(&self) -> Close {
        match self.past {
            Past::Found | Past::Wiping => Close::Wiped,
            Past::Unknown | Past::Known => Close::Finished,
        }
    }

    /// A connection ended. The answer tells when to try again.
    pub(super) fn closed(&mut self, by: &ClosedBy<Close>, reached: Reached) -> Retry {
        if self.fallback == Fallback::Guessed && matches!(reached, Reached::Online(_)) {
            self.level = Level::V3_1_1;
            self.level_accepted = false;
            self.fallback = Fallback::None;
        }
        match (by, reached) {
            (ClosedBy::Us(Close::Finished), _) => Retry::Never,
            (ClosedBy::Us(Close::Wiped), _) => {
                self.wiped = self.past != Past::Found;
                self.past = if self.wiped {
                    Past::Known
                } else {
                    Past::Wiping
                };
                Retry::AtOnce
            }
            (ClosedBy::Us(Close::Disconnected(reason)), Reached::Online(millis)) => {
                if reason.may_blame_a_message() && millis < THROWN_OUT_WITHIN {
                    self.throws_out = self.throws_out.saturating_add(1);
                } else {
                    self.throws_out = 0;
                }
                if reason.is_permanent() && !reason.may_blame_a_message() {
                    Retry::Permanent
                } else {
                    Retry::BackOff
                }
            }
            (ClosedBy::Us(Close::Refused(Refusal::ProtocolLevel)), _) if self.may_change_level => {
                self.change_level(Fallback::Told, Retry::Permanent)
            }
            (ClosedBy::Us(Close::Refused(refusal)), _) if refusal.is_permanent() => {
                Retry::Permanent
            }
            (ClosedBy::Us(Close::ControlTooSmall(_)), _) => Retry::Permanent,
            (ClosedBy::Us(Close::Violation(Violation::TlsRecord)), _) => Retry::Permanent,
            (ClosedBy::Peer, Reached::Greeting) => {
                self.closes_on_connect = self.closes_on_connect.saturating_add(1);
                self.unanswered = self.unanswered.saturating_add(1);
                if self.closes_on_connect < CLOSES_BEFORE_FALLBACK
                    || !self.may_change_level
                    || self.level_accepted
                {
                    return Retry::BackOff;
                }
                self.closes_on_connect = 0;
                self.change_level(Fallback::Guessed, Retry::BackOff)
            }
            (ClosedBy::Peer, Reached::Online(millis)) if millis < THROWN_OUT_WITHIN => {
                self.throws_out = self.throws_out.saturating_add(1);
                if self.throws_out < THROWN_OUT_TIMES {
                    Retry::BackOff
                } else {
                    Retry::Displaced
                }
            }
            (_, Reached::Online(_)) => {
                self.throws_out = 0;
                Retry::BackOff
            }
            (_, Reached::Nothing | Reached::Greeting) => Retry::BackOff,
        }
    }

    /// Whether the close just now, by the broker and without CONNACK, was the one that makes TLS likely. Who has let us in before
    /// expects none.
    pub(super) fn suggests_tls(&self) -> bool {
        self.unanswered == CLOSES_BEFORE_HINT && !self.let_in
    }

    /// When to try the other level: at once, but after it too was tried in vain, as `otherwise` says.
    fn change_level(&mut self, why: Fallback, otherwise: Retry) -> Retry {
        (self.level, self.fallback) = match self.level {
            Level::V3_1 => (Level::V3_1_1, Fallback::None),
            Level::V3_1_1 | Level::V5 => (Level::V3_1, why),
        };
        if self.level == Level::V3_1 && self.past == Past::Unknown {
            self.past = Past::Wiping;
        }
        self.level_accepted = false;
        self.level_changes = self.level_changes.saturating_add(1);
        if self.level_changes == 1 {
            Retry::AtOnce
        } else {
            otherwise
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed_by_the_broker(attempts: &mut Attempts) -> bool {
        let _ = attempts.closed(&ClosedBy::Peer, Reached::Greeting);
        attempts.suggests_tls()
    }

    #[test]
    fn the_third_close_without_an_answer_suggests_tls_and_says_so_once() {
        let mut attempts = Attempts::new(&Device::EMPTY);
        let hints = [(); 5].map(|()| closed_by_the_broker(&mut attempts));
        assert_eq!(hints, [false, false, true, false, false]);
    }

    #[test]
    fn a_broker_that_has_let_us_in_before_expects_no_tls() {
        let mut attempts = Attempts::new(&Device::EMPTY);
        assert!(attempts.accepted(false).is_ok());
        let hints = [(); 5].map(|()| closed_by_the_broker(&mut attempts));
        assert_eq!(hints, [false; 5]);
    }

    #[test]
    fn a_tls_record_is_permanent() {
        let mut attempts = Attempts::new(&Device::EMPTY);
        let close = ClosedBy::Us(Close::Violation(Violation::TlsRecord));
        assert_eq!(attempts.closed(&close, Reached::Greeting), Retry::Permanent);
    }
}
