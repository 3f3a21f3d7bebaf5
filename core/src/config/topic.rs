//! Is this a topic, and a channel, that the bridge may use?

use core::fmt::{self, Display, Formatter};

/// Bytes of a topic, at most. MQTT allows 65535; this bounds a message's room in every buffer.
pub const MAX_TOPIC: usize = 256;

/// Bytes of a Redis channel's name, at most: it is the default topic.
pub const MAX_CHANNEL: usize = MAX_TOPIC;

/// Bytes of a `signal_alias`, at most: it is a part of its channel's name.
pub const MAX_SIGNAL_ALIAS: usize = MAX_CHANNEL - "tag/d//in".len();

/// Why a text is no topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// `#` or `+`, which stand in filters only [MQTT-3.3.2-2].
    Wildcard(char),
    /// [MQTT-4.7.3-2].
    Nul,
    /// `$` in front: the broker's own topics [MQTT-4.7.2-1].
    Dollar,
    /// See [`MAX_TOPIC`].
    TooLong { bytes: usize },
}

/// What messages to a rule of AWS IoT Core have in front of its name ("Basic Ingest").
const BASIC_INGEST: &str = "$aws/rules/";

/// What forbids publishing to `topic`, which is not empty, if anything. Of a signal, whose samples a rule may take in, or of a Last Will.
pub(super) fn flaw(topic: &str, is_of_signal: bool) -> Option<Flaw> {
    if topic.len() > MAX_TOPIC {
        return Some(Flaw::TooLong { bytes: topic.len() });
    }
    let rule = topic.strip_prefix(BASIC_INGEST).filter(|_| is_of_signal);
    if topic.starts_with('$') && rule.is_none_or(str::is_empty) {
        return Some(Flaw::Dollar);
    }
    character_flaw(topic)
}

/// What forbids `part` anywhere in a topic, if anything.
pub(super) fn character_flaw(part: &str) -> Option<Flaw> {
    part.chars().find_map(|character| match character {
        '#' | '+' => Some(Flaw::Wildcard(character)),
        '\0' => Some(Flaw::Nul),
        _ => None,
    })
}

/// Whether a string of an MQTT packet holds what the standard allows, and what it also allows a broker to close the connection for: control
/// characters and code points that are no characters (MQTT 3.1.1, 1.5.3). Mosquitto does close it, and what was sent at QoS 1 or 2
/// is sent again, for ever.
pub(super) fn is_unwelcome(text: &str) -> bool {
    text.chars().any(|character| match character {
        '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{fdd0}'..='\u{fdef}' => true,
        _ => u32::from(character) & 0xfffe == 0xfffe,
    })
}

/// The pieces of the channel on which a signal's samples arrive: `tag/<device_alias>/<signal_alias>/in`.
pub fn channel<'a>(device_alias: &'a str, signal_alias: &'a str) -> [&'a str; 5] {
    ["tag/", device_alias, "/", signal_alias, "/in"]
}

impl Display for Flaw {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Flaw::Wildcard(character) => write!(f, "holds {character}, which only filters may"),
            Flaw::Nul => f.write_str("holds a NUL character"),
            Flaw::Dollar => f.write_str("starts with $, which only the broker's own topics may"),
            Flaw::TooLong { bytes } => write!(f, "has {bytes} bytes, more than {MAX_TOPIC}"),
        }
    }
}
