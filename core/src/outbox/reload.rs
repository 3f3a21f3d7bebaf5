//! What becomes of the samples when the configuration changes?

use super::record::{Head, MAX_RECORD};
use super::{Aside, Outbox, Stage};
use crate::sample::{MAX_TEXT, Sample};

impl Outbox<'_> {
    /// The signals of the messages that are sent, in part or in whole, and not done with: a session that goes on repeats those as they were
    /// first sent, so each of these must still have its topic.
    pub fn in_flight_signals(&self) -> impl Iterator<Item = u32> {
        let mut position = self.at.start;
        (0..self.in_flight()).filter_map(move |index| {
            let head = Head::read(&self.ring, position);
            position = self.ring.wrap(position + head.record_len());
            (self.handshakes.get(index).stage != Stage::Complete).then(|| head.signal())
        })
    }

    /// Numbers the signals anew. A waiting sample without a new number is dropped, since nobody can say on which topic it is to go; how many
    /// are. What is in flight keeps its place: its [signals](Outbox::in_flight_signals) must have new numbers.
    pub fn renumber(&mut self, mut new_number: impl FnMut(u32) -> Option<u32>) -> usize {
        self.take_back_unsent();
        self.close_gap();
        let total = self.at.aside.count + self.at.count;
        let first_in_flight = self.at.aside.count;
        let first_unsent = first_in_flight + self.in_flight();
        let (mut from, mut to) = (self.behind(), self.behind());
        let mut kept = Aside::default();
        let (mut count, mut used) = (0, 0);
        for index in 0..total {
            let head = Head::read(&self.ring, from);
            let len = head.record_len();
            let number = new_number(head.signal());
            let is_in_flight = (first_in_flight..first_unsent).contains(&index);
            if number.is_some() || is_in_flight {
                // Towards the old end, one record at a time, which may lie over its own place.
                let mut record = [0; MAX_RECORD];
                let record = record.get_mut(..len).unwrap_or_default();
                self.ring.read(from, record);
                self.ring.write(to, record);
                if let Some(number) = number {
                    head.with_signal(number).store(&mut self.ring, to);
                }
                to = self.ring.wrap(to + len);
                if index < first_in_flight {
                    kept.count += 1;
                    kept.bytes += len;
                } else {
                    count += 1;
                    used += len;
                }
            }
            from = self.ring.wrap(from + len);
        }
        self.at.start = self.ring.wrap(self.behind() + kept.bytes);
        self.at.aside = kept;
        self.at.count = count;
        self.at.used = used;
        total - kept.count - count
    }

    /// Calls `each` with signal and sample of every message that the broker has not confirmed, oldest first: for an outbox of another size or
    /// QoS to take them over.
    pub fn for_each_unconfirmed(&self, mut each: impl FnMut(u32, &Sample<'_>)) {
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
                    each(head.signal(), &sample);
                }
            }
            position = self.ring.wrap(position + head.record_len());
        }
    }
}
