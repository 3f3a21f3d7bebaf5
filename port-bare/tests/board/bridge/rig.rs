//! A whole board in memory: the runner, and the model servers at the other end of its cable. Time goes on only as far as the runner asks
//! for.

use std::cell::RefCell;
use std::net::Ipv4Addr;
use std::rc::Rc;

#[cfg(feature = "spool")]
use mqtt_client_bare::flash::Sectors;
use mqtt_client_bare::memory_type;
use mqtt_client_bare::stack::{self, address::StaticAddress};
use mqtt_client_bare::{Addressing, Instant, Memory, NotStarted, Runner, Setup, Sizes, Status};
use mqtt_client_core::counters::Counters;
use smoltcp::socket::tcp::State;

use crate::common::cable::{Cable, Clock, End};
use crate::common::dhcp::Lease;
use crate::common::host::{HOST, Host, PREFIX};
use crate::models::broker::Broker;
use crate::models::redis::{Redis, message};

pub const BOARD: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 7);

pub const REDIS: u16 = 6379;

/// Ports of the two brokers.
pub const BROKERS: [u16; 2] = [1883, 1884];

/// Room for what these tests configure: small, so that every buffer is full now and then.
pub const SIZES: Sizes = Sizes {
    signals: 8,
    devices: 2,
    redis_receive: 1024,
    redis_input: 512,
    broker_send: 1024,
    outbox: 4096,
    spools: if cfg!(feature = "spool") { 2 } else { 0 },
    ..Sizes::SMALL
};

pub struct Rig {
    pub runner: Runner<'static, End>,
    pub host: Host,
    pub cable: Rc<RefCell<Cable>>,
    pub redis: Redis,
    pub brokers: [Broker; 2],
    /// What stands before the first broker.
    #[cfg(feature = "proxy")]
    pub proxy: Option<Proxy>,
    /// Which servers are there: Redis, then the brokers.
    pub up: [bool; 3],
    was_open: [bool; 3],
    clock: Clock,
}

/// A proxy: what it answers, and what it was asked on the connection that it has.
#[cfg(feature = "proxy")]
pub struct Proxy {
    pub answer: &'static str,
    pub asked: String,
}

#[cfg(feature = "proxy")]
impl Proxy {
    const END: &str = "\r\n\r\n";

    /// What of these bytes is for the broker, if that is all; what the proxy says, if not.
    fn take<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], &'static str> {
        if self.asked.ends_with(Self::END) {
            return Ok(bytes);
        }
        self.asked += std::str::from_utf8(bytes).expect("ASCII");
        Err(match self.asked.ends_with(Self::END) {
            true => self.answer,
            false => "",
        })
    }
}

/// What a board does at its start with this mapping table.
pub fn start(
    table: &str,
    addressing: Addressing,
    device: End,
    seed: u64,
) -> Result<Runner<'static, End>, NotStarted> {
    let memory: &'static mut memory_type!(SIZES) = Box::leak(Box::new(Memory::new()));
    Runner::new(
        memory,
        &setup(table, addressing, seed),
        device,
        Instant::from_millis(0),
    )
}

/// The same, with flash.
#[cfg(feature = "spool")]
pub fn start_with(
    table: &str,
    addressing: Addressing,
    device: End,
    seed: u64,
    flash: impl Sectors + 'static,
) -> Result<Runner<'static, End>, NotStarted> {
    let memory: &'static mut memory_type!(SIZES) = Box::leak(Box::new(Memory::new()));
    let flash: &'static RefCell<dyn Sectors> = Box::leak(Box::new(RefCell::new(flash)));
    Runner::with_spool(
        memory,
        &setup(table, addressing, seed),
        device,
        flash,
        Instant::from_millis(0),
    )
}

pub fn setup(table: &str, addressing: Addressing, seed: u64) -> Setup<'static> {
    Setup {
        table: table.to_string().leak().as_bytes(),
        client_id_digits: 0x00c0_ffee,
        network: stack::Setup {
            mac: [2, 0, 0, 0, 0, 7],
            seed,
            addressing,
            dns_servers: &[],
        },
        sizes: SIZES,
    }
}

/// A lease of ten minutes.
pub fn lease(address: Ipv4Addr) -> Lease {
    Lease {
        address,
        router: Some(HOST),
        dns_servers: vec![HOST],
        seconds: 600,
    }
}

impl Rig {
    /// A board with an address of DHCP, and all servers there.
    pub fn new(table: &str) -> Self {
        Self::with(table, Addressing::Dhcp, 1)
    }

    pub fn with_static_address(table: &str) -> Self {
        let address = StaticAddress::new(BOARD, PREFIX, None).expect("a host's address");
        Self::with(table, Addressing::Static(address), 1)
    }

    pub fn with(table: &str, addressing: Addressing, seed: u64) -> Self {
        let clock = Clock::default();
        let (cable, ends) = Cable::new(clock.clone(), seed);
        Self::on(clock, cable, ends, table, addressing, seed)
    }

    /// A board that believes every frame.
    pub fn credulous(table: &str, seed: u64) -> Self {
        let clock = Clock::default();
        let (cable, ends) = Cable::new(clock.clone(), seed);
        cable.borrow_mut().set_unverified();
        Self::on(clock, cable, ends, table, Addressing::Dhcp, seed)
    }

    /// A board with flash.
    #[cfg(feature = "spool")]
    pub fn with_flash(table: &str, flash: impl Sectors + 'static) -> Self {
        let clock = Clock::default();
        let (cable, [device, end]) = Cable::new(clock.clone(), 1);
        let runner = start_with(table, Addressing::Dhcp, device, 1, flash);
        Self::of(clock, cable, end, runner.expect("a valid table"))
    }

    fn on(
        clock: Clock,
        cable: Rc<RefCell<Cable>>,
        [device, end]: [End; 2],
        table: &str,
        addressing: Addressing,
        seed: u64,
    ) -> Self {
        let runner = start(table, addressing, device, seed).expect("a valid table");
        Self::of(clock, cable, end, runner)
    }

    fn of(clock: Clock, cable: Rc<RefCell<Cable>>, end: End, runner: Runner<'static, End>) -> Self {
        let mut host = Host::new(clock.clone(), end);
        host.dhcp.lease = Some(lease(BOARD));
        host.dns.know("broker.example", &[HOST]);
        for port in [REDIS].into_iter().chain(BROKERS) {
            host.reset(port);
        }
        Rig {
            runner,
            host,
            cable,
            redis: Redis::new(),
            brokers: [Broker::new(), Broker::new()],
            #[cfg(feature = "proxy")]
            proxy: None,
            up: [true; 3],
            was_open: [false; 3],
            clock,
        }
    }

    pub fn now(&self) -> u64 {
        self.clock.get()
    }

    pub fn status(&self) -> Status {
        self.runner.status()
    }

    /// Lets so many milliseconds pass.
    pub fn pass(&mut self, millis: u64) {
        let end = self.now() + millis;
        loop {
            match self.settle() {
                next if next > end => break,
                next => self.clock.set(next),
            }
        }
        self.clock.set(end);
    }

    /// Lets time pass until all is online, at most so many milliseconds; how many it took.
    pub fn until_online(&mut self, within: u64) -> u64 {
        self.until(within, |rig| rig.status() == Status::Online)
    }

    pub fn until(&mut self, within: u64, condition: impl Fn(&mut Rig) -> bool) -> u64 {
        let start = self.now();
        loop {
            let next = self.settle();
            if condition(self) {
                return self.now() - start;
            }
            assert!(
                next <= start + within,
                "{:?} after {within} ms",
                self.status()
            );
            self.clock.set(next);
        }
    }

    /// Lets everybody do all that can be done now; when somebody has something to do next.
    fn settle(&mut self) -> u64 {
        for _ in 0..10_000 {
            self.serve();
            let wake_up = self
                .runner
                .poll(Instant::from_millis(self.now()))
                .as_millis();
            self.check_counters();
            self.serve();
            let frame = self.cable.borrow().next().unwrap_or(u64::MAX);
            let host = self.host.next().unwrap_or(u64::MAX);
            let next = wake_up.min(frame).min(host);
            if next > self.now() {
                return next;
            }
        }
        panic!("no rest at {}", self.now());
    }

    /// Somebody publishes on this channel at Redis: whether the board was subscribed to it.
    pub fn publish(&mut self, channel: &str, payload: &str) -> bool {
        let subscribed = self.redis.channels.contains(channel);
        if subscribed {
            self.say(REDIS, &message(channel, payload));
        }
        subscribed
    }

    /// The server at this port says something.
    pub fn say(&mut self, port: u16, bytes: &[u8]) {
        let sent = self.host.socket(port).send_slice(bytes);
        assert_eq!(sent, Ok(bytes.len()), "room in the server's buffer");
    }

    /// The server at this port resets its connection.
    pub fn reset(&mut self, port: u16) {
        self.host.socket(port).abort();
    }

    /// Unplugs the cable, or plugs it in, as the board can see.
    pub fn set_cable(&mut self, is_plugged_in: bool) {
        self.cable.borrow_mut().set_unplugged(!is_plugged_in);
        self.runner.set_cable(is_plugged_in);
    }

    pub fn counters(&self, broker: usize) -> Counters {
        self.runner.counters().nth(broker).expect("a broker").1
    }

    /// What subscribers of this broker have got.
    pub fn delivered(&self, broker: usize) -> Vec<&str> {
        self.brokers[broker].payloads()
    }

    fn serve(&mut self) {
        self.host.run();
        for (number, port) in [REDIS].into_iter().chain(BROKERS).enumerate() {
            self.serve_port(number, port);
        }
        self.host.run();
    }

    fn serve_port(&mut self, number: usize, port: u16) {
        if !self.up[number] {
            if self.was_open[number] {
                self.host.reset(port);
                self.ended(number);
            }
            return;
        }
        if self.host.accept(port) {
            if self.was_open[number] {
                self.ended(number);
            }
            self.was_open[number] = true;
            #[cfg(feature = "proxy")]
            if let (1, Some(proxy)) = (number, &mut self.proxy) {
                proxy.asked.clear();
            }
        }
        let socket = self.host.socket(port);
        let mut bytes = [0; 4096];
        let count = socket.recv_slice(&mut bytes).unwrap_or(0);
        let bytes = &bytes[..count];
        #[cfg(feature = "proxy")]
        let bytes = match (number, &mut self.proxy) {
            (1, Some(proxy)) => proxy.take(bytes).unwrap_or_else(|says| {
                let _ = socket.send_slice(says.as_bytes());
                &[]
            }),
            _ => bytes,
        };
        let (answer, closes) = match number {
            0 => (self.redis.take(bytes), false),
            _ => {
                let answer = self.brokers[number - 1].take(bytes);
                (answer.bytes, answer.closes)
            }
        };
        // A client that has gone does not hear it.
        let _ = socket.send_slice(&answer);
        if closes || socket.state() == State::CloseWait {
            socket.close();
        }
        if self.was_open[number] && socket.state() != State::Established {
            self.ended(number);
        }
    }

    fn ended(&mut self, number: usize) {
        self.was_open[number] = false;
        match number {
            0 => self.redis.connection_ended(),
            _ => self.brokers[number - 1].connection_ended(),
        }
    }

    fn check_counters(&self) {
        for (device, counters) in self.runner.counters() {
            let Counters {
                received,
                rejected,
                suppressed,
                queued,
                sent,
                dropped,
                ..
            } = counters;
            #[cfg(feature = "spool")]
            let spooled = counters.spool.map_or(0, |spool| spool.spooled);
            #[cfg(not(feature = "spool"))]
            let spooled = 0;
            let accounted = rejected + suppressed + queued + sent + dropped + spooled;
            assert_eq!(
                received,
                accounted,
                "{} at {}: {counters}",
                device.alias,
                self.now()
            );
        }
    }
}
