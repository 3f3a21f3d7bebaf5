//! What goes on when the configuration changes? Decided from the old and the new one, before anything is taken apart.
//!
//! | of the old bridge | goes on in the new one |
//! |---|---|
//! | the connection to Redis | if the `redis` block is the same: [`Reload::keeps_feed`], [`Reload::for_each_left`] |
//! | a broker | as far as [`Reload::origin`] says; it [leaves](Broker::leave) if that is not [`Kept::Connection`] |
//! | a sample that waits | under its signal's new number and topic; it is dropped and counted if the signal is gone |
//! | a message in flight | as it was first sent, or in a new session, see [`Session::renumber`](crate::mqtt::session::Session::renumber) |
//! | what a signal last said | if its samples go the same way as before: [`carry_last`] |
//!
//! A port keeps memory and connections from one bridge to the next, and does what is decided here.

use super::Broker;
use crate::config::{Config, Device, Signal};
use crate::counters::Counters;
use crate::index::{self, Index};
use crate::log::warning;
use crate::net::Network;
use crate::outbox::{NewSignal, Room};
use crate::routes::LastSample;
use crate::sample::{Quality, Sample};

/// An old and a new configuration, side by side.
pub struct Reload<'a> {
    old: &'a Config<'a>,
    new: &'a Config<'a>,
    /// From channels to the new signals.
    index: Index<'a>,
}

/// How much of a broker goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// All of it: the device has not changed.
    Connection,
    /// The device has changed, but its session with the broker goes on over a new connection: nothing is sent twice.
    Session,
    /// The device has changed in more than that: what has not been confirmed is sent in a new session.
    Samples,
}

/// Where the broker of a new device comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Number of its old device.
    pub device: usize,
    pub kept: Kept,
}

/// What becomes of an old signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Successor {
    pub signal: NewSignal,
    /// Its samples go the same way as before, so that what it last said still counts.
    pub is_unchanged: bool,
}

impl<'a> Reload<'a> {
    /// `slots` are [`Index::slots_for`] all signals of `new`.
    pub fn new(old: &'a Config<'a>, new: &'a Config<'a>, slots: &'a mut [u32]) -> Self {
        let mut index = Index::new(slots);
        for (number, signal) in (0..).zip(new.signals) {
            let hash = index::hash(&channel(new, signal).map(str::as_bytes));
            // A signal without a slot would be one that is new.
            let _ = index.insert(hash, number);
        }
        Reload { old, new, index }
    }

    /// Whether the connection to Redis goes on.
    #[must_use]
    pub fn keeps_feed(&self) -> bool {
        self.old.redis == self.new.redis
    }

    /// Where the broker of this new device comes from; `None`: nowhere. `is_same_way` is asked about the old device's number: are its bytes
    /// carried as before? Files that the configuration only names may have changed.
    pub fn origin(
        &self,
        device: &Device<'_>,
        is_same_way: impl FnOnce(usize) -> bool,
    ) -> Option<Origin> {
        let mut devices = self.old.devices.iter().enumerate();
        let (number, old) = devices.find(|(_, old)| old.alias == device.alias)?;
        // The row's place in its file does not count.
        let at_same_place = Device {
            row: old.row,
            ..*device
        };
        let kept = if *old == at_same_place && is_same_way(number) {
            Kept::Connection
        } else if is_same_session(old, device) {
            Kept::Session
        } else {
            Kept::Samples
        };
        Some(Origin {
            device: number,
            kept,
        })
    }

    /// What becomes of the old signal of this number; `None`: it is gone. `origins` are those of all new devices.
    #[must_use]
    pub fn successor(&self, signal: usize, origins: &[Option<Origin>]) -> Option<Successor> {
        let old = self.old.signals.get(signal)?;
        let number = self.find(&channel(self.old, old))?;
        let new = self.new.signals.get(number as usize)?;
        let origin = origins.get(usize::from(new.device)).copied().flatten();
        // The device's number does not count.
        let at_same_place = Signal {
            device: old.device,
            ..*new
        };
        Some(Successor {
            signal: NewSignal {
                number,
                has_moved: new.topic != old.topic || new.is_named != old.is_named,
            },
            is_unchanged: *old == at_same_place
                && origin.is_some_and(|origin| origin.kept != Kept::Samples),
        })
    }

    /// Calls `each` with the pieces of every channel that is to be left: those of signals that are gone, and of `unfinished`, which the reload
    /// before left and Redis has not been told of, those that have not come back.
    pub fn for_each_left(&self, unfinished: &[&str], mut each: impl FnMut(&[&str])) {
        for signal in self.old.signals {
            let channel = channel(self.old, signal);
            if self.find(&channel).is_none() {
                each(&channel);
            }
        }
        for channel in unfinished {
            if self.find(&[*channel]).is_none() {
                each(&[*channel]);
            }
        }
    }

    /// The number of the new signal on the channel of these pieces.
    fn find<const N: usize>(&self, pieces: &[&str; N]) -> Option<u32> {
        let hash = index::hash(&pieces.map(str::as_bytes));
        self.index.lookup(hash, |number| {
            let signal = self.new.signals.get(number as usize);
            signal.is_some_and(|signal| {
                let name = channel(self.new, signal);
                let name = name.iter().flat_map(|piece| piece.bytes());
                name.eq(pieces.iter().flat_map(|piece| piece.bytes()))
            })
        })
    }
}

/// What the signals last said, from the old numbers to the new ones.
pub fn carry_last(
    successors: &[Option<Successor>],
    last: &[LastSample],
    new_last: &mut [LastSample],
) {
    for (successor, last) in successors.iter().zip(last) {
        if let Some(successor) = successor
            && successor.is_unchanged
            && let Some(slot) = new_last.get_mut(successor.signal.number as usize)
        {
            *slot = *last;
        }
    }
}

/// The samples of a broker that has [left](Broker::leave), where a new session has to send them: [`Kept::Samples`], or a device that is gone.
impl<N: Network> Broker<'_, N> {
    /// Calls `each` with the old signal's number of every sample that has not been confirmed, with the sample, and with when it was accepted,
    /// if that counts, oldest first; the counters that its next broker begins with.
    pub fn hand_over(&self, mut each: impl FnMut(u32, &Sample<'_>, Option<u32>)) -> Counters {
        let mut samples = 0_u64;
        self.session()
            .outbox()
            .for_each_unconfirmed(|signal, sample, accepted| {
                samples += 1;
                each(signal, sample, accepted);
            });
        let counters = self.counters_without_spool();
        // What is in flight is sent once more, and counted then.
        let in_flight = samples.saturating_sub(counters.queued);
        Counters {
            sent: counters.sent.saturating_sub(in_flight),
            ..counters
        }
    }

    /// The counters go on from these, and these samples are queued: each one's new number of its signal, `value,timestamp`, quality, and when it
    /// was accepted. Those whose signals are gone are dropped, and counted.
    pub fn take_over<'s>(
        &mut self,
        counters: Counters,
        samples: impl Iterator<Item = (Option<u32>, &'s [u8], Quality, Option<u32>)>,
    ) {
        self.resume_counters(counters);
        let alias = self.device().alias;
        let session = self.session_mut();
        let mut gone = 0;
        for (signal, text, quality, accepted) in samples {
            let (Some(signal), Some(sample)) = (signal, Sample::of_text(text, quality)) else {
                gone += 1;
                continue;
            };
            session.accepted_then(accepted);
            // A signal's memory was not carried over, so none has to be cleared.
            while !session.queue(signal, false, &sample) {
                if session.make_room(&sample) == Room::None {
                    break;
                }
            }
        }
        if gone > 0 {
            warning!(
                "{}: {} samples are dropped, whose signals are not enabled any more",
                alias,
                gone
            );
        }
        session.count_dropped(gone);
    }

    /// The last counters of a broker whose device is gone: nobody will send what waits.
    #[must_use]
    pub fn give_up(&self) -> Counters {
        let counters = self.counters_without_spool();
        let queued = counters.queued;
        if queued > 0 {
            warning!(
                "{}: not enabled any more, {} samples that waited are dropped",
                self.device().alias,
                queued
            );
        }
        Counters {
            queued: 0,
            dropped: counters.dropped + queued,
            ..counters
        }
    }
}

fn channel<'a>(config: &Config<'a>, signal: &Signal<'a>) -> [&'a str; 5] {
    let alias = config
        .devices
        .get(usize::from(signal.device))
        .map_or("", |device| device.alias);
    signal.channel_pieces(alias)
}

/// Whether the broker knows both devices, of the same alias, as one client, and the outbox can go on as it is.
fn is_same_session(old: &Device<'_>, new: &Device<'_>) -> bool {
    let client = |device: &Device<'_>| (device.version, device.qos);
    // What is repeated has the contents that it had.
    let outbox = |device: &Device<'_>| (device.retain, device.buffer_size, device.payload);
    (old.host, old.port, old.client_id) == (new.host, new.port, new.client_id)
        && client(old) == client(new)
        && outbox(old) == outbox(new)
}
