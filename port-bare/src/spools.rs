//! Which devices have a spool, does the flash suffice for what they ask for, and how do they get it?

use core::fmt::Write as _;

use heapless::String;
use mqtt_client_core::bridge::Broker;
use mqtt_client_core::bridge::spooling::Spool;
use mqtt_client_core::config::{Config, Finding, Key, KeyName, Place, Problem};
use mqtt_client_core::config::{Severity, Shown, Table};
use mqtt_client_core::spool::Log;
use mqtt_client_core::time::SECOND;

use crate::NotStarted;
use crate::flash::Part;
use crate::memory::{FlashForSpools, Sizes, SpoolMemory};
use crate::runner::put;
use crate::share::TooMuch;
use crate::stack::Client;

/// Sectors of a spool, at least: one is written while the one before is read.
const LEAST_SECTORS: u64 = 2;

/// What the system's clock showed at time 0: there is none that goes on over a reset, so that the spool takes it for one that was never set.
const NO_CLOCK: u64 = 0;

/// Whether each device that has a `spool_size` can have a spool.
pub fn check(
    config: &Config<'_>,
    sizes: &Sizes,
    flash: FlashForSpools<'_>,
    report: &mut dyn FnMut(&Finding<'_>),
) -> Result<(), TooMuch> {
    let (sector, count) = flash.map_or((0, 0), |flash| {
        let flash = flash.borrow();
        (u64::from(flash.sector_len()), flash.sector_count())
    });
    let all = sector * count as u64;
    let (mut left, mut spools) = (all, sizes.spools);
    let mut result = Ok(());
    let spooled = config.devices.iter();
    for device in spooled.filter(|device| device.spool_size > 0) {
        let mut text = String::<20>::new();
        // 2^64 has 20 digits.
        let _ = write!(text, "{}", device.spool_size);
        let problem = if spools == 0 {
            Some(Problem::NoRoom {
                what: "spools",
                room: sizes.spools,
            })
        } else if all > 0 && device.spool_size < LEAST_SECTORS * sector {
            Some(Problem::NotInRange {
                value: Shown::Number(&text),
                min: (LEAST_SECTORS * sector) as i64,
                max: all as i64,
            })
        } else if device.spool_size > left {
            Some(Problem::NoRoom {
                what: "bytes of spools of all devices",
                room: left as usize,
            })
        } else {
            None
        };
        spools = spools.saturating_sub(1);
        left = left.saturating_sub(device.spool_size);
        if let Some(problem) = problem {
            report(&Finding {
                severity: Severity::Error,
                place: Place::Cell {
                    table: Table::Devices,
                    row: device.row,
                    key: KeyName::Known(Key::SpoolSize),
                },
                problem,
            });
            result = Err(TooMuch);
        }
    }
    result
}

/// Gives each of these brokers its spool, if its device has one. Not inlined: the stack that it takes is free again before the first turn.
#[inline(never)]
pub fn give<'a>(
    config: &'a Config<'a>,
    flash: FlashForSpools<'a>,
    memory: &'a mut [SpoolMemory<'a>],
    brokers: &mut [Broker<'a, Client<'a>>],
) -> Result<(), NotStarted> {
    let flush_interval = u64::from(config.spool.flush_interval) * SECOND;
    let spooled = brokers.iter_mut();
    let spooled = spooled.filter(|broker| broker.device().spool_size > 0);
    for (broker, memory) in spooled.zip(memory) {
        let flash = flash.ok_or(NotStarted::Sizes)?;
        let (buffers, part) = memory.take_apart();
        let part = put(part, Part::new(flash, broker.device(), config.devices))?;
        let log = Log::new(buffers);
        broker.set_spool(Spool::new(
            broker.device(),
            log,
            part,
            flush_interval,
            NO_CLOCK,
        ));
    }
    Ok(())
}
