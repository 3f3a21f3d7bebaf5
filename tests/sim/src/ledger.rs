//! The second book of one broker: what the bridge accepted, holds, has sent and may say next, kept from what passes at its edges alone.
//!
//! It sees each message that Redis gave, each byte that is written to the broker, and each acknowledgement that is taken in; from these it
//! knows what the outbox must hold and what the next packet must be.

mod aside;
mod checks;
mod session;
mod spooled;
mod status;
mod v5;
mod words;

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use mqtt_client_core::counters::Counters;

use crate::json::Spelling;
use crate::network::Clock;
use crate::property::Verdict;
use crate::world::Device;

/// See the module's page.
pub struct Ledger {
    verdict: Rc<Verdict>,
    clock: Clock,
    /// As the broker lets it be.
    device: Device,
    /// As the configuration has it.
    asked: Device,
    number: usize,
    /// Of a device whose payloads are JSON.
    pub spelling: Option<Rc<Spelling>>,
    /// Milliseconds, as it holds on a connection, and as the configuration has it now.
    keep_alive: u64,
    asked_keep_alive: u64,
    /// The bridge's clock less the simulation's.
    pub ahead: u64,
    /// Messages wait since the broker had no quota for some, until this time of the bridge's clock.
    postpones_until: Option<u64>,
    /// All that were accepted, in order.
    pub samples: Vec<Sample>,
    /// What waits or is not acknowledged, oldest first.
    items: VecDeque<Item>,
    /// What each signal said last: value and quality.
    last: HashMap<usize, (String, char)>,
    /// The sample that has what each signal said last, and when it said so.
    newest: HashMap<usize, (usize, u64)>,
    /// Where the packet identifiers of each process began.
    first_ids: Vec<u16>,
    has_said_identifier: bool,
    has_begun_where_another_did: bool,
    /// A session with this broker has begun, and is this process's.
    is_ours: bool,
    /// The next session is to begin anew, for which the old one is wiped out.
    begins_anew: bool,
    /// The old one is wiped out.
    has_wiped: bool,
    /// What is in flight goes again in a new session, once this connection has ended.
    forgets_flight: bool,
    aside: aside::Aside,
    /// At QoS 0 the last message that was written, as long as it is uncertain whether the broker bears it.
    kept: Option<Item>,
    /// How often the broker closed for a message on a topic, and how many connections left a PUBREL unanswered.
    closed_for: HashMap<String, aside::Closes>,
    unanswered: HashMap<u16, u32>,
    /// Connections that the network ended as a broker does that closes.
    ended_in_order: u32,
    /// The broker has forgotten all, and has not said so.
    is_forgotten: bool,
    /// The broker has answered with PUBREC since it began this session.
    has_qos2: bool,
    is_misled: bool,
    beginnings: usize,
    /// Connections that have ended after the broker let us in.
    ends: u32,
    wire: Wire,
    counters: Counters,
    /// When the messages of the last second were written whole.
    written: VecDeque<u64>,
    /// Its own silence is not the bridge's fault up to then.
    excused_until: u64,
    pub stop_by: Option<u64>,
    /// A reload ends this connection in good order.
    pub may_leave: bool,
    spool: Option<spooled::Spooled>,
}

/// An accepted sample.
#[derive(Debug, Clone)]
pub struct Sample {
    pub topic: String,
    pub payload: String,
    pub at: u64,
    pub fate: Fate,
    /// The broker forgot its session while this was in flight, and did not say so, or the bridge's process died: nobody can tell whether it is
    /// lost, or will arrive twice.
    pub excused: bool,
    /// The broker may have taken it before its topic was set aside, or before it lost the session: it goes again over a session that knows
    /// nothing of that.
    pub may_repeat: bool,
    /// It was to survive the end of a process.
    pub survives: bool,
    /// It came back from storage behind newer ones.
    pub late: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Waiting,
    Dropped,
    /// Written whole, last on this connection.
    Sent(u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Queued,
    Published,
    Released,
    Complete,
}

struct Item {
    sample: usize,
    /// `None` once the signal is gone from the configuration.
    signal: Option<usize>,
    len: usize,
    stage: Stage,
    id: u16,
    /// When it was last said, or its PUBREC came, on this connection.
    since: u64,
    /// When a later one came further.
    overtaken: Option<u64>,
    /// Its topic is set aside.
    is_aside: bool,
    /// When it was accepted, by the bridge's clock.
    accepted: u64,
    /// The broker had no quota for it.
    is_postponed: bool,
}

/// What was said on the newest connection.
#[derive(Default)]
struct Wire {
    connection: u32,
    is_open: bool,
    rest: Vec<u8>,
    greeted: bool,
    clean: bool,
    old: bool,
    let_in: bool,
    let_in_at: u64,
    /// When the broker last let us in or acknowledged something.
    progress: u64,
    said_goodbye: bool,
    /// Items before this one have been repeated or sent on this connection.
    cursor: usize,
    /// What was said of the status.
    status: status::Said,
    /// This item is written in part: the rest follows, whatever becomes of it meanwhile.
    half: Option<usize>,
    /// PUBREC that were taken in, and not answered yet.
    owed: VecDeque<u16>,
    /// PUBREL that wait to be written, and whether they have DUP.
    pubrels: VecDeque<(u16, bool)>,
    last_written: u64,
    /// The network took nothing more.
    excused: bool,
    /// The same, at any time on this connection.
    was_stalled: bool,
}

impl Item {
    fn is_in_flight_as(&self, id: u16) -> bool {
        self.id == id && matches!(self.stage, Stage::Published | Stage::Released)
    }
}

impl Ledger {
    #[must_use]
    pub fn new(verdict: Rc<Verdict>, clock: Clock, number: usize, device: &Device) -> Self {
        Ledger {
            verdict,
            clock,
            device: device.as_agreed(),
            asked: device.clone(),
            number,
            spelling: device.json.then(Rc::default),
            keep_alive: v5::keep_alive(device, device.keep_alive) * 1000,
            asked_keep_alive: device.keep_alive * 1000,
            ahead: 0,
            postpones_until: None,
            samples: Vec::new(),
            items: VecDeque::new(),
            last: HashMap::new(),
            newest: HashMap::new(),
            // As if that process had counted from 1.
            first_ids: (device.earlier_session.iter().flatten())
                .take(1)
                .copied()
                .collect(),
            has_said_identifier: false,
            has_begun_where_another_did: false,
            is_ours: false,
            begins_anew: false,
            has_wiped: false,
            forgets_flight: false,
            aside: aside::Aside::default(),
            kept: None,
            closed_for: HashMap::new(),
            unanswered: HashMap::new(),
            ended_in_order: 0,
            is_forgotten: false,
            has_qos2: false,
            is_misled: false,
            beginnings: 0,
            ends: 0,
            wire: Wire::default(),
            counters: Counters::default(),
            written: VecDeque::new(),
            excused_until: 0,
            stop_by: None,
            may_leave: false,
            spool: device.spool.map(spooled::Spooled::new),
        }
    }

    /// A message came from Redis on this signal's channel.
    pub fn received(&mut self, signal: usize, message: &str) {
        self.counters.received += 1;
        let mut fields = message.splitn(3, ',');
        let (Some(value), Some(timestamp)) = (fields.next(), fields.next()) else {
            self.counters.rejected += 1;
            return;
        };
        let quality = if fields.next() == Some("IV") {
            '0'
        } else {
            '1'
        };
        let says = (value.to_string(), quality);
        let now = self.clock.get();
        if self.device.threshold && self.last.get(&signal) == Some(&says) {
            self.counters.suppressed += 1;
            self.newest.entry(signal).and_modify(|(_, at)| *at = now);
            return;
        }
        self.newest.insert(signal, (self.samples.len(), now));
        let topic = self.device.topic(self.number, signal);
        let payload = format!("{value},{timestamp},{quality}");
        if let Some(spelling) = &self.spelling {
            spelling.note(&payload);
        }
        if self.append(signal, topic, payload) {
            self.last.insert(signal, says);
        } else {
            self.last.remove(&signal);
        }
    }

    /// A message that is longer than a buffer came: its text was not seen.
    pub fn received_oversized(&mut self) {
        self.counters.received += 1;
        self.counters.rejected += 1;
    }

    fn append(&mut self, signal: usize, topic: String, payload: String) -> bool {
        let text_len = payload.len() - 2;
        let stamp = self.stamp_len();
        let mut len = room_of(&payload) + stamp;
        let sample = self.samples.len();
        self.samples.push(Sample {
            topic,
            payload,
            at: self.clock.get(),
            fate: Fate::Waiting,
            excused: false,
            may_repeat: false,
            survives: false,
            late: false,
        });
        if let Some(spool) = &mut self.spool {
            spool.accepted(&self.samples[sample].payload, sample);
            self.push(sample, signal, 0);
            return true;
        }
        let (in_flight, flight_bytes) = self.flight();
        let kept_bytes = self.kept.as_ref().map_or(0, |kept| kept.len);
        let bytes = self.device.buffer_size;
        if flight_bytes + kept_bytes + len > bytes {
            self.dropped(sample);
            return false;
        }
        loop {
            let bytes_used = self.bytes() + kept_bytes + self.aside.room();
            if bytes_used + len <= bytes {
                // While little waits, nothing is packed.
                let unpacked = 4 + stamp + text_len;
                if bytes_used < bytes / 16 && bytes_used + unpacked <= bytes {
                    len = unpacked;
                }
                break;
            }
            if self.make_room_aside() {
                continue;
            }
            assert!(self.items.len() > in_flight, "one is not in flight");
            // One more for each 16 that would have to be moved for it.
            for _ in 0..1 + in_flight / 16 {
                let Some(oldest) = self.items.remove(in_flight) else {
                    break;
                };
                self.dropped(oldest.sample);
                self.aside.freed(oldest.len);
                if let Some(signal) = oldest.signal {
                    self.last.remove(&signal);
                }
            }
        }
        self.push(sample, signal, len);
        true
    }

    fn push(&mut self, sample: usize, signal: usize, len: usize) {
        self.items.push_back(Item {
            sample,
            signal: Some(signal),
            len,
            stage: Stage::Queued,
            id: 0,
            since: 0,
            overtaken: None,
            is_aside: self.aside.is_aside(signal),
            accepted: self.clock.get() + self.ahead,
            is_postponed: false,
        });
    }

    fn dropped(&mut self, sample: usize) {
        if let Some(spool) = &mut self.spool {
            // It may lie on storage all the same.
            spool.may_come_back(sample);
            return;
        }
        self.samples[sample].fate = Fate::Dropped;
        self.counters.dropped += 1;
    }

    fn bytes(&self) -> usize {
        self.items.iter().map(|item| item.len).sum()
    }

    /// Messages in flight, and their bytes: one that is half written counts.
    fn flight(&self) -> (usize, usize) {
        let sent = self
            .items
            .iter()
            .take_while(|item| item.stage != Stage::Queued);
        let (mut count, mut bytes) =
            sent.fold((0, 0), |(count, bytes), item| (count + 1, bytes + item.len));
        if self.half_sent() {
            bytes += self.items[count].len;
            count += 1;
        }
        (count, bytes)
    }

    /// Whether a message is written in part, and for the first time.
    fn half_sent(&self) -> bool {
        self.wire
            .half
            .is_some_and(|index| self.items[index].stage == Stage::Queued)
    }

    /// The item that this connection comes to next.
    fn next(&self) -> Option<usize> {
        let from = self.wire.cursor;
        if self.wire.half.is_some() {
            return self.wire.half;
        }
        let mut rest = from..self.items.len();
        let next = rest.find(|index| self.items[*index].stage != Stage::Complete)?;
        // One that is set aside, between others, holds up those behind it until those before it are done with.
        (!self.items[next].is_aside).then_some(next)
    }

    /// The samples that a broker must have as its retained messages: each signal's newest, if that spoke since the last reconnect.
    pub fn to_be_retained(&self) -> impl Iterator<Item = &Sample> {
        let is_told = self.device.retain && !self.wire.old && self.wire.let_in;
        let newest = self.newest.values();
        let newest = newest.filter(move |(_, at)| is_told && *at > self.wire.let_in_at);
        let samples = newest.map(|(sample, _)| &self.samples[*sample]);
        // With a spool nobody knows at once which were dropped.
        let may_be_dropped = self.has_spool();
        samples.filter(move |sample| {
            let is_gone = match sample.fate {
                Fate::Dropped => true,
                Fate::Waiting => may_be_dropped,
                Fate::Sent(_) => false,
            };
            !sample.excused && !is_gone
        })
    }

    /// The bridge is not called for so long, or its clock has jumped back by so much: its silence is not its own, for a keep-alive longer. Jumps add
    /// up.
    pub fn excuse_silence(&mut self, millis: u64) {
        let earlier = self.excused_until.saturating_sub(self.keep_alive);
        self.excused_until = self.clock.get().max(earlier) + millis + self.keep_alive;
        self.storage_fails(millis);
    }

    /// The bridge's clock has jumped ahead: it takes the time in between for passed.
    pub fn clock_is_ahead(&mut self) {
        self.written.clear();
        if let Some(spool) = &mut self.spool {
            spool.hurry();
        }
    }

    /// The bridge's clock has jumped back.
    pub fn clock_is_back(&mut self, millis: u64) {
        self.excuse_silence(millis);
        if let Some(spool) = &mut self.spool {
            spool.turn_back();
        }
    }

    /// How much longer than at any speed it may take until all that there ever was is sent again, in milliseconds.
    #[must_use]
    pub fn takes_longer(&self) -> u64 {
        self.device.takes_longer(self.samples.len())
    }

    /// Messages that are written, whole or in part, and not done with.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.flight().0
    }

    /// Whether nothing waits and nothing is unacknowledged.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.items.is_empty() && self.aside.items.is_empty() && self.has_all_back()
    }

    /// Whether a topic was ever set aside: order holds for each topic then.
    #[must_use]
    pub fn has_set_aside(&self) -> bool {
        self.aside.ever
    }

    /// Whether the broker promises no more than at least once.
    #[must_use]
    pub fn may_arrive_twice(&self) -> bool {
        self.device.qos == 1 || !self.device.kind.has_qos_2()
    }

    #[must_use]
    pub fn qos(&self) -> u8 {
        self.device.qos
    }

    /// Whether the newest connection is one of MQTT 3.1.
    #[must_use]
    pub fn speaks_3_1(&self) -> bool {
        self.wire.old
    }

    /// Milliseconds; before CONNACK it is the configuration's.
    #[must_use]
    pub fn keep_alive(&self) -> u64 {
        self.keep_alive.max(self.asked_keep_alive)
    }

    /// Rejected messages in this book.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.counters.rejected
    }

    /// The connection that the client last opened.
    #[must_use]
    pub fn connection(&self) -> u32 {
        self.wire.connection
    }

    #[must_use]
    pub fn name(&self) -> String {
        format!("broker {}", self.number)
    }
}

/// Bytes that the outbox takes for a sample: four, and its text without the quality, of which each eight characters take four bytes if there
/// are so many, and no letter is among them.
fn room_of(payload: &str) -> usize {
    let text = &payload[..payload.len() - 2];
    let is_packed = text.len() >= 8 && !text.contains(|letter: char| letter.is_ascii_alphabetic());
    4 + if is_packed {
        text.len().div_ceil(8) * 4
    } else {
        text.len()
    }
}
