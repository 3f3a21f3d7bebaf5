//! A measurement: from Redis' `value,timestamp,flags` to MQTT's `value,timestamp,quality` (manual chapter 22, "MQTT data format").
//!
//! | module | question |
//! |---|---|
//! | `grammar` | which messages are samples, and what is wrong with the others? |
//! | `plain` | how is almost every sample read, by hand and at once? |

use core::fmt;

mod grammar;
mod plain;
#[cfg(test)]
mod tests;

/// Longest message that is taken from Redis, in bytes.
pub const MAX_MESSAGE: usize = 128;

/// Longest `value,timestamp` of a sample, in bytes: it is a part of the message.
pub const MAX_TEXT: usize = MAX_MESSAGE;

/// A well-formed measurement. The texts are the producer's own bytes, without the spaces around them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample<'a> {
    /// An integer, a float or `nan`, in ASCII.
    pub value: &'a [u8],
    /// Unix time in milliseconds, in ASCII digits.
    pub timestamp: &'a [u8],
    pub quality: Quality,
    /// Both, with the comma between, if nothing else stands there in the message; else empty.
    whole: &'a [u8],
}

/// Whether a value may be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quality {
    /// `0`: one of the flags IV (invalid), NT (non-topical) or OV (overflow) is set.
    Bad,
    /// `1`: none of them is.
    Good,
}

/// Why a message is not forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Rejection {
    TooLong,
    ControlByte,
    EmptyValue,
    BadValue,
    NoTimestamp,
    BadTimestamp,
    /// `12,5,1708000203824,`: what it says was not meant, and would pass for 12 at the time 5.
    DecimalComma,
}

impl<'a> Sample<'a> {
    /// Reads a Redis message.
    ///
    /// # Errors
    /// The first rule that the message breaks.
    #[inline]
    pub fn parse(message: &'a [u8]) -> Result<Self, Rejection> {
        match plain::read(message) {
            Some(sample) => Ok(sample),
            None => grammar::read(message),
        }
    }

    /// `value,timestamp`, in one piece: as it stands in the message where there are no spaces between, else joined in `room`.
    #[inline]
    #[must_use]
    pub fn text<'t>(&self, room: &'t mut [u8; MAX_TEXT]) -> &'t [u8]
    where
        'a: 't,
    {
        if self.whole.is_empty() {
            self.join(room)
        } else {
            self.whole
        }
    }

    /// The same, where nothing has to be joined for it.
    #[inline]
    #[must_use]
    pub fn whole_text(&self) -> Option<&'a [u8]> {
        (!self.whole.is_empty()).then_some(self.whole)
    }

    #[cold]
    #[inline(never)]
    fn join<'t>(&self, room: &'t mut [u8; MAX_TEXT]) -> &'t [u8] {
        let bytes = self.value.iter().chain(b",").chain(self.timestamp);
        let mut len = 0;
        for (place, byte) in room.iter_mut().zip(bytes) {
            *place = *byte;
            len += 1;
        }
        room.get(..len).unwrap_or_default()
    }

    /// The sample with this [text](Sample::text), which was a sample's before.
    #[must_use]
    pub fn of_text(text: &'a [u8], quality: Quality) -> Option<Self> {
        let comma = text.iter().position(|byte| *byte == b',')?;
        let (value, rest) = text.split_at_checked(comma)?;
        Some(Sample {
            value,
            timestamp: rest.get(1..)?,
            quality,
            whole: text,
        })
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rejection::TooLong => "over 128 bytes",
            Rejection::ControlByte => "holds a control byte",
            Rejection::EmptyValue => "the value is empty",
            Rejection::BadValue => "the value is not an integer, a float or nan",
            Rejection::NoTimestamp => "the timestamp is missing",
            Rejection::BadTimestamp => "the timestamp is not an unsigned number of milliseconds",
            Rejection::DecimalComma => "a timestamp in the flags' place: is there a decimal comma?",
        })
    }
}
