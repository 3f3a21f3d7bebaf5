//! Is MQTT the only way out? A sink that writes lines to a TCP peer stands in its place: feed, routes and outbox are the product's own.
//!
//! The peer acknowledges each line with a byte. Lines that are not acknowledged when a connection ends are written again, as at QoS 1.

#[path = "../common/network.rs"]
#[expect(dead_code, reason = "its lines neither stall nor break at a byte")]
mod network;
#[path = "../common/redis.rs"]
#[expect(dead_code, reason = "this Redis refuses nothing")]
mod redis;

use mqtt_client_core::bridge::assembly::{Block, FeedSizes};
use mqtt_client_core::bridge::sink::Sink;
use mqtt_client_core::bridge::{Bridge, Broker, Feed};
use mqtt_client_core::config::{Abilities, Device, Signal, Storage, measure, parse};
use mqtt_client_core::counters::Counters;
use mqtt_client_core::delivery::{QoS, Reply};
use mqtt_client_core::index::Index;
use mqtt_client_core::mqtt::session::Event as SinkEvent;
use mqtt_client_core::net::protocol::{ClosedBy, Protocol, Retry};
use mqtt_client_core::outbox::{Outbox, Room};
use mqtt_client_core::payload;
use mqtt_client_core::random::Random;
use mqtt_client_core::routes::{LastSample, Routes};
use mqtt_client_core::sample::Sample;
use mqtt_client_core::time::Instant;

use network::{Clock, Event, Line};
use redis::{Redis, message};

const TABLE: &str = r#"{
    "devices": [{"name": "Lines", "device_alias": "lines", "enable": 1, "protocol": "MQTT", "ip": "127.0.0.1", "auth": "none",
                 "mqtt_qos": 1}],
    "signals": [
        {"signal_name": "P", "device_alias": "lines", "signal_alias": "p", "source_device_alias": "s", "source_signal_alias": "p"},
        {"signal_name": "Q", "device_alias": "lines", "signal_alias": "q", "source_device_alias": "s", "source_signal_alias": "q"}
    ]
}"#;

/// Lines of `signal value,timestamp,quality`.
struct Lines<'a> {
    signals: &'a [Signal<'a>],
    outbox: Outbox<'a>,
    text: Vec<u8>,
    written: usize,
    input: [u8; 16],
    oldest_id: u16,
    is_stopping: bool,
    counters: Counters,
}

impl Protocol for Lines<'_> {
    type Close = &'static str;

    fn opened(&mut self, _: Instant) -> Result<(), Self::Close> {
        self.outbox.start_over();
        self.text.clear();
        self.written = 0;
        Ok(())
    }

    fn input(&mut self) -> &mut [u8] {
        &mut self.input
    }

    fn received(&mut self, count: usize, _: Instant) -> Result<(), Self::Close> {
        for _ in 0..count {
            let done = self.outbox.acknowledge(Reply::Accepted, self.oldest_id, 0);
            done.map_err(|_| "an acknowledgement of nothing")?;
            self.oldest_id += 1;
            self.counters.acknowledged += 1;
        }
        Ok(())
    }

    fn output(&mut self, _: Instant) -> Result<&[u8], Self::Close> {
        if self.is_stopping && self.outbox.is_empty() {
            return Err("all is said");
        }
        if self.written == self.text.len() {
            self.text.clear();
            self.written = 0;
            while let Some(outgoing) = self.outbox.next_outgoing(2) {
                let signal = self.signals[outgoing.signal() as usize].alias;
                let mut line = vec![0; payload::len(outgoing.text_len())];
                payload::write(&mut line, outgoing.quality(), |text| {
                    self.outbox.write_text(&outgoing, text);
                });
                self.text.extend(signal.bytes().chain([b' ']));
                self.text.extend(line.into_iter().chain([b'\n']));
                self.outbox.hand_out(&outgoing);
            }
        }
        Ok(&self.text[self.written..])
    }

    fn sent(&mut self, count: usize, _: Instant) {
        self.written += count;
        if self.written == self.text.len() {
            self.counters.sent += self.outbox.sent_all(0) as u64;
        }
    }

    fn deadline(&self) -> Instant {
        Instant::NEVER
    }

    fn expire(&mut self, _: Instant) -> Result<(), Self::Close> {
        Ok(())
    }

    fn closed(&mut self, by: &ClosedBy<Self::Close>, _: Instant) -> Retry {
        match by {
            ClosedBy::Us(_) => Retry::Never,
            ClosedBy::Peer | ClosedBy::Network => Retry::AtOnce,
        }
    }
}

impl Sink for Lines<'_> {
    fn queue(&mut self, signal: u32, is_aside: bool, sample: &Sample<'_>) -> bool {
        self.outbox.append(signal, is_aside, sample)
    }

    fn make_room(&mut self, sample: &Sample<'_>) -> Room {
        self.outbox.take_back_unsent();
        let room = self.outbox.make_room(sample);
        self.counters.dropped += u64::from(room != Room::Enough);
        room
    }

    fn poll_event(&mut self) -> Option<SinkEvent<'_>> {
        None
    }

    fn watch(&mut self, _: bool) {}

    fn stop(&mut self) {
        self.is_stopping = true;
    }

    fn leave(&mut self) {}

    fn left(&mut self, _: Instant) {}

    fn is_finished(&self) -> bool {
        self.is_stopping && self.outbox.is_empty()
    }

    fn report_undelivered(&self) {}

    fn counters(&self) -> Counters {
        Counters {
            queued: self.outbox.queued() as u64,
            ..self.counters
        }
    }
}

#[test]
fn samples_leave_by_a_sink_that_knows_nothing_of_mqtt_and_go_again_until_they_are_acknowledged() {
    let sizes = measure(TABLE.as_bytes()).expect("JSON");
    let storage = Storage {
        devices: &mut vec![Device::default(); sizes.devices],
        signals: &mut vec![Signal::default(); sizes.signals],
        index: &mut vec![0; sizes.index],
        text: &mut vec![0; sizes.text],
    };
    let config = parse(TABLE.as_bytes(), storage, Abilities::ALL, &mut |finding| {
        panic!("{}", finding.in_file("table"));
    })
    .expect("a valid table");
    let clock = Clock::default();
    let (mut slots, mut last) = ([0; Index::slots_for(2)], [LastSample::NOTHING; 2]);
    let routes = Routes::new(&config, &mut slots, &mut last).expect("room");
    let sizes = FeedSizes::of(&config, FeedSizes::default());
    let mut memory = vec![0; sizes.bytes()];
    let storage = sizes.take(&mut Block::new(&mut memory)).expect("room");
    let (redis_line, line) = (Line::new(clock.clone()), Line::new(clock));
    let feed = Feed::new(&config, 0, storage, redis_line.clone());
    let (mut bytes, mut handshakes) = ([0; 200], [[0; 2]; 2]);
    let sink = Lines {
        signals: config.signals,
        outbox: Outbox::new(&mut bytes, &mut handshakes, QoS::AtLeastOnce),
        text: Vec::new(),
        written: 0,
        input: [0; 16],
        oldest_id: 1,
        is_stopping: false,
        counters: Counters::default(),
    };
    let device = &config.devices[0];
    let mut brokers = [Broker::with_session(
        device,
        sink,
        Random::new(0),
        line.clone(),
    )];
    let mut bridge = Bridge::new(&config, routes, feed, &mut brokers);
    let (mut server, mut redis_connection) = (Redis::new(), 0);
    let (mut peer, mut heard, mut acknowledges) = (0, String::new(), true);

    let mut turn = |bridge: &mut Bridge<'_, '_, Line, Lines<'_>>, acknowledges: bool| {
        for _ in 0..20 {
            let _ = bridge.poll(Instant::default(), &mut ());
            for event in redis_line.events() {
                match event {
                    Event::Opened(connection) => redis_connection = connection,
                    Event::Bytes(connection, bytes) => {
                        redis_line.server_write(connection, &server.take(&bytes));
                    }
                    Event::Ended(_) => {}
                }
            }
            for event in line.events() {
                match event {
                    Event::Opened(connection) => peer = connection,
                    Event::Bytes(connection, bytes) => {
                        heard += str::from_utf8(&bytes).expect("lines");
                        let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
                        if acknowledges {
                            line.server_write(connection, &b"........"[..lines]);
                        }
                    }
                    Event::Ended(_) => {}
                }
            }
        }
        (redis_connection, peer, std::mem::take(&mut heard))
    };
    let (redis_connection, _, _) = turn(&mut bridge, true);
    let publish = |signal: &str, text: &str| {
        let channel = format!("tag/lines/{signal}/in");
        redis_line.server_write(redis_connection, &message(&channel, text));
    };
    publish("p", "12.5,1708000203824,");
    publish("q", "nan,7,IV");
    publish("q", "nan,8,IV");
    let (.., heard) = turn(&mut bridge, acknowledges);
    assert_eq!(heard, "p 12.5,1708000203824,1\nq nan,7,0\n");
    acknowledges = false;
    publish("p", "13,9,");
    let (.., heard) = turn(&mut bridge, acknowledges);
    assert_eq!(heard, "p 13,9,1\n");
    // What was not acknowledged goes again over the next connection.
    line.cut();
    acknowledges = true;
    let (.., heard) = turn(&mut bridge, acknowledges);
    assert_eq!(heard, "p 13,9,1\n");
    let counters = bridge.brokers()[0].counters();
    assert_eq!((counters.received, counters.suppressed), (4, 1));
    assert_eq!((counters.sent, counters.acknowledged), (3, 3));
    bridge.stop(Instant::default());
    turn(&mut bridge, acknowledges);
    assert!(bridge.has_stopped());
}
