//! The whole product without its network: one feed from Redis, the routes, and a broker for each device.
//!
//! ```text
//! feed (Redis link and session) -> sample -> routes -> outbox -> broker (MQTT link and session)
//! ```

pub mod assembly;
pub mod broker;
pub mod feed;
#[cfg(feature = "health")]
mod health;
mod rejects;
pub mod reload;
pub mod sink;
#[cfg(feature = "spool")]
pub mod spooling;

pub use broker::Broker;
pub use feed::Feed;

use crate::config::{Config, Device};
use crate::counters::Counters;
use crate::mqtt::session::Session;
use crate::net::Network;
use crate::observer::Observer;
use crate::routes::Routes;
use crate::time::{Instant, SECOND};
use sink::Sink;

/// Longest time that [`Bridge::stop`] takes, in milliseconds.
pub const STOP_WITHIN: u64 = 5 * SECOND;

/// A running bridge. `'b` is the borrow of its parts, `'a` that of configuration and storage, `N` the port's network, `S` the session that
/// the samples leave by.
pub struct Bridge<'b, 'a, N: Network, S = Session<'a>> {
    config: &'a Config<'a>,
    routes: Routes<'a>,
    feed: Feed<'a, N>,
    brokers: &'b mut [Broker<'a, N, S>],
    stop_by: Option<Instant>,
}

impl<'b, 'a, N: Network, S: Sink> Bridge<'b, 'a, N, S> {
    /// A bridge of `brokers`, one for each device, in the order of [`Config::devices`]; see [`assembly`].
    pub fn new(
        config: &'a Config<'a>,
        routes: Routes<'a>,
        feed: Feed<'a, N>,
        brokers: &'b mut [Broker<'a, N, S>],
    ) -> Self {
        Bridge {
            config,
            routes,
            feed,
            brokers,
            stop_by: None,
        }
    }

    /// Does all that can be done now: reads what Redis has sent, hands it on, talks to the brokers.
    ///
    /// Call it again when the network has something, and at the returned time at the latest; that is `now` if there was
    /// more to do than one turn allows.
    #[must_use]
    pub fn poll(&mut self, now: Instant, observer: &mut dyn Observer) -> Instant {
        let mut wake_up = match self.stop_by {
            None => self
                .feed
                .poll(now, self.config, &mut self.routes, self.brokers, observer),
            Some(stop_by) if now >= stop_by => {
                let brokers = self.brokers.iter_mut();
                brokers
                    .filter(|broker| !broker.has_left())
                    .for_each(|broker| broker.leave(now, observer));
                Instant::NEVER
            }
            Some(stop_by) => stop_by,
        };
        for (number, broker) in (0..).zip(self.brokers.iter_mut()) {
            #[cfg(feature = "health")]
            broker.tell_health(now, &self.feed);
            wake_up = wake_up.min(broker.poll(now, number, &mut self.routes, observer));
        }
        wake_up
    }

    /// Does what is to be done with the spools, and nothing else: for a port whose network is away, in place of [`Bridge::poll`].
    #[cfg(feature = "spool")]
    #[must_use]
    pub fn poll_spools(&mut self, now: Instant) -> Instant {
        let mut wake_up = Instant::NEVER;
        for (number, broker) in (0..).zip(self.brokers.iter_mut()) {
            wake_up = wake_up.min(broker.poll_spool(now, number, &mut self.routes));
        }
        wake_up
    }

    /// Stops reading Redis. What is queued is sent and acknowledged, within [`STOP_WITHIN`]; then the brokers are told
    /// DISCONNECT, so that no Last Will is sent. Poll on until [`Bridge::has_stopped`].
    pub fn stop(&mut self, now: Instant) {
        self.feed.end();
        self.brokers.iter_mut().for_each(Broker::stop);
        self.stop_by.get_or_insert(now + STOP_WITHIN);
    }

    #[must_use]
    pub fn has_stopped(&self) -> bool {
        self.stop_by.is_some() && self.brokers.iter().all(Broker::has_ended)
    }

    /// What the system's clock showed at time 0, in seconds: it may have been set. Spools know by it how old samples are of earlier processes.
    #[cfg(feature = "spool")]
    pub fn set_clock_at_start(&mut self, seconds: u64) {
        for broker in &mut *self.brokers {
            broker.set_clock_at_start(seconds);
        }
    }

    /// What has happened so far, for each device.
    pub fn counters(&self) -> impl Iterator<Item = (&'a Device<'a>, Counters)> {
        self.brokers
            .iter()
            .map(|broker| (broker.device(), broker.counters()))
    }

    #[must_use]
    pub fn feed(&self) -> &Feed<'a, N> {
        &self.feed
    }

    #[must_use]
    pub fn brokers(&self) -> &[Broker<'a, N, S>] {
        self.brokers
    }

    /// Ends the bridge here, and gives back what goes on in the next one; the brokers are the caller's already.
    #[must_use]
    pub fn into_parts(self) -> (Routes<'a>, Feed<'a, N>) {
        (self.routes, self.feed)
    }
}
