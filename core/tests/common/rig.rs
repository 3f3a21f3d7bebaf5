//! The bridge, its servers and the clock together. After every poll the rules hold that hold always: the counters add
//! up, and the bridge asks to be called again at once only if something moved.

use mqtt_client_core::bridge::{self, Bridge, Feed, Mismatched};
use mqtt_client_core::config::{Abilities, Config, Device, Signal, Storage, measure, parse};
use mqtt_client_core::counters::Counters;
use mqtt_client_core::index::Index;
use mqtt_client_core::mqtt::MAX_PUBLISH;
use mqtt_client_core::mqtt::session::{self as mqtt, Session};
use mqtt_client_core::outbox;
use mqtt_client_core::redis::session::{self as redis_session, MIN_INPUT};
use mqtt_client_core::routes::{LastSample, Routes};
use mqtt_client_core::time::Instant;

use super::broker::Broker;
use super::network::{Clock, Event, Line};
use super::redis::{Redis, message};

/// A bridge at work; see the module's page.
pub struct Rig<'b, 'a> {
    pub bridge: Bridge<'b, 'a, Line>,
    pub redis: RedisEnd,
    /// In the order of the enabled devices.
    pub brokers: Vec<BrokerEnd>,
    clock: Clock,
}

pub struct RedisEnd {
    pub line: Line,
    pub server: Redis,
    connection: u32,
}

pub struct BrokerEnd {
    pub line: Line,
    pub server: Broker,
}

/// Draws nothing but zeros: delays are not shortened, and packet identifiers begin at 1.
const RANDOM: u32 = 0;

/// Polls in a row without any wait, of which each moved something: more than any burst of these tests needs.
const LONGEST_BURST: usize = 100_000;

/// The memory of one broker.
struct Memory {
    input: Vec<u8>,
    control: Vec<u8>,
    outbox: Vec<u8>,
    transmit: Vec<u8>,
    handshakes: Vec<[u8; 2]>,
}

impl Memory {
    fn for_device(device: &Device<'_>) -> Self {
        Memory {
            input: vec![0; 256],
            control: vec![0; Session::control_len(device) + 256],
            outbox: vec![0; device.buffer_size.map_or(16 * 1024, |size| size as usize)],
            transmit: vec![0; MAX_PUBLISH],
            handshakes: vec![[0; 2]; outbox::in_flight_at_most(device.qos, device.max_inflight)],
        }
    }
}

/// Runs `script` with the bridge that this mapping table describes, at time 0 and not polled yet.
pub fn with_bridge(table: &str, script: impl FnOnce(&mut Rig<'_, '_>)) {
    with_brokers(
        table,
        |_| {},
        |rig| script(&mut rig.expect("a broker for each device")),
    );
}

/// The same, where `arrange` has changed the brokers before they became part of it.
pub fn with_brokers(
    table: &str,
    arrange: impl FnOnce(&mut Vec<bridge::Broker<'_, Line>>),
    script: impl FnOnce(Result<Rig<'_, '_>, Mismatched>),
) {
    let sizes = measure(table.as_bytes()).expect("JSON");
    let mut devices = vec![Device::default(); sizes.devices];
    let mut signals = vec![Signal::default(); sizes.signals];
    let storage = Storage {
        devices: &mut devices,
        signals: &mut signals,
        index: &mut vec![0; sizes.index],
        text: &mut vec![0; sizes.text],
    };
    let config: Config<'_> = parse(table.as_bytes(), storage, Abilities::ALL, &mut |finding| {
        panic!("{}", finding.in_file("table"));
    })
    .expect("a valid table");

    let clock = Clock::default();
    let mut slots = vec![0; Index::slots_for(config.signals.len())];
    let mut last = vec![LastSample::NOTHING; config.signals.len()];
    let routes = Routes::new(&config, &mut slots, &mut last).expect("room");
    let mut input = vec![0; 2 * MIN_INPUT];
    let mut commands = vec![0; redis_session::Session::commands_len(&config.redis)];
    let storage = redis_session::Storage {
        input: &mut input,
        commands: &mut commands,
    };
    let redis_line = Line::new(clock.clone());
    let feed = Feed::new(&config, RANDOM, storage, redis_line.clone());

    let enabled = (0..)
        .zip(config.devices)
        .filter(|(_, device)| device.enable);
    let mut memories: Vec<_> = enabled
        .clone()
        .map(|(_, device)| Memory::for_device(device))
        .collect();
    let lines: Vec<_> = memories.iter().map(|_| Line::new(clock.clone())).collect();
    let mut brokers = Vec::new();
    for (((number, _), memory), line) in enabled.zip(&mut memories).zip(&lines) {
        let storage = mqtt::Storage {
            input: &mut memory.input,
            control: &mut memory.control,
            outbox: &mut memory.outbox,
            transmit: &mut memory.transmit,
            handshakes: &mut memory.handshakes,
        };
        brokers.extend(bridge::Broker::new(
            &config,
            number,
            0x00c0_ffee,
            RANDOM,
            storage,
            line.clone(),
        ));
    }
    arrange(&mut brokers);
    let bridge = Bridge::new(&config, routes, feed, &mut brokers);
    script(bridge.map(|bridge| {
        Rig {
            bridge,
            redis: RedisEnd {
                line: redis_line,
                server: Redis::new(),
                connection: 0,
            },
            brokers: lines
                .into_iter()
                .map(|line| BrokerEnd {
                    line,
                    server: Broker::new(),
                })
                .collect(),
            clock,
        }
    }));
}

impl Rig<'_, '_> {
    pub fn now(&self) -> u64 {
        self.clock.get()
    }

    /// Lets everybody do all that can be done now, and then waits, as often as the bridge wants, until this time.
    pub fn run_until(&mut self, millis: u64) {
        loop {
            let wake_up = self.settle();
            if wake_up > millis {
                break;
            }
            self.clock.set(wake_up);
        }
        self.clock.set(millis);
    }

    /// Lets everybody do all that can be done now; when the bridge wants to be called again.
    pub fn settle(&mut self) -> u64 {
        let mut idle = 0;
        for _ in 0..LONGEST_BURST {
            let before = self.moves();
            self.serve();
            let now = self.now();
            let wake_up = self.poll();
            self.check_counters();
            self.serve();
            if self.moves() != before {
                continue;
            }
            if wake_up > now {
                return wake_up;
            }
            idle += 1;
            assert!(
                idle < 3,
                "the bridge asks to be called again at {wake_up}, at {now}, and does nothing"
            );
        }
        panic!("no rest at {}", self.now());
    }

    /// One poll of the bridge; the servers do nothing before the next step.
    pub fn poll(&mut self) -> u64 {
        self.bridge
            .poll(Instant::from_millis(self.now()), &mut ())
            .as_millis()
    }

    /// Turns the clock without a poll: the bridge is held up.
    pub fn oversleep(&mut self, millis: u64) {
        self.clock.set(self.now() + millis);
    }

    /// Somebody publishes on this channel at Redis, and everybody does all that can be done.
    pub fn publish(&mut self, channel: &str, payload: &str) {
        if self.redis.server.channels.contains(channel) {
            self.push(&message(channel, payload));
        }
        self.settle();
    }

    /// Redis says this.
    pub fn push(&mut self, bytes: &[u8]) {
        self.redis.line.server_write(self.redis.connection, bytes);
    }

    pub fn stop(&mut self) {
        self.bridge.stop(Instant::from_millis(self.now()));
    }

    pub fn counters(&self, broker: usize) -> Counters {
        self.bridge.brokers()[broker].counters()
    }

    /// What subscribers of this broker have got.
    pub fn delivered(&self, broker: usize) -> Vec<&str> {
        self.brokers[broker].server.payloads()
    }

    fn moves(&self) -> u64 {
        let brokers: u64 = self.brokers.iter().map(|end| end.line.moves()).sum();
        brokers + self.redis.line.moves()
    }

    fn serve(&mut self) {
        self.redis.serve();
        self.brokers.iter_mut().for_each(BrokerEnd::serve);
    }

    fn check_counters(&self) {
        for (device, counters) in self.bridge.counters() {
            let Counters {
                received,
                rejected,
                suppressed,
                queued,
                sent,
                acknowledged,
                dropped,
                ..
            } = counters;
            let context = format!("{} at {}: {counters}", device.alias, self.now());
            assert_eq!(
                received,
                rejected + suppressed + queued + sent + dropped,
                "{context}"
            );
            assert!(acknowledged <= sent, "{context}");
        }
    }
}

impl RedisEnd {
    fn serve(&mut self) {
        for event in self.line.events() {
            match event {
                Event::Opened(connection) => self.connection = connection,
                Event::Bytes(connection, bytes) => {
                    let answer = self.server.take(&bytes);
                    if !answer.is_empty() {
                        self.line.server_write(connection, &answer);
                    }
                }
                Event::Ended(_) => self.server.connection_ended(),
            }
        }
    }
}

impl BrokerEnd {
    fn serve(&mut self) {
        for event in self.line.events() {
            match event {
                Event::Opened(_) => {}
                Event::Bytes(connection, bytes) => {
                    let answer = self.server.take(&bytes);
                    if !answer.bytes.is_empty() {
                        self.line.server_write(connection, &answer.bytes);
                    }
                    if answer.closes {
                        self.line.server_close(connection);
                    }
                }
                Event::Ended(_) => self.server.connection_ended(),
            }
        }
    }
}
