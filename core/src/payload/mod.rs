//! How does a sample look on the wire? `value,timestamp,quality` (manual chapter 22, "MQTT data format"), or a [JSON object](json).
//!
//! A session asks for the length first, since a packet's header has it, and then has the payload written where it belongs.

pub mod json;

use crate::sample::{MAX_TEXT, Quality};

/// Longest payload in CSV, in bytes: a message without flags gains `,1`.
pub const MAX_LEN: usize = MAX_TEXT + QUALITY_LEN;

const QUALITY_LEN: usize = 2;

/// Bytes of the payload of a sample whose `value,timestamp` has `text_len` bytes.
#[inline]
#[must_use]
pub const fn len(text_len: usize) -> usize {
    text_len + QUALITY_LEN
}

/// Writes a payload to `out`, which is as long as [`len`] says; `write_text` puts `value,timestamp` into its place.
#[inline]
pub fn write(out: &mut [u8], quality: Quality, write_text: impl FnOnce(&mut [u8])) {
    if let Some((text, end)) = out.split_last_chunk_mut() {
        *end = match quality {
            Quality::Bad => *b",0",
            Quality::Good => *b",1",
        };
        write_text(text);
    }
}
