//! What does one object say for each key? A row as read from the file, before any rule is applied.

use super::json::{Reader, SyntaxError, Value};
use super::parameter::Table;
use super::schema::Key;
use super::text::Raw;

/// One object: a row of a tab, the `redis` block, or the whole file.
#[derive(Debug)]
pub(super) struct Row<'a> {
    /// Whose parameters the values are.
    table: Table,
    /// In the order of [`Table::parameters`]; of a key that stands there twice, the first value.
    values: [Value<'a>; Table::WIDEST],
    /// Which keys stand there twice: a bit for each parameter.
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
            table: Table::Top,
            values: [Value::Absent; Table::WIDEST],
            repeated: 0,
            unknown: 0,
            keys: Reader::new("", 0),
        }
    }

    /// Becomes the object whose opening brace `reader` has just read, and reads that to its end. In place, since a row is
    /// large for a small computer's stack.
    pub fn fill(&mut self, reader: &mut Reader<'a>, table: Table) -> Result<(), SyntaxError> {
        self.table = table;
        self.values.fill(Value::Absent);
        self.repeated = 0;
        self.unknown = 0;
        self.keys = *reader;
        while let Some(name) = reader.key_or_close()? {
            let value = reader.value()?;
            let Some(position) = known(table, name) else {
                self.unknown += 1;
                continue;
            };
            match self.values.get_mut(position) {
                Some(first @ Value::Absent) => *first = value,
                _ => self.repeated |= 1 << position,
            }
        }
        Ok(())
    }

    pub fn value(&self, key: Key) -> Value<'a> {
        let mut values = self.table.keys().zip(&self.values);
        let found = values.find(|(other, _)| *other == key);
        found.map_or(Value::Absent, |(_, value)| *value)
    }

    /// Whether the key says something: not null and not an empty string, which is how an empty cell may look.
    pub fn is_given(&self, key: Key) -> bool {
        match self.value(key) {
            Value::Absent | Value::Null => false,
            Value::String(raw) => !raw.text.is_empty(),
            _ => true,
        }
    }

    /// The keys that stand there twice.
    pub fn repeated(&self) -> impl Iterator<Item = Key> {
        let keys = self.table.keys().enumerate();
        let keys = keys.filter(|(position, _)| self.repeated >> position & 1 == 1);
        keys.map(|(_, key)| key)
    }
}

/// Which of the table's parameters `name` means.
pub(super) fn known(table: Table, name: Raw<'_>) -> Option<usize> {
    table.keys().position(|key| name.is(key.name()))
}
