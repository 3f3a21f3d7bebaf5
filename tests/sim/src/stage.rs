//! The real bridge on its stage: configuration, memory and parts, made as the daemon makes them, and taken over as the core decides.

use mqtt_client_core::bridge::assembly::{Block, BrokerSizes, FeedSizes};
use mqtt_client_core::bridge::reload::{Kept, Origin, Reload, Successor, carry_last};
use mqtt_client_core::bridge::spooling::{self, Spool};
use mqtt_client_core::bridge::{Bridge, Broker, Feed, broker, feed};
use mqtt_client_core::config::{
    Abilities, Config, Device, Severity, Signal, Storage, measure, parse,
};
use mqtt_client_core::index::Index;
use mqtt_client_core::observer::Observer;
use mqtt_client_core::routes::{LastSample, Routes};
use mqtt_client_core::spool::{BLOCK, Buffers, Log, NAMES};
use mqtt_client_core::time::Instant;

use crate::disk::Disk;
use crate::line::Line;
use crate::world::{self, Edition, World};

/// What goes on from one edition of the configuration to the next.
#[derive(Default)]
pub struct Carried {
    feed: Option<(FeedMemory, feed::Suspended<Line>)>,
    brokers: Vec<(Memory, Kept, broker::Suspended<Line>)>,
    spools: Vec<Option<(SpoolMemory, spooling::Suspended)>>,
    last: Vec<LastSample>,
    successors: Vec<Option<Successor>>,
    /// Channels to be left.
    left: Vec<String>,
}

/// The core's decision on what goes on in the next edition.
struct Plan {
    keeps_feed: bool,
    origins: Vec<Option<Origin>>,
    successors: Vec<Option<Successor>>,
    left: Vec<String>,
    signals: usize,
}

struct FeedMemory {
    sizes: FeedSizes,
    bytes: Vec<u8>,
}

struct Memory {
    sizes: BrokerSizes,
    bytes: Vec<u8>,
}

struct SpoolMemory {
    blocks: Vec<[u8; BLOCK]>,
    window: [u8; BLOCK],
    places: [u32; NAMES],
    names: [u32; NAMES],
}

/// The system's clock when the bridge's is 0, in seconds: it was set.
const STARTED: u64 = 1_700_000_000;

impl SpoolMemory {
    fn new(spool: &world::Spool) -> Self {
        SpoolMemory {
            blocks: vec![[0; BLOCK]; spool.blocks],
            window: [0; BLOCK],
            places: [0; NAMES],
            names: [0; NAMES],
        }
    }

    fn buffers(&mut self) -> Buffers<'_> {
        Buffers {
            blocks: &mut self.blocks,
            window: &mut self.window,
            places: &mut self.places,
            names: &mut self.names,
        }
    }
}

impl Memory {
    fn new(world: &crate::world::Device, device: &Device<'_>) -> Self {
        let wish = BrokerSizes {
            input: world.input,
            ..BrokerSizes::default()
        };
        let mut sizes = BrokerSizes::of(device, wish);
        sizes.control += world.control;
        Memory {
            sizes,
            bytes: vec![0; sizes.bytes()],
        }
    }

    fn block(&mut self) -> Block<'_> {
        Block::new(&mut self.bytes)
    }
}

/// What ends an edition.
pub enum Turn {
    Over,
    /// The next one; at this time by the bridge's clock.
    Reload(Edition, Instant),
    /// The process is killed. The next one has the same configuration, and knows of nothing.
    Killed,
}

/// Who watches a bridge, and says when an edition ends.
pub trait Script {
    fn watch(&mut self, bridge: &mut Bridge<'_, '_, Line>) -> Turn;
    /// The random number that a process begins with.
    fn random(&self) -> u32;
    /// Takes down what is said and heard while nobody watches.
    fn observer(&mut self) -> impl Observer;
}

/// Plays one edition with `script`; the next, if there is one, and what goes on in it, which is nothing if the process was killed.
pub fn play(
    world: &World,
    edition: Edition,
    carried: Option<Carried>,
    redis_line: &Line,
    ends: &[(Line, Option<Disk>)],
    script: &mut impl Script,
) -> Option<(Edition, Option<Carried>)> {
    with_config(&world.table(edition), |config| {
        live(world, config, edition, carried, redis_line, ends, script)
    })
}

pub fn with_config<T>(table: &str, then: impl FnOnce(&Config<'_>) -> T) -> T {
    let sizes = measure(table.as_bytes()).expect("JSON");
    let mut devices = vec![Device::default(); sizes.devices];
    let mut signals = vec![Signal::default(); sizes.signals];
    let (mut index, mut text) = (vec![0; sizes.index], vec![0; sizes.text]);
    let storage = Storage {
        devices: &mut devices,
        signals: &mut signals,
        index: &mut index,
        text: &mut text,
    };
    let config = parse(table.as_bytes(), storage, Abilities::ALL, &mut |finding| {
        // A window over 20 at QoS 2 is warned of.
        let is_warning = finding.severity == Severity::Warning;
        assert!(is_warning, "{}", finding.in_file("table"));
    })
    .expect("a valid table");

    then(&config)
}

/// One edition's life.
fn live(
    world: &World,
    config: &Config<'_>,
    edition: Edition,
    carried: Option<Carried>,
    redis_line: &Line,
    ends: &[(Line, Option<Disk>)],
    script: &mut impl Script,
) -> Option<(Edition, Option<Carried>)> {
    let Carried {
        feed: suspended_feed,
        brokers: suspended_brokers,
        spools: suspended_spools,
        mut last,
        successors,
        left,
    } = carried.unwrap_or_default();
    let mut slots = vec![0; Index::slots_for(config.signals.len())];
    last.resize(config.signals.len(), LastSample::NOTHING);

    let (mut feed_memory, suspended_feed) = match suspended_feed {
        Some((memory, suspended)) => (memory, Some(suspended)),
        None => (FeedMemory::new(world, config), None),
    };
    let mut block = Block::new(&mut feed_memory.bytes);
    let storage = feed_memory.sizes.take(&mut block).expect("room");
    let left = left.iter().map(String::as_str).collect::<Vec<_>>();
    let feed = match suspended_feed {
        Some(suspended) => Feed::resume(config, storage, suspended, &left),
        None => Feed::new(config, script.random(), storage, redis_line.clone()),
    };

    let (mut memories, suspended): (Vec<_>, Vec<_>) = if suspended_brokers.is_empty() {
        let devices = world.devices.iter().zip(config.devices);
        devices
            .map(|(world, device)| (Memory::new(world, device), None))
            .unzip()
    } else {
        let brokers = suspended_brokers.into_iter();
        brokers
            .map(|(memory, kept, suspended)| (memory, Some((kept, suspended))))
            .unzip()
    };
    let (mut spool_memories, mut suspended_spools): (Vec<_>, Vec<_>) =
        if suspended_spools.is_empty() {
            let devices = world.devices.iter();
            devices
                .map(|device| (device.spool.as_ref().map(SpoolMemory::new), None))
                .unzip()
        } else {
            suspended_spools.into_iter().map(Option::unzip).unzip()
        };
    let mut disks: Vec<_> = ends.iter().map(|(_, disk)| disk.clone()).collect();
    let spools = spool_memories
        .iter_mut()
        .zip(&mut suspended_spools)
        .zip(&mut disks);
    let mut spools = spools.zip(config.devices).zip(&world.devices).map(|of| {
        let ((((memory, suspended), disk), device), world) = of;
        let (memory, disk, interval) = (memory.as_mut()?, disk.as_mut()?, world.spool?.interval);
        Some(match suspended.take() {
            Some(suspended) => Spool::resume(device, memory.buffers(), disk, interval, suspended),
            None => Spool::new(device, Log::new(memory.buffers()), disk, interval, STARTED),
        })
    });
    let mut brokers = Vec::new();
    for (number, (memory, suspended)) in memories.iter_mut().zip(suspended).enumerate() {
        let line = ends[number].0.clone();
        let (device, digits) = (&config.devices[number], 0x00c0_ffee);
        let sizes = memory.sizes;
        let storage = sizes.take(&mut memory.block()).expect("room");
        let broker = match suspended {
            None => Broker::new(config, device, digits, script.random(), storage, line),
            Some((kept, suspended)) => {
                let suspended = match kept {
                    Kept::Connection => suspended,
                    Kept::Session => suspended.over(line),
                    Kept::Samples => unreachable!("no edition changes so much of a device"),
                };
                let mut broker = Broker::resume(config, device, digits, storage, suspended);
                let renumber = |old: u32| Some(successors[old as usize]?.signal);
                broker.session_mut().renumber(renumber);
                broker
            }
        };
        brokers.push(match spools.next().flatten() {
            Some(spool) => broker.with_spool(spool),
            None => broker,
        });
    }
    drop(spools);

    let routes = Routes::new(config, &mut slots, &mut last).expect("room");
    let mut bridge = Bridge::new(config, routes, feed, &mut brokers);
    let turn = script.watch(&mut bridge);
    let (_, feed) = bridge.into_parts();
    let (next, now) = match turn {
        Turn::Over => return None,
        Turn::Killed => return Some((edition, None)),
        Turn::Reload(next, now) => (next, now),
    };
    let unfinished = feed.session().still_to_leave();
    let plan = with_config(&world.table(next), |new| Plan::new(config, new, unfinished));
    let suspended_feed = feed.suspend();
    let mut observer = script.observer();
    // No edition has another device, or the devices in another order.
    let origins = plan
        .origins
        .iter()
        .map(|origin| origin.expect("an old device"));
    let suspended_spools: Vec<_> = (brokers.iter_mut())
        .map(|broker| broker.take_spool().map(Spool::suspend))
        .collect();
    let suspended: Vec<_> = (brokers.into_iter().zip(origins).enumerate())
        .map(|(number, (mut broker, Origin { device, kept }))| {
            assert_eq!(number, device);
            if kept != Kept::Connection {
                broker.leave(now, &mut observer);
            }
            (kept, broker.suspend())
        })
        .collect();
    let brokers = (memories.into_iter().zip(suspended))
        .map(|(memory, (kept, suspended))| (memory, kept, suspended))
        .collect();
    let spools = (spool_memories.into_iter().zip(suspended_spools))
        .map(|(memory, suspended)| memory.zip(suspended))
        .collect();
    let mut new_last = vec![LastSample::NOTHING; plan.signals];
    carry_last(&plan.successors, &last, &mut new_last);
    let feed = suspended_feed.filter(|_| plan.keeps_feed);
    let carried = Carried {
        feed: feed.map(|suspended| (feed_memory, suspended)),
        brokers,
        spools,
        last: new_last,
        successors: plan.successors,
        left: plan.left,
    };
    Some((next, Some(carried)))
}

impl Plan {
    fn new(old: &Config<'_>, new: &Config<'_>, unfinished: &[&str]) -> Self {
        let mut slots = vec![0; Index::slots_for(new.signals.len())];
        let reload = Reload::new(old, new, &mut slots);
        let devices = new.devices.iter();
        let origins: Vec<_> = devices
            .map(|device| reload.origin(device, |_| true))
            .collect();
        let successors = (0..old.signals.len())
            .map(|signal| reload.successor(signal, &origins))
            .collect();
        let mut left = Vec::new();
        reload.for_each_left(unfinished, |pieces| left.push(pieces.concat()));
        Plan {
            keeps_feed: reload.keeps_feed(),
            origins,
            successors,
            left,
            signals: new.signals.len(),
        }
    }
}

impl FeedMemory {
    fn new(world: &World, config: &Config<'_>) -> Self {
        let mut sizes = FeedSizes::of(config, FeedSizes::default());
        sizes.input += world.redis_input;
        sizes.commands += world.redis_commands;
        FeedMemory {
            sizes,
            bytes: vec![0; sizes.bytes()],
        }
    }
}
