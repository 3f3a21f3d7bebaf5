//! In which order is a file checked? The passes over the text, from bytes to a [`Config`].
//!
//! The first pass ([`survey`]) finds every syntax error there can be, and the tables; then come the `redis` block,
//! the devices and the signals, wherever they stand in the file.

use core::fmt::{self, Display, Formatter};

#[cfg(feature = "spool")]
use super::Spool;
use super::abilities::Abilities;
use super::check::{Check, Fields};
use super::finding::{Finding, KeyName, Place, Problem, Severity, Type};
use super::json::{Reader, SyntaxError, Token, Value};
use super::parameter::Table;
use super::redis::{NO_LOCAL_REDIS, redis};
use super::row::Row;
use super::rows::{DeviceTable, Rows, SignalTable};
use super::schema::Key;
#[cfg(feature = "spool")]
use super::spool::spool;
use super::survey::{no_json, survey};
use super::unique::{DeviceRows, SignalRows};
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
    /// What could be read of the enabled devices, for a port that has more to check about them. Where a rule is broken they have the key's
    /// default.
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
    let (rows, errors) = read(text, storage, abilities, report)?;
    let config = rows.into_config();
    match errors {
        0 => Ok(config),
        errors => Err(Invalid {
            errors,
            devices: config.devices,
        }),
    }
}

/// The same, with the rows that are not enabled.
pub fn rows<'a>(
    text: &'a [u8],
    storage: Storage<'a>,
    abilities: Abilities,
    report: &mut dyn FnMut(&Finding<'_>),
) -> Result<Rows<'a>, Invalid<'a>> {
    let (rows, errors) = read(text, storage, abilities, report)?;
    match errors {
        0 => Ok(rows),
        errors => Err(Invalid {
            errors,
            devices: rows.into_config().devices,
        }),
    }
}

/// What could be read, and how many errors were reported; or, where nothing could be, those.
fn read<'a>(
    text: &'a [u8],
    storage: Storage<'a>,
    abilities: Abilities,
    report: &mut dyn FnMut(&Finding<'_>),
) -> Result<(Rows<'a>, usize), Invalid<'a>> {
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
    let device_rows = DeviceRows::new(scratch.device_slots, scratch.device_rows, text);
    let signal_rows = SignalRows::new(scratch.signal_slots, scratch.signal_rows);
    let mut rows = Rows {
        redis: Redis::default(),
        #[cfg(feature = "spool")]
        spool: Spool::default(),
        devices: DeviceTable::new(storage.devices, device_rows),
        signals: SignalTable::new(storage.signals, signal_rows),
    };
    let read = match survey.no_object {
        None => tables(&mut rows, &mut check, text, &mut row),
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
    Ok((rows, check.errors))
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

/// Applies the rules to the outermost object, which is in `row`, and to all that is in it.
fn tables<'a>(
    tables: &mut Rows<'a>,
    check: &mut Check<'a, '_>,
    text: Reader<'a>,
    row: &mut Row<'a>,
) -> Result<(), SyntaxError> {
    Fields::new(check, row, Table::Top, 0).keys()?;
    let [redis_block, devices, signals] =
        [Key::Redis, Key::Devices, Key::Signals].map(|key| row.value(key));
    #[cfg(feature = "spool")]
    let spool_block = row.value(Key::Spool);
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
            tables.redis = redis(&mut Fields::new(check, row, Table::Redis, 0))?;
        }
        other => check.wrong_type(Place::Table(Table::Redis), other, Type::Object),
    }
    // A device that needs it is an error where there is none.
    #[cfg(feature = "spool")]
    match spool_block {
        Value::Absent | Value::Null => {}
        Value::Object { at } => {
            let mut reader = text.value_at(at);
            reader.next()?;
            row.fill(&mut reader, Table::Spool)?;
            tables.spool = spool(&mut Fields::new(check, row, Table::Spool, 0))?;
        }
        other => check.wrong_type(Place::Table(Table::Spool), other, Type::Object),
    }
    if let Some(rows) = array(check, text, devices, Table::Devices) {
        each_row(check, rows, row, Table::Devices, |fields| {
            tables.devices.row(fields)
        })?;
    } else {
        tables.devices.complete = false;
    }
    if let Some(rows) = array(check, text, signals, Table::Signals) {
        each_row(check, rows, row, Table::Signals, |fields| {
            tables.signals.row(fields, &tables.devices)
        })?;
    }
    #[cfg(feature = "spool")]
    if check.abilities.files && tables.wants_spool() && tables.spool.path.is_none() {
        let place = Place::Cell {
            table: Table::Spool,
            row: 0,
            key: KeyName::Known(Key::Path),
        };
        let because = Some("spool_size");
        check.error(place, Problem::Missing { because });
    }
    if check.errors == 0 {
        tables.warn_of_shared_topics(check);
    }
    Ok(())
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
