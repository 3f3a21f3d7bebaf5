//! How to wait: for a condition that has a name, never for a fixed time, and never for ever.

use std::fmt::Display;
use std::thread;
use std::time::{Duration, Instant};

/// How long a condition may take before a test gives up. Generous, since it costs nothing when all is well.
pub const LIMIT: Duration = Duration::from_secs(30);

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
    let start = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(value) = condition() {
            return Some(value);
        }
        if start.elapsed() >= limit {
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
