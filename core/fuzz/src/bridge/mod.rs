//! All that can happen to a whole bridge, between models of Redis and of brokers.
//!
//! After every step:
//!
//! - the counters add up;
//! - the bridge asks to be called again at once, or at a time in the past, only if something moved;
//! - all that the servers hear are whole, legal packets and commands (the models insist).
//!
//! In the end everything is mended, and then:
//!
//! - the bridge comes back, sends all that it holds, and a new sample of every signal arrives;
//! - at QoS 2 each message that was sent arrives once, at QoS 1 at least once, at QoS 0 once at most, in order, unless the
//!   broker lied or forgot;
//! - told to stop, it stops within its time.
//!
//! This file has the case; the bridge between its servers is in `rig`, the end in `mended`.

mod happening;
mod mended;
mod rig;

use arbitrary::Arbitrary;
use mqtt_client_core::bridge::assembly::{Block, BrokerSizes, FeedSizes};
use mqtt_client_core::bridge::{self, Bridge, Feed};
use mqtt_client_core::config::{self, Abilities, Device, Severity, Signal, measure};
use mqtt_client_core::index::Index;
use mqtt_client_core::routes::{LastSample, Routes};

use crate::model::network::{Clock, Line};
use happening::Happening;
use rig::{Rig, SIGNALS};

/// A bridge, and what happens to it.
#[derive(Arbitrary, Debug)]
pub struct Case<'c> {
    devices: [Row; 2],
    redis_input: u8,
    #[arbitrary(with = few)]
    events: Vec<Happening<'c>>,
}

/// Longer cases are slower, not richer.
fn few<'c>(bytes: &mut arbitrary::Unstructured<'c>) -> arbitrary::Result<Vec<Happening<'c>>> {
    bytes.arbitrary_iter()?.take(200).collect()
}

#[derive(Arbitrary, Debug, Clone, Copy)]
struct Row {
    qos: u8,
    version: u8,
    window: u8,
    threshold: bool,
    short_keep_alive: bool,
    input: u8,
    control: u8,
    outbox: u8,
    transmit: u8,
}

/// Checks one case.
pub fn check(case: &Case<'_>) {
    let table = table(&case.devices);
    let sizes = measure(table.as_bytes()).expect("JSON");
    let mut devices = vec![Device::default(); sizes.devices];
    let mut signals = vec![Signal::default(); sizes.signals];
    let storage = config::Storage {
        devices: &mut devices,
        signals: &mut signals,
        index: &mut vec![0; sizes.index],
        text: &mut [],
    };
    let config = config::parse(table.as_bytes(), storage, Abilities::ALL, &mut |finding| {
        // A window over 20 at QoS 2 is warned of.
        let is_warning = finding.severity == Severity::Warning;
        assert!(is_warning, "{}", finding.in_file(&table));
    });
    let config = config.expect("a valid table");

    let clock = Clock::default();
    let mut slots = vec![0; Index::slots_for(SIGNALS.len())];
    let mut last = [LastSample::NOTHING; SIGNALS.len()];
    let routes = Routes::new(&config, &mut slots, &mut last).expect("room");
    let mut sizes = FeedSizes::of(&config, FeedSizes::default());
    sizes.input += usize::from(case.redis_input);
    let mut memory = vec![0; sizes.bytes()];
    let storage = sizes.take(&mut Block::new(&mut memory)).expect("room");
    let lines = [(); 3].map(|()| Line::new(clock.clone()));
    let feed = Feed::new(&config, 0, storage, lines[0].clone());
    let sizes = [0, 1].map(|number| {
        let row = case.devices[number];
        let mut sizes = BrokerSizes::of(&config.devices[number], BrokerSizes::default());
        // Room for the samples of both signals at least.
        sizes.outbox = 150 + usize::from(row.outbox) * 4;
        sizes.input += usize::from(row.input);
        sizes.control += usize::from(row.control);
        sizes.transmit += usize::from(row.transmit) * 4;
        sizes
    });
    let mut memories = sizes.map(|sizes| vec![0; sizes.bytes()]);
    let parts = config.devices.iter().zip(&sizes).zip(&mut memories);
    let mut brokers: Vec<_> = (parts.zip(&lines[1..]))
        .map(|(((device, sizes), memory), line)| {
            let storage = sizes.take(&mut Block::new(memory)).expect("room");
            bridge::Broker::new(&config, device, 7, 0, storage, line.clone())
        })
        .collect();
    let bridge = Bridge::new(&config, routes, feed, &mut brokers);
    let mut rig = Rig::new(bridge, lines, clock);
    rig.settle();
    for happening in &case.events {
        rig.happen(happening);
        rig.settle();
    }
    rig.mend(case);
}

fn table(rows: &[Row; 2]) -> String {
    let device = |(alias, row): (&str, &Row)| {
        format!(
            r#"{{"name": "n", "device_alias": "{alias}", "enable": 1, "protocol": "mqtt", "ip": "h", "auth": "none",
                "mqtt_qos": {}, "mqtt_version": "{}", "max_inflight": {}, "enable_threshold": {}, "keep_alive": {},
                "use_last_will": 1, "last_will_topic": "will"}}"#,
            row.qos % 3,
            ["auto", "3.1", "3.1.1", "5"][usize::from(row.version % 4)],
            1 + u16::from(row.window),
            u8::from(row.threshold),
            if row.short_keep_alive { 20 } else { 60 },
        )
    };
    let signal = |(device, alias): (&str, &str)| {
        format!(
            r#"{{"signal_name": "n", "device_alias": "{device}", "signal_alias": "{alias}",
                "source_device_alias": "d", "source_signal_alias": "s"}}"#
        )
    };
    let devices: Vec<_> = ["a", "b"].into_iter().zip(rows).map(device).collect();
    let signals = [("a", "p"), ("a", "q"), ("b", "p"), ("b", "q")].map(signal);
    format!(
        r#"{{"devices": [{}], "signals": [{}]}}"#,
        devices.join(","),
        signals.join(",")
    )
}
