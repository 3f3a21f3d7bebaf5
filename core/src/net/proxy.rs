//! How does a connection get through an HTTP proxy? By CONNECT, below TLS and the protocol (RFC 9110, 9.3.6): the proxy is told the peer's name and port,
//! says whether it is connected there, and from then on passes on whatever comes.
//!
//! What is asked is in `request`, what the answer means in `answer`; this file has the steps between, which hold neither the question nor the answer as a
//! whole: the one is made in pieces as the network takes them, the other is read byte by byte. That keeps it small, and nothing that comes behind the
//! answer is ever read here: it is the peer's.

mod answer;
mod request;

use embedded_nal::{TcpError, TcpErrorKind, nb};

use super::Network;
use super::fault::{Obstacle, ObstacleOf, ReasonText};
use super::link::Target;
use crate::log::Words;
use crate::secret::{Login, Secrets};
pub use answer::{Answer, MAX_ANSWER, Refusal};
pub use request::Request;

/// An HTTP proxy. It looks up the name of the peer; its own is looked up here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proxy<'a> {
    /// Address or domain name, without the brackets of an IPv6 address.
    host: &'a str,
    port: u16,
    login: Option<Login<'a>>,
}

impl<'a> Proxy<'a> {
    #[must_use]
    pub fn new(host: &'a str, port: u16, login: Option<Login<'a>>) -> Self {
        Proxy { host, port, login }
    }

    #[must_use]
    pub fn host(&self) -> &'a str {
        self.host
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    #[must_use]
    pub fn login(&self) -> Option<Login<'a>> {
        self.login
    }
}

/// The way through a proxy, as far as it has come.
#[derive(Default)]
pub(super) struct Tunnel {
    /// Bytes of the request.
    written: usize,
    answer: Answer,
}

/// Bytes of the request that are made at once: mostly all.
const PIECE: usize = 512;

impl Tunnel {
    pub fn through(_: &Proxy<'_>) -> Self {
        Self::default()
    }

    /// Asks, and hears the answer, until the network would wait; whether the connection is one with the peer now.
    pub fn advance<N: Network>(
        &mut self,
        net: &mut N,
        socket: &mut N::TcpSocket,
        target: Target<'_>,
    ) -> Result<bool, ObstacleOf<N>> {
        let login = target.proxy.and_then(Proxy::login);
        let request = Request {
            host: target.host,
            port: target.port,
            login,
        };
        loop {
            let mut piece = [0; PIECE];
            let piece = request.piece(self.written, &mut piece);
            if piece.is_empty() {
                break;
            }
            match net.send(socket, piece) {
                Ok(count @ 1..) => self.written += count,
                Ok(_) | Err(nb::Error::WouldBlock) => return Ok(false),
                // A proxy that closes has perhaps said why.
                Err(nb::Error::Other(_)) => break,
            }
        }
        loop {
            let mut byte = [0];
            let heard = match net.receive(socket, &mut byte) {
                Ok(1..) => {
                    let [byte] = byte;
                    self.answer.take(byte)
                }
                Ok(_) | Err(nb::Error::WouldBlock) => {
                    self.answer.paused().map_err(Obstacle::Proxy)?;
                    return Ok(false);
                }
                Err(nb::Error::Other(error)) if error.kind() == TcpErrorKind::PipeClosed => {
                    Err(self.answer.paused().err().unwrap_or(Refusal::Closed))
                }
                Err(nb::Error::Other(error)) => return Err(Obstacle::Socket(error)),
            };
            match heard {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                // tinyproxy answers a wrong login with 401.
                Err(Refusal::Status(401 | 407)) => {
                    let given = login.is_some();
                    return Err(Obstacle::Proxy(Refusal::Login { given }));
                }
                Err(refusal) => return Err(Obstacle::Proxy(refusal)),
            }
        }
    }

    /// Adds the proxy's own words, if there are any, without these secrets.
    pub fn said(&self, secrets: Secrets<'_>, text: &mut ReasonText) {
        let line = self.answer.status_line();
        if !line.is_empty() {
            text.add(format_args!(": \"{}\"", Words(line, secrets)));
        }
    }
}
