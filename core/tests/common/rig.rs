//! The bridge, its servers and the clock together. After every poll the rules hold that hold always: the counters add
//! up, and the bridge asks to be called again at once only if something moved.

use mqtt_client_core::bridge::assembly::{Block, BrokerSizes, FeedSizes};
use mqtt_client_core::bridge::spooling::Spool;
use mqtt_client_core::bridge::{self, Bridge, Feed};
use mqtt_client_core::config::{
    Abilities, Config, Device, Severity, Signal, Storage, measure, parse,
};
use mqtt_client_core::counters::Counters;
use mqtt_client_core::index::Index;
use mqtt_client_core::redis::session::MIN_INPUT;
use mqtt_client_core::routes::{LastSample, Routes};
use mqtt_client_core::spool::{BLOCK, Buffers, Log, NAMES};
use mqtt_client_core::time::Instant;

use super::broker::Broker;
use super::disk::Disk;
use super::network::{Clock, Event, Line};
use super::redis::{Redis, message};

/// A bridge at work; see the module's page.
pub struct Rig<'b, 'a> {
    pub bridge: Bridge<'b, 'a, Line>,
    pub redis: RedisEnd,
    /// In the order of the enabled devices.
    pub brokers: Vec<BrokerEnd>,
    disks: Vec<Disk>,
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

/// Milliseconds.
pub const FLUSH_INTERVAL: u64 = 10_000;

/// The system clock at time 0, in seconds.
const STARTED: u64 = 1_708_000_000;

/// Polls in a row without any wait, of which each moved something: more than any burst of these tests needs.
const LONGEST_BURST: usize = 100_000;

/// Sizes of these bridges: small, so that buffers are full now and then.
const FEED: FeedSizes = FeedSizes {
    input: 2 * MIN_INPUT,
    commands: 0,
};
const BROKER: BrokerSizes = BrokerSizes {
    outbox: 16 * 1024,
    in_flight: 0,
    input: 256,
    control: 0,
    transmit: 0,
};

/// Runs `script` with the bridge that this mapping table describes, at time 0 and not polled yet.
pub fn with_bridge(table: &str, script: impl FnOnce(&mut Rig<'_, '_>)) {
    with_spools(table, &[], script);
}

/// The same with a spool over each of these disks, for the devices in their order; samples wait for [`FLUSH_INTERVAL`] at most.
pub fn with_spools(table: &str, disks: &[Disk], script: impl FnOnce(&mut Rig<'_, '_>)) {
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
        // A password that goes out in the clear is warned of.
        let is_warning = finding.severity == Severity::Warning;
        assert!(is_warning, "{}", finding.in_file("table"));
    })
    .expect("a valid table");

    let clock = Clock::default();
    let mut slots = vec![0; Index::slots_for(config.signals.len())];
    let mut last = vec![LastSample::NOTHING; config.signals.len()];
    let routes = Routes::new(&config, &mut slots, &mut last).expect("room");

    let feed_sizes = FeedSizes::of(&config, FEED);
    let broker_sizes = config.devices.iter().map(|device| {
        let mut sizes = BrokerSizes::of(device, BROKER);
        sizes.control += 256;
        sizes
    });
    let bytes = feed_sizes.bytes()
        + broker_sizes
            .clone()
            .map(|sizes| sizes.bytes())
            .sum::<usize>();
    let mut memory = vec![0; bytes];
    let mut memory = Block::new(&mut memory);

    let redis_line = Line::new(clock.clone());
    let storage = feed_sizes.take(&mut memory).expect("room");
    let feed = Feed::new(&config, RANDOM, storage, redis_line.clone());
    let (shared, mut disks) = (disks.to_vec(), disks.to_vec());
    let mut buffers: Vec<_> = disks.iter().map(|_| SpoolMemory::new()).collect();
    let mut spools = (disks.iter_mut().zip(&mut buffers).zip(config.devices))
        .map(|((disk, memory), device)| memory.spool(device, disk));
    let mut brokers = Vec::new();
    let mut ends = Vec::new();
    for (device, sizes) in config.devices.iter().zip(broker_sizes) {
        let line = Line::new(clock.clone());
        ends.push(BrokerEnd {
            line: line.clone(),
            server: Broker::new(),
        });
        let storage = sizes.take(&mut memory).expect("room");
        let digits = 0x00c0_ffee;
        let broker = bridge::Broker::new(&config, device, digits, RANDOM, storage, line);
        brokers.push(match spools.next() {
            Some(spool) => broker.with_spool(spool),
            None => broker,
        });
    }
    script(&mut Rig {
        bridge: Bridge::new(&config, routes, feed, &mut brokers),
        redis: RedisEnd {
            line: redis_line,
            server: Redis::new(),
            connection: 0,
        },
        brokers: ends,
        disks: shared,
        clock,
    });
}

/// Memory of a spool.
struct SpoolMemory {
    blocks: Vec<[u8; BLOCK]>,
    window: [u8; BLOCK],
    places: [u32; NAMES],
    names: [u32; NAMES],
}

impl SpoolMemory {
    fn new() -> Self {
        SpoolMemory {
            blocks: vec![[0; BLOCK]; 2],
            window: [0; BLOCK],
            places: [0; NAMES],
            names: [0; NAMES],
        }
    }

    fn spool<'m>(&'m mut self, device: &'m Device<'m>, disk: &'m mut Disk) -> Spool<'m> {
        let log = Log::new(Buffers {
            blocks: &mut self.blocks,
            window: &mut self.window,
            places: &mut self.places,
            names: &mut self.names,
        });
        Spool::new(device, log, disk, FLUSH_INTERVAL, STARTED)
    }
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
            if self.moves() != before || self.disks.iter().any(Disk::is_busy) {
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
        // What comes back from a spool moves too.
        let spools = self.bridge.brokers().iter();
        let spooled = spools.filter_map(|broker| Some(broker.spool()?.spooled()));
        brokers + self.redis.line.moves() + (spooled.sum::<u64>() << 32)
    }

    fn serve(&mut self) {
        self.redis.serve();
        self.brokers.iter_mut().for_each(BrokerEnd::serve);
    }

    fn check_counters(&self) {
        for (device, counters) in self.bridge.counters() {
            let spooled = counters.spool.map_or(0, |spool| spool.spooled);
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
                rejected + suppressed + queued + sent + dropped + spooled,
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
