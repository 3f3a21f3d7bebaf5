//! `cargo sim --fleet`: how does a fleet come back to the broker that it has lost? The answers go to `docs/fleet.md` and `docs/fleet.svg`.

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use mqtt_client_sim::fleet::Outcome;
use mqtt_client_sim::fleet::page::{cases, page, picture, table};

/// A fleet is to be back, and drained, within so many times the broker's own bound, in percent.
const GOAL: u64 = 150;

/// Lets all of it happen; whether each fleet with jitter and `max_rate` reached the goal.
///
/// # Errors
/// If the page cannot be written.
pub fn run() -> Result<bool, String> {
    let started = Instant::now();
    let cases = cases();
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(vec![Outcome::default(); cases.len()]);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let number = next.fetch_add(1, Ordering::Relaxed)
                    && let Some(case) = cases.get(number)
                {
                    let outcome = case.fleet.run();
                    let (seconds, fleet) = (started.elapsed().as_secs(), case.fleet);
                    eprintln!("after {seconds} s: {fleet:?}");
                    outcomes.lock().expect("no thread panics")[number] = outcome;
                }
            });
        }
    });
    let outcomes = outcomes.into_inner().expect("no thread panics");
    let rows: Vec<_> = cases.into_iter().zip(outcomes).collect();
    print!("{}", table(&rows));
    println!("{:.0} s", started.elapsed().as_secs_f64());
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    for (name, text) in [("fleet.md", page(&rows)), ("fleet.svg", picture(&rows))] {
        fs::write(docs.join(name), text).map_err(|error| format!("docs/{name}: {error}"))?;
    }
    let ours = rows
        .iter()
        .filter(|(case, _)| case.fleet.has_jitter && case.fleet.max_rate > 0);
    Ok(ours.into_iter().all(|(case, outcome)| {
        let is_in_time = outcome
            .all_drained
            .is_some_and(|time| time * 100 <= case.fleet.bound() * GOAL);
        is_in_time && (outcome.lost, outcome.dropped) == (0, 0)
    }))
}
