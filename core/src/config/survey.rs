//! Is the file JSON, and how much is in it? The first pass, before any rule is applied.

use super::finding::{Finding, Place, Problem, Severity};
use super::json::{Reader, Syntax, SyntaxError, Token, Value};
use super::parameter::Table;
use super::row::Row;
use super::schema::Key;
use crate::index::Index;

/// How much [`Storage`](super::Storage) a file needs, in elements. Rows of other protocols count too, since only
/// [`parse`](super::parse) tells them apart: `devices`, `signals` and `text` may be more than is used in the end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sizes {
    pub devices: usize,
    pub signals: usize,
    /// Some 3 for each row of either tab.
    pub index: usize,
    /// Bytes of the strings that hold escapes; most files have none.
    pub text: usize,
}

/// What the first pass found, besides the outermost object's keys.
pub(super) struct Survey<'a> {
    pub text: &'a str,
    /// What stands there instead of an object.
    pub no_object: Option<Value<'a>>,
    /// The most keys of one object.
    widest: usize,
    decoded: usize,
    /// Rows of the tabs.
    devices: usize,
    signals: usize,
}

/// Tells how much storage [`parse`](super::parse) needs for this file, or why the file is no JSON. It reads the file once.
pub fn measure(text: &[u8]) -> Result<Sizes, Finding<'static>> {
    survey(text, &mut Row::empty()).map(|survey| survey.sizes())
}

/// Reads the whole file, and checks all of its syntax. The outermost object goes to `top`.
pub(super) fn survey<'a>(
    text: &'a [u8],
    top: &mut Row<'a>,
) -> Result<Survey<'a>, Finding<'static>> {
    let text = utf8(text).map_err(|error| no_json(text, error))?;
    read(text, top).map_err(|error| no_json(text.as_bytes(), error))
}

/// The finding for a syntax error.
pub(super) fn no_json(text: &[u8], error: SyntaxError) -> Finding<'static> {
    let (line, column) = line_and_column(text, error.at);
    Finding {
        severity: Severity::Error,
        place: Place::Text { line, column },
        problem: Problem::NotJson(error.expected),
    }
}

/// The text without the byte order mark that some editors put in front (RFC 8259, 8.1 lets a reader ignore it).
fn utf8(text: &[u8]) -> Result<&str, SyntaxError> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    if text.len() > i32::MAX as usize {
        let expected = Syntax::Shorter;
        return Err(SyntaxError { at: 0, expected });
    }
    str::from_utf8(text).map_err(|error| SyntaxError {
        at: error.valid_up_to(),
        expected: Syntax::Utf8,
    })
}

fn read<'a>(text: &'a str, top: &mut Row<'a>) -> Result<Survey<'a>, SyntaxError> {
    let mut reader = Reader::new(text, 0);
    let no_object = match reader.next()? {
        Token::Open { object: true, .. } => {
            top.fill(&mut reader, Table::Top)?;
            None
        }
        token => Some(reader.rest_of(token)?),
    };
    // Anything behind the value is an error here.
    reader.next()?;
    let rows = |tab| match top.value(tab) {
        Value::Array { length, .. } => length,
        _ => 0,
    };
    Ok(Survey {
        text,
        no_object,
        widest: reader.census.widest,
        decoded: reader.census.decoded,
        devices: rows(Key::Devices),
        signals: rows(Key::Signals),
    })
}

impl Survey<'_> {
    /// The parts of [`Storage::index`](super::Storage::index): for each tab slots for its rows' names and one entry per
    /// row, and slots for the keys of one object.
    pub fn index_parts(&self) -> [usize; 5] {
        [
            Index::slots_for(self.devices),
            self.devices,
            Index::slots_for(self.signals),
            self.signals,
            Index::slots_for(self.widest),
        ]
    }

    pub fn sizes(&self) -> Sizes {
        Sizes {
            devices: self.devices,
            signals: self.signals,
            index: self
                .index_parts()
                .into_iter()
                .fold(0, usize::saturating_add),
            text: self.decoded,
        }
    }
}

/// Both from 1; a column is a character.
fn line_and_column(text: &[u8], at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before
        .split(|&byte| byte == b'\n')
        .next_back()
        .unwrap_or_default();
    let continues = |byte: &u8| *byte & 0xc0 == 0x80;
    let column = line.iter().filter(|byte| !continues(byte)).count();
    let lines = before.iter().filter(|&&byte| byte == b'\n').count();
    (lines + 1, column + 1)
}
