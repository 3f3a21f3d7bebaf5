//! How to wait: for a condition that has a name, never for a fixed time, and never for ever.

use std::fmt::Display;
use std::thread;
use std::time::{Duration, Instant};

/// How long a condition may take before a test gives up. Generous, since it costs nothing when all is well.
pub const LIMIT: Duration = Duration::from_secs(30);

/// So much of the time between two looks counts: a whole machine may stand still for longer, the one that is waited for included.
const MOST_AT_ONCE: Duration = Duration::from_millis(500);

/// Waits until `condition` gives a value.
///
/// # Panics
///
/// After [`LIMIT`], naming `what` was waited for.
#[track_caller]
pub fn until<T>(what: impl Display, condition: impl FnMut() -> Option<T>) -> T {
    match within(LIMIT, condition) {
        Some(value) => value,
        None => panic!("waited {LIMIT:?} in vain for {what}"),
    }
}

/// Waits until `condition` gives a value; `None` once `limit` has passed.
pub fn within<T>(limit: Duration, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let mut waited = Duration::ZERO;
    let mut last = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(value) = condition() {
            return Some(value);
        }
        let now = Instant::now();
        waited += (now - last).min(MOST_AT_ONCE);
        last = now;
        if waited >= limit {
            return None;
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(16));
    }
}

/// `Some(())` if `condition` holds: for conditions that have no value of their own.
#[must_use]
pub fn holds(condition: bool) -> Option<()> {
    condition.then_some(())
}
