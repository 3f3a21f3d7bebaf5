//! The end towards one broker: its session, its link and its network.

use super::feed::queue_new;
use super::sink::Sink;
#[cfg(feature = "spool")]
use super::spooling::Spool;
use crate::config::{Config, Device};
use crate::counters::Counters;
use crate::index;
use crate::mqtt::session::{Event, Session, State, Storage};
use crate::net::Network;
use crate::net::link::{CONNECT_WITHIN, Link, Target};
use crate::observer::Observer;
use crate::random::Random;
use crate::routes::Routes;
use crate::sample::Sample;
use crate::time::{Instant, SECOND};

/// Rounds of one link in one turn, so that a busy one does not keep the others waiting.
pub(super) const ROUNDS: usize = 8;

/// Times that events are drained in one turn: the packets of a large input, if they are shown.
const MOST_TOLD: usize = 2048;

/// One device at work. `S` is the session that its samples leave by.
pub struct Broker<'a, N: Network, S = Session<'a>> {
    device: &'a Device<'a>,
    /// Of the counters those that count before a sample is queued.
    intake: Counters,
    session: S,
    link: Link<N::TcpSocket>,
    net: N,
    #[cfg(feature = "spool")]
    spool: Option<Spool<'a>>,
}

/// What goes on in the next bridge, with the same storage and a device of the same settings, see [`Broker::resume`].
pub struct Suspended<N: Network> {
    intake: Counters,
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
            link: self.link.begin_anew(),
            net,
            ..self
        }
    }
}

impl<'a, N: Network> Broker<'a, N> {
    /// The broker of `device`, one of `config`. `digits` are those of a generated client identifier; `random` is a number that differs from
    /// start to start and from gateway to gateway.
    pub fn new(
        config: &'a Config<'a>,
        device: &'a Device<'a>,
        digits: u32,
        random: u32,
        storage: Storage<'a>,
        net: N,
    ) -> Self {
        // An odd factor: the devices of one gateway differ, and only 0 stays 0.
        let factor = index::hash(&[device.alias.as_bytes()]) | 1;
        let random = Random::new(random.wrapping_mul(factor));
        let session = Session::new(config, device, digits, random.clone(), storage);
        Self::with_session(device, session, random, net)
    }

    /// The broker that [`Broker::suspend`] ended: its connection goes on, or a new one with the same session, see [`Suspended::over`].
    pub fn resume(
        config: &'a Config<'a>,
        device: &'a Device<'a>,
        digits: u32,
        storage: Storage<'a>,
        suspended: Suspended<N>,
    ) -> Self {
        let Suspended {
            intake,
            session,
            link,
            net,
        } = suspended;
        let session = Session::resume(config, device, digits, storage, session);
        Broker {
            device,
            intake,
            session,
            link,
            net,
            #[cfg(feature = "spool")]
            spool: None,
        }
    }

    /// Ends the broker here, and keeps what is needed to go on.
    #[must_use]
    pub fn suspend(self) -> Suspended<N> {
        Suspended {
            intake: self.intake,
            session: self.session.suspend(),
            link: self.link,
            net: self.net,
        }
    }

    /// The counters go on from these, with what is queued here now.
    pub fn resume_counters(&mut self, counters: Counters) {
        self.intake = counters;
        *self.session.counters_mut() = counters;
    }
}

impl<'a, N: Network, S: Sink> Broker<'a, N, S> {
    /// A broker whose samples leave by this session, which is new.
    pub fn with_session(device: &'a Device<'a>, session: S, random: Random, net: N) -> Self {
        Broker {
            device,
            intake: Counters::default(),
            session,
            link: Link::new(random),
            net,
            #[cfg(feature = "spool")]
            spool: None,
        }
    }

    /// What waits too long, or finds no room, goes to this spool; before the first poll.
    #[cfg(feature = "spool")]
    // A spool is moved as a whole, and not field by field: 3 KB of code on MIPS.
    #[inline(never)]
    pub fn set_spool(&mut self, spool: Spool<'a>) {
        self.session.leave_to_spool();
        self.spool = Some(spool);
    }

    /// The same.
    #[cfg(feature = "spool")]
    #[must_use]
    pub fn with_spool(mut self, spool: Spool<'a>) -> Self {
        self.set_spool(spool);
        self
    }

    /// Takes the spool out: a broker that is suspended has none.
    #[cfg(feature = "spool")]
    #[must_use]
    pub fn take_spool(&mut self) -> Option<Spool<'a>> {
        self.spool.take()
    }

    #[cfg(feature = "spool")]
    #[must_use]
    pub fn spool(&self) -> Option<&Spool<'a>> {
        self.spool.as_ref()
    }

    #[cfg(feature = "spool")]
    pub(super) fn set_clock_at_start(&mut self, seconds: u64) {
        if let Some(spool) = &mut self.spool {
            spool.set_clock_at_start(seconds);
        }
    }

    #[must_use]
    pub fn device(&self) -> &'a Device<'a> {
        self.device
    }

    #[must_use]
    pub fn counters(&self) -> Counters {
        let counters = self.counters_without_spool();
        #[cfg(feature = "spool")]
        if let Some(spool) = self.spool() {
            return spool.counted(counters, &self.session);
        }
        counters
    }

    /// The counters but for what its spool adds: that goes on by itself.
    pub(super) fn counters_without_spool(&self) -> Counters {
        Counters {
            received: self.intake.received,
            rejected: self.intake.rejected,
            suppressed: self.intake.suppressed,
            ..self.session.counters()
        }
    }

    /// Takes in a new sample of this signal, if there is any room for it; `now` tells how long it has waited later.
    #[inline]
    pub(super) fn accept(
        &mut self,
        now: Instant,
        routes: &mut Routes<'a>,
        number: u32,
        is_aside: bool,
        sample: &Sample<'_>,
    ) -> bool {
        let Broker { session, .. } = self;
        session.accepts_at(now.as_millis() as i64);
        #[cfg(feature = "spool")]
        if let Some(spool) = &mut self.spool {
            return spool.accept(now, session, routes, number, sample);
        }
        queue_new(session, routes, number, is_aside, sample)
    }

    /// Of the counters those that count before a sample is queued.
    pub(super) fn intake_mut(&mut self) -> &mut Counters {
        &mut self.intake
    }

    #[must_use]
    pub fn session(&self) -> &S {
        &self.session
    }

    pub fn session_mut(&mut self) -> &mut S {
        &mut self.session
    }

    #[must_use]
    pub fn net(&self) -> &N {
        &self.net
    }

    /// See [`Link::last_failure`].
    #[cfg(feature = "health")]
    #[must_use]
    pub fn last_failure(&self) -> Option<(Instant, &str)> {
        self.link.last_failure()
    }

    /// `number` is the device's.
    pub(super) fn poll(
        &mut self,
        now: Instant,
        number: u16,
        routes: &mut Routes<'a>,
        observer: &mut dyn Observer,
    ) -> Instant {
        let wake_up = self.poll_link(now, number, routes, observer);
        #[cfg(feature = "spool")]
        let wake_up = wake_up.min(
            self.session
                .drop_aged(now, &mut |signal| routes.forget(signal)),
        );
        #[cfg(feature = "spool")]
        let wake_up = wake_up.min(self.poll_spool(now, number, routes));
        wake_up
    }

    /// What is to be done with the spool, if there is one; when to come back.
    #[cfg(feature = "spool")]
    pub(super) fn poll_spool(
        &mut self,
        now: Instant,
        number: u16,
        routes: &mut Routes<'a>,
    ) -> Instant {
        let has_left = self.link.has_ended();
        match &mut self.spool {
            Some(spool) => spool.work(now, has_left, number, &mut self.session, routes),
            None => Instant::NEVER,
        }
    }

    fn poll_link(
        &mut self,
        now: Instant,
        number: u16,
        routes: &mut Routes<'a>,
        observer: &mut dyn Observer,
    ) -> Instant {
        if self.session.is_finished() && !self.link.has_ended() {
            self.link.end(&mut self.net);
            self.session.report_undelivered();
        }
        let target = Target {
            name: self.device.alias,
            host: self.device.host,
            port: self.device.port,
            proxy: self.device.proxy.as_ref(),
            // A TLS peer that falls silent in the handshake is as dead as one that misses PINGRESP.
            connect_within: CONNECT_WITHIN.min(u64::from(self.device.keep_alive) * SECOND / 2 * 3),
        };
        self.session.watch(observer.sees_packets());
        let (mut rounds, mut told) = (0, 0);
        while rounds < ROUNDS && told < MOST_TOLD {
            let wake_up = self
                .link
                .poll(now, &mut self.net, target, &mut self.session);
            let has_told = self.drain_events(number, routes, observer);
            if !self.link.is_open() {
                // The next attempt is for the next turn, whatever the time.
                return wake_up;
            }
            if has_told {
                // There may be more that waited for these to be shown: that is no new round.
                told += 1;
            } else if wake_up > now {
                return wake_up;
            } else {
                rounds += 1;
            }
        }
        now
    }

    /// Whether there were any.
    #[inline]
    fn drain_events(
        &mut self,
        number: u16,
        routes: &mut Routes<'a>,
        observer: &mut dyn Observer,
    ) -> bool {
        let mut has_told = false;
        while let Some(event) = self.session.poll_event() {
            has_told = true;
            match event {
                Event::ValuesLost => routes.forget_all(number),
                Event::SetAside(signal) => routes.set_aside(signal),
                Event::TakenBack => routes.take_back(number),
                Event::Sent(packet) => observer.packet_sent(self.device.alias, &packet),
                Event::Received(packet) => observer.packet_received(self.device.alias, &packet),
            }
        }
        has_told
    }

    pub(super) fn stop(&mut self) {
        #[cfg(feature = "spool")]
        if let Some(spool) = &mut self.spool {
            spool.stop();
        }
        self.session.stop();
    }

    /// Hears what has arrived, so that less is repeated later; says DISCONNECT as far as the network takes it at once, and ends.
    pub fn leave(&mut self, now: Instant, observer: &mut dyn Observer) {
        self.link.read_once(now, &mut self.net, &mut self.session);
        self.show(observer);
        self.session.leave();
        // What waits to be shown holds back what is to be written.
        self.show(observer);
        self.link
            .flush_and_end(now, &mut self.net, &mut self.session);
        self.show(observer);
        self.session.left(now);
    }

    /// What a session that ends has to tell the routes does not matter any more.
    fn show(&mut self, observer: &mut dyn Observer) {
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Sent(packet) => observer.packet_sent(self.device.alias, &packet),
                Event::Received(packet) => observer.packet_received(self.device.alias, &packet),
                Event::ValuesLost | Event::SetAside(_) | Event::TakenBack => {}
            }
        }
    }

    /// Whether there is no connection any more, and will not be.
    pub(super) fn has_left(&self) -> bool {
        self.link.has_ended()
    }

    /// Whether there is nothing left to do.
    pub(super) fn has_ended(&self) -> bool {
        #[cfg(feature = "spool")]
        if self.spool().is_some_and(|spool| !spool.has_ended()) {
            return false;
        }
        self.has_left()
    }
}
