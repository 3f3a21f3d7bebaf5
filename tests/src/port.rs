//! How a server gets a TCP port that nobody else takes, not even while the server is down.

use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::os::fd::OwnedFd;

use rustix::net::sockopt::set_socket_reuseaddr;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, socket_with};

/// A loopback port that belongs to us until this is dropped.
///
/// It is a socket that is bound and does not listen. Linux gives such a port neither to another `bind` to port 0 nor to an
/// outgoing connection, refuses connections to it, and lets a server that sets `SO_REUSEADDR` (they all do) listen on it.
/// Asking for a free port and closing it again would leave a gap, and tests that run in parallel find such gaps.
pub struct Reserved {
    number: u16,
    _socket: OwnedFd,
}

impl Reserved {
    /// Takes a free port.
    ///
    /// # Panics
    ///
    /// If the system has none.
    #[must_use]
    pub fn new() -> Self {
        // Ours alone: what tests start would hold it too.
        let flags = SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None);
        let socket = socket.expect("a socket");
        let any = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);
        bind(&socket, &any).expect("a free port");
        // Only now: with it set before, `bind` could hand out the same port twice.
        set_socket_reuseaddr(&socket, true).expect("SO_REUSEADDR");
        let address: SocketAddrV4 = getsockname(&socket)
            .expect("the address of the socket")
            .try_into()
            .expect("an IPv4 address");
        Self {
            number: address.port(),
            _socket: socket,
        }
    }

    /// The port's number.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.number
    }

    /// Listens on the port.
    ///
    /// # Panics
    ///
    /// If something listens there already.
    #[must_use]
    pub fn listen(&self) -> TcpListener {
        TcpListener::bind((Ipv4Addr::LOCALHOST, self.number)).expect("listen on the reserved port")
    }
}

impl Default for Reserved {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn a_reserved_port_refuses_connections_until_something_listens_and_again_afterwards() {
        let port = Reserved::new();
        let connect = || TcpStream::connect((Ipv4Addr::LOCALHOST, port.number()));
        for _ in 0..3 {
            assert_eq!(connect().unwrap_err().kind(), ErrorKind::ConnectionRefused);
            let listener = port.listen();
            drop(connect().expect("somebody listens now"));
            drop(listener);
        }
    }

    #[test]
    fn a_reserved_port_is_given_to_nobody_else() {
        let mut ports: Vec<_> = (0..200).map(|_| Reserved::new()).collect();
        ports.sort_by_key(Reserved::number);
        ports.dedup_by_key(|port| port.number());
        assert_eq!(ports.len(), 200);
    }
}
