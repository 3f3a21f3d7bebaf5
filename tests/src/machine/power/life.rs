//! A chain of lives: a gateway under load whose power is cut at random moments, from its boot on, while its broker comes and goes; then it boots again
//! with the disk that this has left.
//!
//! Time is the gateway's: its init script says `tick` ten times a second. An emulator that waits for a processor, on a busy machine, has written nothing
//! meanwhile, and its daemon has not promised to.

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::json;
use tempfile::TempDir;

use super::crowd::Sum;
use super::disk::Disk;
use super::gateway::{self, Gateway, SPOOL, Storage};
use crate::machine::BOOT;
use crate::servers::Redis;
use crate::spool::broker::{Broker, Mood};
use crate::spool::ledger::Ledger;
use crate::{Config, config, wait};

/// Seconds; the least that can be asked for, so that lives can be short.
const FLUSH_INTERVAL: u64 = 1;

const SIGNALS: [&str; 3] = ["a", "b", "c"];

/// How long the daemon is left alone once it listens, and how long the broker is the same, in milliseconds.
const LIFE: std::ops::Range<u64> = 0..3_000;
const MOOD: std::ops::Range<u64> = 300..3_000;

/// How long a cut waits for a write to fall into, and how many it lets pass: what is written at once is data, a file's size, a journal.
const NEXT_WRITE: Duration = Duration::from_millis(1_000);
const WRITES_BEFORE: std::ops::Range<usize> = 0..5;

/// How long a backlog may take to arrive without any progress: delays before reconnects are part of it.
const RECOVERY: Duration = Duration::from_secs(60);

/// How often the harness looks and publishes.
const LOOK: Duration = Duration::from_millis(10);

/// What the gateway says, and how often.
const TICK: &str = "tick";
const TICK_LENGTH: Duration = Duration::from_millis(100);

/// What lives of a gateway have in common.
pub struct World {
    storage: Storage,
    disk: Disk,
    image: PathBuf,
    broker: Broker,
    redis: Redis,
    ledger: Ledger,
    /// Each signal's next number.
    next: [u64; SIGNALS.len()],
    /// What of the broker's is in the ledger.
    arrivals: usize,
    early: u64,
    damaged: u64,
    /// How long the last boot took until the daemon listened.
    boot: Duration,
    /// The gateway's time, over all its lives.
    clock: Instant,
    /// What happened when, and what the gateways said; for whoever looks into a failure.
    diary: Vec<String>,
    begun: Instant,
    folder: TempDir,
}

impl World {
    /// A gateway that has not lived yet.
    ///
    /// # Panics
    ///
    /// If it cannot be built.
    #[must_use]
    pub fn start(storage: Storage, rng: &mut Rng) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let disk = storage.disk(folder.path());
        let (broker, redis) = (Broker::start(), Redis::start());
        // A small outbox, so that many samples come back from storage, and a large one, so that few do.
        let buffer = [2_048, 16_384, 1 << 20][rng.usize(..3)];
        let config = table(rng.u8(1..=2), buffer).with_ports(redis.port(), broker.port());
        let image = gateway::image(folder.path(), &config);
        let flush_interval = Duration::from_secs(FLUSH_INTERVAL);
        Self {
            storage,
            disk,
            image,
            broker,
            redis,
            ledger: Ledger::new(flush_interval),
            next: [0; SIGNALS.len()],
            arrivals: 0,
            early: 0,
            damaged: 0,
            boot: Duration::from_secs(2),
            clock: Instant::now(),
            diary: Vec::new(),
            begun: Instant::now(),
            folder,
        }
    }

    /// So many lives, and a last one in which all arrives that has to. `after_each` is called after each but that.
    ///
    /// # Errors
    ///
    /// What of that which is promised did not hold.
    pub fn live_all(
        &mut self,
        seed: u64,
        lives: u64,
        rng: &mut Rng,
        after_each: &mut dyn FnMut(),
    ) -> Result<(), String> {
        let storage = self.storage;
        for number in 0..lives {
            self.note(format_args!("{storage:?}, seed {seed}, life {number}"));
            let mut gateway = self.boot();
            let lived = self.live(&mut gateway, rng);
            self.note_end(&gateway, &lived);
            lived?;
            after_each();
        }
        self.note("the last life");
        let mut gateway = self.boot();
        let lived = self.finish(&mut gateway, rng);
        self.note_end(&gateway, &lived);
        lived
    }

    /// What came of them so far.
    #[must_use]
    pub fn sum(&self) -> Sum {
        Sum {
            ledger: self.ledger.sum(),
            traffic: self.disk.traffic(),
            early: self.early,
            damaged: self.damaged,
        }
    }

    /// Writes the diary of a chain of this name into a folder, and the disk too if it has failed.
    ///
    /// # Errors
    ///
    /// If it cannot.
    pub fn leave_evidence(&self, folder: &Path, name: &str, has_failed: bool) -> io::Result<()> {
        std::fs::create_dir_all(folder)?;
        let diary = self.diary.join("\n");
        std::fs::write(folder.join(format!("{name}.diary")), diary)?;
        if has_failed {
            std::fs::write(folder.join(format!("{name}.disk")), self.disk.content())?;
        }
        Ok(())
    }

    /// What happened when, and what the gateways said.
    #[must_use]
    pub fn diary(&self) -> &[String] {
        &self.diary
    }

    fn boot(&self) -> Gateway {
        let gateway = Gateway::boot(&self.image, self.folder.path(), self.storage);
        self.disk.plug_into(gateway.console());
        gateway
    }

    /// One life, from the boot to the cut.
    fn live(&mut self, gateway: &mut Gateway, rng: &mut Rng) -> Result<(), String> {
        let begun = Instant::now();
        // During the boot, or a while after it.
        let early = (rng.u8(..6) == 0).then(|| begun + self.boot.mul_f64(rng.f64()));
        let length = Duration::from_millis(rng.u64(LIFE));
        let waits_for_write = if rng.bool() {
            NEXT_WRITE
        } else {
            Duration::ZERO
        };
        let at_once = rng.usize(1..5);
        let mut heard = None;
        let mut mood_until = self.clock;
        let mut lines = 0;
        loop {
            let now = Instant::now();
            if heard.is_none() && self.is_heard() {
                heard = Some(self.clock);
                let boot = now - begun;
                self.boot = boot;
                self.note(format_args!("heard after {boot:?}"));
            }
            if early.is_some_and(|early| now >= early)
                || heard.is_some_and(|heard| self.clock >= heard + length)
            {
                break;
            }
            if now >= begun + BOOT {
                return Err(String::from(
                    "the daemon does not listen, or the gateway's time stands still",
                ));
            }
            if self.clock >= mood_until {
                let moods = [Mood::There, Mood::Silent, Mood::Away];
                let mood = moods[rng.usize(..moods.len())];
                self.note(format_args!("the broker: {mood:?}"));
                self.ledger.break_link(self.clock);
                self.broker.be(mood);
                mood_until = self.clock + Duration::from_millis(rng.u64(MOOD));
            }
            if heard.is_some() {
                self.publish(rng, at_once);
            }
            lines = self.note_console(gateway, lines, usize::MAX)?;
            self.note_arrived()?;
            thread::sleep(LOOK);
        }
        self.early += u64::from(heard.is_none());
        self.end(gateway, lines, waits_for_write, rng)
    }

    /// A last life with the broker there, until all that has to has arrived.
    fn finish(&mut self, gateway: &mut Gateway, rng: &mut Rng) -> Result<(), String> {
        self.broker.be(Mood::There);
        let heard = wait::within(BOOT, || wait::holds(self.is_heard()));
        let mut before = None;
        let mut lines = 0;
        let mut is_over = heard.is_none();
        while !is_over {
            let progress = wait::within(RECOVERY, || {
                let console = self.note_console(gateway, lines, usize::MAX);
                let noted = console.and_then(|after| {
                    lines = after;
                    self.note_arrived()
                });
                let missing = self.ledger.missing();
                let is_over = noted.is_err() || missing == 0 || before != Some(missing);
                is_over.then_some((noted, missing))
            });
            let Some((noted, missing)) = progress else {
                break;
            };
            noted?;
            before = Some(missing);
            is_over = missing == 0;
        }
        if heard.is_none() || self.ledger.missing() > 0 {
            return Err(format!("missing: {}", self.ledger.name_missing()));
        }
        self.end(gateway, lines, Duration::ZERO, rng)
    }

    /// Cuts the power, and writes the books.
    fn end(
        &mut self,
        gateway: &mut Gateway,
        lines: usize,
        waits_for_write: Duration,
        rng: &mut Rng,
    ) -> Result<(), String> {
        let mut last = self.disk.cut(rng.usize(WRITES_BEFORE), waits_for_write);
        gateway.kill();
        last = last.max(lines);
        // What it wrote after that was accepted before that, or is of no account.
        self.note_console(gateway, lines, last)?;
        self.broker.settle();
        self.broker.be(Mood::There);
        self.disk.restore(rng);
        self.note_arrived()?;
        self.ledger.kill(self.clock);
        Ok(())
    }

    /// Whether the daemon is subscribed.
    fn is_heard(&self) -> bool {
        self.redis.publish(&config::channel(SIGNALS[0]), "nan,0,") > 0
    }

    fn note(&mut self, what: impl Display) {
        let seconds = self.begun.elapsed().as_secs_f64();
        self.diary.push(format!("{seconds:8.3} s  {what}"));
    }

    /// The end of one life.
    fn note_end(&mut self, gateway: &Gateway, lived: &Result<(), String>) {
        for line in gateway.console().all() {
            if line != TICK && accepted(&line).is_none() {
                self.damaged += u64::from(line.contains("damaged"));
                self.diary.push(line);
            }
        }
        for (at, what) in self.disk.take_trace() {
            let seconds = (at - self.begun).as_secs_f64();
            self.diary.push(format!("{seconds:8.3} s  disk: {what}"));
        }
        let how = lived.as_ref().err().map_or("cut", String::as_str);
        self.note(format_args!("{how}: {}", self.sum()));
    }

    fn publish(&mut self, rng: &mut Rng, count: usize) {
        let messages: Vec<_> = (0..count)
            .map(|_| {
                let signal = rng.usize(..SIGNALS.len());
                let number = self.next[signal];
                self.next[signal] += 1;
                (
                    config::channel(SIGNALS[signal]),
                    format!("{number},{number},"),
                )
            })
            .collect();
        self.redis.publish_each(messages);
    }

    /// The daemon's word of what it has read, and the gateway's time, from one line on. After the line `last` time stands still. Not all of what it
    /// says may have come when its gateway ends.
    fn note_console(
        &mut self,
        gateway: &Gateway,
        from: usize,
        last: usize,
    ) -> Result<usize, String> {
        let lines = gateway.console().after(from, &[""]);
        for (number, line) in lines.iter().enumerate() {
            if line == TICK && from + number < last {
                self.clock += TICK_LENGTH;
            } else if let Some((topic, number)) = accepted(line) {
                self.ledger.accept(topic, number, self.clock);
            }
            for sign in ["is not mounted", "has ended", "panic", "Oops"] {
                if line.contains(sign) {
                    return Err(line.clone());
                }
            }
        }
        Ok(from + lines.len())
    }

    fn note_arrived(&mut self) -> Result<(), String> {
        let arrivals = self.broker.arrivals_after(self.arrivals);
        self.arrivals += arrivals.len();
        for one in arrivals {
            if let Some(number) = number_of(&one.payload) {
                self.ledger
                    .arrive(&one.topic, number, self.clock, one.again)?;
            }
        }
        Ok(())
    }
}

fn table(qos: u8, buffer: u32) -> Config {
    let config = config::cloud()
        .with("mqtt_qos", qos)
        .with("buffer_size", buffer)
        .with("spool_size", 1 << 20);
    let config = SIGNALS
        .iter()
        .fold(config, |config, signal| config.signal(signal));
    let block = json!({ "path": SPOOL, "flush_interval": FLUSH_INTERVAL });
    config.top("spool", block)
}

/// What a line of the daemon says that it has read from Redis: the topic and the sample's number.
fn accepted(line: &str) -> Option<(&str, u64)> {
    let (_, rest) = line.split_once("REDIS < ")?;
    let (topic, message) = rest.split_once(' ')?;
    Some((topic, number_of(message)?))
}

/// Each sample's value and time are its number: a line that a cut has shortened has none.
fn number_of(message: &str) -> Option<u64> {
    let mut fields = message.split(',');
    let value = fields.next()?;
    let number = value.parse().ok()?;
    (fields.next()? == value).then_some(number)
}
