//! Is the other end still there? The times that one connection to a broker is measured by.
//!
//! With a keep-alive of K: CONNACK is due within K, or 20 s if that is less. PINGREQ is due 3/4 K after either side was last
//! heard, and must be answered within 1/2 K, so that a dead link is noticed 1.25 K after its last sign of life (MQTT 3.1.1,
//! 3.1.2.10, gives the broker 1.5 K). Where other bytes arrive before the answer, PINGREQ is repeated, since something must be said
//! within each K [MQTT-3.1.2-23]. DISCONNECT must have been taken by the network within K. An acknowledgement is overdue after 1.5 K: at
//! once if a later message already has its own, else once nothing at all was acknowledged for as long, so that a broker that is
//! slow, and keeps the order, is left in peace.

use super::close::Close;
use crate::time::{Instant, SECOND};

/// Longest wait for CONNACK in milliseconds; a shorter keep-alive shortens it.
const CONNACK_WITHIN: u64 = 20 * SECOND;

/// An acknowledgement's time is measured in at least so many ticks.
const LEAST_TICKS: u64 = 64;

/// When things last happened on a connection.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Liveness {
    /// Milliseconds.
    keep_alive: u64,
    opened: Instant,
    last_sent: Instant,
    last_received: Instant,
    /// PINGREQ that are not answered.
    pings: Option<Pings>,
    /// When the broker last let us in or acknowledged something, or there was nothing to acknowledge.
    progress: Instant,
    /// When to look at how long each message has waited.
    look_at: Instant,
    /// A tick of [`Liveness::tick`] is two to the power of this in milliseconds.
    tick_bits: u8,
}

#[derive(Debug, Clone, Copy)]
struct Pings {
    unanswered: u32,
    /// When the first and the last of them were queued.
    first: Instant,
    last: Instant,
}

/// What has to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Pingreq,
    Close(Close),
    /// The network does not take DISCONNECT: close without.
    GiveUp,
}

/// What a connection waits for, apart from its peer being alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaiting {
    Connack,
    Acknowledgement,
    Nothing,
    /// The network to take DISCONNECT.
    Disconnect,
}

impl Liveness {
    /// A connection was opened. `keep_alive` is in seconds.
    pub(super) fn begin(keep_alive: u16, now: Instant) -> Self {
        let keep_alive = u64::from(keep_alive) * SECOND;
        Liveness {
            tick_bits: (patience(keep_alive) / LEAST_TICKS)
                .checked_ilog2()
                .unwrap_or(0) as u8,
            look_at: now,
            keep_alive,
            opened: now,
            last_sent: now,
            last_received: now,
            pings: None,
            progress: now,
        }
    }

    /// The broker asks for another keep-alive, in seconds, before anything but CONNECT was sent.
    pub(super) fn is_asked_for(&mut self, keep_alive: u16, now: Instant) {
        let Liveness {
            opened,
            last_sent,
            last_received,
            ..
        } = *self;
        *self = Liveness {
            opened,
            last_sent,
            last_received,
            ..Liveness::begin(keep_alive, now)
        };
    }

    pub(super) fn sent(&mut self, now: Instant) {
        self.last_sent = now;
    }

    pub(super) fn received(&mut self, now: Instant) {
        self.last_received = now;
    }

    /// The broker acknowledged something.
    pub(super) fn progressed(&mut self, now: Instant) {
        self.progress = now;
    }

    /// From now on the broker has something to acknowledge: it let us in, or nothing was in flight.
    pub(super) fn begin_wait(&mut self, now: Instant) {
        self.progress = now;
        self.look_again(0, now);
    }

    /// Whether to look at how long each message has waited.
    pub(super) fn is_time_to_look(&self, now: Instant) -> bool {
        now >= self.look_at
    }

    /// The time by which a message's wait is measured: a 64th to a 128th of what an acknowledgement may take, modulo 256.
    pub(super) fn tick(&self, now: Instant) -> u8 {
        (now.as_millis() >> self.tick_bits) as u8
    }

    /// Ticks that an acknowledgement may take: 64 to 127.
    pub(super) fn most_ticks(&self) -> u8 {
        (patience(self.keep_alive) >> self.tick_bits) as u8
    }

    /// The message that has waited longest has done so for so many ticks: when it is due to be looked at again.
    pub(super) fn look_again(&mut self, longest: u8, now: Instant) {
        let ticks = u64::from(self.most_ticks().saturating_sub(longest)) + 1;
        self.look_at = now + (ticks << self.tick_bits);
    }

    /// An acknowledgement takes too long, though a later message has its own.
    pub(super) fn overdue(&self) -> Close {
        Close::NoAcknowledgement(patience(self.keep_alive))
    }

    /// PINGREQ is on its way, for a reason of the caller's.
    pub(super) fn asked(&mut self, now: Instant) {
        self.pings = Some(Pings {
            unanswered: self
                .pings
                .map_or(0, |pings| pings.unanswered)
                .saturating_add(1),
            first: self.pings.map_or(now, |pings| pings.first),
            last: now,
        });
    }

    /// Milliseconds.
    pub(super) fn keep_alive(&self) -> u64 {
        self.keep_alive
    }

    /// Whether a PINGREQ is unanswered.
    pub(super) fn awaits_pong(&self) -> bool {
        self.pings.is_some()
    }

    /// PINGRESP came; whether it was asked for.
    pub(super) fn ping_answered(&mut self) -> bool {
        let Some(pings) = self.pings else {
            return false;
        };
        let unanswered = pings.unanswered.saturating_sub(1);
        self.pings = (unanswered > 0).then_some(Pings {
            unanswered,
            ..pings
        });
        true
    }

    /// When [`Liveness::take_due`] has something.
    pub(super) fn deadline(&self, awaiting: Awaiting) -> Instant {
        match awaiting {
            Awaiting::Connack => self.opened + CONNACK_WITHIN.min(self.keep_alive),
            Awaiting::Disconnect => self.last_sent.max(self.last_received) + self.keep_alive,
            Awaiting::Nothing => self.ask_deadline().min(self.answer_deadline()),
            Awaiting::Acknowledgement => self
                .ask_deadline()
                .min(self.answer_deadline())
                .min(self.progress_deadline())
                .min(self.look_at),
        }
    }

    /// What has to be done now, if anything. A PINGREQ counts as sent from here on.
    pub(super) fn take_due(&mut self, awaiting: Awaiting, now: Instant) -> Option<Due> {
        if now < self.deadline(awaiting) {
            return None;
        }
        Some(match (awaiting, self.pings) {
            (Awaiting::Connack, _) => Due::Close(Close::NoConnack(now.since(self.opened))),
            (Awaiting::Disconnect, _) => Due::GiveUp,
            (Awaiting::Acknowledgement, _) if now >= self.progress_deadline() => {
                Due::Close(Close::NoAcknowledgement(now.since(self.progress)))
            }
            (_, Some(pings)) if now >= self.answer_deadline() => {
                Due::Close(Close::NoPingresp(now.since(pings.first)))
            }
            _ => {
                self.asked(now);
                Due::Pingreq
            }
        })
    }

    /// When PINGREQ is due. One that the network has not taken yet counts as sent.
    fn ask_deadline(&self) -> Instant {
        let silent_since = match self.pings {
            Some(pings) => self.last_sent.max(pings.last),
            None => self.last_sent.min(self.last_received),
        };
        silent_since + self.keep_alive / 4 * 3
    }

    /// Any bytes that arrive count as an answer to PINGREQ: on a slow line it may wait behind much else.
    fn answer_deadline(&self) -> Instant {
        match self.pings {
            Some(pings) => pings.first.max(self.last_received) + self.keep_alive / 2,
            None => Instant::NEVER,
        }
    }

    /// A broker that answers PINGREQ but acknowledges nothing for so long has lost something: a new connection makes both
    /// sides repeat.
    fn progress_deadline(&self) -> Instant {
        self.progress + patience(self.keep_alive)
    }
}

/// How long an acknowledgement may take, in milliseconds.
fn patience(keep_alive: u64) -> u64 {
    keep_alive / 2 * 3
}
