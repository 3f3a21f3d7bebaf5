//! Does a value have the type, the range and the characters that the schema asks for? One function per kind of value.
//!
//! A function that returns `None` for a value that was there has reported it.

use super::abilities::Abilities;
use super::advice::is_this_machine;
use super::finding::{Finding, KeyName, Place, Problem, Severity, Shown, Type};
use super::json::{SyntaxError, Value};
use super::parameter::{Form, Integer, MAX_MQTT_STRING, Required, Table, Words};
use super::row::Row;
use super::rule::Shape;
use super::schema::{INTEGERS, Key, WORDS};
use super::text::{Raw, TextStore};
use super::topic;
use crate::delivery::QoS;
use crate::index::Index;
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
        self.report(Severity::Error, place, problem);
    }

    pub fn warn(&mut self, place: Place<'_>, problem: Problem<'_>) {
        self.report(Severity::Warning, place, problem);
    }

    fn report(&mut self, severity: Severity, place: Place<'_>, problem: Problem<'_>) {
        self.errors += usize::from(severity == Severity::Error);
        (self.report)(&Finding {
            severity,
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
            _ if self.row.rule(key).is_none_or(|rule| rule.is_secret) => Shown::Hidden(kind(value)),
            _ if self.row.shows_secret(value) => Shown::Hidden(kind(value)),
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

    /// A text, or one of a few words, as the schema says; an empty one is as good as none. Reports it if it always has to be there and is not.
    pub fn text(&mut self, key: Key) -> Option<&'a str> {
        let rule = self.row.rule(key)?;
        if rule.required == Required::Yes {
            self.require(key);
        }
        let text = self.string(key)?;
        let problem = match rule.shape {
            Shape::Text(form) => self.flaw(key, text, form),
            Shape::Words(words) => {
                let allowed = WORDS.get(usize::from(words)).copied();
                let allowed = allowed.filter(|allowed| !allowed.0.contains(&text));
                let value = self.shown(key);
                allowed.map(|allowed| Problem::NotOneOf { value, allowed })
            }
            _ => None,
        };
        match problem {
            None => Some(text),
            Some(problem) => {
                self.error(key, problem);
                None
            }
        }
    }

    /// A string that is not empty.
    fn string(&mut self, key: Key) -> Option<&'a str> {
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

    /// What keeps a text from having this form.
    fn flaw(&mut self, key: Key, text: &str, form: Form) -> Option<Problem<'a>> {
        let bytes = text.len();
        match form {
            Form::MqttBytes | Form::MqttString if bytes > MAX_MQTT_STRING => {
                let (limit, because) = (MAX_MQTT_STRING, None);
                Some(Problem::TooLong {
                    bytes,
                    limit,
                    because,
                })
            }
            Form::MqttString if text.contains('\0') => Some(Problem::Nul),
            Form::MqttString => {
                self.warn_unwelcome(key, text);
                None
            }
            Form::Path if text.bytes().any(|byte| byte.is_ascii_control()) => {
                Some(Problem::ControlCharacter)
            }
            Form::Path if !may_be_a_path(text) => Some(Problem::NotAPath),
            Form::Host => host_flaw(text, self.shown(key)),
            Form::Any | Form::MqttBytes | Form::Path => None,
        }
    }

    /// Reports a parameter that is required and not given. Whether the setting that requires it is there is the caller's to know.
    pub fn require(&mut self, key: Key) {
        let because = match self.row.rule(key).map(|rule| rule.required) {
            Some(Required::If(setting)) => Some(setting.name()),
            _ => None,
        };
        self.require_because(key, because);
    }

    /// The same for a reason that the schema does not have.
    pub fn require_because(&mut self, key: Key, because: Option<&'static str>) {
        if !self.row.is_given(key) {
            self.error(key, Problem::Missing { because });
        }
    }

    /// Reports a text that is no topic.
    pub fn topic(&mut self, key: Key, text: &str) {
        if let Some(flaw) = topic::flaw(text, key == Key::Topic) {
            let value = self.shown(key);
            self.error(key, Problem::Topic { value, flaw });
        } else {
            self.warn_unwelcome(key, text);
        }
    }

    /// Warns of what a broker may refuse in this text, which goes into a packet.
    pub fn warn_unwelcome(&mut self, key: Key, text: &str) {
        if topic::is_unwelcome(text) {
            let value = self.shown(key);
            self.warn(key, Problem::Unwelcome(value));
        }
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

    /// An integer in the range that the schema says, or its default. `T` holds the whole range.
    pub fn integer<T: TryFrom<i64> + Default>(&mut self, key: Key) -> T {
        let (given, default) = self.given_and_default(key);
        given.unwrap_or(default).try_into().unwrap_or_default()
    }

    /// The same, if it is given.
    pub fn given_integer(&mut self, key: Key) -> Option<i64> {
        self.given_and_default(key).0
    }

    /// `2.0`, `1e0` and `"1"` are no integers.
    fn given_and_default(&mut self, key: Key) -> (Option<i64>, i64) {
        let integer = match self.row.rule(key).map(|rule| rule.shape) {
            Some(Shape::Integer(integer)) => INTEGERS.get(usize::from(integer)),
            _ => None,
        };
        let Some(&Integer { min, max, default }) = integer else {
            return (None, 0);
        };
        let (min, default) = (min.into(), default.into());
        let nothing = (None, default);
        let text = match self.row.value(key) {
            Value::Absent | Value::Null => return nothing,
            Value::Number(text) => text,
            _ => {
                self.wrong_type(key, Type::Integer);
                return nothing;
            }
        };
        let value = self.shown(key);
        if text.contains(['.', 'e', 'E']) {
            self.error(key, Problem::NotInteger(value));
            return nothing;
        }
        // A number that JSON's grammar allows and i64 does not is out of every range.
        match text.parse() {
            Ok(number) if (min..=max).contains(&number) => (Some(number), default),
            _ => {
                self.error(key, Problem::NotInRange { value, min, max });
                nothing
            }
        }
    }

    /// A boolean, or its default.
    pub fn boolean(&mut self, key: Key) -> bool {
        match self.row.value(key) {
            Value::Absent | Value::Null => {}
            Value::Bool(value) => return value,
            Value::Number("0") => return false,
            Value::Number("1") => return true,
            Value::Number(_) => {
                let value = self.shown(key);
                let allowed = Words(&["0", "1", "false", "true"]);
                self.error(key, Problem::NotOneOf { value, allowed });
            }
            _ => self.wrong_type(key, Type::Boolean),
        }
        let shape = self.row.rule(key).map(|rule| rule.shape);
        matches!(shape, Some(Shape::Boolean(true)))
    }

    pub fn qos(&mut self, key: Key) -> QoS {
        match self.given_integer(key) {
            Some(2) => QoS::ExactlyOnce,
            Some(1) => QoS::AtLeastOnce,
            _ => QoS::AtMostOnce,
        }
    }

    /// Reports the keys that stand there twice, or `only` those of them.
    pub fn repeated(&mut self, only: Option<&[Key]>) {
        let row = self.row;
        for key in row.repeated() {
            if only.is_none_or(|only| only.contains(&key)) {
                self.error(key, Problem::Repeated);
            }
        }
    }

    /// Reports keys that stand there twice, and keys without a meaning. Of the latter, each is named once per table:
    /// a column that this version does not know would otherwise be named for every row.
    pub fn keys(&mut self) -> Result<(), SyntaxError> {
        self.repeated(None);
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
            if self.row.knows(name) {
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

/// What keeps a text from being a host.
pub(super) fn host_flaw<'t>(text: &str, value: Shown<'t>) -> Option<Problem<'t>> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:%".contains(&byte);
    let colons = text.bytes().filter(|&byte| byte == b':').count();
    let zone = text.contains('%');
    let is_bad = !text.bytes().all(allowed) || colons == 1 || (zone && colons == 0);
    if text.len() > MAX_HOST || is_bad {
        Some(Problem::NotAHost(value))
    } else if zone || is_link_local(text) {
        Some(Problem::LinkLocal(value))
    } else {
        None
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
