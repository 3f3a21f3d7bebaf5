//! What becomes of the samples when the configuration changes?

use super::flight::following_id;
use super::record::{Head, MAX_RECORD, MAX_SIGNALS};
use super::{Aside, Outbox, QoS, Stage};
use crate::sample::{MAX_TEXT, Sample};

/// What a new configuration makes of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewSignal {
    pub number: u32,
    /// Its samples go to another topic than before.
    pub has_moved: bool,
}

/// What [`Outbox::renumber`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renumbered {
    /// Waiting samples whose signals are gone: nobody can say on which topic they are to go.
    pub dropped: usize,
    /// A message that was sent, in part or in whole, and is not done with, cannot be repeated as it was first sent: its signal has moved, or is
    /// gone. The session begins [anew](Outbox::begin_anew) once the connection has ended.
    pub has_lost_topics: bool,
}

/// The number of a signal that is gone while a message of it is in flight.
const GONE: u32 = MAX_SIGNALS as u32 - 1;

impl Outbox<'_> {
    /// Numbers the signals anew. Waiting samples of signals that are gone are dropped; what is in flight stays.
    pub fn renumber(&mut self, mut new_signal: impl FnMut(u32) -> Option<NewSignal>) -> Renumbered {
        self.take_back_unsent();
        let in_flight = self.in_flight();
        let mut has_lost_topics = false;
        let dropped = self.retain(|place, stage, head, _| {
            let signal = Some(head.signal()).filter(|signal| *signal != GONE);
            let new = signal.and_then(&mut new_signal);
            let is_unsent = place.is_none_or(|index| index >= in_flight);
            if !is_unsent && stage != Stage::Complete {
                has_lost_topics |= new.is_none_or(|new| new.has_moved);
            }
            match new {
                Some(new) => Some(new.number),
                None if is_unsent => None,
                None => Some(GONE),
            }
        });
        Renumbered {
            dropped,
            has_lost_topics,
        }
    }

    /// Makes what is in flight wait as if it had never been sent, between connections: for a session that begins anew. How many messages that
    /// were sent whole go again, and how many samples are dropped, since their signals are gone.
    pub fn begin_anew(&mut self) -> (usize, usize) {
        self.rewind();
        if self.qos == QoS::AtMostOnce {
            self.complete_oldest();
        }
        let again = self.to_repeat();
        let mut dropped = 0;
        self.retain(|_, stage, head, _| {
            // What is acknowledged behind an older message is done with too.
            let is_gone = stage != Stage::Complete && head.signal() == GONE;
            dropped += usize::from(is_gone);
            (stage != Stage::Complete && !is_gone).then(|| head.signal())
        });
        self.at.oldest_id = following_id(self.at.oldest_id, self.in_flight());
        self.at.flight_bytes = 0;
        self.handshakes.clear();
        (again, dropped)
    }

    /// Keeps the samples for which `number_of` has a number, which it may change; how many do not stay. It is given each one's place behind the
    /// oldest, `None` for those that are set aside, and its stage.
    pub(super) fn retain(
        &mut self,
        mut number_of: impl FnMut(Option<usize>, Stage, Head, Option<u32>) -> Option<u32>,
    ) -> usize {
        self.close_gap();
        let total = self.at.aside.count + self.at.count;
        let (mut from, mut to) = (self.behind(), self.behind());
        let mut aside = Aside::default();
        let (mut count, mut used) = (0, 0);
        for index in 0..total {
            let head = Head::read(&self.ring, from);
            let len = head.record_len();
            let place = index.checked_sub(self.at.aside.count);
            let stage = place.map_or(Stage::Queued, |index| self.handshakes.get(index).stage);
            if let Some(number) = number_of(place, stage, head, head.stamp(&self.ring, from)) {
                // Towards the old end, where it may lie over its own place.
                let mut record = [0; MAX_RECORD];
                let record = record.get_mut(..len).unwrap_or_default();
                self.ring.read(from, record);
                self.ring.write(to, record);
                head.with_signal(number).store(&mut self.ring, to);
                to = self.ring.wrap(to + len);
                if place.is_none() {
                    aside.count += 1;
                    aside.bytes += len;
                } else {
                    count += 1;
                    used += len;
                }
            }
            from = self.ring.wrap(from + len);
        }
        self.at.start = self.ring.wrap(self.behind() + aside.bytes);
        self.at.aside = aside;
        self.at.count = count;
        self.at.used = used;
        total - aside.count - count
    }

    /// Calls `each` with signal, sample and [stamp](Outbox::stamp) of every message that the broker has not confirmed, oldest first: for an
    /// outbox of another size or QoS to take them over.
    pub fn for_each_unconfirmed(&self, mut each: impl FnMut(u32, &Sample<'_>, Option<u32>)) {
        let mut position = self.behind();
        for index in 0..self.at.aside.count + self.at.count {
            if index == self.at.aside.count {
                position = self.at.start;
            }
            let head = Head::read(&self.ring, position);
            let stage = match index.checked_sub(self.at.aside.count) {
                None => Stage::Queued,
                Some(index) => self.handshakes.get(index).stage,
            };
            if stage <= Stage::Published {
                let mut text = [0; MAX_TEXT];
                let text = text.get_mut(..head.text_len()).unwrap_or_default();
                head.read_text(&self.ring, position, text);
                if let Some(sample) = Sample::of_text(text, head.quality()) {
                    each(head.signal(), &sample, head.stamp(&self.ring, position));
                }
            }
            position = self.ring.wrap(position + head.record_len());
        }
    }
}
