//! What went wrong on a link, in words for a log line.

use std::{fmt, io};

use embedded_nal::{TcpError, TcpErrorKind};
use mqtt_client_core::net::NetworkError;

#[cfg(feature = "tls")]
use crate::tls::Fault;

/// What ended a connection or kept it from being made. To name the link is the caller's part.
#[derive(Debug)]
pub enum Error {
    /// The peer ended the connection in good order.
    Closed,
    /// The system's word: refused, reset, unreachable.
    Io(io::Error),
    /// The name has no address, or none can be found out now.
    Unresolved(io::Error),
    /// What TLS does not allow.
    #[cfg(feature = "tls")]
    Tls(Fault),
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Error::Io(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Closed => f.write_str("closed by the peer"),
            Error::Io(error) => error.fmt(f),
            Error::Unresolved(error) => {
                let reason = error.to_string();
                // The standard library's own introduction says less than ours.
                let reason = reason
                    .strip_prefix("failed to lookup address information: ")
                    .unwrap_or(&reason);
                write!(f, "name does not resolve: {reason}")
            }
            #[cfg(feature = "tls")]
            Error::Tls(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

impl NetworkError for Error {
    #[cfg(feature = "tls")]
    fn is_permanent(&self) -> bool {
        matches!(self, Error::Tls(fault) if fault.is_permanent())
    }
}

impl TcpError for Error {
    /// `PipeClosed` where the peer has ended the connection, in good order or by a reset.
    fn kind(&self) -> TcpErrorKind {
        use io::ErrorKind::{BrokenPipe, ConnectionReset};
        match self {
            Error::Closed => TcpErrorKind::PipeClosed,
            Error::Io(error) if matches!(error.kind(), BrokenPipe | ConnectionReset) => {
                TcpErrorKind::PipeClosed
            }
            Error::Io(_) | Error::Unresolved(_) => TcpErrorKind::Other,
            // An alert is more than a closed connection: it says why.
            #[cfg(feature = "tls")]
            Error::Tls(_) => TcpErrorKind::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn every_error_has_its_words_and_its_kind() {
        let lookup = "failed to lookup address information: Try again";
        let cases = [
            (
                Error::Closed,
                "closed by the peer",
                TcpErrorKind::PipeClosed,
            ),
            (
                Error::Io(Errno::CONNRESET.into()),
                "Connection reset by peer",
                TcpErrorKind::PipeClosed,
            ),
            (
                Error::Io(Errno::PIPE.into()),
                "Broken pipe",
                TcpErrorKind::PipeClosed,
            ),
            (
                Error::Io(Errno::CONNREFUSED.into()),
                "Connection refused",
                TcpErrorKind::Other,
            ),
            (
                Error::Unresolved(io::Error::other(lookup)),
                "name does not resolve: Try again",
                TcpErrorKind::Other,
            ),
        ];
        for (error, words, kind) in cases {
            // The number that the system adds differs between processors.
            assert!(error.to_string().starts_with(words), "{error}");
            assert_eq!(error.kind(), kind, "{error}");
        }
    }
}
