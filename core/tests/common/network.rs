//! A network in memory: one [`Line`] between a link of the core and the server that it wants. Nothing here waits: time is
//! the [`Clock`] that the test turns.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt::{self, Display, Formatter};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;

use embedded_nal::{AddrType, Dns, TcpClientStack, TcpError, TcpErrorKind, nb};
use mqtt_client_core::net::{Network, NetworkError};

/// Milliseconds, shared by all that takes part.
pub type Clock = Rc<Cell<u64>>;

/// Both ends of a line. The link holds one clone of it, as its network; the server's side holds another.
#[derive(Clone)]
pub struct Line(Rc<RefCell<Cable>>);

struct Cable {
    clock: Clock,
    names: Names,
    door: Door,
    /// Most bytes that one call moves.
    piece: usize,
    /// Most bytes that lie between client and server.
    window: usize,
    /// The client's last one, and those before it that the server has not heard to the end.
    connections: VecDeque<Connection>,
    sockets: u32,
    attempts: Vec<u64>,
    moves: u64,
}

/// What the server's end of a line meets, in order.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    Opened(u32),
    Bytes(u32, Vec<u8>),
    Ended(u32),
}

/// How name look-ups go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    Known,
    Unknown,
    /// No answer.
    Silent,
}

/// How attempts to connect go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    Open,
    /// Nobody listens.
    Refused,
    /// No answer.
    Silent,
    /// A certificate does not please: [`NetworkError::is_permanent`].
    Untrusted,
}

#[derive(Default)]
struct Connection {
    socket: u32,
    open: bool,
    to_server: VecDeque<u8>,
    to_client: VecDeque<u8>,
    /// Which error the client meets once it has read all.
    over: Option<Error>,
    client_gone: bool,
    /// What the server has heard of it.
    told: Told,
}

#[derive(Default, PartialEq, Eq)]
enum Told {
    #[default]
    Nothing,
    Opened,
    Ended,
}

/// A socket, by its number.
#[derive(Debug)]
pub struct Socket(u32);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    UnknownName,
    Refused,
    Untrusted,
    Closed,
    Reset,
}

impl Line {
    pub fn new(clock: Clock) -> Self {
        Line(Rc::new(RefCell::new(Cable {
            clock,
            names: Names::Known,
            door: Door::Open,
            piece: usize::MAX,
            window: usize::MAX,
            connections: VecDeque::new(),
            sockets: 0,
            attempts: Vec::new(),
            moves: 0,
        })))
    }

    pub fn set_names(&self, names: Names) {
        self.change(|cable| cable.names = names);
    }

    pub fn set_door(&self, door: Door) {
        self.change(|cable| cable.door = door);
    }

    /// One call moves so many bytes at most.
    pub fn set_piece(&self, bytes: usize) {
        self.change(|cable| cable.piece = bytes);
    }

    /// So many bytes can be under way to the server; 0 stalls the client's writes.
    pub fn set_window(&self, bytes: usize) {
        self.change(|cable| cable.window = bytes);
    }

    /// When the client began to connect, or could not find the name.
    pub fn attempts(&self) -> Vec<u64> {
        self.0.borrow().attempts.clone()
    }

    /// Grows with everything that happens on the line.
    pub fn moves(&self) -> u64 {
        self.0.borrow().moves
    }

    /// Whether a connection is open at both ends.
    pub fn is_open(&self) -> bool {
        let cable = self.0.borrow();
        cable.connections.back().is_some_and(Connection::is_alive)
    }

    /// What has happened at the server's end since it last asked.
    pub fn events(&self) -> Vec<Event> {
        let mut cable = self.0.borrow_mut();
        let mut events = Vec::new();
        for connection in &mut cable.connections {
            connection.tell(&mut events);
        }
        while cable.connections.len() > 1 {
            cable.connections.pop_front();
        }
        cable.moves += events.len() as u64;
        events
    }

    /// The server writes to this connection, if that is still there.
    pub fn server_write(&self, connection: u32, bytes: &[u8]) {
        self.on(connection, |connection| connection.to_client.extend(bytes));
    }

    /// The server closes; the client can read what was written before.
    pub fn server_close(&self, connection: u32) {
        self.on(connection, |connection| {
            connection.over = Some(Error::Closed)
        });
    }

    /// The network breaks: what is under way is lost in both directions.
    pub fn cut(&self) {
        let last = self.0.borrow().sockets;
        self.on(last, |connection| {
            connection.over = Some(Error::Reset);
            connection.to_client.clear();
            connection.to_server.clear();
        });
    }

    fn on(&self, socket: u32, action: impl FnOnce(&mut Connection)) {
        self.change(|cable| {
            let mut alive = cable
                .connections
                .iter_mut()
                .filter(|connection| connection.is_alive());
            if let Some(connection) = alive.find(|connection| connection.socket == socket) {
                action(connection);
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut Cable)) {
        let mut cable = self.0.borrow_mut();
        change(&mut cable);
        cable.moves += 1;
    }
}

impl Connection {
    fn is_alive(&self) -> bool {
        self.open && self.over.is_none() && !self.client_gone
    }

    fn tell(&mut self, events: &mut Vec<Event>) {
        if !self.open || self.told == Told::Ended {
            return;
        }
        if self.told == Told::Nothing {
            self.told = Told::Opened;
            events.push(Event::Opened(self.socket));
        }
        if !self.to_server.is_empty() {
            events.push(Event::Bytes(
                self.socket,
                self.to_server.drain(..).collect(),
            ));
        }
        if !self.is_alive() {
            self.told = Told::Ended;
            events.push(Event::Ended(self.socket));
        }
    }
}

impl TcpClientStack for Line {
    type TcpSocket = Socket;
    type Error = Error;

    fn socket(&mut self) -> Result<Socket, Error> {
        let mut cable = self.0.borrow_mut();
        let left = cable
            .connections
            .back()
            .filter(|connection| !connection.client_gone);
        assert!(left.is_none(), "the client has not closed its last socket");
        cable.sockets += 1;
        cable.attempt();
        let socket = cable.sockets;
        cable.connections.push_back(Connection {
            socket,
            ..Connection::default()
        });
        Ok(Socket(socket))
    }

    fn connect(&mut self, socket: &mut Socket, _: SocketAddr) -> nb::Result<(), Error> {
        let mut cable = self.0.borrow_mut();
        match cable.door {
            Door::Silent => Err(nb::Error::WouldBlock),
            Door::Open => {
                cable.moves += 1;
                cable.own(socket).open = true;
                Ok(())
            }
            Door::Refused => Err(nb::Error::Other(Error::Refused)),
            Door::Untrusted => Err(nb::Error::Other(Error::Untrusted)),
        }
    }

    fn send(&mut self, socket: &mut Socket, bytes: &[u8]) -> nb::Result<usize, Error> {
        let mut cable = self.0.borrow_mut();
        let (piece, window) = (cable.piece, cable.window);
        let connection = cable.own(socket);
        if let Some(error) = connection.over {
            return Err(nb::Error::Other(error));
        }
        let room = window.saturating_sub(connection.to_server.len());
        let count = bytes.len().min(piece).min(room);
        if count == 0 {
            return Err(nb::Error::WouldBlock);
        }
        connection.to_server.extend(&bytes[..count]);
        cable.moves += 1;
        Ok(count)
    }

    fn receive(&mut self, socket: &mut Socket, buffer: &mut [u8]) -> nb::Result<usize, Error> {
        let mut cable = self.0.borrow_mut();
        let piece = cable.piece;
        let connection = cable.own(socket);
        let count = connection.to_client.len().min(buffer.len()).min(piece);
        if count == 0 {
            return Err(connection
                .over
                .map_or(nb::Error::WouldBlock, nb::Error::Other));
        }
        for (slot, byte) in buffer.iter_mut().zip(connection.to_client.drain(..count)) {
            *slot = byte;
        }
        cable.moves += 1;
        Ok(count)
    }

    fn close(&mut self, socket: Socket) -> Result<(), Error> {
        let mut cable = self.0.borrow_mut();
        cable.own(&socket).client_gone = true;
        cable.moves += 1;
        Ok(())
    }
}

impl Cable {
    fn own(&mut self, socket: &Socket) -> &mut Connection {
        self.connections
            .back_mut()
            .filter(|connection| connection.socket == socket.0 && !connection.client_gone)
            .expect("the socket is open")
    }

    fn attempt(&mut self) {
        self.attempts.push(self.clock.get());
        self.moves += 1;
    }
}

impl Network for Line {}

impl Dns for Line {
    type Error = Error;

    fn get_host_by_name(&mut self, _: &str, _: AddrType) -> nb::Result<IpAddr, Error> {
        let mut cable = self.0.borrow_mut();
        match cable.names {
            Names::Known => Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            Names::Silent => Err(nb::Error::WouldBlock),
            Names::Unknown => {
                cable.attempt();
                Err(nb::Error::Other(Error::UnknownName))
            }
        }
    }

    fn get_host_by_address(&mut self, _: IpAddr, _: &mut [u8]) -> nb::Result<usize, Error> {
        Err(nb::Error::Other(Error::UnknownName))
    }
}

impl TcpError for Error {
    fn kind(&self) -> TcpErrorKind {
        match self {
            Error::Closed => TcpErrorKind::PipeClosed,
            _ => TcpErrorKind::Other,
        }
    }
}

impl NetworkError for Error {
    fn is_permanent(&self) -> bool {
        *self == Error::Untrusted
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::UnknownName => "the name is unknown",
            Error::Refused => "connection refused",
            Error::Untrusted => "the certificate is not trusted",
            Error::Closed => "closed by the peer",
            Error::Reset => "connection reset",
        })
    }
}
