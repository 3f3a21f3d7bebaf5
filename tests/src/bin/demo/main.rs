//! `cargo demo`: a small plant, a real Redis, the real bridge, a real broker; what goes in beside what comes out.
//!
//! ```text
//! cargo demo [--qos 0|1|2] [--seconds N] [--keep]
//! ```
//!
//! Ends after 20 seconds (or `--seconds`), or with Ctrl-C, with the bridge's counters. `--keep` goes on until Ctrl-C, and prints commands to look
//! at the servers with. The exit code is 0 if the counters agree with what was seen, 1 if not, 64 for a wrong argument.

mod arguments;
mod tally;

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use signal_hook::consts::{SIGINT, SIGTERM};

use arguments::Arguments;
use mqtt_client_tests::plant::{Fate, Plant, Sample};
use mqtt_client_tests::process::Signal;
use mqtt_client_tests::servers::{Mosquitto, Redis};
use mqtt_client_tests::table::{Kind, Table};
use mqtt_client_tests::{Site, install, program, wait};
use tally::Tally;

/// The time from one sample to the next.
const PACE: Duration = Duration::from_millis(250);
/// How long a message may take from Redis to the subscriber before it is shown as missing.
const PATIENCE: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let arguments = match arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("{error}\n{}", arguments::USAGE);
            return ExitCode::from(64);
        }
    };
    let tools = [
        install::REDIS_SERVER,
        install::REDIS_CLI,
        install::MOSQUITTO,
        install::MOSQUITTO_SUB,
    ];
    if let Err(error) = install::ensure(&tools) {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        let registered = signal_hook::flag::register(signal, Arc::clone(&stop));
        registered.expect("a handler for Ctrl-C");
    }
    show(&arguments, &stop)
}

fn show(arguments: &Arguments, stop: &AtomicBool) -> ExitCode {
    let colours = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let table = Table { colours };
    let mut plant = Plant::new(fastrand::Rng::new());
    // Built, if need be, before the clock starts.
    let _ = program::daemon();
    let config = plant.config().device_key("mqtt_qos", arguments.qos);
    let mut site = Site::between(Redis::start(), Mosquitto::start(), config);
    println!(
        "Redis on port {}, mqtt-client at QoS {}, Mosquitto on port {}\n",
        site.redis.port(),
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
            println!("\nmqtt-client has ended: {:?}", site.daemon.wait());
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
fn outcome(site: &Site, sample: &Sample) -> (String, Kind) {
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
fn finish(site: &mut Site, tally: Option<&Tally>) -> ExitCode {
    let counters = site.daemon.counters("cloud");
    let received = site.subscriber.deliveries().len() as u64;
    site.daemon.signal(Signal::TERM);
    let code = site.daemon.wait().code;
    println!(
        "\nmqtt-client counted: received {}, rejected {}, suppressed {}, queued {}, sent {},\n\
         \x20                    acknowledged {}, dropped {}, reconnects {}; its exit code is {code}",
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

fn commands(site: &Site) -> String {
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
