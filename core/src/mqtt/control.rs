//! Room of their own for the short packets, so that a full outbox never holds up an acknowledgement.

use super::encode::{Connect, Notice};
use crate::bytes::put;

/// Packets waiting to be written; filled from the front, and empty again after each write that took all.
pub(super) struct Control<'a> {
    bytes: &'a mut [u8],
    pub(super) pending: Pending,
    /// Bytes for what is said at the end.
    kept: usize,
}

/// Which bytes of the buffer wait.
#[derive(Debug, Clone, Default)]
pub(super) struct Pending {
    start: usize,
    end: usize,
}

impl<'a> Control<'a> {
    /// `kept` bytes are for what is said at the end: DISCONNECT, and a status before it.
    pub(super) fn new(bytes: &'a mut [u8], pending: Pending, kept: usize) -> Self {
        Control {
            bytes,
            pending,
            kept,
        }
    }

    /// Whether none of the packets is written in part.
    pub(super) fn is_between_packets(&self) -> bool {
        self.is_empty() || self.pending.start == 0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending.start == self.pending.end
    }

    pub(super) fn clear(&mut self) {
        self.pending = Pending::default();
    }

    /// Whether a packet of up to four bytes fits, which is all but CONNECT and a status, and what is said at the end behind it.
    pub(super) fn has_room(&self) -> bool {
        self.bytes.len() - self.pending.end >= 4 + self.kept
    }

    /// Adds a packet; `false` if it does not fit.
    #[must_use]
    pub(super) fn push(&mut self, packet: &[u8]) -> bool {
        let end = put(self.bytes, self.pending.end, packet);
        self.pending.end = end.unwrap_or(self.pending.end);
        end.is_some()
    }

    /// Adds a status, and `rest` behind it; `false` if they do not fit.
    #[must_use]
    pub(super) fn push_notice(&mut self, notice: &Notice<'_>, rest: &[u8]) -> bool {
        let room = self.bytes.get_mut(self.pending.end..).unwrap_or_default();
        let Some(end) = notice.encode(room).and_then(|len| put(room, len, rest)) else {
            return false;
        };
        self.pending.end += end;
        true
    }

    /// Makes CONNECT the only packet; `false` if the buffer is too small for it.
    #[must_use]
    pub(super) fn begin_with(&mut self, connect: &Connect<'_>) -> bool {
        let len = connect.encode(self.bytes);
        self.pending = Pending {
            start: 0,
            end: len.unwrap_or(0),
        };
        len.is_some()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes
            .get(self.pending.start..self.pending.end)
            .unwrap_or_default()
    }

    pub(super) fn written(&mut self, count: usize) {
        self.pending.start = (self.pending.start + count).min(self.pending.end);
        if self.is_empty() {
            self.clear();
        }
    }
}
