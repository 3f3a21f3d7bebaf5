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

/// Blocks that wait to be written, at most: some 5,000 samples, for a burst, or a card that is slow. The log uses the first ones again and again, and the
/// rest of the memory is taken from the system only once it is needed: at 100 samples a second two or three of them are.
pub(super) const BLOCKS: usize = 8;

/// So a device's spool takes some 18 KB: two blocks, what is kept here beside them, and the numbers of log and bridge.
const _: () = assert!(size_of::<Kept>() <= 6400 && size_of::<Spool<'_>>() <= 4096);

/// The spools of all devices, in their order; none of those that have none.
#[derive(Default)]
pub struct Spools(Vec<Option<Box<Kept>>>);

/// What is kept of one.
struct Kept {
    path: String,
    alias: String,
    files: Files,
    memory: Memory,
    suspended: Option<Box<Suspended>>,
}

struct Memory {
    blocks: Vec<u8>,
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
                for kept in &mut old {
                    let same = |kept: &Kept| kept.path == path && kept.alias == device.alias;
                    if kept.as_deref().is_some_and(same) {
                        spool = kept.take();
                    }
                }
                let kept =
                    spool.get_or_insert_with(|| Kept::new(path, device.alias, poller.clone()));
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
    fn new(path: &str, alias: &str, poller: Arc<Poller>) -> Box<Self> {
        Box::new(Kept {
            files: Files::new(path, alias, poller),
            path: path.into(),
            alias: alias.into(),
            memory: Memory {
                blocks: vec![0; BLOCKS * BLOCK],
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
            blocks: blocks.as_chunks_mut().0,
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
