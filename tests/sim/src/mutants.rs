//! Deliberate mistakes, each of which some property must catch: the proof that the simulator looks where it should.
//!
//! A mistake is a text of a file and what stands there instead, so that the list cannot rot unseen: a test finds every text in its file.

/// One mistake.
pub struct Mutant {
    pub name: &'static str,
    /// From the workspace's folder on.
    pub file: &'static str,
    /// Stands there exactly once.
    pub text: &'static str,
    pub instead: &'static str,
}

const FLIGHT: &str = "core/src/outbox/flight.rs";
const OUTBOX: &str = "core/src/outbox/mod.rs";
const LIVENESS: &str = "core/src/mqtt/liveness.rs";
const ATTEMPT: &str = "core/src/mqtt/attempt.rs";
const CONNECTION: &str = "core/src/mqtt/session/connection.rs";
const SESSION: &str = "core/src/mqtt/session/mod.rs";
const REDIS: &str = "core/src/redis/session.rs";
const UNANSWERED: &str = "core/src/redis/unanswered.rs";
const BRIDGE: &str = "core/src/bridge/mod.rs";
const FEED: &str = "core/src/bridge/feed.rs";
const LINK: &str = "core/src/net/link.rs";
const EXCHANGE: &str = "core/src/net/exchange.rs";

macro_rules! mutants {
    ($($name:literal in $file:ident: $text:literal => $instead:literal;)*) => {
        &[$(Mutant { name: $name, file: $file, text: $text, instead: $instead }),*]
    };
}

/// All of them.
pub const MUTANTS: &[Mutant] = mutants! {
    "a repeated PUBLISH has no DUP" in FLIGHT:
        "self.ring.set(offset, first | DUP);" => "self.ring.set(offset, first & !DUP);";
    "a half-written PUBLISH counts as sent" in FLIGHT:
        "if let Some(record) = self.half_sent() {" => "if let Some(record) = self.half_sent().filter(|_| false) {";
    "PUBREL is not repeated" in FLIGHT:
        "Stage::Released => return Some(self.packet_id(index))," => "Stage::Released => self.pass(record),";
    "PUBREC completes a message" in FLIGHT:
        "Step::SendPubrel => Stage::Released," => "Step::SendPubrel => Stage::Complete,";
    "the window is not honoured" in FLIGHT:
        "Stage::Queued => index < window," => "Stage::Queued => index < window + 1,";
    "nothing is repeated after a reconnect" in FLIGHT:
        "self.at.cursor = Cursor::default();" => "self.at.cursor.written = 0;";
    "QoS 0 is kept after it was written" in FLIGHT:
        "            if self.qos == QoS::AtMostOnce {" => "            if self.qos == QoS::AtMostOnce && index > 0 {";
    "a partial write goes on at the wrong byte" in FLIGHT:
        "let from = self.at.cursor.offset + self.at.cursor.written;" => "let from = self.at.cursor.offset + self.at.cursor.written / 2 * 2;";
    "packet identifiers stand still" in FLIGHT:
        "at.oldest_id = following_id(at.oldest_id, 1);" => "at.oldest_id = following_id(at.oldest_id, 0);";
    "a half-repeated message is freed" in FLIGHT:
        "while self.at.in_flight > 0 && !(self.at.cursor.record == 0 && self.at.cursor.written > 0) {" => "while self.at.in_flight > 0 {";
    "what was acknowledged half repeated stays" in FLIGHT:
        "which goes nowhere now.\n        self.free_complete();" => "which goes nowhere now.";
    "what is in flight is dropped" in OUTBOX:
        "let index = self.at.in_flight;" => "let index = self.at.in_flight.saturating_sub(1);";
    "the newest is dropped, not the oldest" in OUTBOX:
        "let index = self.at.in_flight;" => "let index = self.at.in_flight.max(self.records.len().saturating_sub(1));";
    "a drop does not move what is in flight" in OUTBOX:
        "self.ring.shift(self.at.start, self.at.flight_bytes, len);" => "";
    "the ring writes over its oldest bytes" in OUTBOX:
        "self.at.used + packet_len > self.ring.len() ||" => "self.at.used > self.ring.len() ||";
    "a renumbered record loses its stage" in OUTBOX:
        "self.records.set(index, Record { signal, ..record });" => "self.records.set(index, Record { signal, stage: Stage::Queued, ..record });";
    "the memory of a dropped sample stays" in FEED:
        "routes.forget(lost);" => "let _ = (&routes, lost);";
    "dropped samples are not counted" in FEED:
        "broker.session_mut().count_dropped(dropped);" => "let _ = dropped;";
    "a suppressed sample is not counted" in FEED:
        "counters.suppressed += 1;" => "";
    "there is no back-off" in LINK:
        "Retry::BackOff | Retry::Displaced => self.backoff.next_delay()," => "Retry::BackOff | Retry::Displaced => 1,";
    "connecting never takes too long" in LINK:
        "Err(nb::Error::WouldBlock) if now < *give_up => {" => "Err(nb::Error::WouldBlock) if now.as_millis() > 0 => {";
    "an idle link asks to be called again" in EXCHANGE:
        "return Ok(protocol.deadline());" => "return Ok(now);";
    "deadlines are not looked at" in EXCHANGE:
        "protocol.expire(now).map_err(Fault::Protocol)?;" => "";
    "a missing PINGRESP is not noticed" in LIVENESS:
        "Some(pings) => pings.first.max(self.last_received) + self.keep_alive / 2," => "Some(_) => Instant::NEVER,";
    "PINGREQ is never said" in LIVENESS:
        "None => self.last_sent.min(self.last_received)," => "None => Instant::NEVER,";
    "PINGREQ is not repeated" in LIVENESS:
        "Some(pings) => self.last_sent.max(pings.last)," => "Some(_) => Instant::NEVER,";
    "session present is ignored" in ATTEMPT:
        "Past::Unknown if session_present => {" => "Past::Unknown if session_present && self.throws_out == u8::MAX => {";
    "every session is clean" in ATTEMPT:
        "self.qos == QoS::AtMostOnce || self.past == Past::Wiping" => "true";
    "falling back to 3.1 wipes no old session out" in ATTEMPT:
        "if self.level == Level::V3_1 && self.past == Past::Unknown {" => "if self.throws_out == u8::MAX {";
    "each change of the protocol level is at once" in ATTEMPT:
        "if self.level_changes == 1 {" => "if self.level_changes > 0 {";
    "PUBREC is not answered" in CONNECTION:
        "Acknowledged::SendPubrel => self.push_pubrel(packet_id, false, observer)," => "Acknowledged::SendPubrel => {}";
    "DISCONNECT comes before all is sent" in CONNECTION:
        "if self.state.stopping && self.outbox.is_empty() && self.control.is_empty() {" => "if self.state.stopping {";
    "short packets go into the middle of a PUBLISH" in CONNECTION:
        "if self.outbox.is_half_written() {" => "if self.outbox.is_half_written() && self.control.is_empty() {";
    "handled bytes stay in the input" in CONNECTION:
        "move_within(self.input, handled..self.state.filled, 0);" => "let _ = move_within::<u8>;";
    "a second CONNACK is borne" in CONNECTION:
        "(_, Incoming::Connack(_)) => Err(Violation::SecondConnack.into())," => "(_, Incoming::Connack(_)) => Ok(()),";
    "PUBLISH goes out before CONNACK" in CONNECTION:
        "(Phase::Offline | Phase::Greeting, _) => Source::Control," => "(Phase::Offline | Phase::Greeting, false) => Source::Control,\n            (Phase::Offline | Phase::Greeting, true) => Source::Outbox,";
    "leaving says no DISCONNECT" in SESSION:
        "if leaves && self.control.push(&DISCONNECT) {" => "if leaves {";
    "a suspended session forgets what waits to be written" in SESSION:
        "pending: self.control.pending," => "pending: Pending::default(),";
    "stopping takes twice as long" in BRIDGE:
        "self.stop_by.get_or_insert(now + STOP_WITHIN);" => "self.stop_by.get_or_insert(now + 2 * STOP_WITHIN);";
    "a broker that is away keeps the next ones waiting" in BRIDGE:
        "wake_up = wake_up.min(broker.poll(now, observer));" => "wake_up = wake_up.min(broker.poll(now, observer));\n            if !broker.session().is_connected() {\n                break;\n            }";
    "channels are not subscribed to again" in REDIS:
        "self.state.phase = Phase::Subscribing;\n        self.state.last_received = now;" => "self.state.phase = if now.as_millis() % 2 == 0 { Phase::Subscribing } else { Phase::Subscribed };\n        self.state.last_received = now;";
    "a silent Redis is not asked" in REDIS:
        "(_, None) => self.state.last_received + PING_AFTER," => "(_, None) => Instant::NEVER,";
    "an error of Redis is borne" in REDIS:
        "(Frame::Error(words), _) => Err(Close::error_reply(words))," => "(Frame::Error(_), _) => Ok(()),";
    "an error in answer to PING ends the subscription" in REDIS:
        "state.refusals.ping_is_refused(words);\n                Ok(())" => "Err(Close::error_reply(words))";
    "one refused channel stops all" in REDIS:
        " if words.starts_with(b\"NOPERM\") => {" => " if words.is_empty() => {";
    "a refused channel is not named" in REDIS:
        "state.refusals.channel_is_refused(number, name, words);" => "let _ = (number, name);";
    "where all channels are refused none is asked for again" in REDIS:
        "if state.subscription.is_refused(channels) {" => "if state.subscription.is_refused(channels) && words.is_empty() {";
    "a reply is taken for that of the newest command" in UNANSWERED:
        "self.iter().next()" => "self.iter().last()";
    "an oversized message is not passed over" in REDIS:
        "self.state.unread.start += passed;" => "self.state.unread.start += passed.min(100);";
    "a confirmation that nobody asked for is borne" in REDIS:
        "(Frame::Subscribed { channel }, _) => Err(Close::other_channel(channel))," => "(Frame::Subscribed { .. }, _) => Ok(()),";
    "a reload subscribes to nothing new" in REDIS:
        "session.state.subscription = Subscription::change(subscribe.count());" => "let _ = subscribe.count();";
    "commands to Redis are shown" in REDIS:
        "trace!(\"redis: {} bytes sent\", count);" => "trace!(\"redis: {} bytes sent: {}\", count, Text(self.commands.pending()));";
};

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn every_mutant_finds_its_text_exactly_once() {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for mutant in MUTANTS {
            let source = std::fs::read_to_string(workspace.join(mutant.file)).expect(mutant.file);
            let count = source.matches(mutant.text).count();
            assert_eq!(
                count, 1,
                "{}: {} in {}",
                mutant.name, mutant.text, mutant.file
            );
        }
    }
}
