//! What if the link goes down, or the clock jumps?

use mqtt_client_tests::config::{self, channel};
use mqtt_client_tests::machine::{self};
use mqtt_client_tests::{Machine, Site, wait};

/// Publishes a range of numbers, of which a test expects every one.
fn publish(site: &Site<Machine>, numbers: std::ops::Range<u32>) {
    for number in numbers {
        site.publish("p", format!("{number},1708000203824,"));
    }
}

fn expected(numbers: std::ops::Range<u32>) -> Vec<String> {
    let message = |number| format!("{number},1708000203824,1");
    numbers.map(message).collect()
}

#[test]
fn a_link_that_goes_down_and_up_again_loses_nothing() {
    let mut site = machine::site(config::cloud().with("mqtt_qos", 1).signal("p"));
    publish(&site, 0..20);
    site.daemon.run("ip link set eth0 down");
    publish(&site, 20..40);
    site.daemon.run("ip link set eth0 up");
    publish(&site, 40..60);
    wait::until("the last sample", || {
        let payloads = site.subscriber.payloads(&channel("p"));
        wait::holds(payloads.last() == expected(59..60).last())
    });
    let mut payloads = site.subscriber.payloads(&channel("p"));
    // At QoS 1 one may come twice, if the connection had to be replaced.
    payloads.dedup();
    assert_eq!(payloads, expected(0..60));
}

#[test]
fn a_clock_that_starts_in_1970_and_jumps_to_today_and_back_disturbs_nothing() {
    let mut site = machine::site(config::cloud().with("mqtt_qos", 1).signal("p"));
    assert_eq!(site.daemon.run("date +%Y").trim(), "1970");
    let clocks = [
        "2026-11-23 00:00:00",
        "2037-12-31 00:00:00",
        "1970-01-02 00:00:00",
    ];
    for (number, clock) in (0..).zip(clocks) {
        site.daemon.run(&format!("date -s '{clock}'"));
        publish(&site, number..number + 1);
        site.expect(&channel("p"), &expected(number..number + 1)[0]);
    }
    let counters = site.daemon.counters("cloud");
    assert_eq!((counters.sent, counters.reconnects), (3, 0));
}
