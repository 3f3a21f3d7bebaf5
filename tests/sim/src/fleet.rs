//! A fleet: thousands of bridges, each the real core with a model Redis of its own, lose the one broker that all of them have, which admits only so
//! many CONNECTs in a second, and takes only so many messages in a second from each. How long until all are back, and nothing waits?
//!
//! ```text
//! warm-up: all are connected | the broker is down | it is back: measured from here on, until every bridge is back and drained
//! ```
//!
//! All share one virtual clock of milliseconds. The network takes no time, and what happens in one millisecond happens in a random order.
//!
//! | module | question |
//! |---|---|
//! | `gateway` | one bridge, its memory and its network |
//! | `host` | the broker of all of them |
//! | [`page`] | what is told of it: a table and a picture |

mod gateway;
mod host;
pub mod page;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use fastrand::Rng;
use mqtt_client_core::config::Config;

use crate::stage::with_config;
use gateway::{Gateway, Memory, Network};
use host::Host;

/// The fleet's sizes, and what befalls it.
#[derive(Debug, Clone, Copy)]
pub struct Fleet {
    pub bridges: usize,
    /// CONNECTs that the broker admits in a second; it closes the others without a word.
    pub admits: usize,
    /// Messages that it takes in a second from each; what exceeds that it passes over in silence.
    pub throttle: usize,
    /// For how long it is down, in milliseconds.
    pub outage: u64,
    /// Whether the bridges' delays have their random part.
    pub has_jitter: bool,
    /// 0: no limit.
    pub max_rate: usize,
    pub seed: u64,
}

/// What came of it. Times are milliseconds since the broker is back.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// When the last bridge was back, and when nothing waited any more.
    pub all_back: Option<u64>,
    pub all_drained: Option<u64>,
    /// CONNECTs that the broker did not admit, and how many there were of one bridge at most.
    pub refused: usize,
    pub refused_most: usize,
    /// Messages that it passed over, and those that it took twice.
    pub passed_over: usize,
    pub taken_twice: usize,
    /// Messages that were dropped, and those that were lost in another way.
    pub dropped: u64,
    pub lost: u64,
    /// The most samples that ever waited in one bridge.
    pub worst_queue: usize,
    /// How many bridges were connected at the end of each second.
    pub connected: Vec<usize>,
}

/// Every bridge has a sample in so many milliseconds.
pub const SAMPLE_EVERY: u64 = 2000;

/// After so long a connection has held, and the bridges' delays start over.
const WARM_UP: u64 = 70_000;

/// A fleet that is not back after so long is given up.
pub const GIVEN_UP: u64 = 600_000;

impl Fleet {
    /// How long any fleet takes, in milliseconds: the broker admits one bridge after the other, and the last one sends what has waited.
    #[must_use]
    pub fn bound(&self) -> u64 {
        let admitting = self.bridges as u64 * 1000 / self.admits as u64;
        let waiting = (self.outage + admitting) / SAMPLE_EVERY;
        admitting + waiting * 1000 / self.throttle as u64
    }

    /// Lets it happen.
    #[must_use]
    pub fn run(&self) -> Outcome {
        with_config(&self.table(), |config| self.run_with(config))
    }

    fn table(&self) -> String {
        format!(
            r#"{{"devices": [{{"name": "g", "device_alias": "g", "enable": 1, "protocol": "MQTT", "ip": "broker", "auth": "none",
                 "mqtt_qos": 1, "enable_threshold": 0, "buffer_size": 16384, "max_rate": {}}}],
               "signals": [{{"signal_name": "s", "device_alias": "g", "signal_alias": "s", "source_device_alias": "s",
                 "source_signal_alias": "s"}}]}}"#,
            self.max_rate
        )
    }

    fn run_with(&self, config: &Config<'_>) -> Outcome {
        let mut rng = Rng::with_seed(self.seed);
        let networks: Vec<Network> = (0..self.bridges).map(|_| Network::default()).collect();
        let mut memories: Vec<Memory> = (0..self.bridges).map(|_| Memory::new(config)).collect();
        let mut parts: Vec<_> = (memories.iter_mut().zip(&networks))
            .map(|(memory, network)| {
                let random = if self.has_jitter { rng.u32(1..) } else { 0 };
                memory.parts(config, random, network)
            })
            .collect();
        let gateways = (parts.iter_mut().zip(&networks))
            .map(|(parts, network)| Gateway::new(config, parts, network.clone()))
            .collect();
        let mut life = Life {
            fleet: *self,
            host: Host::new(self),
            gateways,
            due: BinaryHeap::new(),
            rng,
            now: 0,
            is_back: vec![false; self.bridges],
            is_drained: vec![false; self.bridges],
            outcome: Outcome::default(),
        };
        life.run();
        life.outcome
    }
}

/// A fleet while it lives.
struct Life<'b, 'a> {
    fleet: Fleet,
    host: Host,
    gateways: Vec<Gateway<'b, 'a>>,
    /// When which bridge is to be called. One whose time has changed is in it twice.
    due: BinaryHeap<Reverse<(u64, usize)>>,
    rng: Rng,
    now: u64,
    is_back: Vec<bool>,
    is_drained: Vec<bool>,
    outcome: Outcome,
}

impl Life<'_, '_> {
    fn run(&mut self) {
        for number in 0..self.gateways.len() {
            self.call(number);
        }
        while self.now < WARM_UP {
            self.pass();
        }
        self.host.shut();
        for number in 0..self.gateways.len() {
            self.gateways[number].network.broker.cut();
            self.call(number);
        }
        while self.now < WARM_UP + self.fleet.outage {
            self.pass();
        }
        self.host.open();
        let back = self.now;
        while self.outcome.all_drained.is_none() && self.now < back + GIVEN_UP {
            self.pass();
            self.look(self.now - back);
        }
        self.conclude();
    }

    /// A millisecond passes.
    fn pass(&mut self) {
        self.now += 1;
        let mut called = Vec::new();
        let count = self.gateways.len() as u64;
        // Each has its own moment.
        let phase = self.now % SAMPLE_EVERY;
        let first = (phase * count).div_ceil(SAMPLE_EVERY);
        let end = ((phase + 1) * count).div_ceil(SAMPLE_EVERY);
        for number in first..end {
            self.gateways[number as usize].publish(self.now);
            called.push(number as usize);
        }
        while let Some(Reverse((at, number))) = self.due.peek().copied()
            && at <= self.now
        {
            self.due.pop();
            if self.gateways[number].wake_up == at {
                called.push(number);
            }
        }
        self.rng.shuffle(&mut called);
        for number in called {
            self.call(number);
        }
    }

    /// Lets a bridge and its servers talk until nobody has anything to say.
    fn call(&mut self, number: usize) {
        let gateway = &mut self.gateways[number];
        loop {
            let wake_up = gateway.poll(self.now);
            let network = &gateway.network;
            let stirred = self.host.serve(number, &network.broker, self.now);
            if !network.serve_redis() && !stirred && wake_up > self.now {
                break;
            }
        }
        if gateway.wake_up != u64::MAX {
            self.due.push(Reverse((gateway.wake_up, number)));
        }
        self.outcome.worst_queue = self.outcome.worst_queue.max(gateway.waiting());
        let is_back = self.host.has_let_in(number);
        self.is_back[number] = is_back;
        self.is_drained[number] = is_back && gateway.is_drained();
    }

    /// So much time has passed since the broker is back.
    fn look(&mut self, since: u64) {
        if since.is_multiple_of(1000) {
            let connected = self.is_back.iter().filter(|is_back| **is_back).count();
            self.outcome.connected.push(connected);
        }
        // It need not be known to the millisecond.
        if !since.is_multiple_of(10) {
            return;
        }
        let outcome = &mut self.outcome;
        if outcome.all_back.is_none() && self.is_back.iter().all(|is_back| *is_back) {
            outcome.all_back = Some(since);
        }
        if outcome.all_back.is_some() && self.is_drained.iter().all(|is_drained| *is_drained) {
            outcome.all_drained = Some(since);
        }
    }

    fn conclude(&mut self) {
        let Life { host, outcome, .. } = self;
        outcome.refused = host.refused().iter().sum();
        outcome.refused_most = host.refused().iter().copied().max().unwrap_or(0);
        outcome.passed_over = host.passed_over;
        outcome.taken_twice = host.taken_twice;
        for (number, gateway) in self.gateways.iter().enumerate() {
            let dropped = gateway.dropped();
            let known = dropped + gateway.waiting() as u64 + host.taken(number);
            outcome.dropped += dropped;
            // One that is taken may still wait for its acknowledgement.
            outcome.lost += gateway.published.saturating_sub(known);
        }
    }
}
