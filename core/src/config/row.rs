//! What does one object say for each key? A row as read from the file, before any rule is applied.

use super::json::{Reader, SyntaxError, Value};
use super::parameter::Table;
use super::rule::Rule;
use super::schema::Key;
use super::text::Raw;
use crate::bytes::holds;
use crate::secret::LONG;

/// One object: a row of a tab, the `redis` block, or the whole file.
#[derive(Debug)]
pub(super) struct Row<'a> {
    /// The table's.
    rules: &'static [Rule],
    /// In their order; of a key that stands there twice, the first value.
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
            rules: &[],
            values: [Value::Absent; Table::WIDEST],
            repeated: 0,
            unknown: 0,
            keys: Reader::new("", 0),
        }
    }

    /// Becomes the object whose opening brace `reader` has just read, and reads that to its end. In place, since a row is
    /// large for a small computer's stack.
    pub fn fill(&mut self, reader: &mut Reader<'a>, table: Table) -> Result<(), SyntaxError> {
        self.rules = table.rules();
        self.values.fill(Value::Absent);
        self.repeated = 0;
        self.unknown = 0;
        self.keys = *reader;
        while let Some(name) = reader.key_or_close()? {
            let value = reader.value()?;
            let Some(position) = known(self.rules, name) else {
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
        self.values
            .get(self.position(key))
            .copied()
            .unwrap_or(Value::Absent)
    }

    /// What the schema says of the key.
    pub fn rule(&self, key: Key) -> Option<&'static Rule> {
        self.rules.get(self.position(key))
    }

    /// Behind the last one for a key that means nothing here. Not inlined, since everything asks this.
    #[inline(never)]
    fn position(&self, key: Key) -> usize {
        let mut rules = self.rules.iter();
        let found = rules.position(|rule| rule.key == key);
        found.unwrap_or(usize::MAX)
    }

    /// Whether the key says something: not null and not an empty string, which is how an empty cell may look.
    pub fn is_given(&self, key: Key) -> bool {
        match self.value(key) {
            Value::Absent | Value::Null => false,
            Value::String(raw) => !raw.text.is_empty(),
            _ => true,
        }
    }

    /// Whether a value says what a secret of this row says: a password or a token that stands in the wrong column, too.
    pub fn shows_secret(&self, value: Value<'_>) -> bool {
        let (Value::String(Raw { text, .. }) | Value::Number(text)) = value else {
            return false;
        };
        let is_token = !self.is_given(Key::Password);
        // A short one only where it is all of the value.
        let shows = |secret: &str| {
            let is_part = || {
                holds(text.as_bytes(), secret.as_bytes(), |one, other| {
                    one == other
                })
            };
            !secret.is_empty() && (text == secret || secret.len() >= LONG && is_part())
        };
        let is_secret = |key| match key {
            Key::Password | Key::ProxyPassword => true,
            Key::Username => is_token,
            _ => false,
        };
        let mut cells = self.rules.iter().zip(&self.values);
        cells.any(|(rule, cell)| match cell {
            Value::String(secret) if is_secret(rule.key) => shows(secret.text),
            _ => false,
        })
    }

    /// Whether `name` is that of a key that means something here.
    pub fn knows(&self, name: Raw<'_>) -> bool {
        known(self.rules, name).is_some()
    }

    /// The keys that stand there twice.
    pub fn repeated(&self) -> impl Iterator<Item = Key> {
        let rules = self.rules.iter().enumerate();
        let repeated = rules.filter(|(position, _)| self.repeated >> position & 1 == 1);
        repeated.map(|(_, rule)| rule.key)
    }
}

/// Whose rule, of these, `name` means.
fn known(rules: &[Rule], name: Raw<'_>) -> Option<usize> {
    let mut rules = rules.iter();
    rules.position(|rule| name.is(rule.key.name()))
}
