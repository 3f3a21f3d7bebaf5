//! How much memory has each session, beyond what it needs?

use std::fs;
use std::path::Path;

use mqtt_client_core::bridge::assembly::{Block, BrokerSizes, FeedSizes};
use mqtt_client_core::config::{Config, Device, Rows};
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

/// Warns if the devices' buffers, once they are full, leave little of the machine's memory to others.
pub fn warn_of_large_buffers(file: &Path, rows: &Rows<'_>) {
    let total = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let enabled = rows.devices().filter(|(_, is_enabled)| *is_enabled);
    if let Some(total) = total_memory(&total)
        && let Some(wanted) = too_large(enabled.map(|(device, _)| device), total)
    {
        let (file, wanted, total) = (file.display(), wanted >> 20, total >> 20);
        log::warn!(
            "{file}: buffer_size of all devices is {wanted} MiB, more than a quarter of this machine's {total} MiB"
        );
    }
}

/// The sum of the buffers, if it is more than a quarter of `total` bytes.
fn too_large<'d>(devices: impl Iterator<Item = &'d Device<'d>>, total: u64) -> Option<u64> {
    let default = BROKER.outbox as u64;
    let wanted = devices
        .map(|device| device.buffer_size.map_or(default, u64::from))
        .sum();
    (wanted > total / 4).then_some(wanted)
}

/// The memory of the machine in bytes, as `/proc/meminfo` has it.
fn total_memory(text: &str) -> Option<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib = line.trim().strip_suffix("kB")?.trim_end();
    Some(kib.parse::<u64>().ok()? << 10)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_of_more_than_a_quarter_of_the_memory_are_too_large() {
        let total = total_memory("MemFree: 7 kB\nMemTotal:          65536 kB\n").unwrap();
        assert_eq!(total, 64 << 20);
        for (sizes, expected) in [
            (&[None; 16][..], None),
            (&[None; 17], Some(17 << 20)),
            (&[Some(8 << 20), Some(9 << 20)], Some(17 << 20)),
        ] {
            let devices = sizes.iter().map(|&buffer_size| Device {
                buffer_size,
                ..Device::EMPTY
            });
            let devices: Vec<_> = devices.collect();
            assert_eq!(too_large(devices.iter(), total), expected);
        }
        for text in ["", "MemTotal: much", "MemTotal: 5"] {
            assert_eq!(total_memory(text), None);
        }
    }
}
