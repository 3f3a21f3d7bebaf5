//! The second book of one broker: what the bridge accepted, holds, has sent and may say next, kept from what passes at its edges alone.
//!
//! It sees each message that Redis gave, each byte that is written to the broker, and each acknowledgement that is taken in; from these it
//! knows what the outbox must hold and what the next packet must be.

mod words;

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use mqtt_client_core::counters::Counters;
use mqtt_client_core::mqtt::qos::Ack;
use mqtt_client_core::outbox::{self, MAX_PACKET, Outbox};

use crate::network::Clock;
use crate::property::{self, Verdict};
use crate::world::Device;

/// See the module's page.
pub struct Ledger {
    verdict: Rc<Verdict>,
    clock: Clock,
    device: Device,
    number: usize,
    /// Bytes and messages that the outbox can hold.
    capacity: (usize, usize),
    /// Milliseconds, as the configuration has it now.
    keep_alive: u64,
    /// All that were accepted, in order.
    pub samples: Vec<Sample>,
    /// What waits or is not acknowledged, oldest first.
    items: VecDeque<Item>,
    /// What each signal said last: value and quality.
    last: HashMap<usize, (String, char)>,
    wire: Wire,
    counters: Counters,
    /// Its own silence is not the bridge's fault up to then.
    excused_until: u64,
    pub stop_by: Option<u64>,
    /// A reload ends this connection in good order.
    pub may_leave: bool,
}

/// An accepted sample.
#[derive(Debug, Clone)]
pub struct Sample {
    pub topic: String,
    pub payload: String,
    pub at: u64,
    pub fate: Fate,
    /// The broker forgot its session while this was in flight: no client can tell whether it is lost, or will arrive twice.
    pub excused: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Waiting,
    Dropped,
    /// Written whole, last on this connection.
    Sent(u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    said_goodbye: bool,
    /// Items before this one have been repeated or sent on this connection.
    cursor: usize,
    /// This item is written in part: the rest follows, whatever becomes of it meanwhile.
    half: Option<usize>,
    /// PUBREC that were taken in, and not answered yet.
    owed: VecDeque<u16>,
    /// PUBREL that wait to be written, and whether they have DUP.
    pubrels: VecDeque<(u16, bool)>,
    last_written: u64,
    /// The network took nothing more.
    excused: bool,
}

impl Ledger {
    #[must_use]
    pub fn new(verdict: Rc<Verdict>, clock: Clock, number: usize, device: &Device) -> Self {
        Ledger {
            verdict,
            clock,
            device: device.clone(),
            number,
            capacity: outbox::divide(device.buffer_size),
            keep_alive: device.keep_alive * 1000,
            samples: Vec::new(),
            items: VecDeque::new(),
            last: HashMap::new(),
            wire: Wire::default(),
            counters: Counters::default(),
            excused_until: 0,
            stop_by: None,
            may_leave: false,
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
        if self.device.threshold && self.last.get(&signal) == Some(&says) {
            self.counters.suppressed += 1;
            return;
        }
        let topic = self.device.topic(self.number, signal);
        let payload = format!("{value},{timestamp},{quality}");
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
        let id_len = if self.device.qos == 0 { 0 } else { 2 };
        let remaining = 2 + topic.len() + id_len + payload.len();
        let len = 1 + if remaining < 128 { 1 } else { 2 } + remaining;
        assert!(len <= MAX_PACKET, "samples are short");
        let sample = self.samples.len();
        self.samples.push(Sample {
            topic,
            payload,
            at: self.clock.get(),
            fate: Fate::Waiting,
            excused: false,
        });
        let (in_flight, flight_bytes) = self.flight();
        let (bytes, records) = self.capacity;
        if flight_bytes + len > bytes || in_flight >= records {
            self.dropped(sample);
            return false;
        }
        while self.bytes() + len > bytes || self.items.len() >= records {
            assert!(self.items.len() > in_flight, "one is not in flight");
            // One more for each 16 that would have to be moved for it.
            for _ in 0..1 + in_flight / 16 {
                let Some(oldest) = self.items.remove(in_flight) else {
                    break;
                };
                self.dropped(oldest.sample);
                if let Some(signal) = oldest.signal {
                    self.last.remove(&signal);
                }
            }
        }
        self.items.push_back(Item {
            sample,
            signal: Some(signal),
            len,
            stage: Stage::Queued,
            id: 0,
        });
        true
    }

    fn dropped(&mut self, sample: usize) {
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
        (from..self.items.len()).find(|index| self.items[*index].stage != Stage::Complete)
    }

    /// The broker has forgotten its session: nobody can say what becomes of what is in flight.
    pub fn session_is_lost(&mut self) {
        let (in_flight, _) = self.flight();
        for item in self.items.iter().take(in_flight) {
            self.samples[item.sample].excused = true;
        }
    }

    /// The configuration changes: these signals of it are left.
    pub fn keep_signals(&mut self, signals: usize) {
        self.last.retain(|signal, _| *signal < signals);
        for item in &mut self.items {
            item.signal = item.signal.filter(|signal| *signal < signals);
        }
    }

    /// The new configuration is in force; its keep-alive in seconds.
    pub fn reloaded(&mut self, keep_alive: u64) {
        self.keep_alive = keep_alive * 1000;
        self.may_leave = false;
    }

    /// The bridge took in CONNACK.
    pub fn let_in(&mut self) {
        self.wire.let_in = true;
    }

    /// The bridge took in an acknowledgement.
    pub fn acknowledged(&mut self, ack: Ack, id: u16) {
        let (in_flight, _) = self.flight();
        let mut sent = self.items.iter_mut().take(in_flight);
        let item = sent.find(|item| item.id == id && item.stage != Stage::Queued);
        let stage = item.as_ref().map(|item| item.stage);
        let done = match (self.device.qos, ack, stage) {
            (1, Ack::Puback, Some(Stage::Published)) => true,
            (2, Ack::Pubcomp, Some(Stage::Released)) => true,
            (2, Ack::Pubrec, _) => {
                if let Some(item) = item
                    && item.stage == Stage::Published
                {
                    item.stage = Stage::Released;
                }
                self.wire.owed.push_back(id);
                return;
            }
            _ => false,
        };
        if done && let Some(item) = item {
            item.stage = Stage::Complete;
            self.counters.acknowledged += 1;
            self.free_complete();
        }
    }

    fn free_complete(&mut self) {
        while self
            .items
            .front()
            .is_some_and(|item| item.stage == Stage::Complete)
            && self.wire.half != Some(0)
        {
            self.items.pop_front();
            self.wire.cursor = self.wire.cursor.saturating_sub(1);
            self.wire.half = self.wire.half.map(|index| index - 1);
        }
    }

    /// [`property::KEEP_ALIVE`]
    pub fn check_silence(&self) {
        let wire = &self.wire;
        let excused = wire.excused || self.excused_until >= wire.last_written;
        if !wire.is_open || !wire.let_in || wire.said_goodbye || excused {
            return;
        }
        let silent = self.clock.get().saturating_sub(wire.last_written);
        self.verdict
            .require(property::KEEP_ALIVE, silent <= self.keep_alive, || {
                format!("nothing was said for {silent} ms")
            });
    }

    /// The bridge is not called until then, or its clock has jumped: its silence is not its own, for a keep-alive longer.
    pub fn excuse_silence(&mut self, until: u64) {
        self.excused_until = self.excused_until.max(until + self.keep_alive);
    }

    /// [`property::PUBREL`]: every PUBREC was answered.
    pub fn check_answers(&self) {
        let owed = &self.wire.owed;
        let answered = owed.is_empty() || !self.wire.is_open || self.wire.said_goodbye;
        self.verdict.require(property::PUBREL, answered, || {
            format!("{owed:?} are not answered")
        });
    }

    /// [`property::OUTBOX`]
    pub fn check_outbox(&self, outbox: &Outbox<'_>) {
        let (in_flight, _) = self.flight();
        let queued = self
            .items
            .iter()
            .filter(|item| item.stage == Stage::Queued)
            .count();
        let right = (outbox.in_flight(), outbox.queued()) == (in_flight, queued);
        self.verdict.require(property::OUTBOX, right, || {
            format!(
                "the outbox has {} in flight and {} queued, the book {in_flight} and {queued}",
                outbox.in_flight(),
                outbox.queued()
            )
        });
    }

    /// [`property::COUNTERS`]
    pub fn check_counters(&mut self, counters: &Counters) {
        if counters.reconnects != self.counters.reconnects && self.device.qos == 0 {
            // What was sent before the connection broke may be lost.
            self.last.clear();
        }
        self.counters.reconnects = counters.reconnects;
        let queued = self
            .items
            .iter()
            .filter(|item| item.stage == Stage::Queued)
            .count();
        let book = Counters {
            queued: queued as u64,
            ..self.counters
        };
        let sum = counters.rejected
            + counters.suppressed
            + counters.queued
            + counters.sent
            + counters.dropped;
        self.verdict.require(
            property::COUNTERS,
            book == *counters && counters.received == sum,
            || format!("{counters}, the book says {book}"),
        );
    }

    /// Whether nothing waits and nothing is unacknowledged.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.items.is_empty()
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

    /// Milliseconds.
    #[must_use]
    pub fn keep_alive(&self) -> u64 {
        self.keep_alive
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
