//! What is said about a spool, and counted: when its storage is used and when not, what was lost, what is left at the end.

use super::{Sink, Spool};
use crate::counters::{Counters, Spooled};
use crate::log::{Printed, info, warning};
use crate::spool::Event;
use crate::time::SECOND;

impl Spool<'_> {
    pub(super) fn report_end<S: Sink>(&self, session: &S) {
        let held = session.outbox().map_or(0, |outbox| outbox.held() as u64);
        let waiting = held + self.spooled();
        let lost = match self.at.live {
            Some(_) => self.unsafe_count(),
            None => self.at.accepted.saturating_sub(self.unsafe_from()),
        };
        if lost > 0 {
            warning!(
                "{}: the end, and {} samples are neither delivered nor in the spool: they are lost",
                self.device.alias,
                lost
            );
        } else if waiting > 0 {
            info!(
                "{}: the end, and {} samples wait in the spool",
                self.device.alias, waiting
            );
        }
    }

    /// The counters, with what is counted here.
    pub(in crate::bridge) fn counted<S: Sink>(&self, counters: Counters, session: &S) -> Counters {
        Counters {
            received: counters.received + self.found(),
            dropped: counters.dropped + self.at.dropped,
            spool: Some(Spooled {
                spooled: self.spooled(),
                oldest: self.oldest(session),
            }),
            ..counters
        }
    }

    /// Age of the oldest sample that waits, in seconds.
    fn oldest<S: Sink>(&self, session: &S) -> u64 {
        let held = session.outbox().map_or(0, |outbox| outbox.held() as u64);
        let now = self.at.now.as_millis() as i64;
        let (new, back) = match self.at.live {
            Some(live) => (
                (live.held > 0).then(|| live.first_held(live.held)),
                self.log.done_number(),
            ),
            None => {
                let first = self.outbox_end().saturating_sub(held);
                ((held > 0).then_some(first), first)
            }
        };
        let new = new.and_then(|number| self.at.marks.at(number));
        let back = self
            .at
            .returned
            .at(back)
            .filter(|_| held > 0 || self.spooled() > 0);
        let since = new.into_iter().chain(back).min().unwrap_or(now);
        (now - since).max(0) as u64 / SECOND
    }

    /// The session has dropped samples, perhaps from the middle of what is held; whether it has.
    pub(super) fn note_dropped<S: Sink>(&mut self, session: &S) -> bool {
        let dropped = session.counters().dropped;
        let has_dropped = dropped != self.at.session_dropped;
        self.at.is_exact &= !has_dropped;
        self.at.session_dropped = dropped;
        has_dropped
    }

    /// What the log has to tell goes to the log of lines, and to the counters.
    pub(super) fn tell(&mut self) {
        let alias = self.device.alias;
        while let Some(event) = self.log.poll_event() {
            match event {
                Event::Opened {
                    waiting,
                    is_torn,
                    is_again,
                } => {
                    self.at.found = (self.at.found + waiting).saturating_sub(self.at.unread);
                    self.at.has_found |= waiting > 0;
                    let end = if is_torn {
                        "; the end of the spool is torn, and passed over"
                    } else {
                        ""
                    };
                    if is_again {
                        // As loud as what it ends.
                        warning!("{}: the spool is used again", alias);
                    }
                    info!("{}: the spool has {} samples{}", alias, waiting, end);
                }
                Event::Closed(fault) => {
                    self.at.is_exact = false;
                    warning!(
                        "{}: the spool is not used, samples wait in memory only: {}",
                        alias,
                        Printed(fault)
                    );
                }
                Event::Lost(count) => {
                    self.lose(count);
                    warning!("{}: {} samples of the spool are damaged", alias, count);
                }
                Event::Dropped(count) => {
                    self.lose(count);
                    warning!(
                        "{}: the spool is full, its oldest {} samples are dropped",
                        alias,
                        count
                    );
                }
            }
        }
        // It may have been closed again by now, which is told of once.
        self.at.unread = self.log.unread();
    }

    fn lose(&mut self, count: u64) {
        self.at.dropped += count;
        self.at.is_exact = false;
        self.at.values_lost = true;
    }
}
