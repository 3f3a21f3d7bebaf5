//! How much memory has each session, beyond what it needs?

use mqtt_client_core::bridge::assembly::{Block, BrokerSizes, FeedSizes};
use mqtt_client_core::config::{Config, Device};
use mqtt_client_core::routes::TooSmall;
use mqtt_client_core::{mqtt, redis};

const FEED: FeedSizes = FeedSizes {
    // What one read takes at most. Some 200 messages, among which the cost of a read is lost.
    input: 16 * 1024,
    // 32 SUBSCRIBE of channels that are not unusually long, as many as may be under way.
    commands: 4 * 1024,
};

const BROKER: BrokerSizes = BrokerSizes {
    // Where the configuration does not say.
    outbox: 1024 * 1024,
    in_flight: 0,
    // 1,024 acknowledgements, like the next.
    input: 4 * 1024,
    control: 4 * 1024,
    // What one write takes at most: some 150 messages, among which the cost of a write is lost.
    transmit: 8 * 1024,
};

/// Memory of the session with Redis.
pub struct FeedBuffers {
    sizes: FeedSizes,
    bytes: Vec<u8>,
}

/// Memory of the session with one broker. Its pages cost nothing until they are used.
pub struct BrokerBuffers {
    sizes: BrokerSizes,
    bytes: Vec<u8>,
}

impl FeedBuffers {
    pub fn new(config: &Config<'_>) -> Self {
        let sizes = FeedSizes::of(config, FEED);
        FeedBuffers {
            sizes,
            bytes: vec![0; sizes.bytes()],
        }
    }

    pub fn storage(&mut self) -> Result<redis::session::Storage<'_>, TooSmall> {
        self.sizes.take(&mut Block::new(&mut self.bytes))
    }
}

impl BrokerBuffers {
    pub fn new(device: &Device<'_>) -> Self {
        let sizes = BrokerSizes::of(device, BROKER);
        BrokerBuffers {
            sizes,
            bytes: vec![0; sizes.bytes()],
        }
    }

    /// The same outbox, with room for what this device's CONNECT needs, and for its window. What was in flight when that was larger still is.
    pub fn fit(mut self, device: &Device<'_>) -> Self {
        let kept = self.sizes.kept_bytes();
        let sizes = BrokerSizes::of(device, self.sizes);
        if sizes != self.sizes {
            self.bytes.truncate(kept);
            self.bytes.resize(sizes.bytes(), 0);
            self.sizes = sizes;
        }
        self
    }

    pub fn storage(&mut self) -> Result<mqtt::session::Storage<'_>, TooSmall> {
        self.sizes.take(&mut Block::new(&mut self.bytes))
    }
}
