//! The firmware: one stack and one bridge, a turn at a time.

use core::cell::RefCell;
use core::net::Ipv4Addr;

use heapless::vec::VecView;
use mqtt_client_core::bridge::{Bridge, Broker, Feed};
use mqtt_client_core::config::{self, Abilities, Config, Device, Finding, Severity};
use mqtt_client_core::counters::Counters;
use mqtt_client_core::routes::{Routes, TooSmall};
use mqtt_client_core::time::Instant;
use smoltcp::phy;

#[cfg(feature = "spool")]
use crate::flash::Sectors;
use crate::log;
use crate::memory::{Pieces, Sizes};
use crate::share::{TooMuch, share};
#[cfg(feature = "spool")]
use crate::spools;
use crate::stack::{self, Client, Stack, Unusable};
use crate::status::Status;

/// What the configuration may ask for: nothing that needs TLS, MQTT 5, IPv6, or a server on the board itself.
const ABILITIES: Abilities = Abilities {
    tls: false,
    mqtt5: cfg!(feature = "mqtt5"),
    ipv6: false,
    local_servers: false,
    files: false,
};

/// All that a board decides.
#[derive(Debug, Clone, Copy)]
pub struct Setup<'a> {
    /// The mapping table: the same JSON as on a gateway. Its strings are used where they lie.
    pub table: &'a [u8],
    /// Of a generated `client_id`, in hexadecimal: the same after every start, and unlike any other board's, from the chip's unique number.
    pub client_id_digits: u32,
    pub network: stack::Setup<'a>,
    /// Those of the [`Memory`](crate::Memory).
    pub sizes: Sizes,
}

/// Why there is no firmware.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum NotStarted {
    /// Each error in the configuration was logged.
    Configuration,
    /// No MQTT device is enabled.
    NothingToDo,
    /// The Ethernet address is one of a group.
    Mac,
    /// [`Setup::sizes`] are not those of the memory.
    Sizes,
}

/// The running firmware. `D` is the board's network device.
pub struct Runner<'a, D> {
    device: D,
    stack: &'a RefCell<Stack<'a>>,
    bridge: Bridge<'a, 'a, Client<'a>>,
    /// Whether the board could reach anyone in the last turn.
    was_reachable: bool,
    is_stopping: bool,
}

impl<'a, D: phy::Device> Runner<'a, D> {
    /// Checks the configuration, and makes ready, in a [`&'a mut Memory<'a>`](crate::Memory); nothing is sent before the first
    /// [`Runner::poll`]. What is wrong with the configuration goes to the log, each finding on its own line.
    ///
    /// # Errors
    /// [`NotStarted`]; only another configuration, or another image, can help.
    pub fn new(
        memory: impl Into<Pieces<'a>>,
        setup: &Setup<'a>,
        device: D,
        now: Instant,
    ) -> Result<Self, NotStarted> {
        Self::start(memory.into(), setup, device, now)
    }

    /// The same, with flash for the devices that have a `spool_size`: what waits there is sent after a reset too. The flash is written and erased
    /// in [`Runner::poll`], which takes as long as that does.
    ///
    /// A board has no clock that goes on over a reset, so nobody knows how old it is what an earlier run has left there: its `max_age` counts from
    /// when it comes back into memory.
    ///
    /// # Errors
    /// As [`Runner::new`].
    #[cfg(feature = "spool")]
    pub fn with_spool(
        memory: impl Into<Pieces<'a>>,
        setup: &Setup<'a>,
        device: D,
        flash: &'a RefCell<dyn Sectors + 'a>,
        now: Instant,
    ) -> Result<Self, NotStarted> {
        let pieces = Pieces {
            flash: Some(flash),
            ..memory.into()
        };
        Self::start(pieces, setup, device, now)
    }

    /// Not inlined: the stack that it takes is free again before the first turn.
    #[inline(never)]
    fn start(
        pieces: Pieces<'a>,
        setup: &Setup<'a>,
        mut device: D,
        now: Instant,
    ) -> Result<Self, NotStarted> {
        let sizes = &setup.sizes;
        let Pieces { mut bytes, .. } = pieces;
        let storage = config::Storage {
            devices: pieces.devices,
            signals: pieces.signals,
            index: pieces.index,
            text: bytes.take(sizes.text)?,
        };
        let config = config::parse(setup.table, storage, ABILITIES, &mut report)
            .map_err(|_| NotStarted::Configuration)?;
        if config.devices.is_empty() {
            log::error(&"no MQTT device is enabled: nothing to do");
            return Err(NotStarted::NothingToDo);
        }
        let shares =
            share(&config, sizes, &mut report).map_err(|TooMuch| NotStarted::Configuration)?;
        #[cfg(feature = "spool")]
        spools::check(&config, sizes, pieces.flash, &mut report)
            .map_err(|TooMuch| NotStarted::Configuration)?;
        let config: &'a Config<'a> = put(pieces.config, config)?;
        let routes = Routes::new(config, pieces.channels, pieces.last)?;

        let storage = stack::Storage {
            sockets: pieces.sockets,
            queries: pieces.queries,
            links: pieces.links,
        };
        let stack = Stack::new(&setup.network, storage, &mut device, now)?;
        let stack: &'a RefCell<Stack<'a>> = put(pieces.stack, RefCell::new(stack))?;
        let client = |receive, send| {
            let link = stack.borrow_mut().add_link(receive, send)?;
            Ok::<_, NotStarted>(Client::new(stack, link))
        };

        let net = client(
            bytes.take(sizes.redis_receive)?,
            bytes.take(sizes.redis_send)?,
        )?;
        let storage = sizes.feed().take(&mut bytes)?;
        // It differs from start to start for the network's sake already.
        let random = (setup.network.seed >> 32) as u32 ^ setup.network.seed as u32;
        let feed = Feed::new(config, random, storage, net);
        for device in config.devices {
            let net = client(
                bytes.take(sizes.broker_receive)?,
                bytes.take(sizes.broker_send)?,
            )?;
            let storage = sizes.broker(shares.of(device)).take(&mut bytes)?;
            let digits = setup.client_id_digits;
            let broker = Broker::new(config, device, digits, random, storage, net);
            put(pieces.brokers, broker)?;
        }
        #[cfg(feature = "spool")]
        spools::give(config, pieces.flash, pieces.spools, pieces.brokers)?;
        let bridge = Bridge::new(config, routes, feed, pieces.brokers);
        Ok(Runner {
            device,
            stack,
            bridge,
            was_reachable: false,
            is_stopping: false,
        })
    }

    /// Does all that can be done now, as far as a turn goes: takes a few frames, hands samples on, sends a few frames. A turn is bounded,
    /// whatever the peers do.
    ///
    /// Call it again when the device has received something, and at the returned time at the latest; that is `now` if there
    /// was more to do than one turn allows.
    #[must_use]
    pub fn poll(&mut self, now: Instant) -> Instant {
        let more = self.stack.borrow_mut().receive(now, &mut self.device);
        // Without an address no one is called, and no one has to be given up: the bridge stands still, after it was told.
        let is_reachable = self.is_reachable();
        let wake_up = if is_reachable || self.was_reachable || self.is_stopping {
            self.bridge.poll(now, &mut ())
        } else {
            self.poll_unreachable(now)
        };
        self.was_reachable = is_reachable;
        let mut stack = self.stack.borrow_mut();
        stack.transmit(&mut self.device);
        if more || (is_reachable && stack.has_ends_to_tell()) {
            now
        } else {
            wake_up.min(stack.deadline())
        }
    }

    /// What waits is to be on storage in time all the same.
    #[cfg(feature = "spool")]
    fn poll_unreachable(&mut self, now: Instant) -> Instant {
        self.bridge.poll_spools(now)
    }

    #[cfg(not(feature = "spool"))]
    #[expect(clippy::unused_self, reason = "there are no spools")]
    fn poll_unreachable(&mut self, _: Instant) -> Instant {
        Instant::NEVER
    }

    fn is_reachable(&self) -> bool {
        let stack = self.stack.borrow();
        stack.has_cable() && stack.address().is_some()
    }

    /// The board says whether the cable is plugged in; until it does, it is. After an interruption DHCP is asked for the
    /// address again.
    pub fn set_cable(&mut self, is_plugged_in: bool) {
        self.stack.borrow_mut().set_cable(is_plugged_in);
    }

    /// How the bridge was after the last turn.
    #[must_use]
    pub fn status(&self) -> Status {
        let stack = self.stack.borrow();
        if !stack.has_cable() {
            return Status::NoCable;
        }
        if stack.address().is_none() {
            return Status::NoAddress;
        }
        if !self.bridge.feed().session().is_subscribed() {
            return Status::NoRedis;
        }
        let mut brokers = self.bridge.brokers().iter();
        if brokers.all(|broker| broker.session().is_online()) {
            Status::Online
        } else {
            Status::NoBroker
        }
    }

    /// The board's address, if it has one.
    #[must_use]
    pub fn address(&self) -> Option<Ipv4Addr> {
        self.stack.borrow().address()
    }

    /// Stops reading Redis, sends what is queued and has it acknowledged, within
    /// [`STOP_WITHIN`](mqtt_client_core::bridge::STOP_WITHIN), and says DISCONNECT, so that no Last Will is sent: before an update, say.
    /// Poll on until [`Runner::has_stopped`].
    pub fn stop(&mut self, now: Instant) {
        self.is_stopping = true;
        self.bridge.stop(now);
    }

    /// Whether all is said, and heard as far as TCP knows: at most [`LINGER`](stack::LINGER) after the last DISCONNECT.
    #[must_use]
    pub fn has_stopped(&self) -> bool {
        self.bridge.has_stopped() && self.stack.borrow().has_left()
    }

    /// What has happened so far, for each enabled device.
    pub fn counters(&self) -> impl Iterator<Item = (&'a Device<'a>, Counters)> {
        self.bridge.counters()
    }

    /// The network device: to ask it whether the cable is plugged in.
    pub fn device_mut(&mut self) -> &mut D {
        &mut self.device
    }
}

/// Logs what is wrong with the configuration.
fn report(finding: &Finding<'_>) {
    let line = finding.in_file("configuration");
    match finding.severity {
        Severity::Error => log::error(&line),
        Severity::Warning => log::warning(&line),
    }
}

/// Gives a value its place for good.
pub(crate) fn put<T>(place: &mut VecView<T>, value: T) -> Result<&mut T, NotStarted> {
    place.push(value).map_err(|_| NotStarted::Sizes)?;
    place.last_mut().ok_or(NotStarted::Sizes)
}

impl From<TooSmall> for NotStarted {
    fn from(_: TooSmall) -> Self {
        NotStarted::Sizes
    }
}

impl From<Unusable> for NotStarted {
    fn from(unusable: Unusable) -> Self {
        match unusable {
            Unusable::Mac => NotStarted::Mac,
            Unusable::Storage => NotStarted::Sizes,
        }
    }
}
