//! Where randomness comes from: a seed that is printed, and can be given again in `MQTT_CLIENT_SEED`.

use fastrand::Rng;

/// A generator whose seed is in the output of a failing test.
///
/// # Panics
///
/// If `MQTT_CLIENT_SEED` is set and no number.
#[must_use]
pub fn rng() -> Rng {
    let seed = match std::env::var("MQTT_CLIENT_SEED") {
        Ok(text) => text.parse().expect("MQTT_CLIENT_SEED is a number"),
        Err(_) => fastrand::u64(..),
    };
    println!("to repeat this: MQTT_CLIENT_SEED={seed}");
    Rng::with_seed(seed)
}
