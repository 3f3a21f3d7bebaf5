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

use std::collections::BTreeSet;

use arbitrary::Arbitrary;
use mqtt_client_core::bridge::{self, Bridge, Feed, STOP_WITHIN};
use mqtt_client_core::config::{self, Abilities, Device, Signal, measure};
use mqtt_client_core::index::Index;
use mqtt_client_core::mqtt::session::{self as mqtt, MIN_INPUT, Session};
use mqtt_client_core::redis::session::{self as redis_session};
use mqtt_client_core::routes::{LastSample, Routes};
use mqtt_client_core::time::Instant;

use crate::model::broker::{Broker, Greeting};
use crate::model::network::{Clock, Door, Event, Line, Names};
use crate::model::packet::Publish;
use crate::model::redis::{Redis, message};

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
    records: u8,
}

#[derive(Arbitrary, Debug)]
enum Happening<'c> {
    /// Somebody publishes at Redis.
    Sample {
        signal: u8,
        value: u8,
        bad: bool,
    },
    /// Likewise, what is none.
    Message {
        signal: u8,
        payload: &'c [u8],
    },
    /// Bytes that Redis never said.
    RedisLies(&'c [u8]),
    BrokerLies {
        device: u8,
        bytes: &'c [u8],
    },
    BrokerAcknowledges {
        device: u8,
        kind: u8,
        id: u8,
    },
    /// The broker is started again, and remembers nothing.
    BrokerForgets {
        device: u8,
    },
    Greeting {
        device: u8,
        kind: u8,
    },
    BrokerIsSilent {
        device: u8,
        about_pings: bool,
        about_messages: bool,
    },
    RedisIsSilent(bool),
    Pieces {
        line: u8,
        bytes: u8,
    },
    Window {
        line: u8,
        bytes: u8,
    },
    Cut {
        line: u8,
    },
    Close {
        line: u8,
    },
    Door {
        line: u8,
        kind: u8,
    },
    Names {
        line: u8,
        kind: u8,
    },
    /// In milliseconds.
    Wait(u16),
    WaitForWakeUp,
    /// The bridge is held up, in seconds.
    Oversleep(u8),
    /// The bridge runs, the servers do not.
    Poll,
}

const SIGNALS: [&str; 4] = ["tag/a/p/in", "tag/a/q/in", "tag/b/p/in", "tag/b/q/in"];

/// Polls in a row without any wait, of which each moved something.
const LONGEST_BURST: usize = 100_000;

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
        panic!("{}", finding.in_file(&table));
    });
    let config = config.expect("a valid table");

    let clock = Clock::default();
    let mut slots = vec![0; Index::slots_for(SIGNALS.len())];
    let mut last = [LastSample::NOTHING; SIGNALS.len()];
    let routes = Routes::new(&config, &mut slots, &mut last).expect("room");
    let mut input = vec![0; redis_session::MIN_INPUT + usize::from(case.redis_input)];
    let mut commands = vec![0; redis_session::Session::commands_len(&config.redis)];
    let storage = redis_session::Storage {
        input: &mut input,
        commands: &mut commands,
    };
    let lines = [(); 3].map(|()| Line::new(clock.clone()));
    let feed = Feed::new(&config, storage, lines[0].clone());
    let mut memories = [0, 1].map(|number| {
        let row = case.devices[number];
        (
            vec![0; MIN_INPUT + usize::from(row.input)],
            vec![0; Session::control_len(&config.devices[number]) + usize::from(row.control)],
            // Room for the samples of both signals at least.
            vec![0; 150 + usize::from(row.outbox) * 4],
            vec![0; 2 + usize::from(row.records) / 4],
        )
    });
    let mut brokers: Vec<_> = (0..)
        .zip(&mut memories)
        .zip(&lines[1..])
        .filter_map(|((number, (input, control, outbox, records)), line)| {
            let storage = mqtt::Storage {
                input,
                control,
                outbox,
                records,
            };
            bridge::Broker::new(&config, number, 7, storage, line.clone())
        })
        .collect();
    let mut rig = Rig {
        bridge: Bridge::new(&config, routes, feed, &mut brokers),
        redis: Redis::new(),
        redis_connection: 0,
        ends: [End::new(&lines[1]), End::new(&lines[2])],
        lines,
        clock,
        samples: 0,
        redis_lied: false,
    };
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
            ["auto", "3.1", "3.1.1"][usize::from(row.version % 3)],
            1 + u16::from(row.window),
            u8::from(row.threshold),
            if row.short_keep_alive { 5 } else { 60 },
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

/// A broker, and what else is to be known of it.
struct End {
    line: Line,
    server: Broker,
    connection: u32,
    /// Whether what it said, or forgot, can have cost or doubled messages.
    lied: bool,
}

impl End {
    fn new(line: &Line) -> Self {
        End {
            line: line.clone(),
            server: Broker::new(),
            connection: 0,
            lied: false,
        }
    }
}

struct Rig<'b, 'a> {
    bridge: Bridge<'b, 'a, Line>,
    redis: Redis,
    redis_connection: u32,
    ends: [End; 2],
    lines: [Line; 3],
    clock: Clock,
    /// Samples so far: the next one's timestamp.
    samples: u64,
    redis_lied: bool,
}

impl Rig<'_, '_> {
    fn happen(&mut self, happening: &Happening<'_>) {
        match *happening {
            Happening::Sample { signal, value, bad } => {
                self.samples += 1;
                let flags = if bad { "IV" } else { "" };
                let payload = format!("{value},{},{flags}", self.samples);
                self.publish(usize::from(signal), payload.as_bytes());
            }
            Happening::Message { signal, payload } => {
                self.redis_lied = true;
                self.publish(usize::from(signal), payload);
            }
            Happening::RedisLies(bytes) => {
                self.redis_lied = true;
                self.lines[0].server_write(self.redis_connection, bytes);
            }
            Happening::BrokerLies { device, bytes } => self.end(device).lie(bytes),
            Happening::BrokerAcknowledges { device, kind, id } => {
                let first = [0x40, 0x50, 0x70, 0xd0][usize::from(kind % 4)];
                let packet = [first, if first == 0xd0 { 0 } else { 2 }, 0, id];
                let len = if first == 0xd0 { 2 } else { 4 };
                self.end(device).lie(&packet[..len]);
            }
            Happening::BrokerForgets { device } => {
                let end = self.end(device);
                end.lied = true;
                end.line.server_close(end.connection);
                end.server.connection_ended();
                let delivered = std::mem::take(&mut end.server.delivered);
                end.server = Broker::new();
                end.server.delivered = delivered;
            }
            Happening::Greeting { device, kind } => {
                let kinds = [
                    Greeting::Welcome,
                    Greeting::WelcomeTo3_1,
                    Greeting::HangUpOn3_1_1,
                    Greeting::HangUp,
                    Greeting::ThrowOut,
                    Greeting::Silence,
                    Greeting::Refuse(1 + kind % 5),
                ];
                self.end(device).server.greeting = kinds[usize::from(kind) % kinds.len()];
            }
            Happening::BrokerIsSilent {
                device,
                about_pings,
                about_messages,
            } => {
                let server = &mut self.end(device).server;
                server.answers_pings = !about_pings;
                server.acknowledges = !about_messages;
            }
            Happening::RedisIsSilent(silent) => self.redis.answers = !silent,
            Happening::Pieces { line, bytes } => self.line(line).set_piece(1 + usize::from(bytes)),
            Happening::Window { line, bytes } => self.line(line).set_window(usize::from(bytes)),
            Happening::Cut { line } => self.line(line).cut(),
            Happening::Close { line } => {
                let connection = match line % 3 {
                    0 => self.redis_connection,
                    other => self.ends[usize::from(other) - 1].connection,
                };
                self.line(line).server_close(connection);
            }
            Happening::Door { line, kind } => {
                let kinds = [Door::Open, Door::Refused, Door::Silent, Door::Untrusted];
                self.line(line).set_door(kinds[usize::from(kind % 4)]);
            }
            Happening::Names { line, kind } => {
                let kinds = [Names::Known, Names::Unknown, Names::Silent];
                self.line(line).set_names(kinds[usize::from(kind % 3)]);
            }
            Happening::Wait(millis) => self.run_until(self.clock.get() + u64::from(millis)),
            Happening::WaitForWakeUp => {
                let wake_up = self.settle();
                self.clock.set(wake_up.min(self.clock.get() + 100_000));
            }
            Happening::Oversleep(seconds) => {
                self.clock.set(self.clock.get() + u64::from(seconds) * 1000)
            }
            Happening::Poll => {
                self.poll();
            }
        }
    }

    fn end(&mut self, device: u8) -> &mut End {
        &mut self.ends[usize::from(device % 2)]
    }

    fn line(&self, line: u8) -> &Line {
        &self.lines[usize::from(line % 3)]
    }

    fn publish(&mut self, signal: usize, payload: &[u8]) {
        let channel = SIGNALS[signal % SIGNALS.len()];
        if self.redis.channels.contains(channel) {
            let head = message(channel, "");
            // Without the empty payload: what is said need not be text.
            let head = &head[..head.len() - b"$0\r\n\r\n".len()];
            let len = format!("${}\r\n", payload.len());
            let bytes = [head, len.as_bytes(), payload, b"\r\n"].concat();
            self.lines[0].server_write(self.redis_connection, &bytes);
        }
    }

    /// Everybody does all that can be done now, and then waits, as often as the bridge wants, until this time.
    fn run_until(&mut self, millis: u64) {
        loop {
            let wake_up = self.settle();
            if wake_up > millis {
                break;
            }
            self.clock.set(wake_up);
        }
        self.clock.set(millis);
    }

    /// Everybody does all that can be done now; when the bridge wants to be called again.
    fn settle(&mut self) -> u64 {
        let mut idle = 0;
        for _ in 0..LONGEST_BURST {
            let before = self.moves();
            self.serve();
            let wake_up = self.poll();
            self.serve();
            if self.moves() != before {
                continue;
            }
            if wake_up > self.clock.get() {
                return wake_up;
            }
            idle += 1;
            assert!(
                idle < 3,
                "it asks to be called at {wake_up}, at {}, and does nothing",
                self.clock.get()
            );
        }
        panic!("no rest at {}", self.clock.get());
    }

    fn poll(&mut self) -> u64 {
        let wake_up = self
            .bridge
            .poll(Instant::from_millis(self.clock.get()), &mut ());
        for (device, counters) in self.bridge.counters() {
            let accounted = counters.rejected
                + counters.suppressed
                + counters.queued
                + counters.sent
                + counters.dropped;
            assert_eq!(counters.received, accounted, "{}: {counters}", device.alias);
            assert!(
                counters.acknowledged <= counters.sent,
                "{}: {counters}",
                device.alias
            );
        }
        wake_up.as_millis()
    }

    fn moves(&self) -> u64 {
        self.lines.iter().map(Line::moves).sum()
    }

    fn serve(&mut self) {
        for event in self.lines[0].events() {
            match event {
                Event::Opened(connection) => self.redis_connection = connection,
                Event::Bytes(connection, bytes) => {
                    let answer = self.redis.take(&bytes);
                    if !answer.is_empty() {
                        self.lines[0].server_write(connection, &answer);
                    }
                }
                Event::Ended(_) => self.redis.connection_ended(),
            }
        }
        self.ends.iter_mut().for_each(End::serve);
    }

    /// Everything works again.
    fn mend(&mut self, case: &Case<'_>) {
        for line in &self.lines {
            line.set_door(Door::Open);
            line.set_names(Names::Known);
            line.set_piece(usize::MAX);
            line.set_window(usize::MAX);
        }
        self.redis.answers = true;
        for end in &mut self.ends {
            end.server.greeting = Greeting::Welcome;
            end.server.answers_pings = true;
            end.server.acknowledges = true;
        }
        // Longer than any backoff and any wait for a dead link, one after the other.
        self.run_until(self.clock.get() + 300_000);
        if self.redis_lied {
            // Half a frame may be what it waits for: a new connection is a new beginning.
            self.lines[0].cut();
            self.run_until(self.clock.get() + 100_000);
        }
        for signal in 0..SIGNALS.len() {
            let delivered = self.ends[signal / 2].server.delivered.len();
            self.samples += 1;
            // No earlier value is like it.
            let payload = format!("1e{},{},", self.samples, self.samples);
            self.publish(signal, payload.as_bytes());
            self.run_until(self.clock.get() + 1000);
            let server = &self.ends[signal / 2].server;
            let last = server.delivered.get(delivered..).unwrap_or_default();
            assert_eq!(
                last.iter()
                    .map(|publish| publish.topic.as_str())
                    .collect::<Vec<_>>(),
                [SIGNALS[signal]],
                "a mended bridge delivers"
            );
        }
        for (number, end) in self.ends.iter().enumerate() {
            let counters = self.bridge.brokers()[number].counters();
            assert_eq!(counters.queued, 0, "{counters}");
            let qos = case.devices[number].qos % 3;
            if qos > 0 {
                assert_eq!(counters.acknowledged, counters.sent, "{counters}");
            }
            if !(end.lied || self.redis_lied) {
                check_delivered(&end.server.delivered, qos, counters.sent);
            }
        }
        self.stop();
    }

    fn stop(&mut self) {
        let now = self.clock.get();
        let wills: Vec<_> = self.ends.iter().map(|end| end.server.wills_sent).collect();
        self.bridge.stop(Instant::from_millis(now));
        self.run_until(now + STOP_WITHIN);
        assert!(self.bridge.has_stopped());
        for (end, wills) in self.ends.iter().zip(wills) {
            assert_eq!(end.server.wills_sent, wills, "DISCONNECT was said");
        }
    }
}

impl End {
    fn lie(&mut self, bytes: &[u8]) {
        self.lied = true;
        self.line.server_write(self.connection, bytes);
    }

    fn serve(&mut self) {
        for event in self.line.events() {
            match event {
                Event::Opened(connection) => self.connection = connection,
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

/// Samples have rising timestamps, all over.
fn check_delivered(delivered: &[Publish], qos: u8, sent: u64) {
    let mut seen = BTreeSet::new();
    let mut first = Vec::new();
    for publish in delivered {
        let timestamp: u64 = publish
            .payload
            .split(',')
            .nth(1)
            .and_then(|text| text.parse().ok())
            .expect("a sample");
        if seen.insert(timestamp) {
            first.push(timestamp);
        }
    }
    assert!(first.is_sorted(), "out of order: {first:?}");
    if qos != 1 {
        assert_eq!(first.len(), delivered.len(), "twice: {delivered:?}");
    }
    let arrived = first.len() as u64;
    assert!(
        if qos == 0 {
            arrived <= sent
        } else {
            arrived == sent
        },
        "{arrived} of {sent}"
    );
}
