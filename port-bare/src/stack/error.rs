//! What went wrong with a connection or a name, in words for a log line.

use core::fmt::{self, Display, Formatter};

use embedded_nal::{TcpError, TcpErrorKind};
use mqtt_client_core::net::NetworkError;

/// Why there is no connection (any more), or no address for a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// The peer ended the connection in good order.
    Closed,
    /// The peer ended the connection by a reset.
    Reset,
    /// The peer answered a request for a connection with a reset.
    Refused,
    /// The address that the connection had, or would have, is not this board's (any more).
    AddressLost,
    /// An IPv6 address, or a request for one.
    NotIpv4,
    /// 0.0.0.0, or port 0.
    NoHost,
    /// The DNS server knows no IPv4 address for the name.
    UnknownName,
    /// No DNS server has answered.
    NoAnswer,
    /// Neither DHCP nor the board has named a DNS server.
    NoDnsServer,
    /// A name that DNS cannot ask for: empty labels, labels over 63 bytes.
    BadName,
    /// This client has a socket already.
    InUse,
    NotConnected,
    /// Names of addresses are not looked up.
    Unsupported,
}

impl Display for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::Closed => "closed by the peer",
            Error::Reset => "reset by the peer",
            Error::Refused => "connection refused",
            Error::AddressLost => "this board's address is gone",
            Error::NotIpv4 => "not an IPv4 address",
            Error::NoHost => "not the address of a host",
            Error::UnknownName => "name does not resolve: it has no IPv4 address",
            Error::NoAnswer => "name does not resolve: no DNS server answers",
            Error::NoDnsServer => "name does not resolve: no DNS server is known",
            Error::BadName => "name does not resolve: it is not a domain name",
            Error::InUse => "the link has a connection already",
            Error::NotConnected => "not connected",
            Error::Unsupported => "not supported",
        })
    }
}

impl core::error::Error for Error {}

impl TcpError for Error {
    fn kind(&self) -> TcpErrorKind {
        match self {
            Error::Closed | Error::Reset => TcpErrorKind::PipeClosed,
            _ => TcpErrorKind::Other,
        }
    }
}

impl NetworkError for Error {
    fn is_permanent(&self) -> bool {
        matches!(self, Error::NotIpv4 | Error::BadName)
    }
}
