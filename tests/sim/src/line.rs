//! The simulated network: one line between a link of the bridge and the server that it wants.
//!
//! Every segment takes its time, drawn from the seed; bytes keep their order. All that goes wrong is switched on and off from outside: see
//! [`Line`]'s methods. Nothing waits: time is the [`Clock`] that the simulation turns.

mod arrivals;
mod stack;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use fastrand::Rng;

use crate::network::{Clock, Door, Error, Names};
use crate::pipe::Pipe;

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
    /// What a receiver that does not read still takes.
    stall_room: usize,
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

/// Bytes of a receiver's buffer, at most.
const MOST_STALL_ROOM: usize = 400;

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
            stall_room: 0,
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
            Direction::ToServer => {
                cable.stalled_to_server = stalled;
                cable.stall_room = cable.rng.usize(1..MOST_STALL_ROOM);
            }
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

    /// Milliseconds between one attempt to connect and the next.
    #[must_use]
    pub fn gaps_between_attempts(&self) -> Vec<u64> {
        let cable = self.0.borrow();
        let pairs = cable.attempts.windows(2);
        pairs.map(|pair| pair[1] - pair[0]).collect()
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

    /// Whether bytes are on their way to the server that can still arrive.
    #[must_use]
    pub fn has_bytes_for_server(&self) -> bool {
        let cable = self.0.borrow();
        let mut connections = cable.connections.values();
        connections
            .any(|connection| !connection.dead && connection.to_server.next_arrival().is_some())
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

    /// The client's process has died: its system closes the connection.
    pub fn client_dies(&self) {
        let mut cable = self.0.borrow_mut();
        let at = cable.arrival_time();
        cable.look_up_done = None;
        let Some((_, connection)) = cable.connections.iter_mut().next_back() else {
            return;
        };
        if connection.client_closed {
            return;
        }
        connection.client_closed = true;
        connection.to_server.end(at, Error::Closed);
        if connection.open {
            cable.tap(|tap| tap.closed());
        }
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
