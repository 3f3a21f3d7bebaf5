//! What befalls a life: samples and faults begin, and end.

use std::collections::BTreeSet;

use super::{Act, LOOK_EVERY, Life, REDIS_SILENCE};
use crate::broker::Greeting;
use crate::ends::BrokerEnd;
use crate::line::{Cut, Line};
use crate::network::{Door, Names};
use crate::plan::{BrokerFault, End, LineFault, Published, RedisFault, What};
use crate::property;
use crate::trace;

impl Life<'_> {
    pub(super) fn begin(&mut self, what: What) {
        let now = self.now();
        match &what {
            What::Publish {
                device,
                signal,
                samples,
            } => self.publish(*device, *signal, samples),
            other => trace::note(|| ("fault".into(), format!("{other:?}"))),
        }
        match what {
            What::Publish { .. } | What::Reload(_) => {}
            What::Kill | What::Restart | What::PowerCut => {}
            What::Storage(device, fault, lasts) => {
                self.storage_fault(device, fault, lasts);
                self.schedule(now + lasts, Act::End(what));
            }
            What::Line(end, fault, lasts) => {
                self.line_fault(end, fault);
                self.schedule(now + lasts, Act::End(what));
            }
            What::Broker(device, fault, lasts) => {
                self.broker_fault(device, fault);
                self.schedule(now + lasts, Act::End(what));
            }
            What::Redis(fault, lasts) => {
                self.redis_fault(fault);
                self.schedule(now + lasts, Act::End(what));
            }
            What::ClockAhead(millis) => {
                self.ahead += millis;
                for end in &self.brokers {
                    end.ledger.borrow_mut().clock_is_ahead();
                }
                self.wake_up = self.wake_up.saturating_sub(millis).max(now);
                self.excuse_silence(0);
            }
            What::ClockBack(millis) => {
                self.ahead -= millis;
                self.wake_up = self.wake_up.saturating_add(millis);
                self.lateness += millis;
                self.jumps += 1;
                for end in &self.brokers {
                    end.ledger.borrow_mut().clock_is_back(millis);
                }
            }
            // It sleeps for as long as it was to sleep first.
            What::Oversleep(_) if self.asleep => {}
            What::Oversleep(millis) => {
                self.asleep = true;
                self.excuse_silence(millis);
                self.schedule(now + millis, Act::WakeUp(millis));
            }
        }
    }

    /// For so long the bridge cannot know what time it is.
    pub(super) fn excuse_silence(&mut self, millis: u64) {
        self.jumps += 1;
        for end in &self.brokers {
            end.ledger.borrow_mut().excuse_silence(millis);
        }
    }

    pub(super) fn line(&self, end: End) -> &Line {
        match end {
            End::Redis => &self.redis.line,
            End::Broker(device) => &self.brokers[device].line,
        }
    }

    pub(super) fn line_fault(&mut self, end: End, fault: LineFault) {
        let line = self.line(end);
        match fault {
            LineFault::Cut(how, after) => {
                line.cut(how, after);
                if let (End::Broker(number), Cut::Fin) = (end, how) {
                    self.brokers[number].ledger.borrow_mut().ended_in_order();
                }
            }
            LineFault::Door(door) => line.set_door(door),
            LineFault::Names(names) => line.set_names(names),
            LineFault::Delays(look_up, connect) => line.set_delays(look_up, connect),
            LineFault::Latency(least, most) => line.set_latency((least, most)),
            LineFault::Piece(bytes) => line.set_piece(bytes),
            LineFault::Window(bytes) => line.set_window(bytes),
            LineFault::Stall(direction) => line.set_stalled(direction, true),
        }
    }

    pub(super) fn broker_fault(&mut self, device: usize, fault: BrokerFault) {
        let end = &mut self.brokers[device];
        match fault {
            BrokerFault::Crash { keeps_session } => {
                end.crash(keeps_session);
                end.line.set_door(Door::Refused);
            }
            BrokerFault::Greeting(greeting) => end.greet(greeting),
            BrokerFault::NoPings => end.server.answers_pings = false,
            BrokerFault::HoldAcks => end.holds = true,
            BrokerFault::DoubleAcks => end.doubles = true,
            BrokerFault::SwallowAcks(count) => end.swallows = count,
            BrokerFault::SlowAcks(pace) => end.pace = Some(pace),
            BrokerFault::Throttle(most) => {
                end.server.throttle = Some(most);
                end.server.passed_over = 0;
            }
            BrokerFault::Publish(qos, len, at) => end.publish(qos, len, at),
            BrokerFault::Forbid(signal) => {
                let topic = self.plan.world.devices[device].topic(device, signal);
                end.server.forbidden.insert(topic);
            }
            BrokerFault::Proxy(fault) => end.set_proxy_fault(Some(fault)),
            BrokerFault::Hostile(how) => {
                if let Some(connection) = end.be_hostile(how, &mut self.rng) {
                    let bound = 2 * end.ledger.borrow().keep_alive() + 10_000;
                    self.must_be_closed(End::Broker(device), connection, property::CLOSES, bound);
                }
            }
        }
    }

    pub(super) fn redis_fault(&mut self, fault: RedisFault) {
        let broken = match fault {
            RedisFault::Crash => {
                self.redis.crash();
                self.redis.line.set_door(Door::Refused);
                None
            }
            RedisFault::Error(error) => {
                self.redis.error = Some(error);
                None
            }
            RedisFault::PingError(error) => {
                self.redis.set_ping_error(Some(error));
                None
            }
            RedisFault::Refuse(bits) => {
                self.redis
                    .refuse(self.channels(|number| bits >> (number % 16) & 1 == 1));
                None
            }
            RedisFault::Silent => {
                self.redis.is_silent = true;
                None
            }
            RedisFault::Garbage => self.redis.break_protocol(b"HTTP/1.1 400 Bad Request\r\n"),
            RedisFault::Unasked => {
                let unasked = b"*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n";
                self.redis.break_protocol(unasked)
            }
            RedisFault::Stranger => {
                self.redis.be_strange();
                None
            }
        };
        if let Some(connection) = broken {
            self.must_be_closed(End::Redis, connection, property::CLOSES, 2 * REDIS_SILENCE);
        }
    }

    pub(super) fn end(&mut self, what: &What) {
        let latency = self.plan.world.latency;
        let now = self.now();
        match what {
            What::Line(end, fault, _) => {
                let line = self.line(*end);
                match fault {
                    LineFault::Cut(..) => line.defuse(),
                    LineFault::Door(_) => line.set_door(Door::Open),
                    LineFault::Names(_) => line.set_names(Names::Known),
                    LineFault::Delays(..) => line.set_delays(0, 0),
                    LineFault::Latency(..) => line.set_latency(latency),
                    LineFault::Piece(_) => line.set_piece(usize::MAX),
                    LineFault::Window(_) => line.set_window(usize::MAX),
                    LineFault::Stall(direction) => line.set_stalled(*direction, false),
                }
            }
            What::Broker(device, fault, lasts) => {
                if let BrokerFault::Throttle(0) = fault {
                    self.check_patience(*device, *lasts);
                }
                let end = &mut self.brokers[*device];
                match fault {
                    BrokerFault::Throttle(_) => end.server.throttle = None,
                    BrokerFault::Crash { .. } => end.line.set_door(Door::Open),
                    BrokerFault::Greeting(_) => end.server.greeting = Greeting::Welcome,
                    BrokerFault::NoPings => end.server.answers_pings = true,
                    BrokerFault::HoldAcks => end.release(&mut self.rng),
                    BrokerFault::DoubleAcks => end.doubles = false,
                    BrokerFault::SwallowAcks(_) => end.swallows = 0,
                    BrokerFault::SlowAcks(_) => end.hurry(now),
                    BrokerFault::Proxy(_) => end.set_proxy_fault(None),
                    BrokerFault::Forbid(signal) => {
                        let topic = self.plan.world.devices[*device].topic(*device, *signal);
                        end.server.forbidden.remove(&topic);
                    }
                    BrokerFault::Publish(..) | BrokerFault::Hostile(_) => {}
                }
            }
            What::Redis(RedisFault::Crash, _) => self.redis.line.set_door(Door::Open),
            What::Redis(RedisFault::Error(_), _) => self.redis.error = None,
            What::Redis(RedisFault::PingError(_), lasts) => {
                self.check_refusals(what, *lasts);
                self.redis.set_ping_error(None);
            }
            What::Redis(RedisFault::Refuse(_), lasts) => {
                self.check_refusals(what, *lasts);
                self.redis.refuse(BTreeSet::new());
            }
            What::Redis(RedisFault::Silent, _) => self.redis.speak(),
            What::Storage(device, fault, _) => {
                self.end_storage_fault(*device, *fault);
                // An answer may come now.
                self.wake_up = now;
            }
            _ => {}
        }
    }

    pub(super) fn heal(&mut self) {
        trace::note(|| ("fault".into(), "all is healed".into()));
        let latency = self.plan.world.latency;
        let now = self.now();
        self.redis.heal(latency);
        for end in &mut self.brokers {
            end.heal(latency, now, &mut self.rng);
        }
        self.heal_storage();
        self.agenda.retain(|_, act| !matches!(act, Act::End(_)));
        let by = self.recovered_by();
        self.schedule(self.now() + LOOK_EVERY, Act::LastWords(by));
    }

    /// Whether there is nothing left to do for anybody.
    pub(super) fn all_is_done(&self) -> bool {
        let channels = self.signals.iter().sum();
        let reads = self.redis.has_subscriber_of(channels) && self.redis.unread().is_none();
        // At QoS 0 a message is done with before the broker has it.
        let is_done = |end: &BrokerEnd| {
            end.ledger.borrow().is_done()
                && end.is_acknowledged()
                && !end.line.has_bytes_for_server()
        };
        reads && !self.asleep && self.brokers.iter().all(is_done)
    }

    pub(super) fn publish(&mut self, device: usize, signal: usize, samples: &[Published]) {
        for sample in samples {
            self.published += 1;
            let number = self.published;
            let values = &mut self.last_values;
            let last = values.entry((device, signal)).or_default();
            if last.is_empty() {
                *last = value(number);
            }
            let text = match sample {
                Published::New | Published::NewBad => {
                    *last = value(number);
                    let flags = if *sample == Published::New { "" } else { ",IV" };
                    Some(format!("{last},{number}{flags}"))
                }
                Published::Same => Some(format!("{last},{number}")),
                Published::Malformed => Some(format!("nonsense {number}")),
                Published::Oversized => None,
            };
            self.redis.publish(device, signal, text);
        }
    }
}

/// A value that nobody has seen, but for `nan`, in one of the forms that there are.
fn value(number: u64) -> String {
    match number % 8 {
        0 => format!("{number}.5e-10"),
        1 => format!("-{number}E+05"),
        2 => "nan".into(),
        3 => format!("+{number}.25"),
        _ => number.to_string(),
    }
}
