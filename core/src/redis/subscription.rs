//! Which channels has the server been asked for, and which of them has it confirmed?
//!
//! The server answers a SUBSCRIBE or an UNSUBSCRIBE with one reply for each channel, in the order in which they were named. So
//! a confirmation is right only if it names the next channel that was asked for: any other one, counted as ours, would hide
//! that a signal is not heard.

use super::command::{Commands, NoRoom};

/// The channels to subscribe to, by number.
pub trait Channels {
    /// Channels are numbered from 0 up to this, not included.
    fn count(&self) -> usize;

    /// The pieces of a channel's name, if this number is in use.
    fn channel(&self, number: usize) -> Option<[&[u8]; 5]>;
}

/// How far a subscription has come, over one connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Subscription {
    /// Number of the next channel to ask for.
    next_asked: usize,
    /// Number of the next channel to be confirmed.
    next_confirmed: usize,
    asked: usize,
    confirmed: usize,
    /// Confirmations still to come for an earlier set of channels: their names are gone.
    earlier: usize,
    /// How many of the channels to be left were named to the server.
    left: usize,
    /// Channels that UNSUBSCRIBE named and the server has not confirmed.
    leaving: usize,
}

/// The reply is not to what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unasked;

impl Subscription {
    /// The one of a new connection: nothing is subscribed to, and so none of the `left` channels is to be left.
    pub fn begin(left: &[&str]) -> Self {
        Subscription {
            left: left.len(),
            ..Subscription::default()
        }
    }

    /// The same connection with another set of channels, and others to be left.
    pub fn change(&self) -> Self {
        Subscription {
            earlier: self.earlier + self.asked - self.confirmed,
            leaving: self.leaving,
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

    /// Writes one UNSUBSCRIBE, or one SUBSCRIBE, of as many of the next channels as fit; whether there was one to be written.
    ///
    /// # Errors
    /// [`NoRoom`], not even for one channel.
    pub fn ask(
        &mut self,
        commands: &mut Commands<'_>,
        channels: &impl Channels,
        left: &[&str],
    ) -> Result<bool, NoRoom> {
        let rest = left.get(self.left..).unwrap_or_default();
        if !rest.is_empty() {
            let names = rest.iter().map(|name| [name.as_bytes()]);
            let named = commands.push_channels(b"UNSUBSCRIBE", names)?;
            self.left += named;
            self.leaving += named;
            return Ok(true);
        }
        let numbers = (self.next_asked..channels.count())
            .filter_map(|number| Some((number, channels.channel(number)?)));
        if numbers.clone().next().is_none() {
            return Ok(false);
        }
        let names = numbers.clone().map(|(_, name)| name);
        let named = commands.push_channels(b"SUBSCRIBE", names)?;
        if let Some((last, _)) = numbers.take(named).last() {
            self.next_asked = last + 1;
        }
        self.asked += named;
        Ok(true)
    }

    /// Writes UNSUBSCRIBE of one more channel.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub fn leave(&mut self, commands: &mut Commands<'_>, channel: &[u8]) -> Result<(), NoRoom> {
        self.leaving += commands.push_channels(b"UNSUBSCRIBE", [[channel]].iter())?;
        Ok(())
    }

    /// The server confirms a SUBSCRIBE of `channel`.
    ///
    /// # Errors
    /// [`Unasked`]: it is not the next one that was asked for.
    pub fn confirm(&mut self, channel: &[u8], channels: &impl Channels) -> Result<(), Unasked> {
        if let Some(earlier) = self.earlier.checked_sub(1) {
            self.earlier = earlier;
            return Ok(());
        }
        let (number, name) = (self.next_confirmed..self.next_asked)
            .find_map(|number| Some((number, channels.channel(number)?)))
            .ok_or(Unasked)?;
        if !name.into_iter().flatten().eq(channel) {
            return Err(Unasked);
        }
        self.next_confirmed = number + 1;
        self.confirmed += 1;
        Ok(())
    }

    /// The server confirms an UNSUBSCRIBE.
    ///
    /// # Errors
    /// [`Unasked`].
    pub fn confirm_left(&mut self) -> Result<(), Unasked> {
        self.leaving = self.leaving.checked_sub(1).ok_or(Unasked)?;
        Ok(())
    }

    /// Whether everything that was asked for is confirmed.
    pub fn is_confirmed(&self) -> bool {
        self.earlier == 0 && self.confirmed == self.asked
    }
}
