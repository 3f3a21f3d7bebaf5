//! One link's TCP socket: who uses it, and what becomes of a connection that has been closed.
//!
//! ```text
//! free --> idle --> opening --> open --> lost (with the board's address)
//!   ^        |         |          |       |
//!   '--------'---------'----------'-------'  closed: the connection leaves, for at most LINGER
//! ```

use core::net::Ipv4Addr;

use embedded_nal::nb;
use mqtt_client_core::time::{Instant, SECOND};
use smoltcp::iface::{Context, SocketHandle};
use smoltcp::socket::tcp::{RecvError, Socket, State};

use super::Error;
use super::lookup::Lookup;

/// A connection that was closed has so many milliseconds to send what is left and to have its FIN acknowledged; then it is
/// reset. Until then its link cannot open another.
pub const LINGER: u64 = 3 * SECOND;

/// A link's place in the stack.
pub struct Link {
    pub(super) handle: SocketHandle,
    pub(super) lookup: Lookup,
    usage: Usage,
    /// When the connection that was closed is reset, if it has not ended before.
    leave_by: Option<Instant>,
}

/// What the socket is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Usage {
    Free,
    /// Claimed, and not connected.
    Idle,
    Opening,
    Open {
        since: Instant,
    },
    /// The address that it was opening or open with is not the board's any more.
    Lost,
}

impl Link {
    pub(super) fn new(handle: SocketHandle) -> Self {
        Link {
            handle,
            lookup: Lookup::default(),
            usage: Usage::Free,
            leave_by: None,
        }
    }

    pub(super) fn claim(&mut self) -> Result<(), Error> {
        match self.usage {
            Usage::Free => {
                self.usage = Usage::Idle;
                Ok(())
            }
            _ => Err(Error::InUse),
        }
    }

    /// Whether it can [`begin`](Link::begin) to connect.
    pub(super) fn can_begin(&self) -> bool {
        self.usage == Usage::Idle && self.leave_by.is_none()
    }

    /// Begins to connect.
    pub(super) fn begin(
        &mut self,
        socket: &mut Socket<'_>,
        context: &mut Context,
        remote: (Ipv4Addr, u16),
        local_port: u16,
    ) -> Result<(), Error> {
        // The peer's address is one that can be; so it is our own that is missing.
        socket
            .connect(context, remote, local_port)
            .map_err(|_| Error::AddressLost)?;
        self.usage = Usage::Opening;
        Ok(())
    }

    /// How far connecting has come.
    pub(super) fn progress(&mut self, socket: &Socket<'_>, now: Instant) -> nb::Result<(), Error> {
        match (self.usage, socket.state()) {
            (Usage::Free, _) => Err(Error::NotConnected.into()),
            (Usage::Lost, _) => Err(Error::AddressLost.into()),
            (Usage::Open { .. }, _) => Ok(()),
            (Usage::Idle, _) | (Usage::Opening, State::SynSent | State::SynReceived) => {
                Err(nb::Error::WouldBlock)
            }
            (Usage::Opening, State::Closed) => {
                self.usage = Usage::Idle;
                Err(Error::Refused.into())
            }
            (Usage::Opening, _) => {
                self.usage = Usage::Open { since: now };
                Ok(())
            }
        }
    }

    pub(super) fn send(&self, socket: &mut Socket<'_>, bytes: &[u8]) -> nb::Result<usize, Error> {
        self.check_open()?;
        if bytes.is_empty() {
            return Ok(0);
        }
        match socket.send_slice(bytes) {
            Ok(0) => Err(nb::Error::WouldBlock),
            Ok(count) => Ok(count),
            // A connection that we have not closed can be written to until the peer resets it.
            Err(_) => Err(Error::Reset.into()),
        }
    }

    /// Whether its client has a connection.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.usage, Usage::Open { .. })
    }

    pub(super) fn receive(
        &self,
        socket: &mut Socket<'_>,
        buffer: &mut [u8],
    ) -> nb::Result<usize, Error> {
        self.check_open()?;
        if buffer.is_empty() {
            return Ok(0);
        }
        match socket.recv_slice(buffer) {
            Ok(0) => Err(nb::Error::WouldBlock),
            Ok(count) => Ok(count),
            Err(RecvError::Finished) => Err(Error::Closed.into()),
            Err(RecvError::InvalidState) => Err(Error::Reset.into()),
        }
    }

    fn check_open(&self) -> Result<(), Error> {
        match self.usage {
            Usage::Open { .. } => Ok(()),
            Usage::Lost => Err(Error::AddressLost),
            Usage::Free | Usage::Idle | Usage::Opening => Err(Error::NotConnected),
        }
    }

    /// Frees the link. What was written is still sent, and the FIN after it.
    pub(super) fn close(&mut self, socket: &mut Socket<'_>, now: Instant) {
        if let Usage::Open { since } = self.usage {
            self.lookup.held(now.since(since));
        }
        if matches!(self.usage, Usage::Opening | Usage::Open { .. }) {
            socket.close();
            self.leave_by = (!has_ended(socket)).then(|| now + LINGER);
        }
        self.usage = Usage::Free;
    }

    /// The board's address is gone, and with it the connection.
    pub(super) fn lose(&mut self, socket: &mut Socket<'_>) {
        if matches!(self.usage, Usage::Opening | Usage::Open { .. }) {
            self.usage = Usage::Lost;
        }
        self.leave_by = None;
        socket.abort();
    }

    /// Sees off a connection that was closed: resets it when its time is over.
    pub(super) fn see_off(&mut self, socket: &mut Socket<'_>, now: Instant) {
        let Some(leave_by) = self.leave_by else {
            return;
        };
        if has_ended(socket) {
            self.leave_by = None;
        } else if now >= leave_by {
            socket.abort();
            self.leave_by = None;
        }
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.leave_by.is_some()
    }

    pub(super) fn deadline(&self, now: Instant) -> Instant {
        let leave_by = self.leave_by.unwrap_or(Instant::NEVER);
        leave_by.min(self.lookup.deadline(now))
    }
}

/// Whether nothing is left to be said to the peer.
fn has_ended(socket: &Socket<'_>) -> bool {
    match socket.state() {
        // A reset that is still to be sent has an endpoint to go to.
        State::Closed => socket.remote_endpoint().is_none(),
        State::TimeWait => true,
        _ => false,
    }
}
