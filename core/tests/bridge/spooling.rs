//! What is on storage, when, and what comes back?

use super::common::disk::{Disk, Kind};
use super::common::network::Door;
use super::common::rig::{FLUSH_INTERVAL, Rig, with_spools};
use super::one_device;

/// Milliseconds of one step of a random life.
const LONGEST_STEP: u64 = 4000;

const P: &str = "tag/cloud/p/in";
const Q: &str = "tag/cloud/q/in";

fn disk() -> Disk {
    Disk::new(Kind::Files, 16 * 1024, 100, 3)
}

fn device(qos: u8) -> String {
    one_device(&format!(r#", "mqtt_qos": {qos}"#))
}

/// Publishes samples with these values, in turn on both channels.
fn publish(rig: &mut Rig<'_, '_>, values: std::ops::Range<u32>) {
    for value in values {
        rig.publish(
            if value % 2 == 0 { P } else { Q },
            &format!("{value},{value}"),
        );
    }
}

/// What a process gets delivered whose broker is well, from this storage.
fn delivered_by_the_next(table: &str, disk: &Disk) -> Vec<u32> {
    let mut values = Vec::new();
    disk.forget_process();
    with_spools(table, std::slice::from_ref(disk), |rig| {
        rig.run_until(60_000);
        values = delivered(rig);
        rig.stop();
        rig.run_until(70_000);
        assert!(rig.bridge.has_stopped());
    });
    values
}

fn delivered(rig: &Rig<'_, '_>) -> Vec<u32> {
    let values = rig.delivered(0).into_iter();
    values
        .map(|payload| {
            payload
                .split(',')
                .next()
                .expect("a value")
                .parse()
                .expect("a number")
        })
        .collect()
}

#[test]
fn nothing_is_written_while_the_broker_acknowledges_in_time() {
    for qos in 0..3 {
        let disk = disk();
        with_spools(&device(qos), std::slice::from_ref(&disk), |rig| {
            rig.settle();
            for second in 0..100 {
                publish(rig, second * 10..(second + 1) * 10);
                rig.run_until(u64::from(second + 1) * 1000);
            }
            assert_eq!(delivered(rig), (0..1000).collect::<Vec<_>>());
            rig.stop();
            rig.run_until(110_000);
            assert!(rig.bridge.has_stopped());
        });
        assert_eq!(disk.written(), (0, 0), "QoS {qos}");
    }
}

#[test]
fn a_sample_that_has_waited_for_the_interval_survives_a_power_cut() {
    for qos in 0..3 {
        let disk = disk();
        with_spools(&device(qos), std::slice::from_ref(&disk), |rig| {
            rig.brokers[0].line.set_door(Door::Refused);
            rig.run_until(1000);
            publish(rig, 0..100);
            rig.run_until(5000);
            publish(rig, 100..200);
            assert_eq!(disk.written().0, 0, "none has waited for so long");
            rig.run_until(1000 + FLUSH_INTERVAL);
            let (bytes, _) = disk.written();
            assert!(bytes > 200, "those that came since go with them");
            rig.run_until(1000 + 2 * FLUSH_INTERVAL);
            assert_eq!(disk.written().0, bytes, "once");
            publish(rig, 200..300);
        });
        disk.cut();
        let values = delivered_by_the_next(&device(qos), &disk);
        assert_eq!(values, (0..200).collect::<Vec<_>>(), "QoS {qos}");
        assert_eq!(delivered_by_the_next(&device(qos), &disk), [0; 0]);
    }
}

#[test]
fn nothing_is_dropped_while_the_spool_has_room_and_all_comes_in_order() {
    for qos in 0..3 {
        let (disk, table) = (
            disk(),
            one_device(&format!(r#", "mqtt_qos": {qos}, "buffer_size": 1024"#)),
        );
        with_spools(&table, std::slice::from_ref(&disk), |rig| {
            rig.brokers[0].line.set_door(Door::Refused);
            rig.settle();
            for second in 0..50 {
                publish(rig, second * 100..(second + 1) * 100);
                rig.run_until(u64::from(second + 1) * 1000);
            }
            let counters = rig.counters(0);
            assert_eq!(counters.dropped, 0, "{counters}");
            rig.brokers[0].line.set_door(Door::Open);
            rig.run_until(100_000);
            publish(rig, 5000..5010);
            rig.run_until(101_000);
            assert_eq!(delivered(rig), (0..5010).collect::<Vec<_>>());
            // What is done with is noted, and then nothing is written any more.
            rig.run_until(120_000);
            let written = disk.written();
            publish(rig, 5010..5020);
            rig.run_until(150_000);
            assert_eq!(disk.written(), written);
        });
        disk.cut();
        assert_eq!(delivered_by_the_next(&table, &disk), [0; 0], "QoS {qos}");
    }
}

#[test]
fn what_came_back_is_noted_while_new_samples_are_delivered_all_the_time() {
    for qos in 0..3 {
        let disk = disk();
        with_spools(&device(qos), std::slice::from_ref(&disk), |rig| {
            rig.brokers[0].line.set_door(Door::Refused);
            rig.settle();
            publish(rig, 0..500);
            rig.run_until(2 * FLUSH_INTERVAL);
            rig.brokers[0].line.set_door(Door::Open);
            // Never long without a new sample, each of which is delivered at once.
            let end = 100_000;
            let mut now = 2 * FLUSH_INTERVAL;
            for value in 500.. {
                if now >= end {
                    break;
                }
                publish(rig, value..value + 1);
                now += 100;
                rig.run_until(now);
            }
            assert!(delivered(rig).len() > 1000);
        });
        let written = disk.written();
        disk.cut();
        let again = delivered_by_the_next(&device(qos), &disk);
        assert_eq!(again, [0; 0], "QoS {qos}, {written:?}");
    }
}

#[test]
fn the_end_of_the_process_writes_all_that_is_not_acknowledged() {
    for qos in 0..3 {
        let disk = disk();
        with_spools(&device(qos), std::slice::from_ref(&disk), |rig| {
            rig.brokers[0].line.set_door(Door::Refused);
            rig.run_until(1000);
            publish(rig, 0..100);
            rig.stop();
            rig.run_until(30_000);
            assert!(rig.bridge.has_stopped());
        });
        disk.cut();
        let values = delivered_by_the_next(&device(qos), &disk);
        assert_eq!(values, (0..100).collect::<Vec<_>>(), "QoS {qos}");
    }
}

#[test]
fn without_storage_samples_wait_in_memory_and_it_is_used_again_when_it_comes_back() {
    use mqtt_client_core::spool::Fault;
    let disk = disk();
    disk.fail(Some(Fault::Missing));
    with_spools(&device(1), std::slice::from_ref(&disk), |rig| {
        rig.brokers[0].line.set_door(Door::Refused);
        rig.run_until(1000);
        publish(rig, 0..100);
        rig.run_until(60_000);
        assert_eq!(disk.written().0, 0);
        disk.fail(None);
        rig.run_until(60_000 + FLUSH_INTERVAL + 5000);
        assert!(disk.written().0 > 0);
    });
    disk.cut();
    let values = delivered_by_the_next(&device(1), &disk);
    assert_eq!(values, (0..100).collect::<Vec<_>>());
}

#[test]
fn storage_that_could_not_be_written_to_is_tried_again_where_nothing_waits() {
    use mqtt_client_core::spool::Fault;
    for fault in [Fault::Full, Fault::ReadOnly, Fault::Failing(5)] {
        let disk = disk();
        with_spools(&device(1), std::slice::from_ref(&disk), |rig| {
            rig.brokers[0].line.set_door(Door::Refused);
            rig.run_until(1000);
            publish(rig, 0..100);
            rig.run_until(1000 + 2 * FLUSH_INTERVAL);
            publish(rig, 100..120);
            disk.fail(Some(fault));
            rig.run_until(1000 + 4 * FLUSH_INTERVAL);
            rig.brokers[0].line.set_door(Door::Open);
            rig.run_until(200_000);
            assert_eq!(delivered(rig).len(), 120);
            let written = disk.written().0;
            disk.fail(None);
            rig.run_until(200_000 + FLUSH_INTERVAL + 5000);
            let tried = disk.written().0;
            // Of what is done with, and nothing else.
            assert_eq!(tried, written + 32, "{fault:?}");
            rig.run_until(400_000);
            assert_eq!(disk.written().0, tried, "once");
        });
    }
}

#[test]
fn storage_that_goes_with_a_part_of_the_samples_gives_them_once_it_is_back() {
    use mqtt_client_core::spool::Fault;
    let (disk, table) = (
        disk(),
        one_device(r#", "mqtt_qos": 1, "buffer_size": 1024"#),
    );
    with_spools(&table, std::slice::from_ref(&disk), |rig| {
        rig.brokers[0].line.set_door(Door::Refused);
        rig.run_until(1000);
        publish(rig, 0..2000);
        rig.run_until(20_000);
        disk.fail(Some(Fault::Failing(5)));
        rig.brokers[0].line.set_door(Door::Open);
        rig.run_until(60_000);
        publish(rig, 2000..2010);
        rig.run_until(61_000);
        let before = delivered(rig);
        assert!(before.len() < 2000 && before.ends_with(&[2008, 2009]));
        disk.fail(None);
        rig.run_until(90_000);
        let mut all = delivered(rig);
        assert!(all[before.len()..].is_sorted());
        all.sort_unstable();
        assert_eq!(all, (0..2010).collect::<Vec<_>>(), "each once");
    });
}

#[test]
fn storage_that_hangs_holds_nothing_up() {
    for hangs_at_start in [true, false] {
        let (disk, table) = (
            disk(),
            one_device(r#", "mqtt_qos": 1, "buffer_size": 4096"#),
        );
        disk.hang(hangs_at_start);
        with_spools(&table, std::slice::from_ref(&disk), |rig| {
            rig.run_until(1000);
            if !hangs_at_start {
                // There is a backlog of which nothing comes back.
                rig.brokers[0].line.set_door(Door::Refused);
                rig.brokers[0].line.cut();
                publish(rig, 10_000..11_000);
                disk.hang(true);
                rig.brokers[0].line.set_door(Door::Open);
            }
            for second in 0..60 {
                publish(rig, second * 100..(second + 1) * 100);
                rig.run_until(u64::from(second + 2) * 1000);
            }
            let newest = delivered(rig).split_off(delivered(rig).len() - 4000);
            assert_eq!(newest, (2000..6000).collect::<Vec<_>>(), "they flow again");
            disk.hang(false);
            rig.run_until(100_000);
            let spool = rig.bridge.brokers()[0].spool().expect("it has one");
            assert_eq!((spool.fault(), spool.spooled()), (None, 0));
            assert!(hangs_at_start || delivered(rig).contains(&10_999));
        });
    }
}

#[test]
fn samples_of_signals_that_are_gone_are_dropped_and_counted() {
    let disk = disk();
    with_spools(&device(1), std::slice::from_ref(&disk), |rig| {
        rig.brokers[0].line.set_door(Door::Refused);
        rig.run_until(1000);
        publish(rig, 0..100);
        rig.stop();
        rig.run_until(30_000);
    });
    disk.forget_process();
    let table = super::table(
        &[("cloud", super::on(r#", "mqtt_qos": 1"#))],
        &[("cloud", "new", ""), ("cloud", "q", r#", "topic": "t/q""#)],
    );
    with_spools(&table, std::slice::from_ref(&disk), |rig| {
        rig.run_until(1000);
        let odd: Vec<_> = (0..100).filter(|value| value % 2 == 1).collect();
        assert_eq!(delivered(rig), odd);
        assert_eq!(rig.counters(0).dropped, 50);
        let published = &rig.brokers[0].server.delivered;
        assert!(published.iter().all(|publish| publish.topic == "t/q"));
    });
}

/// Lives of a bridge whose broker comes and goes, each cut off from power at any change to the storage.
#[test]
fn whatever_is_cut_off_loses_none_that_has_waited_for_the_interval() {
    for seed in 0..80_u64 {
        let disk = Disk::new(
            [Kind::Files, Kind::Flash][seed as usize % 2],
            16 * 1024,
            100,
            seed * 31 + 7,
        );
        let qos = disk.random(3) as u8;
        let live_first = disk.random(2);
        let replay_rate = [0, 200][disk.random(2) as usize];
        let table = one_device(&format!(
            r#", "mqtt_qos": {qos}, "buffer_size": 2048, "live_first": {live_first}, "replay_rate": {replay_rate}"#
        ));
        let mut next = 0;
        let mut got = Vec::new();
        // When each was accepted, as long as the process lives that has accepted it.
        let mut lost_may_be = Vec::new();
        for life in 0..6 {
            let context = format!("seed {seed}, life {life}, QoS {qos}, live_first {live_first}");
            let is_last = life == 5;
            disk.be_slow(1 + disk.random(3));
            if !is_last && life > 0 {
                disk.cut_in(disk.random(40) as u32);
            }
            with_spools(&table, std::slice::from_ref(&disk), |rig| {
                let mut accepted: Vec<(u32, u64)> = Vec::new();
                rig.run_until(1);
                for _ in 0..60 {
                    if disk.is_cut() {
                        break;
                    }
                    match disk.random(4) {
                        0 if !is_last => {
                            let door = [Door::Refused, Door::Open][disk.random(2) as usize];
                            rig.brokers[0].line.set_door(door);
                            if door == Door::Refused {
                                rig.brokers[0].line.cut();
                            }
                        }
                        1 | 2 => {
                            let count = disk.random(60) as u32;
                            for value in next..next + count {
                                accepted.push((value, rig.now()));
                            }
                            publish(rig, next..next + count);
                            next += count;
                        }
                        _ => {}
                    }
                    rig.run_until(rig.now() + disk.random(LONGEST_STEP));
                }
                if is_last {
                    rig.brokers[0].line.set_door(Door::Open);
                    rig.run_until(rig.now() + 200_000);
                }
                let dropped = rig.counters(0).dropped;
                assert!(
                    disk.is_cut() || dropped == 0,
                    "{context}: {dropped} dropped"
                );
                got.extend(delivered(rig));
                // If the power was cut, then at some time within the last step.
                let cut_at = rig.now() - if disk.is_cut() { LONGEST_STEP } else { 0 };
                let young = accepted
                    .iter()
                    .filter(|(_, at)| at + FLUSH_INTERVAL > cut_at);
                lost_may_be.extend(young.map(|(value, _)| *value));
            });
            disk.cut();
        }
        let missing: Vec<_> = (0..next)
            .filter(|value| !got.contains(value) && !lost_may_be.contains(value))
            .collect();
        assert_eq!(
            missing, [0; 0],
            "seed {seed}, QoS {qos}, live_first {live_first}"
        );
    }
}
