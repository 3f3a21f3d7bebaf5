//! The line of counters that the daemon writes per device, read back.

use crate::wait;

/// What the daemon counted for one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters {
    /// Messages from Redis.
    pub received: u64,
    /// Those of them that could not be read.
    pub rejected: u64,
    /// Those that repeated the last value and quality.
    pub suppressed: u64,
    /// Messages that wait to be sent for the first time.
    pub queued: u64,
    /// Messages that were sent, each counted once.
    pub sent: u64,
    /// Messages at QoS 1 or 2 that the broker has taken over.
    pub acknowledged: u64,
    /// Messages that a full buffer lost.
    pub dropped: u64,
    /// Connections after the first.
    pub reconnects: u64,
    /// Messages that a broker of MQTT 5 did not want. A line without it has none.
    pub refused: u64,
}

/// The words that a line of counters holds, beside the device's alias.
pub const NAMES: [&str; 8] = [
    "received",
    "rejected",
    "suppressed",
    "queued",
    "sent",
    "acknowledged",
    "dropped",
    "reconnects",
];

impl Counters {
    /// Reads a line that has every name with its number: `sent=3`, `sent: 3`, `sent 3` or `3 sent`.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let [
            received,
            rejected,
            suppressed,
            queued,
            sent,
            acknowledged,
            dropped,
            reconnects,
        ] = NAMES.map(|name| number_of(line, name));
        Some(Self {
            received: received?,
            rejected: rejected?,
            suppressed: suppressed?,
            queued: queued?,
            sent: sent?,
            acknowledged: acknowledged?,
            dropped: dropped?,
            reconnects: reconnects?,
            refused: number_of(line, "refused").unwrap_or(0),
        })
    }
}

/// Asks until the counters are as wanted, and returns them.
///
/// # Panics
///
/// If that takes longer than [`wait::LIMIT`].
#[track_caller]
pub fn wait_for(mut ask: impl FnMut() -> Counters, wanted: impl Fn(&Counters) -> bool) -> Counters {
    let mut last = None;
    let found = wait::within(wait::LIMIT, || {
        let counters = ask();
        last = Some(counters);
        Some(counters).filter(&wanted)
    });
    found.unwrap_or_else(|| panic!("the counters stay at {last:?}"))
}

fn number_of(line: &str, name: &str) -> Option<u64> {
    let start = line.find(name)?;
    let after = line[start + name.len()..].trim_start_matches(['=', ':', ' ', '"']);
    let digits = after.find(|c: char| !c.is_ascii_digit());
    if let Ok(number) = after[..digits.unwrap_or(after.len())].parse() {
        return Some(number);
    }
    let before = line[..start].trim_end();
    let text = before.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    before[text..].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_after_or_before_their_names() {
        let expected = Counters {
            received: 12,
            rejected: 1,
            suppressed: 2,
            queued: 0,
            sent: 9,
            acknowledged: 8,
            dropped: 7,
            reconnects: 3,
            refused: 0,
        };
        for line in [
            "I cloud: received 12, rejected 1, suppressed 2, queued 0, sent 9, acknowledged 8, dropped 7, reconnects 3",
            "cloud received=12 rejected=1 suppressed=2 queued=0 sent=9 acknowledged=8 dropped=7 reconnects=3",
            "cloud: 12 received, 1 rejected, 2 suppressed, 0 queued, 9 sent, 8 acknowledged, 7 dropped, 3 reconnects",
        ] {
            assert_eq!(Counters::parse(line), Some(expected), "{line}");
        }
    }

    #[test]
    fn what_was_refused_is_said_only_where_there_is_any() {
        let line = "cloud: received 9 rejected 0 suppressed 0 queued 0 sent 9 acknowledged 4 refused 5 dropped 0 reconnects 0";
        assert_eq!(Counters::parse(line).map(|it| it.refused), Some(5));
    }

    #[test]
    fn a_line_without_one_of_them_is_not_a_line_of_counters() {
        assert_eq!(Counters::parse("cloud: received 12, sent 12"), None);
    }
}
