//! The simulated network: one line between a link of the bridge and the server that it wants.
//!
//! Every segment takes its time, drawn from the seed; bytes keep their order. All that goes wrong is switched on and off from outside: see
//! [`Line`]'s methods. Nothing waits: time is the [`Clock`] that the simulation turns.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;

use embedded_nal::{AddrType, Dns, TcpClientStack, nb};
use fastrand::Rng;

use crate::network::{Clock, Door, Error, Names};
use crate::pipe::{Arrival, Pipe};

/// Both ends of a line: the link of the bridge holds one clone as its network, the simulation another.
#[derive(Clone)]
pub struct Line(Rc<RefCell<Cable>>);

/// Who reads along what the client writes, at the moment when it does.
pub trait Tap {
    /// A connection is open, and the client knows.
    fn opened(&mut self, connection: u32);
    fn wrote(&mut self, bytes: &[u8]);
    /// The network takes no more for now.
    fn refused_to_write(&mut self);
    /// The client has closed.
    fn closed(&mut self);
}

/// What the server's end meets, in order.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    Opened(u32),
    Bytes(u32, Vec<u8>),
    Ended(u32),
}

/// How a connection breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The server closes in good order: what it wrote before arrives.
    Fin,
    /// Both ends meet an error, and what is under way is lost.
    Reset,
    /// What is under way and all that follows is lost, and neither end hears of it.
    Silent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    ToServer,
    ToClient,
}

struct Cable {
    clock: Clock,
    rng: Rng,
    tap: Option<Rc<RefCell<dyn Tap>>>,
    names: Names,
    door: Door,
    /// Milliseconds: bounds of a segment's way, and what a look-up and a connection take.
    latency: (u64, u64),
    look_up_takes: u64,
    connect_takes: u64,
    /// Most bytes that one call of the client moves.
    piece: usize,
    window: usize,
    stalled_to_server: bool,
    stalled_to_client: bool,
    look_up_done: Option<u64>,
    connections: BTreeMap<u32, Connection>,
    sockets: u32,
    /// When the client began to connect, or could not find the name.
    attempts: Vec<u64>,
    /// Connections that have died without a word.
    dead: Vec<u32>,
    /// Something has happened that the client could notice.
    stirred: bool,
    /// Grows with all that the client does or meets.
    moves: u64,
}

struct Connection {
    connect_done: u64,
    open: bool,
    told_opened: bool,
    to_server: Pipe,
    to_client: Pipe,
    /// No byte leaves any more.
    dead: bool,
    client_closed: bool,
    server_ended: bool,
    /// Break when so many more bytes have arrived.
    fuse: Option<(Direction, usize, Cut)>,
}

/// A socket, by its number.
#[derive(Debug)]
pub struct Socket(u32);

impl Line {
    #[must_use]
    pub fn new(clock: Clock, rng: Rng) -> Self {
        Line(Rc::new(RefCell::new(Cable {
            clock,
            rng,
            tap: None,
            names: Names::Known,
            door: Door::Open,
            latency: (0, 0),
            look_up_takes: 0,
            connect_takes: 0,
            piece: usize::MAX,
            window: usize::MAX,
            stalled_to_server: false,
            stalled_to_client: false,
            look_up_done: None,
            connections: BTreeMap::new(),
            sockets: 0,
            attempts: Vec::new(),
            dead: Vec::new(),
            stirred: false,
            moves: 0,
        })))
    }

    pub fn set_tap(&self, tap: Rc<RefCell<dyn Tap>>) {
        self.0.borrow_mut().tap = Some(tap);
    }

    pub fn set_names(&self, names: Names) {
        self.change(|cable| cable.names = names);
    }

    pub fn set_door(&self, door: Door) {
        self.change(|cable| cable.door = door);
    }

    /// Milliseconds that a segment takes, at least and at most.
    pub fn set_latency(&self, bounds: (u64, u64)) {
        self.change(|cable| cable.latency = bounds);
    }

    /// Milliseconds that a look-up and a connection take.
    pub fn set_delays(&self, look_up: u64, connect: u64) {
        self.change(|cable| (cable.look_up_takes, cable.connect_takes) = (look_up, connect));
    }

    pub fn set_piece(&self, bytes: usize) {
        self.change(|cable| cable.piece = bytes);
    }

    /// So many bytes can lie between the client and the server, that have not been read there.
    pub fn set_window(&self, bytes: usize) {
        self.change(|cable| cable.window = bytes);
    }

    /// Whether the receiver of this direction does not read: nothing arrives, nothing is lost.
    pub fn set_stalled(&self, direction: Direction, stalled: bool) {
        self.change(|cable| match direction {
            Direction::ToServer => cable.stalled_to_server = stalled,
            Direction::ToClient => cable.stalled_to_client = stalled,
        });
    }

    /// Breaks the newest connection, now or after so many more bytes in that direction.
    pub fn cut(&self, how: Cut, after: Option<(Direction, usize)>) {
        self.change(|cable| {
            let Some((_, connection)) = cable.connections.last_key_value() else {
                return;
            };
            let number = cable.sockets;
            if !connection.open || connection.client_closed {
                return;
            }
            match after {
                Some((direction, bytes)) => {
                    cable.connection(number).fuse = Some((direction, bytes, how));
                }
                None => cable.break_connection(number, how),
            }
        });
    }

    /// What was to break after more bytes does not.
    pub fn defuse(&self) {
        self.change(|cable| {
            for connection in cable.connections.values_mut() {
                connection.fuse = None;
            }
        });
    }

    /// Attempts to connect since this time.
    #[must_use]
    pub fn attempts_since(&self, millis: u64) -> usize {
        let cable = self.0.borrow();
        let early = cable.attempts.iter().rev();
        early.take_while(|attempt| **attempt >= millis).count()
    }

    #[must_use]
    pub fn moves(&self) -> u64 {
        self.0.borrow().moves
    }

    /// Whether something has happened, since it was last asked, that the client could notice.
    #[must_use]
    pub fn take_stir(&self) -> bool {
        std::mem::take(&mut self.0.borrow_mut().stirred)
    }

    /// The newest connection, if neither end has ended it.
    #[must_use]
    pub fn open_connection(&self) -> Option<u32> {
        let cable = self.0.borrow();
        let (number, connection) = cable.connections.last_key_value()?;
        (connection.open && !connection.client_closed && !connection.dead).then_some(*number)
    }

    /// The client's last connection, in whatever state.
    #[must_use]
    pub fn newest_connection(&self) -> u32 {
        self.0.borrow().sockets
    }

    /// Connections that have died without a word since this was last asked.
    #[must_use]
    pub fn take_dead(&self) -> Vec<u32> {
        std::mem::take(&mut self.0.borrow_mut().dead)
    }

    /// Whether the client still holds this connection.
    #[must_use]
    pub fn client_holds(&self, connection: u32) -> bool {
        let cable = self.0.borrow();
        let connection = cable.connections.get(&connection);
        connection.is_some_and(|connection| !connection.client_closed)
    }

    /// When something arrives or comes about next.
    #[must_use]
    pub fn next_event(&self) -> Option<u64> {
        let cable = self.0.borrow();
        let mut times = Vec::new();
        times.extend(cable.look_up_done);
        for connection in cable.connections.values() {
            if !connection.open && !connection.client_closed {
                times.push(connection.connect_done);
            }
            if !cable.stalled_to_server {
                times.extend(connection.to_server.next_arrival());
            }
            if !cable.stalled_to_client {
                times.extend(connection.to_client.next_arrival());
            }
        }
        let now = cable.clock.get();
        times.into_iter().filter(|time| *time > now).min()
    }

    /// Lets arrive what is due. What has happened at the server's end since it last asked.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        let mut cable = self.0.borrow_mut();
        let mut events = Vec::new();
        let numbers: Vec<u32> = cable.connections.keys().copied().collect();
        for number in numbers {
            cable.arrive_at_client(number);
            cable.arrive_at_server(number, &mut events);
        }
        let newest = cable.sockets;
        cable
            .connections
            .retain(|number, connection| *number == newest || !connection.is_over());
        events
    }

    /// The server writes to this connection, if that is still there.
    pub fn server_write(&self, connection: u32, bytes: &[u8]) {
        self.on(connection, |connection, at, rng| {
            connection.to_client.push(at, bytes, rng);
        });
    }

    /// The server closes; the client can read what was written before.
    pub fn server_close(&self, connection: u32) {
        self.on(connection, |connection, at, _| {
            connection.to_client.end(at, Error::Closed);
            connection.server_ended = true;
        });
    }

    /// The server has crashed: the client meets an error.
    pub fn server_reset(&self, connection: u32) {
        self.on(connection, |connection, at, _| {
            connection.to_client.end(at, Error::Reset);
            connection.server_ended = true;
        });
    }

    fn on(&self, number: u32, action: impl FnOnce(&mut Connection, u64, &mut Rng)) {
        let mut cable = self.0.borrow_mut();
        let at = cable.arrival_time();
        let cable = &mut *cable;
        if let Some(connection) = cable.connections.get_mut(&number)
            && connection.open
            && !connection.dead
            && !connection.server_ended
            && !connection.client_closed
        {
            action(connection, at, &mut cable.rng);
        }
    }

    fn change(&self, change: impl FnOnce(&mut Cable)) {
        let mut cable = self.0.borrow_mut();
        change(&mut cable);
        cable.stirred = true;
    }
}

impl Cable {
    fn arrival_time(&mut self) -> u64 {
        self.clock.get() + self.rng.u64(self.latency.0..=self.latency.1)
    }

    fn connection(&mut self, number: u32) -> &mut Connection {
        self.connections.get_mut(&number).expect("it is there")
    }

    fn break_connection(&mut self, number: u32, how: Cut) {
        let now = self.clock.get();
        let connection = self.connection(number);
        if connection.dead || connection.client_closed {
            return;
        }
        connection.fuse = None;
        match how {
            Cut::Fin => connection.to_client.end(now, Error::Closed),
            Cut::Reset => {
                connection.to_server.lose();
                connection.to_client.lose();
                connection.to_client.end(now, Error::Reset);
            }
            Cut::Silent => {
                connection.dead = true;
                connection.to_server.lose();
                connection.to_client.lose();
                self.dead.push(number);
                return;
            }
        }
        connection.server_ended = true;
        self.stirred = true;
    }

    fn arrive_at_client(&mut self, number: u32) {
        if self.stalled_to_client {
            return;
        }
        let now = self.clock.get();
        let fuse = match self.connection(number).fuse {
            Some((Direction::ToClient, bytes, how)) => Some((bytes, how)),
            _ => None,
        };
        let limit = fuse.map_or(usize::MAX, |(bytes, _)| bytes);
        let arrived = self.connection(number).to_client.arrive(now, limit);
        self.stirred |= arrived != Arrival::Nothing;
        self.burn(number, fuse, arrived, Direction::ToClient);
    }

    fn arrive_at_server(&mut self, number: u32, events: &mut Vec<Event>) {
        let now = self.clock.get();
        let stalled = self.stalled_to_server;
        let connection = self.connection(number);
        if !connection.open {
            return;
        }
        if !connection.told_opened {
            connection.told_opened = true;
            events.push(Event::Opened(number));
        }
        if !stalled && !connection.server_ended {
            let fuse = match connection.fuse {
                Some((Direction::ToServer, bytes, how)) => Some((bytes, how)),
                _ => None,
            };
            let limit = fuse.map_or(usize::MAX, |(bytes, _)| bytes);
            let arrived = connection.to_server.arrive(now, limit);
            let bytes = connection.to_server.read(usize::MAX);
            if !bytes.is_empty() {
                events.push(Event::Bytes(number, bytes));
            }
            if connection.to_server.has_ended() {
                connection.server_ended = true;
            }
            // The window has opened.
            self.stirred |= arrived != Arrival::Nothing;
            self.burn(number, fuse, arrived, Direction::ToServer);
        }
        let connection = self.connection(number);
        if connection.server_ended && !connection.to_server.told_end {
            connection.to_server.told_end = true;
            events.push(Event::Ended(number));
        }
    }

    fn burn(
        &mut self,
        number: u32,
        fuse: Option<(usize, Cut)>,
        arrived: Arrival,
        direction: Direction,
    ) {
        let (Some((bytes, how)), Arrival::Bytes(count)) = (fuse, arrived) else {
            return;
        };
        if count >= bytes {
            self.break_connection(number, how);
        } else {
            self.connection(number).fuse = Some((direction, bytes - count, how));
        }
    }

    fn attempt(&mut self) {
        let now = self.clock.get();
        self.attempts.push(now);
        self.moves += 1;
    }

    fn tap(&self, action: impl FnOnce(&mut dyn Tap)) {
        if let Some(tap) = &self.tap {
            action(&mut *tap.borrow_mut());
        }
    }
}

impl Connection {
    /// Whether neither end will hear of it again.
    fn is_over(&self) -> bool {
        self.client_closed && (self.dead || self.to_server.told_end || !self.open)
    }
}

impl TcpClientStack for Line {
    type TcpSocket = Socket;
    type Error = Error;

    fn socket(&mut self) -> Result<Socket, Error> {
        let mut cable = self.0.borrow_mut();
        let left = cable.connections.last_key_value();
        assert!(
            left.is_none_or(|(_, connection)| connection.client_closed),
            "the client has not closed its last socket"
        );
        cable.sockets += 1;
        cable.attempt();
        let connect_done = cable.clock.get() + cable.connect_takes;
        let number = cable.sockets;
        cable.connections.insert(
            number,
            Connection {
                connect_done,
                open: false,
                told_opened: false,
                to_server: Pipe::default(),
                to_client: Pipe::default(),
                dead: false,
                client_closed: false,
                server_ended: false,
                fuse: None,
            },
        );
        Ok(Socket(number))
    }

    fn connect(&mut self, socket: &mut Socket, _: SocketAddr) -> nb::Result<(), Error> {
        let mut cable = self.0.borrow_mut();
        if cable.clock.get() < cable.connection(socket.0).connect_done {
            return Err(nb::Error::WouldBlock);
        }
        match cable.door {
            Door::Silent => Err(nb::Error::WouldBlock),
            Door::Refused => Err(nb::Error::Other(Error::Refused)),
            Door::Untrusted => Err(nb::Error::Other(Error::Untrusted)),
            Door::Open => {
                cable.moves += 1;
                cable.connection(socket.0).open = true;
                cable.tap(|tap| tap.opened(socket.0));
                Ok(())
            }
        }
    }

    fn send(&mut self, socket: &mut Socket, bytes: &[u8]) -> nb::Result<usize, Error> {
        let mut cable = self.0.borrow_mut();
        let at = cable.arrival_time();
        let cable = &mut *cable;
        let (piece, window) = (cable.piece, cable.window);
        let connection = cable
            .connections
            .get_mut(&socket.0)
            .expect("an open socket");
        assert!(connection.open && !connection.client_closed, "{socket:?}");
        if let Some(error) = connection.to_client.error_met() {
            return Err(nb::Error::Other(error));
        }
        let room = window.saturating_sub(connection.to_server.len());
        let count = bytes.len().min(piece).min(room);
        if count == 0 {
            cable.tap(|tap| tap.refused_to_write());
            return Err(nb::Error::WouldBlock);
        }
        if connection.dead {
            connection.to_server.swallow(count);
        } else if !connection.server_ended {
            connection
                .to_server
                .push(at, &bytes[..count], &mut cable.rng);
        }
        cable.moves += 1;
        cable.tap(|tap| tap.wrote(&bytes[..count]));
        Ok(count)
    }

    fn receive(&mut self, socket: &mut Socket, buffer: &mut [u8]) -> nb::Result<usize, Error> {
        let mut cable = self.0.borrow_mut();
        let most = buffer.len().min(cable.piece);
        let connection = cable.connection(socket.0);
        assert!(connection.open && !connection.client_closed, "{socket:?}");
        let bytes = connection.to_client.read(most);
        if bytes.is_empty() {
            return Err(match connection.to_client.error_met() {
                Some(error) => nb::Error::Other(error),
                None => nb::Error::WouldBlock,
            });
        }
        buffer[..bytes.len()].copy_from_slice(&bytes);
        cable.moves += 1;
        Ok(bytes.len())
    }

    fn close(&mut self, socket: Socket) -> Result<(), Error> {
        let mut cable = self.0.borrow_mut();
        let at = cable.arrival_time();
        let resets = cable.rng.bool();
        let now = cable.clock.get();
        let connection = cable.connection(socket.0);
        assert!(!connection.client_closed, "{socket:?} is closed twice");
        connection.client_closed = true;
        // TCP resets a connection that is closed with bytes unread.
        if resets && !connection.to_client.is_empty() {
            connection.to_server.lose();
            connection.to_server.end(now, Error::Reset);
        } else {
            connection.to_server.end(at, Error::Closed);
        }
        let was_open = connection.open;
        cable.moves += 1;
        if was_open {
            cable.tap(|tap| tap.closed());
        }
        Ok(())
    }
}

impl Dns for Line {
    type Error = Error;

    fn get_host_by_name(&mut self, _: &str, _: AddrType) -> nb::Result<IpAddr, Error> {
        let mut cable = self.0.borrow_mut();
        let now = cable.clock.get();
        let takes = cable.look_up_takes;
        let done = *cable.look_up_done.get_or_insert(now + takes);
        if now < done || cable.names == Names::Silent {
            return Err(nb::Error::WouldBlock);
        }
        cable.look_up_done = None;
        match cable.names {
            Names::Unknown => {
                cable.attempt();
                Err(nb::Error::Other(Error::UnknownName))
            }
            Names::Known | Names::Silent => Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        }
    }

    fn get_host_by_address(&mut self, _: IpAddr, _: &mut [u8]) -> nb::Result<usize, Error> {
        Err(nb::Error::Other(Error::UnknownName))
    }
}
