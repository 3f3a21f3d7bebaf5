//! What one connection is given of an outbox, and what the broker's acknowledgements do to it.

use super::handshakes::Handshake;
use super::record::Head;
use super::{Acknowledged, Cursor, Outbox};
use crate::delivery::{self, Breach, QoS, Reply, Stage, Step};
use crate::sample::Quality;

/// A sample that is to be sent next, see [`Outbox::next_outgoing`].
#[derive(Debug, Clone, Copy)]
pub struct Outgoing {
    head: Head,
    /// Where it lies in the ring, whose end may come before that.
    at: usize,
    /// Of QoS 1 and 2: a message keeps its identifier until it is done with.
    pub packet_id: u16,
    /// An earlier connection has sent it whole.
    pub is_repeated: bool,
}

/// What [`Outbox::waiting`] finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// Ticks that the oldest one has waited for its acknowledgement.
    pub longest: u8,
    /// One has waited too long, while a later one was acknowledged.
    pub is_overtaken: bool,
}

impl Outgoing {
    #[inline]
    #[must_use]
    pub fn signal(&self) -> u32 {
        self.head.signal()
    }

    #[inline]
    #[must_use]
    pub fn quality(&self) -> Quality {
        self.head.quality()
    }

    /// A later sample of its signal has gone out before it: it is not to take that one's place at the broker.
    #[inline]
    #[must_use]
    pub fn is_overtaken(&self) -> bool {
        self.head.is_overtaken()
    }

    /// Bytes of `value,timestamp`, at most [`MAX_TEXT`](crate::sample::MAX_TEXT).
    #[inline]
    #[must_use]
    pub fn text_len(&self) -> usize {
        self.head.text_len()
    }

    /// When it was accepted, see [`Outbox::stamp`].
    #[must_use]
    pub fn stamp(&self, outbox: &Outbox<'_>) -> Option<u32> {
        self.head.stamp(&outbox.ring, self.at)
    }
}

impl Outbox<'_> {
    /// Begins a connection: what is unacknowledged goes again, in its original order, before anything new [MQTT-4.4.0-1].
    pub fn start_over(&mut self) {
        self.rewind();
        if self.qos == QoS::AtMostOnce {
            self.complete_oldest();
        }
        // What was acknowledged while it was half repeated has waited for its packet's rest, which goes nowhere now.
        self.free_complete();
    }

    /// The connection that was given samples is gone.
    pub(super) fn rewind(&mut self) {
        if let Some(head) = self.half_sent() {
            // Half of a packet is no packet to the broker: it has not been sent yet.
            self.handshakes.pop_newest();
            self.at.flight_bytes -= head.record_len();
        }
        self.at.is_half_sent = false;
        self.at.cursor = Cursor::default();
        self.at.handed_out = Cursor::default();
    }

    /// From now on no more than `most` messages that are sent again are in flight at a time.
    pub fn limit_repeated(&mut self, most: u16) {
        self.at.most_repeated = most;
    }

    /// Messages go at another QoS from now on. Nothing may be in flight.
    pub fn set_qos(&mut self, qos: QoS) {
        self.qos = qos;
    }

    /// The receiver had no quota for this message, which is in flight and not received: whether that is news.
    pub fn postpone(&mut self, packet_id: u16) -> bool {
        let index = self.index_of(packet_id);
        index.is_some_and(|index| {
            self.handshakes.get(index).stage == Stage::Published && self.handshakes.postpone(index)
        })
    }

    /// Whether messages in flight are awaited that are not [postponed](Outbox::postpone).
    #[must_use]
    pub fn awaits_others(&self) -> bool {
        self.to_repeat() > self.handshakes.postponed()
    }

    /// Signal and stage of the message with this identifier, if it is in flight: walks along those before it.
    #[must_use]
    pub fn in_flight_as(&self, packet_id: u16) -> Option<(u32, Stage)> {
        let index = self.index_of(packet_id)?;
        if index >= self.in_flight() {
            return None;
        }
        let mut at = self.at.start;
        for _ in 0..index {
            at = self.ring.wrap(at + Head::read(&self.ring, at).record_len());
        }
        let signal = Head::read(&self.ring, at).signal();
        Some((signal, self.handshakes.get(index).stage))
    }

    /// The packet identifier whose PUBREL an earlier connection left to be repeated next; see [`Outbox::pubrel_repeated`].
    #[must_use]
    pub fn pubrel_to_repeat(&mut self) -> Option<u16> {
        while !self.at.is_half_sent
            && self.at.handed_out.record == self.at.cursor.record
            && self.at.cursor.record < self.in_flight()
            && !self.is_waiting()
        {
            let index = self.at.cursor.record;
            match self.handshakes.get(index).stage {
                Stage::Released => return Some(self.packet_id(index)),
                Stage::Complete => self.pass(),
                Stage::Queued | Stage::Published => break,
            }
        }
        None
    }

    /// The PUBREL of [`Outbox::pubrel_to_repeat`] is on its way, at this tick.
    pub fn pubrel_repeated(&mut self, tick: u8) {
        let index = self.at.cursor.record;
        if index < self.in_flight() {
            let handshake = self.handshakes.get(index);
            self.handshakes.set(index, Handshake { tick, ..handshake });
            self.pass();
        }
    }

    /// From now on a message is sent only once the one before it is done with, or no more so.
    pub fn send_one_by_one(&mut self, one_by_one: bool) {
        self.at.one_by_one = one_by_one;
    }

    /// Makes messages whose PUBREL is not answered ones to repeat from PUBLISH on, at the beginning of a connection. For a session that the
    /// broker has begun anew: one that hands a message on only at PUBREL has lost it with the old session, and knows no identifier of it.
    pub fn take_back_released(&mut self) {
        for index in 0..self.in_flight() {
            let handshake = self.handshakes.get(index);
            if handshake.stage == Stage::Released {
                let stage = Stage::Published;
                self.handshakes.set(index, Handshake { stage, ..handshake });
            }
        }
        self.start_over();
    }

    /// Makes the oldest message complete, if it was sent: for QoS 0, where nothing acknowledges it.
    pub fn complete_oldest(&mut self) {
        let handshake = self.handshakes.get(0);
        if handshake.stage == Stage::Published {
            let stage = Stage::Complete;
            self.handshakes.set(0, Handshake { stage, ..handshake });
            self.free_complete();
        }
    }

    /// How far the oldest message has come, if this connection was given it, or its PUBREL, and the broker has not answered.
    #[must_use]
    pub fn unanswered(&self) -> Option<Stage> {
        let was_given = self.at.cursor.record > 0 || self.at.is_half_sent;
        (was_given && self.in_flight() > 0).then(|| self.handshakes.get(0).stage)
    }

    /// Messages that this connection was given whole, or their PUBREL, and that are not done with.
    #[must_use]
    pub fn given(&self) -> usize {
        self.at.cursor.record
    }

    /// Packet identifier of the oldest message.
    #[must_use]
    pub fn oldest_id(&self) -> u16 {
        self.at.oldest_id
    }

    /// A packet identifier that no sample in flight has, nor `other`; 0 if there is none.
    #[must_use]
    pub fn free_id(&self, other: u16) -> u16 {
        let before = |steps| following_id(self.at.oldest_id, MAX_IDS - steps);
        let free = match before(1) {
            id if id == other => before(2),
            id => id,
        };
        // What comes before the oldest comes behind the newest, where the circle closes.
        if self.in_flight() + 2 < MAX_IDS {
            free
        } else {
            0
        }
    }

    /// How many samples, from the oldest on, have packet identifiers before this one.
    #[must_use]
    pub fn ids_before(&self, packet_id: u16) -> usize {
        self.index_of(packet_id).unwrap_or(MAX_IDS)
    }

    /// Whether a message is to be sent again although the broker has taken a later one.
    #[must_use]
    pub fn repeats_out_of_order(&self) -> bool {
        let stages = (0..self.in_flight()).map(|index| self.handshakes.get(index).stage);
        // Stages behind the first that awaits its acknowledgement.
        let mut later = stages.skip_while(|stage| *stage != Stage::Published);
        later.any(|stage| stage > Stage::Published)
    }

    /// How long the messages of this connection wait for their acknowledgements, at this tick: walks all that is in flight. `limit` is how
    /// many ticks an acknowledgement may take; ticks count modulo 256.
    #[must_use]
    pub fn waiting(&self, tick: u8, limit: u8) -> Waiting {
        let mut waiting = Waiting {
            longest: 0,
            is_overtaken: false,
        };
        let mut furthest = Stage::Queued;
        for index in (0..self.in_flight().min(self.at.cursor.record)).rev() {
            let handshake = self.handshakes.get(index);
            if handshake.stage != Stage::Complete {
                let age = tick.wrapping_sub(handshake.tick);
                waiting.longest = waiting.longest.max(age);
                waiting.is_overtaken |= age > limit && handshake.stage < furthest;
            }
            furthest = furthest.max(handshake.stage);
        }
        waiting
    }

    /// The sample for this connection to send next, with at most `window` messages in flight: encode it, and say so with
    /// [`Outbox::hand_out`]. At QoS 2 [`Outbox::pubrel_to_repeat`] comes first.
    #[inline]
    #[must_use]
    pub fn next_outgoing(&self, window: usize) -> Option<Outgoing> {
        let Cursor { record, offset } = self.at.handed_out;
        if record >= self.at.count || (self.at.one_by_one && record > 0) {
            return None;
        }
        let stage = self.handshakes.get(record).stage;
        let has_turn = match stage {
            Stage::Queued => {
                self.qos == QoS::AtMostOnce || record < window.min(self.handshakes.capacity())
            }
            Stage::Published => {
                !cfg!(feature = "mqtt5") || record < usize::from(self.at.most_repeated)
            }
            Stage::Released | Stage::Complete => false,
        };
        let at = self.at.start + offset;
        let head = Head::read(&self.ring, at);
        (has_turn && !head.is_aside()).then(|| Outgoing {
            head,
            at,
            packet_id: self.packet_id(record),
            is_repeated: stage == Stage::Published,
        })
    }

    /// Writes `value,timestamp`, as they were accepted, to `out`, which has [`Outgoing::text_len`] bytes.
    #[inline]
    pub fn write_text(&self, outgoing: &Outgoing, out: &mut [u8]) {
        outgoing.head.read_text(&self.ring, outgoing.at, out);
    }

    /// [`Outbox::next_outgoing`] is on its way.
    #[inline]
    pub fn hand_out(&mut self, outgoing: &Outgoing) {
        self.at.handed_out.record += 1;
        self.at.handed_out.offset += outgoing.head.record_len();
    }

    /// Nothing of what was handed out is on its way any more, but for the packet that the connection stands in.
    pub fn take_back_unsent(&mut self) {
        self.at.handed_out = self.at.cursor;
        if self.at.is_half_sent {
            let head = self.head_at_cursor();
            self.at.handed_out.record += 1;
            self.at.handed_out.offset += head.record_len();
        }
    }

    /// Whether a packet with this identifier is handed out, and no byte of it sent.
    #[inline]
    #[must_use]
    pub fn is_on_its_way(&self, packet_id: u16) -> bool {
        let unsent = self.at.cursor.record + usize::from(self.at.is_half_sent);
        self.at.handed_out.record > unsent
            && self
                .index_of(packet_id)
                .is_some_and(|index| (unsent..self.at.handed_out.record).contains(&index))
    }

    /// Whether what is sent one by one has to wait for an acknowledgement.
    fn is_waiting(&self) -> bool {
        self.at.one_by_one && self.at.cursor.record > 0
    }

    /// Whether the connection stands in the middle of a packet.
    #[must_use]
    pub fn is_half_sent(&self) -> bool {
        self.at.is_half_sent
    }

    /// The network has taken the first bytes of the next packet that was handed out, and no more.
    pub fn sent_in_part(&mut self) {
        self.be_in_flight();
        self.at.is_half_sent = true;
    }

    /// The network has taken all of the next packet that was handed out, at this tick. Whether for the first time.
    pub fn sent_whole(&mut self, tick: u8) -> bool {
        let mut next = self.at.cursor;
        next.offset += self.head_at_cursor().record_len();
        next.record += 1;
        self.sent_up_to(next, tick) > 0
    }

    /// The network has taken all that was handed out, at this tick. How many messages for the first time.
    #[inline]
    pub fn sent_all(&mut self, tick: u8) -> usize {
        self.sent_up_to(self.at.handed_out, tick)
    }

    #[inline]
    fn sent_up_to(&mut self, end: Cursor, tick: u8) -> usize {
        if self.qos == QoS::AtMostOnce && !self.at.one_by_one {
            return self.free_up_to(end);
        }
        let mut first_time = 0;
        for index in self.at.cursor.record..end.record {
            if index == self.in_flight() {
                self.handshakes.push();
            }
            let stage = self.handshakes.get(index).stage;
            first_time += usize::from(stage == Stage::Queued);
            // One that was acknowledged while it was half repeated keeps its stage.
            let stage = stage.max(Stage::Published);
            self.handshakes.set(index, Handshake { stage, tick });
        }
        self.at.flight_bytes = self.at.flight_bytes.max(end.offset);
        self.at.is_half_sent = false;
        self.at.cursor = end;
        self.free_complete();
        first_time
    }

    /// At QoS 0 what is sent is done with; how many were not sent before.
    #[inline]
    fn free_up_to(&mut self, end: Cursor) -> usize {
        let first_time = end.record - self.at.cursor.record;
        self.handshakes.clear();
        let at = &mut self.at;
        at.cursor = Cursor::default();
        at.is_half_sent = false;
        at.flight_bytes = 0;
        at.handed_out.record -= end.record;
        at.handed_out.offset -= end.offset;
        at.count -= end.record;
        self.free_bytes(end.offset);
        first_time
    }

    /// The sample at the cursor is in flight from now on, if it is not already.
    #[inline]
    fn be_in_flight(&mut self) {
        if self.at.cursor.record == self.in_flight() {
            self.at.flight_bytes += self.head_at_cursor().record_len();
            self.handshakes.push();
        }
    }

    /// Takes an acknowledgement, at this tick, of a packet that is not [on its way](Outbox::is_on_its_way).
    ///
    /// # Errors
    /// The rule that it breaks.
    #[inline]
    pub fn acknowledge(
        &mut self,
        reply: Reply,
        packet_id: u16,
        tick: u8,
    ) -> Result<Acknowledged, Breach> {
        let index = self
            .index_of(packet_id)
            .filter(|index| *index < self.in_flight());
        let stage = index.map(|index| self.handshakes.get(index).stage);
        let step = delivery::step(self.qos, stage, reply)?;
        let reached = match step {
            Step::Reach(stage) => stage,
            Step::Release => Stage::Released,
            Step::Ignore => return Ok(Acknowledged::Repeated),
        };
        if index == Some(0) && reached == Stage::Complete && self.at.cursor.record > 0 {
            // In order, as most are.
            self.free_oldest_in_flight();
            self.free_complete();
            return Ok(Acknowledged::Complete);
        }
        if let (Some(index), Some(stage)) = (index, stage)
            && stage != Stage::Complete
        {
            let stage = reached;
            self.handshakes.set(index, Handshake { stage, tick });
        }
        if step == Step::Release {
            return Ok(Acknowledged::Release);
        }
        self.free_complete();
        Ok(Acknowledged::Complete)
    }

    /// Moves the cursor behind the sample at which it stands.
    #[inline]
    fn pass(&mut self) {
        self.at.cursor.offset += self.head_at_cursor().record_len();
        self.at.cursor.record += 1;
        if self.at.handed_out.record < self.at.cursor.record {
            self.at.handed_out = self.at.cursor;
        }
    }

    #[inline]
    fn head_at_cursor(&self) -> Head {
        Head::read(&self.ring, self.at.start + self.at.cursor.offset)
    }

    /// Frees the messages at the old end that are done with. One that is half repeated stays until its packet is whole.
    #[inline]
    fn free_complete(&mut self) {
        while self.handshakes.is_oldest_complete()
            && (self.at.cursor.record > 0 || self.at.handed_out.record == 0)
        {
            self.free_oldest_in_flight();
        }
    }

    #[inline]
    fn free_oldest_in_flight(&mut self) {
        let len = Head::read(&self.ring, self.at.start).record_len();
        self.handshakes.pop_oldest();
        let at = &mut self.at;
        at.flight_bytes -= len;
        for cursor in [&mut at.cursor, &mut at.handed_out] {
            if cursor.record > 0 {
                cursor.record -= 1;
                cursor.offset -= len;
            }
        }
        at.count -= 1;
        at.oldest_id = following_id(at.oldest_id, 1);
        self.free_bytes(len);
    }

    #[inline]
    fn packet_id(&self, index: usize) -> u16 {
        following_id(self.at.oldest_id, index)
    }

    #[inline]
    fn index_of(&self, packet_id: u16) -> Option<usize> {
        let (id, oldest) = (usize::from(packet_id), usize::from(self.at.oldest_id));
        if id == 0 {
            None
        } else {
            Some(if id >= oldest {
                id - oldest
            } else {
                id + MAX_IDS - oldest
            })
        }
    }
}

/// Identifiers are 1 to 65535 [MQTT-2.3.1-1]. An in-flight window of that size uses each once.
const MAX_IDS: usize = 65_535;

/// The identifier `steps` after `id`, around the end. At QoS 0, where nothing has one, `steps` may be more than [`MAX_IDS`].
#[inline]
pub(super) fn following_id(id: u16, steps: usize) -> u16 {
    let id = usize::from(id) + steps;
    (if id > MAX_IDS { id - MAX_IDS } else { id }) as u16
}
