//! What does one log line look like in bytes? Bounded, on the stack, and harmless to a terminal.

use std::fmt::{self, Write};

use mqtt_client_core::log::is_obeyed;

use crate::date::{Day, SECONDS_PER_DAY};

/// Bytes of a line, its newline included. Well below `PIPE_BUF` (4096), up to which a write to a pipe is never
/// torn; and it holds a longest channel, a longest topic and a longest message together.
const CAPACITY: usize = 1024;

/// Ends a line that was cut, its newline included.
const CUT: &[u8] = b"...\n";

/// A line that is being put together. Text beyond the capacity is dropped, and the end says so.
pub struct Line {
    bytes: [u8; CAPACITY],
    length: usize,
    cut: bool,
}

impl Line {
    pub fn new() -> Line {
        Line {
            bytes: [0; CAPACITY],
            length: 0,
            cut: false,
        }
    }

    /// Appends text; control characters become `\n`, `\t`, `\r` or `\x1b`, marks of writing direction `\u{202e}`.
    pub fn push(&mut self, text: fmt::Arguments<'_>) {
        // The only error is the line's own, that the text is cut; `cut` holds it.
        let _ = self.write_fmt(text);
    }

    /// Appends the time as RFC 3339 writes it, with milliseconds, and a space.
    ///
    /// `seconds` since 1970; the year is right until 9999.
    pub fn push_utc(&mut self, seconds: u64, milliseconds: u32) {
        let day = Day(seconds);
        let second = seconds % SECONDS_PER_DAY;
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        self.push(format_args!(
            "{day}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z "
        ));
    }

    /// The whole line, with its newline.
    pub fn finish(&mut self) -> &[u8] {
        let end: &[u8] = if self.cut { CUT } else { b"\n" };
        // `append` leaves room for the longer end.
        let length = self.length + end.len();
        self.bytes[self.length..length].copy_from_slice(end);
        &self.bytes[..length]
    }

    fn append(&mut self, bytes: &[u8]) -> fmt::Result {
        let length = self.length + bytes.len();
        if self.cut || length > CAPACITY - CUT.len() {
            self.cut = true;
            return Err(fmt::Error);
        }
        self.bytes[self.length..length].copy_from_slice(bytes);
        self.length = length;
        Ok(())
    }
}

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match character {
                '\n' => self.append(b"\\n")?,
                '\r' => self.append(b"\\r")?,
                '\t' => self.append(b"\\t")?,
                control if control.is_control() => {
                    // All of them are below 256: C0, DEL and C1.
                    const DIGITS: &[u8; 16] = b"0123456789abcdef";
                    let code = u32::from(control) as usize;
                    self.append(&[b'\\', b'x', DIGITS[code >> 4 & 15], DIGITS[code & 15]])?;
                }
                mark if is_obeyed(mark) => {
                    write!(self, "\\u{{{:x}}}", u32::from(mark))?;
                }
                other => self.append(other.encode_utf8(&mut [0; 4]).as_bytes())?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> String {
        let mut line = Line::new();
        line.push(format_args!("{text}"));
        String::from_utf8(line.finish().to_vec()).unwrap()
    }

    #[test]
    fn control_characters_are_escaped_and_other_text_is_not() {
        let cases = [
            ("", ""),
            ("plain, \"quoted\" and \\", "plain, \"quoted\" and \\"),
            ("two\nlines\r\n", "two\\nlines\\r\\n"),
            ("\ttab \0 nul", "\\ttab \\x00 nul"),
            ("\u{1b}[31mred", "\\x1b[31mred"),
            ("delete \u{7f}, C1 \u{9b}31m", "delete \\x7f, C1 \\x9b31m"),
            (
                "a\u{202e}b\u{61c}c\u{2028}",
                "a\\u{202e}b\\u{61c}c\\u{2028}",
            ),
            ("Temperatūra 21 °C, 温度", "Temperatūra 21 °C, 温度"),
        ];
        for (text, expected) in cases {
            assert_eq!(line(text), format!("{expected}\n"));
        }
    }

    #[test]
    fn a_long_line_is_cut_between_characters_and_marked() {
        let room = CAPACITY - CUT.len();
        assert_eq!(line(&"x".repeat(room)), "x".repeat(room) + "\n");
        assert_eq!(line(&"x".repeat(room + 1)), "x".repeat(room) + "...\n");
        for (character, escaped) in [('°', "°"), ('温', "温"), ('\n', "\\n"), ('\0', "\\x00")] {
            for before in 0..escaped.len() {
                let text = "x".repeat(before) + &character.to_string().repeat(CAPACITY);
                let whole = (room - before) / escaped.len();
                let expected = "x".repeat(before) + &escaped.repeat(whole) + "...\n";
                assert_eq!(line(&text), expected, "{before} bytes before {character:?}");
            }
        }
    }

    #[test]
    fn nothing_follows_a_cut() {
        let mut line = Line::new();
        line.push(format_args!("{}", "x".repeat(CAPACITY)));
        line.push(format_args!("y"));
        assert!(line.finish().ends_with(b"x...\n"));
    }

    #[test]
    fn times_are_utc_dates() {
        let cases = [
            (0, 0, "1970-01-01T00:00:00.000Z "),
            (951_782_399, 999, "2000-02-28T23:59:59.999Z "),
            (951_782_400, 0, "2000-02-29T00:00:00.000Z "),
            (951_868_800, 7, "2000-03-01T00:00:00.007Z "),
            (1_708_000_203, 824, "2024-02-15T12:30:03.824Z "),
            (4_107_542_399, 0, "2100-02-28T23:59:59.000Z "),
            (4_107_542_400, 0, "2100-03-01T00:00:00.000Z "),
            (253_402_300_799, 0, "9999-12-31T23:59:59.000Z "),
        ];
        for (seconds, milliseconds, expected) in cases {
            let mut line = Line::new();
            line.push_utc(seconds, milliseconds);
            assert_eq!(line.finish(), format!("{expected}\n").as_bytes());
        }
    }
}
