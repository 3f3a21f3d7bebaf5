//! What must become of a bridge once everything works again.

use std::collections::BTreeSet;

use mqtt_client_core::bridge::STOP_WITHIN;
use mqtt_client_core::time::Instant;

use super::Case;
use super::rig::{Rig, SIGNALS};
use crate::model::broker::Greeting;
use crate::model::network::{Door, Names};
use crate::model::packet::Publish;

impl Rig<'_, '_> {
    /// Everything works again.
    pub fn mend(&mut self, case: &Case<'_>) {
        for line in &self.lines {
            line.set_door(Door::Open);
            line.set_names(Names::Known);
            line.set_piece(usize::MAX);
            line.set_window(usize::MAX);
        }
        self.redis.answers = true;
        for end in &mut self.ends {
            end.server.greeting = Greeting::Welcome;
            end.server.answers_pings = true;
            end.server.acknowledges = true;
        }
        // Longer than any backoff and any wait for a dead link, one after the other: 256 s for a broker that has acknowledged nothing, and 90 s.
        self.run_until(self.clock.get() + 400_000);
        if self.redis_lied {
            // Half a frame may be what it waits for: a new connection is a new beginning.
            self.lines[0].cut();
            self.run_until(self.clock.get() + 60_000);
        }
        for (signal, channel) in SIGNALS.into_iter().enumerate() {
            let before = self.ends[signal / 2].server.delivered.len();
            // Two of different values: one may happen to be what a lie said last, and so no news.
            for digit in [1, 2] {
                self.samples += 1;
                let payload = format!("{digit}e{},{},", self.samples, self.samples);
                self.publish(signal, payload.as_bytes());
                self.run_until(self.clock.get() + 1000);
            }
            let new = &self.ends[signal / 2].server.delivered[before..];
            let fewest = if self.redis_lied { 1 } else { 2 };
            assert!(
                (fewest..=2).contains(&new.len()),
                "a mended bridge delivers: {new:?}"
            );
            assert!(
                new.iter().all(|publish| publish.topic == channel),
                "{new:?}"
            );
        }
        for (number, end) in self.ends.iter().enumerate() {
            let counters = self.bridge.brokers()[number].counters();
            assert_eq!(counters.queued, 0, "{counters}");
            let qos = case.devices[number].qos % 3;
            if qos > 0 {
                assert_eq!(counters.acknowledged, counters.sent, "{counters}");
            }
            if !(end.lied || self.redis_lied) {
                check_delivered(&end.server.delivered, qos, counters.sent);
            }
        }
        self.stop();
    }

    fn stop(&mut self) {
        let now = self.clock.get();
        let wills: Vec<_> = self.ends.iter().map(|end| end.server.wills_sent).collect();
        self.bridge.stop(Instant::from_millis(now));
        self.run_until(now + STOP_WITHIN);
        assert!(self.bridge.has_stopped());
        for (end, wills) in self.ends.iter().zip(wills) {
            assert_eq!(end.server.wills_sent, wills, "DISCONNECT was said");
        }
    }
}

/// Samples have rising timestamps, all over.
fn check_delivered(delivered: &[Publish], qos: u8, sent: u64) {
    let mut seen = BTreeSet::new();
    let mut first = Vec::new();
    for publish in delivered {
        let timestamp: u64 = publish
            .payload
            .split(',')
            .nth(1)
            .and_then(|text| text.parse().ok())
            .expect("a sample");
        if seen.insert(timestamp) {
            first.push(timestamp);
        }
    }
    assert!(first.is_sorted(), "out of order: {first:?}");
    if qos != 1 {
        assert_eq!(first.len(), delivered.len(), "twice: {delivered:?}");
    }
    let arrived = first.len() as u64;
    assert!(
        if qos == 0 {
            arrived <= sent
        } else {
            arrived == sent
        },
        "{arrived} of {sent}"
    );
}
