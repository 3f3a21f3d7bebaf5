//! In which order is a file checked? The passes over the text, from bytes to a [`Config`].
//!
//! The first pass ([`survey`]) finds every syntax error there can be, and the tables; then come the `redis` block,
//! the devices and the signals, wherever they stand in the file.

use core::fmt::{self, Display, Formatter};

use super::abilities::Abilities;
use super::check::{Check, Fields};
use super::device::{device, is_mqtt};
use super::finding::{Finding, KeyName, Place, Problem, Severity, Type};
use super::json::{Reader, SyntaxError, Token, Value};
use super::key::{Key, Table};
use super::redis::{NO_LOCAL_REDIS, redis};
use super::row::Row;
use super::signal::signal;
use super::survey::{no_json, survey};
use super::unique::{DeviceRows, Owner, SignalRows};
use super::{Config, Device, Redis, Signal};

/// The memory that a [`Config`] lives in, besides the file's text. [`measure`](super::measure) tells how much a file needs.
#[derive(Debug)]
pub struct Storage<'a> {
    pub devices: &'a mut [Device<'a>],
    pub signals: &'a mut [Signal<'a>],
    /// Used during [`parse`] only.
    pub index: &'a mut [u32],
    pub text: &'a mut [u8],
}

/// The file is not valid; each reason was reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invalid<'a> {
    pub errors: usize,
    /// What could be read of the devices, for a port that has more to check about them. Where a rule is broken they have the key's default.
    pub devices: &'a [Device<'a>],
}

impl Display for Invalid<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let plural = if self.errors == 1 { "" } else { "s" };
        write!(f, "{} error{plural} in the configuration", self.errors)
    }
}

impl core::error::Error for Invalid<'_> {}

/// Checks a mapping table by every rule, and turns it into a [`Config`].
///
/// `report` gets each error and warning, those of one row together. A file that is no JSON has one finding only.
/// Where a rule is broken, checking goes on with the key's default, so that later errors show as well. Storage that is too small
/// is an error too, and neither it nor any text makes this panic.
///
/// The strings of the result borrow from `text`, those that hold escapes from `storage.text`. The time is about
/// proportional to the file's length.
pub fn parse<'a>(
    text: &'a [u8],
    storage: Storage<'a>,
    abilities: Abilities,
    report: &mut dyn FnMut(&Finding<'_>),
) -> Result<Config<'a>, Invalid<'a>> {
    // The only row there is: the file's outermost object first, then each row of the tables in turn.
    let mut row = Row::empty();
    let survey = match survey(text, &mut row) {
        Ok(survey) => survey,
        Err(finding) => {
            report(&finding);
            return Err(Invalid {
                errors: 1,
                devices: &[],
            });
        }
    };
    let room = storage.index.len();
    let Some(scratch) = Scratch::divide(storage.index, survey.index_parts()) else {
        let what = "index entries";
        report(&Finding {
            severity: Severity::Error,
            place: Place::Table(Table::Top),
            problem: Problem::NoRoom { what, room },
        });
        return Err(Invalid {
            errors: 1,
            devices: &[],
        });
    };
    let text = Reader::new(survey.text, 0);
    let mut check = Check::new(report, storage.text, scratch.keys, abilities);
    let mut tables = Tables {
        devices: DeviceTable {
            devices: storage.devices,
            used: 0,
            rows: DeviceRows::new(scratch.device_slots, scratch.device_rows, text),
            complete: true,
        },
        signals: SignalTable {
            signals: storage.signals,
            used: 0,
            rows: SignalRows::new(scratch.signal_slots, scratch.signal_rows),
            complete: true,
        },
        redis: Redis::default(),
    };
    let read = match survey.no_object {
        None => tables.read(&mut check, text, &mut row),
        Some(value) => {
            check.wrong_type(Place::Table(Table::Top), value, Type::Object);
            Ok(())
        }
    };
    if let Err(error) = read {
        // The survey has read all of it before, so no file brings it here.
        let finding = no_json(survey.text.as_bytes(), error);
        check.error(finding.place, finding.problem);
    }
    match check.errors {
        0 => Ok(tables.config()),
        errors => Err(Invalid {
            errors,
            devices: tables.config().devices,
        }),
    }
}

/// The parts of [`Storage::index`].
struct Scratch<'s> {
    device_slots: &'s mut [u32],
    device_rows: &'s mut [u32],
    signal_slots: &'s mut [u32],
    signal_rows: &'s mut [u32],
    keys: &'s mut [u32],
}

impl<'s> Scratch<'s> {
    fn divide(mut index: &'s mut [u32], lengths: [usize; 5]) -> Option<Self> {
        let mut parts = lengths.map(|length| {
            let (part, rest) = core::mem::take(&mut index).split_at_mut_checked(length)?;
            index = rest;
            Some(part)
        });
        let [device_slots, device_rows, signal_slots, signal_rows, keys] = &mut parts;
        Some(Scratch {
            device_slots: device_slots.take()?,
            device_rows: device_rows.take()?,
            signal_slots: signal_slots.take()?,
            signal_rows: signal_rows.take()?,
            keys: keys.take()?,
        })
    }
}

/// What has been read so far.
struct Tables<'a> {
    redis: Redis<'a>,
    devices: DeviceTable<'a>,
    signals: SignalTable<'a>,
}

struct DeviceTable<'a> {
    devices: &'a mut [Device<'a>],
    used: usize,
    rows: DeviceRows<'a>,
    /// Whether all devices are here, so that an alias that is not cannot be a device's.
    complete: bool,
}

struct SignalTable<'a> {
    signals: &'a mut [Signal<'a>],
    used: usize,
    rows: SignalRows<'a>,
    /// Whether there was room for all.
    complete: bool,
}

impl<'a> Tables<'a> {
    /// Applies the rules to the outermost object, which is in `row`, and to all that is in it.
    fn read(
        &mut self,
        check: &mut Check<'a, '_>,
        text: Reader<'a>,
        row: &mut Row<'a>,
    ) -> Result<(), SyntaxError> {
        Fields::new(check, row, Table::Top, 0).keys()?;
        let [redis_block, devices, signals] =
            [Key::Redis, Key::Devices, Key::Signals].map(|key| row.value(key));
        match redis_block {
            Value::Absent | Value::Null if check.abilities.local_servers => {}
            Value::Absent | Value::Null => {
                let place = Place::Cell {
                    table: Table::Redis,
                    row: 0,
                    key: KeyName::Known(Key::Host),
                };
                check.error(place, NO_LOCAL_REDIS);
            }
            Value::Object { at } => {
                let mut reader = text.value_at(at);
                reader.next()?;
                row.fill(&mut reader, Table::Redis)?;
                self.redis = redis(&mut Fields::new(check, row, Table::Redis, 0))?;
            }
            other => check.wrong_type(Place::Table(Table::Redis), other, Type::Object),
        }
        if let Some(rows) = array(check, text, devices, Table::Devices) {
            each_row(check, rows, row, Table::Devices, |fields| {
                self.devices.row(fields)
            })?;
        } else {
            self.devices.complete = false;
        }
        if let Some(rows) = array(check, text, signals, Table::Signals) {
            each_row(check, rows, row, Table::Signals, |fields| {
                self.signals.row(fields, &self.devices)
            })?;
        }
        if check.errors == 0 {
            self.warn_of_shared_topics(check);
        }
        Ok(())
    }

    fn warn_of_shared_topics(&mut self, check: &mut Check<'_, '_>) {
        let SignalTable {
            signals,
            used,
            rows,
            ..
        } = &mut self.signals;
        let signals = signals.get(..*used).unwrap_or_default();
        rows.shared_topics(self.devices.so_far(), signals, |row, first| {
            let place = Place::Cell {
                table: Table::Signals,
                row,
                key: KeyName::Known(Key::Topic),
            };
            check.warn(place, Problem::TopicShared { row: first });
        });
    }

    fn config(self) -> Config<'a> {
        Config {
            redis: self.redis,
            devices: self
                .devices
                .devices
                .get(..self.devices.used)
                .unwrap_or_default(),
            signals: self
                .signals
                .signals
                .get(..self.signals.used)
                .unwrap_or_default(),
        }
    }
}

/// A reader of a tab's rows; reports a tab that is missing or no array.
fn array<'a>(
    check: &mut Check<'a, '_>,
    text: Reader<'a>,
    value: Value<'a>,
    table: Table,
) -> Option<Reader<'a>> {
    match value {
        Value::Array { at, .. } => return Some(text.value_at(at)),
        Value::Absent | Value::Null => {
            check.error(Place::Table(table), Problem::Missing { because: None });
        }
        other => check.wrong_type(Place::Table(table), other, Type::Array),
    }
    None
}

/// Calls `apply` for each object of a tab, and reports the rows that are none.
fn each_row<'a>(
    check: &mut Check<'a, '_>,
    mut rows: Reader<'a>,
    row: &mut Row<'a>,
    table: Table,
    mut apply: impl FnMut(&mut Fields<'_, 'a, '_>) -> Result<(), SyntaxError>,
) -> Result<(), SyntaxError> {
    rows.next()?;
    for number in 0.. {
        match rows.next()? {
            Token::Open { object: true, .. } => {
                row.fill(&mut rows, table)?;
                apply(&mut Fields::new(check, row, table, number))?;
            }
            Token::Close => break,
            token => {
                let value = rows.rest_of(token)?;
                check.wrong_type(Place::Row(table, number), value, Type::Object);
            }
        }
    }
    Ok(())
}

impl<'a> DeviceTable<'a> {
    fn row(&mut self, fields: &mut Fields<'_, 'a, '_>) -> Result<(), SyntaxError> {
        let protocol = fields.required(Key::Protocol);
        let alias = fields.required(Key::DeviceAlias);
        let owner = alias.and_then(|alias| self.rows.find(alias, self.so_far()));
        // A row without a protocol may well be meant for us; the rest of it is checked too.
        if protocol.is_some_and(|protocol| !is_mqtt(protocol)) {
            // Its other columns are that protocol's business, but which row it is must be clear.
            fields.repeated(&[Key::Protocol, Key::DeviceAlias]);
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
        let device = device(fields, alias.unwrap_or_default())?;
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
        if let (None, Some(alias)) = (owner, alias) {
            self.rows.insert_device(alias, fields.number, index);
        }
        Ok(())
    }

    fn so_far(&self) -> &[Device<'a>] {
        self.devices.get(..self.used).unwrap_or_default()
    }
}

impl<'a> SignalTable<'a> {
    fn row(
        &mut self,
        fields: &mut Fields<'_, 'a, '_>,
        devices: &DeviceTable<'a>,
    ) -> Result<(), SyntaxError> {
        let device_alias = fields.required(Key::DeviceAlias);
        let owner = device_alias.and_then(|alias| devices.rows.find(alias, devices.so_far()));
        let device = match owner {
            Some(Owner { device: None, .. }) => {
                fields.repeated(&[Key::DeviceAlias]);
                return Ok(());
            }
            Some(Owner { device, .. }) => device,
            None => None,
        };
        if device_alias.is_some() && device.is_none() && devices.complete {
            let value = fields.shown(Key::DeviceAlias);
            fields.error(Key::DeviceAlias, Problem::NoSuchDevice(value));
        }
        let signal = signal(
            fields,
            device.unwrap_or_default(),
            device_alias.unwrap_or_default(),
        )?;
        let so_far = self.signals.get(..self.used).unwrap_or_default();
        if device.is_some() && !signal.alias.is_empty() {
            let same = self
                .rows
                .same_alias(&signal, so_far, self.used, fields.number);
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
}

fn taken(fields: &mut Fields<'_, '_, '_>, row: usize) {
    let value = fields.shown(Key::DeviceAlias);
    let table = Table::Devices;
    fields.error(Key::DeviceAlias, Problem::AliasTaken { value, table, row });
}

fn no_room(what: &'static str, room: usize) -> Problem<'static> {
    Problem::NoRoom { what, room }
}
