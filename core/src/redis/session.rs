//! One subscription at the local Redis: what is to be said when, and what if nothing comes back.
//!
//! The session takes bytes and the time, and gives messages, bytes and the next deadline. It goes on over many
//! connections: [`opened`](Session::opened) and [`closed`](Session::closed) mark them. While one is open, in any order:
//!
//! - what the network received goes into [`input`](Session::input), then [`received`](Session::received), then
//!   [`next_incoming`](Session::next_incoming) until it gives nothing;
//! - what [`output`](Session::output) gives goes to the network, then [`sent`](Session::sent), until it gives nothing;
//! - at [`deadline`](Session::deadline), [`expire`](Session::expire).
//!
//! An error from any of these is the reason to close the connection.

use core::fmt;

pub use super::close::Close;
use super::command::{Commands, NoRoom};
use super::oversized::{MAX_HEAD, Oversized};
use super::resp::{Frame, channel_of_beginning, frame};
pub use super::subscription::Channels;
use super::subscription::{Subscription, Unasked};
use crate::bytes::move_within;
use crate::config::{MAX_CHANNEL, Redis};
use crate::log::{Text, info, trace};
use crate::time::{Instant, SECOND};

/// Smallest input buffer in bytes: a whole message on the longest channel, with room to spare.
pub const MIN_INPUT: usize = 512;

/// A link that is silent for so long is asked with PING.
const PING_AFTER: u64 = 15 * SECOND;

/// An answer that takes longer does not come.
const ANSWER_WITHIN: u64 = 15 * SECOND;

/// Storage for the session, all of it the caller's.
pub struct Storage<'a> {
    /// From the server; at least [`MIN_INPUT`] bytes. One read fills it at most: the larger, the fewer reads.
    pub input: &'a mut [u8],
    /// To the server; at least [`Session::commands_len`] bytes. The larger, the more channels one SUBSCRIBE names.
    pub commands: &'a mut [u8],
}

/// A subscription; see the module's page.
pub struct Session<'a> {
    redis: &'a Redis<'a>,
    input: &'a mut [u8],
    commands: Commands<'a>,
    /// Channels of an earlier set, to be left.
    left: &'a [&'a str],
    state: State,
}

/// What a session must remember beside its storage, see [`Session::resume`].
#[derive(Debug, Clone, Default)]
pub struct State {
    phase: Phase,
    /// The bytes of the input that are not handled yet.
    unread: core::ops::Range<usize>,
    /// The input begins inside a frame that does not fit it.
    oversized: Option<Oversized>,
    last_received: Instant,
    /// When an unanswered PING was queued.
    ping: Option<Instant>,
    /// AUTH went out, and nothing has come back: the answer may repeat the password.
    awaits_auth: bool,
    subscription: Subscription,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    #[default]
    Offline,
    Subscribing,
    Subscribed,
}

/// What came from the server.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming<'s> {
    Message {
        channel: &'s [u8],
        payload: &'s [u8],
    },
    /// A frame that does not fit the input is being passed over; the channel, if its beginning told.
    Oversized { channel: Option<&'s [u8]> },
}

impl<'a> Session<'a> {
    pub fn new(redis: &'a Redis<'a>, storage: Storage<'a>) -> Self {
        Self::resume(redis, storage, State::default(), &[])
    }

    /// The session that [`Session::suspend`] ended, in the same storage. A changed set of channels is subscribed to anew,
    /// over those that are; `left` are those that are no more among them.
    pub fn resume(
        redis: &'a Redis<'a>,
        storage: Storage<'a>,
        state: State,
        left: &'a [&'a str],
    ) -> Self {
        let mut session = Session {
            redis,
            input: storage.input,
            commands: Commands::new(storage.commands),
            left,
            state,
        };
        if session.state.phase != Phase::Offline {
            session.state.phase = Phase::Subscribing;
            session.state.subscription = session.state.subscription.change();
        }
        session
    }

    /// Ends the session, and keeps what is needed to go on; `None` if a command is half written, and the connection of no
    /// more use.
    #[must_use]
    pub fn suspend(self) -> Option<State> {
        self.commands.pending().is_empty().then_some(self.state)
    }

    /// Those of the channels to be left that the server has not been told of yet.
    #[must_use]
    pub fn still_to_leave(&self) -> &'a [&'a str] {
        match self.state.phase {
            Phase::Offline => &[],
            Phase::Subscribing | Phase::Subscribed => self
                .left
                .get(self.state.subscription.left()..)
                .unwrap_or_default(),
        }
    }

    /// Bytes of command storage that are needed: for each of AUTH, SELECT and the longest channel's SUBSCRIBE.
    #[must_use]
    pub fn commands_len(redis: &Redis<'_>) -> usize {
        let user = redis.username.map_or(0, str::len);
        let password = redis.password.map_or(0, |password| password.expose().len());
        let auth = Commands::encoded_len([4, user, password].into_iter());
        let select = Commands::encoded_len([6, 10].into_iter());
        // SUBSCRIBE reserves room for the longest count that could stand in its head.
        auth + select + Commands::encoded_len([9, MAX_CHANNEL].into_iter()) + 32
    }

    /// A connection is open.
    ///
    /// # Errors
    /// [`Close::CommandsTooSmall`].
    pub fn opened(&mut self, now: Instant) -> Result<(), Close> {
        self.commands.clear();
        self.state = State {
            phase: Phase::Subscribing,
            last_received: now,
            subscription: Subscription::begin(self.left),
            ..State::default()
        };
        if let Some(password) = &self.redis.password {
            let password = password.expose().as_bytes();
            self.state.awaits_auth = true;
            match self.redis.username {
                Some(user) => self.command(&[b"AUTH", user.as_bytes(), password])?,
                None => self.command(&[b"AUTH", password])?,
            }
        }
        if self.redis.database != 0 {
            let mut digits = heapless::String::<10>::new();
            // Ten digits hold any u32.
            let _ = fmt::Write::write_fmt(&mut digits, format_args!("{}", self.redis.database));
            self.command(&[b"SELECT", digits.as_bytes()])?;
        }
        Ok(())
    }

    /// The connection is gone.
    pub fn closed(&mut self) {
        self.commands.clear();
        self.state = State::default();
    }

    /// Whether every channel is subscribed to.
    #[must_use]
    pub fn is_subscribed(&self) -> bool {
        self.state.phase == Phase::Subscribed
    }

    /// Where received bytes go: behind those that are not read yet, which move to the front.
    pub fn input(&mut self) -> &mut [u8] {
        let unread = self.state.unread.clone();
        if unread.start > 0 {
            self.state.unread = 0..unread.len();
            move_within(self.input, unread, 0);
        }
        self.input
            .get_mut(self.state.unread.end..)
            .unwrap_or_default()
    }

    /// `count` bytes were received into [`Session::input`].
    pub fn received(&mut self, count: usize, now: Instant) {
        let from = self.state.unread.end;
        self.state.unread.end = (from + count).min(self.input.len());
        self.state.last_received = now;
        self.state.ping = None;
        if self.state.awaits_auth {
            trace!("redis: {} bytes received, the answer to AUTH", count);
            return;
        }
        let new = self
            .input
            .get(from..self.state.unread.end)
            .unwrap_or_default();
        trace!("redis: {} bytes received: {}", count, Text(new));
    }

    /// The next message in the input; `None` when more bytes are needed.
    ///
    /// # Errors
    /// The reason to close the connection.
    pub fn next_incoming(
        &mut self,
        channels: &impl Channels,
    ) -> Result<Option<Incoming<'_>>, Close> {
        loop {
            let bytes = self
                .input
                .get(self.state.unread.clone())
                .unwrap_or_default();
            if let Some(oversized) = &mut self.state.oversized {
                let (passed, whole) = oversized.pass(bytes).map_err(|_| Close::Malformed)?;
                self.state.unread.start += passed;
                if !whole {
                    return Ok(None);
                }
                self.state.oversized = None;
                continue;
            }
            match frame(bytes).map_err(|_| Close::Malformed)? {
                Some((Frame::Message { channel, payload }, len)) => {
                    self.state.unread.start += len;
                    return Ok(Some(Incoming::Message { channel, payload }));
                }
                Some((other, len)) => {
                    self.state.unread.start += len;
                    Self::handle(&mut self.state, &other, channels)?;
                }
                None if bytes.len() >= self.input.len() => {
                    if let [b'-', words @ ..] = bytes {
                        return Err(Close::error_reply(words));
                    }
                    self.state.oversized = Some(Oversized::NEW);
                    return Ok(Some(Incoming::Oversized {
                        channel: channel_of_beginning(bytes),
                    }));
                }
                None => return Ok(None),
            }
        }
    }

    /// What to write next; empty if there is nothing.
    ///
    /// # Errors
    /// [`Close::CommandsTooSmall`].
    pub fn output(&mut self, channels: &impl Channels) -> Result<&[u8], Close> {
        if self.commands.pending().is_empty() {
            self.ask(channels)?;
        }
        Ok(self.commands.pending())
    }

    /// The network took the first `count` bytes of [`Session::output`].
    pub fn sent(&mut self, count: usize) {
        // Not shown at any debug level: AUTH is among them.
        trace!("redis: {} bytes sent", count);
        self.commands.written(count);
    }

    /// A message came on a channel that is not ours (any more): leave it, if there is room to say so.
    pub fn unsubscribe(&mut self, channel: &[u8]) {
        let _ = self.state.subscription.leave(&mut self.commands, channel);
    }

    /// When [`Session::expire`] has something to do, if nothing happens until then.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        match (self.state.phase, self.state.ping) {
            (Phase::Offline, _) => Instant::NEVER,
            (_, Some(ping)) => ping + ANSWER_WITHIN,
            (_, None) => self.state.last_received + PING_AFTER,
        }
    }

    /// Time has passed.
    ///
    /// # Errors
    /// The reason to close the connection.
    pub fn expire(&mut self, now: Instant) -> Result<(), Close> {
        if now < self.deadline() {
            return Ok(());
        }
        if self.state.ping.is_some() {
            return Err(Close::Silent(now.since(self.state.last_received)));
        }
        // With no room for PING nothing has been written for long: the same deadline holds.
        let _ = self.commands.push([[&b"PING"[..]]].iter());
        self.state.ping = Some(now);
        Ok(())
    }

    fn command(&mut self, arguments: &[&[u8]]) -> Result<(), Close> {
        self.commands
            .push(arguments.iter().map(|argument| [*argument]))
            .map_err(|_| Close::CommandsTooSmall)
    }

    /// Names the next channels to the server.
    fn ask(&mut self, channels: &impl Channels) -> Result<(), Close> {
        let subscription = &mut self.state.subscription;
        let is_settled = match self.state.phase {
            Phase::Offline => true,
            Phase::Subscribing => false,
            Phase::Subscribed => subscription.left() >= self.left.len(),
        };
        if is_settled {
            return Ok(());
        }
        let asked = subscription
            .ask(&mut self.commands, channels, self.left)
            .map_err(|NoRoom| Close::CommandsTooSmall)?;
        if !asked && subscription.is_confirmed() {
            self.state.phase = Phase::Subscribed;
            info!("redis: subscribed to {} channels", subscription.confirmed());
        }
        Ok(())
    }

    /// Anything but a message: out of line, where it costs messages nothing.
    #[cold]
    #[inline(never)]
    fn handle(state: &mut State, frame: &Frame<'_>, channels: &impl Channels) -> Result<(), Close> {
        let subscription = &mut state.subscription;
        match frame {
            Frame::Error(words) => Err(Close::error_reply(words)),
            Frame::Subscribed { channel } => subscription
                .confirm(channel, channels)
                .map_err(|Unasked| Close::other_channel(channel)),
            Frame::Unsubscribed => subscription
                .confirm_left()
                .map_err(|Unasked| Close::UnaskedLeave),
            Frame::Status(_) => {
                state.awaits_auth = false;
                Ok(())
            }
            Frame::Pong | Frame::Message { .. } => Ok(()),
        }
    }
}

// A head of an element must always fit, or an oversized frame could not be passed over.
const _: () = assert!(MIN_INPUT > MAX_HEAD);
