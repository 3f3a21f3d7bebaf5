//! What must have arrived? Kept from what was published, from what the daemon says that it has read, and from the rules of the product.

use std::collections::{HashMap, HashSet};

/// The books of one signal.
#[derive(Debug)]
pub struct Ledger {
    qos: u8,
    /// The messages published, in order.
    published: Vec<String>,
    /// How many of them had been published when the last fault was over.
    settled: usize,
    /// The same for the messages read.
    read_before: usize,
    /// The messages that the daemon has read from Redis (`-r`), in order.
    read: Vec<String>,
    /// Of these, what has to go to the broker.
    expected: Vec<String>,
    /// Messages that a broker that was killed had taken over.
    excused: HashSet<String>,
    /// What has arrived, in order.
    arrived: Vec<String>,
    seen: HashSet<String>,
    /// How many of the expected ones, from the first on, are known to have arrived or to be excused.
    complete: usize,
    last_value: Option<String>,
    /// How many were not numbers, and how many repeated the last one.
    pub rejected: u64,
    pub suppressed: u64,
}

/// Two messages in a hundred are no numbers, and five repeat the last value.
const NOT_A_NUMBER: u64 = 50;
const REPEATED: u64 = 20;

/// The `number`th message of a signal, as a protocol handler publishes it.
#[must_use]
pub fn message(number: u64) -> String {
    if number % NOT_A_NUMBER == 13 {
        return format!("inf,{number},");
    }
    let value = number - u64::from(number % REPEATED == 7);
    format!("{value},{number},")
}

impl Ledger {
    /// Of a signal of a device of this quality of service.
    #[must_use]
    pub fn new(qos: u8) -> Self {
        Self {
            qos,
            published: Vec::new(),
            settled: 0,
            read_before: 0,
            read: Vec::new(),
            expected: Vec::new(),
            excused: HashSet::new(),
            arrived: Vec::new(),
            seen: HashSet::new(),
            complete: 0,
            last_value: None,
            rejected: 0,
            suppressed: 0,
        }
    }

    /// The next message to publish.
    pub fn publish(&mut self) -> String {
        let message = message(self.published.len() as u64);
        self.published.push(message.clone());
        message
    }

    /// The daemon has read this message.
    pub fn read(&mut self, message: &str) {
        self.read.push(String::from(message));
        let value = message.split(',').next().expect("a first field");
        if value == "inf" {
            self.rejected += 1;
        } else if self.last_value.as_deref() == Some(value) {
            self.suppressed += 1;
        } else {
            self.last_value = Some(String::from(value));
            self.expected.push(format!("{message}1"));
        }
    }

    /// The broker has let the device in again. At QoS 0 nobody knows whether the last value got there, and a broker without the session may have
    /// lost what it retained, so the next one is news.
    pub fn reconnected(&mut self, session_present: bool) {
        if self.qos == 0 || !session_present {
            self.last_value = None;
        }
    }

    /// A broker that was killed had acknowledged this message, and may have lost it.
    pub fn excuse(&mut self, message: &str) {
        self.excused.insert(String::from(message));
    }

    /// How many messages were read.
    #[must_use]
    pub fn read_count(&self) -> u64 {
        self.read.len() as u64
    }

    /// Whether the message published last has been read.
    #[must_use]
    pub fn is_up_to_date(&self) -> bool {
        self.read.last() == self.published.last()
    }

    /// What was read is what was published since the last fault: all of it, or, where the connection to Redis was lost, all but one gap.
    ///
    /// # Errors
    ///
    /// What was read although nobody had published it so, or was missed.
    pub fn settle(&mut self, redis_was_lost: bool) -> Result<(), String> {
        let published = &self.published[self.settled..];
        let read = &self.read[self.read_before..];
        let same_front = published.iter().zip(read).take_while(|(a, b)| a == b);
        let front = same_front.count();
        let missing = published.len().checked_sub(read.len());
        let gap = missing.ok_or_else(|| format!("read more than was published: {read:?}"))?;
        if published[front + gap..] != read[front..] {
            return Err(format!(
                "published {published:?}, but the daemon has read {read:?}"
            ));
        }
        if gap > 0 && !redis_was_lost {
            return Err(format!("not read: {:?}", &published[front..front + gap]));
        }
        self.settled = self.published.len();
        self.read_before = self.read.len();
        Ok(())
    }

    /// A subscriber has got this message. What the **broker** says that it repeats does not count again.
    pub fn arrive(&mut self, payload: String, again: bool) {
        if self.seen.insert(payload.clone()) || !again {
            self.arrived.push(payload);
        }
    }

    /// Whether all that is expected has arrived.
    #[must_use]
    pub fn is_complete(&mut self) -> bool {
        let rest = self.expected[self.complete..].iter();
        let there = rest
            .take_while(|payload| self.seen.contains(*payload) || self.excused.contains(*payload));
        self.complete += there.count();
        self.complete == self.expected.len()
    }

    /// What has arrived is right: at QoS 1 everything, in order, apart from repetitions; at QoS 2 exactly once; at QoS 0 at most once.
    ///
    /// # Errors
    ///
    /// What is missing, has come twice, or out of order.
    pub fn check(&self) -> Result<(), String> {
        let place: HashMap<_, _> = self.expected.iter().zip(0..).collect();
        let mut seen = HashSet::new();
        let mut last = None;
        for payload in &self.arrived {
            let Some(&place) = place.get(payload) else {
                return Err(format!("{payload} arrived, which nobody has sent"));
            };
            if !seen.insert(payload) {
                if self.qos == 1 {
                    continue;
                }
                return Err(format!("{payload} arrived twice at QoS {}", self.qos));
            }
            if last > Some(place) {
                return Err(format!("{payload} arrived too late"));
            }
            last = Some(place);
        }
        let mut missing = self.expected.iter().filter(|payload| {
            self.qos > 0 && !seen.contains(payload) && !self.excused.contains(*payload)
        });
        match missing.next() {
            None => Ok(()),
            Some(payload) => Err(format!("{payload} did not arrive at QoS {}", self.qos)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(qos: u8, read: &[u64]) -> Ledger {
        let mut ledger = Ledger::new(qos);
        (0..10).for_each(|_| drop(ledger.publish()));
        read.iter().for_each(|&n| ledger.read(&message(n)));
        ledger
    }

    fn after(mut ledger: Ledger, arrived: &[u64]) -> Ledger {
        for number in arrived {
            ledger.arrive(format!("{number},{number},1"), false);
        }
        ledger
    }

    #[test]
    fn a_loss_a_repetition_and_a_wrong_order_are_noticed_according_to_the_quality_of_service() {
        let cases: [(u8, &[u64], bool); 9] = [
            (1, &[0, 1, 2, 3], true),
            (1, &[0, 1, 0, 1, 2, 3], true),
            (1, &[0, 1, 3], false),
            (1, &[0, 2, 1, 3], false),
            (2, &[0, 1, 2, 3], true),
            (2, &[0, 1, 2, 2, 3], false),
            (0, &[0, 3], true),
            (0, &[0, 0, 3], false),
            (1, &[0, 1, 2, 3, 4], false),
        ];
        for (qos, numbers, right) in cases {
            let result = after(ledger(qos, &[0, 1, 2, 3]), numbers).check();
            assert_eq!(result.is_ok(), right, "QoS {qos}, {numbers:?}: {result:?}");
        }
    }

    #[test]
    fn only_what_a_killed_broker_had_taken_over_may_be_missing() {
        let killed = || {
            let mut ledger = ledger(2, &[0, 1, 2]);
            ledger.excuse("1,1,1");
            ledger
        };
        let mut without_it = after(killed(), &[0, 2]);
        assert!(without_it.is_complete());
        assert_eq!(without_it.check(), Ok(()));
        let mut without_another = after(killed(), &[1, 2]);
        assert!(!without_another.is_complete());
        assert!(without_another.check().is_err());
    }

    #[test]
    fn what_the_broker_repeats_by_its_own_word_does_not_count_again() {
        let mut ledger = after(ledger(2, &[0, 1]), &[0, 1]);
        ledger.arrive(String::from("1,1,1"), true);
        assert_eq!(ledger.check(), Ok(()));
        ledger.arrive(String::from("1,1,1"), false);
        assert!(ledger.check().is_err());
    }

    #[test]
    fn redis_may_leave_one_gap_and_only_where_its_connection_was_lost() {
        let whole: Vec<_> = (0..10).collect();
        let cases: [(&[u64], bool, bool); 6] = [
            (&whole, false, true),
            (&[0, 1, 8, 9], true, true),
            (&[0, 1, 8, 9], false, false),
            (&[0, 1, 5, 8, 9], true, false),
            (&[1, 0, 8, 9], true, false),
            (&[0, 1, 2, 3], true, true),
        ];
        for (read, lost, right) in cases {
            let result = ledger(1, read).settle(lost);
            assert_eq!(result.is_ok(), right, "{read:?}: {result:?}");
        }
    }

    #[test]
    fn nonsense_and_repeated_values_are_not_expected() {
        let mut ledger = Ledger::new(1);
        for number in 0..20 {
            ledger.read(&message(number));
        }
        assert_eq!((ledger.rejected, ledger.suppressed), (1, 1));
        assert_eq!(ledger.expected.len(), 18);
    }

    #[test]
    fn after_a_reconnect_a_repeated_value_is_expected_at_qos_0_and_without_a_session() {
        for (qos, session_present, suppressed) in [(0, false, 0), (1, true, 1), (1, false, 0)] {
            let mut ledger = Ledger::new(qos);
            ledger.read("6,6,");
            ledger.reconnected(session_present);
            ledger.read("6,7,");
            assert_eq!(ledger.suppressed, suppressed, "QoS {qos}");
        }
    }
}
