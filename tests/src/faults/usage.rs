//! What does the daemon use of its machine while everything around it misbehaves? A table over minutes, and its bounds.
//!
//! One device has a real broker behind a link with faults, at QoS 2. Each other one has a broker of a kind that nobody should have
//! (see [`hostile`](super::hostile)). Redis publishes for all of them as fast as the buffers overflow, and much of it is nonsense.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::hostile::{Hostile, MISBEHAVIOURS};
use crate::proxy::{BOTH, Fault, Treatment};
use crate::servers::{Mosquitto, Redis};
use crate::{Config, Daemon, Proxy};

/// Lines that the daemon may write in a minute at the default debug level, for each device: one for each change of the reason at each attempt to
/// connect, of which there are at most seven in the first minute, some with an explanation, and two about a full buffer.
const LINES_FOR_A_DEVICE: u64 = 21;
/// And for rejected messages: ten in ten seconds, and one that counts the others.
const LINES_FOR_REJECTED: u64 = 66;

/// Bytes of RAM for samples that wait: little, so that the buffers of the devices without a good broker are always full.
const BUFFER: u32 = 16 * 1024;

/// What the memory may grow by after the first half, in KiB: a page of the allocator's here and there.
const GROWTH: u64 = 128;

/// Which part of the time without load it may work: off what is queued, and to look for its brokers. One that never sleeps works all of it.
/// (How little an idle bridge wakes is a test of its own, `e2e::idle`.)
const WORK_AT_REST: f64 = 0.05;

/// What was seen at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    pub after: Duration,
    pub resident_kib: u64,
    pub descriptors: usize,
    pub threads: usize,
    /// Lines on standard error since the start.
    pub lines: u64,
    /// Processor time since the start.
    pub processor: Duration,
    /// Messages received for all devices since the start.
    pub received: u64,
}

/// A run and its samples.
pub struct Run {
    pub samples: Vec<Sample>,
    /// The beginning and the end of the time without load, with the misbehaving brokers gone.
    pub at_rest: [Sample; 2],
    devices: usize,
    /// Descriptors before the first connection.
    fixed: usize,
}

/// Loads a daemon for so long, and watches it, then for `rest` without load.
///
/// # Panics
///
/// If a server does not start, or the daemon ends.
#[must_use]
pub fn run(rng: &mut Rng, time: Duration, rest: Duration, mut show: impl FnMut(&Sample)) -> Run {
    let redis = Redis::start();
    let broker = Mosquitto::start();
    let proxy = Proxy::to(broker.port());
    let hostile: Vec<_> = MISBEHAVIOURS
        .iter()
        .map(|&(_, kind)| Hostile::start(kind, rng.fork()))
        .collect();
    let mut config = device(Config::new(), "real", proxy.port());
    for ((name, _), broker) in MISBEHAVIOURS.iter().zip(&hostile) {
        config = device(config, name, broker.port());
    }
    let config = config.with_ports(redis.port(), 0);
    // At the default debug level: what a gateway writes to its log.
    let mut daemon = Daemon::start_with(&config, &[]);
    redis.wait_for_subscriptions(&config.channels());
    let start = Instant::now();
    let mut samples = Vec::new();
    let mut number = 0;
    let every = (time / 60).max(Duration::from_millis(500));
    let (mut next_sample, mut next_fault) = (Duration::ZERO, every);
    while start.elapsed() < time {
        publish(&redis, &config, &mut number, rng);
        if start.elapsed() >= next_fault {
            proxy.heal();
            proxy.strike(fault(rng));
            next_fault += every;
        }
        if start.elapsed() >= next_sample {
            let sample = look(&mut daemon, start);
            show(&sample);
            samples.push(sample);
            next_sample += every;
        }
    }
    proxy.heal();
    drop(hostile);
    let before = look(&mut daemon, start);
    assert!(!daemon.ends_within(rest), "the daemon has ended");
    let after = look(&mut daemon, start);
    for name in std::iter::once("real").chain(MISBEHAVIOURS.map(|(name, _)| name)) {
        let now = daemon.counters(name);
        let sum = now.rejected + now.suppressed + now.queued + now.sent + now.dropped;
        assert_eq!(now.received, sum, "{name}: {now:?}");
    }
    assert_eq!(daemon.stop().code, 0);
    Run {
        samples,
        at_rest: [before, after],
        devices: 1 + MISBEHAVIOURS.len(),
        fixed: fixed_descriptors(),
    }
}

fn device(config: Config, name: &str, port: u16) -> Config {
    config
        .device(name)
        .with("mqtt_qos", 2)
        .with("keep_alive", 5)
        .with("buffer_size", BUFFER)
        .at(port)
        .signal("a")
        .signal("b")
}

/// How many descriptors a daemon holds that has only itself: one that is alone with a broker that refuses it.
fn fixed_descriptors() -> usize {
    let alone = Daemon::start(&Config::new().device("alone").signal("a").with_ports(1, 1));
    alone.stderr().wait_for(&["alone", "refused"]);
    alone.stderr().wait_for(&["redis", "refused"]);
    alone.descriptors()
}

/// Some messages for every signal, a third of them nonsense.
fn publish(redis: &Redis, config: &Config, number: &mut u64, rng: &mut Rng) {
    let mut messages = Vec::new();
    for _ in 0..20 {
        *number += 1;
        for channel in config.channels() {
            let nonsense = ["", "offline", "1,", "1,-1", "x,1,", "inf,1,"];
            let message = match rng.usize(..18) {
                kind @ ..6 => String::from(nonsense[kind]),
                _ => format!("{number},{number},"),
            };
            messages.push((channel, message));
        }
    }
    let _ = redis.publish_each(messages);
    // The pace of the load: about ten thousand messages a second.
    thread::sleep(Duration::from_millis(25));
}

/// Most of them cost no connection: after each that does, the next attempt comes later.
fn fault(rng: &mut Rng) -> Fault {
    let (one, both) = (&BOTH[1..], BOTH);
    match rng.u8(..16) {
        0 => Fault::Cut,
        1 => Fault::Reset,
        2 => Fault::Treat(both, Treatment::Swallow),
        3..7 => Fault::Treat(both, Treatment::Stall),
        7..10 => Fault::Treat(one, Treatment::Stall),
        10..13 => Fault::Treat(both, Treatment::Split(3)),
        _ => Fault::Treat(both, Treatment::Delay(Duration::from_millis(20))),
    }
}

fn look(daemon: &mut Daemon, start: Instant) -> Sample {
    let names = std::iter::once("real").chain(MISBEHAVIOURS.map(|(name, _)| name));
    let received = names.map(|name| daemon.counters(name).received).sum();
    // Those that were asked for with SIGUSR1 are no log lines.
    let lines = daemon.stderr().mark() - daemon.stderr().with(&["received", "reconnects"]).len();
    Sample {
        after: start.elapsed(),
        resident_kib: daemon.resident_kib(),
        descriptors: daemon.descriptors(),
        threads: daemon.threads(),
        lines: lines as u64,
        processor: daemon.processor_time(),
        received,
    }
}

impl Run {
    /// What exceeds its bound.
    #[must_use]
    pub fn excesses(&self) -> Vec<String> {
        let mut excesses = Vec::new();
        let half = self.samples.len() / 2;
        let most = |samples: &[Sample]| samples.iter().map(|one| one.resident_kib).max();
        let (first, second) = self.samples.split_at(half);
        if most(second) > most(first).map(|most| most + GROWTH) {
            excesses.push(format!(
                "memory grew from {:?} to {:?} KiB",
                most(first),
                most(second)
            ));
        }
        // One socket for each link, and one more for Redis.
        let descriptors = self.fixed + self.devices + 1;
        for sample in &self.samples {
            if sample.descriptors > descriptors {
                excesses.push(format!("more than {descriptors} descriptors: {sample}"));
            }
            if sample.threads > 1 {
                excesses.push(format!("more than one thread: {sample}"));
            }
        }
        if self.work_at_rest() > WORK_AT_REST {
            excesses.push(format!(
                "worked {} of the time at rest",
                self.work_at_rest()
            ));
        }
        let lines = LINES_FOR_REJECTED + LINES_FOR_A_DEVICE * self.devices as u64;
        let minute = Duration::from_secs(60);
        for (number, from) in self.samples.iter().enumerate() {
            let in_a_minute = self.samples[number..]
                .iter()
                .take_while(|to| to.after - from.after <= minute);
            let last = in_a_minute.last().unwrap_or(from);
            if last.lines - from.lines > lines {
                excesses.push(format!(
                    "{} lines within a minute, more than {lines}: {from} to {last}",
                    last.lines - from.lines
                ));
            }
        }
        excesses
    }

    /// Which part of the time it worked while there was no load.
    #[must_use]
    pub fn work_at_rest(&self) -> f64 {
        let [before, after] = self.at_rest;
        let time = after.after - before.after;
        (after.processor - before.processor).as_secs_f64() / time.as_secs_f64()
    }
}

/// The head of the table of samples.
pub const HEAD: &str = "     s  messages  RSS KiB  descriptors  threads  log lines    CPU s";

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:6.1} {:9} {:8} {:12} {:8} {:10} {:8.2}",
            self.after.as_secs_f64(),
            self.received,
            self.resident_kib,
            self.descriptors,
            self.threads,
            self.lines,
            self.processor.as_secs_f64()
        )
    }
}
