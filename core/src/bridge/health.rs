//! How are the parts of a bridge, and what went wrong last?

use super::sink::Sink;
use super::{Bridge, Broker, Feed};
use crate::health::{Health, Redis};
use crate::net::Network;
use crate::time::{Instant, SECOND};

impl<'a, N: Network> Bridge<'_, 'a, N> {
    /// How one of its [brokers](Bridge::brokers) is.
    #[must_use]
    pub fn health<'v>(&self, broker: &Broker<'a, N>, version: &'v str, now: Instant) -> Health<'v> {
        Health::new(
            version,
            now.as_millis() / SECOND,
            &broker.counters(),
            self.feed().health(),
            broker.session().standing(),
        )
    }
}

impl<'a, N: Network, S: Sink> Broker<'a, N, S> {
    /// Tells whoever subscribes how the device is, if that is due.
    #[inline]
    pub(super) fn tell_health(&mut self, now: Instant, feed: &Feed<'a, N>) {
        if self.session().is_health_due(now) {
            let counters = self.counters();
            self.session_mut()
                .tell_health(now, &counters, feed.health());
        }
    }
}

impl<N: Network> Feed<'_, N> {
    /// Whether samples can come.
    #[must_use]
    pub fn health(&self) -> Redis {
        match self.session().is_subscribed() {
            true => Redis::Up,
            false => Redis::Down,
        }
    }
}
