//! How much memory has each session?

use std::fs;
use std::path::Path;

use mqtt_client_core::config::{Config, Device};
use mqtt_client_core::mqtt::session::{self, Session};
use mqtt_client_core::{outbox, redis};

use crate::configuration::enabled;

/// `buffer_size` where the configuration does not say: 1 MiB.
const DEFAULT_BUFFER: usize = 1024 * 1024;

/// Bytes of a broker's input, and of its control output: 1,024 acknowledgements.
const ACKNOWLEDGEMENTS: usize = 4 * 1024;

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
    outbox: Vec<u8>,
    records: Vec<u64>,
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

/// Warns if the devices' buffers, once they are full, leave little of the machine's memory to others.
pub fn warn_of_large_buffers(file: &Path, devices: &[Device<'_>]) {
    let total = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    if let Some(total) = total_memory(&total)
        && let Some(wanted) = too_large(devices, total)
    {
        let (file, wanted, total) = (file.display(), wanted >> 20, total >> 20);
        log::warn!(
            "{file}: buffer_size of all devices is {wanted} MiB, more than a quarter of this machine's {total} MiB"
        );
    }
}

/// The sum of the buffers, if it is more than a quarter of `total` bytes.
fn too_large(devices: &[Device<'_>], total: u64) -> Option<u64> {
    let sizes =
        enabled(devices).map(|device| device.buffer_size.map_or(DEFAULT_BUFFER as u64, u64::from));
    let wanted = sizes.sum();
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
        let buffer_size = device
            .buffer_size
            .map_or(DEFAULT_BUFFER, |bytes| bytes as usize);
        let (outbox, records) = outbox::divide(buffer_size);
        BrokerBuffers {
            input: vec![0; ACKNOWLEDGEMENTS],
            control: vec![0; Session::control_len(device).max(ACKNOWLEDGEMENTS)],
            outbox: vec![0; outbox],
            records: vec![0; records],
        }
    }

    /// The same outbox, with room for what this device's CONNECT needs.
    pub fn fit(mut self, device: &Device<'_>) -> Self {
        let needed = Session::control_len(device);
        if self.control.len() < needed {
            self.control.resize(needed, 0);
        }
        self
    }

    pub fn storage(&mut self) -> session::Storage<'_> {
        session::Storage {
            input: &mut self.input,
            control: &mut self.control,
            outbox: &mut self.outbox,
            records: &mut self.records,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_of_more_than_a_quarter_of_the_memory_are_too_large() {
        let device = |enable, buffer_size| Device {
            enable,
            buffer_size,
            ..Device::EMPTY
        };
        let total = total_memory("MemFree: 7 kB\nMemTotal:          65536 kB\n").unwrap();
        assert_eq!(total, 64 << 20);
        for (sizes, expected) in [
            (&[None; 16][..], None),
            (&[None; 17], Some(17 << 20)),
            (&[Some(8 << 20), Some(9 << 20)], Some(17 << 20)),
        ] {
            let devices = sizes.iter().map(|&size| device(true, size));
            // One that is off takes nothing.
            let devices: Vec<_> = devices.chain([device(false, Some(1 << 30))]).collect();
            assert_eq!(too_large(&devices, total), expected);
        }
        for text in ["", "MemTotal: much", "MemTotal: 5"] {
            assert_eq!(total_memory(text), None);
        }
    }
}
