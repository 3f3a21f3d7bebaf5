//! One life: servers, proxies and a daemon, a plan of faults, and a check after each.

use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use mqtt_client_core::bridge::STOP_WITHIN;

use super::crowd::Summary;
use super::diary::Diary;
use super::ledger::Ledger;
use super::plan::{self, Event, Link, Program, Server, Setting, Step};
use super::trace::{News, Trace};
use super::{DEVICES, SIGNALS};
use crate::pki::{Authority, request};
use crate::port::Reserved;
use crate::process::Signal;
use crate::proxy::{BOTH, Fault, Treatment, Way};
use crate::servers::{Mosquitto, Redis, SUBSCRIBER_MAY_LAG};
use crate::{Config, Counters, Daemon, Proxy, Subscriber, subscriber, wait};

/// How long a recovery may take before it is given up: the delays before reconnects are part of it, and a busy machine may add to them.
const RECOVERY: Duration = Duration::from_secs(120);

/// In seconds: bounds the time until the daemon notices a dead link.
const KEEP_ALIVE: u64 = 5;

/// Lives as planned by `seed`: `steps` faults, and an end by SIGTERM under load.
///
/// # Panics
///
/// If something that is promised does not hold: what, the seed, and what was done when.
#[must_use]
pub fn live(seed: u64, setting: Setting, steps: usize) -> Summary {
    let mut rng = Rng::with_seed(seed);
    let plan = plan::plan(&mut rng, setting, steps);
    let mut life = Life::start(seed, setting);
    for step in &plan {
        life.suffer(step);
    }
    life.end(rng.u64(5..60))
}

/// The fields are in the order in which they end.
struct Life {
    diary: Diary,
    daemon: Daemon,
    subscriber: Subscriber,
    /// To Redis, and for each device.
    to_redis: Proxy,
    to_broker: Vec<Proxy>,
    broker: Mosquitto,
    redis: Redis,
    /// Where the broker speaks TLS, and whose files it reads.
    _secure: Option<(Authority, Reserved)>,
    books: Vec<Book>,
    trace: Trace,
    /// Lines of the daemon's and deliveries of the subscriber's that are in the books.
    lines: usize,
    deliveries: usize,
    faults: u64,
}

/// A signal and its ledger.
struct Book {
    device: usize,
    /// The topic too.
    channel: String,
    ledger: Ledger,
}

impl Book {
    fn check(&mut self, redis_was_lost: bool) {
        let settled = self.ledger.settle(redis_was_lost);
        if let Err(wrong) = settled.and_then(|()| self.ledger.check()) {
            panic!("{}: {wrong}", self.channel);
        }
    }
}

impl Life {
    fn start(seed: u64, setting: Setting) -> Self {
        let diary = Diary::new(seed, setting);
        let redis = Redis::start();
        let to_redis = Proxy::to(redis.port());
        // The subscriber is away as well while the broker restarts.
        let lines = ["persistence true", SUBSCRIBER_MAY_LAG];
        let (broker, secure) = match setting {
            Setting::Plain | Setting::Old => {
                let lines = [&["allow_anonymous true"], &lines[..]].concat();
                (Mosquitto::start_with(&lines), None)
            }
            Setting::Tls => {
                let authority = Authority::new("Plant CA");
                let shown = authority.issue(request("broker").hosts(&["127.0.0.1"]));
                let (broker, port) = authority.broker(&shown, &lines);
                (broker, Some((authority, port)))
            }
        };
        let port = secure
            .as_ref()
            .map_or(broker.port(), |(_, port)| port.number());
        let to_broker: Vec<_> = DEVICES.iter().map(|_| Proxy::to(port)).collect();
        let mut config = Config::new().redis("port", to_redis.port());
        let mut books = Vec::new();
        for (device, (name, qos)) in DEVICES.into_iter().enumerate() {
            config = config
                .device(name)
                .with("mqtt_qos", qos)
                .with("keep_alive", KEEP_ALIVE)
                .at(to_broker[device].port());
            if setting == Setting::Old {
                config = config.with("mqtt_version", "3.1");
            }
            if let Some((authority, _)) = &secure {
                config = authority.secure(config, &authority.issue(request(name)));
            }
            for signal in SIGNALS {
                config = config.signal(signal);
                books.push(Book {
                    device,
                    channel: format!("tag/{name}/{signal}/in"),
                    ledger: Ledger::new(qos),
                });
            }
        }
        let mut life = Self {
            diary,
            subscriber: subscriber::to(broker.port()).lasting().connect(),
            daemon: Daemon::start_with(&config, &["-r", "-m", "-d2"]),
            to_redis,
            to_broker,
            broker,
            redis,
            _secure: secure,
            books,
            trace: Trace::default(),
            lines: 0,
            deliveries: 0,
            faults: 0,
        };
        life.redis.wait_for_subscriptions(&config.channels());
        life.publish(1);
        life.come_to_rest(false);
        life
    }

    /// One fault under load, and the check of what arrived.
    fn suffer(&mut self, step: &Step) {
        self.diary.note(format_args!(
            "{}; {} messages for each signal",
            step.event, step.load
        ));
        let mark = self.daemon.stderr().mark();
        self.happen(&step.event, step.load);
        let redis_was_lost = step.event.ends(Link::Redis);
        if redis_was_lost {
            let words = ["redis: subscribed to"];
            self.wait_for("the subscriptions", |life| {
                wait::holds(!life.daemon.stderr().after(mark, &words).is_empty())
            });
        }
        self.publish(step.load);
        self.come_to_rest(redis_was_lost);
        self.faults += 1;
    }

    fn happen(&mut self, event: &Event, load: u64) {
        match *event {
            Event::Link {
                link,
                way,
                after,
                fault,
                hold,
            } => {
                self.proxy(link).arm(way, after, fault);
                self.publish(load);
                self.wait_for("the fault", |life| {
                    wait::holds(!life.proxy(link).is_armed())
                });
                thread::sleep(hold);
                match fault {
                    Fault::Treat(_, Treatment::Swallow) => self.proxy(link).cut(),
                    _ => self.proxy(link).heal(),
                }
            }
            Event::Unattended {
                link,
                after,
                treatment,
            } => {
                let connections = self.proxy(link).accepted();
                self.proxy(link)
                    .arm(Way::ToServer, after, Fault::Treat(BOTH, treatment));
                self.publish(load);
                self.wait_for("another connection", |life| {
                    wait::holds(life.proxy(link).accepted() > connections)
                });
            }
            Event::Refused { link, hold } => {
                self.publish(load);
                self.proxy(link).refuse();
                self.publish(load);
                thread::sleep(hold);
                self.proxy(link).accept();
            }
            Event::Restarted(Server::Redis) => {
                self.publish(load);
                self.redis.stop();
                self.redis.start_again();
            }
            Event::Killed(Server::Redis) => {
                self.publish(load);
                self.redis.kill();
                self.redis.start_again();
            }
            Event::Restarted(Server::Broker) => {
                self.publish(load);
                self.broker.stop();
                self.publish(load);
                self.broker.start_again();
            }
            Event::Killed(Server::Broker) => self.kill_broker(load),
            Event::Paused(program, hold) => {
                self.publish(load);
                match program {
                    Program::Redis => self.redis.pause(),
                    Program::Broker => self.broker.pause(),
                    Program::Daemon => self.daemon.signal(Signal::STOP),
                }
                if program != Program::Redis {
                    self.publish(load);
                }
                thread::sleep(hold);
                match program {
                    Program::Redis => self.redis.go_on(),
                    Program::Broker => self.broker.go_on(),
                    Program::Daemon => self.daemon.signal(Signal::CONT),
                }
            }
            Event::ThrownOutByRedis => {
                self.publish(load);
                self.redis.drop_subscribers();
            }
        }
    }

    /// What it had acknowledged on the connections that end here, it may lose.
    fn kill_broker(&mut self, load: u64) {
        self.broker.save();
        let connections = DEVICES.map(|(name, _)| self.trace.connections(name));
        self.publish(load);
        self.broker.kill();
        self.publish(load);
        self.broker.start_again();
        let (books, trace) = (&mut self.books, &mut self.trace);
        wait::within(RECOVERY, || {
            self.lines += take_up(&self.daemon, self.lines, books, trace);
            let mut devices = DEVICES.iter().zip(connections);
            wait::holds(devices.all(|((name, _), before)| trace.connections(name) > before))
        })
        .expect("all devices connect again");
        for ((name, _), before) in DEVICES.iter().zip(connections) {
            // On a busy machine there may have been another one before the end.
            for number in before - 1..trace.connections(name) - 1 {
                for (topic, message) in trace.taken(name, number) {
                    let book = books.iter_mut().find(|book| book.channel == *topic);
                    book.expect("a topic of ours").ledger.excuse(message);
                }
            }
        }
    }

    /// Publishes so many messages for each signal.
    fn publish(&mut self, load: u64) {
        let mut messages = Vec::new();
        for _ in 0..load {
            for book in &mut self.books {
                messages.push((book.channel.clone(), book.ledger.publish()));
            }
        }
        // Whether somebody has heard them is not known where Redis has not noticed a fault yet.
        let _ = self.redis.publish_each(messages);
    }

    /// Waits until everything that was published has got as far as it can, and checks it.
    fn come_to_rest(&mut self, redis_was_lost: bool) {
        self.wait_for("rest", Self::is_at_rest);
        for book in &mut self.books {
            book.check(redis_was_lost);
        }
    }

    fn is_at_rest(&mut self) -> Option<()> {
        self.read_all();
        let has_read_all = self.books.iter().all(|book| book.ledger.is_up_to_date());
        wait::holds(has_read_all && self.has_all_arrived())?;
        for (device, (name, qos)) in DEVICES.into_iter().enumerate() {
            let counters = self.daemon.counters(name);
            let done = counters.queued == 0 && (qos == 0 || counters.acknowledged == counters.sent);
            self.check_counters(device, &counters);
            wait::holds(done)?;
        }
        Some(())
    }

    /// Brings the books up to date.
    fn read_all(&mut self) {
        self.lines += take_up(&self.daemon, self.lines, &mut self.books, &mut self.trace);
        for delivery in self.subscriber.deliveries_after(self.deliveries) {
            self.deliveries += 1;
            let books = &mut self.books;
            let book = books.iter_mut().find(|book| book.channel == delivery.topic);
            let book = book.unwrap_or_else(|| panic!("a message of nobody's: {delivery:?}"));
            book.ledger.arrive(delivery.payload, delivery.again);
        }
    }

    fn has_all_arrived(&mut self) -> bool {
        // At QoS 0 nobody knows.
        let mut kept = self
            .books
            .iter_mut()
            .filter(|book| DEVICES[book.device].1 > 0);
        kept.all(|book| book.ledger.is_complete())
    }

    fn check_counters(&self, device: usize, counters: &Counters) {
        let ledgers = self.books.iter().filter(|book| book.device == device);
        let ledgers: Vec<_> = ledgers.map(|book| &book.ledger).collect();
        let sum = |count: fn(&Ledger) -> u64| ledgers.iter().map(|one| count(one)).sum::<u64>();
        let expected = Counters {
            received: sum(Ledger::read_count),
            rejected: sum(|ledger| ledger.rejected),
            suppressed: sum(|ledger| ledger.suppressed),
            dropped: 0,
            sent: counters.received - counters.rejected - counters.suppressed - counters.queued,
            ..*counters
        };
        assert_eq!(*counters, expected, "the counters of {}", DEVICES[device].0);
    }

    /// SIGTERM under load: what was read arrives, and all is well.
    fn end(mut self, load: u64) -> Summary {
        self.diary.note("SIGTERM under load");
        self.publish(load);
        let start = Instant::now();
        let finished = self.daemon.stop();
        let took = start.elapsed();
        assert_eq!(finished.code, 0, "the exit code");
        self.read_all();
        let mut summary = Summary {
            lives: 1,
            faults: self.faults,
            ..Summary::default()
        };
        for (device, (name, qos)) in DEVICES.into_iter().enumerate() {
            let lines = finished.stderr.iter().rev();
            let mut counters = lines.filter(|line| line.contains(&format!("{name}: received")));
            let last = counters.next().and_then(|line| Counters::parse(line));
            let counters = last.expect("the counters at the end");
            self.check_counters(device, &counters);
            summary.messages += counters.received;
            summary.reconnects += counters.reconnects;
            if qos > 0 && counters.queued == 0 && counters.acknowledged == counters.sent {
                self.check_the_last(device);
            } else if qos > 0 {
                let limit = Duration::from_millis(STOP_WITHIN);
                assert!(took >= limit, "{name} gave up after {took:?}: {counters:?}");
            }
        }
        summary
    }

    fn check_the_last(&mut self, device: usize) {
        self.wait_for("the last messages", |life| {
            life.read_all();
            let mut own = life.books.iter_mut().filter(|book| book.device == device);
            wait::holds(own.all(|book| book.ledger.is_complete()))
        });
        for book in self.books.iter_mut().filter(|book| book.device == device) {
            // It stops reading Redis at once: the last may not have been read.
            book.check(true);
        }
    }

    fn proxy(&self, link: Link) -> &Proxy {
        match link {
            Link::Redis => &self.to_redis,
            Link::Broker(device) => &self.to_broker[device],
        }
    }

    fn wait_for(&mut self, what: &str, mut condition: impl FnMut(&mut Self) -> Option<()>) {
        if wait::within(RECOVERY, || condition(self)).is_none() {
            self.read_all();
            let checks = self.books.iter().map(|book| book.ledger.check());
            let checks: Vec<_> = checks.collect();
            let counters = DEVICES.map(|(name, _)| self.daemon.counters(name));
            panic!("waited {RECOVERY:?} for {what}: {checks:?}, {counters:?}");
        }
    }
}

/// Puts the daemon's new lines into the books; how many there were.
fn take_up(daemon: &Daemon, from: usize, books: &mut [Book], trace: &mut Trace) -> usize {
    let lines = daemon.stdout().after(from, &[]);
    for line in &lines {
        match trace.line(line) {
            Some(News::Read { channel, message }) => {
                let book = books.iter_mut().find(|book| book.channel == channel);
                book.expect("a channel of ours").ledger.read(message);
            }
            Some(News::Reconnected {
                device,
                session_present,
            }) => books
                .iter_mut()
                .filter(|book| DEVICES[book.device].0 == device)
                .for_each(|book| book.ledger.reconnected(session_present)),
            None => {}
        }
    }
    lines.len()
}
