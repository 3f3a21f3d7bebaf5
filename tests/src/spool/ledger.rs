//! What must arrive after a kill, and what may arrive twice?
//!
//! A sample that was accepted longer than the flush interval before the kill must have been acknowledged, or arrive later. One that was acknowledged
//! longer than that before the kill must not arrive again, unless the connection broke just then: nobody knows whether the bridge has read the
//! acknowledgement. Each signal's samples arrive in their order.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::AddAssign;
use std::time::{Duration, Instant};

/// What the storage may take to write what the flush interval asks of it, on a machine whose processors and disk are busy with other tests.
const STORAGE_TAKES: Duration = Duration::from_millis(500);

/// An acknowledgement that was sent so long before its connection broke may not have been read.
const UNREAD: Duration = Duration::from_millis(1000);

/// The books of all signals, over all kills.
#[derive(Debug)]
pub struct Ledger {
    flush_interval: Duration,
    signals: BTreeMap<String, BTreeMap<u64, Fate>>,
    /// Each signal's newest sample that has arrived, and the last one with the kills until then.
    order: BTreeMap<String, (u64, Option<(u64, usize)>)>,
    kills: Vec<Instant>,
    /// When connections to the broker broke.
    breaks: Vec<Instant>,
    sum: Sum,
}

/// What became of a sample.
#[derive(Debug, Default)]
struct Fate {
    /// When it was seen that it had been accepted.
    accepted: Option<Instant>,
    /// The process that had accepted it has ended.
    is_judged: bool,
    /// It was old enough at a kill, and had not arrived.
    must_arrive: bool,
    /// When it arrived last, and after how many kills.
    arrived: Option<(Instant, usize)>,
}

/// What the books say in the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    pub kills: u64,
    /// Ends by SIGTERM.
    pub stops: u64,
    pub reloads: u64,
    /// Samples that the daemon has read.
    pub accepted: u64,
    /// Samples that had not arrived at a kill or an end, and were old enough that they had to.
    pub owed: u64,
    /// Of those, the ones that never arrived.
    pub missing: u64,
    /// Samples that were too young at a kill, and never arrived.
    pub too_young: u64,
    /// Samples that arrived again after a kill.
    pub duplicates: u64,
    /// Of those, the ones whose acknowledgement may not have been read, since the connection broke.
    pub unread: u64,
    /// How long before the kill the oldest of the others had arrived.
    pub oldest_duplicate: Duration,
}

impl AddAssign for Sum {
    fn add_assign(&mut self, other: Self) {
        self.kills += other.kills;
        self.stops += other.stops;
        self.reloads += other.reloads;
        self.accepted += other.accepted;
        self.owed += other.owed;
        self.missing += other.missing;
        self.too_young += other.too_young;
        self.duplicates += other.duplicates;
        self.unread += other.unread;
        self.oldest_duplicate = self.oldest_duplicate.max(other.oldest_duplicate);
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} kills, {} ends by SIGTERM, {} reloads, {} samples; {} waited longer than the flush interval at a kill or at all at an end, {} of them missing; \
             {} younger ones lost; {} arrived twice, {} of them since a connection broke, the oldest of the others {:.2} s before the kill",
            self.kills,
            self.stops,
            self.reloads,
            self.accepted,
            self.owed,
            self.missing,
            self.too_young,
            self.duplicates,
            self.unread,
            self.oldest_duplicate.as_secs_f64()
        )
    }
}

impl Ledger {
    /// Of a daemon with this flush interval.
    #[must_use]
    pub fn new(flush_interval: Duration) -> Self {
        Self {
            flush_interval,
            signals: BTreeMap::new(),
            order: BTreeMap::new(),
            kills: Vec::new(),
            breaks: Vec::new(),
            sum: Sum::default(),
        }
    }

    /// The daemon has accepted a sample, at the latest at this time.
    pub fn accept(&mut self, topic: &str, number: u64, at: Instant) {
        let fate = self.fate(topic, number);
        if fate.accepted.replace(at).is_none() {
            self.sum.accepted += 1;
        }
    }

    /// The broker acknowledges a sample at this time. `again`: by the client's or the broker's own word it may be a repetition.
    ///
    /// # Errors
    ///
    /// If it must not arrive now.
    pub fn arrive(
        &mut self,
        topic: &str,
        number: u64,
        at: Instant,
        again: bool,
    ) -> Result<(), String> {
        let kills = self.kills.len();
        // A sample that arrives before the daemon's word about it was read.
        let fate = self.fate(topic, number);
        let before = fate.arrived.replace((at, kills));
        let mut is_repetition = false;
        if let Some((arrived, kills_then)) = before {
            if kills_then < kills {
                is_repetition = true;
                // Of several kills, the one that it was repeated after; each one may have begun the next.
                let kill = self.kills[kills - 1].min(self.kills[kills_then]);
                let age = kill.saturating_duration_since(arrived);
                self.sum.duplicates += 1;
                let is_unread = |at: &Instant| *at >= arrived && *at - arrived < UNREAD;
                if self.breaks.iter().any(is_unread) {
                    self.sum.unread += 1;
                } else {
                    self.sum.oldest_duplicate = self.sum.oldest_duplicate.max(age);
                    if age > self.flush_interval + STORAGE_TAKES {
                        return Err(format!(
                            "{topic} {number} arrives again, and did {age:?} before the kill"
                        ));
                    }
                }
            } else if !again {
                return Err(format!("{topic} {number} arrives twice without a kill"));
            }
        }
        let (newest, last) = self.order.entry(topic.into()).or_default();
        let is_behind_the_newest = last.is_some() && number <= *newest;
        let is_behind_the_last =
            last.is_some_and(|(last, kills_then)| kills_then == kills && number <= last);
        let is_wrong = is_behind_the_last || is_behind_the_newest && !is_repetition;
        if is_wrong && !again {
            return Err(format!(
                "{topic} {number} arrives after {last:?}, the newest is {newest}"
            ));
        }
        *newest = number.max(*newest);
        *last = Some((number, kills));
        Ok(())
    }

    /// The daemon was killed at this time, by SIGKILL.
    pub fn kill(&mut self, at: Instant) {
        self.sum.kills += 1;
        let old_enough = self.flush_interval + STORAGE_TAKES;
        self.end(at, |accepted| {
            at.saturating_duration_since(accepted) > old_enough
        });
    }

    /// The daemon has ended after SIGTERM.
    pub fn stop(&mut self, at: Instant) {
        self.sum.stops += 1;
        self.end(at, |_| true);
    }

    /// The connection to the broker broke at this time, whoever broke it.
    pub fn break_link(&mut self, at: Instant) {
        self.breaks.push(at);
    }

    /// The daemon was told to read its configuration again.
    pub fn reload(&mut self) {
        self.sum.reloads += 1;
    }

    fn end(&mut self, at: Instant, is_old_enough: impl Fn(Instant) -> bool) {
        self.kills.push(at);
        let fates = self.signals.values_mut().flat_map(BTreeMap::values_mut);
        for fate in fates.filter(|fate| !fate.is_judged) {
            let Some(accepted) = fate.accepted else {
                continue;
            };
            fate.is_judged = true;
            fate.must_arrive = fate.arrived.is_none() && is_old_enough(accepted);
            self.sum.owed += u64::from(fate.must_arrive);
        }
    }

    /// How many samples have to arrive still.
    #[must_use]
    pub fn missing(&self) -> usize {
        let fates = self.signals.values().flat_map(BTreeMap::values);
        fates
            .filter(|fate| fate.must_arrive && fate.arrived.is_none())
            .count()
    }

    /// Some of those, in words.
    #[must_use]
    pub fn name_missing(&self) -> String {
        let signals = self.signals.iter();
        let missing = signals.filter_map(|(topic, fates)| {
            let mut missing = fates
                .iter()
                .filter(|(_, fate)| fate.must_arrive && fate.arrived.is_none());
            let (first, _) = missing.next()?;
            let (last, count) = (
                missing.next_back().map_or(first, |(last, _)| last),
                missing.count() + 1,
            );
            Some(format!("{topic}: some {count} from {first} to {last}"))
        });
        missing.collect::<Vec<_>>().join("; ")
    }

    /// What was counted.
    #[must_use]
    pub fn sum(&self) -> Sum {
        let fates = self.signals.values().flat_map(BTreeMap::values);
        let lost = fates.filter(|fate| !fate.must_arrive && fate.arrived.is_none());
        Sum {
            missing: self.missing() as u64,
            too_young: lost.count() as u64,
            ..self.sum
        }
    }

    fn fate(&mut self, topic: &str, number: u64) -> &mut Fate {
        let fates = self.signals.entry(topic.into()).or_default();
        fates.entry(number).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(1);

    /// Samples 0 to 9, one a second, and a kill at second 9.
    fn killed(arrived: u64) -> (Ledger, Instant) {
        let begun = Instant::now();
        let second = |n: u64| begun + Duration::from_secs(n);
        let mut ledger = Ledger::new(INTERVAL);
        for number in 0..10 {
            ledger.accept("t", number, second(number));
            if number < arrived {
                ledger.arrive("t", number, second(number), false).unwrap();
            }
        }
        ledger.kill(second(9));
        (ledger, second(10))
    }

    #[test]
    fn what_is_older_than_the_interval_at_a_kill_must_arrive() {
        let (mut ledger, now) = killed(3);
        // The samples 3 to 7: 8 and 9 are too young.
        assert_eq!((ledger.missing(), ledger.sum().owed), (5, 5));
        for number in 3..7 {
            ledger.arrive("t", number, now, false).unwrap();
        }
        assert_eq!(ledger.missing(), 1);
        assert_eq!(ledger.sum().too_young, 2);
        // They have not aged at the next one.
        ledger.kill(now);
        assert_eq!((ledger.missing(), ledger.sum().too_young), (1, 2));
        assert!(ledger.name_missing().contains("from 7 to 7"));
    }

    #[test]
    fn after_sigterm_everything_must_arrive() {
        let (mut ledger, now) = killed(10);
        ledger.accept("t", 10, now);
        ledger.stop(now);
        assert_eq!(ledger.missing(), 1);
    }

    #[test]
    fn what_arrived_within_the_interval_before_a_kill_may_arrive_again_and_nothing_else() {
        let (mut ledger, now) = killed(10);
        assert_eq!(ledger.arrive("t", 8, now, false), Ok(()));
        assert_eq!(ledger.arrive("t", 9, now, false), Ok(()));
        assert_eq!(ledger.sum().duplicates, 2);
        assert!(ledger.arrive("t", 7, now, false).is_err());
        let (mut ledger, now) = killed(10);
        ledger.break_link(now - Duration::from_millis(2500));
        assert_eq!(ledger.arrive("t", 7, now, false), Ok(()));
        assert_eq!(ledger.sum().unread, 1);
        assert_eq!(ledger.arrive("t", 9, now, false), Ok(()));
        assert!(ledger.arrive("t", 9, now, false).is_err());
        assert_eq!(ledger.arrive("t", 9, now, true), Ok(()));
    }

    #[test]
    fn a_signals_samples_arrive_in_their_order() {
        let (mut ledger, now) = killed(3);
        assert_eq!(ledger.arrive("t", 4, now, false), Ok(()));
        assert!(ledger.arrive("t", 3, now, false).is_err());
        assert_eq!(ledger.arrive("u", 0, now, false), Ok(()));
        ledger.kill(now);
        assert_eq!(ledger.arrive("t", 4, now, false), Ok(()));
        assert!(ledger.arrive("t", 3, now, false).is_err());
    }
}
