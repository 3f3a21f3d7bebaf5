//! What goes on when the configuration changes: connections and buffers of devices that stay as they are, samples of
//! devices that change, and what the signals last said.

use mqtt_client_core::bridge::{Broker, broker, feed};
use mqtt_client_core::config::{Config, Device, Signal};
use mqtt_client_core::index::{self, Index};
use mqtt_client_core::mqtt::packet::Publish;
use mqtt_client_core::mqtt::session::{self, Session};
use mqtt_client_core::outbox::{self, Message};
use mqtt_client_core::redis;
use mqtt_client_core::routes::LastSample;

use crate::configuration::enabled;
use crate::net::{Stack, Transport};

/// `buffer_size` where the configuration does not say: 1 MiB.
const DEFAULT_BUFFER: usize = 1024 * 1024;

/// Bytes of a broker's input, and of its control output: 1,024 acknowledgements.
const ACKNOWLEDGEMENTS: usize = 4 * 1024;

/// Bytes of the input from Redis: what one read takes at most. Some 200 messages, among which the cost of a read is lost.
const REDIS_INPUT: usize = 16 * 1024;

/// Bytes of commands to Redis: some hundred channels in one SUBSCRIBE.
const REDIS_COMMANDS: usize = 4 * 1024;

/// A connection and its session, between two bridges.
pub type SuspendedBroker = Box<broker::Suspended<Stack>>;
pub type SuspendedFeed = feed::Suspended<Stack>;

/// Memory of the session with Redis.
pub struct FeedBuffers {
    input: Vec<u8>,
    commands: Vec<u8>,
}

/// Memory of the session with one broker. Its pages cost nothing until they are used.
pub struct BrokerBuffers {
    input: Vec<u8>,
    control: Vec<u8>,
    outbox: Vec<u8>,
    records: Vec<u64>,
}

/// What the next bridge takes over from the last.
pub struct Carried {
    pub feed: Option<(FeedBuffers, SuspendedFeed)>,
    /// One for each enabled device of the new configuration.
    pub brokers: Vec<CarriedBroker>,
    /// One for each signal of the new configuration, or none at the start.
    pub last: Vec<LastSample>,
    /// Old number of a signal to new number.
    pub numbers: Vec<Option<u32>>,
    /// Channels that are not configured any more.
    pub left: Vec<String>,
}

/// What there is already for an enabled device of the new configuration, and what carries its bytes.
pub enum CarriedBroker {
    New(Transport),
    /// The device has not changed.
    Whole(BrokerBuffers, SuspendedBroker),
    /// It has, but its session with the broker goes on over a new connection: at QoS 2 nothing arrives twice.
    Session(Transport, BrokerBuffers, SuspendedBroker),
    /// It has changed in more than that: these samples, with their old signal numbers, have not been confirmed.
    Samples(Transport, Vec<(u32, Vec<u8>)>),
}

/// How a new configuration follows from the old one.
pub struct Plan {
    same_redis: bool,
    devices: Vec<(Origin, Transport)>,
    numbers: Vec<Option<u32>>,
    /// Old numbers of signals that are the same in every respect.
    unchanged: Vec<bool>,
    left: Vec<String>,
    signals: usize,
}

/// Where an enabled device of the new configuration comes from; numbers count the old brokers.
enum Origin {
    New,
    Same(usize),
    SameSession(usize),
    Changed { samples: Vec<(u32, Vec<u8>)> },
}

impl Carried {
    /// What a start has, with the transports of the enabled devices.
    pub fn nothing(transports: Vec<Transport>) -> Self {
        Carried {
            feed: None,
            brokers: transports.into_iter().map(CarriedBroker::New).collect(),
            last: Vec::new(),
            numbers: Vec::new(),
            left: Vec::new(),
        }
    }
}

impl FeedBuffers {
    pub fn new(config: &Config<'_>) -> Self {
        let commands = redis::session::Session::commands_len(&config.redis).max(REDIS_COMMANDS);
        FeedBuffers {
            input: vec![0; REDIS_INPUT],
            commands: vec![0; commands],
        }
    }

    pub fn storage(&mut self) -> redis::session::Storage<'_> {
        redis::session::Storage {
            input: &mut self.input,
            commands: &mut self.commands,
        }
    }
}

impl BrokerBuffers {
    pub fn new(device: &Device<'_>) -> Self {
        let buffer_size = device
            .buffer_size
            .map_or(DEFAULT_BUFFER, |bytes| bytes as usize);
        let (outbox, records) = outbox::divide(buffer_size);
        BrokerBuffers {
            input: vec![0; ACKNOWLEDGEMENTS],
            control: vec![0; Session::control_len(device).max(ACKNOWLEDGEMENTS)],
            outbox: vec![0; outbox],
            records: vec![0; records],
        }
    }

    /// The same outbox, with room for what this device's CONNECT needs.
    pub fn fit(mut self, device: &Device<'_>) -> Self {
        let needed = Session::control_len(device);
        if self.control.len() < needed {
            self.control.resize(needed, 0);
        }
        self
    }

    pub fn storage(&mut self) -> session::Storage<'_> {
        session::Storage {
            input: &mut self.input,
            control: &mut self.control,
            outbox: &mut self.outbox,
            records: &mut self.records,
        }
    }
}

impl Plan {
    /// Compares the configurations. The brokers are those of `old`, the transports those of `new`'s enabled devices.
    pub fn new(
        old: &Config<'_>,
        new: &Config<'_>,
        transports: Vec<Transport>,
        brokers: &[Broker<'_, Stack>],
    ) -> Plan {
        let devices = (enabled(new.devices).zip(transports))
            .map(|(device, transport)| (Origin::of(device, &transport, brokers), transport))
            .collect::<Vec<_>>();
        let mut origins = devices.iter();
        let kept_devices = (new.devices.iter())
            .map(|device| {
                device.enable
                    && matches!(
                        origins.next(),
                        Some((Origin::Same(_) | Origin::SameSession(_), _))
                    )
            })
            .collect::<Vec<_>>();
        let numbers = numbers(old, new);
        let unchanged = (old.signals.iter().zip(&numbers))
            .map(|(signal, number)| {
                number
                    .and_then(|number| new.signals.get(number as usize))
                    .is_some_and(|new_signal| is_unchanged(signal, new_signal, &kept_devices))
            })
            .collect();
        let left = (old.signals.iter().zip(&numbers))
            .filter(|(signal, number)| {
                let signal_now = number.and_then(|number| new.signals.get(number as usize));
                is_subscribed(old, signal)
                    && !signal_now.is_some_and(|signal| is_subscribed(new, signal))
            })
            .map(|(signal, _)| channel(old, signal).concat())
            .collect();
        Plan {
            same_redis: old.redis == new.redis,
            devices,
            numbers,
            unchanged,
            left,
            signals: new.signals.len(),
        }
    }

    /// Whether the old broker of this number goes on with its connection.
    pub fn keeps(&self, broker: usize) -> bool {
        self.devices
            .iter()
            .any(|(origin, _)| matches!(origin, Origin::Same(old) if *old == broker))
    }

    /// Picks what goes on out of what the old bridge left.
    pub fn carry(
        self,
        feed: Option<(FeedBuffers, SuspendedFeed)>,
        brokers: Vec<(BrokerBuffers, SuspendedBroker)>,
        last: &[LastSample],
    ) -> Carried {
        let mut new_last = vec![LastSample::NOTHING; self.signals];
        for ((last, number), unchanged) in last.iter().zip(&self.numbers).zip(&self.unchanged) {
            if let Some(slot) = number.and_then(|number| new_last.get_mut(number as usize))
                && *unchanged
            {
                *slot = *last;
            }
        }
        let mut brokers = brokers.into_iter().map(Some).collect::<Vec<_>>();
        let mut take = |old| brokers.get_mut(old).and_then(Option::take);
        let brokers = (self.devices.into_iter())
            .map(|(origin, transport)| match origin {
                Origin::New => CarriedBroker::New(transport),
                Origin::Changed { samples } => CarriedBroker::Samples(transport, samples),
                Origin::Same(old) => match take(old) {
                    Some((buffers, suspended)) => CarriedBroker::Whole(buffers, suspended),
                    None => CarriedBroker::New(transport),
                },
                Origin::SameSession(old) => match take(old) {
                    Some((buffers, suspended)) => {
                        CarriedBroker::Session(transport, buffers, suspended)
                    }
                    None => CarriedBroker::New(transport),
                },
            })
            .collect();
        Carried {
            feed: feed.filter(|_| self.same_redis),
            brokers,
            last: new_last,
            numbers: self.numbers,
            left: self.left,
        }
    }
}

impl Origin {
    fn of(device: &Device<'_>, transport: &Transport, brokers: &[Broker<'_, Stack>]) -> Self {
        let Some((number, broker)) = brokers
            .iter()
            .enumerate()
            .find(|(_, broker)| broker.device().alias == device.alias)
        else {
            return Origin::New;
        };
        // The row's place in its file does not count.
        let at_same_place = Device {
            row: broker.device().row,
            ..*device
        };
        if *broker.device() == at_same_place && broker.net().transport() == transport {
            return Origin::Same(number);
        }
        if is_same_session(broker.device(), device) {
            return Origin::SameSession(number);
        }
        let mut samples = Vec::new();
        broker
            .session()
            .outbox()
            .for_each_unconfirmed(|signal, packet| samples.push((signal, packet.to_vec())));
        Origin::Changed { samples }
    }
}

/// Queues samples of a device's earlier settings for its new ones.
pub fn queue_again(
    broker: &mut Broker<'_, Stack>,
    samples: &[(u32, Vec<u8>)],
    numbers: &[Option<u32>],
) {
    for (signal, packet) in samples {
        let Some(publish) = Publish::decode(packet) else {
            continue;
        };
        let signal = numbers
            .get(*signal as usize)
            .copied()
            .flatten()
            .unwrap_or(outbox::NO_SIGNAL);
        let message = Message {
            signal,
            topic: publish.topic,
            payload: [publish.payload, b"", b"", b""],
        };
        broker.session_mut().counters_mut().received += 1;
        let mut dropped = 0;
        // A signal's memory was not carried over, so none has to be cleared.
        if broker
            .session_mut()
            .queue(&message, |_| dropped += 1)
            .is_err()
        {
            dropped += 1;
        }
        broker.session_mut().count_dropped(dropped);
    }
}

/// For each old signal the number of the new one on the same channel.
fn numbers(old: &Config<'_>, new: &Config<'_>) -> Vec<Option<u32>> {
    let mut slots = vec![0; Index::slots_for(new.signals.len())];
    let mut by_channel = Index::new(&mut slots);
    for (number, signal) in (0..).zip(new.signals) {
        // The slots suffice by construction.
        let _ = by_channel.insert(hash(channel(new, signal)), number);
    }
    (old.signals.iter())
        .map(|signal| {
            let wanted = channel(old, signal);
            by_channel.lookup(hash(wanted), |number| {
                new.signals
                    .get(number as usize)
                    .is_some_and(|signal| channel(new, signal) == wanted)
            })
        })
        .collect()
}

fn hash(pieces: [&str; 5]) -> u32 {
    index::hash(&pieces.map(str::as_bytes))
}

fn channel<'a>(config: &Config<'a>, signal: &Signal<'a>) -> [&'a str; 5] {
    let alias = config
        .devices
        .get(usize::from(signal.device))
        .map_or("", |device| device.alias);
    signal.channel_pieces(alias)
}

fn is_subscribed(config: &Config<'_>, signal: &Signal<'_>) -> bool {
    signal.enable
        && config
            .devices
            .get(usize::from(signal.device))
            .is_some_and(|device| device.enable)
}

/// Whether the broker knows both devices, of the same alias, as one client, and the outbox can go on as it is.
fn is_same_session(old: &Device<'_>, new: &Device<'_>) -> bool {
    let client = |device: &Device<'_>| (device.version, device.qos);
    let outbox = |device: &Device<'_>| (device.retain, device.buffer_size);
    (old.host, old.port, old.client_id) == (new.host, new.port, new.client_id)
        && client(old) == client(new)
        && outbox(old) == outbox(new)
}

/// Whether a sample of this signal goes the same way as before. `kept_devices` has an entry for each new device.
fn is_unchanged(old: &Signal<'_>, new: &Signal<'_>, kept_devices: &[bool]) -> bool {
    // The row's place in its file does not count.
    let at_same_place = Signal {
        device: old.device,
        ..*new
    };
    *old == at_same_place && kept_devices.get(usize::from(new.device)) == Some(&true)
}
