//! The way of the samples: two bridges, one after the other as at a reload, with everything that a port does to them.

use core::hint::black_box;

use mqtt_client_core::bridge::broker::Suspended;
use mqtt_client_core::bridge::{Bridge, Broker, Feed};
use mqtt_client_core::config::{Config, Device, Endpoint};
use mqtt_client_core::counters::Counters;
use mqtt_client_core::index::Index;
use mqtt_client_core::outbox::{self, NewSignal, Room};
use mqtt_client_core::routes::{LastSample, Routes};
use mqtt_client_core::sample::{Quality, Sample};
use mqtt_client_core::time::Instant;
use mqtt_client_core::{mqtt, redis};

use crate::outside::{Network, Watcher, mine, unknown};
use crate::sink::show;

/// Memory of one broker.
struct Buffers {
    input: [u8; 64],
    control: [u8; 64],
    transmit: [u8; 64],
    outbox: [u8; 64],
    handshakes: [[u8; 2]; 8],
}

/// Runs a bridge until it stops, and another one with what goes on.
pub fn run(config: &Config<'_>) {
    #[cfg(feature = "log")]
    crate::sink::start_log();
    show_sizes(config);
    let (mut input, mut commands) = ([0; 64], [0; 64]);
    let mut buffers = Buffers {
        input: [0; 64],
        control: [0; 64],
        transmit: [0; 64],
        outbox: [0; 64],
        handshakes: [[0; 2]; 8],
    };
    let mut suspended_feed = None;
    let mut suspended_broker: Option<Suspended<Network>> = None;
    for _ in 0..black_box(2) {
        let mut slots = [0; Index::slots_for(8)];
        let mut last = [LastSample::NOTHING; 8];
        let Ok(routes) = Routes::new(config, unknown(&mut slots), unknown(&mut last)) else {
            mine!(mine_routes_too_small);
            return;
        };
        let storage = redis::session::Storage {
            input: unknown(&mut input),
            commands: unknown(&mut commands),
        };
        let feed = match suspended_feed.take() {
            Some(suspended) => {
                Feed::resume(config, storage, black_box(suspended), black_box(&["", ""]))
            }
            None => Feed::new(config, black_box(0), storage, Network),
        };
        let storage = mqtt::session::Storage {
            input: unknown(&mut buffers.input),
            control: unknown(&mut buffers.control),
            transmit: unknown(&mut buffers.transmit),
            outbox: unknown(&mut buffers.outbox),
            handshakes: unknown(&mut buffers.handshakes),
        };
        let (number, digits) = (black_box(0), black_box(0));
        let broker = match suspended_broker.take() {
            Some(suspended) => {
                Broker::resume(config, number, digits, storage, black_box(suspended))
            }
            None => Broker::new(config, number, digits, black_box(0), storage, Network),
        };
        let Some(mut broker) = broker else {
            return;
        };
        take_over(&mut broker);
        let mut brokers = [broker];
        let Ok(bridge) = Bridge::new(config, routes, feed, unknown(&mut brokers)) else {
            return;
        };
        suspended_feed = poll(bridge).suspend();
        let [mut broker] = brokers;
        broker.leave(now(), &mut Watcher);
        suspended_broker = Some(broker.suspend());
    }
}

fn now() -> Instant {
    Instant::from_millis(black_box(0))
}

fn show_sizes(config: &Config<'_>) {
    black_box(redis::session::Session::commands_len(&config.redis));
    for device in config.devices {
        black_box(mqtt::session::Session::control_len(device));
        black_box(outbox::in_flight_at_most(device.qos, black_box(0)));
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

/// What a reload does to the samples of a device that changes.
fn take_over(broker: &mut Broker<'_, Network>) {
    broker.resume_counters(black_box(Counters::default()));
    let session = broker.session_mut();
    session.renumber(|number| {
        let has_moved = black_box(false);
        black_box(Some(NewSignal { number, has_moved }))
    });
    session.outbox().for_each_unconfirmed(|signal, sample| {
        mine!(mine_unconfirmed);
        black_box((signal, sample));
    });
    let mut bytes = [0; 64];
    let text = unknown(&mut bytes);
    let Some(sample) = Sample::of_text(text, black_box(Quality::Good)) else {
        return;
    };
    while !session.queue(black_box(0), black_box(false), &sample) {
        match session.make_room(&sample) {
            Room::Enough => {}
            Room::Dropped(signal) => {
                mine!(mine_dropped);
                black_box(signal);
            }
            Room::None => break,
        }
    }
    session.count_dropped(black_box(0));
}

/// Polls until all is said.
fn poll<'a>(mut bridge: Bridge<'_, 'a, Network>) -> Feed<'a, Network> {
    while !bridge.has_stopped() && black_box(true) {
        black_box(bridge.poll(now(), &mut Watcher));
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
