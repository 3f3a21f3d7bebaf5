//! What does a cell say to its parameter, and is that what its author typed?
//!
//! A spreadsheet changes what is typed into it: `0123` becomes the number 123, `1-2` a date, `true` a boolean. Where the
//! author's text can be had back for certain, it is; otherwise the cell is refused, and never guessed at. No message shows a
//! value, since it may be a password.

use std::fmt::{self, Display, Formatter};

use mqtt_client_core::config::{self, Key, Parameter};

use crate::characters::{brief, is_deceptive, is_invisible, trim};
use crate::workbook::{Cell, NumberFormat, TooLong};

/// A value of the mapping table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Text(String),
    /// As JSON spells it: a number, `true` or `false`.
    Literal(String),
}

/// Why a cell is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    Date,
    Boolean,
    /// A number in a text's place, shown otherwise than it is: the format's code, if that is known.
    Format(Option<String>),
    /// A number in a text's place, with more digits than Excel keeps.
    Digits,
    NotFinite,
    /// An error's name.
    Error(String),
    NoResult,
    TooLong,
    LineBreak {
        /// Lines that are not blank.
        lines: usize,
    },
}

/// What is odd about a cell and yet no reason to refuse it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Oddity {
    /// The number may have been a text with zeros in front.
    PasswordAsNumber,
    /// What should be a text is 0: programs leave that in the place of a result that they have not computed.
    Zero,
    /// The number may be shown with zeros in front, or otherwise than it is.
    UnknownFormat,
    /// In a text where spaces count.
    OuterSpaces,
    /// In a text that another computer has to understand: a character that nobody sees, or that looks like a space.
    Deceptive(char),
}

/// Excel keeps 15 significant digits of a number.
const MAX_DIGITS: usize = 15;

/// What the cells of a column hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Integer,
    Boolean,
}

impl Kind {
    pub fn of(parameter: &Parameter) -> Kind {
        match parameter.kind {
            config::Kind::Integer(_) => Kind::Integer,
            config::Kind::Boolean(_) => Kind::Boolean,
            config::Kind::Table | config::Kind::Text(_) | config::Kind::Words(_) => Kind::Text,
        }
    }
}

/// How a cell says that its password is given and has no characters; an empty one says that there is none.
pub const EMPTY_PASSWORD: &str = "\"\"";

/// The value of a cell that is not blank.
pub fn value(key: Key, kind: Kind, cell: &Cell) -> Result<(Value, Option<Oddity>), Refusal> {
    match cell {
        Cell::Text(text) => from_text(key, kind, text),
        Cell::Number(number, format) => match kind {
            _ if !number.is_finite() => Err(Refusal::NotFinite),
            Kind::Integer | Kind::Boolean => Ok((Value::Literal(number.to_string()), None)),
            Kind::Text => {
                let oddity = match format {
                    NumberFormat::General if key == Key::Password => Some(Oddity::PasswordAsNumber),
                    _ if *number == 0.0 => Some(Oddity::Zero),
                    NumberFormat::Unknown => Some(Oddity::UnknownFormat),
                    _ => None,
                };
                Ok((Value::Text(typed(*number, format)?), oddity))
            }
        },
        Cell::Boolean(value) => match kind {
            Kind::Boolean => Ok((Value::Literal(u8::from(*value).to_string()), None)),
            // The core says what belongs there.
            Kind::Integer => Ok((Value::Literal(value.to_string()), None)),
            Kind::Text => Err(Refusal::Boolean),
        },
        Cell::Date => Err(Refusal::Date),
        Cell::Error(name) => Err(Refusal::Error(name.clone())),
        Cell::NoResult => Err(Refusal::NoResult),
        Cell::TooLong => Err(Refusal::TooLong),
    }
}

fn from_text(key: Key, kind: Kind, text: &str) -> Result<(Value, Option<Oddity>), Refusal> {
    let trimmed = trim(text);
    if kind != Kind::Text {
        let value = match trimmed.to_ascii_lowercase().as_str() {
            "true" if kind == Kind::Boolean => Value::Literal("1".into()),
            "false" if kind == Kind::Boolean => Value::Literal("0".into()),
            // What is not an integer stays a text, and the core says what belongs there.
            _ => integer(trimmed).map_or_else(|| Value::Text(trimmed.into()), Value::Literal),
        };
        return Ok((value, None));
    }
    if key == Key::Password && is_empty_password(trimmed) {
        return Ok((Value::Text(String::new()), None));
    }
    if counts_spaces(key) {
        let oddity = (text.trim().len() < text.len()).then_some(Oddity::OuterSpaces);
        return Ok((Value::Text(text.into()), oddity.or(deceptive(key, text))));
    }
    if trimmed.contains(['\n', '\r']) && !is_for_people(key) {
        let lines = trimmed.split(['\n', '\r']);
        let lines = lines.filter(|line| !line.trim().is_empty()).count();
        return Err(Refusal::LineBreak { lines });
    }
    Ok((Value::Text(trimmed.into()), deceptive(key, trimmed)))
}

fn deceptive(key: Key, text: &str) -> Option<Oddity> {
    let found = text.chars().find(|&character| is_deceptive(character));
    found.filter(|_| !is_for_people(key)).map(Oddity::Deceptive)
}

/// Two quotation marks, or what a spreadsheet program makes of them while they are typed.
fn is_empty_password(text: &str) -> bool {
    text.chars().count() == 2
        && text
            .chars()
            .all(|mark| "\"\u{201c}\u{201d}\u{201e}".contains(mark))
}

/// Why this text, put into a cell, would come back as another one; `None`: it would not.
pub fn change(key: Key, text: &str) -> Option<String> {
    let blank = trim(text).is_empty();
    match from_text(key, Kind::Text, text) {
        Ok((Value::Text(back), _)) if back == text && !blank => None,
        Ok((Value::Text(back), _)) if back.is_empty() && !blank => {
            Some("is two quotation marks, which stand for an empty password in a workbook".into())
        }
        Err(refusal) => Some(format!("{refusal}, which a workbook may not have there")),
        Ok(_) => Some("begins or ends with a space or an invisible character, which would get lost in a workbook".into()),
    }
}

/// Spaces around its text belong to it.
fn counts_spaces(key: Key) -> bool {
    matches!(key, Key::Password | Key::LastWillMessage)
}

/// A text that a person reads, of any shape.
fn is_for_people(key: Key) -> bool {
    matches!(key, Key::Name | Key::SignalName | Key::LastWillMessage)
}

/// JSON's spelling of an integer: `01883.0` is 1883.
fn integer(text: &str) -> Option<String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (digits, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let only = |text: &str, range: fn(&u8) -> bool| text.as_bytes().iter().all(range);
    if digits.is_empty()
        || !only(digits, u8::is_ascii_digit)
        || !only(fraction, |&byte| byte == b'0')
    {
        return None;
    }
    let significant = digits.trim_start_matches('0');
    Some(match significant {
        "" => "0".into(),
        _ => format!("{sign}{significant}"),
    })
}

/// The text that became this number when it was typed.
fn typed(number: f64, format: &NumberFormat) -> Result<String, Refusal> {
    let text = number.to_string();
    let digits = text.bytes().filter(u8::is_ascii_digit);
    if digits.skip_while(|&digit| digit == b'0').count() > MAX_DIGITS {
        return Err(Refusal::Digits);
    }
    match format {
        NumberFormat::General | NumberFormat::Unknown => Ok(text),
        NumberFormat::Digits(width) if integer(&text).is_some() && number >= 0.0 => {
            Ok(format!("{text:0>width$}"))
        }
        NumberFormat::Digits(width) => Err(Refusal::Format(Some("0".repeat(*width)))),
        NumberFormat::Other(code) => Err(Refusal::Format(code.clone())),
    }
}

impl Display for Refusal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        const AGAIN: &str = "format the cell as Text and type it again";
        match self {
            Refusal::Date => write!(f, "is a date: Excel makes one of texts like 1-2; {AGAIN}"),
            Refusal::Boolean => write!(f, "is a boolean: Excel makes one of the text true; {AGAIN}"),
            Refusal::Format(code) => {
                f.write_str("is a number that is shown ")?;
                match code {
                    Some(code) => write!(f, "as {}", brief(code))?,
                    None => f.write_str("in another way")?,
                }
                write!(f, ", and what was typed is lost; {AGAIN}")
            }
            Refusal::Digits => write!(
                f,
                "is a number with more than {MAX_DIGITS} digits, and Excel keeps no more; {AGAIN}"
            ),
            Refusal::NotFinite => f.write_str("is not a number"),
            Refusal::Error(name) => write!(f, "holds the error {}", brief(name)),
            Refusal::NoResult => f.write_str(
                "holds a formula whose result is not in the file; open and save it in Excel, or in LibreOffice after Data > Calculate > Recalculate Hard",
            ),
            Refusal::TooLong => TooLong.fmt(f),
            Refusal::LineBreak { .. } => f.write_str("holds a line break"),
        }
    }
}

impl Display for Oddity {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Oddity::PasswordAsNumber => {
                "is a number, which has no zeros in front; if it should, format the cell as Text and type it again"
            }
            Oddity::Zero => {
                "is the number 0, which is also what stands in the place of a formula's result that no program has computed; if it \
                 should be 0, format the cell as Text and type it again"
            }
            Oddity::UnknownFormat => {
                "is a number, and this file does not tell how it is shown: zeros in front would be lost; format the \
                 column as Text, or save the workbook as .xlsx"
            }
            Oddity::OuterSpaces => "begins or ends with a space, which belongs to it",
            Oddity::Deceptive(character) => {
                let looks = if is_invisible(character) || character.is_control() {
                    "nobody sees"
                } else {
                    "looks like a space and is none"
                };
                let code = u32::from(character);
                return write!(f, "holds the character U+{code:04X}, which {looks}; type it again if that is a mistake");
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn general(number: f64) -> Cell {
        Cell::Number(number, NumberFormat::General)
    }

    fn shown(number: f64, code: &str) -> Cell {
        Cell::Number(number, NumberFormat::Other(Some(code.into())))
    }

    fn text(text: &str) -> Cell {
        Cell::Text(text.into())
    }

    #[test]
    fn a_text_comes_out_as_it_was_typed() {
        for (key, cell, expected) in [
            (
                Key::Ip,
                text(" broker.example.com\u{a0}"),
                "broker.example.com",
            ),
            (Key::Password, text("0123"), "0123"),
            (Key::Password, text(" p "), " p "),
            (
                Key::Password,
                Cell::Number(123.0, NumberFormat::Digits(4)),
                "0123",
            ),
            (Key::Password, general(123.0), "123"),
            (
                Key::ClientId,
                general(123_456_789_012_345.0),
                "123456789012345",
            ),
            (Key::Password, text("\"\""), ""),
            (Key::Password, text("\u{201e}\u{201c} "), ""),
            (Key::Password, text("\"\"\""), "\"\"\""),
            (Key::Username, text("\"\""), "\"\""),
            (Key::MqttVersion, general(3.1), "3.1"),
            (Key::MqttVersion, general(5.0), "5"),
            (Key::SignalAlias, general(-7.0), "-7"),
            (
                Key::SignalAlias,
                Cell::Number(7.0, NumberFormat::Digits(1)),
                "7",
            ),
            (Key::Name, text("two\nlines"), "two\nlines"),
            (Key::LastWillMessage, text("two\nlines\n"), "two\nlines\n"),
            (Key::Topic, text("plant/p\n"), "plant/p"),
        ] {
            let result = value(key, Kind::Text, &cell).map(|(value, _)| value);
            assert_eq!(result, Ok(Value::Text(expected.into())), "{cell:?}");
        }
    }

    #[test]
    fn a_text_that_cannot_be_had_back_is_refused() {
        for (cell, refusal) in [
            (Cell::Date, Refusal::Date),
            (Cell::Boolean(true), Refusal::Boolean),
            (general(1_234_567_890_123_456.0), Refusal::Digits),
            (general(0.1 + 0.2), Refusal::Digits),
            (general(f64::NAN), Refusal::NotFinite),
            (
                shown(1e5, "0.00E+00"),
                Refusal::Format(Some("0.00E+00".into())),
            ),
            (shown(0.5, "0%"), Refusal::Format(Some("0%".into()))),
            (
                Cell::Number(1.5, NumberFormat::Digits(2)),
                Refusal::Format(Some("00".into())),
            ),
            (Cell::Error("#N/A".into()), Refusal::Error("#N/A".into())),
            (Cell::NoResult, Refusal::NoResult),
            (text("a\n\nb\r\n"), Refusal::LineBreak { lines: 2 }),
        ] {
            assert_eq!(value(Key::SignalAlias, Kind::Text, &cell), Err(refusal));
        }
    }

    #[test]
    fn numbers_and_booleans_are_taken_from_numbers_texts_and_booleans() {
        for (kind, cell, expected) in [
            (Kind::Integer, general(1883.0), "1883"),
            (Kind::Integer, shown(1883.0, "#,##0"), "1883"),
            (Kind::Integer, text(" 1883 "), "1883"),
            (Kind::Integer, text("1883.0"), "1883"),
            (Kind::Integer, text("01883"), "1883"),
            (Kind::Integer, text("+5."), "5"),
            (Kind::Integer, text("-0"), "0"),
            (Kind::Integer, text("-12"), "-12"),
            (Kind::Integer, general(1.5), "1.5"),
            (Kind::Integer, general(1e20), "100000000000000000000"),
            (Kind::Integer, Cell::Boolean(true), "true"),
            (Kind::Boolean, Cell::Boolean(true), "1"),
            (Kind::Boolean, Cell::Boolean(false), "0"),
            (Kind::Boolean, general(1.0), "1"),
            (Kind::Boolean, text("True"), "1"),
            (Kind::Boolean, text("FALSE"), "0"),
            (Kind::Boolean, text("1.0"), "1"),
        ] {
            let result = value(Key::Port, kind, &cell);
            assert_eq!(
                result,
                Ok((Value::Literal(expected.into()), None)),
                "{cell:?}"
            );
        }
    }

    #[test]
    fn a_text_that_is_no_number_stays_a_text_for_the_core_to_refuse() {
        for wrong in [
            "abc", "1883,0", "1.5", "1e3", "--1", "-", ".0", "0x10", "1 883",
        ] {
            for kind in [Kind::Integer, Kind::Boolean] {
                let result = value(Key::Port, kind, &text(wrong));
                assert_eq!(result, Ok((Value::Text(wrong.into()), None)));
            }
        }
    }

    #[test]
    fn oddities_of_passwords_are_noticed() {
        for (key, cell, oddity) in [
            (
                Key::Password,
                general(123.0),
                Some(Oddity::PasswordAsNumber),
            ),
            (
                Key::Password,
                Cell::Number(123.0, NumberFormat::Digits(4)),
                None,
            ),
            (Key::Password, text("0123"), None),
            (Key::Password, text("secret "), Some(Oddity::OuterSpaces)),
            (Key::ClientId, general(123.0), None),
            (
                Key::ClientId,
                Cell::Number(123.0, NumberFormat::Unknown),
                Some(Oddity::UnknownFormat),
            ),
            (Key::ClientId, text("id "), None),
        ] {
            let result = value(key, Kind::Text, &cell).map(|(_, oddity)| oddity);
            assert_eq!(result, Ok(oddity), "{key:?} {cell:?}");
        }
    }
}
