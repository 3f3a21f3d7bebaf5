//! How does the core reach the peer of one link? `embedded_nal`'s stack over sockets of the system.

use std::io::{self, Read, Write};
use std::mem;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Instant;

use embedded_nal::{AddrType, Dns, TcpClientStack, nb};
use rustix::net::{SocketAddrAny, SocketAddrUnix};

use super::Error;
use super::resolver::Resolver;
use super::stream::{Progress, Readiness, Stream};
use crate::poller::{Event, Poller};

/// What carries a link's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    Tcp,
    /// A Unix socket at this path. The address given to `connect` is not used then, and every name has the loopback
    /// address, at once.
    Unix(PathBuf),
}

/// The network of one link: Redis, or one broker. It holds one connection at a time.
pub struct Stack {
    poller: Arc<Poller>,
    key: u32,
    transport: Transport,
    resolver: Resolver,
    /// Of the connection, while there is one.
    readiness: Weak<Readiness>,
}

/// A connection, or what may become one.
///
/// What comes between the bytes and the peer, TLS, is one more state, with a [`Stream`] inside: it reads and writes
/// that by `std::io`.
#[derive(Debug)]
pub enum Socket {
    /// Not connected. There is no descriptor yet: the address decides of which family it is.
    Idle,
    Connecting(Stream),
    Connected(Stream),
}

impl Stack {
    /// `key` is the poller's key for this link's events, and no other's.
    pub fn new(poller: Arc<Poller>, key: u32, transport: Transport) -> Stack {
        Stack {
            resolver: Resolver::new(poller.clone()),
            poller,
            key,
            transport,
            readiness: Weak::new(),
        }
    }

    /// Takes an event of the poller; those of other links pass by.
    pub fn ready(&self, event: Event) {
        if event.key == self.key
            && let Some(readiness) = self.readiness.upgrade()
        {
            readiness.add(event);
        }
    }

    fn open(&mut self, address: &SocketAddrAny) -> io::Result<(Stream, Progress)> {
        if self.readiness.strong_count() > 0 {
            return Err(io::Error::other("the link has a connection already"));
        }
        let (stream, progress) = Stream::open(self.poller.clone(), self.key, address)?;
        self.readiness = Rc::downgrade(stream.readiness());
        Ok((stream, progress))
    }
}

impl TcpClientStack for Stack {
    type TcpSocket = Socket;
    type Error = Error;

    fn socket(&mut self) -> Result<Socket, Error> {
        Ok(Socket::Idle)
    }

    /// Begins to connect, or tells how far that has come. There is no time limit but the system's (minutes): the
    /// caller gives up by closing the socket. After an error the socket can be used for another attempt.
    fn connect(&mut self, socket: &mut Socket, remote: SocketAddr) -> nb::Result<(), Error> {
        let address = match &self.transport {
            Transport::Tcp => remote.into(),
            Transport::Unix(path) => SocketAddrUnix::new(path).map_err(io_error)?.into(),
        };
        let (stream, progress) = match mem::replace(socket, Socket::Idle) {
            Socket::Idle => self.open(&address).map_err(Error::Io)?,
            Socket::Connecting(stream) => {
                let progress = stream.progress(&address).map_err(Error::Io)?;
                (stream, progress)
            }
            Socket::Connected(stream) => (stream, Progress::Connected),
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
        socket.connected()?.write(buffer).map_err(io_error)
    }

    /// The peer's end of the connection is [`Error::Closed`]; `Ok(0)` is for an empty buffer only.
    fn receive(&mut self, socket: &mut Socket, buffer: &mut [u8]) -> nb::Result<usize, Error> {
        let stream = socket.connected()?;
        if buffer.is_empty() {
            return Ok(0);
        }
        match stream.read(buffer) {
            Ok(0) => Err(Error::Closed.into()),
            Ok(length) => Ok(length),
            Err(error) => Err(io_error(error)),
        }
    }

    /// To drop the socket does the same.
    fn close(&mut self, socket: Socket) -> Result<(), Error> {
        drop(socket);
        Ok(())
    }
}

impl Dns for Stack {
    type Error = Error;

    /// Would block until the look-up has ended, which wakes the poller. The addresses of a name take turns, one for
    /// each answer.
    fn get_host_by_name(&mut self, name: &str, family: AddrType) -> nb::Result<IpAddr, Error> {
        match self.transport {
            Transport::Tcp => self.resolver.address(name, &family, Instant::now()),
            Transport::Unix(_) => Ok(Ipv4Addr::LOCALHOST.into()),
        }
    }

    /// Nothing here needs names of addresses.
    fn get_host_by_address(&mut self, _: IpAddr, _: &mut [u8]) -> nb::Result<usize, Error> {
        Err(io_error(io::ErrorKind::Unsupported))
    }
}

impl Socket {
    fn connected(&mut self) -> Result<&mut Stream, Error> {
        match self {
            Socket::Connected(stream) => Ok(stream),
            Socket::Idle | Socket::Connecting(_) => {
                Err(Error::Io(io::ErrorKind::NotConnected.into()))
            }
        }
    }
}

fn io_error(error: impl Into<io::Error>) -> nb::Error<Error> {
    let error = error.into();
    match error.kind() {
        io::ErrorKind::WouldBlock => nb::Error::WouldBlock,
        _ => Error::Io(error).into(),
    }
}

#[cfg(test)]
mod tests;
