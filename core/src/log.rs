//! Logging: one set of macros, which end in `log` (feature `log`), in `defmt` (feature `defmt`), in both, or nowhere.
//!
//! The levels are the debug levels of the manual: 0 error, 1 warning, 2 connections and state, 3 messages, 4 bytes.
//! An argument must be printable in both worlds; `Printed` makes it so for anything with a `Display`, and [`Text`] for
//! bytes that came from outside.

use core::fmt::{self, Write};

use crate::secret::Secrets;

macro_rules! emit {
    ($level:ident, $($arg:tt)*) => {{
        #[cfg(feature = "log")]
        log::$level!($($arg)*);
        #[cfg(feature = "defmt")]
        defmt::$level!($($arg)*);
        #[cfg(not(any(feature = "log", feature = "defmt")))]
        $crate::log::unused(core::format_args!($($arg)*));
    }};
}

/// Keeps the arguments of a macro that ends nowhere from being reported as unused.
#[cfg(not(any(feature = "log", feature = "defmt")))]
#[inline(always)]
pub(crate) fn unused(_: fmt::Arguments<'_>) {}

macro_rules! error { ($($arg:tt)*) => { $crate::log::emit!(error, $($arg)*) }; }
macro_rules! warning { ($($arg:tt)*) => { $crate::log::emit!(warn, $($arg)*) }; }
macro_rules! info { ($($arg:tt)*) => { $crate::log::emit!(info, $($arg)*) }; }
macro_rules! debug { ($($arg:tt)*) => { $crate::log::emit!(debug, $($arg)*) }; }
macro_rules! trace { ($($arg:tt)*) => { $crate::log::emit!(trace, $($arg)*) }; }

pub(crate) use {debug, emit, error, info, trace, warning};

/// A `Display` type as an argument of the macros.
pub(crate) struct Printed<T>(pub T);

impl<T: fmt::Display> fmt::Display for Printed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(feature = "defmt")]
impl<T: fmt::Display> defmt::Format for Printed<T> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{}", defmt::Display2Format(&self.0));
    }
}

/// Bytes from outside that no peer chose the words of, shown as text: what is not printable ASCII is escaped, as is the backslash, and
/// what is over 160 bytes is cut.
pub struct Text<'a>(pub &'a [u8]);

/// A peer's own words, in the same form: what is secret between it and us is masked.
pub struct Words<'a>(pub &'a [u8], pub Secrets<'a>);

const SHOWN_BYTES: usize = 160;

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Words(self.0, Secrets::NONE).fmt(f)
    }
}

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = 0;
        for piece in self.1.masked(self.0) {
            if shown >= SHOWN_BYTES {
                return f.write_str("...");
            }
            shown += piece.len();
            for byte in piece {
                match byte {
                    // `escape_ascii` has Rust's literals in mind.
                    b'"' | b'\'' => f.write_char(char::from(*byte))?,
                    _ => write!(f, "{}", byte.escape_ascii())?,
                }
            }
        }
        Ok(())
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Text<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{}", defmt::Display2Format(self));
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Words<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{}", defmt::Display2Format(self));
    }
}

/// Whether a terminal or log viewer would obey the character, and not show it: controls, line and paragraph separators, marks of
/// writing direction.
#[must_use]
pub fn is_obeyed(character: char) -> bool {
    matches!(
        character,
        '\0'..='\x1f'
            | '\x7f'..='\u{9f}'
            | '\u{61c}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
    )
}

/// Text from outside in its author's own letters; what would be [obeyed](is_obeyed) is escaped.
pub struct Legible<'a>(pub &'a str);

impl fmt::Display for Legible<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| {
            if is_obeyed(character) {
                write!(f, "\\u{{{:x}}}", u32::from(character))
            } else {
                f.write_char(character)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn bytes_from_outside_are_escaped_and_cut() {
        assert_eq!(
            Text(b"WRONGPASS \x1b[31m\xff").to_string(),
            r"WRONGPASS \x1b[31m\xff"
        );
        assert_eq!(
            Text(br#"{"it's": "a\b"}"#).to_string(),
            r#"{"it's": "a\\b"}"#
        );
        assert_eq!(
            Text(&[b'a'; 161]).to_string(),
            std::format!("{}...", "a".repeat(160))
        );
        assert_eq!(Text(&[b'a'; 160]).to_string(), "a".repeat(160));
    }

    #[test]
    fn letters_are_shown_and_what_a_terminal_obeys_is_escaped() {
        assert_eq!(
            Legible("Kühlung 1 \"温度\"").to_string(),
            "Kühlung 1 \"温度\""
        );
        assert_eq!(
            Legible("a\n\x1b[31m\x7f\u{9b}\u{202e}b").to_string(),
            r"a\u{a}\u{1b}[31m\u{7f}\u{9b}\u{202e}b"
        );
    }
}
