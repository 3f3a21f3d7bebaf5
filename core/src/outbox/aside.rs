//! Messages whose topic is set aside, since the broker closes the connection for it: they wait, and let all others pass.
//!
//! They lie before the oldest message, in the same two rings. What is freed after them leaves a gap, which is closed when its room is
//! needed:
//!
//! ```text
//!   | set aside |  gap  | in flight | not sent yet |   free   |
//!                       ^ oldest
//! ```

use super::records::Record;
use super::{MAX_PACKET, Outbox};
use crate::mqtt::encode::DUP;
use crate::mqtt::packet::Publish;
use crate::mqtt::qos::Stage;

/// The gap is closed once the messages before it have at most so many times its length: closing it moves them.
const MOVED_PER_GAP: usize = 16;

/// The messages that are set aside, and the gap behind them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Aside {
    pub(super) count: usize,
    pub(super) bytes: usize,
    /// Slots of the ring of records, and bytes.
    pub(super) gap: usize,
    pub(super) gap_bytes: usize,
}

impl Aside {
    pub(super) fn bytes_with_gap(&self) -> usize {
        self.bytes + self.gap_bytes
    }
}

impl Outbox<'_> {
    /// Sets the topic of the oldest message aside: its messages here wait from now on. How many of those that were put before all others
    /// had been sent. Between connections only.
    pub fn set_topic_aside(&mut self) -> usize {
        let mut buffer = [0; MAX_PACKET];
        let Some(oldest) = self.oldest_packet(&mut buffer) else {
            return 0;
        };
        self.rewind();
        self.at.any_aside = true;
        let mut position = self.at.start;
        for index in 0..self.records.len() {
            let record = self.records.get(index);
            let mut packet = [0; MAX_PACKET];
            let packet = self.copy(position, usize::from(record.len), &mut packet);
            let is_same =
                Publish::decode(packet).is_some_and(|publish| publish.topic == oldest.topic);
            if is_same && record.stage <= Stage::Published {
                let is_aside = true;
                self.records.set(index, Record { is_aside, ..record });
            }
            position = self.ring.wrap(position + usize::from(record.len));
        }
        self.pass_aside()
    }

    /// The oldest message that is not set aside.
    pub fn oldest_packet<'p>(&self, buffer: &'p mut [u8; MAX_PACKET]) -> Option<Publish<'p>> {
        let len = usize::from(self.records.get(0).len);
        Publish::decode(self.copy(self.at.start, len, buffer)).filter(|_| !self.is_empty())
    }

    /// Puts the messages at the old end whose topic is set aside before all others; how many of them had been sent.
    ///
    /// A message between others waits until those before it are acknowledged: nothing has to be moved then.
    pub fn pass_aside(&mut self) -> usize {
        let mut sent = 0;
        while self.at.any_aside && self.at.cursor.record == 0 && !self.is_half_written() {
            let record = self.records.get(0);
            if self.is_empty() || !record.is_aside {
                break;
            }
            if self.at.in_flight > 0 {
                sent += 1;
                self.at.in_flight -= 1;
                self.at.flight_bytes -= usize::from(record.len);
            }
            self.put_behind(record);
        }
        sent
    }

    /// Makes the messages that were set aside the oldest again. Nothing may be in flight.
    pub fn take_back(&mut self) {
        if self.at.in_flight > 0 {
            return;
        }
        self.close_gap();
        self.records.take_back();
        self.at.start = self.behind();
        self.at.used += self.at.aside.bytes;
        self.at.aside = Aside::default();
        self.at.any_aside = false;
        for index in 0..self.records.len() {
            let is_aside = false;
            let record = self.records.get(index);
            self.records.set(index, Record { is_aside, ..record });
        }
    }

    /// Messages that are set aside.
    #[must_use]
    pub fn set_aside(&self) -> usize {
        self.at.aside.count
    }

    /// Makes room: closes the gap, or drops the oldest message that is set aside. `false` if there is none.
    pub(super) fn make_room_behind(&mut self, dropped: &mut impl FnMut(u32)) -> bool {
        let aside = self.at.aside;
        if aside.count == 0 {
            return false;
        }
        if aside.gap > 0 && aside.gap_bytes * MOVED_PER_GAP >= aside.bytes {
            self.close_gap();
            return true;
        }
        let record = self.records.get_behind(0);
        dropped(record.signal);
        self.records.span.behind -= 1;
        self.at.aside.count -= 1;
        self.at.aside.bytes -= usize::from(record.len);
        if self.at.aside.count == 0 {
            // The gap is free now.
            self.records.span.behind = 0;
            self.at.aside = Aside::default();
        }
        true
    }

    /// Where the first message that is set aside lies.
    pub(super) fn behind(&self) -> usize {
        let len = self.at.aside.bytes_with_gap();
        self.at
            .start
            .checked_sub(len)
            .unwrap_or((self.at.start + self.ring.len()).saturating_sub(len))
    }

    /// The oldest message becomes the last of those that are set aside.
    fn put_behind(&mut self, record: Record) {
        let len = usize::from(record.len);
        self.close_gap();
        let first = self.ring.byte(self.at.start);
        self.ring.set(self.at.start, first & !DUP);
        let stage = Stage::Queued;
        self.records.set(0, Record { stage, ..record });
        self.records.put_behind(1);
        self.at.aside.count += 1;
        self.at.aside.bytes += len;
        self.at.start = self.ring.wrap(self.at.start + len);
        self.at.used -= len;
        self.at.oldest_id = super::flight::following_id(self.at.oldest_id, 1);
    }

    fn close_gap(&mut self) {
        let Aside {
            count,
            bytes,
            gap,
            gap_bytes,
        } = self.at.aside;
        self.ring.shift(self.behind(), bytes, gap_bytes);
        self.records.close_gap(count, gap);
        self.at.aside.gap = 0;
        self.at.aside.gap_bytes = 0;
    }
}
