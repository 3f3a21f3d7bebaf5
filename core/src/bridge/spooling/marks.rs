//! When were the samples accepted that wait? As exactly as is needed to write them in time, and to say how old the oldest is.

/// When samples were accepted, in milliseconds from time 0, which may be before it.
#[derive(Default)]
pub(super) struct Marks {
    /// The first sample of each mark, and when it was accepted; later samples up to the next mark were accepted somewhat later.
    marks: heapless::Vec<(u64, i64), CAPACITY>,
    /// When the newest sample was accepted.
    newest: i64,
}

const CAPACITY: usize = 64;

/// Marks in one flush interval; those of the last interval are always kept.
const MARKS: i64 = 16;

impl Marks {
    /// The sample of this number is accepted at this time; no mark is closer to another than a part of `interval`.
    pub(super) fn note(&mut self, number: u64, at: i64, interval: u64) {
        self.newest = at;
        let is_due =
            (self.marks.last()).is_none_or(|(_, last)| at - last > interval as i64 / MARKS);
        if is_due {
            if self.marks.is_full() {
                self.forget_one(at);
            }
            let _ = self.marks.push((number, at));
        }
    }

    /// Forgets the mark that leaves the smallest gap for its age: the longer ago, the less exact.
    #[cold]
    fn forget_one(&mut self, now: i64) {
        let young = CAPACITY - MARKS as usize;
        let gaps = self.marks.windows(3).take(young).map(|marks| match marks {
            [(_, before), _, (_, after)] => {
                (after - before) * MARKS * MARKS / (now - before).max(1)
            }
            _ => i64::MAX,
        });
        let smallest = (0..).zip(gaps).min_by_key(|(_, gap)| *gap);
        if let Some((index, _)) = smallest {
            self.keep(|other| other != index + 1);
        }
    }

    /// When the sample of this number was accepted, or somewhat before.
    pub(super) fn at(&self, number: u64) -> Option<i64> {
        let marks = self.marks.iter().rev();
        let mut at = marks.skip_while(|(first, _)| *first > number);
        at.next().or(self.marks.first()).map(|(_, at)| *at)
    }

    pub(super) fn forget_below(&mut self, number: u64) {
        let later = (self.marks.iter()).position(|(first, _)| *first > number);
        let last_before = later.unwrap_or(self.marks.len()).saturating_sub(1);
        self.keep(|index| index >= last_before);
    }

    fn keep(&mut self, is_kept: impl Fn(usize) -> bool) {
        let mut indices = 0..;
        self.marks.retain(|_| indices.next().is_some_and(&is_kept));
    }

    /// There are no samples from this number on.
    pub(super) fn forget_from(&mut self, number: u64) {
        self.marks.retain(|(first, _)| *first < number);
    }

    pub(super) fn clear(&mut self) {
        self.marks.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sample in each tenth of a second, number and time in step.
    fn marks_of(samples: u64) -> Marks {
        let mut marks = Marks::default();
        for number in 0..samples {
            marks.note(number, 100 * number as i64 - 5000, 10_000);
        }
        marks
    }

    #[test]
    fn a_sample_never_counts_as_younger_than_it_is() {
        for samples in [1, 10, 1000, 100_000] {
            let marks = marks_of(samples);
            for number in 0..samples {
                let accepted = 100 * number as i64 - 5000;
                let at = marks.at(number).expect("a mark");
                assert!(at <= accepted, "{number}: {at}");
            }
        }
    }

    #[test]
    fn the_last_interval_is_exact_to_a_sixteenth_and_older_samples_to_a_part_of_their_age() {
        let samples = 100_000;
        let marks = marks_of(samples);
        for number in 0..samples {
            let age = (100 * (samples - number)) as i64;
            let accepted = 100 * number as i64 - 5000;
            let at = marks.at(number).expect("a mark");
            let most = if age < 9000 {
                10_000 / MARKS + 100
            } else {
                age / 4 + 2000
            };
            assert!(accepted - at <= most, "{number} of age {age}: {at}");
        }
    }

    #[test]
    fn what_is_done_with_is_forgotten() {
        let mut marks = marks_of(100);
        marks.forget_below(50);
        assert!(marks.at(50).expect("a mark") > -1000);
        assert!(marks.at(0) > Some(-1000));
    }
}
