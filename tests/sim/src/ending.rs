//! What has to hold at the end of a life, when all has been well for long enough.

use std::collections::HashMap;

use crate::broker::Delivers;
use crate::ends::BrokerEnd;
use crate::ledger::{Fate, Ledger, Sample};
use crate::packet::Publish;
use crate::property::{self, Verdict};

/// A sample for a broker that is well waits for no longer, in milliseconds: a burst of sixty at QoS 2 with one in flight at a time.
const AT_ONCE: u64 = 30_000;

/// Connecting and wiping out an old session takes a moment at the start.
const START: u64 = 10_000;

/// [`property::RECOVERS`]: nothing waits any more.
pub fn all_is_well(verdict: &Verdict, end: &BrokerEnd) {
    let ledger = end.ledger.borrow();
    verdict.require(property::RECOVERS, ledger.is_done(), || {
        format!("{} still has something to send", ledger.name())
    });
}

/// All that is said about what subscribers got.
pub fn what_arrived_is_right(verdict: &Verdict, end: &BrokerEnd) {
    let ledger = end.ledger.borrow();
    let arrivals: Vec<_> = end
        .server
        .delivered
        .iter()
        .map(|(_, publish)| publish)
        .collect();
    let numbers: HashMap<_, _> = ledger
        .samples
        .iter()
        .map(|sample| sample.payload.as_str())
        .zip(0..)
        .collect();
    let arrivals: Vec<(&Publish, Option<usize>)> = (arrivals.into_iter())
        .map(|publish| (publish, numbers.get(publish.payload.as_str()).copied()))
        .collect();
    nothing_is_made_up(verdict, &ledger, &arrivals);
    if verdict.is_broken() {
        return;
    }
    let arrivals: Vec<usize> = arrivals
        .into_iter()
        .filter_map(|(_, number)| number)
        .collect();
    let mut counts = vec![0; ledger.samples.len()];
    arrivals.iter().for_each(|number| counts[*number] += 1);
    nothing_is_missing(verdict, &ledger, &counts);
    nothing_arrives_twice(verdict, &ledger, &counts);
    // A broker that delivers on PUBREL and asks for it in another order has chosen that order.
    if !(end.has_shuffled && end.server.delivers == Delivers::OnPubrel) {
        order_holds(verdict, &ledger, &arrivals);
    }
}

/// [`property::NOTHING_MADE_UP`]
fn nothing_is_made_up(verdict: &Verdict, ledger: &Ledger, arrivals: &[(&Publish, Option<usize>)]) {
    for (publish, number) in arrivals {
        let sample = number.map(|number| &ledger.samples[number]);
        let right = sample
            .is_some_and(|sample| sample.fate != Fate::Dropped && sample.topic == publish.topic);
        verdict.require(property::NOTHING_MADE_UP, right, || {
            format!("{publish:?} of {sample:?}")
        });
    }
}

/// [`property::NOTHING_MISSING`]
fn nothing_is_missing(verdict: &Verdict, ledger: &Ledger, counts: &[usize]) {
    let promised = |sample: &Sample| match sample.fate {
        Fate::Dropped => false,
        Fate::Waiting => true,
        Fate::Sent(connection) => ledger.qos() > 0 || connection == ledger.connection(),
    };
    let samples = ledger.samples.iter().zip(counts);
    let mut missing =
        samples.filter(|(sample, count)| promised(sample) && !sample.excused && **count == 0);
    let first = missing.next();
    verdict.require(property::NOTHING_MISSING, first.is_none(), || {
        format!("{first:?} is missing")
    });
}

/// [`property::NOTHING_TWICE`]
fn nothing_arrives_twice(verdict: &Verdict, ledger: &Ledger, counts: &[usize]) {
    let samples = ledger.samples.iter().zip(counts);
    let mut doubled = samples.filter(|(sample, count)| **count > 1 && !sample.excused);
    let first = doubled.next().filter(|_| ledger.qos() != 1);
    verdict.require(property::NOTHING_TWICE, first.is_none(), || {
        format!("{first:?}")
    });
}

/// [`property::ORDER`]
fn order_holds(verdict: &Verdict, ledger: &Ledger, arrivals: &[usize]) {
    let mut newest = None;
    let mut seen = vec![false; ledger.samples.len()];
    for number in arrivals {
        let first_time = !std::mem::replace(&mut seen[*number], true);
        if !first_time || ledger.samples[*number].excused {
            continue;
        }
        verdict.require(property::ORDER, newest < Some(*number), || {
            format!("{:?} comes after {newest:?}", ledger.samples[*number])
        });
        newest = newest.max(Some(*number));
    }
    let last = arrivals
        .last()
        .filter(|last| !ledger.samples[**last].excused);
    verdict.require(
        property::ORDER,
        last.is_none() || last.copied() == newest,
        || format!("the last to arrive was {last:?}, the newest {newest:?}"),
    );
}

/// [`property::INDEPENDENT`]
pub fn nobody_waits_for_others(verdict: &Verdict, end: &BrokerEnd) {
    let ledger = end.ledger.borrow();
    let times: HashMap<_, _> = (end.server.delivered.iter())
        .map(|(at, publish)| (publish.payload.as_str(), *at))
        .collect();
    for sample in ledger.samples.iter().filter(|sample| sample.at > START) {
        if let Some(at) = times.get(sample.payload.as_str()) {
            verdict.require(property::INDEPENDENT, at - sample.at <= AT_ONCE, || {
                format!("{sample:?} took {} ms", at - sample.at)
            });
        }
    }
}

/// [`property::STOPS`]: on a healthy network everybody hears DISCONNECT.
pub fn no_will_is_sent(verdict: &Verdict, end: &BrokerEnd) {
    verdict.require(property::STOPS, end.server.wills == 0, || {
        format!("{} sent the Last Will", end.ledger.borrow().name())
    });
}
