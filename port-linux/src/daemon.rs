//! The daemon's life: what wakes the bridge, and what ends it.
//!
//! One configuration lives for one turn of the loop in [`Daemon::serve`]: everything that borrows from its text is made there. On SIGHUP
//! the connections and buffers that go on are taken out, and the next turn puts them into the next bridge.

use std::fmt;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
#[cfg(feature = "spool")]
use std::time::UNIX_EPOCH;

use mqtt_client_core::bridge::reload::Successor;
use mqtt_client_core::bridge::{Bridge, Broker, Feed};
use mqtt_client_core::config::{Config, Device, Endpoint};
use mqtt_client_core::index::Index;
use mqtt_client_core::routes::{LastSample, Routes, TooSmall};
use mqtt_client_core::time::{Instant, SECOND};
use nix::time::{ClockId, clock_gettime};

use crate::args::Options;
use crate::configuration::{self, Most, Tables, Unusable, complain};
use crate::machine_id::machine_id;
use crate::memory::{BrokerBuffers, FeedBuffers};
use crate::net::{Stack, Transport};
use crate::patience::wait_for_usable;
use crate::poller::{Events, Poller};
use crate::random;
use crate::reload::{Carried, Plan, Start, SuspendedFeed, new_signal};
use crate::rights::give_up_rights;
use crate::show::Show;
use crate::signals::Signals;
#[cfg(feature = "spool")]
use crate::spool::{Spools, suspend};
#[cfg(feature = "status")]
use crate::status::Status;
use crate::{EX_CONFIG, EX_OSERR, logger};

/// Between two reports of the counters, at debug level 2 and above.
const REPORT_EVERY: u64 = 60 * SECOND;

/// A second signal to stop within this time of the first is the same request: at the end of a system, process 1 sends SIGTERM to
/// each service, and soon after to all processes.
const SAME_REQUEST: u64 = SECOND;

/// Keys of the poller. Devices' keys count up from the last.
const SIGNALS_KEY: u32 = 0;
const REDIS_KEY: u32 = 1;
const SHOW_KEY: u32 = 2;
/// And one more, of those who ask.
#[cfg(feature = "status")]
const STATUS_KEY: u32 = 3;
const FIRST_DEVICE_KEY: u32 = 5;

/// How long counters that were asked for may wait for a reader of standard error.
const PATIENCE: Duration = Duration::from_secs(1);

/// Runs until a signal ends it.
pub fn run(options: &Options) -> ExitCode {
    if let Err(error) = logger::start(options.debug) {
        return denied(&error);
    }
    give_up_rights();
    // Before signals are caught: whoever waits here, for the writer of a pipe, can still be ended.
    let text = if options.keep_trying {
        match wait_for_usable(&options.config) {
            Ok(text) => text,
            Err(error) => return denied(&error),
        }
    } else {
        match configuration::read(&options.config, complain) {
            Ok(text) => text,
            Err(Unusable) => return ExitCode::from(EX_CONFIG),
        }
    };
    match Daemon::new(options) {
        Ok(mut daemon) => {
            let code = daemon.serve(text);
            daemon.show.finish();
            code
        }
        Err(error) => denied(&error),
    }
}

fn denied(error: &io::Error) -> ExitCode {
    complain(format_args!("mqtt-client: {error}"));
    ExitCode::from(EX_OSERR)
}

/// What outlives a configuration.
struct Daemon<'o> {
    path: &'o Path,
    poller: Arc<Poller>,
    signals: Signals,
    show: Show,
    #[cfg(feature = "status")]
    status: Status,
    /// Of generated client identifiers.
    digits: u32,
    /// Differs from start to start.
    random: u32,
    /// The system's clock, in milliseconds, at the core's time 0.
    started: u64,
    report_at: Instant,
    #[cfg(feature = "spool")]
    spools: Spools,
    /// When the system's clock is looked at next: it may be set at any time.
    #[cfg(feature = "spool")]
    clock_at: Instant,
    /// The next device's key: never used twice, so that a late event finds nobody.
    next_key: u32,
}

/// Why a bridge ended.
enum Ended<P> {
    Stopped,
    /// There is a new configuration: its text, and how it follows from the old one.
    Reloaded(Vec<u8>, P),
    Failed(io::Error),
}

impl<'o> Daemon<'o> {
    fn new(options: &'o Options) -> io::Result<Self> {
        let poller = Arc::new(Poller::new()?);
        let show = Show::new(options.show_redis, options.show_mqtt, &poller, SHOW_KEY)?;
        let signals = Signals::catch(poller.clone(), SIGNALS_KEY)?;
        let digits = machine_id(Path::new("/"));
        Ok(Daemon {
            path: &options.config,
            #[cfg(feature = "status")]
            status: Status::open(options.socket.as_deref(), &poller, STATUS_KEY),
            poller,
            signals,
            show,
            digits,
            random: random::seed(digits),
            started: monotonic_millis(),
            report_at: Instant::from_millis(REPORT_EVERY),
            #[cfg(feature = "spool")]
            spools: Spools::default(),
            #[cfg(feature = "spool")]
            clock_at: Instant::default(),
            next_key: FIRST_DEVICE_KEY,
        })
    }

    fn serve(&mut self, mut text: Vec<u8>) -> ExitCode {
        let mut carried = None;
        loop {
            let mut tables = Tables::for_text(&text);
            let config = match carried {
                None => tables.parse(self.path, &text, complain, Most::AT_START),
                Some(_) => tables.parse_again(&text),
            };
            let Ok(config) = config else {
                return ExitCode::from(EX_CONFIG);
            };
            if config.devices.is_empty() {
                complain(format_args!(
                    "{}: no MQTT device is enabled: nothing to do",
                    self.path.display()
                ));
                return ExitCode::SUCCESS;
            }
            let start = match carried {
                Some(carried) => carried,
                None => match configuration::transports(self.path, config.devices, complain) {
                    Ok(transports) => Carried::nothing(transports),
                    Err(Unusable) => return ExitCode::from(EX_CONFIG),
                },
            };
            match self.serve_one(&config, start) {
                Ended::Stopped => return ExitCode::SUCCESS,
                Ended::Reloaded(new_text, next) => {
                    text = new_text;
                    carried = Some(next);
                }
                Ended::Failed(error) => {
                    complain(format_args!("mqtt-client: {error}"));
                    return ExitCode::from(EX_OSERR);
                }
            }
        }
    }

    /// One configuration's life: its parts are put together, run, and taken apart.
    fn serve_one(&mut self, config: &Config<'_>, carried: Carried) -> Ended<Carried> {
        self.show.mask(&config.redis);
        let mut last = carried.last;
        last.resize(config.signals.len(), LastSample::NOTHING);
        let mut slots = vec![0; Index::slots_for(config.signals.len())];
        let (feed_memory, suspended_feed) = carried.feed.unzip();
        let mut feed_memory = feed_memory.unwrap_or_else(|| FeedBuffers::new(config));
        let left = carried.left.iter().map(String::as_str).collect::<Vec<_>>();
        let (starts, mut memories): (Vec<_>, Vec<_>) = (config.devices.iter())
            .zip(carried.brokers)
            .map(|(device, carried)| carried.into_parts(device))
            .unzip();
        #[cfg(feature = "spool")]
        let (mut spools, since_1970) = (
            self.spools.take(config, &self.poller),
            self.clock_at_start(),
        );
        let parts = Routes::new(config, &mut slots, &mut last).and_then(|routes| {
            let feed = self.feed(config, &mut feed_memory, suspended_feed, &left)?;
            let brokers = self.brokers(config, starts, &mut memories, &carried.successors)?;
            Ok((routes, feed, brokers))
        });
        let Ok((routes, feed, mut brokers)) = parts else {
            return Ended::Failed(io::Error::other("more signals than can be numbered"));
        };

        #[cfg(feature = "spool")]
        spools.give(config, since_1970, &mut brokers);

        let mut bridge = Bridge::new(config, routes, feed, &mut brokers);
        let ended = self.watch(config, &mut bridge);
        let (_, feed) = bridge.into_parts();
        match ended {
            Ended::Stopped => {
                report(&brokers);
                Ended::Stopped
            }
            Ended::Failed(error) => Ended::Failed(error),
            Ended::Reloaded(text, plan) => {
                let suspended_feed = feed.suspend();
                #[cfg(feature = "spool")]
                let suspended_spools = suspend(&mut brokers);
                let remains = plan.take_apart(brokers, self.now(), &mut self.show);
                let feed = suspended_feed.map(|suspended| (feed_memory, suspended));
                let brokers = memories.into_iter().zip(remains).collect();
                #[cfg(feature = "spool")]
                self.spools.put_back(spools, suspended_spools);
                Ended::Reloaded(text, plan.carry(feed, brokers, &last))
            }
        }
    }

    fn feed<'a>(
        &self,
        config: &'a Config<'a>,
        memory: &'a mut FeedBuffers,
        suspended: Option<SuspendedFeed>,
        left: &'a [&'a str],
    ) -> Result<Feed<'a, Stack>, TooSmall> {
        let storage = memory.storage()?;
        Ok(match suspended {
            Some(suspended) => Feed::resume(config, storage, suspended, left),
            None => Feed::new(config, self.random, storage, self.redis_stack(config)),
        })
    }

    fn brokers<'a>(
        &mut self,
        config: &'a Config<'a>,
        starts: Vec<Start>,
        memories: &'a mut [BrokerBuffers],
        successors: &[Option<Successor>],
    ) -> Result<Vec<Broker<'a, Stack>>, TooSmall> {
        let starts = config.devices.iter().zip(starts).zip(memories);
        starts
            .map(|((device, start), memory)| self.broker(config, device, start, memory, successors))
            .collect()
    }

    /// What the system's clock showed at time 0, in seconds.
    #[cfg(feature = "spool")]
    fn clock_at_start(&self) -> u64 {
        // A clock before 1970 is as wrong as one that begins there.
        let now = UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
        now.saturating_sub(self.now().as_millis() / SECOND)
    }

    fn redis_stack(&self, config: &Config<'_>) -> Stack {
        let transport = match config.redis.endpoint {
            Endpoint::Tcp { .. } => Transport::Tcp,
            Endpoint::Unix(path) => Transport::Unix(path.into()),
        };
        Stack::new(self.poller.clone(), REDIS_KEY, transport)
    }

    fn broker<'a>(
        &mut self,
        config: &'a Config<'a>,
        device: &'a Device<'a>,
        start: Start,
        memory: &'a mut BrokerBuffers,
        successors: &[Option<Successor>],
    ) -> Result<Broker<'a, Stack>, TooSmall> {
        let storage = memory.storage()?;
        let suspended = match start {
            Start::New(transport, inheritance) => {
                let stack = self.broker_stack(transport);
                // Devices that a reload begins anew do not begin as they did.
                self.random = self.random.wrapping_add(0x9e37_79b9);
                let (digits, random) = (self.digits, self.random);
                let mut broker = Broker::new(config, device, digits, random, storage, stack);
                inheritance.pass_to(&mut broker, successors);
                return Ok(broker);
            }
            Start::Resume(suspended) => *suspended,
            Start::Reconnect(transport, suspended) => suspended.over(self.broker_stack(transport)),
        };
        let mut broker = Broker::resume(config, device, self.digits, storage, suspended);
        let renumber = |old: u32| new_signal(successors, old);
        broker.session_mut().renumber(renumber);
        Ok(broker)
    }

    fn broker_stack(&mut self, transport: Transport) -> Stack {
        let stack = Stack::new(self.poller.clone(), self.next_key, transport);
        self.next_key += 1;
        stack
    }

    /// Polls the bridge whenever there is something to do, and sleeps between.
    fn watch(&mut self, config: &Config<'_>, bridge: &mut Bridge<'_, '_, Stack>) -> Ended<Plan> {
        let mut events = Events::new();
        let mut impatient_from = Instant::NEVER;
        loop {
            let now = self.now();
            #[cfg(feature = "spool")]
            if now >= self.clock_at {
                bridge.set_clock_at_start(self.clock_at_start());
                self.clock_at = now + SECOND;
            }
            let mut wake_up = bridge.poll(now, &mut self.show);
            self.show.flush();
            if bridge.has_stopped() {
                return Ended::Stopped;
            }
            #[cfg(feature = "status")]
            {
                wake_up = wake_up.min(self.status.answer(now, config, bridge));
            }
            if log::log_enabled!(log::Level::Info) {
                wake_up = wake_up.min(self.report_in_time(now, bridge.brokers()));
            }
            if now < impatient_from {
                wake_up = wake_up.min(impatient_from);
            } else {
                self.signals.end_at_next_stop();
            }
            let limit = if has_more(bridge) {
                Duration::ZERO
            } else {
                limit(wake_up.since(now))
            };
            if let Err(error) = self.poller.wait(&mut events, Some(limit)) {
                return Ended::Failed(error);
            }
            let mut is_signalled = false;
            for event in events.iter() {
                is_signalled |= self.signals.ready(event);
                #[cfg(feature = "status")]
                self.status.ready(event);
                bridge.feed().net().ready(event);
                bridge
                    .brokers()
                    .iter()
                    .for_each(|broker| broker.net().ready(event));
            }
            if !is_signalled {
                continue;
            }
            if self.signals.take_report() {
                // How old what waits is, it says as of now.
                let _ = bridge.poll(self.now(), &mut self.show);
                report(bridge.brokers());
            }
            if self.signals.stop() {
                let now = self.now();
                bridge.stop(now);
                impatient_from = impatient_from.min(now + SAME_REQUEST);
            } else if self.signals.take_reload()
                && let Some((text, plan)) = self.reload(config, bridge)
            {
                return Ended::Reloaded(text, plan);
            }
        }
    }

    /// Reads the configuration again; `None` if it is not to be used.
    fn reload(
        &self,
        config: &Config<'_>,
        bridge: &Bridge<'_, '_, Stack>,
    ) -> Option<(Vec<u8>, Plan)> {
        // The brokers and Redis do not wait for whoever reads what is wrong.
        let complain = |line: fmt::Arguments<'_>| logger::say(line, Duration::ZERO);
        let text = configuration::read_again(self.path, complain).ok();
        let plan = text.as_ref().and_then(|text| {
            let mut tables = Tables::for_text(text);
            let new = tables
                .parse(self.path, text, complain, Most::IN_SERVICE)
                .ok()?;
            let transports = configuration::transports(self.path, new.devices, complain).ok()?;
            let unfinished = bridge.feed().session().still_to_leave();
            Some(Plan::new(
                config,
                &new,
                transports,
                bridge.brokers(),
                unfinished,
            ))
        });
        match plan {
            Some(_) => log::info!("{}: read again", self.path.display()),
            None => log::error!(
                "{}: not usable, the old configuration stays in force",
                self.path.display()
            ),
        }
        text.zip(plan)
    }

    /// The counters once a minute; when they are due again.
    fn report_in_time(&mut self, now: Instant, brokers: &[Broker<'_, Stack>]) -> Instant {
        if now >= self.report_at {
            for broker in brokers {
                log::info!("{}: {}", broker.device().alias, broker.counters());
            }
            self.report_at = now + REPORT_EVERY;
        }
        self.report_at
    }

    fn now(&self) -> Instant {
        Instant::from_millis(monotonic_millis().saturating_sub(self.started))
    }
}

/// The system's monotonic clock, which is read at each wake-up. By `nix`: `std` gives out differences only, which cost a gateway 177 instructions more
/// each time, and `rustix` misreads the clock there, see [`crate::poller`].
fn monotonic_millis() -> u64 {
    // It cannot fail: every Linux has this clock. Nor is anything in it negative.
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |time| {
        time.tv_sec() as u64 * 1000 + u64::from(time.tv_nsec() as u32 / 1_000_000)
    })
}

/// So many milliseconds, or 49 days: in 32 bits, since a gateway divides 64 by calling a function.
fn limit(millis: u64) -> Duration {
    let millis = u32::try_from(millis).unwrap_or(u32::MAX);
    Duration::new(u64::from(millis / 1000), millis % 1000 * 1_000_000)
}

/// Whether a link has input that no event will tell of.
fn has_more(bridge: &Bridge<'_, '_, Stack>) -> bool {
    bridge.feed().net().has_more()
        || bridge
            .brokers()
            .iter()
            .any(|broker| broker.net().has_more())
}

/// The counters, at every debug level.
fn report(brokers: &[Broker<'_, Stack>]) {
    let until = std::time::Instant::now() + PATIENCE;
    for broker in brokers {
        logger::say(
            format_args!("{}: {}", broker.device().alias, broker.counters()),
            until.saturating_duration_since(std::time::Instant::now()),
        );
    }
}
