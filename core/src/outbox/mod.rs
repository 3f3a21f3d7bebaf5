//! The outbox of one broker: queue, in-flight store and resend buffer in one.
//!
//! What waits is the sample, packed into a ring of bytes that the caller owns: it becomes a packet on its way out, and is freed when it is
//! done with: at QoS 0 once it is written whole, at QoS 1 and 2 once it is acknowledged.
//!
//! ```text
//!   oldest                                                 newest
//!   | in flight: first byte sent, not yet done | not sent yet |   free   |
//!                 ^ sent on this connection    ^ handed out to be sent
//! ```
//!
//! Packet identifiers count up along the samples, so an identifier is found by subtraction.
//!
//! | file | question |
//! |---|---|
//! | `record` | how does a sample lie in the ring? |
//! | `ring` | how is a slice a ring, without a panic? |
//! | `handshakes` | how far has each message in flight come? |
//! | `room` | what goes when there is no room? |
//! | `flight` | what is a connection given, and what do acknowledgements do? |
//! | `aside` | what does a broker not take, and what lets others pass? |
//! | `reload` | what becomes of all this when the configuration changes? |

mod aside;
mod flight;
mod handshakes;
mod record;
mod reload;
mod ring;
mod room;

pub use flight::{Outgoing, Waiting};
pub use record::MAX_SIGNALS;
pub use reload::{NewSignal, Renumbered};
pub use room::Room;

use crate::delivery::{QoS, Stage};
use crate::sample::{MAX_TEXT, Sample};
use aside::Aside;
use handshakes::{Handshakes, Span};
use record::Head;
use ring::Ring;
use room::Dropping;

/// Samples are not packed while less than this part of the storage is in use.
const UNPACKED_PART: usize = 16;

/// The samples of one broker; see the module's page.
pub struct Outbox<'a> {
    ring: Ring<'a>,
    handshakes: Handshakes<'a>,
    qos: QoS,
    /// Samples are accepted now, in units of the caller's; `None`: it does not count when.
    pub stamp: Option<u32>,
    at: Place,
}

/// Where things lie in the storage. Together with the same storage it makes the same outbox again, see [`Outbox::resume`].
#[derive(Debug, Clone, Copy, Default)]
pub struct State {
    span: Span,
    at: Place,
}

/// Where the samples lie, and how far they have come.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// Bytes of the ring in use, from the first on.
    ring_len: usize,
    /// Position of the oldest byte, how many there are, and of how many samples.
    start: usize,
    used: usize,
    count: usize,
    /// Bytes of the samples in flight, from the oldest on.
    flight_bytes: usize,
    /// Packet identifier of the oldest sample, 1 to 65535.
    oldest_id: u16,
    /// All samples before this one have been sent on this connection.
    cursor: Cursor,
    /// The sample at the cursor is sent in part.
    is_half_sent: bool,
    /// All samples before this one are handed out, to be sent on this connection.
    handed_out: Cursor,
    /// What lies before the oldest sample.
    aside: Aside,
    /// A topic is set aside.
    any_aside: bool,
    /// A message is sent only once the one before it is done with.
    one_by_one: bool,
    /// So many messages that are sent again may be in flight on this connection.
    most_repeated: u16,
    /// What is being dropped, behind what is in flight.
    dropping: Dropping,
}

/// A sample, and where it lies, from the oldest byte on.
#[derive(Debug, Clone, Copy, Default)]
struct Cursor {
    record: usize,
    offset: usize,
}

/// What an acknowledgement did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acknowledged {
    /// The message is done with, and its room free again.
    Complete,
    /// PUBREL with the same identifier is to be sent.
    Release,
    /// It was one already.
    Repeated,
}

impl Default for Place {
    fn default() -> Self {
        Place {
            ring_len: 0,
            start: 0,
            used: 0,
            count: 0,
            flight_bytes: 0,
            oldest_id: 1,
            cursor: Cursor::default(),
            is_half_sent: false,
            handed_out: Cursor::default(),
            aside: Aside::default(),
            any_aside: false,
            one_by_one: false,
            most_repeated: u16::MAX,
            dropping: Dropping::default(),
        }
    }
}

impl State {
    /// An empty outbox whose packet identifiers begin behind `skipped`, 0 to 65534: a process that always began with the same one would
    /// have its first messages taken for repetitions of an earlier process's.
    #[must_use]
    pub fn empty(skipped: u16) -> Self {
        let oldest_id = skipped.saturating_add(1);
        State {
            at: Place {
                oldest_id,
                ..Place::default()
            },
            ..State::default()
        }
    }
}

/// How many messages a device of this QoS and `max_inflight` can have in flight: two bytes of storage each, see [`Outbox::resume`].
#[must_use]
pub const fn in_flight_at_most(qos: QoS, max_inflight: u16) -> usize {
    match qos {
        // One that went alone, and one behind it that is half sent: at QoS 0, which a broker of MQTT 5 may bring all others down to.
        _ if matches!(qos, QoS::AtMostOnce) || max_inflight < 2 => 2,
        _ => max_inflight as usize,
    }
}

impl<'a> Outbox<'a> {
    /// An empty outbox. It holds as many samples as fit into `bytes`, of which as many may be in flight as there are `handshakes`.
    pub fn new(bytes: &'a mut [u8], handshakes: &'a mut [[u8; 2]], qos: QoS) -> Self {
        Self::resume(bytes, handshakes, qos, State::default())
    }

    /// The outbox that [`Outbox::suspend`] ended, in the same storage with the same `qos`. Of `handshakes` there may be more now, or fewer,
    /// but no fewer than messages in flight.
    pub fn resume(
        bytes: &'a mut [u8],
        handshakes: &'a mut [[u8; 2]],
        qos: QoS,
        state: State,
    ) -> Self {
        Outbox {
            ring: Ring::new(bytes, state.at.ring_len),
            handshakes: Handshakes::new(handshakes, state.span),
            qos,
            stamp: None,
            at: state.at,
        }
    }

    /// Ends the outbox, and keeps what is needed to go on.
    #[must_use]
    pub fn suspend(mut self) -> State {
        self.handshakes.align();
        State {
            span: self.handshakes.span,
            at: Place {
                ring_len: self.ring.len(),
                ..self.at
            },
        }
    }

    /// Samples that have not been sent whole, those that are set aside among them; one of them may be half written.
    #[must_use]
    pub fn queued(&self) -> usize {
        let unsent = self.at.count - self.in_flight() - self.at.dropping.count;
        unsent + usize::from(self.half_sent().is_some()) + self.at.aside.count
    }

    /// Messages that are sent in part or in whole, and not done with.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.handshakes.len()
    }

    /// Messages that [`Outbox::start_over`] has sent again, or has their PUBREL sent again.
    #[must_use]
    pub fn to_repeat(&self) -> usize {
        let in_flight = (0..self.in_flight()).map(|index| self.handshakes.get(index).stage);
        in_flight
            .filter(|stage| matches!(stage, Stage::Published | Stage::Released))
            .count()
    }

    /// Whether there is no sample but those that are set aside.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.at.count == 0
    }

    /// Queues a sample of `signal`; if its topic `is_aside`, it waits there, and lets others pass. `false`, and nothing has changed, if there
    /// is no room for it: see [`Outbox::make_room`].
    ///
    /// Storage that no queue has ever been long enough for is not touched; to take more of it into use moves what is there, a few times in
    /// all.
    #[inline]
    #[must_use]
    pub fn append(&mut self, signal: u32, is_aside: bool, sample: &Sample<'_>) -> bool {
        let is_aside = is_aside && self.at.any_aside;
        let plain = sample.whole_text().filter(|_| !self.is_stamping());
        let Some(text) = plain else {
            return self.append_any(signal, is_aside, sample);
        };
        let mut head = Head::packed(signal, is_aside, sample.quality, text.len());
        if self.is_nearly_empty() {
            head = head.unpacked();
        }
        let len = head.record_len();
        let end = self.at.start + self.at.used;
        if self.is_too_full_for(len) || !head.write(&mut self.ring, end, text) {
            return self.append_any(signal, is_aside, sample);
        }
        self.at.used += len;
        self.at.count += 1;
        true
    }

    /// The same, whatever the text, and its place in the ring.
    #[cold]
    #[inline(never)]
    fn append_any(&mut self, signal: u32, is_aside: bool, sample: &Sample<'_>) -> bool {
        let mut joined = [0; MAX_TEXT];
        let text = sample.text(&mut joined);
        let mut head = Head::new(signal, is_aside, sample.quality, text);
        if self.is_stamping() {
            head = head.stamped();
        }
        while self.is_too_full_for(head.record_len()) {
            if !self.take_more_storage() {
                return false;
            }
        }
        if self.is_nearly_empty() && !self.is_too_full_for(head.unpacked().record_len()) {
            head = head.unpacked();
        }
        let len = head.record_len();
        let stamp = self.stamp.unwrap_or_default();
        head.write_any(&mut self.ring, self.at.start + self.at.used, stamp, text);
        self.at.used += len;
        self.at.count += 1;
        true
    }

    /// Whether it counts when a sample was accepted: only MQTT 5 asks for it.
    #[inline]
    fn is_stamping(&self) -> bool {
        cfg!(feature = "mqtt5") && self.stamp.is_some()
    }

    /// Whether so little waits that a sample is better not packed: it goes out at once.
    #[inline]
    fn is_nearly_empty(&self) -> bool {
        let used = self.at.aside.bytes_with_gap() + self.at.used;
        used < self.ring.capacity() / UNPACKED_PART
    }

    /// Signal of the oldest sample.
    #[must_use]
    pub fn oldest_signal(&self) -> Option<u32> {
        let head = Head::read(&self.ring, self.at.start);
        (!self.is_empty()).then(|| head.signal())
    }

    /// Frees `len` bytes at the old end, whose `count` records are gone already.
    #[inline]
    fn free_bytes(&mut self, len: usize) {
        self.at.used -= len;
        if self.at.aside.count > 0 {
            self.at.aside.gap += len;
        }
        // From the front again when all is gone: a queue that empties often stays in few pages of memory.
        self.at.start = if self.at.used == 0 && self.at.aside.count == 0 {
            0
        } else {
            self.ring.wrap(self.at.start + len)
        };
    }

    /// The message in flight that has never been written whole.
    fn half_sent(&self) -> Option<Head> {
        let newest = self.in_flight().checked_sub(1)?;
        // The connection stands in the middle of it.
        (self.handshakes.get(newest).stage == Stage::Queued)
            .then(|| Head::read(&self.ring, self.at.start + self.at.cursor.offset))
    }
}

#[cfg(test)]
mod tests;
