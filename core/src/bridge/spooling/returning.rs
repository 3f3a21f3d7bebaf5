//! What becomes of a sample that comes back? It goes to the outbox, unless its signal is gone or it is too old.

use super::{Sink, Spool};
use crate::log::warning;
use crate::routes::Routes;
use crate::time::Instant;

/// A clock that shows less was never set: this is the beginning of 2020. How old a sample is that was accepted then, nobody knows.
const SET: u64 = 1_577_836_800;

impl<'a> Spool<'a> {
    /// Brings at most so many samples back to the outbox, as far as there is room; how many are not in the log any more.
    pub(super) fn give_back<S: Sink>(
        &mut self,
        now: Instant,
        session: &mut S,
        routes: &mut Routes<'a>,
        most: usize,
    ) -> usize {
        let (mut count, mut gone, mut aged, mut has_asked) = (0, 0, 0, false);
        let now_second = self.at.second_of(now.as_millis() as i64);
        while count < most {
            let before = self.log.next_number();
            let alias = self.device.alias;
            let next = self
                .log
                .next_sample(&mut |name| routes.find_alias(alias, name));
            let Some(next) = next else {
                if core::mem::replace(&mut has_asked, true) {
                    break;
                }
                // Storage that answers at once has the next block then; any other wakes whoever waits for it.
                let _ = self.log.poll(now, self.storage);
                continue;
            };
            has_asked = false;
            let accepted = next.second;
            match next.signal {
                Some(signal) if is_too_old(accepted, now_second, self.device.max_age) => {
                    routes.forget(signal);
                    aged += 1;
                }
                Some(signal) => {
                    let at = if accepted < SET {
                        now.as_millis() as i64
                    } else {
                        self.at.time_of(accepted)
                    };
                    session.accepts_at(at);
                    let is_late = before < self.at.late_below;
                    let is_overtaken = routes.is_overtaken(signal, before, is_late);
                    let is_aside = routes.is_aside(signal);
                    if !session.queue_returned(signal, is_aside, is_overtaken, &next.sample) {
                        break;
                    }
                    self.at.returned.note(before, at, self.at.flush_interval);
                    if self.log.unread() > 0 {
                        // Storage went away with older ones.
                        routes.overtake(signal, before);
                        self.at.any_overtaken = true;
                    }
                }
                None => gone += 1,
            }
            self.log.take();
            self.at.is_exact &= self.log.next_number() == before + 1;
            count += 1;
        }
        self.at.is_exact &= gone + aged == 0;
        if gone > 0 {
            warning!(
                "{}: {} samples of the spool are dropped, whose signals are not enabled any more",
                self.device.alias,
                gone
            );
        }
        session.count_aged(now, aged);
        self.at.dropped += gone;
        self.tell();
        count
    }

    /// What was found late is read from now on, if there is any, and storage is not read elsewhere.
    pub(super) fn turn_to_late(&mut self) -> bool {
        let Some(late_below) = self.log.turn_to_late() else {
            return false;
        };
        self.at.returned.clear();
        self.at.late_below = late_below;
        self.at.has_found = true;
        self.at.unread = 0;
        true
    }

    /// A sample of this signal does not wait for older ones: those that are in the log now, or come late.
    pub(super) fn overtake(&mut self, routes: &mut Routes<'a>, signal: u32) {
        routes.overtake(signal, self.log.end());
        self.at.any_overtaken = true;
    }

    /// Once nothing waits here any more, nothing was overtaken.
    pub(super) fn end_overtaking(&mut self, device: u16, routes: &mut Routes<'a>) {
        if self.at.any_overtaken
            && self.log.is_open()
            && !self.log.has_late()
            && self.spooled() == 0
        {
            self.at.any_overtaken = false;
            self.at.late_below = 0;
            routes.end_overtaking(device);
        }
    }
}

/// Whether a sample that was accepted in this second has waited for longer than this; 0: never.
fn is_too_old(accepted: u64, now: u64, max_age: u32) -> bool {
    max_age > 0 && accepted >= SET && now.saturating_sub(accepted) > u64::from(max_age)
}
