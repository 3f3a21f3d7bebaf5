//! What the bridge asks of a way out: the seam between the samples and the protocol that carries them away.
//!
//! [`mqtt::session::Session`](Session) is the product's. Another one implements this trait and [`Protocol`], and uses the same
//! [`Outbox`](crate::outbox::Outbox); `core/tests/sink` has one that writes lines to a TCP peer.

use crate::counters::Counters;
#[cfg(feature = "health")]
use crate::health::Redis;
use crate::mqtt::close::Close;
use crate::mqtt::session::{Event, Session};
use crate::net::protocol::{ClosedBy, Protocol};
#[cfg(feature = "spool")]
use crate::outbox::Held;
use crate::outbox::Room;
use crate::sample::Sample;
use crate::time::Instant;

/// A way out for the samples of one device, driven by a link.
pub trait Sink: Protocol {
    /// Samples that are queued from now on were accepted at this time, in milliseconds from time 0: for a sink that counts how long they wait.
    fn accepts_at(&mut self, _millis: i64) {}

    /// Queues a sample of the signal of this number. `is_aside`: an [event](Event::SetAside) said that its topic is. `false` if there is no
    /// room for it.
    fn queue(&mut self, signal: u32, is_aside: bool, sample: &Sample<'_>) -> bool;

    /// Makes room for a sample, to be called again until it no longer says that another one was dropped for it. Counts what it drops.
    fn make_room(&mut self, sample: &Sample<'_>) -> Room;

    /// The next thing to tell; drained after every call of another method.
    fn poll_event(&mut self) -> Option<Event<'_>>;

    /// From now on packets are events too, or no more so.
    fn watch(&mut self, is_watched: bool);

    /// Nothing more will be queued: the session is to end in good order once all is delivered.
    fn stop(&mut self);

    /// The session is to end now, whatever is left.
    fn leave(&mut self);

    /// The connection on which it was to [leave](Sink::leave) is closed.
    fn left(&mut self, now: Instant);

    /// Whether a stopped session has nothing left to do, and no connection to end.
    fn is_finished(&self) -> bool;

    /// Says, at the end, how many samples nobody will deliver any more.
    fn report_undelivered(&self);

    /// Where its samples wait; a sink that has none has no spool.
    #[cfg(feature = "spool")]
    fn outbox(&self) -> Option<&crate::outbox::Outbox<'_>> {
        None
    }

    /// What is not delivered at the end is not lost: nothing is to be said of it.
    #[cfg(feature = "spool")]
    fn leave_to_spool(&mut self) {}

    /// Queues a sample that comes back from a spool, see [`Sink::queue`]. `is_overtaken`: a later one of its signal did not wait for it.
    #[cfg(feature = "spool")]
    fn queue_returned(
        &mut self,
        signal: u32,
        is_aside: bool,
        is_overtaken: bool,
        sample: &Sample<'_>,
    ) -> bool {
        let _ = is_overtaken;
        self.queue(signal, is_aside, sample)
    }

    /// Takes samples out that have not been sent, see [`Outbox::withdraw`](crate::outbox::Outbox::withdraw); how many.
    #[cfg(feature = "spool")]
    fn withdraw(&mut self, is_taken: &mut dyn FnMut(Held) -> bool) -> usize {
        let _ = is_taken;
        0
    }

    /// Drops what has waited for too long, and calls `forget` with the signal of each; when to look again.
    #[cfg(feature = "spool")]
    fn drop_aged(&mut self, now: Instant, forget: &mut dyn FnMut(u32)) -> Instant {
        let _ = (now, forget);
        Instant::NEVER
    }

    /// So many samples that came back were dropped, since they had waited for too long.
    #[cfg(feature = "spool")]
    fn count_aged(&mut self, now: Instant, count: u64) {
        let _ = (now, count);
    }

    /// So many samples wait in a spool; `None`: they come at their own pace.
    #[cfg(feature = "spool")]
    fn set_backlog(&mut self, elsewhere: Option<u64>) {
        let _ = elsewhere;
    }

    /// All that waits is a backlog.
    #[cfg(feature = "spool")]
    fn begin_replay(&mut self) {}

    /// Whether samples that are queued go out now.
    #[cfg(feature = "spool")]
    fn is_online(&self) -> bool {
        true
    }

    /// Whether it is to [tell](Sink::tell_health) whoever subscribes how the device is.
    #[cfg(feature = "health")]
    fn is_health_due(&self, now: Instant) -> bool {
        let _ = now;
        false
    }

    /// Tells that, by these counters.
    #[cfg(feature = "health")]
    fn tell_health(&mut self, now: Instant, counters: &Counters, redis: Redis) {
        let _ = (now, counters, redis);
    }

    /// Its own part of the counters: what became of the samples that were queued.
    fn counters(&self) -> Counters;
}

impl Sink for Session<'_> {
    #[inline]
    fn accepts_at(&mut self, millis: i64) {
        Session::accepts_at(self, millis);
    }

    #[inline]
    fn queue(&mut self, signal: u32, is_aside: bool, sample: &Sample<'_>) -> bool {
        Session::queue(self, signal, is_aside, sample)
    }

    fn make_room(&mut self, sample: &Sample<'_>) -> Room {
        Session::make_room(self, sample)
    }

    #[inline]
    fn poll_event(&mut self) -> Option<Event<'_>> {
        Session::poll_event(self)
    }

    fn watch(&mut self, is_watched: bool) {
        Session::watch(self, is_watched);
    }

    fn stop(&mut self) {
        Session::stop(self);
    }

    fn leave(&mut self) {
        Session::leave(self);
    }

    fn left(&mut self, now: Instant) {
        self.closed(&ClosedBy::Us(Close::Finished), now);
    }

    fn is_finished(&self) -> bool {
        self.is_stopping() && self.is_idle() && !self.is_connected()
    }

    fn report_undelivered(&self) {
        Session::report_undelivered(self);
    }

    #[cfg(feature = "spool")]
    fn outbox(&self) -> Option<&crate::outbox::Outbox<'_>> {
        Some(Session::outbox(self))
    }

    #[cfg(feature = "spool")]
    fn leave_to_spool(&mut self) {
        Session::leave_to_spool(self);
    }

    #[cfg(feature = "spool")]
    fn queue_returned(
        &mut self,
        signal: u32,
        is_aside: bool,
        is_overtaken: bool,
        sample: &Sample<'_>,
    ) -> bool {
        Session::queue_returned(self, signal, is_aside, is_overtaken, sample)
    }

    #[cfg(feature = "spool")]
    fn withdraw(&mut self, is_taken: &mut dyn FnMut(Held) -> bool) -> usize {
        Session::withdraw(self, is_taken)
    }

    #[cfg(feature = "spool")]
    fn drop_aged(&mut self, now: Instant, forget: &mut dyn FnMut(u32)) -> Instant {
        Session::drop_aged(self, now, forget)
    }

    #[cfg(feature = "spool")]
    fn count_aged(&mut self, now: Instant, count: u64) {
        Session::count_aged(self, now, count);
    }

    #[cfg(feature = "spool")]
    fn set_backlog(&mut self, elsewhere: Option<u64>) {
        Session::set_backlog(self, elsewhere);
    }

    #[cfg(feature = "spool")]
    fn begin_replay(&mut self) {
        Session::begin_replay(self);
    }

    #[cfg(feature = "spool")]
    fn is_online(&self) -> bool {
        Session::is_online(self)
    }

    #[cfg(feature = "health")]
    fn is_health_due(&self, now: Instant) -> bool {
        Session::is_health_due(self, now)
    }

    #[cfg(feature = "health")]
    fn tell_health(&mut self, now: Instant, counters: &Counters, redis: Redis) {
        Session::tell_health(self, now, counters, redis);
    }

    fn counters(&self) -> Counters {
        Session::counters(self)
    }
}
