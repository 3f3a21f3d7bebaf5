//! A chain of lives: a daemon under load is killed at random moments, while its broker comes and goes, and started again over the same spool.

use std::fmt::Display;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::json;
use tempfile::TempDir;

use super::broker::{Broker, Mood};
use super::ledger::{Ledger, Sum};
use crate::servers::{Mosquitto, Redis, SUBSCRIBER_MAY_LAG};
use crate::{Config, Daemon, Subscriber, config, subscriber, wait};

/// Which broker, and how it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// The one that notes what it acknowledges, at QoS 1 and 2.
    Noting { qos: u8 },
    /// A real Mosquitto that saves its state when it ends, at QoS 2, and a subscriber whose session lasts.
    Mosquitto,
}

/// A chain of lives that follows from a number.
#[derive(Clone, Copy, Debug)]
pub struct Chain {
    pub setting: Setting,
    pub seed: u64,
    /// Lives that are ended by SIGKILL, but for one in ten that SIGTERM ends.
    pub lives: u64,
}

/// Seconds; the least that can be asked for, so that lives can be short.
const FLUSH_INTERVAL: u64 = 1;

const SIGNALS: [&str; 3] = ["a", "b", "c"];

/// A life's length, and how long the broker is the same, in milliseconds.
const LIFE: std::ops::Range<u64> = 0..2_600;
const MOOD: std::ops::Range<u64> = 100..1_200;

/// How long a backlog may take to arrive without any progress: delays before reconnects are part of it.
const RECOVERY: Duration = Duration::from_secs(30);

/// How often a mark is sent, at most, before it is said that none comes back.
const MARKS: u32 = 6;

/// How often the harness looks and publishes.
const TICK: Duration = Duration::from_millis(5);

impl Chain {
    /// Lives all of it, until all that has to has arrived, and calls `after_each` after each life.
    ///
    /// # Panics
    ///
    /// If something that is promised does not hold.
    pub fn live(self, mut after_each: impl FnMut()) -> Sum {
        let Self {
            setting,
            seed,
            lives,
        } = self;
        let mut rng = Rng::with_seed(seed);
        let mut world = World::start(setting, &mut rng);
        for number in 0..lives {
            let at = format_args!("{setting:?}, seed {seed}, life {number}");
            let lived = world.live(&mut rng);
            lived.unwrap_or_else(|wrong| world.give_up(at, &wrong));
            after_each();
        }
        let ended = world.finish();
        let at = format_args!("{setting:?}, seed {seed}, the end");
        ended.unwrap_or_else(|wrong| world.give_up(at, &wrong));
        world.ledger.sum()
    }
}

/// The fields are in the order in which they end.
struct World {
    ends: Ends,
    redis: Redis,
    config: Config,
    ledger: Ledger,
    /// Each signal's next number.
    next: [u64; 3],
    /// What of the broker's is in the ledger.
    arrivals: usize,
    /// What happened when, and what the daemons said; for whoever looks into a failure.
    diary: Vec<String>,
    begun: Instant,
    _spool: TempDir,
}

/// What is at the other end.
enum Ends {
    Noting(Broker),
    // The subscriber ends first.
    Mosquitto(Subscriber, Box<Mosquitto>, Mood),
}

impl Ends {
    fn port(&self) -> u16 {
        match self {
            Ends::Noting(broker) => broker.port(),
            Ends::Mosquitto(_, broker, _) => broker.port(),
        }
    }

    fn be(&mut self, mood: Mood) {
        match self {
            Ends::Noting(broker) => broker.be(mood),
            Ends::Mosquitto(_, broker, before) => {
                match std::mem::replace(before, mood) {
                    Mood::There => {}
                    Mood::Silent => broker.go_on(),
                    Mood::Away => broker.start_again(),
                }
                match mood {
                    Mood::There => {}
                    Mood::Silent => broker.pause(),
                    Mood::Away => broker.stop(),
                }
            }
        }
    }

    /// Waits until what the broker has taken so far has arrived where this is seen; else says what has not come.
    fn settle(&mut self, mark: usize) -> Result<(), String> {
        if let Ends::Noting(broker) = self {
            broker.settle();
        }
        self.be(Mood::There);
        let Ends::Mosquitto(subscriber, broker, _) = self else {
            return Ok(());
        };
        // It may have been stopped with much to read.
        wait::until("the end of the bridge's connection", || {
            let lines = broker.log().with(&["client "]);
            let ends = |line: &&String| {
                let is_end = line.contains("clos") || line.contains("disconnect");
                is_end && !line.contains(subscriber::CLIENT_ID)
            };
            let ended = lines.iter().filter(ends).count();
            wait::holds(ended >= broker.bridges().len())
        });
        // Once more from time to time: the subscriber's client forgets what it was to send where the broker has forgotten its session.
        let mark = mark.to_string();
        for _ in 0..MARKS {
            subscriber.publish("mark", &mark);
            let came = wait::within(wait::LIMIT / MARKS, || {
                let payloads = subscriber.payloads("mark");
                wait::holds(payloads.contains(&mark))
            });
            if came.is_some() {
                return Ok(());
            }
        }
        let (log, sessions) = (broker.log(), subscriber.lost_sessions());
        let taken = log.with(&["Received PUBLISH from test-subscriber"]).len();
        let given = log.with(&["Sending PUBLISH to test-subscriber"]).len();
        let answered = log.with(&["Received PUBACK from test-subscriber"]).len();
        Err(format!(
            "the mark {mark} does not come back to the test's own subscriber, whose session the broker has lost {sessions} times. Since its start \
             the broker has taken {taken} marks, and sent {given} messages to the subscriber, which has acknowledged {answered}"
        ))
    }
}

impl World {
    fn start(setting: Setting, rng: &mut Rng) -> Self {
        let (ends, qos) = match setting {
            Setting::Noting { qos } => (Ends::Noting(Broker::start()), qos),
            Setting::Mosquitto => {
                let broker = Mosquitto::start_with(&[
                    "allow_anonymous true",
                    "persistence true",
                    // Else it throws away what exceeds 1,000 messages for a subscriber that is away, and has acknowledged it.
                    SUBSCRIBER_MAY_LAG,
                ]);
                let subscriber = subscriber::to(broker.port()).lasting().connect();
                (
                    Ends::Mosquitto(subscriber, Box::new(broker), Mood::There),
                    2,
                )
            }
        };
        let redis = Redis::start();
        let spool = spool_folder().expect("a temporary folder");
        // A small outbox, so that many samples come back from storage, and a large one, so that few do.
        let buffer = [2_048, 16_384, 1 << 20][rng.usize(..3)];
        let config = config(spool.path(), qos, buffer).with_ports(redis.port(), ends.port());
        Self {
            ends,
            redis,
            config,
            ledger: Ledger::new(Duration::from_secs(FLUSH_INTERVAL)),
            next: [0; 3],
            arrivals: 0,
            diary: Vec::new(),
            begun: Instant::now(),
            _spool: spool,
        }
    }

    /// One life, from the start of the daemon to its end.
    fn live(&mut self, rng: &mut Rng) -> Result<(), String> {
        let mut daemon = Daemon::start_with(&self.config, &["-r", "-d", "2"]);
        let begun = Instant::now();
        let length = Duration::from_millis(rng.u64(LIFE));
        let mut mood_until = Duration::ZERO;
        let mut lines = 0;
        // In a tick: from 100 to 2,000 samples a second.
        let per_tick = rng.usize(1..10);
        let is_reloaded = rng.u8(..10) == 0;
        let mut reload_at = is_reloaded.then(|| length.mul_f64(rng.f64()));
        while begun.elapsed() < length {
            if begun.elapsed() >= mood_until {
                let moods = [Mood::There, Mood::There, Mood::Silent, Mood::Away];
                let mood = moods[rng.usize(..moods.len())];
                self.note(format_args!("the broker: {mood:?}"));
                self.ledger.break_link(Instant::now());
                self.ends.be(mood);
                mood_until = begun.elapsed() + Duration::from_millis(rng.u64(MOOD));
            }
            if reload_at.is_some_and(|at| begun.elapsed() >= at) && self.is_heard() {
                reload_at = None;
                let name = format!("reloaded {}", rng.u8(..));
                self.config = self.config.clone().device_key("name", name);
                self.config = self.config.clone().device_key("keep_alive", rng.u8(5..60));
                // The keep-alive is in CONNECT.
                self.ledger.break_link(Instant::now());
                daemon.reload(&self.config);
                self.ledger.reload();
            }
            self.publish(rng, per_tick);
            lines = self.note_accepted(&daemon, lines, Instant::now());
            thread::sleep(TICK);
        }
        let is_stopped = rng.u8(..10) == 0;
        let ended_at = if is_stopped {
            // Before that a signal may come too early to be caught.
            self.wait_until_heard();
            let end = daemon.stop();
            if end.code != 0 {
                return Err(format!("the daemon ended with {}", end.code));
            }
            Instant::now()
        } else {
            let at = Instant::now();
            daemon.kill();
            // What it wrote last was accepted before that, nobody knows when.
            at
        };
        self.note_accepted(&daemon, lines, ended_at);
        let settled = self.ends.settle(self.diary.len());
        let noted = settled.and_then(|()| self.note_arrived());
        if is_stopped {
            self.ledger.stop(Instant::now());
            self.note_end("stopped", &daemon);
        } else {
            self.ledger.kill(ended_at);
            self.note_end("killed", &daemon);
        }
        noted
    }

    /// A last life with the broker there, until all that has to has arrived.
    fn finish(&mut self) -> Result<(), String> {
        self.ends.be(Mood::There);
        let mut daemon = Daemon::start_with(&self.config, &["-d", "2"]);
        let mut before = None;
        loop {
            let progress = wait::within(RECOVERY, || {
                let noted = self.note_arrived();
                let missing = self.ledger.missing();
                let is_over = noted.is_err() || missing == 0 || before != Some(missing);
                is_over.then_some((noted, missing))
            });
            let Some((noted, missing)) = progress else {
                self.note_end("in vain", &daemon);
                return Err(format!("missing: {}", self.ledger.name_missing()));
            };
            noted?;
            if missing == 0 {
                break;
            }
            before = Some(missing);
        }
        self.wait_until_heard();
        daemon.wait_for_counters("cloud", |now| now.dropped == 0);
        if daemon.stop().code != 0 {
            return Err(String::from("the daemon does not end well"));
        }
        self.ends.settle(self.diary.len())?;
        self.note_arrived()
    }

    /// Whether the daemon is subscribed.
    fn is_heard(&self) -> bool {
        self.redis.publish(&config::channel(SIGNALS[0]), "nan,0,") > 0
    }

    fn wait_until_heard(&self) {
        wait::until("a daemon that listens", || wait::holds(self.is_heard()));
    }

    fn note(&mut self, what: impl Display) {
        let seconds = self.begun.elapsed().as_secs_f64();
        self.diary.push(format!("{seconds:8.3} s  {what}"));
    }

    /// The end of one daemon.
    fn note_end(&mut self, how: &str, daemon: &Daemon) {
        let lines = daemon.stderr().all();
        self.diary.extend(lines);
        self.note(format_args!("{how}, {}", self.ledger.sum()));
    }

    fn give_up(&self, at: impl Display, wrong: &str) -> ! {
        for line in &self.diary {
            println!("{line}");
        }
        panic!("{at}: {wrong}");
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

    /// The daemon's word of what it has read: at the latest at this time.
    fn note_accepted(&mut self, daemon: &Daemon, from: usize, at: Instant) -> usize {
        let lines = daemon.stdout().after(from, &["REDIS < "]);
        for line in &lines {
            let mut words = line.split(' ').skip(2);
            let (Some(topic), Some(message)) = (words.next(), words.next()) else {
                continue;
            };
            if let Some(number) = number_of(message) {
                self.ledger.accept(topic, number, at);
            }
        }
        from + lines.len()
    }

    fn note_arrived(&mut self) -> Result<(), String> {
        match &self.ends {
            Ends::Noting(broker) => {
                let arrivals = broker.arrivals_after(self.arrivals);
                self.arrivals += arrivals.len();
                for one in arrivals {
                    if let Some(number) = number_of(&one.payload) {
                        self.ledger.arrive(&one.topic, number, one.at, one.again)?;
                    }
                }
            }
            Ends::Mosquitto(subscriber, ..) => {
                if subscriber.lost_sessions() > 0 {
                    return Err("the broker has lost the session of the test's own subscriber, and what waited there".into());
                }
                let deliveries = subscriber.deliveries_after(self.arrivals);
                self.arrivals += deliveries.len();
                for one in deliveries {
                    if let Some(number) = number_of(&one.payload) {
                        let now = Instant::now();
                        self.ledger.arrive(&one.topic, number, now, one.again)?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// In memory where that can be: a process that is killed leaves there what it leaves on a disk, and no other test keeps that disk busy.
fn spool_folder() -> std::io::Result<TempDir> {
    TempDir::new_in("/dev/shm").or_else(|_| TempDir::new())
}

fn config(spool: &Path, qos: u8, buffer: u32) -> Config {
    let config = config::cloud()
        .with("mqtt_qos", qos)
        .with("buffer_size", buffer)
        .with("spool_size", 64 << 20);
    let config = SIGNALS
        .iter()
        .fold(config, |config, signal| config.signal(signal));
    let block = json!({ "path": spool, "flush_interval": FLUSH_INTERVAL });
    config.top("spool", block)
}

/// Each sample's time is its number.
fn number_of(message: &str) -> Option<u64> {
    let mut fields = message.split(',');
    let value = fields.next()?;
    let time = fields.next()?;
    (value != "nan").then(|| time.parse().ok()).flatten()
}
