//! When were the samples accepted that wait? As exactly as is needed to write them in time.

use crate::time::Instant;

/// When samples were accepted, as exactly as is needed.
#[derive(Default)]
pub(super) struct Marks(heapless::Deque<(u64, Instant), 32>);

/// Marks in one flush interval.
const MARKS: u64 = 16;

impl Marks {
    /// The sample of this number is accepted now.
    pub(super) fn note(&mut self, number: u64, now: Instant, interval: u64) {
        let is_due = (self.0.back()).is_none_or(|(_, last)| now.since(*last) > interval / MARKS);
        if is_due {
            // Without room, samples count as older than they are.
            let _ = self.0.push_back((number, now));
        }
    }

    /// When the sample of this number was accepted, or somewhat before.
    pub(super) fn at(&self, number: u64) -> Option<Instant> {
        let marks = self.0.iter().rev();
        let mut at = marks.skip_while(|(first, _)| *first > number);
        at.next().or(self.0.front()).map(|(_, at)| *at)
    }

    pub(super) fn forget_below(&mut self, number: u64) {
        while self
            .0
            .iter()
            .nth(1)
            .is_some_and(|(next, _)| *next <= number)
        {
            self.0.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_never_counts_as_younger_than_it_is() {
        let mut marks = Marks::default();
        for number in 0..1000 {
            marks.note(number, Instant::from_millis(100 * number), 10_000);
        }
        for number in 0..1000 {
            let at = marks.at(number).expect("a mark").as_millis();
            assert!(at <= 100 * number, "{number}: {at}");
            // Marks for twice the interval and more.
            assert!(number > 200 || 100 * number - at <= 10_000 / MARKS + 100);
        }
        marks.forget_below(100);
        assert!(marks.at(100).expect("a mark").as_millis() > 9_000);
    }
}
