//! A daemon that is killed at random moments under load, with a broker that comes and goes; see `mqtt_client_tests::spool::life`.

use mqtt_client_tests::seed;
use mqtt_client_tests::spool::crowd::{self, SETTINGS};

/// They mostly wait.
const AT_A_TIME: usize = 6;

#[test]
fn what_was_accepted_before_the_flush_interval_survives_hundreds_of_kills() {
    let lives = 300;
    let sum = crowd::live(lives, seed::rng().u64(..), &SETTINGS, AT_A_TIME, |_| {});
    println!("{sum}");
    assert_eq!((sum.kills + sum.stops, sum.missing), (lives, 0));
    // Else nothing would have been shown.
    assert!(sum.owed > 1000, "{sum}");
}
