//! What is kept from one bridge to the next when the configuration changes: memory, connections, samples. What of it goes on, the core
//! decides (`bridge::reload`).

use std::time::Duration;

use mqtt_client_core::bridge::reload::{Kept, Origin, Reload, Successor, carry_last};
use mqtt_client_core::bridge::{Broker, broker, feed};
use mqtt_client_core::config::{Config, Device};
use mqtt_client_core::counters::Counters;
use mqtt_client_core::index::Index;
use mqtt_client_core::observer::Observer;
use mqtt_client_core::outbox::NewSignal;
use mqtt_client_core::routes::LastSample;
use mqtt_client_core::sample::{MAX_TEXT, Quality};
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
    /// What became of the old signals.
    pub successors: Vec<Option<Successor>>,
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
    /// When, if that counts.
    accepted: Option<u32>,
}

/// What was suspended of an old broker, or collected.
pub enum Remains {
    Connection(SuspendedBroker),
    Session(SuspendedBroker),
    Samples(Inheritance),
}

/// How a new configuration follows from the old one: the core's decision, which outlives both.
pub struct Plan {
    same_redis: bool,
    /// One for each device of the new configuration.
    origins: Vec<Option<Origin>>,
    transports: Vec<Transport>,
    /// One for each signal of the old configuration.
    successors: Vec<Option<Successor>>,
    left: Vec<String>,
    signals: usize,
}

impl Carried {
    /// What a start has, with the transports of the devices.
    pub fn nothing(transports: Vec<Transport>) -> Self {
        Carried {
            feed: None,
            brokers: transports.into_iter().map(CarriedBroker::new).collect(),
            last: Vec::new(),
            successors: Vec::new(),
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
        let counters = broker.hand_over(|signal, sample, accepted| {
            samples.push(Unconfirmed {
                signal,
                text: sample.text(&mut [0; MAX_TEXT]).to_vec(),
                quality: sample.quality,
                accepted,
            });
        });
        Inheritance { samples, counters }
    }

    /// Gives the samples to the broker of the new settings.
    pub fn pass_to(&self, broker: &mut Broker<'_, Stack>, successors: &[Option<Successor>]) {
        let samples = self.samples.iter().map(|waiting| {
            let number = new_signal(successors, waiting.signal).map(|new| new.number);
            (number, &waiting.text[..], waiting.quality, waiting.accepted)
        });
        broker.take_over(self.counters, samples);
    }
}

/// What became of the old signal of this number; `None`: it is gone.
pub fn new_signal(successors: &[Option<Successor>], old: u32) -> Option<NewSignal> {
    let successor = successors.get(old as usize)?.as_ref()?;
    Some(successor.signal)
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
        let reload = Reload::new(old, new, &mut slots);
        let origins = (new.devices.iter().zip(&transports))
            .map(|(device, transport)| {
                let is_same = |old: usize| {
                    brokers.get(old).map(|broker| broker.net().transport()) == Some(transport)
                };
                reload.origin(device, is_same)
            })
            .collect::<Vec<_>>();
        let successors = (0..old.signals.len())
            .map(|signal| reload.successor(signal, &origins))
            .collect();
        let mut left = Vec::new();
        reload.for_each_left(unfinished, |pieces| left.push(pieces.concat()));
        Plan {
            same_redis: reload.keeps_feed(),
            origins,
            transports,
            successors,
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
                let (alias, counters) = (broker.device().alias, broker.give_up());
                logger::say(format_args!("{alias}: {counters}"), Duration::ZERO);
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
        let mut origins = self.origins.iter().flatten();
        origins
            .find(|origin| origin.device == broker)
            .map(|origin| origin.kept)
    }

    /// Picks what goes on out of what the old bridge left.
    pub fn carry(
        self,
        feed: Option<(FeedBuffers, SuspendedFeed)>,
        brokers: Vec<(BrokerBuffers, Option<Remains>)>,
        last: &[LastSample],
    ) -> Carried {
        let mut new_last = vec![LastSample::NOTHING; self.signals];
        carry_last(&self.successors, last, &mut new_last);
        let mut brokers = brokers.into_iter().map(Some).collect::<Vec<_>>();
        let mut take = |origin: Origin| brokers.get_mut(origin.device).and_then(Option::take);
        let brokers = (self.origins.into_iter().zip(self.transports))
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
            successors: self.successors,
            left: self.left,
        }
    }
}

#[cfg(test)]
mod tests;
