//! The way of the samples: two bridges, one after the other as at a reload, with everything that a port does to them.

use core::hint::black_box;

use mqtt_client_core::bridge::assembly::{Block, BrokerSizes, FeedSizes};
use mqtt_client_core::bridge::broker::Suspended;
use mqtt_client_core::bridge::reload::{Origin, Reload, carry_last};
use mqtt_client_core::bridge::spooling::Spool;
use mqtt_client_core::bridge::{Bridge, Broker, Feed};
use mqtt_client_core::config::{Config, Device, Endpoint};
use mqtt_client_core::index::Index;
use mqtt_client_core::outbox::NewSignal;
use mqtt_client_core::routes::{LastSample, Routes};
use mqtt_client_core::sample::Quality;
use mqtt_client_core::spool::Log;
use mqtt_client_core::time::Instant;

use crate::outside::{Network, Watcher, mine, unknown};
use crate::sink::show;
use crate::spool::{Disk, Memory as SpoolMemory};

/// Runs a bridge until it stops, and another one with what goes on.
pub fn run(config: &Config<'_>) {
    #[cfg(feature = "log")]
    crate::sink::start_log();
    show_sizes(config);
    compare(config, black_box(config));
    let mut memory = [0; 512];
    let mut suspended_feed = None;
    let mut suspended_broker: Option<Suspended<Network>> = None;
    let mut suspended_spool = None;
    for _ in 0..black_box(2) {
        let (mut disk, mut spool_memory) = (Disk, SpoolMemory::new());
        let mut slots = [0; Index::slots_for(8)];
        let mut last = [LastSample::NOTHING; 8];
        let Ok(routes) = Routes::new(config, unknown(&mut slots), unknown(&mut last)) else {
            mine!(mine_routes_too_small);
            return;
        };
        let mut memory = Block::new(unknown(&mut memory));
        let Ok(storage) = feed_sizes(config).take(&mut memory) else {
            mine!(mine_feed_too_small);
            return;
        };
        let feed = match suspended_feed.take() {
            Some(suspended) => {
                Feed::resume(config, storage, black_box(suspended), black_box(&["", ""]))
            }
            None => Feed::new(config, black_box(0), storage, Network),
        };
        let Some(device) = config.devices.get(black_box(0)) else {
            return;
        };
        let Ok(storage) = broker_sizes(device).take(&mut memory) else {
            mine!(mine_broker_too_small);
            return;
        };
        let digits = black_box(0);
        let broker = match suspended_broker.take() {
            Some(suspended) => {
                Broker::resume(config, device, digits, storage, black_box(suspended))
            }
            None => Broker::new(config, device, digits, black_box(0), storage, Network),
        };
        let (buffers, disk) = (spool_memory.buffers(), &mut disk);
        let spool = match suspended_spool.take() {
            Some(suspended) => {
                Spool::resume(device, buffers, disk, black_box(0), black_box(suspended))
            }
            None => Spool::new(device, Log::new(buffers), disk, black_box(0), black_box(0)),
        };
        let mut broker = broker.with_spool(spool);
        take_over(&mut broker);
        let mut brokers = [broker];
        let bridge = Bridge::new(config, routes, feed, unknown(&mut brokers));
        suspended_feed = poll(bridge).suspend();
        let [mut broker] = brokers;
        broker.leave(now(), &mut Watcher);
        black_box(broker.counters());
        if let Some(spool) = broker.take_spool() {
            black_box((spool.spooled(), spool.found(), spool.fault()));
            suspended_spool = Some(spool.suspend());
        }
        suspended_broker = Some(broker.suspend());
    }
}

fn now() -> Instant {
    Instant::from_millis(black_box(0))
}

/// Sizes that the optimiser knows nothing about, so that every buffer may be of any length.
fn feed_sizes(config: &Config<'_>) -> FeedSizes {
    black_box(FeedSizes::of(config, black_box(FeedSizes::default())));
    black_box(FeedSizes {
        input: 64,
        commands: 64,
    })
}

fn broker_sizes(device: &Device<'_>) -> BrokerSizes {
    black_box(BrokerSizes::of(device, black_box(BrokerSizes::default())));
    black_box(BrokerSizes {
        outbox: 64,
        in_flight: 8,
        input: 64,
        control: 64,
        transmit: 64,
    })
}

fn show_sizes(config: &Config<'_>) {
    black_box(feed_sizes(config).bytes());
    for device in config.devices {
        black_box(broker_sizes(device).bytes());
        show_device(device);
    }
    for signal in config.signals {
        black_box(signal.topic_pieces(black_box("")));
    }
    if let Endpoint::Tcp { host, port } = config.redis.endpoint {
        show(format_args!("{host}:{port}"));
    }
}

fn show_device(device: &Device<'_>) {
    show(format_args!("{} {}", device.alias, u8::from(device.qos)));
}

/// How a reload is decided, from two configurations.
fn compare(old: &Config<'_>, new: &Config<'_>) {
    let mut slots = [0; Index::slots_for(8)];
    let reload = Reload::new(old, new, unknown(&mut slots));
    black_box(reload.keeps_feed());
    let mut origins: [Option<Origin>; 2] = [None; 2];
    for (origin, device) in origins.iter_mut().zip(new.devices) {
        *origin = reload.origin(device, |old| black_box(old) == 0);
    }
    let origins = unknown(&mut origins);
    let mut successors = [None; 8];
    for (number, successor) in successors.iter_mut().enumerate() {
        *successor = reload.successor(black_box(number), origins);
    }
    reload.for_each_left(black_box(&["", ""]), |pieces| {
        mine!(mine_left);
        black_box(pieces);
    });
    let (last, mut new_last) = ([LastSample::NOTHING; 8], [LastSample::NOTHING; 8]);
    carry_last(
        unknown(&mut successors),
        black_box(&last),
        unknown(&mut new_last),
    );
}

/// What a reload does to the samples of a device that changes.
fn take_over(broker: &mut Broker<'_, Network>) {
    broker.session_mut().renumber(|number| {
        let has_moved = black_box(false);
        black_box(Some(NewSignal { number, has_moved }))
    });
    let counters = broker.hand_over(|signal, sample, accepted| {
        mine!(mine_unconfirmed);
        black_box((signal, sample, accepted));
    });
    let mut bytes = [0; 64];
    let sample = (
        black_box(Some(0)),
        &*unknown(&mut bytes),
        black_box(Quality::Good),
        black_box(Some(0)),
    );
    broker.take_over(
        black_box(counters),
        core::iter::repeat_n(sample, black_box(1)),
    );
    black_box(broker.give_up());
}

/// Polls until all is said.
fn poll<'a>(mut bridge: Bridge<'_, 'a, Network>) -> Feed<'a, Network> {
    while !bridge.has_stopped() && black_box(true) {
        black_box(bridge.poll(now(), &mut Watcher));
        black_box(bridge.poll_spools(now()));
        for (device, counters) in bridge.counters() {
            show(format_args!("{}: {counters}", device.alias));
        }
        for broker in bridge.brokers() {
            black_box((broker.session().is_online(), broker.net()));
        }
        black_box((bridge.feed().session().is_subscribed(), bridge.feed().net()));
        if black_box(true) {
            bridge.stop(now());
        }
    }
    mine!(mine_stopped);
    bridge.into_parts().1
}
