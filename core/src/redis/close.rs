//! Why is a connection to Redis to be closed?

use core::fmt;

use crate::log::Text;
use crate::secret::Secrets;
use crate::time::SECOND;

/// Bytes of an error reply, or of a channel, that are kept to be shown.
const MAX_REASON: usize = 96;

/// From here on an error reply repeats what it was asked, AUTH's password too: `ERR unknown command 'AUTH', with args beginning
/// with: 'secret'`.
const QUOTATION: &[u8] = b", with args";

/// Why a connection is to be closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Close {
    /// The server's own words, without those that it repeats.
    ErrorReply(heapless::Vec<u8, MAX_REASON>),
    /// No channel may be subscribed to; of the last one the server says so.
    AllRefused(heapless::Vec<u8, MAX_REASON>),
    /// The peer does not speak RESP2 as a server does to a subscriber.
    Malformed,
    /// This channel was confirmed, and it is not the next one that was asked for.
    OtherChannel(heapless::Vec<u8, MAX_REASON>),
    /// A reply is not to the command that was to be answered next.
    Unasked,
    /// Nothing came in time, in milliseconds.
    Silent(u64),
    /// Our buffer does not hold a command.
    CommandsTooSmall,
}

impl Close {
    pub(super) fn error_reply(words: &[u8], secrets: Secrets<'_>) -> Self {
        Close::ErrorReply(words_of(words, secrets))
    }

    pub(super) fn all_refused(words: &[u8], secrets: Secrets<'_>) -> Self {
        Close::AllRefused(words_of(words, secrets))
    }

    pub(super) fn other_channel(name: &[u8], secrets: Secrets<'_>) -> Self {
        Close::OtherChannel(start_of(name, secrets))
    }

    /// Whether only a change of the configuration, here or at the server, can help.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        match self {
            Close::ErrorReply(words) => {
                let passes = [
                    &b"LOADING"[..],
                    b"BUSY",
                    b"MASTERDOWN",
                    b"TRYAGAIN",
                    b"CLUSTERDOWN",
                    b"ERR max number of clients",
                ];
                !passes.iter().any(|prefix| words.starts_with(prefix))
            }
            Close::AllRefused(_) | Close::CommandsTooSmall => true,
            Close::Malformed | Close::OtherChannel(_) | Close::Unasked | Close::Silent(_) => false,
        }
    }
}

impl fmt::Display for Close {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Close::ErrorReply(words) => write!(f, "the server says: {}", Text(words)),
            Close::AllRefused(words) => write!(
                f,
                "no channel may be subscribed to; the server says: {}",
                Text(words)
            ),
            Close::Malformed => f.write_str("the peer does not speak Redis' protocol (RESP2)"),
            Close::OtherChannel(channel) => write!(
                f,
                "the server confirms a subscription to {}, which is not what was asked for next",
                Text(channel)
            ),
            Close::Unasked => f.write_str("the server's reply is not to what it was asked next"),
            Close::Silent(waited) => write!(f, "silent for {} s", waited / SECOND),
            Close::CommandsTooSmall => f.write_str("our command buffer is too small"),
        }
    }
}

/// An error reply without what it repeats.
fn words_of(words: &[u8], secrets: Secrets<'_>) -> heapless::Vec<u8, MAX_REASON> {
    let quotation = words
        .windows(QUOTATION.len())
        .position(|window| window == QUOTATION);
    let end = quotation.unwrap_or(words.len());
    start_of(words.get(..end).unwrap_or_default(), secrets)
}

/// As much of text from outside as is kept to be shown, without what is secret.
fn start_of(text: &[u8], secrets: Secrets<'_>) -> heapless::Vec<u8, MAX_REASON> {
    let mut shown = heapless::Vec::new();
    for piece in secrets.masked(text) {
        if shown.extend_from_slice(piece).is_err() {
            break;
        }
    }
    shown
}
