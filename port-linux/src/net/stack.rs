//! How does the core reach the peer of one link? `embedded_nal`'s stack over sockets of the system.

use std::cell::Cell;
use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use embedded_nal::{AddrType, Dns, TcpClientStack, nb};
use mqtt_client_core::net::Network;
use rustix::io::Errno;
use rustix::net::{SocketAddrAny, SocketAddrUnix};

use super::Error;
use super::resolver::Resolver;
use super::stream::{Progress, Readiness, Stream};
use crate::poller::{Event, Poller};
#[cfg(feature = "tls")]
use crate::tls::{Fault, Handshakes, Identity, Session};

/// What carries a link's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    Tcp,
    /// A Unix socket at this path. The address given to `connect` is not used then, and every name has the loopback
    /// address, at once.
    Unix(PathBuf),
    /// TCP, and TLS on it.
    #[cfg(feature = "tls")]
    Tls(Identity),
}

/// So many connections in a row that the peer closed at our greeting, and it does not speak TLS.
#[cfg(feature = "tls")]
const SILENT_BEFORE_BLAME: u32 = 2;

/// The network of one link: Redis, or one broker. It holds one connection at a time.
pub struct Stack {
    poller: Arc<Poller>,
    key: u32,
    transport: Transport,
    resolver: Resolver,
    /// Shared with the connection, while there is one.
    readiness: Rc<Readiness>,
    /// See [`Stack::has_more`].
    has_more: Cell<bool>,
    /// Since when there is one, its TLS handshake done.
    established_at: Option<Instant>,
    #[cfg(feature = "tls")]
    handshakes: Handshakes,
    /// Connections in a row that the peer closed without having sent a byte.
    #[cfg(feature = "tls")]
    silent: u32,
}

/// A connection, or what may become one.
#[derive(Debug)]
pub enum Socket {
    /// Not connected. There is no descriptor yet: the address decides of which family it is.
    Idle,
    Connecting(Stream),
    Connected(Stream),
    /// With TLS on the stream: its handshake, and what comes after it.
    #[cfg(feature = "tls")]
    Secured(Box<Session>),
}

impl Stack {
    /// `key` is the poller's key for this link's events, and no other's.
    pub fn new(poller: Arc<Poller>, key: u32, transport: Transport) -> Stack {
        Stack {
            resolver: Resolver::new(poller.clone()),
            poller,
            key,
            transport,
            readiness: Rc::default(),
            has_more: Cell::new(false),
            established_at: None,
            #[cfg(feature = "tls")]
            handshakes: Handshakes::default(),
            #[cfg(feature = "tls")]
            silent: 0,
        }
    }

    /// What carries the link's bytes.
    pub fn transport(&self) -> &Transport {
        &self.transport
    }

    /// Takes an event of the poller; those of other links pass by.
    pub fn ready(&self, event: Event) {
        if event.key == self.key {
            self.readiness.add(event);
        }
    }

    /// Whether the last input did not fill its buffer, and yet more may follow without an event: the end that was told of together with the data, or
    /// a TLS record of which the stream holds more. The link is then to be driven once more at once; it is told once.
    #[must_use]
    pub fn has_more(&self) -> bool {
        self.has_more.replace(false)
    }

    fn open(&mut self, address: &SocketAddrAny) -> io::Result<(Stream, Progress)> {
        if Rc::strong_count(&self.readiness) > 1 {
            return Err(io::Error::other("the link has a connection already"));
        }
        let (stream, progress) = Stream::open(self.poller.clone(), self.key, address)?;
        self.readiness = stream.readiness().clone();
        self.has_more.set(false);
        self.established_at = None;
        Ok((stream, progress))
    }

    /// Goes on with the handshake.
    #[cfg(feature = "tls")]
    fn shake_hands(
        &mut self,
        socket: &mut Socket,
        mut session: Box<Session>,
    ) -> nb::Result<(), Error> {
        match session.handshake() {
            Ok(()) => {
                self.silent = 0;
                self.established_at.get_or_insert_with(Instant::now);
                if let Transport::Tls(identity) = &self.transport {
                    let handshake = session.describe(&mut self.handshakes);
                    log::info!("{}: {handshake}", identity.device());
                }
                *socket = Socket::Secured(session);
                Ok(())
            }
            Err(nb::Error::WouldBlock) => {
                *socket = Socket::Secured(session);
                Err(nb::Error::WouldBlock)
            }
            Err(nb::Error::Other(error)) => {
                let silent = !session.has_heard() && is_hang_up(&error);
                self.silent = if silent { self.silent + 1 } else { 0 };
                Err(nb::Error::Other(if self.silent >= SILENT_BEFORE_BLAME {
                    Error::Tls(Fault::Silent)
                } else {
                    error
                }))
            }
        }
    }
}

/// Whether the peer has closed the connection, in good order or not.
#[cfg(feature = "tls")]
fn is_hang_up(error: &Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset};
    match error {
        Error::Tls(Fault::Cut) => true,
        Error::Io(error) => matches!(error.kind(), BrokenPipe | ConnectionReset),
        _ => false,
    }
}

impl TcpClientStack for Stack {
    type TcpSocket = Socket;
    type Error = Error;

    fn socket(&mut self) -> Result<Socket, Error> {
        Ok(Socket::Idle)
    }

    /// Begins to connect, or tells how far that has come. There is no time limit but the system's (minutes): the caller gives up by closing the
    /// socket. After an error the socket can be used for another attempt.
    fn connect(&mut self, socket: &mut Socket, remote: SocketAddr) -> nb::Result<(), Error> {
        let address = match &self.transport {
            Transport::Tcp => remote.into(),
            #[cfg(feature = "tls")]
            Transport::Tls(_) => remote.into(),
            Transport::Unix(path) => SocketAddrUnix::new(path).map_err(io_error)?.into(),
        };
        let (stream, progress) = match mem::replace(socket, Socket::Idle) {
            Socket::Idle => {
                // Not to disturb the broker for nothing.
                #[cfg(feature = "tls")]
                if let Transport::Tls(identity) = &self.transport {
                    identity.is_ready().map_err(Error::Tls)?;
                }
                self.open(&address).map_err(Error::Io)?
            }
            Socket::Connecting(stream) => {
                let progress = stream.progress(&address).map_err(io_error)?;
                (stream, progress)
            }
            Socket::Connected(stream) => (stream, Progress::Connected),
            #[cfg(feature = "tls")]
            Socket::Secured(session) => {
                *socket = Socket::Secured(session);
                return Ok(());
            }
        };
        match progress {
            Progress::Connected => {
                *socket = Socket::Connected(stream);
                Ok(())
            }
            Progress::Pending => {
                *socket = Socket::Connecting(stream);
                Err(nb::Error::WouldBlock)
            }
        }
    }

    fn send(&mut self, socket: &mut Socket, buffer: &[u8]) -> nb::Result<usize, Error> {
        match socket {
            Socket::Connected(stream) => stream.send(buffer).map_err(of_stream),
            #[cfg(feature = "tls")]
            Socket::Secured(session) => session.send(buffer),
            Socket::Idle | Socket::Connecting(_) => Err(not_connected()),
        }
    }

    /// The peer's end of the connection is [`Error::Closed`]; `Ok(0)` is for an empty buffer only.
    fn receive(&mut self, socket: &mut Socket, buffer: &mut [u8]) -> nb::Result<usize, Error> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let (length, is_readable) = match socket {
            Socket::Connected(stream) => match stream.receive(buffer) {
                Ok(0) => return Err(Error::Closed.into()),
                Ok(length) => (length, stream.is_readable()),
                Err(error) => return Err(of_stream(error)),
            },
            #[cfg(feature = "tls")]
            Socket::Secured(session) => (session.receive(buffer)?, session.is_readable()),
            Socket::Idle | Socket::Connecting(_) => return Err(not_connected()),
        };
        self.has_more.set(is_readable && length < buffer.len());
        Ok(length)
    }

    /// What was sent still arrives, though input is unread. To drop the socket is ruder: the peer may be reset, and lose what it has not read;
    /// and the look-up of a name does not learn whether the address served.
    fn close(&mut self, socket: Socket) -> Result<(), Error> {
        if let Some(since) = self.established_at.take() {
            self.resolver.held(since.elapsed());
        }
        match socket {
            Socket::Connected(stream) => stream.finish(),
            #[cfg(feature = "tls")]
            Socket::Secured(session) => session.close(),
            Socket::Idle | Socket::Connecting(_) => {}
        }
        Ok(())
    }
}

impl Network for Stack {
    /// Begins with TLS, if the transport is to have it, or tells how far the handshake has come.
    fn secure(&mut self, socket: &mut Socket) -> nb::Result<(), Error> {
        #[cfg(feature = "tls")]
        if let Transport::Tls(identity) = &self.transport {
            let session = match mem::replace(socket, Socket::Idle) {
                Socket::Secured(session) => session,
                Socket::Connected(stream) => {
                    let session = Session::new(identity, stream).map_err(Error::Tls)?;
                    Box::new(session)
                }
                Socket::Idle | Socket::Connecting(_) => return Err(not_connected()),
            };
            return self.shake_hands(socket, session);
        }
        if !matches!(socket, Socket::Connected(_)) {
            return Err(not_connected());
        }
        self.established_at.get_or_insert_with(Instant::now);
        Ok(())
    }
}

impl Dns for Stack {
    type Error = Error;

    /// Would block until the look-up has ended, which wakes the poller. The addresses of a name take turns, until one serves.
    fn get_host_by_name(&mut self, name: &str, family: AddrType) -> nb::Result<IpAddr, Error> {
        match self.transport {
            Transport::Unix(_) => Ok(Ipv4Addr::LOCALHOST.into()),
            _ => self.resolver.address(name, &family, Instant::now()),
        }
    }

    /// Nothing here needs names of addresses.
    fn get_host_by_address(&mut self, _: IpAddr, _: &mut [u8]) -> nb::Result<usize, Error> {
        Err(io_error(io::ErrorKind::Unsupported))
    }
}

fn not_connected() -> nb::Error<Error> {
    Error::Io(io::ErrorKind::NotConnected.into()).into()
}

fn io_error(error: impl Into<io::Error>) -> nb::Error<Error> {
    Error::Io(error.into()).into()
}

fn of_stream(error: nb::Error<Errno>) -> nb::Error<Error> {
    error.map(|error| Error::Io(error.into()))
}

#[cfg(test)]
mod tests;
