//! One subscription at the local Redis: what is to be said when, and what if nothing comes back.
//!
//! The session takes bytes and the time, and gives messages, bytes and the next deadline: it is a [`Protocol`], and goes on over many
//! connections. What it has received is read message by message with [`next_incoming`](Session::next_incoming), until that gives nothing;
//! an error from there is the reason to close the connection.

use core::fmt;

pub use super::close::Close;
use super::command::{Commands, NoRoom};
use super::oversized::{MAX_HEAD, Oversized};
use super::refusals::Refusals;
use super::resp::{Frame, channel_of_beginning, frame};
pub use super::subscription::Channels;
use super::subscription::Subscription;
use super::unanswered::{Command, Unanswered};
use crate::bytes::move_within;
use crate::config::{Config, MAX_CHANNEL, Redis};
use crate::log::{Words, info, trace};
use crate::net::protocol::{ClosedBy, Protocol, Retry};
use crate::secret::Secrets;
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
    /// To the server; at least [`Session::commands_len`] bytes. The larger, the fewer writes.
    pub commands: &'a mut [u8],
}

/// A subscription to the `channels`; see the module's page.
pub struct Session<'a, C = &'a Config<'a>> {
    redis: &'a Redis<'a>,
    channels: C,
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
    /// When a PING was queued after which nothing has come.
    ping: Option<Instant>,
    unanswered: Unanswered,
    /// Something came that may have to be answered, or asked further, and nothing was written since.
    is_output_due: bool,
    subscription: Subscription,
    refusals: Refusals,
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

impl Session<'_> {
    /// Bytes of command storage that are needed: for each of AUTH, SELECT and the longest channel's UNSUBSCRIBE.
    #[must_use]
    pub fn commands_len(redis: &Redis<'_>) -> usize {
        let user = redis.username.map_or(0, str::len);
        let password = redis.password.map_or(0, |password| password.expose().len());
        let auth = Commands::encoded_len([4, user, password].into_iter());
        let select = Commands::encoded_len([6, 10].into_iter());
        auth + select + Commands::encoded_len([11, MAX_CHANNEL].into_iter())
    }
}

impl<C: Channels> Protocol for Session<'_, C> {
    type Close = Close;

    fn opened(&mut self, now: Instant) -> Result<(), Close> {
        self.forget_connection();
        self.state.unread = 0..0;
        self.state.phase = Phase::Subscribing;
        self.state.last_received = now;
        self.state.subscription = Subscription::begin(self.left);
        if let Some(password) = &self.redis.password {
            let password = &[password.expose().as_bytes()][..];
            let said = match self.redis.username {
                Some(user) => self.say(Command::Setup, &[&[b"AUTH"], &[user.as_bytes()], password]),
                None => self.say(Command::Setup, &[&[b"AUTH"], password]),
            };
            said.map_err(|NoRoom| Close::CommandsTooSmall)?;
        }
        if self.redis.database != 0 {
            let mut digits = heapless::String::<10>::new();
            // Ten digits hold any u32.
            let _ = fmt::Write::write_fmt(&mut digits, format_args!("{}", self.redis.database));
            self.say(Command::Setup, &[&[b"SELECT"], &[digits.as_bytes()]])
                .map_err(|NoRoom| Close::CommandsTooSmall)?;
        }
        Ok(())
    }

    /// Where received bytes go: behind those that are not read yet, which move to the front.
    fn input(&mut self) -> &mut [u8] {
        let unread = self.state.unread.clone();
        if unread.start > 0 {
            self.state.unread = 0..unread.len();
            move_within(self.input, unread, 0);
        }
        self.input
            .get_mut(self.state.unread.end..)
            .unwrap_or_default()
    }

    fn received(&mut self, count: usize, now: Instant) -> Result<(), Close> {
        let from = self.state.unread.end;
        self.state.unread.end = (from + count).min(self.input.len());
        self.state.last_received = now;
        self.state.ping = None;
        if self.state.unanswered.oldest() == Some(Command::Setup) {
            // It may repeat the password.
            trace!(
                "redis: {} bytes received, the answer to AUTH or SELECT",
                count
            );
            return Ok(());
        }
        let new = self
            .input
            .get(from..self.state.unread.end)
            .unwrap_or_default();
        let words = Words(new, self.redis.secrets());
        trace!("redis: {} bytes received: {}", count, words);
        Ok(())
    }

    fn output(&mut self, _: Instant) -> Result<&[u8], Close> {
        self.state.is_output_due = false;
        if self.commands.pending().is_empty() {
            self.ask()?;
        }
        Ok(self.commands.pending())
    }

    fn sent(&mut self, count: usize, _: Instant) {
        // Not shown at any debug level: AUTH is among them.
        trace!("redis: {} bytes sent", count);
        self.commands.written(count);
    }

    fn deadline(&self) -> Instant {
        match (self.state.phase, self.state.ping) {
            (Phase::Offline, _) => Instant::NEVER,
            (_, Some(ping)) => ping + ANSWER_WITHIN,
            (_, None) => self.state.last_received + PING_AFTER,
        }
    }

    fn expire(&mut self, now: Instant) -> Result<(), Close> {
        if now < self.deadline() {
            return Ok(());
        }
        if self.state.ping.is_some() {
            return Err(Close::Silent(now.since(self.state.last_received)));
        }
        // With no room for PING nothing has been written for long: the same deadline holds.
        let _ = self.say(Command::Ping, &[&[b"PING"]]);
        self.state.ping = Some(now);
        Ok(())
    }

    fn closed(&mut self, by: &ClosedBy<Close>, _: Instant) -> Retry {
        self.forget_connection();
        if matches!(by, ClosedBy::Us(_)) {
            // What stands behind a breach of the protocol is not to be trusted.
            self.state.unread = 0..0;
        }
        match by {
            ClosedBy::Us(close) if close.is_permanent() => Retry::Permanent,
            _ => Retry::BackOff,
        }
    }
}

impl<'a, C: Channels> Session<'a, C> {
    pub fn new(redis: &'a Redis<'a>, channels: C, storage: Storage<'a>) -> Self {
        Self::resume(redis, channels, storage, State::default(), &[])
    }

    /// The session that [`Session::suspend`] ended, in the same storage. A changed set of channels is subscribed to anew,
    /// over those that are; `left` are those that are no more among them.
    pub fn resume(
        redis: &'a Redis<'a>,
        channels: C,
        storage: Storage<'a>,
        state: State,
        left: &'a [&'a str],
    ) -> Self {
        let mut session = Session {
            redis,
            channels,
            input: storage.input,
            commands: Commands::new(storage.commands),
            left,
            state,
        };
        session.state.refusals = session.state.refusals.next(false);
        if session.state.phase != Phase::Offline {
            session.state.phase = Phase::Subscribing;
            let unanswered = session.state.unanswered.iter();
            let subscribe = unanswered.filter(|command| *command == Command::Subscribe);
            session.state.subscription = Subscription::change(subscribe.count());
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

    /// Whether every channel is subscribed to that the server permits.
    #[must_use]
    pub fn is_subscribed(&self) -> bool {
        self.state.phase == Phase::Subscribed
    }

    /// The next message in the input; `None` when more bytes are needed.
    ///
    /// # Errors
    /// The reason to close the connection.
    #[inline]
    pub fn next_incoming(&mut self) -> Result<Option<Incoming<'_>>, Close> {
        if self.state.phase == Phase::Offline {
            return Ok(self.next_left_behind());
        }
        loop {
            let bytes = self
                .input
                .get(self.state.unread.clone())
                .unwrap_or_default();
            // As after almost every read.
            if bytes.is_empty() {
                return Ok(None);
            }
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
                    let secrets = self.redis.secrets();
                    handle(&mut self.state, secrets, &other, &self.channels)?;
                }
                None if bytes.len() >= self.input.len() => {
                    self.state.oversized = Some(Oversized::NEW);
                    if let [b'-', words @ ..] = bytes {
                        let secrets = self.redis.secrets();
                        let error = Frame::Error(words);
                        handle(&mut self.state, secrets, &error, &self.channels)?;
                        continue;
                    }
                    return Ok(Some(Incoming::Oversized {
                        channel: channel_of_beginning(bytes),
                    }));
                }
                None => return Ok(None),
            }
        }
    }

    /// Whether [`Session::next_incoming`] has made something to be written: the link is to be polled again.
    #[must_use]
    pub fn is_output_due(&self) -> bool {
        self.state.is_output_due
    }

    /// A message came on a channel that is not ours (any more): leave it, if there is room to say so and the server lets us.
    pub fn unsubscribe(&mut self, channel: &[u8]) {
        if self.state.refusals.may_unsubscribe() {
            self.state.is_output_due = true;
            let _ = self.say(Command::Unsubscribe, &[&[b"UNSUBSCRIBE"], &[channel]]);
        }
    }

    /// All but the messages that came before its end, which [`Session::next_incoming`] still gives.
    fn forget_connection(&mut self) {
        let is_between_frames = self.state.oversized.is_none();
        self.commands.clear();
        self.state = State {
            refusals: self.state.refusals.next(true),
            unread: if is_between_frames {
                self.state.unread.clone()
            } else {
                0..0
            },
            ..State::default()
        };
    }

    /// A message that came whole before the connection ended; whatever else came means nothing any more.
    #[cold]
    fn next_left_behind(&mut self) -> Option<Incoming<'_>> {
        loop {
            let unread = self.state.unread.clone();
            let bytes = self.input.get(unread).unwrap_or_default();
            let Ok(Some((frame, len))) = frame(bytes) else {
                self.state.unread = 0..0;
                return None;
            };
            self.state.unread.start += len;
            if let Frame::Message { channel, payload } = frame {
                return Some(Incoming::Message { channel, payload });
            }
        }
    }

    fn say(&mut self, command: Command, arguments: &[&[&[u8]]]) -> Result<(), NoRoom> {
        say(
            &mut self.commands,
            &mut self.state.unanswered,
            command,
            arguments,
        )
    }

    /// Names the next channels to the server: first those to be left, then those to subscribe to.
    fn ask(&mut self) -> Result<(), Close> {
        while self.state.phase == Phase::Subscribing {
            let said = if let Some(name) = self.left.get(self.state.subscription.left()) {
                self.say(
                    Command::Unsubscribe,
                    &[&[b"UNSUBSCRIBE"], &[name.as_bytes()]],
                )
                .map(|()| self.state.subscription.leave())
            } else if let Some((number, name)) = self.state.subscription.next(&self.channels) {
                let unanswered = &mut self.state.unanswered;
                let arguments: &[&[&[u8]]] = &[&[b"SUBSCRIBE"], &name];
                say(
                    &mut self.commands,
                    unanswered,
                    Command::Subscribe,
                    arguments,
                )
                .map(|()| self.state.subscription.asked(number))
            } else {
                self.end_asking();
                return Ok(());
            };
            if said.is_err() {
                let waits = self.state.unanswered.is_full() || !self.commands.pending().is_empty();
                return waits.then_some(()).ok_or(Close::CommandsTooSmall);
            }
        }
        Ok(())
    }

    /// Every channel is asked for: are all answered?
    fn end_asking(&mut self) {
        let mut unanswered = self.state.unanswered.iter();
        if !unanswered.any(|command| command == Command::Subscribe) {
            self.state.phase = Phase::Subscribed;
            self.state.refusals.all_is_answered();
            info!(
                "redis: subscribed to {} channels",
                self.state.subscription.confirmed()
            );
        }
    }
}

/// Queues a command.
///
/// # Errors
/// [`NoRoom`], also where too many commands wait for their replies.
fn say(
    commands: &mut Commands<'_>,
    unanswered: &mut Unanswered,
    command: Command,
    arguments: &[&[&[u8]]],
) -> Result<(), NoRoom> {
    if unanswered.is_full() {
        return Err(NoRoom);
    }
    commands.push(arguments)?;
    unanswered.push(command);
    Ok(())
}

/// Anything but a message: out of line, where it costs messages nothing.
#[cold]
#[inline(never)]
fn handle(
    state: &mut State,
    secrets: Secrets<'_>,
    frame: &Frame<'_>,
    channels: &impl Channels,
) -> Result<(), Close> {
    state.is_output_due = true;
    match (frame, state.unanswered.take()) {
        (Frame::Status(_), Some(Command::Setup)) => Ok(()),
        (Frame::Subscribed { channel }, Some(Command::Subscribe)) => {
            if let Some((number, name)) = state.subscription.answered(channels) {
                if !name.into_iter().flatten().eq(*channel) {
                    return Err(Close::other_channel(channel, secrets));
                }
                state.subscription.confirm();
                state.refusals.channel_is_permitted(number);
            }
            Ok(())
        }
        (Frame::Subscribed { channel }, _) => Err(Close::other_channel(channel, secrets)),
        (Frame::Unsubscribed, Some(Command::Unsubscribe)) => Ok(()),
        (Frame::Pong, Some(Command::Ping)) => {
            state.refusals.ping_is_answered();
            Ok(())
        }
        (Frame::Error(words), Some(Command::Ping)) => {
            state.refusals.ping_is_refused(words, secrets);
            Ok(())
        }
        (Frame::Error(words), Some(Command::Unsubscribe)) => {
            state.refusals.unsubscribe_is_refused(words, secrets);
            Ok(())
        }
        (Frame::Error(words), Some(Command::Subscribe)) if words.starts_with(b"NOPERM") => {
            if let Some((number, name)) = state.subscription.answered(channels) {
                state
                    .refusals
                    .channel_is_refused(number, name, words, secrets);
                if state.subscription.is_refused(channels) {
                    return Err(Close::all_refused(words, secrets));
                }
            }
            Ok(())
        }
        (Frame::Error(words), _) => Err(Close::error_reply(words, secrets)),
        (Frame::Status(_) | Frame::Unsubscribed | Frame::Pong | Frame::Message { .. }, _) => {
            Err(Close::Unasked)
        }
    }
}

// A head of an element must always fit, or an oversized frame could not be passed over.
const _: () = assert!(MIN_INPUT > MAX_HEAD);
