//! Does a seed replay? And does a plan say what happens?

use mqtt_client_sim::plan::Plan;
use mqtt_client_sim::run::run;

#[test]
fn the_same_seed_gives_the_same_life() {
    for seed in 1..40 {
        let traces = [(); 2].map(|()| run(&Plan::draw(seed), true).trace);
        assert!(traces[0].len() > 10, "seed {seed} has a trace");
        assert_eq!(traces[0], traces[1], "seed {seed}");
    }
}

#[test]
fn what_is_left_out_of_a_plan_does_not_happen() {
    for seed in 1..20 {
        let plan = Plan::draw(seed);
        let nothing = run(&plan.only(&[]), true);
        assert_eq!(nothing.result, Ok(()), "seed {seed}");
        let faults = nothing
            .trace
            .iter()
            .filter(|line| line.contains("  fault "));
        let faults: Vec<_> = faults
            .filter(|line| !line.contains("all is healed"))
            .collect();
        assert!(faults.is_empty(), "seed {seed}: {faults:#?}");
    }
}
