//! Which signal does a Redis channel belong to, and is its sample news?

use crate::bytes::put;
use crate::config::{Config, Device, Signal};
use crate::index::{self, Index};
use crate::redis::session::Channels;
use crate::sample::{Quality, Sample};

/// From channels to signals, with each signal's memory of its last sample.
pub struct Routes<'a> {
    config: &'a Config<'a>,
    index: Index<'a>,
    last: &'a mut [LastSample],
}

/// What a signal's last accepted sample said. 32 bytes.
///
/// Value texts of up to 30 bytes are kept as they are, longer ones (no producer prints such) as their first 22 bytes and a
/// 64-bit hash of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastSample {
    quality: Remembered,
    len: u8,
    text: [u8; 30],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Remembered {
    Nothing,
    Good,
    Bad,
}

/// The caller's storage is too small for the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooSmall;

impl<'a> Routes<'a> {
    /// Routes for the enabled signals of the enabled devices. `slots` are [`Index::slots_for`] all signals, `last` one for each signal.
    ///
    /// # Errors
    /// [`TooSmall`].
    pub fn new(
        config: &'a Config<'a>,
        slots: &'a mut [u32],
        last: &'a mut [LastSample],
    ) -> Result<Self, TooSmall> {
        if last.len() < config.signals.len() {
            return Err(TooSmall);
        }
        let mut routes = Routes {
            config,
            index: Index::new(slots),
            last,
        };
        for number in 0..config.signals.len() {
            if let Some(pieces) = routes.channel(number) {
                let entry = u32::try_from(number).map_err(|_| TooSmall)?;
                routes
                    .index
                    .insert(index::hash(&pieces), entry)
                    .map_err(|_| TooSmall)?;
            }
        }
        Ok(routes)
    }

    /// The number of the signal that a channel belongs to.
    #[must_use]
    pub fn find(&self, channel: &[u8]) -> Option<u32> {
        self.index.lookup(index::hash(&[channel]), |number| {
            self.channel(number as usize)
                .is_some_and(|pieces| is_joined(channel, &pieces))
        })
    }

    #[must_use]
    pub fn signal(&self, number: u32) -> Option<&'a Signal<'a>> {
        self.config.signals.get(number as usize)
    }

    /// The device that an enabled signal belongs to, if that is enabled.
    fn device(&self, signal: &Signal<'a>) -> Option<&'a Device<'a>> {
        self.config
            .devices
            .get(usize::from(signal.device))
            .filter(|device| device.enable)
    }

    /// Whether `sample` says the same as the signal's last one (`enable_threshold`): its timestamp does not count.
    #[must_use]
    pub fn is_repetition(&self, number: u32, sample: &Sample<'_>) -> bool {
        self.last
            .get(number as usize)
            .is_some_and(|last| last.says(sample))
    }

    /// This sample was accepted.
    pub fn remember(&mut self, number: u32, sample: &Sample<'_>) {
        if let Some(last) = self.last.get_mut(number as usize) {
            *last = LastSample::of(sample);
        }
    }

    /// The signal's last sample was lost: the next one is news.
    pub fn forget(&mut self, number: u32) {
        if let Some(last) = self.last.get_mut(number as usize) {
            *last = LastSample::NOTHING;
        }
    }

    /// Of every signal of this device the last sample may be lost.
    pub fn forget_all(&mut self, device: u16) {
        let signals = self.config.signals.iter().zip(self.last.iter_mut());
        for (_, last) in signals.filter(|(signal, _)| signal.device == device) {
            *last = LastSample::NOTHING;
        }
    }
}

impl Channels for Routes<'_> {
    fn count(&self) -> usize {
        self.config.signals.len()
    }

    fn channel(&self, number: usize) -> Option<[&[u8]; 5]> {
        let signal = self
            .config
            .signals
            .get(number)
            .filter(|signal| signal.enable)?;
        let device = self.device(signal)?;
        Some(signal.channel_pieces(device.alias).map(str::as_bytes))
    }
}

impl LastSample {
    /// For filling storage.
    pub const NOTHING: LastSample = LastSample {
        quality: Remembered::Nothing,
        len: 0,
        text: [0; 30],
    };

    fn of(sample: &Sample<'_>) -> Self {
        let mut text = [0; 30];
        if put(&mut text, 0, sample.value).is_none() {
            let digest = fnv1a_64(sample.value).to_be_bytes();
            for (slot, byte) in text
                .iter_mut()
                .zip(sample.value.iter().take(22).chain(&digest))
            {
                *slot = *byte;
            }
        }
        let quality = match sample.quality {
            Quality::Good => Remembered::Good,
            Quality::Bad => Remembered::Bad,
        };
        LastSample {
            quality,
            len: sample.value.len() as u8,
            text,
        }
    }

    fn says(&self, sample: &Sample<'_>) -> bool {
        *self == Self::of(sample)
    }
}

/// The 64-bit FNV-1a hash.
fn fnv1a_64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// From the end on: there the channels of a device differ.
fn is_joined(whole: &[u8], pieces: &[&[u8]]) -> bool {
    let mut rest = whole;
    for piece in pieces.iter().rev() {
        match rest.strip_suffix(*piece) {
            Some(before) => rest = before,
            None => return false,
        }
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests;
