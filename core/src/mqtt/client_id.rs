//! How is a client called (MQTT 3.1.1, 3.1.3.1)?

use super::Level;
use crate::config::MAX_CHANNEL;

/// Longest generated client identifier, in bytes: a channel's length bounds that of an alias.
pub const MAX_GENERATED: usize = MAX_CHANNEL + SUFFIX;

/// `-` and eight digits.
const SUFFIX: usize = 9;

/// Longest client identifier of 3.1.
const MAX_V3_1: usize = 23;

/// The client identifier (3.1.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientId<'a> {
    Given(&'a str),
    /// `<alias>-<8 hex digits>`; on 3.1 the alias is cut so that the whole has 23 bytes and the digits stay.
    Generated {
        alias: &'a str,
        digits: u32,
    },
}

/// Longest identifier that a broker gives and this client keeps: those of the known brokers are a UUID, or less.
pub const MAX_ASSIGNED: usize = if cfg!(feature = "mqtt5") { 64 } else { 0 };

impl<'a> ClientId<'a> {
    /// The identifier that has at every level the text that this one has at `level`.
    pub(super) fn as_at(self, level: Level) -> Self {
        match (self, level) {
            (ClientId::Generated { alias, digits }, Level::V3_1) => ClientId::Generated {
                alias: alias.get(..MAX_V3_1 - SUFFIX).unwrap_or(alias),
                digits,
            },
            (same, _) => same,
        }
    }

    /// The text of the identifier; a generated one is written to `buffer`.
    pub fn text<'b>(&self, level: Level, buffer: &'b mut [u8; MAX_GENERATED]) -> &'b [u8]
    where
        'a: 'b,
    {
        let (alias, digits) = match *self {
            ClientId::Given(text) => return text.as_bytes(),
            ClientId::Generated { alias, digits } => (alias.as_bytes(), digits),
        };
        let longest = match level {
            Level::V3_1 => MAX_V3_1,
            Level::V3_1_1 | Level::V5 => MAX_GENERATED,
        } - SUFFIX;
        let alias = alias.get(..longest).unwrap_or(alias);
        let suffix = (0..8).rev().map(|place| hex_digit(digits >> (4 * place)));
        let text = alias.iter().copied().chain(*b"-").chain(suffix);
        let mut len = 0;
        for (slot, byte) in buffer.iter_mut().zip(text) {
            *slot = byte;
            len += 1;
        }
        buffer.get(..len).unwrap_or_default()
    }
}

fn hex_digit(nibble: u32) -> u8 {
    match (nibble & 0xf) as u8 {
        digit @ 0..=9 => b'0' + digit,
        letter => b'a' + letter - 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(id: ClientId<'_>, level: Level) -> std::string::String {
        let mut buffer = [0; MAX_GENERATED];
        std::string::String::from_utf8(id.text(level, &mut buffer).to_vec())
            .expect("identifiers are text")
    }

    #[test]
    fn a_generated_identifier_is_alias_and_digits() {
        let id = ClientId::Generated {
            alias: "cloud",
            digits: 0x00ab_cdef,
        };
        assert_eq!(text(id, Level::V3_1_1), "cloud-00abcdef");
        assert_eq!(text(id, Level::V3_1), "cloud-00abcdef");
    }

    #[test]
    fn on_3_1_a_generated_identifier_has_23_bytes_at_most_and_keeps_its_digits() {
        let id = ClientId::Generated {
            alias: "substation_north_17",
            digits: 0x1234_5678,
        };
        assert_eq!(text(id, Level::V3_1), "substation_nor-12345678");
        assert_eq!(text(id, Level::V3_1_1), "substation_north_17-12345678");
    }

    #[test]
    fn a_given_identifier_is_taken_as_it_is() {
        let long = "a".repeat(30);
        assert_eq!(text(ClientId::Given(&long), Level::V3_1), long);
    }
}
