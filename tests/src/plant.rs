//! A small solar plant that is not there: measurements that drift, repeat, go bad, and now and then make no sense.

use fastrand::Rng;

use crate::Config;
use crate::config::{channel, cloud};

/// What a bridge has to do with a sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// To send this to this topic.
    Forwarded { topic: String, message: String },
    /// To hold it back: value and quality are those of the last one.
    Unchanged,
    /// To throw it away, for this reason.
    Rejected(&'static str),
}

/// One message of a protocol handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The Redis channel.
    pub channel: String,
    /// The message.
    pub message: String,
    /// What has to become of it.
    pub fate: Fate,
}

/// The plant: it says one thing at a time.
pub struct Plant {
    rng: Rng,
    tags: Vec<Tag>,
    turn: usize,
}

struct Tag {
    signal: &'static str,
    topic: Option<&'static str>,
    value: f64,
    /// How far the value drifts at most from one sample to the next.
    drift: f64,
    decimals: usize,
    /// How often, of 100 times, the value stays as it is.
    steady: u32,
    /// The flag that it has when it has one.
    flag: &'static str,
    last: Option<(String, u8)>,
}

/// What a broken handler might publish as a value, and why it cannot be forwarded.
const NONSENSE: [(&str, &str); 5] = [
    ("offline", "not a number"),
    ("", "no value"),
    ("inf", "not finite"),
    ("1 2", "not a number"),
    ("0x1F", "not a number"),
];

impl Plant {
    /// The plant as it is before the first sample.
    #[must_use]
    pub fn new(rng: Rng) -> Self {
        let tag = |signal, topic, value, drift, decimals, steady, flag| Tag {
            signal,
            topic,
            value,
            drift,
            decimals,
            steady,
            flag,
            last: None,
        };
        let tags = vec![
            tag("inv1p", Some("site/inv1/power"), 48.2, 0.9, 3, 10, "OV"),
            tag("inv2p", Some("site/inv2/power"), 47.6, 0.9, 3, 10, "IV"),
            tag("u1", Some("site/meter/u1"), 230.4, 0.4, 1, 20, "IV"),
            tag("u2", Some("site/meter/u2"), 229.8, 0.4, 1, 20, "IV"),
            tag("f", Some("site/meter/f"), 50.01, 0.01, 3, 5, "NT"),
            tag("irr", Some("site/irradiance"), 812.0, 9.0, 0, 10, "NT"),
            tag("brk", None, 1.0, 0.0, 0, 90, "NT"),
        ];
        Self { rng, tags, turn: 0 }
    }

    /// The mapping table for the bridge.
    #[must_use]
    pub fn config(&self) -> Config {
        self.tags.iter().fold(cloud(), |config, tag| {
            let config = config.signal(tag.signal);
            match tag.topic {
                Some(topic) => config.with("topic", topic),
                None => config,
            }
        })
    }

    /// The next sample, at `time` (Unix, in milliseconds).
    pub fn sample(&mut self, time: u64) -> Sample {
        let turn = self.turn % self.tags.len();
        self.turn += 1;
        let tag = &mut self.tags[turn];
        let channel = channel(tag.signal);
        if self.rng.u32(..100) < 8 {
            let (value, reason) = NONSENSE[self.rng.usize(..NONSENSE.len())];
            return Sample {
                channel,
                message: format!("{value},{time},"),
                fate: Fate::Rejected(reason),
            };
        }
        tag.go_on(&mut self.rng);
        let text = tag.text(&mut self.rng);
        let flag = if self.rng.u32(..100) < 12 {
            tag.flag
        } else {
            ""
        };
        let quality = u8::from(flag.is_empty());
        let message = format!("{text},{time},{quality}");
        let state = Some((text.clone(), quality));
        let fate = if tag.last == state {
            Fate::Unchanged
        } else {
            let topic = tag.topic.map_or_else(|| channel.clone(), String::from);
            Fate::Forwarded { topic, message }
        };
        tag.last = state;
        Sample {
            channel,
            message: format!("{text},{time},{flag}"),
            fate,
        }
    }
}

impl Tag {
    fn go_on(&mut self, rng: &mut Rng) {
        if rng.u32(..100) < self.steady {
            return;
        }
        if self.drift > 0.0 {
            self.value += self.drift * (rng.f64() * 2.0 - 1.0);
        } else {
            // A position, open or closed.
            self.value = 1.0 - self.value;
        }
    }

    fn text(&self, rng: &mut Rng) -> String {
        if self.drift > 0.0 && rng.u32(..100) < 3 {
            // The sensor does not answer.
            return String::from("nan");
        }
        format!("{:.*}", self.decimals, self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fate_comes_about_and_a_message_differs_from_the_one_before_it_unless_it_is_unchanged()
    {
        let mut plant = Plant::new(Rng::with_seed(1));
        let mut last = std::collections::HashMap::new();
        let (mut forwarded, mut unchanged, mut rejected) = (0, 0, 0);
        for time in 0..1000 {
            let sample = plant.sample(time);
            match sample.fate {
                Fate::Forwarded { message, .. } => {
                    forwarded += 1;
                    let state = message.replace(&format!(",{time},"), " ");
                    let before = last.insert(sample.channel, state.clone());
                    assert_ne!(before, Some(state));
                }
                Fate::Unchanged => unchanged += 1,
                Fate::Rejected(_) => rejected += 1,
            }
        }
        assert!(forwarded > 500 && unchanged > 50 && rejected > 30);
    }
}
