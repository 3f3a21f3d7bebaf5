//! What has to hold at the end of a life, when all has been well for long enough.

use std::collections::HashMap;

use crate::broker::{Kind, Speaks};
use crate::ends::BrokerEnd;
use crate::ledger::{Fate, Ledger, Sample};
use crate::packet::Publish;
use crate::property::{self, Verdict};
use crate::trace;

/// A sample for a broker that is well waits for no longer, in milliseconds: a burst of sixty at QoS 2 with one in flight at a time.
const AT_ONCE: u64 = 30_000;

/// Closes after which the operator must have read which topic is forbidden: three of many messages, and some of one at a time.
const CERTAIN: u32 = 6;

/// In milliseconds: until then others wait for a forbidden topic, a burst of them included.
const FLOWS_WITHIN: u64 = 45_000;

/// Connecting and wiping out an old session takes a moment at the start.
const START: u64 = 10_000;

/// [`property::RECOVERS`]: nothing waits any more.
pub fn all_is_well(verdict: &Verdict, end: &BrokerEnd) {
    let ledger = end.ledger.borrow();
    verdict.require(property::RECOVERS, ledger.is_done(), || {
        format!("{} still has something to send", ledger.name())
    });
    verdict.require(property::STARTS, ledger.has_all_back(), || {
        format!(
            "{} has a spool that is not used, or not empty",
            ledger.name()
        )
    });
    verdict.require(property::UNASKED, end.is_acknowledged(), || {
        format!("{} waits for an acknowledgement", ledger.name())
    });
}

/// [`property::RETAINED`], where the broker took the messages in their order and said the truth about its session.
pub fn what_is_retained_is_newest(verdict: &Verdict, end: &BrokerEnd) {
    let ledger = end.ledger.borrow();
    if end.may_retain_an_old_one() || ledger.is_misled() {
        return;
    }
    for sample in ledger.to_be_retained() {
        let retained = end.server.retained.get(&sample.topic);
        let retained = retained.map(|publish| &publish.payload);
        verdict.require(
            property::RETAINED,
            retained == Some(&sample.payload),
            || format!("{retained:?} is retained, not {sample:?}"),
        );
    }
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
    nothing_is_missing(verdict, end, &ledger, &counts);
    nothing_arrives_twice(verdict, &ledger, &counts);
    if !end.has_chosen_the_order() {
        order_holds(verdict, end, &ledger, &arrivals);
    }
}

/// [`property::NOTHING_MADE_UP`]
fn nothing_is_made_up(verdict: &Verdict, ledger: &Ledger, arrivals: &[(&Publish, Option<usize>)]) {
    for (publish, number) in arrivals {
        let sample = number.map(|number| &ledger.samples[number]);
        let right = sample.is_some_and(|sample| {
            let may_arrive = sample.fate != Fate::Dropped || sample.may_repeat;
            may_arrive && sample.topic == publish.topic
        });
        verdict.require(property::NOTHING_MADE_UP, right, || {
            format!("{publish:?} of {sample:?}")
        });
    }
}

/// [`property::NOTHING_MISSING`]. Where two processes meet the same identifiers by chance, aedes swallows the newer message.
fn nothing_is_missing(verdict: &Verdict, end: &BrokerEnd, ledger: &Ledger, counts: &[usize]) {
    let swallows = end.server.kind == Kind::Aedes;
    let promised = |sample: &Sample| match sample.fate {
        Fate::Dropped => false,
        Fate::Waiting => true,
        Fate::Sent(connection) => ledger.qos() > 0 || connection == ledger.connection(),
    };
    let samples = ledger.samples.iter().zip(counts);
    let missing =
        samples.filter(|(sample, count)| promised(sample) && !sample.excused && **count == 0);
    let missing: Vec<_> = missing
        .filter(|(sample, _)| !(swallows && end.server.taken_for_copies.contains(&sample.payload)))
        .collect();
    let (survives, others): (Vec<(&Sample, &usize)>, Vec<_>) =
        (missing.iter()).partition(|(sample, _)| sample.survives);
    // With a spool, what is dropped is counted, and may come all the same.
    let dropped = ledger.dropped_ever();
    let are_counted = missing.len() as u64 <= dropped;
    for (property, missing) in [
        (property::SURVIVES, survives),
        (property::NOTHING_MISSING, others),
    ] {
        let first = missing.first();
        verdict.require(property, first.is_none() || are_counted, || {
            format!(
                "{first:?} is missing, one of {}, {dropped} are dropped",
                missing.len()
            )
        });
    }
}

/// [`property::NOTHING_TWICE`]: a broker without QoS 2 gives at least once.
fn nothing_arrives_twice(verdict: &Verdict, ledger: &Ledger, counts: &[usize]) {
    let samples = ledger.samples.iter().zip(counts);
    let mut doubled =
        samples.filter(|(sample, count)| **count > 1 && !sample.excused && !sample.may_repeat);
    let first = doubled.next().filter(|_| !ledger.may_arrive_twice());
    verdict.require(property::NOTHING_TWICE, first.is_none(), || {
        format!("{first:?}")
    });
}

/// [`property::ORDER`]: of all samples, or of those of each topic if one was set aside.
fn order_holds(verdict: &Verdict, end: &BrokerEnd, ledger: &Ledger, arrivals: &[usize]) {
    if !ledger.has_set_aside() {
        order_holds_among(verdict, end, ledger, arrivals);
        return;
    }
    let mut by_topic: HashMap<&str, Vec<usize>> = HashMap::new();
    for number in arrivals {
        let topic = ledger.samples[*number].topic.as_str();
        by_topic.entry(topic).or_default().push(*number);
    }
    for arrivals in by_topic.values() {
        order_holds_among(verdict, end, ledger, arrivals);
    }
}

fn order_holds_among(verdict: &Verdict, end: &BrokerEnd, ledger: &Ledger, arrivals: &[usize]) {
    let mut newest = None;
    let mut seen = vec![false; ledger.samples.len()];
    for number in arrivals {
        let first_time = !std::mem::replace(&mut seen[*number], true);
        let sample = &ledger.samples[*number];
        if !first_time || sample.excused || sample.late {
            continue;
        }
        verdict.require(property::ORDER, newest < Some(*number), || {
            format!("{:?} comes after {newest:?}", ledger.samples[*number])
        });
        newest = newest.max(Some(*number));
    }
    // What goes again in a new session may come behind newer ones: the threshold forgets those then, see [`property::RETAINED`].
    let last = arrivals.last().filter(|last| {
        let sample = &ledger.samples[**last];
        !sample.excused && !sample.may_repeat && !sample.late
    });
    verdict.require(
        property::ORDER,
        last.is_none() || last.copied() == newest || end.may_end_with_an_old_one(),
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
            let most = AT_ONCE + ledger.takes_longer();
            verdict.require(property::INDEPENDENT, at - sample.at <= most, || {
                format!("{sample:?} took {} ms", at - sample.at)
            });
        }
    }
}

/// [`property::FLOWS`], where nothing else befalls the broker.
pub fn a_forbidden_topic_holds_up_no_other(verdict: &Verdict, end: &BrokerEnd) {
    let ledger = end.ledger.borrow();
    for (topic, closes) in ledger.culprits() {
        let is_named = trace::was_told(topic);
        verdict.require(property::FLOWS, is_named || closes < CERTAIN, || {
            format!("{topic} is not named after {closes} closes")
        });
    }
    // Where each connection has to be found out to be of MQTT 3.1 first, by being closed twice, all takes its time.
    let within = match end.server.speaks {
        Speaks::Only3_1AndHangsUp => 5 * FLOWS_WITHIN,
        Speaks::Both | Speaks::Only3_1 => FLOWS_WITHIN,
    } + ledger.takes_longer();
    let times: HashMap<_, _> = (end.server.delivered.iter().rev())
        .map(|(at, publish)| (publish.payload.as_str(), *at))
        .collect();
    let innocent = ledger.samples.iter();
    let innocent = innocent.filter(|sample| !ledger.culprits().any(|(of, _)| *of == sample.topic));
    for sample in innocent.filter(|sample| sample.at > START) {
        if let Some(at) = times.get(sample.payload.as_str()) {
            verdict.require(property::FLOWS, at - sample.at <= within, || {
                format!("{sample:?} took {} ms", at - sample.at)
            });
        }
    }
}

/// [`property::STATUS`]
pub fn status_is_true(verdict: &Verdict, end: &BrokerEnd, has_left: bool) {
    verdict.require(property::STATUS, end.has_status(has_left), || {
        let name = end.ledger.borrow().name();
        format!("{name} has another status, and the client has left it: {has_left}")
    });
}

/// [`property::STOPS`]: on a healthy network everybody hears DISCONNECT.
pub fn no_will_is_sent(verdict: &Verdict, end: &BrokerEnd) {
    verdict.require(property::STOPS, end.server.wills == 0, || {
        format!("{} sent the Last Will", end.ledger.borrow().name())
    });
}
