//! What is said about a spool, and counted: when its storage is used and when not, what was lost, what is left at the end.

use super::{Sink, Spool};
use crate::log::{Printed, info, warning};
use crate::spool::Event;

impl Spool<'_> {
    pub(super) fn report_end<S: Sink>(&self, session: &S) {
        let held = session.outbox().map_or(0, |outbox| outbox.held() as u64);
        let waiting = held + self.spooled();
        let lost = self.at.accepted.saturating_sub(self.unsafe_from());
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

    /// What the log has to tell goes to the log of lines, and to the counters.
    pub(super) fn tell(&mut self) {
        let alias = self.device.alias;
        while let Some(event) = self.log.poll_event() {
            match event {
                Event::Opened { waiting, is_torn } => {
                    self.at.found = (self.at.found + waiting).saturating_sub(self.at.unread);
                    self.at.unread = 0;
                    if self.log.has_late() {
                        self.at.unread = waiting;
                    }
                    info!("{}: the spool has {} samples", alias, waiting);
                    if is_torn {
                        info!("{}: the end of the spool is torn, and passed over", alias);
                    }
                }
                Event::Closed(fault) => {
                    self.at.unread = self.log.unread();
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
    }

    fn lose(&mut self, count: u64) {
        self.at.dropped += count;
        self.at.is_exact = false;
        if self.log.has_late() {
            self.at.unread = self.log.unread();
        }
    }
}
