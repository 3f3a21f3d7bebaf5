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
#[cfg(feature = "proxy")]
pub mod proxy;
#[cfg(not(feature = "proxy"))]
#[path = "no_proxy.rs"]
pub mod proxy;
pub mod turns;

use core::fmt::Display;

use embedded_nal::{Dns, TcpClientStack, nb};

/// What a link needs: `embedded-nal`'s TCP client and name look-up, with errors that can be told to a person.
///
/// The rules of `embedded-nal` that matter here: `receive` gives [`TcpErrorKind::PipeClosed`](embedded_nal::TcpErrorKind)
/// when the peer has closed, never `Ok(0)`; `connect` and `get_host_by_name` are called again until they no longer say
/// `WouldBlock`.
///
/// One rule is added: a `receive` that gives fewer bytes than it has room for has given all that there is for now. No other follows it until
/// the network has something again: on a gateway a read that finds nothing is a fifth of the cost of a sample.
///
/// And TLS is a step of its own, since a proxy comes before it: `connect`, then what is said to a proxy with `send` and `receive`, then
/// [`secure`](Network::secure).
pub trait Network: TcpClientStack<Error: NetworkError> + Dns<Error: NetworkError> {
    /// Puts TLS on the connection that `connect` has made, if there is to be any; called again until it no longer says `WouldBlock`. From then
    /// on `send` and `receive` are of what is inside.
    fn secure(
        &mut self,
        _: &mut Self::TcpSocket,
    ) -> nb::Result<(), <Self as TcpClientStack>::Error> {
        Ok(())
    }
}

/// An error of a port's network.
pub trait NetworkError: Display {
    /// Whether only a change of the configuration can help: a bad certificate, say.
    fn is_permanent(&self) -> bool {
        false
    }
}
