//! What if the broker takes messages and acknowledges none? One that throttles may fall silent so, and so does one without QoS 2 (AWS IoT Core).
//!
//! To connect again and send all of it once more makes the first worse, and does not help with the second. So after the second such connection in
//! a row one message goes alone, and the others follow once that is acknowledged; and each such connection makes the wait for the next one longer.

/// Connections in a row that make it no accident.
const NO_ACCIDENT: u8 = 2;

/// What acknowledgements the last connections have brought.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Unacknowledged {
    /// What the counter of acknowledged messages was when the connection began.
    pub(super) counted_before: u64,
    /// Connections in a row that ended since nothing at all was acknowledged.
    connections: u8,
    is_said: bool,
}

impl Unacknowledged {
    /// A connection ended since nothing was acknowledged. Which one in a row it is, once that is no accident.
    pub(super) fn ended(&mut self) -> Option<u8> {
        self.connections = self.connections.saturating_add(1);
        self.is_certain()
            .then(|| self.connections.saturating_sub(NO_ACCIDENT))
    }

    /// Whether one message goes alone, to see whether the broker acknowledges it.
    pub(super) fn is_certain(&self) -> bool {
        self.connections >= NO_ACCIDENT
    }

    /// A message was acknowledged, or the connection ended for another reason.
    pub(super) fn start_over(&mut self) {
        self.connections = 0;
    }

    /// Whether acknowledgements are missing, and that is not said yet.
    pub(super) fn is_news(&mut self) -> bool {
        !core::mem::replace(&mut self.is_said, true)
    }

    /// A connection ended though all was acknowledged: when it is not, that is news.
    pub(super) fn is_well(&mut self) {
        self.is_said = false;
    }
}
