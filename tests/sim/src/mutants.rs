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
const RECORD: &str = "core/src/outbox/record.rs";
const ROOM: &str = "core/src/outbox/room.rs";
const RELOAD: &str = "core/src/outbox/reload.rs";
const TRANSMIT: &str = "core/src/mqtt/transmit.rs";
const LIVENESS: &str = "core/src/mqtt/liveness.rs";
const RATE: &str = "core/src/rate.rs";
const ATTEMPT: &str = "core/src/mqtt/attempt.rs";
const CONNECTION: &str = "core/src/mqtt/session/connection.rs";
const INCOMING: &str = "core/src/mqtt/session/incoming.rs";
const CLOSING: &str = "core/src/mqtt/session/closing.rs";
const SUSPICION: &str = "core/src/mqtt/suspicion.rs";
const DEVICE: &str = "core/src/config/device.rs";
const DELIVERY: &str = "core/src/delivery.rs";
const ASIDE: &str = "core/src/outbox/aside.rs";
const BACKOFF: &str = "core/src/net/backoff.rs";
const SESSION: &str = "core/src/mqtt/session/mod.rs";
const REDIS: &str = "core/src/redis/session.rs";
const UNANSWERED: &str = "core/src/redis/unanswered.rs";
const BRIDGE: &str = "core/src/bridge/mod.rs";
const FEED: &str = "core/src/bridge/feed.rs";
const DECISION: &str = "core/src/bridge/reload.rs";
const LINK: &str = "core/src/net/link.rs";
const EXCHANGE: &str = "core/src/net/exchange.rs";
const ALIAS: &str = "core/src/mqtt/session/alias.rs";
const REFUSALS: &str = "core/src/mqtt/session/refusals.rs";
const TERMS: &str = "core/src/mqtt/session/terms.rs";
const V5: &str = "core/src/mqtt/session/v5.rs";
const PROXY: &str = "core/src/net/proxy.rs";
const SECRETS: &str = "core/src/config/secrets.rs";

const STATUS: &str = "core/src/mqtt/session/status.rs";
const WILL: &str = "core/src/config/status.rs";
const SPOOLING: &str = "core/src/bridge/spooling/mod.rs";
const IN_ORDER: &str = "core/src/bridge/spooling/order.rs";
const RETURNING: &str = "core/src/bridge/spooling/returning.rs";
const TOLD: &str = "core/src/bridge/spooling/told.rs";
const REPLAY: &str = "core/src/mqtt/session/replay.rs";
const LOG_OF_SPOOL: &str = "core/src/spool/log.rs";
const OPERATIONS: &str = "core/src/spool/operations.rs";

macro_rules! mutants {
    ($($name:literal in $file:ident: $text:literal => $instead:literal;)*) => {
        &[$(Mutant { name: $name, file: $file, text: $text, instead: $instead }),*]
    };
}

/// All of them.
pub const MUTANTS: &[Mutant] = mutants! {
    "a repeated PUBLISH has no DUP" in FLIGHT:
        "is_repeated: stage == Stage::Published," => "is_repeated: false,";
    "a half-written PUBLISH counts as sent" in FLIGHT:
        "if let Some(head) = self.half_sent() {" => "if let Some(head) = self.half_sent().filter(|_| false) {";
    "PUBREL is not repeated" in FLIGHT:
        "Stage::Released => return Some(self.packet_id(index))," => "Stage::Released => self.pass(),";
    "PUBREC completes a message" in FLIGHT:
        "Step::Release => Stage::Released," => "Step::Release => Stage::Complete,";
    "the window is not honoured" in FLIGHT:
        "record < window.min(self.handshakes.capacity())" => "record <= self.handshakes.capacity()";
    "nothing is repeated after a reconnect" in FLIGHT:
        "self.at.is_half_sent = false;\n        self.at.cursor = Cursor::default();\n        self.at.handed_out = Cursor::default();" => "self.at.is_half_sent = false;\n        self.at.handed_out = self.at.cursor;";
    "QoS 0 is kept after it was written" in FLIGHT:
        "if self.qos == QoS::AtMostOnce && !self.at.one_by_one {" => "if self.qos == QoS::AtMostOnce && self.at.one_by_one {";
    "a partial write goes on at the wrong byte" in TRANSMIT:
        "self.span.start = (self.span.start + count).min(self.span.end);" => "self.span.start = (self.span.start + count / 2 * 2).min(self.span.end);";
    "packet identifiers stand still" in FLIGHT:
        "at.oldest_id = following_id(at.oldest_id, 1);" => "at.oldest_id = following_id(at.oldest_id, 0);";
    "a message that is acknowledged before it is repeated goes all the same" in INCOMING:
        "if self.outbox.is_on_its_way(packet_id) {" => "if self.outbox.is_on_its_way(0) {";
    "what is encoded is not taken back for a drop" in SESSION:
        "self.take_back_unsent();\n        let room" => "let room";
    "a text is packed without its last characters" in RECORD:
        "*last_place = pack_eight(last);" => "*last_place = pack_eight(last >> 8);";
    "letters are packed" in RECORD:
        "bits & LETTER == 0" => "bits | LETTER != 0";
    "a half-repeated message is freed" in FLIGHT:
        "&& (self.at.cursor.record > 0 || self.at.handed_out.record == 0)" => "";
    "what was acknowledged half repeated stays" in FLIGHT:
        "which goes nowhere now.\n        self.free_complete();" => "which goes nowhere now.";
    "what is in flight is dropped" in ROOM:
        "let offset = self.at.flight_bytes + self.at.dropping.bytes;" => "let offset = self.at.dropping.bytes;";
    "a drop does not move what is in flight" in ROOM:
        "self.ring\n            .shift(self.at.start, self.at.flight_bytes, dropping.bytes);" => "";
    "the ring writes over its oldest bytes" in ROOM:
        "self.at.used + len > self.ring.len()" => "self.at.used > self.ring.len()";
    "more are dropped than there is need for" in ROOM:
        "unsent.min(1 + in_flight / FLIGHT_PER_DROP)" => "unsent.min(2 + in_flight / FLIGHT_PER_DROP)";
    "a waiting sample outlives its signal" in RELOAD:
        "None if is_unsent => None," => "None if is_unsent => Some(0),";
    "what is in flight goes on though its signal is gone" in RELOAD:
        "has_lost_topics |= new.is_none_or(|new| new.has_moved);" => "has_lost_topics |= new.is_some_and(|new| new.has_moved);";
    "the memory of a dropped sample stays" in FEED:
        "Room::Dropped(signal) => routes.forget(signal)," => "Room::Dropped(_) => {}";
    "dropped samples are not counted" in SESSION:
        "if room != Room::Enough {\n            self.count_dropped(1);" => "if room != Room::Enough {\n            self.count_dropped(0);";
    "a suppressed sample is not counted" in FEED:
        "counters.suppressed += 1;" => "";
    "there is no back-off" in LINK:
        "Retry::BackOff | Retry::Displaced => self.backoff.next_delay()," => "Retry::BackOff | Retry::Displaced => 1,";
    "connecting never takes too long" in LINK:
        "Err(nb::Error::WouldBlock) if now < *give_up => {" => "Err(nb::Error::WouldBlock) if now.as_millis() > 0 => {";
    "the proxy's answer ends with its first byte" in PROXY:
        "Ok(true) => return Ok(true)," => "Ok(_) if self.written > 0 => return Ok(true),\n                Ok(true) => {}";
    "a cut request to the proxy goes on in the wrong place" in PROXY:
        "Ok(count @ 1..) => self.written += count," => "Ok(count @ 1..) => self.written = count,";
    "the proxy's login is no secret" in SECRETS:
        "return secrets.and(login);" => "let _ = login;";
    "an idle link asks to be called again" in EXCHANGE:
        "Ok(if is_more { now } else { protocol.deadline() })" => "Ok(now)";
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
    "PUBREC is not answered" in INCOMING:
        "Acknowledged::Release => self.push_pubrel(packet_id, false)," => "Acknowledged::Release => {}";
    "DISCONNECT comes before all is sent" in CONNECTION:
        "if self.state.stopping && self.outbox.is_empty() && self.control.is_empty() {" => "if self.state.stopping {";
    "short packets go into the middle of a PUBLISH" in CONNECTION:
        "if self.transmit.is_half_written() {\n                    Source::RestOfPacket" => "if self.transmit.is_half_written() && self.control.is_empty() {\n                    Source::RestOfPacket";
    "handled bytes stay in the input" in INCOMING:
        "move_within(self.input, handled..self.state.filled, 0);" => "let _ = move_within::<u8>;";
    "a second CONNACK is borne" in INCOMING:
        "(_, Incoming::Connack(_)) => Err(Violation::SecondConnack.into())," => "(_, Incoming::Connack(_)) => Ok(()),";
    "PUBLISH goes out before CONNACK" in CONNECTION:
        "(Phase::Offline | Phase::Greeting, _) => Source::Control," => "(Phase::Offline | Phase::Greeting, false) => Source::Control,\n            (Phase::Offline | Phase::Greeting, true) => Source::Outbox,";
    "leaving says no DISCONNECT" in SESSION:
        "if leaves && self.say_goodbye() {" => "if leaves {";
    "a message that nobody asked for closes the connection" in INCOMING:
        "self.state.passing = Some(message);\n                Ok(())" => "let _ = message;\n                Err(Violation::SecondConnack.into())";
    "a message that nobody asked for is not acknowledged" in INCOMING:
        "if let Some(packet_id) = message.packet_id() {" => "if let Some(packet_id) = message.packet_id().filter(|_| false) {";
    "a message of QoS 2 that nobody asked for is acknowledged with PUBACK" in INCOMING:
        "QoS::ExactlyOnce => Ack::Pubrec," => "QoS::ExactlyOnce => Ack::Puback,";
    "the broker's PUBREL is not answered" in INCOMING:
        "self.push_answer(Ack::Pubcomp, packet_id);" => "let _ = packet_id;";
    "PUBREL goes into a session that the broker has lost" in INCOMING:
        "if matches!(known, Known::Nothing | Known::Wiped) {" => "if known == Known::Wiped {";
    "values that the broker has lost stay suppressed" in INCOMING:
        "self.state.was_online && is_forgetful;" => "self.state.was_online && self.device.qos == QoS::AtMostOnce;";
    "a PUBREL that is never answered goes on for ever" in SUSPICION:
        "let is_too_long = self.unanswered >= PUBREL_UNANSWERED;" => "let is_too_long = self.unanswered == u8::MAX;";
    "a PUBREL that is unanswered once ends the session" in SUSPICION:
        "const PUBREL_UNANSWERED: u8 = 3;" => "const PUBREL_UNANSWERED: u8 = 1;";
    "PUBACK at QoS 2 breaks the protocol" in DELIVERY:
        "(ExactlyOnce, Accepted, Some(Published)) => Ok(Step::Reach(Complete))," => "(ExactlyOnce, Accepted, Some(Published)) => Err(Breach::Unsent),";
    "packet identifiers begin at 1 in each process" in SESSION:
        "outbox::State::empty(random.below(u16::MAX))" => "outbox::State::empty(random.below(1))";
    "reconnect delays are not shortened" in BACKOFF:
        "self.random.below(most + 1)" => "self.random.below(0)";
    "a clean start of MQTT 5 only wipes" in ATTEMPT:
        "Past::Wiping if self.level.is_v5() => {" => "Past::Wiping if self.level.is_v5() && session_present => {";
    "a session of MQTT 5 ends with its connection" in SESSION:
        "QoS::AtLeastOnce | QoS::ExactlyOnce => device.session_expiry," => "QoS::AtLeastOnce | QoS::ExactlyOnce => 0,";
    "Receive Maximum is not kept" in CONNECTION:
        "usize::from(self.device.max_inflight.min(agreed))" => "usize::from(self.device.max_inflight.max(agreed.min(1)))";
    "Receive Maximum does not count for what is repeated" in TERMS:
        "self.outbox.limit_repeated(agreed.receive_maximum);" => "";
    "the broker's Maximum QoS is not kept" in TERMS:
        "qos: device.qos.min(qos)," => "qos: device.qos.max(qos.min(QoS::AtMostOnce)),";
    "messages are retained though the broker does not" in V5:
        "self.device.retain && (!self.is_v5() || self.state.v5.agreed.may_retain)" => "self.device.retain";
    "the broker's keep-alive is not heard" in TERMS:
        "self.state.liveness.is_asked_for(keep_alive as u16, now);" => "let _ = (keep_alive, now);";
    "a refused message is repeated" in DELIVERY:
        "(AtLeastOnce | ExactlyOnce, Refused, Some(Published)) => Ok(Step::Reach(Complete))," => "(AtLeastOnce | ExactlyOnce, Refused, Some(Published)) => Ok(Step::Ignore),";
    "a refused message is not counted" in REFUSALS:
        "self.state.counters.refused += 1;" => "";
    "quota exceeded is a refusal" in REFUSALS:
        "if self.outbox.postpone(packet_id) {" => "if self.outbox.postpone(packet_id) && signal == u32::MAX {";
    "nobody waits for the broker's quota" in REFUSALS:
        "const PAUSE: u64 = 5 * SECOND;" => "const PAUSE: u64 = 0;";
    "what awaits PUBCOMP goes anew with what had no quota" in REFUSALS:
        "if self.outbox.awaits_others() || self.transmit.is_half_written() {" => "if self.transmit.is_half_written() {";
    "an expiry does not count down" in V5:
        "(expiry, Some(accepted)) => Some(left_of(expiry, accepted, now))," => "(expiry, Some(accepted)) => Some(left_of(expiry, accepted, now).min(1) * expiry),";
    "what is too old is sent" in V5:
        "if expiry == Some(0) && !outgoing.is_repeated {" => "if expiry == Some(0) && outgoing.is_repeated {";
    "a value that was dropped as too old stays suppressed" in V5:
        "self.state.events.values_lost = true;" => "";
    "an alias stands in a repetition" in V5:
        "true => None," => "true => Some((1, false)),";
    "aliases outlive a connection" in ALIAS:
        "            ..Aliases::default()\n        };" => "            ..self.clone()\n        };";
    "aliases go over the broker's maximum" in TERMS:
        "            most as u16" => "            (most as u16).max(1)";
    "a message over Maximum Packet Size is sent" in V5:
        "if len as u64 > u64::from(self.state.v5.agreed.maximum_packet_size) {" => "if len as u64 > u64::from(u32::MAX) {";
    "a burst does not wait for the one before it" in RATE:
        "if now >= next_burst(max_rate, last) {" => "if self.is_spent() || now >= next_burst(max_rate, last) {";
    "bursts come a little too soon" in RATE:
        "(SECOND + bursts.get()) / bursts" => "SECOND * 9 / 10 / bursts";
    "a burst never ends" in RATE:
        "self.left = self.left.saturating_sub(1);" => "";
    "what is repeated does not count in max_rate" in CONNECTION:
        "max_rate == 0 || self.state.rate.allows(max_rate, last, now)" => "max_rate == 0 || self.outbox.given() < self.outbox.in_flight() || self.state.rate.allows(max_rate, last, now)";
    "nobody wakes the bridge for the next burst" in CONNECTION:
        "deadline.min(self.burst_deadline())" => "deadline";
    "a broker that acknowledges nothing is met as soon as any" in LINK:
        "Retry::Later(times) => self.backoff.later_delay(times)," => "Retry::Later(_) => self.backoff.next_delay(),";
    "a broker that acknowledges nothing gets all of it each time" in CLOSING:
        "self.send_one_by_one(1);" => "self.send_one_by_one(0);";
    "the waits get shorter" in BACKOFF:
        "LONGEST << times.min(3)" => "LONGEST >> times.min(3)";
    "one acknowledgement of many may be missing" in CONNECTION:
        "if waiting.is_overtaken {" => "if waiting.is_overtaken && now == Instant::NEVER {";
    "a broker that is slow is cut off" in FLIGHT:
        "waiting.is_overtaken |= age > limit && handshake.stage < furthest;" => "waiting.is_overtaken |= age > limit;";
    "a forbidden topic is never set aside" in SUSPICION:
        "self.closes >= CERTAIN || self.is_on_trial()" => "self.closes == u8::MAX";
    "suspected messages go together" in CLOSING:
        "self.outbox.send_one_by_one(count > 0);" => "self.outbox.send_one_by_one(false);";
    "what is set aside is never tried again" in SUSPICION:
        "self.try_again = self.try_again.min(now + TRY_AGAIN_AFTER);" => "let _ = now;";
    "what is set aside keeps others waiting" in ASIDE:
        "if !head.is_aside() {" => "if !head.is_aside() || self.in_flight() == 0 {";
    "new messages of a topic that is set aside pass the old ones" in FEED:
        "let is_aside = self.routes.is_aside(number);" => "let is_aside = false;";
    "a value that is overtaken by an older one stays suppressed" in FLIGHT:
        "later.any(|stage| stage > Stage::Published)" => "later.any(|stage| stage > Stage::Complete)";
    "what is set aside keeps its handshake" in ASIDE:
        "self.handshakes.pop_oldest();" => "";
    "the window at QoS 2 is wider than Mosquitto bears" in DEVICE:
        "const MOSQUITTO_WINDOW: u16 = 20;" => "const MOSQUITTO_WINDOW: u16 = 100;";
    "a suspended session forgets what waits to be written" in SESSION:
        "pending: self.control.pending," => "pending: Pending::default(),";
    "stopping takes twice as long" in BRIDGE:
        "self.stop_by.get_or_insert(now + STOP_WITHIN);" => "self.stop_by.get_or_insert(now + 2 * STOP_WITHIN);";
    "a broker that is away keeps the next ones waiting" in BRIDGE:
        "wake_up = wake_up.min(broker.poll(now, number, &mut self.routes, observer));" => "wake_up = wake_up.min(broker.poll(now, number, &mut self.routes, observer));\n            if broker.counters().reconnects == 0 {\n                break;\n            }";
    "a reload leaves every broker" in DECISION:
        "            Kept::Connection\n" => "            Kept::Session\n";
    "a reload lets signals keep their old numbers" in DECISION:
        "let number = self.find(&channel(self.old, old))?;" => "let number = self.find(&channel(self.old, old)).map(|_| signal as u32)?;";
    "channels are not subscribed to again" in REDIS:
        "self.state.phase = Phase::Subscribing;\n        self.state.last_received = now;" => "self.state.phase = if now.as_millis() % 2 == 0 { Phase::Subscribing } else { Phase::Subscribed };\n        self.state.last_received = now;";
    "a silent Redis is not asked" in REDIS:
        "(_, None) => self.state.last_received + PING_AFTER," => "(_, None) => Instant::NEVER,";
    "an error of Redis is borne" in REDIS:
        "(Frame::Error(words), _) => Err(Close::error_reply(words, secrets))," => "(Frame::Error(_), _) => Ok(()),";
    "an error in answer to PING ends the subscription" in REDIS:
        "state.refusals.ping_is_refused(words, secrets);\n            Ok(())" => "Err(Close::error_reply(words, secrets))";
    "one refused channel stops all" in REDIS:
        " if words.starts_with(b\"NOPERM\") => {" => " if words.is_empty() => {";
    "a refused channel is not named" in REDIS:
        ".channel_is_refused(number, name, words, secrets);" => ".next(false);\n                let _ = (number, name);";
    "where all channels are refused none is asked for again" in REDIS:
        "if state.subscription.is_refused(channels) {" => "if state.subscription.is_refused(channels) && words.is_empty() {";
    "a reply is taken for that of the newest command" in UNANSWERED:
        "self.iter().next()" => "self.iter().last()";
    "an oversized message is not passed over" in REDIS:
        "self.state.unread.start += passed;" => "self.state.unread.start += passed.min(100);";
    "a confirmation that nobody asked for is borne" in REDIS:
        "(Frame::Subscribed { channel }, _) => Err(Close::other_channel(channel, secrets))," => "(Frame::Subscribed { .. }, _) => Ok(()),";
    "a reload subscribes to nothing new" in REDIS:
        "session.state.subscription = Subscription::change(subscribe.count());" => "let _ = subscribe.count();";
    "commands to Redis are shown" in REDIS:
        "trace!(\"redis: {} bytes sent\", count);" => "trace!(\"redis: {} bytes sent: {}\", count, crate::log::Text(self.commands.pending()));";
    "what has waited for the flush interval is written an interval later" in SPOOLING:
        "if (now >= write_at || is_end" => "if (now >= write_at + self.at.flush_interval || is_end";
    "what has waited is written at once" in SPOOLING:
        "Instant::from_millis(since.max(0) as u64) + self.at.flush_interval" => "Instant::from_millis(since.max(0) as u64)";
    "a block is forgotten while it is being written" in LOG_OF_SPOOL:
        "if !matches!(self.at.state, State::Open(Doing::Block(_))) {" => "if !matches!(self.at.state, State::Closed { .. }) {";
    "what is written is not synced" in OPERATIONS:
        "if self.at.is_dirty {\n                return Some(Doing::Sync);" => "if self.at.is_dirty && self.at.base == u64::MAX {\n                return Some(Doing::Sync);";
    "what waits counts as done with" in IN_ORDER:
        "self.log.done(end.saturating_sub(held));" => "self.log.done(end);";
    "what is done with is never noted" in IN_ORDER:
        "self.log.done(end.saturating_sub(held));" => "let _ = held;";
    "what a spool has lost is not counted" in TOLD:
        "self.at.dropped += count;" => "let _ = count;";
    "an old value that comes back is retained" in RETURNING:
        "let is_overtaken = routes.is_overtaken(signal, before, is_late);" => "let is_overtaken = routes.is_overtaken(signal, before, is_late) && now == Instant::NEVER;";
    "storage that failed is never looked at again" in OPERATIONS:
        "State::Closed { until } if now < *until =>" => "State::Closed { until } if now < *until || self.at.told.is_some() =>";
    "a backlog is sent at any rate" in REPLAY:
        "(0, replay_rate) => replay_rate," => "(0, _) => 0,";
    "online is not said when the broker lets us in again" in STATUS:
        "status.is_due = true;\n        status.again_at" => "status.is_due = !self.state.was_online;\n        status.again_at";
    "offline is not said before DISCONNECT" in STATUS:
        "let Some(topic) = self.status_goes_to() else {\n            return self.control" => "let Some(topic) = self.status_goes_to().filter(|_| false) else {\n            return self.control";
    "DISCONNECT without CONNACK cancels a will and says nothing" in STATUS:
        "_ => (QoS::AtMostOnce, true)," => "_ => (QoS::AtMostOnce, false),";
    "a status has the identifier of a sample" in FLIGHT:
        "let free = match before(1) {" => "let free = match before(MAX_IDS) {";
    "a will is not what a status says" in WILL:
        "retain: true," => "retain: device.retain,";
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
