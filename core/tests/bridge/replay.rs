//! How does a backlog go out: how fast, in which order, retained or not, and what of it not at all?

use super::common::disk::{Disk, Kind};
use super::common::network::Door;
use super::common::rig::{FLUSH_INTERVAL, Rig, with_bridge, with_spools};
use super::one_device;

const P: &str = "tag/cloud/p/in";
const Q: &str = "tag/cloud/q/in";

fn disk() -> Disk {
    Disk::new(Kind::Files, 16 * 1024, 100, 3)
}

fn values(rig: &Rig<'_, '_>) -> Vec<u32> {
    let payloads = rig.delivered(0).into_iter();
    let values = payloads.map(|payload| payload.split(',').next().expect("a value").parse());
    values.collect::<Result<_, _>>().expect("numbers")
}

fn publish(rig: &mut Rig<'_, '_>, values: std::ops::Range<u32>) {
    for value in values {
        rig.publish(P, &format!("{value},{value}"));
    }
}

fn go_away(rig: &mut Rig<'_, '_>) {
    rig.brokers[0].line.set_door(Door::Refused);
    rig.brokers[0].line.cut();
}

/// Until the first sample has arrived.
fn come_back(rig: &mut Rig<'_, '_>) {
    rig.brokers[0].line.set_door(Door::Open);
    let begin = rig.now();
    while rig.delivered(0).is_empty() {
        rig.run_until(rig.now() + 100);
        assert!(rig.now() < begin + 40_000, "nothing comes");
    }
}

/// Lets so many milliseconds pass, hundred by hundred, with `each` at the beginning of each; how many samples had arrived at the end of each.
fn arrivals(
    rig: &mut Rig<'_, '_>,
    millis: u64,
    mut each: impl FnMut(&mut Rig<'_, '_>, u64),
) -> Vec<usize> {
    let mut counts = vec![rig.delivered(0).len()];
    for step in 0..millis / 100 {
        each(rig, step);
        rig.run_until(rig.now() + 100);
        counts.push(rig.delivered(0).len());
    }
    counts
}

/// Most that arrived in any second that begins at one of these steps.
fn most_in_a_second(counts: &[usize]) -> usize {
    let seconds = counts.windows(11).map(|second| second[10] - second[0]);
    seconds.max().unwrap_or(0)
}

#[test]
fn what_has_waited_goes_at_replay_rate_and_what_comes_then_does_not_wait_for_ever() {
    for spooled in [false, true] {
        let buffer = if spooled { 1024 } else { 16 * 1024 };
        let table = one_device(&format!(
            r#", "mqtt_qos": 1, "buffer_size": {buffer}, "replay_rate": 50"#
        ));
        let script = |rig: &mut Rig<'_, '_>| {
            rig.run_until(1000);
            go_away(rig);
            publish(rig, 0..500);
            rig.run_until(40_000);
            come_back(rig);
            let mut next = 500;
            // More comes than goes: the backlog ends all the same, and what came behind it is not bounded.
            let counts = arrivals(rig, 30_000, |rig, _| {
                publish(rig, next..next + 6);
                next += 6;
            });
            let backlog: Vec<_> = counts
                .iter()
                .copied()
                .filter(|count| *count < 500)
                .collect();
            let most = most_in_a_second(&backlog);
            assert!((40..=50).contains(&most), "spooled {spooled}: {most}");
            let burst = backlog.windows(2).map(|pair| pair[1] - pair[0]).max();
            assert!(burst <= Some(5), "spooled {spooled}: {burst:?}");
            assert_eq!(values(rig), (0..next).collect::<Vec<_>>());
        };
        if spooled {
            with_spools(&table, std::slice::from_ref(&disk()), script);
        } else {
            with_bridge(&table, script);
        }
    }
}

#[test]
fn live_samples_go_at_once_and_the_backlog_beside_them() {
    for qos in 0..3 {
        let table = one_device(&format!(
            r#", "mqtt_qos": {qos}, "replay_rate": 50, "live_first": 1"#
        ));
        with_spools(&table, std::slice::from_ref(&disk()), |rig| {
            rig.run_until(1000);
            go_away(rig);
            publish(rig, 0..1000);
            rig.run_until(40_000);
            assert!(rig.counters(0).spool.expect("a spool").spooled > 900);
            come_back(rig);
            let before = rig.delivered(0).len();
            assert!((1..1000).contains(&before), "QoS {qos}: {before}");
            let mut next = 1000;
            let counts = arrivals(rig, 30_000, |rig, step| {
                publish(rig, next..next + 1);
                assert!(
                    values(rig).contains(&next),
                    "QoS {qos}: {next} waits at step {step}"
                );
                next += 1;
            });
            let most = most_in_a_second(&counts);
            assert!(most <= 50 + 10, "QoS {qos}: {most}");
            let all = values(rig);
            let (mut old, mut new): (Vec<u32>, Vec<u32>) = (Vec::new(), Vec::new());
            for value in all {
                if value < 1000 { &mut old } else { &mut new }.push(value);
            }
            assert_eq!(new, (1000..next).collect::<Vec<_>>(), "QoS {qos}");
            assert_eq!(old, (0..1000).collect::<Vec<_>>(), "QoS {qos}");
            let counters = rig.counters(0).spool.expect("a spool");
            assert_eq!((counters.spooled, counters.oldest), (0, 0));
        });
    }
}

#[test]
fn what_is_in_flight_when_the_broker_goes_arrives_once_with_live_first() {
    for qos in 1..3 {
        let table = one_device(&format!(r#", "mqtt_qos": {qos}, "live_first": 1"#));
        let disk = disk();
        with_spools(&table, std::slice::from_ref(&disk), |rig| {
            let mut next = 0;
            rig.run_until(1000);
            for _ in 0..12 {
                // What is sent stays in flight, and what has waited for the interval is written.
                rig.brokers[0].server.acknowledges = false;
                publish(rig, next..next + 30);
                rig.run_until(rig.now() + FLUSH_INTERVAL + 100);
                publish(rig, next + 30..next + 40);
                next += 40;
                go_away(rig);
                rig.brokers[0].server.acknowledges = true;
                rig.run_until(rig.now() + 2000);
                rig.brokers[0].line.set_door(Door::Open);
                rig.run_until(rig.now() + 40_000);
            }
            assert!(disk.written().0 > 0);
            // A repeated one says so.
            let delivered = rig.brokers[0].server.delivered.clone();
            let first = delivered.iter().filter(|publish| !publish.dup);
            let mut all: Vec<u32> = first
                .map(|publish| publish.payload.split(',').next().expect("a value").parse())
                .collect::<Result<_, _>>()
                .expect("numbers");
            all.sort_unstable();
            assert_eq!(all, (0..next).collect::<Vec<_>>(), "QoS {qos}");
        });
    }
}

#[test]
fn an_old_sample_is_not_retained_once_a_newer_one_of_its_signal_went_out() {
    let table =
        one_device(r#", "mqtt_qos": 1, "mqtt_retain": 1, "live_first": 1, "replay_rate": 10"#);
    with_spools(&table, std::slice::from_ref(&disk()), |rig| {
        rig.run_until(1000);
        go_away(rig);
        for value in 0..20 {
            rig.publish(P, &format!("{value},{value}"));
            rig.publish(Q, &format!("{value},{value}"));
        }
        rig.run_until(30_000);
        come_back(rig);
        rig.run_until(rig.now() + 1000);
        rig.publish(P, "1000,1000");
        rig.run_until(90_000);
        let delivered = &rig.brokers[0].server.delivered;
        assert_eq!(delivered.len(), 41);
        let newest = |channel: &str| {
            let of = delivered
                .iter()
                .rev()
                .filter(|publish| publish.topic == channel);
            let mut retained = of.filter(|publish| publish.retain);
            retained.next().map(|publish| publish.payload.clone())
        };
        assert_eq!(newest(P).as_deref(), Some("1000,1000,1"));
        assert_eq!(newest(Q).as_deref(), Some("19,19,1"), "none overtook it");
        let live_at = delivered
            .iter()
            .position(|publish| publish.payload.starts_with("1000"));
        let behind = delivered.iter().skip(live_at.expect("it came") + 1);
        let (mut retained, mut not) = (0, 0);
        for publish in behind {
            assert_eq!(publish.retain, publish.topic == Q);
            *if publish.retain {
                &mut retained
            } else {
                &mut not
            } += 1;
        }
        assert!(retained > 3 && not > 3, "{retained} {not}");
    });
}

#[test]
fn what_is_older_than_max_age_is_dropped_and_counted() {
    for (live_first, buffer) in [(0, 16 * 1024), (0, 1024), (1, 16 * 1024)] {
        let table = one_device(&format!(
            r#", "mqtt_qos": 1, "live_first": {live_first}, "buffer_size": {buffer}, "max_age": 60"#
        ));
        with_spools(&table, std::slice::from_ref(&disk()), |rig| {
            rig.run_until(1000);
            go_away(rig);
            for second in 0..100 {
                publish(rig, second * 10..(second + 1) * 10);
                rig.run_until(1000 + u64::from(second + 1) * 1000);
            }
            let oldest = rig.counters(0).spool.expect("a spool").oldest;
            rig.brokers[0].line.set_door(Door::Open);
            rig.run_until(200_000);
            let context = format!("live_first {live_first}, {buffer} bytes, oldest {oldest}");
            let all = values(rig);
            let first = *all.first().expect("some came");
            assert_eq!(all, (first..1000).collect::<Vec<_>>(), "{context}");
            // The connection was back within 32 s.
            assert!((390..=780).contains(&first), "{context}: {first}");
            assert_eq!(rig.counters(0).dropped, u64::from(first), "{context}");
        });
    }
}

#[test]
fn the_counters_say_how_old_the_oldest_is_across_a_restart() {
    let (table, disk) = (one_device(r#", "mqtt_qos": 1"#), disk());
    with_spools(&table, std::slice::from_ref(&disk), |rig| {
        rig.brokers[0].line.set_door(Door::Refused);
        rig.run_until(5000);
        publish(rig, 0..100);
        rig.run_until(65_000);
        rig.settle();
        let spool = rig.counters(0).spool.expect("a spool");
        assert_eq!((spool.spooled, spool.oldest), (0, 60));
    });
    disk.cut();
    with_spools(&table, std::slice::from_ref(&disk), |rig| {
        rig.brokers[0].line.set_door(Door::Refused);
        rig.run_until(100_000);
        rig.settle();
        let counters = rig.counters(0);
        // Both processes began at the same second.
        assert_eq!(counters.spool.expect("a spool").oldest, 95);
        assert_eq!(counters.received, 100);
    });
}

#[test]
fn how_old_a_sample_is_that_was_accepted_before_the_clock_was_set_nobody_knows() {
    for live_first in 0..2 {
        let (table, disk) = (
            one_device(&format!(
                r#", "mqtt_qos": 1, "max_age": 60, "live_first": {live_first}"#
            )),
            disk(),
        );
        with_spools(&table, std::slice::from_ref(&disk), |rig| {
            rig.bridge.set_clock_at_start(0);
            rig.brokers[0].line.set_door(Door::Refused);
            rig.run_until(5000);
            publish(rig, 0..100);
            rig.run_until(20_000);
        });
        disk.cut();
        with_spools(&table, std::slice::from_ref(&disk), |rig| {
            rig.brokers[0].line.set_door(Door::Refused);
            rig.run_until(20_000);
            rig.brokers[0].line.set_door(Door::Open);
            rig.run_until(60_000);
            assert_eq!(values(rig), (0..100).collect::<Vec<_>>());
        });
        disk.forget_process();
    }
}

#[test]
fn signals_that_are_gone_do_not_make_all_others_go_again_after_a_crash() {
    for live_first in 0..2 {
        let disk = disk();
        let keys = format!(
            r#", "mqtt_qos": 1, "buffer_size": 1024, "replay_rate": 50, "live_first": {live_first}"#
        );
        with_spools(&one_device(&keys), std::slice::from_ref(&disk), |rig| {
            rig.brokers[0].line.set_door(Door::Refused);
            rig.run_until(1000);
            for value in 0..1000 {
                // One in ten is of a signal that the next table does not have.
                let channel = if value % 10 == 0 { Q } else { P };
                rig.publish(channel, &format!("{value},{value}"));
            }
            rig.run_until(30_000);
        });
        disk.cut();
        let table = super::table(&[("cloud", super::on(&keys))], &[("cloud", "p", "")]);
        let mut delivered = [0; 2];
        let mut all = Vec::new();
        for (delivered, until) in delivered.iter_mut().zip([15_000, 60_000]) {
            with_spools(&table, std::slice::from_ref(&disk), |rig| {
                rig.run_until(until);
                *delivered = rig.delivered(0).len();
                all.extend(values(rig));
            });
            disk.cut();
        }
        let repeated = (delivered[0] + delivered[1]).saturating_sub(900);
        assert!(delivered[0] > 400, "{delivered:?}");
        // What a flush interval has, and what waits in memory.
        assert!(
            repeated < 600,
            "live_first {live_first}: {repeated} of {delivered:?}"
        );
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 900, "live_first {live_first}");
    }
}
