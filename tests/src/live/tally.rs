//! What was seen, to be compared with what the bridge counted.

use crate::Counters;
use crate::plant::Fate;
use crate::table::Kind;

/// Numbers of samples, by what became of them.
#[derive(Default)]
pub struct Tally {
    forwarded: u64,
    missing: u64,
    unchanged: u64,
    rejected: u64,
}

impl Tally {
    /// Counts a sample, by what should have become of it and what was shown.
    pub fn count(&mut self, fate: &Fate, shown: Kind) {
        match fate {
            Fate::Forwarded { .. } if shown == Kind::Missing => self.missing += 1,
            Fate::Forwarded { .. } => self.forwarded += 1,
            Fate::Unchanged => self.unchanged += 1,
            Fate::Rejected(_) => self.rejected += 1,
        }
    }

    /// Compares with the bridge's counters, and with the number of messages that the subscriber received.
    ///
    /// # Errors
    ///
    /// Says what differs.
    pub fn compare(&self, counters: &Counters, received: u64) -> Result<(), String> {
        let all = self.forwarded + self.missing + self.unchanged + self.rejected;
        let pairs = [
            ("published", all, counters.received),
            ("malformed", self.rejected, counters.rejected),
            ("unchanged", self.unchanged, counters.suppressed),
            ("arrived", self.forwarded, counters.sent),
            ("arrived at the subscriber", self.forwarded, received),
            ("missing", self.missing, 0),
        ];
        let different = pairs
            .into_iter()
            .filter(|(_, seen, counted)| seen != counted);
        let texts: Vec<_> = different
            .map(|(name, seen, counted)| format!("{name} {seen}, counted {counted}"))
            .collect();
        if texts.is_empty() {
            Ok(())
        } else {
            Err(texts.join("; "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_named() {
        let mut tally = Tally::default();
        tally.count(&Fate::Unchanged, Kind::HeldBack);
        tally.count(&Fate::Rejected("x"), Kind::Rejected);
        let forwarded = Fate::Forwarded {
            topic: String::new(),
            message: String::new(),
        };
        tally.count(&forwarded, Kind::Good);
        let counters = Counters {
            received: 3,
            rejected: 1,
            suppressed: 1,
            queued: 0,
            sent: 1,
            acknowledged: 1,
            dropped: 0,
            reconnects: 0,
            refused: 0,
        };
        assert_eq!(tally.compare(&counters, 1), Ok(()));
        assert_eq!(
            tally.compare(&counters, 2).unwrap_err(),
            "arrived at the subscriber 1, counted 2"
        );
    }
}
