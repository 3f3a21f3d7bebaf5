//! What does the server refuse without an end of the subscription, and what of that has the log told?
//!
//! An error in answer to PING or UNSUBSCRIBE is a sign of life like any other. A channel that the server refuses (NOPERM) stops no
//! other one. Each is told in a warning once, and again only when it has changed. Of many refused channels the first are named, and
//! the others counted.

use core::fmt;

use super::close::Close;
use crate::index;
use crate::log::{Printed, Text, warning};
use crate::secret::Secrets;

/// Most channels that are named.
const NAMED: usize = 10;

/// What was refused, and told. It outlives a connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Refusals {
    /// Hash of the error that the last PING was answered with, if it was.
    ping: Option<u32>,
    /// Over this connection an UNSUBSCRIBE was answered with an error.
    unsubscribe: bool,
    /// Numbers of the channels that were named, and not permitted since.
    named: heapless::Vec<usize, NAMED>,
    /// How many others were refused over this connection.
    others: usize,
    /// How many others the log told of last.
    told: usize,
}

impl Refusals {
    /// The same, for the next connection, or for the next set of channels.
    pub fn next(&self, same_channels: bool) -> Self {
        let mut next = Refusals {
            ping: self.ping,
            unsubscribe: self.unsubscribe && !same_channels,
            ..Refusals::default()
        };
        if same_channels {
            next.named.clone_from(&self.named);
            next.told = self.told;
        }
        next
    }

    pub fn ping_is_answered(&mut self) {
        self.ping = None;
    }

    pub fn ping_is_refused(&mut self, words: &[u8], secrets: Secrets<'_>) {
        let error = Some(index::hash(&[words]));
        if self.ping != error {
            self.ping = error;
            warn("PING", words, secrets);
        }
    }

    pub fn unsubscribe_is_refused(&mut self, words: &[u8], secrets: Secrets<'_>) {
        if !self.unsubscribe {
            self.unsubscribe = true;
            warn("UNSUBSCRIBE", words, secrets);
        }
    }

    /// Whether UNSUBSCRIBE makes sense.
    pub fn may_unsubscribe(&self) -> bool {
        !self.unsubscribe
    }

    pub fn channel_is_refused(
        &mut self,
        number: usize,
        channel: [&[u8]; 5],
        words: &[u8],
        secrets: Secrets<'_>,
    ) {
        if self.named.contains(&number) {
            return;
        }
        if self.named.push(number).is_ok() {
            warning!(
                "redis: no subscription to {}: {}",
                Printed(Joined(channel)),
                Printed(Close::error_reply(words, secrets))
            );
        } else {
            self.others += 1;
        }
    }

    pub fn channel_is_permitted(&mut self, number: usize) {
        self.named.retain(|named| *named != number);
    }

    /// Every channel is answered.
    pub fn all_is_answered(&mut self) {
        if self.others != self.told && self.others > 0 {
            warning!("redis: no subscription to {} more channels", self.others);
        }
        self.told = self.others;
    }
}

fn warn(command: &str, words: &[u8], secrets: Secrets<'_>) {
    warning!(
        "redis: {} is answered with an error, the subscription stays; {}",
        command,
        Printed(Close::error_reply(words, secrets))
    );
}

/// A channel's name.
struct Joined<'c>([&'c [u8]; 5]);

impl fmt::Display for Joined<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|piece| Text(piece).fmt(f))
    }
}
