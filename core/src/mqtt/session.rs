//! One client session with one broker: what is to be said when, and what if nothing comes back.
//!
//! The session takes bytes and the time, and gives bytes and the next deadline. It goes on over many connections:
//! [`opened`](Session::opened) and [`closed`](Session::closed) mark them. While one is open, in any order:
//!
//! - what the network received goes into [`input`](Session::input), then [`received`](Session::received);
//! - what [`output`](Session::output) gives goes to the network, then [`sent`](Session::sent), until it gives nothing;
//! - at [`deadline`](Session::deadline), [`expire`](Session::expire).
//!
//! An error from any of these is the reason to close the connection.

use core::fmt;

use super::control::{Control, Pending};
use super::decode::{Accepted, Incoming, decode};
use super::encode::{Connect, DISCONNECT, PINGREQ, pubrel};
use super::packet::{Packet, Publish};
use super::qos::Ack;
use super::violation::Violation;
use super::{ClientId, Level, QoS, Refusal};
use crate::config::{Auth, Device, Version};
use crate::counters::Counters;
use crate::log::{Shown, Text, debug, info, trace, warning};
use crate::net::link::{ClosedBy, Retry};
use crate::observer::Observer;
use crate::outbox::{self, Acknowledged, Message, Outbox};
use crate::time::{Instant, SECOND};

/// Smallest input buffer, in bytes: one packet of the longest kind that a broker may send.
pub const MIN_INPUT: usize = 8;

/// Longest wait for CONNACK; a shorter keep-alive shortens it.
const CONNACK_WITHIN: u64 = 20 * SECOND;

/// A connection that ends sooner after CONNACK than this was thrown out.
const THROWN_OUT_WITHIN: u64 = 5 * SECOND;

/// So many in a row, and it is no accident.
const THROWN_OUT_TIMES: u8 = 3;

/// Closes on CONNECT in a row that make `auto` try the other protocol level.
const CLOSES_BEFORE_FALLBACK: u8 = 2;

/// Storage for one session, all of it the caller's.
pub struct Storage<'a> {
    /// From the broker; at least [`MIN_INPUT`] bytes.
    pub input: &'a mut [u8],
    /// To the broker, without PUBLISH; at least [`Session::control_len`] bytes. With room for as many acknowledgements as the input holds,
    /// reading never waits for writing.
    pub control: &'a mut [u8],
    /// Packets that wait or are unacknowledged, and a record of each, see [`outbox::divide`].
    pub outbox: &'a mut [u8],
    pub records: &'a mut [u64],
}

/// A client session; see the module's page.
pub struct Session<'a> {
    device: &'a Device<'a>,
    client_id: ClientId<'a>,
    input: &'a mut [u8],
    control: Control<'a>,
    outbox: Outbox<'a>,
    state: State,
}

/// What a session must remember beside its storage, see [`Session::resume`].
#[derive(Debug, Clone)]
pub struct State {
    phase: Phase,
    level: Level,
    past: Past,
    stopping: bool,
    /// Bytes at the front of the input that are not handled yet.
    filled: usize,
    timers: Timers,
    /// Closes by the broker before any CONNACK, in a row.
    closes_on_connect: u8,
    /// Closes by the broker soon after CONNACK, in a row.
    throws_out: u8,
    /// Level changes since the last accepted connection.
    level_changes: u8,
    was_online: bool,
    /// Samples dropped since the outbox was empty.
    overflow: u64,
    counters: Counters,
    pending: Pending,
    outbox: outbox::State,
}

/// Where the current connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Offline,
    /// CONNECT is on its way or out, CONNACK awaited.
    Greeting,
    Online {
        since: Instant,
    },
    /// DISCONNECT is the last thing to be written.
    Leaving,
}

/// What the broker may remember of this client identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Past {
    /// Perhaps an earlier process's session, of which nothing is known here: its packet identifiers could be taken for ours,
    /// and new samples for repetitions.
    Unknown,
    /// Such a session is there: this connection ends, and the next one wipes it out.
    Found,
    /// This connection only wipes it out, with a clean session.
    Wiping,
    /// Ours, or none.
    Known,
}

/// The moments that deadlines are counted from.
#[derive(Debug, Clone, Copy, Default)]
struct Timers {
    opened: Instant,
    last_sent: Instant,
    last_received: Instant,
    /// When an unanswered PINGREQ was queued.
    ping: Option<Instant>,
    /// When the broker last acknowledged something, or there was nothing to acknowledge.
    progress: Instant,
}

/// Why a connection is to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Close {
    /// The peer broke the protocol.
    Violation(Violation),
    /// The peer does not want us.
    Refused(Refusal),
    /// No CONNACK in time, in milliseconds.
    NoConnack(u64),
    /// Nothing came in time after PINGREQ, in milliseconds.
    NoPingresp(u64),
    /// Nothing was acknowledged in that time, in milliseconds.
    NoAcknowledgement(u64),
    /// The session of an earlier process was wiped out; connect again.
    Wiped,
    /// All is said.
    Finished,
    /// Our buffer does not hold CONNECT; the bytes that it needs.
    ControlTooSmall(usize),
}

impl<'a> Session<'a> {
    /// A session that has never been connected. `digits` are those of a generated client identifier.
    pub fn new(device: &'a Device<'a>, digits: u32, storage: Storage<'a>) -> Self {
        let level = match device.version {
            Version::V3_1 => Level::V3_1,
            Version::Auto | Version::V3_1_1 | Version::V5 => Level::V3_1_1,
        };
        // 3.1 does not tell whether a session is present: it is wiped unseen.
        let past = match (device.qos, level) {
            (QoS::AtMostOnce, _) => Past::Known,
            (_, Level::V3_1) => Past::Wiping,
            (_, Level::V3_1_1) => Past::Unknown,
        };
        let state = State {
            phase: Phase::Offline,
            level,
            past,
            stopping: false,
            filled: 0,
            timers: Timers::default(),
            closes_on_connect: 0,
            throws_out: 0,
            level_changes: 0,
            was_online: false,
            overflow: 0,
            counters: Counters::default(),
            pending: Pending::default(),
            outbox: outbox::State::default(),
        };
        Self::resume(device, digits, storage, state)
    }

    /// The session that [`Session::suspend`] ended, in the same storage, for a device of the same settings.
    pub fn resume(device: &'a Device<'a>, digits: u32, storage: Storage<'a>, state: State) -> Self {
        let client_id = match device.client_id {
            Some(given) => ClientId::Given(given),
            None => ClientId::Generated {
                alias: device.alias,
                digits,
            },
        };
        Session {
            device,
            client_id,
            input: storage.input,
            control: Control::new(storage.control, state.pending.clone()),
            outbox: Outbox::resume(
                storage.outbox,
                storage.records,
                device.qos,
                device.retain,
                state.outbox.clone(),
            ),
            state,
        }
    }

    /// Ends the session here, and keeps what is needed to go on.
    #[must_use]
    pub fn suspend(self) -> State {
        State {
            pending: self.control.pending,
            outbox: self.outbox.suspend(),
            ..self.state
        }
    }

    /// Bytes of control storage that a device needs, in any case.
    #[must_use]
    pub fn control_len(device: &Device<'_>) -> usize {
        let client_id = match device.client_id {
            Some(given) => ClientId::Given(given),
            None => ClientId::Generated {
                alias: device.alias,
                digits: 0,
            },
        };
        // The longer protocol name, and the longer identifier, bound both levels.
        let [old, new] = [Level::V3_1, Level::V3_1_1]
            .map(|level| connect(device, client_id, level, false).encoded_len());
        old.max(new)
    }

    /// Queues a sample, on whose account older unsent ones may have to go: `dropped` is called with the signal of each.
    ///
    /// # Errors
    /// [`outbox::Full`] if there is no room even so.
    pub fn queue(
        &mut self,
        message: &Message<'_>,
        dropped: impl FnMut(u32),
    ) -> Result<(), outbox::Full> {
        self.outbox.append(message, dropped)
    }

    /// Nothing more will be queued: say DISCONNECT once all is sent and acknowledged.
    pub fn stop(&mut self) {
        self.state.stopping = true;
    }

    /// Says DISCONNECT now, whatever is left.
    pub fn leave(&mut self, observer: &mut dyn Observer) {
        if matches!(self.state.phase, Phase::Online { .. }) && self.control.push(&DISCONNECT) {
            observer.packet_sent(self.device.alias, &Packet::Disconnect);
            self.state.phase = Phase::Leaving;
        }
    }

    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.state.stopping
    }

    /// Whether a connection is open, let in or not.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.state.phase != Phase::Offline
    }

    #[must_use]
    pub fn is_online(&self) -> bool {
        matches!(self.state.phase, Phase::Online { .. })
    }

    /// Whether nothing is left to be sent or acknowledged.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.outbox.is_empty()
    }

    #[must_use]
    pub fn counters(&self) -> Counters {
        Counters {
            queued: self.outbox.queued() as u64,
            ..self.state.counters
        }
    }

    pub fn counters_mut(&mut self) -> &mut Counters {
        &mut self.state.counters
    }

    /// Counts samples that were lost to a full outbox; the first and the last of them are reported.
    pub fn count_dropped(&mut self, count: u64) {
        if count == 0 {
            return;
        }
        self.state.counters.dropped += count;
        if self.state.overflow == 0 {
            warning!(
                "{}: the buffer is full, the oldest samples are being dropped",
                self.device.alias
            );
        }
        self.state.overflow += count;
    }

    #[must_use]
    pub fn outbox(&self) -> &Outbox<'a> {
        &self.outbox
    }

    pub fn outbox_mut(&mut self) -> &mut Outbox<'a> {
        &mut self.outbox
    }

    /// A connection is open: CONNECT is the first packet [MQTT-3.1.0-1].
    ///
    /// # Errors
    /// [`Close::ControlTooSmall`].
    pub fn opened(&mut self, now: Instant, observer: &mut dyn Observer) -> Result<(), Close> {
        let clean_session = self.device.qos == QoS::AtMostOnce || self.state.past == Past::Wiping;
        let connect = connect(self.device, self.client_id, self.state.level, clean_session);
        if !self.control.begin_with(&connect) {
            return Err(Close::ControlTooSmall(connect.encoded_len()));
        }
        observer.packet_sent(self.device.alias, &Packet::Connect(&connect));
        self.state.phase = Phase::Greeting;
        self.state.filled = 0;
        self.state.timers = Timers {
            opened: now,
            last_sent: now,
            last_received: now,
            ping: None,
            progress: now,
        };
        Ok(())
    }

    /// The connection is gone. The answer tells when to try again.
    pub fn closed(&mut self, by: &ClosedBy<Close>, now: Instant) -> Retry {
        let phase = core::mem::replace(&mut self.state.phase, Phase::Offline);
        self.control.clear();
        self.state.filled = 0;
        match *by {
            ClosedBy::Us(Close::Finished) => return Retry::Never,
            ClosedBy::Us(Close::Wiped) => {
                self.state.past = if self.state.past == Past::Found {
                    Past::Wiping
                } else {
                    Past::Known
                };
                return Retry::AtOnce;
            }
            ClosedBy::Us(Close::Refused(Refusal::ProtocolLevel))
                if self.device.version == Version::Auto =>
            {
                return self.change_level();
            }
            ClosedBy::Us(Close::Refused(refusal)) if refusal.is_permanent() => {
                return Retry::Permanent;
            }
            ClosedBy::Us(Close::ControlTooSmall(_)) => return Retry::Permanent,
            _ => {}
        }
        match phase {
            Phase::Greeting if *by == ClosedBy::Peer => {
                self.state.closes_on_connect = self.state.closes_on_connect.saturating_add(1);
                if self.state.closes_on_connect >= CLOSES_BEFORE_FALLBACK
                    && self.device.version == Version::Auto
                {
                    self.state.closes_on_connect = 0;
                    return self.change_level();
                }
            }
            Phase::Online { since }
                if *by == ClosedBy::Peer && now.since(since) < THROWN_OUT_WITHIN =>
            {
                self.state.throws_out = self.state.throws_out.saturating_add(1);
                if self.state.throws_out >= THROWN_OUT_TIMES {
                    return Retry::Displaced;
                }
            }
            Phase::Online { .. } => self.state.throws_out = 0,
            Phase::Offline | Phase::Greeting | Phase::Leaving => {}
        }
        Retry::BackOff
    }

    /// Where received bytes go. Empty while acknowledgements wait to be written: then [`Session::output`] comes first.
    pub fn input(&mut self) -> &mut [u8] {
        self.input.get_mut(self.state.filled..).unwrap_or_default()
    }

    /// `count` bytes were received into [`Session::input`].
    ///
    /// # Errors
    /// The reason to close the connection.
    pub fn received(
        &mut self,
        count: usize,
        now: Instant,
        observer: &mut dyn Observer,
    ) -> Result<(), Close> {
        let from = self.state.filled;
        self.state.filled = (from + count).min(self.input.len());
        self.state.timers.last_received = now;
        let new = self.input.get(from..self.state.filled).unwrap_or_default();
        trace!(
            "{}: {} bytes from the broker: {}",
            self.device.alias,
            count,
            Text(new)
        );
        self.handle_input(now, observer)
    }

    /// What to write next; empty if there is nothing.
    ///
    /// The answer changes with every other method that takes `&mut self`.
    ///
    /// # Errors
    /// The reason to close the connection: [`Close::Finished`] among them.
    pub fn output(&mut self, now: Instant, observer: &mut dyn Observer) -> Result<&[u8], Close> {
        if self.state.filled > 0 {
            self.handle_input(now, observer)?;
        }
        if self.is_online() {
            self.repeat_pubrels(observer);
            if self.state.stopping && self.outbox.is_empty() && self.control.is_empty() {
                self.leave(observer);
            }
        }
        let bytes = match self.source() {
            Source::Control => self.control.bytes(),
            Source::RestOfPacket => self.outbox.rest_of_packet(),
            Source::Outbox => self.outbox.unsent(usize::from(self.device.max_inflight)),
        };
        if bytes.is_empty() && self.state.phase == Phase::Leaving {
            return Err(match self.state.past {
                Past::Found | Past::Wiping => Close::Wiped,
                Past::Unknown | Past::Known => Close::Finished,
            });
        }
        // CONNECT may hold a password.
        if self.state.phase != Phase::Greeting {
            trace!("{}: to the broker: {}", self.device.alias, Text(bytes));
        }
        Ok(bytes)
    }

    /// The network took the first `count` bytes of [`Session::output`].
    pub fn sent(&mut self, count: usize, now: Instant, observer: &mut dyn Observer) {
        self.state.timers.last_sent = now;
        if self.source() == Source::Control {
            self.control.written(count);
            return;
        }
        if self.outbox.in_flight() == 0 {
            self.state.timers.progress = now;
        }
        let device = self.device.alias;
        let sees_packets = observer.sees_packets();
        let mut show = |packet: &[u8]| {
            if let Some(publish) = Publish::decode(packet) {
                observer.packet_sent(device, &Packet::Publish(publish));
            }
        };
        let seen: Option<outbox::Seen<'_>> = if sees_packets { Some(&mut show) } else { None };
        let first_time = self.outbox.written(count, seen);
        self.state.counters.sent += first_time as u64;
        if self.state.overflow > 0 && self.outbox.queued() == 0 {
            warning!(
                "{}: {} samples were dropped while the buffer was full",
                self.device.alias,
                self.state.overflow
            );
            self.state.overflow = 0;
        }
    }

    /// When [`Session::expire`] has something to do, if nothing happens until then.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        let timers = &self.state.timers;
        match self.state.phase {
            Phase::Offline | Phase::Leaving => Instant::NEVER,
            Phase::Greeting => timers.opened + CONNACK_WITHIN.min(self.keep_alive()),
            Phase::Online { .. } => self.liveness_deadline().min(self.progress_deadline()),
        }
    }

    /// Time has passed.
    ///
    /// # Errors
    /// The reason to close the connection.
    pub fn expire(&mut self, now: Instant, observer: &mut dyn Observer) -> Result<(), Close> {
        if now < self.deadline() {
            return Ok(());
        }
        let timers = &self.state.timers;
        if self.state.phase == Phase::Greeting {
            return Err(Close::NoConnack(now.since(timers.opened)));
        }
        if now >= self.progress_deadline() {
            return Err(Close::NoAcknowledgement(now.since(timers.progress)));
        }
        if let Some(ping) = timers.ping {
            return Err(Close::NoPingresp(now.since(ping)));
        }
        if self.control.push(&PINGREQ) {
            observer.packet_sent(self.device.alias, &Packet::Pingreq);
        }
        // With no room for PINGREQ nothing has been written for long: the same deadline holds.
        self.state.timers.ping = Some(now);
        Ok(())
    }

    fn handle_input(&mut self, now: Instant, observer: &mut dyn Observer) -> Result<(), Close> {
        let mut handled = 0;
        // Each packet may have to be answered: without room for the answer it waits.
        while self.control.has_room() {
            let rest = self
                .input
                .get(handled..self.state.filled)
                .unwrap_or_default();
            let Some((packet, len)) = decode(rest, self.state.level)? else {
                break;
            };
            handled += len;
            if observer.sees_packets() {
                observer.packet_received(self.device.alias, &Packet::Incoming(packet));
            }
            self.handle(packet, now, observer)?;
        }
        self.input.copy_within(handled..self.state.filled, 0);
        self.state.filled -= handled;
        Ok(())
    }

    fn handle(
        &mut self,
        packet: Incoming,
        now: Instant,
        observer: &mut dyn Observer,
    ) -> Result<(), Close> {
        match (self.state.phase, packet) {
            (Phase::Greeting, Incoming::Connack(Ok(accepted))) => {
                self.accept(accepted, now, observer)
            }
            (Phase::Greeting, Incoming::Connack(Err(refusal))) => Err(Close::Refused(refusal)),
            (Phase::Greeting, other) => Err(Violation::NoConnack(other.packet_type()).into()),
            (_, Incoming::Connack(_)) => Err(Violation::SecondConnack.into()),
            (_, Incoming::Ack { ack, packet_id }) => {
                self.acknowledge(ack, packet_id, now, observer)
            }
            (_, Incoming::Pingresp) => match self.state.timers.ping.take() {
                Some(_) => Ok(()),
                None => Err(Violation::UnaskedPingresp.into()),
            },
        }
    }

    fn accept(
        &mut self,
        accepted: Accepted,
        now: Instant,
        observer: &mut dyn Observer,
    ) -> Result<(), Close> {
        let clean = self.device.qos == QoS::AtMostOnce || self.state.past == Past::Wiping;
        if clean && accepted.session_present {
            return Err(Violation::SessionPresentAfterClean.into());
        }
        self.state.phase = Phase::Online { since: now };
        self.state.closes_on_connect = 0;
        self.state.level_changes = 0;
        match self.state.past {
            Past::Unknown if accepted.session_present => {
                info!(
                    "{}: the broker keeps a session that is not ours: wiping it out",
                    self.device.alias
                );
                self.state.past = Past::Found;
                self.leave(observer);
            }
            Past::Found | Past::Wiping => self.leave(observer),
            Past::Unknown | Past::Known => {
                self.state.past = Past::Known;
                self.outbox.start_over();
                self.state.counters.reconnects += u64::from(self.state.was_online);
                self.state.was_online = true;
                info!(
                    "{}: online, MQTT {}, session {}, {} to repeat, {} queued",
                    self.device.alias,
                    Shown(self.state.level),
                    if accepted.session_present {
                        "resumed"
                    } else {
                        "new"
                    },
                    self.outbox.in_flight(),
                    self.outbox.queued()
                );
            }
        }
        Ok(())
    }

    fn acknowledge(
        &mut self,
        ack: Ack,
        packet_id: u16,
        now: Instant,
        observer: &mut dyn Observer,
    ) -> Result<(), Close> {
        self.state.timers.progress = now;
        match self.outbox.acknowledge(ack, packet_id)? {
            Acknowledged::Complete => self.state.counters.acknowledged += 1,
            Acknowledged::SendPubrel => self.push_pubrel(packet_id, false, observer),
            Acknowledged::Repeated => {
                debug!(
                    "{}: packet identifier {} was acknowledged already",
                    self.device.alias, packet_id
                );
            }
        }
        Ok(())
    }

    /// PUBREL for what an earlier connection left half done.
    fn repeat_pubrels(&mut self, observer: &mut dyn Observer) {
        while self.control.has_room() {
            let Some(packet_id) = self.outbox.pubrel_to_repeat() else {
                break;
            };
            self.push_pubrel(packet_id, true, observer);
            self.outbox.pubrel_repeated();
        }
    }

    /// Only called with room for it.
    fn push_pubrel(&mut self, packet_id: u16, repeated: bool, observer: &mut dyn Observer) {
        if self
            .control
            .push(&pubrel(packet_id, self.state.level, repeated))
        {
            observer.packet_sent(self.device.alias, &Packet::Pubrel { packet_id });
        }
    }

    /// Control packets go first, but never into the middle of a PUBLISH.
    fn source(&self) -> Source {
        match (self.state.phase, self.control.is_empty()) {
            (Phase::Offline | Phase::Greeting, _) => Source::Control,
            (Phase::Leaving, _) | (Phase::Online { .. }, false) => {
                if self.outbox.is_half_written() {
                    Source::RestOfPacket
                } else {
                    Source::Control
                }
            }
            (Phase::Online { .. }, true) => Source::Outbox,
        }
    }

    fn change_level(&mut self) -> Retry {
        self.state.level = match self.state.level {
            Level::V3_1 => Level::V3_1_1,
            Level::V3_1_1 => Level::V3_1,
        };
        if self.state.level == Level::V3_1 && self.state.past == Past::Unknown {
            self.state.past = Past::Wiping;
        }
        info!(
            "{}: trying MQTT {}",
            self.device.alias,
            Shown(self.state.level)
        );
        self.state.level_changes = self.state.level_changes.saturating_add(1);
        if self.state.level_changes == 1 {
            Retry::AtOnce
        } else {
            Retry::BackOff
        }
    }

    fn keep_alive(&self) -> u64 {
        u64::from(self.device.keep_alive) * SECOND
    }

    /// PINGREQ is due three quarters of a keep-alive after either side was last heard, and must be answered within half of
    /// one: a dead link is noticed within 1.25 keep-alives of its last sign of life. Any bytes that arrive count as an
    /// answer: on a slow line PINGREQ may wait behind much else.
    fn liveness_deadline(&self) -> Instant {
        let timers = &self.state.timers;
        match timers.ping {
            Some(ping) => ping.max(timers.last_received) + self.keep_alive() / 2,
            None => timers.last_sent.min(timers.last_received) + self.keep_alive() / 4 * 3,
        }
    }

    /// A broker that answers PINGREQ but acknowledges nothing for 1.5 keep-alives has lost something: a new connection
    /// makes both sides repeat.
    fn progress_deadline(&self) -> Instant {
        if self.device.qos == QoS::AtMostOnce || self.outbox.in_flight() == 0 {
            Instant::NEVER
        } else {
            self.state.timers.progress + self.keep_alive() / 2 * 3
        }
    }
}

/// Where the next bytes come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Control,
    /// Of a PUBLISH, so that control packets can follow.
    RestOfPacket,
    Outbox,
}

fn connect<'a>(
    device: &Device<'a>,
    client_id: ClientId<'a>,
    level: Level,
    clean_session: bool,
) -> Connect<'a> {
    let credentials = match device.auth {
        Auth::None => None,
        Auth::Password(credentials) => Some(credentials),
        Auth::Tls(tls) => tls.credentials,
    };
    Connect {
        level,
        client_id,
        clean_session,
        keep_alive: device.keep_alive,
        will: device.will,
        username: credentials.map(|credentials| credentials.username),
        password: credentials.and_then(|credentials| credentials.password),
    }
}

impl From<Violation> for Close {
    fn from(violation: Violation) -> Self {
        Close::Violation(violation)
    }
}

impl fmt::Display for Close {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |millis: u64| millis / SECOND;
        match *self {
            Close::Violation(violation) => write!(f, "the broker breaks the protocol: {violation}"),
            Close::Refused(refusal) => refusal.fmt(f),
            Close::NoConnack(waited) => write!(f, "no CONNACK within {} s", seconds(waited)),
            Close::NoPingresp(waited) => write!(f, "no PINGRESP within {} s", seconds(waited)),
            Close::NoAcknowledgement(waited) => {
                write!(f, "no acknowledgement within {} s", seconds(waited))
            }
            Close::Wiped => f.write_str("an old session is being wiped out"),
            Close::Finished => f.write_str("disconnected"),
            Close::ControlTooSmall(needed) => write!(
                f,
                "our control buffer is too small: CONNECT needs {needed} bytes"
            ),
        }
    }
}
