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
//!
//! What the session has to tell its owner, [`poll_event`](Session::poll_event) gives: after any of these.
//!
//! This file has the session's whole life; what it says on one connection is in `connection`, what it hears in `incoming`, what follows
//! from a connection's end in `closing`, what is said about samples that were lost in `overflow`.

mod closing;
mod connection;
mod incoming;
mod overflow;

use super::attempt::Attempts;
use super::control::{Control, Pending};
use super::encode::{Connect, DISCONNECT};
use super::liveness::Liveness;
use super::packet::Packet;
use super::suspicion::Suspicion;
use super::unasked::Unasked;
use super::{ClientId, Level};
use crate::config::{Auth, Device};
use crate::counters::Counters;
use crate::observer::Observer;
use crate::outbox::{self, Message, Outbox};
use crate::random::Random;
use crate::time::Instant;
use overflow::Overflow;

/// Smallest input buffer, in bytes: one packet of the longest kind that a broker may send.
pub const MIN_INPUT: usize = 8;

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
    attempts: Attempts,
    stopping: bool,
    /// Bytes at the front of the input that are not handled yet.
    filled: usize,
    liveness: Liveness,
    was_online: bool,
    overflow: Overflow,
    counters: Counters,
    pending: Pending,
    outbox: outbox::State,
    /// A message from the broker that has come in part.
    passing: Option<Unasked>,
    said_unasked: bool,
    said_no_qos2: bool,
    /// The broker has answered with PUBREC since it began this session: it has QoS 2.
    has_qos2: bool,
    suspicion: Suspicion,
    /// No message goes out until PINGRESP shows that this connection holds without any.
    proving: bool,
    /// No new message goes out until nothing is in flight: what is set aside is about to be tried again.
    draining: bool,
    /// When a PUBLISH was last written, whole or in part.
    last_publish: Instant,
    events: Events,
}

/// What has happened and is not told yet.
#[derive(Debug, Clone, Default)]
struct Events {
    values_lost: bool,
    set_aside: Option<u32>,
    taken_back: bool,
}

/// What a session has to tell, see [`Session::poll_event`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The broker may not have the last value of any signal any more: the next sample of each is to be sent.
    ValuesLost,
    /// The topic of this signal is set aside: what is queued for it from now on has to say so, see [`Message::is_aside`].
    SetAside(u32),
    /// No topic is set aside any more.
    TakenBack,
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

impl<'a> Session<'a> {
    /// A session that has never been connected. `digits` are those of a generated client identifier; `random` draws where packet
    /// identifiers begin.
    pub fn new(
        device: &'a Device<'a>,
        digits: u32,
        mut random: Random,
        storage: Storage<'a>,
    ) -> Self {
        let state = State {
            phase: Phase::Offline,
            attempts: Attempts::new(device),
            stopping: false,
            filled: 0,
            liveness: Liveness::default(),
            was_online: false,
            overflow: Overflow::default(),
            counters: Counters::default(),
            pending: Pending::default(),
            outbox: outbox::State::empty(random.below(u16::MAX)),
            passing: None,
            said_unasked: false,
            said_no_qos2: false,
            has_qos2: false,
            suspicion: Suspicion::default(),
            proving: false,
            draining: false,
            last_publish: Instant::default(),
            events: Events::default(),
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
                state.outbox,
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

    /// Says DISCONNECT now, whatever is left, and without CONNACK if there was none: CONNECT alone, if the broker accepts
    /// it, would make it send the Last Will (3.1.4 allows a client not to wait).
    pub fn leave(&mut self, observer: &mut dyn Observer) {
        let leaves = matches!(self.state.phase, Phase::Greeting | Phase::Online { .. });
        if leaves && self.control.push(&DISCONNECT) {
            observer.packet_sent(self.device.alias, &Packet::Disconnect);
            self.state.phase = Phase::Leaving;
        }
    }

    /// The next thing that the session has to tell. Every other method that takes `&mut self` may add one.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        let events = &mut self.state.events;
        if core::mem::take(&mut events.values_lost) {
            return Some(Event::ValuesLost);
        }
        if core::mem::take(&mut events.taken_back) {
            return Some(Event::TakenBack);
        }
        events.set_aside.take().map(Event::SetAside)
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

    /// Whether nothing is left to be sent or acknowledged, but for what is set aside.
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

    /// Counts samples that were lost to a full outbox, and reports them, at most twice a minute.
    pub fn count_dropped(&mut self, count: u64) {
        self.state.counters.dropped += count;
        self.state.overflow.dropped(count, self.device);
    }

    #[must_use]
    pub fn outbox(&self) -> &Outbox<'a> {
        &self.outbox
    }

    pub fn outbox_mut(&mut self) -> &mut Outbox<'a> {
        &mut self.outbox
    }
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
