//! How much memory has each session?

use mqtt_client_core::config::{Config, Device};
use mqtt_client_core::mqtt::session::{self, Session};
use mqtt_client_core::{outbox, redis};

/// `buffer_size` where the configuration does not say: 1 MiB.
const DEFAULT_BUFFER: usize = 1024 * 1024;

/// Bytes of a broker's input, and of its control output: 1,024 acknowledgements.
const ACKNOWLEDGEMENTS: usize = 4 * 1024;

/// Bytes of PUBLISH that one write takes at most: some 150, among which the cost of a write is lost.
const MESSAGES: usize = 8 * 1024;

/// Bytes of the input from Redis: what one read takes at most. Some 200 messages, among which the cost of a read is lost.
const REDIS_INPUT: usize = 16 * 1024;

/// Bytes of commands to Redis: 32 SUBSCRIBE of channels that are not unusually long, as many as may be under way.
const REDIS_COMMANDS: usize = 4 * 1024;

/// Memory of the session with Redis.
pub struct FeedBuffers {
    input: Vec<u8>,
    commands: Vec<u8>,
}

/// Memory of the session with one broker. Its pages cost nothing until they are used.
pub struct BrokerBuffers {
    input: Vec<u8>,
    control: Vec<u8>,
    transmit: Vec<u8>,
    outbox: Vec<u8>,
    handshakes: Vec<[u8; 2]>,
}

impl FeedBuffers {
    pub fn new(config: &Config<'_>) -> Self {
        let commands = redis::session::Session::commands_len(&config.redis).max(REDIS_COMMANDS);
        FeedBuffers {
            input: vec![0; REDIS_INPUT],
            commands: vec![0; commands],
        }
    }

    pub fn storage(&mut self) -> redis::session::Storage<'_> {
        redis::session::Storage {
            input: &mut self.input,
            commands: &mut self.commands,
        }
    }
}

impl BrokerBuffers {
    pub fn new(device: &Device<'_>) -> Self {
        let buffer_size = device
            .buffer_size
            .map_or(DEFAULT_BUFFER, |bytes| bytes as usize);
        BrokerBuffers {
            input: vec![0; ACKNOWLEDGEMENTS],
            control: vec![0; Session::control_len(device).max(ACKNOWLEDGEMENTS)],
            transmit: vec![0; MESSAGES],
            outbox: vec![0; buffer_size],
            handshakes: vec![[0; 2]; in_flight_at_most(device)],
        }
    }

    /// The same outbox, with room for what this device's CONNECT needs, and for its window. What was in flight when that was larger still is.
    pub fn fit(mut self, device: &Device<'_>) -> Self {
        let needed = Session::control_len(device);
        if self.control.len() < needed {
            self.control.resize(needed, 0);
        }
        let in_flight = in_flight_at_most(device);
        if self.handshakes.len() < in_flight {
            self.handshakes.resize(in_flight, [0; 2]);
        }
        self
    }

    pub fn storage(&mut self) -> session::Storage<'_> {
        session::Storage {
            input: &mut self.input,
            control: &mut self.control,
            transmit: &mut self.transmit,
            outbox: &mut self.outbox,
            handshakes: &mut self.handshakes,
        }
    }
}

fn in_flight_at_most(device: &Device<'_>) -> usize {
    outbox::in_flight_at_most(device.qos, device.max_inflight)
}
