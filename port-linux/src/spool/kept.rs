//! What is kept of a device's spool from one bridge to the next: its files, its memory, and where it stood.

use std::mem::take;
use std::sync::Arc;

use mqtt_client_core::bridge::Broker;
use mqtt_client_core::bridge::spooling::{Spool, Suspended};
use mqtt_client_core::config::{Config, Device};
use mqtt_client_core::spool::{BLOCK, Buffers, Log, NAMES};
use mqtt_client_core::time::SECOND;

use super::Files;
use crate::net::Stack;
use crate::poller::Poller;

/// Blocks that wait to be written. While one is, the other is filled: a card that is slow has as long for it, eight seconds at 100 samples a
/// second.
const BLOCKS: usize = 2;

/// A device's spool takes 14 KB here and less than 4 KB of numbers, and 4 KB more while it is written to or read from.
const _: () = assert!(size_of::<Kept>() <= 14_500 && size_of::<Spool<'_>>() <= 4096);

/// The spools of all devices, in their order; none of those that have none.
#[derive(Default)]
pub struct Spools(Vec<Option<Box<Kept>>>);

/// What is kept of one.
struct Kept {
    folder: String,
    files: Files,
    memory: Memory,
    suspended: Option<Box<Suspended>>,
}

struct Memory {
    blocks: [[u8; BLOCK]; BLOCKS],
    window: [u8; BLOCK],
    places: [u32; NAMES],
    names: [u32; NAMES],
}

impl Spools {
    /// Those of these devices; what is left of the old ones belongs to devices that have none any more.
    pub fn take(&mut self, config: &Config<'_>, poller: &Arc<Poller>) -> Spools {
        let mut old = take(&mut self.0);
        let mut spools = Vec::with_capacity(config.devices.len());
        for device in config.devices {
            let mut spool = None;
            if let Some(path) = config.spool.path
                && device.spool_size > 0
            {
                let folder = format!("{path}/{}", device.alias);
                for kept in &mut old {
                    if kept.as_ref().is_some_and(|kept| kept.folder == folder) {
                        spool = kept.take();
                    }
                }
                let kept = spool.get_or_insert_with(|| Kept::new(folder, poller.clone()));
                kept.files.resize(device.spool_size);
            }
            spools.push(spool);
        }
        Spools(spools)
    }

    /// Gives each broker its spool; `started` is the system's clock at time 0, in seconds.
    pub fn give<'k>(
        &'k mut self,
        config: &'k Config<'k>,
        started: u64,
        brokers: &mut [Broker<'k, Stack>],
    ) {
        let flush_interval = u64::from(config.spool.flush_interval) * SECOND;
        for (broker, kept) in brokers.iter_mut().zip(&mut self.0) {
            if let Some(kept) = kept {
                let spool = kept.spool(broker.device(), flush_interval, started);
                broker.set_spool(spool);
            }
        }
    }

    /// For the next bridge: those that were taken, with where each was suspended.
    pub fn put_back(&mut self, taken: Spools, suspended: Vec<Option<Box<Suspended>>>) {
        *self = taken;
        for (kept, suspended) in self.0.iter_mut().zip(suspended) {
            if let Some(kept) = kept {
                kept.suspended = suspended;
            }
        }
    }
}

/// Suspends the spools of these brokers.
pub fn suspend(brokers: &mut [Broker<'_, Stack>]) -> Vec<Option<Box<Suspended>>> {
    let spools = brokers.iter_mut().map(Broker::take_spool);
    spools
        .map(|spool| Some(Box::new(spool?.suspend())))
        .collect()
}

impl Kept {
    fn new(folder: String, poller: Arc<Poller>) -> Box<Self> {
        Box::new(Kept {
            files: Files::new(&folder, poller),
            folder,
            memory: Memory {
                blocks: [[0; BLOCK]; BLOCKS],
                window: [0; BLOCK],
                places: [0; NAMES],
                names: [0; NAMES],
            },
            suspended: None,
        })
    }

    fn spool<'k>(
        &'k mut self,
        device: &'k Device<'k>,
        flush_interval: u64,
        started: u64,
    ) -> Spool<'k> {
        let Memory {
            blocks,
            window,
            places,
            names,
        } = &mut self.memory;
        let buffers = Buffers {
            blocks,
            window,
            places,
            names,
        };
        let files = &mut self.files;
        match self.suspended.take() {
            Some(suspended) => Spool::resume(device, buffers, files, flush_interval, *suspended),
            None => Spool::new(device, Log::new(buffers), files, flush_interval, started),
        }
    }
}
