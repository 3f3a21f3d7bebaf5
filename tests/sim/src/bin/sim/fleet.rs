//! `cargo sim --fleet`: how does a fleet come back to the broker that it has lost? The answers go to `docs/fleet.md` and `docs/fleet.svg`.

use std::fs;
use std::path::Path;
use std::time::Instant;

use mqtt_client_sim::fleet::page::{cases, page, picture, table};

/// A fleet is to be back, and drained, within so many times the broker's own bound, in percent.
const GOAL: u64 = 150;

/// Lets all of it happen; whether each fleet with jitter and `max_rate` reached the goal.
///
/// # Errors
/// If the page cannot be written.
pub fn run() -> Result<bool, String> {
    let started = Instant::now();
    let rows: Vec<_> = (cases().into_iter())
        .map(|case| {
            let outcome = case.fleet.run();
            let (seconds, fleet) = (started.elapsed().as_secs(), case.fleet);
            eprintln!("after {seconds} s: {fleet:?}");
            (case, outcome)
        })
        .collect();
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
