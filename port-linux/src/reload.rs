//! What goes on when the configuration changes: connections and buffers of devices that stay as they are, samples of
//! devices that change, and what the signals last said.

use std::time::Duration;

use mqtt_client_core::bridge::{Broker, broker, feed};
use mqtt_client_core::config::{Config, Device, Signal};
use mqtt_client_core::counters::Counters;
use mqtt_client_core::index::{self, Index};
use mqtt_client_core::observer::Observer;
use mqtt_client_core::outbox::{NewSignal, Room};
use mqtt_client_core::routes::LastSample;
use mqtt_client_core::sample::{MAX_TEXT, Quality, Sample};
use mqtt_client_core::time::Instant;

use crate::logger;
use crate::memory::{BrokerBuffers, FeedBuffers};
use crate::net::{Stack, Transport};

/// A connection and its session, between two bridges.
pub type SuspendedBroker = Box<broker::Suspended<Stack>>;
pub type SuspendedFeed = feed::Suspended<Stack>;

/// What the next bridge takes over from the last.
pub struct Carried {
    pub feed: Option<(FeedBuffers, SuspendedFeed)>,
    /// One for each device of the new configuration.
    pub brokers: Vec<CarriedBroker>,
    /// One for each signal of the new configuration, or none at the start.
    pub last: Vec<LastSample>,
    /// Old number of a signal to new number.
    pub numbers: Vec<Option<NewSignal>>,
    /// Channels that are not configured any more.
    pub left: Vec<String>,
}

/// What there is already for a device of the new configuration.
pub struct CarriedBroker {
    start: Start,
    memory: Option<BrokerBuffers>,
}

/// How a broker begins.
pub enum Start {
    New(Transport, Inheritance),
    /// Where it was suspended.
    Resume(SuspendedBroker),
    /// With the session that was suspended, over a new connection: at QoS 2 nothing arrives twice.
    Reconnect(Transport, SuspendedBroker),
}

/// What is left of a broker whose device has changed.
#[derive(Default)]
pub struct Inheritance {
    /// What has not been confirmed.
    samples: Vec<Unconfirmed>,
    /// Without these samples.
    counters: Counters,
}

/// A sample that waits for a new session.
struct Unconfirmed {
    /// Old number.
    signal: u32,
    /// `value,timestamp`
    text: Vec<u8>,
    quality: Quality,
}

/// What was suspended of an old broker, or collected.
pub enum Remains {
    Connection(SuspendedBroker),
    Session(SuspendedBroker),
    Samples(Inheritance),
}

/// How a new configuration follows from the old one.
pub struct Plan {
    same_redis: bool,
    /// For each device of the new configuration the number of its old broker, and how much of it goes on.
    devices: Vec<(Option<(usize, Kept)>, Transport)>,
    numbers: Vec<Option<NewSignal>>,
    /// Old numbers of signals that are the same in every respect.
    unchanged: Vec<bool>,
    left: Vec<String>,
    signals: usize,
}

/// How much of a broker goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// All of it: the device has not changed.
    Connection,
    /// The device has changed, but its session with the broker goes on over a new connection: nothing is sent twice.
    Session,
    /// The device has changed in more than that: what has not been confirmed is sent in a new session.
    Samples,
}

impl Carried {
    /// What a start has, with the transports of the devices.
    pub fn nothing(transports: Vec<Transport>) -> Self {
        Carried {
            feed: None,
            brokers: transports.into_iter().map(CarriedBroker::new).collect(),
            last: Vec::new(),
            numbers: Vec::new(),
            left: Vec::new(),
        }
    }
}

impl CarriedBroker {
    fn new(transport: Transport) -> Self {
        CarriedBroker {
            start: Start::New(transport, Inheritance::default()),
            memory: None,
        }
    }

    /// What the broker of `device` begins with, and its memory.
    pub fn into_parts(self, device: &Device<'_>) -> (Start, BrokerBuffers) {
        let memory = match self.memory {
            Some(memory) => memory.fit(device),
            None => BrokerBuffers::new(device),
        };
        (self.start, memory)
    }
}

impl Inheritance {
    /// Of a broker that has left.
    fn of(broker: &Broker<'_, Stack>) -> Self {
        let mut samples = Vec::new();
        broker
            .session()
            .outbox()
            .for_each_unconfirmed(|signal, sample| {
                samples.push(Unconfirmed {
                    signal,
                    text: sample.text(&mut [0; MAX_TEXT]).to_vec(),
                    quality: sample.quality,
                });
            });
        let counters = broker.counters();
        // What is in flight is sent once more, and counted then.
        let in_flight = (samples.len() as u64).saturating_sub(counters.queued);
        let counters = Counters {
            sent: counters.sent.saturating_sub(in_flight),
            ..counters
        };
        Inheritance { samples, counters }
    }

    /// Queues the samples for the new settings, but for those whose signals are gone; the counters go on.
    pub fn pass_to(&self, broker: &mut Broker<'_, Stack>, numbers: &[Option<NewSignal>]) {
        broker.resume_counters(self.counters);
        let alias = broker.device().alias;
        let session = broker.session_mut();
        let mut gone = 0;
        for waiting in &self.samples {
            let number = numbers.get(waiting.signal as usize).copied().flatten();
            let number = number.map(|new| new.number);
            let sample = Sample::of_text(&waiting.text, waiting.quality);
            let (Some(number), Some(sample)) = (number, sample) else {
                gone += 1;
                continue;
            };
            // A signal's memory was not carried over, so none has to be cleared.
            while !session.queue(number, false, &sample) {
                if session.make_room(&sample) == Room::None {
                    break;
                }
            }
        }
        if gone > 0 {
            log::warn!(
                "{alias}: {gone} samples are dropped, whose signals are not enabled any more"
            );
        }
        session.count_dropped(gone);
    }
}

impl Plan {
    /// Compares the configurations. The brokers are those of `old`, the transports those of `new`'s devices; `unfinished` are
    /// channels that the reload before left, and Redis has not been told of.
    pub fn new(
        old: &Config<'_>,
        new: &Config<'_>,
        transports: Vec<Transport>,
        brokers: &[Broker<'_, Stack>],
        unfinished: &[&str],
    ) -> Plan {
        let mut slots = vec![0; Index::slots_for(new.signals.len())];
        let by_channel = ByChannel::new(new, &mut slots);
        let numbers = (old.signals.iter())
            .map(|signal| {
                let number = by_channel.find(&channel(old, signal).map(str::as_bytes))?;
                let new_signal = new.signals.get(number as usize)?;
                Some(NewSignal {
                    number,
                    has_moved: new_signal.topic != signal.topic,
                })
            })
            .collect::<Vec<_>>();
        let devices = (new.devices.iter().zip(transports))
            .map(|(device, transport)| (origin(device, &transport, brokers), transport))
            .collect::<Vec<_>>();
        let kept_devices = (devices.iter())
            .map(|(origin, _)| matches!(origin, Some((_, Kept::Connection | Kept::Session))))
            .collect::<Vec<_>>();
        let unchanged = (old.signals.iter().zip(&numbers))
            .map(|(signal, number)| {
                number
                    .and_then(|new_signal| new.signals.get(new_signal.number as usize))
                    .is_some_and(|new_signal| is_unchanged(signal, new_signal, &kept_devices))
            })
            .collect();
        let gone = (old.signals.iter().zip(&numbers))
            .filter(|(_, number)| number.is_none())
            .map(|(signal, _)| channel(old, signal).concat());
        let unfinished = (unfinished.iter())
            .filter(|channel| by_channel.find(&[channel.as_bytes()]).is_none())
            .map(ToString::to_string);
        let left = gone.chain(unfinished).collect();
        Plan {
            same_redis: old.redis == new.redis,
            devices,
            numbers,
            unchanged,
            left,
            signals: new.signals.len(),
        }
    }

    /// Leaves every broker whose connection does not go on; what does, of each. Of a device that is gone that is nothing: its counters are
    /// reported for the last time.
    pub fn take_apart(
        &self,
        brokers: Vec<Broker<'_, Stack>>,
        now: Instant,
        observer: &mut dyn Observer,
    ) -> Vec<Option<Remains>> {
        let mut remains = Vec::with_capacity(brokers.len());
        for (number, mut broker) in brokers.into_iter().enumerate() {
            let kept = self.keeps(number);
            if kept != Some(Kept::Connection) {
                broker.leave(now, observer);
            }
            if kept.is_none() {
                discard(&broker);
            }
            remains.push(kept.map(|kept| match kept {
                Kept::Connection => Remains::Connection(Box::new(broker.suspend())),
                Kept::Session => Remains::Session(Box::new(broker.suspend())),
                Kept::Samples => Remains::Samples(Inheritance::of(&broker)),
            }));
        }
        remains
    }

    /// How much of the old broker of this number goes on; `None`: its device is gone.
    fn keeps(&self, broker: usize) -> Option<Kept> {
        let mut origins = self.devices.iter().filter_map(|(origin, _)| *origin);
        origins
            .find(|(old, _)| *old == broker)
            .map(|(_, kept)| kept)
    }

    /// Picks what goes on out of what the old bridge left.
    pub fn carry(
        self,
        feed: Option<(FeedBuffers, SuspendedFeed)>,
        brokers: Vec<(BrokerBuffers, Option<Remains>)>,
        last: &[LastSample],
    ) -> Carried {
        let mut new_last = vec![LastSample::NOTHING; self.signals];
        for ((last, number), unchanged) in last.iter().zip(&self.numbers).zip(&self.unchanged) {
            if let Some(slot) = number.and_then(|new| new_last.get_mut(new.number as usize))
                && *unchanged
            {
                *slot = *last;
            }
        }
        let mut brokers = brokers.into_iter().map(Some).collect::<Vec<_>>();
        let mut take = |(old, _)| brokers.get_mut(old).and_then(Option::take);
        let brokers = (self.devices.into_iter())
            .map(|(origin, transport)| {
                let Some((memory, Some(remains))) = origin.and_then(&mut take) else {
                    return CarriedBroker::new(transport);
                };
                let (start, memory) = match remains {
                    Remains::Connection(suspended) => (Start::Resume(suspended), Some(memory)),
                    Remains::Session(suspended) => {
                        (Start::Reconnect(transport, suspended), Some(memory))
                    }
                    Remains::Samples(inheritance) => (Start::New(transport, inheritance), None),
                };
                CarriedBroker { start, memory }
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

/// The old broker of a new device, and how much of it goes on.
fn origin(
    device: &Device<'_>,
    transport: &Transport,
    brokers: &[Broker<'_, Stack>],
) -> Option<(usize, Kept)> {
    let (number, broker) = brokers
        .iter()
        .enumerate()
        .find(|(_, broker)| broker.device().alias == device.alias)?;
    // The row's place in its file does not count.
    let at_same_place = Device {
        row: broker.device().row,
        ..*device
    };
    let kept = if *broker.device() == at_same_place && broker.net().transport() == transport {
        Kept::Connection
    } else if is_same_session(broker.device(), device) {
        Kept::Session
    } else {
        Kept::Samples
    };
    Some((number, kept))
}

/// The last report of a device whose waiting samples nobody will send.
fn discard(broker: &Broker<'_, Stack>) {
    let (alias, counters) = (broker.device().alias, broker.counters());
    let Counters {
        queued, dropped, ..
    } = counters;
    if queued > 0 {
        log::warn!("{alias}: not enabled any more, {queued} samples that waited are dropped");
    }
    let counters = Counters {
        queued: 0,
        dropped: dropped + queued,
        ..counters
    };
    logger::say(format_args!("{alias}: {counters}"), Duration::ZERO);
}

/// The signals of a configuration by their channels.
struct ByChannel<'i, 'a> {
    config: &'i Config<'a>,
    index: Index<'i>,
}

impl<'i, 'a> ByChannel<'i, 'a> {
    /// `slots` are [`Index::slots_for`] all signals.
    fn new(config: &'i Config<'a>, slots: &'i mut [u32]) -> Self {
        let mut index = Index::new(slots);
        for (number, signal) in (0..).zip(config.signals) {
            let hash = index::hash(&channel(config, signal).map(str::as_bytes));
            // The slots suffice by construction.
            let _ = index.insert(hash, number);
        }
        ByChannel { config, index }
    }

    /// The number of the signal on the channel of these pieces.
    fn find(&self, pieces: &[&[u8]]) -> Option<u32> {
        self.index.lookup(index::hash(pieces), |number| {
            self.config
                .signals
                .get(number as usize)
                .is_some_and(|signal| {
                    let name = channel(self.config, signal);
                    let name = name.iter().flat_map(|piece| piece.as_bytes());
                    name.eq(pieces.iter().copied().flatten())
                })
        })
    }
}

fn channel<'a>(config: &Config<'a>, signal: &Signal<'a>) -> [&'a str; 5] {
    let alias = config
        .devices
        .get(usize::from(signal.device))
        .map_or("", |device| device.alias);
    signal.channel_pieces(alias)
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

#[cfg(test)]
mod tests;
