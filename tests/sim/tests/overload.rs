//! An hour of overload: what does the bridge say about it, whatever its peers do? And does everything add up all the time?
//!
//! That the memory stays constant needs no measurement here: the core has no allocator, and works in the storage that it was handed.

use mqtt_client_sim::broker::{Delivers, Greeting, Kind, Speaks};
use mqtt_client_sim::line::{Cut, Direction};
use mqtt_client_sim::network::Door;
use mqtt_client_sim::plan::{
    BrokerFault, End, HOSTILE, Happening, LineFault, Plan, Published, RedisFault, What,
};
use mqtt_client_sim::run::{Outcome, run};
use mqtt_client_sim::world::{Device, Ending, World};

const HOUR: u64 = 3_600_000;

/// Warnings and errors in an hour: two lines a minute about a full buffer, and one for each change of a reason, of which there can be one
/// in each attempt to connect.
const QUIET: u64 = 400;

/// Rejected messages are told about one by one, ten lines in ten seconds, and one line that says how many more there were.
const REJECTS: u64 = 11 * 360 + QUIET;

/// A burst every ten seconds, larger than the buffer.
fn flood(of: Published) -> Vec<(u64, What)> {
    let burst = What::Publish {
        device: 0,
        signal: 0,
        samples: vec![of; 100],
    };
    again(10_000, &burst)
}

fn hour(qos: u8, trouble: Vec<(u64, What)>, of: Published) -> Outcome {
    let device = Device {
        qos,
        retain: true,
        threshold: false,
        version: "auto",
        max_inflight: 20,
        max_rate: 0,
        buffer_size: 3000,
        keep_alive: 60,
        status: false,
        will: true,
        password: true,
        input: 64,
        control: 64,
        signals: 1,
        long_topics: false,
        kind: Kind::Plain,
        delivers: Delivers::OnPubrel,
        speaks: Speaks::Both,
        earlier_session: None,
        proxy: None,
        v5: None,
        json: false,
        spool: None,
    };
    let world = World {
        devices: vec![device],
        redis_password: true,
        redis_input: 1024,
        redis_commands: 0,
        latency: (0, 10),
        storm: HOUR,
        clock: 1_000_000,
        spared: None,
        ending: Ending::HealedAndStopped,
        restarts: false,
        verbose: false,
        random: 1,
    };
    let mut happenings = [flood(of), trouble].concat();
    happenings.sort_by_key(|(at, _)| *at);
    let happenings = (happenings.into_iter().enumerate())
        .map(|(number, (at, what))| Happening { number, at, what })
        .collect();
    let plan = Plan {
        seed: 1,
        world,
        happenings,
        ends_at: None,
    };
    run(&plan, false)
}

/// The whole hour long.
fn broker(fault: BrokerFault) -> Vec<(u64, What)> {
    vec![(0, What::Broker(0, fault, HOUR))]
}

fn line(end: End, fault: LineFault) -> Vec<(u64, What)> {
    vec![(0, What::Line(end, fault, HOUR))]
}

/// Again and again, every so many milliseconds.
fn again(every: u64, what: &What) -> Vec<(u64, What)> {
    (1..HOUR / every)
        .map(|time| (time * every, what.clone()))
        .collect()
}

/// What peers may do, by name.
fn troubles() -> Vec<(String, Vec<(u64, What)>)> {
    let mut troubles = vec![
        ("none".into(), Vec::new()),
        (
            "refused".into(),
            line(End::Broker(0), LineFault::Door(Door::Refused)),
        ),
        (
            "untrusted".into(),
            line(End::Broker(0), LineFault::Door(Door::Untrusted)),
        ),
        (
            "slow".into(),
            line(End::Broker(0), LineFault::Latency(500, 1500)),
        ),
        (
            "stalled".into(),
            line(End::Broker(0), LineFault::Stall(Direction::ToServer)),
        ),
        ("narrow".into(), line(End::Broker(0), LineFault::Window(10))),
        ("no pings".into(), broker(BrokerFault::NoPings)),
        ("no acknowledgements".into(), broker(BrokerFault::HoldAcks)),
        ("silence".into(), broker(BrokerFault::Throttle(0))),
        ("throttling".into(), broker(BrokerFault::Throttle(2))),
        (
            "two acknowledgements".into(),
            broker(BrokerFault::DoubleAcks),
        ),
        (
            "Redis stalls".into(),
            line(End::Redis, LineFault::Stall(Direction::ToClient)),
        ),
    ];
    for greeting in [
        Greeting::HangUp,
        Greeting::ThrowOut,
        Greeting::Silence,
        Greeting::Refuse(1),
        Greeting::Refuse(5),
    ] {
        troubles.push((
            format!("{greeting:?}"),
            broker(BrokerFault::Greeting(greeting)),
        ));
    }
    for how in HOSTILE {
        let fault = What::Broker(0, BrokerFault::Hostile(how), 1);
        troubles.push((format!("{how:?}"), again(500, &fault)));
    }
    // Each at every QoS.
    for _ in 0..3 {
        for (qos, len) in [(0, 10), (1, 10), (2, 10), (1, 20_000)] {
            let fault = What::Broker(0, BrokerFault::Publish(qos, len, 1), 1);
            troubles.push((
                format!("{len} bytes come unasked at QoS {qos}"),
                again(500, &fault),
            ));
        }
        let swallows = What::Broker(0, BrokerFault::SwallowAcks(3), 1000);
        troubles.push(("swallowed acknowledgements".into(), again(5000, &swallows)));
        troubles.push((
            "slow acknowledgements".into(),
            broker(BrokerFault::SlowAcks(500)),
        ));
        troubles.push(("a forbidden topic".into(), broker(BrokerFault::Forbid(0))));
    }
    for how in [Cut::Fin, Cut::Reset, Cut::Silent] {
        let cut = What::Line(End::Broker(0), LineFault::Cut(how, None), 1);
        troubles.push((format!("{how:?}"), again(700, &cut)));
        let cut = What::Line(End::Redis, LineFault::Cut(how, None), 1);
        troubles.push((format!("Redis: {how:?}"), again(700, &cut)));
    }
    for fault in [
        RedisFault::Garbage,
        RedisFault::Unasked,
        RedisFault::Stranger,
        RedisFault::Error("ERR no"),
        RedisFault::PingError("BUSY"),
        RedisFault::Refuse(u16::MAX),
    ] {
        troubles.push((
            format!("Redis: {fault:?}"),
            again(900, &What::Redis(fault, 500)),
        ));
    }
    // Two reasons by turns.
    let mut turns = Vec::new();
    for (greeting, offset) in [(Greeting::Refuse(4), 0), (Greeting::HangUp, 1000)] {
        let fault = What::Broker(0, BrokerFault::Greeting(greeting), 1000);
        turns.extend(
            again(2000, &fault)
                .into_iter()
                .map(|(at, what)| (at + offset, what)),
        );
    }
    troubles.push(("by turns".into(), turns));
    troubles
}

#[test]
fn an_hour_of_overload_is_told_in_few_lines_whatever_the_peers_do() {
    for ((name, trouble), qos) in troubles().into_iter().zip([0, 1, 2].into_iter().cycle()) {
        let outcome = hour(qos, trouble, Published::New);
        assert_eq!(outcome.result, Ok(()), "{name} at QoS {qos}");
        let (lines, first) = &outcome.loud;
        assert!(
            *lines <= QUIET,
            "{name} at QoS {qos}: {lines} lines: {first:#?}"
        );
    }
}

#[test]
fn an_hour_of_messages_that_are_rejected_is_told_ten_lines_at_a_time() {
    for of in [Published::Malformed, Published::Oversized] {
        let outcome = hour(1, Vec::new(), of);
        assert_eq!(outcome.result, Ok(()), "{of:?}");
        let (lines, first) = &outcome.loud;
        assert!(*lines <= REJECTS, "{of:?}: {lines} lines: {first:#?}");
    }
}
