//! What goes in beside what comes out: a small plant, a real Redis, a bridge, a real broker, for a while.

pub mod arguments;
mod tally;

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use signal_hook::consts::{SIGINT, SIGTERM};

use crate::install::{self, Tool};
use crate::plant::{Fate, Plant, Sample};
use crate::servers::{Mosquitto, Redis};
use crate::table::{Kind, Table};
use crate::{Board, Config, Counters, Daemon, Machine, Site, wait};
use arguments::Arguments;
use tally::Tally;

/// The servers, and what `--keep` says to look at them with.
pub const TOOLS: [Tool; 4] = [
    install::REDIS_SERVER,
    install::REDIS_CLI,
    install::MOSQUITTO,
    install::MOSQUITTO_SUB,
];

/// The time from one sample to the next.
const PACE: Duration = Duration::from_millis(250);
/// How long a message may take from Redis to the subscriber before it is shown as missing.
const PATIENCE: Duration = Duration::from_secs(5);

/// A bridge of any kind, as it is shown.
pub trait Bridge {
    /// What it is called.
    const NAME: &'static str;

    /// Whether it has not ended.
    fn is_running(&mut self) -> bool;

    /// Its counters for the device `cloud`.
    fn counters(&mut self) -> Counters;

    /// Ends it in peace, and returns its exit code.
    fn stop(&mut self) -> i32;
}

impl Bridge for Daemon {
    const NAME: &'static str = "mqtt-client";

    fn is_running(&mut self) -> bool {
        self.is_running()
    }

    fn counters(&mut self) -> Counters {
        self.counters("cloud")
    }

    fn stop(&mut self) -> i32 {
        self.stop().code
    }
}

impl Bridge for Board {
    const NAME: &'static str = "the board";

    fn is_running(&mut self) -> bool {
        self.is_running()
    }

    fn counters(&mut self) -> Counters {
        self.counters("cloud")
    }

    fn stop(&mut self) -> i32 {
        self.stop().code
    }
}

impl Bridge for Machine {
    const NAME: &'static str = "the gateway";

    fn is_running(&mut self) -> bool {
        self.daemon().is_some()
    }

    fn counters(&mut self) -> Counters {
        self.counters("cloud")
    }

    fn stop(&mut self) -> i32 {
        self.stop()
    }
}

/// Shows it, with a bridge that is started like this, until the time is over or somebody presses Ctrl-C.
///
/// # Panics
///
/// If a server or the bridge does not start.
pub fn show<B: Bridge>(arguments: &Arguments, start: impl FnOnce(&Config) -> B) -> ExitCode {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        let registered = signal_hook::flag::register(signal, Arc::clone(&stop));
        registered.expect("a handler for Ctrl-C");
    }
    show_until(&stop, arguments, start)
}

fn show_until<B: Bridge>(
    stop: &AtomicBool,
    arguments: &Arguments,
    start: impl FnOnce(&Config) -> B,
) -> ExitCode {
    let colours = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let table = Table { colours };
    let mut plant = Plant::new(fastrand::Rng::new());
    let config = plant.config().device_key("mqtt_qos", arguments.qos);
    let mut site = Site::assemble(Redis::start(), Mosquitto::start(), config, start);
    println!(
        "Redis on port {}, {} at QoS {}, Mosquitto on port {}\n",
        site.redis.port(),
        B::NAME,
        arguments.qos,
        site.broker.port()
    );
    if arguments.keep {
        println!("See for yourself, until Ctrl-C:\n{}", commands(&site));
    }
    println!(
        "{}",
        table.row(
            "s",
            "Redis: channel, message",
            "MQTT: topic, message",
            Kind::Heading
        )
    );
    let start = Instant::now();
    let mut tally = Tally::default();
    while !stop.load(Ordering::SeqCst) {
        if !arguments.keep && start.elapsed() >= arguments.time {
            break;
        }
        if !site.daemon.is_running() {
            println!("\n{} has ended", B::NAME);
            return ExitCode::FAILURE;
        }
        let sample = plant.sample(unix_milliseconds());
        let time = format!("{:.3}", start.elapsed().as_secs_f64());
        site.redis.publish(&sample.channel, &sample.message);
        let (right, kind) = outcome(&site, &sample);
        tally.count(&sample.fate, kind);
        let left = format!("{} {}", sample.channel, sample.message);
        println!("{}", table.row(&time, &left, &right, kind));
        thread::sleep(PACE);
    }
    finish(&mut site, (!arguments.keep).then_some(&tally))
}

/// What came out for a sample: what the subscriber received, or why there is nothing.
fn outcome<B>(site: &Site<B>, sample: &Sample) -> (String, Kind) {
    let (topic, message) = match &sample.fate {
        Fate::Unchanged => return (String::from("- unchanged, not sent again"), Kind::HeldBack),
        Fate::Rejected(reason) => return (format!("x rejected: {reason}"), Kind::Rejected),
        Fate::Forwarded { topic, message } => (topic, message),
    };
    let arrived = wait::within(PATIENCE, || {
        let payloads = site.subscriber.payloads(topic);
        wait::holds(payloads.last() == Some(message))
    });
    match arrived {
        None => (
            format!("! {topic} {message} did not arrive"),
            Kind::Rejected,
        ),
        Some(()) if message.ends_with(",0") => (format!("{topic} {message}"), Kind::BadQuality),
        Some(()) => (format!("{topic} {message}"), Kind::Good),
    }
}

/// Ends the bridge, and compares its counters with the tally, where nobody else can have published anything.
fn finish<B: Bridge>(site: &mut Site<B>, tally: Option<&Tally>) -> ExitCode {
    let counters = site.daemon.counters();
    let received = site.subscriber.deliveries().len() as u64;
    let code = site.daemon.stop();
    println!(
        "\n{} counted: received {}, rejected {}, suppressed {}, queued {}, sent {},\n\
         \x20 acknowledged {}, dropped {}, reconnects {}; its exit code is {code}",
        B::NAME,
        counters.received,
        counters.rejected,
        counters.suppressed,
        counters.queued,
        counters.sent,
        counters.acknowledged,
        counters.dropped,
        counters.reconnects
    );
    let Some(tally) = tally else {
        return ExitCode::from(u8::from(code != 0));
    };
    if let Err(difference) = tally.compare(&counters, received) {
        println!("These do NOT agree with what went in and what came out: {difference}");
        return ExitCode::FAILURE;
    }
    println!("These agree with what went in and with what came out.");
    ExitCode::from(u8::from(code != 0))
}

fn commands<B>(site: &Site<B>) -> String {
    let (redis, broker) = (site.redis.port(), site.broker.port());
    format!(
        "  mosquitto_sub -p {broker} -v -t '#'\n\
         \x20 redis-cli -p {redis} psubscribe 'tag/*'\n\
         \x20 redis-cli -p {redis} publish tag/cloud/brk/in '0,1708000203824,IV'\n"
    )
}

fn unix_milliseconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let milliseconds = since.expect("a clock after 1970").as_millis();
    u64::try_from(milliseconds).expect("a clock before the year 500 million")
}
