//! Carrying bytes between an open connection and its session.

use embedded_nal::nb;

use super::Network;
use super::fault::{Fault, FaultOf};
use super::protocol::Protocol;
use crate::time::Instant;

/// Rounds of reading and writing in one turn, so that one busy link does not keep the others waiting.
const ROUNDS: usize = 8;

/// Reads and writes until neither goes on, or the turn is over; when to come back.
pub(super) fn exchange<N: Network, P: Protocol>(
    now: Instant,
    net: &mut N,
    socket: &mut N::TcpSocket,
    protocol: &mut P,
) -> Result<Instant, FaultOf<N, P>> {
    for _ in 0..ROUNDS {
        // What has arrived counts before what is overdue: the caller may be late.
        let received = receive(now, net, socket, protocol)?;
        protocol.expire(now).map_err(Fault::Protocol)?;
        let sent = send(now, net, socket, protocol)?;
        if !(received || sent) {
            return Ok(protocol.deadline());
        }
    }
    Ok(now)
}

/// One read; whether it brought anything.
pub(super) fn receive<N: Network, P: Protocol>(
    now: Instant,
    net: &mut N,
    socket: &mut N::TcpSocket,
    protocol: &mut P,
) -> Result<bool, FaultOf<N, P>> {
    let room = protocol.input();
    if room.is_empty() {
        return Ok(false);
    }
    match net.receive(socket, room) {
        Ok(0) | Err(nb::Error::WouldBlock) => Ok(false),
        Ok(count) => protocol
            .received(count, now)
            .map(|()| true)
            .map_err(Fault::Protocol),
        Err(nb::Error::Other(error)) => Err(Fault::Socket(error)),
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
            Err(nb::Error::Other(error)) => return Err(Fault::Socket(error)),
        }
    }
}
