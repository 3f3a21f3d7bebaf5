//! Does a fleet come back to the broker that it has lost, in time, and with all that it had? A small one; `cargo sim --fleet` has the large one.

use mqtt_client_sim::fleet::{Fleet, Outcome};

const FLEET: Fleet = Fleet {
    bridges: 500,
    admits: 10,
    throttle: 100,
    outage: 0,
    has_jitter: true,
    max_rate: 100,
    seed: 7,
};

fn run(fleet: Fleet) -> Outcome {
    let outcome = fleet.run();
    println!("{fleet:?}, bound {}: {outcome:?}", fleet.bound());
    outcome
}

/// The attempts of a small fleet are less even than those of 10,000: a half more than the bound is for those, three quarters more for these.
#[test]
fn a_fleet_is_back_and_drained_within_one_and_three_quarters_of_the_brokers_own_bound() {
    for outage in [2000, 60_000, 300_000] {
        let fleet = Fleet { outage, ..FLEET };
        let outcome = run(fleet);
        let drained = outcome.all_drained.expect("all are back");
        assert!(drained <= fleet.bound() * 7 / 4, "{outage}: {drained}");
        assert_eq!((outcome.lost, outcome.dropped), (0, 0), "{outage}");
        assert_eq!(
            (outcome.passed_over, outcome.taken_twice),
            (0, 0),
            "{outage}"
        );
    }
}

#[test]
fn without_jitter_a_fleet_comes_back_in_step_and_most_of_it_is_turned_away() {
    let fleet = Fleet {
        bridges: 100,
        admits: 2,
        has_jitter: false,
        outage: 2000,
        ..FLEET
    };
    let outcome = run(fleet);
    assert!(
        outcome
            .all_back
            .is_none_or(|time| time > 10 * fleet.bound())
    );
    assert_eq!(outcome.lost, 0);
}

#[test]
fn without_max_rate_a_broker_that_throttles_passes_messages_over_and_they_come_later() {
    let fleet = Fleet {
        bridges: 50,
        admits: 10,
        max_rate: 0,
        outage: 300_000,
        ..FLEET
    };
    let outcome = run(fleet);
    assert!(outcome.passed_over > 0);
    let drained = outcome.all_drained.expect("all are back");
    assert!(
        drained > 90_000,
        "{drained}: an acknowledgement is missed after 90 s"
    );
    assert_eq!((outcome.lost, outcome.dropped), (0, 0));
}
