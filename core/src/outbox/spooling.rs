//! What does a store behind the outbox take from it, and give back to it?

use super::Outbox;
use super::record::Head;
use crate::sample::{MAX_TEXT, Sample};

/// Samples of an outbox by where they came from, see [`Outbox::count_origins`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Origins {
    /// Those that came back from the store.
    pub returned: usize,
    /// Of these, those that have not been sent whole.
    pub returned_unsent: usize,
}

/// A sample of an outbox, as far as a store asks.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    head: Head,
    /// No byte of it was sent.
    pub is_unsent: bool,
    /// When it was accepted, see [`Outbox::stamp`].
    pub stamp: Option<u32>,
}

impl Held {
    #[must_use]
    pub fn signal(&self) -> u32 {
        self.head.signal()
    }

    /// Its topic is set aside: it is not to be sent for now.
    #[must_use]
    pub fn is_aside(&self) -> bool {
        self.head.is_aside()
    }

    /// It came back from the store.
    #[must_use]
    pub fn is_returned(&self) -> bool {
        self.head.is_from_spool()
    }
}

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

    /// Queues a sample that comes back from the store, see [`Outbox::append`]. `is_overtaken`: a later one of its signal does not wait for it.
    #[must_use]
    pub fn append_returned(
        &mut self,
        signal: u32,
        is_aside: bool,
        is_overtaken: bool,
        sample: &Sample<'_>,
    ) -> bool {
        let used = self.at.used;
        if !self.append(signal, is_aside, sample) {
            return false;
        }
        let at = self.ring.wrap(self.at.start + used);
        Head::read(&self.ring, at)
            .returned(is_overtaken)
            .store(&mut self.ring, at);
        true
    }

    /// Calls `each` with all that is [held](Outbox::held), in the order of their acceptance, as long as it says that it wants more.
    pub fn for_each_held(&self, mut each: impl FnMut(Held, &Sample<'_>) -> bool) {
        self.walk(|held, position| {
            let mut text = [0; MAX_TEXT];
            let text = text.get_mut(..held.head.text_len()).unwrap_or_default();
            held.head.read_text(&self.ring, position, text);
            let sample = Sample::of_text(text, held.head.quality());
            sample.is_some_and(|sample| each(held, &sample))
        });
    }

    /// Counts what came back from the store: walks all that is here.
    #[must_use]
    pub fn count_origins(&self) -> Origins {
        let mut origins = Origins::default();
        self.walk(|held, _| {
            let is_returned = held.is_returned();
            origins.returned += usize::from(is_returned);
            origins.returned_unsent += usize::from(is_returned && held.is_unsent);
            true
        });
        origins
    }

    /// Whether a stamp of those of which no byte was sent `is_wanted`.
    #[must_use]
    pub fn is_any_unsent(&self, is_wanted: impl Fn(Option<u32>) -> bool) -> bool {
        let mut is_any = false;
        self.walk(|held, _| {
            is_any = held.is_unsent && is_wanted(held.stamp);
            !is_any
        });
        is_any
    }

    /// Takes out samples of which no byte was sent: those for which `is_taken`, which is asked about all that is held, in their order. How many
    /// there were. What was handed out and has not been sent is to be taken back before, see [`Outbox::take_back_unsent`].
    pub fn withdraw(&mut self, mut is_taken: impl FnMut(Held) -> bool) -> usize {
        let in_flight = self.in_flight();
        self.retain(|place, _, head, stamp| {
            let is_unsent = place.is_none_or(|index| index >= in_flight);
            let held = Held {
                head,
                is_unsent,
                stamp,
            };
            let is_taken = is_taken(held) && is_unsent;
            (!is_taken).then(|| head.signal())
        })
    }

    /// Calls `each` with each sample and its place in the ring, as long as it wants more.
    fn walk(&self, mut each: impl FnMut(Held, usize) -> bool) {
        let aside = self.at.aside.count;
        let sent = aside..aside + self.in_flight();
        let mut position = self.behind();
        for index in 0..aside + self.at.count {
            if index == aside {
                position = self.at.start;
            }
            let head = Head::read(&self.ring, position);
            let held = Held {
                head,
                is_unsent: !sent.contains(&index),
                stamp: head.stamp(&self.ring, position),
            };
            if !each(held, position) {
                return;
            }
            position = self.ring.wrap(position + head.record_len());
        }
    }
}
