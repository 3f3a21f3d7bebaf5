//! TCP/IP for a few links, over smoltcp: a link's connection and its name look-ups as `embedded_nal` wants them.
//!
//! | module | question |
//! |---|---|
//! | [`client`] | what does the core see of it? |
//! | [`link`] | who uses a TCP socket, and what becomes of a closed connection? |
//! | `lookup` | which address does a name have? |
//! | [`address`] | which address has the board, and since when not any more? |
//! | `ports` | which local port does the next connection have? |
//! | [`error`] | what went wrong, in words? |
//!
//! A turn is [`Stack::receive`], then whatever its clients do, then [`Stack::transmit`]; both do a bounded amount of work.

pub mod address;
pub mod client;
pub mod error;
pub mod link;
mod lookup;
mod ports;

use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use embedded_nal::nb;
use heapless::vec::VecView;
use mqtt_client_core::time::Instant;
use smoltcp::iface::{Config, Interface, PollIngressSingleResult, PollResult, SocketHandle};
use smoltcp::iface::{SocketSet, SocketStorage};
use smoltcp::phy::Device;
use smoltcp::socket::{dns, tcp};
use smoltcp::wire::{EthernetAddress, HardwareAddress};

use address::{Address, Addressing, Change};
pub use client::Client;
pub use error::Error;
pub use link::{LINGER, Link};
use ports::Ports;

use crate::log;

/// Frames that one turn takes from the device, and rounds of sending, each of at most one segment for each link.
const PER_TURN: usize = 8;

/// How the board appears in its network.
#[derive(Debug, Clone, Copy)]
pub struct Setup<'a> {
    /// The Ethernet address: no multicast, and unique in the network.
    pub mac: [u8; 6],
    /// Different after every start, as random as the board can make it: local ports, sequence numbers and DNS queries come from it.
    pub seed: u64,
    pub addressing: Addressing,
    /// The first three are asked, in this order; empty: those that DHCP names.
    pub dns_servers: &'a [Ipv4Addr],
}

/// The memory of a stack with `n` links.
pub struct Storage<'a> {
    /// At least `n` + 2.
    pub sockets: &'a mut [SocketStorage<'a>],
    /// At least `n`.
    pub queries: &'a mut [Option<dns::DnsQuery>],
    /// Empty, with room for `n`.
    pub links: &'a mut VecView<Link>,
}

/// The board's one TCP/IP stack.
pub struct Stack<'a> {
    interface: Interface,
    sockets: SocketSet<'a>,
    links: &'a mut VecView<Link>,
    dns: SocketHandle,
    address: Address<'a>,
    ports: Ports,
    /// Of the turn.
    now: Instant,
    has_cable: bool,
    /// When a turn first found no cable, until one finds it again.
    unplugged_at: Option<Instant>,
    free_sockets: usize,
}

/// A stack cannot be had so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unusable {
    /// The Ethernet address is one of a group.
    Mac,
    /// [`Storage`] is too small.
    Storage,
}

impl<'a> Stack<'a> {
    /// A stack without links, its cable plugged in.
    ///
    /// # Errors
    /// [`Unusable`].
    pub fn new(
        setup: &Setup<'a>,
        storage: Storage<'a>,
        device: &mut impl Device,
        now: Instant,
    ) -> Result<Self, Unusable> {
        let mac = EthernetAddress(setup.mac);
        if !mac.is_unicast() {
            return Err(Unusable::Mac);
        }
        let mut config = Config::new(HardwareAddress::Ethernet(mac));
        config.random_seed = setup.seed;
        // One each for DNS and DHCP.
        let free_sockets = storage.sockets.len().checked_sub(2);
        let free_sockets = free_sockets.ok_or(Unusable::Storage)?;
        let mut sockets = SocketSet::new(storage.sockets);
        let dns = sockets.add(dns::Socket::new(&[], storage.queries));
        let address = Address::new(setup.addressing, setup.dns_servers, &mut sockets);
        let mut stack = Stack {
            interface: Interface::new(config, device, instant(now)),
            sockets,
            links: storage.links,
            dns,
            address,
            ports: Ports::new(setup.seed),
            now,
            unplugged_at: None,
            has_cable: true,
            free_sockets,
        };
        stack.mind_the_address();
        Ok(stack)
    }

    /// The number of a new link, with its TCP buffers. What it receives faster than it is read stays at the peer, and so does what it sends
    /// faster than the peer acknowledges in its own buffer.
    ///
    /// # Errors
    /// [`Unusable::Storage`].
    pub fn add_link(
        &mut self,
        receive: &'a mut [u8],
        send: &'a mut [u8],
    ) -> Result<usize, Unusable> {
        self.free_sockets = self.free_sockets.checked_sub(1).ok_or(Unusable::Storage)?;
        let receive = tcp::SocketBuffer::new(receive);
        let mut socket = tcp::Socket::new(receive, tcp::SocketBuffer::new(send));
        // Each turn's messages are in the buffer together when they are sent: waiting for more would only delay them.
        socket.set_nagle_enabled(false);
        let link = Link::new(self.sockets.add(socket));
        let number = self.links.len();
        self.links.push(link).map_err(|_| Unusable::Storage)?;
        Ok(number)
    }

    /// Takes what the device has received, and answers it, as far as a turn goes; whether there may be more.
    pub fn receive(&mut self, now: Instant, device: &mut impl Device) -> bool {
        self.now = now;
        self.mind_the_cable();
        let more = self.has_cable && self.take_frames(device);
        for link in self.links.iter_mut() {
            link.see_off(self.sockets.get_mut(link.handle), now);
        }
        // Resets and acknowledgements go out before anyone connects again.
        self.transmit(device);
        self.mind_the_address();
        more
    }

    /// Sends what there is to send, as far as a turn goes.
    pub fn transmit(&mut self, device: &mut impl Device) {
        if !self.has_cable {
            return;
        }
        let now = instant(self.now);
        for _ in 0..PER_TURN {
            match self.interface.poll_egress(now, device, &mut self.sockets) {
                PollResult::None => break,
                PollResult::SocketStateChanged => {}
            }
        }
        let servers = self.address.dns_servers();
        let dns = self.sockets.get_mut(self.dns);
        for link in self.links.iter_mut() {
            link.lookup.settle(self.now, servers, dns);
        }
    }

    /// Whether a client is still to be told that its connection has ended, behind all that it has read: no frame will come for that.
    #[must_use]
    pub fn has_ends_to_tell(&self) -> bool {
        self.links.iter().any(|link| {
            let socket: &tcp::Socket<'_> = self.sockets.get(link.handle);
            link.is_open() && !socket.may_recv()
        })
    }

    /// When the next turn is due, if the device has nothing before.
    #[must_use]
    pub fn deadline(&mut self) -> Instant {
        let links = self.links.iter().map(|link| link.deadline(self.now)).min();
        let own = links.unwrap_or(Instant::NEVER).min(self.address.deadline());
        if !self.has_cable {
            return own;
        }
        match self.interface.poll_at(instant(self.now), &self.sockets) {
            Some(due) => own.min(Instant::from_millis(due.total_millis().max(0) as u64)),
            None => own,
        }
    }

    /// The board says whether the cable is plugged in. Without it nothing is sent, and the clients wait.
    pub fn set_cable(&mut self, is_plugged_in: bool) {
        self.has_cable = is_plugged_in;
    }

    #[must_use]
    pub fn has_cable(&self) -> bool {
        self.has_cable
    }

    /// The board's address, if it has one.
    #[must_use]
    pub fn address(&self) -> Option<Ipv4Addr> {
        self.address.current()
    }

    /// Whether no connection that was closed has anything left to send.
    #[must_use]
    pub fn has_left(&self) -> bool {
        !self.links.iter().any(Link::is_leaving)
    }

    fn mind_the_cable(&mut self) {
        match (self.has_cable, self.unplugged_at) {
            (true, None) | (false, Some(_)) => {}
            (false, None) => {
                log::warning(&"network: the cable is unplugged");
                self.unplugged_at = Some(self.now);
            }
            (true, Some(since)) => {
                log::info(&"network: the cable is plugged in");
                self.unplugged_at = None;
                self.address
                    .verify(self.now, self.now.since(since), &mut self.sockets);
                // Forgets the neighbours of what may have been another network.
                self.interface.update_ip_addrs(|_| {});
            }
        }
    }

    fn mind_the_address(&mut self) {
        let Stack {
            interface,
            sockets,
            links,
            ..
        } = self;
        let change = self.address.settle(self.now, interface, sockets, self.dns);
        if change == Change::None {
            return;
        }
        for link in links.iter_mut() {
            link.lookup.forget(sockets.get_mut(self.dns));
            if change == Change::Address {
                link.lose(sockets.get_mut(link.handle));
            }
        }
    }

    fn take_frames(&mut self, device: &mut impl Device) -> bool {
        let now = instant(self.now);
        for _ in 0..PER_TURN {
            match self
                .interface
                .poll_ingress_single(now, device, &mut self.sockets)
            {
                PollIngressSingleResult::None => return false,
                PollIngressSingleResult::PacketProcessed
                | PollIngressSingleResult::SocketStateChanged => {}
            }
        }
        true
    }

    fn claim(&mut self, link: usize) -> Result<(), Error> {
        self.links.get_mut(link).ok_or(Error::NotConnected)?.claim()
    }

    fn connect(&mut self, link: usize, remote: SocketAddr) -> nb::Result<(), Error> {
        let SocketAddr::V4(remote) = remote else {
            return Err(Error::NotIpv4.into());
        };
        if remote.ip().is_unspecified() || remote.port() == 0 {
            return Err(Error::NoHost.into());
        }
        let begins = self.links.get(link).is_some_and(Link::can_begin);
        let port = begins.then(|| self.unused_port());
        let link = self.links.get_mut(link).ok_or(Error::NotConnected)?;
        let socket = self.sockets.get_mut(link.handle);
        if let Some(port) = port {
            let remote = (*remote.ip(), remote.port());
            link.begin(socket, self.interface.context(), remote, port)?;
        }
        link.progress(socket, self.now)
    }

    fn unused_port(&mut self) -> u16 {
        let Stack {
            ports,
            links,
            sockets,
            ..
        } = self;
        ports.unused(|port| {
            links.iter().any(|link| {
                let socket: &tcp::Socket<'_> = sockets.get(link.handle);
                socket
                    .local_endpoint()
                    .is_some_and(|local| local.port == port)
            })
        })
    }

    /// The link and its socket.
    fn with<T>(
        &mut self,
        link: usize,
        action: impl FnOnce(&mut Link, &mut tcp::Socket<'a>) -> nb::Result<T, Error>,
    ) -> nb::Result<T, Error> {
        let link = self.links.get_mut(link).ok_or(Error::NotConnected)?;
        action(link, self.sockets.get_mut(link.handle))
    }

    fn close(&mut self, link: usize) -> Result<(), Error> {
        let link = self.links.get_mut(link).ok_or(Error::NotConnected)?;
        link.close(self.sockets.get_mut(link.handle), self.now);
        Ok(())
    }

    fn look_up(&mut self, link: usize, name: &str) -> nb::Result<IpAddr, Error> {
        if self.address.current().is_none() {
            return Err(Error::AddressLost.into());
        }
        if self.address.dns_servers() == 0 {
            return Err(Error::NoDnsServer.into());
        }
        let link = self.links.get_mut(link).ok_or(Error::NotConnected)?;
        let dns = self.sockets.get_mut(self.dns);
        match link
            .lookup
            .address(name, self.now, dns, self.interface.context())?
        {
            Some(address) => Ok(address.into()),
            None => Err(nb::Error::WouldBlock),
        }
    }
}

/// smoltcp's word for a time.
fn instant(now: Instant) -> smoltcp::time::Instant {
    smoltcp::time::Instant::from_millis(now.as_millis() as i64)
}
