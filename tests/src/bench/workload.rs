//! Which messages go in, and what has to come out? All of them are made before anything is measured.

use std::fmt::Write as _;

/// Signals, each with a channel of its own, that take turns.
pub const SIGNALS: usize = 100;

/// Different values of each signal before they begin again. More than one: no value repeats the one before, so that
/// `enable_threshold` holds nothing back.
const ROUNDS: usize = 64;

/// Messages that are sent over and over, in order.
pub struct Workload {
    signals: usize,
    resp: Vec<u8>,
    /// Where each message ends in `resp`.
    ends: Vec<usize>,
    expected: Vec<Expected>,
}

/// What the broker has to be sent for one message.
pub struct Expected {
    pub topic: Vec<u8>,
    pub payload: Vec<u8>,
}

impl Workload {
    /// One message in ten is invalid, one in ten has flags that say nothing about quality, the others have none.
    #[must_use]
    pub fn new() -> Self {
        Self::of(SIGNALS)
    }

    /// As [`new`](Self::new), with another number of signals.
    #[must_use]
    pub fn of(signals: usize) -> Self {
        let mut resp = String::new();
        let mut ends = Vec::new();
        let mut expected = Vec::new();
        for number in 0..signals * ROUNDS {
            let (round, signal) = (number / signals, number % signals);
            let channel = channel(signal);
            let sample = format!(
                "23{round}.{signal:04},{}",
                1_708_000_203_824_u64 + number as u64
            );
            let (flags, quality) = match signal % 10 {
                3 => ("IV", 0),
                7 => ("SB,cot=3", 1),
                _ => ("", 1),
            };
            let message = format!("{sample},{flags}");
            for bulk in ["message", &channel, &message] {
                let head = if bulk == "message" { "*3\r\n" } else { "" };
                write!(resp, "{head}${}\r\n{bulk}\r\n", bulk.len()).expect("memory");
            }
            ends.push(resp.len());
            expected.push(Expected {
                topic: channel.into_bytes(),
                payload: format!("{sample},{quality}").into_bytes(),
            });
        }
        Self {
            signals,
            resp: resp.into_bytes(),
            ends,
            expected,
        }
    }

    /// Signals, each with a channel of its own.
    #[must_use]
    pub fn signals(&self) -> usize {
        self.signals
    }

    /// All messages as Redis sends them.
    #[must_use]
    pub fn resp(&self) -> &[u8] {
        &self.resp
    }

    /// Messages before they begin again.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Never: there are always some.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of the first `messages` messages; they begin again after the last.
    #[must_use]
    pub fn bytes_of(&self, messages: u64) -> u64 {
        let len = self.len() as u64;
        let within = match (messages % len) as usize {
            0 => 0,
            count => self.ends[count - 1],
        };
        messages / len * self.resp.len() as u64 + within as u64
    }

    /// Messages that are whole in the first `bytes` bytes.
    #[must_use]
    pub fn messages_in(&self, bytes: u64) -> u64 {
        let len = self.resp.len() as u64;
        let within = (bytes % len) as usize;
        bytes / len * self.len() as u64 + self.ends.partition_point(|end| *end <= within) as u64
    }

    /// What has to come out for message `number`, from 0 on.
    #[must_use]
    pub fn expected(&self, number: u64) -> &Expected {
        &self.expected[(number % self.len() as u64) as usize]
    }
}

impl Default for Workload {
    fn default() -> Self {
        Self::new()
    }
}

/// The name of a signal in the configuration.
#[must_use]
pub fn alias(signal: usize) -> String {
    format!("p{signal:03}")
}

/// The Redis channel of a signal, and its topic.
#[must_use]
pub fn channel(signal: usize) -> String {
    format!("tag/cloud/{}/in", alias(signal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_and_bytes_are_counted_alike_over_the_end_of_the_list() {
        let workload = Workload::new();
        for messages in [0, 1, 2, 6_399, 6_400, 6_401, 12_800, 1_000_000] {
            let bytes = workload.bytes_of(messages);
            assert_eq!(workload.messages_in(bytes), messages);
            assert_eq!(workload.messages_in(bytes + 1), messages);
        }
    }

    #[test]
    fn no_signal_says_the_same_twice_in_a_row_not_even_where_the_list_begins_again() {
        let workload = Workload::new();
        for number in 0..workload.len() as u64 {
            let [one, next] = [number, number + SIGNALS as u64].map(|n| workload.expected(n));
            assert_eq!(one.topic, next.topic);
            let value = |expected: &Expected| {
                expected
                    .payload
                    .split(|byte| *byte == b',')
                    .next()
                    .map(<[u8]>::to_vec)
            };
            assert_ne!(value(one), value(next));
        }
    }
}
