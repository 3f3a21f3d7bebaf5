//! Which rows count? Those of the protocol MQTT as the file has them, and what is left of them once the disabled ones are gone.

use core::cell::Cell;

#[cfg(feature = "spool")]
use super::Spool;
use super::check::{Check, Fields};
use super::device::{device, is_mqtt};
use super::finding::{KeyName, Place, Problem};
use super::json::{SyntaxError, Value};
use super::parameter::Table;
use super::schema::Key;
use super::signal::signal;
use super::unique::{DeviceRows, Owner, SignalRows};
use super::{Config, Device, Redis, Signal};

/// The rows whose protocol is MQTT, in the file's order, enabled or not: for who shows the file to a person. What is to run is a [`Config`].
pub struct Rows<'a> {
    pub redis: Redis<'a>,
    #[cfg(feature = "spool")]
    pub spool: Spool<'a>,
    pub(super) devices: DeviceTable<'a>,
    pub(super) signals: SignalTable<'a>,
}

impl<'a> Rows<'a> {
    /// The devices, and whether each is enabled.
    pub fn devices(&self) -> impl ExactSizeIterator<Item = (&Device<'a>, bool)> {
        let rows = &self.devices.rows;
        let devices = self.devices.so_far().iter();
        devices.map(|device| (device, rows.is_enabled(device.row)))
    }

    /// The signals, and whether each is enabled, whatever its device is. [`Signal::device`] counts [`Rows::devices`].
    pub fn signals(&self) -> impl ExactSizeIterator<Item = (&Signal<'a>, bool)> {
        let rows = &self.signals.rows;
        let signals = self.signals.so_far().iter().enumerate();
        signals.map(|(number, signal)| (signal, rows.is_enabled(number)))
    }

    /// A device by its number among [`Rows::devices`], and whether it is enabled.
    #[cfg(feature = "providers")]
    pub(super) fn device(&self, number: u16) -> Option<(&Device<'a>, bool)> {
        let device = self.devices.so_far().get(usize::from(number))?;
        Some((device, self.devices.rows.is_enabled(device.row)))
    }

    /// The row of the Signals tab that a signal stands in, by its number among [`Rows::signals`].
    #[cfg(feature = "providers")]
    pub(super) fn signal_row(&self, number: usize) -> Option<usize> {
        self.signals.rows.row(number)
    }

    /// What is to run: the enabled devices and their enabled signals, at the front of their storage.
    #[must_use]
    pub fn into_config(mut self) -> Config<'a> {
        self.devices.number_enabled();
        let signals = cells(self.signals.signals, self.signals.used);
        let mut kept_signals = 0;
        for (number, cell) in signals.iter().enumerate() {
            let mut signal = cell.get();
            let device = self.devices.so_far().get(usize::from(signal.device));
            let device = device.and_then(|device| self.devices.rows.number(device.row));
            if let Some(device) = device
                && self.signals.rows.is_enabled(number)
            {
                signal.device = device;
                push(signals, &mut kept_signals, signal);
            }
        }
        let devices = cells(self.devices.devices, self.devices.used);
        let mut kept_devices = 0;
        for cell in devices {
            let device = cell.get();
            if self.devices.rows.is_enabled(device.row) {
                push(devices, &mut kept_devices, device);
            }
        }
        Config {
            redis: self.redis,
            #[cfg(feature = "spool")]
            spool: self.spool,
            devices: self.devices.devices.get(..kept_devices).unwrap_or_default(),
            signals: self.signals.signals.get(..kept_signals).unwrap_or_default(),
        }
    }

    /// Whether an enabled device has a spool.
    #[cfg(feature = "spool")]
    pub(super) fn wants_spool(&self) -> bool {
        self.devices()
            .any(|(device, enabled)| enabled && device.spool_size > 0)
    }

    pub(super) fn warn_of_shared_topics(&mut self, check: &mut Check<'_, '_>) {
        let SignalTable {
            signals,
            used,
            rows,
            ..
        } = &mut self.signals;
        let signals = signals.get_mut(..*used).unwrap_or_default();
        rows.shared_topics(self.devices.so_far(), signals, |row, first| {
            let place = Place::Cell {
                table: Table::Signals,
                row,
                key: KeyName::Known(Key::Topic),
            };
            check.warn(place, Problem::TopicShared { row: first });
        });
    }
}

/// The first `used` of `all`, to be read and written at once.
fn cells<T>(all: &mut [T], used: usize) -> &[Cell<T>] {
    let cells = Cell::from_mut(all).as_slice_of_cells();
    cells.get(..used).unwrap_or_default()
}

/// Puts `value` behind the first `kept` of `all`.
fn push<T>(all: &[Cell<T>], kept: &mut usize, value: T) {
    if let Some(place) = all.get(*kept) {
        place.set(value);
        *kept += 1;
    }
}

/// The devices so far.
pub(super) struct DeviceTable<'a> {
    devices: &'a mut [Device<'a>],
    used: usize,
    rows: DeviceRows<'a>,
    /// Whether all devices are here, so that an alias that is not cannot be a device's.
    pub complete: bool,
}

/// The signals so far.
pub(super) struct SignalTable<'a> {
    signals: &'a mut [Signal<'a>],
    used: usize,
    rows: SignalRows<'a>,
    /// Whether there was room for all.
    complete: bool,
}

impl<'a> DeviceTable<'a> {
    pub fn new(devices: &'a mut [Device<'a>], rows: DeviceRows<'a>) -> Self {
        DeviceTable {
            devices,
            used: 0,
            rows,
            complete: true,
        }
    }

    /// Checks a row of the tab, and takes it in if it is one of ours.
    pub fn row(&mut self, fields: &mut Fields<'_, 'a, '_>) -> Result<(), SyntaxError> {
        let protocol = fields.text(Key::Protocol);
        let alias = fields.text(Key::DeviceAlias);
        let owner = alias.and_then(|alias| self.rows.find(alias, self.so_far()));
        // A row without a protocol may well be meant for us; the rest of it is checked too.
        if protocol.is_some_and(|protocol| !is_mqtt(protocol)) {
            // Its other columns are that protocol's business, but which row it is must be clear.
            fields.repeated(Some(&[Key::Protocol, Key::DeviceAlias]));
            match (owner, alias, fields.row.value(Key::DeviceAlias)) {
                (None, Some(alias), Value::String(raw)) => {
                    self.rows.insert_other(alias, fields.number, raw.at);
                }
                (Some(owner), ..) if owner.device.is_some() => taken(fields, owner.row),
                // Two rows of other protocols with one alias are not our business.
                _ => {}
            }
            return Ok(());
        }
        let (device, enable) = device(fields, alias.unwrap_or_default())?;
        if let Some(owner) = owner {
            taken(fields, owner.row);
        }
        let (Some(place), Ok(index)) = (self.devices.get_mut(self.used), self.used.try_into())
        else {
            if self.complete {
                fields
                    .check
                    .error(Place::Table(Table::Devices), no_room("devices", self.used));
            }
            self.complete = false;
            return Ok(());
        };
        *place = device;
        self.used += 1;
        let name = alias.filter(|_| owner.is_none());
        self.rows.insert_device(name, fields.number, index, enable);
        Ok(())
    }

    fn so_far(&self) -> &[Device<'a>] {
        self.devices.get(..self.used).unwrap_or_default()
    }

    /// Gives the enabled devices the numbers that they have among themselves.
    fn number_enabled(&mut self) {
        let devices = self.devices.get(..self.used).unwrap_or_default();
        let mut number = 0;
        for device in devices {
            if self.rows.is_enabled(device.row) {
                self.rows.set_number(device.row, number);
                number += 1;
            }
        }
    }
}

impl<'a> SignalTable<'a> {
    pub fn new(signals: &'a mut [Signal<'a>], rows: SignalRows<'a>) -> Self {
        SignalTable {
            signals,
            used: 0,
            rows,
            complete: true,
        }
    }

    /// Checks a row of the tab, and takes it in if its device is one of ours.
    pub fn row(
        &mut self,
        fields: &mut Fields<'_, 'a, '_>,
        devices: &DeviceTable<'a>,
    ) -> Result<(), SyntaxError> {
        let device_alias = fields.text(Key::DeviceAlias);
        let owner = device_alias.and_then(|alias| devices.rows.find(alias, devices.so_far()));
        let device = match owner {
            Some(Owner { device: None, .. }) => {
                fields.repeated(Some(&[Key::DeviceAlias]));
                return Ok(());
            }
            Some(Owner { device, .. }) => device,
            None => None,
        };
        if device_alias.is_some() && device.is_none() && devices.complete {
            let value = fields.shown(Key::DeviceAlias);
            fields.error(Key::DeviceAlias, Problem::NoSuchDevice(value));
        }
        let (signal, enable) = signal(
            fields,
            device.unwrap_or_default(),
            device_alias.unwrap_or_default(),
        )?;
        self.rows.remember(self.used, fields.number, enable);
        let so_far = self.signals.get(..self.used).unwrap_or_default();
        if device.is_some() && !signal.alias.is_empty() {
            let same = self.rows.same_alias(&signal, so_far, self.used);
            if let Some(row) = same {
                let value = fields.shown(Key::SignalAlias);
                let table = Table::Signals;
                fields.error(Key::SignalAlias, Problem::AliasTaken { value, table, row });
            }
        }
        if let Some(place) = self.signals.get_mut(self.used) {
            *place = signal;
            self.used += 1;
        } else if self.complete {
            fields
                .check
                .error(Place::Table(Table::Signals), no_room("signals", self.used));
            self.complete = false;
        }
        Ok(())
    }

    fn so_far(&self) -> &[Signal<'a>] {
        self.signals.get(..self.used).unwrap_or_default()
    }
}

fn taken(fields: &mut Fields<'_, '_, '_>, row: usize) {
    let value = fields.shown(Key::DeviceAlias);
    let table = Table::Devices;
    fields.error(Key::DeviceAlias, Problem::AliasTaken { value, table, row });
}

fn no_room(what: &'static str, room: usize) -> Problem<'static> {
    Problem::NoRoom { what, room }
}
