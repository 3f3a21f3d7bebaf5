//! What must be true of the bridge between two packets, by the ledger.

use mqtt_client_core::counters::Counters;
use mqtt_client_core::outbox::Outbox;

use super::{Ledger, Stage, Wire};
use crate::property;

/// Connections that end before messages go one at a time.
const CLOSES: u32 = 3;

impl Ledger {
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

    /// [`property::OVERDUE`]: a message's own age counts, where a later one has come further, or nothing at all was acknowledged for as long.
    /// A broker that is slow, and keeps the order, is left in peace.
    pub fn check_ages(&self) {
        let wire = &self.wire;
        if !wire.is_open || !wire.let_in || wire.said_goodbye || self.device.qos == 0 {
            return;
        }
        let now = self.clock.get();
        let patience = self.keep_alive / 2 * 3;
        let tolerance = patience / 32 + 1000;
        let overdue = self.items.iter().take(wire.cursor).find(|item| {
            let age = now.saturating_sub(item.since);
            let silence = now.saturating_sub(wire.progress.max(item.since));
            let is_overtaken =
                (item.overtaken).is_some_and(|at| now.saturating_sub(at) > tolerance);
            item.stage != Stage::Complete
                && item.since > self.excused_until
                && age > patience + tolerance
                && (is_overtaken || silence > patience + tolerance)
        });
        let overdue = overdue.map(|item| (item.id, item.stage, now - item.since));
        self.verdict
            .require(property::OVERDUE, overdue.is_none(), || {
                format!("identifier, stage and age of one are {overdue:?}")
            });
    }

    /// [`property::PUBREL`]: every PUBREC was answered, unless DISCONNECT is due, which the network may not have taken yet.
    pub fn check_answers(&self) {
        let owed = &self.wire.owed;
        let is_leaving = self.wire.said_goodbye || self.may_leave || self.forgets_flight;
        let answered = owed.is_empty() || !self.wire.is_open || is_leaving;
        self.verdict.require(property::PUBREL, answered, || {
            format!("{owed:?} are not answered")
        });
    }

    /// [`property::OUTBOX`]
    pub fn check_outbox(&mut self, outbox: &Outbox<'_>) {
        self.begin_unseen(outbox);
        let (in_flight, _) = self.flight();
        // At QoS 0 the last message may be kept after it was written, while messages go one at a time.
        let may_be_kept = self.device.qos == 0 && self.ends >= CLOSES && in_flight == 0;
        if !(may_be_kept && outbox.in_flight() == 1) {
            self.free_kept();
        }
        let kept = usize::from(self.kept.is_some());
        let queued = self.queued();
        let right = (outbox.in_flight(), outbox.queued()) == (in_flight + kept, queued);
        self.verdict.require(property::OUTBOX, right, || {
            format!(
                "the outbox has {} in flight and {} queued, the book {in_flight} and {queued}",
                outbox.in_flight(),
                outbox.queued()
            )
        });
    }

    /// Behind a proxy a session may begin, and its connection end, before a byte of CONNECT goes out: half of a packet counts no more then.
    fn begin_unseen(&mut self, outbox: &Outbox<'_>) {
        let (in_flight, _) = self.flight();
        let may_be = self.device.proxy.is_some() && !self.wire.is_open && self.half_sent();
        if may_be && outbox.in_flight() < in_flight {
            self.wire = Wire {
                connection: self.wire.connection,
                ..Wire::default()
            };
            self.free_complete();
        }
    }

    /// Messages that wait, those that are set aside among them.
    fn queued(&self) -> usize {
        let waiting = self.items.iter();
        let waiting = waiting.filter(|item| item.stage == Stage::Queued);
        waiting.count() + self.aside.items.len()
    }

    /// [`property::COUNTERS`]
    pub fn check_counters(&mut self, counters: &Counters) {
        if counters.reconnects != self.counters.reconnects && self.device.qos == 0 {
            // What was sent before the connection broke may be lost.
            self.last.clear();
        }
        self.counters.reconnects = counters.reconnects;
        self.follow(counters);
        let book = Counters {
            queued: self.queued() as u64,
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
}
