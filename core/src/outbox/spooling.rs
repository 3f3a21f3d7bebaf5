//! What does a store behind the outbox take from it?

use super::Outbox;
use super::record::Head;
use crate::sample::{MAX_TEXT, Sample};

impl Outbox<'_> {
    /// Samples that are here: those in flight, those that wait, and those that are set aside.
    #[must_use]
    pub fn held(&self) -> usize {
        self.at.aside.count + self.at.count - self.at.dropping.count
    }

    /// Whether more than half of the storage is in use.
    #[must_use]
    pub fn is_half_full(&self) -> bool {
        self.at.used > self.ring.capacity() / 2
    }

    /// Calls `each` with signal and sample of all that is [held](Outbox::held) but the first `skipped`, in their order, as long as it says that it
    /// takes them.
    pub fn for_each_behind(&self, skipped: usize, mut each: impl FnMut(u32, &Sample<'_>) -> bool) {
        let mut position = self.behind();
        for index in 0..self.at.aside.count + self.at.count {
            if index == self.at.aside.count {
                position = self.at.start;
            }
            let head = Head::read(&self.ring, position);
            if index >= skipped {
                let mut text = [0; MAX_TEXT];
                let text = text.get_mut(..head.text_len()).unwrap_or_default();
                head.read_text(&self.ring, position, text);
                let sample = Sample::of_text(text, head.quality());
                if sample.is_none_or(|sample| !each(head.signal(), &sample)) {
                    return;
                }
            }
            position = self.ring.wrap(position + head.record_len());
        }
    }
}
