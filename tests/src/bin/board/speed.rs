//! How fast is the board, beside the daemon on this machine, and what limits it?
//!
//! Both ends are those of `cargo compare`: a Redis that only publishes, and a broker that only acknowledges, in one thread. Few messages are on their
//! way at a time, since the board has room for few. Every message is checked.

use std::process::ExitCode;
use std::time::Duration;

use mps2_an385::SIZES;
use mqtt_client_tests::bench::ends::Ends;
use mqtt_client_tests::bench::workload::{Workload, alias};
use mqtt_client_tests::config::cloud;
use mqtt_client_tests::{Board, Config, Daemon, board, install};

/// How many messages may be on their way: an outbox of 4 KB has room for twice as many.
const AHEAD: u64 = 32;
/// Before the measurement, and in it.
const WARM_UP: u64 = 200;
const MESSAGES: u64 = 2_000;
/// Instructions in one cycle of the board's timer (25 MHz), where each instruction takes a nanosecond.
const INSTRUCTIONS_PER_CYCLE: u64 = 40;

/// Prints the table.
///
/// # Errors
///
/// What a bridge has done wrong.
pub fn show() -> Result<ExitCode, String> {
    install::ensure(&[board::QEMU])?;
    let workload = Workload::of(SIZES.signals);
    println!(
        "{} signals; at most {AHEAD} messages on their way; {MESSAGES} messages",
        workload.signals()
    );
    println!(
        "| QoS | board, messages/s | daemon, messages/s | board : daemon | board, instructions/message |"
    );
    println!("|---:|---:|---:|---:|---:|");
    for qos in 0..=2 {
        let (_, time) = run(&workload, qos, Board::start, |_| 0)?;
        let on_board = rate(time);
        let start = |config: &Config| Daemon::start_with(config, &["-d", "1"]);
        let (_, time) = run(&workload, qos, start, |_| 0)?;
        let on_host = rate(time);
        let (cycles, _) = run(&workload, qos, Board::start_counting, Board::busy_cycles)?;
        println!(
            "| {qos} | {on_board:.0} | {on_host:.0} | {:.3} | {} |",
            on_board / on_host,
            cycles * INSTRUCTIONS_PER_CYCLE / MESSAGES
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn rate(time: Duration) -> f64 {
    MESSAGES as f64 / time.as_secs_f64()
}

/// One run of a bridge: by how much a meter of its own went on, and how long it took.
fn run<B>(
    workload: &Workload,
    qos: u8,
    start: impl FnOnce(&Config) -> B,
    meter: impl Fn(&mut B) -> u64,
) -> Result<(u64, Duration), String> {
    let ends = Ends::new().map_err(|error| error.to_string())?;
    let (redis, broker) = ends.ports().map_err(|error| error.to_string())?;
    let config = (0..workload.signals()).fold(cloud().with("mqtt_qos", qos), |config, signal| {
        config.signal(&alias(signal))
    });
    let mut bridge = start(&config.with_ports(redis, broker));
    let mut linked = ends.link_with(workload, qos, AHEAD)?;
    linked.run(WARM_UP)?;
    let before = meter(&mut bridge);
    let time = linked.run(WARM_UP + MESSAGES)?;
    Ok((meter(&mut bridge) - before, time))
}
