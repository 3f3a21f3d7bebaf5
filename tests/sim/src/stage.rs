//! The real bridge on its stage: configuration, memory and parts, made and taken over as the daemon does it (`port-linux`: `daemon`,
//! `reload`).

use mqtt_client_core::bridge::assembly::{Block, BrokerSizes, FeedSizes};
use mqtt_client_core::bridge::{Bridge, Broker, Feed, broker, feed};
use mqtt_client_core::config::{
    Abilities, Config, Device, Severity, Signal, Storage, measure, parse,
};
use mqtt_client_core::index::Index;
use mqtt_client_core::observer::Observer;
use mqtt_client_core::outbox::NewSignal;
use mqtt_client_core::routes::{LastSample, Routes};
use mqtt_client_core::time::Instant;

use crate::line::Line;
use crate::world::{Edition, World};

/// What goes on from one edition of the configuration to the next.
pub struct Carried {
    edition: Edition,
    feed: Option<(FeedMemory, feed::Suspended<Line>)>,
    brokers: Vec<(Memory, broker::Suspended<Line>)>,
    last: Vec<LastSample>,
    /// Channels of the old edition, by number.
    channels: Vec<String>,
    /// Channels that the server has not been told to leave yet.
    left: Vec<String>,
}

struct FeedMemory {
    sizes: FeedSizes,
    bytes: Vec<u8>,
}

struct Memory {
    sizes: BrokerSizes,
    bytes: Vec<u8>,
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
    lines: &[Line],
    script: &mut impl Script,
) -> Option<(Edition, Option<Carried>)> {
    let table = world.table(edition);
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

    let channels = channels(&config);
    let mut slots = vec![0; Index::slots_for(config.signals.len())];
    let mut last = vec![LastSample::NOTHING; config.signals.len()];
    let mut numbers = Vec::new();
    let mut left = Vec::new();
    let mut suspended_feed = None;
    let mut suspended_brokers = Vec::new();
    let mut same_connections = true;
    if let Some(carried) = carried {
        for (old, channel) in carried.channels.iter().enumerate() {
            let new = channels.iter().position(|new| new == channel);
            match new {
                Some(new) => last[new] = carried.last[old],
                None => left.push(channel.clone()),
            }
            numbers.push(new);
        }
        let unfinished = carried.left.into_iter();
        left.extend(unfinished.filter(|channel| !channels.contains(channel)));
        suspended_feed = carried.feed;
        suspended_brokers = carried.brokers;
        same_connections = carried.edition.keep_alive == edition.keep_alive;
    }

    let (mut feed_memory, suspended_feed) = match suspended_feed {
        Some((memory, suspended)) => (memory, Some(suspended)),
        None => (FeedMemory::new(world, &config), None),
    };
    let mut block = Block::new(&mut feed_memory.bytes);
    let storage = feed_memory.sizes.take(&mut block).expect("room");
    let left = left.iter().map(String::as_str).collect::<Vec<_>>();
    let feed = match suspended_feed {
        Some(suspended) => Feed::resume(&config, storage, suspended, &left),
        None => Feed::new(&config, script.random(), storage, redis_line.clone()),
    };

    let (mut memories, suspended): (Vec<_>, Vec<_>) = if suspended_brokers.is_empty() {
        let devices = world.devices.iter().zip(config.devices);
        devices
            .map(|(world, device)| (Memory::new(world, device), None))
            .unzip()
    } else {
        let brokers = suspended_brokers.into_iter();
        brokers
            .map(|(memory, suspended)| (memory, Some(suspended)))
            .unzip()
    };
    let mut brokers = Vec::new();
    for (number, (memory, suspended)) in memories.iter_mut().zip(suspended).enumerate() {
        let line = lines[number].clone();
        let (device, digits) = (&config.devices[number], 0x00c0_ffee);
        let sizes = memory.sizes;
        let storage = sizes.take(&mut memory.block()).expect("room");
        let broker = match suspended {
            None => Broker::new(&config, device, digits, script.random(), storage, line),
            Some(suspended) => {
                let suspended = if same_connections {
                    suspended
                } else {
                    suspended.over(line)
                };
                let mut broker = Broker::resume(&config, device, digits, storage, suspended);
                let renumber = |old: u32| {
                    let number = numbers[old as usize]? as u32;
                    Some(NewSignal {
                        number,
                        has_moved: false,
                    })
                };
                broker.session_mut().renumber(renumber);
                broker
            }
        };
        brokers.push(broker);
    }

    let routes = Routes::new(&config, &mut slots, &mut last).expect("room");
    let mut bridge = Bridge::new(&config, routes, feed, &mut brokers);
    let turn = script.watch(&mut bridge);
    let (_, feed) = bridge.into_parts();
    let (next, now) = match turn {
        Turn::Over => return None,
        Turn::Killed => return Some((edition, None)),
        Turn::Reload(next, now) => (next, now),
    };
    let still_to_leave = feed.session().still_to_leave();
    let left = still_to_leave.iter().map(ToString::to_string).collect();
    let suspended_feed = feed.suspend();
    let keeps = next.keep_alive == edition.keep_alive;
    if !keeps {
        let mut observer = script.observer();
        brokers
            .iter_mut()
            .for_each(|broker| broker.leave(now, &mut observer));
    }
    let suspended: Vec<_> = brokers.into_iter().map(Broker::suspend).collect();
    let carried = Carried {
        edition,
        feed: suspended_feed.map(|suspended| (feed_memory, suspended)),
        brokers: memories.into_iter().zip(suspended).collect(),
        last,
        channels,
        left,
    };
    Some((next, Some(carried)))
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

fn channels(config: &Config<'_>) -> Vec<String> {
    let signals = config.signals.iter();
    signals
        .map(|signal| {
            let alias = config.devices[usize::from(signal.device)].alias;
            signal.channel_pieces(alias).concat()
        })
        .collect()
}
