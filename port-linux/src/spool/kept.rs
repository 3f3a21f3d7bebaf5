//! What is kept of a device's spool from one bridge to the next: its files, its memory, and where it stood.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use mqtt_client_core::bridge::spooling::{Spool, Suspended};
use mqtt_client_core::config::{Config, Device};
use mqtt_client_core::spool::{BLOCK, Buffers, Log, NAMES};
use mqtt_client_core::time::SECOND;

use super::Files;
use crate::poller::Poller;

/// Blocks that wait to be written: a card that is slow has time for so many.
const BLOCKS: usize = 4;

/// See the module's page.
pub struct Kept {
    folder: PathBuf,
    spool_size: u64,
    files: Files,
    memory: Box<Memory>,
    suspended: Option<Suspended>,
}

struct Memory {
    blocks: [[u8; BLOCK]; BLOCKS],
    window: [u8; BLOCK],
    places: [u32; NAMES],
    names: [u32; NAMES],
}

/// Those of all devices, by alias.
#[derive(Default)]
pub struct Spools(HashMap<String, Kept>);

impl Spools {
    /// Those of these devices, in their order. What is left belongs to devices that have none any more, or another one.
    pub fn take(&mut self, config: &Config<'_>, poller: &Arc<Poller>) -> Vec<Option<Kept>> {
        let old = std::mem::take(&mut self.0);
        let mut old = old;
        let devices = config.devices.iter();
        let kept = devices.map(|device| {
            let folder = PathBuf::from(config.spool.path?).join(device.alias);
            let kept = old
                .remove(device.alias)
                .filter(|kept| kept.folder == folder && kept.spool_size == device.spool_size);
            let has_spool = device.spool_size > 0;
            kept.or_else(|| has_spool.then(|| Kept::new(folder, device.spool_size, poller.clone())))
        });
        kept.collect()
    }

    /// For the next bridge.
    pub fn put_back(&mut self, device: &Device<'_>, kept: Option<Kept>) {
        if let Some(kept) = kept {
            self.0.insert(device.alias.into(), kept);
        }
    }
}

impl Kept {
    fn new(folder: PathBuf, spool_size: u64, poller: Arc<Poller>) -> Self {
        Kept {
            files: Files::new(folder.clone(), spool_size, poller),
            folder,
            spool_size,
            memory: Box::new(Memory {
                blocks: [[0; BLOCK]; BLOCKS],
                window: [0; BLOCK],
                places: [0; NAMES],
                names: [0; NAMES],
            }),
            suspended: None,
        }
    }

    /// The spool of this device; `started` is the system's clock at time 0, in seconds.
    pub fn spool<'k>(
        &'k mut self,
        config: &Config<'_>,
        device: &'k Device<'k>,
        started: u64,
    ) -> Spool<'k> {
        let flush_interval = u64::from(config.spool.flush_interval) * SECOND;
        let Memory {
            blocks,
            window,
            places,
            names,
        } = &mut *self.memory;
        let buffers = Buffers {
            blocks,
            window,
            places,
            names,
        };
        match self.suspended.take() {
            Some(suspended) => {
                Spool::resume(device, buffers, &mut self.files, flush_interval, suspended)
            }
            None => {
                let log = Log::new(buffers);
                Spool::new(device, log, &mut self.files, flush_interval, started)
            }
        }
    }

    pub fn suspend(&mut self, suspended: Option<Suspended>) {
        self.suspended = suspended;
    }
}
