//! What the core sees of the stack: `embedded_nal`'s TCP client and name look-up, one connection and one look-up at a time.

use core::cell::RefCell;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use embedded_nal::{AddrType, Dns, TcpClientStack, nb};
use mqtt_client_core::net::Network;

use super::{Error, Stack};

/// One link's end of the [`Stack`]. Nothing here waits: [`Stack::receive`] and [`Stack::transmit`] move the bytes.
pub struct Client<'a> {
    stack: &'a RefCell<Stack<'a>>,
    link: usize,
}

/// A client's TCP socket. A client has one at a time.
#[derive(Debug)]
pub struct Socket(());

impl<'a> Client<'a> {
    /// The client of link `link`, see [`Stack::add_link`]. Two clients of one link share its socket, to no good.
    #[must_use]
    pub fn new(stack: &'a RefCell<Stack<'a>>, link: usize) -> Self {
        Client { stack, link }
    }
}

impl TcpClientStack for Client<'_> {
    type TcpSocket = Socket;
    type Error = Error;

    /// # Errors
    /// [`Error::InUse`] if the last socket was not closed.
    fn socket(&mut self) -> Result<Socket, Error> {
        self.stack.borrow_mut().claim(self.link).map(Socket)
    }

    /// Begins to connect, or tells how far that has come. There is no time limit: the caller gives up by closing the socket. While
    /// the link's last connection still takes leave (at most [`LINGER`](super::LINGER)) this would block too.
    ///
    /// # Errors
    /// [`Error::Refused`], after which the socket can be used again; [`Error::NotIpv4`]; [`Error::NoHost`];
    /// [`Error::AddressLost`].
    fn connect(&mut self, _: &mut Socket, remote: SocketAddr) -> nb::Result<(), Error> {
        self.stack.borrow_mut().connect(self.link, remote)
    }

    /// Gives bytes to TCP, as many as there is room for.
    ///
    /// # Errors
    /// [`Error::Reset`], [`Error::AddressLost`].
    fn send(&mut self, _: &mut Socket, buffer: &[u8]) -> nb::Result<usize, Error> {
        self.stack
            .borrow_mut()
            .with(self.link, |link, socket| link.send(socket, buffer))
    }

    /// Takes bytes that have come in order. `Ok(0)` is for an empty buffer only.
    ///
    /// # Errors
    /// [`Error::Closed`] when the peer has closed and all that it sent was read, [`Error::Reset`], [`Error::AddressLost`].
    fn receive(&mut self, _: &mut Socket, buffer: &mut [u8]) -> nb::Result<usize, Error> {
        self.stack
            .borrow_mut()
            .with(self.link, |link, socket| link.receive(socket, buffer))
    }

    /// The bytes given to `send` still go out, and a FIN.
    fn close(&mut self, _: Socket) -> Result<(), Error> {
        self.stack.borrow_mut().close(self.link)
    }
}

/// A board has no TLS.
impl Network for Client<'_> {}

impl Dns for Client<'_> {
    type Error = Error;

    /// An address is its own, at once. The addresses of a name take turns, until one serves.
    ///
    /// # Errors
    /// [`Error::UnknownName`], [`Error::NoAnswer`], [`Error::NoDnsServer`], [`Error::BadName`], [`Error::NotIpv4`].
    fn get_host_by_name(&mut self, name: &str, family: AddrType) -> nb::Result<IpAddr, Error> {
        if family == AddrType::IPv6 {
            return Err(Error::NotIpv4.into());
        }
        match name.parse::<Ipv4Addr>() {
            Ok(address) => Ok(address.into()),
            Err(_) if name.contains(':') => Err(Error::NotIpv4.into()),
            Err(_) => self.stack.borrow_mut().look_up(self.link, name),
        }
    }

    /// # Errors
    /// [`Error::Unsupported`].
    fn get_host_by_address(&mut self, _: IpAddr, _: &mut [u8]) -> nb::Result<usize, Error> {
        Err(Error::Unsupported.into())
    }
}
