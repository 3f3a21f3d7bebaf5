//! Is what waited on storage still there after a power cut? The long way is `cargo power`.

use mqtt_client_tests::machine::power;
use mqtt_client_tests::machine::power::crowd::{self, Plan};
use mqtt_client_tests::machine::power::gateway::Storage;
use mqtt_client_tests::seed;

const CUTS: u64 = 5;

fn survives(storage: Storage) {
    power::prepare().unwrap_or_else(|error| panic!("{error}"));
    let plan = Plan {
        storage: vec![storage],
        seed: seed::rng().u64(..),
        lives: CUTS,
        at_a_time: 1,
        evidence: None,
    };
    let (sum, lived) = crowd::live(&plan, |_| {});
    println!("{sum}");
    assert_eq!(lived, Ok(()));
    // With the last life's.
    assert_eq!((sum.ledger.kills, sum.ledger.missing), (CUTS + 1, 0));
}

#[test]
fn what_waits_on_ext4_survives_power_cuts() {
    survives(Storage::Ext4);
}

#[test]
fn what_waits_on_ubifs_survives_power_cuts() {
    survives(Storage::Ubifs);
}
