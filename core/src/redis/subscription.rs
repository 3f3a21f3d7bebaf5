//! Which channels has the server been asked for, and which of them has it confirmed?
//!
//! Each SUBSCRIBE and each UNSUBSCRIBE names one channel. So each reply is about one channel, and the server, which refuses a command
//! as a whole, refuses no other one with it. Replies come in the order of the commands: a confirmation is right only if it names the
//! next channel that was asked for. Any other one, counted as ours, would hide that a signal is not heard.

use crate::config::Config;

/// The channels to subscribe to, by number.
pub trait Channels {
    /// Channels are numbered from 0 up to this, not included.
    fn count(&self) -> usize;

    /// The pieces of a channel's name, if this number is in use.
    fn channel(&self, number: usize) -> Option<[&[u8]; 5]>;
}

impl Channels for &Config<'_> {
    fn count(&self) -> usize {
        self.signals.len()
    }

    fn channel(&self, number: usize) -> Option<[&[u8]; 5]> {
        let signal = self.signals.get(number)?;
        let device = self.devices.get(usize::from(signal.device))?;
        Some(signal.channel_pieces(device.alias).map(str::as_bytes))
    }
}

/// How far a subscription has come, over one connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Subscription {
    /// Number of the next channel to ask for.
    next_asked: usize,
    /// Number of the next channel to be answered.
    next_answered: usize,
    confirmed: usize,
    /// Answers still to come for an earlier set of channels: their names are gone.
    earlier: usize,
    /// How many of the channels to be left were named to the server.
    left: usize,
}

/// A channel by its number and the pieces of its name.
pub(super) type Numbered<'c> = (usize, [&'c [u8]; 5]);

impl Subscription {
    /// The one of a new connection: nothing is subscribed to, and so none of the `left` channels is to be left.
    pub fn begin(left: &[&str]) -> Self {
        Subscription {
            left: left.len(),
            ..Subscription::default()
        }
    }

    /// The same connection with another set of channels, and others to be left, while so many SUBSCRIBE wait for their replies.
    pub fn change(unanswered: usize) -> Self {
        Subscription {
            earlier: unanswered,
            ..Subscription::default()
        }
    }

    /// Channels confirmed.
    pub fn confirmed(&self) -> usize {
        self.confirmed
    }

    /// How many of the channels to be left were named to the server.
    pub fn left(&self) -> usize {
        self.left
    }

    /// One more of the channels to be left was named to the server.
    pub fn leave(&mut self) {
        self.left += 1;
    }

    /// The next channel to ask for; `None` if there is none.
    pub fn next<'c>(&self, channels: &'c impl Channels) -> Option<Numbered<'c>> {
        first_of(self.next_asked..channels.count(), channels)
    }

    /// The server was asked for this channel.
    pub fn asked(&mut self, number: usize) {
        self.next_asked = number + 1;
    }

    /// The server has answered a SUBSCRIBE: of which channel, if that is none of an earlier set.
    pub fn answered<'c>(&mut self, channels: &'c impl Channels) -> Option<Numbered<'c>> {
        if let Some(earlier) = self.earlier.checked_sub(1) {
            self.earlier = earlier;
            return None;
        }
        let channel = first_of(self.next_answered..self.next_asked, channels)?;
        self.next_answered = channel.0 + 1;
        Some(channel)
    }

    /// The channel that was answered last is subscribed to.
    pub fn confirm(&mut self) {
        self.confirmed += 1;
    }

    /// Whether every channel is answered, and none confirmed.
    pub fn is_refused(&self, channels: &impl Channels) -> bool {
        self.confirmed == 0 && first_of(self.next_answered..channels.count(), channels).is_none()
    }
}

/// The first channel of these whose number is in use.
fn first_of(
    mut numbers: core::ops::Range<usize>,
    channels: &impl Channels,
) -> Option<Numbered<'_>> {
    numbers.find_map(|number| Some((number, channels.channel(number)?)))
}
