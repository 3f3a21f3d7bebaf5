//! Did another row have this alias, or this topic? The rows so far, found by name in about constant time.

use super::json::Reader;
use super::{Device, Payload, Signal};
use crate::bytes::is_joined;
use crate::index::{Index, hash};

/// Marks a row that is not an MQTT device's; the other bits are where its alias stands in the text. Texts are shorter
/// than 2 GiB.
const OTHER: u32 = 1 << 31;

/// Marks a device or a signal that is not enabled. Rows count to less than 2^30, since each takes more than two bytes.
const DISABLED: u32 = 1 << 30;

/// The rows of the Devices tab by alias, those of other protocols included.
pub(super) struct DeviceRows<'a> {
    index: Index<'a>,
    /// For each row of the tab: the index of its device, maybe with [`DISABLED`], or [`OTHER`].
    rows: &'a mut [u32],
    text: Reader<'a>,
}

/// The row that an alias belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner {
    pub row: usize,
    /// `None`: another protocol's.
    pub device: Option<u16>,
}

impl<'a> DeviceRows<'a> {
    pub fn new(slots: &'a mut [u32], rows: &'a mut [u32], text: Reader<'a>) -> Self {
        let index = Index::new(slots);
        DeviceRows { index, rows, text }
    }

    pub fn find(&self, alias: &str, devices: &[Device<'_>]) -> Option<Owner> {
        let equal = |row: u32| match self.rows.get(row as usize) {
            Some(&entry) if entry & OTHER != 0 => {
                let other = self.text.string_at(entry & !OTHER);
                other.is_some_and(|other| other.is(alias))
            }
            Some(&entry) => devices
                .get(usize::from(entry as u16))
                .is_some_and(|device| device.alias == alias),
            None => false,
        };
        let row = self.index.lookup(hash(&[alias.as_bytes()]), equal)? as usize;
        let entry = *self.rows.get(row)?;
        let device = (entry & OTHER == 0).then_some(entry as u16);
        Some(Owner { row, device })
    }

    /// A row that is device `device`. Without an `alias` of its own it cannot be found.
    pub fn insert_device(&mut self, alias: Option<&str>, row: usize, device: u16, enabled: bool) {
        let flag = if enabled { 0 } else { DISABLED };
        self.insert(alias, row, u32::from(device) | flag);
    }

    /// A row of another protocol; its alias stands at byte `at`.
    pub fn insert_other(&mut self, alias: &str, row: usize, at: u32) {
        self.insert(Some(alias), row, at | OTHER);
    }

    fn insert(&mut self, alias: Option<&str>, row: usize, entry: u32) {
        // Both have room: they are as many as the tab's rows need.
        if let Some(place) = self.rows.get_mut(row) {
            *place = entry;
            if let Some(alias) = alias {
                let _ = self.index.insert(hash(&[alias.as_bytes()]), row as u32);
            }
        }
    }

    /// Whether the device in this row is enabled.
    pub fn is_enabled(&self, row: usize) -> bool {
        self.number(row).is_some()
    }

    /// The number of the device in this row, if that is enabled.
    pub fn number(&self, row: usize) -> Option<u16> {
        let entry = *self.rows.get(row)?;
        (entry & DISABLED == 0).then_some(entry as u16)
    }

    /// Gives the enabled device in this row another number; it cannot be found by its alias any more.
    pub fn set_number(&mut self, row: usize, number: u16) {
        if let Some(entry) = self.rows.get_mut(row) {
            *entry = number.into();
        }
    }
}

/// Whether these signals of the device with this alias have the same topic.
fn has_same_topic(one: &Signal<'_>, other: &Signal<'_>, device_alias: &str) -> bool {
    let (topic, other) = match (one.topic, other.topic) {
        (Some(topic), _) => (topic, other),
        (None, Some(topic)) => (topic, one),
        (None, None) => return one.alias == other.alias,
    };
    let pieces = other.topic_pieces(device_alias).map(str::as_bytes);
    is_joined(topic.as_bytes(), &pieces)
}

/// Marks a signal whose topic was reported as shared.
const REPORTED: u32 = 1 << 31;

/// The signals so far by alias or by topic.
pub(super) struct SignalRows<'s> {
    index: Index<'s>,
    /// For each signal, its row in the tab, and maybe [`REPORTED`] and [`DISABLED`].
    rows: &'s mut [u32],
}

impl<'s> SignalRows<'s> {
    pub fn new(slots: &'s mut [u32], rows: &'s mut [u32]) -> Self {
        let index = Index::new(slots);
        SignalRows { index, rows }
    }

    /// The signal that will be number `number` stands in row `row`.
    pub fn remember(&mut self, number: usize, row: usize, enabled: bool) {
        if let Some(place) = self.rows.get_mut(number) {
            *place = row as u32 | if enabled { 0 } else { DISABLED };
        }
    }

    pub fn is_enabled(&self, number: usize) -> bool {
        self.rows
            .get(number)
            .is_some_and(|entry| entry & DISABLED == 0)
    }

    /// The row of the earlier signal that has the same device and alias. If there is none, the signal can be found from now on:
    /// it will be number `number` of `signals`.
    pub fn same_alias(
        &mut self,
        signal: &Signal<'_>,
        signals: &[Signal<'_>],
        number: usize,
    ) -> Option<usize> {
        let hash = hash(&[&signal.device.to_le_bytes(), signal.alias.as_bytes()]);
        let equal = |other: u32| {
            signals
                .get(other as usize)
                .is_some_and(|other| other.device == signal.device && other.alias == signal.alias)
        };
        match self.index.lookup(hash, equal) {
            Some(other) => self.row(other as usize),
            None => {
                let _ = self.index.insert(hash, number as u32);
                None
            }
        }
    }

    /// Calls `report` with the rows of two enabled signals of one device that have the same topic, the later one first;
    /// once per topic. Where the device's messages can say whose they are, they do from now on, and only retained ones are reported, of which
    /// the broker keeps one. Forgets the aliases.
    pub fn shared_topics(
        &mut self,
        devices: &[Device<'_>],
        signals: &mut [Signal<'_>],
        mut report: impl FnMut(usize, usize),
    ) {
        self.index.clear();
        for number in 0..signals.len() {
            let Some(signal) = signals.get(number) else {
                continue;
            };
            let Some(device) = devices.get(usize::from(signal.device)) else {
                continue;
            };
            if !self.is_enabled(number) {
                continue;
            }
            let topic = signal.topic_pieces(device.alias);
            let [a, b, c, d, e] = topic.map(str::as_bytes);
            let hash = hash(&[&signal.device.to_le_bytes(), a, b, c, d, e]);
            let equal = |other: u32| {
                signals.get(other as usize).is_some_and(|other| {
                    other.device == signal.device && has_same_topic(signal, other, device.alias)
                })
            };
            let Some(first) = self.index.lookup(hash, equal) else {
                let _ = self.index.insert(hash, number as u32);
                continue;
            };
            if cfg!(feature = "json") && device.payload == Payload::Json {
                for number in [number, first as usize] {
                    if let Some(signal) = signals.get_mut(number) {
                        signal.is_named = true;
                    }
                }
                if !device.retain {
                    continue;
                }
            }
            let Some(entry) = self.rows.get_mut(first as usize) else {
                continue;
            };
            let reported = *entry & REPORTED != 0;
            *entry |= REPORTED;
            let rows = [number, first as usize].map(|number| self.row(number));
            if let (false, [Some(row), Some(first)]) = (reported, rows) {
                report(row, first);
            }
        }
    }

    pub fn row(&self, number: usize) -> Option<usize> {
        let entry = self.rows.get(number)?;
        Some((entry & !(REPORTED | DISABLED)) as usize)
    }
}
