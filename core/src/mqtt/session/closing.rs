//! A connection has ended: what follows from how it ended?

use super::{Phase, Session};
use crate::config::{Auth, Signal};
use crate::delivery::{QoS, Stage};
use crate::log::{Printed, error, info, warning};
use crate::mqtt::Refusal;
use crate::mqtt::attempt::Reached;
use crate::mqtt::close::Close;
use crate::mqtt::packet::Topic;
use crate::mqtt::suspicion::TRY_AGAIN_AFTER;
use crate::net::backoff::HELD;
use crate::net::protocol::{ClosedBy, Retry};
use crate::time::{Instant, SECOND};

impl<'a> Session<'a> {
    /// The connection is gone. The answer tells when to try again.
    pub(super) fn conclude(&mut self, by: &ClosedBy<Close>, now: Instant) -> Retry {
        let phase = core::mem::replace(&mut self.state.phase, Phase::Offline);
        self.control.clear();
        self.transmit.clear();
        self.outbox.take_back_unsent();
        self.state.filled = 0;
        self.state.overflow.pass(now);
        self.state.draining = false;
        #[cfg(feature = "health")]
        self.state.standing.end(now);
        self.state.v5.connection_ended();
        self.forget_flight();
        let reached = match phase {
            Phase::Greeting => Reached::Greeting,
            Phase::Online { since } => Reached::Online(self.held(since, now)),
            Phase::Offline | Phase::Leaving => Reached::Nothing,
        };
        let level = self.state.attempts.level();
        let mut retry = self.state.attempts.closed(by, reached);
        if let ClosedBy::Us(Close::Refused(Refusal::Reason(reason))) = *by
            && self.is_v5()
            && self.lower_will(reason)
        {
            retry = Retry::AtOnce;
        }
        if matches!((by, reached), (ClosedBy::Peer, Reached::Greeting))
            && self.state.attempts.suggests_tls()
            && !matches!(self.device.auth, Auth::Tls(_))
        {
            error!(
                "{}: the broker closes every connection at CONNECT without an answer: is the password wrong? If it expects TLS on port {}, set auth=tls",
                self.device.alias, self.device.port
            );
        }
        if self.state.attempts.level() != level {
            info!(
                "{}: trying MQTT {} next",
                self.device.alias,
                Printed(self.state.attempts.level())
            );
        }
        if matches!(by, ClosedBy::Us(Close::Finished)) && self.state.stopping {
            self.report_undelivered();
        }
        match phase {
            Phase::Online { .. } => {
                let retry = self.count_acknowledgements(by).unwrap_or(retry);
                self.judge(by, now).unwrap_or(retry)
            }
            _ => retry,
        }
    }

    /// Says how many samples nobody will deliver any more.
    pub fn report_undelivered(&self) {
        #[cfg(feature = "spool")]
        if self.state.is_spooled {
            return;
        }
        let undelivered = self.outbox.to_repeat() + self.outbox.queued();
        if undelivered > 0 {
            warning!(
                "{}: the end, and {} samples are not delivered: they are lost",
                self.device.alias,
                undelivered
            );
        }
    }

    /// For how long, in milliseconds, the connection has held, as far as it tells why it ended: at QoS 0 since the last message, which
    /// nothing acknowledges.
    fn held(&self, since: Instant, now: Instant) -> u64 {
        let held = now.since(since);
        if self.qos() == QoS::AtMostOnce && held < HELD {
            held.min(now.since(self.state.last_publish))
        } else {
            held
        }
    }

    /// Did the broker acknowledge what it was sent? When to connect again, if it never does.
    #[cold]
    fn count_acknowledgements(&mut self, by: &ClosedBy<Close>) -> Option<Retry> {
        let qos = self.qos();
        let missing = &mut self.state.unacknowledged;
        let counted = self.state.counters.acknowledged;
        let acknowledged = counted.saturating_sub(missing.counted_before);
        if !matches!(by, ClosedBy::Us(Close::NoAcknowledgement(_))) {
            if acknowledged > 0 {
                missing.is_well();
            }
            if missing.is_certain() && *by == ClosedBy::Peer {
                // It does not only keep silent: which message it closes for is to be found out as usual.
                self.state.suspicion.acquit();
                self.outbox.send_one_by_one(false);
                self.state.unacknowledged.start_over();
            }
            return None;
        }
        if missing.is_news() {
            warning!(
                "{}: the broker took {} messages at QoS {} and acknowledged {}: it may throttle (see max_rate){}",
                self.device.alias,
                acknowledged + self.outbox.given() as u64,
                qos as u8,
                acknowledged,
                if qos == QoS::ExactlyOnce {
                    ", or not know QoS 2"
                } else {
                    ""
                }
            );
        }
        let is_any = acknowledged > 0
            || self.outbox.unanswered() != Some(Stage::Published)
            || self.outbox.repeats_out_of_order();
        if is_any {
            missing.start_over();
            return None;
        }
        let times = missing.ended()?;
        if !self.state.suspicion.goes_one_by_one() {
            self.send_one_by_one(1);
        }
        Some(Retry::Later(times))
    }

    /// Is one message to blame for the end of the connection? What to do about it, if so.
    #[cold]
    fn judge(&mut self, by: &ClosedBy<Close>, now: Instant) -> Option<Retry> {
        let is_closed = match by {
            ClosedBy::Peer => true,
            ClosedBy::Us(Close::Disconnected(reason)) => reason.may_blame_a_message(),
            ClosedBy::Us(Close::NoAcknowledgement(_)) => false,
            _ => return None,
        };
        let unanswered = self.outbox.unanswered();
        let packet_id = self.outbox.oldest_id();
        let pubrel = (unanswered == Some(Stage::Released)).then_some(packet_id);
        if self.state.suspicion.left_unanswered(pubrel) {
            let is_alone = self.state.suspicion.goes_one_by_one() || self.outbox.in_flight() == 1;
            if is_closed && !is_alone {
                // A message behind it may be why the broker closes.
                self.send_suspects_one_by_one();
                return Some(Retry::AtOnce);
            }
            self.state.attempts.is_explained();
            self.state.attempts.begin_anew(false);
            warning!(
                "{}: the broker does not answer PUBREL, of a message on {}: a new session begins",
                self.device.alias,
                Printed(Topic(self.oldest_topic()))
            );
            return Some(Retry::AtOnce);
        }
        if !is_closed {
            return None;
        }
        if let Some(verdict) = self.judge_status(now) {
            return verdict;
        }
        if self.state.suspicion.goes_one_by_one() {
            match unanswered {
                Some(Stage::Queued | Stage::Published) if self.is_culprit() => {
                    return Some(self.set_aside(now));
                }
                // PUBREL may be why.
                Some(Stage::Released) => return Some(Retry::BackOff),
                Some(_) => {}
                // The broker closes without any message: another client has the name, for one.
                None => {
                    self.state.suspicion.acquit();
                    self.outbox.send_one_by_one(false);
                }
            }
            return None;
        }
        if self.state.attempts.is_thrown_out() || self.state.suspicion.is_on_trial() {
            self.send_suspects_one_by_one();
        }
        None
    }

    /// Whether it is certain now that the connection ended because of the oldest message.
    fn is_culprit(&mut self) -> bool {
        let topic = self.oldest_topic();
        self.outbox.oldest_signal().is_some() && self.state.suspicion.closed_after(topic)
    }

    fn set_aside(&mut self, now: Instant) -> Retry {
        let topic = self.oldest_topic();
        error!(
            "{}: the broker closes the connection after each message on {}: this topic is set aside, and tried again in {} minutes; may this user publish on it?",
            self.device.alias,
            Printed(Topic(topic)),
            TRY_AGAIN_AFTER / SECOND / 60
        );
        self.state.events.set_aside = self.outbox.oldest_signal();
        let (signals, alias) = (self.signals, self.device.alias);
        let sent = self.outbox.set_aside(|signal| {
            let signal = signals.get(signal as usize);
            signal.is_some_and(|signal| is_same(signal.topic_pieces(alias), topic))
        });
        self.state.counters.sent -= sent as u64;
        self.state.suspicion.set_aside(now);
        self.send_suspects_one_by_one();
        self.state.attempts.is_explained();
        Retry::StartOver
    }

    /// In pieces.
    fn oldest_topic(&self) -> [&'a str; 5] {
        let signal = self.outbox.oldest_signal().unwrap_or(u32::MAX);
        let signal = self.signals.get(signal as usize);
        signal.map_or([""; 5], |signal: &'a Signal<'a>| {
            signal.topic_pieces(self.device.alias)
        })
    }

    /// What is under way goes one message at a time; at QoS 0, where nobody knows what that is, all that follows does.
    fn send_suspects_one_by_one(&mut self) {
        self.send_one_by_one(match self.qos() {
            QoS::AtMostOnce => usize::MAX,
            QoS::AtLeastOnce | QoS::ExactlyOnce if self.is_status_in_flight() => {
                self.outbox.in_flight().max(1)
            }
            QoS::AtLeastOnce | QoS::ExactlyOnce => self.outbox.in_flight(),
        });
    }

    pub(super) fn send_one_by_one(&mut self, count: usize) {
        self.state.suspicion.send_one_by_one(count);
        self.outbox.send_one_by_one(count > 0);
    }

    /// A message is done with, while some are suspected.
    #[cold]
    pub(super) fn pass_suspect(&mut self) {
        if self.state.unacknowledged.is_certain() {
            info!("{}: the broker acknowledges again", self.device.alias);
            self.state.unacknowledged.start_over();
        }
        self.state.suspicion.passed();
        let goes_one_by_one = self.state.suspicion.goes_one_by_one();
        self.outbox.send_one_by_one(goes_one_by_one);
    }

    /// Lets what is in flight come to its end, then makes what was set aside the oldest again, in a session that the broker begins anew:
    /// it may remember half of what closed the last one.
    pub(super) fn try_again(&mut self) {
        self.take_back_unsent();
        self.state.draining = self.outbox.in_flight() > 0;
        if self.state.draining {
            return;
        }
        info!(
            "{}: what was set aside is tried again, {} messages",
            self.device.alias,
            self.outbox.count_aside()
        );
        self.state.suspicion.try_again(self.outbox.count_aside());
        self.outbox.take_back();
        self.state.events.taken_back = true;
        if self.qos() != QoS::AtMostOnce {
            self.state.attempts.begin_anew(true);
            self.leave();
        }
    }
}

/// Whether both are the same topic, however it is divided into pieces.
fn is_same(one: [&str; 5], other: [&str; 5]) -> bool {
    let other = other.iter().flat_map(|piece| piece.bytes());
    one.iter().flat_map(|piece| piece.bytes()).eq(other)
}
