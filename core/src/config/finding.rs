//! What is wrong with the file, and where? The findings that checking it reports, and how they read.
//!
//! A finding quotes the value it is about as the file spells it, shortened, and without control characters. The
//! values of secret keys never get into a finding: [`Shown::Hidden`] stands for them.

use core::fmt::{self, Display, Formatter, Write};

use super::json::{MAX_DEPTH, Syntax};
use super::parameter::{Table, Words};
#[cfg(feature = "providers")]
use super::provider::Limit;
use super::schema::Key;
use super::topic::Flaw;
use crate::log::Legible;
use crate::secret::without_user;

/// One thing that is wrong, or worth a warning.
///
/// `Display` gives `devices[0].mqtt_qos: 3 is not in 0..2`; see [`Finding::in_file`] for the name in front.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding<'t> {
    pub severity: Severity,
    pub place: Place<'t>,
    pub problem: Problem<'t>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The program does not start with this file.
    Error,
    Warning,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'t> {
    /// A character of the text. Both numbers count from 1; a column is a character, whatever its width.
    Text { line: usize, column: usize },
    /// A table as a whole.
    Table(Table),
    /// A row of [`Table::Devices`] or [`Table::Signals`]. Rows count from 0, in the file's order.
    Row(Table, usize),
    /// One value. `row` is 0 in tables that have no rows.
    Cell {
        table: Table,
        row: usize,
        key: KeyName<'t>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyName<'t> {
    Known(Key),
    /// As it stands between the quotes.
    Unknown(&'t str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem<'t> {
    NotJson(Syntax),
    Missing {
        /// The setting that makes it required, if it is not always so.
        because: Option<&'static str>,
    },
    WrongType {
        value: Shown<'t>,
        expected: Type,
    },
    /// A number with a point or an exponent, where an integer belongs.
    NotInteger(Shown<'t>),
    /// Both ends are allowed.
    NotInRange {
        value: Shown<'t>,
        min: i64,
        max: i64,
    },
    NotOneOf {
        value: Shown<'t>,
        allowed: Words,
    },
    /// The key stands twice in one object.
    Repeated,
    UnknownKey,
    NotAnAlias(Shown<'t>),
    NotAHost(Shown<'t>),
    /// An IPv6 address that means something only together with an interface, which no link carries.
    LinkLocal(Shown<'t>),
    /// The machine itself, and the program is for one without servers.
    LocalHost(Shown<'t>),
    /// Another row has this alias already.
    AliasTaken {
        value: Shown<'t>,
        table: Table,
        row: usize,
    },
    NoSuchDevice(Shown<'t>),
    Topic {
        value: Shown<'t>,
        flaw: Flaw,
    },
    /// The topic made from this alias would be wrong.
    DefaultTopic {
        value: Shown<'t>,
        flaw: Flaw,
    },
    /// The Redis channel made from this alias would be longer than [`MAX_CHANNEL`](super::MAX_CHANNEL).
    ChannelTooLong {
        bytes: usize,
    },
    TooLong {
        bytes: usize,
        limit: usize,
        /// The setting that the limit comes from, if it does not always hold.
        because: Option<&'static str>,
    },
    /// NUL in an MQTT string [MQTT-1.5.3-2].
    Nul,
    /// A control character, or none at all, in an MQTT string (MQTT 3.1.1, 1.5.3).
    Unwelcome(Shown<'t>),
    /// A control character in a path, or in what a proxy is told.
    ControlCharacter,
    /// An address with a scheme, or the text of a key, where a path belongs.
    NotAPath,
    /// Something else where the host and port of a proxy belong. It is not shown, since it may hold a password.
    #[cfg(feature = "proxy")]
    NotAProxy,
    /// In the user name for a proxy: what stands behind it would be taken for the password.
    #[cfg(feature = "proxy")]
    Colon,
    SocketAndHost,
    /// Given, but without effect.
    Ignored {
        because: &'static str,
    },
    /// Another signal of the same device has the same topic.
    TopicShared {
        row: usize,
    },
    /// A setting of TLS, in words that only a program with TLS brings along.
    Tls(&'static str),
    /// `auth`=`password` or `token` beside certificates.
    InTheClear,
    /// A password that is not encrypted on its way to another machine.
    Plain {
        cure: &'static str,
    },
    /// A crash leaves `online` behind: the Last Will is another.
    #[cfg(feature = "status")]
    StatusStays,
    /// More messages of QoS 2 under way than Mosquitto takes.
    WideWindow(Shown<'t>),
    /// What the provider of the broker does not accept.
    #[cfg(feature = "providers")]
    Provider {
        provider: &'static str,
        limit: &'static Limit,
    },
    /// This program is built without what the setting needs.
    NotBuiltIn(&'static str),
    /// The storage handed in is too small. This is no fault of the file's.
    NoRoom {
        what: &'static str,
        room: usize,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    Null,
    Boolean,
    Integer,
    Number,
    String,
    Array,
    Object,
}

/// An offending value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown<'t> {
    /// Only its type is told: the value is secret, or too large to show.
    Hidden(Type),
    Bool(bool),
    Number(&'t str),
    /// As it stands between the quotes.
    String(&'t str),
}

impl<'t> Finding<'t> {
    /// The finding with the file's name: `table.json: devices[0].mqtt_qos: 3 is not in 0..2`, and where the file is no
    /// JSON, `table.json:3:14: expected a value`.
    pub fn in_file<'f>(&'f self, file: &'f str) -> impl Display + use<'f, 't> {
        fmt::from_fn(move |f| {
            let separator = match self.place {
                Place::Text { .. } => "",
                _ => " ",
            };
            write!(f, "{file}:{separator}{self}")
        })
    }
}

impl Display for Finding<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.problem)
    }
}

impl Display for Place<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match *self {
            Place::Text { line, column } => write!(f, "{line}:{column}"),
            Place::Table(table) => f.write_str(table.name()),
            Place::Row(table, row) => write!(f, "{}[{row}]", table.name()),
            Place::Cell { table, row, key } => {
                match table {
                    Table::Top => {}
                    Table::Redis | Table::Spool => write!(f, "{}.", table.name())?,
                    Table::Devices | Table::Signals => write!(f, "{}[{row}].", table.name())?,
                }
                match key {
                    KeyName::Known(key) => f.write_str(key.name()),
                    KeyName::Unknown(name) => write_shortened(f, name),
                }
            }
        }
    }
}

impl Table {
    fn name(self) -> &'static str {
        match self {
            Table::Top => "top level",
            Table::Redis => Key::Redis.name(),
            Table::Spool => Key::Spool.name(),
            Table::Devices => Key::Devices.name(),
            Table::Signals => Key::Signals.name(),
        }
    }
}

impl Display for Problem<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        // Most are some words, behind the value if that is shown.
        let (value, words) = match *self {
            Problem::NotJson(expected) => return expected.fmt(f),
            Problem::Missing { because } => {
                f.write_str("is missing")?;
                return because.map_or(Ok(()), |because| write!(f, ", {because} requires it"));
            }
            Problem::WrongType { value, expected } => {
                write!(f, "{value}is {}, not {expected}", value.kind())?;
                let advice = match value {
                    Shown::Number(_) | Shown::Hidden(Type::Number) if expected == Type::String => {
                        "; write it in quotes"
                    }
                    Shown::String(text) if reads_as(text, expected) => "; write it without quotes",
                    _ => "",
                };
                (None, advice)
            }
            Problem::NotInRange { value, min, max } => {
                return write!(f, "{value}is not in {min}..{max}");
            }
            Problem::NotOneOf { value, allowed } => return write!(f, "{value}is not {allowed}"),
            Problem::AliasTaken { value, table, row } => {
                let other = Place::Row(table, row);
                return write!(f, "{value}is the alias of {other} already");
            }
            Problem::Topic { value, flaw } => return write!(f, "{value}{flaw}"),
            Problem::DefaultTopic { value, flaw } => {
                write!(f, "{value}makes a topic that {flaw}")?;
                (None, "; set topic, or another alias")
            }
            Problem::ChannelTooLong { bytes } => {
                return write!(
                    f,
                    "makes a channel of {bytes} bytes, more than {}",
                    super::MAX_CHANNEL
                );
            }
            Problem::TooLong {
                bytes,
                limit,
                because,
            } => {
                write!(f, "has {bytes} bytes, more than {limit}")?;
                return because.map_or(Ok(()), |because| write!(f, ", the limit with {because}"));
            }
            Problem::Ignored { because } => return write!(f, "is ignored with {because}"),
            Problem::TopicShared { row } => {
                let other = Place::Row(Table::Signals, row);
                return write!(f, "is also the topic of {other}");
            }
            #[cfg(feature = "providers")]
            Problem::Provider { provider, limit } => return write!(f, "{provider} {limit}"),
            Problem::NotBuiltIn(what) => return write!(f, "built without {what}"),
            Problem::NoRoom { what, room } => {
                return write!(f, "limit reached: room for {room} {what}");
            }
            Problem::NotInteger(value) => (
                Some(value),
                "is not an integer; write it without point and exponent",
            ),
            Problem::Repeated => (None, "appears more than once in one object"),
            Problem::UnknownKey => (None, "unknown key, ignored"),
            Problem::NotAnAlias(value) => (
                Some(value),
                "holds something other than letters, digits, - and _",
            ),
            Problem::NotAHost(value) => (Some(value), "is not an address or a domain name"),
            Problem::LinkLocal(value) => (
                Some(value),
                "is link-local, or names an interface (%): give another address, or a domain name",
            ),
            Problem::LocalHost(value) => {
                (Some(value), "is this machine itself, which has no servers")
            }
            Problem::NoSuchDevice(value) => (Some(value), "is not the alias of any device"),
            Problem::Nul => (None, "holds a NUL character"),
            Problem::Unwelcome(value) => (
                Some(value),
                "holds a control character: the broker may close the connection for it, each time",
            ),
            Problem::ControlCharacter => (None, "holds a control character"),
            Problem::NotAPath => (
                None,
                "is a file's text or an address, not the path of a file",
            ),
            #[cfg(feature = "status")]
            Problem::StatusStays => (
                None,
                "still says online after a crash: set last_will_topic to it and last_will_retain=1, or use_last_will=0",
            ),
            #[cfg(feature = "proxy")]
            Problem::NotAProxy => (
                None,
                "is not host:port; without http://, user name and password, and with an IPv6 address in brackets",
            ),
            #[cfg(feature = "proxy")]
            Problem::Colon => (None, "holds a colon or a control character"),
            Problem::SocketAndHost => (None, "excludes host and port"),
            Problem::Tls(words) => (None, words),
            Problem::InTheClear => (
                None,
                "the certificates are ignored, and the password or token goes out in the clear; auth=tls encrypts it",
            ),
            Problem::Plain { cure } => return write!(f, "goes out in the clear: {cure}"),
            Problem::WideWindow(value) => (
                Some(value),
                "is more than 20: Mosquitto as it is shipped throws away what exceeds that at QoS 2, and acknowledges it all the same",
            ),
        };
        value.map_or(Ok(()), |value| value.fmt(f))?;
        f.write_str(words)
    }
}

impl Display for Syntax {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        // Never quotes what stands there: it may be part of a password.
        let expected = match self {
            Syntax::Utf8 => "UTF-8 text",
            Syntax::Value => "a value",
            Syntax::Key => "a key in double quotes",
            Syntax::Colon => "a colon",
            Syntax::CommaOrBrace => "a comma or }",
            Syntax::CommaOrBracket => "a comma or ]",
            Syntax::End => "the end of the file",
            Syntax::Digit => "a digit",
            Syntax::Quote => "a closing quote for the string that begins here",
            Syntax::Escaped => "an escape such as \\n instead of a control character",
            Syntax::Escape => "a valid escape sequence",
            Syntax::Shallower => return write!(f, "expected at most {MAX_DEPTH} levels"),
            Syntax::Shorter => "a file of less than 2 GiB",
        };
        write!(f, "expected {expected}")
    }
}

impl Display for Type {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Type::Null => "null",
            Type::Boolean => "a boolean",
            Type::Integer => "an integer",
            Type::Number => "a number",
            Type::String => "a string",
            Type::Array => "an array",
            Type::Object => "an object",
        })
    }
}

impl Shown<'_> {
    fn kind(self) -> Type {
        match self {
            Shown::Hidden(kind) => kind,
            Shown::Bool(_) => Type::Boolean,
            Shown::Number(_) => Type::Number,
            Shown::String(_) => Type::String,
        }
    }
}

/// The value and a space, or nothing if it is hidden: the subject of a sentence.
impl Display for Shown<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match *self {
            Shown::Hidden(_) => Ok(()),
            Shown::Bool(value) => f.write_str(if value { "true " } else { "false " }),
            Shown::Number(text) => {
                write_shortened(f, text)?;
                f.write_char(' ')
            }
            Shown::String(text) => {
                f.write_char('"')?;
                write_shortened(f, text)?;
                f.write_str("\" ")
            }
        }
    }
}

/// Characters of a value or key that a finding shows.
const SHOWN: usize = 40;

fn write_shortened(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    let (mask, text) = without_user(text);
    f.write_str(mask)?;
    let cut = text.char_indices().nth(SHOWN).map(|(at, _)| at);
    let shown = cut.and_then(|at| text.get(..at)).unwrap_or(text);
    write!(f, "{}", Legible(shown))?;
    f.write_str(if cut.is_some() { "..." } else { "" })
}

/// Whether the text would be right without its quotes.
fn reads_as(text: &str, expected: Type) -> bool {
    match expected {
        Type::Boolean => matches!(text, "0" | "1" | "false" | "true"),
        Type::Integer => text.parse::<i64>().is_ok(),
        _ => false,
    }
}
