//! What does one object say for each key? A row as read from the file, before any rule is applied.

use super::json::{Reader, SyntaxError, Value};
use super::key::{Key, Table};
use super::text::Raw;

/// One object: a row of a tab, the `redis` block, or the whole file.
#[derive(Debug)]
pub(super) struct Row<'a> {
    /// By [`Key`]; of a key that stands there twice, the first value.
    values: [Value<'a>; Key::COUNT],
    /// Which keys stand there twice: bit `key as u32`.
    repeated: u64,
    /// How many keys mean nothing in this table.
    pub unknown: usize,
    /// Just behind the opening brace, to read the keys again.
    pub keys: Reader<'a>,
}

impl<'a> Row<'a> {
    /// An object without keys.
    pub fn empty() -> Self {
        Row {
            values: [Value::Absent; Key::COUNT],
            repeated: 0,
            unknown: 0,
            keys: Reader::new("", 0),
        }
    }

    /// Becomes the object whose opening brace `reader` has just read, and reads that to its end. In place, since a row is
    /// large for a small computer's stack.
    pub fn fill(&mut self, reader: &mut Reader<'a>, table: Table) -> Result<(), SyntaxError> {
        self.values.fill(Value::Absent);
        self.repeated = 0;
        self.unknown = 0;
        self.keys = *reader;
        while let Some(name) = reader.key_or_close()? {
            let value = reader.value()?;
            let Some(key) = known(table, name) else {
                self.unknown += 1;
                continue;
            };
            match self.values.get_mut(key as usize) {
                Some(first @ Value::Absent) => *first = value,
                _ => self.repeated |= 1 << key as u32,
            }
        }
        Ok(())
    }

    pub fn value(&self, key: Key) -> Value<'a> {
        self.values
            .get(key as usize)
            .copied()
            .unwrap_or(Value::Absent)
    }

    /// Whether the key says something: not null and not an empty string, which is how an empty cell may look.
    pub fn is_given(&self, key: Key) -> bool {
        match self.value(key) {
            Value::Absent | Value::Null => false,
            Value::String(raw) => !raw.text.is_empty(),
            _ => true,
        }
    }

    pub fn is_repeated(&self, key: Key) -> bool {
        self.repeated >> key as u32 & 1 == 1
    }
}

/// The key that `name` means in this table.
pub(super) fn known(table: Table, name: Raw<'_>) -> Option<Key> {
    table.keys().iter().copied().find(|key| name.is(key.name()))
}
