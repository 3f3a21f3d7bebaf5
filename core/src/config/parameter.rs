//! What is a parameter of the mapping table? Its key, what it may hold, when it must be there, and what people are told of it.

use core::fmt::{self, Display, Formatter};

use super::schema::Key;

/// A part of the file. [`Table::Devices`] and [`Table::Signals`] are tabs of the workbook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// The file's outermost object.
    Top,
    Devices,
    Signals,
    Redis,
    Spool,
}

/// The rules of one parameter, as far as they concern it alone.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    pub key: Key,
    pub kind: Kind,
    pub required: Required,
    /// Its value appears in no output, whatever its type.
    pub is_secret: bool,
}

/// What a value may be.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A part of the file.
    Table,
    Text(Form),
    Words(Words),
    Integer(Integer),
    /// With its default.
    Boolean(bool),
}

/// Which strings a text may be. An empty one is as good as none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Any,
    /// Binary data of an MQTT packet: of at most 65,535 bytes.
    MqttBytes,
    /// A string of an MQTT packet: the same, without NUL.
    MqttString,
    /// A path of a file or a socket. It takes no control characters, and thus no PEM text instead of its path.
    Path,
    /// An IPv4 or IPv6 address or a domain name. Whether it resolves is for the network to say; this finds `host:port`, addresses with a
    /// scheme, and blanks.
    Host,
}

/// Bytes of a string or of binary data in MQTT, at most: their length takes two bytes (MQTT 3.1.1, 1.5.3).
pub const MAX_MQTT_STRING: usize = 65_535;

/// The only values that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words(pub &'static [&'static str]);

/// An integer's range, both ends allowed, and its default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Integer {
    pub min: i32,
    pub max: i64,
    pub default: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Required {
    No,
    Yes,
    /// With this setting of another parameter.
    If(Setting),
}

/// A setting that makes other parameters required.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    AuthPassword,
    AuthPasswordOrToken,
    AuthTls,
    /// `auth`=`tls`, and `tls_client_auth` is not 0.
    ClientAuth,
    UseLastWill,
    Username,
    ProxyUsername,
    ProxyPassword,
}

impl Setting {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Setting::AuthPassword => "auth=password",
            Setting::AuthPasswordOrToken => "auth=password or token",
            Setting::AuthTls => "auth=tls",
            Setting::ClientAuth => "auth=tls (tls_client_auth=1)",
            Setting::UseLastWill => "use_last_will=1",
            Setting::Username => "username",
            Setting::ProxyUsername => "proxy_username",
            Setting::ProxyPassword => "proxy_password",
        }
    }
}

impl Parameter {
    pub(super) const fn table() -> Self {
        Self::new(Kind::Table)
    }

    pub(super) const fn text(form: Form) -> Self {
        Self::new(Kind::Text(form))
    }

    pub(super) const fn words(words: Words) -> Self {
        Self::new(Kind::Words(words))
    }

    pub(super) const fn integer(integer: Integer) -> Self {
        Self::new(Kind::Integer(integer))
    }

    pub(super) const fn boolean(default: bool) -> Self {
        Self::new(Kind::Boolean(default))
    }

    const fn new(kind: Kind) -> Self {
        Parameter {
            // Until the schema says which.
            key: Key::FIRST,
            kind,
            required: Required::No,
            is_secret: false,
        }
    }

    pub(super) const fn required(self) -> Self {
        let required = Required::Yes;
        Parameter { required, ..self }
    }

    pub(super) const fn required_if(self, setting: Setting) -> Self {
        let required = Required::If(setting);
        Parameter { required, ..self }
    }

    pub(super) const fn secret(self) -> Self {
        let is_secret = true;
        Parameter { is_secret, ..self }
    }
}

/// `a, b or c`.
impl Display for Words {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut left = self.0.len();
        for word in self.0 {
            left = left.saturating_sub(1);
            f.write_str(word)?;
            f.write_str(match left {
                0 => "",
                1 => " or ",
                _ => ", ",
            })?;
        }
        Ok(())
    }
}

/// What people are told of a parameter, besides its rules. No program that runs on a gateway or a board refers to it, so that it is in none.
#[derive(Debug, Clone, Copy)]
pub struct Note {
    pub explanation: &'static str,
    /// The default in words, where the rules do not have it.
    pub(super) default: &'static str,
    /// The range in words, where the rules do not have it.
    range: &'static str,
    /// A value that suits the other examples; empty if the parameter is not part of a first configuration.
    pub example: &'static str,
}

impl Note {
    pub(super) const fn new(explanation: &'static str) -> Self {
        Note {
            explanation,
            default: "",
            range: "",
            example: "",
        }
    }

    pub(super) const fn default(self, default: &'static str) -> Self {
        Note { default, ..self }
    }

    pub(super) const fn range(self, range: &'static str) -> Self {
        Note { range, ..self }
    }

    pub(super) const fn example(self, example: &'static str) -> Self {
        Note { example, ..self }
    }
}

/// A parameter with all that is to be told of it: a column of a tab.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    pub parameter: &'static Parameter,
    pub note: &'static Note,
}

impl Column {
    /// The columns of a tab, in the order of the manual's tables.
    pub fn of(table: Table) -> impl ExactSizeIterator<Item = Column> {
        let columns = table.parameters().iter().zip(table.notes());
        columns.map(|(parameter, note)| Column { parameter, note })
    }

    #[must_use]
    pub fn key(&self) -> Key {
        self.parameter.key
    }

    /// `string`, `integer` or `boolean`.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self.parameter.kind {
            Kind::Table => "object",
            Kind::Text(_) | Kind::Words(_) => "string",
            Kind::Integer(_) => "integer",
            Kind::Boolean(_) => "boolean",
        }
    }

    /// What holds without a value; nothing where there has to be one, or where that is none.
    #[must_use]
    pub fn default(&self) -> impl Display {
        let Column { parameter, note } = *self;
        fmt::from_fn(move |f| match parameter.kind {
            _ if !note.default.is_empty() => f.write_str(note.default),
            Kind::Integer(integer) => integer.default.fmt(f),
            Kind::Boolean(default) => u8::from(default).fmt(f),
            Kind::Text(_) if parameter.required == Required::No => f.write_str("empty"),
            Kind::Table | Kind::Text(_) | Kind::Words(_) => Ok(()),
        })
    }

    /// Which values there may be; nothing where its type says it all.
    #[must_use]
    pub fn range(&self) -> impl Display {
        let Column { parameter, note } = *self;
        fmt::from_fn(move |f| match parameter.kind {
            _ if !note.range.is_empty() => f.write_str(note.range),
            Kind::Integer(Integer { min, max, .. }) => write!(f, "{min} to {max}"),
            Kind::Words(words) => words.fmt(f),
            Kind::Boolean(_) => f.write_str("0 or 1"),
            Kind::Table | Kind::Text(_) => Ok(()),
        })
    }
}
