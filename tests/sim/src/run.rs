//! One seed, from its number to what was broken; and the shortest part of its plan that breaks the same.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use crate::life;
use crate::plan::Plan;
use crate::property::{self, Broken};
use crate::trace;

thread_local! {
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
    static LIVES: Cell<bool> = const { Cell::new(false) };
}

/// What became of a plan.
pub struct Outcome {
    pub result: Result<(), Broken>,
    /// Lines, if a trace was wanted.
    pub trace: Vec<String>,
    /// Warnings and errors, and the first of them.
    pub loud: (u64, Vec<String>),
}

/// Lives through a plan; a panic is a broken property like any other.
#[must_use]
pub fn run(plan: &Plan, wants_trace: bool) -> Outcome {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if LIVES.get() {
                PANIC.set(Some(info.to_string().replace('\n', " ")));
            } else {
                others(info);
            }
        }));
    });
    trace::open(wants_trace, plan.world.verbose);
    LIVES.set(true);
    let result = catch_unwind(AssertUnwindSafe(|| life::live(plan))).unwrap_or_else(|_| {
        Err(Broken {
            property: property::NO_PANIC,
            details: PANIC.take().unwrap_or_default(),
        })
    });
    LIVES.set(false);
    Outcome {
        result,
        loud: trace::loud(),
        trace: trace::close(),
    }
}

/// Leaves out of a plan whatever is not needed to break this property.
#[must_use]
pub fn shorten(plan: &Plan, broken: &Broken) -> Plan {
    let still_breaks = |plan: &Plan| {
        let result = run(plan, false).result;
        result.is_err_and(|other| other.property == broken.property)
    };
    let mut shortest = plan.clone();
    let mut size = plan.happenings.len().div_ceil(2).max(1);
    loop {
        let mut from = 0;
        let mut shortened = false;
        while from < shortest.happenings.len() {
            let numbers = shortest.numbers();
            let (before, rest) = numbers.split_at(from);
            let after = rest.get(size..).unwrap_or_default();
            let shorter = shortest.only(&[before, after].concat());
            if still_breaks(&shorter) {
                shortest = shorter;
                shortened = true;
            } else {
                from += size;
            }
        }
        if size == 1 && !shortened {
            return shortest;
        }
        size = (size / 2).max(1);
    }
}
