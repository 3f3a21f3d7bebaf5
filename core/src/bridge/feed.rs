//! The end towards Redis: its session, its link and its network; and the way of a sample from there into an outbox.

use super::broker::{Broker, ROUNDS};
use super::rejects::Rejects;
use super::sink::Sink;
use crate::config::{Config, Endpoint, MAX_CHANNEL};
use crate::log::{Text, debug};
use crate::net::Network;
use crate::net::link::{CONNECT_WITHIN, Link, Target};
use crate::observer::Observer;
use crate::outbox::Room;
use crate::random::Random;
use crate::redis::session::{Close, Incoming, Session, State, Storage};
use crate::routes::Routes;
use crate::sample::{Rejection, Sample};
use crate::time::Instant;

/// The subscription at work.
pub struct Feed<'a, N: Network> {
    session: Session<'a>,
    link: Link<N::TcpSocket>,
    net: N,
    rejects: Rejects,
}

/// What goes on in the next bridge, with the same storage and the same Redis.
pub struct Suspended<N: Network> {
    session: State,
    link: Link<N::TcpSocket>,
    net: N,
}

impl<'a, N: Network> Feed<'a, N> {
    /// A feed that has never been connected. `random` is a number that differs from start to start and from gateway to gateway.
    pub fn new(config: &'a Config<'a>, random: u32, storage: Storage<'a>, net: N) -> Self {
        Feed {
            session: Session::new(&config.redis, config, storage),
            link: Link::new(Random::new(random)),
            net,
            rejects: Rejects::default(),
        }
    }

    /// The feed that [`Feed::suspend`] ended: its connection goes on, the channels of `config` are subscribed to, and those of
    /// `left` are left.
    pub fn resume(
        config: &'a Config<'a>,
        storage: Storage<'a>,
        suspended: Suspended<N>,
        left: &'a [&'a str],
    ) -> Self {
        let Suspended { session, link, net } = suspended;
        Feed {
            session: Session::resume(&config.redis, config, storage, session, left),
            link,
            net,
            rejects: Rejects::default(),
        }
    }

    /// Ends the feed here, and keeps what is needed to go on; `None` if a command is half written: then only a new
    /// connection helps.
    #[must_use]
    pub fn suspend(mut self) -> Option<Suspended<N>> {
        self.rejects.close();
        match self.session.suspend() {
            Some(session) => Some(Suspended {
                session,
                link: self.link,
                net: self.net,
            }),
            None => {
                self.link.end(&mut self.net);
                None
            }
        }
    }

    #[must_use]
    pub fn session(&self) -> &Session<'a> {
        &self.session
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

    pub(super) fn poll<S: Sink>(
        &mut self,
        now: Instant,
        config: &Config<'_>,
        routes: &mut Routes<'a>,
        brokers: &mut [Broker<'a, N, S>],
        observer: &mut dyn Observer,
    ) -> Instant {
        let (host, port) = match config.redis.endpoint {
            Endpoint::Tcp { host, port } => (host, port),
            // The port's network knows the path; the address is not used.
            Endpoint::Unix(path) => (path, 0),
        };
        let target = Target {
            name: "redis",
            host,
            port,
            proxy: None,
            connect_within: CONNECT_WITHIN,
        };
        self.rejects.expire(now);
        for _ in 0..ROUNDS {
            let Feed {
                session,
                link,
                net,
                rejects,
            } = self;
            let mut wake_up = link.poll(now, net, target, session);
            let mut onward = Onward {
                now,
                routes: &mut *routes,
                brokers: &mut *brokers,
                observer: &mut *observer,
                rejects,
            };
            if let Err(close) = onward.forward_all(session) {
                wake_up = link.close(now, net, target, session, close);
            }
            if !link.is_open() || (wake_up > now && !session.is_output_due()) {
                return wake_up.min(self.rejects.deadline());
            }
        }
        now
    }

    pub(super) fn end(&mut self) {
        self.rejects.close();
        self.link.end(&mut self.net);
    }
}

/// The way of a message, from its channel to an outbox.
struct Onward<'o, 'a, N: Network, S> {
    now: Instant,
    routes: &'o mut Routes<'a>,
    brokers: &'o mut [Broker<'a, N, S>],
    observer: &'o mut dyn Observer,
    rejects: &'o mut Rejects,
}

/// The channel belongs to no enabled signal.
struct NotOurs;

impl<'a, N: Network, S: Sink> Onward<'_, 'a, N, S> {
    /// All that has come.
    fn forward_all(&mut self, session: &mut Session<'_>) -> Result<(), Close> {
        while let Some(incoming) = session.next_incoming()? {
            match incoming {
                Incoming::Message { channel, payload } => {
                    if let Err(NotOurs) = self.forward(channel, payload) {
                        let mut name = heapless::Vec::<u8, MAX_CHANNEL>::new();
                        if name.extend_from_slice(channel).is_ok() {
                            session.unsubscribe(&name);
                        }
                    }
                }
                Incoming::Oversized {
                    channel: Some(channel),
                } => self.reject_oversized(channel),
                Incoming::Oversized { channel: None } => {}
            }
        }
        Ok(())
    }

    fn forward(&mut self, channel: &[u8], payload: &[u8]) -> Result<(), NotOurs> {
        self.observer.redis_message(channel, payload);
        let number = self.routes.find(channel).ok_or(NotOurs)?;
        let signal = self.routes.signal(number).ok_or(NotOurs)?;
        let broker = broker_of(self.brokers, signal.device).ok_or(NotOurs)?;
        let device = broker.device();
        let counters = broker.intake_mut();
        counters.received += 1;
        let sample = match Sample::parse(payload) {
            Ok(sample) => sample,
            Err(rejection) => {
                counters.rejected += 1;
                self.rejects.report(self.now, device, channel, rejection);
                return Ok(());
            }
        };
        if device.threshold && self.routes.is_repetition(number, &sample) {
            counters.suppressed += 1;
            debug!("{}: {} is unchanged", device.alias, Text(channel));
            return Ok(());
        }
        debug!(
            "{}: {} {} goes to {}",
            device.alias,
            Text(channel),
            Text(payload),
            Text(signal.topic.map_or(channel, str::as_bytes))
        );
        let is_aside = self.routes.is_aside(number);
        if broker.accept(self.now, self.routes, number, is_aside, &sample) {
            self.routes.remember(number, &sample);
        } else {
            self.routes.forget(number);
            debug!("{}: no room beside what is in flight", device.alias);
        }
        Ok(())
    }

    /// A message that is too long even for the buffer: no one sees its text.
    fn reject_oversized(&mut self, channel: &[u8]) {
        let Some(signal) = self
            .routes
            .find(channel)
            .and_then(|number| self.routes.signal(number))
        else {
            return;
        };
        let Some(broker) = broker_of(self.brokers, signal.device) else {
            return;
        };
        let counters = broker.intake_mut();
        counters.received += 1;
        counters.rejected += 1;
        let device = broker.device();
        self.rejects
            .report(self.now, device, channel, Rejection::TooLong);
    }
}

/// Queues a new sample, if need be in the place of the oldest ones; whether it is in.
#[inline]
pub(super) fn queue_new<S: Sink>(
    session: &mut S,
    routes: &mut Routes<'_>,
    number: u32,
    is_aside: bool,
    sample: &Sample<'_>,
) -> bool {
    session.queue(number, is_aside, sample)
        || make_room(session, routes, sample) && session.queue(number, is_aside, sample)
}

/// Whether there is room for the sample. The signals whose samples were dropped for it forget what they said last.
#[cold]
#[inline(never)]
fn make_room(session: &mut impl Sink, routes: &mut Routes<'_>, sample: &Sample<'_>) -> bool {
    loop {
        match session.make_room(sample) {
            Room::Enough => return true,
            Room::Dropped(signal) => routes.forget(signal),
            Room::None => return false,
        }
    }
}

/// The brokers stand in the order of their devices.
fn broker_of<'s, 'a, N: Network, S: Sink>(
    brokers: &'s mut [Broker<'a, N, S>],
    device: u16,
) -> Option<&'s mut Broker<'a, N, S>> {
    brokers.get_mut(usize::from(device))
}
