//! What does a string of the file say, and where do its characters live? In the file's own bytes, or, if it holds escapes,
//! decoded in memory that the caller lends.

use hifijson::escape::Lex as _;
use hifijson::{Read as _, SliceLexer};

/// A valid string as it stands between the quotes.
#[derive(Debug, Clone, Copy)]
pub struct Raw<'a> {
    pub text: &'a str,
    /// Where its opening quote stands.
    pub at: u32,
    /// Whether `text` differs from what it means.
    pub escaped: bool,
}

impl<'a> Raw<'a> {
    pub fn characters(self) -> Characters<'a> {
        Characters { rest: self.text }
    }

    /// Whether it means `text`.
    pub fn is(self, text: &str) -> bool {
        if self.escaped {
            self.characters().eq(text.chars())
        } else {
            self.text == text
        }
    }

    /// Whether it means what `other` means.
    pub fn means(self, other: Raw<'_>) -> bool {
        if self.escaped || other.escaped {
            self.characters().eq(other.characters())
        } else {
            self.text == other.text
        }
    }

    /// A hash of what it means, for [`Index`](crate::index::Index).
    pub fn hash(self) -> u32 {
        self.characters().fold(0, |state: u32, character| {
            (state ^ u32::from(character))
                .wrapping_mul(0x9e37_79b1)
                .rotate_left(15)
        })
    }
}

/// A string's characters, escapes decoded.
#[derive(Debug, Clone)]
pub struct Characters<'a> {
    rest: &'a str,
}

impl Iterator for Characters<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let mut plain = self.rest.chars();
        let character = plain.next()?;
        if character != '\\' {
            self.rest = plain.as_str();
            return Some(character);
        }
        let mut lexer = SliceLexer::new(plain.as_str().as_bytes());
        let kind = lexer.take_next()?;
        let character = lexer.escape(kind).ok()?;
        let read = self.rest.len().saturating_sub(lexer.as_slice().len());
        self.rest = self.rest.get(read..).unwrap_or_default();
        Some(character)
    }
}

/// Memory for decoded strings, handed out from the front.
pub(super) struct TextStore<'a> {
    free: &'a mut [u8],
}

impl<'a> TextStore<'a> {
    pub fn new(memory: &'a mut [u8]) -> Self {
        TextStore { free: memory }
    }

    /// What the string means. If it must be decoded and there is no room, the error is how much room is left.
    pub fn decode(&mut self, raw: Raw<'a>) -> Result<&'a str, usize> {
        if !raw.escaped {
            return Ok(raw.text);
        }
        let room = self.free.len();
        let length = raw.characters().map(char::len_utf8).sum();
        if length > room {
            return Err(room);
        }
        let free = core::mem::take(&mut self.free);
        let (text, free) = free.split_at_mut_checked(length).ok_or(room)?;
        self.free = free;
        let mut bytes = text.iter_mut();
        for character in raw.characters() {
            // In this order: when the character is at its end, zip has not taken a byte of the memory yet.
            for (from, to) in character.encode_utf8(&mut [0; 4]).bytes().zip(&mut bytes) {
                *to = from;
            }
        }
        str::from_utf8(text).map_err(|_| room)
    }
}
