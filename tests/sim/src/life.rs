//! One life of the bridge: a plan is carried out, step by step, and after every step all that has to hold is looked at.

mod death;
mod finish;
mod happening;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use fastrand::Rng;
use mqtt_client_core::bridge::Bridge;
use mqtt_client_core::bridge::spooling::Spool;
use mqtt_client_core::observer::Observer;
use mqtt_client_core::time::Instant;

use crate::broker::Broker;
use crate::disk::Disk;
use crate::ends::{BrokerEnd, RedisEnd};
use crate::ledger::Ledger;
use crate::line::Line;
use crate::network::Clock;
use crate::plan::{End, Plan, What};
use crate::property::{self, Broken, Verdict};
use crate::proxy::{Behind, Proxy};
use crate::seen::Seen;
use crate::stage::{Script, Turn, play};
use crate::trace;
use crate::world::{Edition, Ending, SECRETS};

/// After all is healed so much time is allowed, besides twice the keep-alive, until everything is delivered: time-outs of a last connection that
/// is half dead (20 s), and the longest delay before the next (32 s), a few times in a row for old sessions and protocol levels.
const RECOVERS_WITHIN: u64 = 200_000;

/// When a topic that was set aside is tried again, at the latest, in milliseconds.
const TRIED_AGAIN_WITHIN: u64 = 660_000;

/// The longest delay after connections on which nothing was acknowledged, in milliseconds.
const LATER_WITHIN: u64 = 260_000;

/// How often it is looked at whether everything is delivered already.
const LOOK_EVERY: u64 = 5000;

/// A silent Redis is noticed within two times 15 s.
const REDIS_SILENCE: u64 = 31_000;

/// Lives through a plan.
///
/// # Errors
/// The first property that was broken.
pub fn live(plan: &Plan) -> Result<(), Broken> {
    live_and_count(plan).0
}

/// The same, and how many changes were made to the storage of each device.
pub fn live_and_count(plan: &Plan) -> (Result<(), Broken>, Vec<u32>) {
    let mut life = Life::new(plan);
    let brokers = life.brokers.iter().zip(&life.disks);
    let ends: Vec<_> = brokers
        .map(|(end, disk)| (end.line.clone(), disk.clone()))
        .collect();
    let redis_line = life.redis.line.clone();
    let mut carried = None;
    let mut edition = Edition::default();
    loop {
        let next = play(&plan.world, edition, carried, &redis_line, &ends, &mut life);
        let Some((next, remains)) = next else {
            let disks = life.disks.iter();
            let changes = disks.map(|disk| disk.as_ref().map_or(0, |disk| disk.written().1 as u32));
            return (life.verdict.result(), changes.collect());
        };
        life.reloaded(next);
        edition = next;
        carried = remains;
    }
}

/// Something that is to be done at a time.
enum Act {
    Begin(What),
    End(What),
    /// This connection, to Redis or to a broker, must be closed by now, or this property is broken. What the bridge is late for other
    /// reasons, beyond what it was when this was scheduled, it may be late here.
    MustBeClosed(End, u32, &'static str, u64),
    Heal,
    /// If all is delivered, or by this time, a last sample is published for every signal.
    LastWords(u64),
    /// If that is delivered too, or by this time, the life is judged.
    Judge(u64),
    Stop,
    /// It must have stopped, if so many processes have ended. What the bridge is late for other reasons, it may be late here.
    MustHaveStopped(u32, u64),
    /// The bridge is called again, that was not for so long.
    WakeUp(u64),
}

struct Life<'p> {
    plan: &'p Plan,
    rng: Rng,
    clock: Clock,
    /// The bridge's clock less the simulation's.
    ahead: u64,
    verdict: Rc<Verdict>,
    redis: RedisEnd,
    brokers: Vec<BrokerEnd>,
    /// The storage of each device that has a spool.
    disks: Vec<Option<Disk>>,
    agenda: BTreeMap<(u64, usize), Act>,
    acts: usize,
    edition: Edition,
    /// Signals of each device.
    signals: Vec<usize>,
    asleep: bool,
    /// When the bridge wants to be called, by the simulation's clock.
    wake_up: u64,
    /// Polls without any effect and without a wait, in a row.
    idle: u32,
    polls: u64,
    stirs: u64,
    published: u64,
    last_values: HashMap<(usize, usize), String>,
    /// Milliseconds for which the bridge was not called, or its clock went back.
    lateness: u64,
    jumps: usize,
    /// Processes of the bridge that have ended.
    deaths: u32,
    /// The bridge has been told to end, and another is to begin.
    restarts: bool,
    /// A change to storage after which the process dies, or the power is cut.
    cuts_power: bool,
    over: bool,
}

impl Script for Life<'_> {
    /// Lets everybody act, and time pass, until the plan is carried out or wants another edition.
    fn watch(&mut self, bridge: &mut Bridge<'_, '_, Line>) -> Turn {
        self.wake_up = self.now();
        loop {
            if let Some(turn) = self.act(bridge) {
                return turn;
            }
            if self.over || self.verdict.is_broken() {
                return Turn::Over;
            }
            self.serve();
            let stirred = self.take_stir();
            if !self.asleep && (stirred || self.wake_up <= self.now()) {
                self.poll(bridge);
                if let Some(turn) = self.has_ended(bridge) {
                    return turn;
                }
                self.check_stopped(bridge);
                continue;
            }
            let Some(next) = self.next_time() else {
                return Turn::Over;
            };
            self.clock.set(next.max(self.now()));
        }
    }

    fn random(&self) -> u32 {
        // An odd factor: only 0 stays 0.
        self.plan.world.random.wrapping_mul(2 * self.deaths + 1)
    }

    fn observer(&mut self) -> impl Observer {
        Seen {
            redis: &mut self.redis,
            brokers: &self.brokers,
            signals: &self.signals,
            verdict: &self.verdict,
        }
    }
}

impl<'p> Life<'p> {
    fn new(plan: &'p Plan) -> Self {
        let world = &plan.world;
        let mut rng = Rng::with_seed(plan.seed ^ 0x5eed);
        let clock = trace::clock();
        let verdict = Rc::new(Verdict::default());
        let line = |rng: &mut Rng| {
            let line = Line::new(clock.clone(), rng.fork());
            line.set_latency(world.latency);
            line
        };
        let password = world.redis_password.then(|| SECRETS[0].to_string());
        let redis = RedisEnd::new(line(&mut rng), password);
        let brokers = (world.devices.iter().enumerate())
            .map(|(number, device)| {
                let ledger = Ledger::new(verdict.clone(), clock.clone(), number, device);
                let ledger = Rc::new(RefCell::new(ledger));
                let line = line(&mut rng);
                let proxy = device
                    .proxy
                    .map(|has_login| Proxy::new(verdict.clone(), has_login));
                match proxy {
                    Some(_) => {
                        line.set_tap(Rc::new(RefCell::new(Behind::new(ledger.clone()))));
                    }
                    None => line.set_tap(ledger.clone()),
                }
                let mut server = Broker::new(
                    device.kind,
                    device.delivers,
                    device.speaks,
                    device.earlier_session.clone(),
                    device.v5,
                );
                server.spelling.clone_from(&ledger.borrow().spelling);
                BrokerEnd::new(line, server, ledger, proxy)
            })
            .collect();
        let disks = (world.devices.iter().zip(plan.seed..))
            .map(|(device, seed)| device.spool.map(|spool| spool.disk(seed)))
            .collect();
        let mut life = Life {
            plan,
            rng,
            clock,
            ahead: world.clock,
            verdict,
            redis,
            brokers,
            disks,
            agenda: BTreeMap::new(),
            acts: 0,
            edition: Edition::default(),
            signals: world.devices.iter().map(|device| device.signals).collect(),
            asleep: false,
            wake_up: 0,
            idle: 0,
            polls: 0,
            stirs: 0,
            published: 0,
            last_values: HashMap::new(),
            lateness: 0,
            jumps: 0,
            deaths: 0,
            restarts: false,
            cuts_power: false,
            over: false,
        };
        for happening in &plan.happenings {
            life.schedule(happening.at, Act::Begin(happening.what.clone()));
        }
        life.schedule_ending();
        if let Some((device, fault)) = plan.ends_at {
            life.storage_fault(device, fault, 0);
        }
        life
    }

    fn schedule_ending(&mut self) {
        let world = &self.plan.world;
        if world.ending == Ending::StoppedInTheStorm {
            self.schedule(world.storm / 5 * 4, Act::Stop);
            return;
        }
        self.schedule(world.storm, Act::Heal);
    }

    /// When everything must be delivered at the latest, if all is well from now on.
    fn recovered_by(&self) -> u64 {
        let keep_alive = self
            .plan
            .world
            .devices
            .iter()
            .map(|device| device.keep_alive)
            .max();
        self.now() + RECOVERS_WITHIN + 2000 * keep_alive.unwrap_or(0) + self.lateness
    }

    /// How much later that may be: where a topic was set aside, it is tried again after ten minutes, over three connections; a broker that
    /// acknowledged nothing is left alone for a while; and `max_rate` takes its time.
    fn more_in_all(&self) -> u64 {
        let ledgers = || self.brokers.iter().map(|end| end.ledger.borrow());
        let is_aside = ledgers().any(|ledger| ledger.has_set_aside());
        let is_later = trace::was_told("it may throttle");
        let slowest = ledgers().map(|ledger| ledger.takes_longer()).max();
        u64::from(is_aside) * TRIED_AGAIN_WITHIN
            + u64::from(is_later) * LATER_WITHIN
            + slowest.unwrap_or(0)
    }

    fn schedule(&mut self, at: u64, act: Act) {
        self.acts += 1;
        self.agenda.insert((at, self.acts), act);
    }

    fn now(&self) -> u64 {
        self.clock.get()
    }

    fn bridge_time(&self) -> Instant {
        Instant::from_millis(self.now() + self.ahead)
    }

    fn serve(&mut self) {
        let now = self.now();
        self.redis.serve();
        for broker in &mut self.brokers {
            broker.serve(now, &mut self.rng);
        }
        for number in 0..self.brokers.len() {
            for connection in self.brokers[number].line.take_dead() {
                let bound = self.brokers[number].ledger.borrow().keep_alive() / 2 * 3 + 10;
                self.must_be_closed(End::Broker(number), connection, property::NOTICED, bound);
            }
        }
        for connection in self.redis.line.take_dead() {
            self.must_be_closed(End::Redis, connection, property::NOTICED, REDIS_SILENCE);
        }
    }

    fn must_be_closed(&mut self, end: End, connection: u32, property: &'static str, within: u64) {
        // A clock that went back before makes waits longer as well.
        let at = self.now() + within + self.lateness;
        self.schedule(
            at,
            Act::MustBeClosed(end, connection, property, self.lateness),
        );
    }

    fn take_stir(&mut self) -> bool {
        let lines = self.brokers.iter().map(|end| &end.line);
        let stirs = lines
            .chain([&self.redis.line])
            .filter(|line| line.take_stir())
            .count();
        self.stirs += stirs as u64;
        stirs > 0
    }

    fn next_time(&self) -> Option<u64> {
        let agenda = self.agenda.first_key_value().map(|((at, _), _)| *at);
        let brokers = self.brokers.iter().filter_map(BrokerEnd::next_event);
        let wake_up = (!self.asleep && self.wake_up != u64::MAX).then_some(self.wake_up);
        let times = [agenda, self.redis.line.next_event(), wake_up];
        times.into_iter().flatten().chain(brokers).min()
    }

    fn moves(&self) -> u64 {
        let brokers = self.brokers.iter().map(|end| end.line.moves());
        brokers.sum::<u64>() + self.redis.line.moves()
    }

    /// What a spool has changes when samples come back from it, and its storage when it is asked for something.
    fn spool_moves(&self, bridge: &Bridge<'_, '_, Line>) -> (u64, u64) {
        let spools = bridge.brokers().iter().filter_map(|broker| broker.spool());
        let disks = self.disks.iter().flatten();
        (
            spools.map(Spool::spooled).sum(),
            disks.map(|disk| disk.written().1).sum(),
        )
    }

    /// [`property::NO_BUSY_LOOP`], and the second books.
    fn poll(&mut self, bridge: &mut Bridge<'_, '_, Line>) {
        let spooled = self.spool_moves(bridge);
        let before = self.moves();
        let now = self.bridge_time();
        self.redis.is_read();
        for end in &self.brokers {
            end.ledger.borrow_mut().ahead = self.ahead;
        }
        let wake_up = bridge.poll(now, &mut self.observer());
        self.wake_up = match wake_up {
            Instant::NEVER => u64::MAX,
            time => self.now() + time.since(now),
        };
        let has_spooled = self.spool_moves(bridge) != spooled;
        self.stirs += u64::from(has_spooled);
        self.wait_for_storage();
        self.polls += 1;
        let moved = self.moves() != before || has_spooled;
        self.idle = if wake_up <= now && !moved {
            self.idle + 1
        } else {
            0
        };
        self.verdict
            .require(property::NO_BUSY_LOOP, self.idle < 2, || {
                format!("asks to be called again at {wake_up:?}, at {now:?}, and did nothing")
            });
        if moved {
            self.check_attempts();
        }
        self.check_books(bridge);
    }

    fn check_books(&mut self, bridge: &Bridge<'_, '_, Line>) {
        // Messages that were too long to be seen.
        while let Some(device) = self.redis.oversized_next(&self.signals)
            && let ledger = &self.brokers[device].ledger
            && bridge.brokers()[device].counters().rejected > ledger.borrow().rejected()
        {
            self.redis.expected.pop_front();
            ledger.borrow_mut().received_oversized();
        }
        let brokers = bridge.brokers().iter().zip(&self.brokers);
        for ((broker, end), disk) in brokers.zip(&self.disks) {
            let mut ledger = end.ledger.borrow_mut();
            ledger.settle();
            let counters = broker.counters();
            if let (Some(spool), Some(disk)) = (broker.spool(), disk) {
                ledger.look(broker.session().outbox(), &counters, spool, disk);
            }
            ledger.check_counters(&counters, broker.spool());
            ledger.check_answers();
            ledger.check_ages();
            ledger.check_outbox(broker.session().outbox());
        }
        let leak = trace::leak();
        self.verdict.require(property::SECRET, leak.is_none(), || {
            leak.unwrap_or_default()
        });
    }

    /// Carries out what is due, until that ends the edition of the configuration.
    fn act(&mut self, bridge: &mut Bridge<'_, '_, Line>) -> Option<Turn> {
        while let Some(entry) = self.agenda.first_entry()
            && entry.key().0 <= self.clock.get()
        {
            match entry.remove() {
                // A daemon that ends does not reload.
                Act::Begin(What::Reload(_) | What::Restart) if self.restarts => {}
                Act::Begin(What::Restart) => self.restart(bridge),
                Act::Begin(What::Reload(edition)) => {
                    trace::note(|| ("reload".into(), format!("{edition:?}")));
                    let carried_by = self.bridge_time();
                    self.part(edition);
                    return Some(Turn::Reload(edition, carried_by));
                }
                Act::Begin(what @ (What::Kill | What::PowerCut)) => {
                    return Some(self.kill(what == What::PowerCut));
                }
                Act::Begin(what) => self.begin(what),
                Act::End(what) => self.end(&what),
                Act::MustBeClosed(end, connection, property, known) => {
                    self.check_closed(end, connection, property, known);
                }
                Act::Heal => self.heal(),
                Act::LastWords(by) => self.last_words(by),
                Act::Judge(by) => self.judge(by),
                Act::Stop => self.stop(bridge),
                Act::MustHaveStopped(deaths, known) => {
                    self.must_have_stopped(bridge, deaths, known);
                }
                Act::WakeUp(millis) => {
                    self.asleep = false;
                    self.lateness += millis;
                }
            }
        }
        None
    }

    /// The configuration is about to change.
    fn part(&mut self, next: Edition) {
        self.jumps += 1;
        for (number, end) in self.brokers.iter().enumerate() {
            let mut ledger = end.ledger.borrow_mut();
            ledger.may_leave = next.keep_alive != self.edition.keep_alive;
            let device = &self.plan.world.devices[number];
            self.signals[number] = device.signals - usize::from(next.without_last);
        }
    }

    fn reloaded(&mut self, edition: Edition) {
        self.edition = edition;
        let devices = self.plan.world.devices.iter().zip(&self.signals);
        for (end, (device, signals)) in self.brokers.iter().zip(devices) {
            let mut ledger = end.ledger.borrow_mut();
            ledger.keep_signals(*signals);
            ledger.reloaded(device.keep_alive + edition.keep_alive);
        }
    }
}
