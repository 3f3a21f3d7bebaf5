//! Does a value have the type, the range and the characters that its key asks for? One function per kind of value.
//!
//! A function that returns `None` for a value that was there has reported it.

use super::abilities::Abilities;
use super::advice::is_this_machine;
use super::finding::{Finding, KeyName, Place, Problem, Severity, Shown, Type};
use super::json::{SyntaxError, Value};
use super::key::{Key, Table};
use super::row::{Row, known};
use super::text::{Raw, TextStore};
use super::topic;
use crate::index::Index;
use crate::mqtt::QoS;
use crate::secret::may_be_a_path;

/// What checking the whole file carries along.
pub(super) struct Check<'a, 'r> {
    report: &'r mut dyn FnMut(&Finding<'_>),
    pub errors: usize,
    texts: TextStore<'a>,
    /// Slots for the unknown keys of one object.
    slots: &'a mut [u32],
    /// The unknown keys that were named already. When it is full, further ones are named wherever they stand.
    named: heapless::Vec<(Table, Raw<'a>), 16>,
    pub abilities: Abilities,
}

/// One row, and where it stands.
pub(super) struct Fields<'c, 'a, 'r> {
    pub check: &'c mut Check<'a, 'r>,
    pub row: &'c Row<'a>,
    pub table: Table,
    pub number: usize,
}

/// Bytes of a string or of binary data in MQTT, at most: their length takes two bytes (MQTT 3.1.1, 1.5.3).
pub(super) const MAX_MQTT_STRING: usize = 65_535;

/// Bytes of a domain name, at most (RFC 1035, 2.3.4).
const MAX_HOST: usize = 253;

impl<'a, 'r> Check<'a, 'r> {
    pub fn new(
        report: &'r mut dyn FnMut(&Finding<'_>),
        texts: &'a mut [u8],
        slots: &'a mut [u32],
        abilities: Abilities,
    ) -> Self {
        Check {
            report,
            errors: 0,
            texts: TextStore::new(texts),
            slots,
            named: heapless::Vec::new(),
            abilities,
        }
    }

    pub fn error(&mut self, place: Place<'_>, problem: Problem<'_>) {
        self.errors += 1;
        (self.report)(&Finding {
            severity: Severity::Error,
            place,
            problem,
        });
    }

    pub fn warn(&mut self, place: Place<'_>, problem: Problem<'_>) {
        (self.report)(&Finding {
            severity: Severity::Warning,
            place,
            problem,
        });
    }

    /// A table or a row that has the wrong type. Its value is not shown: it may be a secret in the wrong place.
    pub fn wrong_type(&mut self, place: Place<'_>, value: Value<'_>, expected: Type) {
        let value = Shown::Hidden(kind(value));
        self.error(place, Problem::WrongType { value, expected });
    }
}

impl<'c, 'a, 'r> Fields<'c, 'a, 'r> {
    pub fn new(
        check: &'c mut Check<'a, 'r>,
        row: &'c Row<'a>,
        table: Table,
        number: usize,
    ) -> Self {
        Fields {
            check,
            row,
            table,
            number,
        }
    }

    fn place(&self, key: KeyName<'a>) -> Place<'a> {
        Place::Cell {
            table: self.table,
            row: self.number,
            key,
        }
    }

    pub fn error(&mut self, key: Key, problem: Problem<'_>) {
        self.check.error(self.place(KeyName::Known(key)), problem);
    }

    pub fn warn(&mut self, key: Key, problem: Problem<'_>) {
        self.check.warn(self.place(KeyName::Known(key)), problem);
    }

    /// The value as a finding may show it.
    pub fn shown(&self, key: Key) -> Shown<'a> {
        let value = self.row.value(key);
        match value {
            _ if key.is_secret() => Shown::Hidden(kind(value)),
            Value::Bool(value) => Shown::Bool(value),
            Value::Number(text) => Shown::Number(text),
            Value::String(raw) => Shown::String(raw.text),
            _ => Shown::Hidden(kind(value)),
        }
    }

    fn wrong_type(&mut self, key: Key, expected: Type) {
        let value = self.shown(key);
        self.error(key, Problem::WrongType { value, expected });
    }

    /// A string that is not empty; an empty one is as good as none.
    pub fn text(&mut self, key: Key) -> Option<&'a str> {
        let raw = match self.row.value(key) {
            Value::Absent | Value::Null => return None,
            Value::String(raw) => raw,
            _ => {
                self.wrong_type(key, Type::String);
                return None;
            }
        };
        match self.check.texts.decode(raw) {
            Ok("") => None,
            Ok(text) => Some(text),
            Err(room) => {
                let what = "bytes of text with escapes";
                self.error(key, Problem::NoRoom { what, room });
                None
            }
        }
    }

    /// A string that must be there.
    pub fn required(&mut self, key: Key) -> Option<&'a str> {
        let text = self.text(key);
        self.require(key, None);
        text
    }

    /// Reports the key if it is not given.
    pub fn require(&mut self, key: Key, because: Option<&'static str>) {
        if !self.row.is_given(key) {
            self.error(key, Problem::Missing { because });
        }
    }

    /// A string of at most `limit` bytes, counted once decoded.
    pub fn bounded(&mut self, key: Key, limit: usize) -> Option<&'a str> {
        let text = self.text(key)?;
        let bytes = text.len();
        if bytes > limit {
            let because = None;
            self.error(
                key,
                Problem::TooLong {
                    bytes,
                    limit,
                    because,
                },
            );
            return None;
        }
        Some(text)
    }

    /// A string for an MQTT field that may not hold NUL.
    pub fn mqtt_string(&mut self, key: Key) -> Option<&'a str> {
        let text = self.bounded(key, MAX_MQTT_STRING)?;
        if text.contains('\0') {
            self.error(key, Problem::Nul);
            return None;
        }
        self.warn_unwelcome(key, text);
        Some(text)
    }

    /// Warns of what a broker may refuse in this text, which goes into a packet.
    pub fn warn_unwelcome(&mut self, key: Key, text: &str) {
        if topic::is_unwelcome(text) {
            let value = self.shown(key);
            self.warn(key, Problem::Unwelcome(value));
        }
    }

    /// A path of a file or a socket; neither PEM text instead of it nor an address.
    pub fn path(&mut self, key: Key) -> Option<&'a str> {
        let text = self.text(key)?;
        if text.bytes().any(|byte| byte.is_ascii_control()) {
            self.error(key, Problem::ControlCharacter);
            return None;
        }
        if !may_be_a_path(text) {
            self.error(key, Problem::NotAPath);
            return None;
        }
        Some(text)
    }

    /// An IPv4 or IPv6 address or a domain name. Whether it resolves is for the network to say; this finds `host:port`,
    /// addresses with a scheme, and blanks.
    pub fn host(&mut self, key: Key) -> Option<&'a str> {
        let text = self.text(key)?;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:%".contains(&byte);
        let colons = text.bytes().filter(|&byte| byte == b':').count();
        let zone = text.contains('%');
        let is_bad = !text.bytes().all(allowed) || colons == 1 || (zone && colons == 0);
        let value = self.shown(key);
        if text.len() > MAX_HOST || is_bad {
            self.error(key, Problem::NotAHost(value));
            return None;
        }
        if zone || is_link_local(text) {
            self.error(key, Problem::LinkLocal(value));
            return None;
        }
        Some(text)
    }

    /// Reports a host that this program has no way to.
    pub fn within_reach(&mut self, key: Key, host: &str) {
        let Abilities {
            ipv6,
            local_servers,
            ..
        } = self.check.abilities;
        if !ipv6 && host.contains(':') {
            self.error(key, Problem::NotBuiltIn("IPv6"));
        } else if !local_servers && is_this_machine(host) {
            let value = self.shown(key);
            self.error(key, Problem::LocalHost(value));
        }
    }

    /// One of a few words. `allowed` is how a finding names them.
    pub fn word<T: Copy>(
        &mut self,
        key: Key,
        words: &[(&str, T)],
        allowed: &'static str,
    ) -> Option<T> {
        let text = self.text(key)?;
        let found = words.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let value = self.shown(key);
            self.error(key, Problem::NotOneOf { value, allowed });
        }
        found.map(|&(_, meaning)| meaning)
    }

    /// An integer from `min` to `max`, both included. `2.0`, `1e0` and `"1"` are none.
    pub fn integer(&mut self, key: Key, min: i64, max: i64) -> Option<i64> {
        let text = match self.row.value(key) {
            Value::Absent | Value::Null => return None,
            Value::Number(text) => text,
            _ => {
                self.wrong_type(key, Type::Integer);
                return None;
            }
        };
        let value = self.shown(key);
        if text.contains(['.', 'e', 'E']) {
            self.error(key, Problem::NotInteger(value));
            return None;
        }
        // A number that JSON's grammar allows and i64 does not is out of every range.
        match text.parse() {
            Ok(number) if (min..=max).contains(&number) => Some(number),
            _ => {
                self.error(key, Problem::NotInRange { value, min, max });
                None
            }
        }
    }

    /// An integer for a field of 16 bits.
    pub fn integer16(&mut self, key: Key, min: u16, default: u16) -> u16 {
        self.integer(key, min.into(), u16::MAX.into())
            .and_then(|number| number.try_into().ok())
            .unwrap_or(default)
    }

    pub fn boolean(&mut self, key: Key, default: bool) -> bool {
        match self.row.value(key) {
            Value::Absent | Value::Null => return default,
            Value::Bool(value) => return value,
            Value::Number("0") => return false,
            Value::Number("1") => return true,
            Value::Number(_) => {
                let value = self.shown(key);
                let allowed = "0, 1, false or true";
                self.error(key, Problem::NotOneOf { value, allowed });
            }
            _ => self.wrong_type(key, Type::Boolean),
        }
        default
    }

    pub fn qos(&mut self, key: Key) -> QoS {
        match self.integer(key, 0, 2) {
            Some(2) => QoS::ExactlyOnce,
            Some(1) => QoS::AtLeastOnce,
            _ => QoS::AtMostOnce,
        }
    }

    /// Reports those of `keys` that stand there twice.
    pub fn repeated(&mut self, keys: &[Key]) {
        for &key in keys {
            if self.row.is_repeated(key) {
                self.error(key, Problem::Repeated);
            }
        }
    }

    /// Reports keys that stand there twice, and keys without a meaning. Of the latter, each is named once per table:
    /// a column that this version does not know would otherwise be named for every row.
    pub fn keys(&mut self) -> Result<(), SyntaxError> {
        self.repeated(self.table.keys());
        if self.row.unknown == 0 {
            return Ok(());
        }
        let slots = core::mem::take(&mut self.check.slots);
        let wanted = Index::slots_for(self.row.unknown);
        let result =
            self.unknown_keys(&mut Index::new(slots.get_mut(..wanted).unwrap_or_default()));
        self.check.slots = slots;
        result
    }

    fn unknown_keys(&mut self, seen: &mut Index<'_>) -> Result<(), SyntaxError> {
        let object = self.row.keys;
        let mut keys = object;
        while let Some(name) = keys.key_or_close()? {
            keys.value()?;
            if known(self.table, name).is_some() {
                continue;
            }
            let equal = |at| object.string_at(at).is_some_and(|other| name.means(other));
            let repeated = seen.lookup(name.hash(), equal).is_some();
            let place = self.place(KeyName::Unknown(name.text));
            if repeated {
                self.check.error(place, Problem::Repeated);
                continue;
            }
            // It fits: the slots are as many as the object with the most keys needs.
            let _ = seen.insert(name.hash(), name.at);
            let named = &mut self.check.named;
            if named
                .iter()
                .any(|&(table, other)| table == self.table && name.means(other))
            {
                continue;
            }
            let _ = named.push((self.table, name));
            self.check.warn(place, Problem::UnknownKey);
        }
        Ok(())
    }
}

fn kind(value: Value<'_>) -> Type {
    match value {
        Value::Absent | Value::Null => Type::Null,
        Value::Bool(_) => Type::Boolean,
        Value::Number(_) => Type::Number,
        Value::String(_) => Type::String,
        Value::Array { .. } => Type::Array,
        Value::Object { .. } => Type::Object,
    }
}

/// Whether this is an IPv6 address of fe80::/10; a host with colons is no name.
fn is_link_local(host: &str) -> bool {
    matches!(
        host.as_bytes(),
        [b'f' | b'F', b'e' | b'E', b'8' | b'9' | b'a' | b'b' | b'A' | b'B', digit, b':', ..]
            if *digit != b':'
    )
}
