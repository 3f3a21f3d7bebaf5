//! What the daemon uses stays as it is, whatever the others do. `cargo faults --minutes N` watches for longer.

use std::time::Duration;

use mqtt_client_tests::faults::usage;
use mqtt_client_tests::seed;

#[test]
fn memory_descriptors_threads_and_log_stay_within_their_bounds_whatever_the_others_do() {
    println!("{}", usage::HEAD);
    let (time, rest) = (Duration::from_secs(40), Duration::from_secs(10));
    let run = usage::run(&mut seed::rng(), time, rest, |sample| println!("{sample}"));
    let excesses = run.excesses();
    assert!(excesses.is_empty(), "{excesses:#?}");
}
