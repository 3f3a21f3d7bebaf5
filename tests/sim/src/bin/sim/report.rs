//! What is shown of a life: its plan, its trace, what was broken, and the shortest plan that breaks it.

use mqtt_client_sim::plan::Plan;
use mqtt_client_sim::run::{Outcome, run, shorten};

/// Shows what happens in a life.
pub fn plan(plan: &Plan) {
    let mut world = plan.world.clone();
    let devices = std::mem::take(&mut world.devices);
    println!("seed {}: {world:?}", plan.seed);
    devices.iter().for_each(|device| println!("  {device:?}"));
    plan.happenings
        .iter()
        .for_each(|happening| println!("{happening}"));
}

/// Shows one life; whether everything held. A failing one is shown at its shortest.
pub fn one(plan: &Plan) -> bool {
    let Outcome { result, trace, .. } = run(plan, true);
    let Err(broken) = result else {
        trace.iter().for_each(|line| println!("{line}"));
        println!("seed {}: all held", plan.seed);
        return true;
    };
    let shortest = shorten(plan, &broken);
    let Outcome { result, trace, .. } = run(&shortest, true);
    self::plan(&shortest);
    println!("trace:");
    trace.iter().for_each(|line| println!("{line}"));
    println!(
        "\nseed {}: {}: {}",
        plan.seed, broken.property, broken.details
    );
    if let Err(broken) = result {
        let (all, left) = (plan.happenings.len(), shortest.happenings.len());
        println!(
            "with {left} of {all} happenings: {}: {}",
            broken.property, broken.details
        );
    }
    let numbers: Vec<String> = shortest.numbers().iter().map(usize::to_string).collect();
    println!(
        "again, as above: cargo sim --seed {} --keep {}",
        plan.seed,
        numbers.join(",")
    );
    false
}

/// One line, for whoever only wants to know which property a seed breaks.
pub fn brief(plan: &Plan) {
    if let Err(broken) = run(plan, false).result {
        println!(
            "seed {}: {}: {}",
            plan.seed, broken.property, broken.details
        );
    }
}
