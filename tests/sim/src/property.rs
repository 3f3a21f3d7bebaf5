//! What has to hold, whatever happens. Each name is what a failing seed reports; the function that checks it is named behind it.

use std::cell::RefCell;
use std::fmt::Display;

/// At QoS 1 and 2 every sample that was accepted, and not counted as dropped, arrives (`ending::nothing_is_missing`). At QoS 0 every one does
/// that was written to the connection that is open at the end.
pub const NOTHING_MISSING: &str = "nothing that was accepted is missing";
/// At QoS 0 and 2 no sample arrives a second time (`ending::nothing_arrives_twice`).
pub const NOTHING_TWICE: &str = "nothing arrives twice";
/// What arrives is what was accepted and not dropped, byte for byte (`ending::nothing_is_made_up`).
pub const NOTHING_MADE_UP: &str = "nothing arrives that was not sent";
/// First arrivals are in the order of acceptance, and the last one is the newest (`ending::order_holds`).
pub const ORDER: &str = "the order holds";
/// The first packet is CONNECT, there is one, and it says what the configuration says (`Ledger::connect`).
pub const CONNECT: &str = "CONNECT is right [MQTT-3.1.0-1] [MQTT-3.1.0-2]";
/// Nothing is said before the broker has let us in, nor after DISCONNECT (`Ledger::packet`).
pub const TURN: &str = "nothing is said before CONNACK or after DISCONNECT [MQTT-3.14.4-1]";
/// Each PUBLISH is the next one in the original order, unacknowledged ones first (`Ledger::publish`).
pub const NEXT_PUBLISH: &str = "PUBLISH is the next in order [MQTT-4.4.0-1] [MQTT-4.6.0-1]";
/// DUP is set if and only if the packet was written whole before (`Ledger::publish`).
pub const DUP: &str = "DUP marks repetitions [MQTT-3.3.1-1]";
/// A packet identifier is nobody else's, and the same in every repetition (`Ledger::publish`).
pub const IDENTIFIER: &str = "packet identifiers are unique and kept [MQTT-2.3.1-2] [MQTT-2.3.1-3]";
/// A process's identifiers do not begin where an earlier one's did: brokers take them for the same messages (`Ledger::publish`).
pub const FRESH_IDENTIFIERS: &str = "packet identifiers begin elsewhere in each process";
/// No more than `max_inflight` messages are unacknowledged (`Ledger::publish`).
pub const WINDOW: &str = "the window is honoured";
/// No second has more PUBLISH than `max_rate`, wherever it begins, over whatever connections (`Ledger::check_rate`).
pub const RATE: &str = "no second has more messages than max_rate";
/// A broker that acknowledges nothing gets one message at a time, over connections that come later and later (`Life::check_patience`).
pub const PATIENCE: &str = "a broker that acknowledges nothing is met later and later";
/// PUBREL answers every PUBREC, is repeated on the next connection, and is said for nothing else (`Ledger::pubrel`).
pub const PUBREL: &str = "PUBREL answers PUBREC and is repeated [MQTT-4.3.3-1] [MQTT-4.4.0-1]";
/// Acknowledged samples are not sent again; at QoS 0 none is that was written whole (`Ledger::publish`).
pub const NOT_AGAIN: &str = "what is done with is not sent again";
/// The client is never silent for longer than the keep-alive (`Ledger::check_silence`).
pub const KEEP_ALIVE: &str = "something is said within each keep-alive [MQTT-3.1.2-23]";
/// DISCONNECT is said when all is done, or time is up (`Ledger::disconnect`).
pub const DISCONNECT: &str = "DISCONNECT is the last that is left to say";
/// The outbox holds what a second book says that it must: its messages, those in flight, and so what was dropped (`Ledger::check_outbox`).
pub const OUTBOX: &str = "the outbox accounts for each byte";
/// A message of MQTT 5 says how long it is still of use (`Ledger::check_expiry`).
pub const EXPIRY: &str = "what is left of a message's time is said";
/// The counters are those of a second book, and add up (`Ledger::check_counters`).
pub const COUNTERS: &str = "the counters add up";
/// Redis' stream is read to its end and in its order (`Seen::redis_message`).
pub const STREAM: &str = "no message of a subscribed channel is skipped";
/// Redis may refuse PING and some channels: the connection stays, the other channels are subscribed to, and the log names those that are refused
/// (`Life::check_refusals`).
pub const REFUSED: &str = "what Redis refuses is named and stops nothing else";
/// A deadline is not in the past twice in a row, and polls are as few as events (`Life::poll`).
pub const NO_BUSY_LOOP: &str = "no busy loop";
/// Attempts to connect back off (`Life::check_attempts`).
pub const BACK_OFF: &str = "attempts to connect back off";
/// What is not acknowledged goes again, over another connection, after one and a half keep-alives of its own (`Ledger::check_ages`).
pub const OVERDUE: &str = "what is not acknowledged goes again in time";
/// Only a topic for which the broker closes is set aside (`Ledger::settle`).
pub const CULPRIT: &str = "only a forbidden topic is set aside";
/// A forbidden topic is named, and holds up no other (`ending::a_forbidden_topic_holds_up_no_other`).
pub const FLOWS: &str = "a forbidden topic is named and holds up no other";
/// What a broker may send to a client that has not subscribed is acknowledged as it must be (`ending::all_is_well`, and the broker itself).
pub const UNASKED: &str = "what comes unasked is acknowledged [MQTT-4.5.0-2]";
/// What is retained is what each signal said last, if it spoke since the last reconnect (`ending::what_is_retained_is_newest`).
pub const RETAINED: &str = "the newest value is retained";
/// Before any new sample a connection says `online`, and `offline` right before DISCONNECT, and nothing else is a status (`Ledger::status`). What the
/// broker retains is true whenever a PINGRESP shows that it has read all, and after the end (`Ledger::check_status`, `ending::status_is`).
pub const STATUS: &str = "the retained status is true whenever the link is quiet";
/// Delays of one second and more are shortened by a random part (`Life::check_jitter`).
pub const JITTER: &str = "reconnect delays are shortened at random";
/// A proxy is asked for the broker, with the login if there is one, in one request for each connection (`Proxy::take`).
pub const PROXY: &str = "a proxy is asked once and hears nothing else before its answer";
/// What a broker may not send closes the connection (`Life::check_poison`).
pub const CLOSES: &str = "a broken protocol closes the connection";
/// Where nothing befell a link, its first connection is its last, but for old sessions and protocol levels (`Life::check_causes`).
pub const CAUSE: &str = "no connection is closed without cause";
/// A dead peer is noticed, also if its end is half open (`Life::check_dead`).
pub const NOTICED: &str = "a dead connection is noticed within one and a half keep-alives";
/// Once the network is healthy, all samples are delivered, within a bound (`ending::all_is_well`).
pub const RECOVERS: &str = "a healthy network leads back to everything delivered";
/// A broker that is well gets its samples at once, whatever befalls the others (`ending::nobody_waits_for_others`).
pub const INDEPENDENT: &str = "a dead broker never delays another";
/// Stopping takes five seconds at most, and on a healthy network sends no Last Will (`ending::stops_in_time`).
pub const STOPS: &str = "stopping takes five seconds at most and keeps the Last Will unsent";
/// No password is in the log or in the shown packets (`trace::write`).
pub const SECRET: &str = "no password is shown";
/// The log grows with time, not with what peers send (`overload`).
pub const QUIET: &str = "the log is bounded";
/// What has waited for the flush interval arrives whatever becomes of the process and of the power, unless it was dropped for want of room and
/// counted (`ending::nothing_is_missing`, `Ledger::look`).
pub const SURVIVES: &str = "what has waited for the flush interval survives";
/// What was done with for longer than that does not come again (`Ledger::look`).
pub const REPEATED: &str = "a crash repeats what was done with in one flush interval at most";
/// Samples come back from the spool in their order, and before newer ones, unless the storage was away (`Ledger::look`).
pub const COMES_BACK: &str = "the spool gives back in order what it was given";
/// Samples are dropped only where storage failed, was full or too slow, and all that are missing are counted (`Ledger::look`).
pub const ROOM: &str = "nothing is dropped while the spool has room";
/// Samples that are done with in time are never written (`Ledger::look`).
pub const WEAR: &str = "nothing is written while the broker acknowledges in time";
/// No second has more messages of a backlog than `replay_rate`, and no tenth of a second more than a tenth of it (`Ledger::check_replay`).
pub const REPLAY: &str = "a backlog keeps to replay_rate";
/// With `live_first` no more than a few samples of a backlog are before a new one (`Ledger::look`).
pub const LIVE_FIRST: &str = "what is new does not wait for the backlog";
/// What has waited for longer than `max_age` is not sent, and nothing younger is dropped for it (`Ledger::check_replay`, `Ledger::look`).
pub const AGE: &str = "nothing is sent that is older than max_age";
/// A sample that comes back is not retained where a newer one of its signal was (`Ledger::check_retained`).
pub const NOT_RETAINED: &str = "an old value never takes a newer one's place";
/// The storage is used again soon after it is well, whatever lies on it (`ending::all_is_well`).
pub const STARTS: &str = "the spool is used whatever lies on its storage";
/// The core does not panic, and the strict models understand what it says.
pub const NO_PANIC: &str = "nothing panics, and every byte is a packet";

/// What was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    pub property: &'static str,
    pub details: String,
}

/// The first breach of a life, if there was one.
#[derive(Default)]
pub struct Verdict(RefCell<Option<Broken>>);

impl Verdict {
    /// Notes that `property` is broken, unless `holds`.
    pub fn require<D: Display>(
        &self,
        property: &'static str,
        holds: bool,
        details: impl FnOnce() -> D,
    ) {
        if !holds {
            self.0.borrow_mut().get_or_insert_with(|| Broken {
                property,
                details: details().to_string(),
            });
        }
    }

    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// # Errors
    /// The first breach.
    pub fn result(&self) -> Result<(), Broken> {
        self.0.borrow().clone().map_or(Ok(()), Err)
    }
}
