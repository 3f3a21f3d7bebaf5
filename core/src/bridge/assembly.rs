//! How much memory does each part of a bridge need, and how is what the caller hands in divided?
//!
//! A bridge has a table of routes ([`Index::slots_for`](crate::index::Index::slots_for) all signals, and a
//! [`LastSample`](crate::routes::LastSample) for each), one feed, and a broker for each device, in the order of
//! [`Config::devices`]. The sizes of feed and brokers are [`FeedSizes`] and [`BrokerSizes`]: what the configuration needs, or more,
//! as the port wishes. Each is cut from one [`Block`] of bytes, a `Vec` on Linux, a part of a `static` on a board. The front page of
//! this crate has all of it in one example.

use crate::config::{Config, Device};
use crate::mqtt::longest_publish;
use crate::mqtt::session as mqtt;
use crate::outbox;
use crate::redis::session as redis;
use crate::routes::TooSmall;

/// Memory that is handed out from the front.
pub struct Block<'a>(&'a mut [u8]);

impl<'a> Block<'a> {
    pub fn new(bytes: &'a mut [u8]) -> Self {
        Block(bytes)
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// [`TooSmall`]: there are not so many.
    pub fn take(&mut self, count: usize) -> Result<&'a mut [u8], TooSmall> {
        let block = core::mem::take(&mut self.0);
        let (taken, rest) = block.split_at_mut_checked(count).ok_or(TooSmall)?;
        self.0 = rest;
        Ok(taken)
    }
}

/// Bytes of the buffers of a feed. All zeros, as a wish: as little as works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FeedSizes {
    /// From Redis; one read takes so much at most.
    pub input: usize,
    /// Commands to Redis.
    pub commands: usize,
}

impl FeedSizes {
    /// What this configuration needs, or what is wished if that is more.
    #[must_use]
    pub fn of(config: &Config<'_>, wish: FeedSizes) -> Self {
        FeedSizes {
            input: wish.input.max(redis::MIN_INPUT),
            commands: (wish.commands).max(redis::Session::commands_len(&config.redis)),
        }
    }

    /// Bytes of all buffers.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.input + self.commands
    }

    /// Cuts the buffers from `block`.
    ///
    /// # Errors
    /// [`TooSmall`]: it has fewer than [`FeedSizes::bytes`].
    pub fn take<'a>(&self, block: &mut Block<'a>) -> Result<redis::Storage<'a>, TooSmall> {
        Ok(redis::Storage {
            input: block.take(self.input)?,
            commands: block.take(self.commands)?,
        })
    }
}

/// Bytes of the buffers of one broker. All zeros, as a wish: as little as works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BrokerSizes {
    /// Samples that wait or are unacknowledged: the `buffer_size` of a device that names none.
    pub outbox: usize,
    /// Messages that may be in flight, of two bytes each.
    pub in_flight: usize,
    /// From the broker.
    pub input: usize,
    /// Packets to the broker that are no messages.
    pub control: usize,
    /// Messages on their way out.
    pub transmit: usize,
}

impl BrokerSizes {
    /// What this device needs, or what is wished if that is more.
    #[must_use]
    pub fn of(device: &Device<'_>, wish: BrokerSizes) -> Self {
        let in_flight = outbox::in_flight_at_most(device.qos, device.max_inflight);
        BrokerSizes {
            outbox: (device.buffer_size).map_or(wish.outbox, |bytes| bytes as usize),
            in_flight: wish.in_flight.max(in_flight),
            input: wish.input.max(mqtt::Session::input_len(device)),
            control: (wish.control).max(mqtt::Session::control_len(device)),
            transmit: wish.transmit.max(longest_publish(device)),
        }
    }

    /// Bytes of all buffers.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.kept_bytes() + self.input + self.control + self.transmit
    }

    /// Bytes at the front of the block that a session which goes on over another connection needs as they were: the others may then be of
    /// other sizes.
    #[must_use]
    pub const fn kept_bytes(&self) -> usize {
        self.outbox + 2 * self.in_flight
    }

    /// Cuts the buffers from `block`.
    ///
    /// # Errors
    /// [`TooSmall`]: it has fewer than [`BrokerSizes::bytes`].
    pub fn take<'a>(&self, block: &mut Block<'a>) -> Result<mqtt::Storage<'a>, TooSmall> {
        Ok(mqtt::Storage {
            outbox: block.take(self.outbox)?,
            handshakes: block.take(2 * self.in_flight)?.as_chunks_mut().0,
            input: block.take(self.input)?,
            control: block.take(self.control)?,
            transmit: block.take(self.transmit)?,
        })
    }
}
