//! How do the brokers share the board's memory, and does it suffice for what their configuration asks for?

use mqtt_client_core::config::{Config, Device, Finding, Key, KeyName, Place, Problem};
use mqtt_client_core::config::{Severity, Table};
use mqtt_client_core::mqtt::session::Session as Mqtt;
use mqtt_client_core::redis::session::Session as Redis;

use crate::memory::Sizes;

/// Least bytes for waiting samples of one device: as little as `buffer_size` may say.
const LEAST_OUTBOX: usize = 1024;

/// What each device gets of the memory for waiting samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shares {
    /// Bytes for a device whose `buffer_size` is not given.
    others: usize,
}

/// The configuration asks for more than there is; each thing was reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMuch;

impl Shares {
    /// Bytes of this device.
    pub fn of(self, device: &Device<'_>) -> usize {
        device.buffer_size.map_or(self.others, |size| size as usize)
    }
}

/// Shares of the devices: what `buffer_size` says, and for those without it equal parts of the rest.
pub fn share(
    config: &Config<'_>,
    sizes: &Sizes,
    report: &mut dyn FnMut(&Finding<'_>),
) -> Result<Shares, TooMuch> {
    let mut errors = 0;
    let mut error = |place, what, room| {
        errors += 1;
        report(&Finding {
            severity: Severity::Error,
            place,
            problem: Problem::NoRoom { what, room },
        });
    };
    if Redis::commands_len(&config.redis) > sizes.redis_commands {
        let what = "bytes of one command (user name, password)";
        error(Place::Table(Table::Redis), what, sizes.redis_commands);
    }
    let mut left = sizes.outbox * sizes.devices;
    for device in config.devices {
        if Mqtt::control_len(device) > sizes.broker_control {
            let what = "bytes of CONNECT (client_id, Last Will, user name, password)";
            error(
                Place::Row(Table::Devices, device.row),
                what,
                sizes.broker_control,
            );
        }
        let Some(size) = device.buffer_size else {
            continue;
        };
        match left.checked_sub(size as usize) {
            Some(rest) => left = rest,
            None => {
                let place = Place::Cell {
                    table: Table::Devices,
                    row: device.row,
                    key: KeyName::Known(Key::BufferSize),
                };
                error(place, "bytes of samples of all devices", left);
            }
        }
    }
    let devices = config.devices.iter();
    let others = devices.filter(|device| device.buffer_size.is_none());
    let share = left.checked_div(others.clone().count()).unwrap_or(0);
    if share < LEAST_OUTBOX
        && let Some(device) = others.clone().next()
    {
        let what = "bytes of samples";
        error(Place::Row(Table::Devices, device.row), what, share);
    }
    if errors > 0 {
        return Err(TooMuch);
    }
    Ok(Shares { others: share })
}
