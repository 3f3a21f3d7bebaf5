//! Lives that follow from a printed number; see `mqtt_client_tests::faults`.

use mqtt_client_tests::faults::STEPS;
use mqtt_client_tests::faults::crowd::Crowd;
use mqtt_client_tests::faults::plan::Setting;
use mqtt_client_tests::seed;

/// Lives so many lives, three at a time.
fn lives(setting: Setting, lives: u64) {
    let crowd = Crowd {
        setting,
        seed: seed::rng().u64(..),
        lives,
        steps: STEPS,
        at_a_time: 3,
    };
    let sum = crowd.live(|_| {});
    assert_eq!(sum.faults, lives * STEPS as u64);
    println!("{sum}");
}

#[test]
fn nothing_is_lost_and_nothing_comes_twice_over_mqtt_3_1_1() {
    lives(Setting::Plain, 30);
}

#[test]
fn nothing_is_lost_and_nothing_comes_twice_over_mqtt_3_1() {
    lives(Setting::Old, 14);
}

#[test]
fn nothing_is_lost_and_nothing_comes_twice_over_tls() {
    lives(Setting::Tls, 14);
}

/// Few enough for an emulated gateway: `cargo verify mips-e2e` selects this test by its name.
#[test]
fn nothing_is_lost_in_a_few_lives() {
    for setting in Setting::ALL {
        lives(setting, 2);
    }
}
