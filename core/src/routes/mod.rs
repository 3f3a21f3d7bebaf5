//! Which signal does a Redis channel belong to, and is its sample news?

use crate::bytes::{copy_short, is_equal};
use crate::config::{Config, Device, Signal};
use crate::index::{self, Index};
use crate::outbox::MAX_SIGNALS;
use crate::sample::{Quality, Sample};

/// From channels to signals, with each signal's memory of its last sample.
pub struct Routes<'a> {
    config: &'a Config<'a>,
    index: Index<'a>,
    last: &'a mut [LastSample],
}

/// What a signal's last accepted sample said, and whether its topic is set aside. 32 bytes.
///
/// Value texts of up to 29 bytes, 24 with a spool, are kept as they are, longer ones (no producer prints such) as their first bytes and a 64-bit hash
/// of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastSample {
    quality: Remembered,
    is_aside: bool,
    /// A sample has gone out, or is about to, while older ones may come later: those of the spool below this number, of which the lower half
    /// is enough to compare.
    #[cfg(feature = "spool")]
    is_overtaking: bool,
    #[cfg(feature = "spool")]
    overtakes_below: u32,
    len: u8,
    text: [u8; MAX_TEXT],
}

/// Longest value text that is kept as it is.
const MAX_TEXT: usize = if cfg!(feature = "spool") { 24 } else { 29 };

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
    /// Routes for the signals. `slots` are [`Index::slots_for`] all signals, `last` one for each signal.
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
        if config.signals.len() >= MAX_SIGNALS {
            return Err(TooSmall);
        }
        for (number, signal) in (0..).zip(config.signals) {
            if let Some(device) = routes.device(signal) {
                let pieces = signal.channel_pieces(device.alias).map(str::as_bytes);
                let inserted = routes.index.insert(index::hash(&pieces), number);
                inserted.map_err(|_| TooSmall)?;
            }
        }
        Ok(routes)
    }

    /// The number of the signal that a channel belongs to.
    #[inline]
    #[must_use]
    pub fn find(&self, channel: &[u8]) -> Option<u32> {
        self.index.lookup(index::hash_whole(channel), |number| {
            let signal = self.config.signals.get(number as usize);
            signal.is_some_and(|signal| self.is_channel_of(signal, channel))
        })
    }

    /// The number of the signal that has this alias in the device of that one.
    #[cfg(feature = "spool")]
    #[must_use]
    pub fn find_alias(&self, device_alias: &str, alias: &[u8]) -> Option<u32> {
        let named = Signal {
            alias: core::str::from_utf8(alias).ok()?,
            ..Signal::EMPTY
        };
        let pieces = named.channel_pieces(device_alias).map(str::as_bytes);
        self.index.lookup(index::hash(&pieces), |number| {
            let signal = self.config.signals.get(number as usize);
            signal.is_some_and(|signal| {
                let device = self.device(signal).map(|device| device.alias);
                signal.alias == named.alias && device == Some(device_alias)
            })
        })
    }

    /// From the end on: there the channels of a device differ.
    #[inline]
    fn is_channel_of(&self, signal: &Signal<'a>, channel: &[u8]) -> bool {
        let Some(device) = self.device(signal) else {
            return false;
        };
        let [tag, device, slash, signal, end] = signal.channel_pieces(device.alias);
        let rest = channel.strip_suffix(end.as_bytes());
        let rest = rest.and_then(|rest| without_end(rest, signal.as_bytes()));
        let rest = rest.and_then(|rest| rest.strip_suffix(slash.as_bytes()));
        let rest = rest.and_then(|rest| without_end(rest, device.as_bytes()));
        rest == Some(tag.as_bytes())
    }

    #[must_use]
    pub fn signal(&self, number: u32) -> Option<&'a Signal<'a>> {
        self.config.signals.get(number as usize)
    }

    /// The device that a signal belongs to.
    fn device(&self, signal: &Signal<'a>) -> Option<&'a Device<'a>> {
        self.config.devices.get(usize::from(signal.device))
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
            last.remember(sample);
        }
    }

    /// The signal's last sample was lost: the next one is news.
    pub fn forget(&mut self, number: u32) {
        if let Some(last) = self.last.get_mut(number as usize) {
            last.forget();
        }
    }

    /// Of every signal of this device the last sample may be lost.
    pub fn forget_all(&mut self, device: u16) {
        self.of_device(device).for_each(|(_, last)| last.forget());
    }

    /// Whether the topic of this signal is set aside.
    #[must_use]
    pub fn is_aside(&self, number: u32) -> bool {
        let last = self.last.get(number as usize);
        last.is_some_and(|last| last.is_aside)
    }

    /// The topic of this signal is set aside, and so are all signals that share it.
    pub fn set_aside(&mut self, number: u32) {
        let Some(culprit) = self.signal(number) else {
            return;
        };
        if let Some(last) = self.last.get_mut(number as usize) {
            last.is_aside = true;
        }
        for (signal, last) in self.of_device(culprit.device) {
            last.is_aside |= culprit.topic.is_some() && signal.topic == culprit.topic;
        }
    }

    /// No topic of this device is set aside any more.
    pub fn take_back(&mut self, device: u16) {
        self.of_device(device)
            .for_each(|(_, last)| last.is_aside = false);
    }

    /// A sample of this signal does not wait behind older ones: those that are in the spool below this number.
    #[cfg(feature = "spool")]
    pub fn overtake(&mut self, number: u32, below: u64) {
        if let Some(last) = self.last.get_mut(number as usize)
            && !(last.is_overtaking && last.is_ahead_of(below))
        {
            last.is_overtaking = true;
            last.overtakes_below = below as u32;
        }
    }

    /// Whether a later sample of this signal than the one of this number in the spool has gone out, or is about to. `is_late`: it is older than
    /// all that did not wait.
    #[cfg(feature = "spool")]
    #[must_use]
    pub fn is_overtaken(&self, number: u32, spooled: u64, is_late: bool) -> bool {
        let last = self.last.get(number as usize);
        last.is_some_and(|last| last.is_overtaking && (is_late || last.is_ahead_of(spooled)))
    }

    /// No older samples of these signals are in the spool any more.
    #[cfg(feature = "spool")]
    pub fn end_overtaking(&mut self, device: u16) {
        self.of_device(device)
            .for_each(|(_, last)| last.is_overtaking = false);
    }

    fn of_device(
        &mut self,
        device: u16,
    ) -> impl Iterator<Item = (&'a Signal<'a>, &mut LastSample)> {
        let signals = self.config.signals.iter().zip(self.last.iter_mut());
        signals.filter(move |(signal, _)| signal.device == device)
    }
}

impl LastSample {
    /// For filling storage.
    pub const NOTHING: LastSample = LastSample {
        quality: Remembered::Nothing,
        is_aside: false,
        #[cfg(feature = "spool")]
        is_overtaking: false,
        #[cfg(feature = "spool")]
        overtakes_below: 0,
        len: 0,
        text: [0; MAX_TEXT],
    };

    #[cfg(feature = "spool")]
    fn is_ahead_of(&self, number: u64) -> bool {
        self.overtakes_below.wrapping_sub(number as u32) as i32 > 0
    }

    #[inline]
    fn remember(&mut self, sample: &Sample<'_>) {
        self.quality = Remembered::from(sample.quality);
        self.len = sample.value.len() as u8;
        match self.text.get_mut(..sample.value.len()) {
            Some(text) => copy_short(text, sample.value),
            None => self.text = digest(sample.value),
        }
    }

    #[inline]
    fn says(&self, sample: &Sample<'_>) -> bool {
        self.quality == Remembered::from(sample.quality)
            && usize::from(self.len) == sample.value.len()
            && match self.text.get(..sample.value.len()) {
                Some(text) => is_equal(text, sample.value),
                None => self.text == digest(sample.value),
            }
    }

    fn forget(&mut self) {
        *self = LastSample {
            quality: Remembered::Nothing,
            len: 0,
            text: [0; MAX_TEXT],
            ..*self
        };
    }
}

impl From<Quality> for Remembered {
    #[inline]
    fn from(quality: Quality) -> Self {
        match quality {
            Quality::Good => Remembered::Good,
            Quality::Bad => Remembered::Bad,
        }
    }
}

/// What is kept of a value text that is too long to be kept as it is.
#[cold]
#[inline(never)]
fn digest(value: &[u8]) -> [u8; MAX_TEXT] {
    let mut text = [0; MAX_TEXT];
    let hash = fnv1a_64(value).to_be_bytes();
    let bytes = value.iter().take(MAX_TEXT - hash.len()).chain(&hash);
    for (place, byte) in text.iter_mut().zip(bytes) {
        *place = *byte;
    }
    text
}

/// The 64-bit FNV-1a hash.
fn fnv1a_64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// `whole` without `end`, if it ends so.
#[inline]
fn without_end<'w>(whole: &'w [u8], end: &[u8]) -> Option<&'w [u8]> {
    let (rest, tail) = whole.split_at_checked(whole.len().wrapping_sub(end.len()))?;
    is_equal(tail, end).then_some(rest)
}

#[cfg(test)]
mod tests;
