//! The other end of the cable: one host with all the servers that a board talks to.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet, SocketStorage};
use smoltcp::socket::{tcp, udp};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpCidr, IpEndpoint, Ipv4Cidr};

use super::cable::{Clock, End};
use super::dhcp::Dhcp;
use super::dns::Dns;

/// Its address, and its network's.
pub const HOST: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub const PREFIX: u8 = 24;

/// An address of that network that nobody has.
pub const NOBODY: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 99);

pub struct Host {
    pub dhcp: Dhcp,
    pub dns: Dns,
    interface: Interface,
    sockets: SocketSet<'static>,
    end: End,
    clock: Clock,
    dhcp_socket: SocketHandle,
    dns_socket: SocketHandle,
    /// The connection at each port, and who waits for the next.
    listeners: BTreeMap<u16, [SocketHandle; 2]>,
}

impl Host {
    pub fn new(clock: Clock, mut end: End) -> Self {
        let mac = EthernetAddress([2, 0, 0, 0, 0, 1]);
        let mut config = Config::new(HardwareAddress::Ethernet(mac));
        config.random_seed = 1;
        let mut interface = Interface::new(config, &mut end, Instant::ZERO);
        interface.update_ip_addrs(|addresses| {
            let address = IpCidr::Ipv4(Ipv4Cidr::new(HOST, PREFIX));
            addresses.push(address).expect("room");
        });
        let storage: Vec<_> = (0..12).map(|_| SocketStorage::EMPTY).collect();
        let mut sockets = SocketSet::new(storage.leak() as &'static mut [_]);
        let mut serve = |port| {
            let mut socket = udp::Socket::new(udp_buffer(), udp_buffer());
            socket.bind(port).expect("a free port");
            sockets.add(socket)
        };
        let (dhcp_socket, dns_socket) = (serve(67), serve(53));
        Host {
            dhcp: Dhcp::new(),
            dns: Dns::new(),
            interface,
            sockets,
            end,
            clock,
            dhcp_socket,
            dns_socket,
            listeners: BTreeMap::new(),
        }
    }

    /// Waits for a connection at this port. One that there is ends with a reset.
    pub fn listen(&mut self, port: u16) {
        self.reset(port);
        self.socket(port).listen(port).expect("a closed socket");
    }

    /// Ends what there is at this port, with a reset.
    pub fn reset(&mut self, port: u16) {
        let Host {
            listeners, sockets, ..
        } = self;
        let pair = listeners
            .entry(port)
            .or_insert_with(|| [(); 2].map(|()| sockets.add(tcp_socket())));
        for handle in *pair {
            sockets.get_mut::<tcp::Socket<'_>>(handle).abort();
        }
        // The resets go out before anything else.
        self.run();
    }

    /// Lets a new client in at this port, in the place of one that there is: whether one came. This is for servers that are
    /// always there.
    pub fn accept(&mut self, port: u16) -> bool {
        let pair = self.listeners.get_mut(&port).expect("known");
        let next: &mut tcp::Socket<'_> = self.sockets.get_mut(pair[1]);
        let has_come = next.may_send();
        if has_come {
            next.set_timeout(None);
            self.sockets.get_mut::<tcp::Socket<'_>>(pair[0]).abort();
            pair.swap(0, 1);
            self.run();
        }
        let next: &mut tcp::Socket<'_> = self.sockets.get_mut(self.listeners[&port][1]);
        if !next.is_open() {
            // A client that has begun and gone keeps nobody else out.
            next.set_timeout(Some(Duration::from_secs(3)));
            next.listen(port).expect("a closed socket");
        }
        has_come
    }

    /// The connection at this port.
    pub fn socket(&mut self, port: u16) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(self.listeners[&port][0])
    }

    /// The client's port of the connection at this port.
    pub fn client_port(&mut self, port: u16) -> Option<u16> {
        self.socket(port).remote_endpoint().map(|end| end.port)
    }

    /// Does all that can be done now.
    pub fn run(&mut self) {
        let now = Instant::from_millis(self.clock.get() as i64);
        self.interface.poll(now, &mut self.end, &mut self.sockets);
        let dhcp: &mut udp::Socket<'_> = self.sockets.get_mut(self.dhcp_socket);
        while let Ok((packet, _)) = dhcp.recv() {
            if let Some(answer) = self.dhcp.answer(HOST, packet) {
                let client = IpEndpoint::new(Ipv4Addr::BROADCAST.into(), 68);
                dhcp.send_slice(&answer, client).expect("room");
            }
        }
        let dns: &mut udp::Socket<'_> = self.sockets.get_mut(self.dns_socket);
        while let Ok((query, from)) = dns.recv() {
            if let Some(answer) = self.dns.answer(query) {
                dns.send_slice(&answer, from).expect("room");
            }
        }
        self.interface.poll(now, &mut self.end, &mut self.sockets);
    }

    /// When it has to run again, if nothing comes before.
    pub fn next(&mut self) -> Option<u64> {
        let now = Instant::from_millis(self.clock.get() as i64);
        let due = self.interface.poll_at(now, &self.sockets)?;
        Some(due.total_millis() as u64)
    }
}

fn udp_buffer() -> udp::PacketBuffer<'static> {
    let meta = vec![udp::PacketMetadata::EMPTY; 8].leak() as &'static mut [_];
    udp::PacketBuffer::new(meta, vec![0; 4096].leak())
}

fn tcp_socket() -> tcp::Socket<'static> {
    let buffer = || tcp::SocketBuffer::new(vec![0; 4096].leak());
    let mut socket = tcp::Socket::new(buffer(), buffer());
    // Servers whose messages are small and urgent do so (TCP_NODELAY).
    socket.set_nagle_enabled(false);
    socket
}
