//! The end towards one broker: its session, its link and its network.

use crate::config::{Config, Device};
use crate::counters::Counters;
use crate::mqtt::close::Close;
use crate::mqtt::session::{Session, State, Storage};
use crate::net::Network;
use crate::net::link::{CONNECT_WITHIN, Link, Target};
use crate::net::protocol::{ClosedBy, Protocol, Retry};
use crate::observer::Observer;
use crate::random::Random;
use crate::time::{Instant, SECOND};

/// One device at work.
pub struct Broker<'a, N: Network> {
    device: &'a Device<'a>,
    number: u16,
    session: Session<'a>,
    link: Link<N::TcpSocket>,
    net: N,
}

/// What goes on in the next bridge, with the same storage and a device of the same settings, see [`Broker::resume`].
pub struct Suspended<N: Network> {
    session: State,
    link: Link<N::TcpSocket>,
    net: N,
}

impl<N: Network> Suspended<N> {
    /// The same session over another connection, which begins at once: for a broker that has [left](Broker::leave). Its device may then
    /// differ in all that a CONNECT can change in an existing session: will, credentials, keep-alive, and what carries the bytes.
    #[must_use]
    pub fn over(self, net: N) -> Self {
        Suspended {
            session: self.session,
            link: self.link.begin_anew(),
            net,
        }
    }
}

impl<'a, N: Network> Broker<'a, N> {
    /// The broker of device `number` of `config`; `None` if there is none. `digits` are those of a generated client identifier; `random`
    /// is a number that differs from start to start and from gateway to gateway.
    pub fn new(
        config: &'a Config<'a>,
        number: u16,
        digits: u32,
        random: u32,
        storage: Storage<'a>,
        net: N,
    ) -> Option<Self> {
        let device = config.devices.get(usize::from(number))?;
        // An odd factor: the devices of one gateway differ, and only 0 stays 0.
        let random = Random::new(random.wrapping_mul(2 * u32::from(number) + 3));
        let session = Session::new(device, digits, random.clone(), storage);
        Some(Broker {
            device,
            number,
            session,
            link: Link::new(random),
            net,
        })
    }

    /// The broker that [`Broker::suspend`] ended: its connection goes on, or a new one with the same session, see [`Suspended::over`].
    pub fn resume(
        config: &'a Config<'a>,
        number: u16,
        digits: u32,
        storage: Storage<'a>,
        suspended: Suspended<N>,
    ) -> Option<Self> {
        let device = config.devices.get(usize::from(number))?;
        let Suspended { session, link, net } = suspended;
        let session = Session::resume(device, digits, storage, session);
        Some(Broker {
            device,
            number,
            session,
            link,
            net,
        })
    }

    /// Ends the broker here, and keeps what is needed to go on.
    #[must_use]
    pub fn suspend(self) -> Suspended<N> {
        Suspended {
            session: self.session.suspend(),
            link: self.link,
            net: self.net,
        }
    }

    #[must_use]
    pub fn device(&self) -> &'a Device<'a> {
        self.device
    }

    pub(super) fn number(&self) -> u16 {
        self.number
    }

    #[must_use]
    pub fn counters(&self) -> Counters {
        self.session.counters()
    }

    #[must_use]
    pub fn session(&self) -> &Session<'a> {
        &self.session
    }

    pub fn session_mut(&mut self) -> &mut Session<'a> {
        &mut self.session
    }

    #[must_use]
    pub fn net(&self) -> &N {
        &self.net
    }

    pub(super) fn poll(&mut self, now: Instant, observer: &mut dyn Observer) -> Instant {
        let is_done = self.session.is_stopping() && self.session.is_idle();
        if is_done && !self.session.is_connected() && !self.link.has_ended() {
            self.link.end(&mut self.net);
            self.session.report_undelivered();
        }
        let target = Target {
            name: self.device.alias,
            host: self.device.host,
            port: self.device.port,
            // A TLS peer that falls silent in the handshake is as dead as one that misses PINGRESP.
            connect_within: CONNECT_WITHIN.min(u64::from(self.device.keep_alive) * SECOND / 2 * 3),
        };
        let mut talk = Talk {
            session: &mut self.session,
            observer,
        };
        self.link.poll(now, &mut self.net, target, &mut talk)
    }

    pub(super) fn stop(&mut self) {
        self.session.stop();
    }

    /// Hears what has arrived, so that less is repeated later; says DISCONNECT as far as the network takes it at once, and ends.
    pub fn leave(&mut self, now: Instant, observer: &mut dyn Observer) {
        let mut talk = Talk {
            session: &mut self.session,
            observer,
        };
        self.link.read_once(now, &mut self.net, &mut talk);
        self.session.leave(observer);
        let mut talk = Talk {
            session: &mut self.session,
            observer,
        };
        self.link.flush_and_end(now, &mut self.net, &mut talk);
        self.session.closed(&ClosedBy::Us(Close::Finished), now);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.link.has_ended()
    }
}

/// The session as its link drives it.
struct Talk<'t, 'a> {
    session: &'t mut Session<'a>,
    observer: &'t mut dyn Observer,
}

impl Protocol for Talk<'_, '_> {
    type Close = Close;

    fn opened(&mut self, now: Instant) -> Result<(), Close> {
        self.session.opened(now, self.observer)
    }

    fn input(&mut self) -> &mut [u8] {
        self.session.input()
    }

    fn received(&mut self, count: usize, now: Instant) -> Result<(), Close> {
        self.session.received(count, now, self.observer)
    }

    fn output(&mut self, now: Instant) -> Result<&[u8], Close> {
        self.session.output(now, self.observer)
    }

    fn sent(&mut self, count: usize, now: Instant) {
        self.session.sent(count, now, self.observer);
    }

    fn deadline(&self) -> Instant {
        self.session.deadline()
    }

    fn expire(&mut self, now: Instant) -> Result<(), Close> {
        self.session.expire(now, self.observer)
    }

    fn closed(&mut self, by: &ClosedBy<Close>, now: Instant) -> Retry {
        self.session.closed(by, now)
    }
}
