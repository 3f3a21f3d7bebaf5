//! A board's stack with two links, and a host, at the two ends of a cable. Time goes on only as far as the stack asks for:
//! a deadline that it names too late shows as a test that waits in vain.

use std::cell::RefCell;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;

use embedded_nal::{AddrType, Dns, TcpClientStack, nb};
use heapless::Vec as Bounded;
use mqtt_client_bare::Instant;
use mqtt_client_bare::stack::address::{Addressing, StaticAddress};
use mqtt_client_bare::stack::client::Socket;
use mqtt_client_bare::stack::{Client, Error, Link, Setup, Stack, Storage};
use smoltcp::iface::SocketStorage;

use crate::common::cable::{Cable, Clock, End};
use crate::common::host::{HOST, Host, PREFIX};

/// The board's address, unless DHCP gives it one.
pub const BOARD: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 7);

/// Where the host listens.
pub const PORT: u16 = 1883;

/// Bytes of each TCP buffer of the board.
pub const BUFFER: usize = 1024;

pub struct Lab {
    pub host: Host,
    pub cable: Rc<RefCell<Cable>>,
    pub stack: &'static RefCell<Stack<'static>>,
    /// One for each link.
    pub clients: [Client<'static>; 2],
    clock: Clock,
    device: End,
}

impl Lab {
    /// A board with a static address, and the host for a DNS server.
    pub fn new() -> Self {
        Self::with_seed(1)
    }

    pub fn with_seed(seed: u64) -> Self {
        let address = StaticAddress::new(BOARD, PREFIX, None).expect("a host's address");
        Self::with(Addressing::Static(address), &[HOST], seed)
    }

    pub fn with(addressing: Addressing, dns_servers: &'static [Ipv4Addr], seed: u64) -> Self {
        let clock = Clock::default();
        let (cable, [mut device, end]) = Cable::new(clock.clone(), seed);
        let setup = Setup {
            mac: [2, 0, 0, 0, 0, 7],
            seed,
            addressing,
            dns_servers,
        };
        let sockets: Vec<_> = (0..4).map(|_| SocketStorage::EMPTY).collect();
        let storage = Storage {
            sockets: sockets.leak(),
            queries: Vec::from([None, None]).leak(),
            links: Box::leak(Box::new(Bounded::<Link, 2>::new())),
        };
        let mut stack =
            Stack::new(&setup, storage, &mut device, Instant::from_millis(0)).expect("room");
        let buffer = || vec![0; BUFFER].leak();
        let links = [(); 2].map(|()| stack.add_link(buffer(), buffer()).expect("room"));
        let stack: &'static _ = Box::leak(Box::new(RefCell::new(stack)));
        Lab {
            host: Host::new(clock.clone(), end),
            cable,
            stack,
            clients: links.map(|link| Client::new(stack, link)),
            clock,
            device,
        }
    }

    pub fn now(&self) -> u64 {
        self.clock.get()
    }

    /// The board's address.
    pub fn address(&self) -> Option<Ipv4Addr> {
        self.stack.borrow().address()
    }

    pub fn unplug(&mut self) {
        self.cable.borrow_mut().set_unplugged(true);
        self.stack.borrow_mut().set_cable(false);
        self.pass(1);
    }

    pub fn plug_in(&mut self) {
        self.cable.borrow_mut().set_unplugged(false);
        self.stack.borrow_mut().set_cable(true);
    }

    /// Lets time pass until `action` has an answer.
    ///
    /// # Panics
    /// If it has none after so many milliseconds.
    pub fn until<T>(
        &mut self,
        within: u64,
        mut action: impl FnMut(&mut Host, &mut [Client<'static>; 2]) -> Option<T>,
    ) -> T {
        let end = self.now() + within;
        loop {
            if let Some(answer) = self.turn(&mut action) {
                return answer;
            }
            let next = self.next();
            assert!(
                next <= end,
                "no answer at {}, {within} ms later",
                self.now()
            );
            self.clock.set(next.max(self.now()));
        }
    }

    /// One look at the device; whether there may be more.
    pub fn receive_once(&mut self) -> bool {
        let now = Instant::from_millis(self.now());
        self.stack.borrow_mut().receive(now, &mut self.device)
    }

    /// Lets so many milliseconds pass.
    pub fn pass(&mut self, millis: u64) {
        let end = self.now() + millis;
        loop {
            self.turn(&mut |_, _| None::<()>);
            match self.next() {
                next if next > end => break,
                next => self.clock.set(next.max(self.now())),
            }
        }
        self.clock.set(end);
    }

    fn turn<T>(
        &mut self,
        action: &mut impl FnMut(&mut Host, &mut [Client<'static>; 2]) -> Option<T>,
    ) -> Option<T> {
        let now = Instant::from_millis(self.now());
        // A turn has its bounds; whoever asks for another one at once gets it.
        for turns in 0.. {
            assert!(turns < 1000, "no rest at {}", self.now());
            self.host.run();
            let more = self.stack.borrow_mut().receive(now, &mut self.device);
            let answer = action(&mut self.host, &mut self.clients);
            self.stack.borrow_mut().transmit(&mut self.device);
            self.host.run();
            if answer.is_some() || !(more || self.next() <= self.now()) {
                return answer;
            }
        }
        None
    }

    /// When something happens next.
    fn next(&mut self) -> u64 {
        let board = self.stack.borrow_mut().deadline().as_millis();
        let frame = self.cable.borrow().next().unwrap_or(u64::MAX);
        board.min(frame).min(self.host.next().unwrap_or(u64::MAX))
    }

    /// The end of an attempt of the first client to connect, within half a minute.
    pub fn connect_to(&mut self, remote: (Ipv4Addr, u16)) -> (Socket, Result<(), Error>) {
        let mut socket = self.clients[0].socket().expect("a free link");
        let result = self.until(30_000, |_, [client, _]| {
            settled(client.connect(&mut socket, SocketAddr::from(remote)))
        });
        (socket, result)
    }

    /// A connection of the first client to the host, both ends of it open.
    pub fn connected(&mut self) -> Socket {
        self.host.listen(PORT);
        let (socket, result) = self.connect_to((HOST, PORT));
        assert_eq!(result, Ok(()));
        self.until(1000, |host, _| host.socket(PORT).may_send().then_some(()));
        socket
    }

    /// The end of a name look-up of the first client, within two minutes.
    pub fn look_up(&mut self, name: &str) -> Result<Ipv4Addr, Error> {
        let address = self.until(120_000, |_, [client, _]| {
            settled(client.get_host_by_name(name, AddrType::Either))
        });
        address.map(|address| match address {
            std::net::IpAddr::V4(address) => address,
            other => panic!("{other} is no IPv4 address"),
        })
    }

    /// What the first client receives next, within a minute.
    pub fn receive(&mut self, socket: &mut Socket) -> Result<Vec<u8>, Error> {
        let mut buffer = [0; 4096];
        let count = self.until(60_000, |_, [client, _]| {
            settled(client.receive(socket, &mut buffer))
        });
        count.map(|count| buffer[..count].to_vec())
    }
}

/// An answer, unless it would block.
pub fn settled<T>(result: nb::Result<T, Error>) -> Option<Result<T, Error>> {
    match result {
        Ok(value) => Some(Ok(value)),
        Err(nb::Error::Other(error)) => Some(Err(error)),
        Err(nb::Error::WouldBlock) => None,
    }
}
