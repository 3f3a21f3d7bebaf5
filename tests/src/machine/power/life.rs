//! A chain of lives: a gateway under load whose power is cut at random moments, from its boot on, while its broker comes and goes; then it boots again
//! with the disk that this has left.
//!
//! Time is the gateway's: its init script says `tick` ten times a second. An emulator that waits for a processor, on a busy machine, has written nothing
//! meanwhile, and its daemon has not promised to.

use std::fmt::{self, Display};
use std::ops::AddAssign;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::json;
use tempfile::TempDir;

use super::disk::{Disk, Traffic};
use super::gateway::{self, Gateway, SPOOL, Storage};
use crate::machine::BOOT;
use crate::servers::Redis;
use crate::spool::broker::{Broker, Mood};
use crate::spool::ledger::{self, Ledger};
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

/// Lives in one chain: few enough that one that fails is soon repeated.
const IN_A_CHAIN: u64 = 25;

/// Which lives.
#[derive(Clone, Debug)]
pub struct Plan {
    /// In turn, one for each chain.
    pub storage: Vec<Storage>,
    /// Of the first chain; they count up.
    pub seed: u64,
    /// Cuts.
    pub lives: u64,
    /// Chains side by side; each takes a processor.
    pub at_a_time: usize,
    /// Where the diary of each chain is left, and the disk of one that failed.
    pub evidence: Option<PathBuf>,
}

/// What came of many lives.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum {
    pub ledger: ledger::Sum,
    pub traffic: Traffic,
    /// Cuts before the daemon listened: during the boot, the file system's recovery or the spool's.
    pub early: u64,
    /// The daemon's words of damaged samples.
    pub damaged: u64,
}

impl AddAssign for Sum {
    fn add_assign(&mut self, other: Self) {
        self.ledger += other.ledger;
        self.early += other.early;
        self.damaged += other.damaged;
        self.traffic.writes += other.traffic.writes;
        self.traffic.flushes += other.traffic.flushes;
        self.traffic.unflushed += other.traffic.unflushed;
        self.traffic.lost += other.traffic.lost;
        self.traffic.torn += other.traffic.torn;
    }
}

impl Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Traffic {
            writes,
            flushes,
            unflushed,
            lost,
            torn,
        } = self.traffic;
        write!(
            f,
            "{}; {} cuts before the daemon listened, {torn} during a write, of {writes} writes and {flushes} flushes; {unflushed} pages unflushed, {lost} of them lost; \
             {} words of damage",
            self.ledger, self.early, self.damaged
        )
    }
}

/// Lives them all. `after_each` is told how many there were.
///
/// # Errors
///
/// What of that which is promised did not hold, for each chain that it ended; the others went on.
///
/// # Panics
///
/// If the gateway cannot be built, or the emulator does not start.
pub fn live(plan: &Plan, after_each: impl Fn(u64) + Sync) -> (Sum, Result<(), String>) {
    let chains = plan.lives.div_ceil(IN_A_CHAIN);
    let (next, count) = (AtomicU64::new(0), AtomicU64::new(0));
    let sum = Mutex::new((Sum::default(), Vec::new()));
    thread::scope(|scope| {
        for _ in 0..plan.at_a_time {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    if number >= chains {
                        return;
                    }
                    let lives = IN_A_CHAIN.min(plan.lives - number * IN_A_CHAIN);
                    let lived = chain(plan, number, lives, || {
                        after_each(count.fetch_add(1, Ordering::SeqCst) + 1);
                    });
                    let mut sum = sum.lock().expect("adding does not panic");
                    sum.0 += lived.0;
                    sum.1.extend(lived.1.err());
                }
            });
        }
    });
    let (sum, wrong) = sum.into_inner().expect("adding does not panic");
    let is_well = wrong.is_empty();
    (sum, is_well.then_some(()).ok_or(wrong.join("\n")))
}

fn chain(
    plan: &Plan,
    number: u64,
    lives: u64,
    mut after_each: impl FnMut(),
) -> (Sum, Result<(), String>) {
    let storage = plan.storage[number as usize % plan.storage.len()];
    let seed = plan.seed.wrapping_add(number);
    let mut rng = Rng::with_seed(seed);
    let mut world = World::start(storage, &mut rng);
    let mut lived = Ok(());
    for number in 0..lives {
        world.note(format_args!("{storage:?}, seed {seed}, life {number}"));
        lived = world.live(&mut rng);
        if lived.is_err() {
            break;
        }
        after_each();
    }
    let lived = lived.and_then(|()| world.finish(&mut rng));
    let name = format!("{storage:?}-{seed}").to_lowercase();
    if lived.is_err() || plan.evidence.is_some() {
        world.leave_evidence(plan, &name, lived.is_err());
    }
    let lived = lived.map_err(|wrong| format!("{name}: {wrong}"));
    if let Err(wrong) = &lived {
        println!("{wrong}");
    }
    (world.sum(), lived)
}

/// What lives of a gateway have in common.
struct World {
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
    fn start(storage: Storage, rng: &mut Rng) -> Self {
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

    fn boot(&self) -> Gateway {
        let gateway = Gateway::boot(&self.image, self.folder.path(), self.storage);
        self.disk.plug_into(gateway.console());
        gateway
    }

    /// One life, from the boot to the cut.
    fn live(&mut self, rng: &mut Rng) -> Result<(), String> {
        let gateway = self.boot();
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
                self.note_end("stands still", gateway);
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
            lines = self.note_console(&gateway, lines, usize::MAX)?;
            self.note_arrived()?;
            thread::sleep(LOOK);
        }
        self.early += u64::from(heard.is_none());
        self.end(gateway, lines, waits_for_write, rng)
    }

    /// A last life with the broker there, until all that has to has arrived.
    fn finish(&mut self, rng: &mut Rng) -> Result<(), String> {
        self.broker.be(Mood::There);
        self.note("the last life");
        let gateway = self.boot();
        let heard = wait::within(BOOT, || wait::holds(self.is_heard()));
        let mut before = None;
        let mut lines = 0;
        let mut is_over = heard.is_none();
        while !is_over {
            let progress = wait::within(RECOVERY, || {
                let console = self.note_console(&gateway, lines, usize::MAX);
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
            self.note_end("in vain", gateway);
            return Err(format!("missing: {}", self.ledger.name_missing()));
        }
        self.end(gateway, lines, Duration::ZERO, rng)
    }

    /// Cuts the power, and writes the books.
    fn end(
        &mut self,
        mut gateway: Gateway,
        lines: usize,
        waits_for_write: Duration,
        rng: &mut Rng,
    ) -> Result<(), String> {
        let mut last = self.disk.cut(rng.usize(WRITES_BEFORE), waits_for_write);
        gateway.kill();
        last = last.max(lines);
        // What it wrote after that was accepted before that, or is of no account.
        self.note_console(&gateway, lines, last)?;
        self.broker.settle();
        self.broker.be(Mood::There);
        self.disk.restore(rng);
        self.note_arrived()?;
        self.ledger.kill(self.clock);
        self.note_end("cut", gateway);
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
    fn note_end(&mut self, how: &str, gateway: Gateway) {
        let lines = gateway.console().all();
        let lines = lines
            .into_iter()
            .filter(|line| line != TICK && accepted(line).is_none());
        let before = self.diary.len();
        self.diary.extend(lines);
        let damaged = self.diary[before..]
            .iter()
            .filter(|line| line.contains("damaged"));
        self.damaged += damaged.count() as u64;
        for (at, what) in self.disk.take_trace() {
            let seconds = (at - self.begun).as_secs_f64();
            self.diary.push(format!("{seconds:8.3} s  disk: {what}"));
        }
        self.note(format_args!("{how}: {}", self.sum()));
    }

    fn sum(&self) -> Sum {
        Sum {
            ledger: self.ledger.sum(),
            traffic: self.disk.traffic(),
            early: self.early,
            damaged: self.damaged,
        }
    }

    fn leave_evidence(&self, plan: &Plan, name: &str, has_failed: bool) {
        let diary = self.diary.join("\n");
        let Some(folder) = &plan.evidence else {
            println!("{diary}");
            return;
        };
        let mut left = std::fs::write(folder.join(format!("{name}.diary")), &diary);
        if has_failed {
            let disk = folder.join(format!("{name}.disk"));
            left = left.and(std::fs::write(disk, self.disk.content()));
        }
        if let Err(error) = left {
            println!("{}: {error}", folder.display());
        }
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
