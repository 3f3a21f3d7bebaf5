//! How a life ends, and what must have come about by certain times.

use std::collections::BTreeSet;

use mqtt_client_core::bridge::Bridge;

use super::{Act, LOOK_EVERY, Life};
use crate::broker::Speaks;
use crate::ending;
use crate::line::Line;
use crate::plan::{BrokerFault, End, Published, What};
use crate::property;
use crate::trace;
use crate::world::{Device, Ending};

/// On a healthy network a connection to Redis is there, and all is subscribed to, in so many milliseconds.
const SUBSCRIBES_WITHIN: u64 = 5000;

/// For so long after a fault the link to Redis may still suffer from it.
const FORGOTTEN: u64 = 120_000;

/// So many refused channels have a line of their own.
const MOST_NAMED: usize = 10;

/// Two that a broker of MQTT 3.1 closes, one that wipes an old session out, and the one that is left.
const MOST_CONNECTIONS: u32 = 4;

/// Attempts to connect within a minute: 0, 1, 2, 4, 8, 16, 32 s are seven, and four more where each is shortened by a half and more. Three may follow
/// at once each time that an old session is wiped out or the protocol level changes.
const MOST_ATTEMPTS: usize = 18;

/// More of them for each time that a topic was set aside, tried again, or a session begun anew for a PUBREL: it is wiped out over one connection, and
/// the delays may start over.
const ATTEMPTS_TO_BEGIN: usize = 5;

/// The delays from 2 s on, before they are shortened.
const FULL_DELAYS: [u64; 8] = [2000, 4000, 8000, 16_000, 32_000, 64_000, 128_000, 256_000];

impl Life<'_> {
    pub(super) fn last_words(&mut self, by: u64) {
        if !self.all_is_done() && self.now() < by + self.more_in_all() {
            self.schedule(self.now() + LOOK_EVERY, Act::LastWords(by));
            return;
        }
        let by = self.recovered_by();
        self.schedule(self.now() + LOOK_EVERY, Act::Judge(by));
        for device in 0..self.signals.len() {
            for signal in 0..self.signals[device] {
                // A broker that has lost its retained messages needs the old value as much as a new one.
                let last = if self.rng.bool() {
                    Published::New
                } else {
                    Published::Same
                };
                self.publish(device, signal, &[last]);
            }
        }
    }

    /// Looks at the end of a life that all has been healed in.
    pub(super) fn judge(&mut self, by: u64) {
        let open = self
            .brokers
            .iter()
            .all(|end| end.line.open_connection().is_some());
        if !(open && self.all_is_done()) && self.now() < by + self.more_in_all() {
            self.schedule(self.now() + LOOK_EVERY, Act::Judge(by));
            return;
        }
        for (number, end) in self.brokers.iter().enumerate() {
            ending::all_is_well(&self.verdict, end);
            ending::what_arrived_is_right(&self.verdict, end);
            if self.is_calm(number) {
                ending::a_forbidden_topic_holds_up_no_other(&self.verdict, end);
            }
            ending::what_is_retained_is_newest(&self.verdict, end);
            ending::status_is_true(&self.verdict, end, false);
        }
        let subscribed = self.redis.has_subscriber_of(self.signals.iter().sum());
        self.verdict.require(
            property::RECOVERS,
            subscribed,
            || "Redis has no subscriber of all channels",
        );
        let unread = self.redis.unread();
        self.verdict
            .require(property::STREAM, unread.is_none(), || {
                format!("{:?} was not read", unread.map(|unread| &unread.message))
            });
        if let Some(spared) = self.plan.world.spared {
            ending::nobody_waits_for_others(&self.verdict, &self.brokers[spared]);
        }
        self.check_polls();
        self.check_causes();
        self.check_jitter();
        if self.plan.world.ending == Ending::HealedAndStopped {
            self.schedule(self.now(), Act::Stop);
        } else {
            self.over = true;
        }
    }

    /// Whether nothing befalls this broker but that it forbids topics.
    pub(super) fn is_calm(&self, number: usize) -> bool {
        let befalls = |fault: &BrokerFault| !matches!(fault, BrokerFault::Forbid(_));
        !self.plan.befalls(number, befalls)
    }

    /// [`property::REFUSED`], at the end of such a fault, if nothing else has befallen Redis for long.
    pub(super) fn check_refusals(&self, fault: &What, lasts: u64) {
        let begin = self.now() - lasts;
        let befalls = |what: &What| match what {
            What::Line(End::Redis, _, lasts) | What::Redis(_, lasts) | What::Oversleep(lasts) => {
                Some(*lasts)
            }
            What::ClockAhead(_) | What::ClockBack(_) | What::Reload(_) => Some(0),
            What::Kill | What::Restart | What::PowerCut => Some(0),
            // The process dies at any time from then on.
            What::Storage(_, fault, lasts) => fault.ends_the_process().then_some(*lasts),
            What::Publish { .. } | What::Line(..) | What::Broker(..) => None,
        };
        let mut happenings = self.plan.happenings.iter();
        let is_disturbed = happenings.any(|happening| {
            let same = happening.at == begin && happening.what == *fault;
            let at = happening.at;
            !same
                && befalls(&happening.what)
                    .is_some_and(|lasts| at <= self.now() && at + lasts + FORGOTTEN > begin)
        });
        if is_disturbed || self.plan.ends_at.is_some() || lasts < SUBSCRIBES_WITHIN {
            return;
        }
        let channels = self.channels(|_| true);
        let refused = self.redis.refused_of(&channels);
        let attempts = self.redis.line.attempts_since(begin);
        self.verdict.require(
            property::REFUSED,
            attempts == 0 || !refused.is_empty(),
            || format!("{attempts} attempts to connect since an error in answer to PING"),
        );
        if refused.len() < channels.len() {
            self.verdict
                .require(property::REFUSED, self.redis.serves(&channels), || {
                    format!("without {refused:?} others are not subscribed to")
                });
        }
        let named = |channel: &&String| trace::was_told(&format!("no subscription to {channel}:"));
        let count = refused.iter().filter(named).count();
        self.verdict.require(
            property::REFUSED,
            count == refused.len().min(MOST_NAMED),
            || format!("{count} of {refused:?} are named"),
        );
    }

    /// The channels of all signals, by their number among them.
    pub(super) fn channels(&self, is_wanted: impl Fn(usize) -> bool) -> BTreeSet<String> {
        let devices = self.signals.iter().enumerate();
        let all = devices.flat_map(|(device, signals)| {
            (0..*signals).map(move |signal| Device::channel(device, signal))
        });
        let wanted = all.enumerate().filter(|(number, _)| is_wanted(*number));
        wanted.map(|(_, channel)| channel).collect()
    }

    /// [`property::CAUSE`]
    fn check_causes(&self) {
        let all = || self.plan.happenings.iter().map(|happening| &happening.what);
        let befalls_all = |what: &What| match what {
            What::Publish { .. } | What::Line(..) | What::Broker(..) | What::Redis(..) => false,
            What::Storage(_, fault, _) => fault.ends_the_process(),
            _ => true,
        };
        if self.plan.ends_at.is_some() || all().any(befalls_all) {
            return;
        }
        let befalls_redis =
            |what: &What| matches!(what, What::Redis(..) | What::Line(End::Redis, ..));
        let connections = self.redis.line.newest_connection();
        self.verdict.require(
            property::CAUSE,
            connections == 1 || all().any(befalls_redis),
            || format!("{connections} connections to Redis"),
        );
        // None of these is a reason to close, but that rumqttd closes on the second PUBREL for a doubled PUBREC.
        let is_borne = |number: usize, fault: &BrokerFault| match fault {
            BrokerFault::SlowAcks(_) | BrokerFault::Publish(..) => true,
            BrokerFault::DoubleAcks => {
                let kind = self.plan.world.devices[number].kind;
                !kind.closes_on_unknown_pubrel()
            }
            _ => false,
        };
        for (number, end) in self.brokers.iter().enumerate() {
            let connections = end.line.newest_connection();
            self.verdict.require(
                property::CAUSE,
                connections <= MOST_CONNECTIONS
                    || self.plan.befalls(number, |fault| !is_borne(number, fault)),
                || format!("{connections} connections to broker {number}"),
            );
        }
    }

    /// [`property::BACK_OFF`]
    pub(super) fn check_attempts(&self) {
        let minute = self.now().saturating_sub(60_000);
        let brokers = self.brokers.iter();
        let brokers = brokers.map(|end| (&end.line, end.ledger.borrow().beginnings()));
        for (line, beginnings) in brokers.chain([(&self.redis.line, 0)]) {
            let attempts = line.attempts_since(minute);
            let most = MOST_ATTEMPTS * (1 + self.jumps) + ATTEMPTS_TO_BEGIN * beginnings;
            self.verdict
                .require(property::BACK_OFF, attempts <= most, || {
                    format!("{attempts} attempts in a minute, of at most {most}")
                });
        }
    }

    /// [`property::PATIENCE`], at the end of a time in which nothing was acknowledged, if nothing else befell the device.
    pub(super) fn check_patience(&self, device: usize, lasts: u64) {
        let same = |fault: &BrokerFault| !matches!(fault, BrokerFault::Throttle(_));
        if self.plan.befalls(device, same) {
            return;
        }
        let end = &self.brokers[device];
        let patience = end.ledger.borrow().keep_alive() / 2 * 3;
        // The connection that is open has had acknowledgements, the next two have none. The shortest wait after that is 24 s.
        let (mut most, mut passed, mut wait) = (3, 3 * patience, 24_000);
        while passed < lasts {
            passed += wait + patience;
            wait = (2 * wait).min(192_000);
            most += 1;
        }
        // Each has to be found out to be of MQTT 3.1 first, by being closed twice.
        if end.server.speaks == Speaks::Only3_1AndHangsUp {
            most *= 3;
        }
        let attempts = end.line.attempts_since(self.now() - lasts);
        self.verdict
            .require(property::PATIENCE, attempts <= most, || {
                format!("{attempts} attempts in {lasts} ms, of at most {most}")
            });
        // All goes three times before that, and then one for each connection.
        // A status goes besides, over each connection.
        let status = usize::from(self.plan.world.devices[device].status);
        let most = 3 * end.ledger.borrow().in_flight() + attempts + status * (attempts + 1);
        let passed_over = end.server.passed_over;
        self.verdict
            .require(property::PATIENCE, passed_over <= most, || {
                format!("{passed_over} messages, of at most {most}")
            });
    }

    /// [`property::JITTER`]
    fn check_jitter(&self) {
        for line in self.brokers.iter().map(|end| &end.line) {
            let gaps = line.gaps_between_attempts();
            let full = gaps.iter().filter(|gap| FULL_DELAYS.contains(gap)).count();
            // Four in a thousand shortened ones have such a length by chance.
            let most = 4 + gaps.len() / 40;
            self.verdict.require(property::JITTER, full < most, || {
                format!("{full} delays are not shortened: {gaps:?}")
            });
        }
    }

    /// [`property::NO_BUSY_LOOP`]: something has to happen for each poll, or a deadline of a link, of which there is one in a few seconds.
    pub(super) fn check_polls(&self) {
        let events = self.moves() + self.stirs;
        let deadlines = self.now() / 1000 * (1 + self.brokers.len() as u64);
        self.verdict.require(
            property::NO_BUSY_LOOP,
            self.polls <= 2 * events + deadlines,
            || {
                format!(
                    "{} polls for {events} events and {deadlines} deadlines",
                    self.polls
                )
            },
        );
    }

    pub(super) fn stop(&mut self, bridge: &mut Bridge<'_, '_, Line>) {
        trace::note(|| ("stop".into(), String::new()));
        self.asleep = false;
        self.agenda.clear();
        self.tell_to_stop(bridge);
    }

    pub(super) fn check_stopped(&mut self, bridge: &Bridge<'_, '_, Line>) {
        if bridge.has_stopped() && !self.over {
            self.over = true;
            let healed = self.plan.world.ending == Ending::HealedAndStopped;
            if healed {
                self.let_goodbyes_arrive();
                for end in &self.brokers {
                    ending::no_will_is_sent(&self.verdict, end);
                    ending::status_is_true(&self.verdict, end, true);
                }
            }
        }
    }

    /// What is under way when the bridge has stopped still arrives.
    pub(super) fn let_goodbyes_arrive(&mut self) {
        let wills: Vec<usize> = self.brokers.iter().map(|end| end.server.wills).collect();
        for _ in 0..100 {
            self.clock.set(self.now() + 10);
            self.serve();
        }
        for (end, wills) in self.brokers.iter_mut().zip(wills) {
            end.server.wills -= wills;
        }
    }

    pub(super) fn check_closed(
        &mut self,
        end: End,
        connection: u32,
        property: &'static str,
        known: u64,
    ) {
        let late = self.lateness - known;
        if late > 0 || self.asleep {
            self.must_be_closed(end, connection, property, late.max(1000));
            return;
        }
        let holds = self.line(end).client_holds(connection);
        self.verdict.require(property, !holds, || {
            format!("connection {connection} of {end} is held")
        });
    }
}
