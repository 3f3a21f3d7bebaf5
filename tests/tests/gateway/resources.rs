//! How much memory and processor does the daemon take, as the gateway's kernel counts it?

use mqtt_client_tests::config::{self, channel};
use mqtt_client_tests::{Config, Machine, Site, machine, wait};

/// What the daemon may occupy with 1,000 signals, in KiB: 1.5 MB.
const MOST: u64 = 1_464;

fn with_signals(count: usize) -> Config {
    let device = config::cloud().with("mqtt_qos", 1);
    (0..count).fold(device, |config, number| {
        config.signal(&format!("s{number}"))
    })
}

#[test]
fn a_thousand_signals_take_a_megabyte_and_a_half_at_most() {
    let mut site = machine::site(with_signals(1_000));
    for number in 0..1_000 {
        site.publish(&format!("s{number}"), "12.5,1708000203824,");
    }
    wait::until("1,000 messages", || {
        wait::holds(site.subscriber.count() == 1_000)
    });
    let peak = site.daemon.number("status", "VmHWM:");
    let now = site.daemon.number("status", "VmRSS:");
    let share = site.daemon.number("smaps_rollup", "Pss:");
    println!("1,000 signals: at most {peak} KiB resident, now {now} KiB, its share {share} KiB");
    assert!(peak <= MOST, "{peak} KiB");
}

#[test]
fn a_broker_that_is_away_costs_the_buffer_and_no_more() {
    let buffer = 256;
    let config = config::cloud()
        .with("mqtt_qos", 1)
        .with("buffer_size", buffer * 1024);
    let mut site = machine::site(config.signal("p"));
    site.publish("p", "0,1708000203824,");
    site.expect(&channel("p"), "0,1708000203824,1");
    let before = site.daemon.number("status", "VmRSS:");
    site.broker.stop();
    let samples = (1..=40_000).map(|number| format!("{number},1708000203824,"));
    site.redis.publish_all(&channel("p"), samples);
    let counters = site
        .daemon
        .wait_for_counters("cloud", |counters| counters.received == 40_001);
    assert!(counters.dropped > 0, "{counters:?}");
    let after = site.daemon.number("status", "VmRSS:");
    println!("resident: {before} KiB, with {buffer} KiB of waiting samples {after} KiB");
    // Besides the buffer: input, the broker's address looked up, the log's line.
    assert!(
        after <= before + buffer + 64,
        "{before} KiB, then {after} KiB"
    );
}

#[test]
fn an_idle_bridge_sleeps() {
    let mut site = machine::site(with_signals(10));
    site.publish("s0", "12.5,1708000203824,");
    site.expect(&channel("s0"), "12.5,1708000203824,1");
    settle(&mut site);
    let before = wakeups(&mut site.daemon);
    site.daemon.run("sleep 10");
    let after = wakeups(&mut site.daemon);
    // Keep-alives are once a minute, to the broker as to Redis.
    assert!(after - before <= 2, "{} wake-ups in 10 s", after - before);
}

/// Until what the last sample has set off is over.
fn settle(site: &mut Site<Machine>) {
    site.daemon
        .wait_for_counters("cloud", |counters| counters.acknowledged == counters.sent);
    let mut last = wakeups(&mut site.daemon);
    wait::until("the daemon to fall asleep", || {
        let now = wakeups(&mut site.daemon);
        let is_asleep = now == last;
        last = now;
        wait::holds(is_asleep)
    });
}

fn wakeups(machine: &mut Machine) -> u64 {
    machine.number("status", "voluntary_ctxt_switches:")
}
