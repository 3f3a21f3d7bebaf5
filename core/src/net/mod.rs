//! The border: links between the sessions and the network of a port, over `embedded-nal`.
//!
//! A port supplies a [`Network`] for each link: on Linux one that makes TCP, TLS or Unix sockets, on a board a handle to
//! its one TCP/IP stack. Nothing here blocks, and nothing here knows a protocol.

mod address;
pub mod backoff;
mod exchange;
mod fault;
pub mod link;
pub mod protocol;
pub mod turns;

use core::fmt::Display;

use embedded_nal::{Dns, TcpClientStack};

/// What a link needs: `embedded-nal`'s TCP client and name look-up, with errors that can be told to a person.
///
/// The rules of `embedded-nal` that matter here: `receive` gives [`TcpErrorKind::PipeClosed`](embedded_nal::TcpErrorKind)
/// when the peer has closed, never `Ok(0)`; `connect` and `get_host_by_name` are called again until they no longer say
/// `WouldBlock`.
///
/// One rule is added: a `receive` that gives fewer bytes than it has room for has given all that there is for now. No other follows it until
/// the network has something again: on a gateway a read that finds nothing is a fifth of the cost of a sample.
pub trait Network: TcpClientStack<Error: NetworkError> + Dns<Error: NetworkError> {}

impl<N: TcpClientStack<Error: NetworkError> + Dns<Error: NetworkError>> Network for N {}

/// An error of a port's network.
pub trait NetworkError: Display {
    /// Whether only a change of the configuration can help: a bad certificate, say.
    fn is_permanent(&self) -> bool {
        false
    }
}
