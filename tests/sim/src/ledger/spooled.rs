//! The second book of a device with a spool: what its storage must have, what may come back, and when it may be written to.
//!
//! Which samples wait in the outbox is read from there, and nothing else of the bridge is believed: what comes back must have been accepted, in
//! that order, and must not be known to be done with; and what is missing at the end must have been counted.

use std::collections::{BTreeSet, HashMap, VecDeque};

use mqtt_client_core::bridge::spooling::Spool;
use mqtt_client_core::counters::Counters;
use mqtt_client_core::outbox::Outbox;
use mqtt_client_core::sample::{MAX_TEXT, Quality};

use super::{Item, Ledger, Stage};
use crate::disk::Disk;
use crate::property;
use crate::trace;
use crate::world;

/// See the module's page. Samples are places in the [`Ledger::samples`].
pub(super) struct Spooled {
    of: world::Spool,
    by_payload: HashMap<String, usize>,
    /// Samples that may come from storage: an earlier process left them, or later ones passed them over. Those of the latter that were dropped never
    /// will.
    elsewhere: BTreeSet<usize>,
    /// The first sample of this process.
    begun_at: usize,
    /// Samples that an earlier process left, and those of them that may be damaged: it had not waited for the storage to have them.
    left: usize,
    uncertain: u64,
    /// What is done with, and when, as long as storage may not say so.
    done: VecDeque<(usize, u64)>,
    /// All samples before this one have waited long enough to be on storage for good.
    promised: usize,
    /// Until then the bridge could do nothing about it.
    excused_until: u64,
    /// Since when the bridge knows which samples are done with, if it does.
    exact_since: Option<u64>,
    /// In this process: the storage was not used for a while, or the clock jumped ahead.
    was_away: bool,
    was_hurried: bool,
    /// In any process: the same, and the clock jumped back, so that nobody knows how old samples are; the newest sample that was sent.
    was_ever_away: bool,
    was_turned_back: bool,
    sent: Option<usize>,
    /// The newest sample that was in the outbox of this process.
    furthest: Option<usize>,
    dropped: u64,
    dropped_at: Option<u64>,
    dropped_before: u64,
    /// Items at the new end that are not in the outbox, and samples that are not there by the bridge's own count.
    pub(super) in_log: usize,
    spooled: u64,
    is_away: bool,
    changes: u64,
    last_change: Option<u64>,
    /// When there was a reason to write.
    reason_at: Option<u64>,
    /// Signals have gone from the configuration, with what waited for them.
    has_gone: bool,
    /// Samples that came back from storage in this process, and the newest that was sent of each topic.
    came_back: BTreeSet<usize>,
    newest_sent: HashMap<String, usize>,
    /// When the messages of a backlog were written whole, in the last second.
    replayed: VecDeque<u64>,
}

/// How long the storage may take, beside its interval, in milliseconds; and how long until it is tried again.
const SLACK: u64 = 1000;
const TRIED_AGAIN_WITHIN: u64 = 5000;

/// The age of a sample is known to a second, and looked at once in a second, in milliseconds.
const AGE_SLACK: u64 = 3000;

/// Samples of a backlog that wait in the outbox beside what is new, at most, where no rate says how many.
const MOST_BACK: usize = 256;

/// Answers of the storage that writing all that waits takes, at most.
const ANSWERS: u64 = 60;

/// A sample counts as older than it is, by this part of the interval at most.
const OLDER_BY: u64 = 16;

impl Spooled {
    pub(super) fn new(of: world::Spool) -> Self {
        Spooled {
            of,
            by_payload: HashMap::new(),
            elsewhere: BTreeSet::new(),
            begun_at: 0,
            left: 0,
            uncertain: 0,
            done: VecDeque::new(),
            promised: 0,
            excused_until: 0,
            exact_since: Some(0),
            was_away: false,
            was_hurried: false,
            was_ever_away: false,
            was_turned_back: false,
            sent: None,
            furthest: None,
            dropped: 0,
            dropped_at: None,
            dropped_before: 0,
            in_log: 0,
            spooled: 0,
            is_away: false,
            changes: 0,
            last_change: None,
            reason_at: None,
            has_gone: false,
            came_back: BTreeSet::new(),
            newest_sent: HashMap::new(),
            replayed: VecDeque::new(),
        }
    }

    /// Within so many milliseconds a sample that waits is on storage for good.
    fn within(&self) -> u64 {
        self.of.interval + SLACK + ANSWERS * self.of.patience * self.of.pace
    }

    pub(super) fn accepted(&mut self, payload: &str, sample: usize) {
        self.by_payload.insert(payload.to_string(), sample);
    }

    pub(super) fn may_come_back(&mut self, sample: usize) {
        self.elsewhere.insert(sample);
        self.exact_since = None;
    }

    pub(super) fn is_sent(&mut self, sample: usize) {
        self.sent = self.sent.max(Some(sample));
    }

    pub(super) fn is_done_with(&mut self, sample: usize, now: u64) {
        self.done.push_back((sample, now));
    }

    pub(super) fn excuse(&mut self, now: u64, millis: u64) {
        let rest = self.within() + TRIED_AGAIN_WITHIN;
        let earlier = self.excused_until.saturating_sub(rest);
        self.excused_until = self.excused_until.max(now.max(earlier) + millis + rest);
    }

    pub(super) fn hurry(&mut self) {
        self.was_hurried = true;
    }

    pub(super) fn turn_back(&mut self) {
        self.was_turned_back = true;
    }

    pub(super) fn signals_are_gone(&mut self) {
        self.has_gone = true;
        self.exact_since = None;
    }

    fn has_all_back(&self) -> bool {
        self.spooled == 0 && !self.is_away
    }
}

impl Ledger {
    /// The storage does not work, for so long.
    pub fn storage_fails(&mut self, millis: u64) {
        let now = self.clock.get();
        if let Some(spool) = &mut self.spool {
            spool.excuse(now, millis);
        }
    }

    #[must_use]
    pub fn has_spool(&self) -> bool {
        self.spool.is_some()
    }

    /// Samples that were counted as dropped, in all processes.
    #[must_use]
    pub fn dropped_ever(&self) -> u64 {
        let spool = self.spool.as_ref();
        spool.map_or(0, |spool| spool.dropped_before + spool.dropped)
    }

    /// Whether the storage is used, and has nothing that is left to do.
    #[must_use]
    pub fn has_all_back(&self) -> bool {
        self.spool.as_ref().is_none_or(Spooled::has_all_back)
    }

    /// Looks at where the samples are, after each poll. The properties of the spool.
    pub fn look(
        &mut self,
        outbox: &Outbox<'_>,
        counters: &Counters,
        spool: &Spool<'_>,
        disk: &Disk,
    ) {
        let Some(book) = &self.spool else {
            return;
        };
        let is_same = book.spooled == 0
            && spool.spooled() == 0
            && book.dropped == counters.dropped
            && outbox.held() == self.items.len() + self.aside.items.len()
            && self.kept.is_none();
        if is_same {
            self.note_in_outbox(self.items.len());
        } else {
            self.match_outbox(outbox);
        }
        if spool.spooled() == 0 {
            // What is nowhere was dropped.
            let here = self.items.len() - self.in_log();
            while self.items.len() > here && self.pass_over(here) {}
            self.note_in_outbox(here);
        }
        self.check_drops(counters, spool, disk);
        self.check_wear(outbox, spool, disk);
        self.check_live();
        let now = self.clock.get();
        let is_empty = outbox.held() == 0;
        let has_aside = !self.aside.items.is_empty();
        let samples = &self.samples;
        let Some(book) = &mut self.spool else {
            return;
        };
        if book.spooled != spool.spooled() || book.is_away != spool.fault().is_some() {
            let (spooled, fault) = (spool.spooled(), spool.fault());
            let name = format!("spool {}", self.number);
            trace::note(|| (name, format!("{spooled} there, {fault:?}")));
        }
        book.is_away = spool.fault().is_some();
        book.was_away |= book.is_away;
        book.was_ever_away |= book.is_away;
        book.spooled = spool.spooled();
        if book.is_away {
            book.excused_until = book.excused_until.max(now + book.within());
        }
        if book.is_away || has_aside {
            book.exact_since = None;
        } else if book.exact_since.is_none() && is_empty && book.spooled == 0 {
            book.exact_since = Some(now);
        }
        let is_well = now >= book.excused_until;
        while is_well
            && let Some(sample) = samples.get(book.promised)
            && sample.at + book.within() <= now
        {
            book.promised += 1;
        }
        while is_well
            && let (Some((_, at)), Some(since)) = (book.done.front(), book.exact_since)
            && (*at).max(since) + book.within() <= now
        {
            book.done.pop_front();
        }
        let found = spool.found() as usize;
        let may_be_more = book.was_away || self.aside.ever;
        let is_right = found <= book.left || may_be_more;
        self.verdict.require(property::COMES_BACK, is_right, || {
            format!(
                "{found} samples are found, of {} that there were",
                book.left
            )
        });
    }

    /// What lies in the outbox is what is expected there; what is not there any more was passed over.
    fn match_outbox(&mut self, outbox: &Outbox<'_>) {
        let mut found = Vec::new();
        let by_payload = self.spool.as_ref().map(|book| &book.by_payload);
        let mut strange = None;
        outbox.for_each_held(|_, sample| {
            let mut text = [0; MAX_TEXT];
            let text = String::from_utf8_lossy(sample.text(&mut text)).into_owned();
            let quality = u8::from(sample.quality == Quality::Good);
            let payload = format!("{text},{quality}");
            match by_payload.and_then(|all| all.get(&payload)) {
                Some(sample) => found.push(*sample),
                None => strange = Some(payload),
            }
            true
        });
        self.verdict
            .require(property::NOTHING_MADE_UP, strange.is_none(), || {
                format!("{strange:?} is in the outbox")
            });
        let aside = outbox.count_aside().min(found.len());
        self.match_aside(&found[..aside]);
        let mut index = 0;
        for sample in &found[aside..] {
            if self
                .kept
                .as_ref()
                .is_some_and(|kept| kept.sample == *sample)
            {
                continue;
            }
            if !self.match_item(index, *sample) {
                return;
            }
            index += 1;
        }
        self.note_in_outbox(index);
        let in_flight = self.items.iter().skip(index);
        let in_flight = in_flight.filter(|item| item.stage != Stage::Queued).count();
        self.verdict.require(property::OUTBOX, in_flight == 0, || {
            format!("{in_flight} that are in flight are not in the outbox")
        });
    }

    /// So many items are in the outbox.
    fn note_in_outbox(&mut self, count: usize) {
        let newest = self.items.iter().take(count).map(|item| item.sample).max();
        if let Some(book) = &mut self.spool {
            book.furthest = book.furthest.max(newest);
            book.in_log = self.items.len() - count;
        }
    }

    /// The item at this place is this sample: those before it were passed over, or it came back. Whether that may be.
    fn match_item(&mut self, index: usize, sample: usize) -> bool {
        let rest = self.items.iter().skip(index);
        let place = rest.map(|item| item.sample).position(|at| at == sample);
        if let Some(skipped) = place {
            return (0..skipped).all(|_| self.pass_over(index));
        }
        if let Some(place) = self
            .aside
            .items
            .iter()
            .position(|item| item.sample == sample)
        {
            let item = self.aside.items.remove(place);
            self.insert(index, item);
            return true;
        }
        let now = self.clock.get();
        let signal = self.signal_of(sample);
        let is_aside = self.aside.is_aside(signal);
        let Some(book) = &mut self.spool else {
            return false;
        };
        let is_known = book.elsewhere.remove(&sample);
        // What was set aside may be written again when it is taken back; with live_first what is in flight is copied, and moves once it is not.
        let is_twice = book.of.live_first && book.came_back.contains(&sample);
        let is_known = is_known || self.aside.ever || is_twice;
        self.samples[sample].may_repeat |= is_twice;
        self.verdict.require(property::REPEATED, is_known, || {
            format!("{:?} comes back at {now}", self.samples[sample])
        });
        let is_older = book.furthest.is_some_and(|furthest| furthest > sample);
        // With live_first what was half written, or begins anew in a new session, moves behind what moved before.
        let may_be_older = book.was_away || self.aside.ever || book.of.live_first;
        self.verdict
            .require(property::COMES_BACK, !is_older || may_be_older, || {
                format!(
                    "{:?} comes back at {now} behind {:?}",
                    self.samples[sample], book.furthest
                )
            });
        let is_overtaken = book.sent.is_some_and(|sent| sent > sample);
        self.samples[sample].late |=
            is_older || is_overtaken && book.was_ever_away || book.of.live_first;
        book.came_back.insert(sample);
        self.insert(
            index,
            Item {
                sample,
                signal: Some(signal),
                len: 0,
                stage: Stage::Queued,
                id: 0,
                since: 0,
                overtaken: None,
                is_aside,
                accepted: now,
                is_postponed: false,
            },
        );
        is_known
    }

    fn insert(&mut self, index: usize, item: Item) {
        self.items.insert(index, item);
        if let Some(half) = &mut self.wire.half
            && *half >= index
        {
            *half += 1;
        }
    }

    fn signal_of(&self, sample: usize) -> usize {
        let topic = &self.samples[sample].topic;
        let mut signals = 0..self.device.signals;
        let signal = signals.find(|signal| self.device.topic(self.number, *signal) == *topic);
        signal.expect("a signal has the topic")
    }

    /// These are set aside; others that were are not any more.
    fn match_aside(&mut self, found: &[usize]) {
        let items = std::mem::take(&mut self.aside.items);
        let mut gone: Vec<Item> = Vec::new();
        for item in items {
            if found.contains(&item.sample) {
                self.aside.items.push(item);
            } else {
                gone.push(item);
            }
        }
        for item in gone {
            self.dropped(item.sample);
        }
        for sample in found {
            if self.aside.items.iter().any(|item| item.sample == *sample) {
                continue;
            }
            let place = self.items.iter().position(|item| item.sample == *sample);
            let place = place.unwrap_or_else(|| {
                self.match_item(0, *sample);
                0
            });
            if let Some(item) = self.items.remove(place) {
                self.aside.items.push(item);
            }
        }
    }

    /// The item at this place is not in the outbox any more, and was not sent; whether that may be.
    fn pass_over(&mut self, index: usize) -> bool {
        let item = &self.items[index];
        let may_be = item.stage == Stage::Queued;
        self.verdict.require(property::OUTBOX, may_be, || {
            format!("{:?} is not in the outbox", self.samples[item.sample])
        });
        if may_be && let Some(item) = self.items.remove(index) {
            self.dropped(item.sample);
            if let Some(half) = &mut self.wire.half
                && *half > index
            {
                *half -= 1;
            }
        }
        may_be
    }

    /// What is written next has this payload: what was to come before it was passed over, if it was.
    pub(super) fn pass_over_up_to(&mut self, index: usize, payload: &str) {
        let rest = self.items.iter().skip(index);
        let mut rest = rest.map(|item| &self.samples[item.sample].payload);
        if self.spool.is_some()
            && let Some(skipped) = rest.position(|at| at == payload)
        {
            let _ = (0..skipped).all(|_| self.pass_over(index));
        }
    }

    /// Whether a newer sample of the same topic has been accepted, or sent, in this process.
    fn is_overtaken(&self, sample: usize) -> bool {
        let topic = &self.samples[sample].topic;
        let Some(book) = &self.spool else {
            return false;
        };
        let newer = self.samples.iter().enumerate().skip(sample + 1);
        let mut newer = newer.skip_while(|(number, _)| *number < book.begun_at);
        newer.any(|(_, sample)| sample.topic == *topic)
    }

    pub(super) fn may_be_unretained(&self, index: usize) -> bool {
        let sample = self.items[index].sample;
        // With live_first it may go and come back between two looks.
        let may_be = |book: &Spooled| book.of.live_first || book.came_back.contains(&sample);
        let came_back = self.spool.as_ref().is_some_and(may_be);
        came_back && self.device.retain && self.is_overtaken(sample)
    }

    /// [`property::NOT_RETAINED`]
    pub(super) fn check_retained(&mut self, index: usize, is_retained: bool) {
        let sample = self.items[index].sample;
        let topic = &self.samples[sample].topic;
        let Some(book) = &mut self.spool else {
            return;
        };
        let newest = book.newest_sent.entry(topic.clone()).or_default();
        let is_newer_sent = *newest > sample && book.came_back.contains(&sample);
        self.verdict.require(
            property::NOT_RETAINED,
            !(is_newer_sent && is_retained),
            || format!("{:?} is sent after {newest}", self.samples[sample]),
        );
        *newest = sample.max(*newest);
    }

    /// [`property::REPLAY`], [`property::AGE`]
    pub(super) fn check_replay(&mut self, index: usize) {
        let sample = self.items[index].sample;
        let (now, at) = (self.clock.get(), self.samples[sample].at);
        let Some(book) = &mut self.spool else {
            return;
        };
        let is_backlog = if book.of.live_first {
            book.came_back.contains(&sample)
        } else {
            at < self.wire.let_in_at
        };
        let rate = book.of.replay_rate;
        if rate > 0 && is_backlog && !book.was_hurried {
            while book.replayed.front().is_some_and(|at| at + 1000 < now) {
                book.replayed.pop_front();
            }
            book.replayed.push_back(now);
            let all = book.replayed.len();
            let lately = book.replayed.iter().filter(|at| **at + 100 > now).count();
            // With live_first the time counts from the first byte of the last message of a burst.
            let more = usize::from(book.of.live_first);
            let may_be = all <= rate + more && lately <= rate.div_ceil(10) + more;
            self.verdict.require(property::REPLAY, may_be, || {
                format!("{all} messages in a second, and {lately} in a tenth, of {rate}")
            });
        }
        let oldest = book.of.max_age * 1000 + book.within() + AGE_SLACK;
        let is_excused = now < book.excused_until;
        // Where samples were dropped from among others, those that were sent before count as younger once they come back.
        let is_vague = book.dropped_before > 0 && book.came_back.contains(&sample);
        let is_known = book.of.max_age > 0 && !book.was_turned_back && !is_vague;
        let may_be = !is_known || is_excused || now - at <= oldest;
        self.verdict.require(property::AGE, may_be, || {
            format!("{:?} is sent at {now}", self.samples[sample])
        });
    }

    /// [`property::LIVE_FIRST`]
    fn check_live(&self) {
        let Some(book) = self.spool.as_ref().filter(|book| book.of.live_first) else {
            return;
        };
        let here = self.items.iter().take(self.items.len() - book.in_log);
        let waiting = here.filter(|item| item.stage == Stage::Queued);
        let back = waiting.filter(|item| book.came_back.contains(&item.sample));
        let count = back.count();
        let most = match book.of.replay_rate {
            0 => MOST_BACK,
            // One burst, and what of the one before is half written or goes again.
            rate => 2 * rate.div_ceil(10) + 1,
        };
        self.verdict.require(
            property::LIVE_FIRST,
            count <= most || self.aside.ever,
            || format!("{count} that came back wait to be sent, of at most {most}"),
        );
    }

    /// [`property::ROOM`]
    fn check_drops(&mut self, counters: &Counters, spool: &Spool<'_>, disk: &Disk) {
        let dropped = counters.dropped;
        // In whole samples: those that were passed over are dropped, or on storage that is away.
        let Some(book) = &mut self.spool else {
            return;
        };
        let more = dropped.saturating_sub(book.dropped);
        let is_fault = spool.fault().is_some() || book.was_away;
        let is_excused = self.clock.get() < book.excused_until;
        let max_age = book.of.max_age;
        let oldest = self.items.iter().map(|item| self.samples[item.sample].at);
        let oldest = oldest.chain(book.elsewhere.iter().map(|of| self.samples[*of].at));
        let oldest = oldest.min().unwrap_or(u64::MAX);
        let is_aged = max_age > 0
            && (book.was_hurried
                || oldest.saturating_add(max_age * 1000) <= self.clock.get() + AGE_SLACK);
        let is_uncertain = dropped <= book.uncertain;
        // One may be free by now.
        let is_full = disk.segments().len() + 1 >= book.of.most_segments;
        let may_be = is_fault || is_excused || is_full || book.has_gone || is_uncertain || is_aged;
        self.verdict
            .require(property::ROOM, more == 0 || may_be, || {
                format!("{more} are dropped")
            });
        if more > 0 {
            book.exact_since = None;
            book.dropped_at = Some(self.clock.get());
        }
        book.dropped = dropped;
        self.counters.dropped = dropped;
    }

    /// [`property::WEAR`]
    fn check_wear(&mut self, outbox: &Outbox<'_>, spool: &Spool<'_>, disk: &Disk) {
        let now = self.clock.get();
        let Some(book) = &mut self.spool else {
            return;
        };
        // What is set aside is written once.
        let aside = self
            .aside
            .items
            .iter()
            .map(|item| self.samples[item.sample].at);
        let aside = aside.filter(|at| at + book.within() > now);
        let waiting = self.items.iter().map(|item| self.samples[item.sample].at);
        let oldest = waiting.chain(aside).min();
        let (_, changes) = disk.written();
        let early = book.of.interval / OLDER_BY + 1;
        let is_old = oldest.is_some_and(|at| at + book.of.interval <= now + early);
        let is_noted = |(sample, _): &(usize, u64)| {
            let at = self.samples[*sample].at;
            book.last_change.is_some_and(|last| at <= last)
        };
        let has_reason = is_old
            || book.was_hurried
            || book.was_away
            || now < book.excused_until
            || (book.dropped_at).is_some_and(|at| now <= at + 2 * book.within())
            || self.stop_by.is_some()
            || outbox.is_half_full()
            || book.spooled + spool.spooled() > 0
            || book.left > 0
            || book.done.iter().any(is_noted);
        if has_reason {
            book.reason_at = Some(now);
        }
        if changes == book.changes {
            return;
        }
        // What is begun comes to its end.
        let lately = now.saturating_sub(book.within() - book.of.interval);
        let may_be = book.reason_at.is_some_and(|at| at >= lately);
        self.verdict.require(property::WEAR, may_be, || {
            let more = changes - book.changes;
            format!("{more} changes at {now}, and the oldest is of {oldest:?}")
        });
        book.changes = changes;
        book.last_change = Some(now);
    }

    /// The bridge's process has ended, in good order or not: what is left on storage?
    pub(super) fn leave_on_storage(&mut self, waiting: Vec<Item>, in_order: bool) {
        let now = self.clock.get();
        let Some(book) = &mut self.spool else {
            return;
        };
        let all_survives = in_order && now >= book.excused_until;
        for item in waiting {
            self.samples[item.sample].may_repeat |= item.stage != Stage::Queued;
            book.elsewhere.insert(item.sample);
        }
        for number in &book.elsewhere {
            let sample = &mut self.samples[*number];
            if *number < book.promised || all_survives {
                sample.survives |= !sample.excused;
            } else {
                sample.excused = true;
            }
        }
        for (sample, _) in std::mem::take(&mut book.done) {
            self.samples[sample].may_repeat = true;
            book.elsewhere.insert(sample);
        }
        book.left = book.elsewhere.len();
        let left = book.elsewhere.iter().map(|sample| &self.samples[*sample]);
        book.uncertain = left.filter(|sample| !sample.survives).count() as u64;
        book.promised = self.samples.len();
        book.begun_at = self.samples.len();
        book.dropped_before += std::mem::take(&mut book.dropped);
        book.exact_since = Some(now);
        book.was_away = false;
        book.was_hurried = false;
        book.has_gone = false;
        book.came_back.clear();
        book.newest_sent.clear();
        book.replayed.clear();
        book.furthest = None;
        book.in_log = 0;
    }
}
