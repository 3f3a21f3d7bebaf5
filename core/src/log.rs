//! Logging: one set of macros, which end in `log` (feature `log`), in `defmt` (feature `defmt`), in both, or nowhere.
//!
//! The levels are the debug levels of the manual: 0 error, 1 warning, 2 connections and state, 3 messages, 4 bytes.
//! An argument must be printable in both worlds; `Printed` makes it so for anything with a `Display`, and [`Text`] for
//! bytes that came from outside.

use core::fmt::{self, Write};

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

/// Bytes from outside, shown as text: what is not printable ASCII is escaped, as is the backslash, and what is over 160 bytes
/// is cut.
pub struct Text<'a>(pub &'a [u8]);

const SHOWN_BYTES: usize = 160;

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (shown, mark) = match self.0.get(..SHOWN_BYTES) {
            Some(start) if self.0.len() > SHOWN_BYTES => (start, "..."),
            _ => (self.0, ""),
        };
        for byte in shown {
            match byte {
                // `escape_ascii` has Rust's literals in mind.
                b'"' | b'\'' => f.write_char(char::from(*byte))?,
                _ => write!(f, "{}", byte.escape_ascii())?,
            }
        }
        f.write_str(mark)
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Text<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{}", defmt::Display2Format(self));
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
}
