//! Did another row have this alias, or this topic? The rows so far, found by name in about constant time.

use super::json::Reader;
use super::{Device, Signal};
use crate::index::{Index, hash};

/// Marks a row that is not an MQTT device's; the other bits are where its alias stands in the text. Texts are shorter
/// than 2 GiB.
const OTHER: u32 = 1 << 31;

/// The rows of the Devices tab by alias, those of other protocols included.
pub(super) struct DeviceRows<'a> {
    index: Index<'a>,
    /// For each row of the tab: the index of its device, or [`OTHER`].
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
                .get(entry as usize)
                .is_some_and(|device| device.alias == alias),
            None => false,
        };
        let row = self.index.lookup(hash(&[alias.as_bytes()]), equal)? as usize;
        let entry = *self.rows.get(row)?;
        let device = (entry & OTHER == 0).then_some(entry as u16);
        Some(Owner { row, device })
    }

    pub fn insert_device(&mut self, alias: &str, row: usize, device: u16) {
        self.insert(alias, row, device.into());
    }

    /// A row of another protocol; its alias stands at byte `at`.
    pub fn insert_other(&mut self, alias: &str, row: usize, at: u32) {
        self.insert(alias, row, at | OTHER);
    }

    fn insert(&mut self, alias: &str, row: usize, entry: u32) {
        // Both have room: they are as many as the tab's rows need.
        if let Some(place) = self.rows.get_mut(row) {
            *place = entry;
            let _ = self.index.insert(hash(&[alias.as_bytes()]), row as u32);
        }
    }
}

/// Marks a signal whose topic was reported as shared.
const REPORTED: u32 = 1 << 31;

/// The signals so far by alias or by topic.
pub(super) struct SignalRows<'s> {
    index: Index<'s>,
    /// For each signal, its row in the tab, and [`REPORTED`].
    rows: &'s mut [u32],
}

impl<'s> SignalRows<'s> {
    pub fn new(slots: &'s mut [u32], rows: &'s mut [u32]) -> Self {
        let index = Index::new(slots);
        SignalRows { index, rows }
    }

    /// The row of the earlier signal that has the same device and alias. If there is none, the signal is remembered:
    /// it will be number `number` of `signals` and stands in row `row`.
    pub fn same_alias(
        &mut self,
        signal: &Signal<'_>,
        signals: &[Signal<'_>],
        number: usize,
        row: usize,
    ) -> Option<usize> {
        if let Some(place) = self.rows.get_mut(number) {
            *place = row as u32;
        }
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
    /// once per topic. Forgets the aliases.
    pub fn shared_topics(
        &mut self,
        devices: &[Device<'_>],
        signals: &[Signal<'_>],
        mut report: impl FnMut(usize, usize),
    ) {
        self.index.clear();
        for (number, signal) in signals.iter().enumerate() {
            let Some(device) = devices.get(usize::from(signal.device)) else {
                continue;
            };
            if !signal.enable {
                continue;
            }
            let topic = signal.topic_pieces(device.alias);
            let [a, b, c, d, e] = topic.map(str::as_bytes);
            let hash = hash(&[&signal.device.to_le_bytes(), a, b, c, d, e]);
            let equal = |other: u32| {
                signals.get(other as usize).is_some_and(|other| {
                    let other_topic = other.topic_pieces(device.alias);
                    let bytes = other_topic.iter().flat_map(|piece| piece.bytes());
                    other.device == signal.device
                        && bytes.eq(topic.iter().flat_map(|piece| piece.bytes()))
                })
            };
            let Some(first) = self.index.lookup(hash, equal) else {
                let _ = self.index.insert(hash, number as u32);
                continue;
            };
            let Some(entry) = self.rows.get_mut(first as usize) else {
                continue;
            };
            let (first, reported) = ((*entry & !REPORTED) as usize, *entry & REPORTED != 0);
            *entry |= REPORTED;
            if !reported && let Some(row) = self.row(number) {
                report(row, first);
            }
        }
    }

    fn row(&self, number: usize) -> Option<usize> {
        self.rows.get(number).map(|&row| (row & !REPORTED) as usize)
    }
}
