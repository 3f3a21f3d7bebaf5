//! One non-blocking stream socket: what may be done with it without waiting?
//!
//! The socket is registered with the poller once, for edges: an event says that something has changed, and only
//! once. [`Readiness`] keeps what the events said until the socket itself says the contrary, and until then no
//! system call is made that could only say EAGAIN.
//!
//! - EAGAIN ends readiness in either direction; the kernel promises an event for what comes later.
//! - A short write ends `writable` too: it means that the buffer is full, and that is followed by an event.
//! - A short read ends `readable` too, unless the peer's end has been told: the end may stand behind the data, and if
//!   it came before the last event, there is none to come.

use std::cell::Cell;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;

use embedded_nal::nb;
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, Shutdown, SocketAddrAny, SocketFlags, SocketType, connect,
    recv, send, shutdown, socket_with, sockopt,
};

use crate::poller::{Event, Interest, Poller};

/// Bytes of input that [`Stream::finish`] throws away at most: a broker's acknowledgements of 65,535 messages. Whoever sends more than that
/// to somebody who leaves is reset.
const MOST_UNREAD: usize = 64 * UNREAD;
const UNREAD: usize = 4 * 1024;

/// What the poller has said about a socket and the socket has not yet denied.
#[derive(Debug, Default)]
pub struct Readiness {
    readable: Cell<bool>,
    writable: Cell<bool>,
    /// The end, or an error, is to be read after the data.
    ended: Cell<bool>,
}

impl Readiness {
    /// Adds what an event says. An event that was meant for an earlier socket does no harm: it costs a system call
    /// that says EAGAIN.
    pub fn add(&self, event: Event) {
        self.readable.set(self.readable.get() | event.readable);
        self.writable.set(self.writable.get() | event.writable);
        self.ended.set(self.ended.get() | event.ended);
    }
}

/// A stream socket, connected or about to be. Dropped, it leaves the poller and is closed.
#[derive(Debug)]
pub struct Stream {
    descriptor: OwnedFd,
    poller: Arc<Poller>,
    readiness: Rc<Readiness>,
}

/// How far a connection has come.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    Connected,
    /// An event will tell.
    Pending,
}

impl Stream {
    /// Makes a socket and begins to connect it. Its events will have `key`.
    ///
    /// # Errors
    /// connect(2)'s, if it fails at once. A Unix socket whose server is behind with accepting fails too
    /// (EAGAIN): no event would tell of its recovery.
    pub fn open(
        poller: Arc<Poller>,
        key: u32,
        address: &SocketAddrAny,
    ) -> io::Result<(Stream, Progress)> {
        let family = address.address_family();
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let descriptor = socket_with(family, SocketType::STREAM, flags, None)?;
        if family != AddressFamily::UNIX {
            // A message is written whole; to wait for more to fill a segment would only delay it.
            sockopt::set_tcp_nodelay(&descriptor, true)?;
        }
        let readiness = Rc::new(Readiness::default());
        // Registered after connect(2): an unconnected socket is reported as hung up. No change in between is lost,
        // since to register is also to be told the present state.
        let progress = advance(&descriptor, &readiness, address)?;
        poller.add(&descriptor, key, Interest::ReadAndWrite)?;
        let stream = Stream {
            descriptor,
            poller,
            readiness,
        };
        Ok((stream, progress))
    }

    /// Where the poller's events for this socket go.
    pub fn readiness(&self) -> &Rc<Readiness> {
        &self.readiness
    }

    #[cfg(test)]
    pub fn descriptor(&self) -> &OwnedFd {
        &self.descriptor
    }

    /// Whether there may be input: a read would ask the socket.
    pub fn is_readable(&self) -> bool {
        self.readiness.readable.get()
    }

    /// The next read asks the socket, whatever the events have said so far: what a peer sent before it closed may be here already,
    /// and its event still on the way.
    #[cfg(feature = "tls")]
    pub fn look_for_input(&self) {
        self.readiness.readable.set(true);
    }

    /// How far the connection has come since [`Stream::open`]; without a system call, if no event has told.
    ///
    /// `address` is the same as before. (The kernel remembers its own, and looks at this one's form only.)
    pub fn progress(&self, address: &SocketAddrAny) -> io::Result<Progress> {
        if !self.readiness.writable.get() {
            return Ok(Progress::Pending);
        }
        advance(&self.descriptor, &self.readiness, address)
    }

    /// Reads once what has come. `Ok(0)` is the peer's end of the connection, and stays so.
    pub fn receive(&mut self, buffer: &mut [u8]) -> nb::Result<usize, Errno> {
        if !self.readiness.readable.get() {
            return Err(nb::Error::WouldBlock);
        }
        match retry_on_intr(|| recv(&self.descriptor, &mut *buffer, RecvFlags::empty())) {
            Ok((length, _)) => {
                if length < buffer.len() && !self.readiness.ended.get() {
                    self.readiness.readable.set(false);
                }
                Ok(length)
            }
            Err(Errno::AGAIN) => {
                self.readiness.readable.set(false);
                Err(nb::Error::WouldBlock)
            }
            Err(error) => Err(nb::Error::Other(error)),
        }
    }

    /// Writes once, as much as there is room for.
    pub fn send(&mut self, bytes: &[u8]) -> nb::Result<usize, Errno> {
        if !self.readiness.writable.get() {
            return Err(nb::Error::WouldBlock);
        }
        match retry_on_intr(|| send(&self.descriptor, bytes, SendFlags::NOSIGNAL)) {
            Ok(length) => {
                if length < bytes.len() {
                    self.readiness.writable.set(false);
                }
                Ok(length)
            }
            Err(Errno::AGAIN) => {
                self.readiness.writable.set(false);
                Err(nb::Error::WouldBlock)
            }
            Err(error) => Err(nb::Error::Other(error)),
        }
    }

    /// Closes in good order: what was written goes on its way. close(2) alone, with input unread, would reset the connection, and throw
    /// away what the peer has not taken yet. Input that comes after this call still does that: to wait for the peer's end is more than
    /// whoever closes has time for.
    pub fn finish(self) {
        // Errors mean that there is no connection any more.
        if shutdown(&self.descriptor, Shutdown::Write).is_err() {
            return;
        }
        let mut unread = [0; UNREAD];
        for _ in 0..MOST_UNREAD / UNREAD {
            let result = retry_on_intr(|| recv(&self.descriptor, &mut unread, RecvFlags::empty()));
            if !matches!(result, Ok((1.., _))) {
                return;
            }
        }
    }
}

/// What rustls reads from and writes to.
#[cfg(feature = "tls")]
impl io::Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.receive(buffer).map_err(or_would_block)
    }
}

#[cfg(feature = "tls")]
impl io::Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.send(bytes).map_err(or_would_block)
    }

    /// Nothing is kept back.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(feature = "tls")]
fn or_would_block(error: nb::Error<Errno>) -> io::Error {
    match error {
        nb::Error::WouldBlock => io::ErrorKind::WouldBlock.into(),
        nb::Error::Other(error) => error.into(),
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // It cannot fail: the descriptor is open and registered.
        let _ = self.poller.remove(&self.descriptor);
    }
}

/// connect(2), the first time and every later time. On Linux a later call tells how the first has ended, better
/// than `SO_ERROR` does: that one is also 0 while the connection is still being made, and an event that was meant
/// for an earlier socket would pass for success.
fn advance(
    descriptor: &OwnedFd,
    readiness: &Readiness,
    address: &SocketAddrAny,
) -> io::Result<Progress> {
    let result = connect(descriptor, address);
    readiness.writable.set(result.is_ok());
    match result {
        Ok(()) => Ok(Progress::Connected),
        Err(Errno::INPROGRESS | Errno::ALREADY | Errno::INTR) => Ok(Progress::Pending),
        Err(error) => Err(error.into()),
    }
}
