//! What a link asks of a session, and what a session tells a link.

use core::fmt::Display;

use crate::secret::Secrets;
use crate::time::Instant;

/// A sans-IO session, as a link drives it. After any of these calls, all of [`output`](Protocol::output) is drained before the
/// link waits.
pub trait Protocol {
    /// Why the session wants a connection closed.
    type Close: Display;

    /// A connection is open.
    ///
    /// # Errors
    /// Here and below: the reason to close it.
    fn opened(&mut self, now: Instant) -> Result<(), Self::Close>;

    /// Where received bytes go; empty while output must be drained first.
    fn input(&mut self) -> &mut [u8];

    /// `count` bytes were received into the input.
    fn received(&mut self, count: usize, now: Instant) -> Result<(), Self::Close>;

    /// What to write next; empty if there is nothing.
    fn output(&mut self, now: Instant) -> Result<&[u8], Self::Close>;

    /// The network took the first `count` bytes of the output.
    fn sent(&mut self, count: usize, now: Instant);

    /// When [`expire`](Protocol::expire) has something to do.
    fn deadline(&self) -> Instant;

    /// The deadline may have passed.
    fn expire(&mut self, now: Instant) -> Result<(), Self::Close>;

    /// What is still to be said before the connection is closed for this reason, as far as the network takes it at once.
    fn last_words(&mut self, _close: &Self::Close) -> &[u8] {
        &[]
    }

    /// What is masked in all that is said of a connection.
    fn secrets(&self) -> Secrets<'_> {
        Secrets::NONE
    }

    /// The connection is gone. The answer tells when to try again.
    fn closed(&mut self, by: &ClosedBy<Self::Close>, now: Instant) -> Retry;
}

/// Who ended a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClosedBy<C> {
    /// This side, for the reason given.
    Us(C),
    /// The peer, in good order or not.
    Peer,
    /// The network: nobody knows.
    Network,
}

/// When to connect again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Without delay, and without counting as a failure.
    AtOnce,
    /// Likewise, and the delays start over: the cause of the failures is removed.
    StartOver,
    BackOff,
    /// The peer lets us in and does nothing for us, for so many connections in a row, from 0 on: the more, the later.
    Later(u8),
    /// Only a change of the configuration, here or at the peer, will help.
    Permanent,
    /// Thrown out so often right after being let in that another client must have the same name.
    Displaced,
    /// All is said.
    Never,
}
