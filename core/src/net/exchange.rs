//! Carrying bytes between an open connection and its session.

use embedded_nal::nb;

use super::Network;
use super::fault::{Fault, FaultOf, Obstacle};
use super::protocol::Protocol;
use crate::time::Instant;

/// What one read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Received {
    /// All that there was, or nothing.
    All,
    /// As much as there was room for: there may be more.
    Full,
    /// There was no room: output comes first.
    NoRoom,
}

/// Reads once, and writes until the network or the session has enough; when to come back: `now` if there may be more to read.
///
/// A read that brings less than there is room for has brought all, see [`Network`]: none follows it that would find nothing.
pub(super) fn exchange<N: Network, P: Protocol>(
    now: Instant,
    net: &mut N,
    socket: &mut N::TcpSocket,
    protocol: &mut P,
) -> Result<Instant, FaultOf<N, P>> {
    // What has arrived counts before what is overdue: the caller may be late.
    let received = receive(now, net, socket, protocol)?;
    protocol.expire(now).map_err(Fault::Protocol)?;
    let wrote = send(now, net, socket, protocol)?;
    let is_more = match received {
        Received::All => false,
        Received::Full => true,
        Received::NoRoom => wrote,
    };
    Ok(if is_more { now } else { protocol.deadline() })
}

/// One read.
pub(super) fn receive<N: Network, P: Protocol>(
    now: Instant,
    net: &mut N,
    socket: &mut N::TcpSocket,
    protocol: &mut P,
) -> Result<Received, FaultOf<N, P>> {
    let room = protocol.input();
    let len = room.len();
    if len == 0 {
        return Ok(Received::NoRoom);
    }
    match net.receive(socket, room) {
        Ok(0) | Err(nb::Error::WouldBlock) => Ok(Received::All),
        Ok(count) => {
            protocol.received(count, now).map_err(Fault::Protocol)?;
            Ok(if count < len {
                Received::All
            } else {
                Received::Full
            })
        }
        Err(nb::Error::Other(error)) => Err(Obstacle::Socket(error).into()),
    }
}

/// Writes all of the output, or what the network takes; whether it took anything.
pub(super) fn send<N: Network, P: Protocol>(
    now: Instant,
    net: &mut N,
    socket: &mut N::TcpSocket,
    protocol: &mut P,
) -> Result<bool, FaultOf<N, P>> {
    let mut wrote = false;
    loop {
        let bytes = protocol.output(now).map_err(Fault::Protocol)?;
        if bytes.is_empty() {
            return Ok(wrote);
        }
        match net.send(socket, bytes) {
            Ok(0) | Err(nb::Error::WouldBlock) => return Ok(wrote),
            Ok(count) => {
                protocol.sent(count, now);
                wrote = true;
            }
            Err(nb::Error::Other(error)) => return Err(Obstacle::Socket(error).into()),
        }
    }
}
