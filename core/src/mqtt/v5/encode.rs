//! Which properties does this client send? One function per packet (MQTT 5, 3.1.2.11, 3.1.3.2, 3.3.2.3).

use super::property::{
    Id, MAXIMUM_PACKET_SIZE, MESSAGE_EXPIRY, REQUEST_PROBLEM_INFORMATION, SESSION_EXPIRY,
    TOPIC_ALIAS, WILL_DELAY,
};
use super::reason::Reason;
use crate::bytes::put;

/// A list of properties with its length in front, as it stands in a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct List {
    bytes: [u8; MAX_LIST],
    len: usize,
}

/// Longest list, in bytes: that of CONNECT.
const MAX_LIST: usize = 1 + 5 + 5 + 2;

/// Longest list of PUBLISH.
pub const MAX_PUBLISH_LIST: usize = 1 + 5 + 3;

/// A list without properties.
pub const NONE: &[u8] = &[0];

/// What CONNECT says of the session and of this client's limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Seconds that the broker keeps the session after a connection.
    pub session_expiry: u32,
    /// Bytes of the longest packet that this client takes.
    pub maximum_packet_size: u32,
    /// Seconds that the broker waits with the will.
    pub will_delay: u32,
}

/// The properties of CONNECT. A Session Expiry Interval of 0 is that of a CONNECT without.
///
/// No Receive Maximum: messages that nobody asked for are passed over as they come, and none is kept. And rmqtt 0.24 takes no more messages at a
/// time from a client than that client's own Receive Maximum.
#[must_use]
pub fn connect(terms: &Terms) -> List {
    let mut list = List::EMPTY;
    if terms.session_expiry > 0 {
        list.push(SESSION_EXPIRY, &terms.session_expiry.to_be_bytes());
    }
    list.push(
        MAXIMUM_PACKET_SIZE,
        &terms.maximum_packet_size.to_be_bytes(),
    );
    list.push(REQUEST_PROBLEM_INFORMATION, &[1]);
    list
}

/// The properties of the will. A Will Delay Interval of 0 is that of a will without.
#[must_use]
pub fn will(terms: &Terms) -> List {
    let mut list = List::EMPTY;
    if terms.will_delay > 0 {
        list.push(WILL_DELAY, &terms.will_delay.to_be_bytes());
    }
    list
}

/// The properties of PUBLISH: the seconds that the message is still of use, and the alias of its topic.
#[must_use]
pub fn publish(expiry: Option<u32>, alias: Option<u16>) -> List {
    let mut list = List::EMPTY;
    if let Some(seconds) = expiry {
        list.push(MESSAGE_EXPIRY, &seconds.to_be_bytes());
    }
    if let Some(alias) = alias {
        list.push(TOPIC_ALIAS, &alias.to_be_bytes());
    }
    list
}

/// Whether an alias is in the list of a PUBLISH, where it comes last.
#[must_use]
pub fn has_alias(list: &[u8]) -> bool {
    matches!(
        list,
        [3, TOPIC_ALIAS, ..] | [8, _, _, _, _, _, TOPIC_ALIAS, ..]
    )
}

/// DISCONNECT with a reason that is not success (3.14).
#[must_use]
pub fn disconnect(reason: Reason) -> [u8; 3] {
    [0xe0, 1, reason.0]
}

impl List {
    const EMPTY: List = List {
        bytes: [0; MAX_LIST],
        len: 1,
    };

    fn push(&mut self, id: Id, value: &[u8]) {
        let end =
            put(&mut self.bytes, self.len, &[id]).and_then(|len| put(&mut self.bytes, len, value));
        // Each list has room for all that its function writes.
        self.len = end.unwrap_or(self.len);
        self.bytes[0] = (self.len - 1) as u8;
    }

    /// The list with its length in front.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms = Terms {
        session_expiry: 86_400,
        maximum_packet_size: 1024,
        will_delay: 30,
    };

    #[test]
    fn the_properties_are_those_of_the_standard() {
        assert_eq!(
            connect(&TERMS).bytes(),
            b"\x0c\x11\x00\x01\x51\x80\x27\x00\x00\x04\x00\x17\x01"
        );
        assert_eq!(connect(&TERMS).bytes().len(), MAX_LIST);
        assert_eq!(will(&TERMS).bytes(), b"\x05\x18\x00\x00\x00\x1e");
        let short = Terms {
            session_expiry: 0,
            will_delay: 0,
            ..TERMS
        };
        assert_eq!(connect(&short).bytes(), b"\x07\x27\x00\x00\x04\x00\x17\x01");
        assert_eq!(will(&short).bytes(), b"\0");
        assert_eq!(publish(None, None).bytes(), NONE);
        let both = publish(Some(30), Some(2));
        assert_eq!(both.bytes(), b"\x08\x02\x00\x00\x00\x1e\x23\x00\x02");
        assert_eq!(both.bytes().len(), MAX_PUBLISH_LIST);
    }
}
