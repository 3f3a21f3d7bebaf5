//! One client session with one broker: what is to be said when, and what if nothing comes back.
//!
//! The session takes bytes and the time, and gives bytes and the next deadline: it is a [`Protocol`](crate::net::protocol::Protocol), and
//! goes on over many connections. What is said when is decided here; how a sample becomes a packet, when the network is ready for it.
//!
//! What the session has to tell its owner, [`poll_event`](Session::poll_event) gives: after each call, until it gives
//! nothing.
//!
//! This file has the session's whole life; what it says on one connection is in `connection`, what it hears in `incoming`, what follows
//! from a connection's end in `closing`, what its owner is told in `events`, what is said about samples that were lost in `overflow`, how fast
//! those go that have waited in `replay`, how long something has waited in `age`, and what the broker is told of the device in `status` and `telling`; what only
//! MQTT 5 has is in `v5`, `terms`, `refusals` and `alias`.

mod age;
mod alias;
mod closing;
mod connection;
mod events;
mod incoming;
mod overflow;
mod refusals;
#[cfg(feature = "spool")]
mod replay;
#[cfg(feature = "health")]
mod standing;
mod status;
#[cfg(feature = "health")]
mod telling;
#[cfg(not(feature = "health"))]
#[path = "untold.rs"]
mod telling;
mod terms;
mod v5;

use super::attempt::Attempts;
use super::client_id::MAX_ASSIGNED;
use super::control::{Control, Pending};
use super::encode::Connect;
use super::liveness::Liveness;
use super::suspicion::Suspicion;
use super::transmit::{Span, Transmit};
use super::unacknowledged::Unacknowledged;
use super::unasked::Unasked;
use super::v5::encode::Terms;
use super::{ClientId, Level};
use crate::config::{Auth, Config, Device, Signal, Version};
use crate::counters::Counters;
use crate::delivery::QoS;
use crate::log::{info, warning};
use crate::outbox::{self, NewSignal, Outbox, Renumbered, Room};
use crate::random::Random;
use crate::rate::Rate;
use crate::sample::Sample;
use crate::time::Instant;
pub use events::Event;
use events::{Control as ControlPacket, Events};
use overflow::Overflow;
#[cfg(feature = "spool")]
use replay::Replay;
#[cfg(feature = "health")]
use standing::Standing;
use status::Status;

/// Smallest input buffer, in bytes: one packet of the longest kind that a broker may send.
pub const MIN_INPUT: usize = 8;

/// The same for MQTT 5, where the broker is told how long a packet may be, and leaves out what it would say beyond that.
pub const MIN_INPUT_V5: usize = 256;

/// Seconds that a broker waits with the will of a session that it keeps: within the first 31 of them this client has tried six times to
/// connect again, so that a short cut of the line is no `offline` to anybody.
const WILL_DELAY: u32 = 31;

/// Storage for one session, all of it the caller's.
pub struct Storage<'a> {
    /// From the broker; at least [`MIN_INPUT`] bytes.
    pub input: &'a mut [u8],
    /// To the broker, without PUBLISH; at least [`Session::control_len`] bytes. With room for as many acknowledgements as the input holds,
    /// reading never waits for writing.
    pub control: &'a mut [u8],
    /// PUBLISH on its way to the broker; at least [so many](super::longest_publish) bytes. The larger, the fewer writes.
    pub transmit: &'a mut [u8],
    /// Samples that wait or are unacknowledged.
    pub outbox: &'a mut [u8],
    /// How far those in flight have come, see [`outbox::in_flight_at_most`].
    pub handshakes: &'a mut [[u8; 2]],
}

/// A client session; see the module's page.
pub struct Session<'a> {
    device: &'a Device<'a>,
    signals: &'a [Signal<'a>],
    client_id: ClientId<'a>,
    input: &'a mut [u8],
    control: Control<'a>,
    transmit: Transmit<'a>,
    outbox: Outbox<'a>,
    state: State,
}

/// What a session must remember beside its storage, see [`Session::resume`].
#[derive(Debug, Clone)]
pub struct State {
    phase: Phase,
    attempts: Attempts,
    stopping: bool,
    /// What is not delivered at the end is on storage.
    #[cfg(feature = "spool")]
    is_spooled: bool,
    /// Bytes at the front of the input that are not handled yet.
    filled: usize,
    liveness: Liveness,
    was_online: bool,
    #[cfg(feature = "health")]
    standing: Standing,
    status: Status,
    overflow: Overflow,
    counters: Counters,
    pending: Pending,
    transmit: Span,
    /// What was handed out had to be taken back, and the network has taken nothing since: one packet is handed out at a time.
    is_stalled: bool,
    /// What is in flight is to go again in a new session.
    forgets_flight: bool,
    outbox: outbox::State,
    /// A message from the broker that has come in part.
    passing: Option<Unasked>,
    said_unasked: bool,
    said_no_qos2: bool,
    /// The broker has answered with PUBREC since it began this session: it has QoS 2.
    has_qos2: bool,
    suspicion: Suspicion,
    unacknowledged: Unacknowledged,
    /// No message goes out until PINGRESP shows that this connection holds without any.
    proving: bool,
    /// No new message goes out until nothing is in flight: what is set aside is about to be tried again.
    draining: bool,
    /// When a PUBLISH was last written, whole or in part.
    last_publish: Instant,
    rate: Rate,
    #[cfg(feature = "spool")]
    replay: Replay,
    #[cfg(feature = "spool")]
    aged: age::Aged,
    events: Events,
    v5: v5::Memory,
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
    /// A session of this device that has never been connected. `digits` are those of a generated client identifier; `random` draws where
    /// packet identifiers begin.
    pub fn new(
        config: &'a Config<'a>,
        device: &'a Device<'a>,
        digits: u32,
        mut random: Random,
        storage: Storage<'a>,
    ) -> Self {
        let state = State {
            phase: Phase::Offline,
            attempts: Attempts::new(device),
            stopping: false,
            #[cfg(feature = "spool")]
            is_spooled: false,
            filled: 0,
            liveness: Liveness::default(),
            was_online: false,
            #[cfg(feature = "health")]
            standing: Standing::default(),
            status: Status::default(),
            overflow: Overflow::default(),
            counters: Counters::default(),
            pending: Pending::default(),
            transmit: Span::default(),
            is_stalled: false,
            forgets_flight: false,
            outbox: outbox::State::empty(random.below(u16::MAX)),
            passing: None,
            said_unasked: false,
            said_no_qos2: false,
            has_qos2: false,
            suspicion: Suspicion::default(),
            unacknowledged: Unacknowledged::default(),
            proving: false,
            draining: false,
            last_publish: Instant::default(),
            rate: Rate::default(),
            #[cfg(feature = "spool")]
            replay: Replay::default(),
            #[cfg(feature = "spool")]
            aged: age::Aged::default(),
            events: Events::default(),
            v5: v5::Memory::new(device),
        };
        Self::resume(config, device, digits, storage, state)
    }

    /// The session that [`Session::suspend`] ended, in the same storage, for a device of the same settings.
    pub fn resume(
        config: &'a Config<'a>,
        device: &'a Device<'a>,
        digits: u32,
        storage: Storage<'a>,
        state: State,
    ) -> Self {
        let client_id = match device.client_id {
            Some(given) => ClientId::Given(given),
            None => ClientId::Generated {
                alias: device.alias,
                digits,
            },
        };
        Session {
            device,
            signals: config.signals,
            client_id,
            input: storage.input,
            control: Control::new(
                storage.control,
                state.pending.clone(),
                Self::farewell_len(device.status_topic),
            ),
            transmit: Transmit::new(storage.transmit, state.transmit),
            outbox: Outbox::resume(
                storage.outbox,
                storage.handshakes,
                state.v5.agreed.qos,
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
            transmit: self.transmit.span,
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
        // `online` or the health, an acknowledgement behind it, and what is said at the end.
        let farewell = Self::farewell_len(device.status_topic);
        let least = farewell + 4 + farewell.max(Self::health_len(device));
        if cfg!(feature = "mqtt5") && device.version == Version::V5 {
            // The broker may give a longer identifier.
            let len = connect(device, client_id, Level::V5, false, u32::MAX).encoded_len();
            return least.max(len + MAX_ASSIGNED);
        }
        // The longer protocol name, and the longer identifier, bound both levels.
        let [old, new] = [Level::V3_1, Level::V3_1_1]
            .map(|level| connect(device, client_id, level, false, 0).encoded_len());
        least.max(old).max(new)
    }

    /// Bytes of the smallest input buffer of a device.
    #[must_use]
    pub fn input_len(device: &Device<'_>) -> usize {
        match device.version {
            Version::V5 if cfg!(feature = "mqtt5") => MIN_INPUT_V5,
            _ => MIN_INPUT,
        }
    }

    /// The QoS that messages go at: a broker of MQTT 5 may allow less than the device asks for.
    #[inline]
    fn qos(&self) -> QoS {
        if cfg!(feature = "mqtt5") {
            self.state.v5.agreed.qos
        } else {
            self.device.qos
        }
    }

    /// Queues a sample of `signal`; if its topic `is_aside`, it waits, and lets others pass. `false` if there is no room for it: see
    /// [`Session::make_room`].
    #[inline]
    #[must_use]
    pub fn queue(&mut self, signal: u32, is_aside: bool, sample: &Sample<'_>) -> bool {
        self.outbox.append(signal, is_aside, sample)
    }

    /// Makes room for a sample, one step at a time, see [`Outbox::make_room`]. What it drops is counted, and reported at most twice a minute.
    #[must_use]
    pub fn make_room(&mut self, sample: &Sample<'_>) -> Room {
        self.take_back_unsent();
        let room = self.outbox.make_room(sample);
        if room != Room::Enough {
            self.count_dropped(1);
        }
        room
    }

    /// Nothing more will be queued: say DISCONNECT once all is sent and acknowledged.
    pub fn stop(&mut self) {
        self.state.stopping = true;
    }

    /// Says DISCONNECT now, whatever is left, and without CONNACK if there was none: CONNECT alone, if the broker accepts
    /// it, would make it send the Last Will (3.1.4 allows a client not to wait).
    pub fn leave(&mut self) {
        let leaves = matches!(self.state.phase, Phase::Greeting | Phase::Online { .. });
        if leaves && self.say_goodbye() {
            self.state.events.sent(ControlPacket::Disconnect(None));
            self.state.phase = Phase::Leaving;
        }
    }

    /// Queues a sample that comes back from a spool, see [`Outbox::append_returned`].
    #[cfg(feature = "spool")]
    #[must_use]
    pub fn queue_returned(
        &mut self,
        signal: u32,
        is_aside: bool,
        is_overtaken: bool,
        sample: &Sample<'_>,
    ) -> bool {
        self.outbox
            .append_returned(signal, is_aside, is_overtaken, sample)
    }

    /// Takes samples out that have not been sent, see [`Outbox::withdraw`].
    #[cfg(feature = "spool")]
    pub fn withdraw(&mut self, is_taken: &mut dyn FnMut(outbox::Held) -> bool) -> usize {
        self.take_back_unsent();
        self.outbox.withdraw(is_taken)
    }

    /// What is not delivered at the end is not lost: it is on storage then.
    #[cfg(feature = "spool")]
    pub fn leave_to_spool(&mut self) {
        self.state.is_spooled = true;
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

    /// Counts samples that are lost, and reports them, at most twice a minute.
    pub fn count_dropped(&mut self, count: u64) {
        self.state.counters.dropped += count;
        self.state.overflow.dropped(count, self.device);
    }

    #[must_use]
    pub fn outbox(&self) -> &Outbox<'a> {
        &self.outbox
    }

    /// Numbers the signals anew, and drops the samples that wait for a signal that is gone. If a message in flight could not be repeated as it
    /// was first sent, the session begins anew: a DUP never has other contents.
    pub fn renumber(&mut self, new_signal: impl FnMut(u32) -> Option<NewSignal>) {
        self.take_back_unsent();
        // They are by the signals' numbers.
        self.state.v5.aliases.forget();
        let Renumbered {
            dropped,
            has_lost_topics,
        } = self.outbox.renumber(new_signal);
        self.state.counters.dropped += dropped as u64;
        if dropped > 0 {
            warning!(
                "{}: {} samples are dropped, whose signals are not enabled any more",
                self.device.alias,
                dropped
            );
        }
        self.state.forgets_flight |= has_lost_topics;
        if has_lost_topics && self.device.qos != QoS::AtMostOnce {
            info!(
                "{}: a new session begins, since topics of what is in flight have changed",
                self.device.alias
            );
            let is_connected = self.is_connected();
            self.state.attempts.begin_anew(is_connected);
        }
        if !self.is_connected() {
            self.forget_flight();
        }
    }

    /// Messages that may be sent in any second now; 0: as many as there are.
    #[cfg(not(feature = "spool"))]
    fn most_in_a_second(&self) -> u16 {
        self.device.max_rate
    }

    /// Whether this connection is to be left for a session that begins anew: nothing is repeated over it.
    fn begins_anew(&self) -> bool {
        self.state.forgets_flight && self.device.qos != QoS::AtMostOnce
    }

    /// What is in flight goes again in a session that begins anew, once the connection has ended on which that was decided.
    fn forget_flight(&mut self) {
        if core::mem::take(&mut self.state.forgets_flight) {
            self.queue_flight_again();
        }
    }

    /// What is in flight waits as if it had never been sent.
    fn queue_flight_again(&mut self) {
        let (again, dropped) = self.outbox.begin_anew();
        self.state.counters.sent -= again as u64;
        self.count_dropped(dropped as u64);
    }

    fn take_back_unsent(&mut self) {
        if !self.transmit.is_empty() {
            self.transmit.cut();
            self.outbox.take_back_unsent();
            self.state.is_stalled = true;
            // The broker has not been told the aliases of what is taken back.
            if self.is_v5() {
                self.state.v5.aliases.forget();
            }
        }
    }
}

fn connect<'a>(
    device: &Device<'a>,
    client_id: ClientId<'a>,
    level: Level,
    clean_session: bool,
    maximum_packet_size: u32,
) -> Connect<'a> {
    let credentials = match device.auth {
        Auth::None => None,
        Auth::Password(credentials) => Some(credentials),
        Auth::Tls(tls) => tls.credentials,
    };
    let session_expiry = match device.qos {
        QoS::AtMostOnce => 0,
        QoS::AtLeastOnce | QoS::ExactlyOnce => device.session_expiry,
    };
    Connect {
        level,
        client_id,
        clean_session,
        keep_alive: device.keep_alive,
        will: device.will,
        username: credentials.map(|credentials| credentials.username),
        password: credentials.and_then(|credentials| credentials.password),
        terms: Terms {
            session_expiry,
            maximum_packet_size,
            will_delay: WILL_DELAY.min(session_expiry),
        },
    }
}
